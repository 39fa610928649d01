/// The run state machine: QEMU's states, transitions and events, without a machine. Commands and what the guest does go
/// in, effects come out in the order in which they happen.
public struct RunControl: Sendable, Equatable {
  /// What is to be done, in order.
  public enum Effect: Equatable, Sendable {
    case state(from: RunState, to: RunState, reason: String)
    case event(MachineEvent)
    case marker(Marker)
    /// The board is reset.
    case resetMachine
    case pressPowerButton
    case injectNMI
    /// The run is over.
    case end(RunEnding)
  }
  public enum Marker: Equatable, Sendable { case panic, crashLoaded, pvShutdown, cont, reset }

  public private(set) var state = RunState.prelaunch
  public private(set) var actions: ActionSettings
  /// Set once the run is over.
  public private(set) var ending: RunEnding?

  /// What may be done with a guest that has panicked.
  public let panicRules: PanicRules

  public init(actions: ActionSettings = ActionSettings(), panicRules: PanicRules = .reversible) {
    self.actions = actions
    self.panicRules = panicRules
  }

  public var isRunning: Bool { state == .running && ending == nil }

  /// Goes to a state that a run was in before it was over.
  mutating func restore(state: RunState, actions: ActionSettings) {
    self.state = state
    self.actions = actions
    ending = nil
  }

  // MARK: Commands

  /// The machine is switched on without `-S`.
  public mutating func start() -> [Effect] { change(to: .running, reason: "start") }

  /// - Throws: a `ControlError` when the command is refused; nothing has changed then.
  public mutating func perform(_ command: ControlCommand) throws -> [Effect] {
    switch command {
    case .stop:
      guard state == .running else { return [] }
      return change(to: .paused, reason: "stop") + [.event(.stop)]
    case .cont: return try cont()
    case .systemReset:
      if actions.reboot == .shutdown { return shutdown(.hostQMPSystemReset) }
      return reset(.hostQMPSystemReset)
    case .systemPowerdown: return [.event(.powerdown), .pressPowerButton]
    case .systemWakeup:
      guard state == .suspended else {
        throw ControlError("Unable to wake up: guest is not in suspended state")
      }
      return change(to: .running, reason: "wakeup") + [.event(.wakeup)]
    case .injectNMI: return [.injectNMI]
    case .quit: return quit(.hostQMPQuit)
    case .setAction(let panic, let reboot, let shutdown, let watchdog):
      actions.panic = panic ?? actions.panic
      actions.reboot = reboot ?? actions.reboot
      actions.shutdown = shutdown ?? actions.shutdown
      actions.watchdog = watchdog ?? actions.watchdog
      return []
    }
  }

  private mutating func cont() throws -> [Effect] {
    switch state {
    case _ where needsReset: throw ControlError("Resetting the Virtual Machine is required")
    case .running, .suspended: return []
    default:
      return [.marker(.cont)] + change(to: .running, reason: "cont") + [.event(.resume)]
    }
  }

  /// Whether nothing but a reset leads out of the present state.
  public var needsReset: Bool {
    switch state {
    case .internalError, .shutdown: return true
    case .guestPanicked: return panicRules == .qemu1_6
    default: return false
    }
  }

  /// The end that nothing holds up: `quit`, a signal.
  public mutating func quit(_ cause: MachineEvent.ShutdownCause) -> [Effect] {
    actions.shutdown = .poweroff
    return shutdown(cause)
  }

  /// The session ends the run for a reason of its own; no event is sent.
  public mutating func end(_ ending: RunEnding) -> [Effect] {
    guard self.ending == nil else { return [] }
    self.ending = ending
    return [.end(ending)]
  }

  /// The machine cannot go on because the host let it down, such as a full disk.
  public mutating func hostFailed() -> [Effect] {
    guard state == .running else { return [] }
    return change(to: .ioError, reason: "host") + [.event(.stop)]
  }

  // MARK: The guest

  /// The guest wrote `byte` to a pvpanic port: the lowest known bit acts, the others are ignored.
  public mutating func panicEvent(_ byte: UInt8) -> [Effect] {
    if byte & PanicBit.panicked != 0 { return panicked() }
    if byte & PanicBit.crashLoaded != 0 {
      return [.marker(.crashLoaded), .event(.guestCrashloaded(action: "run"))]
    }
    if byte & PanicBit.shutdown != 0 {
      return [.marker(.pvShutdown), .event(.guestPVShutdown)] + shutdown(.guestShutdown)
    }
    return []
  }

  private mutating func panicked() -> [Effect] {
    let effects: [Effect] = [.marker(.panic)]
    switch actions.panic {
    case .none: return effects + [.event(.guestPanicked(action: "run"))]
    case .shutdown where actions.shutdown == .poweroff, .exitFailure:
      return effects + [.event(.guestPanicked(action: "poweroff"))] + shutdown(.guestPanic)
    case .pause, .shutdown:
      return effects + [.event(.guestPanicked(action: "pause"))]
        + change(to: .guestPanicked, reason: "panic") + [.event(.stop)]
    }
  }

  public mutating func guestPowerOff() -> [Effect] { shutdown(.guestShutdown) }

  public mutating func guestReset() -> [Effect] {
    actions.reboot == .shutdown ? shutdown(.guestReset) : reset(.guestReset)
  }

  public mutating func debugExit(status: UInt32) -> [Effect] { end(.debugExit(status: status)) }

  /// The watchdog has run out.
  public mutating func watchdogExpired() -> [Effect] {
    let event = Effect.event(.watchdog(action: actions.watchdog.rawValue))
    switch actions.watchdog {
    case .reset: return [event] + guestReset()
    case .shutdown: return [event, .event(.powerdown), .pressPowerButton]
    case .poweroff: return [event] + end(.shutdown(.guestShutdown, isFailure: false))
    case .pause:
      guard state == .running else { return [event] }
      return [event] + change(to: .watchdog, reason: "watchdog") + [.event(.stop)]
    case .debug, .none: return [event]
    case .injectNMI: return [event, .injectNMI]
    }
  }

  // MARK: Transitions

  private mutating func change(to new: RunState, reason: String) -> [Effect] {
    let old = state
    state = new
    return [.state(from: old, to: new, reason: reason)]
  }

  private mutating func reset(_ cause: MachineEvent.ShutdownCause) -> [Effect] {
    let effects: [Effect] = [.marker(.reset), .resetMachine, .event(.reset(cause))]
    if state == .running || state == .prelaunch { return effects }
    return effects + change(to: panicRules == .qemu1_6 ? .paused : .prelaunch, reason: "reset")
  }

  private mutating func shutdown(_ cause: MachineEvent.ShutdownCause) -> [Effect] {
    guard ending == nil else { return [] }
    let effects: [Effect] = [.event(.shutdown(cause))]
    if actions.shutdown == .pause {
      guard state == .running else { return effects }
      return effects + change(to: .shutdown, reason: cause.rawValue) + [.event(.stop)]
    }
    let ending = RunEnding.shutdown(cause, isFailure: cause == .guestPanic && actions.panic == .exitFailure)
    self.ending = ending
    return effects + [.end(ending)]
  }
}

/// Which QEMU's rules hold for a guest that has panicked: `-machine panic-policy=`.
public enum PanicRules: String, Sendable, Codable, CaseIterable {
  /// Since QEMU 1.7.0: it can be continued.
  case reversible
  /// QEMU 1.6.0: a reset, after which it is paused, is the only way out.
  case qemu1_6 = "qemu-1.6"
}

/// Bits of the pvpanic port, lowest first by priority.
enum PanicBit {
  static let panicked: UInt8 = 1
  static let crashLoaded: UInt8 = 2
  static let shutdown: UInt8 = 4
}

/// Why a run is over.
public enum RunEnding: Equatable, Sendable {
  /// SHUTDOWN was sent, for this cause. A failure is `-action panic=exit-failure`.
  case shutdown(MachineEvent.ShutdownCause, isFailure: Bool)
  /// The guest wrote this status to isa-debug-exit.
  case debugExit(status: UInt32)
  /// HLT with interrupts off, or idle with nothing that could end it, and nobody to send a command.
  case guestDead
  /// The limit of virtual time is over.
  case timeLimit
  /// The place asked for was reached.
  case until
  /// The trace could not be written any more.
  case traceFailed

  /// What the trace says of it.
  public var reason: String {
    switch self {
    case .shutdown(let cause, _): return cause.rawValue
    case .debugExit(let status): return "debug-exit \(status)"
    case .guestDead: return "guest-dead"
    case .timeLimit: return "time-limit"
    case .until: return "until"
    case .traceFailed: return "trace-failed"
    }
  }

  /// The ending of an `x-end` command; nil for a reason that this program does not know.
  init?(reason: String) {
    switch reason {
    case "guest-dead": self = .guestDead
    case "time-limit": self = .timeLimit
    case "until": self = .until
    case "trace-failed": self = .traceFailed
    default:
      guard let cause = MachineEvent.ShutdownCause(rawValue: reason) else { return nil }
      self = .shutdown(cause, isFailure: false)
    }
  }

  /// The process's exit status where the guest chooses it, else 0.
  public var exitStatus: Int32 {
    switch self {
    case .shutdown(_, let isFailure): return isFailure ? 1 : 0
    case .debugExit(let status): return Int32(truncatingIfNeeded: status & 0xFF)
    default: return 0
    }
  }
}
