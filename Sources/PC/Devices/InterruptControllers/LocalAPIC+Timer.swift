/// What the local APIC's timer remembers.
public struct APICTimerState: Codable, Equatable, Sendable {
  /// The initial-count register.
  public var initialCount: UInt32 = 0
  /// The divide-configuration register.
  public var divideConfiguration: UInt32 = 0
  /// The count stood at `startCount` at `startTime` (virtual nanoseconds); 0 means that it stands still.
  public var startTime: UInt64 = 0
  public var startCount: UInt32 = 0
  /// How often the count has reached 0 since `startTime`.
  public var expirations: UInt64 = 0
  /// IA32_TSC_DEADLINE; 0 is disarmed.
  public var tscDeadline: UInt64 = 0
  /// What the guest's time-stamp counter is ahead of the clock's, modulo 2^64.
  public var tscOffset: UInt64 = 0

  public init() {}
}

/// The timer (SDM 3A 11.5.4). The count is a function of virtual time; a deadline is armed only while the timer's
/// entry of the local vector table is not masked.
extension LocalAPIC {
  enum TimerMode: UInt32 { case oneShot, periodic, tscDeadline, reserved }

  static func timerMode(_ lvtTimer: UInt32) -> TimerMode {
    TimerMode(rawValue: lvtTimer >> 17 & 3) ?? .reserved
  }
  var timerMode: TimerMode { Self.timerMode(apic.lvt.timer) }

  /// 1, 2, 4 … 128.
  private var divisor: UInt64 {
    let configuration = apic.timer.divideConfiguration
    let code = configuration & 3 | configuration >> 1 & 4
    return 1 << UInt64((code + 1) & 7)
  }

  /// The guest's time-stamp counter minus the clock's; IA32_TSC and IA32_TSC_ADJUST change it.
  public var tscOffset: UInt64 {
    get { apic.timer.tscOffset }
    set {
      catchUpTimer()
      apic.timer.tscOffset = newValue
      rearmTimer()
    }
  }

  /// The time-stamp counter as the guest reads it at `time`.
  public func timestampCounter(at time: UInt64) -> UInt64 { tscRate.ticks(at: time) &+ apic.timer.tscOffset }

  /// Divided ticks since the count was loaded.
  private func elapsedTicks(at now: UInt64) -> UInt64 {
    timerRate.ticks(at: now &- min(now, apic.timer.startTime)) / divisor
  }

  func currentCount(at now: UInt64) -> UInt32 {
    guard timerMode == .oneShot || timerMode == .periodic, apic.timer.startCount != 0 else { return 0 }
    let elapsed = elapsedTicks(at: now)
    let start = UInt64(apic.timer.startCount)
    if elapsed < start { return UInt32(start - elapsed) }
    guard timerMode == .periodic, apic.timer.initialCount != 0 else { return 0 }
    let period = UInt64(apic.timer.initialCount)
    return UInt32(period - (elapsed - start) % period)
  }

  /// Virtual time of the next expiry that has not been counted yet, masked or not.
  private func nextExpiry(now: UInt64) -> UInt64? {
    let timer = apic.timer
    switch timerMode {
    case .oneShot, .periodic:
      guard timer.startCount != 0 else { return nil }
      let periods = timer.expirations.multipliedSaturating(by: UInt64(timer.initialCount))
      let ticks = periods.addingSaturating(UInt64(timer.startCount)).multipliedSaturating(by: divisor)
      return timer.startTime.addingSaturating(timerRate.time(of: ticks))
    case .tscDeadline:
      guard timer.tscDeadline != 0 else { return nil }
      let counter = timestampCounter(at: now)
      guard timer.tscDeadline > counter else { return now }
      return tscRate.time(of: tscRate.ticks(at: now).addingSaturating(timer.tscDeadline - counter))
    case .reserved: return nil
    }
  }

  /// Counts every expiry up to now; several at once give one interrupt, as the vector's one IRR bit would.
  func catchUpTimer(now limit: UInt64? = nil) {
    let now = limit ?? timers.virtualTime
    guard isEnabled, let expiry = nextExpiry(now: now), expiry <= now else { return }
    switch timerMode {
    case .periodic where apic.timer.initialCount != 0:
      let beyond = elapsedTicks(at: now) &- UInt64(apic.timer.startCount)
      apic.timer.expirations = beyond / UInt64(apic.timer.initialCount) &+ 1
    case .tscDeadline: apic.timer.tscDeadline = 0
    default: apic.timer.startCount = 0
    }
    deliverLocal(.timer)
  }

  func timerFired() {
    let now = timers.virtualTime
    catchUpTimer(now: max(now, nextExpiry(now: now) ?? now))
    rearmTimer()
  }

  func rearmTimer() {
    guard isEnabled, apic.lvt.timer & LocalVectorTable.masked == 0,
      let expiry = nextExpiry(now: timers.virtualTime)
    else {
      timer.cancel()
      return
    }
    timer.arm(at: expiry)
  }

  // MARK: Registers

  func writeInitialCount(_ value: UInt32) {
    // Ignored in TSC-deadline mode.
    guard timerMode != .tscDeadline else { return }
    catchUpTimer()
    apic.timer.initialCount = value
    load(value)
  }

  func writeDivideConfiguration(_ value: UInt32) {
    catchUpTimer()
    let count = currentCount(at: timers.virtualTime)
    apic.timer.divideConfiguration = value & 0xB
    load(count)
  }

  func writeTimerVector(_ entry: UInt32) {
    catchUpTimer()
    let before = timerMode
    let count = currentCount(at: timers.virtualTime)
    apic.lvt.timer = entry
    let after = timerMode
    if before != after {
      if before == .tscDeadline || after == .tscDeadline {
        // Going to or from TSC-deadline mode disarms the timer (SDM 3A 11.5.4.1).
        apic.timer.tscDeadline = 0
        load(0)
      } else {
        load(count)
      }
    }
    rearmTimer()
  }

  private func load(_ count: UInt32) {
    apic.timer.startTime = timers.virtualTime
    apic.timer.startCount = count
    apic.timer.expirations = 0
    rearmTimer()
  }

  /// IA32_TSC_DEADLINE, 0 when it has passed.
  var tscDeadline: UInt64 {
    get {
      catchUpTimer()
      return apic.timer.tscDeadline
    }
    set {
      // Writes in other modes are ignored.
      guard timerMode == .tscDeadline else { return }
      catchUpTimer()
      apic.timer.tscDeadline = newValue
      rearmTimer()
    }
  }
}
