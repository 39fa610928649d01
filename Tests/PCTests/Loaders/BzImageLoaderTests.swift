import PC
import Testing
import X86Core

/// A file with a setup header of protocol 2.15 and a payload that is only recognisable bytes.
struct SyntheticBzImage {
  var version: UInt16 = 0x020F
  var setupSectors: UInt8 = 3
  var payload = [UInt8](repeating: 0x5A, count: 4096)
  var relocatable: UInt8 = 1
  var loadFlags: UInt8 = 1
  var extendedFlags: UInt16 = 1
  var preferredAddress: UInt64 = 0x100_0000
  var initSize: UInt32 = 0x20_0000
  var initrdMax: UInt32 = 0x7FFF_FFFF
  var commandLineSize: UInt32 = 2047

  var bytes: [UInt8] {
    var file = [UInt8](repeating: 0, count: (Int(setupSectors) + 1) * 512) + payload
    func put(_ offset: Int, _ value: UInt64, _ size: Int) {
      for i in 0..<size { file[offset + i] = UInt8(truncatingIfNeeded: value >> UInt64(8 * i)) }
    }
    put(0x1F1, UInt64(setupSectors), 1)
    put(0x1F4, UInt64((payload.count + 15) / 16), 4)
    put(0x1FE, 0xAA55, 2)
    put(0x200, 0x6AEB, 2)
    put(0x202, 0x5372_6448, 4)
    put(0x206, UInt64(version), 2)
    put(0x211, UInt64(loadFlags), 1)
    put(0x214, 0x100000, 4)
    put(0x22C, UInt64(initrdMax), 4)
    put(0x230, 0x20_0000, 4)
    put(0x234, UInt64(relocatable), 1)
    put(0x236, UInt64(extendedFlags), 2)
    put(0x238, UInt64(commandLineSize), 4)
    put(0x258, preferredAddress, 8)
    put(0x260, UInt64(initSize), 4)
    return file
  }
}

/// `Documentation/x86/boot.rst` and `zero-page.rst`, field by field.
struct BzImageLoaderTests {
  let memory = GuestMemory(size: 64 << 20)!
  let map = MemoryMap(size: 64 << 20, lowLimit: 0xC000_0000)

  func load(
    _ kernel: [UInt8], initrd: [UInt8]? = nil, commandLine: String = "", map: MemoryMap? = nil,
    seed: [UInt8] = []
  ) throws -> BootState {
    try BzImageLoader.load(
      kernel: kernel, initrd: initrd, commandLine: commandLine, memory: memory, memoryMap: map ?? self.map,
      rsdp: MemoryMap.rsdp, randomSeed: seed)
  }

  func zeroPage() -> ByteReader { ByteReader(memory.read(BzImageLoader.Layout.bootParameters, count: 4096)!) }

  @Test func entersIn64BitMode() throws {
    let state = try load(SyntheticBzImage().bytes)
    #expect(state.rip == 0x100_0200)
    #expect(state.rsi == BzImageLoader.Layout.bootParameters)
    #expect(state.cr0 & 0x8000_0001 == 0x8000_0001)
    #expect(state.cr4 & 0x20 != 0 && state.efer == 0x500)
    #expect(state.cs.selector == 0x10 && state.cs.attributes == 0xA09B)
    #expect(state.data.selector == 0x18)
    #expect(memory.read(0x100_0000, count: 4096)! == [UInt8](repeating: 0x5A, count: 4096))
    #expect(ByteReader(memory.read(state.gdtBase + 0x10, count: 8)!).u64(0) == 0x00AF_9B00_0000_FFFF)
  }

  @Test func pageTablesMapFourGigabytes() throws {
    let state = try load(SyntheticBzImage().bytes)
    func entry(_ table: UInt64, _ index: UInt64) -> UInt64 {
      ByteReader(memory.read(table + 8 * index, count: 8)!).u64(0)!
    }
    for address: UInt64 in [0, 0x100_0000, 0x7FE0_0000, 0xFFE0_0000] {
      let directoryPointer = entry(state.cr3, 0) & ~0xFFF
      let directory = entry(directoryPointer, address >> 30) & ~0xFFF
      let leaf = entry(directory, address >> 21 & 511)
      #expect(leaf == address | 0x83)
    }
    #expect(entry(state.cr3, 1) == 0)
  }

  @Test func entersIn32BitModeWithoutThe64BitEntry() throws {
    var image = SyntheticBzImage()
    image.extendedFlags = 0
    let state = try load(image.bytes)
    #expect(state.rip == 0x100_0000)
    #expect(state.cr0 & 0x8000_0001 == 1 && state.efer == 0)
    #expect(state.cs.attributes == 0xC09B)
  }

  @Test func bootParameters() throws {
    _ = try load(
      SyntheticBzImage().bytes, commandLine: "console=ttyS0", seed: [UInt8](repeating: 7, count: 32))
    let page = zeroPage()
    #expect(page.u32(0x202) == 0x5372_6448)
    #expect(page.u64(0x070) == MemoryMap.rsdp)
    #expect(page.u8(0x1EF) == 0, "the sentinel")
    #expect(page.u8(0x210) == 0xFF)
    let line = try #require(page.u32(0x228))
    #expect(memory.read(UInt64(line), count: 14)! == Array("console=ttyS0".utf8) + [0])
    #expect(Int(page.u8(0x1E8)!) == map.entries.count)
    for (i, entry) in map.entries.enumerated() {
      #expect(page.u64(0x2D0 + 20 * i) == entry.base)
      #expect(page.u64(0x2D8 + 20 * i) == entry.size)
      #expect(page.u32(0x2E0 + 20 * i) == entry.kind.rawValue)
    }
    let seed = ByteReader(memory.read(try #require(page.u64(0x250)), count: 48)!)
    #expect(seed.u64(0) == 0 && seed.u32(8) == 9 && seed.u32(12) == 32 && seed.u8(47) == 7)
  }

  @Test func initrdLiesHighAndAligned() throws {
    _ = try load(SyntheticBzImage().bytes, initrd: [1, 2, 3])
    let page = zeroPage()
    #expect(UInt64(page.u32(0x218)!) == map.lowUsableEnd - 0x1000)
    #expect(page.u32(0x21C) == 3)
    #expect(memory.read(UInt64(page.u32(0x218)!), count: 3) == [1, 2, 3])
  }

  @Test func initrdObeysTheKernelsLimit() throws {
    var image = SyntheticBzImage()
    image.initrdMax = 0x1FF_FFFF
    _ = try load(image.bytes, initrd: [UInt8](repeating: 1, count: 5000))
    #expect(UInt64(zeroPage().u32(0x218)!) == 0x1FF_E000)
  }

  @Test func errors() {
    #expect(throws: LoaderError.emptyKernel) { try load([]) }
    #expect(throws: LoaderError.foreignKernel(found: "it starts with bytes 7f 45 4c 46")) {
      try load([0x7F, 0x45, 0x4C, 0x46] + [UInt8](repeating: 0, count: 4096))
    }
    let whole = SyntheticBzImage().bytes
    #expect(throws: LoaderError.truncated(what: "the kernel", needed: 6129, present: 6000)) {
      try load([UInt8](whole.prefix(6000)))
    }
    #expect(throws: LoaderError.self) { try load([UInt8](whole.prefix(0x208))) }
    #expect(throws: LoaderError.emptyInitrd) { try load(whole, initrd: []) }
    let room = map.lowUsableEnd - 0x120_0000
    let tooLarge = [UInt8](repeating: 0, count: Int(room) + 1)
    #expect(throws: LoaderError.initrdTooLarge(size: room + 1, room: room)) {
      try load(whole, initrd: tooLarge)
    }
    #expect(throws: LoaderError.commandLineTooLong(length: 2048, limit: 2047)) {
      try load(whole, commandLine: String(repeating: "x", count: 2048))
    }
    let small = MemoryMap(size: 16 << 20, lowLimit: 0xC000_0000)
    #expect(throws: LoaderError.notEnoughMemory(needed: 0x122_0000, present: 16 << 20)) {
      try load(whole, map: small)
    }
    var old = SyntheticBzImage()
    old.version = 0x0203
    #expect(throws: LoaderError.unsupportedProtocol(version: 0x0203)) { try load(old.bytes) }
    #expect(LoaderError.unsupportedProtocol(version: 0x0203).description.contains("2.03"))
  }

  /// Every header byte set to hostile values: an error or a start, never a crash, never outside of memory.
  @Test func hostileHeaders() {
    let whole = SyntheticBzImage().bytes
    for offset in 0x1F1..<0x268 {
      for value: UInt8 in [0, 1, 0x7F, 0x80, 0xFF] {
        var bytes = whole
        bytes[offset] = value
        _ = try? load(bytes, initrd: [1])
        for i in offset..<min(offset + 8, 0x268) where offset >= 0x208 { bytes[i] = value }
        _ = try? load(bytes, initrd: [1])
      }
    }
  }
}
