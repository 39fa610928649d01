import Foundation
import PC
import Testing

/// The tables against ACPI 6.5 chapter 5, and, where it is installed, against ACPICA's compiler.
struct ACPITableTests {
  static func tables(pvpanic: UInt16? = 0x505, cpus: Int = 1) throws -> ACPITables {
    var configuration = ACPIConfiguration()
    configuration.pvpanicPort = pvpanic
    configuration.apicIDs = (0..<UInt32(cpus)).map { $0 }
    return try #require(ACPITables(configuration, memoryMap: MemoryMap(lowSize: 256 << 20, highSize: 0)))
  }

  func table(_ name: String, _ tables: ACPITables) throws -> [UInt8] {
    try #require(tables.tables.first { $0.name == name }).bytes
  }

  @Test func checksumsAndLengths() throws {
    for table in try Self.tables().tables where table.name != "FACS" && table.name != "RSDP" {
      let reader = ByteReader(table.bytes)
      #expect(table.bytes.reduce(0, &+) == 0, "\(table.name)")
      #expect(reader.u32(4) == UInt32(table.bytes.count), "\(table.name)")
      #expect(String(decoding: table.bytes[..<4], as: UTF8.self) == table.name)
    }
    #expect(try table("FACP", Self.tables()).count == 244)
  }

  @Test func rootPointers() throws {
    let tables = try Self.tables()
    let rsdp = try table("RSDP", tables)
    #expect(rsdp[..<20].reduce(0, &+) == 0)
    #expect(rsdp.reduce(0, &+) == 0)
    let xsdtAddress = ByteReader(rsdp).u64(24)
    let xsdt = try #require(tables.tables.first { $0.address == xsdtAddress })
    #expect(xsdt.name == "XSDT")
    let listed = stride(from: 36, to: xsdt.bytes.count, by: 8).map { offset in
      tables.tables.first { $0.address == ByteReader(xsdt.bytes).u64(offset) }?.name
    }
    #expect(listed == ["FACP", "APIC", "HPET", "WAET"])
  }

  @Test func placedInsideTheACPIArea() throws {
    let map = MemoryMap(lowSize: 256 << 20, highSize: 0)
    for table in try Self.tables(cpus: 64).tables where table.name != "RSDP" {
      let end = table.address + UInt64(table.bytes.count)
      #expect(table.address >= map.lowUsableEnd && end <= map.lowSize)
    }
    #expect(ACPITables(ACPIConfiguration(), memoryMap: MemoryMap(lowSize: 1 << 20, highSize: 0)) == nil)
  }

  @Test func memoryMapIsQEMUs() {
    let map = MemoryMap(size: 5 << 30, lowLimit: 0xC000_0000)
    let entries = map.entries
    #expect(entries[0] == E820Entry(base: 0, size: 0x9FC00, kind: .ram))
    #expect(entries[1] == E820Entry(base: 0x9FC00, size: 0x400, kind: .reserved))
    #expect(entries[2] == E820Entry(base: 0xF0000, size: 0x10000, kind: .reserved))
    #expect(entries[3] == E820Entry(base: 1 << 20, size: 0xBFFE_0000 - (1 << 20), kind: .ram))
    #expect(entries.last == E820Entry(base: 1 << 32, size: 2 << 30, kind: .ram))
    for (a, b) in zip(entries, entries.dropFirst()) { #expect(a.end <= b.base) }
  }

  @Test func acpicaAgrees() throws {
    let iasl = "/usr/bin/iasl"
    guard FileManager.default.isExecutableFile(atPath: iasl) else { return }
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
      "acpi-tables-\(ProcessInfo.processInfo.processIdentifier)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    func run(_ arguments: [String]) throws -> (status: Int32, output: String) {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: iasl)
      process.arguments = arguments
      process.currentDirectoryURL = folder
      let pipe = Pipe()
      process.standardOutput = pipe
      process.standardError = pipe
      try process.run()
      let output = pipe.fileHandleForReading.readDataToEndOfFile()
      process.waitUntilExit()
      return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }
    for table in try Self.tables(cpus: 3).tables where !["RSDP", "FACS"].contains(table.name) {
      let file = "\(table.name).dat"
      try Data(table.bytes).write(to: folder.appendingPathComponent(file))
      let disassembly = try run(["-d", file])
      #expect(disassembly.status == 0, "\(disassembly.output)")
      let text = try String(contentsOf: folder.appendingPathComponent("\(table.name).dsl"), encoding: .utf8)
      #expect(!text.contains("Error") && !text.contains("Invalid"), "\(text)")
      if table.name == "DSDT" {
        let compilation = try run(["-p", "again", "DSDT.dsl"])
        #expect(compilation.output.contains(" 0 Errors, 0 Warnings"), "\(compilation.output)")
        let again = try Data(contentsOf: folder.appendingPathComponent("again.aml"))
        let same = again.dropFirst(36).elementsEqual(table.bytes.dropFirst(36))
        #expect(same, "the compiler encodes it differently")
      }
    }
  }
}
