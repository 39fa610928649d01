/// The IDE controller of Intel's PIIX3 (82371SB data sheet 2.5 and 2.6), at slot 1 function 1: two channels at their legacy
/// ports, and the bus master's ports behind BAR 4.
public final class PIIX3IDE: PCIFunction {
  enum Register {
    /// IDETIM of the primary channel, the secondary's follows; bit 15 switches the channel's ports on.
    static let timing = 0x40
    static let slaveTiming = 0x44
  }
  /// First ports of command and control blocks, and the interrupts.
  public static let places: [(command: UInt16, control: UInt16, irq: Int)] = [
    (0x1F0, 0x3F6, 14), (0x170, 0x376, 15),
  ]
  public static let commandPorts: UInt16 = 8
  static let busMasterSize: UInt64 = 16

  public let channels: [IDEChannel]

  /// - Parameter hasFirmware: firmware switches the channels on; else they are on.
  public init(channels: [IDEChannel], memory: DirectMemory, hasFirmware: Bool) {
    self.channels = channels
    super.init(vendorID: 0x8086, deviceID: 0x7010, classCode: 0x010180)
    for i in 0..<2 {
      set16(Register.timing + 2 * i, hasFirmware ? 0 : 0x8000)
      allowWrites(Register.timing + 2 * i, mask: 0xF3FF)
    }
    allowWrites(Register.slaveTiming, mask: 0x00FF)
    addBAR(4, kind: .io, size: Self.busMasterSize, name: "IDE bus master", port: BusMasterPorts(channels))
    for channel in channels { channel.memory = memory }
  }

  public override func reset() {
    super.reset()
    for channel in channels { channel.reset() }
  }

  private final class BusMasterPorts: ByteRegisters {
    private let channels: [IDEChannel]
    init(_ channels: [IDEChannel]) { self.channels = channels }
    func readRegister(_ offset: UInt16) -> UInt8 { channels[Int(offset >> 3 & 1)].readBusMaster(offset & 7) }
    func writeRegister(_ offset: UInt16, _ value: UInt8) {
      channels[Int(offset >> 3 & 1)].writeBusMaster(offset & 7, value)
    }
  }
}
