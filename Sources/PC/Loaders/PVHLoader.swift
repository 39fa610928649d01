import X86Core

/// Starts an ELF kernel that carries Xen's note XEN_ELFNOTE_PHYS32_ENTRY (Xen's docs/misc/pvh.pandoc and
/// include/public/arch-x86/hvm/start_info.h): 32-bit protected mode without paging, EBX = hvm_start_info.
public struct PVHLoader {
  static let noteName = "Xen"
  static let phys32Entry: UInt32 = 18
  static let startInfoMagic: UInt32 = 0x336E_C578
  static let startInfoVersion: UInt32 = 1

  /// Where the loader leaves its own things; all of it is RAM that the kernel may use later.
  enum Layout {
    static let gdt: UInt64 = 0x5000
    static let startInfo: UInt64 = 0x6000
    static let moduleList: UInt64 = 0x6040
    static let memoryMap: UInt64 = 0x7000
    static let commandLine: UInt64 = 0x20000
    static let commandLineRoom = 0x10000
    static let stackTop: UInt64 = 0x10000
  }

  /// Whether a file is an ELF kernel with that note.
  public static func recognizes(_ kernel: [UInt8]) -> Bool {
    guard ELFImage.recognizes(kernel), let image = try? ELFImage(kernel) else { return false }
    return image.note(name: noteName, type: phys32Entry) != nil
  }

  /// Puts kernel, initrd, command line and start information into memory.
  /// - Throws: `LoaderError`; memory may have been written to by then.
  public static func load(
    kernel: [UInt8], initrd: [UInt8]?, commandLine: String, memory: GuestMemory, memoryMap: MemoryMap,
    rsdp: UInt64
  ) throws -> BootState {
    guard !kernel.isEmpty else { throw LoaderError.emptyKernel }
    let image = try ELFImage(kernel)
    guard let note = image.note(name: noteName, type: phys32Entry),
      let entry = ByteReader(Array(note) + [0, 0, 0, 0]).u32(0), note.count >= 4
    else { throw LoaderError.malformed(what: "it is an ELF file without PVH entry point") }

    let end = try ELFLoader.load(image, memory: memory, memoryMap: memoryMap)
    let arguments = Array(commandLine.utf8)
    guard arguments.count < Layout.commandLineRoom else {
      throw LoaderError.commandLineTooLong(length: arguments.count, limit: Layout.commandLineRoom - 1)
    }
    memory.write(Layout.commandLine, arguments + [0])

    var modules = ByteWriter()
    if let initrd {
      let address = try InitrdPlacement.place(initrd, above: end, limit: memoryMap.lowUsableEnd, in: memory)
      modules.u64(address)
      modules.u64(UInt64(initrd.count))
      modules.zeros(16)  // no command line of its own
    }
    memory.write(Layout.moduleList, modules.bytes)

    var map = ByteWriter()
    for entry in memoryMap.entries {
      map.u64(entry.base)
      map.u64(entry.size)
      map.u32(entry.kind.rawValue)
      map.u32(0)
    }
    memory.write(Layout.memoryMap, map.bytes)

    var info = ByteWriter()
    info.u32(startInfoMagic)
    info.u32(startInfoVersion)
    info.u32(0)
    info.u32(initrd == nil ? 0 : 1)
    info.u64(initrd == nil ? 0 : Layout.moduleList)
    info.u64(Layout.commandLine)
    info.u64(rsdp)
    info.u64(Layout.memoryMap)
    info.u32(UInt32(memoryMap.entries.count))
    info.u32(0)
    memory.write(Layout.startInfo, info.bytes)

    BootTables.write(BootTables.gdt, to: Layout.gdt, in: memory)
    var state = BootState.protected32(entry: UInt64(entry), gdtBase: Layout.gdt)
    state.rbx = Layout.startInfo
    state.rsp = Layout.stackTop
    return state
  }
}
