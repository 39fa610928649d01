import X86Core

/// Copies an ELF file's segments to their physical addresses.
enum ELFLoader {
  /// - Returns: the first address after the highest segment.
  /// - Throws: `LoaderError` when a segment is cut off or lies outside of RAM.
  static func load(_ image: ELFImage, memory: GuestMemory, memoryMap: MemoryMap) throws -> UInt64 {
    var end: UInt64 = 0
    let loads = image.segments.filter { $0.type == ELFImage.SegmentType.load && $0.memorySize > 0 }
    guard !loads.isEmpty else { throw LoaderError.malformed(what: "the ELF file has nothing to load") }
    for segment in loads {
      let (segmentEnd, overflow) = segment.physicalAddress.addingReportingOverflow(segment.memorySize)
      guard !overflow, segment.fileSize <= segment.memorySize else {
        throw LoaderError.malformed(what: "an ELF segment is larger than its memory")
      }
      guard let bytes = image.file.slice(segment.fileOffset, segment.fileSize) else {
        throw LoaderError.truncated(
          what: "an ELF segment", needed: segment.fileOffset &+ segment.fileSize,
          present: UInt64(image.file.bytes.count))
      }
      guard segmentEnd <= memoryMap.lowUsableEnd else {
        throw LoaderError.notEnoughMemory(
          needed: segmentEnd, present: memoryMap.lowSize + memoryMap.highSize)
      }
      try checkFree(segment.physicalAddress..<segmentEnd)
      guard bytes.withUnsafeBytes({ memory.write(segment.physicalAddress, $0) }) else {
        throw LoaderError.malformed(
          what:
            "an ELF segment lies at 0x\(String(segment.physicalAddress, radix: 16)), where there is no RAM")
      }
      try clear(segment.physicalAddress + segment.fileSize, to: segmentEnd, in: memory)
      end = max(end, segmentEnd)
    }
    return end
  }

  /// Where PVH and multiboot loader leave tables and information for the kernel.
  static let loaderArea: Range<UInt64> = 0x5000..<0x40000

  /// - Throws: `LoaderError` when a kernel wants memory that the loader needs.
  static func checkFree(_ range: Range<UInt64>) throws {
    guard !range.overlaps(loaderArea) else {
      throw LoaderError.malformed(
        what:
          "it wants to lie at 0x\(String(range.lowerBound, radix: 16)), where the loader's information goes")
    }
  }

  static func clear(_ start: UInt64, to end: UInt64, in memory: GuestMemory) throws {
    let zeros = [UInt8](repeating: 0, count: Int(GuestMemory.pageSize))
    var address = start
    while address < end {
      let count = min(end - address, GuestMemory.pageSize - address % GuestMemory.pageSize)
      guard
        zeros.withUnsafeBytes({ memory.write(address, UnsafeRawBufferPointer(rebasing: $0[..<Int(count)])) })
      else { throw LoaderError.malformed(what: "an ELF segment lies where there is no RAM") }
      address += count
    }
  }
}
