import X86Core
import X86Float

/// A number format of memory operands: how it becomes a register's value and back (SDM 1 8.3.3, 4.2).
protocol MemoryFormat {
  associatedtype Bits: FixedWidthInteger
  /// What a masked invalid operation stores.
  static var indefinite: Bits { get }
  /// The value as an operand of arithmetic, and whether it is a denormal of its own format.
  static func operand(_ bits: Bits) -> (value: F80, isDenormal: Bool)
  /// The value for a load.
  static func load(_ bits: Bits, _ raised: inout UInt16) -> F80
  /// - Parameter truncating: towards zero whatever the rounding control says (FISTTP).
  static func store(_ a: F80, truncating: Bool, control: UInt16, _ raised: inout UInt16) -> Bits
}

/// m32fp
enum Single: MemoryFormat {
  static var indefinite: UInt32 { 0xFFC0_0000 }
  static func operand(_ bits: UInt32) -> (value: F80, isDenormal: Bool) {
    let x = Float(bitPattern: bits)
    return (F80(exactly: x), x.isDenormal)
  }
  static func load(_ bits: UInt32, _ raised: inout UInt16) -> F80 {
    X87.load(Float(bitPattern: bits), &raised)
  }
  static func store(_ a: F80, truncating: Bool, control: UInt16, _ raised: inout UInt16) -> UInt32 {
    X87.store(a, as: Float.self, control: control, &raised).bitPattern
  }
}

/// m64fp
enum DoublePrecision: MemoryFormat {
  static var indefinite: UInt64 { 0xFFF8_0000_0000_0000 }
  static func operand(_ bits: UInt64) -> (value: F80, isDenormal: Bool) {
    let x = Double(bitPattern: bits)
    return (F80(exactly: x), x.isDenormal)
  }
  static func load(_ bits: UInt64, _ raised: inout UInt16) -> F80 {
    X87.load(Double(bitPattern: bits), &raised)
  }
  static func store(_ a: F80, truncating: Bool, control: UInt16, _ raised: inout UInt16) -> UInt64 {
    X87.store(a, as: Double.self, control: control, &raised).bitPattern
  }
}

/// m16int, m32int, m64int
enum SignedInteger<Bits: FixedWidthInteger & Swift.SignedInteger>: MemoryFormat {
  static var indefinite: Bits { Bits.min }
  static func operand(_ bits: Bits) -> (value: F80, isDenormal: Bool) {
    (F80(Int64(truncatingIfNeeded: bits)), false)
  }
  static func load(_ bits: Bits, _ raised: inout UInt16) -> F80 { F80(Int64(truncatingIfNeeded: bits)) }
  static func store(_ a: F80, truncating: Bool, control: UInt16, _ raised: inout UInt16) -> Bits {
    Bits(
      truncatingIfNeeded: X87.storeInteger(
        a, bits: Bits.bitWidth, truncating: truncating, control: control, &raised))
  }
}

// MARK: operands of ten bytes

extension FPU {
  /// Alignment that #AC asks of double extended-precision operands (SDM 3A table 6-7).
  private static let extendedAlignment = 8

  /// Reads an operand of ten bytes: m80fp, m80bcd. nil: fault recorded.
  func readTenBytes(_ op: OpRef) -> (low: UInt64, high: UInt16)? {
    let access = cpu.dataAccess(write: false)
    guard let linear = cpu.checkedAddress(op, size: 10, write: false),
      !cpu.alignmentFaults(linear, FPU.extendedAlignment),
      let low = cpu.read(linear, UInt64.self, access),
      let high = cpu.read(advanced(linear, 8), UInt16.self, access)
    else { return nil }
    return (low, high)
  }

  /// Writes an operand of ten bytes, all or nothing. False: fault recorded.
  func writeTenBytes(_ op: OpRef, _ low: UInt64, _ high: UInt16) -> Bool {
    let access = cpu.dataAccess(write: true)
    guard let linear = cpu.checkedAddress(op, size: 10, write: true),
      !cpu.alignmentFaults(linear, FPU.extendedAlignment), cpu.probeWrite(linear, 10, access)
    else { return false }
    return cpu.write(linear, low, access) && cpu.write(advanced(linear, 8), high, access)
  }

  /// A linear address further on: legacy addresses wrap at 4 GiB.
  func advanced(_ linear: UInt64, _ distance: Int) -> UInt64 {
    let sum = linear &+ UInt64(truncatingIfNeeded: distance)
    return fields.pointee.codeMode & CodeMode.bits64 != 0 ? sum : sum & 0xFFFF_FFFF
  }
}
