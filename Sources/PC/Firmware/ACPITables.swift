import X86Core

/// The board's ACPI tables (ACPI 6.5 chapter 5), laid out for one place in memory.
public struct ACPITables {
  /// A table and where it belongs.
  public struct Placed {
    public let name: String
    public let address: UInt64
    public let bytes: [UInt8]
  }
  /// In ascending order of address, the RSDP last.
  public private(set) var tables: [Placed] = []
  /// Guest-physical address of the RSDP.
  public var rsdpAddress: UInt64 { MemoryMap.rsdp }

  private var next: UInt64

  /// Lays out all tables in `memoryMap.acpiTables`, the FACS in `acpiNVS`, the RSDP in the F segment.
  /// - Returns: nil when the machine has too little memory to hold them.
  public init?(_ configuration: ACPIConfiguration, memoryMap: MemoryMap) {
    self.init(
      configuration, area: memoryMap.acpiTables, facs: memoryMap.acpiNVS.lowerBound, rsdp: MemoryMap.rsdp)
  }

  /// Lays them out in `area`, with the FACS and the RSDP where they are said to be.
  init?(_ configuration: ACPIConfiguration, area: Range<UInt64>, facs: UInt64, rsdp: UInt64) {
    next = area.lowerBound

    let dsdt = place("DSDT", revision: 2, DSDT(configuration: configuration).aml)
    let fadt = place("FACP", revision: 3, FADT(configuration, facs: facs, dsdt: dsdt).body)
    var listed = [fadt, place("APIC", revision: 3, Self.madt(configuration))]
    if configuration.hasHPET { listed.append(place("HPET", revision: 1, Self.hpet)) }
    listed.append(place("WAET", revision: 1, Self.waet))

    var rsdt = ByteWriter()
    var xsdt = ByteWriter()
    for address in listed {
      rsdt.u32(UInt32(truncatingIfNeeded: address))
      xsdt.u64(address)
    }
    let rsdtAddress = place("RSDT", revision: 1, rsdt.bytes)
    let xsdtAddress = place("XSDT", revision: 1, xsdt.bytes)
    guard next <= area.upperBound, !area.isEmpty else { return nil }

    tables.append(Placed(name: "FACS", address: facs, bytes: Self.facs))
    tables.append(
      Placed(name: "RSDP", address: rsdp, bytes: Self.rsdp(rsdt: rsdtAddress, xsdt: xsdtAddress)))
  }

  /// Puts all tables where they belong, on power-on and on every reset.
  public func write(to memory: GuestMemory) {
    for table in tables { memory.write(table.address, table.bytes) }
  }

  /// Adds a system description table on the next 16-byte boundary.
  private mutating func place(_ signature: String, revision: UInt8, _ body: [UInt8]) -> UInt64 {
    let address = next
    let bytes = Self.table(signature, revision: revision, body)
    tables.append(Placed(name: signature, address: address, bytes: bytes))
    next = (address + UInt64(bytes.count) + 15) & ~15
    return address
  }

  // MARK: The formats

  /// A header (5.2.6) and its body, checksummed.
  static func table(_ signature: String, revision: UInt8, _ body: [UInt8]) -> [UInt8] {
    var writer = ByteWriter()
    writer.text(signature, length: 4)
    writer.u32(UInt32(36 + body.count))
    writer.u8(revision)
    writer.u8(0)
    writer.text("INQST", length: 6, padding: 0x20)
    writer.text("INQ" + signature, length: 8, padding: 0x20)
    writer.u32(1)
    writer.text("INQ", length: 4, padding: 0x20)
    writer.u32(1)
    writer.raw(body)
    var bytes = writer.bytes
    bytes[9] = checksum(bytes[...])
    return bytes
  }

  /// The byte that makes the sum zero.
  static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt8 { bytes.reduce(0) { $0 &- $1 } }

  /// Revision 2 (5.2.5.3).
  private static func rsdp(rsdt: UInt64, xsdt: UInt64) -> [UInt8] {
    var writer = ByteWriter()
    writer.text("RSD PTR ", length: 8)
    writer.u8(0)
    writer.text("INQST", length: 6, padding: 0x20)
    writer.u8(2)
    writer.u32(UInt32(truncatingIfNeeded: rsdt))
    writer.u32(36)
    writer.u64(xsdt)
    writer.zeros(4)
    var bytes = writer.bytes
    bytes[8] = checksum(bytes[..<20])
    bytes[32] = checksum(bytes[...])
    return bytes
  }

  /// 5.2.10; has no checksum.
  private static let facs: [UInt8] = {
    var writer = ByteWriter()
    writer.text("FACS", length: 4)
    writer.u32(64)
    writer.zeros(56)
    return writer.bytes
  }()

  /// 5.2.12: processors, the IOAPIC, and the ISA interrupts that are not wired one to one.
  private static func madt(_ configuration: ACPIConfiguration) -> [UInt8] {
    var writer = ByteWriter()
    writer.u32(PCAddress.localAPIC)
    writer.u32(1)  // PCAT_COMPAT: there are 8259s too.
    for (i, id) in configuration.apicIDs.enumerated() {
      if id < 255, i < 255 {
        writer.raw([0, 8, UInt8(i), UInt8(id)])
        writer.u32(1)
      } else {
        writer.raw([9, 16, 0, 0])
        writer.u32(id)
        writer.u32(1)
        writer.u32(UInt32(truncatingIfNeeded: i))
      }
    }
    writer.raw([1, 12, 0, 0])
    writer.u32(PCAddress.ioAPIC)
    writer.u32(0)
    /// Interrupt source override; flags 0 conform to the bus, 0xD is active high and level-triggered.
    func override(_ irq: UInt8, _ globalInterrupt: UInt32, _ flags: UInt16) {
      writer.raw([2, 10, 0, irq])
      writer.u32(globalInterrupt)
      writer.u16(flags)
    }
    override(0, 2, 0)
    for irq: UInt8 in [5, 9, 10, 11] { override(irq, UInt32(irq), 0x000D) }
    // NMI is LINT1 of every processor.
    writer.raw([4, 6, 0xFF, 0, 0, 1])
    return writer.bytes
  }

  /// IA-PC HPET specification 1.0a, 3.2.4.
  private static let hpet: [UInt8] = {
    var writer = ByteWriter()
    writer.u32(0x8086_A201)  // Intel, legacy replacement, 64 bits, three comparators, revision 1
    writer.raw([0, 0, 0, 0])  // in system memory
    writer.u64(UInt64(PCAddress.hpet))
    writer.u8(0)
    writer.u16(0)
    writer.u8(0)
    return writer.bytes
  }()

  /// Windows ACPI emulated devices: the PM timer needs no double reading.
  private static let waet: [UInt8] = {
    var writer = ByteWriter()
    writer.u32(1 << 1)
    return writer.bytes
  }()
}
