import PC
import Testing

final class SteppedClock: TimeSource {
  var virtualTime: UInt64 = 0
}

/// ACPI 6.5 section 4.8.
struct ACPIPowerManagementTests {
  let clock = SteppedClock()
  let timers = TimerQueue()
  let wires = Wires()
  let device: ACPIPowerManagement

  init() {
    timers.timeSource = clock
    device = ACPIPowerManagement(interrupt: wires.line(9), timers: timers)
  }

  func read16(_ offset: UInt16) -> UInt32 { device.readPort(offset: offset, size: 2) }
  func write16(_ offset: UInt16, _ value: UInt32) { device.writePort(offset: offset, size: 2, value: value) }

  @Test func timerFollowsVirtualTime() {
    clock.virtualTime = 1_000_000_000
    #expect(device.readPort(offset: 8, size: 4) == 3_579_545)
    clock.virtualTime = 10_000_000_000_000
    #expect(device.readPort(offset: 8, size: 4) == 35_795_450_000 & 0xFF_FFFF, "past 64 bits of product")
  }

  @Test func timerInterruptAtTheTopBit() throws {
    write16(2, 1)
    // 2^23 / 3.579545 MHz, rounded up.
    #expect(timers.earliest == 2_343_484_438)
    clock.virtualTime = timers.earliest - 1
    #expect(read16(0) == 0)
    clock.virtualTime += 1
    timers.run(now: clock.virtualTime)
    #expect(read16(0) == 1 && wires.level(9))
    write16(0, 1)
    #expect(read16(0) == 0 && !wires.level(9))
    #expect(timers.earliest == 4_686_968_875)
    let saved = device.state
    device.reset()
    #expect(timers.earliest == .max)
    device.state = saved
    #expect(timers.earliest == 4_686_968_875)
  }

  @Test func powerButton() {
    device.pressPowerButton()
    #expect(read16(0) == 0x100 && !wires.level(9))
    write16(2, 0x100)
    #expect(wires.level(9))
    write16(0, 0x100)
    #expect(read16(0) == 0 && !wires.level(9))
  }

  @Test func softOff() {
    var slept: [ACPIPowerManagement.Sleep] = []
    device.onSleep = { slept.append($0) }
    #expect(read16(4) == 1, "SCI_EN")
    write16(4, 0)
    #expect(read16(4) == 1)
    write16(4, 0x2001)
    #expect(slept == [.softOff])
    write16(4, 0x2401)
    #expect(slept == [.softOff, .suspendToRAM])
    write16(4, 0x3C01)
    #expect(slept.count == 2, "a type that the DSDT does not name")
  }

  @Test func generalPurposeEvents() {
    device.gpe0.writePort(offset: 2, size: 2, value: 0x0004)
    device.raise(gpe: 2)
    #expect(wires.level(9) && device.gpe0.readPort(offset: 0, size: 2) == 4)
    device.gpe0.writePort(offset: 0, size: 1, value: 4)
    #expect(!wires.level(9))
  }
}
