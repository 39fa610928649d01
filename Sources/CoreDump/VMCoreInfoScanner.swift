import X86Core
import X86System

/// Finds a Linux guest's VMCOREINFO in RAM when no vmcoreinfo device was told where it lies.
///
/// Linux keeps the note, and the text that it makes it from, each at the start of a page. So a look at the first bytes
/// of each page is enough, and takes milliseconds for hundreds of MiB.
public enum VMCoreInfoScanner {
  /// What a guest can make us look at more closely.
  private static let maximumCandidates = 64
  private static let pageSize = 4096

  /// - Parameters:
  ///   - memory: where to look.
  ///   - processors: the machine's processors, if known: a note left over from before a reboot is then told from the
  ///     running kernel's by its page tables.
  /// - Returns: the note with its header, or nil when there is none.
  public static func find(in memory: GuestMemory, processors: [ProcessorState] = []) -> [UInt8]? {
    func page(_ address: UInt64) -> UnsafeRawPointer? {
      memory.offset(of: address).map { UnsafeRawPointer(memory.base) + Int($0 & ~0xFFF) }
    }
    let found = notes(in: memory.ranges, page: page)
    let current = found.first { note in processors.contains { runs(note, cr3: $0.cr3, page: page) } }
    return (current ?? found.first)?.bytes
  }

  /// All notes, and texts of notes, at the starts of pages.
  /// - Parameters:
  ///   - ranges: guest-physical addresses to look at.
  ///   - page: where the host has the page of a guest-physical address, nil outside RAM.
  public static func notes(in ranges: [Range<UInt64>], page: (UInt64) -> UnsafeRawPointer?) -> [VMCoreInfoNote] {
    var found: [VMCoreInfoNote] = []
    for range in ranges {
      var address = range.lowerBound
      while address < range.upperBound {
        if let host = page(address), let note = note(at: address, host, page) {
          found.append(note)
          if found.count == maximumCandidates { return found }
        }
        let (next, overflow) = address.addingReportingOverflow(UInt64(pageSize))
        if overflow { break }
        address = next
      }
    }
    return found
  }

  /// The note, or the text of one, that starts at a page.
  private static func note(
    at address: UInt64, _ host: UnsafeRawPointer, _ page: (UInt64) -> UnsafeRawPointer?
  ) -> VMCoreInfoNote? {
    switch host.loadUnaligned(as: UInt64.self) {
    case osReleaseStart:
      // The text ends with the first zero, within its page.
      let bytes = UnsafeRawBufferPointer(start: host, count: pageSize)
      guard bytes.starts(with: "OSRELEASE=".utf8) else { return nil }
      let note = VMCoreInfoNote(text: Array(bytes.prefix { $0 != 0 }))
      return isKernel(note) ? note : nil
    case let start where UInt32(truncatingIfNeeded: start) == UInt32(VMCoreInfoNote.name.count):
      var bytes = Array(UnsafeRawBufferPointer(start: host, count: pageSize))
      guard let count = VMCoreInfoNote.textSize(header: bytes) else { return nil }
      var next = address &+ UInt64(pageSize)
      while bytes.count < 32 + count, let host = page(next) {
        bytes += UnsafeRawBufferPointer(start: host, count: pageSize)
        next &+= UInt64(pageSize)
      }
      guard let note = VMCoreInfoNote(parsing: bytes) else { return nil }
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
  public static func runs(
    _ note: VMCoreInfoNote, cr3: UInt64, page: (UInt64) -> UnsafeRawPointer?
  ) -> Bool {
    func lastEntry(_ table: UInt64) -> UInt64? {
      page(table).map { $0.loadUnaligned(fromByteOffset: 0xFF8, as: UInt64.self) }
    }
    let textMap: UInt64 = 0xFFFF_FFFF_8000_0000  // __START_KERNEL_map
    guard let directory = note.number(of: "SYMBOL(swapper_pg_dir)"),
      let physicalBase = note.number(of: "NUMBER(phys_base)"), directory >= textMap,
      let own = lastEntry((directory &- textMap &+ physicalBase) & 0x000F_FFFF_FFFF_F000), own != 0
    else { return false }
    return own == lastEntry(cr3 & 0x000F_FFFF_FFFF_F000)
  }
}
