/// PIIX's reset control register at port 0xCF9 (82371AB data sheet 4.1.3). It lies amid the PCI configuration
/// address, which is only seen by 32-bit accesses: `PCIConfigurationPorts` hands the bytes on.
public final class ResetControl {
  enum Bit {
    /// Kind of reset: 1 is hard.
    static let systemReset: UInt8 = 1 << 1
    /// A write with this bit resets.
    static let resetCPU: UInt8 = 1 << 2
  }
  public struct State: Codable, Equatable {
    public var value: UInt8 = 0
  }
  public var state = State()
  /// The guest resets the machine.
  public var onReset: (() -> Void)?

  public init() {}

  public func reset() { state = State() }

  public func read() -> UInt8 { state.value }

  public func write(_ value: UInt8) {
    state.value = value & Bit.systemReset
    if value & Bit.resetCPU != 0 { onReset?() }
  }
}
