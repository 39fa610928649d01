import Foundation

/// The file under a `TraceReader`: bounded reads, and the frames that lie in it.
///
/// Reads go through `pread`, not through a mapping: a file that shrinks meanwhile is an error, not a signal.
final class TraceInput {
  let path: String
  let size: UInt64
  private let descriptor: Int32

  init(path: String) throws {
    self.path = path
    descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      throw errno == ENOENT
        ? TraceError.missing(path: path) : TraceError.system(path: path, operation: "open", code: errno)
    }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      let code = errno
      Foundation.close(descriptor)
      throw TraceError.system(path: path, operation: "read", code: code)
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      Foundation.close(descriptor)
      throw TraceError.notATrace(path: path, reason: "not a regular file")
    }
    guard status.st_size > 0 else {
      Foundation.close(descriptor)
      throw TraceError.empty(path: path)
    }
    size = UInt64(status.st_size)
  }

  deinit { _ = Foundation.close(descriptor) }

  func damaged(_ offset: UInt64, _ reason: String) -> TraceError {
    .damaged(path: path, offset: offset, reason: reason)
  }

  /// - Returns: as many bytes as the file has there, `count` at most.
  func read(at offset: UInt64, count: Int) throws -> [UInt8] {
    guard offset < size else { return [] }
    let wanted = Int(min(UInt64(count), size - offset))
    var code: Int32 = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: wanted) { buffer, done in
      while done < wanted {
        let got = pread(descriptor, buffer.baseAddress! + done, wanted - done, off_t(offset) + off_t(done))
        if got < 0 && errno == EINTR { continue }
        if got < 0 { code = errno }
        if got <= 0 { return }
        done += got
      }
    }
    if code != 0 { throw TraceError.system(path: path, operation: "read", code: code) }
    return bytes
  }

  /// What stands at an offset, by its outer structure alone.
  enum Part {
    /// A whole LZ4 frame.
    case frame(length: UInt64, contentSize: Int)
    /// A whole skippable frame.
    case skippable(magic: UInt32, length: UInt64)
    /// The file ends within it.
    case partial
    /// No writer leaves this.
    case bad(offset: UInt64, reason: String)
  }

  func part(at offset: UInt64) throws -> Part {
    let head = try read(at: offset, count: LZ4Frame.headerSize)
    guard head.count >= 4 else {
      let known = [LZ4Frame.magic] + (0...2).map { LZ4Frame.skippable + $0 }
      return known.contains { LZ4Frame.littleEndian($0).starts(with: head) }
        ? .partial : .bad(offset: offset, reason: "not the start of a frame")
    }
    let magic = Self.word(head, 0)
    switch magic {
    case LZ4Frame.magic: break
    case LZ4Frame.skippable...LZ4Frame.skippable + 2:
      guard head.count >= 8 else { return .partial }
      let length = UInt64(Self.word(head, 4)) + 8
      guard magic == TraceLayout.indexMagic || length == UInt64(TraceLayout.endSize) else {
        return .bad(offset: offset, reason: "the end marker has a wrong length")
      }
      return length <= size - offset ? .skippable(magic: magic, length: length) : .partial
    default: return .bad(offset: offset, reason: "not the start of a frame")
    }
    guard head.count == LZ4Frame.headerSize else { return .partial }
    guard head[4] & ~LZ4Frame.freeFlags == LZ4Frame.flags & ~LZ4Frame.freeFlags, head[5] & 0x8F == 0,
      head[5] >= 0x40
    else {
      return .bad(offset: offset, reason: "a frame header is wrong")
    }
    let contentSize = (0..<8).reduce(UInt64(0)) { $0 | UInt64(head[6 + $1]) << UInt64(8 * $1) }
    guard contentSize >= 1, contentSize <= UInt64(TraceSchema.maximumContent) else {
      return .bad(
        offset: offset, reason: "a frame's content is larger than \(TraceSchema.maximumContent) bytes")
    }
    let blockTail: UInt64 = head[4] & 0x10 != 0 ? 4 : 0
    var next = offset + UInt64(LZ4Frame.headerSize)
    for _ in 0..<64 {
      let word = try read(at: next, count: 4)
      guard word.count == 4 else { return .partial }
      let length = UInt64(Self.word(word, 0) & 0x7FFF_FFFF)
      next += 4
      if Self.word(word, 0) == 0 {
        next += 4
        return next <= size ? .frame(length: next - offset, contentSize: Int(contentSize)) : .partial
      }
      guard length >= 1, length <= contentSize else {
        return .bad(offset: next - 4, reason: "a block is larger than its frame")
      }
      next += length + blockTail
      if next > size { return .partial }
    }
    return .bad(offset: offset, reason: "a frame has too many blocks")
  }

  /// The verified content of the frame at `offset`.
  /// - Parameter length: what it must be, when the index said so.
  func content(at offset: UInt64, length expected: UInt64? = nil) throws -> [UInt8] {
    switch try part(at: offset) {
    case .frame(let length, let contentSize):
      if let expected, expected != length {
        throw damaged(offset, "the frame has another length than in the index")
      }
      let frame = try read(at: offset, count: Int(length))
      guard frame.count == Int(length) else { throw damaged(offset, "the file has become shorter") }
      do { return try LZ4Frame.decompress(frame, contentSize: contentSize) } catch let error
        as MalformedContent
      {
        throw damaged(offset, error.reason)
      }
    case .skippable: throw damaged(offset, "a skippable frame stands where content is expected")
    case .partial: throw damaged(offset, "the frame reaches past the end of the file")
    case .bad(let at, let reason): throw damaged(at, reason)
    }
  }

  /// Whether a whole and sound frame of a trace starts anywhere behind `offset`: then what stands at `offset` was
  /// damaged, and is not the place where the recorder was cut off.
  func hasFrame(after offset: UInt64) throws -> Bool {
    var start = offset + 1
    let chunk = 1 << 20
    var candidates = 0
    while start < size {
      let bytes = try read(at: start, count: chunk + 5)
      guard bytes.count >= 6 else { return false }
      for i in 0..<min(chunk, bytes.count - 5) where bytes[i] == 0x04 && bytes[i + 1] == 0x22 {
        guard bytes[i + 2] == 0x4D, bytes[i + 3] == 0x18, bytes[i + 4] == LZ4Frame.flags else { continue }
        candidates += 1
        // A hostile file could hold a candidate every few bytes.
        guard candidates <= 256 else { return true }
        if let content = try? content(at: start + UInt64(i)), let type = content.first,
          FrameType(rawValue: type) != nil
        {
          return true
        }
      }
      start += UInt64(chunk)
    }
    return false
  }

  static func word(_ bytes: [UInt8], _ offset: Int) -> UInt32 {
    (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[offset + $1]) << UInt32(8 * $1) }
  }
}
