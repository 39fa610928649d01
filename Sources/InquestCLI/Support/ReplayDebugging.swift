import Debugger
import Foundation
import Monitor
import Session

/// A recorded run that gdb goes through: the machine's thread is the one that calls `serve`.
final class ReplayDebugging: @unchecked Sendable {
  private let timeline: Timeline
  private let loop = DebugLoop()
  private let server: DebugServer

  /// - Parameter backend: where gdb comes; one that waits there already is answered as soon as `serve` is called.
  init(_ timeline: Timeline, _ backend: any CharacterBackend) {
    self.timeline = timeline
    let loop = loop
    let target = ReplayTarget(timeline, identity: MonitorIdentity(version: Session.version)) { loop.stop() }
    server = DebugServer(backend: backend, target: target, post: loop.post)
    // Through a pipe gdb comes once: `target remote | inquest debug … -gdb stdio`.
    if !(backend is SocketBackend), !backend.filename.hasPrefix("pty:") {
      server.onClient = { [unowned timeline] isThere in
        guard !isThere else { return }
        timeline.interrupt()
        loop.stop()
      }
    }
    server.start()
  }

  /// Serves until gdb says `kill`, or a signal comes.
  /// - Parameter runs: the run goes on while no gdb is there, and serving ends with it.
  /// - Returns: the status that the process ends with.
  func serve(runs: Bool = false) -> Int32 {
    let signals = Signals { [self] _ in stop() }
    if runs {
      loop.run(idle: { [self] in goOn() })
    } else {
      loop.run(idle: { [self] in
        timeline.session.serveMonitors()
        return true
      })
    }
    server.ended(status: 0)
    // Ctrl-C is how one ends a server.
    return signals.received.map { $0 == SIGINT ? 0 : 128 + $0 } ?? 0
  }

  /// Starts gdb on this terminal and serves until it ends.
  /// - Returns: gdb's status.
  /// - Throws: `CommandFailure` where there is no gdb, or no way to tell it where to go.
  func serve(starting command: GDBCommandLine?) throws -> Int32 {
    guard let command else { throw CommandFailure.usage("--start-gdb needs a -gdb that gdb can connect to") }
    // Ctrl-C is gdb's.
    signal(SIGINT, SIG_IGN)
    let result = Result()
    Thread.detachNewThread { [self] in
      result.status = command.run()
      stop()
    }
    loop.run()
    guard let status = result.status else {
      throw CommandFailure(
        status: ExitStatus.unavailable, message: "gdb cannot be started; install it (apt-get install gdb)")
    }
    return status
  }

  private final class Result: @unchecked Sendable { var status: Int32? }

  private func stop() {
    timeline.interrupt()
    loop.stop()
  }

  /// Instructions between two looks for a client.
  private static let piece: UInt64 = 1 << 24

  /// A piece of the run, unless somebody is there. - Returns: whether to wait for what comes.
  private func goOn() -> Bool {
    timeline.session.serveMonitors()
    if server.hasClient { return true }
    let goal = timeline.now.instructionCount &+ Self.piece
    do {
      let isLast = goal >= timeline.end.instructionCount
      if case .reached = try timeline.seek(to: isLast ? .end : .instructionCount(goal)), !isLast { return false }
      Terminal.note("replayed to the end: \(Figures.count(timeline.now.instructionCount, "instruction"))")
    } catch {
      Terminal.note("\(CommandFailure(error).message)")
    }
    loop.stop()
    return true
  }
}
