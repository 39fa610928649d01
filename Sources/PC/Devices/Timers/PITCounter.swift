/// One counter of the 8254, as a function of the tick that it is asked about.
///
/// Ticks count from power-on. A count that is written between ticks T and T + 1 is loaded at T + 1, as the
/// data sheet says of CLK pulses.
public struct PITCounter: Codable, Equatable, Sendable {
  /// 0…5.
  public var mode: UInt8 = 0
  public var isBCD = false
  /// RW of the control word: 1 low byte, 2 high byte, 3 both.
  public var access: UInt8 = 3
  public var gate = true
  /// CR: the count to load, 1…65536; 0 before the first one.
  public var countRegister: Int64 = 0
  /// The counting element was loaded, or will be at `start`.
  public var isLoaded = false
  /// Tick at which the counting element stands at `value`.
  public var start: Int64 = 0
  /// The count at `start`, in modes 2 and 3 the period.
  public var value: Int64 = 0
  /// Modes 0, 1, 4, 5: the terminal count has been reached.
  public var isDone = false
  /// Modes 2 and 3: a count that waits for the end of the (half) period, at `pendingStart`.
  public var pendingValue: Int64?
  public var pendingStart: Int64 = 0
  /// The count stands still since the gate went low, at this number of ticks after `start`.
  public var pausedAt: Int64?
  public var latchedCount: UInt16?
  public var latchedStatus: UInt8?
  /// Access 3: low byte that waits for the high byte.
  public var lowByte: UInt8?
  /// Access 3: the next read gives the high byte.
  public var readsHighByte = false

  public init() {}

  /// OUT of mode 3 is high for this many ticks of a period.
  private func highTicks(_ period: Int64) -> Int64 { (period + 1) / 2 }

  private var isPeriodic: Bool { mode == 2 || mode == 3 }

  /// Ticks since `start`; negative before the load.
  private func elapsed(_ tick: Int64) -> Int64 { pausedAt ?? tick &- start }

  // MARK: Going on in time

  /// Brings what depends on time up to `tick`; ticks never go back.
  public mutating func advance(to tick: Int64) {
    guard isLoaded, pausedAt == nil else { return }
    if isPeriodic {
      if let pending = pendingValue, tick >= pendingStart {
        // A new count of mode 3 that comes after the high half starts with its own low half.
        start = pendingStart
        if mode == 3, pendingStartsLow { start -= highTicks(pending) }
        value = pending
        pendingValue = nil
      }
    } else if elapsed(tick) >= value {
      isDone = true
    }
  }

  /// The pending count comes into effect where OUT falls.
  public var pendingStartsLow = false

  // MARK: Control

  public mutating func setControl(mode: UInt8, access: UInt8, isBCD: Bool, tick: Int64) {
    advance(to: tick)
    let now = count(at: tick)
    self.mode = mode
    self.access = access
    self.isBCD = isBCD
    isLoaded = false
    isDone = false
    pendingValue = nil
    pausedAt = nil
    value = Int64(now)
    start = tick
    latchedCount = nil
    latchedStatus = nil
    lowByte = nil
    readsHighByte = false
  }

  public mutating func writeByte(_ byte: UInt8, tick: Int64) {
    switch access {
    case 1: writeCount(UInt16(byte), tick: tick)
    case 2: writeCount(UInt16(byte) << 8, tick: tick)
    default:
      if let low = lowByte {
        lowByte = nil
        writeCount(UInt16(byte) << 8 | UInt16(low), tick: tick)
      } else {
        lowByte = byte
        // Mode 0 stops at the first byte, and OUT goes low at once.
        if mode == 0 {
          advance(to: tick)
          value = Int64(count(at: tick))
          isLoaded = false
          isDone = false
        }
      }
    }
  }

  private mutating func writeCount(_ raw: UInt16, tick: Int64) {
    advance(to: tick)
    countRegister = Self.length(raw, isBCD: isBCD)
    switch mode {
    case 0, 4: load(at: tick + 1)
    case 1, 5: break  // loaded by the next trigger
    default:
      // The first count is loaded at once, even without gate; a later one waits for the end of the period.
      guard isLoaded, pausedAt == nil, elapsed(tick) >= 0 else {
        load(at: tick + 1)
        return
      }
      let position = elapsed(tick) % value
      let periodStart = tick - position
      pendingValue = countRegister
      pendingStartsLow = mode == 3 && position < highTicks(value) && value > 1
      pendingStart = periodStart + (pendingStartsLow ? highTicks(value) : value)
    }
  }

  private mutating func load(at tick: Int64) {
    isLoaded = true
    isDone = false
    start = tick
    value = max(1, countRegister)
    pendingValue = nil
    // Without gate the count is loaded and stands still.
    pausedAt = gate || mode == 1 || mode == 5 ? nil : 0
  }

  public mutating func setGate(_ level: Bool, tick: Int64) {
    guard level != gate else { return }
    advance(to: tick)
    gate = level
    switch mode {
    case 1, 5:
      if level, countRegister != 0 { load(at: tick + 1) }
    case 2, 3:
      guard isLoaded else { return }
      if level { load(at: tick + 1) } else { pausedAt = max(0, elapsed(tick)) }
    default:
      guard isLoaded else { return }
      if let paused = pausedAt, level {
        start = tick - paused
        pausedAt = nil
      } else if !level {
        pausedAt = max(0, elapsed(tick))
      }
    }
  }

  // MARK: What can be seen

  /// OUT. Call `advance` first.
  public func output(at tick: Int64) -> Bool {
    let elapsed = elapsed(tick)
    switch mode {
    case 0: return isLoaded && isDone
    case 1: return !(isLoaded && !isDone && elapsed >= 0)
    case 2, 3:
      guard isLoaded, gate, elapsed >= 0 else { return true }
      let position = elapsed % value
      return mode == 2 ? value == 1 || position < value - 1 : position < highTicks(value)
    default: return !(isLoaded && pausedAt == nil && elapsed == value)
    }
  }

  /// The next tick after `tick` at which OUT rises. Call `advance` first.
  public func nextRise(after tick: Int64) -> Int64? {
    guard isLoaded, pausedAt == nil else { return nil }
    switch mode {
    case 0, 1: return isDone ? nil : start + value
    case 2, 3:
      // A period of 1 is illegal; OUT then stays high.
      guard gate, value > 1 || pendingValue != nil else { return nil }
      if let pending = pendingValue {
        // In mode 3 a high half that is cut off is followed by the low half of the new count.
        let rise = pendingStartsLow ? pendingStart + pending - highTicks(pending) : pendingStart
        if rise > tick { return rise }
      }
      return tick < start ? start + value : tick + value - (tick - start) % value
    default:
      let rise = start + value + 1
      return rise > tick ? rise : nil
    }
  }

  /// The counting element, in the coding that the guest reads. Call `advance` first.
  public func count(at tick: Int64) -> UInt16 {
    var count = value
    if isLoaded {
      let elapsed = max(0, elapsed(tick))
      switch mode {
      case 2: count = value - elapsed % value
      case 3:
        let position = elapsed % value
        let high = highTicks(value)
        // An odd count is loaded less one; both halves count down by two.
        count = (value & ~1) - 2 * (position < high ? position : position - high)
      default: count = value - elapsed
      }
    } else {
      // Kept as it was read last.
      return UInt16(truncatingIfNeeded: value)
    }
    return Self.encode(count, isBCD: isBCD)
  }

  /// The null count bit: the count register was written and not loaded yet.
  private func isNull(at tick: Int64) -> Bool {
    guard countRegister != 0 else { return true }
    return !isLoaded || pendingValue != nil || (pausedAt == nil && tick < start)
  }

  public mutating func latchCount(tick: Int64) {
    advance(to: tick)
    if latchedCount == nil { latchedCount = count(at: tick) }
  }

  public mutating func latchStatus(tick: Int64) {
    advance(to: tick)
    guard latchedStatus == nil else { return }
    latchedStatus =
      (output(at: tick) ? 0x80 : 0) | (isNull(at: tick) ? 0x40 : 0) | access << 4 | mode << 1
      | (isBCD ? 1 : 0)
  }

  public mutating func readByte(tick: Int64) -> UInt8 {
    advance(to: tick)
    if let status = latchedStatus {
      latchedStatus = nil
      return status
    }
    let count = latchedCount ?? self.count(at: tick)
    switch access {
    case 1:
      latchedCount = nil
      return UInt8(truncatingIfNeeded: count)
    case 2:
      latchedCount = nil
      return UInt8(count >> 8)
    default:
      readsHighByte.toggle()
      if readsHighByte { return UInt8(truncatingIfNeeded: count) }
      latchedCount = nil
      return UInt8(count >> 8)
    }
  }

  // MARK: Coding

  /// Length in ticks of a count as written; 0 is the longest.
  static func length(_ raw: UInt16, isBCD: Bool) -> Int64 {
    guard isBCD else { return raw == 0 ? 65536 : Int64(raw) }
    var decimal: Int64 = 0
    for shift in [12, 8, 4, 0] { decimal = decimal * 10 + Int64(raw >> UInt16(shift) & 0xF) }
    return decimal == 0 ? 10000 : decimal
  }

  /// A count, which wraps below 0, as the guest reads it.
  static func encode(_ count: Int64, isBCD: Bool) -> UInt16 {
    guard isBCD else { return UInt16(truncatingIfNeeded: count) }
    var decimal = count % 10000
    if decimal < 0 { decimal += 10000 }
    let digits = [decimal / 1000, decimal / 100 % 10, decimal / 10 % 10, decimal % 10]
    return digits.reduce(0) { $0 << 4 | UInt16($1) }
  }
}
