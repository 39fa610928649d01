/// Where the parts of a file lie: the index, the end marker, and the space kept free for it. All three are LZ4
/// skippable frames, which have no checksum of their own, so each payload ends with eight bytes of its SHA-256.
enum TraceLayout {
  static let endMagic = LZ4Frame.skippable
  static let indexMagic = LZ4Frame.skippable + 1
  static let reserveMagic = LZ4Frame.skippable + 2
  static let endTag = Array("INQUEND1".utf8)
  static let indexTag = Array("INQUIDX1".utf8)
  static let reserveTag = Array("INQUOPEN".utf8)
  static let checksumSize = 8
  static let endSize = 8 + 8 + 8 * 5 + 4 + 4 + checksumSize
  /// More frames than this are not a recording: at one frame per second, it is twelve days.
  static let maximumFrames = 1 << 20
  static let maximumIndex = 128 << 20

  /// The eight bytes that end the payload of a skippable frame.
  static func checksum(_ bytes: some Sequence<UInt8>) -> [UInt8] {
    Array(SHA256.hash(Array(bytes)).prefix(checksumSize))
  }

  /// What stands at the end of a file that is being written: as long as the end marker, so that the marker can
  /// take its place when the disk is full.
  static let reserve: [UInt8] = {
    var payload = reserveTag
    payload += [UInt8](repeating: 0, count: endSize - 8 - payload.count - checksumSize)
    payload += checksum(payload)
    return LZ4Frame.skippable(reserveMagic, payload)
  }()
}

/// The last frame of a closed trace.
struct EndMarker: Equatable {
  /// 0 when there is none.
  var indexOffset: UInt64
  var indexLength: UInt64
  var eventCount: UInt64
  /// Of the last event, or zero.
  var last: Instant
  /// 0, or the `errno` that stopped the recorder.
  var failure: UInt32

  var frame: [UInt8] {
    var payload = TraceLayout.endTag
    for value in [indexOffset, indexLength, eventCount, last.instructionCount, last.addedTime] {
      payload += LZ4Frame.littleEndian(value)
    }
    payload += LZ4Frame.littleEndian(last.sequence) + LZ4Frame.littleEndian(failure)
    payload += TraceLayout.checksum(payload)
    return LZ4Frame.skippable(TraceLayout.endMagic, payload)
  }

  init(indexOffset: UInt64, indexLength: UInt64, eventCount: UInt64, last: Instant, failure: UInt32) {
    self.indexOffset = indexOffset
    self.indexLength = indexLength
    self.eventCount = eventCount
    self.last = last
    self.failure = failure
  }

  /// - Returns: nil when `frame` is not a whole and sound end marker.
  init?(_ frame: [UInt8]) {
    guard frame.count == TraceLayout.endSize else { return nil }
    var cursor = ByteCursor(frame, 16..<frame.count)
    guard let indexOffset = try? cursor.fixed(UInt64.self), let indexLength = try? cursor.fixed(UInt64.self),
      let eventCount = try? cursor.fixed(UInt64.self), let count = try? cursor.fixed(UInt64.self),
      let added = try? cursor.fixed(UInt64.self), let sequence = try? cursor.fixed(UInt32.self),
      let failure = try? cursor.fixed(UInt32.self)
    else { return nil }
    self.init(
      indexOffset: indexOffset, indexLength: indexLength, eventCount: eventCount,
      last: Instant(instructionCount: count, addedTime: added, sequence: sequence), failure: failure)
    guard self.frame == frame else { return nil }
  }
}

/// One LZ4 frame of the file.
public struct TraceFrame: Equatable, Sendable {
  public enum Content: Equatable, Sendable {
    case header
    /// Part of the image with this index in the header.
    case image(Int)
    case events(EventSummary)
    /// Part of a checkpoint.
    case checkpoint(CheckpointPiece)
  }
  /// Of the file, in bytes.
  public var offset: UInt64
  /// In the file, in bytes.
  public var length: UInt64
  public var content: Content
}

/// What a frame of events holds, as the index tells it.
public struct EventSummary: Equatable, Sendable {
  public struct Count: Equatable, Sendable {
    public var kind: EventKind
    public var events: UInt64
  }
  public var first: Instant
  public var last: Instant
  /// Kinds that occur, in the order of their numbers.
  public var counts: [Count]
  public var eventCount: UInt64 { counts.reduce(0) { $0 &+ $1.events } }
  public var hasInputs: Bool { counts.contains { $0.kind.isInput } }
}

/// The index: every frame before it, in the order of the file.
enum TraceIndex {
  static func frame(_ frames: [TraceFrame]) -> [UInt8] {
    var out = ByteColumn()
    defer { out.free() }
    out.append(UInt64(frames.count))
    for frame in frames {
      out.append(frame.length)
      switch frame.content {
      case .header: out.append(byte: FrameType.header.rawValue)
      case .image(let image):
        out.append(byte: FrameType.image.rawValue)
        out.append(UInt64(image))
      case .checkpoint(let piece):
        out.append(byte: FrameType.checkpoint.rawValue)
        piece.append(to: &out)
      case .events(let summary):
        out.append(byte: FrameType.events.rawValue)
        for instant in [summary.first, summary.last] {
          out.append(instant.instructionCount)
          out.append(instant.addedTime)
          out.append(UInt64(instant.sequence))
        }
        out.append(UInt64(summary.counts.count))
        for count in summary.counts {
          out.append(byte: count.kind.rawValue)
          out.append(count.events)
        }
      }
    }
    var payload = TraceLayout.indexTag + Array(out.bytes)
    payload += TraceLayout.checksum(payload)
    return LZ4Frame.skippable(TraceLayout.indexMagic, payload)
  }

  /// - Parameter frame: a skippable frame with the index's magic, whole.
  static func parse(_ frame: [UInt8]) throws -> [TraceFrame] {
    let tag = TraceLayout.indexTag
    guard frame.count >= 8 + tag.count + TraceLayout.checksumSize else {
      throw MalformedContent("the index is too short")
    }
    let end = frame.count - TraceLayout.checksumSize
    guard Array(frame[8..<8 + tag.count]) == tag, TraceLayout.checksum(frame[8..<end]) == Array(frame[end...])
    else {
      throw MalformedContent("the index fails its checksum")
    }
    var cursor = ByteCursor(frame, 8 + tag.count..<end)
    let count = try cursor.number()
    guard count <= UInt64(TraceLayout.maximumFrames), count <= UInt64(cursor.remaining) else {
      throw MalformedContent("the index has too many frames")
    }
    var frames: [TraceFrame] = []
    var offset: UInt64 = 0
    for _ in 0..<count {
      let length = try cursor.number()
      guard length <= UInt64(Int32.max) else { throw MalformedContent("the index has an impossible frame") }
      let content: TraceFrame.Content
      switch FrameType(rawValue: try cursor.byte()) {
      case .header: content = .header
      case .image: content = .image(try cursor.number(as: Int.self))
      case .checkpoint: content = .checkpoint(try CheckpointPiece(&cursor))
      case .events:
        let first = try instant(&cursor)
        let last = try instant(&cursor)
        var counts: [EventSummary.Count] = []
        let kinds = try cursor.number()
        guard kinds <= 128 else { throw MalformedContent("the index has too many kinds") }
        for _ in 0..<kinds {
          guard let kind = EventKind(rawValue: try cursor.byte()) else {
            throw MalformedContent("the index has an unknown kind of event")
          }
          counts.append(EventSummary.Count(kind: kind, events: try cursor.number()))
        }
        content = .events(EventSummary(first: first, last: last, counts: counts))
      case nil: throw MalformedContent("the index has an unknown kind of frame")
      }
      frames.append(TraceFrame(offset: offset, length: length, content: content))
      offset += length
    }
    guard cursor.remaining == 0 else { throw MalformedContent("bytes are left over in the index") }
    return frames
  }

  private static func instant(_ cursor: inout ByteCursor) throws -> Instant {
    Instant(
      instructionCount: try cursor.number(), addedTime: try cursor.number(),
      sequence: try cursor.number(as: UInt32.self))
  }
}
