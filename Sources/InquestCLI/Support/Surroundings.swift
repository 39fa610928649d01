import Debugger
import Foundation
import Monitor
import Session

/// What a session's machine is connected with on the host: consoles, debug consoles, monitors.
final class Surroundings: @unchecked Sendable {
  private let host = MonitorHost(identity: MonitorIdentity(version: Session.version))
  private var serials: [(any CharacterBackend)?] = []
  private var debugConsoles: [(any CharacterBackend)?] = []
  /// How many serial ports the machine has, those with nothing behind them included.
  var serialCount: Int { serials.count }
  /// Whether somebody can let a stopped machine go on.
  var hasMonitor: Bool { host.hasMonitor || gdb != nil }
  /// Where gdb is served, and who does.
  private var gdb: (any CharacterBackend)?
  private var debugServer: DebugServer?
  private var debugTarget: LiveTarget?
  /// The machine stands until gdb lets it go: `branch -S`.
  var holdsAtStart = false
  /// Whether somebody could type at a serial port.
  var acceptsInput: Bool { serials.contains { $0?.acceptsInput ?? false } }

  /// Opens everything, in the order of the kinds; waits for clients where `wait=on`.
  /// - Parameters:
  ///   - extraSerials, debugConsoles: from `-device`, as `-serial` takes them.
  ///   - device: `-gdb`; nil for none.
  ///   - showsConsole: whether COM1 goes to stdout where no option says otherwise.
  /// - Throws: `CommandFailure`; sockets that were made are removed.
  init(
    _ options: ConsoleOptions, extraSerials: [String] = [], debugConsoles consoles: [String] = [],
    gdb device: String? = nil, showsConsole: Bool = true
  ) throws {
    host.notice = { Terminal.note($0) }
    do {
      for text in options.chardev { try Self.naming("-chardev \(text)") { try host.declareChardev(text) } }
      var ports = options.serial
      if ports.isEmpty && options.nographic { ports = [options.monitor.isEmpty ? "mon:stdio" : "stdio"] }
      if ports.isEmpty && extraSerials.isEmpty && !options.nodefaults {
        let isFree = !options.usesStandardStreams && device?.hasPrefix("stdio") != true
        serials = [showsConsole && isFree ? StandardOutputConsole() : nil]
      }
      ports += extraSerials
      if serials.count + ports.count > 4 {
        throw CommandFailure.usage("-serial: at most 4 serial ports are possible")
      }
      for text in ports {
        let label = "serial\(serials.count)"
        serials.append(try Self.naming("-serial \(text)") { try host.openSerial(text, label: label) })
      }
      for (index, text) in consoles.enumerated() {
        debugConsoles.append(
          try Self.naming("-debugcon \(text)") { try host.openSerial(text, label: "debugcon\(index)") })
      }
      for text in options.qmp { try Self.naming("-qmp \(text)") { try host.addQMP(text) } }
      for text in options.monitor { try Self.naming("-monitor \(text)") { try host.addMonitor(text) } }
      if let device { gdb = try DebugCommand.open(device, host) }
      for text in options.mon { try Self.naming("-mon \(text)") { try host.addMon(text) } }
    } catch {
      host.close()
      throw error
    }
  }

  private static func naming<Result>(_ option: String, _ body: () throws -> Result) throws -> Result {
    do { return try body() } catch let failure as OptionText.Failure {
      throw CommandFailure(
        status: failure.isUnavailable ? ExitStatus.unavailable : ExitStatus.usage,
        message: "\(option): \(failure.message)")
    }
  }

  /// Connects a live machine: output, input, monitors.
  func connect(_ recording: RecordingSession) {
    connectOutput(recording)
    for (port, backend) in serials.enumerated() {
      backend?.attach(
        CharacterHandlers(input: { [unowned self, unowned recording] bytes in
          recording.sendSerial(port: port, bytes: bytes)
          if recording.pendingSerial(port: port) > Self.pendingLimit { pause(port, recording) }
        }))
    }
    if let gdb { serve(gdb, recording) }
    host.start(mailbox: recording.mailbox)
  }

  private func serve(_ backend: any CharacterBackend, _ recording: RecordingSession) {
    let target = LiveTarget(recording, identity: MonitorIdentity(version: Session.version))
    let server = DebugServer(backend: backend, target: target) { work in recording.mailbox.post { _ in work() } }
    target.onEnd = { [unowned server] in server.ended(status: $0) }
    if holdsAtStart { target.detach(resumes: false) }
    (debugTarget, debugServer) = (target, server)
    server.start()
    if let command = GDBCommandLine(backend) { Terminal.note("waiting for gdb: \(command.text)") }
  }

  /// Connects a replay: what somebody types is no part of it.
  func connect(_ replay: ReplaySession) {
    connectOutput(replay)
    for backend in serials { backend?.attach(CharacterHandlers()) }
    replay.shouldHold = { [host] in host.hasClient }
    host.start(mailbox: replay.mailbox)
  }

  /// Connects a recorded run with its monitors and lets gdb go through it. What was shown is not shown again.
  /// - Returns: the status that the process ends with.
  func debug(_ timeline: Timeline, startPaused: Bool) -> Int32 {
    guard let gdb else { return ExitStatus.usage }
    connect(timeline.session)
    let show = timeline.session.onOutput
    var furthest = timeline.now
    timeline.session.onOutput = { [unowned timeline] port, bytes in
      guard timeline.now > furthest else { return }
      furthest = timeline.now
      show?(port, bytes)
    }
    let debugging = ReplayDebugging(timeline, gdb)
    if let command = GDBCommandLine(gdb) { Terminal.note("waiting for gdb: \(command.text)") }
    return debugging.serve(runs: !startPaused)
  }

  private func connectOutput(_ session: Session) {
    let (serials, debugConsoles) = (serials, debugConsoles)
    session.onOutput = { port, bytes in
      if serials.indices.contains(port) {
        serials[port]?.write(bytes)
      } else if debugConsoles.indices.contains(port &- 0x100) {
        debugConsoles[port &- 0x100]?.write(bytes)
      }
    }
    DumpWriter.install(in: session)
  }

  /// Bytes that may wait for a serial port before its reader is held back.
  private static let pendingLimit = 64 << 10

  /// Takes no more input until the guest has taken what is there.
  private func pause(_ port: Int, _ recording: RecordingSession) {
    serials[port]?.pauseInput(true)
    DispatchQueue.global().asyncAfter(deadline: .now() + 0.02) { [weak self, weak recording] in
      guard let self, let recording else { return }
      if recording.pendingSerial(port: port) > Self.pendingLimit / 2 {
        pause(port, recording)
      } else {
        serials[port]?.pauseInput(false)
      }
    }
  }

  /// Writes what is left, removes sockets, restores the terminal.
  func close() { host.close() }
}

/// Stdout as the console of a machine that nobody types to.
private final class StandardOutputConsole: CharacterBackend {
  let label = "serial0"
  let filename = "stdout"
  var acceptsInput: Bool { false }
  func write(_ bytes: [UInt8]) {
    Terminal.clearProgress()
    Terminal.write(bytes, to: STDOUT_FILENO)
  }
  func attach(_ handlers: CharacterHandlers) {}
  func close() {}
}
