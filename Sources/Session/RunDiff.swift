import Foundation
import PC
import Trace

/// Where two runs part, and how: a comparison of two traces.
///
/// It compares events. To find the first instruction after which the states differ one would go on from
/// `Parting.lastCommon` with both machines; see DESIGN §9.
public struct RunDiff: Codable, Equatable, Sendable {
  /// Something that the headers say differently.
  public struct HeaderDifference: Codable, Equatable, Sendable {
    public var what: String
    public var first: String
    public var second: String
  }
  /// One side at the place where the runs part.
  public struct Side: Codable, Equatable, Sendable {
    /// The first event that the other run does not have; nil when the trace ends there.
    public var event: String?
    public var instant: String?
    /// Hexadecimal, where it is known.
    public var rip: String?
  }
  public struct Parting: Codable, Equatable, Sendable {
    /// How many events both runs have in common, from the start.
    public var commonEvents: UInt64
    /// The last event that both have.
    public var lastCommon: String?
    public var first: Side
    public var second: Side
  }
  /// What a run does behind the place where the two part.
  public struct Aftermath: Codable, Equatable, Sendable {
    public var events: UInt64
    /// By kind.
    public var eventCounts: [String: UInt64]
    /// QMP commands and events in order, at most `RunDiff.maximumLines`.
    public var commandsAndEvents: [String]
    /// Lines of the consoles, at most `RunDiff.maximumLines`, and how many there are.
    public var console: [String]
    public var consoleLines: Int
    /// Why the run ended, if the trace says so.
    public var ending: String?
    public var end: String
  }
  /// A line of the text diff of the two consoles, in which the times of kernel messages are ignored.
  public struct ConsoleLine: Codable, Equatable, Sendable {
    /// " " in both, "-" in the first only, "+" in the second only.
    public var side: String
    public var text: String
  }

  public var firstPath: String
  public var secondPath: String
  public var isIdentical: Bool
  public var headers: [HeaderDifference]
  /// How the two are related, for people.
  public var ancestry: String
  public var parting: Parting?
  public var first: Aftermath?
  public var second: Aftermath?
  public var console: [ConsoleLine]
  public var endState: EndStateDiff?
  /// What could not be compared, and why.
  public var notes: [String]

  public static let maximumLines = 200

  /// Compares two traces event by event.
  /// - Throws: a `TraceError` when one of them is damaged.
  public init(_ a: TraceReader, _ b: TraceReader) throws {
    firstPath = a.path
    secondPath = b.path
    headers = Self.compareHeaders(a.header, b.header)
    notes = [a, b].compactMap { $0.isCutOff ? "\($0.path): the recording was cut off" : nil }
    console = []

    var left = a.events()
    var right = b.events()
    var common: UInt64 = 0
    var lastCommon: TraceEvent?
    while true {
      let l = try left.peek()
      let r = try right.peek()
      guard let event = l, event == r else {
        if l == nil && r == nil { break }
        parting = Parting(
          commonEvents: common, lastCommon: lastCommon.map { "\($0)" }, first: Self.side(l),
          second: Self.side(r))
        break
      }
      common += 1
      lastCommon = event
      _ = try left.next()
      _ = try right.next()
    }
    ancestry = Self.ancestry(a.header, b.header, parting: parting, sameStart: lastCommon != nil)
    // The headers of a branch and its parent differ in the parent alone, which is no difference of the runs.
    isIdentical = parting == nil && headers.isEmpty
    guard parting != nil else { return }

    var leftConsole = ConsoleText()
    var rightConsole = ConsoleText()
    first = try Self.aftermath(of: &left, last: a.summary?.last, &leftConsole)
    second = try Self.aftermath(of: &right, last: b.summary?.last, &rightConsole)
    console = LineDiff.diff(leftConsole.lines, rightConsole.lines).map {
      ConsoleLine(side: $0.side, text: $0.text)
    }
  }

  // MARK: Parts

  private static func side(_ event: TraceEvent?) -> Side {
    var rip: String?
    if case .marker(_, let text)? = event?.body, text.hasPrefix("rip ") { rip = String(text.dropFirst(4)) }
    return Side(event: event.map { "\($0.body)" }, instant: event.map { "\($0.instant)" }, rip: rip)
  }

  static func compareHeaders(_ a: TraceHeader, _ b: TraceHeader) -> [HeaderDifference] {
    var found: [HeaderDifference] = []
    func compare(_ what: String, _ first: String, _ second: String) {
      if first != second { found.append(HeaderDifference(what: what, first: first, second: second)) }
    }
    compare("machine version", "\(a.machineVersion)", "\(b.machineVersion)")
    compare("seed", "\(a.seed)", "\(b.seed)")
    let roles = (a.images + b.images).map(\.role)
    var seen: [String] = []
    for role in roles where !seen.contains(role) {
      seen.append(role)
      func digest(_ header: TraceHeader) -> String {
        header.images.first { $0.role == role }?.sha256 ?? "none"
      }
      compare("image '\(role)'", digest(a), digest(b))
    }
    compareJSON("", a.machine, b.machine, compare)
    return found
  }

  /// Members in alphabetical order.
  private static func compareJSON(
    _ path: String, _ a: JSONValue?, _ b: JSONValue?, _ compare: (String, String, String) -> Void
  ) {
    if case .object(let left)? = a, case .object(let right)? = b {
      for key in Array(Set(left.keys).union(right.keys)).sorted() where path + key != "configuration.seed" {
        compareJSON(path.isEmpty ? "\(key)." : "\(path)\(key).", left[key], right[key], compare)
      }
      return
    }
    compare(path.hasSuffix(".") ? String(path.dropLast()) : path, text(a), text(b))
  }

  private static func text(_ value: JSONValue?) -> String {
    guard let value else { return "none" }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return (try? encoder.encode([value])).map { String(decoding: $0.dropFirst().dropLast(), as: UTF8.self) }
      ?? "?"
  }

  private static func ancestry(_ a: TraceHeader, _ b: TraceHeader, parting: Parting?, sameStart: Bool)
    -> String
  {
    if let left = a.parent, let right = b.parent, left.sha256 != nil, left.sha256 == right.sha256 {
      if left.instant == right.instant { return "both branch from \(left.name) at \(left.instant)" }
      return "both branch from \(left.name), at \(left.instant) and \(right.instant)"
    }
    if let parent = a.parent, b.parent == nil {
      return "the first branches from \(parent.name) at \(parent.instant)"
    }
    if let parent = b.parent, a.parent == nil {
      return "the second branches from \(parent.name) at \(parent.instant)"
    }
    if parting == nil { return "two recordings with the same events" }
    return sameStart ? "two recordings that begin alike" : "two recordings that have nothing in common"
  }

  private static func aftermath(of cursor: inout EventCursor, last: Instant?, _ console: inout ConsoleText)
    throws
    -> Aftermath
  {
    var result = Aftermath(
      events: 0, eventCounts: [:], commandsAndEvents: [], console: [], consoleLines: 0, ending: nil,
      end: "\(last ?? .zero)")
    func add(_ line: String) {
      if result.commandsAndEvents.count < maximumLines { result.commandsAndEvents.append(line) }
    }
    while let event = try cursor.next() {
      result.events += 1
      result.eventCounts[event.kind.name, default: 0] += 1
      switch event.body {
      case .command(_, let json): add("\(event.instant) command \(json)")
      case .machineEvent(let name, let json):
        add("\(event.instant) event \(name)\(json.isEmpty ? "" : " \(json)")")
      case .serialOutput(_, let bytes): console.add(bytes)
      case .endState(let reason, _): result.ending = reason
      default: break
      }
    }
    console.finish()
    let lines = console.lines
    result.consoleLines = lines.count
    result.console = Array(lines.prefix(maximumLines))
    return result
  }

  // MARK: Renderings

  /// For people.
  public var text: String {
    var lines: [String] = []
    if isIdentical {
      return "identical: \(firstPath) and \(secondPath) are the same run\n"
    }
    lines.append("first:  \(firstPath)")
    lines.append("second: \(secondPath)")
    lines.append(ancestry)
    for difference in headers {
      lines.append("\(difference.what): \(difference.first) / \(difference.second)")
    }
    if let parting {
      lines.append("")
      lines.append(
        "The runs part after \(parting.commonEvents) common event\(parting.commonEvents == 1 ? "" : "s")\(parting.lastCommon.map { ", the last: \($0)" } ?? "")."
      )
      for (name, side) in [("first", parting.first), ("second", parting.second)] {
        let place = side.instant.map { " at \($0)" } ?? ""
        let rip = side.rip.map { ", rip \($0)" } ?? ""
        lines.append("  \(name)\(place)\(rip): \(side.event ?? "the end of the trace")")
      }
    } else {
      lines.append("The events are the same.")
    }
    if let first, let second {
      lines.append("")
      lines.append("What follows:          first       second")
      for kind in EventKind.allCases {
        let (a, b) = (first.eventCounts[kind.name] ?? 0, second.eventCounts[kind.name] ?? 0)
        if a > 0 || b > 0 {
          lines.append("  \(Self.pad(kind.name, 16)) \(Self.left("\(a)", 9)) \(Self.left("\(b)", 12))")
        }
      }
      lines.append(
        "  ended at \(first.end) (\(first.ending ?? "no end")) / \(second.end) (\(second.ending ?? "no end"))"
      )
      for (name, side) in [("first", first), ("second", second)] where !side.commandsAndEvents.isEmpty {
        lines.append("  commands and events of the \(name):")
        lines += side.commandsAndEvents.prefix(20).map { "    \($0)" }
        if side.commandsAndEvents.count > 20 {
          lines.append("    … and \(side.commandsAndEvents.count - 20) more")
        }
      }
    }
    if console.contains(where: { $0.side != " " }) {
      lines.append("")
      lines.append("Console (- first, + second; the times of kernel messages are ignored):")
      lines += console.prefix(60).map { "  \($0.side)\($0.text)" }
      if console.count > 60 { lines.append("  … and \(console.count - 60) lines more") }
    }
    if let endState { lines += [""] + endState.lines }
    lines += notes.map { "note: \($0)" }
    return lines.joined(separator: "\n") + "\n"
  }

  /// With members in alphabetical order.
  public var json: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
  }

  static func pad(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }
  static func left(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
  }
}

/// Gathers console bytes into lines, bounded.
struct ConsoleText {
  private(set) var lines: [String] = []
  private var partial: [UInt8] = []
  static let maximumLines = 20_000

  mutating func add(_ bytes: [UInt8]) {
    for byte in bytes {
      if byte == 0x0A || partial.count >= 4096 { endLine() }
      if byte != 0x0A && byte != 0x0D { partial.append(byte) }
    }
  }
  private mutating func endLine() {
    if lines.count < Self.maximumLines { lines.append(String(decoding: partial, as: UTF8.self)) }
    partial.removeAll()
  }
  /// Also what has no line end yet.
  mutating func finish() { if !partial.isEmpty { endLine() } }
}
