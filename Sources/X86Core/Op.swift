/// A handler executes one operation (one or two guest instructions) and ends by jumping to the next one's handler.
/// Arguments: processor, operation, instructions left in the budget after this whole block.
public typealias Handler = @convention(c) (UnsafeMutableRawPointer, UnsafeRawPointer, Int) -> Void

/// A decoded operation: 32 bytes, plain.
///
/// Memory operands always lie in `base`, `index`, `scale`, `wide` (displacement, RIP-relative ones made absolute),
/// `segmentSlot` and `maskSlot`, so that every slow path can compute the address of any of them.
/// An *exit slot* (a taken jump's destination) uses the same 32 bytes as `ExitSlot` says.
public struct Op {
  public var handler: UInt = 0
  /// ModRM.reg or destination: register number, or byte offset of an 8-bit register.
  public var d: UInt8 = 0
  /// ModRM.rm when it is a register, or source: likewise.
  public var s: UInt8 = 0
  public var base: UInt8 = Slot.zero
  public var index: UInt8 = Slot.zero
  public var scale: UInt8 = 0
  /// Bytes of the guest instructions in it.
  public var length: UInt8 = 0
  /// Distance in operations to the block's header.
  public var place: UInt8 = 0
  /// Instructions of the block after this operation.
  public var after: UInt8 = 0
  /// Displacement of a memory operand, else a 64-bit immediate.
  public var wide: Int64 = 0
  /// Slot of the segment base to add.
  public var segmentSlot: UInt8 = Slot.zero
  /// Slot of the mask for the effective address.
  public var maskSlot: UInt8 = Slot.mask64
  /// Segment number, and `checked` where limit and type must be looked at.
  public var segment: UInt8 = 3
  /// Operand size (1, 2, 4, 8) and flags.
  public var size: UInt8 = 0
  public var imm: Int32 = 0

  public init() {}

  /// In `segment`: the access must be checked against limit and type (no flat segment).
  public static let checked: UInt8 = 0x80
  /// In `size`: the E operand is memory.
  public static let memory: UInt8 = 0x80
  /// In `size`: REPNE, REP prefixes of string instructions.
  public static let repne: UInt8 = 0x20
  public static let rep: UInt8 = 0x40
  public static let sizeMask: UInt8 = 0x0F

  @inlinable @inline(__always) public static var stride: Int { 32 }
}

/// Typed loads from an operation, as the hot path wants them: one host instruction each.
public struct OpRef {
  public let p: UnsafeRawPointer
  @inlinable @inline(__always) public init(_ p: UnsafeRawPointer) { self.p = p }
  @inlinable @inline(__always) public var d: UInt8 { p.load(fromByteOffset: 8, as: UInt8.self) }
  @inlinable @inline(__always) public var s: UInt8 { p.load(fromByteOffset: 9, as: UInt8.self) }
  @inlinable @inline(__always) public var base: UInt8 { p.load(fromByteOffset: 10, as: UInt8.self) }
  @inlinable @inline(__always) public var index: UInt8 { p.load(fromByteOffset: 11, as: UInt8.self) }
  @inlinable @inline(__always) public var scale: UInt8 { p.load(fromByteOffset: 12, as: UInt8.self) }
  @inlinable @inline(__always) public var length: UInt8 { p.load(fromByteOffset: 13, as: UInt8.self) }
  @inlinable @inline(__always) public var place: UInt8 { p.load(fromByteOffset: 14, as: UInt8.self) }
  @inlinable @inline(__always) public var after: UInt8 { p.load(fromByteOffset: 15, as: UInt8.self) }
  @inlinable @inline(__always) public var wide: Int64 { p.load(fromByteOffset: 16, as: Int64.self) }
  @inlinable @inline(__always) public var segmentSlot: UInt8 { p.load(fromByteOffset: 24, as: UInt8.self) }
  @inlinable @inline(__always) public var maskSlot: UInt8 { p.load(fromByteOffset: 25, as: UInt8.self) }
  @inlinable @inline(__always) public var segment: UInt8 { p.load(fromByteOffset: 26, as: UInt8.self) }
  @inlinable @inline(__always) public var size: UInt8 { p.load(fromByteOffset: 27, as: UInt8.self) }
  @inlinable @inline(__always) public var imm: Int32 { p.load(fromByteOffset: 28, as: Int32.self) }
  /// Operand size in bytes.
  @inlinable @inline(__always) public var operandSize: UInt8 { size & Op.sizeMask }
  @inlinable @inline(__always) public var isMemory: Bool { size & Op.memory != 0 }

  /// The block's header.
  @inlinable public var header: HeaderRef { HeaderRef(p - Int(place) &* Op.stride) }

  /// RIP of the operation's first instruction.
  public var rip: UInt64 {
    let header = self.header
    var rip = header.rip
    var op = header.p + Op.stride
    while op < p {
      rip &+= UInt64(OpRef(op).length)
      op += Op.stride
    }
    return rip
  }
  /// RIP behind the operation.
  public var nextRIP: UInt64 { rip &+ UInt64(length) }
}

/// The fields of an exit slot: the 32 bytes behind a conditional jump or call, or those of a direct jump itself.
public enum ExitSlot {
  /// u32: what the low half of the fetch key was when the link across pages was made.
  @inlinable @inline(__always) public static var key: Int { 8 }
  /// u8: how the block cache may link it.
  @inlinable @inline(__always) public static var kind: Int { 12 }
  /// Header of the successor; the sentinel when not linked.
  @inlinable @inline(__always) public static var successor: Int { 16 }
  @inlinable @inline(__always) public static var targetRIP: Int { 24 }
}

/// The 32 bytes before a block's first operation.
public struct HeaderRef {
  public let p: UnsafeRawPointer
  @inlinable @inline(__always) public init(_ p: UnsafeRawPointer) { self.p = p }
  /// Instructions in the block; `staleLength` when it must not be entered.
  @inlinable @inline(__always) public var length: Int { p.load(fromByteOffset: 0, as: Int.self) }
  @inlinable @inline(__always) public var rip: UInt64 { p.load(fromByteOffset: 8, as: UInt64.self) }
  /// Physical address of the first byte.
  @inlinable public var physicalAddress: UInt64 { p.load(fromByteOffset: 16, as: UInt64.self) }

  /// More than any budget: entering fails the one comparison that every link makes.
  @inlinable @inline(__always) public static var staleLength: Int { 1 << 40 }
}

/// Jumps to the next operation. Always the last thing that a handler does.
@inlinable @inline(__always)
public func next(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  unsafeBitCast(op.load(fromByteOffset: Op.stride, as: UInt.self), to: Handler.self)(cpu, op + Op.stride, left)
}

/// Jumps to the operation `op`.
@inlinable @inline(__always)
public func dispatch(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  unsafeBitCast(op.load(fromByteOffset: 0, as: UInt.self), to: Handler.self)(cpu, op, left)
}
