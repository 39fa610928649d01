import ArgumentParser
import Debugger
import Foundation
import Monitor
import Session
import Trace

struct DebugCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "debug",
    abstract: "Go through a recorded run with gdb, forwards and backwards.",
    discussion: """
      EXAMPLES:
        inquest debug crash.inq --at panic
        inquest debug crash.inq --at panic-1000 --start-gdb
        inquest debug crash.inq -gdb tcp::1234 --symbols vmlinux
        inquest debug crash.inq -gdb unix:gdb.sock,server=on,wait=off --json

      Prints gdb's command line and serves until it is stopped (Ctrl-C) or gdb says 'kill'. gdb may detach and come back. \
      In gdb: reverse-stepi, reverse-continue, watch, hbreak; monitor seek panic-1000, monitor who-wrote ADDR, monitor \
      info replay. A replay cannot be changed; for a machine that can, see inquest help branch. For instants see inquest \
      help replay.

      EXIT STATUS: 0; with --start-gdb gdb's; 69 the port is in use; see inquest --help.
      """)

  @OptionGroup var trace: TraceArguments
  @Option(
    name: .customLong("at"),
    help: ArgumentHelp(
      "Where to begin. (default: the first panic; the start where there is none)", valueName: "instant"))
  var at: String?
  @OptionGroup var debug: DebugOptions
  @Flag(name: .customLong("start-gdb"), help: "Start gdb here, and end with it.")
  var startsGDB = false
  @Option(
    name: .customLong("symbols"),
    help: ArgumentHelp(
      "A vmlinux with debug information for gdb; loaded where the guest has its kernel.", valueName: "file"))
  var symbols: String?
  @Flag(name: .customLong("json"), help: "Say on stdout as JSON where gdb finds the server.")
  var json = false

  func run() throws {
    let spec = try at.map { try InstantSpec($0) }
    let device = try debug.device() ?? "tcp:127.0.0.1:0,server=on,wait=off"
    let reader = try TraceReader(path: trace.path)
    let target = try Self.target(spec, reader)
    if let symbols, access(symbols, R_OK) != 0 {
      throw CommandFailure.missingInput("\(symbols): cannot read the symbols: \(String(cString: strerror(errno)))")
    }
    let host = MonitorHost(identity: MonitorIdentity(version: Session.version))
    host.notice = { Terminal.note($0) }
    defer { host.close() }
    // First, so that a port in use is told before the replay.
    let backend = try Self.open(device, host)
    TraceArguments.warn(reader)
    let timeline = try Timeline(path: trace.path, imagePaths: trace.images)
    ReplayProgress(reader, verb: "replaying").install(in: timeline.session)
    let stop = try timeline.seek(to: target)
    Terminal.clearProgress()
    if case .end(let reason) = stop, target != .end {
      Terminal.note("note: the replay came to \(timeline.now) only: \(reason)")
    }
    let offset = symbols.map { _ in KernelOffset.find(timeline.machine) } ?? 0
    let command = GDBCommandLine(backend, symbols: symbols.map { ($0, offset) })
    let status = serve(timeline, backend, command)
    if let status, status != 0 { throw ExitRequest(status: status) }
  }

  private func serve(
    _ timeline: Timeline, _ backend: any CharacterBackend, _ command: GDBCommandLine?
  ) -> Int32? {
    let loop = DebugLoop()
    let replay = ReplayTarget(timeline, identity: MonitorIdentity(version: Session.version)) { loop.stop() }
    let server = DebugServer(backend: backend, target: replay, post: loop.post)
    server.start()
    announce(timeline, command)
    var status: Int32?
    var signals: Signals?
    if startsGDB, let command {
      // Ctrl-C is gdb's.
      signal(SIGINT, SIG_IGN)
      let box = StatusBox()
      Thread.detachNewThread {
        box.status = command.run()
        if box.status == nil { Terminal.note("gdb cannot be started; is it installed? (apt-get install gdb)") }
        timeline.interrupt()
        loop.stop()
      }
      loop.run()
      status = box.status ?? ExitStatus.unavailable
    } else {
      signals = Signals { _ in
        timeline.interrupt()
        loop.stop()
      }
      loop.run()
    }
    server.ended(status: 0)
    if let number = signals?.received, number != SIGINT { status = 128 + number }
    return status
  }

  private final class StatusBox: @unchecked Sendable { var status: Int32? }

  private func announce(_ timeline: Timeline, _ command: GDBCommandLine?) {
    let rip = Figures.hexadecimal(timeline.rip)
    if json {
      let report = DebugReport(
        port: command?.port, address: command?.address, command: command?.text, instant: timeline.now.description,
        rip: rip)
      return Terminal.print(JSONOutput.text(report, onOneLine: true))
    }
    Terminal.note("at \(timeline.now), rip \(rip)")
    if let command, !startsGDB { Terminal.print(command.text) }
  }

  /// - Throws: `CommandFailure`, with status 69 for what is in use.
  static func open(_ device: String, _ host: MonitorHost) throws -> any CharacterBackend {
    do {
      guard let backend = try host.openDebugger(device) else {
        throw CommandFailure.usage("-gdb none: there is nothing to do")
      }
      return backend
    } catch let failure as OptionText.Failure {
      let isService = failure.message.hasPrefix("Failed to")
      throw CommandFailure(
        status: isService ? ExitStatus.unavailable : ExitStatus.usage, message: "-gdb \(device): \(failure.message)")
    }
  }

  private static func target(_ spec: InstantSpec?, _ reader: TraceReader) throws -> StopTarget {
    if let spec {
      let target = try spec.target(in: reader)
      // A machine that has ended cannot be looked at from where it could go on.
      return target == .end ? .beforeEnd : target
    }
    return (try? InstantSpec("panic").target(in: reader)) ?? .instant(.zero)
  }
}

/// Where gdb finds the server, for programs.
struct DebugReport: Encodable {
  var port: Int?
  var address: String?
  /// gdb's command line.
  var command: String?
  var instant: String
  var rip: String
}
