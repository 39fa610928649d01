/// The ACPI tables as firmware takes them from fw_cfg: two files and a script that tells it where to put them and which
/// fields are addresses (QEMU's hw/acpi/bios-linker-loader, in its words "table-loader").
struct ACPIForFirmware {
  static let tablesName = "etc/acpi/tables"
  static let rsdpName = "etc/acpi/rsdp"
  static let loaderName = "etc/table-loader"

  /// All tables but the RSDP; addresses in them are offsets into these bytes.
  let tables: [UInt8]
  let rsdp: [UInt8]
  let loader: [UInt8]

  enum Command {
    static let allocate: UInt32 = 1
    static let addPointer: UInt32 = 2
    static let addChecksum: UInt32 = 3
  }
  enum Zone {
    static let high: UInt8 = 1
    static let fSegment: UInt8 = 2
  }

  /// - Returns: nil when the tables are larger than any that were made so far.
  init?(_ configuration: ACPIConfiguration) {
    // The FACS comes first, on 64 bytes.
    guard let laidOut = ACPITables(configuration, area: 64..<0x20000, facs: 0, rsdp: 0) else { return nil }
    var bytes: [UInt8] = []
    var script = Script()
    script.allocate(Self.rsdpName, alignment: 16, zone: Zone.fSegment)
    script.allocate(Self.tablesName, alignment: 64, zone: Zone.high)
    var rsdp: [UInt8] = []
    for table in laidOut.tables {
      if table.name == "RSDP" {
        rsdp = table.bytes
        continue
      }
      let end = Int(table.address) + table.bytes.count
      if bytes.count < end { bytes += [UInt8](repeating: 0, count: end - bytes.count) }
      bytes.replaceSubrange(Int(table.address)..<end, with: table.bytes)
    }
    for table in laidOut.tables {
      let at = UInt32(table.address)
      var pointers: [(offset: UInt32, size: UInt8)] = []
      switch table.name {
      case "FACP": pointers = [(36, 4), (40, 4), (140, 8)]
      case "RSDT": pointers = stride(from: 36, to: UInt32(table.bytes.count), by: 4).map { ($0, 4) }
      case "XSDT": pointers = stride(from: 36, to: UInt32(table.bytes.count), by: 8).map { ($0, 8) }
      default: continue
      }
      for pointer in pointers {
        script.addPointer(in: Self.tablesName, at + pointer.offset, size: pointer.size, to: Self.tablesName)
      }
      script.addChecksum(in: Self.tablesName, at + 9, of: at, length: UInt32(table.bytes.count))
    }
    script.addPointer(in: Self.rsdpName, 16, size: 4, to: Self.tablesName)
    script.addPointer(in: Self.rsdpName, 24, size: 8, to: Self.tablesName)
    script.addChecksum(in: Self.rsdpName, 8, of: 0, length: 20)
    script.addChecksum(in: Self.rsdpName, 32, of: 0, length: 36)
    tables = bytes
    self.rsdp = rsdp
    loader = script.writer.bytes
  }

  /// Entries of 128 bytes: a command and what belongs to it.
  private struct Script {
    var writer = ByteWriter()

    private mutating func entry(_ command: UInt32, _ body: (inout ByteWriter) -> Void) {
      let start = writer.count
      writer.u32(command)
      body(&writer)
      writer.zeros(start + 128 - writer.count)
    }
    mutating func allocate(_ file: String, alignment: UInt32, zone: UInt8) {
      entry(Command.allocate) {
        $0.text(file, length: 56)
        $0.u32(alignment)
        $0.u8(zone)
      }
    }
    mutating func addPointer(in file: String, _ offset: UInt32, size: UInt8, to target: String) {
      entry(Command.addPointer) {
        $0.text(file, length: 56)
        $0.text(target, length: 56)
        $0.u32(offset)
        $0.u8(size)
      }
    }
    mutating func addChecksum(in file: String, _ offset: UInt32, of start: UInt32, length: UInt32) {
      entry(Command.addChecksum) {
        $0.text(file, length: 56)
        $0.u32(offset)
        $0.u32(start)
        $0.u32(length)
      }
    }
  }
}
