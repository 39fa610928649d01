import ArgumentParser
import Foundation
import Session
import Trace

struct ReplayCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay",
    abstract: "Repeat a recorded run, to the instruction, and check that it is the same.",
    discussion: """
      EXAMPLES:
        inquest replay crash.inq
        inquest replay crash.inq --until panic -qmp unix:qmp.sock,server=on,wait=on
        inquest replay crash.inq -serial null --json

      INSTANTS: an instruction count (812334112, 812.3M), start, end, panic, panic:2, cont:1, reset:1, panic-1000, \
      virtual time (t=3.25s), or an instant as 'events' prints it.

      A client of a monitor may watch, query, and steer the replay with stop, cont and quit. --until holds there while a \
      client is connected.

      EXIT STATUS: 0 the same run; 1 diverged; see inquest --help.
      """)

  @OptionGroup var trace: TraceArguments
  @Option(name: .customLong("until"), help: ArgumentHelp("Stop there. (default: end)", valueName: "instant"))
  var until: String?
  @Flag(
    name: .customLong("json"), help: "Say on stdout as JSON what came of it; the console is not shown there.")
  var json = false
  @Option(
    name: .customLong("pcap"),
    help: ArgumentHelp("Write the frames of all network cards to a capture file.", valueName: "file"))
  var pcap: String?
  @OptionGroup(title: "Consoles and monitors") var consoles: ConsoleOptions
  @OptionGroup(title: "Debugging") var debug: DebugOptions
  @Flag(name: .customShort("S"), help: "With -gdb: stand at the start until gdb says 'continue'.")
  var startPaused = false

  func run() throws {
    if let device = try debug.device() { return try runForDebugger(device) }
    if startPaused { throw CommandFailure.usage("-S: there is no gdb to let the replay go; give it a place with -gdb") }
    let spec = try until.map { try InstantSpec($0) } ?? .end
    let reader = try TraceReader(path: trace.path)
    let target = try spec.target(in: reader)
    let surroundings = try Surroundings(consoles, showsConsole: !json)
    defer { surroundings.close() }
    let session = try ReplaySession(path: trace.path, imagePaths: trace.images, until: target)
    TraceArguments.warn(reader)
    ReplayProgress(reader, verb: "replaying").install(in: session)
    if let capture = try pcap.map({ try CaptureFile($0) }) {
      let add = session.capturing(capture)
      session.onFrame = { _, _, bytes in add(bytes) }
    }
    let signals = Signals { _ in session.requestQuit() }
    surroundings.connect(session)
    let result = session.run()
    surroundings.close()
    Terminal.clearProgress()
    if json { Terminal.print(JSONOutput.text(ReplayReport(result, session))) }
    try Self.report(result, session, isQuiet: json)
    if let number = signals.received { throw ExitRequest(status: 128 + number) }
  }

  /// The run goes on until gdb comes, as in QEMU; then gdb says where it goes.
  private func runForDebugger(_ device: String) throws {
    if let until { throw CommandFailure.usage("--until \(until): with -gdb use inquest debug --at \(until)") }
    let surroundings = try Surroundings(consoles, gdb: device, showsConsole: !json)
    defer { surroundings.close() }
    let timeline = try Timeline(path: trace.path, imagePaths: trace.images)
    TraceArguments.warn(timeline.reader)
    let status = surroundings.debug(timeline, startPaused: startPaused)
    if status != 0 { throw ExitRequest(status: status) }
  }

  /// The one line at the end, or the error.
  static func report(_ result: ReplayResult, _ session: ReplaySession, isQuiet: Bool = false) throws {
    let divergences = result.divergence == nil ? 0 : 1
    var text =
      "\(Figures.count(result.instructions, "instruction")), \(Figures.count(result.events, "event")), "
    text += "\(Figures.count(UInt64(divergences), "divergence")), \(Figures.seconds(result.hostTime))"
    switch result.reason {
    case .end: text = "replayed to the end: " + text
    case .until: text = "replayed to \(result.instant): " + text
    case .cutOff: text = "replayed to where the recording was cut off: " + text
    case .quit: text = "stopped at \(result.instant): " + text
    case .diverged(let divergence): throw CommandFailure(divergence)
    case .damaged(let error): throw CommandFailure(error)
    case .failed(let reason): throw CommandFailure(status: ExitStatus.internal, message: reason)
    }
    if !isQuiet { Terminal.note(text) }
  }
}

/// What came of a replay, for programs.
struct ReplayReport: Codable {
  var result: String
  var instructions: UInt64
  var instant: String
  var events: UInt64
  var divergences: Int
  var divergence: String?
  /// Nanoseconds.
  var virtualTime: UInt64
  /// Seconds.
  var hostTime: Double
  /// RIP, hexadecimal.
  var rip: String

  init(_ replay: ReplayResult, _ session: ReplaySession) {
    switch replay.reason {
    case .end: result = "end"
    case .until: result = "until"
    case .cutOff: result = "cut-off"
    case .diverged: result = "diverged"
    case .damaged: result = "damaged"
    case .quit: result = "quit"
    case .failed: result = "failed"
    }
    instructions = replay.instructions
    instant = replay.instant.description
    events = replay.events
    divergences = replay.divergence == nil ? 0 : 1
    divergence = replay.divergence?.description
    virtualTime = replay.virtualTime
    hostTime = replay.hostTime
    rip = Figures.hexadecimal(session.rip)
  }
}
