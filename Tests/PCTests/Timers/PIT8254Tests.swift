import PC
import Testing

@Suite struct PIT8254Tests {
  let clock = TestClock()
  let probe: Probe
  let pit: PIT8254
  let portB: SystemControlPortB

  init() {
    probe = Probe(clock)
    pit = PIT8254(timers: clock.timers, irq: probe.line)
    portB = SystemControlPortB(pit: pit)
  }

  private func time(_ tick: UInt64) -> UInt64 { PIT8254.rate.time(of: tick) }
  private func advance(toTick tick: UInt64) { clock.advance(to: time(tick)) }

  private func program(_ counter: UInt16, mode: UInt8, count: UInt16, bcd: Bool = false) {
    pit.out(3, UInt8(counter) << 6 | 0x30 | mode << 1 | (bcd ? 1 : 0))
    pit.out(counter, UInt8(count & 0xFF))
    pit.out(counter, UInt8(count >> 8))
  }

  private func read(_ counter: UInt16) -> UInt16 {
    let low = pit.in(counter)
    return UInt16(low) | UInt16(pit.in(counter)) << 8
  }

  @Test func mode0GoesHighAfterCountPlusOne() {
    program(0, mode: 0, count: 4)
    #expect(!pit.output(0))
    advance(toTick: 4)
    #expect(!pit.output(0))
    #expect(probe.rises.isEmpty)
    advance(toTick: 5)
    #expect(pit.output(0))
    advance(toTick: 100_000)
    #expect(probe.rises == [time(5)])
    #expect(clock.timers.earliest == .max)
  }

  @Test func mode0StopsAtTheFirstByteOfANewCount() {
    program(0, mode: 0, count: 100)
    advance(toTick: 50)
    pit.out(0, 10)
    advance(toTick: 500)
    #expect(!pit.output(0))
    pit.out(0, 0)
    advance(toTick: 600)
    #expect(probe.rises == [time(511)])
  }

  @Test func mode2NeverDrifts() {
    program(0, mode: 2, count: 11932)
    clock.advance(to: 10_000_000_000)
    // OUT goes high with the control word, then once in a period.
    let expected = [0] + (1...999).map { time(UInt64(1 + 11932 * $0)) }
    let isExact = probe.rises == expected
    #expect(isExact)
  }

  @Test func mode2IsLowForTheLastTickOfAPeriod() {
    program(0, mode: 2, count: 4)
    let levels = (1...9).map { (tick: UInt64) -> Bool in
      advance(toTick: tick)
      return pit.output(0)
    }
    #expect(levels == [true, true, true, false, true, true, true, false, true])
  }

  @Test func mode2TakesANewCountAtTheEndOfThePeriod() {
    program(0, mode: 2, count: 100)
    advance(toTick: 30)
    pit.out(0, 50)
    pit.out(0, 0)
    advance(toTick: 210)
    #expect(probe.rises == [0, 101, 151, 201].map(time))
  }

  @Test func mode3IsHighForTheLongerHalf() {
    program(0, mode: 3, count: 5)
    let levels = (1...10).map { (tick: UInt64) -> Bool in
      advance(toTick: tick)
      return pit.output(0)
    }
    #expect(levels == [true, true, true, false, false, true, true, true, false, false])
    #expect(probe.rises == [time(0), time(6)])
  }

  @Test func mode3CountsByTwo() {
    program(0, mode: 3, count: 6)
    let counts = (1...6).map { (tick: UInt64) -> UInt16 in
      advance(toTick: tick)
      return read(0)
    }
    #expect(counts == [6, 4, 2, 6, 4, 2])
  }

  @Test func mode3TakesANewCountAtTheEndOfTheHalfPeriod() {
    program(0, mode: 3, count: 100)
    advance(toTick: 20)
    pit.out(0, 20)
    pit.out(0, 0)
    // High until 51, then low for 10 and periods of 20.
    advance(toTick: 85)
    #expect(probe.rises == [0, 61, 81].map(time))
  }

  @Test func mode4StrobesOnce() {
    program(0, mode: 4, count: 3)
    advance(toTick: 3)
    #expect(pit.output(0))
    advance(toTick: 4)
    #expect(!pit.output(0))
    advance(toTick: 5)
    #expect(pit.output(0))
    advance(toTick: 100_000)
    #expect(probe.rises == [time(0), time(5)])
  }

  @Test func mode1IsStartedByTheGate() {
    program(2, mode: 1, count: 10)
    advance(toTick: 50)
    #expect(pit.output(2))
    pit.setGate(2, true)
    #expect(pit.output(2))
    advance(toTick: 51)
    #expect(!pit.output(2))
    advance(toTick: 60)
    #expect(!pit.output(2))
    advance(toTick: 61)
    #expect(pit.output(2))
    // Retriggerable.
    pit.setGate(2, false)
    pit.setGate(2, true)
    advance(toTick: 65)
    #expect(!pit.output(2))
  }

  @Test func gateStopsMode0AndRestartsMode2() {
    pit.setGate(2, true)
    program(2, mode: 0, count: 100)
    advance(toTick: 21)
    #expect(read(2) == 80)
    pit.setGate(2, false)
    advance(toTick: 1000)
    #expect(read(2) == 80)
    pit.setGate(2, true)
    advance(toTick: 1010)
    #expect(read(2) == 70)
    program(2, mode: 2, count: 100)
    advance(toTick: 1050)
    pit.setGate(2, false)
    #expect(pit.output(2))
    advance(toTick: 1060)
    pit.setGate(2, true)
    advance(toTick: 1061)
    #expect(read(2) == 100)
  }

  @Test func latchedCountHoldsUntilRead() {
    program(0, mode: 2, count: 1000)
    advance(toTick: 11)
    pit.out(3, 0x00)
    advance(toTick: 500)
    pit.out(3, 0x00)  // ignored: the first latch was not read
    #expect(read(0) == 990)
    #expect(read(0) == 501)
  }

  @Test func readBackGivesStatusThenCount() {
    pit.out(3, 0x34)
    pit.out(3, 0xE2)
    #expect(pit.in(0) == 0xF4)  // OUT high, null count, both bytes, mode 2
    pit.out(0, 100)
    pit.out(0, 0)
    advance(toTick: 11)
    pit.out(3, 0xC2)
    advance(toTick: 50)
    #expect(pit.in(0) == 0xB4)
    #expect(read(0) == 90)
  }

  @Test func countsInBCDAndWraps() {
    pit.setGate(2, true)
    program(2, mode: 0, count: 0x1000, bcd: true)
    advance(toTick: 2)
    #expect(read(2) == 0x0999)
    advance(toTick: 1002)
    #expect(read(2) == 0x9999)
    program(2, mode: 0, count: 0)
    advance(toTick: 1004)
    #expect(read(2) == 0xFFFF)
  }

  /// What Linux does to learn the speed of the TSC: gate on, speaker off, mode 0, wait for OUT 2.
  @Test func calibrationThroughPortB() {
    portB.out(0, portB.in(0) & ~0x02 | 0x01)
    let latch = UInt16(1_193_182 / 20)
    program(2, mode: 0, count: latch)
    let start = clock.virtualTime
    var polls = 0
    while portB.in(0) & 0x20 == 0, polls < 100_000 {
      clock.advance(by: 1000)
      polls += 1
    }
    let elapsed = clock.virtualTime - start
    #expect(elapsed >= 50_000_000 && elapsed < 50_003_000)
    #expect(clock.timers.earliest == .max)  // counter 2 costs no deadline
  }

  @Test func refreshToggles() {
    var changes = 0
    var last = portB.in(0) & 0x10
    for _ in 0..<1000 {
      clock.advance(by: 1000)
      let now = portB.in(0) & 0x10
      if now != last { changes += 1 }
      last = now
    }
    #expect(changes == 66)  // 1 ms ÷ 15.086 µs
  }

  @Test func disconnectedCounterArmsNothing() {
    program(0, mode: 2, count: 1000)
    pit.isIRQConnected = false
    #expect(clock.timers.earliest == .max)
    #expect(!probe.level)
    clock.advance(by: 5_000_000)
    pit.isIRQConnected = true
    #expect(clock.timers.earliest != .max)
  }

  @Test func stateComesBack() {
    program(0, mode: 2, count: 1000)
    clock.advance(by: 3_000_000)
    clock.skip(by: 2_000_000)
    let saved = pit.state
    let other = Probe(clock)
    let copy = PIT8254(timers: clock.timers, irq: other.line)
    copy.state = saved
    #expect(copy.state == saved)
    clock.advance(by: 3_000_000)
    #expect(copy.state == pit.state)
    #expect(other.rises.last == probe.rises.last)
  }
}
