import PC
import Trace
import X86Core

/// Holds a live machine for a debugger, and lets it go until something happens that the debugger waits for.
///
/// The guest sees nothing of it. Nor does the trace, but for what the debugger changes: a machine that is held is one that
/// has not gone on yet. Breakpoints lie beside the machine, not in its memory or its debug registers.
///
/// For the machine's own thread.
public final class LiveDebugger {
  /// Why the machine was stopped that had been let go.
  public enum Stop: Equatable {
    case step
    /// The instruction at this linear address is next.
    case breakpoint(UInt64)
    /// `index` into `watchpoints`; the machine stands behind the instruction that made the access.
    case watchpoint(index: Int)
    case interrupted
    /// The machine has stopped for a reason of its own.
    case runState(RunState)
    /// The run is over; the status that the process ends with.
    case ended(Int32)
  }

  private enum Mode {
    /// Nobody debugs.
    case free
    /// The machine stands; what `query-status` says.
    case held(RunState)
    /// Somebody waits for the machine to stop; for the first instruction behind this count if it is a step.
    case running(stepFrom: UInt64?)
  }

  private unowned let session: RecordingSession
  private var machine: Machine { session.machine }
  private var mode = Mode.free
  private var onStop: ((Stop) -> Void)?
  /// What was met since the machine was let go.
  private var hit: Stop?
  /// The instruction count at which it was let go, where a breakpoint means nothing.
  private var resumeCount: UInt64 = 0
  /// Of a session that ends: nobody is there to let it go on.
  public var onEnd: ((_ status: Int32) -> Void)?

  /// Linear addresses at which the machine stops, before the instruction.
  public var breakpoints: Set<UInt64> = []
  public var watchpoints: [Watchpoint] = []
  private var watchesInForce: [Watchpoint] = []
  private var watch: MemoryWatch?

  /// Takes charge of a session. Before its start.
  public init(_ session: RecordingSession) {
    self.session = session
    session.debugger = self
    machine.processor.onBreakpoint = { [unowned self] address in
      guard case .running = mode, hit == nil, machine.instructionCount != resumeCount else { return false }
      guard breakpoints.contains(address) else { return false }
      hit = .breakpoint(address)
      machine.rest()
      return true
    }
  }

  /// Whether a client waits for the machine to stop.
  public var isRunning: Bool { if case .running = mode { return true } else { return false } }
  public var isHeld: Bool { if case .held = mode { return true } else { return false } }

  // MARK: Holding and going on

  /// Holds the machine. - Returns: its run state if it stood anyway.
  @discardableResult
  public func hold() -> RunState? {
    onStop = nil
    let state = session.control.state
    hold(.paused)
    return state == .running ? nil : state
  }

  private func hold(_ shown: RunState) {
    if !isHeld, session.control.isRunning { session.mailbox.tell(.stop) }
    mode = .held(shown)
  }

  /// Lets the machine go; nobody waits for it any more.
  /// - Throws: a `ControlError` where its run state does not let it.
  public func release() throws {
    let wasHeld = isHeld
    onStop = nil
    mode = .free
    try goOn(wasHeld: wasHeld)
    applyPoints()
  }

  /// Lets the machine go for one instruction or until something happens; `onStop` is called then.
  public func resume(step: Bool, onStop: @escaping (Stop) -> Void) {
    let wasHeld = isHeld
    hit = nil
    resumeCount = machine.instructionCount
    self.onStop = onStop
    mode = .running(stepFrom: step ? resumeCount : nil)
    if !step { applyPoints() }
    do { try goOn(wasHeld: wasHeld) } catch { stop(.runState(session.control.state)) }
  }

  private func goOn(wasHeld: Bool) throws {
    if session.control.state == .running {
      if wasHeld { session.mailbox.tell(.resume) }
    } else {
      try session.apply(.cont, source: .debugger)
    }
  }

  /// Stops the machine that somebody waits for.
  public func interrupt() { if isRunning { stop(.interrupted) } }

  /// Somebody else let the machine go on.
  func wasContinued() { if isHeld { mode = .free } }

  private func stop(_ stop: Stop) {
    switch stop {
    case .step, .breakpoint, .watchpoint: hold(.debug)
    case .interrupted, .runState, .ended: hold(.paused)
    }
    let onStop = onStop
    self.onStop = nil
    onStop?(stop)
  }

  // MARK: The session

  /// Looks at what has happened, before each slice. - Returns: whether the machine stands still.
  func holdsMachine() -> Bool {
    if case .running(let start) = mode {
      if let hit {
        stop(hit)
      } else if !session.control.isRunning {
        stop(.runState(session.control.state))
      } else if let start, machine.instructionCount > start {
        stop(.step)
      }
    }
    return isHeld
  }

  /// How far a slice may go.
  func limit(_ limit: UInt64) -> UInt64 {
    if case .running(let start?) = mode { return min(limit, max(start, machine.instructionCount) &+ 1) }
    return limit
  }

  /// What monitors are told of a machine that runs as far as the guest knows.
  func shownState(_ state: RunState) -> RunState {
    if case .held(let shown) = mode, state == .running { return shown }
    return state
  }

  func ended(status: Int32) {
    if isRunning { stop(.ended(status)) }
    onEnd?(status)
  }

  // MARK: Points

  /// Puts breakpoints and watchpoints in force: not when they are set, for a client removes all of them at each stop and sets
  /// them again before it goes on.
  private func applyPoints() {
    machine.processor.breakpoints = breakpoints
    guard watchpoints != watchesInForce else { return }
    watchesInForce = watchpoints
    guard !watchpoints.isEmpty else {
      machine.processor.setWatch(nil)
      watch = nil
      return
    }
    let ranges = watchpoints.map {
      MemoryWatch.Range(
        first: $0.address, last: $0.address &+ ($0.count &- 1), reads: $0.access != .write, writes: $0.access != .read,
        isPhysical: $0.space == .physical)
    }
    let watch = MemoryWatch(ranges: ranges) { [unowned self] index, _ in
      guard case .running = mode, hit == nil else { return }
      hit = .watchpoint(index: index)
      machine.rest()
    }
    self.watch = watch
    machine.processor.setWatch(watch)
  }

  // MARK: Writing

  /// Writes memory or a register: an input of the trace.
  /// - Throws: see `Session.applyDebuggerWrite`.
  public func write(_ space: WriteSpace, address: UInt64, bytes: [UInt8]) throws {
    var done = 0
    // All or nothing, even where it takes more than one event.
    if bytes.count > Session.maximumDebuggerWrite {
      let isThere =
        space == .physical
        ? machine.memory.isRAM(address, bytes.count) : machine.readLinear(address, count: bytes.count) != nil
      guard isThere else { throw ControlError("no RAM at 0x\(String(address, radix: 16))") }
    }
    while done < bytes.count {
      let count = min(bytes.count - done, Session.maximumDebuggerWrite)
      try session.applyDebuggerWrite(
        space, address: address &+ UInt64(done), bytes: Array(bytes[done..<done + count]))
      done += count
    }
  }

  /// Ends the run, as `quit` does.
  public func quit() { try? session.apply(.quit, source: .debugger) }
}
