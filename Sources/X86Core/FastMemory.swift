/// An entry of a TLB: 16 bytes, a tag (page-aligned linear address, or `empty`) and what to add to a linear address to
/// get the host address (data) or the physical address (fetch).
public enum TLBEntry {
  /// Never equal to a page-aligned address.
  public static let empty: UInt64 = 1
  public static let pageMask: UInt64 = ~0xFFF
}

/// What a look into a TLB gave. Not an optional: a handler tests the tag and nothing else.
public struct TLBLookup {
  public let isHit: Bool
  @usableFromInline let address: UInt
  @inlinable @inline(__always) init(isHit: Bool, address: UInt) {
    self.isHit = isHit
    self.address = address
  }
  /// Valid when it is a hit.
  @inlinable @inline(__always)
  public var host: UnsafeMutableRawPointer { UnsafeMutableRawPointer(bitPattern: address).unsafelyUnwrapped }
}

/// How an operand's linear address is computed from an operation.
public protocol AddressForm {
  static func linear(_ cpu: CPU, _ op: OpRef) -> UInt64
}

/// [base + displacement], 64-bit addresses, no segment base.
public enum BaseForm: AddressForm {
  @inlinable @inline(__always)
  public static func linear(_ cpu: CPU, _ op: OpRef) -> UInt64 {
    cpu.r64(op.base) &+ UInt64(bitPattern: op.wide)
  }
}

/// [base + index × scale + displacement], 64-bit addresses, no segment base; absolute and RIP-relative ones too.
public enum IndexForm: AddressForm {
  @inlinable @inline(__always)
  public static func linear(_ cpu: CPU, _ op: OpRef) -> UInt64 {
    cpu.r64(op.base) &+ (cpu.r64(op.index) &<< UInt64(op.scale)) &+ UInt64(bitPattern: op.wide)
  }
}

/// Any address: masked to the address size, then the segment's base added. In 32-bit modes the sum is 32 bits wide.
public enum GeneralForm: AddressForm {
  @inlinable @inline(__always)
  public static func linear(_ cpu: CPU, _ op: OpRef) -> UInt64 {
    effective(cpu, op) &+ cpu.r64(op.segmentSlot)
  }
  @inlinable @inline(__always)
  public static func effective(_ cpu: CPU, _ op: OpRef) -> UInt64 {
    (cpu.r64(op.base) &+ (cpu.r64(op.index) &<< UInt64(op.scale)) &+ UInt64(bitPattern: op.wide))
      & cpu.r64(op.maskSlot)
  }
}

extension CPU {
  @inlinable @inline(__always)
  func entry(_ linear: UInt64, _ table: Int) -> UnsafeMutableRawPointer {
    f.pointee.viewBase + (table &+ Int(truncatingIfNeeded: (linear &>> 8) & Layout.tlbMask))
  }

  /// Looks up `size` bytes for reading. Misses, page crossings and devices take the slow way.
  @inlinable @inline(__always)
  public func lookUpRead(_ linear: UInt64, _ size: Int) -> TLBLookup { lookUp(linear, size, 0) }

  /// Likewise for writing (and for reading what is then written).
  @inlinable @inline(__always)
  public func lookUpWrite(_ linear: UInt64, _ size: Int) -> TLBLookup { lookUp(linear, size, Layout.tlbTable) }

  @inlinable @inline(__always)
  func lookUp(_ linear: UInt64, _ size: Int, _ table: Int) -> TLBLookup {
    let e = entry(linear, table)
    return TLBLookup(
      isHit: _fastPath(
        e.load(as: UInt64.self) == (linear &+ UInt64(truncatingIfNeeded: size &- 1)) & TLBEntry.pageMask),
      address: UInt(truncatingIfNeeded: linear &+ e.load(fromByteOffset: 8, as: UInt64.self)))
  }

  /// Host address for reading `size` bytes when the TLB has it, else nil: for code that is not hot enough to mind the
  /// second test that an optional brings.
  @inlinable @inline(__always)
  public func readHit(_ linear: UInt64, _ size: Int) -> UnsafeMutableRawPointer? {
    let found = lookUpRead(linear, size)
    return found.isHit ? found.host : nil
  }

  /// Likewise for writing.
  @inlinable @inline(__always)
  public func writeHit(_ linear: UInt64, _ size: Int) -> UnsafeMutableRawPointer? {
    let found = lookUpWrite(linear, size)
    return found.isHit ? found.host : nil
  }

  /// Linear address of an operation's memory operand, whatever its form.
  @inlinable @inline(__always)
  public func linearAddress(_ op: OpRef) -> UInt64 { GeneralForm.linear(self, op) }
}
