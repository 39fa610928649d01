/// The watchdog timer of Intel's 6300ESB I/O controller hub (data sheet chapter 16, "Watchdog Timer"): two stages of a
/// 20-bit preload in units of the PCI clock's prescaled tick; the first raises an interrupt on real hardware, the second
/// asks for the reset, which here is what `-action watchdog=` says.
public final class I6300ESB: PCIFunction {
  enum Register {
    /// ESB_CONFIG in configuration space: bits 1–0 what stage 1 raises, 2 prescaler, 5 reboot output disabled.
    static let configuration = 0x60
    /// ESB_LOCK: 0 locked, 1 enabled, 2 free-running.
    static let lock = 0x68
    static let timer1: UInt64 = 0x00
    static let timer2: UInt64 = 0x04
    static let interruptStatus: UInt64 = 0x08
    static let reload: UInt64 = 0x0C
  }
  enum Configuration {
    static let interruptMask: UInt8 = 0x03
    /// 1 µs ticks instead of 1 ms.
    static let microseconds: UInt8 = 0x04
    static let rebootDisabled: UInt8 = 0x20
  }
  enum Lock {
    static let locked: UInt8 = 1
    static let enabled: UInt8 = 2
    static let freeRunning: UInt8 = 4
  }
  enum Reload {
    static let reload: UInt16 = 1 << 8
    /// The watchdog has struck; Linux looks at bit 12 for it.
    static let timeout: UInt16 = 1 << 9 | 1 << 12
  }
  /// The counter's clock: the 33-MHz PCI clock divided by 2^15 or, for short times, by 2^5.
  static let clockMHz: UInt64 = 33

  public struct WatchdogState: Codable, Equatable {
    public var timer1: UInt32 = 0xFFFFF
    public var timer2: UInt32 = 0xFFFFF
    /// How much of the unlocking sequence 80, 86 has been seen.
    public var unlockState = 0
    /// 1 or 2 while it runs.
    public var stage = 1
    public var isRunning = false
    public var hasRebooted = false
    public var deadline: UInt64?
  }
  public var watchdogState: WatchdogState {
    get {
      var state = w
      state.deadline = timer.deadline
      return state
    }
    set {
      w = newValue
      if let deadline = newValue.deadline { timer.arm(at: deadline) } else { timer.cancel() }
    }
  }
  private var w = WatchdogState()
  private let timers: TimerQueue
  private var timer: DeviceTimer!
  /// Both stages have passed.
  public var onExpired: (() -> Void)?

  public init(timers: TimerQueue) {
    self.timers = timers
    super.init(vendorID: 0x8086, deviceID: 0x25AB, classCode: 0x088000)
    timer = timers.makeTimer("i6300esb") { [unowned self] in stageEnded() }
    allowWrites(Register.configuration, mask: 0x0027)
    allowWrites(Register.lock, mask: 0x0007)
    addBAR(0, kind: .memory32(prefetchable: false), size: 16, name: "i6300esb", memory: Registers(self))
  }

  public override func reset() {
    // Whether the last reset was its own doing stays to be read.
    let hasRebooted = w.hasRebooted
    timer.cancel()
    w = WatchdogState()
    w.hasRebooted = hasRebooted
    wasLocked = false
    super.reset()
  }

  private var wasLocked = false

  public override func configurationWritten(offset: Int, size: Int) {
    guard offset <= Register.lock, offset + size > Register.lock else { return }
    // A locked watchdog stays as it is until the next reset.
    if wasLocked {
      set8(Register.lock, Lock.locked | (w.isRunning ? Lock.enabled : 0))
      return
    }
    let lock = get8(Register.lock)
    wasLocked = lock & Lock.locked != 0
    let enabled = lock & Lock.enabled != 0
    if enabled, !w.isRunning {
      w.isRunning = true
      start(stage: 1)
    } else if !enabled, w.isRunning {
      w.isRunning = false
      timer.cancel()
    }
  }

  private func start(stage: Int) {
    w.stage = stage
    let preload = UInt64(stage == 1 ? w.timer1 : w.timer2)
    // The preload counts ticks of the divided clock: 2^15 PCI clocks (about 1 ms), or 2^5 (about 1 µs).
    let shift: UInt64 = get8(Register.configuration) & Configuration.microseconds != 0 ? 5 : 15
    let clocks = preload << shift
    timer.arm(at: timers.virtualTime &+ clocks * 1_000 / Self.clockMHz)
  }

  private func stageEnded() {
    if w.stage == 1 {
      start(stage: 2)
      return
    }
    guard get8(Register.configuration) & Configuration.rebootDisabled == 0 else { return }
    w.hasRebooted = true
    if get8(Register.lock) & Lock.freeRunning != 0 {
      start(stage: 1)
    } else {
      w.isRunning = false
      set8(Register.lock, get8(Register.lock) & ~Lock.enabled)
    }
    onExpired?()
  }

  fileprivate func read(_ offset: UInt64, size: Int) -> UInt64 {
    switch offset {
    case Register.timer1: return UInt64(w.timer1)
    case Register.timer2: return UInt64(w.timer2)
    case Register.reload:
      return w.hasRebooted ? UInt64(Reload.timeout) : 0
    default: return 0
    }
  }

  fileprivate func write(_ offset: UInt64, size: Int, value: UInt64) {
    // Preloads and reload are written behind 80 and 86 to the reload register.
    if offset == Register.reload, size == 2 || size == 1 || size == 4 {
      if value & 0xFFFF == 0x80 {
        w.unlockState = 1
        return
      }
      if value & 0xFFFF == 0x86, w.unlockState == 1 {
        w.unlockState = 2
        return
      }
    }
    guard w.unlockState == 2 else {
      w.unlockState = 0
      return
    }
    w.unlockState = 0
    switch offset {
    case Register.timer1: w.timer1 = UInt32(truncatingIfNeeded: value & 0xFFFFF)
    case Register.timer2: w.timer2 = UInt32(truncatingIfNeeded: value & 0xFFFFF)
    case Register.reload:
      let bits = UInt16(truncatingIfNeeded: value)
      if bits & Reload.timeout != 0 { w.hasRebooted = false }
      if bits & Reload.reload != 0, w.isRunning { start(stage: 1) }
    default: break
    }
  }

  private final class Registers: MemoryMappedDevice {
    private unowned let watchdog: I6300ESB
    init(_ watchdog: I6300ESB) { self.watchdog = watchdog }
    func readMemory(offset: UInt64, size: Int) -> UInt64 { watchdog.read(offset, size: size) }
    func writeMemory(offset: UInt64, size: Int, value: UInt64) {
      watchdog.write(offset, size: size, value: value)
    }
  }
}
