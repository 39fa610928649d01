/// The fixed description (ACPI 6.5 section 5.2.9) in its revision 3: 244 bytes with header.
struct FADT {
  enum Flag {
    static let wbinvd: UInt32 = 1 << 0
    /// All processors know C1.
    static let procC1: UInt32 = 1 << 2
    /// There is no fixed sleep button. (The fixed power button is there: its flag is clear.)
    static let sleepButtonIsDevice: UInt32 = 1 << 5
    static let rtcWakesFromS4: UInt32 = 1 << 7
    static let resetRegister: UInt32 = 1 << 10
  }
  enum BootArchitecture {
    static let legacyDevices: UInt16 = 1 << 0
    static let has8042: UInt16 = 1 << 1
    static let noVGA: UInt16 = 1 << 2
  }
  /// What a write to the reset register means: full reset, see `ResetControl`.
  static let resetValue: UInt8 = 0x0F

  let body: [UInt8]

  init(_ configuration: ACPIConfiguration, facs: UInt64, dsdt: UInt64) {
    /// Generic address structure (5.2.3.2) of ports; access size 0 leaves it to the length.
    func ports(_ first: UInt16, bits: UInt8, access: UInt8 = 0) -> [UInt8] {
      var writer = ByteWriter()
      writer.raw([1, bits, 0, access])
      writer.u64(UInt64(first))
      return writer.bytes
    }
    let nothing = [UInt8](repeating: 0, count: 12)
    var boot = BootArchitecture.legacyDevices | BootArchitecture.has8042
    if !configuration.hasVGA { boot |= BootArchitecture.noVGA }

    var writer = ByteWriter()
    writer.u32(UInt32(truncatingIfNeeded: facs))
    writer.u32(UInt32(truncatingIfNeeded: dsdt))
    writer.u8(0)
    writer.u8(0)  // preferred profile: unspecified
    writer.u16(UInt16(PCAddress.sciIRQ))
    writer.u32(0)  // no SMI command port: ACPI is always on
    writer.raw([0, 0, 0, 0])
    writer.u32(UInt32(PCAddress.pm1Event))
    writer.u32(0)
    writer.u32(UInt32(PCAddress.pm1Control))
    writer.u32(0)
    writer.u32(0)
    writer.u32(UInt32(PCAddress.pmTimer))
    writer.u32(UInt32(PCAddress.gpe0))
    writer.u32(0)
    writer.raw([4, 2, 0, 4, PCAddress.gpe0Size, 0, 0, 0])
    writer.u16(0xFFF)  // C2 and C3 are not there
    writer.u16(0xFFF)
    writer.u16(0)
    writer.u16(0)
    writer.raw([0, 0, 0, 0])
    writer.u8(0x32)  // the century's place in CMOS
    writer.u16(boot)
    writer.u8(0)
    writer.u32(
      Flag.wbinvd | Flag.procC1 | Flag.sleepButtonIsDevice | Flag.rtcWakesFromS4 | Flag.resetRegister)
    writer.raw(ports(PCAddress.resetControl, bits: 8, access: 1))
    writer.u8(Self.resetValue)
    writer.raw([0, 0, 0])
    writer.u64(0)  // the 32-bit FACS address counts
    writer.u64(dsdt)
    writer.raw(ports(PCAddress.pm1Event, bits: 32))
    writer.raw(nothing)
    writer.raw(ports(PCAddress.pm1Control, bits: 16))
    writer.raw(nothing)
    writer.raw(nothing)
    writer.raw(ports(PCAddress.pmTimer, bits: 32))
    writer.raw(ports(PCAddress.gpe0, bits: 8 * PCAddress.gpe0Size))
    writer.raw(nothing)
    body = writer.bytes
  }
}
