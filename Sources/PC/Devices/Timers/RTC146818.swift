/// The MC146818 real-time clock with 128 bytes of CMOS memory; two ports, at 0x70 in a PC.
///
/// Its time is the wall clock at power-on plus virtual time plus what the guest has set. Flags are brought up to
/// date when they are looked at; a deadline is armed only for an enabled interrupt whose flag is not set yet.
public final class RTC146818: ByteRegisters {
  // Registers.
  static let secondsRegister = 0x00
  static let secondsAlarmRegister = 0x01
  static let minutesRegister = 0x02
  static let minutesAlarmRegister = 0x03
  static let hoursRegister = 0x04
  static let hoursAlarmRegister = 0x05
  static let weekdayRegister = 0x06
  static let dayRegister = 0x07
  static let monthRegister = 0x08
  static let yearRegister = 0x09
  static let registerA = 0x0A
  static let registerB = 0x0B
  static let registerC = 0x0C
  static let registerD = 0x0D
  /// Century, as ACPI's FADT tells the guest.
  public static let centuryRegister = 0x32

  // Register A.
  static let updateInProgress: UInt8 = 0x80
  /// Rate selection of the periodic interrupt.
  static let rateMask: UInt8 = 0x0F

  // Register B.
  static let set: UInt8 = 0x80
  static let periodicInterruptEnable: UInt8 = 0x40
  static let alarmInterruptEnable: UInt8 = 0x20
  static let updateEndedInterruptEnable: UInt8 = 0x10
  static let squareWaveEnable: UInt8 = 0x08
  /// Binary, else BCD.
  static let dataMode: UInt8 = 0x04
  static let hours24: UInt8 = 0x02

  // Register C; the three sources have the places of their enables in register B.
  static let interruptRequest: UInt8 = 0x80
  static let periodicFlag: UInt8 = 0x40
  static let alarmFlag: UInt8 = 0x20
  static let updateEndedFlag: UInt8 = 0x10
  static let sources: UInt8 = 0x70

  /// Register D: valid RAM and time.
  static let validRAM: UInt8 = 0x80
  /// Afternoon, in hours of 12.
  static let afternoon: UInt8 = 0x80
  /// Both upper bits set in an alarm byte: any value matches.
  static let anyValue: UInt8 = 0xC0

  /// UIP comes 244 µs before the update.
  static let updateWarning: UInt64 = 244_000
  static let second: UInt64 = 1_000_000_000
  static let crystal = ClockRate(hertz: 32768)
  /// What the clock shows when its divider is released: the first update comes half a second later.
  static let dividerRelease: UInt64 = 500_000_000

  public struct State: Codable, Equatable {
    /// What the next access to the data port means, 0…127.
    public var index: UInt8 = 0
    /// Bit 7 of the index port.
    public var isNMIDisabled = false
    /// All 128 bytes; those of the time count only while the clock stands still.
    public var memory = [UInt8](repeating: 0, count: 128)
    /// Whole seconds that the guest has set the clock ahead.
    public var secondsOffset: Int64 = 0
    /// Shift of the start of a second, below 10^9 ns.
    public var phase: UInt64 = 0
    /// Flags are right up to this virtual time.
    public var flagsTime: UInt64 = 0
    /// False while the HPET's legacy replacement has IRQ 8.
    public var isIRQConnected = true
    public init() {}
  }

  /// The clock must stand where it stood when the value was read.
  public var state: State {
    get { rtc }
    set {
      rtc = newValue
      if rtc.memory.count != 128 {
        rtc.memory = Array((rtc.memory + Array(repeating: 0, count: 128)).prefix(128))
      }
      rtc.index &= 0x7F
      rtc.phase %= Self.second
      updateLine()
      rearm()
    }
  }

  private var rtc = State()
  private let baseTime: UInt64
  private let timers: TimerQueue
  private let irq: InterruptLine
  private var timer: DeviceTimer!
  private var armedTime = UInt64.max

  /// Bit 7 of the index port has changed.
  public var onNMIMaskChange: ((_ isNMIDisabled: Bool) -> Void)?

  /// - Parameters:
  ///   - baseTime: wall clock at power-on, nanoseconds since 1970.
  ///   - memoryBelow4G: bytes of RAM from 0 up.
  ///   - memoryAbove4G: bytes of RAM from 4 GiB up.
  public init(
    timers: TimerQueue, baseTime: UInt64, memoryBelow4G: UInt64, memoryAbove4G: UInt64 = 0, irq: InterruptLine
  ) {
    self.timers = timers
    self.baseTime = baseTime
    self.irq = irq
    timer = timers.makeTimer("RTC") { [unowned self] in fired() }
    rtc.memory[Self.registerA] = 0x26
    rtc.memory[Self.registerB] = Self.hours24
    rtc.memory[Self.registerD] = Self.validRAM
    // Equipment: coprocessor, PS/2 mouse.
    rtc.memory[0x14] = 0x06
    storeMemorySize(below4G: memoryBelow4G, above4G: memoryAbove4G)
  }

  /// The bytes by which firmware learns the size of memory, as QEMU sets them.
  private func storeMemorySize(below4G: UInt64, above4G: UInt64) {
    func store(_ value: UInt64, at register: Int, bytes: Int = 2) {
      for i in 0..<bytes { rtc.memory[register + i] = UInt8(truncatingIfNeeded: value >> UInt64(8 * i)) }
    }
    let kibibytes = below4G >> 10
    let extended = min(kibibytes - min(kibibytes, 1024), 65535)
    store(min(kibibytes, 640), at: 0x15)
    store(extended, at: 0x17)
    store(extended, at: 0x30)
    // In units of 64 KiB above 16 MiB.
    store(min((below4G - min(below4G, 16 << 20)) >> 16, 65535), at: 0x34)
    // In units of 64 KiB above 4 GiB.
    store(above4G >> 16, at: 0x5B, bytes: 3)
  }

  /// Sets a byte of CMOS memory as the factory does; registers 0–0D are the clock's own.
  public func setMemory(_ register: Int, _ value: UInt8) {
    if (0x0E..<128).contains(register) { rtc.memory[register] = value }
  }

  /// RESET: interrupts off and their flags clear; time and memory stay (MC146818 data sheet, RESET).
  public func reset() {
    syncFlags()
    rtc.index = 0
    rtc.isNMIDisabled = false
    rtc.isIRQConnected = true
    rtc.memory[Self.registerB] &= ~(Self.sources | Self.squareWaveEnable)
    rtc.memory[Self.registerC] = 0
    updateLine()
    rearm()
  }

  /// Whether the RTC drives IRQ 8; the HPET takes it away.
  public var isIRQConnected: Bool {
    get { rtc.isIRQConnected }
    set {
      rtc.isIRQConnected = newValue
      updateLine()
      rearm()
    }
  }

  /// A byte of CMOS memory, for firmware tables. Not for the registers of the clock.
  public subscript(register: Int) -> UInt8 {
    get { rtc.memory[register & 0x7F] }
    set { rtc.memory[register & 0x7F] = newValue }
  }

  public var isNMIDisabled: Bool { rtc.isNMIDisabled }

  // MARK: Time

  private var isDividerRunning: Bool { rtc.memory[Self.registerA] >> 4 & 7 <= 2 }
  private var isRunning: Bool { isDividerRunning && rtc.memory[Self.registerB] & Self.set == 0 }

  /// Nanoseconds on the divider chain, of which whole seconds make updates.
  private func chain(at time: UInt64) -> UInt64 {
    baseTime.addingSaturating(time).addingSaturating(rtc.phase)
  }

  /// What the running clock shows, in seconds since 1970.
  private func clock(at time: UInt64) -> Int64 {
    Int64(chain(at: time) / Self.second) &+ rtc.secondsOffset
  }

  /// Virtual time at which the running clock turns to `seconds`, which is later than what it shows at `now`.
  private func time(of seconds: Int64, now: UInt64) -> UInt64 {
    let steps = UInt64(max(1, seconds &- clock(at: now)))
    let untilNext = Self.second - chain(at: now) % Self.second
    return now.addingSaturating(untilNext).addingSaturating((steps - 1).multipliedSaturating(by: Self.second))
  }

  private func encode(_ value: Int) -> UInt8 {
    let value = UInt8(truncatingIfNeeded: value)
    return rtc.memory[Self.registerB] & Self.dataMode != 0 ? value : (value / 10) << 4 | value % 10
  }

  private func decode(_ byte: UInt8) -> Int {
    rtc.memory[Self.registerB] & Self.dataMode != 0 ? Int(byte) : Int(byte >> 4) * 10 + Int(byte & 0xF)
  }

  private func encodeHour(_ hour: Int) -> UInt8 {
    if rtc.memory[Self.registerB] & Self.hours24 != 0 { return encode(hour) }
    return encode(hour % 12 == 0 ? 12 : hour % 12) | (hour >= 12 ? Self.afternoon : 0)
  }

  private func decodeHour(_ byte: UInt8) -> Int {
    if rtc.memory[Self.registerB] & Self.hours24 != 0 { return decode(byte) }
    return decode(byte & ~Self.afternoon) % 12 + (byte & Self.afternoon != 0 ? 12 : 0)
  }

  /// Writes what the clock shows into its registers.
  private func storeClock() {
    let date = RTCDate(seconds: clock(at: timers.virtualTime))
    rtc.memory[Self.secondsRegister] = encode(date.second)
    rtc.memory[Self.minutesRegister] = encode(date.minute)
    rtc.memory[Self.hoursRegister] = encodeHour(date.hour)
    rtc.memory[Self.weekdayRegister] = encode(date.weekday)
    rtc.memory[Self.dayRegister] = encode(date.day)
    rtc.memory[Self.monthRegister] = encode(date.month)
    let year = ((date.year % 10000) + 10000) % 10000
    rtc.memory[Self.yearRegister] = encode(year % 100)
    rtc.memory[Self.centuryRegister] = encode(year / 100)
  }

  /// Sets the clock to what its registers say.
  private func loadClock() {
    var date = RTCDate(seconds: 0)
    date.second = decode(rtc.memory[Self.secondsRegister])
    date.minute = decode(rtc.memory[Self.minutesRegister])
    date.hour = decodeHour(rtc.memory[Self.hoursRegister])
    date.day = decode(rtc.memory[Self.dayRegister])
    date.month = decode(rtc.memory[Self.monthRegister])
    date.year = decode(rtc.memory[Self.centuryRegister]) * 100 + decode(rtc.memory[Self.yearRegister])
    rtc.secondsOffset = 0
    rtc.secondsOffset = date.seconds &- clock(at: timers.virtualTime)
  }

  // MARK: Ports

  public func readRegister(_ offset: UInt16) -> UInt8 {
    // The index port is write-only.
    guard offset & 1 != 0 else { return 0xFF }
    let register = Int(rtc.index & 0x7F)
    switch register {
    case Self.registerA:
      return rtc.memory[register] | (isUpdateNear ? Self.updateInProgress : 0)
    case Self.registerC:
      syncFlags()
      let flags = rtc.memory[register]
      rtc.memory[register] = 0
      updateLine()
      rearm()
      return flags
    default:
      if isTime(register), isRunning { storeClock() }
      return rtc.memory[register]
    }
  }

  public func writeRegister(_ offset: UInt16, _ byte: UInt8) {
    guard offset & 1 != 0 else {
      rtc.index = byte & 0x7F
      let disabled = byte & 0x80 != 0
      if disabled != rtc.isNMIDisabled {
        rtc.isNMIDisabled = disabled
        onNMIMaskChange?(disabled)
      }
      return
    }
    let register = Int(rtc.index)
    switch register {
    case Self.registerA: writeControl(register, byte & ~Self.updateInProgress)
    case Self.registerB:
      // SET also ends the update-ended interrupts.
      writeControl(register, byte & Self.set != 0 ? byte & ~Self.updateEndedInterruptEnable : byte)
    case Self.registerC, Self.registerD: break
    case _ where isTime(register):
      syncFlags()
      if isRunning {
        storeClock()
        rtc.memory[register] = byte
        loadClock()
      } else {
        rtc.memory[register] = byte
      }
      rearm()
    case Self.secondsAlarmRegister, Self.minutesAlarmRegister, Self.hoursAlarmRegister:
      syncFlags()
      rtc.memory[register] = byte
      rearm()
    default: rtc.memory[register] = byte
    }
  }

  private func isTime(_ register: Int) -> Bool {
    switch register {
    case Self.secondsRegister, Self.minutesRegister, Self.hoursRegister,
      Self.weekdayRegister...Self.yearRegister, Self.centuryRegister:
      return true
    default: return false
    }
  }

  private var isUpdateNear: Bool {
    isRunning && chain(at: timers.virtualTime) % Self.second >= Self.second - Self.updateWarning
  }

  /// Registers A and B: what stops, starts and formats the clock.
  private func writeControl(_ register: Int, _ byte: UInt8) {
    syncFlags()
    let wasRunning = isRunning
    let dividerRan = isDividerRunning
    let before = rtc.memory[register]
    rtc.memory[register] = byte
    let runs = isRunning
    if wasRunning, !runs {
      // The registers are left in the format that held until now.
      rtc.memory[register] = before
      storeClock()
      rtc.memory[register] = byte
    }
    if !dividerRan, isDividerRunning {
      let fraction = chain(at: timers.virtualTime) % Self.second
      rtc.phase = (rtc.phase + Self.second - fraction + Self.dividerRelease) % Self.second
    }
    if !wasRunning, runs { loadClock() }
    updateLine()
    rearm()
  }

  // MARK: Flags and interrupts

  /// Ticks of the crystal between periodic interrupts, nil when there are none.
  private var periodicTicks: UInt64? {
    let rate = rtc.memory[Self.registerA] & Self.rateMask
    guard rate != 0, isDividerRunning else { return nil }
    // Rates 1 and 2 are those of 8 and 9.
    return 1 << UInt64(rate <= 2 ? rate + 6 : rate - 1)
  }

  /// Sets the flags of what has happened up to now.
  private func syncFlags(now limit: UInt64? = nil) {
    let now = limit ?? timers.virtualTime
    let last = rtc.flagsTime
    guard now > last else { return }
    rtc.flagsTime = now
    if let ticks = periodicTicks, Self.crystal.ticks(at: now) / ticks != Self.crystal.ticks(at: last) / ticks {
      rtc.memory[Self.registerC] |= Self.periodicFlag
    }
    if isRunning, clock(at: now) != clock(at: last) {
      rtc.memory[Self.registerC] |= Self.updateEndedFlag
      if let alarm = nextAlarm(after: clock(at: last)), alarm <= clock(at: now) {
        rtc.memory[Self.registerC] |= Self.alarmFlag
      }
    }
    updateLine()
  }

  private func updateLine() {
    let requests = rtc.memory[Self.registerC] & rtc.memory[Self.registerB] & Self.sources != 0
    if requests {
      rtc.memory[Self.registerC] |= Self.interruptRequest
    } else {
      rtc.memory[Self.registerC] &= ~Self.interruptRequest
    }
    // While the HPET has the wire it must not be pulled either way.
    if rtc.isIRQConnected { irq.set(requests) }
  }

  private func fired() {
    syncFlags(now: max(timers.virtualTime, armedTime))
    rearm()
  }

  private func rearm() {
    let wanted = rtc.memory[Self.registerB] & ~rtc.memory[Self.registerC] & Self.sources
    // Flags up to `flagsTime` are known, so that nothing between it and now is missed.
    let from = rtc.flagsTime
    var deadline = UInt64.max
    if rtc.isIRQConnected {
      if wanted & Self.periodicInterruptEnable != 0, let ticks = periodicTicks {
        let next = (Self.crystal.ticks(at: from) / ticks + 1).multipliedSaturating(by: ticks)
        deadline = min(deadline, Self.crystal.time(of: next))
      }
      if isRunning {
        let shown = clock(at: from)
        if wanted & Self.updateEndedInterruptEnable != 0 {
          deadline = min(deadline, time(of: shown &+ 1, now: from))
        }
        if wanted & Self.alarmInterruptEnable != 0, let alarm = nextAlarm(after: shown) {
          deadline = min(deadline, time(of: alarm, now: from))
        }
      }
    }
    armedTime = deadline
    if deadline == .max { timer.cancel() } else { timer.arm(at: deadline) }
  }

  /// The first second after `seconds` at which the alarm registers match, nil when they never do.
  private func nextAlarm(after seconds: Int64) -> Int64? {
    func wanted(_ register: Int, _ value: (UInt8) -> Int) -> Int? {
      let byte = rtc.memory[register]
      return byte & Self.anyValue == Self.anyValue ? nil : value(byte)
    }
    let hour = wanted(Self.hoursAlarmRegister, decodeHour)
    let minute = wanted(Self.minutesAlarmRegister, decode)
    let second = wanted(Self.secondsAlarmRegister, decode)
    guard hour ?? 0 < 24, minute ?? 0 < 60, second ?? 0 < 60 else { return nil }
    // Skips whole hours and minutes that cannot match: at most a day of hours, then minutes, then seconds.
    var candidate = seconds &+ 1
    for _ in 0..<200 {
      let date = RTCDate(seconds: candidate)
      if let hour, date.hour != hour {
        candidate += Int64(3600 - date.minute * 60 - date.second)
      } else if let minute, date.minute != minute {
        candidate += Int64(60 - date.second)
      } else if let second, date.second != second {
        candidate += 1
      } else {
        return candidate
      }
    }
    return nil
  }
}
