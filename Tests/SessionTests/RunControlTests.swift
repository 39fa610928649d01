import Session
import Testing

@Suite struct RunControlTests {
  private func running(_ change: (inout ActionSettings) -> Void = { _ in }) -> RunControl {
    var actions = ActionSettings()
    change(&actions)
    var control = RunControl(actions: actions)
    _ = control.start()
    return control
  }
  private func events(_ effects: [RunControl.Effect]) -> [MachineEvent] {
    effects.compactMap { if case .event(let event) = $0 { event } else { nil } }
  }

  @Test func panicPauses() throws {
    var control = running()
    #expect(events(control.panicEvent(1)) == [.guestPanicked(action: "pause"), .stop])
    #expect(control.state == .guestPanicked)
    #expect(try control.perform(.stop) == [])
    #expect(control.state == .guestPanicked)
    #expect(try events(control.perform(.cont)) == [.resume])
    #expect(control.state == .running)
    #expect(try control.perform(.cont) == [])
  }

  @Test(arguments: [ActionSettings.Panic.shutdown, .exitFailure])
  func panicEndsTheRun(action: ActionSettings.Panic) {
    var control = running { $0.panic = action }
    #expect(events(control.panicEvent(1)) == [.guestPanicked(action: "poweroff"), .shutdown(.guestPanic)])
    #expect(control.ending == .shutdown(.guestPanic, isFailure: action == .exitFailure))
    #expect(control.ending?.exitStatus == (action == .exitFailure ? 1 : 0))
  }

  @Test func panicWithShutdownPausePauses() {
    var control = running {
      $0.panic = .shutdown
      $0.shutdown = .pause
    }
    #expect(events(control.panicEvent(1)) == [.guestPanicked(action: "pause"), .stop])
    #expect(control.state == .guestPanicked)
  }

  @Test func panicNoneRunsOn() {
    var control = running { $0.panic = .none }
    #expect(events(control.panicEvent(1)) == [.guestPanicked(action: "run")])
    #expect(control.isRunning)
  }

  @Test func theLowestKnownBitActs() {
    var control = running()
    #expect(events(control.panicEvent(6)) == [.guestCrashloaded(action: "run")])
    #expect(control.panicEvent(0xF8) == [])
    #expect(control.isRunning)
    #expect(events(control.panicEvent(0xFC)) == [.guestPVShutdown, .shutdown(.guestShutdown)])
    #expect(control.ending == .shutdown(.guestShutdown, isFailure: false))
    var other = running()
    #expect(events(other.panicEvent(0xFF)).first == .guestPanicked(action: "pause"))
  }

  @Test func resetFromThePanicWaitsForCont() throws {
    var control = running()
    _ = control.panicEvent(1)
    let effects = try control.perform(.systemReset)
    #expect(events(effects) == [.reset(.hostQMPSystemReset)])
    #expect(effects.contains(.resetMachine))
    #expect(control.state == .prelaunch)
    #expect(try events(control.perform(.cont)) == [.resume])
  }

  @Test func noRebootEndsAtAReset() throws {
    var control = running { $0.reboot = .shutdown }
    #expect(events(control.guestReset()) == [.shutdown(.guestReset)])
    var other = running { $0.reboot = .shutdown }
    _ = other.panicEvent(1)
    #expect(try events(other.perform(.systemReset)) == [.shutdown(.hostQMPSystemReset)])
    #expect(other.ending != nil)
  }

  @Test func noShutdownStopsInsteadOfEnding() throws {
    var control = running { $0.shutdown = .pause }
    #expect(events(control.guestPowerOff()) == [.shutdown(.guestShutdown), .stop])
    #expect(control.state == .shutdown)
    #expect(throws: ControlError("Resetting the Virtual Machine is required")) { try control.perform(.cont) }
    _ = try control.perform(.systemReset)
    #expect(control.state == .prelaunch)
    #expect(try events(control.perform(.quit)) == [.shutdown(.hostQMPQuit)])
    #expect(control.ending == .shutdown(.hostQMPQuit, isFailure: false))
  }

  @Test func theGuestsResetGoesOn() {
    var control = running()
    #expect(events(control.guestReset()) == [.reset(.guestReset)])
    #expect(control.isRunning)
  }

  @Test func setActionChangesOnlyWhatItNames() throws {
    var control = running()
    #expect(
      try control.perform(.setAction(panic: ActionSettings.Panic.none, reboot: nil, shutdown: nil, watchdog: nil)) == []
    )
    #expect(control.actions.panic == ActionSettings.Panic.none)
    #expect(control.actions.reboot == .reset)
  }

  @Test func aGuestThatIsAwakeCannotBeWoken() {
    var control = running()
    #expect(throws: ControlError.self) { try control.perform(.systemWakeup) }
  }

  @Test func debugExitGivesItsStatus() {
    var control = running()
    _ = control.debugExit(status: 33)
    #expect(control.ending?.exitStatus == 33)
  }
}
