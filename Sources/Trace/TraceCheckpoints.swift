import Foundation

/// A piece of a checkpoint, as the index and the frame's beginning tell it.
public struct CheckpointPiece: Equatable, Sendable {
  /// Counts from 0.
  public var number: Int
  /// Counts from 0 in each checkpoint.
  public var piece: Int
  public var isLast: Bool
  /// Of the machine's state.
  public var instant: Instant

  init(number: Int, piece: Int, isLast: Bool, instant: Instant) {
    self.number = number
    self.piece = piece
    self.isLast = isLast
    self.instant = instant
  }

  init(_ cursor: inout ByteCursor) throws {
    number = try cursor.number(as: Int.self)
    piece = try cursor.number(as: Int.self)
    isLast = try cursor.byte() != 0
    instant = Instant(
      instructionCount: try cursor.number(), addedTime: try cursor.number(),
      sequence: try cursor.number(as: UInt32.self))
  }

  func append(to out: inout ByteColumn) {
    out.append(UInt64(number))
    out.append(UInt64(piece))
    out.append(byte: isLast ? 1 : 0)
    out.append(instant.instructionCount)
    out.append(instant.addedTime)
    out.append(UInt64(instant.sequence))
  }
}

/// A state of the machine that a trace carries, for opening the trace there at once. What is in it belongs to who builds the
/// machine.
public struct StoredCheckpoint: Equatable, Sendable {
  public var number: Int
  public var instant: Instant
  /// In the file, in bytes.
  public var size: UInt64
}

extension TraceReader {
  /// The checkpoints that the trace carries whole, in the order in which they are stored.
  public var checkpoints: [StoredCheckpoint] {
    var found: [StoredCheckpoint] = []
    var open: (number: Int, pieces: Int, size: UInt64)?
    for frame in frames {
      guard case .checkpoint(let piece) = frame.content else { continue }
      if piece.piece == 0 { open = (piece.number, 0, 0) }
      guard var state = open, state.number == piece.number, state.pieces == piece.piece else {
        open = nil
        continue
      }
      state.pieces += 1
      state.size &+= frame.length
      open = state
      if piece.isLast {
        found.append(StoredCheckpoint(number: piece.number, instant: piece.instant, size: state.size))
        open = nil
      }
    }
    return found
  }

  /// The content of a checkpoint.
  /// - Throws: `TraceError.damaged`.
  public func readCheckpoint(_ number: Int) throws -> Data {
    var data = Data()
    var next = 0
    for frame in frames {
      guard case .checkpoint(let piece) = frame.content, piece.number == number else { continue }
      let content = try input.content(at: frame.offset, length: frame.length)
      do {
        var cursor = ByteCursor(content)
        guard try cursor.byte() == FrameType.checkpoint.rawValue, try CheckpointPiece(&cursor) == piece,
          piece.piece == next
        else { throw MalformedContent("a piece of a checkpoint is out of place") }
        data.append(contentsOf: content[cursor.offset...])
      } catch let error as MalformedContent {
        throw input.damaged(frame.offset, error.reason)
      }
      next += 1
      if piece.isLast { return data }
    }
    throw input.damaged(0, "checkpoint \(number) is not whole")
  }
}

/// Puts checkpoints into a closed trace. The file is written anew beside the old one and takes its place when it is whole.
public final class CheckpointAppender {
  private let reader: TraceReader
  private let temporary: String
  private let file: FileHandle
  private var frames: [TraceFrame] = []
  private var size: UInt64 = 0
  private var number = 0

  /// Copies what the trace has, except for checkpoints that are to go.
  /// - Parameter keeping: whether the checkpoints that it carries stay.
  /// - Throws: `TraceError`; a trace that was not closed cannot carry checkpoints.
  public init(path: String, keeping: Bool = true) throws {
    reader = try TraceReader(path: path)
    guard reader.ending == .closed else {
      throw TraceError.invalidEvent(path: path, reason: "the recording was cut off; it cannot carry checkpoints")
    }
    temporary = path + ".checkpoints-\(getpid())"
    guard FileManager.default.createFile(atPath: temporary, contents: nil),
      let file = FileHandle(forWritingAtPath: temporary)
    else { throw TraceError.system(path: temporary, operation: "create", code: errno) }
    self.file = file
    do {
      try writeHeader()
      for frame in reader.frames.dropFirst() {
        if case .checkpoint(let piece) = frame.content {
          guard keeping else { continue }
          number = max(number, piece.number + 1)
        }
        try put(try reader.input.read(at: frame.offset, count: Int(frame.length)), as: frame.content)
      }
    } catch {
      giveUp()
      throw error
    }
  }

  /// The number that the next checkpoint gets.
  public var nextNumber: Int { number }

  private func writeHeader() throws {
    var header = reader.header
    header.formatVersion = TraceSchema.checkpointVersion
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let json = try encoder.encode(header)
    var content = ByteColumn()
    defer { content.free() }
    TraceSchema.magic.withUnsafeBytes { content.append(raw: $0) }
    content.append(TraceSchema.checkpointVersion)
    content.append(UInt64(json.count))
    json.withUnsafeBytes { content.append(raw: $0) }
    guard content.count <= TraceSchema.maximumContent else {
      throw TraceError.invalidEvent(path: reader.path, reason: "the header is too large")
    }
    try put(try compress(content.bytes), as: .header)
  }

  /// Adds a checkpoint.
  /// - Returns: its size in the file.
  @discardableResult
  public func add(at instant: Instant, _ data: Data) throws -> UInt64 {
    let start = size
    var content = ByteColumn()
    defer { content.free() }
    do {
      try data.withUnsafeBytes { bytes in
        var offset = 0
        var piece = 0
        repeat {
          let end = min(offset + TraceSchema.maximumContent - 64, bytes.count)
          let head = CheckpointPiece(number: number, piece: piece, isLast: end == bytes.count, instant: instant)
          content.removeAll()
          content.append(byte: FrameType.checkpoint.rawValue)
          head.append(to: &content)
          content.append(raw: UnsafeRawBufferPointer(rebasing: bytes[offset..<end]))
          try put(try compress(content.bytes), as: .checkpoint(head))
          offset = end
          piece += 1
        } while offset < bytes.count
      }
    } catch {
      giveUp()
      throw error
    }
    number += 1
    return size - start
  }

  /// Writes index and end marker, and puts the file in the place of the old one.
  public func close() throws {
    do {
      guard frames.count <= TraceLayout.maximumFrames else {
        throw TraceError.invalidEvent(path: reader.path, reason: "too many frames")
      }
      let index = TraceIndex.frame(frames)
      let summary = reader.summary
      let marker = EndMarker(
        indexOffset: size, indexLength: UInt64(index.count), eventCount: summary?.eventCount ?? 0,
        last: summary?.last ?? .zero, failure: 0)
      try write(index + marker.frame)
      try file.synchronize()
      try file.close()
      guard rename(temporary, reader.path) == 0 else {
        throw TraceError.system(path: reader.path, operation: "write", code: errno)
      }
    } catch {
      giveUp()
      throw error
    }
  }

  /// Leaves the old file as it is.
  public func giveUp() {
    try? file.close()
    unlink(temporary)
  }

  private func compress(_ content: UnsafeRawBufferPointer) throws -> [UInt8] {
    do { return try LZ4Frame.compress(content, level: 0) } catch {
      throw TraceError.system(path: reader.path, operation: "compress", code: ENOMEM)
    }
  }

  private func put(_ frame: [UInt8], as content: TraceFrame.Content) throws {
    try write(frame)
    frames.append(TraceFrame(offset: size, length: UInt64(frame.count), content: content))
    size += UInt64(frame.count)
  }

  private func write(_ bytes: [UInt8]) throws {
    do { try file.write(contentsOf: Data(bytes)) } catch {
      let code = ((error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError)?.code
      throw TraceError.system(path: reader.path, operation: "write", code: code.map { Int32($0) } ?? EIO)
    }
  }
}
