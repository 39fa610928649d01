import Glibc
import X86Core

extension GuestMemory {
  /// RAM that a loader is about to fill by other means than `write`: counted as written, and in large pages where the host
  /// has them, since touching 50 MB in pages of 4 KiB takes longer than unpacking a kernel there.
  /// - Returns: nil unless the whole range is RAM and lies together on the host.
  func openForFilling(_ physicalAddress: UInt64, _ count: UInt64) -> UnsafeMutableRawBufferPointer? {
    guard count > 0, count <= size, isRAM(physicalAddress, Int(count)), let start = offset(of: physicalAddress),
      offset(of: physicalAddress &+ count &- 1) == start &+ count &- 1
    else { return nil }
    let pages = Int(start / Self.pageSize)...Int((start + count - 1) / Self.pageSize)
    for page in pages {
      if pageFlags[page] & PageFlags.code != 0 {
        let offset = UInt64(page) * Self.pageSize
        onCodePageWrite?(self.physicalAddress(ofOffset: offset), Int(Self.pageSize))
      }
      pageFlags[page] |= PageFlags.dirty | PageFlags.touched
    }
    madvise(
      base + pages.lowerBound * Int(Self.pageSize), pages.count * Int(Self.pageSize), Int32(MADV_HUGEPAGE))
    return UnsafeMutableRawBufferPointer(start: base + Int(start), count: Int(count))
  }
}
