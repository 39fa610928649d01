import PC
import Testing

@Suite struct TestDeviceTests {
  @Test func pcTestdev() {
    let probes = (0..<24).map { _ in Probe() }
    let device = PCTestDevice(lines: probes.map(\.line))
    device.lines.out(5, 1)
    device.lines.out(23, 0x80)
    #expect(probes[5].level && probes[23].level && !probes[4].level)
    device.lines.out(5, 0)
    #expect(!probes[5].level)
    device.data.writePort(offset: 0, size: 4, value: 0x1234_5678)
    #expect(device.data.in(1) == 0x56)
    device.data.writePort(offset: 2, size: 2, value: 0xABCD)
    #expect(device.data.readPort(offset: 0, size: 4) == 0xABCD_5678)
    device.memory.writeMemory(offset: 0xFFF8, size: 8, value: 0x0102_0304_0506_0708)
    #expect(device.memory.readMemory(offset: 0xFFFC, size: 4) == 0x0102_0304)
    #expect(device.memory.readMemory(offset: 0xFFFF, size: 4) & 0xFF == 0x01)
    device.flush.writePort(offset: 0, size: 4, value: 0x1000)
  }

  @Test func pciTestdevCountsWrites() throws {
    let ports = PortBus()
    let memory = MemoryBus()
    let bus = PCIBus(ports: ports, memory: memory)
    try bus.plug(PCITestDevice(), slot: 3)
    #expect(bus.readConfiguration(0x1800, size: 4) == 0x0005_1B36)
    bus.writeConfiguration(0x1810, size: 4, value: 0xFEB0_0000)
    bus.writeConfiguration(0x1814, size: 4, value: 0xC000)
    bus.writeConfiguration(0x1804, size: 2, value: 3)
    memory.write(0xFEB0_0000, size: 1, value: 0)
    #expect(memory.read(0xFEB0_0001, size: 1) == 1, "width")
    let offset = memory.read(0xFEB0_0004, size: 4)
    let data = memory.read(0xFEB0_0008, size: 1)
    for _ in 0..<3 { memory.write(0xFEB0_0000 + offset, size: 1, value: data) }
    memory.write(0xFEB0_0000 + offset, size: 1, value: data ^ 1)
    #expect(memory.read(0xFEB0_000C, size: 4) == 3)
    let name = (0..<15).map { UInt8(memory.read(0xFEB0_0010 + UInt64($0), size: 1)) }
    #expect(String(decoding: name, as: UTF8.self) == "mmio-no-eventfd")
    ports.write(0xC000, size: 1, value: 0)
    #expect(ports.read(0xC004, size: 4) == 131)
    ports.write(0xC000 + 131, size: 1, value: 0xFA)
    #expect(ports.read(0xC00C, size: 4) == 1)
    ports.write(0xC000, size: 1, value: 9)
    #expect(ports.read(0xC00C, size: 4) == 0)
  }
}

/// Intel 6300ESB data sheet, watchdog timer.
@Suite struct I6300ESBTests {
  let clock = TestClock()
  let memory = MemoryBus()
  let bus: PCIBus
  let device: I6300ESB
  static let base: UInt64 = 0xFEB0_0000

  init() throws {
    bus = PCIBus(ports: PortBus(), memory: memory)
    device = I6300ESB(timers: clock.timers)
    try bus.plug(device, slot: 3)
    bus.writeConfiguration(0x1810, size: 4, value: UInt32(Self.base))
    bus.writeConfiguration(0x1804, size: 2, value: 2)
  }
  func unlock() {
    memory.write(Self.base + 12, size: 2, value: 0x80)
    memory.write(Self.base + 12, size: 2, value: 0x86)
  }

  @Test func strikesAfterBothStages() {
    var strikes = 0
    device.onExpired = { strikes += 1 }
    for timer: UInt64 in [0, 4] {
      memory.write(Self.base + timer, size: 4, value: 5)
      #expect(memory.read(Self.base + timer, size: 4) == 0xFFFFF, "locked")
      unlock()
      memory.write(Self.base + timer, size: 4, value: 1000)
    }
    bus.writeConfiguration(0x1868, size: 1, value: 2)
    // 1000 × 2^15 / 33 MHz = 0.993 s a stage.
    clock.advance(by: 1_900_000_000)
    #expect(strikes == 0)
    unlock()
    memory.write(Self.base + 12, size: 2, value: 0x100)
    clock.advance(by: 1_900_000_000)
    #expect(strikes == 0, "petted")
    clock.advance(by: 200_000_000)
    #expect(strikes == 1)
    #expect(memory.read(Self.base + 12, size: 2) & 0x200 != 0)
    bus.reset()
    bus.writeConfiguration(0x1810, size: 4, value: UInt32(Self.base))
    bus.writeConfiguration(0x1804, size: 2, value: 2)
    #expect(memory.read(Self.base + 12, size: 2) & 0x200 != 0, "it says so after the reset, too")
  }

  @Test func lockedStaysOn() {
    bus.writeConfiguration(0x1868, size: 1, value: 3)
    bus.writeConfiguration(0x1868, size: 1, value: 0)
    #expect(bus.readConfiguration(0x1868, size: 1) == 3)
  }
}
