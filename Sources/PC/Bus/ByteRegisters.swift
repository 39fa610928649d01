/// A port device whose registers are one byte wide each: a wider access is that many single ones, lowest
/// offset first, as on an 8-bit ISA card.
public protocol ByteRegisters: PortDevice {
  func readRegister(_ offset: UInt16) -> UInt8
  func writeRegister(_ offset: UInt16, _ value: UInt8)
}

extension ByteRegisters {
  public func readPort(offset: UInt16, size: Int) -> UInt32 {
    var value: UInt32 = 0
    for i in 0..<size { value |= UInt32(readRegister(offset &+ UInt16(i))) << UInt32(8 * i) }
    return value
  }

  public func writePort(offset: UInt16, size: Int, value: UInt32) {
    for i in 0..<size {
      writeRegister(offset &+ UInt16(i), UInt8(truncatingIfNeeded: value >> UInt32(8 * i)))
    }
  }
}
