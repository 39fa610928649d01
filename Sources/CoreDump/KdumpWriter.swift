import CZlib
import X86Core

/// Writes compressed kdumps: first the pages, then, over the hole before them, everything that says where they are.
enum KdumpWriter {
  static func write(
    _ image: CoreImage, level: Int32, workers: Int, to output: CoreOutput, _ progress: ((CoreProgress) -> Void)?
  ) throws(CoreDumpError) {
    let layout = try KdumpLayout(image)
    guard output.canOverwrite else { throw .notSeekable(path: output.name) }
    var chunks: [UnsafeRawBufferPointer] = []
    var firstFrames: [Int] = []
    var total: UInt64 = 0
    for range in layout.ranges {
      total += UInt64(range.count)
      for start in stride(from: range.lowerBound, to: range.upperBound, by: PageCompressor.maximumContent) {
        let count = min(UInt64(PageCompressor.maximumContent), range.upperBound - start)
        let offset = start < image.memory.lowSize ? start : start - GuestMemory.highBase + image.memory.lowSize
        chunks.append(UnsafeRawBufferPointer(start: image.memory.base + Int(offset), count: Int(count)))
        firstFrames.append(Int(start) / KdumpLayout.blockSize)
      }
    }

    var dumped = [UInt8](repeating: 0, count: (layout.frameCount + 7) / 8)
    var descriptors = ELFBytes()
    var place = layout.dataOffset
    // All pages of zeros share one.
    var zeroPage: (offset: Int, size: Int)?
    var done = CoreProgress(completed: 0, total: total)
    try output.skip(place)
    let pipeline = try MemberPipeline(chunks: chunks, workers: workers) { () throws(CoreDumpError) in
      try PageCompressor(level: level)
    }
    try pipeline.run { (member, index) throws(CoreDumpError) in
      let pages = chunks[index].count / KdumpLayout.blockSize
      var source = PageCompressor.tableSize
      var copied = source
      for page in 0..<pages {
        let entry = member.loadUnaligned(fromByteOffset: 4 * page, as: UInt32.self)
        let frame = firstFrames[index] + page
        let isZero = entry == PageCompressor.zeroPage
        let size = isZero ? 0 : Int(entry & 0xFFFF)
        if image.filter.excludes(frame) {
          // What was compressed in vain is left out.
          try output.write(UnsafeRawBufferPointer(rebasing: member[copied..<source]))
          source += size
          copied = source
          continue
        }
        dumped[frame / 8] |= 1 << UInt8(frame % 8)
        if isZero {
          let shared: (offset: Int, size: Int)
          if let zeroPage {
            shared = zeroPage
          } else {
            try output.write(UnsafeRawBufferPointer(rebasing: member[copied..<source]))
            copied = source
            let zeros = try PageCompressor.ofZeros()
            try output.write(zeros)
            shared = (place, zeros.count)
            zeroPage = shared
            place += zeros.count
          }
          descriptors.page(shared.offset, shared.size, KdumpLayout.zlib)
        } else {
          descriptors.page(place, size, entry >> 16)
          place += size
          source += size
        }
      }
      try output.write(UnsafeRawBufferPointer(rebasing: member[copied..<source]))
      done.completed += UInt64(chunks[index].count)
      progress?(done)
    }
    dumped += [UInt8](repeating: 0, count: (4096 - dumped.count % 4096) % 4096)
    try output.overwrite(layout.front(dumped: dumped, descriptors: descriptors.bytes), at: 0)
  }
}

extension ELFBytes {
  /// `struct page_desc`.
  fileprivate mutating func page(_ offset: Int, _ size: Int, _ flags: UInt32) {
    u64(UInt64(offset))
    u32(UInt32(size))
    u32(flags)
    u64(0)
  }
}

/// Compresses the pages of a chunk, each on its own: first a table of 32-bit words, sizes with the page's flags in the
/// upper half, then what the sizes count, packed.
final class PageCompressor: ChunkCompressor {
  static let maximumContent = 1 << 20
  static let pageSize = 4096
  static var tableSize: Int { maximumContent / pageSize * 4 }
  /// The word of a page of zeros, which takes no bytes.
  static let zeroPage: UInt32 = 0

  private var stream = z_stream()
  let capacity = PageCompressor.tableSize + PageCompressor.maximumContent + PageCompressor.pageSize

  /// - Parameter level: zlib's, 1 to 9.
  init(level: Int32) throws(CoreDumpError) {
    // A window of two pages is all that a page can use, and quicker to set up for each.
    let status = deflateInit2_(
      &stream, level, Z_DEFLATED, 13, 7, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    guard status == Z_OK else { throw .compressorFailed(code: status) }
  }

  deinit { deflateEnd(&stream) }

  func compress(
    _ content: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
  ) throws(CoreDumpError) -> Int {
    var end = Self.tableSize
    for page in 0..<(content.count / Self.pageSize) {
      let source = UnsafeRawBufferPointer(rebasing: content[(page * Self.pageSize)..<((page + 1) * Self.pageSize)])
      var entry = Self.zeroPage
      if !isZero(source) {
        deflateReset(&stream)
        stream.next_in = UnsafeMutablePointer(mutating: source.bindMemory(to: Bytef.self).baseAddress)
        stream.avail_in = uInt(Self.pageSize)
        stream.next_out = (output.baseAddress! + end).assumingMemoryBound(to: Bytef.self)
        // One byte less than the page: what does not shrink is stored as it is.
        stream.avail_out = uInt(Self.pageSize - 1)
        switch deflate(&stream, Z_FINISH) {
        case Z_STREAM_END: entry = UInt32(stream.total_out) | KdumpLayout.zlib << 16
        case Z_OK, Z_BUF_ERROR:
          (output.baseAddress! + end).copyMemory(from: source.baseAddress!, byteCount: Self.pageSize)
          entry = UInt32(Self.pageSize)
        case let status: throw .compressorFailed(code: status)
        }
        end += Int(entry & 0xFFFF)
      }
      output.storeBytes(of: entry, toByteOffset: 4 * page, as: UInt32.self)
    }
    return end
  }

  /// A compressed page of zeros.
  static func ofZeros() throws(CoreDumpError) -> [UInt8] {
    let zeros = [UInt8](repeating: 0, count: pageSize)
    var output = [UInt8](repeating: 0, count: pageSize)
    var size = uLongf(output.count)
    let status = compress2(&output, &size, zeros, uLong(zeros.count), 9)
    guard status == Z_OK else { throw .compressorFailed(code: status) }
    return Array(output.prefix(Int(size)))
  }
}
