import X86
import X86Core
import X86System

extension Machine {
  /// Instructions between two looks at `stopFlag`.
  private static let slice: UInt64 = 1 << 20

  /// Runs until the instruction count is `limit` (or one more, when a software interrupt is delivered there) or something
  /// else happens first. How a run is cut into calls makes no difference to the guest.
  public func run(until limit: UInt64) -> MachineStop {
    if stopFlag.exchange(false, ordering: .acquiringAndReleasing) { return .stopRequested }
    if let stop = takePendingStop() { return stop }
    if instructionCount >= limit { return .limit }
    fireTimers()
    while true {
      let stop = processor.run(until: nextStop(limit))
      observer?.observeBoundary()
      if let stop = takePendingStop() { return stop }
      switch stop {
      case .shutdown: return .resetRequested
      case .halted:
        if virtualTime >= board.timers.earliest { break }
        if processor.cpu.f.pointee.systemFlags & RFLAGS.if == 0 { return .dead }
        let next = board.timers.earliest
        return .idle(nextTimer: next == .max ? nil : next)
      case .attention, .limit: break
      }
      fireTimers()
      if instructionCount >= limit { return .limit }
      if stopFlag.exchange(false, ordering: .acquiringAndReleasing) { return .stopRequested }
    }
  }

  /// Lets virtual time of an idle guest jump.
  /// - Parameter time: ignored when it has passed.
  public func skipIdle(to time: UInt64) {
    let now = virtualTime
    guard time > now else { return }
    processor.cpu.f.pointee.addedTime &+= time &- now
    fireTimers()
  }

  /// Makes `run` come back with `.stopRequested` soon, or at once when it is called next. From any thread.
  public func requestStop() { stopFlag.store(true, ordering: .releasing) }

  private func takePendingStop() -> MachineStop? {
    defer { pendingStop = nil }
    return pendingStop
  }

  func fireTimers() {
    let now = virtualTime
    if board.timers.earliest <= now { board.timers.run(now: now) }
  }

  /// The instruction count at which the processor has to come back: the first at which a timer is due, a slice's end, or
  /// the limit.
  private func nextStop(_ limit: UInt64) -> UInt64 {
    let count = instructionCount
    let stop = min(limit, count &+ Self.slice)
    let deadline = board.timers.earliest
    guard deadline != .max else { return stop }
    let added = addedTime
    guard deadline > added else { return count }
    let shift = configuration.timeShift
    let rest = deadline - added
    let due = rest >> shift &+ (rest & ((1 << shift) - 1) != 0 ? 1 : 0)
    return min(stop, due)
  }
}
