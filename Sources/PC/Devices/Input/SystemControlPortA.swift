/// The PS/2's system control port A at 0x92: fast A20 gate and fast reset.
public final class SystemControlPortA: ByteRegisters {
  public static let port: UInt16 = 0x92
  enum Bit {
    static let reset: UInt8 = 1 << 0
    static let a20: UInt8 = 1 << 1
  }
  public struct State: Codable, Equatable {
    public var value: UInt8 = Bit.a20
  }
  public var state = State()
  /// The guest resets the processor.
  public var onReset: (() -> Void)?
  /// The guest opens (true) or closes the gate of address line 20.
  public var onA20: ((Bool) -> Void)?

  public init() {}

  public func reset() { state = State() }

  public func readRegister(_ offset: UInt16) -> UInt8 { state.value }

  public func writeRegister(_ offset: UInt16, _ value: UInt8) {
    let old = state.value
    state.value = value
    if (old ^ value) & Bit.a20 != 0 { onA20?(value & Bit.a20 != 0) }
    // A rising edge resets; leaving the bit set does nothing more.
    if value & ~old & Bit.reset != 0 { onReset?() }
  }
}
