import Foundation

/// Opens a trace and gives its header, images and events.
///
/// Nothing of a frame is used before the whole frame is verified. What a file claims is never believed without
/// bounds: memory stays below a few MiB plus the index, however hostile the file.
public final class TraceReader {
  /// How the file ends.
  public enum Ending: Equatable, Sendable {
    /// The recorder closed it.
    case closed
    /// The recorder ran into an error (an `errno`, such as a full disk) and said so.
    case failed(code: Int32)
    /// The recorder died; everything before `offset` is there.
    case cutOff(offset: UInt64)
    /// Something is wrong behind the intact frames.
    case damaged(TraceError)
  }

  public let header: TraceHeader
  /// All frames, in the order of the file.
  public let frames: [TraceFrame]
  public let ending: Ending
  public var path: String { input.path }
  /// Of the file, in bytes.
  public var size: UInt64 { input.size }
  let input: TraceInput

  /// - Throws: a `TraceError` when nothing of the file can be used. Damage behind the header does not throw here: it
  ///   shows in `ending`, and cursors throw it when they come to it.
  public init(path: String) throws {
    input = try TraceInput(path: path)
    header = try Self.header(input)
    if let (frames, ending) = try Self.indexed(input) {
      self.frames = frames
      self.ending = ending
    } else {
      (frames, ending) = try Self.scan(input, images: header.images.count)
    }
  }

  /// Whether the recorder was stopped before it could close the trace.
  public var isCutOff: Bool {
    switch ending {
    case .cutOff, .failed: return true
    case .closed, .damaged: return false
    }
  }

  // MARK: Summary

  /// The frames of events, in order.
  public var eventFrames: [(frame: TraceFrame, summary: EventSummary)] {
    frames.compactMap {
      if case .events(let summary) = $0.content { return ($0, summary) }
      return nil
    }
  }

  /// What the whole trace holds, from the index; nil when it has no events.
  public var summary: EventSummary? {
    let all = eventFrames.map(\.summary)
    guard let first = all.first, let last = all.last else { return nil }
    var counts: [EventSummary.Count] = []
    for kind in EventKind.allCases {
      let events = all.reduce(UInt64(0)) { sum, part in
        sum &+ (part.counts.first { $0.kind == kind }?.events ?? 0)
      }
      if events > 0 { counts.append(EventSummary.Count(kind: kind, events: events)) }
    }
    return EventSummary(first: first.first, last: last.last, counts: counts)
  }

  /// Bytes of the file that image frames take.
  public var imageBytes: UInt64 {
    frames.reduce(0) {
      if case .image = $1.content { return $0 &+ $1.length }
      return $0
    }
  }

  // MARK: Events

  /// A cursor before the first event. Cursors are independent of each other.
  /// - Parameter inputsOnly: skip witnesses, and whole frames without inputs.
  public func events(inputsOnly: Bool = false) -> EventCursor {
    EventCursor(
      input: input, frames: eventFrames.map { ($0.frame, $0.summary) }, ending: ending, inputsOnly: inputsOnly
    )
  }

  /// A cursor before the first event at or behind `instant`.
  public func events(from instant: Instant, inputsOnly: Bool = false) throws -> EventCursor {
    var cursor = events(inputsOnly: inputsOnly)
    try cursor.skip(to: instant)
    return cursor
  }

  /// A cursor behind the first `count` events.
  /// - Throws: `TraceError.damaged` where there are not so many.
  public func events(behind count: UInt64, inputsOnly: Bool = false) throws -> EventCursor {
    var cursor = events(inputsOnly: inputsOnly)
    try cursor.skip(events: count)
    return cursor
  }

  /// Reads everything once: throws the first damage there is, in frames, images or at the end of the file.
  public func verify() throws {
    for image in header.images where image.embedded && !(isCutOff && !hasWholeImage(image)) {
      try readImage(image.role) { _ in }
    }
    var cursor = events()
    while try cursor.next() != nil {}
    for checkpoint in checkpoints { _ = try readCheckpoint(checkpoint.number) }
  }

  // MARK: Images

  /// Gives an image's content in order, in pieces of at most 1 MiB. Its digest is checked at the end, so nothing
  /// may be made of the pieces before this returns.
  public func readImage(_ role: String, _ piece: (UnsafeRawBufferPointer) throws -> Void) throws {
    guard let index = header.images.firstIndex(where: { $0.role == role }) else {
      throw TraceError.noSuchImage(path: path, role: role)
    }
    let image = header.images[index]
    guard image.embedded else {
      throw TraceError.imageNotEmbedded(path: path, image: image.name, sha256: image.sha256)
    }
    var hash = SHA256()
    var size: UInt64 = 0
    for frame in frames where frame.content == .image(index) {
      let content = try input.content(at: frame.offset, length: frame.length)
      var cursor = ByteCursor(content)
      guard (try? cursor.byte()) == FrameType.image.rawValue, (try? cursor.number()) == UInt64(index),
        (try? cursor.number()) == size
      else { throw input.damaged(frame.offset, "a piece of image '\(role)' is out of place") }
      size += UInt64(cursor.remaining)
      guard size <= image.size else {
        throw input.damaged(frame.offset, "image '\(role)' is longer than its header says")
      }
      try content.withUnsafeBytes {
        let bytes = UnsafeRawBufferPointer(rebasing: $0[cursor.offset...])
        hash.update(bytes)
        try piece(bytes)
      }
    }
    guard size == image.size, SHA256.hexadecimal(hash.finalize()) == image.sha256 else {
      if case .damaged(let error) = ending { throw error }
      throw input.damaged(
        frames.last.map { $0.offset } ?? 0, "image '\(role)' is incomplete or fails its SHA-256")
    }
  }

  /// An image's content in memory.
  /// - Parameter limit: larger images are refused, in bytes.
  public func readImage(_ role: String, limit: UInt64 = 2 << 30) throws -> Data {
    var data = Data()
    if let image = header.images.first(where: { $0.role == role }), image.embedded {
      guard image.size <= limit else {
        throw TraceError.damaged(
          path: path, offset: 0, reason: "image '\(role)' is said to have \(image.size) bytes")
      }
    }
    try readImage(role) { data.append(contentsOf: $0) }
    return data
  }

  private func hasWholeImage(_ image: TraceImage) -> Bool {
    // Images come before events, one after the other: whatever follows an image proves it whole.
    guard let index = header.images.firstIndex(of: image), let last = frames.last else { return false }
    switch last.content {
    case .events, .checkpoint: return true
    case .image(let other): return other > index
    case .header: return false
    }
  }

  // MARK: Opening

  private static func header(_ input: TraceInput) throws -> TraceHeader {
    let start = try input.read(at: 0, count: 4)
    guard LZ4Frame.littleEndian(LZ4Frame.magic).starts(with: start) else {
      throw TraceError.notATrace(path: input.path, reason: "it does not begin with an LZ4 frame")
    }
    let length: UInt64
    switch try input.part(at: 0) {
    case .frame(let whole, _): length = whole
    case .partial:
      guard try !input.hasFrame(after: 0) else { throw input.damaged(0, "the header frame is damaged") }
      throw TraceError.cutOffInHeader(path: input.path)
    case .skippable:
      throw TraceError.notATrace(path: input.path, reason: "it does not begin with an LZ4 frame")
    case .bad(let offset, let reason):
      if try input.hasFrame(after: 0) { throw input.damaged(offset, reason) }
      throw TraceError.notATrace(
        path: input.path, reason: "its first LZ4 frame is not one of a trace: \(reason)")
    }
    let content = try input.content(at: 0, length: length)
    guard content.starts(with: TraceSchema.magic) else {
      throw TraceError.notATrace(path: input.path, reason: "an LZ4 file of something else")
    }
    var cursor = ByteCursor(content, TraceSchema.magic.count..<content.count)
    do {
      let version = try cursor.number()
      if version > TraceSchema.checkpointVersion {
        throw TraceError.newerVersion(path: input.path, found: version, supported: TraceSchema.checkpointVersion)
      }
      if version < TraceSchema.formatVersion {
        throw TraceError.olderVersion(path: input.path, found: version, supported: TraceSchema.formatVersion)
      }
      let json = try cursor.raw(try cursor.number())
      guard cursor.remaining == 0 else { throw MalformedContent("bytes are left over in the header") }
      let header = try JSONDecoder().decode(TraceHeader.self, from: Data(json))
      guard header.formatVersion == version else {
        throw MalformedContent("the header contradicts its version")
      }
      guard Set(header.images.map(\.role)).count == header.images.count else {
        throw MalformedContent("two images have the same role")
      }
      return header
    } catch let error as TraceError {
      throw error
    } catch let error as MalformedContent {
      throw input.damaged(0, error.reason)
    } catch {
      throw input.damaged(0, "the header's JSON does not describe a trace")
    }
  }

  /// - Returns: nil when the file has no end marker or no sound index, and must be scanned.
  private static func indexed(_ input: TraceInput) throws -> ([TraceFrame], Ending)? {
    guard input.size > UInt64(TraceLayout.endSize) else { return nil }
    let end = input.size - UInt64(TraceLayout.endSize)
    guard let marker = EndMarker(try input.read(at: end, count: TraceLayout.endSize)), marker.failure == 0,
      marker.indexLength <= UInt64(TraceLayout.maximumIndex), marker.indexLength <= end,
      marker.indexOffset == end - marker.indexLength,
      case .skippable(TraceLayout.indexMagic, marker.indexLength) = try input.part(at: marker.indexOffset)
    else { return nil }
    let bytes = try input.read(at: marker.indexOffset, count: Int(marker.indexLength))
    guard let frames = try? TraceIndex.parse(bytes), let first = frames.first, first.content == .header,
      let last = frames.last, last.offset + last.length == marker.indexOffset
    else { return nil }
    return (frames, .closed)
  }

  /// Walks the whole file and verifies each frame: for files without end marker, or with a bad index.
  private static func scan(_ input: TraceInput, images: Int) throws -> ([TraceFrame], Ending) {
    var frames: [TraceFrame] = []
    var offset: UInt64 = 0
    var index: (offset: UInt64, error: TraceError?)?
    func damaged(_ at: UInt64, _ reason: String) -> Ending { .damaged(input.damaged(at, reason)) }
    while offset < input.size {
      guard frames.count < TraceLayout.maximumFrames else {
        return (frames, damaged(offset, "too many frames"))
      }
      switch try input.part(at: offset) {
      case .bad(let at, let reason): return (frames, damaged(at, reason))
      case .partial:
        if try input.hasFrame(after: offset) || hasEndMarker(input) {
          return (frames, damaged(offset, "a frame's length is wrong"))
        }
        return (frames, .cutOff(offset: offset))
      case .skippable(let magic, let length):
        let bytes = try input.read(at: offset, count: Int(min(length, UInt64(TraceLayout.maximumIndex))))
        let isLast = offset + length == input.size
        switch magic {
        case TraceLayout.reserveMagic where bytes == TraceLayout.reserve && isLast:
          return (frames, .cutOff(offset: offset))
        case TraceLayout.indexMagic where index == nil:
          do {
            let claimed = try TraceIndex.parse(bytes)
            index = (offset, claimed == frames ? nil : input.damaged(offset, "the index is wrong"))
          } catch let error as MalformedContent {
            index = (offset, input.damaged(offset, error.reason))
          }
        case TraceLayout.endMagic:
          guard let marker = EndMarker(bytes), isLast else {
            return (frames, damaged(offset, "the end marker is damaged"))
          }
          if marker.failure != 0 { return (frames, .failed(code: Int32(truncatingIfNeeded: marker.failure))) }
          if let error = index?.error { return (frames, .damaged(error)) }
          guard index?.offset == marker.indexOffset || marker.indexOffset == 0 else {
            return (frames, damaged(offset, "the end marker does not fit the index"))
          }
          return (frames, .closed)
        default: return (frames, damaged(offset, "a skippable frame is damaged"))
        }
        offset += length
      case .frame(let length, _):
        guard index == nil else { return (frames, damaged(offset, "a frame follows the index")) }
        do {
          let content = try input.content(at: offset, length: length)
          frames.append(
            TraceFrame(offset: offset, length: length, content: try describe(content, offset, images)))
        } catch let error as TraceError {
          return (frames, .damaged(error))
        } catch let error as MalformedContent {
          return (frames, damaged(offset, error.reason))
        }
        offset += length
      }
    }
    return (frames, .cutOff(offset: input.size))
  }

  private static func hasEndMarker(_ input: TraceInput) throws -> Bool {
    guard input.size >= UInt64(TraceLayout.endSize) else { return false }
    return EndMarker(try input.read(at: input.size - UInt64(TraceLayout.endSize), count: TraceLayout.endSize))
      != nil
  }

  /// What a frame holds, as the index would tell it.
  private static func describe(_ content: [UInt8], _ offset: UInt64, _ images: Int) throws
    -> TraceFrame.Content
  {
    switch content.first.flatMap(FrameType.init(rawValue:)) {
    case .header where offset == 0: return .header
    case .checkpoint:
      var cursor = ByteCursor(content, 1..<content.count)
      return .checkpoint(try CheckpointPiece(&cursor))
    case .image:
      var cursor = ByteCursor(content, 1..<content.count)
      let image = try cursor.number()
      guard image < UInt64(images) else { throw MalformedContent("a piece of an unknown image") }
      return .image(Int(image))
    case .events:
      var decoder = try EventFrameDecoder(content: content)
      var counts = [UInt64](repeating: 0, count: 128)
      var first: Instant?
      var last = Instant.zero
      while let event = try decoder.next() {
        if first == nil { first = event.instant }
        last = event.instant
        counts[Int(event.kind.rawValue)] += 1
      }
      return .events(
        EventSummary(
          first: first ?? .zero, last: last,
          counts: EventKind.allCases.compactMap {
            let events = counts[Int($0.rawValue)]
            return events > 0 ? EventSummary.Count(kind: $0, events: events) : nil
          }))
    default: throw MalformedContent("unknown kind of frame")
    }
  }
}

/// Walks the events of a trace in order, one frame in memory at a time.
public struct EventCursor {
  let input: TraceInput
  let frames: [(frame: TraceFrame, summary: EventSummary)]
  let ending: TraceReader.Ending
  let inputsOnly: Bool
  private var nextFrame = 0
  private var decoder: EventFrameDecoder?
  private var last = Instant.zero
  private var ahead: TraceEvent?
  private var failure: TraceError?

  init(
    input: TraceInput, frames: [(frame: TraceFrame, summary: EventSummary)], ending: TraceReader.Ending,
    inputsOnly: Bool
  ) {
    self.input = input
    self.frames = frames
    self.ending = ending
    self.inputsOnly = inputsOnly
  }

  /// The next event, or nil at the end of a trace that is closed or cut off.
  /// - Throws: `TraceError.damaged` where the intact part of a damaged trace ends, and ever after.
  public mutating func next() throws -> TraceEvent? {
    if let event = ahead {
      ahead = nil
      return event
    }
    while true {
      guard let event = try nextOfAnyKind() else { return nil }
      if !inputsOnly || event.kind.isInput { return event }
    }
  }

  /// The event that `next` is about to give.
  public mutating func peek() throws -> TraceEvent? {
    if ahead == nil { ahead = try next() }
    return ahead
  }

  /// Goes forward to just before the first event at or behind `instant`.
  public mutating func skip(to instant: Instant) throws {
    if decoder == nil && ahead == nil {
      while nextFrame < frames.count, frames[nextFrame].summary.last < instant { nextFrame += 1 }
    }
    while let event = try peek(), event.instant < instant { ahead = nil }
  }

  /// Goes behind the first `count` events of all kinds, inputs or not. For cursors at the start.
  mutating func skip(events count: UInt64) throws {
    var left = count
    while nextFrame < frames.count, frames[nextFrame].summary.eventCount <= left {
      left -= frames[nextFrame].summary.eventCount
      last = frames[nextFrame].summary.last
      nextFrame += 1
    }
    while left > 0 {
      // Frames without inputs count, too.
      if decoder == nil, try !openFrame(any: true) { break }
      guard try nextOfAnyKind() != nil else { break }
      left -= 1
    }
    guard left == 0 else { throw input.damaged(0, "there are fewer events than a checkpoint says") }
  }

  private mutating func nextOfAnyKind() throws -> TraceEvent? {
    if let failure { throw failure }
    while true {
      if decoder == nil, try !openFrame() { return nil }
      do {
        if let event = try decoder?.next() {
          guard event.instant >= last else { throw MalformedContent("an instant goes back") }
          last = event.instant
          return event
        }
        decoder = nil
      } catch let error as MalformedContent {
        throw fail(input.damaged(frames[nextFrame - 1].frame.offset, error.reason))
      }
    }
  }

  private mutating func openFrame(any: Bool = false) throws -> Bool {
    if inputsOnly && !any {
      while nextFrame < frames.count, !frames[nextFrame].summary.hasInputs { nextFrame += 1 }
    }
    guard nextFrame < frames.count else {
      if case .damaged(let error) = ending { throw fail(error) }
      return false
    }
    let (frame, summary) = frames[nextFrame]
    do {
      let decoder = try EventFrameDecoder(content: try input.content(at: frame.offset, length: frame.length))
      guard decoder.frameNumber == UInt64(nextFrame), decoder.eventCount == summary.eventCount else {
        throw MalformedContent("a frame is missing, or the index is wrong about it")
      }
      self.decoder = decoder
      nextFrame += 1
      return true
    } catch let error as MalformedContent {
      throw fail(input.damaged(frame.offset, error.reason))
    } catch let error as TraceError {
      throw fail(error)
    }
  }

  private mutating func fail(_ error: TraceError) -> TraceError {
    failure = error
    return error
  }
}
