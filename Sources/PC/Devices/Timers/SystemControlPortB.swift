/// System control port B (port 0x61): gate and output of the speaker's counter, the refresh toggle.
public final class SystemControlPortB: ByteRegisters {
  /// Timer 2 gate to speaker.
  static let gate2: UInt8 = 1 << 0
  static let speakerData: UInt8 = 1 << 1
  /// Toggles with each refresh request, every 18 ticks of the 8254 (15 µs); delay loops count it.
  static let refreshToggle: UInt8 = 1 << 4
  static let output2: UInt8 = 1 << 5
  /// Gate, speaker data and the two NMI disables.
  static let writable: UInt8 = 0x0F
  static let refreshTicks: UInt64 = 18

  public struct State: Codable, Equatable {
    public var control: UInt8 = 0
    public init() {}
  }

  public var state = State()
  private let pit: PIT8254

  public init(pit: PIT8254) { self.pit = pit }

  public func reset() {
    state = State()
    pit.setGate(2, false)
  }

  public func readRegister(_ offset: UInt16) -> UInt8 {
    var value = state.control
    if pit.currentTick / Self.refreshTicks & 1 != 0 { value |= Self.refreshToggle }
    if pit.output(2) { value |= Self.output2 }
    return value
  }

  public func writeRegister(_ offset: UInt16, _ value: UInt8) {
    state.control = value & Self.writable
    pit.setGate(2, state.control & Self.gate2 != 0)
  }
}
