import CLZ4
import Foundation

/// Standard LZ4 frames through liblz4's frame API, each held in memory whole.
enum LZ4Frame {
  static let magic: UInt32 = 0x184D_2204
  /// The first of the sixteen magic numbers of skippable frames.
  static let skippable: UInt32 = 0x184D_2A50
  /// Magic, FLG, BD, content size, header checksum.
  static let headerSize = 4 + 2 + 8 + 1
  /// FLG as written: version 1, independent blocks, checksums of blocks and content, content size.
  ///
  /// Block checksums see the damage that the content's checksum cannot: bits of a compressed block that change
  /// nothing of what it decompresses to.
  static let flags: UInt8 = 0x7C
  /// Bits of FLG in which other writers may differ: independent blocks, block checksums.
  static let freeFlags: UInt8 = 0x30

  /// - Parameter level: liblz4's; 0 is fast, 9 and above search thoroughly.
  static func compress(_ content: UnsafeRawBufferPointer, level: Int32) throws -> [UInt8] {
    var preferences = LZ4F_preferences_t()
    preferences.frameInfo.blockSizeID = LZ4F_max1MB
    preferences.frameInfo.blockMode = LZ4F_blockIndependent
    preferences.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled
    preferences.frameInfo.blockChecksumFlag = LZ4F_blockChecksumEnabled
    preferences.frameInfo.contentSize = UInt64(content.count)
    preferences.compressionLevel = level
    let bound = LZ4F_compressFrameBound(content.count, &preferences)
    var failed = false
    let frame = [UInt8](unsafeUninitializedCapacity: bound) { out, count in
      let size = LZ4F_compressFrame(out.baseAddress, bound, content.baseAddress, content.count, &preferences)
      failed = LZ4F_isError(size) != 0
      count = failed ? 0 : size
    }
    if failed { throw MalformedContent("liblz4 cannot compress") }
    return frame
  }

  /// - Parameters:
  ///   - frame: one whole frame, neither more nor less.
  ///   - contentSize: what its header says.
  /// - Throws: `MalformedContent` unless size and checksum agree.
  static func decompress(_ frame: [UInt8], contentSize: Int) throws -> [UInt8] {
    var context: OpaquePointer?
    guard LZ4F_isError(LZ4F_createDecompressionContext(&context, UInt32(LZ4F_VERSION))) == 0 else {
      throw MalformedContent("liblz4 has no memory")
    }
    defer { LZ4F_freeDecompressionContext(context) }
    var failure: String?
    let content = [UInt8](unsafeUninitializedCapacity: contentSize) { out, count in
      frame.withUnsafeBytes { input in
        var consumed = 0
        while true {
          var taken = input.count - consumed
          var given = contentSize - count
          let hint = LZ4F_decompress(
            context, out.baseAddress.map { $0 + count }, &given, input.baseAddress.map { $0 + consumed },
            &taken, nil)
          if LZ4F_isError(hint) != 0 {
            failure = String(cString: LZ4F_getErrorName(hint))
            return
          }
          consumed += taken
          count += given
          if hint == 0 { break }
          if taken == 0 && given == 0 {
            failure = "the frame does not end where its blocks do"
            return
          }
        }
        if consumed != input.count || count != contentSize { failure = "a frame's size is wrong" }
      }
    }
    if let failure { throw MalformedContent(failure) }
    return content
  }

  /// A skippable frame around `payload`.
  static func skippable(_ magic: UInt32, _ payload: [UInt8]) -> [UInt8] {
    littleEndian(magic) + littleEndian(UInt32(payload.count)) + payload
  }

  static func littleEndian<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }
}
