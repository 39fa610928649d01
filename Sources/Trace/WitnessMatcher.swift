/// A replay did something else than the recording.
public struct Divergence: Error, Equatable, Sendable {
  /// What the trace has here. The count of a fold of reads is what was left of it, and serial output is what was
  /// still to come. Nil when the trace has ended.
  public var expected: TraceEvent?
  /// What the replay did; nil when it ended with events left over.
  public var found: TraceEvent?

  public init(expected: TraceEvent?, found: TraceEvent?) {
    self.expected = expected
    self.found = found
  }
}

extension Divergence: CustomStringConvertible {
  public var description: String {
    func text(_ event: TraceEvent?) -> String {
      event.map { "\($0.body) at \($0.instant)" } ?? "the end of the run"
    }
    return "expected \(text(expected)), found \(text(found))"
  }
}

/// Compares a replay with its trace, event by event, and throws a `Divergence` at the first that differs.
///
/// A fold of reads is compared read by read, and serial output byte by byte, so that nothing is found late. Their
/// instants are compared where they begin. The rules are those of `TraceSchema`: since folds are stored in the order
/// in which they began, whatever does not go on with an open one must be the trace's next event.
public final class WitnessMatcher: EventSink {
  private var cursor: EventCursor
  private var readAt = Instant.zero
  private var readMMIO = false
  private var readSize: UInt8 = 0
  private var readAddress: UInt64 = 0
  private var readValue: UInt64 = 0
  private var readsLeft: UInt64 = 0
  private var outputAt = Instant.zero
  private var outputPort: UInt32 = 0
  private var output: [UInt8] = []
  private var outputDone = 0
  /// Events of the trace that were met, open folds included.
  public private(set) var eventCount: UInt64 = 0

  /// - Parameter cursor: over all kinds, at the place where the replay starts.
  public init(_ cursor: EventCursor) { self.cursor = cursor }

  /// Where it stands between two events of the trace, the trace itself apart: for checkpoints.
  public struct State: Codable, Equatable, Sendable {
    /// Events of the trace that were met, open folds included.
    public var eventCount: UInt64
    public var readAt: Instant
    public var readMMIO: Bool
    public var readSize: UInt8
    public var readAddress: UInt64
    public var readValue: UInt64
    public var readsLeft: UInt64
    public var outputAt: Instant
    public var outputPort: UInt32
    /// What is still to come of an open output.
    public var output: [UInt8]

    init(
      eventCount: UInt64, readAt: Instant, readMMIO: Bool, readSize: UInt8, readAddress: UInt64, readValue: UInt64,
      readsLeft: UInt64, outputAt: Instant, outputPort: UInt32, output: [UInt8]
    ) {
      self.eventCount = eventCount
      self.readAt = readAt
      self.readMMIO = readMMIO
      self.readSize = readSize
      self.readAddress = readAddress
      self.readValue = readValue
      self.readsLeft = readsLeft
      self.outputAt = outputAt
      self.outputPort = outputPort
      self.output = output
    }

    /// Between two events, with no fold and no output open.
    public init(eventCount: UInt64) {
      self.init(
        eventCount: eventCount, readAt: .zero, readMMIO: false, readSize: 0, readAddress: 0, readValue: 0, readsLeft: 0,
        outputAt: .zero, outputPort: 0, output: [])
    }
  }

  public var state: State {
    State(
      eventCount: eventCount, readAt: readAt, readMMIO: readMMIO, readSize: readSize, readAddress: readAddress,
      readValue: readValue, readsLeft: readsLeft, outputAt: outputAt, outputPort: outputPort,
      output: Array(output[outputDone...]))
  }

  /// - Parameter cursor: over all kinds, behind the first `state.eventCount` events.
  public init(_ cursor: EventCursor, _ state: State) {
    self.cursor = cursor
    readAt = state.readAt
    readMMIO = state.readMMIO
    readSize = state.readSize
    readAddress = state.readAddress
    readValue = state.readValue
    readsLeft = state.readsLeft
    outputAt = state.outputAt
    outputPort = state.outputPort
    output = state.output
    eventCount = state.eventCount
  }

  /// Another matcher at the same place of the trace; the two go on independently.
  public init(copying other: WitnessMatcher) {
    cursor = other.cursor
    readAt = other.readAt
    readMMIO = other.readMMIO
    readSize = other.readSize
    readAddress = other.readAddress
    readValue = other.readValue
    readsLeft = other.readsLeft
    outputAt = other.outputAt
    outputPort = other.outputPort
    output = other.output
    outputDone = other.outputDone
    eventCount = other.eventCount
  }

  /// Whether the trace has nothing more to compare with. A replay of a trace that was cut off stops here.
  public func isAtEnd() throws -> Bool {
    try readsLeft == 0 && outputDone == output.count && cursor.peek() == nil
  }

  /// The end of the replay: nothing may be left over.
  public func finish() throws {
    if let open = openFold { throw Divergence(expected: open, found: nil) }
    if let event = try cursor.peek() { throw Divergence(expected: event, found: nil) }
  }

  public func append(_ body: TraceEvent.Body, at instant: Instant) throws {
    switch body {
    case .portRead(let port, let size, let value, 1):
      try portRead(at: instant, port: port, size: size, value: value)
    case .mmioRead(let address, let size, let value, 1):
      try mmioRead(at: instant, address: address, size: size, value: value)
    case .serialOutput(let port, let bytes):
      for byte in bytes { try serialOutput(at: instant, port: port, byte: byte) }
    default:
      let found = TraceEvent(instant, body)
      if let open = openFold { throw Divergence(expected: open, found: found) }
      let expected = try cursor.next()
      guard expected == found else { throw Divergence(expected: expected, found: found) }
      eventCount &+= 1
    }
  }

  public func interrupt(at instant: Instant, vector: UInt8, kind: InterruptKind) throws {
    try append(.interrupt(vector: vector, kind: kind), at: instant)
  }

  public func portRead(at instant: Instant, port: UInt16, size: UInt8, value: UInt32) throws {
    try read(at: instant, mmio: false, address: UInt64(port), size: size, value: UInt64(value))
  }

  public func mmioRead(at instant: Instant, address: UInt64, size: UInt8, value: UInt64) throws {
    try read(at: instant, mmio: true, address: address, size: size, value: value)
  }

  @inline(__always)
  private func read(at instant: Instant, mmio: Bool, address: UInt64, size: UInt8, value: UInt64) throws {
    if readsLeft > 0, readAddress == address, readValue == value, readSize == size, readMMIO == mmio {
      readsLeft &-= 1
      return
    }
    try openRead(at: instant, mmio: mmio, address: address, size: size, value: value)
  }

  @inline(never)
  private func openRead(at instant: Instant, mmio: Bool, address: UInt64, size: UInt8, value: UInt64) throws {
    let body = Self.read(mmio: mmio, address: address, size: size, value: value, count: 1)
    let found = TraceEvent(instant, body)
    if readsLeft > 0 { throw Divergence(expected: openRead, found: found) }
    let expected = try cursor.next()
    let count: UInt64
    switch expected?.body {
    case .portRead(_, _, _, let reads), .mmioRead(_, _, _, let reads): count = reads
    default: throw Divergence(expected: expected, found: found)
    }
    let whole = TraceEvent(
      instant, Self.read(mmio: mmio, address: address, size: size, value: value, count: count))
    guard expected == whole else { throw Divergence(expected: expected, found: found) }
    eventCount &+= 1
    readAt = instant
    readMMIO = mmio
    readSize = size
    readAddress = address
    readValue = value
    readsLeft = count &- 1
  }

  public func serialOutput(at instant: Instant, port: UInt32, byte: UInt8) throws {
    if outputDone == output.count {
      let found = TraceEvent(instant, .serialOutput(port: port, bytes: [byte]))
      let expected = try cursor.next()
      guard let expected, expected.instant == instant, case .serialOutput(port, let bytes) = expected.body,
        bytes.first == byte
      else { throw Divergence(expected: expected, found: found) }
      eventCount &+= 1
      outputAt = instant
      outputPort = port
      output = bytes
      outputDone = 1
      return
    }
    guard outputPort == port, output[outputDone] == byte else {
      throw Divergence(
        expected: openOutput, found: TraceEvent(instant, .serialOutput(port: port, bytes: [byte])))
    }
    outputDone += 1
  }

  private static func read(mmio: Bool, address: UInt64, size: UInt8, value: UInt64, count: UInt64)
    -> TraceEvent.Body
  {
    mmio
      ? .mmioRead(address: address, size: size, value: value, count: count)
      : .portRead(
        port: UInt16(truncatingIfNeeded: address), size: size, value: UInt32(truncatingIfNeeded: value),
        count: count)
  }

  private var openRead: TraceEvent {
    TraceEvent(
      readAt,
      Self.read(mmio: readMMIO, address: readAddress, size: readSize, value: readValue, count: readsLeft))
  }

  private var openOutput: TraceEvent {
    TraceEvent(outputAt, .serialOutput(port: outputPort, bytes: Array(output[outputDone...])))
  }

  /// What must come before anything else.
  private var openFold: TraceEvent? {
    if readsLeft > 0 { return openRead }
    return outputDone < output.count ? openOutput : nil
  }
}
