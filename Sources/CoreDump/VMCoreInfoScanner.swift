import X86Core
import X86System

/// Finds a Linux guest's VMCOREINFO in RAM when no vmcoreinfo device was told where it lies.
///
/// Linux keeps the note, and the text that it makes it from, each at the start of a page. So a look at the first bytes
/// of each page is enough, and takes milliseconds for hundreds of MiB.
public enum VMCoreInfoScanner {
  /// What a guest can make us look at more closely.
  private static let maximumCandidates = 64

  /// - Parameters:
  ///   - memory: where to look.
  ///   - processors: the machine's processors, if known: a note left over from before a reboot is then told from the
  ///     running kernel's by its page tables.
  /// - Returns: the note with its header, or nil when there is none.
  public static func find(in memory: GuestMemory, processors: [ProcessorState] = []) -> [UInt8]? {
    var found: [VMCoreInfoNote] = []
    scan: for range in memory.ranges {
      var address = range.lowerBound
      while address < range.upperBound {
        if let note = note(at: address, memory) {
          found.append(note)
          if found.count == maximumCandidates { break scan }
        }
        address += GuestMemory.pageSize
      }
    }
    let current = found.first { note in processors.contains { runs(note, $0, memory) } }
    return (current ?? found.first)?.bytes
  }

  /// The note, or the text of one, that starts at a page.
  private static func note(at address: UInt64, _ memory: GuestMemory) -> VMCoreInfoNote? {
    guard let offset = memory.offset(of: address) else { return nil }
    let page = memory.base + Int(offset)
    switch page.loadUnaligned(as: UInt64.self) {
    case osReleaseStart:
      // The text ends with the first zero, within its page.
      let bytes = UnsafeRawBufferPointer(start: page, count: Int(GuestMemory.pageSize))
      guard bytes.starts(with: "OSRELEASE=".utf8) else { return nil }
      let note = VMCoreInfoNote(text: Array(bytes.prefix { $0 != 0 }))
      return isKernel(note) ? note : nil
    case let start where UInt32(truncatingIfNeeded: start) == UInt32(VMCoreInfoNote.name.count):
      let header = memory.read(address, count: 32) ?? []
      guard let count = VMCoreInfoNote.textSize(header: header),
        let whole = memory.read(address, count: 32 + count), let note = VMCoreInfoNote(parsing: whole)
      else { return nil }
      return isKernel(note) ? note : nil
    default:
      return nil
    }
  }

  /// `OSRELEAS`, as a little-endian word.
  private static let osReleaseStart: UInt64 = 0x5341_454C_4552_534F

  /// Lines that every Linux writes.
  private static func isKernel(_ note: VMCoreInfoNote) -> Bool {
    note.value(of: "OSRELEASE") != nil && note.value(of: "PAGESIZE") != nil
  }

  /// Whether the kernel of this note owns the page tables of a processor: the topmost entry, which maps the kernel's
  /// text, is that of its `swapper_pg_dir`.
  private static func runs(_ note: VMCoreInfoNote, _ state: ProcessorState, _ memory: GuestMemory) -> Bool {
    let textMap: UInt64 = 0xFFFF_FFFF_8000_0000  // __START_KERNEL_map
    guard let directory = note.number(of: "SYMBOL(swapper_pg_dir)"),
      let physicalBase = note.number(of: "NUMBER(phys_base)"), directory >= textMap,
      let own = memory.read((directory &- textMap &+ physicalBase) & ~0xFFF &+ 0xFF8, count: 8),
      let active = memory.read(state.cr3 & 0x000F_FFFF_FFFF_F000 &+ 0xFF8, count: 8)
    else { return false }
    return own == active && own.contains { $0 != 0 }
  }
}
