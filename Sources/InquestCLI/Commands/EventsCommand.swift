import ArgumentParser
import Foundation
import Session
import Trace

struct EventsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "events",
    abstract: "List the events of a trace.",
    discussion: """
      EXAMPLES:
        inquest events crash.inq --kind command,machineEvent,runState
        inquest events crash.inq --from panic-1000 --to panic --json

      KINDS: \(EventKind.allCases.map(\.name).joined(separator: ", "))
      """)

  @Argument(help: ArgumentHelp("The trace.", valueName: "trace"))
  var path: String

  @Option(
    name: .customLong("kind"),
    help: ArgumentHelp("Only these kinds. May be repeated.", valueName: "kind[,kind…]"))
  var kinds: [String] = []

  @Option(name: .customLong("from"), help: ArgumentHelp("From this instant on.", valueName: "instant"))
  var from: String?

  @Option(name: .customLong("to"), help: ArgumentHelp("Up to this instant, inclusive.", valueName: "instant"))
  var to: String?

  @Flag(name: .customLong("json"), help: "One JSON object a line.")
  var json = false

  func run() throws {
    let wanted = try Self.kinds(kinds)
    let first = try from.map { try InstantSpec($0) }
    let last = try to.map { try InstantSpec($0) }
    let reader = try TraceReader(path: path)
    let shift = (try? RunSetup(of: reader).configuration.timeShift) ?? 2
    let begin = try first.map { try Bound($0.target(in: reader), shift) }
    let end = try last.map { try Bound($0.target(in: reader), shift) }
    var cursor = try begin?.instant.map { try reader.events(from: $0) } ?? reader.events()
    var output = LineOutput()
    defer { output.flush() }
    while let event = try cursor.next() {
      if let begin, begin.isBehind(event.instant) { continue }
      if let end, end.isBefore(event.instant) { break }
      if let wanted, !wanted.contains(event.kind) { continue }
      output.print(json ? JSONOutput.text(event.json, onOneLine: true) : event.description)
    }
    output.flush()
    TraceArguments.warn(reader)
  }

  static func kinds(_ texts: [String]) throws -> Set<EventKind>? {
    if texts.isEmpty { return nil }
    return Set(
      try texts.flatMap { $0.split(separator: ",") }.map { name in
        guard let kind = EventKind.allCases.first(where: { $0.name == name }) else {
          throw CommandFailure.usage(
            "--kind \(name): there are \(EventKind.allCases.map(\.name).joined(separator: ", "))")
        }
        return kind
      })
  }

  /// One end of what is listed.
  private enum Bound {
    case instant(Instant)
    case count(UInt64)
    case time(UInt64, shift: UInt64)
    case end

    init(_ target: StopTarget, _ shift: UInt64) {
      switch target {
      case .instant(let instant): self = .instant(instant)
      case .instructionCount(let count): self = .count(count)
      case .virtualTime(let time): self = .time(time, shift: shift)
      case .end, .beforeEnd: self = .end
      }
    }

    var instant: Instant? {
      switch self {
      case .instant(let instant): return instant
      case .count(let count): return Instant(instructionCount: count)
      case .time, .end: return nil
      }
    }

    /// Whether the bound lies behind an instant.
    func isBehind(_ other: Instant) -> Bool {
      switch self {
      case .instant(let instant): return instant > other
      case .count(let count): return count > other.instructionCount
      case .time(let time, let shift): return time > other.virtualTime(shift: shift)
      case .end: return true
      }
    }
    func isBefore(_ other: Instant) -> Bool {
      switch self {
      case .instant(let instant): return instant < other
      case .count(let count): return count < other.instructionCount
      case .time(let time, let shift): return time < other.virtualTime(shift: shift)
      case .end: return false
      }
    }
  }
}
