/// A port to which firmware and small kernels print: Bochs's 0xE9, SeaBIOS's 0x402. Reading gives a fixed
/// byte by which the guest tells that somebody listens.
public final class DebugConsole: PortDevice {
  /// Bochs's port.
  public static let bochsPort: UInt16 = 0xE9
  /// SeaBIOS's and OVMF's port.
  public static let firmwarePort: UInt16 = 0x402

  public struct State: Codable, Equatable {
    /// What reading gives; 0xE9 says that the port is there.
    public var readback: UInt8 = 0xE9
  }
  public var state = State()
  /// The guest printed a byte.
  public var onTransmit: ((UInt8) -> Void)?

  public init() {}

  public func readPort(offset: UInt16, size: Int) -> UInt32 { UInt32(state.readback) }

  public func writePort(offset: UInt16, size: Int, value: UInt32) {
    onTransmit?(UInt8(truncatingIfNeeded: value))
  }
}
