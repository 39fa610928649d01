import ArgumentParser
import Foundation
import Session
import Trace

struct SerialCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serial",
    abstract: "What the guest has written to a console up to an instant.",
    discussion: """
      EXAMPLES:
        inquest serial crash.inq --at panic
        inquest serial crash.inq --at t=2.5s | tail
        inquest serial crash.inq --port debugcon0

      Read from the trace; replayed only where the instant lies within a line. For instants see inquest help replay.
      """)

  @OptionGroup var trace: TraceArguments
  @Option(
    name: .customLong("at"),
    help: ArgumentHelp("Up to where in the run. (default: panic, or the end where there is none)", valueName: "instant")
  )
  var at: String?
  @Option(
    name: .customLong("port"),
    help: ArgumentHelp("The console: serial0 (COM1) to serial3, debugcon0.", valueName: "name"))
  var port = "serial0"
  @Flag(name: .customLong("json"), help: "As JSON.")
  var json = false

  func run() throws {
    let number = try Self.number(of: port)
    let reader = try TraceReader(path: trace.path)
    TraceArguments.warn(reader)
    let target: StopTarget
    if let at {
      target = try InstantSpec(at).target(in: reader)
    } else {
      target = (try? InstantSpec("panic").target(in: reader)) ?? .end
    }
    var output = try Self.read(number, until: target, in: reader)
    if output == nil {
      var bytes: [UInt8] = []
      _ = try PausedGuest.replay(trace.path, images: trace.images, at: at) {
        $0.onOutput = { if $0 == number { bytes += $1 } }
      }
      output = bytes
    }
    if json {
      let report = SerialReport(port: port, at: at ?? "panic", text: String(decoding: output ?? [], as: UTF8.self))
      return Terminal.print(JSONOutput.text(report))
    }
    Terminal.write(output ?? [], to: STDOUT_FILENO)
  }

  /// As traces number them.
  private static func number(of name: String) throws -> Int {
    for (prefix, base) in [("serial", 0), ("debugcon", 0x100)] where name.hasPrefix(prefix) {
      if let index = Int(name.dropFirst(prefix.count)), (0..<4).contains(index) { return base + index }
    }
    throw CommandFailure.usage("--port \(name): serial0 to serial3, debugcon0")
  }

  /// What a port sent before a place.
  /// - Returns: nil where a piece of output was begun before it and perhaps not ended there: an event has the instant of
  ///   its first byte, and is closed by the next one that is no read.
  private static func read(_ port: Int, until target: StopTarget, in reader: TraceReader) throws -> [UInt8]? {
    let shift = try RunSetup(of: reader).configuration.timeShift
    func isBefore(_ instant: Instant) -> Bool {
      switch target {
      case .instant(let end): return instant < end
      case .instructionCount(let end): return instant.instructionCount < end
      case .virtualTime(let end): return instant.virtualTime(shift: shift) < end
      case .end, .beforeEnd: return true
      }
    }
    func isReached(_ instant: Instant) -> Bool {
      if case .instant(let end) = target { return instant <= end }
      return isBefore(instant)
    }
    var bytes: [UInt8] = []
    var isOpen = false
    var cursor = reader.events()
    while let event = try nextEvent(&cursor) {
      switch event.body {
      case .portRead, .mmioRead: continue
      case .serialOutput(let number, let output) where Int(number) == port:
        guard isBefore(event.instant) else { return isOpen ? nil : bytes }
        bytes += output
        isOpen = output.count > 1
      default:
        guard isReached(event.instant) else { return isOpen ? nil : bytes }
        isOpen = false
      }
    }
    return bytes
  }

  /// The next event, or nil where the trace ends or its damage begins.
  private static func nextEvent(_ cursor: inout EventCursor) throws -> TraceEvent? {
    do { return try cursor.next() } catch TraceError.damaged { return nil }
  }
}

/// A console's text, for programs.
struct SerialReport: Encodable {
  var port: String
  var at: String
  var text: String
}
