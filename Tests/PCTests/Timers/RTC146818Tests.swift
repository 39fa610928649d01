import PC
import Testing

@Suite struct RTC146818Tests {
  /// 2023-12-31 23:59:58.25, a Sunday.
  static let start: UInt64 = 1_704_067_198_250_000_000
  let clock = TestClock()
  let probe: Probe
  let rtc: RTC146818

  init() {
    probe = Probe(clock)
    rtc = RTC146818(
      timers: clock.timers, baseTime: Self.start, memoryBelow4G: 256 << 20, memoryAbove4G: 1 << 30,
      irq: probe.line)
  }

  private func read(_ register: UInt8) -> UInt8 {
    rtc.out(0, register)
    return rtc.in(1)
  }

  private func write(_ register: UInt8, _ value: UInt8) {
    rtc.out(0, register)
    rtc.out(1, value)
  }

  private var date: [UInt8] { [0x32, 9, 8, 7, 6, 4, 2, 0].map(read) }

  @Test func countsThroughNewYear() {
    #expect(date == [0x20, 0x23, 0x12, 0x31, 0x01, 0x23, 0x59, 0x58])
    clock.advance(by: 1_749_999_999)
    #expect(read(0) == 0x59)
    clock.advance(by: 1)
    #expect(date == [0x20, 0x24, 0x01, 0x01, 0x02, 0x00, 0x00, 0x00])
  }

  @Test func binaryAndTwelveHours() {
    write(0x0B, 0x04)
    #expect(date == [20, 23, 12, 31, 1, 11 | 0x80, 59, 58])
    clock.advance(by: 2_000_000_000)
    #expect(read(4) == 12)
  }

  @Test func updateInProgressWarns() {
    clock.advance(to: 750_000_000 - 244_001)
    #expect(read(0x0A) & 0x80 == 0)
    clock.advance(by: 1)
    #expect(read(0x0A) & 0x80 != 0)
    #expect(read(0) == 0x58)
    clock.advance(to: 750_000_000)
    #expect(read(0x0A) & 0x80 == 0)
    #expect(read(0) == 0x59)
  }

  @Test func guestSetsTheClock() {
    write(0x0B, 0x82)
    clock.advance(by: 5_000_000_000)
    #expect(read(0) == 0x58)
    for (register, value) in zip(
      [0x32, 9, 8, 7, 4, 2, 0] as [UInt8], [0x19, 0x99, 2, 0x28, 0x23, 0x59, 0x59])
    {
      write(register, UInt8(value))
    }
    write(0x0B, 0x02)
    clock.advance(by: 1_000_000_000)
    #expect(date == [0x19, 0x99, 0x03, 0x01, 0x02, 0x00, 0x00, 0x00])
    // One register while the clock runs.
    write(9, 0x05)
    #expect(read(9) == 0x05)
    #expect(read(8) == 0x03)
  }

  @Test func releasedDividerUpdatesAfterHalfASecond() {
    write(0x0A, 0x76)
    clock.advance(by: 3_000_000_000)
    #expect(read(0) == 0x58)
    write(0x0A, 0x26)
    clock.advance(by: 499_999_999)
    #expect(read(0) == 0x58)
    clock.advance(by: 1)
    #expect(read(0) == 0x59)
  }

  @Test func strangeValuesDoNoHarm() {
    for register in UInt8(0)..<128 { write(register, 0xFF) }
    write(0x0B, 0x7F)
    write(0x0A, 0x2F)
    clock.advance(by: 10_000_000_000)
    for register in UInt8(0)..<128 { _ = read(register) }
  }

  @Test func updateEndedInterruptsEachSecond() {
    #expect(clock.timers.earliest == .max)
    write(0x0B, 0x12)
    clock.advance(to: 800_000_000)
    #expect(probe.rises == [750_000_000])
    // No more before the flags are read.
    clock.advance(to: 2_800_000_000)
    #expect(probe.rises.count == 1)
    #expect(read(0x0C) & 0x90 == 0x90)
    clock.advance(to: 3_800_000_000)
    #expect(probe.rises == [750_000_000, 3_750_000_000])
  }

  @Test func readingStatusCClears() {
    write(0x0B, 0x12)
    clock.advance(to: 1_000_000_000)
    #expect(read(0x0C) & 0x90 == 0x90)
    #expect(!probe.level)
    #expect(read(0x0C) == 0)
  }

  @Test func flagsAreSetWithoutInterrupts() {
    write(0x0B, 0x02)
    _ = read(0x0C)
    clock.advance(by: 1_000_000_000)
    // Periodic rate 1024 Hz is set at power-on.
    #expect(read(0x0C) == 0x50)
    #expect(clock.timers.earliest == .max)
  }

  @Test func alarm() {
    write(1, 0x05)
    write(3, 0x00)
    write(5, 0x00)
    write(0x0B, 0x22)
    clock.advance(to: 60_000_000_000)
    #expect(probe.rises == [6_750_000_000])
    #expect(read(0x0C) & 0xA0 == 0xA0)
    // Any hour, any minute.
    write(3, 0xC0)
    write(5, 0xFF)
    clock.advance(to: 120_000_000_000)
    #expect(probe.rises == [6_750_000_000, 66_750_000_000])
    write(5, 0x99)
    _ = read(0x0C)
    #expect(clock.timers.earliest == .max)
  }

  @Test func alarmMonthsAheadIsADayAheadAtMost() {
    write(1, 0x58)
    write(3, 0x59)
    write(5, 0x23)
    write(0x0B, 0x22)
    clock.advance(to: 86_500_000_000_000)
    #expect(probe.rises == [86_399_750_000_000])
  }

  @Test func periodicRates() {
    write(0x0A, 0x2F)
    write(0x0B, 0x42)
    for _ in 0..<4 {
      clock.advance(by: 500_000_000)
      _ = read(0x0C)
    }
    #expect(probe.rises == [500_000_000, 1_000_000_000, 1_500_000_000, 2_000_000_000])
    write(0x0A, 0x26)
    clock.advance(by: 1_000_000)
    #expect(probe.rises.last == 2_000_976_563)
  }

  @Test func memoryAndItsSize() {
    write(0x40, 0xA5)
    #expect(read(0x40) == 0xA5)
    #expect([0x15, 0x16].map(read) == [0x80, 0x02])
    #expect([0x17, 0x18].map(read) == [0xFF, 0xFF])  // more than fits
    #expect([0x30, 0x31].map(read) == [0xFF, 0xFF])
    #expect([0x34, 0x35].map(read) == [0x00, 0x0F])
    #expect([0x5B, 0x5C, 0x5D].map(read) == [0x00, 0x40, 0x00])
    #expect(read(0x0D) == 0x80)
  }

  @Test func nmiMaskAndWordAccess() {
    var masks: [Bool] = []
    rtc.onNMIMaskChange = { masks.append($0) }
    rtc.out(0, 0x8F)
    rtc.out(0, 0x0F)
    #expect(masks == [true, false])
    rtc.writePort(offset: 0, size: 2, value: 0x5A0F)
    #expect(read(0x0F) == 0x5A)
  }

  @Test func stateComesBack() {
    write(0x0B, 0x12)
    clock.advance(to: 500_000_000)
    let other = Probe(clock)
    let copy = RTC146818(timers: clock.timers, baseTime: Self.start, memoryBelow4G: 0, irq: other.line)
    copy.state = rtc.state
    clock.advance(to: 1_000_000_000)
    #expect(other.rises == probe.rises)
    #expect(copy.state == rtc.state)
  }

  @Test func calendarRoundTrips() {
    for day in stride(from: Int64(-800_000), through: 2_932_000, by: 97) {
      let date = RTCDate(seconds: day * 86400 + 3723)
      #expect(date.seconds == day * 86400 + 3723)
    }
    #expect(RTCDate(seconds: 951_782_400).day == 29)  // 2000-02-29
  }
}
