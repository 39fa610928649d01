/// The high precision event timer (IA-PC HPET specification 1.0a) as QEMU has it: 100 MHz, 64 bits, three timers,
/// all periodic-capable, none with FSB delivery. 1 KiB of registers, at 0xFED00000 in a PC.
public final class HPET: MemoryMappedDevice {
  public static let timerCount = 3
  /// Femtoseconds per tick.
  public static let period: UInt64 = 10_000_000
  public static let nanosecondsPerTick: UInt64 = 10

  // Registers.
  static let capabilitiesOffset: UInt64 = 0x000
  static let configurationOffset: UInt64 = 0x010
  static let interruptStatusOffset: UInt64 = 0x020
  static let mainCounterOffset: UInt64 = 0x0F0
  static let timersOffset: UInt64 = 0x100
  static let timerStride: UInt64 = 0x20
  // In a timer's block.
  static let timerConfigurationOffset: UInt64 = 0x00
  static let timerComparatorOffset: UInt64 = 0x08

  /// Period, Intel, legacy replacement and 64-bit counter capable, number of timers less one, revision 1.
  public static let capabilities = period << 32 | 0x8086 << 16 | 0xA001 | UInt64(timerCount - 1) << 8

  // General configuration.
  static let enable: UInt64 = 1 << 0
  static let legacyReplacement: UInt64 = 1 << 1

  // Timer configuration and capabilities.
  static let levelTriggered: UInt64 = 1 << 1
  static let interruptEnable: UInt64 = 1 << 2
  static let periodic: UInt64 = 1 << 3
  static let periodicCapable: UInt64 = 1 << 4
  static let sizeCapable: UInt64 = 1 << 5
  static let valueSet: UInt64 = 1 << 6
  static let mode32: UInt64 = 1 << 8
  static let routeShift: UInt64 = 9
  static let timerWritable: UInt64 =
    levelTriggered | interruptEnable | periodic | valueSet | mode32 | 0x1F << 9

  public struct TimerState: Codable, Equatable, Sendable {
    /// The writable bits of the configuration register.
    public var configuration: UInt64 = 0
    public var comparator: UInt64 = .max
    /// What a periodic timer adds to its comparator at each match.
    public var period: UInt64 = 0
    /// Virtual time of the next match, or nil when nothing comes of it.
    public var match: UInt64?
    public init() {}
  }

  public struct State: Codable, Equatable {
    public var configuration: UInt64 = 0
    public var interruptStatus: UInt64 = 0
    /// Main counter minus the ticks since power-on while enabled (modulo 2^64); the counter itself while not.
    public var counterBase: UInt64 = 0
    public var timer0 = TimerState()
    public var timer1 = TimerState()
    public var timer2 = TimerState()
    public init() {}

    subscript(index: Int) -> TimerState {
      get { index == 0 ? timer0 : index == 1 ? timer1 : timer2 }
      set {
        switch index {
        case 0: timer0 = newValue
        case 1: timer1 = newValue
        default: timer2 = newValue
        }
      }
    }
  }

  public var state: State {
    get { hpet }
    set {
      hpet = newValue
      for index in 0..<Self.timerCount {
        if hpet.interruptStatus >> UInt64(index) & 1 != 0 { line(of: index).set(true) }
        arm(index, at: hpet[index].match)
      }
    }
  }

  private var hpet = State()
  private let timers: TimerQueue
  private let routes: [InterruptLine]
  private let routeCapability: UInt32
  private let legacyIRQ0: InterruptLine
  private let legacyIRQ8: InterruptLine
  private var deadlines: [DeviceTimer] = []

  /// Legacy replacement goes on or off: the PIT and the RTC lose or get back their interrupts.
  public var onLegacyReplacementChange: ((Bool) -> Void)?

  /// - Parameters:
  ///   - routes: line n goes to input n of the IOAPIC (and of the 8259s where they have it).
  ///   - routeCapability: bit n set when timers can use line n.
  ///   - legacyIRQ0: for timer 0 under legacy replacement.
  ///   - legacyIRQ8: for timer 1 under legacy replacement.
  public init(
    timers: TimerQueue, routes: [InterruptLine], routeCapability: UInt32 = 1 << 2,
    legacyIRQ0: InterruptLine, legacyIRQ8: InterruptLine
  ) {
    self.timers = timers
    self.routes = routes
    self.routeCapability = routeCapability
    self.legacyIRQ0 = legacyIRQ0
    self.legacyIRQ8 = legacyIRQ8
    for index in 0..<Self.timerCount {
      deadlines.append(timers.makeTimer("HPET timer \(index)") { [unowned self] in fired(index) })
    }
  }

  public func reset() {
    let wasLegacy = isLegacy
    for index in 0..<Self.timerCount { clearStatus(index) }
    hpet = State()
    for index in 0..<Self.timerCount { arm(index, at: nil) }
    if wasLegacy { onLegacyReplacementChange?(false) }
  }

  // MARK: Counter

  private var isEnabled: Bool { hpet.configuration & Self.enable != 0 }
  private var isLegacy: Bool { hpet.configuration & Self.legacyReplacement != 0 }
  private var ticks: UInt64 { timers.virtualTime / Self.nanosecondsPerTick }

  private func counter(at ticks: UInt64) -> UInt64 {
    isEnabled ? ticks &+ hpet.counterBase : hpet.counterBase
  }

  // MARK: Timers

  private func mask(_ timer: TimerState) -> UInt64 {
    timer.configuration & Self.mode32 != 0 ? 0xFFFF_FFFF : .max
  }

  /// Arms the next match if an interrupt or a status bit comes of it.
  /// - Parameter passed: the comparator's present value has matched already.
  private func schedule(_ index: Int, passed: Bool = false) {
    let timer = hpet[index]
    let mask = mask(timer)
    guard isEnabled, timer.configuration & Self.interruptEnable != 0 else {
      arm(index, at: nil)
      return
    }
    let now = ticks
    var distance = (timer.comparator &- counter(at: now)) & mask
    if distance == 0, passed {
      // The next time that the counter comes by: 43 s for 32 bits, never for 64.
      guard mask == 0xFFFF_FFFF else {
        arm(index, at: nil)
        return
      }
      distance = 1 << 32
    }
    let match = now.addingSaturating(distance).multipliedSaturating(by: Self.nanosecondsPerTick)
    arm(index, at: match == .max ? nil : match)
  }

  private func arm(_ index: Int, at match: UInt64?) {
    hpet[index].match = match
    if let match { deadlines[index].arm(at: match) } else { deadlines[index].cancel() }
  }

  /// Steps a periodic comparator past the counter.
  private func stepPeriodic(_ index: Int, at ticks: UInt64) {
    var timer = hpet[index]
    let mask = mask(timer)
    let period = timer.period & mask
    guard timer.configuration & Self.periodic != 0, period != 0, isEnabled else { return }
    let behind = (counter(at: ticks) &- timer.comparator) & mask
    // The upper half of the range is ahead.
    guard behind <= mask >> 1 else { return }
    timer.comparator = (timer.comparator &+ (behind / period &+ 1) &* period) & mask
    hpet[index] = timer
  }

  private func fired(_ index: Int) {
    let matched = max(ticks, (hpet[index].match ?? 0) / Self.nanosecondsPerTick)
    hpet[index].match = nil
    stepPeriodic(index, at: matched)
    raise(index)
    let timer = hpet[index]
    // A comparator that has not moved has matched; late by some ticks, it is behind the counter anyway.
    schedule(index, passed: (timer.comparator &- counter(at: ticks)) & mask(timer) == 0)
  }

  /// Shows a match that is due and was not shown yet.
  private func catchUp(_ index: Int) {
    if let match = hpet[index].match, match <= timers.virtualTime { fired(index) }
  }

  private func raise(_ index: Int) {
    let configuration = hpet[index].configuration
    guard configuration & Self.interruptEnable != 0 else { return }
    if configuration & Self.levelTriggered != 0 {
      hpet.interruptStatus |= 1 << UInt64(index)
      line(of: index).set(true)
    } else {
      line(of: index).pulse()
    }
  }

  private func line(of index: Int) -> InterruptLine {
    if isLegacy, index == 0 { return legacyIRQ0 }
    if isLegacy, index == 1 { return legacyIRQ8 }
    let route = Int(hpet[index].configuration >> Self.routeShift & 0x1F)
    guard routeCapability >> UInt32(route) & 1 != 0, route < routes.count else { return InterruptLine() }
    return routes[route]
  }

  private func clearStatus(_ index: Int) {
    guard hpet.interruptStatus >> UInt64(index) & 1 != 0 else { return }
    hpet.interruptStatus &= ~(1 << UInt64(index))
    line(of: index).set(false)
  }

  // MARK: Registers

  /// Reads of 4 or 8 bytes; others give the bytes in question.
  public func readMemory(offset: UInt64, size: Int) -> UInt64 {
    let value = readRegister(offset & ~7) >> (8 * (offset & 7))
    return size >= 8 ? value : value & ((1 << UInt64(8 * size)) - 1)
  }

  private func readRegister(_ offset: UInt64) -> UInt64 {
    switch offset {
    case Self.capabilitiesOffset: return Self.capabilities
    case Self.configurationOffset: return hpet.configuration
    case Self.interruptStatusOffset: return hpet.interruptStatus
    case Self.mainCounterOffset: return counter(at: ticks)
    default:
      guard let (index, register) = timerRegister(offset) else { return 0 }
      switch register {
      case Self.timerConfigurationOffset:
        return hpet[index].configuration | Self.periodicCapable | Self.sizeCapable | UInt64(routeCapability)
          << 32
      case Self.timerComparatorOffset:
        catchUp(index)
        stepPeriodic(index, at: ticks)
        return hpet[index].comparator & mask(hpet[index])
      default: return 0
      }
    }
  }

  /// Writes of 4 or 8 bytes; a half leaves the other half as it is.
  public func writeMemory(offset: UInt64, size: Int, value: UInt64) {
    guard size == 8 && offset & 7 == 0 || size == 4 && offset & 3 == 0 else { return }
    let register = offset & ~7
    let shift = 8 * (offset & 7)
    let mask = size == 8 ? UInt64.max : 0xFFFF_FFFF << shift
    let merge = { (old: UInt64) in old & ~mask | value << shift & mask }
    switch register {
    case Self.configurationOffset: writeConfiguration(merge(hpet.configuration))
    case Self.interruptStatusOffset:
      let ones = value << shift & mask
      for index in 0..<Self.timerCount where ones >> UInt64(index) & 1 != 0 { clearStatus(index) }
    case Self.mainCounterOffset: writeCounter(merge(counter(at: ticks)))
    default:
      guard let (index, timerRegister) = timerRegister(register) else { return }
      catchUp(index)
      switch timerRegister {
      case Self.timerConfigurationOffset:
        writeTimerConfiguration(index, merge(hpet[index].configuration))
      case Self.timerComparatorOffset: writeComparator(index, value << shift & mask, mask: mask)
      default: break
      }
    }
  }

  private func timerRegister(_ offset: UInt64) -> (index: Int, register: UInt64)? {
    guard offset >= Self.timersOffset else { return nil }
    let index = (offset - Self.timersOffset) / Self.timerStride
    guard index < UInt64(Self.timerCount) else { return nil }
    return (Int(index), (offset - Self.timersOffset) % Self.timerStride)
  }

  private func writeConfiguration(_ value: UInt64) {
    for index in 0..<Self.timerCount { catchUp(index) }
    let now = ticks
    let current = counter(at: now)
    let wasLegacy = isLegacy
    let becomesLegacy = value & Self.legacyReplacement != 0
    if wasLegacy != becomesLegacy {
      // A level must not stay on a line that is no longer the timer's.
      for index in 0..<2 { clearStatus(index) }
    }
    hpet.configuration = value & (Self.enable | Self.legacyReplacement)
    hpet.counterBase = isEnabled ? current &- now : current
    if wasLegacy != becomesLegacy { onLegacyReplacementChange?(becomesLegacy) }
    for index in 0..<Self.timerCount { schedule(index) }
  }

  /// Meant to be done while the counter stands still.
  private func writeCounter(_ value: UInt64) {
    hpet.counterBase = isEnabled ? value &- ticks : value
    for index in 0..<Self.timerCount { schedule(index) }
  }

  private func writeTimerConfiguration(_ index: Int, _ value: UInt64) {
    let old = hpet[index].configuration
    let new = value & Self.timerWritable
    if (old ^ new) & (Self.levelTriggered | 0x1F << Self.routeShift | Self.interruptEnable) != 0 {
      clearStatus(index)
    }
    hpet[index].configuration = new
    if new & Self.mode32 != 0 {
      hpet[index].comparator &= 0xFFFF_FFFF
      hpet[index].period &= 0xFFFF_FFFF
    }
    stepPeriodic(index, at: ticks &- min(ticks, 1))
    schedule(index, passed: old & Self.interruptEnable != 0 && hpet[index].match == nil)
  }

  /// A periodic timer takes the value as its period, and as its next match only after VAL_SET.
  private func writeComparator(_ index: Int, _ value: UInt64, mask: UInt64) {
    var timer = hpet[index]
    let isPeriodic = timer.configuration & Self.periodic != 0
    if !isPeriodic || timer.configuration & Self.valueSet != 0 {
      timer.comparator = (timer.comparator & ~mask | value) & self.mask(timer)
    }
    if isPeriodic { timer.period = (timer.period & ~mask | value) & self.mask(timer) }
    timer.configuration &= ~Self.valueSet
    hpet[index] = timer
    schedule(index)
  }
}
