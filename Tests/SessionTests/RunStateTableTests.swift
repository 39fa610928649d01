import Session
import Testing

/// The run states as a whole: from power-on, everything that can come is tried in every state that can be reached. What
/// happens has to be in the table, and everything in the table has to happen.
@Suite struct RunStateTableTests {
  /// What can come from a monitor, from the guest, and from the host.
  private enum Input: String, CaseIterable {
    case start, stop, cont, reset, powerdown, wakeup, nmi, panic, crashLoaded, guestReset, guestPowerOff, watchdog
    case hostFailure
  }

  private static func apply(_ input: Input, to control: inout RunControl) throws {
    switch input {
    case .start: _ = control.start()
    case .stop: _ = try control.perform(.stop)
    case .cont: _ = try control.perform(.cont)
    case .reset: _ = try control.perform(.systemReset)
    case .powerdown: _ = try control.perform(.systemPowerdown)
    case .wakeup: _ = try control.perform(.systemWakeup)
    case .nmi: _ = try control.perform(.injectNMI)
    case .panic: _ = control.panicEvent(1)
    case .crashLoaded: _ = control.panicEvent(2)
    case .guestReset: _ = control.guestReset()
    case .guestPowerOff: _ = control.guestPowerOff()
    case .watchdog: _ = control.watchdogExpired()
    case .hostFailure: _ = control.hostFailed()
    }
  }

  /// The inputs of the guest come while it runs, `start` while it never did.
  private static func isPossible(_ input: Input, in state: RunState) -> Bool {
    switch input {
    case .start: return state == .prelaunch
    case .panic, .crashLoaded, .guestReset, .guestPowerOff, .watchdog: return state == .running
    default: return true
    }
  }

  /// Everything that can be reached: `state input -> state`, or `state input !` where it is refused.
  private static func transitions(_ rules: PanicRules, _ change: (inout ActionSettings) -> Void) -> Set<String> {
    var actions = ActionSettings()
    change(&actions)
    var found: Set<String> = []
    var todo = [RunControl(actions: actions, panicRules: rules)]
    var seen: [RunState] = [.prelaunch]
    while let control = todo.popLast() {
      for input in Input.allCases where isPossible(input, in: control.state) {
        var next = control
        let line = "\(control.state.rawValue) \(input.rawValue)"
        do { try apply(input, to: &next) } catch {
          #expect(next == control, "\(line): refused, and something changed")
          found.insert("\(line) !")
          continue
        }
        if next.ending != nil {
          found.insert("\(line) -> end")
          continue
        }
        if next.state != control.state { found.insert("\(line) -> \(next.state.rawValue)") }
        if !seen.contains(next.state) {
          seen.append(next.state)
          todo.append(next)
        }
      }
    }
    return found
  }

  /// What every set of rules has in common, where everything pauses.
  private static let common: Set<String> = [
    "prelaunch start -> running", "prelaunch cont -> running",
    "running stop -> paused", "paused cont -> running",
    "running panic -> guest-panicked",
    "running guestPowerOff -> shutdown", "shutdown cont !",
    "running watchdog -> watchdog", "watchdog cont -> running",
    "running hostFailure -> io-error", "io-error cont -> running",
    // Nothing sleeps here.
    "prelaunch wakeup !", "running wakeup !", "paused wakeup !", "guest-panicked wakeup !", "shutdown wakeup !",
    "watchdog wakeup !", "io-error wakeup !",
  ]

  private static func pausing(_ actions: inout ActionSettings) {
    actions.shutdown = .pause
    actions.watchdog = .pause
  }

  @Test func todaysRules() {
    let table = Self.common.union([
      "guest-panicked cont -> running", "guest-panicked reset -> prelaunch", "paused reset -> prelaunch",
      "shutdown reset -> prelaunch", "watchdog reset -> prelaunch", "io-error reset -> prelaunch",
    ])
    #expect(Self.transitions(.reversible, Self.pausing).symmetricDifference(table) == [])
  }

  @Test func rulesOfQEMU1_6() {
    let table = Self.common.union([
      "guest-panicked cont !", "guest-panicked reset -> paused", "shutdown reset -> paused", "watchdog reset -> paused",
      "io-error reset -> paused",
    ])
    #expect(Self.transitions(.qemu1_6, Self.pausing).symmetricDifference(table) == [])
  }

  @Test func endsWhereActionsSaySo() {
    let found = Self.transitions(.reversible) {
      $0.panic = .exitFailure
      $0.reboot = .shutdown
      $0.watchdog = .poweroff
    }
    #expect(
      Set(found.filter { $0.hasSuffix("-> end") }) == [
        "running panic -> end", "running guestReset -> end", "running guestPowerOff -> end", "running watchdog -> end",
        "prelaunch reset -> end", "running reset -> end", "paused reset -> end", "io-error reset -> end",
      ])
  }

  @Test(arguments: ActionSettings.Watchdog.allCases)
  func watchdogActions(action: ActionSettings.Watchdog) {
    var actions = ActionSettings()
    actions.watchdog = action
    var control = RunControl(actions: actions)
    _ = control.start()
    let effects = control.watchdogExpired()
    #expect(effects.first == .event(.watchdog(action: action.rawValue)))
    switch action {
    case .reset: #expect(effects.contains(.resetMachine) && control.isRunning)
    case .shutdown: #expect(effects.contains(.pressPowerButton) && control.isRunning)
    case .poweroff: #expect(control.ending != nil)
    case .pause: #expect(control.state == .watchdog)
    case .injectNMI: #expect(effects.contains(.injectNMI) && control.isRunning)
    case .debug, .none: #expect(effects.count == 1 && control.isRunning)
    }
  }
}
