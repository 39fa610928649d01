import Foundation
import PC
import Trace
import X86Core

/// What happens to a guest that has panicked and was paused by `-action`.
public enum PanicPolicy: String, Sendable, CaseIterable {
  /// It waits for a command.
  case wait
  /// The run ends.
  case quit
  /// It goes on.
  case cont
  /// It is reset and starts again.
  case reset
}

/// How a recording deals with its surroundings. Nothing of it is seen by the guest but through inputs.
public struct RecordingOptions: @unchecked Sendable {
  /// Whether somebody can send commands.
  public var hasMonitor = false
  /// Nil: wait where there is a monitor, else quit.
  public var panicPolicy: PanicPolicy?
  /// Idle time is paced by the host's clock: somebody may type. Else virtual time jumps to the next timer.
  public var pacesIdleTime = false
  /// Whether bytes can come to a serial port.
  public var acceptsInput = false
  /// What ends the run from the host's side.
  public var stops: [LiveStop] = []
  /// The state at the first panic goes into the trace when it is closed.
  public var storesPanic = false
  /// What lies behind the machine's drives; nil where there are none.
  public var drives: (any DriveSource)?
  public init() {}
}

/// A condition on which a live run ends.
public enum LiveStop: Equatable, Sendable {
  /// The n-th panic, reset or `cont` from now on.
  case panic(Int)
  case reset(Int)
  case cont(Int)
  /// Virtual time since power-on, in nanoseconds. A limit is a hang where somebody hunts for one.
  case virtualTime(UInt64, isLimit: Bool)
  case instructionCount(UInt64)
}

/// How a recording ended.
public struct RecordingResult: Sendable {
  public var ending: RunEnding
  public var instant: Instant
  /// Nanoseconds since power-on.
  public var virtualTime: UInt64
  /// Instants of the panics, in order.
  public var panics: [Instant]
  /// Seconds of host time.
  public var hostTime: Double
  /// Why the trace ends before the run did, or why the machine could not go on.
  public var failure: String?
  /// What came of storing the state at the panic; nil where there was none.
  public var checkpoint: RecordedCheckpoint?
}

/// A checkpoint that a recording has left in its trace.
public struct RecordedCheckpoint: Equatable, Sendable {
  public var instant: Instant
  /// In the file, in bytes; 0 when it was not stored.
  public var size: UInt64
  /// Seconds of host time that taking and storing it took.
  public var hostTime: Double
  /// Why it was not stored.
  public var failure: String?
}

/// A live machine whose inputs and witnesses are written to a trace, or to nothing (`inquest run`).
public final class RecordingSession: Session {
  public let options: RecordingOptions
  private let writer: TraceWriter?
  private var panics: [Instant] = []
  private var resets = 0
  private var conts = 0
  private let startTime = DispatchTime.now().uptimeNanoseconds
  private var hasAnsweredPanic = false
  private var reportedFailure: String?
  /// Said once, when the trace cannot be written any more. On the machine's thread.
  public var onFailure: ((String) -> Void)?
  /// Applied before the machine starts or goes on.
  var firstCommands: [ControlCommand] = []
  var firstSeed: UInt64?
  /// The seed from which this part of the run draws.
  public var seed: UInt64 { firstSeed ?? setup.configuration.seed }
  private let isContinuation: Bool
  /// Who holds the machine for a debugger.
  var debugger: LiveDebugger?

  private let serialLock = NSLock()
  private var serialQueue: [[UInt8]] = [[], [], [], []]
  private var frameQueue: [(device: Int, bytes: [UInt8])] = []
  /// Frames that wait at most; more are lost, as on a wire.
  private static let frameLimit = 1024

  /// A new machine.
  /// - Parameters:
  ///   - trace: where to write; nil for none. The file is created after the machine.
  ///   - kernelName: what the trace's header calls the kernel.
  ///   - embed: whether the trace carries the images.
  /// - Throws: what `Machine.init` and `TraceWriter.init` throw.
  public init(
    setup: RunSetup, images: MachineImages, trace: String?, options: RecordingOptions = RecordingOptions(),
    kernelName: String = "kernel", embed: Bool = true
  ) throws {
    self.options = options
    isContinuation = false
    var writer: TraceWriter?
    // The machine comes first: when it cannot be built, no file is left behind.
    let (machine, funnel) = try Self.build(setup, images)
    if let trace {
      writer = try TraceWriter(
        path: trace, header: try TraceHeader(recording: setup),
        images: images.sources(kernelName: kernelName, embed: embed))
    }
    self.writer = writer
    super.init(setup: setup, machine: machine, funnel: funnel, path: trace)
    self.funnel.sink = writer
    self.funnel.driveSource = options.drives
  }

  /// Goes live where a replay stands.
  init(continuing replay: Session, writer: TraceWriter, options: RecordingOptions) {
    self.options = options
    self.writer = writer
    isContinuation = true
    super.init(continuing: replay, path: writer.path)
    funnel.sink = writer
    funnel.driveSource = options.drives
  }

  override var mode: MachinePosition.Mode { writer == nil ? .none : .record }

  // MARK: Any thread

  /// Switches the machine on, on a thread of its own.
  public func start() { startThread { [self] in main() } }

  /// Waits for the end of the run.
  public func wait() -> RecordingResult {
    waitForThread()
    return result!
  }

  /// `start` and `wait`.
  public func run() -> RecordingResult {
    start()
    return wait()
  }

  /// Ends the run as soon as the machine's thread looks: SIGINT and SIGTERM are `hostSignal`.
  public func requestQuit(cause: MachineEvent.ShutdownCause) {
    mailbox.post { machine in
      (machine as? Session)?.applyEnd(.shutdown(cause, isFailure: false))
    }
  }

  /// Bytes that somebody typed at a serial port (0 is COM1). They wait until the port can take them.
  public func sendSerial(port: Int, bytes: [UInt8]) {
    serialLock.lock()
    if serialQueue.indices.contains(port) { serialQueue[port] += bytes }
    serialLock.unlock()
    mailbox.ring()
  }

  /// A frame from a network, for a card (0 is the first).
  public func sendFrame(device: Int, bytes: [UInt8]) {
    serialLock.lock()
    if frameQueue.count < Self.frameLimit { frameQueue.append((device, bytes)) }
    serialLock.unlock()
    mailbox.ring()
  }

  /// Bytes that wait at a port; a console may hold back its reader.
  public func pendingSerial(port: Int) -> Int {
    serialLock.lock()
    defer { serialLock.unlock() }
    return serialQueue.indices.contains(port) ? serialQueue[port].count : 0
  }

  // MARK: The machine's thread

  private var result: RecordingResult?

  private func main() {
    if storesPanic { machine.processor.setJournal(nil) }
    if !isContinuation {
      witnessStart()
      if !setup.startPaused { carryOut(control.start()) }
    } else {
      if let firstSeed { applySeed(firstSeed) }
      for command in firstCommands {
        do { try apply(command, source: .policy) } catch {
          report("'\(command.name)' was refused: \((error as? ControlError)?.message ?? "\(error)")")
        }
      }
    }
    while control.ending == nil {
      mailbox.empty(for: self)
      guard control.ending == nil, !checkFailure() else { continue }
      if isStopReached { applyEnd(stopEnding) } else { step() }
    }
    finish()
  }

  private func step() {
    if let debugger, debugger.holdsMachine() {
      funnel.flushOutput()
      return mailbox.wait(nanoseconds: nil)
    }
    guard control.isRunning else {
      funnel.flushOutput()
      if answerPanic() { return }
      // Nobody could let a stopped machine go on.
      guard options.hasMonitor || options.panicPolicy == .wait else { return goOnAlone() }
      mailbox.wait(nanoseconds: nil)
      return
    }
    hasAnsweredPanic = false
    offerFrames()
    let isWaiting = offerSerial()
    // While somebody's bytes wait for room, it is looked for more often.
    let count = machine.instructionCount
    var limit = isWaiting ? min(sliceEnd, count &+ 1 << 14) : sliceEnd
    for stop in options.stops {
      switch stop {
      case .instructionCount(let end): limit = min(limit, max(end, count &+ 1))
      case .virtualTime(let end, _):
        let shift = setup.configuration.timeShift
        let left = (end &- min(end, machine.virtualTime)) >> shift &+ 1
        limit = min(limit, count &+ left)
      case .panic, .reset, .cont: break
      }
    }
    if let debugger { limit = debugger.limit(limit) }
    switch advance(to: limit) {
    case .idle(let next): idle(until: next)
    case .dead: stand()
    default: break
    }
  }

  /// The guest waits for an interrupt.
  private func idle(until next: UInt64?) {
    funnel.flushOutput()
    let now = machine.virtualTime
    guard options.pacesIdleTime else {
      guard let next else { return stand() }
      var time = next
      for case .virtualTime(let end, _) in options.stops where end > now { time = min(time, end) }
      return skipIdle(to: time)
    }
    if offerSerialNow() { return }
    let start = DispatchTime.now().uptimeNanoseconds
    mailbox.wait(nanoseconds: next.map { $0 &- min($0, now) })
    let passed = DispatchTime.now().uptimeNanoseconds &- start
    if let next, passed >= next &- min(next, now) {
      skipIdle(to: next)
    } else if passed > 0 {
      waitIdle(nanoseconds: passed)
    }
  }

  /// Nothing within the machine will ever happen again.
  private func stand() {
    funnel.flushOutput()
    if !options.hasMonitor && !options.acceptsInput { return applyEnd(.guestDead) }
    if !offerSerialNow() { mailbox.wait(nanoseconds: nil) }
  }

  // MARK: Serial input

  /// Gives ports what they can take. - Returns: whether more is waiting.
  private func offerSerial() -> Bool {
    serialLock.lock()
    defer { serialLock.unlock() }
    var isWaiting = false
    for port in serialQueue.indices where !serialQueue[port].isEmpty {
      var taken = 0
      while taken < serialQueue[port].count, machine.canReceiveSerial(port) {
        applySerialInput(port: port, bytes: [serialQueue[port][taken]])
        taken += 1
      }
      serialQueue[port].removeFirst(taken)
      if !serialQueue[port].isEmpty { isWaiting = true }
    }
    return isWaiting
  }

  /// Gives network cards what has come in.
  private func offerFrames() {
    serialLock.lock()
    let frames = frameQueue
    frameQueue.removeAll()
    serialLock.unlock()
    for frame in frames { applyFrame(device: frame.device, bytes: frame.bytes) }
  }

  /// Whether a byte is waiting that its port would take, or a frame.
  private func offerSerialNow() -> Bool {
    serialLock.lock()
    defer { serialLock.unlock() }
    return !frameQueue.isEmpty
      || serialQueue.indices.contains { !serialQueue[$0].isEmpty && machine.canReceiveSerial($0) }
  }

  // MARK: Policies and ends

  /// - Returns: whether something was done.
  private func answerPanic() -> Bool {
    guard control.state == .guestPanicked, !hasAnsweredPanic else { return false }
    hasAnsweredPanic = true
    let policy = options.panicPolicy ?? (options.hasMonitor ? .wait : .quit)
    let commands: [ControlCommand]
    switch policy {
    case .wait: return false
    case .quit: commands = [.quit]
    case .cont: commands = [.cont]
    case .reset: commands = [.systemReset, .cont]
    }
    for command in commands where control.ending == nil { try? apply(command, source: .policy) }
    return true
  }

  /// A machine that stands and that nobody can command: a branch that was reset starts again, everything else ends.
  private func goOnAlone() {
    if isContinuation, control.state == .prelaunch, (try? apply(.cont, source: .policy)) != nil { return }
    applyEnd(.guestDead)
  }

  // MARK: The checkpoint at the panic

  private var storesPanic: Bool { options.storesPanic && !isContinuation && writer != nil && isStorable }
  private var panicState: (instant: Instant, data: Data)?
  private var checkpointTime = 0.0
  /// A guest that has written more than this gets no checkpoint, in pages.
  private static let mostStoredPages = 1 << 18

  override func didStopAtPanic() {
    guard storesPanic, panicState == nil, control.state != .running, control.ending == nil, funnel.sink != nil,
      let writer
    else { return }
    let start = DispatchTime.now().uptimeNanoseconds
    let memory = machine.memory
    // Marks were cleared at the start: what the guest has not written is as it was then.
    let pages = (0..<memory.pageCount).filter { memory.pageFlags[$0] & GuestMemory.PageFlags.touched != 0 }
    guard pages.count <= Self.mostStoredPages else { return }
    let place = WitnessMatcher.State(eventCount: writer.eventCount)
    if let data = try? StoredState.encode(self, place, pages: pages.map { UInt32(truncatingIfNeeded: $0) }) {
      panicState = (instant, data)
    }
    checkpointTime = Double(DispatchTime.now().uptimeNanoseconds &- start) / 1e9
  }

  private func storeCheckpoint() -> RecordedCheckpoint? {
    guard let panicState, let writer, reportedFailure == nil else { return nil }
    let start = DispatchTime.now().uptimeNanoseconds
    var checkpoint = RecordedCheckpoint(instant: panicState.instant, size: 0, hostTime: checkpointTime, failure: nil)
    do {
      let appender = try CheckpointAppender(path: writer.path)
      checkpoint.size = try appender.add(at: panicState.instant, panicState.data)
      try appender.close()
    } catch { checkpoint.failure = "\(error)" }
    checkpoint.hostTime += Double(DispatchTime.now().uptimeNanoseconds &- start) / 1e9
    self.panicState = nil
    return checkpoint
  }

  override func didMark(_ marker: RunControl.Marker) {
    switch marker {
    case .panic: panics.append(instant)
    case .reset: resets += 1
    case .cont: conts += 1
    case .crashLoaded, .pvShutdown: break
    }
  }

  private var stopEnding: RunEnding {
    for case .virtualTime(let end, true) in options.stops where machine.virtualTime >= end {
      return .timeLimit
    }
    return .until
  }

  private var isStopReached: Bool {
    options.stops.contains {
      switch $0 {
      case .panic(let count): return panics.count >= count
      case .reset(let count): return resets >= count
      case .cont(let count): return conts >= count
      case .virtualTime(let end, _): return machine.virtualTime >= end
      case .instructionCount(let count): return machine.instructionCount >= count
      }
    }
  }

  /// Looks whether trace and machine are still sound; if not, stops the machine.
  /// - Returns: whether the loop is to begin anew.
  private func checkFailure() -> Bool {
    if reportedFailure != nil {
      if !options.hasMonitor {
        applyEnd(.traceFailed)
        return true
      }
      return false
    }
    if let failure = funnel.failure ?? writer?.failure {
      funnel.sink = nil
      report("\(failure); the machine is stopped, what was recorded until then is kept")
    } else if let failure = resetFailure {
      report("the machine cannot be started again: \(failure)")
    } else {
      return false
    }
    carryOut(control.hostFailed())
    return true
  }

  private func report(_ failure: String) {
    guard reportedFailure == nil else { return }
    reportedFailure = failure
    onFailure?(failure)
  }

  public override func perform(_ command: ControlCommand) throws {
    if command == .cont, let reportedFailure { throw ControlError(reportedFailure) }
    if command == .cont, let debugger, debugger.isHeld {
      debugger.wasContinued()
      if control.state == .running { return mailbox.tell(.resume) }
    }
    try super.perform(command)
  }

  public override var runState: RunState { debugger?.shownState(control.state) ?? control.state }

  private func finish() {
    funnel.flushOutput()
    debugger?.ended(status: control.ending?.exitStatus ?? 0)
    mailbox.close(for: self)
    let instant = instant
    do { try writer?.close() } catch {
      if reportedFailure == nil { report("\(error)") }
    }
    let hostTime = Double(DispatchTime.now().uptimeNanoseconds &- startTime) / 1e9
    result = RecordingResult(
      ending: control.ending ?? .until, instant: instant, virtualTime: machine.virtualTime, panics: panics,
      hostTime: hostTime, failure: reportedFailure, checkpoint: storeCheckpoint())
  }
}

extension TraceHeader {
  /// The header of a new recording.
  init(recording setup: RunSetup, parent: TraceParent? = nil) throws {
    let formatter = ISO8601DateFormatter()
    self.init(
      machineVersion: Session.machineVersion, inquestVersion: Session.version,
      created: formatter.string(from: Date()), seed: setup.configuration.seed,
      machine: try JSONValue(encoding: setup), parent: parent)
  }
}

extension MachineImages {
  /// The images as a trace takes them: `kernel`, `initrd`, `initrd1`, …, `bios`, `vga-rom`, `kernel-rom`.
  func sources(kernelName: String, embed: Bool) -> [ImageSource] {
    var sources: [ImageSource] = []
    if let kernel {
      sources.append(ImageSource(name: kernelName, role: "kernel", bytes: kernel, embed: embed))
    }
    for (index, initrd) in initrds.enumerated() {
      sources.append(
        ImageSource(
          name: initrd.name, role: index == 0 ? "initrd" : "initrd\(index)", bytes: initrd.bytes,
          embed: embed))
    }
    func add(_ name: String, _ role: String, _ bytes: [UInt8]?) {
      if let bytes { sources.append(ImageSource(name: name, role: role, data: Data(bytes), embed: embed)) }
    }
    add(biosName, "bios", bios)
    add(vgaROMName, "vga-rom", vgaROM)
    if let kernelROM { add(kernelROM.name, "kernel-rom", kernelROM.bytes) }
    return sources
  }
}
