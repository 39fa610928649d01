import X86Core

/// A file that goes beside the kernel.
public struct BootModule {
  public var bytes: [UInt8]
  /// What the kernel is told about it: by custom its name and arguments.
  public var commandLine: String

  public init(bytes: [UInt8], commandLine: String = "") {
    self.bytes = bytes
    self.commandLine = commandLine
  }
}

/// Starts a kernel by the Multiboot Specification 0.6.96: 32-bit protected mode, EAX = magic, EBX = information.
/// Whatever the header's flags ask for, the kernel gets command line, modules and memory map.
public struct MultibootLoader {
  enum Header {
    static let magic: UInt32 = 0x1BAD_B002
    /// The header lies within this many bytes, on a multiple of 4.
    static let searchLimit = 8192
    /// Flags 0–15 that a loader must know or refuse: page-aligned modules, memory information, video mode.
    static let knownRequirements: UInt32 = 0x0003
    static let requirements: UInt32 = 0xFFFF
    static let hasAddresses: UInt32 = 1 << 16
  }
  enum Info {
    static let memory: UInt32 = 1 << 0
    static let commandLine: UInt32 = 1 << 2
    static let modules: UInt32 = 1 << 3
    static let memoryMap: UInt32 = 1 << 6
    static let loaderName: UInt32 = 1 << 9
  }
  static let bootMagic: UInt64 = 0x2BAD_B002

  /// Where the loader leaves its own things; all of it is RAM that the kernel may use later.
  enum Layout {
    static let gdt: UInt64 = 0x5000
    static let info: UInt64 = 0x6000
    static let memoryMap: UInt64 = 0x7000
    static let stackTop: UInt64 = 0x10000
    static let strings: UInt64 = 0x20000
    static let stringsEnd: UInt64 = 0x30000
    static let moduleList: UInt64 = 0x30000
    static let maximumModules = 1024
  }

  /// Whether a file has a multiboot header.
  public static func recognizes(_ kernel: [UInt8]) -> Bool { headerOffset(kernel) != nil }

  private static func headerOffset(_ kernel: [UInt8]) -> Int? {
    let file = ByteReader(kernel)
    for offset in stride(from: 0, to: min(kernel.count, Header.searchLimit) - 11, by: 4) {
      if file.u32(offset) == Header.magic, let flags = file.u32(offset + 4),
        let checksum = file.u32(offset + 8), Header.magic &+ flags &+ checksum == 0
      {
        return offset
      }
    }
    return nil
  }

  /// Puts kernel, modules, command line and information into memory.
  /// - Throws: `LoaderError`; memory may have been written to by then.
  public static func load(
    kernel: [UInt8], modules: [BootModule], commandLine: String, memory: GuestMemory, memoryMap: MemoryMap
  ) throws -> BootState {
    guard !kernel.isEmpty else { throw LoaderError.emptyKernel }
    guard let header = headerOffset(kernel) else {
      throw LoaderError.malformed(what: "it has no multiboot header")
    }
    let flags = ByteReader(kernel).u32(header + 4)!
    let unknown = flags & Header.requirements & ~Header.knownRequirements
    // A wish for a video mode (bit 2) is heard and not granted, as the specification allows for its modes.
    guard unknown & ~4 == 0 else {
      throw LoaderError.malformed(
        what: "its multiboot header asks for features 0x\(String(unknown, radix: 16)), which nobody knows")
    }
    let (entry, end) =
      flags & Header.hasAddresses != 0
      ? try loadFlat(kernel, header: header, memory: memory, memoryMap: memoryMap)
      : try loadELF(kernel, memory: memory, memoryMap: memoryMap)

    var strings = Strings(memory: memory)
    let line = try strings.add(commandLine)
    let name = try strings.add("inquest")

    guard modules.count <= Layout.maximumModules else {
      throw LoaderError.malformed(what: "more than \(Layout.maximumModules) modules")
    }
    var list = ByteWriter()
    var next = (end + 0xFFF) & ~0xFFF
    for module in modules {
      let size = UInt64(module.bytes.count)
      let room = memoryMap.lowUsableEnd > next ? memoryMap.lowUsableEnd - next : 0
      guard size > 0 else { throw LoaderError.emptyInitrd }
      guard size <= room, memory.write(next, module.bytes) else {
        throw LoaderError.initrdTooLarge(size: size, room: room)
      }
      list.u32(UInt32(truncatingIfNeeded: next))
      list.u32(UInt32(truncatingIfNeeded: next + size))
      list.u32(try strings.add(module.commandLine))
      list.u32(0)
      next = (next + size + 0xFFF) & ~0xFFF
    }
    memory.write(Layout.moduleList, list.bytes)

    var map = ByteWriter()
    for entry in memoryMap.entries {
      map.u32(20)  // the size of what follows
      map.u64(entry.base)
      map.u64(entry.size)
      map.u32(entry.kind.rawValue)
    }
    memory.write(Layout.memoryMap, map.bytes)

    var info = ByteWriter()
    info.u32(Info.memory | Info.commandLine | Info.modules | Info.memoryMap | Info.loaderName)
    info.u32(640)
    info.u32(UInt32(truncatingIfNeeded: (memoryMap.lowUsableEnd - MemoryMap.extendedBase) / 1024))
    info.u32(0)
    info.u32(line)
    info.u32(UInt32(modules.count))
    info.u32(UInt32(Layout.moduleList))
    info.zeros(16)
    info.u32(UInt32(map.count))
    info.u32(UInt32(Layout.memoryMap))
    info.zeros(12)
    info.u32(name)
    info.zeros(116 - info.count)
    memory.write(Layout.info, info.bytes)

    BootTables.write(BootTables.gdt, to: Layout.gdt, in: memory)
    var state = BootState.protected32(entry: entry, gdtBase: Layout.gdt)
    state.rax = bootMagic
    state.rbx = Layout.info
    state.rsp = Layout.stackTop
    return state
  }

  /// A kernel whose header says itself where it goes.
  private static func loadFlat(
    _ kernel: [UInt8], header: Int, memory: GuestMemory, memoryMap: MemoryMap
  ) throws -> (entry: UInt64, end: UInt64) {
    let file = ByteReader(kernel)
    guard let headerAddress = file.u32(header + 12), let loadAddress = file.u32(header + 16),
      let loadEnd = file.u32(header + 20), let bssEnd = file.u32(header + 24),
      let entry = file.u32(header + 28)
    else {
      throw LoaderError.truncated(
        what: "the multiboot header", needed: UInt64(header + 32), present: UInt64(kernel.count))
    }
    // The file offset of `loadAddress` follows from where the header is and wants to be.
    guard headerAddress >= loadAddress, UInt64(headerAddress - loadAddress) <= UInt64(header) else {
      throw LoaderError.malformed(what: "its multiboot addresses contradict each other")
    }
    let start = UInt64(header) - UInt64(headerAddress - loadAddress)
    // 0 stands for the end of the file.
    let present = UInt64(kernel.count) - start
    guard loadEnd == 0 || loadEnd >= loadAddress else {
      throw LoaderError.malformed(what: "its multiboot addresses contradict each other")
    }
    let size = loadEnd == 0 ? present : UInt64(loadEnd - loadAddress)
    guard let bytes = file.slice(start, size) else {
      throw LoaderError.truncated(what: "the kernel", needed: start + size, present: UInt64(kernel.count))
    }
    let imageEnd = UInt64(loadAddress) + size
    let end = max(imageEnd, UInt64(bssEnd))
    guard end <= memoryMap.lowUsableEnd else {
      throw LoaderError.notEnoughMemory(needed: end, present: memoryMap.lowSize + memoryMap.highSize)
    }
    try ELFLoader.checkFree(UInt64(loadAddress)..<end)
    guard bytes.withUnsafeBytes({ memory.write(UInt64(loadAddress), $0) }) else {
      throw LoaderError.malformed(
        what: "it wants to lie at 0x\(String(loadAddress, radix: 16)), where there is no RAM")
    }
    try ELFLoader.clear(imageEnd, to: end, in: memory)
    return (UInt64(entry), end)
  }

  private static func loadELF(
    _ kernel: [UInt8], memory: GuestMemory, memoryMap: MemoryMap
  ) throws -> (entry: UInt64, end: UInt64) {
    let image = try ELFImage(kernel)
    guard image.physicalEntry <= UInt64(UInt32.max) else {
      throw LoaderError.malformed(what: "its entry point lies above 4 GiB, multiboot starts in 32-bit mode")
    }
    return (image.physicalEntry, try ELFLoader.load(image, memory: memory, memoryMap: memoryMap))
  }

  /// Zero-terminated strings, one after the other.
  private struct Strings {
    let memory: GuestMemory
    var next = Layout.strings

    mutating func add(_ text: String) throws -> UInt32 {
      let bytes = Array(text.utf8) + [0]
      let room = Int(Layout.stringsEnd - next)
      guard bytes.count <= room else {
        throw LoaderError.commandLineTooLong(length: bytes.count - 1, limit: max(0, room - 1))
      }
      defer { next += UInt64(bytes.count) }
      memory.write(next, bytes)
      return UInt32(truncatingIfNeeded: next)
    }
  }
}
