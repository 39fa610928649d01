import X86Core
import X86System

/// A stretch of linear addresses and the RAM that it is mapped to, as the page tables say (SDM 3A 4.3–4.5).
struct GuestMapping: Equatable {
  var linearAddress: UInt64
  var physicalAddress: UInt64
  var size: UInt64

  /// What the page tables of all processors map to RAM, each page table base once, merged where it goes on both
  /// linearly and physically, sorted by physical and then by linear address.
  /// - Parameters:
  ///   - ranges: physical addresses to keep.
  ///   - limit: of mappings. When there are more, those of the kernel's half are kept first.
  /// - Returns: nil when no processor has paging on.
  static func all(
    _ memory: GuestMemory, _ processors: [ProcessorState], within ranges: [Range<UInt64>], limit: Int
  ) -> [GuestMapping]? {
    let paged = processors.filter { $0.cr0 & PageTableWalk.pagingEnabled != 0 }
    guard !paged.isEmpty else { return nil }
    var walk = PageTableWalk(memory: memory, ranges: ranges, limit: limit)
    var walked: [UInt64] = []
    for state in paged where !walked.contains(state.cr3) {
      walked.append(state.cr3)
      walk.add(state)
    }
    var result: [GuestMapping] = []
    let sorted = walk.found.sorted {
      ($0.physicalAddress, $0.linearAddress, $0.size) < ($1.physicalAddress, $1.linearAddress, $1.size)
    }
    for mapping in sorted where mapping != result.last { result.append(mapping) }
    return result
  }
}

/// A walk through all that page tables map. It looks at a bounded number of tables, however the guest links them.
struct PageTableWalk {
  static let pagingEnabled: UInt64 = 1 << 31
  private static let present: UInt64 = 1
  private static let large: UInt64 = 1 << 7
  private static let addressMask: UInt64 = 0x000F_FFFF_FFFF_F000
  private enum CR4Bit { static let pse: UInt64 = 1 << 4, pae: UInt64 = 1 << 5, la57: UInt64 = 1 << 12 }
  private static let longModeActive: UInt64 = 1 << 10
  /// 1 GiB of page tables: more than a guest that maps each page of 512 GiB needs.
  private static let maximumTables = 1 << 18

  let memory: GuestMemory
  let ranges: [Range<UInt64>]
  let limit: Int
  private(set) var found: [GuestMapping] = []
  private var current: GuestMapping?
  private var tables = 0
  private var pse = false

  init(memory: GuestMemory, ranges: [Range<UInt64>], limit: Int) {
    self.memory = memory
    self.ranges = ranges
    self.limit = limit
  }

  /// Adds what one processor's page tables map.
  mutating func add(_ state: ProcessorState) {
    tables = 0
    pse = state.cr4 & CR4Bit.pse != 0
    if state.efer & Self.longModeActive != 0 {
      let top: UInt64 = state.cr4 & CR4Bit.la57 != 0 ? 48 : 39
      // The kernel's half first: it is the one to keep when there are too many.
      let sign: UInt64 = ~0 << (top + 9)
      descend(state.cr3 & Self.addressMask, shift: top, linear: sign, entries: 256..<512)
      flush()
      descend(state.cr3 & Self.addressMask, shift: top, linear: 0, entries: 0..<256)
    } else if state.cr4 & CR4Bit.pae != 0 {
      for (index, entry) in state.pdptes.prefix(4).enumerated() where entry & Self.present != 0 {
        descend(entry & Self.addressMask, shift: 21, linear: UInt64(index) << 30, entries: 0..<512)
      }
    } else {
      legacy(state.cr3 & 0xFFFF_F000)
    }
    flush()
  }

  /// PAE and long mode: tables of 512 entries of 8 bytes, each entry of which maps 2^shift bytes.
  private mutating func descend(_ table: UInt64, shift: UInt64, linear: UInt64, entries: Range<Int>) {
    guard let base = open(table) else { return }
    for index in entries {
      let entry = base.load(fromByteOffset: 8 * index, as: UInt64.self)
      guard entry & Self.present != 0 else { continue }
      let address = linear | UInt64(index) << shift
      if shift == 12 || (entry & Self.large != 0 && shift <= 30) {
        add(address, entry & Self.addressMask & (~0 << shift), 1 << shift)
      } else {
        descend(entry & Self.addressMask, shift: shift - 9, linear: address, entries: 0..<512)
      }
      if found.count >= limit { return }
    }
  }

  /// 32-bit paging: two levels of 1024 entries of 4 bytes.
  private mutating func legacy(_ directory: UInt64) {
    guard let base = open(directory) else { return }
    for index in 0..<1024 {
      let entry = UInt64(base.load(fromByteOffset: 4 * index, as: UInt32.self))
      guard entry & Self.present != 0 else { continue }
      let linear = UInt64(index) << 22
      if entry & Self.large != 0, pse {
        add(linear, (entry & 0xFFC0_0000) | ((entry >> 13) & 0xFF) << 32, 1 << 22)
      } else if let table = open(entry & 0xFFFF_F000) {
        for second in 0..<1024 {
          let entry = UInt64(table.load(fromByteOffset: 4 * second, as: UInt32.self))
          if entry & Self.present != 0 { add(linear | UInt64(second) << 12, entry & 0xFFFF_F000, 1 << 12) }
        }
      }
      if found.count >= limit { return }
    }
  }

  /// The host address of a page table; nil outside RAM or when too many were seen.
  private mutating func open(_ table: UInt64) -> UnsafeMutableRawPointer? {
    guard tables < Self.maximumTables, let offset = memory.offset(of: table) else { return nil }
    tables += 1
    return memory.base + Int(offset)
  }

  private mutating func add(_ linear: UInt64, _ physical: UInt64, _ size: UInt64) {
    for range in ranges {
      let part = (physical..<(physical &+ size)).clamped(to: range)
      guard !part.isEmpty else { continue }
      let start = linear &+ (part.lowerBound - physical)
      let count = part.upperBound - part.lowerBound
      if let last = current, last.linearAddress &+ last.size == start,
        last.physicalAddress + last.size == part.lowerBound,
        range.contains(last.physicalAddress)
      {
        current!.size += count
      } else {
        flush()
        current = GuestMapping(linearAddress: start, physicalAddress: part.lowerBound, size: count)
      }
    }
  }

  private mutating func flush() {
    if let current, found.count < limit { found.append(current) }
    current = nil
  }
}
