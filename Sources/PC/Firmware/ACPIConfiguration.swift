/// What the board tells about itself through ACPI.
public struct ACPIConfiguration {
  /// A 16550A at its ports.
  public struct SerialPort: Equatable {
    public var firstPort: UInt16
    public var irq: UInt8
    public init(firstPort: UInt16, irq: UInt8) {
      self.firstPort = firstPort
      self.irq = irq
    }
    public static let com1 = SerialPort(firstPort: 0x3F8, irq: 4)
    public static let com2 = SerialPort(firstPort: 0x2F8, irq: 3)
    public static let com3 = SerialPort(firstPort: 0x3E8, irq: 4)
    public static let com4 = SerialPort(firstPort: 0x2E8, irq: 3)
  }

  /// Local APIC IDs of the processors, in order. IDs above 254 are described as x2APICs.
  public var apicIDs: [UInt32] = [0]
  public var serialPorts: [SerialPort] = [.com1]
  /// Port of pvpanic, nil when the board has none.
  public var pvpanicPort: UInt16?
  public var hasFWCfg = true
  public var hasHPET = true
  public var hasMouse = true
  public var hasVGA = false

  public init() {}
}

/// Where the board's fixed hardware lies; tables and wiring use the same values.
public enum PCAddress {
  public static let localAPIC: UInt32 = 0xFEE0_0000
  public static let ioAPIC: UInt32 = 0xFEC0_0000
  public static let hpet: UInt32 = 0xFED0_0000
  /// PIIX4's power management base, as QEMU's firmware sets it.
  public static let pm1Event: UInt16 = 0x600
  public static let pm1Control: UInt16 = 0x604
  public static let pmTimer: UInt16 = 0x608
  public static let gpe0: UInt16 = 0xAFE0
  public static let gpe0Size: UInt8 = 4
  public static let resetControl: UInt16 = 0xCF9
  public static let fwCfg: UInt16 = 0x510
  /// The system control interrupt of ACPI.
  public static let sciIRQ: UInt8 = 9
  /// ISA interrupts that PCI's PIRQA–PIRQD are routed to.
  public static let pirqRoutes: [UInt8] = [10, 10, 11, 11]
  /// Guest-physical addresses for BARs; above it come IOAPIC, HPET, local APIC, firmware.
  public static let pciWindow: ClosedRange<UInt32> = 0xC000_0000...0xFEBF_FFFF
}
