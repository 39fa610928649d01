import X86Core

/// What a loader asks the board to put into the first processor before its first instruction. Registers that
/// are not named are zero; RFLAGS is 2 (interrupts off), the IDT is empty.
public struct BootState: Equatable, Codable {
  /// A segment register with its hidden part (SDM 3A 3.4.3).
  public struct Segment: Equatable, Codable {
    public var selector: UInt16
    public var base: UInt64
    /// In bytes, after the granularity bit was applied.
    public var limit: UInt32
    /// Bits 8–15 and 20–23 of a descriptor's upper half, at 0–7 and 12–15: type, S, DPL, P, AVL, L, D/B, G.
    public var attributes: UInt16
  }

  public var rip: UInt64
  public var rsp: UInt64 = 0
  public var rax: UInt64 = 0
  public var rbx: UInt64 = 0
  public var rsi: UInt64 = 0
  public var cr0: UInt64
  public var cr3: UInt64 = 0
  public var cr4: UInt64 = 0
  public var efer: UInt64 = 0
  public var gdtBase: UInt64 = 0
  public var gdtLimit: UInt16 = 0
  public var cs: Segment
  /// DS, ES, FS, GS and SS alike.
  public var data: Segment
  /// A busy TSS at 0; nothing uses it before the kernel loads its own.
  public var tr: Segment
}

extension BootState {
  enum CR0 {
    static let pe: UInt64 = 1 << 0
    static let et: UInt64 = 1 << 4
    static let pg: UInt64 = 1 << 31
  }
  enum CR4 { static let pae: UInt64 = 1 << 5 }
  enum EFER {
    static let lme: UInt64 = 1 << 8
    static let lma: UInt64 = 1 << 10
  }

  /// Selectors that Linux's boot protocol names `__BOOT_CS`, `__BOOT_DS`, and its TSS.
  static let codeSelector: UInt16 = 0x10
  static let dataSelector: UInt16 = 0x18
  static let taskSelector: UInt16 = 0x20

  /// Protected mode, no paging, flat 4-GiB segments.
  static func protected32(entry: UInt64, gdtBase: UInt64) -> BootState {
    BootState(
      rip: entry, cr0: CR0.pe | CR0.et, gdtBase: gdtBase, gdtLimit: UInt16(8 * BootTables.gdt.count - 1),
      cs: Segment(selector: codeSelector, base: 0, limit: .max, attributes: 0xC09B),
      data: Segment(selector: dataSelector, base: 0, limit: .max, attributes: 0xC093),
      tr: Segment(selector: taskSelector, base: 0, limit: 0x67, attributes: 0x008B))
  }

  /// 64-bit mode, the first 4 GiB mapped to themselves.
  static func long64(entry: UInt64, gdtBase: UInt64, pageTables: UInt64) -> BootState {
    var state = protected32(entry: entry, gdtBase: gdtBase)
    state.cr0 |= CR0.pg
    state.cr3 = pageTables
    state.cr4 = CR4.pae
    state.efer = EFER.lme | EFER.lma
    state.gdtLimit = UInt16(8 * BootTables.gdt64.count - 1)
    state.cs.attributes = 0xA09B
    return state
  }
}

/// The descriptor and page tables that a loader leaves in low memory for the kernel's first instructions.
enum BootTables {
  /// Null, unused, flat 32-bit code, flat data, TSS.
  static let gdt: [UInt64] = [0, 0, 0x00CF_9B00_0000_FFFF, 0x00CF_9300_0000_FFFF, 0x0000_8B00_0000_0067]
  /// The same with a 64-bit code segment, and the upper half of the 64-bit TSS descriptor.
  static let gdt64: [UInt64] = [
    0, 0, 0x00AF_9B00_0000_FFFF, 0x00CF_9300_0000_FFFF, 0x0000_8B00_0000_0067, 0,
  ]
  /// Bytes of the identity page tables: PML4, PDPT, four page directories of 2-MiB pages.
  static let pageTableSize: UInt64 = 6 * 4096

  static func write(_ words: [UInt64], to address: UInt64, in memory: GuestMemory) {
    var bytes = ByteWriter()
    for word in words { bytes.u64(word) }
    memory.write(address, bytes.bytes)
  }

  /// Maps the first 4 GiB to themselves: present, writable, 2-MiB pages; and what lies above up to `end` (512 GiB at
  /// most) in pages of 1 GiB.
  static func writeIdentityMap(to address: UInt64, upTo end: UInt64 = 0, in memory: GuestMemory) {
    let presentWritable: UInt64 = 3
    let largePage: UInt64 = 1 << 7
    func page(_ entries: [UInt64]) -> [UInt64] {
      entries + [UInt64](repeating: 0, count: 512 - entries.count)
    }
    var words = page([address + 0x1000 | presentWritable])
    var directories = (0..<4).map { address + 0x2000 + UInt64($0) * 0x1000 | presentWritable }
    let gigabytes = min((end + (1 << 30) - 1) >> 30, 512)
    if gigabytes > 4 { directories += (4..<gigabytes).map { $0 << 30 | presentWritable | largePage } }
    words += page(directories)
    words += (0..<2048).map { UInt64($0) << 21 | presentWritable | largePage }
    write(words, to: address, in: memory)
  }
}
