import Foundation

/// What a disk or CD holds, sector by sector. What the file behind it has is asked for once, when a sector is first read,
/// and is an input; what the guest writes stays here (or goes to the file, where that was asked for). So a replay needs
/// no file, and a trace holds no more than what the guest has looked at.
public final class Drive {
  public static let sectorSize: UInt64 = 512
  /// The most that is asked of the world at once.
  static let largestRead = 128 << 10

  public struct State: Codable, Equatable {
    /// Requests that changed the content, and a hash of all of them.
    public var writeCount: UInt64 = 0
    public var writeHash: UInt64 = 0xCBF2_9CE4_8422_2325
    /// Entries of the journal.
    public var journalCount = 0
  }
  /// What a checkpoint keeps. Setting an earlier state takes back what the journal knows to have come since: which sectors
  /// have been asked for and, with `keepsHistory`, what was written.
  public var state: State {
    get {
      var state = current
      state.journalCount = journal.count
      return state
    }
    set {
      current = newValue
      while journal.count > max(0, newValue.journalCount) { takeBack(journal.removeLast()) }
    }
  }
  private var current = State()

  private enum Entry {
    case read(first: UInt64, count: Int)
    case written(first: UInt64, before: [UInt8], marks: [UInt8])
  }
  private var journal: [Entry] = []
  /// Whether what is overwritten is kept, so that an earlier state can come back. Costs memory with each write.
  public var keepsHistory = false

  public let options: MachineConfiguration.DriveOptions
  /// Place in the configuration, by which the world knows the drive.
  public let index: Int
  /// Bytes.
  public var size: UInt64 { options.size }
  public var sectorCount: UInt64 { size / Self.sectorSize }
  private unowned let world: MachineWorld
  private let content: UnsafeMutableRawPointer
  /// One byte a sector: 0 not asked for, 1 as in the file, 2 written.
  private let marks: UnsafeMutablePointer<UInt8>

  /// - Throws: `MachineError` when the host has no address space for such a disk.
  public init(_ options: MachineConfiguration.DriveOptions, index: Int, world: MachineWorld) throws {
    self.options = options
    self.index = index
    self.world = world
    let flags = Int32(MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)
    guard options.size > 0, options.size % Self.sectorSize == 0, options.size <= 1 << 43,
      let memory = mmap(nil, Int(options.size), PROT_READ | PROT_WRITE, flags, -1, 0), memory != MAP_FAILED
    else { throw MachineError.driveSize(options.id, options.size) }
    guard
      let marks = mmap(nil, Int(options.size / Self.sectorSize), PROT_READ | PROT_WRITE, flags, -1, 0),
      marks != MAP_FAILED
    else {
      munmap(memory, Int(options.size))
      throw MachineError.driveSize(options.id, options.size)
    }
    content = memory
    self.marks = marks.assumingMemoryBound(to: UInt8.self)
  }

  deinit {
    munmap(content, Int(size))
    munmap(marks, Int(sectorCount))
  }

  /// Whether sectors lie on the disk.
  public func contains(sector: UInt64, count: UInt64) -> Bool {
    sector < sectorCount && count <= sectorCount - sector
  }

  /// - Returns: nil when the sectors are not there or the host cannot read them.
  public func read(sector: UInt64, count: Int) -> [UInt8]? {
    guard count >= 0, contains(sector: sector, count: UInt64(count)) else { return nil }
    var at = Int(sector)
    let end = at + count
    while at < end {
      guard marks[at] == 0 else {
        at += 1
        continue
      }
      var stop = at + 1
      while stop < end, marks[stop] == 0, (stop - at) * 512 < Self.largestRead { stop += 1 }
      guard let bytes = world.readDrive(index, offset: UInt64(at) * 512, count: (stop - at) * 512),
        bytes.count == (stop - at) * 512
      else { return nil }
      bytes.withUnsafeBytes { (content + at * 512).copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
      (marks + at).update(repeating: 1, count: stop - at)
      journal.append(.read(first: UInt64(at), count: stop - at))
      at = stop
    }
    return [UInt8](UnsafeRawBufferPointer(start: content + Int(sector) * 512, count: count * 512))
  }

  /// - Parameter bytes: whole sectors.
  /// - Returns: false when the disk is read-only, the sectors are not there, or the host cannot write them.
  public func write(sector: UInt64, _ bytes: [UInt8]) -> Bool {
    let count = bytes.count / 512
    guard !options.isReadOnly, bytes.count % 512 == 0, contains(sector: sector, count: UInt64(count)) else {
      return false
    }
    guard count > 0 else { return true }
    if options.writesThrough, !world.writeDrive(index, offset: sector * 512, bytes: bytes) { return false }
    let place = content + Int(sector) * 512
    if keepsHistory {
      journal.append(
        .written(
          first: sector, before: [UInt8](UnsafeRawBufferPointer(start: place, count: bytes.count)),
          marks: [UInt8](UnsafeBufferPointer(start: marks + Int(sector), count: count))))
    }
    bytes.withUnsafeBytes { place.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
    (marks + Int(sector)).update(repeating: 2, count: count)
    current.writeCount += 1
    var hash = (current.writeHash ^ sector) &* 0x0000_0100_0000_01B3
    bytes.withUnsafeBytes { raw in
      for i in stride(from: 0, to: raw.count, by: 8) {
        hash = (hash ^ raw.loadUnaligned(fromByteOffset: i, as: UInt64.self)) &* 0x9E37_79B9_7F4A_7C15
        hash ^= hash >> 29
      }
    }
    current.writeHash = hash
    return true
  }

  private func takeBack(_ entry: Entry) {
    switch entry {
    case .read(let first, let count): (marks + Int(first)).update(repeating: 0, count: count)
    case .written(let first, let before, let marks):
      before.withUnsafeBytes {
        (content + Int(first) * 512).copyMemory(from: $0.baseAddress!, byteCount: $0.count)
      }
      for (i, mark) in marks.enumerated() { self.marks[Int(first) + i] = mark }
    }
  }
}
