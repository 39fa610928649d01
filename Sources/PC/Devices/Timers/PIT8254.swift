/// The 8254 programmable interval timer (Intel 231164): four ports, counter 0 on IRQ 0, counter 2 on the speaker.
///
/// Counters are functions of virtual time at 1.193182 MHz. Only counter 0 arms a deadline, one per rising edge of
/// its OUT; that OUT falls, too, before it rises is shown at the rising edge, when controllers look.
public final class PIT8254: ByteRegisters {
  /// CLK of all counters.
  public static let rate = ClockRate(hertz: 1_193_182)

  static let controlOffset: UInt16 = 3
  /// Select-counter value of the read-back command.
  static let readBack = 3
  // Read-back command: these are active low.
  static let readBackNoCount: UInt8 = 0x20
  static let readBackNoStatus: UInt8 = 0x10

  public struct State: Codable, Equatable {
    public var counter0 = PITCounter()
    public var counter1 = PITCounter()
    public var counter2 = PITCounter()
    /// The level of IRQ 0 as driven.
    public var irqLevel = false
    /// False while the HPET's legacy replacement has IRQ 0.
    public var isIRQConnected = true
    /// The rising edge of OUT 0 to show next.
    public var armedTick: Int64?
    public init() {
      // The speaker's gate is closed at power-on; the others are wired to high.
      counter2.gate = false
    }

    subscript(index: Int) -> PITCounter {
      get { index == 0 ? counter0 : index == 1 ? counter1 : counter2 }
      set {
        switch index {
        case 0: counter0 = newValue
        case 1: counter1 = newValue
        default: counter2 = newValue
        }
      }
    }
  }

  /// The clock must stand where it stood when the value was read.
  public var state: State {
    get { pit }
    set {
      pit = newValue
      irq.set(pit.irqLevel)
      arm(pit.armedTick)
    }
  }

  private var pit = State()
  private let irq: InterruptLine
  private let timers: TimerQueue
  private var timer: DeviceTimer!

  public init(timers: TimerQueue, irq: InterruptLine) {
    self.timers = timers
    self.irq = irq
    timer = timers.makeTimer("PIT") { [unowned self] in fired() }
  }

  public func reset() {
    pit = State()
    irq.set(false)
    rearm()
  }

  /// Ticks of CLK since power-on.
  public var currentTick: UInt64 { Self.rate.ticks(at: timers.virtualTime) }
  private var tick: Int64 { Int64(truncatingIfNeeded: currentTick & UInt64(Int64.max)) }

  /// OUT of a counter, 0…2.
  public func output(_ index: Int) -> Bool {
    guard (0..<3).contains(index) else { return false }
    let now = tick
    var counter = pit[index]
    counter.advance(to: now)
    return counter.output(at: now)
  }

  public func setGate(_ index: Int, _ level: Bool) {
    guard (0..<3).contains(index) else { return }
    change(index) { counter, now in counter.setGate(level, tick: now) }
  }

  /// Whether counter 0 drives IRQ 0; the HPET takes it away.
  public var isIRQConnected: Bool {
    get { pit.isIRQConnected }
    set {
      guard newValue != pit.isIRQConnected else { return }
      catchUp()
      pit.isIRQConnected = newValue
      drive(newValue && output(0))
      rearm()
    }
  }

  // MARK: Ports

  public func readRegister(_ offset: UInt16) -> UInt8 {
    guard offset < Self.controlOffset else { return 0xFF }
    return pit[Int(offset)].readByte(tick: tick)
  }

  public func writeRegister(_ offset: UInt16, _ byte: UInt8) {
    if offset < Self.controlOffset {
      change(Int(offset)) { counter, now in counter.writeByte(byte, tick: now) }
    } else {
      writeControl(byte)
    }
  }

  private func writeControl(_ byte: UInt8) {
    let index = Int(byte >> 6)
    let now = tick
    if index == Self.readBack {
      for counter in 0..<3 where byte >> UInt8(counter + 1) & 1 != 0 {
        if byte & Self.readBackNoCount == 0 { pit[counter].latchCount(tick: now) }
        if byte & Self.readBackNoStatus == 0 { pit[counter].latchStatus(tick: now) }
      }
      return
    }
    let access = byte >> 4 & 3
    if access == 0 {
      pit[index].latchCount(tick: now)
      return
    }
    // Modes 6 and 7 are 2 and 3.
    let mode = byte >> 1 & 7
    change(index) { counter, now in
      counter.setControl(mode: mode > 5 ? mode - 4 : mode, access: access, isBCD: byte & 1 != 0, tick: now)
    }
  }

  // MARK: IRQ 0

  private func change(_ index: Int, _ body: (inout PITCounter, Int64) -> Void) {
    if index == 0 { catchUp() }
    body(&pit[index], tick)
    guard index == 0 else { return }
    if pit.isIRQConnected { drive(output(0)) }
    rearm()
  }

  private func drive(_ level: Bool) {
    guard level != pit.irqLevel else { return }
    pit.irqLevel = level
    irq.set(level)
  }

  /// Shows an edge that is due and was not shown yet.
  private func catchUp() {
    if let armed = pit.armedTick, armed <= tick { rise() }
  }

  private func rise() {
    pit.armedTick = nil
    drive(false)
    drive(true)
  }

  private func fired() {
    let now = max(tick, pit.armedTick ?? 0)
    rise()
    rearm(after: now)
  }

  private func rearm(after limit: Int64? = nil) {
    let now = limit ?? tick
    pit.counter0.advance(to: now)
    arm(pit.isIRQConnected ? pit.counter0.nextRise(after: now) : nil)
  }

  private func arm(_ rise: Int64?) {
    pit.armedTick = rise
    if let rise { timer.arm(at: Self.rate.time(of: UInt64(max(0, rise)))) } else { timer.cancel() }
  }
}
