import ArgumentParser
import Debugger
import Forensics
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
        inquest debug crash.inq --at panic-1000 --symbols guest --start-gdb
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
      "A vmlinux with debug information for gdb, loaded where the guest has its kernel; or guest: names and unwind "
        + "tables that a Linux guest has in its memory.", valueName: "file|guest"))
  var symbols: String?

  func run() throws {
    let device = try debug.device() ?? "tcp:127.0.0.1:0,server=on,wait=off"
    if let symbols, symbols != Self.guest, access(symbols, R_OK) != 0 {
      throw CommandFailure.missingInput("\(symbols): cannot read the symbols: \(String(cString: strerror(errno)))")
    }
    let host = MonitorHost(identity: MonitorIdentity(version: Session.version))
    host.notice = { Terminal.note($0) }
    defer { host.close() }
    // First, so that a port in use is told before the replay.
    let backend = try Self.open(device, host)
    let timeline = try self.timeline.open()
    var file: (path: String, offset: UInt64)?
    if symbols == Self.guest {
      file = (try Self.guestSymbols(timeline), 0)
    } else if let symbols {
      file = (symbols, KernelOffset.find(timeline.machine))
    }
    defer { if symbols == Self.guest, let file { unlink(file.path) } }
    let command = GDBCommandLine(backend, symbols: file)
    let debugging = ReplayDebugging(timeline, backend)
    announce(timeline, command)
    let status = startsGDB ? try debugging.serve(starting: command) : debugging.serve()
    if status != 0 { throw ExitRequest(status: status) }
  }

  /// What `--symbols` says for the guest's own.
  private static let guest = "guest"

  /// Writes the symbols that the guest has in its memory.
  /// - Returns: the file's name.
  /// - Throws: `CommandFailure` where there is no Linux kernel, or no room for the file.
  private static func guestSymbols(_ timeline: Timeline) throws -> String {
    let machine = timeline.machine
    let view = MachineView(
      memory: machine.memory, processors: [machine.processorState], vmcoreinfo: DumpWriter.announcedNote(machine))
    let bytes: [UInt8]
    do { bytes = DebuggerSymbols.elf(of: try Kernel(view)) } catch {
      throw CommandFailure.badData("--symbols guest: \(timeline.now): \(error)")
    }
    let path = NSTemporaryDirectory() + "/inquest-\(getpid())-symbols.elf"
    do { try Data(bytes).write(to: URL(fileURLWithPath: path)) } catch {
      throw CommandFailure.output(path, creating: true, code: errno)
    }
    return path.replacingOccurrences(of: "//", with: "/")
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
