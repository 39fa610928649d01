import PC
import Testing
import X86Core

/// A small ELF executable: one segment of code, one of notes.
struct SyntheticELF {
  var is64Bit = true
  var physicalAddress: UInt64 = 0x10_0000
  var entry: UInt64 = 0x10_0010
  var code = [UInt8](repeating: 0xF4, count: 256)
  var memorySize: UInt64 = 0x3000
  var pvhEntry: UInt32? = 0x10_0040
  var multibootFlags: UInt32?

  var bytes: [UInt8] {
    var body = code
    if let multibootFlags {
      var header = ByteWriter()
      header.u32(0x1BAD_B002)
      header.u32(multibootFlags)
      header.u32(0 &- 0x1BAD_B002 &- multibootFlags)
      body.replaceSubrange(0..<12, with: header.bytes)
    }
    var note = ByteWriter()
    if let pvhEntry {
      // Somebody else's note goes first.
      note.u32(4)
      note.u32(5)
      note.u32(1)
      note.text("GNU", length: 4)
      note.raw([1, 2, 3, 4, 5, 0, 0, 0])
      note.u32(4)
      note.u32(4)
      note.u32(18)
      note.text("Xen", length: 4)
      note.u32(pvhEntry)
    }
    let headerSize = is64Bit ? 64 : 52
    let entrySize = is64Bit ? 56 : 32
    let codeOffset = headerSize + 2 * entrySize
    let noteOffset = codeOffset + body.count
    var file = ByteWriter()
    file.raw([0x7F, 0x45, 0x4C, 0x46, is64Bit ? 2 : 1, 1, 1, 0])
    file.zeros(8)
    file.u16(2)
    file.u16(is64Bit ? 62 : 3)
    file.u32(1)
    func word(_ value: UInt64) {
      if is64Bit { file.u64(value) } else { file.u32(UInt32(truncatingIfNeeded: value)) }
    }
    word(entry)
    word(UInt64(headerSize))
    word(0)
    file.u32(0)
    for half in [headerSize, entrySize, 2, 0, 0, 0] { file.u16(UInt16(half)) }
    func segment(type: UInt32, offset: Int, address: UInt64, size: Int, memory: UInt64) {
      file.u32(type)
      if is64Bit { file.u32(7) }
      word(UInt64(offset))
      word(address)
      word(address)
      word(UInt64(size))
      word(memory)
      if !is64Bit { file.u32(7) }
      word(4)
    }
    segment(type: 1, offset: codeOffset, address: physicalAddress, size: body.count, memory: memorySize)
    segment(type: 4, offset: noteOffset, address: 0, size: note.count, memory: UInt64(note.count))
    file.raw(body)
    file.raw(note.bytes)
    return file.bytes
  }
}

/// Xen's start_info.h and the Multiboot Specification 0.6.96.
struct ELFLoaderTests {
  let memory = GuestMemory(size: 16 << 20)!
  let map = MemoryMap(size: 16 << 20, lowLimit: 0xC000_0000)

  func load(_ kernel: [UInt8], initrds: [BootModule] = [], commandLine: String = "") throws -> BootState {
    try KernelLoader.load(
      kernel: kernel, initrds: initrds, commandLine: commandLine, memory: memory, memoryMap: map,
      rsdp: MemoryMap.rsdp, randomSeed: [])
  }
  func fields(_ address: UInt64, _ count: Int) -> ByteReader {
    ByteReader(memory.read(address, count: count)!)
  }

  @Test func formats() {
    #expect(KernelLoader.format(of: SyntheticBzImage().bytes) == .bzImage)
    #expect(KernelLoader.format(of: SyntheticELF().bytes) == .pvh)
    #expect(KernelLoader.format(of: SyntheticELF(multibootFlags: 3).bytes) == .multiboot)
    #expect(KernelLoader.format(of: SyntheticELF(pvhEntry: nil).bytes) == nil)
    #expect(KernelLoader.format(of: [1, 2, 3]) == nil)
  }

  @Test(arguments: [true, false]) func pvh(is64Bit: Bool) throws {
    memory.write(0x10_2FF8, [UInt8](repeating: 0xEE, count: 8))
    let state = try load(
      SyntheticELF(is64Bit: is64Bit).bytes, initrds: [BootModule(bytes: [9, 8, 7])], commandLine: "quiet")
    #expect(state.rip == 0x10_0040)
    #expect(state.cr0 & 0x8000_0001 == 1 && state.efer == 0)
    #expect(memory.read(0x10_0000, count: 256) == [UInt8](repeating: 0xF4, count: 256))
    #expect(memory.read(0x10_2FF8, count: 8) == [UInt8](repeating: 0, count: 8), "bss is cleared")
    let info = fields(state.rbx, 56)
    #expect(info.u32(0) == 0x336E_C578 && info.u32(4) == 1 && info.u32(12) == 1)
    let module = fields(info.u64(16)!, 32)
    #expect(memory.read(module.u64(0)!, count: 3) == [9, 8, 7] && module.u64(8) == 3)
    #expect(memory.read(info.u64(24)!, count: 6) == Array("quiet".utf8) + [0])
    #expect(info.u64(32) == MemoryMap.rsdp)
    #expect(info.u32(48) == UInt32(map.entries.count))
    let last = fields(info.u64(40)! + 24 * 3, 24)
    #expect(last.u64(0) == 0x10_0000 && last.u32(16) == 1)
  }

  @Test func multibootELF() throws {
    let state = try load(
      SyntheticELF(is64Bit: false, multibootFlags: 0).bytes,
      initrds: [
        BootModule(bytes: [1], commandLine: "first"), BootModule(bytes: [2, 2], commandLine: "second x"),
      ],
      commandLine: "hello")
    #expect(state.rip == 0x10_0010 && state.rax == 0x2BAD_B002)
    let info = fields(state.rbx, 116)
    #expect(info.u32(0) == 0x24D, "flags 0 get it all")
    #expect(info.u32(4) == 640 && info.u32(8) == UInt32((map.lowUsableEnd - 0x100000) / 1024))
    #expect(memory.read(UInt64(info.u32(16)!), count: 6) == Array("hello".utf8) + [0])
    #expect(info.u32(20) == 2)
    let modules = fields(UInt64(info.u32(24)!), 32)
    #expect(modules.u32(0) == 0x10_3000 && modules.u32(4) == 0x10_3001)
    #expect(modules.u32(16) == 0x10_4000 && modules.u32(20) == 0x10_4002)
    #expect(memory.read(UInt64(modules.u32(24)!), count: 9) == Array("second x".utf8) + [0])
    #expect(info.u32(44) == UInt32(24 * map.entries.count))
    let first = fields(UInt64(info.u32(48)!), 24)
    #expect(first.u32(0) == 20 && first.u64(12) == 0x9FC00 && first.u32(20) == 1)
  }

  /// A flat binary with its addresses in the header.
  func flat(loadAddress: UInt32, loadEnd: UInt32 = 0, bssEnd: UInt32 = 0, count: Int = 512) -> [UInt8] {
    var file = ByteWriter()
    file.zeros(64)
    let flags: UInt32 = 0x1_0003
    file.u32(0x1BAD_B002)
    file.u32(flags)
    file.u32(0 &- 0x1BAD_B002 &- flags)
    for value in [loadAddress &+ 32, loadAddress, loadEnd, bssEnd, loadAddress] { file.u32(value) }
    file.zeros(count - file.count - 1)
    file.u8(0x77)
    return file.bytes
  }

  @Test func multibootFlat() throws {
    let state = try load(flat(loadAddress: 0x20_0000, bssEnd: 0x20_1000))
    #expect(state.rip == 0x20_0000)
    // The header lies 64 bytes into the file and 32 into the image.
    #expect(memory.read(0x20_0000 + 512 - 33, count: 1) == [0x77])
  }

  @Test func errors() {
    #expect(throws: LoaderError.emptyKernel) { try load([]) }
    let bare = SyntheticELF(pvhEntry: nil).bytes
    #expect(throws: LoaderError.foreignKernel(found: "it starts with bytes 7f 45 4c 46")) { try load(bare) }
    let whole = SyntheticELF().bytes
    #expect(throws: LoaderError.truncated(what: "the ELF header", needed: 64, present: 40)) {
      try load([UInt8](whole.prefix(40)))
    }
    var large = SyntheticELF()
    large.memorySize = 32 << 20
    #expect(throws: LoaderError.notEnoughMemory(needed: 33 << 20, present: 16 << 20)) {
      try load(large.bytes)
    }
    var low = SyntheticELF()
    low.physicalAddress = 0x7000
    #expect(throws: LoaderError.self) { try load(low.bytes) }
    #expect(throws: LoaderError.self) { try load(flat(loadAddress: 0x20_0000, loadEnd: 0x10_0000)) }
    #expect(throws: LoaderError.self) { try load(flat(loadAddress: 0x20_0000, loadEnd: 0x30_0000)) }
    #expect(throws: LoaderError.self) { try load(flat(loadAddress: 0xFFFF_FF00, bssEnd: 0xFFFF_FFFF)) }
    var vendor = SyntheticELF(multibootFlags: 0x8000)
    vendor.pvhEntry = nil
    #expect(throws: LoaderError.self) { try load(vendor.bytes) }
  }

  /// Every byte of every header set to hostile values: an error or a start, never a crash.
  @Test func hostileFiles() {
    let files = [
      SyntheticELF().bytes, SyntheticELF(is64Bit: false).bytes, SyntheticELF(multibootFlags: 3).bytes,
      flat(loadAddress: 0x20_0000),
    ]
    for file in files {
      for offset in file.indices where offset < 200 || offset > file.count - 50 {
        for value: UInt8 in [0, 1, 0x7F, 0xFF] {
          for width in [1, 4, 8] {
            var bytes = file
            for i in offset..<min(offset + width, bytes.count) { bytes[i] = value }
            _ = try? load(bytes, initrds: [BootModule(bytes: [1])])
          }
        }
      }
    }
  }
}
