import Glibc
import X86Core

/// Host memory for a kernel between its payload and its place, in large pages where the host has them: touching 50 MB in
/// pages of 4 KiB takes longer than unpacking them.
final class HostBuffer {
  let bytes: UnsafeMutableRawBufferPointer

  /// - Returns: nil when the host has no room for it.
  init?(count: Int) {
    guard count > 0,
      let base = mmap(
        nil, count, PROT_READ | PROT_WRITE, Int32(MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE), -1, 0),
      base != MAP_FAILED
    else { return nil }
    bytes = UnsafeMutableRawBufferPointer(start: base, count: count)
    madvise(base, count, Int32(MADV_HUGEPAGE))
  }

  deinit { munmap(bytes.baseAddress!, bytes.count) }
}

extension GuestMemory {
  /// Asks the host for large pages in a range of host offsets that is about to be written.
  func prefersLargePages(_ range: Range<UInt64>) {
    let first = range.lowerBound & ~(Self.pageSize - 1)
    let end = min((range.upperBound + Self.pageSize - 1) & ~(Self.pageSize - 1), size)
    madvise(base + Int(first), Int(end - first), Int32(MADV_HUGEPAGE))
  }
}
