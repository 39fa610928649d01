import PC
import Trace
import X86
import X86Core

/// Where a replay stands: everything but the contents of RAM.
struct ReplayState {
  var instant: Instant
  /// Nanoseconds since power-on.
  var virtualTime: UInt64
  var machine: MachineSnapshot
  var translations: TranslationState
  /// Pages written since the last digest.
  var dirtyPages: [UInt64]
  var control: RunControl
  var funnel: Funnel.State
  var nextDigest: UInt64
  /// Never used itself: each restoring makes a copy.
  var matcher: WitnessMatcher
  var inputs: EventCursor
  var nextInput: TraceEvent?
  /// What the drives give next.
  var drives: EventCursor?

  /// Bytes of host memory, roughly.
  var byteCount: UInt64 {
    UInt64(64 << 10 + translations.byteCount + dirtyPages.count * 8)
  }
}

extension Session {
  /// Whether a trace can carry checkpoints of the machine: what disks hold is not in them.
  var isStorable: Bool { (setup.configuration.drives ?? []).isEmpty }
}

extension ReplaySession {
  var state: ReplayState {
    get {
      // What is written to disks from here on can be taken back.
      machine.keepsDriveHistory = true
      return ReplayState(
        instant: instant, virtualTime: machine.virtualTime, machine: machine.snapshot(),
        translations: machine.processor.translationState, dirtyPages: machine.memory.dirtyPages, control: control,
        funnel: funnel.state, nextDigest: nextDigest, matcher: WitnessMatcher(copying: matcher), inputs: inputs,
        nextInput: nextInput, drives: (funnel.driveSource as? RecordedDrives)?.events)
    }
    /// RAM has been put back before, and what changed of code announced.
    set {
      machine.restore(newValue.machine, keepingBlocks: true)
      machine.processor.translationState = newValue.translations
      machine.memory.dirtyPages = newValue.dirtyPages
      control = newValue.control
      funnel.state = newValue.funnel
      nextDigest = newValue.nextDigest
      matcher = WitnessMatcher(copying: newValue.matcher)
      funnel.sink = matcher
      inputs = newValue.inputs
      nextInput = newValue.nextInput
      if let drives = newValue.drives { (funnel.driveSource as? RecordedDrives)?.events = drives }
      ended = nil
      missed = nil
      resetFailure = nil
    }
  }

  /// Goes to a place that does not lie before, on the calling thread.
  /// - Parameter count: comes to rest at the first place with this instruction count, too.
  /// - Returns: `.until` there, or where somebody wanted to come to rest.
  func travel(to target: StopTarget, restingAt count: UInt64 = .max) -> ReplayResult.Reason {
    self.target = target
    restCount = count
    defer { restCount = .max }
    ended = nil
    prepare()
    while true {
      if let reason = step() { return reason }
    }
  }
}
