import Foundation

/// The file under a `TraceWriter`, on the second thread.
///
/// The file always ends with space for the end marker. A frame is written over it together with new space behind
/// the frame; should the disk be full, the old space is still there to take the marker.
final class TraceOutput {
  let path: String
  private var descriptor: Int32
  /// Where the next frame goes, and the space for the end marker now lies.
  private(set) var size: UInt64 = 0
  private var frames: [TraceFrame] = []
  private var eventCount: UInt64 = 0
  private var last = Instant.zero
  private var abandoned = false

  /// Thorough enough for columns; ten times as fast as the events come.
  static let eventLevel: Int32 = 9
  static let imageLevel: Int32 = 1
  static let imageChunk = TraceSchema.maximumContent - 64

  init(path: String) throws {
    self.path = path
    descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw TraceError.system(path: path, operation: "create", code: errno) }
  }

  deinit { close() }

  func close() {
    if descriptor >= 0 { _ = Foundation.close(descriptor) }
    descriptor = -1
  }

  /// Writes the header and the images.
  func begin(_ header: TraceHeader, _ images: [ImageSource]) throws {
    var header = header
    header.formatVersion = TraceSchema.formatVersion
    header.images = images.map {
      TraceImage(
        name: $0.name, role: $0.role, size: UInt64($0.bytes.count),
        sha256: SHA256.hexadecimal(SHA256.hash($0.bytes)), embedded: $0.embed)
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let json: Data
    do { json = try encoder.encode(header) } catch {
      throw TraceError.invalidEvent(path: path, reason: "the header is not JSON: \(error)")
    }
    var content = ByteColumn()
    defer { content.free() }
    TraceSchema.magic.withUnsafeBytes { content.append(raw: $0) }
    content.append(TraceSchema.formatVersion)
    content.append(UInt64(json.count))
    json.withUnsafeBytes { content.append(raw: $0) }
    guard content.count <= TraceSchema.maximumContent else {
      throw TraceError.invalidEvent(
        path: path, reason: "the header is larger than \(TraceSchema.maximumContent) bytes")
    }
    try write(content.bytes, level: Self.imageLevel, as: .header)
    for (index, image) in images.enumerated() where image.embed {
      try image.bytes.withUnsafeBytes { bytes in
        var offset = 0
        while offset < bytes.count {
          let end = min(offset + Self.imageChunk, bytes.count)
          content.removeAll()
          content.append(byte: FrameType.image.rawValue)
          content.append(UInt64(index))
          content.append(UInt64(offset))
          content.append(raw: UnsafeRawBufferPointer(rebasing: bytes[offset..<end]))
          try write(content.bytes, level: Self.imageLevel, as: .image(index))
          offset = end
        }
      }
    }
  }

  func append(_ events: EventFrameEncoder, number: UInt64) throws {
    guard !abandoned else { return }
    var counts: [EventSummary.Count] = []
    for kind in EventKind.allCases where events.counts[Int(kind.rawValue)] > 0 {
      counts.append(EventSummary.Count(kind: kind, events: events.counts[Int(kind.rawValue)]))
    }
    let summary = EventSummary(first: events.first, last: events.last, counts: counts)
    try events.content(frameNumber: number).withUnsafeBytes {
      try write($0, level: Self.eventLevel, as: .events(summary))
    }
    eventCount &+= events.eventCount
    last = events.last
  }

  /// Writes index and end marker.
  func finish() throws {
    guard !abandoned else { return }
    let index = frames.count <= TraceLayout.maximumFrames ? TraceIndex.frame(frames) : []
    let marker = EndMarker(
      indexOffset: index.isEmpty ? 0 : size, indexLength: UInt64(index.count), eventCount: eventCount,
      last: last,
      failure: 0)
    try put(index + marker.frame, at: size)
    size += UInt64(index.count + TraceLayout.endSize)
  }

  /// Marks the trace as ended by an error, in the space kept for that. What lies before stays as it is.
  func abandon(_ error: TraceError) {
    guard !abandoned, descriptor >= 0 else { return }
    abandoned = true
    // Before the first frame there is nothing to keep.
    guard size > 0 else { return }
    var code = UInt32(bitPattern: EIO)
    if case .system(_, _, let number) = error { code = UInt32(bitPattern: number) }
    let marker = EndMarker(indexOffset: 0, indexLength: 0, eventCount: eventCount, last: last, failure: code)
    guard (try? put(marker.frame, at: size)) != nil else { return }
    size += UInt64(TraceLayout.endSize)
    _ = ftruncate(descriptor, off_t(size))
  }

  private func write(_ content: UnsafeRawBufferPointer, level: Int32, as kind: TraceFrame.Content) throws {
    let frame: [UInt8]
    do { frame = try LZ4Frame.compress(content, level: level) } catch {
      throw TraceError.system(path: path, operation: "compress", code: ENOMEM)
    }
    try put(frame + TraceLayout.reserve, at: size)
    frames.append(TraceFrame(offset: size, length: UInt64(frame.count), content: kind))
    size += UInt64(frame.count)
  }

  private func put(_ bytes: [UInt8], at offset: UInt64) throws {
    try bytes.withUnsafeBytes { buffer in
      var done = 0
      while done < buffer.count {
        let count = pwrite(
          descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(offset) + off_t(done))
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else {
          throw TraceError.system(path: path, operation: "write", code: count < 0 ? errno : ENOSPC)
        }
        done += count
      }
    }
  }
}
