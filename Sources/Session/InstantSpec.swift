import Trace

/// An instant as people write it:
///
/// | text | meaning |
/// |---|---|
/// | `812334112`, `812.3M`, `1.2G`, `4k` | an instruction count (k, M, G: 10^3, 10^6, 10^9) |
/// | `812334112+500.2` | an instant as `events` prints it |
/// | `start`, `end` | |
/// | `panic`, `panic:2`, `cont:1`, `reset:1` | the n-th of its kind, the first unless said otherwise |
/// | `panic-1000`, `reset+1M`, `end-1000`, `start+1000` | so many instructions before or behind |
/// | `t=3.25s`, `t=10ms` | virtual time since power-on (s, ms, us, ns; seconds without a unit) |
/// | `t=+10s` | virtual time from where one is: `branch --until` |
public enum InstantSpec: Equatable, Sendable {
  case instructionCount(UInt64)
  case instant(Instant)
  case start
  case end
  /// So many instructions before the end.
  case beforeEnd(UInt64)
  /// The n-th marker of a kind, from 1, and so many instructions away from it.
  case marker(Marker, number: Int, offset: Int64)
  /// Nanoseconds since power-on.
  case virtualTime(UInt64)
  /// Nanoseconds from a place that the context knows.
  case relativeTime(UInt64)

  public enum Marker: String, Sendable, CaseIterable { case panic, cont, reset }

  /// A text that is not an instant.
  public struct ParseError: Error, Equatable, CustomStringConvertible, Sendable {
    public var text: String
    public var description: String {
      "'\(text)' is not an instant: an instruction count (812334112, 812.3M), start, end, panic, panic:2, cont:1, "
        + "reset:1, panic-1000, or virtual time (t=3.25s, t=+10s)"
    }
  }

  public init(_ text: String) throws {
    guard let spec = Self.parse(text) else { throw ParseError(text: text) }
    self = spec
  }

  private static func parse(_ text: String) -> InstantSpec? {
    if text == "start" { return .start }
    if text == "end" { return .end }
    if text.hasPrefix("end-") { return count(text.dropFirst(4)).map { .beforeEnd($0) } }
    if text.hasPrefix("start+") { return count(text.dropFirst(6)).map { .instructionCount($0) } }
    if text.hasPrefix("t=+") { return time(text.dropFirst(3)).map { .relativeTime($0) } }
    if text.hasPrefix("t=") { return time(text.dropFirst(2)).map { .virtualTime($0) } }
    for marker in Marker.allCases where text.hasPrefix(marker.rawValue) {
      return parse(marker, text.dropFirst(marker.rawValue.count))
    }
    if let count = count(text[...]) { return .instructionCount(count) }
    return Instant(text).map { .instant($0) }
  }

  private static func parse(_ marker: Marker, _ rest: Substring) -> InstantSpec? {
    var rest = rest
    var number = 1
    if rest.first == ":" {
      let digits = rest.dropFirst().prefix { $0.isASCII && $0.isNumber }
      guard let value = Int(digits), value > 0 else { return nil }
      number = value
      rest = rest.dropFirst(1 + digits.count)
    }
    guard let sign = rest.first else { return .marker(marker, number: number, offset: 0) }
    guard sign == "+" || sign == "-", let count = count(rest.dropFirst()), count <= UInt64(Int64.max) else {
      return nil
    }
    return .marker(marker, number: number, offset: sign == "-" ? -Int64(count) : Int64(count))
  }

  /// `1234`, `812.3M`.
  static func count(_ text: Substring) -> UInt64? {
    let units: [(Character, Int)] = [("k", 3), ("K", 3), ("M", 6), ("G", 9)]
    guard let last = text.last else { return nil }
    if let unit = units.first(where: { $0.0 == last }) { return decimal(text.dropLast(), exponent: unit.1) }
    guard text.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else { return nil }
    return UInt64(text)
  }

  /// `3.25s`, in nanoseconds.
  static func time(_ text: Substring) -> UInt64? {
    for (unit, exponent) in [("ns", 0), ("us", 3), ("ms", 6), ("s", 9)] where text.hasSuffix(unit) {
      return decimal(text.dropLast(unit.count), exponent: exponent)
    }
    return decimal(text, exponent: 9)
  }

  /// A decimal number times 10^exponent, exactly; digits beyond one unit are an error.
  private static func decimal(_ text: Substring, exponent: Int) -> UInt64? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count <= 2, let whole = parts.first, !whole.isEmpty else { return nil }
    let fraction = parts.count == 2 ? parts[1] : ""
    guard parts.count == 1 || !fraction.isEmpty, fraction.count <= exponent else { return nil }
    let digits = whole + fraction + String(repeating: "0", count: exponent - fraction.count)
    guard digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else { return nil }
    return UInt64(digits)
  }
}

extension InstantSpec {
  /// Where a replay of the trace has to stop.
  /// - Throws: `SessionError.noSuchInstant` for what the trace does not have, and what reading its events throws.
  public func target(in reader: TraceReader) throws -> StopTarget {
    func missing(_ text: String, _ reason: String) -> SessionError {
      .noSuchInstant(path: reader.path, text: text, reason: reason)
    }
    let last = reader.summary?.last ?? .zero
    func check(_ count: UInt64, _ text: String) throws -> StopTarget {
      guard count <= last.instructionCount else {
        throw missing(text, "the trace ends at \(last.instructionCount)")
      }
      return .instructionCount(count)
    }
    switch self {
    case .start: return .instant(.zero)
    case .end: return .end
    case .beforeEnd(let distance):
      guard distance <= last.instructionCount else {
        throw missing("end-\(distance)", "the trace ends at \(last.instructionCount)")
      }
      return .instructionCount(last.instructionCount - distance)
    case .instructionCount(let count): return try check(count, "\(count)")
    case .instant(let instant):
      guard instant <= last else { throw missing("\(instant)", "the trace ends at \(last)") }
      return .instant(instant)
    case .virtualTime(let time):
      let end = try Self.endTime(of: reader)
      guard time <= end else {
        throw missing("t=\(Self.seconds(time))", "the trace ends at \(Self.seconds(end))")
      }
      return .virtualTime(time)
    case .relativeTime(let time):
      throw missing(
        "t=+\(Self.seconds(time))", "relative times need a place to start from; write t=\(Self.seconds(time))"
      )
    case .marker(let marker, let number, let offset):
      let found = try Self.instants(of: marker, in: reader)
      guard number <= found.count else {
        let times = found.count == 1 ? "once" : "\(found.count) times"
        throw missing(
          number == 1 ? marker.rawValue : "\(marker.rawValue):\(number)",
          found.isEmpty
            ? "there is no \(marker.rawValue) before its end" : "it happened \(times) before its end")
      }
      let instant = found[number - 1]
      if offset == 0 { return .instant(instant) }
      let count =
        offset < 0
        ? instant.instructionCount.subtractingReportingOverflow(offset.magnitude)
        : instant.instructionCount.addingReportingOverflow(offset.magnitude)
      guard !count.overflow else {
        throw missing(
          "\(marker.rawValue)\(offset)", "the \(marker.rawValue) is at \(instant.instructionCount)")
      }
      return try check(count.partialValue, "\(marker.rawValue)\(offset > 0 ? "+" : "")\(offset)")
    }
  }

  /// The instants of all markers of a kind. That of a `cont` or a reset is before the command that caused it, if one did.
  static func instants(of marker: Marker, in reader: TraceReader) throws -> [Instant] {
    var cursor = reader.events()
    var found: [Instant] = []
    var command: (instant: Instant, name: String)?
    while let event = try nextKeepingPrefix(&cursor) {
      switch (event.body, marker) {
      case (.command(_, let json), _):
        if case .control(let control)? = try? LoggedCommand(json) { command = (event.instant, control.name) }
      case (.marker(.panic, _), .panic): found.append(event.instant)
      case (.marker(.cont, _), .cont), (.marker(.reset, _), .reset):
        let name = marker == .cont ? "cont" : "system_reset"
        if let cause = command, cause.name == name,
          cause.instant.instructionCount == event.instant.instructionCount,
          cause.instant.addedTime == event.instant.addedTime,
          cause.instant.sequence &+ 1 == event.instant.sequence
        {
          found.append(cause.instant)
        } else {
          found.append(event.instant)
        }
      default: break
      }
    }
    return found
  }

  /// All markers in order. That of a `cont` or a reset is behind the command that caused it.
  static func markers(in reader: TraceReader) throws -> [(instant: Instant, kind: MarkerKind)] {
    var found: [(instant: Instant, kind: MarkerKind)] = []
    var cursor = reader.events()
    while let event = try nextKeepingPrefix(&cursor) {
      if case .marker(let kind, _) = event.body { found.append((event.instant, kind)) }
    }
    return found
  }

  /// Virtual time at the end of a trace, in nanoseconds.
  static func endTime(of reader: TraceReader) throws -> UInt64 {
    let last = reader.summary?.last ?? .zero
    return try last.virtualTime(shift: RunSetup(of: reader).configuration.timeShift)
  }

  static func seconds(_ nanoseconds: UInt64) -> String {
    let (whole, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
    guard rest > 0 else { return "\(whole)s" }
    var digits = String(rest)
    digits = String(repeating: "0", count: 9 - digits.count) + digits
    while digits.last == "0" { digits.removeLast() }
    return "\(whole).\(digits)s"
  }
}

/// The next event, or nil where the trace ends or its damage begins: what precedes stays usable.
func nextKeepingPrefix(_ cursor: inout EventCursor) throws -> TraceEvent? {
  do { return try cursor.next() } catch TraceError.damaged { return nil }
}

extension Instant {
  /// Nanoseconds since power-on.
  /// - Parameter shift: `MachineConfiguration.timeShift`.
  public func virtualTime(shift: UInt64) -> UInt64 { instructionCount << shift &+ addedTime }
}
