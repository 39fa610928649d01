/// Configuration mechanism #1 (PCI 3.0, 3.2.2.3.2): the address at 0xCF8, the data at 0xCFC, mapped as eight
/// ports. The address is a 32-bit register that smaller accesses do not reach; the byte at 0xCF9 is PIIX's
/// reset control.
public final class PCIConfigurationPorts: PortDevice {
  public static let firstPort: UInt16 = 0xCF8
  public static let portCount: UInt16 = 8
  static let dataOffset: UInt16 = 4
  static let enable: UInt32 = 1 << 31
  /// Enable, bus, slot, function, register.
  static let addressMask: UInt32 = 0x80FF_FFFC

  public struct State: Codable, Equatable {
    public var address: UInt32 = 0
  }
  public var state = State()
  private let bus: PCIBus
  private let resetControl: ResetControl

  public init(bus: PCIBus, resetControl: ResetControl) {
    self.bus = bus
    self.resetControl = resetControl
  }

  public func reset() { state = State() }

  public func readPort(offset: UInt16, size: Int) -> UInt32 {
    let ones: UInt32 = size == 4 ? .max : 1 << UInt32(8 * size) - 1
    switch (offset, size) {
    case (0, 4): return state.address
    case (1, 1): return UInt32(resetControl.read())
    case (Self.dataOffset..., _):
      guard state.address & Self.enable != 0 else { return ones }
      return bus.readConfiguration(target(offset), size: size)
    default: return ones
    }
  }

  public func writePort(offset: UInt16, size: Int, value: UInt32) {
    switch (offset, size) {
    case (0, 4): state.address = value & Self.addressMask
    case (1, 1): resetControl.write(UInt8(truncatingIfNeeded: value))
    case (Self.dataOffset..., _):
      guard state.address & Self.enable != 0 else { return }
      bus.writeConfiguration(target(offset), size: size, value: value)
    default: break
    }
  }

  private func target(_ offset: UInt16) -> UInt32 { state.address & 0xFF_FFFC | UInt32(offset & 3) }
}
