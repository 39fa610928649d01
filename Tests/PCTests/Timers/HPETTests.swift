import PC
import Testing

@Suite struct HPETTests {
  let clock = TestClock()
  let route2: Probe
  let irq0: Probe
  let irq8: Probe
  let hpet: HPET

  init() {
    route2 = Probe(clock)
    irq0 = Probe(clock)
    irq8 = Probe(clock)
    hpet = HPET(
      timers: clock.timers, routes: [InterruptLine(), InterruptLine(), route2.line], legacyIRQ0: irq0.line,
      legacyIRQ8: irq8.line)
  }

  private func read(_ offset: UInt64, size: Int = 4) -> UInt64 { hpet.readMemory(offset: offset, size: size) }
  private func write(_ offset: UInt64, _ value: UInt64, size: Int = 4) {
    hpet.writeMemory(offset: offset, size: size, value: value)
  }

  @Test func identity() {
    #expect(read(0) == 0x8086_A201)
    #expect(read(4) == 10_000_000)
    #expect(read(0x100, size: 8) == 0x4_0000_0030)
  }

  @Test func counterRunsOnlyWhileEnabled() {
    clock.advance(by: 1000)
    #expect(read(0xF0) == 0)
    write(0x10, 1)
    clock.advance(by: 12345)
    #expect(read(0xF0) == 1234)
    write(0x10, 0)
    clock.advance(by: 1000)
    #expect(read(0xF0) == 1234)
    write(0xF0, 0xFFFF_FFFF_FFFF_FFFF, size: 8)
    write(0x10, 1)
    clock.advance(by: 20)
    #expect(read(0xF0, size: 8) == 1)
  }

  @Test func oneShot() {
    write(0x10, 1)
    write(0x100, 0x4 | 2 << 9)
    write(0x108, 100, size: 8)
    clock.advance(by: 5000)
    #expect(route2.rises == [1000])
    #expect(!route2.level)
    #expect(clock.timers.earliest == .max)
    // 32 bits: once more at each wrap.
    write(0x100, 0x104 | 2 << 9)
    write(0x108, 1000)
    clock.advance(to: 43_000_000_000)
    #expect(route2.rises == [1000, 10000, 10000 + (10 << 32)])
  }

  /// The order in which Linux sets a periodic timer under legacy replacement.
  @Test func periodicLegacy() {
    var changes: [Bool] = []
    hpet.onLegacyReplacementChange = { changes.append($0) }
    write(0x10, 3)
    clock.advance(by: 1000)
    write(0x100, 0x4 | 0x8 | 0x40 | 0x100)
    write(0x108, read(0xF0) + 400_000)
    clock.advance(by: 1000)
    write(0x108, 400_000)
    clock.advance(to: 20_000_000)
    #expect(irq0.rises == [4_001_000, 8_001_000, 12_001_000, 16_001_000])
    #expect(read(0x108) == 2_000_100)
    #expect(changes == [true])
  }

  @Test func levelStaysUntilCleared() {
    write(0x10, 1)
    write(0x100, 0x6 | 2 << 9)
    write(0x108, 100, size: 8)
    clock.advance(by: 2000)
    #expect(route2.level)
    #expect(read(0x20) == 1)
    write(0x20, 1)
    #expect(!route2.level)
    #expect(read(0x20) == 0)
  }

  @Test func lateExpiryCatchesUpWithOneInterrupt() {
    write(0x10, 1)
    write(0x100, 0xC | 0x40 | 2 << 9)
    write(0x108, 100, size: 8)
    clock.skip(by: 10500)
    clock.advance(by: 0)
    #expect(route2.rises == [10500])
    #expect(clock.timers.earliest == 11000)
  }

  @Test func silentTimersArmNothing() {
    write(0x10, 1)
    write(0x120, 0)
    write(0x128, 1000)
    #expect(clock.timers.earliest == .max)
    write(0x1000, 5)
    write(0x160, 5)
    #expect(read(0x160) == 0)
  }

  @Test func stateComesBack() {
    write(0x10, 1)
    write(0x100, 0xC | 0x40 | 2 << 9)
    write(0x108, 100, size: 8)
    clock.advance(by: 5500)
    let other = Probe(clock)
    let copy = HPET(
      timers: clock.timers, routes: [InterruptLine(), InterruptLine(), other.line],
      legacyIRQ0: InterruptLine(),
      legacyIRQ8: InterruptLine())
    copy.state = hpet.state
    clock.advance(by: 5500)
    #expect(copy.state == hpet.state)
    #expect(other.rises == Array(route2.rises.suffix(other.rises.count)))
    #expect(!other.rises.isEmpty)
  }
}
