import CZlib
import Foundation

/// Makes gzip members (RFC 1952), each compressed on its own.
///
/// A member's bytes follow from its content alone: no time, no name, operating system "unknown". Its extra field
/// holds one subfield, `IQ` with four bytes: the size of the whole member, so that a reader can step from member to
/// member, and so read or unpack them in parallel and at random, without decompressing.
final class GzipMember: ChunkCompressor {
  /// Bytes of content at most.
  static let maximumContent = 1 << 20
  static let headerSize = 20
  static let trailerSize = 8
  /// ID1, ID2, deflate, FEXTRA; MTIME 0; XFL 4 (fastest), OS 255 (unknown); XLEN 8: `IQ`, LEN 4.
  private static let header: [UInt8] = [31, 139, 8, 4, 0, 0, 0, 0, 4, 255, 8, 0, 0x49, 0x51, 4, 0]

  private var stream = z_stream()
  /// Bytes that a member may need.
  let capacity: Int

  /// - Parameter level: zlib's, 1 to 9.
  init(level: Int32) throws(CoreDumpError) {
    let status = deflateInit2_(
      &stream, level, Z_DEFLATED, -MAX_WBITS, MAX_MEM_LEVEL, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
      Int32(MemoryLayout<z_stream>.size))
    guard status == Z_OK else {
      capacity = 0
      throw .compressorFailed(code: status)
    }
    capacity =
      Self.headerSize + Int(deflateBound(&stream, uLong(Self.maximumContent))) + Self.trailerSize
  }

  deinit { deflateEnd(&stream) }

  /// Compresses `content` into a member.
  /// - Parameters:
  ///   - content: at most `maximumContent` bytes.
  ///   - output: at least `capacity` bytes.
  /// - Returns: the size of the member.
  func compress(
    _ content: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
  ) throws(CoreDumpError) -> Int {
    output.copyBytes(from: Self.header)
    deflateReset(&stream)
    let input = content.bindMemory(to: Bytef.self).baseAddress
    stream.next_in = UnsafeMutablePointer(mutating: input)
    stream.avail_in = uInt(content.count)
    stream.next_out = (output.baseAddress! + Self.headerSize).assumingMemoryBound(to: Bytef.self)
    stream.avail_out = uInt(output.count - Self.headerSize - Self.trailerSize)
    let status = deflate(&stream, Z_FINISH)
    guard status == Z_STREAM_END else { throw .compressorFailed(code: status) }
    let end = Self.headerSize + Int(stream.total_out)
    let size = end + Self.trailerSize
    Self.store(UInt32(size), output, 16)
    Self.store(UInt32(truncatingIfNeeded: crc32(0, input, uInt(content.count))), output, end)
    Self.store(UInt32(content.count), output, end + 4)
    return size
  }

  /// The member of a whole chunk of zeros, as small as can be (1 KiB; 4.5 KiB at level 1).
  static func ofZeros() throws(CoreDumpError) -> [UInt8] {
    let member = try GzipMember(level: 9)
    let zeros = UnsafeMutableRawBufferPointer.allocate(byteCount: maximumContent, alignment: 16)
    let output = UnsafeMutableRawBufferPointer.allocate(byteCount: member.capacity, alignment: 16)
    defer {
      zeros.deallocate()
      output.deallocate()
    }
    zeros.initializeMemory(as: UInt8.self, repeating: 0)
    let size = try member.compress(UnsafeRawBufferPointer(zeros), into: output)
    return Array(output[..<size])
  }

  private static func store(_ value: UInt32, _ output: UnsafeMutableRawBufferPointer, _ offset: Int) {
    output.storeBytes(of: value.littleEndian, toByteOffset: offset, as: UInt32.self)
  }
}

/// Whether all bytes are zero.
func isZero(_ bytes: UnsafeRawBufferPointer) -> Bool {
  guard bytes.count > 16, let start = bytes.baseAddress else { return bytes.allSatisfy { $0 == 0 } }
  // Equal to itself shifted by eight bytes, and the first eight are zero: then all are.
  return start.loadUnaligned(as: UInt64.self) == 0 && memcmp(start, start + 8, bytes.count - 8) == 0
}
