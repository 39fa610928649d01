/// Chaos: holds back the processor's interrupt line, as real hardware might, so that rare orders of events become
/// common.
///
/// Each run draws a scale from the powers of two between 1 µs and about 1 s, because some races need a long starvation
/// and others a short delay in a narrow window. Delays are drawn evenly below the scale. The next one befalls the first
/// interrupt that is raised once the run can afford it: at most a fifth of the time since power-on is spent so.
final class InterruptDelay {
  struct State: Codable, Equatable {
    var stream: RandomStream
    /// Nanoseconds.
    var scale: UInt64
    /// The line is held back until then.
    var heldUntil: UInt64?
    /// The next delay, drawn ahead.
    var next: UInt64
    /// The sum of all delays.
    var total: UInt64
  }

  private(set) var state: State
  private let timers: TimerQueue
  private let startsAtOnce: Bool
  private var timer: DeviceTimer!
  /// The time of holding back is over.
  var onRelease: (() -> Void)?
  /// An amount was drawn, in nanoseconds.
  var onDelay: ((UInt64) -> Void)?

  /// - Parameter startsAtOnce: not only once code has run in ring 3.
  init(seed: UInt64, timers: TimerQueue, startsAtOnce: Bool) {
    state = Self.initial(seed: seed)
    self.startsAtOnce = startsAtOnce
    self.timers = timers
    timer = timers.makeTimer("chaos") { [unowned self] in
      state.heldUntil = nil
      onRelease?()
    }
  }

  private static func initial(seed: UInt64) -> State {
    var stream = RandomStream(seed: seed, purpose: .chaos)
    let scale: UInt64 = 1000 << stream.next(below: 21)
    let next = 1 &+ stream.next(below: scale)
    return State(stream: stream, scale: scale, heldUntil: nil, next: next, total: 0)
  }

  /// Draws anew from another seed; what is held back stays so.
  func reseed(_ seed: UInt64) {
    let fresh = Self.initial(seed: seed)
    state.stream = fresh.stream
    state.scale = fresh.scale
    state.next = fresh.next
  }

  /// What is held back is let go, as at a reset.
  func release() {
    state.heldUntil = nil
    timer.cancel()
  }

  func restore(_ state: State) {
    self.state = state
    if let until = state.heldUntil { timer.arm(at: until) } else { timer.cancel() }
  }

  /// The interrupt line was raised.
  /// - Parameter userMode: code has run in ring 3.
  /// - Returns: whether it is held back.
  func raised(userMode: Bool) -> Bool {
    if state.heldUntil != nil { return true }
    let now = timers.virtualTime
    let delay = state.next
    // (total + delay) / (now + delay) ≤ 1 / 5
    guard userMode || startsAtOnce, now >= 5 &* state.total &+ 4 &* delay else { return false }
    onDelay?(delay)
    state.total &+= delay
    state.next = 1 &+ state.stream.next(below: state.scale)
    state.heldUntil = now &+ delay
    timer.arm(at: now &+ delay)
    return true
  }

  var isHolding: Bool { state.heldUntil != nil }
}
