import Monitor
import PC
import Session

/// A machine that is being recorded, as a debugger drives it. What the debugger changes is an input of the trace.
public final class LiveTarget: DebugTarget, @unchecked Sendable {
  private let session: RecordingSession
  private let debugger: LiveDebugger
  private let console: MonitorConsole
  private var table = PointTable()
  private var machine: Machine { session.machine }

  /// Takes charge of a session, before its start.
  public init(_ session: RecordingSession, identity: MonitorIdentity) {
    self.session = session
    debugger = LiveDebugger(session)
    console = MonitorConsole(identity: identity)
  }

  /// Called when the run is over, on the machine's thread, with the status that the process ends with.
  public var onEnd: ((Int32) -> Void)? {
    get { debugger.onEnd }
    set { debugger.onEnd = newValue }
  }

  public let features = DebugFeatures(reverses: false)
  public let processorCount = 1
  public func isHalted(_ processor: Int) -> Bool { machine.processor.isHalted }
  public func registers(of processor: Int) -> RegisterFile { RegisterFile(of: machine) }
  public func read(_ space: AddressSpace, _ address: UInt64, count: Int) -> [UInt8] {
    machine.readable(space, address, count: count)
  }

  public func write(_ register: ProcessorRegister, _ bytes: [UInt8], of processor: Int) throws {
    if bytes == RegisterFile(of: machine)[register] { return }
    try debugger.write(.register, address: UInt64(register.number), bytes: bytes)
  }
  public func write(_ space: AddressSpace, _ address: UInt64, _ bytes: [UInt8]) throws {
    try debugger.write(space == .linear ? .linear : .physical, address: address, bytes: bytes)
  }

  public func setPoints(_ points: [DebugPoint]) throws {
    table = PointTable(points)
    debugger.breakpoints = table.breakpoints
    debugger.watchpoints = table.watchpoints
  }

  public func attach() -> DebugStop {
    debugger.hold()
    // What QEMU answers to `?`, whatever the run state.
    return .step
  }

  public func detach(resumes: Bool) {
    guard resumes else {
      debugger.hold()
      return
    }
    try? debugger.release()
  }

  public func resume(_ how: DebugResume, processor: Int, onStop: @escaping (DebugStop) -> Void) {
    debugger.resume(step: how == .step) { [unowned self] stop in onStop(debugStop(stop)) }
  }

  private func debugStop(_ stop: LiveDebugger.Stop) -> DebugStop {
    switch stop {
    case .step: return .step
    case .breakpoint(let address): return table.stop(atBreakpoint: address)
    case .watchpoint(let index): return table.stop(atWatchpoint: index)
    case .interrupted: return .interrupt
    case .runState(.guestPanicked): return .panic
    case .runState(let state): return .runState(state)
    case .ended(let status): return .exited(status)
    }
  }

  public func interrupt() { session.mailbox.post { [debugger] _ in debugger.interrupt() } }
  public func kill() { debugger.quit() }

  public func monitor(_ line: String) -> String {
    switch line.split(separator: " ").first {
    case "cont", "c": return "use gdb's 'continue'\n"
    case "stop", "s": return "the machine stands already\n"
    default: return DisassemblyCommand.run(line, on: machine) ?? console.execute(line, on: session)
    }
  }
}
