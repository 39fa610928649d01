import PC
import Testing

private final class Scratch: PortDevice, MemoryMappedDevice {
  func readPort(offset: UInt16, size: Int) -> UInt32 { 0xC0DE0000 | UInt32(offset) }
  func writePort(offset: UInt16, size: Int, value: UInt32) {}
  func readMemory(offset: UInt64, size: Int) -> UInt64 { 0xBEEF_0000 | offset }
  func writeMemory(offset: UInt64, size: Int, value: UInt64) {}
}

/// PCI Local Bus Specification 3.0, chapters 3 and 6.
struct PCITests {
  let ports = PortBus()
  let memory = MemoryBus()
  let wires = Wires()
  let reset = ResetControl()
  let bus: PCIBus
  let bridge: PIIX3
  let device = PCIFunction(vendorID: 0x1AF4, deviceID: 0x1042, classCode: 0x018000, interruptPin: 1)

  init() throws {
    bus = PCIBus(ports: ports, memory: memory)
    let configuration = PCIConfigurationPorts(bus: bus, resetControl: reset)
    try ports.map(0xCF8...0xCFF, to: configuration, name: "PCI configuration")
    let wires = wires
    bridge = PIIX3(bus: bus, lines: (0..<16).map { wires.line($0) })
    try bus.plug(I440FX(), slot: 0)
    try bus.plug(bridge, slot: 1)
    try bus.plug(PIIX4PowerManagement(), slot: 1, function: 3)
    device.addBAR(0, kind: .io, size: 64, name: "scratch ports", port: Scratch())
    device.addBAR(1, kind: .memory32(prefetchable: false), size: 4096, name: "scratch", memory: Scratch())
    device.addBAR(4, kind: .memory64(prefetchable: true), size: 16384, name: "scratch 64", memory: Scratch())
    device.addCapability(0x05, at: 0x40, body: [0x80, 0x00])
    device.addCapability(0x11, at: 0x60, body: [0x01, 0x00])
    try bus.plug(device, slot: 3)
  }

  func read(_ slot: UInt32, _ register: UInt32, function: UInt32 = 0, size: Int = 4) -> UInt32 {
    ports.write(0xCF8, size: 4, value: 1 << 31 | slot << 11 | function << 8 | register & 0xFC)
    return ports.read(0xCFC + UInt16(register & 3), size: size)
  }
  func write(_ slot: UInt32, _ register: UInt32, _ value: UInt32, size: Int = 4) {
    ports.write(0xCF8, size: 4, value: 1 << 31 | slot << 11 | register & 0xFC)
    ports.write(0xCFC + UInt16(register & 3), size: size, value: value)
  }

  @Test func identities() {
    #expect(read(0, 0) == 0x1237_8086)
    #expect(read(1, 0) == 0x7000_8086)
    #expect(read(1, 0, function: 3) == 0x7113_8086)
    #expect(read(1, 0x0E, size: 1) == 0x80, "several functions")
    #expect(read(2, 0) == .max)
    #expect(read(0, 0x08) >> 8 == 0x060000)
    #expect(read(0, 0x2C) == 0x1100_1AF4)
    #expect(read(1, 0x40, function: 3) == 0x601)
    ports.write(0xCF8, size: 4, value: 1 << 31 | 1 << 16)
    #expect(ports.read(0xCFC, size: 4) == .max, "there is no bus 1")
    ports.write(0xCF8, size: 4, value: 0)
    #expect(ports.read(0xCFC, size: 2) == 0xFFFF, "not enabled")
  }

  @Test func addressRegisterIs32BitsWide() {
    ports.write(0xCF8, size: 4, value: 0x8000_0000)
    ports.write(0xCF8, size: 1, value: 0x55)
    #expect(ports.read(0xCF8, size: 4) == 0x8000_0000)
  }

  @Test func resetControl() {
    var resets = 0
    reset.onReset = { resets += 1 }
    ports.write(0xCF9, size: 1, value: 0x02)
    #expect(ports.read(0xCF9, size: 1) == 2 && resets == 0)
    ports.write(0xCF9, size: 1, value: 0x06)
    #expect(resets == 1)
    ports.write(0xCF9, size: 1, value: 0x0F)
    #expect(resets == 2)
  }

  @Test func readOnlyRegistersStay() {
    write(3, 0x00, 0)
    write(3, 0x08, 0)
    #expect(read(3, 0) == 0x1042_1AF4 && read(3, 0x08) == 0x0180_0000)
    write(3, 0x3C, 0xFFFF_FFFF)
    #expect(read(3, 0x3C) == 0x0000_01FF)
  }

  @Test func barsTellTheirSize() {
    write(3, 0x10, .max)
    #expect(read(3, 0x10) == 0xFFFF_FFC1)
    write(3, 0x14, .max)
    #expect(read(3, 0x14) == 0xFFFF_F000)
    write(3, 0x20, .max)
    write(3, 0x24, .max)
    #expect(read(3, 0x20) == 0xFFFF_C00C && read(3, 0x24) == .max)
    write(3, 0x18, .max)
    #expect(read(3, 0x18) == 0, "no BAR there")
  }

  @Test func barsMove() {
    write(3, 0x10, 0xC000)
    write(3, 0x14, 0xFE00_0000)
    #expect(ports.read(0xC004, size: 4) == .max, "not decoding yet")
    write(3, 0x04, 0x0003, size: 2)
    #expect(ports.read(0xC004, size: 4) == 0xC0DE_0004)
    #expect(memory.read(0xFE00_0010, size: 8) == 0xBEEF_0010)
    write(3, 0x14, 0xFE10_0000)
    #expect(memory.read(0xFE00_0010, size: 4) == 0xFFFF_FFFF)
    #expect(memory.read(0xFE10_0010, size: 4) == 0xBEEF_0010)
    write(3, 0x20, 0x0000_0000)
    write(3, 0x24, 0x0000_0002)
    #expect(memory.read(0x2_0000_0008, size: 4) == 0xBEEF_0008)
    let saved = device.state
    device.reset()
    #expect(ports.read(0xC004, size: 4) == .max)
    #expect(read(3, 0x34, size: 1) == 0x60, "a reset keeps the capabilities")
    device.state = saved
    #expect(ports.read(0xC004, size: 4) == 0xC0DE_0004)
  }

  @Test func barOverAnotherDeviceIsNotSeen() {
    write(3, 0x04, 0x0003, size: 2)
    write(3, 0x10, 0x0CC0)  // reaches over the configuration ports
    #expect(read(3, 0) == 0x1042_1AF4)
    write(3, 0x10, .max)
    write(3, 0x14, .max)
    #expect(read(3, 0) == 0x1042_1AF4)
  }

  @Test func capabilityList() {
    #expect(read(3, 0x06, size: 2) & 0x10 != 0)
    #expect(read(3, 0x34, size: 1) == 0x60)
    #expect(read(3, 0x60, size: 2) == 0x4011)
    #expect(read(3, 0x40, size: 2) == 0x0005)
  }

  @Test func interruptRouting() {
    // Slot 3, INTA: PIRQC, which is ISA interrupt 11.
    device.setInterrupt(true)
    #expect(wires.level(11) && !wires.level(10))
    #expect(read(3, 0x06, size: 2) & 8 != 0)
    write(3, 0x04, 0x0400, size: 2)
    #expect(!wires.level(11), "disabled by command bit 10")
    write(3, 0x04, 0, size: 2)
    #expect(wires.level(11))
    write(1, 0x62, 0x05, size: 1)
    #expect(!wires.level(11) && wires.level(5))
    write(1, 0x62, 0x80, size: 1)
    #expect(!wires.level(5))
  }

  @Test func placesAreTakenOnce() {
    #expect(throws: BusOverlap.self) { try bus.plug(I440FX(), slot: 0) }
    #expect(bus.freeSlot == 2)
  }
}
