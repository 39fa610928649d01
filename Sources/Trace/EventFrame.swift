/// Gathers the events of one frame, column by column. Each frame stands alone: nothing is carried over from the
/// frame before.
final class EventFrameEncoder {
  let columns: UnsafeMutablePointer<ByteColumn>
  var predictor = ReadPredictor()
  private(set) var eventCount: UInt64 = 0
  private(set) var first = Instant.zero
  private(set) var last = Instant.zero
  /// Events of each kind, by the kind's number.
  private(set) var counts = [UInt64](repeating: 0, count: 128)

  init() {
    columns = .allocate(capacity: Column.allCases.count)
    for column in Column.allCases { (columns + column.rawValue).initialize(to: ByteColumn()) }
  }

  deinit {
    for column in Column.allCases { columns[column.rawValue].free() }
    columns.deallocate()
  }

  var isEmpty: Bool { eventCount == 0 }

  /// Bytes before compression, without the frame's own header (which is below 256).
  var size: Int {
    var total = 0
    for i in 0..<Column.allCases.count { total += columns[i].count }
    return total
  }

  func removeAll() {
    for i in 0..<Column.allCases.count { columns[i].removeAll() }
    predictor = ReadPredictor()
    eventCount = 0
    for i in counts.indices { counts[i] = 0 }
  }

  /// Kind and instant. The payload must follow, and the instant must not lie before the last one.
  @inline(__always)
  func begin(_ kind: EventKind, at instant: Instant) {
    if eventCount == 0 {
      first = instant
      last = instant
      last.sequence = 0
    }
    let count = instant.instructionCount &- last.instructionCount
    let added = instant.addedTime &- last.addedTime
    let base = count | added == 0 ? last.sequence : 0
    let sequence = instant.sequence &- base
    columns[Column.kind.rawValue].append(byte: kind.rawValue | (sequence == 0 ? 0 : 0x80))
    columns[Column.count.rawValue].append(count)
    columns[Column.added.rawValue].append(added)
    if sequence != 0 { columns[Column.sequence.rawValue].append(UInt64(sequence)) }
    last = instant
    eventCount &+= 1
    counts[Int(kind.rawValue)] &+= 1
  }

  func number(_ value: UInt64) { columns[Column.number.rawValue].append(value) }

  func bytes(_ value: [UInt8]) {
    number(UInt64(value.count))
    value.withUnsafeBytes { columns[Column.bytes.rawValue].append(raw: $0) }
  }

  func text(_ value: String) {
    var value = value
    value.withUTF8 {
      number(UInt64($0.count))
      columns[Column.bytes.rawValue].append(raw: UnsafeRawBufferPointer($0))
    }
  }

  /// The frame's content: type, number, event count, first instant, lengths of the columns, columns.
  func content(frameNumber: UInt64) -> [UInt8] {
    var out = ByteColumn(capacity: size + 256)
    defer { out.free() }
    out.append(byte: FrameType.events.rawValue)
    out.append(frameNumber)
    out.append(eventCount)
    out.append(first.instructionCount)
    out.append(first.addedTime)
    for i in 0..<Column.allCases.count { out.append(UInt64(columns[i].count)) }
    for i in 0..<Column.allCases.count { out.append(raw: columns[i].bytes) }
    return Array(out.bytes)
  }
}

/// What the content of an LZ4 frame is: its first byte.
enum FrameType: UInt8 {
  /// The header's is the first letter of the magic.
  case header = 0x49
  case image = 0x69
  case events = 0x65
  case checkpoint = 0x63
}

/// Takes a frame's events apart again.
struct EventFrameDecoder {
  var columns: [ByteCursor] = []
  var predictor = ReadPredictor()
  let frameNumber: UInt64
  let eventCount: UInt64
  private(set) var left: UInt64
  private var last: Instant

  init(content: [UInt8]) throws {
    var head = ByteCursor(content)
    guard try head.byte() == FrameType.events.rawValue else {
      throw MalformedContent("not a frame of events")
    }
    frameNumber = try head.number()
    eventCount = try head.number()
    left = eventCount
    last = Instant(instructionCount: try head.number(), addedTime: try head.number())
    var lengths: [Int] = []
    for _ in Column.allCases {
      let length = try head.number()
      guard length <= UInt64(content.count) else {
        throw MalformedContent("a column is longer than its frame")
      }
      lengths.append(Int(length))
    }
    var offset = head.offset
    for length in lengths {
      guard length <= content.count - offset else {
        throw MalformedContent("a column is longer than its frame")
      }
      columns.append(ByteCursor(content, offset..<offset + length))
      offset += length
    }
    guard offset == content.count else { throw MalformedContent("bytes are left over in a frame") }
    guard eventCount > 0, eventCount == UInt64(columns[Column.kind.rawValue].remaining) else {
      throw MalformedContent("a frame's event count is wrong")
    }
  }

  /// - Returns: nil at the frame's end, where every column must be used up.
  mutating func next() throws -> TraceEvent? {
    guard left > 0 else {
      guard columns.allSatisfy({ $0.remaining == 0 }) else {
        throw MalformedContent("bytes are left over in a frame")
      }
      return nil
    }
    left -= 1
    let tag = try columns[Column.kind.rawValue].byte()
    guard let kind = EventKind(rawValue: tag & 0x7F) else {
      throw MalformedContent("unknown kind of event \(tag & 0x7F)")
    }
    let count = try columns[Column.count.rawValue].number()
    let added = try columns[Column.added.rawValue].number()
    var sequence = count | added == 0 ? UInt64(last.sequence) : 0
    if tag & 0x80 != 0 {
      let more = try columns[Column.sequence.rawValue].number()
      guard more != 0, more <= UInt64(UInt32.max) else {
        throw MalformedContent("a sequence is out of range")
      }
      sequence += more
    }
    let (instructionCount, overflow1) = last.instructionCount.addingReportingOverflow(count)
    let (addedTime, overflow2) = last.addedTime.addingReportingOverflow(added)
    guard !overflow1, !overflow2, let small = UInt32(exactly: sequence) else {
      throw MalformedContent("an instant is out of range")
    }
    last = Instant(instructionCount: instructionCount, addedTime: addedTime, sequence: small)
    return TraceEvent(last, try body(kind))
  }

  mutating func number<T: FixedWidthInteger>() throws -> T {
    try columns[Column.number.rawValue].number(as: T.self)
  }

  mutating func choice<T: RawRepresentable>(_ what: String) throws -> T where T.RawValue == UInt8 {
    guard let value = T(rawValue: try number()) else { throw MalformedContent("unknown \(what)") }
    return value
  }

  mutating func bytes() throws -> [UInt8] {
    Array(try columns[Column.bytes.rawValue].raw(try columns[Column.number.rawValue].number()))
  }

  mutating func text() throws -> String {
    let bytes = try columns[Column.bytes.rawValue].raw(try columns[Column.number.rawValue].number())
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw MalformedContent("text is not UTF-8")
    }
    return text
  }
}
