import Foundation

/// The guest's physical RAM, in one host allocation that the host fills with zero pages on first touch.
///
/// Guest-physical layout is QEMU's `pc`: RAM from 0 up to `lowSize`, the rest from 4 GiB up. The window
/// A0000–BFFFF belongs to the VGA adapter and is not RAM (`vgaHole`).
///
/// Every write to RAM, whoever makes it (processor, page walker, DMA, loader, debugger), marks its page in
/// `pageFlags`; digests, checkpoints and stale code all hang on these marks.
public final class GuestMemory {
  /// What is known of one 4-KiB page of RAM, one byte a page.
  public struct PageFlags {
    /// Written since the last digest.
    public static let dirty: UInt8 = 1
    /// Holds the bytes of at least one decoded block.
    public static let code: UInt8 = 2
    /// Written since the last checkpoint's before-images were taken.
    public static let touched: UInt8 = 4
    /// Writes by the guest are ignored (firmware).
    public static let readOnly: UInt8 = 8
  }

  public static let pageSize: UInt64 = 4096
  /// Guest-physical window of the VGA adapter, never RAM.
  public static let vgaHole: Range<UInt64> = 0xA0000..<0xC0000
  /// Where RAM continues above the 32-bit PCI hole.
  public static let highBase: UInt64 = 0x1_0000_0000

  /// Bytes of RAM in all; a multiple of the page size.
  public let size: UInt64
  /// Bytes of RAM below the PCI hole.
  public let lowSize: UInt64
  /// Bytes of firmware ROM that end at 4 GiB; a multiple of the page size, 0 for none.
  public let romSize: UInt64
  /// Host address of guest-physical 0. RAM above 4 GiB follows that below directly, the ROM comes last.
  public let base: UnsafeMutableRawPointer
  /// One byte of `PageFlags` a page, indexed by host offset / 4096.
  public let pageFlags: UnsafeMutablePointer<UInt8>
  public var pageCount: Int { Int(size / Self.pageSize) }
  /// Pages of RAM and ROM.
  public var hostPageCount: Int { Int((size + romSize) / Self.pageSize) }
  /// Where the ROM starts; `highBase` when there is none.
  public var romBase: UInt64 { Self.highBase - romSize }

  /// Called before DMA, loaders or a debugger change a page that holds decoded code.
  public var onCodePageWrite: ((_ physicalAddress: UInt64, _ count: Int) -> Void)?

  /// Gets each page's content before its first write since `setJournal`. See `Processor.setJournal`.
  public internal(set) var journal: PageImages?
  /// Told of accesses to places of interest. See `Processor.setWatch`.
  public internal(set) var watch: MemoryWatch?

  /// - Parameters:
  ///   - size: bytes, a multiple of 4096, at least 1 MiB.
  ///   - lowLimit: where the PCI hole starts.
  ///   - romSize: bytes of firmware ROM, a multiple of 4096 up to 16 MiB.
  /// - Returns: nil when the host has no such amount of address space.
  public init?(size: UInt64, lowLimit: UInt64 = 0xC000_0000, romSize: UInt64 = 0) {
    guard size >= 1 << 20, size % Self.pageSize == 0, size <= 1 << 40, romSize % Self.pageSize == 0, romSize <= 16 << 20
    else { return nil }
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    guard let memory = mmap(nil, Int(size + romSize), PROT_READ | PROT_WRITE, Int32(flags), -1, 0),
      memory != MAP_FAILED
    else { return nil }
    guard let marks = mmap(nil, Int((size + romSize) / Self.pageSize), PROT_READ | PROT_WRITE, Int32(flags), -1, 0),
      marks != MAP_FAILED
    else {
      munmap(memory, Int(size + romSize))
      return nil
    }
    self.size = size
    self.romSize = romSize
    self.lowSize = min(size, lowLimit)
    self.base = memory
    self.pageFlags = marks.assumingMemoryBound(to: UInt8.self)
  }

  deinit {
    munmap(base, Int(size + romSize))
    munmap(pageFlags, hostPageCount)
  }

  /// Offset into the host allocation of a guest-physical address, or nil where there is no RAM.
  @inlinable
  public func offset(of physicalAddress: UInt64) -> UInt64? {
    if physicalAddress < lowSize {
      return Self.vgaHole.contains(physicalAddress) ? nil : physicalAddress
    }
    if physicalAddress >= Self.highBase, physicalAddress - Self.highBase < size - lowSize {
      return physicalAddress - Self.highBase + lowSize
    }
    if physicalAddress >= romBase, physicalAddress < Self.highBase { return physicalAddress - romBase + size }
    return nil
  }

  /// Guest-physical address of an offset into the host allocation.
  @inlinable
  public func physicalAddress(ofOffset offset: UInt64) -> UInt64 {
    offset < lowSize ? offset : offset < size ? offset - lowSize + Self.highBase : offset - size + romBase
  }

  /// The ranges of guest-physical addresses that are backed by RAM, the VGA window included (as in QEMU's dumps).
  public var ranges: [Range<UInt64>] {
    var result = [0..<lowSize]
    if size > lowSize { result.append(Self.highBase..<(Self.highBase + size - lowSize)) }
    return result
  }

  /// Copies bytes out of RAM.
  /// - Returns: false, with nothing copied, unless the whole range is RAM.
  public func read(_ physicalAddress: UInt64, into buffer: UnsafeMutableRawBufferPointer) -> Bool {
    guard isRAM(physicalAddress, buffer.count) else { return false }
    forEachPiece(physicalAddress, buffer.count) { offset, done, count in
      (buffer.baseAddress! + done).copyMemory(from: base + Int(offset), byteCount: count)
    }
    return true
  }

  /// Reads `count` bytes of RAM; nil unless the whole range is RAM.
  public func read(_ physicalAddress: UInt64, count: Int) -> [UInt8]? {
    guard count >= 0, isRAM(physicalAddress, count) else { return nil }
    return [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      _ = read(physicalAddress, into: UnsafeMutableRawBufferPointer(buffer))
      initialized = count
    }
  }

  /// Writes bytes to RAM on behalf of a device, a loader or a debugger.
  /// - Returns: false, with nothing written, unless the whole range is RAM.
  @discardableResult
  public func write(_ physicalAddress: UInt64, _ bytes: UnsafeRawBufferPointer) -> Bool {
    guard isRAM(physicalAddress, bytes.count) else { return false }
    forEachPiece(physicalAddress, bytes.count) { offset, done, count in
      let page = Int(offset / Self.pageSize)
      if pageFlags[page] & PageFlags.readOnly != 0 { return }
      if pageFlags[page] & PageFlags.code != 0 {
        onCodePageWrite?(self.physicalAddress(ofOffset: offset), count)
      }
      if let journal, pageFlags[page] & PageFlags.touched == 0 { journal.save(page, from: base) }
      pageFlags[page] |= PageFlags.dirty | PageFlags.touched
      watch?.look(
        .init(
          agent: .device, isWrite: true, linear: nil, physical: self.physicalAddress(ofOffset: offset), count: count))
      (base + Int(offset)).copyMemory(from: bytes.baseAddress! + done, byteCount: count)
    }
    return true
  }

  /// Writes bytes to RAM on behalf of a device, a loader or a debugger.
  @discardableResult
  public func write(_ physicalAddress: UInt64, _ bytes: [UInt8]) -> Bool {
    bytes.withUnsafeBytes { write(physicalAddress, $0) }
  }

  /// Fills the ROM. Its last byte lies below 4 GiB; what is in front of `bytes` reads as FF.
  public func setROM(_ bytes: [UInt8]) {
    guard romSize > 0, UInt64(bytes.count) <= romSize else { return }
    let rom = base + Int(size)
    let gap = Int(romSize) - bytes.count
    memset(rom, 0xFF, gap)
    bytes.withUnsafeBytes { rom.advanced(by: gap).copyMemory(from: $0.baseAddress!, byteCount: bytes.count) }
    for page in pageCount..<hostPageCount { pageFlags[page] |= PageFlags.readOnly }
  }

  /// Makes a range of whole pages of RAM read-only for everybody, or writable again. Translations that exist must be
  /// flushed.
  public func setReadOnly(_ range: Range<UInt64>, _ isReadOnly: Bool) {
    for address in stride(from: range.lowerBound, to: range.upperBound, by: Int(Self.pageSize)) {
      guard let offset = offset(of: address), offset < size else { continue }
      let page = Int(offset / Self.pageSize)
      if isReadOnly {
        pageFlags[page] |= PageFlags.readOnly
      } else {
        pageFlags[page] &= ~PageFlags.readOnly
      }
    }
  }

  /// Whether all of a range is RAM. An empty range is.
  public func isRAM(_ physicalAddress: UInt64, _ count: Int) -> Bool {
    var address = physicalAddress
    var left = UInt64(count)
    while left > 0 {
      guard offset(of: address) != nil else { return false }
      let step = min(left, Self.pageSize - address % Self.pageSize)
      let (next, overflow) = address.addingReportingOverflow(step)
      if overflow { return false }
      address = next
      left -= step
    }
    return true
  }

  /// Calls `body(offset, done, count)` for each part of a range that lies in one page. The range must be RAM.
  private func forEachPiece(_ physicalAddress: UInt64, _ count: Int, _ body: (UInt64, Int, Int) -> Void) {
    var done = 0
    while done < count {
      let address = physicalAddress + UInt64(done)
      let piece = min(count - done, Int(Self.pageSize - address % Self.pageSize))
      body(offset(of: address)!, done, piece)
      done += piece
    }
  }
}
