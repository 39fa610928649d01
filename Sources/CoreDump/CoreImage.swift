import X86Core
import X86System

/// What goes into a core dump: the machine at one instant.
///
/// The machine must stand still while the dump is written: memory is read in place, not copied first.
public struct CoreImage {
  public var memory: GuestMemory
  /// In order of processor numbers. The first one is what a debugger shows first.
  public var processors: [ProcessorState]
  /// The guest's VMCOREINFO as an ELF note with its header, from the vmcoreinfo device or `VMCoreInfoScanner`.
  /// Bytes behind the note are left out; what is no such note is left out whole.
  public var vmcoreinfo: [UInt8]?
  /// Whether the program headers carry the guest-virtual addresses that the page tables map at this instant
  /// (QMP `paging: true`). While no processor has paging on, this makes no difference.
  public var paging: Bool
  /// Guest-physical addresses to dump (QMP `begin` and `length`), nil for all RAM.
  public var range: Range<UInt64>?

  /// What a compressed kdump leaves out. The ELF forms hold all pages.
  public var filter = PageFilter.all

  public init(
    memory: GuestMemory, processors: [ProcessorState], vmcoreinfo: [UInt8]? = nil, paging: Bool = false,
    range: Range<UInt64>? = nil
  ) {
    self.memory = memory
    self.processors = processors
    self.vmcoreinfo = vmcoreinfo
    self.paging = paging
    self.range = range
  }
}

/// The forms of a dump.
public enum CoreFormat: String, CaseIterable, Sendable {
  /// ELF64 vmcore. In a file, pages of zeros are holes.
  case elf
  /// The same bytes as a sequence of gzip members (RFC 1952) of at most 1 MiB of content each; see `GzipMember`.
  case elfGzip = "elf-gz"
  /// Compressed kdump with zlib, as makedumpfile writes it (not flattened); see `KdumpLayout`.
  case kdumpZlib = "kdump-zlib"

  /// The form that a file name asks for: `.elf` plain, `.kdump` compressed kdump, anything else compressed ELF.
  public init(path: String) {
    self = path.hasSuffix(".elf") ? .elf : path.hasSuffix(".kdump") ? .kdumpZlib : .elfGzip
  }
}

/// Pages that a compressed kdump leaves out. Pages of zeros are always in it, and share one: makedumpfile does not read a
/// file without them.
public struct PageFilter {
  /// A bit a page frame, lowest first, set for those that are left out.
  public var excluded: [UInt64]
  /// makedumpfile's number for it (1 zeros, 2 and 4 caches, 8 user pages, 16 free pages).
  public var level: Int32

  public static var all: PageFilter { PageFilter(level: 0) }

  public init(excluded: [UInt64] = [], level: Int32) { (self.excluded, self.level) = (excluded, level) }

  func excludes(_ frame: Int) -> Bool {
    let word = frame / 64
    return word < excluded.count && excluded[word] >> UInt64(frame % 64) & 1 != 0
  }
}

/// How far a dump has come, in bytes of guest memory.
public struct CoreProgress: Equatable, Sendable {
  public var completed: UInt64
  public var total: UInt64

  public init(completed: UInt64, total: UInt64) {
    self.completed = completed
    self.total = total
  }
}
