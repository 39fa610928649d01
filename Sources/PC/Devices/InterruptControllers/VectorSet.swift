/// 256 bits, one per interrupt vector: ISR, TMR or IRR of a local APIC.
public struct VectorSet: Codable, Equatable, Sendable {
  private var bits0: UInt64 = 0
  private var bits64: UInt64 = 0
  private var bits128: UInt64 = 0
  private var bits192: UInt64 = 0

  public init() {}

  public func contains(_ vector: UInt8) -> Bool { quad(vector >> 6) >> UInt64(vector & 63) & 1 != 0 }

  public mutating func insert(_ vector: UInt8) { set(vector, true) }
  public mutating func remove(_ vector: UInt8) { set(vector, false) }

  /// The highest vector, which has the highest priority.
  public var highest: UInt8? {
    if bits192 != 0 { return 255 - UInt8(bits192.leadingZeroBitCount) }
    if bits128 != 0 { return 191 - UInt8(bits128.leadingZeroBitCount) }
    if bits64 != 0 { return 127 - UInt8(bits64.leadingZeroBitCount) }
    if bits0 != 0 { return 63 - UInt8(bits0.leadingZeroBitCount) }
    return nil
  }

  /// Register `index` (0…7) of the eight 32-bit registers that the APIC shows.
  public func register(_ index: Int) -> UInt32 {
    UInt32(truncatingIfNeeded: quad(UInt8(truncatingIfNeeded: index >> 1) & 3) >> UInt64(32 * (index & 1)))
  }

  private func quad(_ index: UInt8) -> UInt64 {
    switch index {
    case 0: return bits0
    case 1: return bits64
    case 2: return bits128
    default: return bits192
    }
  }

  private mutating func set(_ vector: UInt8, _ member: Bool) {
    let mask = UInt64(1) << UInt64(vector & 63)
    switch vector >> 6 {
    case 0: bits0 = member ? bits0 | mask : bits0 & ~mask
    case 1: bits64 = member ? bits64 | mask : bits64 & ~mask
    case 2: bits128 = member ? bits128 | mask : bits128 & ~mask
    default: bits192 = member ? bits192 | mask : bits192 & ~mask
    }
  }
}
