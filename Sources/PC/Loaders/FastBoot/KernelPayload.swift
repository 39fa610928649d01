import CLZ4
import CLZMA
import CZlib
import CZstd
import Dispatch

/// What a bzImage's payload is packed with, and unpacking it as its own decompressor would (boot.rst, `payload_offset`;
/// the kernel's scripts/Makefile.lib says how each is made).
public enum KernelCompression: String, Sendable, CaseIterable {
  case gzip, xz, lzma, zstd, lz4, bzip2, lzo

  /// What a payload's first bytes say; nil for none of these.
  public init?(of payload: UnsafeRawBufferPointer) {
    let marks: [(KernelCompression, [UInt8])] = [
      (.gzip, [0x1F, 0x8B]), (.xz, [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00]), (.lzma, [0x5D, 0x00, 0x00]),
      (.zstd, [0x28, 0xB5, 0x2F, 0xFD]), (.lz4, [0x02, 0x21, 0x4C, 0x18]), (.bzip2, [0x42, 0x5A, 0x68]),
      (.lzo, [0x89, 0x4C, 0x5A]),
    ]
    guard let found = marks.first(where: { payload.starts(with: $0.1) }) else { return nil }
    self = found.0
  }

  /// Bytes behind the compressed stream: the build appends the size where the format does not end with it.
  var trailerSize: Int { self == .gzip ? 0 : 4 }

  /// The size of a payload's content as its last four bytes give it; nil for a payload that is too short.
  public static func contentSize(of payload: UnsafeRawBufferPointer) -> Int? {
    guard payload.count >= 8 else { return nil }
    return Int(UInt32(littleEndian: payload.loadUnaligned(fromByteOffset: payload.count - 4, as: UInt32.self)))
  }

  /// Unpacks a payload.
  /// - Parameter output: as large as the content is; what it holds after an error means nothing.
  /// - Throws: `FastBootRefusal` when the payload is damaged, is not of exactly that size, or has no unpacker here.
  public func unpack(_ payload: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) throws {
    guard payload.count > trailerSize, let base = output.baseAddress else {
      throw FastBootRefusal("its payload is empty")
    }
    let stream = UnsafeRawBufferPointer(rebasing: payload.dropLast(trailerSize))
    let target = UnsafeMutableRawBufferPointer(start: base, count: output.count)
    let written: Int?
    switch self {
    case .gzip: written = Self.inflateGzip(stream, target)
    case .xz: written = Self.decodeXZ(stream, target)
    case .lzma: written = Self.decodeLZMA(stream, target)
    case .zstd: written = Self.decodeZstd(stream, target)
    case .lz4: written = Self.decodeLZ4(stream, target)
    case .bzip2, .lzo: throw FastBootRefusal("its payload is packed with \(rawValue)")
    }
    guard let written else { throw FastBootRefusal("its \(rawValue) payload is damaged") }
    guard written == output.count else {
      throw FastBootRefusal("its \(rawValue) payload holds \(written) bytes, not the \(output.count) that it says")
    }
  }

  // Each gives the number of bytes written, nil for damage.

  private static func inflateGzip(
    _ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer
  ) -> Int? {
    var stream = z_stream()
    // 15 bits of window, 16: with gzip's header.
    guard
      input.count <= Int(UInt32.max), output.count <= Int(UInt32.max),
      inflateInit2_(&stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
    else { return nil }
    defer { inflateEnd(&stream) }
    // zlib's interface wants a pointer to bytes that it does not change.
    stream.next_in = UnsafeMutablePointer(mutating: input.bindMemory(to: UInt8.self).baseAddress)
    stream.avail_in = UInt32(input.count)
    stream.next_out = output.bindMemory(to: UInt8.self).baseAddress
    stream.avail_out = UInt32(output.count)
    return inflate(&stream, Z_FINISH) == Z_STREAM_END ? Int(stream.total_out) : nil
  }

  /// Bytes that liblzma may take: the kernel's own dictionary is 32 MiB at most (scripts/xz_wrap.sh), `lzma -9` has 64.
  private static let lzmaMemoryLimit: UInt64 = 128 << 20

  private static func decodeXZ(
    _ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer
  ) -> Int? {
    var limit = lzmaMemoryLimit
    var inputPosition = 0
    var outputPosition = 0
    let status = lzma_stream_buffer_decode(
      &limit, 0, nil, input.bindMemory(to: UInt8.self).baseAddress, &inputPosition, input.count,
      output.bindMemory(to: UInt8.self).baseAddress, &outputPosition, output.count)
    return status == LZMA_OK ? outputPosition : nil
  }

  private static func decodeLZMA(
    _ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer
  ) -> Int? {
    var stream = lzma_stream()
    guard lzma_alone_decoder(&stream, lzmaMemoryLimit) == LZMA_OK else { return nil }
    defer { lzma_end(&stream) }
    stream.next_in = input.bindMemory(to: UInt8.self).baseAddress
    stream.avail_in = input.count
    stream.next_out = output.bindMemory(to: UInt8.self).baseAddress
    stream.avail_out = output.count
    var status = LZMA_OK
    while status == LZMA_OK { status = lzma_code(&stream, LZMA_FINISH) }
    return status == LZMA_STREAM_END ? Int(stream.total_out) : nil
  }

  private static func decodeZstd(
    _ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer
  ) -> Int? {
    let written = ZSTD_decompress(output.baseAddress, output.count, input.baseAddress, input.count)
    return ZSTD_isError(written) == 0 ? written : nil
  }

  /// The legacy frame: a magic number, then blocks of `size, data`, each of which unpacks to 8 MiB but for the last
  /// (lz4's doc/lz4_Frame_format.md, "Legacy frame"). They depend on nothing, so each core takes some.
  private static func decodeLZ4(
    _ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer
  ) -> Int? {
    let blockSize = 8 << 20
    let magic: UInt32 = 0x184C_2102
    var blocks: [UnsafeRawBufferPointer] = []
    var offset = 4
    while offset < input.count {
      guard offset + 4 <= input.count else { return nil }
      let size = UInt32(littleEndian: input.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
      offset += 4
      // Frames may follow each other.
      if size == magic { continue }
      guard size > 0, Int(size) <= input.count - offset, blocks.count * blockSize < output.count else {
        return nil
      }
      blocks.append(UnsafeRawBufferPointer(rebasing: input[offset..<(offset + Int(size))]))
      offset += Int(size)
    }
    let written = UnsafeMutablePointer<Int32>.allocate(capacity: max(blocks.count, 1))
    defer { written.deallocate() }
    DispatchQueue.concurrentPerform(iterations: blocks.count) { index in
      let start = index * blockSize
      written[index] = LZ4_decompress_safe(
        blocks[index].bindMemory(to: CChar.self).baseAddress,
        (output.baseAddress! + start).assumingMemoryBound(to: CChar.self), Int32(blocks[index].count),
        Int32(min(blockSize, output.count - start)))
    }
    guard let last = blocks.indices.last, written[last] >= 0 else { return nil }
    for index in blocks.indices.dropLast() where written[index] != blockSize { return nil }
    return last * blockSize + Int(written[last])
  }
}

/// Why a kernel is left to its own decompressor.
public struct FastBootRefusal: Error, Equatable, CustomStringConvertible {
  public let description: String
  init(_ description: String) { self.description = description }
}
