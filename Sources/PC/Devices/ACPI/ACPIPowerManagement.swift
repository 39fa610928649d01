/// ACPI's fixed hardware as PIIX4 has it: PM1 event and control block, power management timer, and one block of
/// general-purpose events (ACPI 6.5 section 4.8). ACPI mode is always on.
public final class ACPIPowerManagement: ByteRegisters {
  /// Ports from PM1_STS to the timer's last byte.
  public static let portCount: UInt16 = 12
  /// The timer's frequency in hertz.
  public static let timerFrequency: UInt64 = 3_579_545

  enum Register {
    static let pm1Status: UInt16 = 0x00
    static let pm1Enable: UInt16 = 0x02
    static let pm1Control: UInt16 = 0x04
    static let timer: UInt16 = 0x08
  }
  /// PM1 status and enable bits (4.8.4.1).
  enum PM1 {
    static let timer: UInt16 = 1 << 0
    static let globalLock: UInt16 = 1 << 5
    static let powerButton: UInt16 = 1 << 8
    static let sleepButton: UInt16 = 1 << 9
    static let rtc: UInt16 = 1 << 10
    static let wake: UInt16 = 1 << 15
    static let enables: UInt16 = timer | globalLock | powerButton | sleepButton | rtc
  }
  /// PM1 control bits (4.8.4.2).
  enum PM1Control {
    static let sciEnable: UInt16 = 1 << 0
    static let sleepTypeShift: UInt16 = 10
    static let sleepEnable: UInt16 = 1 << 13
    /// SCI_EN reads 1; GBL_RLS and SLP_EN read 0.
    static let stored: UInt16 = 0x1C02
  }
  /// The sleep states by the SLP_TYP that the DSDT gives them.
  public enum Sleep: UInt8 {
    case softOff = 0
    case suspendToRAM = 1
    case suspendToDisk = 2
  }

  public struct State: Codable, Equatable {
    /// PM1_STS without the timer's bit, which follows from time.
    public var pm1Status: UInt16 = 0
    public var pm1Enable: UInt16 = 0
    public var pm1Control: UInt16 = 0
    /// How often the timer's top bit had changed when its status was last cleared.
    public var timerTogglesSeen: UInt64 = 0
    public var gpeStatus: UInt16 = 0
    public var gpeEnable: UInt16 = 0
    /// Virtual time of the timer's next status, nil while its interrupt is disabled.
    public var timerDeadline: UInt64?
  }

  /// What a checkpoint keeps. Setting it arms the timer again; the interrupt's level is the controller's state.
  public var state: State {
    get { registers }
    set {
      registers = newValue
      if let deadline = newValue.timerDeadline { timer.arm(at: deadline) } else { timer.cancel() }
    }
  }
  private var registers = State()

  /// The guest goes to sleep; most often it switches itself off.
  public var onSleep: ((Sleep) -> Void)?

  /// The general-purpose event block, mapped at ports of its own.
  public private(set) lazy var gpe0 = GPE0(self)
  private let interrupt: InterruptLine
  private let queue: TimerQueue
  private var timer: DeviceTimer!

  /// - Parameter interrupt: the SCI, level-high.
  public init(interrupt: InterruptLine, timers: TimerQueue) {
    self.interrupt = interrupt
    self.queue = timers
    self.timer = timers.makeTimer("acpi-pm") { [unowned self] in timerFired() }
  }

  public func reset() {
    registers = State()
    registers.timerTogglesSeen = toggles
    timer.cancel()
    updateInterrupt()
  }

  /// Someone presses the power button shortly (QMP's `system_powerdown`).
  public func pressPowerButton() {
    registers.pm1Status |= PM1.powerButton
    updateInterrupt()
  }

  /// A general-purpose event happened.
  public func raise(gpe event: Int) {
    registers.gpeStatus |= 1 << UInt16(event & 15)
    updateInterrupt()
  }

  // MARK: Registers

  public func readRegister(_ offset: UInt16) -> UInt8 {
    let value: UInt32
    switch offset & ~1 {
    case Register.pm1Status: value = UInt32(status)
    case Register.pm1Enable: value = UInt32(registers.pm1Enable)
    case Register.pm1Control: value = UInt32(registers.pm1Control | PM1Control.sciEnable)
    case Register.timer: value = timerValue
    case Register.timer + 2: value = timerValue >> 16
    default: value = 0
    }
    return UInt8(truncatingIfNeeded: value >> UInt32(8 * (offset & 1)))
  }

  public func writeRegister(_ offset: UInt16, _ value: UInt8) {
    let shift = 8 * (offset & 1)
    let bits = UInt16(value) << shift
    func merged(_ old: UInt16) -> UInt16 { old & ~(0xFF << shift) | bits }
    switch offset & ~1 {
    case Register.pm1Status:
      registers.pm1Status &= ~bits
      if bits & PM1.timer != 0 { registers.timerTogglesSeen = toggles }
      armTimer()
    case Register.pm1Enable:
      registers.pm1Enable = merged(registers.pm1Enable) & PM1.enables
      armTimer()
    case Register.pm1Control:
      registers.pm1Control = merged(registers.pm1Control) & PM1Control.stored
      if bits & PM1Control.sleepEnable != 0 {
        let type = UInt8(truncatingIfNeeded: registers.pm1Control >> PM1Control.sleepTypeShift & 7)
        if let sleep = Sleep(rawValue: type) { onSleep?(sleep) }
      }
    default: break  // The timer is read-only.
    }
    updateInterrupt()
  }

  // MARK: The timer

  /// Ticks since power-on; the register shows the low 24 bits.
  private var ticks: UInt64 {
    let product = queue.virtualTime.multipliedFullWidth(by: Self.timerFrequency)
    return UInt64(1_000_000_000).dividingFullWidth((product.high % 1_000_000_000, product.low)).quotient
  }
  private var timerValue: UInt32 { UInt32(truncatingIfNeeded: ticks & 0xFF_FFFF) }
  /// How often bit 23 has changed.
  private var toggles: UInt64 { ticks >> 23 }

  private var status: UInt16 {
    registers.pm1Status | (toggles != registers.timerTogglesSeen ? PM1.timer : 0)
  }

  /// Only an enabled interrupt needs a deadline; the status bit itself follows from time.
  private func armTimer() {
    let enabled = registers.pm1Enable & PM1.timer != 0
    guard enabled, status & PM1.timer == 0 else {
      registers.timerDeadline = nil
      timer.cancel()
      return
    }
    // The first nanosecond at which the tick is reached.
    let tick = (toggles + 1) << 23
    let product = tick.multipliedFullWidth(by: 1_000_000_000)
    let (deadline, remainder) = Self.timerFrequency.dividingFullWidth(
      (
        product.high % Self.timerFrequency, product.low
      ))
    registers.timerDeadline = deadline + (remainder > 0 ? 1 : 0)
    timer.arm(at: registers.timerDeadline!)
  }

  private func timerFired() {
    registers.timerDeadline = nil
    updateInterrupt()
  }

  private func updateInterrupt() {
    let fixed = status & registers.pm1Enable & PM1.enables
    interrupt.set(fixed != 0 || registers.gpeStatus & registers.gpeEnable != 0)
  }

  /// Sixteen general-purpose events: two bytes of status, two of enables (4.8.5).
  public final class GPE0: ByteRegisters {
    public static let portCount: UInt16 = 4
    private unowned let owner: ACPIPowerManagement

    fileprivate init(_ owner: ACPIPowerManagement) { self.owner = owner }

    public func readRegister(_ offset: UInt16) -> UInt8 {
      let register = offset < 2 ? owner.registers.gpeStatus : owner.registers.gpeEnable
      return UInt8(truncatingIfNeeded: register >> (8 * (offset & 1)))
    }

    public func writeRegister(_ offset: UInt16, _ value: UInt8) {
      let shift = 8 * (offset & 1)
      if offset < 2 {
        owner.registers.gpeStatus &= ~(UInt16(value) << shift)
      } else {
        owner.registers.gpeEnable = owner.registers.gpeEnable & ~(0xFF << shift) | UInt16(value) << shift
      }
      owner.updateInterrupt()
    }
  }
}
