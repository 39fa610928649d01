import ArgumentParser
import Debugger
import Foundation
import Monitor
import Session

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

  @OptionGroup var timeline: TimelineArguments
  @OptionGroup var debug: DebugOptions
  @Flag(name: .customLong("start-gdb"), help: "Start gdb here, and end with it.")
  var startsGDB = false
  @Option(
    name: .customLong("symbols"),
    help: ArgumentHelp(
      "A vmlinux with debug information for gdb; loaded where the guest has its kernel.", valueName: "file"))
  var symbols: String?

  func run() throws {
    let device = try debug.device() ?? "tcp:127.0.0.1:0,server=on,wait=off"
    if let symbols, access(symbols, R_OK) != 0 {
      throw CommandFailure.missingInput("\(symbols): cannot read the symbols: \(String(cString: strerror(errno)))")
    }
    let host = MonitorHost(identity: MonitorIdentity(version: Session.version))
    host.notice = { Terminal.note($0) }
    defer { host.close() }
    // First, so that a port in use is told before the replay.
    let backend = try Self.open(device, host)
    let timeline = try self.timeline.open()
    let offset = symbols.map { _ in KernelOffset.find(timeline.machine) } ?? 0
    let command = GDBCommandLine(backend, symbols: symbols.map { ($0, offset) })
    let debugging = ReplayDebugging(timeline, backend)
    announce(timeline, command)
    let status = startsGDB ? try debugging.serve(starting: command) : debugging.serve()
    if status != 0 { throw ExitRequest(status: status) }
  }

  private func announce(_ timeline: Timeline, _ command: GDBCommandLine?) {
    let rip = Figures.hexadecimal(timeline.rip)
    if self.timeline.json {
      let report = DebugReport(
        port: command?.port, address: command?.address, command: command?.text, instant: timeline.now.description,
        rip: rip)
      return Terminal.print(JSONOutput.text(report, onOneLine: true))
    }
    Terminal.note("at \(timeline.now), rip \(rip)")
    if let command, !startsGDB { Terminal.print(command.text) }
  }

  /// Opens what `-gdb` names.
  /// - Throws: `CommandFailure`, with status 69 for what is in use.
  static func open(_ device: String, _ host: MonitorHost) throws -> any CharacterBackend {
    do {
      guard let backend = try host.openDebugger(device) else {
        throw CommandFailure.usage("-gdb none: there is nothing to do")
      }
      return backend
    } catch let failure as OptionText.Failure {
      throw CommandFailure(
        status: failure.isUnavailable ? ExitStatus.unavailable : ExitStatus.usage,
        message: "-gdb \(device): \(failure.message)")
    }
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
