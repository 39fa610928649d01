import Foundation
import PC
import Trace
import X86Core
import X86System

/// What a run is set up with, beside the images; the header of a trace holds it as JSON.
public struct RunSetup: Codable, Equatable, Sendable {
  public var configuration: MachineConfiguration
  /// `-action`, `-no-reboot`, `-no-shutdown`.
  public var actions = ActionSettings()
  /// `-S`: the machine waits for `cont`.
  public var startPaused = false
  /// `-name`.
  public var name: String?
  public var uuid = "00000000-0000-0000-0000-000000000000"
  /// `-machine panic-policy=`; nil for today's.
  public var panicRules: PanicRules?

  public init(configuration: MachineConfiguration) { self.configuration = configuration }
}

/// A machine, its run state, and the way between it and its surroundings: what a recording and a replay have in common.
///
/// All but `mailbox`, `start`, `wait` and what says so is for the machine's own thread.
public class Session: ControlledMachine {
  /// The meaning of instructions, timing and devices. A trace replays on the machine version that recorded it.
  public static let machineVersion: UInt64 = 2
  /// Of this program.
  public static let version = "0.1.0"
  /// A digest of the state is taken when the instruction count passes a multiple of this.
  public static let digestInterval: UInt64 = 1 << 26
  /// Instructions between two looks at the mailbox.
  static let slice: UInt64 = 1 << 20

  public let setup: RunSetup
  public let machine: Machine
  public let mailbox: Mailbox
  /// The trace's path, when there is one.
  public let path: String?
  public internal(set) var control: RunControl
  let funnel: Funnel
  var nextDigest = Session.digestInterval

  /// Writes a core for QMP's `dump-guest-memory`; gives the bytes written. Set by who has a writer of cores.
  public var dumper:
    (
      (
        _ session: Session, _ target: DumpTarget, _ format: String, _ paging: Bool, _ range: Range<UInt64>?,
        _ progress: @escaping @Sendable (_ completed: UInt64, _ total: UInt64) -> Void
      ) throws -> UInt64
    )?
  /// Bytes that a serial port (0 is COM1) or debug console (0x100 + index) sent. On the machine's thread.
  public var onOutput: ((_ port: Int, _ bytes: [UInt8]) -> Void)? {
    get { funnel.onOutput }
    set { funnel.onOutput = newValue }
  }
  /// A network card (0 is the first) has sent or received a frame. On the machine's thread.
  public var onFrame: ((_ device: Int, _ isSent: Bool, _ bytes: [UInt8]) -> Void)? {
    get { funnel.onFrame }
    set { funnel.onFrame = newValue }
  }
  /// Told now and then how far the run is. On the machine's thread.
  public var onProgress: ((Instant) -> Void)?

  init(setup: RunSetup, machine: Machine, funnel: Funnel, path: String?) {
    self.setup = setup
    self.path = path
    self.machine = machine
    self.funnel = funnel
    mailbox = Mailbox()
    control = RunControl(actions: setup.actions, panicRules: setup.panicRules ?? .reversible)
  }

  /// Builds a machine and the funnel that it reports to.
  /// - Throws: what `Machine.init` throws.
  static func build(_ setup: RunSetup, _ images: MachineImages) throws -> (machine: Machine, funnel: Funnel) {
    let funnel = Funnel()
    let machine = try Machine(configuration: setup.configuration, images: images, world: funnel)
    funnel.machine = machine
    return (machine, funnel)
  }

  /// Goes on with another session's machine, as a branch does.
  init(continuing other: Session, path: String?) {
    setup = other.setup
    self.path = path
    mailbox = other.mailbox
    control = other.control
    funnel = other.funnel
    machine = other.machine
    nextDigest = other.nextDigest
    dumper = other.dumper
    onProgress = other.onProgress
  }

  /// The place where the run stands.
  public var instant: Instant { funnel.now }
  /// RIP of the next instruction.
  public var rip: UInt64 { machine.processorState.rip }

  // MARK: The machine's thread

  private let finished = NSCondition()
  private var isFinished = false

  /// Runs `body` on a new thread with a large stack. `wait` waits for its end.
  func startThread(_ body: @escaping () -> Void) {
    let thread = Thread { [self] in
      body()
      finished.lock()
      isFinished = true
      finished.broadcast()
      finished.unlock()
    }
    thread.name = "inquest-machine"
    thread.stackSize = 64 << 20
    thread.start()
  }

  func waitForThread() {
    finished.lock()
    while !isFinished { finished.wait() }
    finished.unlock()
  }

  // MARK: Running

  /// Runs to `limit` at most and accounts for what the guest did. What the run state machine decides, it does.
  /// - Returns: the stop when it is one that only the caller can deal with: idle, dead, a requested stop.
  func advance(to limit: UInt64) -> MachineStop {
    let stop = machine.run(until: limit)
    digestIfDue()
    tellClockChange()
    switch stop {
    case .panicEvent(let byte):
      carryOut(control.panicEvent(byte))
      didStopAtPanic()
    case .powerOff: carryOut(control.guestPowerOff())
    case .resetRequested: carryOut(control.guestReset())
    case .debugExit(let status): carryOut(control.debugExit(status: status))
    case .watchdog: carryOut(control.watchdogExpired())
    case .limit, .idle, .dead, .stopRequested: return stop
    }
    return .limit
  }

  private var clockOffset: Int64 = 0

  /// The monitors are told when the guest has set its clock. That is no witness: they are told some time after it.
  private func tellClockChange() {
    let offset = machine.clockOffset
    guard offset != clockOffset else { return }
    clockOffset = offset
    mailbox.tell(.rtcChange(offset: offset))
  }

  /// Where the next slice ends.
  var sliceEnd: UInt64 { (machine.instructionCount | (Self.slice &- 1)) &+ 1 }

  /// Virtual time of an idle guest jumps to its next timer.
  func skipIdle(to time: UInt64) {
    let now = machine.virtualTime
    guard time > now else { return }
    funnel.witness(.idleSkip(nanoseconds: time &- now))
    machine.skipIdle(to: time)
  }

  /// Virtual time of an idle guest goes on by what the host's clock says.
  func waitIdle(nanoseconds: UInt64) {
    funnel.input(.idleWait(nanoseconds: nanoseconds))
    machine.skipIdle(to: machine.virtualTime &+ nanoseconds)
  }

  // MARK: Inputs

  /// Logs a command and applies it.
  /// - Throws: a `ControlError` when it is refused; nothing is logged then.
  func apply(_ command: ControlCommand, source: CommandSource) throws {
    var next = control
    let effects = try next.perform(command)
    funnel.input(.command(monitor: source.rawValue, json: LoggedCommand.control(command).json))
    control = next
    carryOut(effects)
  }

  /// Logs that the session ends the run, and ends it.
  func applyEnd(_ ending: RunEnding) {
    guard control.ending == nil else { return }
    funnel.input(
      .command(monitor: CommandSource.host.rawValue, json: LoggedCommand.end(reason: ending.reason).json))
    if case .shutdown(let cause, _) = ending {
      carryOut(control.quit(cause))
    } else {
      carryOut(control.end(ending))
    }
  }

  /// Bytes for a serial port that has room for them.
  func applySerialInput(port: Int, bytes: [UInt8]) {
    funnel.input(.serialInput(port: UInt32(truncatingIfNeeded: port), bytes: bytes))
    _ = machine.serialInput(port: port, bytes: bytes)
  }

  /// A frame for a network card.
  func applyFrame(device: Int, bytes: [UInt8]) {
    funnel.input(.networkFrame(device: UInt32(truncatingIfNeeded: device), bytes: bytes))
    funnel.onFrame?(device, false, bytes)
    machine.receiveFrame(device: device, bytes: bytes)
  }

  /// Entropy, chaos and scheduling are drawn from another seed from here on.
  func applySeed(_ seed: UInt64) {
    let bytes = (0..<8).map { UInt8(truncatingIfNeeded: seed >> (8 * UInt64($0))) }
    funnel.input(.entropy(use: Self.seedUse, bytes: bytes))
    machine.reseed(seed)
  }
  static let seedUse = "seed"

  // MARK: Effects

  func carryOut(_ effects: [RunControl.Effect]) {
    var hasStopped = false
    for effect in effects {
      switch effect {
      case .state(let from, let to, let reason):
        funnel.witness(.runState(from: from.rawValue, to: to.rawValue, reason: reason))
        if from == .running { hasStopped = true }
      case .event(let event): emit(event)
      case .marker(let marker):
        funnel.witness(.marker(marker.kind, text: text(of: marker)))
        didMark(marker)
      case .resetMachine:
        do {
          try machine.reset()
          witnessStart()
        } catch { resetFailure = error }
      case .pressPowerButton: machine.pressPowerButton()
      case .injectNMI: machine.injectNMI()
      case .end(let ending):
        if hasStopped { funnel.witness(.digest(digest())) }
        hasStopped = false
        funnel.witness(.endState(reason: ending.reason, digest: digest()))
      }
    }
    if hasStopped { funnel.witness(.digest(digest())) }
  }

  /// The guest has written pvpanic's port, and what follows from it has been logged.
  func didStopAtPanic() {}

  /// Something of interest has just been logged.
  func didMark(_ marker: RunControl.Marker) {}

  /// Why the machine could not be started again.
  var resetFailure: Error?

  private func text(of marker: RunControl.Marker) -> String {
    switch marker {
    case .panic, .crashLoaded, .pvShutdown: return "rip 0x" + String(rip, radix: 16)
    case .cont, .reset: return ""
    }
  }

  /// Logs an event of the machine and tells the monitors.
  private func emit(_ event: MachineEvent) {
    let (name, json) = event.logged
    funnel.witness(.machineEvent(name: name, json: json))
    funnel.flushOutput()
    mailbox.tell(event)
  }

  // MARK: Digests

  private func digestIfDue() {
    let count = machine.instructionCount
    guard count >= nextDigest else { return }
    nextDigest = (count / Self.digestInterval &+ 1) &* Self.digestInterval
    // Without a trace nobody asks.
    if funnel.sink != nil { funnel.witness(.digest(digest())) }
    onProgress?(instant)
  }

  /// Where the host has unpacked the kernel, which a replay's host must do alike: a digest of what it has made.
  func witnessStart() {
    if case .unpacked? = machine.fastBootOutcome { funnel.witness(.digest(digest())) }
  }

  /// Hashes the state, and the memory written since the last digest, which begins anew.
  func digest() -> StateDigest {
    guard funnel.sink != nil else { return StateDigest(registers: 0, devices: 0, memory: 0) }
    return StateDigester.digest(of: machine)
  }

  // MARK: ControlledMachine

  public var runState: RunState { control.state }
  public var actions: ActionSettings { control.actions }
  public var position: MachinePosition {
    MachinePosition(
      instructionCount: machine.instructionCount, virtualTime: machine.virtualTime, mode: mode, filename: path
    )
  }
  var mode: MachinePosition.Mode { .none }
  public var name: String? { setup.name }
  public var uuid: String { setup.uuid }
  public var memorySize: UInt64 { setup.configuration.memorySize }

  public func perform(_ command: ControlCommand) throws {
    try refuseWhileRead(command)
    try apply(command, source: .monitor)
  }

  /// Set while another thread reads the machine for a dump.
  private var isBeingRead = false

  /// - Throws: a `ControlError` for what would change the machine under a dump's hands.
  func refuseWhileRead(_ command: ControlCommand) throws {
    guard isBeingRead else { return }
    switch command {
    case .quit, .setAction: return
    default: throw ControlError("There is a dump in process, please wait.")
    }
  }

  public func readPhysical(_ address: UInt64, count: Int) -> [UInt8]? {
    machine.readPhysical(address, count: count)
  }
  public func translate(linear: UInt64, cpu: Int) -> UInt64? { cpu == 0 ? machine.translate(linear) : nil }
  public func boardText(_ topic: BoardTopic) -> String? {
    switch topic {
    case .interruptControllers: return machine.interruptControllersText
    case .memoryTree: return machine.memoryTreeText
    case .deviceTree: return machine.deviceTreeText
    }
  }
  public func hostAddress(ofPhysical address: UInt64) -> UInt64? { machine.hostAddress(ofPhysical: address) }
  public func setReplayBreakpoint(instructionCount: UInt64?) throws {
    throw ControlError("replay breakpoints are not available on this machine")
  }
  public func replaySeek(instructionCount: UInt64) throws {
    throw ControlError("seeking is not available on this machine")
  }
  public func registersText(cpu: Int) -> String {
    guard cpu == 0 else { return "" }
    // The monitor names the processor itself.
    let text = machine.registersText()
    let title = "\nCPU#0\n"
    return text.hasPrefix(title) ? String(text.dropFirst(title.count)) : text
  }

  public func dump(
    to target: DumpTarget, format: String, paging: Bool, range: Range<UInt64>?, isDetached: Bool,
    progress: @escaping @Sendable (UInt64, UInt64) -> Void
  ) throws {
    guard let dumper else { throw ControlError("this machine has no writer of dumps") }
    do {
      let write = { try dumper(self, target, format, paging, range, progress) }
      let count = try isDetached ? whileServing(write) : write()
      mailbox.tell(.dumpCompleted(completed: count, total: count, error: nil))
    } catch let error as ControlError {
      throw error
    } catch {
      mailbox.tell(.dumpCompleted(completed: 0, total: 0, error: "\(error)"))
      throw ControlError("\(error)")
    }
  }

  /// Does something that only reads the machine on another thread; until it is done, what others post is carried out here.
  private func whileServing(_ work: @escaping () throws -> UInt64) throws -> UInt64 {
    final class Box: @unchecked Sendable { var result: Result<UInt64, Error>? }
    let box = Box()
    let lock = NSLock()
    isBeingRead = true
    defer { isBeingRead = false }
    let mailbox = mailbox
    let thread = Thread {
      let result = Result { try work() }
      lock.lock()
      box.result = result
      lock.unlock()
      mailbox.ring()
    }
    thread.stackSize = 8 << 20
    thread.start()
    while true {
      mailbox.empty(for: self)
      lock.lock()
      let result = box.result
      lock.unlock()
      if let result { return try result.get() }
      mailbox.wait(nanoseconds: 20_000_000)
    }
  }
}

extension RunControl.Marker {
  var kind: MarkerKind {
    switch self {
    case .panic: return .panic
    case .crashLoaded: return .crashLoaded
    case .pvShutdown: return .pvShutdown
    case .cont: return .cont
    case .reset: return .reset
    }
  }
}
