/// What the kernel uses its pages for, told from its array of `struct page`: so that a dump can leave some out.
public struct PageUsage: Sendable {
  /// Of makedumpfile's levels.
  public struct Kinds: OptionSet, Sendable {
    public let rawValue: Int32
    public init(rawValue: Int32) { self.rawValue = rawValue }
    /// Page cache, with and without private data.
    public static let cache = Kinds(rawValue: 2 | 4)
    /// Anonymous memory of programs.
    public static let user = Kinds(rawValue: 8)
    /// What the buddy allocator has.
    public static let free = Kinds(rawValue: 16)
  }

  /// A bit a page frame.
  public var excluded: [UInt64]
  public var count = 0

  private static let maximumOrder: UInt64 = 20

  /// - Throws: `ForensicsError.missing` where the kernel does not tell how its pages are described.
  public init(_ kernel: Kernel, without kinds: Kinds) throws(ForensicsError) {
    guard let info = kernel.vmcoreinfo, let size = info.size("page"), (32...256).contains(size),
      let flagsOffset = info.offset("page", "flags"), let mapcountOffset = info.offset("page", "_mapcount"),
      let mappingOffset = info.offset("page", "mapping"), let privateOffset = info.offset("page", "private"),
      let buddy = info.number("PAGE_BUDDY_MAPCOUNT_VALUE"), let lru = info.number("PG_lru"),
      let swapBacked = info.number("PG_swapbacked") ?? info.number("PG_swapcache"),
      [flagsOffset, mapcountOffset, mappingOffset, privateOffset].allSatisfy({ $0 <= size - 8 }),
      (0..<64).contains(lru),
      (0..<64).contains(swapBacked)
    else { throw .missing("which pages are free or used: the kernel's VMCOREINFO does not describe its pages") }
    guard let base = kernel.symbols.address(of: "vmemmap_base").flatMap({ kernel.space.u64($0) }), base >> 63 != 0
    else { throw .missing("which pages are free or used: the kernel has no array of pages at vmemmap_base") }
    let frames = Int(clamping: (kernel.view.ranges.last?.upperBound ?? 0) / 4096)
    excluded = [UInt64](repeating: 0, count: (frames + 63) / 64)
    // From 6.12 on the type of a page is its upper byte, the rest a number.
    let typeShift: UInt32 = kernel.version >= (6, 12) ? 24 : 0
    let wanted = UInt32(truncatingIfNeeded: buddy) >> typeShift
    for range in kernel.view.ranges {
      var frame = Int(range.lowerBound / 4096)
      let end = Int(range.upperBound / 4096)
      while frame < end {
        let page = base &+ UInt64(frame) &* size
        guard let flags = kernel.space.u64(page &+ flagsOffset), let type = kernel.space.u32(page &+ mapcountOffset),
          let mapping = kernel.space.u64(page &+ mappingOffset)
        else {
          frame += 1
          continue
        }
        var run = 1
        var isOut = false
        if type >> typeShift == wanted {
          let order = kernel.space.u64(page &+ privateOffset) ?? 0
          if order <= Self.maximumOrder { run = 1 << Int(order) }
          isOut = kinds.contains(.free)
        } else if flags >> UInt64(lru) & 1 != 0 {
          // The lowest bit of the mapping tells anonymous memory from files.
          isOut = mapping & 1 != 0 ? kinds.contains(.user) : kinds.contains(.cache)
        }
        let next = min(frame + run, end)
        if isOut { exclude(frame..<next) }
        frame = next
      }
    }
  }

  private mutating func exclude(_ frames: Range<Int>) {
    for frame in frames {
      excluded[frame / 64] |= 1 << UInt64(frame % 64)
      count += 1
    }
  }
}
