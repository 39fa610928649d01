import PC
import Testing

@Suite struct LocalAPICTests {
  let clock = TestClock()
  let bus = APICBus()
  let apic: LocalAPIC
  let other: LocalAPIC
  let ioapic: IOAPIC

  init() {
    apic = LocalAPIC(
      id: 0, isBootstrapProcessor: true, timerFrequency: 1_000_000_000, tscFrequency: 2_999_999_999,
      timers: clock.timers, bus: bus)
    other = LocalAPIC(
      id: 1, isBootstrapProcessor: false, timerFrequency: 1_000_000_000, tscFrequency: 2_999_999_999,
      timers: clock.timers, bus: bus)
    ioapic = IOAPIC(bus: bus)
    for apic in [apic, other] { apic.writeMemory(offset: 0xF0, size: 4, value: 0x1FF) }
  }

  private func read(_ offset: UInt64) -> UInt64 { apic.readMemory(offset: offset, size: 4) }
  private func write(_ offset: UInt64, _ value: UInt64) {
    apic.writeMemory(offset: offset, size: 4, value: value)
  }

  private func redirect(_ input: Int, _ entry: UInt64) {
    for (register, value) in [(0x11 + 2 * input, entry >> 32), (0x10 + 2 * input, entry & 0xFFFF_FFFF)] {
      ioapic.writeMemory(offset: 0, size: 4, value: UInt64(register))
      ioapic.writeMemory(offset: 0x10, size: 4, value: value)
    }
  }

  private func redirection(_ input: Int) -> UInt64 {
    ioapic.writeMemory(offset: 0, size: 4, value: UInt64(0x10 + 2 * input))
    return ioapic.readMemory(offset: 0x10, size: 4)
  }

  @Test func priorities() {
    apic.deliver(APICMessage(vector: 0x41, destination: 0))
    apic.deliver(APICMessage(vector: 0x52, destination: 0))
    #expect(apic.acknowledge() == 0x52)
    #expect(!apic.interruptPending)
    #expect(read(0xA0) == 0x50)
    #expect(read(0x120) == 1 << 18)
    write(0xB0, 0)
    apic.cr8 = 4
    #expect(!apic.interruptPending)
    #expect(read(0x80) == 0x40)
    apic.cr8 = 3
    #expect(apic.acknowledge() == 0x41)
    #expect(apic.acknowledge() == nil)
  }

  @Test func identity() {
    #expect(read(0x30) == 0x5_0014)
    #expect(read(0x20) == 0)
    #expect(other.readMemory(offset: 0x20, size: 4) == 1 << 24)
    #expect(apic.mappedBase == 0xFEE0_0000)
    #expect(apic.readMSR(0x1B) == 0xFEE0_0900)
    #expect(other.readMSR(0x1B) == 0xFEE0_0800)
  }

  @Test func oneShotTimer() {
    write(0x3E0, 0xB)
    write(0x320, 0x30)
    write(0x380, 1000)
    clock.advance(to: 400)
    #expect(read(0x390) == 600)
    clock.advance(to: 999)
    #expect(!apic.interruptPending)
    clock.advance(to: 1000)
    #expect(apic.acknowledge() == 0x30)
    #expect(read(0x390) == 0)
    #expect(clock.timers.earliest == .max)
  }

  @Test func periodicTimer() {
    write(0x3E0, 0x3)  // by 16
    write(0x320, 0x2_0030)
    write(0x380, 100)
    var times: [UInt64] = []
    apic.onOutputChange = { [clock, apic] in if apic.interruptPending { times.append(clock.virtualTime) } }
    for _ in 0..<5 {
      clock.advance(by: 1600)
      _ = apic.acknowledge()
      write(0xB0, 0)
    }
    #expect(times == [1600, 3200, 4800, 6400, 8000])
    write(0x320, 0x3_0030)
    #expect(clock.timers.earliest == .max)
    clock.advance(by: 1616)
    #expect(read(0x390) == 99)
    write(0x320, 0x2_0030)
    #expect(clock.timers.earliest == 8000 + 3200)
  }

  @Test func tscDeadlineNeverEarly() throws {
    write(0x320, 0x4_0030)
    let tsc = ClockRate(hertz: 2_999_999_999)
    for delta in [1, 2, 3, 1000, 12345, 3_000_000_007] as [UInt64] {
      clock.advance(by: 7)
      let deadline = tsc.ticks(at: clock.virtualTime) + delta
      #expect(apic.writeMSR(0x6E0, deadline))
      #expect(apic.readMSR(0x6E0) == deadline)
      let due = clock.timers.earliest
      #expect(tsc.ticks(at: due) >= deadline)
      #expect(tsc.ticks(at: due - 1) < deadline)
      clock.advance(to: due)
      #expect(apic.acknowledge() == 0x30)
      write(0xB0, 0)
      #expect(apic.readMSR(0x6E0) == 0)
    }
    // A deadline that has passed fires at once; leaving the mode disarms.
    _ = apic.writeMSR(0x6E0, 1)
    clock.advance(by: 0)
    #expect(apic.acknowledge() == 0x30)
    _ = apic.writeMSR(0x6E0, .max)
    write(0x320, 0x30)
    #expect(clock.timers.earliest == .max)
    _ = apic.writeMSR(0x6E0, 5)
    #expect(apic.readMSR(0x6E0) == 0)
  }

  @Test func x2APIC() {
    #expect(apic.readMSR(0x802) == nil)
    #expect(!apic.writeMSR(0x1B, 0xFEE0_0500))  // x2APIC without enable
    #expect(apic.writeMSR(0x1B, 0xFEE0_0D00))
    #expect(apic.mappedBase == nil)
    #expect(!apic.writeMSR(0x1B, 0xFEE0_0900))  // back to xAPIC
    #expect(apic.readMSR(0x80D) == 1)
    #expect(apic.readMSR(0x80E) == nil)
    #expect(!apic.writeMSR(0x80B, 1))
    #expect(!apic.writeMSR(0x802, 0))
    #expect(!apic.writeMSR(0x80F, 0x1_0000_01FF))
    #expect(apic.writeMSR(0x83F, 0x77))
    #expect(apic.acknowledge() == 0x77)
    #expect(apic.readMSR(0x813) == 1 << 23)
    #expect(apic.writeMSR(0x80B, 0))
    #expect(apic.writeMSR(0x830, 1 << 32 | 0x66))
    #expect(other.acknowledge() == 0x66)
    #expect(apic.writeMSR(0x1B, 0xFEE0_0100))
    #expect(!apic.isEnabled)
    #expect(!apic.writeMSR(0x1B, 0xFEE0_0D00))
  }

  @Test func interprocessorInterrupts() {
    var started: [UInt8] = []
    var inits = 0
    other.onStartUp = { started.append($0) }
    other.onInit = { inits += 1 }
    write(0x310, 1 << 24)
    write(0x300, 0x4500)
    write(0x300, 0x8500)
    write(0x300, 0x4608)
    #expect(inits == 1)
    #expect(started == [8])
    other.writeMemory(offset: 0xF0, size: 4, value: 0x1FF)
    write(0x300, 0xC_4055)  // all but self
    #expect(other.acknowledge() == 0x55)
    #expect(apic.acknowledge() == nil)
    write(0x300, 0x4_4056)  // self
    #expect(apic.acknowledge() == 0x56)
    write(0x300, 0x8_4400)  // NMI to all
    #expect(apic.pendingNMI && other.pendingNMI)
    apic.acknowledgeNMI()
    #expect(!apic.pendingNMI)
    write(0x300, 0x4_4005)
    write(0x280, 0)
    #expect(read(0x280) == 0x20)
  }

  @Test func logicalDestinations() {
    for (apic, ldr) in [(apic, 1), (other, 2)] as [(LocalAPIC, UInt64)] {
      apic.writeMemory(offset: 0xD0, size: 4, value: ldr << 24)
    }
    bus.send(APICMessage(vector: 0x60, isLogical: true, destination: 2))
    #expect(other.acknowledge() == 0x60)
    #expect(!apic.interruptPending)
    bus.sendMSI(address: 0xFEE0_3000 | 0xC, data: 0x70)  // both, one of them: the lowest id
    #expect(!other.interruptPending)
    #expect(apic.acknowledge() == 0x70)
    bus.sendMSI(address: 0xFEEF_F000, data: 0x81)
    #expect(apic.interruptPending && other.interruptPending)
  }

  @Test func externalInterrupts() {
    let pic = PIC8259Pair()
    for value in [0x11, 0x20, 4, 1] as [UInt8] { pic.master.out(value == 0x11 ? 0 : 1, value) }
    pic.onOutputChange = { [apic] level in apic.setInput(LocalAPIC.lint0, level: level) }
    apic.onExternalAcknowledge = { pic.acknowledge() }
    write(0x350, 0x700)
    pic.setInput(1, level: true)
    #expect(apic.interruptPending)
    #expect(apic.acknowledge() == 0x21)
    #expect(!apic.interruptPending)
    pic.setInput(0, level: true)
    write(0x350, 0x1_0700)
    #expect(!apic.interruptPending)
  }

  @Test func lint1IsNMI() {
    apic.setInput(LocalAPIC.lint1, level: true)
    #expect(!apic.pendingNMI)
    apic.setInput(LocalAPIC.lint1, level: false)
    write(0x360, 0x400)
    apic.setInput(LocalAPIC.lint1, level: true)
    #expect(apic.pendingNMI)
  }

  @Test func softwareDisableMasksAll() {
    write(0x320, 0x30)
    write(0xF0, 0xFF)
    #expect(read(0x320) == 0x1_0030)
    write(0x320, 0x30)
    #expect(read(0x320) == 0x1_0030)
    #expect(!bus.send(APICMessage(vector: 0x40, destination: 0)))
  }

  @Test func ioapicEdge() {
    redirect(2, 0x30)
    ioapic.setInput(2, level: true)
    ioapic.setInput(2, level: true)
    #expect(apic.acknowledge() == 0x30)
    write(0xB0, 0)
    #expect(!apic.interruptPending)
    redirect(4, 0x1_0034)
    ioapic.setInput(4, level: true)
    redirect(4, 0x34)
    #expect(!apic.interruptPending)  // the edge came while masked
  }

  @Test func ioapicLevel() {
    redirect(10, 0xA03A | 1 << 56)
    ioapic.setInput(10, level: true)
    #expect(redirection(10) & 1 << 14 != 0)
    #expect(other.acknowledge() == 0x3A)
    other.writeMemory(offset: 0xB0, size: 4, value: 0)
    #expect(other.acknowledge() == 0x3A)  // still asserted
    ioapic.setInput(10, level: false)
    ioapic.writeMemory(offset: 0x40, size: 4, value: 0x3A)
    #expect(redirection(10) & 1 << 14 == 0)
  }

  @Test func ioapicWaitsForAnAcceptingAPIC() {
    write(0xF0, 0xFF)
    redirect(10, 0x803A)
    ioapic.setInput(10, level: true)
    #expect(!apic.interruptPending)
    write(0xF0, 0x1FF)
    #expect(apic.acknowledge() == 0x3A)
  }

  @Test func ioapicIdentity() {
    ioapic.writeMemory(offset: 0, size: 4, value: 1)
    #expect(ioapic.readMemory(offset: 0x10, size: 4) == 0x17_0020)
    #expect(redirection(23) == 0x1_0000)
    ioapic.writeMemory(offset: 0, size: 4, value: 0xFF)
    ioapic.writeMemory(offset: 0x10, size: 4, value: 0xFFFF_FFFF)
    ioapic.setInput(99, level: true)
  }

  @Test func stateComesBack() {
    write(0x3E0, 0xB)
    write(0x320, 0x2_0030)
    write(0x380, 1000)
    clock.advance(by: 2500)
    let saved = apic.state
    clock.advance(by: 5000)
    let later = apic.state
    let bench = TestClock()
    let copy = LocalAPIC(
      id: 0, isBootstrapProcessor: true, timerFrequency: 1_000_000_000, tscFrequency: 2_999_999_999,
      timers: bench.timers, bus: APICBus())
    bench.advance(to: 2500)
    copy.state = saved
    #expect(copy.interruptPending)
    bench.advance(by: 5000)
    #expect(copy.state == later)
  }
}
