import CoreDump
import Foundation
import Testing
import X86Core
import X86System

/// `paging: true`: program headers with guest-virtual addresses.
struct PagingTests {
  private static let pg: UInt64 = 1 << 31
  private static let present: UInt64 = 3, large: UInt64 = 0x83

  private func store(_ memory: GuestMemory, _ table: UInt64, _ index: UInt64, _ entry: UInt64) {
    memory.write(table + 8 * index, withUnsafeBytes(of: entry.littleEndian) { Array($0) })
  }

  private func loads(_ memory: GuestMemory, _ states: [ProcessorState], range: Range<UInt64>? = nil) throws
    -> [CoreFile.ProgramHeader]
  {
    let scratch = try Scratch()
    let image = CoreImage(memory: memory, processors: states, paging: true, range: range)
    try CoreWriter.write(image, to: scratch.file("core.elf"), format: .elf)
    let core = try CoreFile(path: scratch.file("core.elf"))
    for load in core.loads {
      let range = load.physicalAddress..<(load.physicalAddress + load.size)
      #expect(core.content(load) == Sample.ram(memory, range))
    }
    return core.loads
  }

  private func longMode(_ cr3: UInt64) -> ProcessorState {
    var state = Sample.processor()
    state.cr0 |= Self.pg
    state.cr4 = 0x20
    state.efer = 0x500
    state.cr3 = cr3
    return state
  }

  /// 4 KiB and 2 MiB pages, kernel and user, a device and an absent page, all below one PML4 at 0x1000.
  private func tables(_ memory: GuestMemory) {
    store(memory, 0x1000, 0, 0x2000 | Self.present)
    store(memory, 0x1000, 511, 0x5000 | Self.present)
    store(memory, 0x2000, 0, 0x3000 | Self.present)
    store(memory, 0x3000, 2, 0x4000 | Self.present)  // 0x400000
    for page in 0..<UInt64(4) { store(memory, 0x4000, page, (0x10000 + page << 12) | Self.present) }
    store(memory, 0x4000, 4, 0x20000 | Self.present)  // goes on linearly, not physically
    store(memory, 0x4000, 6, 0x21000 | Self.present)  // the other way round
    store(memory, 0x4000, 7, 0x22000)  // absent
    store(memory, 0x4000, 8, 0xFEE0_0000 | Self.present)  // a device
    store(memory, 0x5000, 510, 0x6000 | Self.present)  // 0xFFFFFFFF80000000
    store(memory, 0x6000, 0, 0 | Self.large)
    store(memory, 0x6000, 1, 0x20_0000 | Self.large)
    store(memory, 0x6000, 3, 0x60_0000 | Self.large)
  }

  @Test func fourLevels() throws {
    let memory = try Sample.memory()
    tables(memory)
    let found = try loads(memory, [longMode(0x1000), longMode(0x1000)])
    #expect(
      found.map { [$0.virtualAddress, $0.physicalAddress, $0.size] } == [
        [0xFFFF_FFFF_8000_0000, 0, 0x40_0000],
        [0x40_0000, 0x1_0000, 0x4000],
        [0x40_4000, 0x2_0000, 0x1000],
        [0x40_6000, 0x2_1000, 0x1000],
        [0xFFFF_FFFF_8060_0000, 0x60_0000, 0x20_0000],
      ])
    // A range clips what is mapped.
    let part = try loads(memory, [longMode(0x1000)], range: 0x1_1800..<0x2_0800)
    #expect(
      part.map { [$0.virtualAddress, $0.physicalAddress, $0.size] } == [
        [0x40_1800, 0x1_1800, 0x2800],
        [0xFFFF_FFFF_8001_1800, 0x1_1800, 0xF000],
        [0x40_4000, 0x2_0000, 0x800],
      ])
  }

  @Test(.enabled(if: Tool.path("gdb") != nil)) func gdbReadsVirtualMemory() throws {
    let memory = try Sample.memory()
    tables(memory)
    memory.write(0x2_1010, Array("panic\0".utf8))
    let scratch = try Scratch()
    let path = scratch.file("core.elf")
    try CoreWriter.write(
      CoreImage(memory: memory, processors: [longMode(0x1000)], paging: true), to: path, format: .elf)
    let result = try #require(try Tool("gdb", ["-nx", "-batch", "-c", path, "-ex", "x/s 0x406010"]))
    #expect(result.text.contains("\"panic\""))
    #expect(try #require(try Tool("readelf", ["-a", path])).errors == "")
  }

  @Test func withoutPagingItIsThePhysicalForm() throws {
    let found = try loads(try Sample.memory(), [Sample.processor()])
    #expect(found.map { [$0.virtualAddress, $0.physicalAddress, $0.size] } == [[0, 0, 8 << 20]])
  }

  @Test func physicalAddressExtension() throws {
    let memory = try Sample.memory()
    store(memory, 0x3000, 1, 0x4000 | Self.present)
    store(memory, 0x4000, 3, 0x1_0000 | Self.present)
    store(memory, 0x3000, 511, 0x40_0000 | Self.large)
    var state = longMode(0x2000)
    state.efer = 0
    state.pdptes = [0, 0, 0, 0x3001]
    #expect(
      try loads(memory, [state]).map { [$0.virtualAddress, $0.physicalAddress, $0.size] } == [
        [0xC020_3000, 0x1_0000, 0x1000], [0xFFE0_0000, 0x40_0000, 0x20_0000],
      ])
  }

  @Test func thirtyTwoBits() throws {
    let memory = try Sample.memory()
    func store(_ address: UInt64, _ entry: UInt32) {
      memory.write(address, withUnsafeBytes(of: entry.littleEndian) { Array($0) })
    }
    memory.write(0x3000, [UInt8](repeating: 0, count: 8192))
    store(0x3000 + 4 * 768, 0x40_0083)  // 4 MiB at 0xC0000000
    store(0x3000 + 4 * 2, 0x4003)
    store(0x4000 + 4 * 5, 0x1_0003)
    var state = longMode(0x3000)
    (state.cr4, state.efer) = (0x10, 0)
    let expected: [[UInt64]] = [[0x80_5000, 0x1_0000, 0x1000], [0xC000_0000, 0x40_0000, 0x40_0000]]
    #expect(try loads(memory, [state]).map { [$0.virtualAddress, $0.physicalAddress, $0.size] } == expected)
  }

  /// Page tables are the guest's: linked in circles, they must cost a bounded time and a bounded number of headers.
  @Test func tablesInCircles() throws {
    let memory = try #require(GuestMemory(size: 4 << 20))
    for index in 0..<UInt64(512) { store(memory, 0x1000, index, 0x1000 | Self.present) }
    let scratch = try Scratch()
    let image = CoreImage(memory: memory, processors: [longMode(0x1000)], paging: true)
    try CoreWriter.write(image, to: scratch.file("core.elf"), format: .elf)
    let count = try CoreFile(path: scratch.file("core.elf")).headers.count
    #expect(count == 0xFFFE)
    if let result = try Tool("readelf", ["-l", scratch.file("core.elf")]) { #expect(result.errors == "") }

    // No page at the end of any path: nothing is found, after a bounded number of tables.
    for index in 0..<UInt64(512) { store(memory, 0x1000, index, 0x1000 | Self.present) }
    for index in 0..<UInt64(512) { store(memory, 0x2000, index, 0xFEE0_0000 | Self.present) }
    for index in 0..<UInt64(512) { store(memory, 0x3000, index, 0x2000 | Self.present) }
    for index in 0..<UInt64(512) { store(memory, 0x4000, index, 0x3000 | Self.present) }
    for index in 0..<UInt64(512) { store(memory, 0x5000, index, 0x4000 | Self.present) }
    #expect(try loads(memory, [longMode(0x5000)]).isEmpty)
  }
}
