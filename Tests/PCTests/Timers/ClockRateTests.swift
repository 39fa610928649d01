import PC
import Testing

@Suite struct ClockRateTests {
  @Test(arguments: [1, 32768, 1_193_182, 24_000_000, 999_999_937, 1_000_000_000, 2_999_999_999] as [UInt64])
  func ticksAndTimesAgree(hertz: UInt64) {
    let rate = ClockRate(hertz: hertz)
    for tick in [1, 2, 3, 1000, 1_193_182, 123_456_789_012] as [UInt64] {
      let time = rate.time(of: tick)
      guard time != .max else { continue }
      #expect(rate.ticks(at: time) >= tick)
      #expect(rate.ticks(at: time - 1) < tick)
    }
  }

  @Test func saturates() {
    #expect(ClockRate(hertz: 1).time(of: .max) == .max)
    #expect(ClockRate(hertz: 4_000_000_000).ticks(at: .max) == .max)
    #expect(ClockRate(hertz: 0).hertz == 1)
  }
}
