/// A split virtqueue (Virtual I/O Device 1.2, 2.7) as the device sees it. The driver is not trusted: every index and
/// address is checked, a chain has no more descriptors than its table, and what cannot be makes the queue broken.
public struct Virtqueue: Codable, Equatable {
  enum Flag {
    static let next: UInt16 = 1
    static let write: UInt16 = 2
    static let indirect: UInt16 = 4
    /// In the available ring: no interrupts, please.
    static let noInterrupt: UInt16 = 1
  }
  /// The most bytes of one chain; more is a driver that lies.
  static let largestChain = 16 << 20

  public struct Segment: Equatable {
    public var address: UInt64
    public var count: Int
  }
  /// A request: what the device reads, then what it writes.
  public struct Chain: Equatable {
    public var head: UInt16
    public var readable: [Segment] = []
    public var writable: [Segment] = []
    public var readableCount: Int { readable.reduce(0) { $0 + $1.count } }
    public var writableCount: Int { writable.reduce(0) { $0 + $1.count } }
  }

  public let maximumSize: UInt16
  public var size: UInt16
  public var isEnabled = false
  public var descriptors: UInt64 = 0
  public var available: UInt64 = 0
  public var used: UInt64 = 0
  /// MSI-X vector; FFFF for none.
  public var vector: UInt16 = 0xFFFF
  var nextAvailable: UInt16 = 0
  var nextUsed: UInt16 = 0
  /// The driver broke the rules; nothing more is taken from the queue.
  public var isBroken = false

  init(maximumSize: UInt16) {
    self.maximumSize = maximumSize
    size = maximumSize
  }

  private func u16(_ memory: DirectMemory, _ address: UInt64) -> UInt16? {
    memory.read(address, count: 2).map { UInt16($0[0]) | UInt16($0[1]) << 8 }
  }

  /// The next request; nil when there is none, or the queue is broken.
  mutating func next(_ memory: DirectMemory) -> Chain? {
    guard isEnabled, !isBroken, size > 0 else { return nil }
    guard let index = u16(memory, available &+ 2) else { return giveUp() }
    guard index != nextAvailable else { return nil }
    // More requests than entries cannot be.
    guard index &- nextAvailable <= size,
      let head = u16(memory, available &+ 4 &+ 2 &* UInt64(nextAvailable % size))
    else { return giveUp() }
    nextAvailable &+= 1
    var chain = Chain(head: head)
    guard collect(memory, table: descriptors, entries: size, from: head, into: &chain, isIndirect: false),
      chain.readableCount + chain.writableCount <= Self.largestChain
    else { return giveUp() }
    return chain
  }

  /// Puts a request back that `next` gave last.
  mutating func putBack() { nextAvailable &-= 1 }

  private mutating func giveUp() -> Chain? {
    isBroken = true
    return nil
  }

  private func collect(
    _ memory: DirectMemory, table: UInt64, entries: UInt16, from first: UInt16, into chain: inout Chain,
    isIndirect: Bool
  ) -> Bool {
    var index = first
    for _ in 0..<entries {
      guard index < entries, let bytes = memory.read(table &+ 16 &* UInt64(index), count: 16) else { return false }
      let fields = ByteReader(bytes)
      guard let address = fields.u64(0), let length = fields.u32(8), let flags = fields.u16(12),
        let next = fields.u16(14)
      else { return false }
      if flags & Flag.indirect != 0 {
        // A table within a table, or one that is no table.
        guard !isIndirect, flags & Flag.next == 0, length % 16 == 0, length > 0, length <= 16 * 1024 else {
          return false
        }
        return collect(
          memory, table: address, entries: UInt16(length / 16), from: 0, into: &chain, isIndirect: true)
      }
      let segment = Segment(address: address, count: Int(length))
      if flags & Flag.write != 0 {
        chain.writable.append(segment)
      } else {
        // What is read comes before what is written.
        guard chain.writable.isEmpty else { return false }
        chain.readable.append(segment)
      }
      if flags & Flag.next == 0 { return true }
      index = next
    }
    return false  // a circle
  }

  /// Hands a request back. - Returns: whether the driver wants an interrupt.
  mutating func complete(_ chain: Chain, written: Int, _ memory: DirectMemory) -> Bool {
    guard isEnabled, !isBroken, size > 0 else { return false }
    var entry = ByteWriter()
    entry.u32(UInt32(chain.head))
    entry.u32(UInt32(clamping: written))
    guard memory.write(used &+ 4 &+ 8 &* UInt64(nextUsed % size), entry.bytes) else {
      isBroken = true
      return false
    }
    nextUsed &+= 1
    memory.write(used &+ 2, [UInt8(truncatingIfNeeded: nextUsed), UInt8(truncatingIfNeeded: nextUsed >> 8)])
    return (u16(memory, available) ?? 0) & Flag.noInterrupt == 0
  }

  /// All bytes that the device may read; nil when some are not RAM.
  static func gather(_ segments: [Segment], _ memory: DirectMemory) -> [UInt8]? {
    var bytes: [UInt8] = []
    for segment in segments where segment.count > 0 {
      guard let piece = memory.read(segment.address, count: segment.count) else { return nil }
      bytes += piece
    }
    return bytes
  }

  /// Writes bytes to what the device may write, as far as there is room. - Returns: how many; nil when some is not RAM.
  static func scatter(_ bytes: [UInt8], to segments: [Segment], _ memory: DirectMemory) -> Int? {
    var at = 0
    for segment in segments where at < bytes.count && segment.count > 0 {
      let count = min(segment.count, bytes.count - at)
      guard memory.write(segment.address, Array(bytes[at..<at + count])) else { return nil }
      at += count
    }
    return at
  }
}
