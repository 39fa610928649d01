/// QEMU's run states, as `query-status` names them.
public enum RunState: String, Sendable, Codable, CaseIterable {
  case debug, inmigrate, internalError = "internal-error", ioError = "io-error", paused, postmigrate
  case prelaunch, finishMigrate = "finish-migrate", restoreVM = "restore-vm", running
  case saveVM = "save-vm", shutdown, suspended, watchdog, guestPanicked = "guest-panicked", colo
}

/// The whole of QEMU's `-action` table.
public struct ActionSettings: Sendable, Codable, Equatable {
  public enum Panic: String, Sendable, Codable, CaseIterable {
    case pause, shutdown, exitFailure = "exit-failure", none
  }
  public enum Reboot: String, Sendable, Codable, CaseIterable { case reset, shutdown }
  public enum Shutdown: String, Sendable, Codable, CaseIterable { case poweroff, pause }
  public enum Watchdog: String, Sendable, Codable, CaseIterable {
    case reset, shutdown, poweroff, pause, debug, none, injectNMI = "inject-nmi"
  }
  public var panic: Panic = .pause
  public var reboot: Reboot = .reset
  public var shutdown: Shutdown = .poweroff
  public var watchdog: Watchdog = .reset
  public init() {}
}

/// A change of the machine that comes from outside. Each is an input of the trace.
public enum ControlCommand: Sendable, Equatable {
  case stop, cont, systemReset, systemPowerdown, systemWakeup, injectNMI, quit
  /// Only the fields given change.
  case setAction(
    panic: ActionSettings.Panic?, reboot: ActionSettings.Reboot?, shutdown: ActionSettings.Shutdown?,
    watchdog: ActionSettings.Watchdog?)
}

/// Why a command was refused, in QMP's terms.
public struct ControlError: Error, Sendable, Equatable {
  public var errorClass: String
  public var message: String
  public init(_ message: String, errorClass: String = "GenericError") {
    self.errorClass = errorClass
    self.message = message
  }
}

/// What the machine tells its monitors, in the order in which it happened. Timestamps are added by the monitor.
public enum MachineEvent: Sendable, Equatable {
  public enum ShutdownCause: String, Sendable, Codable {
    case hostQMPQuit = "host-qmp-quit", hostQMPSystemReset = "host-qmp-system-reset"
    case hostSignal = "host-signal"
    case guestShutdown = "guest-shutdown", guestReset = "guest-reset", guestPanic = "guest-panic"
    case hostError = "host-error", hostUI = "host-ui"
    /// Whether QMP's `guest` member is true for it.
    public var isGuest: Bool { self == .guestShutdown || self == .guestReset || self == .guestPanic }
  }
  /// `action` is QMP's GuestPanicAction: pause, poweroff, run.
  case guestPanicked(action: String)
  case guestCrashloaded(action: String)
  case guestPVShutdown
  case stop, resume, powerdown, wakeup
  case reset(ShutdownCause)
  case shutdown(ShutdownCause)
  case watchdog(action: String)
  /// The guest has set its clock so many seconds ahead of what it showed at power-on plus virtual time.
  case rtcChange(offset: Int64)
  case dumpCompleted(completed: UInt64, total: UInt64, error: String?)
}

/// `info pic`, `info mtree -f`, `info qtree`.
public enum BoardTopic: Sendable { case interruptControllers, memoryTree, deviceTree }

/// Where a core goes.
public enum DumpTarget: Sendable, Equatable {
  case file(path: String)
  /// An open one, which stays open.
  case descriptor(Int32)
}

/// Where a run stands. See DESIGN: added time is idle time skipped plus extras, in nanoseconds.
public struct MachinePosition: Sendable, Equatable {
  public enum Mode: String, Sendable { case none, record, play }
  public var instructionCount: UInt64
  public var virtualTime: UInt64
  public var mode: Mode
  /// The trace's path, when there is one.
  public var filename: String?
  public init(instructionCount: UInt64, virtualTime: UInt64, mode: Mode, filename: String?) {
    self.instructionCount = instructionCount
    self.virtualTime = virtualTime
    self.mode = mode
    self.filename = filename
  }
}

/// The machine as its surfaces (QMP, HMP, gdb) see it. Only ever used on the machine's own thread, which is the
/// thread on which a mailbox runs what is posted to it.
public protocol ControlledMachine: AnyObject {
  var runState: RunState { get }
  var actions: ActionSettings { get }
  var position: MachinePosition { get }
  /// `-name`, nil when none was given.
  var name: String? { get }
  var uuid: String { get }
  var memorySize: UInt64 { get }
  /// Applies a command at this instant and logs it. In a replay all but stop, cont and quit throw an error that
  /// names `inquest branch`.
  func perform(_ command: ControlCommand) throws
  /// Reads guest-physical RAM; nil where there is none.
  func readPhysical(_ address: UInt64, count: Int) -> [UInt8]?
  /// Walks the page tables of this instant; nil when not mapped.
  func translate(linear: UInt64, cpu: Int) -> UInt64?
  /// QEMU's `info registers` text of a processor.
  func registersText(cpu: Int) -> String
  /// Writes a core. `format` is one of `dump-guest-memory`, already checked. Emits `dumpCompleted` before it returns. A
  /// file that cannot be opened is a ControlError `Could not open 'PATH': REASON`.
  /// - Parameters:
  ///   - isDetached: meanwhile other work that was posted is carried out; what would change the machine is refused.
  ///   - progress: told bytes written and their total, on another thread.
  func dump(
    to target: DumpTarget, format: String, paging: Bool, range: Range<UInt64>?, isDetached: Bool,
    progress: @escaping @Sendable (UInt64, UInt64) -> Void) throws
  /// What the human monitor says about the board, in QEMU's form, lines ended by newlines; nil where nothing is known.
  func boardText(_ topic: BoardTopic) -> String?
  /// Where guest-physical RAM lies in this process; nil where there is none.
  func hostAddress(ofPhysical address: UInt64) -> UInt64?
  /// How many processors there are; one unless a machine says otherwise.
  var cpuCount: Int { get }
  /// Replay only: sets (or with nil deletes) the one breakpoint, at an instruction count.
  func setReplayBreakpoint(instructionCount: UInt64?) throws
  /// Replay only: goes to an instruction count, forwards or back, and stops there.
  func replaySeek(instructionCount: UInt64) throws
}

extension ControlledMachine {
  public var cpuCount: Int { 1 }
  public func boardText(_ topic: BoardTopic) -> String? { nil }
  public func hostAddress(ofPhysical address: UInt64) -> UInt64? { nil }
  public func setReplayBreakpoint(instructionCount: UInt64?) throws {
    throw ControlError("replay breakpoints are not available on this machine")
  }
  public func replaySeek(instructionCount: UInt64) throws {
    throw ControlError("seeking is not available on this machine")
  }
}

/// The way into the machine's thread.
public protocol MachineMailbox: AnyObject, Sendable {
  /// Runs `work` on the machine's thread, in order of arrival, at the next block boundary (at once when stopped).
  func post(_ work: @escaping @Sendable (ControlledMachine) -> Void)
  /// Registers who is told of events, on the machine's thread.
  func observe(_ observer: @escaping @Sendable (MachineEvent) -> Void)
}
