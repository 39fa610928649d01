/// Looks out for accesses to memory, without any trace in the guest: pages of interest are kept out of the fast tables, so
/// that accesses to them come by here.
public final class MemoryWatch {
  public struct Range {
    public var first: UInt64
    /// The last byte of it.
    public var last: UInt64
    public var reads: Bool
    public var writes: Bool
    /// Guest-physical addresses; else linear ones.
    public var isPhysical: Bool

    public init(first: UInt64, last: UInt64, reads: Bool, writes: Bool, isPhysical: Bool) {
      self.first = first
      self.last = last
      self.reads = reads
      self.writes = writes
      self.isPhysical = isPhysical
    }
  }
  public enum Agent { case processor, pageWalk, device }
  /// One access, before it is made.
  public struct Access {
    public var agent: Agent
    public var isWrite: Bool
    /// Nil when it was not made through a linear address.
    public var linear: UInt64?
    public var physical: UInt64
    public var count: Int
  }

  public let ranges: [Range]
  /// Every access of the processor and every write of a device is reported, as of range 0.
  public let watchesAll: Bool
  /// Told of each access that falls into a range, before it is made: the index of the range.
  public let onAccess: (_ index: Int, _ access: Access) -> Void

  static let reads: UInt8 = 1
  static let writes: UInt8 = 2

  public init(ranges: [Range], watchesAll: Bool = false, onAccess: @escaping (Int, Access) -> Void) {
    self.ranges = ranges
    self.watchesAll = watchesAll
    self.onAccess = onAccess
  }

  /// Which accesses to the page of these addresses have to be looked at.
  func kinds(linear: UInt64, physical: UInt64) -> UInt8 {
    if watchesAll { return Self.reads | Self.writes }
    var kinds: UInt8 = 0
    for range in ranges {
      let page = (range.isPhysical ? physical : linear) & TLBEntry.pageMask
      if range.first & TLBEntry.pageMask <= page && page <= range.last {
        kinds |= (range.reads ? Self.reads : 0) | (range.writes ? Self.writes : 0)
      }
    }
    return kinds
  }

  func look(_ access: Access) {
    if watchesAll { return onAccess(0, access) }
    let count = UInt64(truncatingIfNeeded: access.count &- 1)
    for (index, range) in ranges.enumerated() where access.isWrite ? range.writes : range.reads {
      guard let first = range.isPhysical ? access.physical : access.linear else { continue }
      if first <= range.last && range.first <= first &+ count { onAccess(index, access) }
    }
  }
}

extension GuestMemory {
  /// Told of accesses from now on. The processor must know, too: `CPU.connectWatch`.
  public func connectWatch(_ watch: MemoryWatch?) { self.watch = watch }
}

extension CPU {
  @inline(__always)
  var memoryWatch: MemoryWatch? {
    f.pointee.watch.map { Unmanaged<MemoryWatch>.fromOpaque($0).takeUnretainedValue() }
  }

  /// The memory has another watch or none.
  public func connectWatch(_ watch: MemoryWatch?) {
    f.pointee.watch = watch.map { Unmanaged.passUnretained($0).toOpaque() }
    clearDataTLBs()
  }

  @inline(never)
  func watchedKinds(linear: UInt64, physical: UInt64) -> UInt8 {
    memoryWatch?.kinds(linear: linear, physical: physical) ?? 0
  }

  @inline(never)
  func look(_ linear: UInt64?, _ physical: UInt64, _ count: Int, write: Bool) {
    memoryWatch?.look(
      .init(
        agent: linear == nil ? .pageWalk : .processor, isWrite: write, linear: linear, physical: physical, count: count)
    )
  }
}
