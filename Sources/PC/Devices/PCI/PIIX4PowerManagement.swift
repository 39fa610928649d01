/// The power management function of Intel's PIIX4 (82371AB data sheet), at slot 1 function 3. Its ports are those
/// of `ACPIPowerManagement` and stay where the ACPI tables say, whatever the base register holds.
public final class PIIX4PowerManagement: PCIFunction {
  enum Register {
    /// PMBA: I/O base of the power management registers, 64 ports.
    static let base = 0x40
    /// DEVACTB's upper byte; its bit 1 enables SMIs from the APM ports. Set from the start, it tells firmware that system
    /// management mode, which is not there, has been set up already.
    static let apmEnable = 0x5B
    /// PMREGMISC: bit 0 opens those ports.
    static let enable = 0x80
    static let smbusBase = 0x90
    static let smbusConfiguration = 0xD2
  }

  /// - Parameter hasFirmware: firmware sets the registers up.
  public init(hasFirmware: Bool = false) {
    super.init(
      vendorID: 0x8086, deviceID: 0x7113, revision: 3, classCode: 0x068000, interruptPin: 1)
    set8(Header.interruptLine, PCAddress.sciIRQ)
    set32(Register.base, UInt32(PCAddress.pm1Event) | 1)
    allowWrites(Register.base, mask: 0xFFC0)
    set8(Register.enable, 1)
    allowWrites(Register.enable, mask: 1)
    if hasFirmware { set8(Register.apmEnable, 2) }
    set32(Register.smbusBase, 1)
    allowWrites(Register.smbusBase, mask: 0xFFF0)
    allowWrites(Register.smbusConfiguration, mask: 0x0F)
  }
}
