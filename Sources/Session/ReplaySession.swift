import Foundation
import PC
import Trace

/// Where a replay stops.
public enum StopTarget: Equatable, Sendable {
  /// The state that this instant names: before the input with its sequence.
  case instant(Instant)
  /// The first place with this instruction count.
  case instructionCount(UInt64)
  /// The first place at or behind this virtual time, in nanoseconds since power-on; an idle guest stops before the jump
  /// that would pass it.
  case virtualTime(UInt64)
  /// The end of the trace.
  case end
  /// Before the input that ends the run, if one does: the last place from which the machine could go on.
  case beforeEnd
}

/// A replay that did something else than the recording.
public struct ReplayDivergence: Error, Equatable, Sendable {
  /// Where the replay was.
  public var instant: Instant
  /// The next instruction's address, or that of the one that diverged.
  public var rip: UInt64
  /// What the trace has; nil when it has ended.
  public var expected: TraceEvent?
  /// What the replay did; nil when it did nothing more.
  public var found: TraceEvent?
}

extension ReplayDivergence: CustomStringConvertible {
  public var description: String {
    func text(_ event: TraceEvent?, _ none: String) -> String { event.map { "\($0)" } ?? none }
    return "the replay diverges at \(instant), rip 0x\(String(rip, radix: 16)): expected "
      + "\(text(expected, "the end of the trace")), found \(text(found, "nothing"))"
  }
}

/// What came of a replay.
public struct ReplayResult: Sendable {
  public enum Reason: Equatable, Sendable {
    /// The whole trace was replayed; the reason why the recording ended.
    case end(String)
    /// The place asked for was reached.
    case until
    /// All that the cut-off recording left was replayed.
    case cutOff
    case diverged(ReplayDivergence)
    /// Everything before the damage was replayed.
    case damaged(TraceError)
    /// A client sent `quit`, or `requestQuit` was called.
    case quit
    /// The machine could not be reset.
    case failed(String)
  }
  public var reason: Reason
  public var instant: Instant
  /// Events of the trace that were met.
  public var events: UInt64
  /// Nanoseconds since power-on.
  public var virtualTime: UInt64
  /// Seconds of host time.
  public var hostTime: Double
  public var instructions: UInt64 { instant.instructionCount }
  public var divergence: ReplayDivergence? {
    if case .diverged(let divergence) = reason { return divergence }
    return nil
  }
}

/// Runs a trace's machine again: the inputs come from the trace, and every witness is compared with it.
///
/// Clients steer the replay with `stop`, `cont` and `quit`, which change neither machine nor trace; all other changes are
/// refused.
public final class ReplaySession: Session {
  public let reader: TraceReader
  public let images: MachineImages
  var matcher: WitnessMatcher
  var inputs: EventCursor
  var nextInput: TraceEvent?
  var target: StopTarget
  var hasStarted = false
  private var wantsQuit = false
  /// QMP's `replay-break`: an instruction count at which the replay pauses, once.
  private var breakpoint: UInt64?
  /// A client has stopped the replay, or it holds at its target.
  private var isHeld = false
  private var accumulatedTime = 0.0
  var ended: ReplayResult.Reason?
  var missed: ReplayDivergence?
  /// Whether somebody who looks on wants the replay to come to rest where it is. Asked between slices.
  var wantsRest: (() -> Bool)?
  /// Comes to rest at this instruction count, too.
  var restCount = UInt64.max
  /// Whether a replay that has reached its target stays there for its clients; asked now and then. On the machine's
  /// thread.
  public var shouldHold: (() -> Bool)?

  /// Opens a trace and builds its machine.
  /// - Parameters:
  ///   - imagePaths: files that may be the images that the trace does not carry; the names in its header are tried, too.
  ///   - until: where to stop.
  ///   - tee: takes every event once it has been compared.
  /// - Throws: `TraceError`, `SessionError`, and what `Machine.init` throws.
  public init(path: String, imagePaths: [String] = [], until target: StopTarget = .end) throws {
    reader = try TraceReader(path: path)
    let setup = try RunSetup(of: reader)
    images = try ImageLoader.images(of: reader, paths: imagePaths)
    self.target = target
    matcher = WitnessMatcher(reader.events())
    inputs = reader.events(inputsOnly: true)
    let (machine, funnel) = try Self.build(setup, images)
    super.init(setup: setup, machine: machine, funnel: funnel, path: path)
    self.funnel.sink = matcher
    // The machine fetches what its drives give by itself, when it comes to that.
    self.funnel.driveSource = RecordedDrives(reader.events(inputsOnly: true))
  }

  override var mode: MachinePosition.Mode { .play }

  /// Whether the recording was cut off, so that the trace ends before the run did.
  public var isCutOff: Bool { reader.isCutOff }

  // MARK: Any thread

  public func start() { startThread { [self] in result = replay() } }
  public func wait() -> ReplayResult {
    waitForThread()
    return result!
  }
  private var result: ReplayResult?

  /// Sets the target before the start, then runs.
  func run(until target: StopTarget) -> ReplayResult {
    self.target = target
    return run()
  }

  /// `start` and `wait`: goes to the target on a thread of its own and comes back. Then the machine may be looked at from
  /// the calling thread.
  public func run() -> ReplayResult {
    start()
    return wait()
  }

  /// Goes on from where `run` came back, to another target that must not lie before. On the calling thread.
  public func resume(until target: StopTarget) -> ReplayResult {
    self.target = target
    if ended == .until { ended = nil }
    return replay()
  }

  /// Ends the replay as soon as the machine's thread looks.
  public func requestQuit() {
    mailbox.post { machine in (machine as? ReplaySession)?.wantsQuit = true }
  }

  // MARK: The machine's thread

  private func replay() -> ReplayResult {
    let start = DispatchTime.now().uptimeNanoseconds
    prepare()
    while ended == nil { ended = step() }
    funnel.flushOutput()
    accumulatedTime += Double(DispatchTime.now().uptimeNanoseconds &- start) / 1e9
    if ended != .until { mailbox.close(for: self) }
    return ReplayResult(
      reason: ended ?? .quit, instant: instant, events: matcher.eventCount, virtualTime: machine.virtualTime,
      hostTime: accumulatedTime)
  }

  /// What comes before the first step.
  func prepare() {
    guard !hasStarted else { return }
    hasStarted = true
    takeInput()
    witnessStart()
    if !setup.startPaused { carryOut(control.start()) }
  }

  /// One step of the replay. - Returns: why it is over, or nil.
  func step() -> ReplayResult.Reason? {
    mailbox.empty(for: self)
    if wantsQuit { return .quit }
    if let failure = funnel.failure { return reason(of: failure) }
    if let missed { return .diverged(missed) }
    if let resetFailure { return .failed("the machine cannot be started again: \(resetFailure)") }
    if let wantsRest, wantsRest() || machine.instructionCount >= restCount { return .until }
    if let ending = control.ending { return finish(ending) }
    if isHeld {
      funnel.flushOutput()
      mailbox.wait(nanoseconds: 100_000_000)
      return nil
    }
    if let count = breakpoint, machine.instructionCount >= count {
      breakpoint = nil
      isHeld = true
      if control.isRunning { mailbox.tell(.stop) }
      return nil
    }
    if isReached {
      guard let shouldHold, shouldHold() else { return .until }
      return hold()
    }
    if isAtRecordedEnd { return .cutOff }
    if let input = nextInput {
      let now = instant
      if input.instant == now {
        apply(input)
        return nil
      }
      if input.instant < now { return .diverged(divergence(expected: input)) }
    }
    guard control.isRunning else { return nothingMore() }
    switch advance(to: limit) {
    case .idle(let next): return idle(until: next)
    case .dead:
      if let input = nextInput, input.instant == instant { return nil }
      return funnel.failure == nil ? nothingMore() : nil
    default: return nil
    }
  }

  /// How far the machine may run before somebody has to look.
  private var limit: UInt64 {
    let count = machine.instructionCount
    var limit = min(sliceEnd, max(restCount, count &+ 1))
    if let input = nextInput { limit = min(limit, bound(input.instant)) }
    if let breakpoint { limit = min(limit, max(breakpoint, count &+ 1)) }
    switch target {
    case .instant(let instant): limit = min(limit, bound(instant))
    case .instructionCount(let end): limit = min(limit, end)
    case .virtualTime(let time):
      let left = time &- min(time, machine.virtualTime)
      let shift = setup.configuration.timeShift
      limit = min(limit, count &+ left >> shift &+ (left & (1 << shift &- 1) == 0 ? 0 : 1))
    case .end, .beforeEnd: break
    }
    if isCutOff, let last = reader.summary?.last {
      limit = min(limit, max(last.instructionCount, count &+ 1))
    }
    return max(limit, count &+ 1)
  }

  /// The count up to which the machine runs to meet an instant. One with the same count and more added time lies behind
  /// idle time: the next call finds the guest idle before it could retire anything.
  private func bound(_ instant: Instant) -> UInt64 {
    instant.instructionCount > machine.instructionCount
      ? instant.instructionCount : machine.instructionCount &+ 1
  }

  private func idle(until next: UInt64?) -> ReplayResult.Reason? {
    if funnel.failure != nil { return nil }
    if let input = nextInput, input.instant == instant { return nil }
    guard let next else { return nothingMore() }
    if case .virtualTime(let time) = target, next > time {
      // The jump would pass the time: this is the last place before it.
      target = .instant(instant)
      return nil
    }
    if case .instant(let end) = target, end.instructionCount == machine.instructionCount,
      end.addedTime < machine.addedTime &+ (next &- min(next, machine.virtualTime))
    {
      // An instant within idle time.
      target = .instant(instant)
      return nil
    }
    if isCutOff, (try? matcher.isAtEnd()) == true { return .cutOff }
    if let input = nextInput, input.instant.instructionCount == machine.instructionCount,
      input.instant.addedTime > machine.addedTime,
      input.instant.addedTime &- machine.addedTime < next &- min(next, machine.virtualTime)
    {
      // The recording's idle time was cut short by an input, such as the end at a limit of time.
      skipIdle(to: machine.virtualTime &+ (input.instant.addedTime &- machine.addedTime))
      return nil
    }
    skipIdle(to: next)
    return nil
  }

  /// The machine stands still, and the trace has no input here.
  private func nothingMore() -> ReplayResult.Reason {
    if isCutOff { return .cutOff }
    if case .damaged(let error) = reader.ending { return .damaged(error) }
    return .diverged(divergence(expected: nextInput))
  }

  var isReached: Bool {
    switch target {
    case .instant(let end): return instant >= end
    case .instructionCount(let end): return machine.instructionCount >= end
    case .virtualTime(let end): return machine.virtualTime >= end
    case .end: return false
    case .beforeEnd: return nextInput.map { $0.instant == instant && isEnding($0) } ?? false
    }
  }

  /// Whether an input is one that ends the run here.
  private func isEnding(_ input: TraceEvent) -> Bool {
    guard case .command(_, let json) = input.body, let command = try? LoggedCommand(json) else {
      return false
    }
    switch command {
    case .end: return true
    case .control(let command):
      var next = control
      _ = try? next.perform(command)
      return next.ending != nil
    }
  }

  private var isAtRecordedEnd: Bool {
    guard isCutOff, nextInput == nil else { return false }
    guard let last = reader.summary?.last else { return true }
    guard instant >= last else { return false }
    return (try? matcher.isAtEnd()) ?? false
  }

  // MARK: Inputs

  private func takeInput() {
    // Damage is reported when the comparison comes to it.
    repeat { nextInput = (try? inputs.next()) ?? nil } while nextInput?.kind == .blockData
  }

  private func apply(_ input: TraceEvent) {
    takeInput()
    switch input.body {
    case .serialInput(let port, let bytes): applySerialInput(port: Int(port), bytes: bytes)
    case .networkFrame(let device, let bytes): applyFrame(device: Int(device), bytes: bytes)
    case .idleWait(let nanoseconds):
      // The guest has to be found idle first, as it was.
      let count = machine.instructionCount
      if case .idle = machine.run(until: count &+ 1) { return waitIdle(nanoseconds: nanoseconds) }
      missed = divergence(expected: input)
    case .entropy(Self.seedUse, let bytes) where bytes.count == 8:
      applySeed(bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) })
    case .command(let source, let json): applyCommand(source, json, input)
    case .debuggerWrite(let space, let address, let bytes):
      do { try applyDebuggerWrite(space, address: address, bytes: bytes) } catch {
        missed = divergence(expected: input)
      }
    default: missed = divergence(expected: input)
    }
  }

  private func applyCommand(_ source: UInt32, _ json: String, _ input: TraceEvent) {
    do {
      switch try LoggedCommand(json) {
      case .control(let command):
        try apply(command, source: CommandSource(rawValue: source) ?? .monitor)
      case .end(let reason):
        guard let ending = RunEnding(reason: reason) else { throw ControlError("unknown ending '\(reason)'") }
        applyEnd(ending)
      }
    } catch {
      missed = divergence(expected: input)
    }
  }

  // MARK: Ends

  private func finish(_ ending: RunEnding) -> ReplayResult.Reason {
    do { try matcher.finish() } catch { return reason(of: error) }
    return .end(ending.reason)
  }

  private func reason(of failure: Error) -> ReplayResult.Reason {
    switch failure {
    case let divergence as Divergence:
      if divergence.expected == nil, isCutOff { return .cutOff }
      return .diverged(
        ReplayDivergence(
          instant: divergence.found?.instant ?? instant, rip: funnel.failureRIP ?? rip,
          expected: divergence.expected, found: divergence.found))
    case let error as TraceError: return .damaged(error)
    default: return .failed("\(failure)")
    }
  }

  private func divergence(expected: TraceEvent?) -> ReplayDivergence {
    ReplayDivergence(instant: instant, rip: rip, expected: expected, found: nil)
  }

  /// Stays at the target until a client goes on or leaves.
  private func hold() -> ReplayResult.Reason? {
    isHeld = true
    let wasRunning = control.isRunning
    if wasRunning { mailbox.tell(.stop) }
    while isHeld, !wantsQuit {
      guard shouldHold?() == true else { return .until }
      funnel.flushOutput()
      mailbox.wait(nanoseconds: 100_000_000)
      mailbox.empty(for: self)
    }
    return nil
  }

  // MARK: Clients

  /// A replay that a client has stopped shows as paused.
  public override var runState: RunState {
    isHeld && control.state == .running ? .paused : control.state
  }

  public override func perform(_ command: ControlCommand) throws {
    switch command {
    case .stop:
      guard control.isRunning, !isHeld else { return }
      isHeld = true
      mailbox.tell(.stop)
    case .cont:
      guard isHeld else { return }
      isHeld = false
      if isReached { target = .end }
      mailbox.tell(.resume)
    case .quit:
      mailbox.tell(.shutdown(.hostQMPQuit))
      wantsQuit = true
    default:
      throw ControlError(
        "a replay cannot be changed: '\(command.name)' was not part of the recording; use 'inquest branch' to go another way"
      )
    }
  }

  public override func setReplayBreakpoint(instructionCount: UInt64?) throws { breakpoint = instructionCount }

  /// Forward only: going back needs checkpoints, which `inquest debug` has.
  public override func replaySeek(instructionCount: UInt64) throws {
    let now = machine.instructionCount
    guard instructionCount >= now else {
      throw ControlError(
        "cannot seek to the specified instruction count: it lies before \(now), and a replay goes forward; "
          + "'inquest debug' goes back")
    }
    guard instructionCount > now else { return }
    breakpoint = instructionCount
    if isHeld { try perform(.cont) }
  }

  // MARK: Branches

  /// From here on every event that was compared goes to `sink`, too. Before the start only.
  func copyEvents(to sink: EventSink) { funnel.sink = TeeSink(matcher, sink) }
}

extension RunSetup {
  /// What a trace's header says of its machine.
  public init(of reader: TraceReader) throws {
    guard reader.header.machineVersion == Session.machineVersion else {
      throw SessionError.machineVersion(
        path: reader.path, found: reader.header.machineVersion, supported: Session.machineVersion)
    }
    do { self = try reader.header.machine.decode(as: RunSetup.self) } catch {
      throw SessionError.unknownMachine(path: reader.path, reason: "\(error)")
    }
  }
}
