import Foundation

extension GuestMemory {
  /// RAM that a loader is about to fill by other means than `write`, for files of many megabytes: marked as written, and in
  /// large pages where the host has them, since touching 50 MB in pages of 4 KiB takes longer than unpacking a kernel there.
  /// - Returns: nil, with nothing marked, unless the whole range is RAM that can be written and lies together on the host.
  public func openForFilling(_ physicalAddress: UInt64, _ count: UInt64) -> UnsafeMutableRawBufferPointer? {
    guard count > 0, count <= size, isRAM(physicalAddress, Int(count)), let start = offset(of: physicalAddress),
      offset(of: physicalAddress &+ count &- 1) == start &+ count &- 1
    else { return nil }
    let pages = Int(start / Self.pageSize)...Int((start + count - 1) / Self.pageSize)
    guard !pages.contains(where: { pageFlags[$0] & PageFlags.readOnly != 0 }) else { return nil }
    for page in pages {
      if pageFlags[page] & PageFlags.code != 0 {
        onCodePageWrite?(self.physicalAddress(ofOffset: UInt64(page) * Self.pageSize), Int(Self.pageSize))
      }
      if let journal, pageFlags[page] & PageFlags.touched == 0 { journal.save(page, from: base) }
      pageFlags[page] |= PageFlags.dirty | PageFlags.touched
    }
    watch?.look(.init(agent: .device, isWrite: true, linear: nil, physical: physicalAddress, count: Int(count)))
    madvise(base + pages.lowerBound * Int(Self.pageSize), pages.count * Int(Self.pageSize), Int32(MADV_HUGEPAGE))
    return UnsafeMutableRawBufferPointer(start: base + Int(start), count: Int(count))
  }

  /// As `write`, for files of many megabytes.
  public func writeFile(_ physicalAddress: UInt64, _ bytes: UnsafeRawBufferPointer) -> Bool {
    guard bytes.count >= 4 << 20, let place = openForFilling(physicalAddress, UInt64(bytes.count)) else {
      return write(physicalAddress, bytes)
    }
    place.copyMemory(from: bytes)
    return true
  }
}
