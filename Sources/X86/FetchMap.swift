import X86Core

/// Linear to physical addresses of code: all translations that are in force, however seldom used.
///
/// The walk that makes a translation sets the accessed bit, which the guest can see and clear. Blocks that are linked run
/// without asking here, blocks that are looked up (because a budget ended before them, say) do ask. So that this makes no
/// difference, a page of code is walked once in each generation of its half's mappings: links hold for one generation
/// too, hence the first use of a page always comes here, and later ones find it.
final class FetchMap {
  /// A generation with more pages of code than this is ended.
  private static let capacity = 1 << 16

  private let cpu: CPU
  /// By page, bit 0 set for user accesses.
  private var low: [UInt64: UInt64] = [:]
  private var high: [UInt64: UInt64] = [:]
  private var lowGeneration: UInt64 = .max
  private var highGeneration: UInt64 = .max

  init(cpu: CPU) { self.cpu = cpu }

  /// Physical address of a byte of code at the current privilege. nil: the page fault is recorded.
  @inline(__always)
  func translate(_ linear: UInt64) -> UInt64? {
    let user = cpu.f.pointee.cpl == 3
    let e =
      cpu.p
      + (Layout.fetchTLB &+ (user ? Layout.tlbTable : 0) &+ Int(truncatingIfNeeded: (linear &>> 8) & Layout.tlbMask))
    if e.load(as: UInt64.self) == linear & TLBEntry.pageMask {
      return linear &+ e.load(fromByteOffset: 8, as: UInt64.self)
    }
    guard let physical = find(linear, user: user) else { return nil }
    e.storeBytes(of: linear & TLBEntry.pageMask, as: UInt64.self)
    e.storeBytes(of: physical &- linear, toByteOffset: 8, as: UInt64.self)
    return physical
  }

  @inline(never)
  private func find(_ linear: UInt64, user: Bool) -> UInt64? {
    let f = cpu.f
    guard f.pointee.cr0 & CR0.pg != 0 else { return linear & 0xFFFF_FFFF & f.pointee.a20Mask }
    let isHigh = Int64(bitPattern: linear) < 0
    if isHigh {
      if highGeneration != f.pointee.generationHigh {
        high.removeAll(keepingCapacity: true)
        highGeneration = f.pointee.generationHigh
      }
    } else if lowGeneration != f.pointee.generationLow {
      low.removeAll(keepingCapacity: true)
      lowGeneration = f.pointee.generationLow
    }
    let key = (linear & TLBEntry.pageMask) | (user ? 1 : 0)
    if let page = isHigh ? high[key] : low[key] { return page | (linear & 0xFFF) }

    guard let page = cpu.walk(linear, Access(Access.fetch | (user ? Access.user : 0))) else { return nil }
    if !page.isGlobal && isHigh { f.pointee.upperHalfNotGlobal = true }
    let physical = page.physicalAddress & f.pointee.a20Mask
    if isHigh {
      if high.count >= Self.capacity { end(low: false) }
      high[key] = physical & TLBEntry.pageMask
    } else {
      if low.count >= Self.capacity { end(low: true) }
      low[key] = physical & TLBEntry.pageMask
    }
    return physical
  }

  /// What is known in the present generations. Setting it makes it hold for the generations that are then present.
  var pages: (low: [UInt64: UInt64], high: [UInt64: UInt64]) {
    get {
      (
        lowGeneration == cpu.f.pointee.generationLow ? low : [:],
        highGeneration == cpu.f.pointee.generationHigh ? high : [:]
      )
    }
    set {
      (low, high) = newValue
      lowGeneration = cpu.f.pointee.generationLow
      highGeneration = cpu.f.pointee.generationHigh
    }
  }

  /// Ends a generation that has grown too large, and with it what the table in front of the map still holds.
  private func end(low isLow: Bool) {
    for i in 0..<(2 * Layout.tlbEntries) {
      cpu.p.storeBytes(of: TLBEntry.empty, toByteOffset: Layout.fetchTLB &+ i &* 16, as: UInt64.self)
    }
    cpu.newGeneration(low: isLow, high: !isLow)
    if isLow {
      low.removeAll(keepingCapacity: true)
      lowGeneration = cpu.f.pointee.generationLow
    } else {
      high.removeAll(keepingCapacity: true)
      highGeneration = cpu.f.pointee.generationHigh
    }
  }
}
