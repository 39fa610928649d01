import CoreDump
import Foundation
import Testing
import X86Core
import X86System

/// The plain form: what lies where, and what other tools make of it.
struct ELFTests {
  @Test func headersHaveTheLayoutThatAllToolsRead() throws {
    let scratch = try Scratch()
    let path = scratch.file("core.elf")
    let memory = try Sample.memory(size: 8 << 20, lowLimit: 4 << 20)
    try CoreWriter.write(Sample.image(memory, processors: 2), to: path, format: .elf)
    let core = try CoreFile(path: path)
    #expect(core.bytes.prefix(7).elementsEqual([0x7F, 0x45, 0x4C, 0x46, 2, 1, 1]))
    #expect(core.integer(16, UInt16.self) == 4)  // ET_CORE
    #expect(core.integer(18, UInt16.self) == 62)  // EM_X86_64
    #expect(core.integer(32, UInt64.self) == 64)  // e_phoff
    #expect(core.integer(40, UInt64.self) == 0)  // e_shoff
    #expect(core.integer(52, UInt16.self) == 64)  // e_ehsize
    #expect(core.integer(60, UInt16.self) == 0)  // e_shnum
    #expect(core.headers.first?.type == 4)
    #expect(core.loads.map(\.physicalAddress) == [0, 1 << 32])
    #expect(core.loads.map(\.size) == [4 << 20, 4 << 20])
    for (load, range) in zip(core.loads, memory.ranges) {
      #expect(load.offset % 4096 == 0)
      #expect(load.virtualAddress == load.physicalAddress)
      #expect(core.content(load) == Sample.ram(memory, range))
    }
    #expect(core.loads.last.map { $0.offset + $0.size } == UInt64(core.bytes.count))
  }

  @Test func notesHoldTheProcessors() throws {
    let scratch = try Scratch()
    let path = scratch.file("core.elf")
    try CoreWriter.write(Sample.image(try Sample.memory(), processors: 2), to: path, format: .elf)
    let notes = try CoreFile(path: path).notes
    #expect(notes.map(\.name) == ["CORE", "CORE", "QEMU", "QEMU", "VMCOREINFO"])
    #expect(notes.map(\.type) == [1, 1, 0, 0, 0])
    #expect(notes.prefix(4).map(\.descriptor.count) == [336, 336, 440, 440])
    #expect(notes[4].descriptor == Sample.vmcoreinfo.text)
    let state = Sample.processor()
    for number in 0..<2 {
      let status = notes[number].descriptor
      func word(_ index: Int) -> UInt64 { CoreFile.integer(status, 112 + 8 * index, UInt64.self) }
      #expect(CoreFile.integer(status, 32, UInt32.self) == UInt32(number + 1))
      #expect(word(0) == state.general[15])
      #expect(word(10) == state.general[0])  // rax
      #expect(word(16) == state.rip)
      #expect(word(17) == 0x10)  // cs
      #expect(word(18) == state.rflags)
      #expect(word(19) == state.general[4])  // rsp
      #expect(word(21) == 0x40_0000)  // fs_base
      let system = notes[2 + number].descriptor
      #expect(CoreFile.integer(system, 0, UInt32.self) == 1)
      #expect(CoreFile.integer(system, 4, UInt32.self) == 440)
      #expect(CoreFile.integer(system, 152, UInt32.self) == 0x10)  // cs
      #expect(CoreFile.integer(system, 160, UInt32.self) == 0x00A0_9B00)
      #expect(CoreFile.integer(system, 392 + 24, UInt64.self) == state.cr3)
      #expect(CoreFile.integer(system, 432, UInt64.self) == state.kernelGSBase)
    }
  }

  @Test func anUnusableVMCoreInfoIsLeftOut() throws {
    let scratch = try Scratch()
    var image = Sample.image(try Sample.memory(size: 1 << 20))
    let junk: [[UInt8]] = [
      [], [1, 2, 3], [UInt8](repeating: 0xFF, count: 4096), Array(Sample.vmcoreinfo.bytes.dropLast(8)),
    ]
    for bytes in junk {
      image.vmcoreinfo = bytes
      try CoreWriter.write(image, to: scratch.file("core.elf"), format: .elf)
      #expect(try CoreFile(path: scratch.file("core.elf")).notes.map(\.name) == ["CORE", "QEMU"])
    }
    // The guest gives a whole page: what is behind the note is left out.
    image.vmcoreinfo = Sample.vmcoreinfo.bytes + [UInt8](repeating: 0xEE, count: 300)
    try CoreWriter.write(image, to: scratch.file("core.elf"), format: .elf)
    #expect(try CoreFile(path: scratch.file("core.elf")).notes.last?.descriptor == Sample.vmcoreinfo.text)
  }

  @Test(arguments: [0x10_0000..<0x20_0000, 0x1234..<0x1235, 0x9_FFF0..<0xA_0010, 0x3F_FFFF..<0x1_0000_1001])
  func aRangeIsClipped(_ range: Range<UInt64>) throws {
    let scratch = try Scratch()
    let memory = try Sample.memory(size: 8 << 20, lowLimit: 4 << 20)
    var image = Sample.image(memory)
    image.range = range
    try CoreWriter.write(image, to: scratch.file("core.elf"), format: .elf)
    let core = try CoreFile(path: scratch.file("core.elf"))
    let parts = memory.ranges.map { $0.clamped(to: range) }.filter { !$0.isEmpty }
    #expect(core.loads.map(\.physicalAddress) == parts.map(\.lowerBound))
    for (load, part) in zip(core.loads, parts) {
      #expect(load.offset % 4096 == part.lowerBound % 4096)
      #expect(core.content(load) == Sample.ram(memory, part))
    }
    #expect(try CoreWriter.memorySize(of: image) == core.loads.reduce(0) { $0 + $1.size })
  }

  @Test func aRangeWithoutRAMIsRefused() throws {
    let scratch = try Scratch()
    var image = Sample.image(try Sample.memory())
    for range: Range<UInt64> in [0x4000_0000..<0x4000_1000, 5..<5, UInt64.max - 1..<UInt64.max] {
      image.range = range
      #expect(throws: CoreDumpError.noMemoryInRange(range)) {
        try CoreWriter.write(image, to: scratch.file("core.elf"), format: .elf)
      }
    }
    #expect(scratch.names.isEmpty)
  }

  @Test func aStateWithoutRegistersIsWritten() throws {
    let scratch = try Scratch()
    let image = CoreImage(memory: try Sample.memory(size: 1 << 20), processors: [ProcessorState()])
    try CoreWriter.write(image, to: scratch.file("core.elf"), format: .elf)
    #expect(try CoreFile(path: scratch.file("core.elf")).notes.count == 2)
  }

  @Test(.enabled(if: Tool.path("readelf") != nil)) func readelfIsContent() throws {
    let scratch = try Scratch()
    let path = scratch.file("core.elf")
    try CoreWriter.write(Sample.image(try Sample.memory(), processors: 2), to: path, format: .elf)
    let result = try #require(try Tool("readelf", ["-a", path]))
    #expect(result.status == 0)
    #expect(result.errors == "")
    #expect(!result.text.lowercased().contains("warning"))
    #expect(result.text.contains("NT_PRSTATUS (prstatus structure)"))
  }

  @Test(.enabled(if: Tool.path("gdb") != nil)) func gdbShowsTheRegisters() throws {
    let scratch = try Scratch()
    let path = scratch.file("core.elf")
    let memory = try Sample.memory()
    memory.write(0x20_0000, [0x78, 0x56, 0x34, 0x12])
    try CoreWriter.write(Sample.image(memory, processors: 2), to: path, format: .elf)
    let result = try #require(
      try Tool(
        "gdb",
        [
          "-nx", "-batch", "-c", path, "-ex", "info registers rip rax rsp eflags cs gs_base", "-ex",
          "info threads",
          "-ex", "x/xw 0x200000",
        ]))
    let words = result.text.split { " \t\n".contains($0) }.joined(separator: " ")
    for expected in [
      "rip 0xffffffffc040e230", "rax 0xffff800000001000", "rsp 0xffff800000001444", "eflags 0x246", "cs 0x10",
      "gs_base 0x500000", "LWP 1", "LWP 2", "0x200000: 0x12345678",
    ] { #expect(words.contains(expected), "\(expected) in \(result.text)") }
    #expect(!result.errors.lowercased().contains("warning: core"))
  }
}
