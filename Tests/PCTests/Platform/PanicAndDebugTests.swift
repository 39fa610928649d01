import PC
import Testing

struct PanicAndDebugTests {
  @Test func pvpanicShowsItsMaskAndReportsEverything() {
    let device = PVPanicISA(events: PVPanicEvent.panicked)
    var seen: [UInt8] = []
    device.onEvent = { seen.append($0) }
    #expect(device.readPort(offset: 0, size: 1) == 1)
    device.writePort(offset: 0, size: 1, value: 0x01)
    device.writePort(offset: 0, size: 1, value: 0x86)
    #expect(seen == [0x01, 0x86])
    #expect(PVPanicISA().readPort(offset: 0, size: 1) == 7)
  }

  @Test func debugExit() {
    let device = ISADebugExit()
    var status: [UInt32] = []
    device.onExit = { status.append($0) }
    device.writePort(offset: 0, size: 4, value: 0x10)
    device.writePort(offset: 0, size: 4, value: .max)
    #expect(status == [0x21, .max])
  }

  @Test func debugConsole() {
    let device = DebugConsole()
    var text: [UInt8] = []
    device.onTransmit = { text.append($0) }
    #expect(device.readPort(offset: 0, size: 1) == 0xE9)
    for byte in "ok".utf8 { device.writePort(offset: 0, size: 1, value: UInt32(byte)) }
    #expect(text == Array("ok".utf8))
  }
}

extension PanicAndDebugTests {
  @Test func pvpanicPCI() throws {
    let memory = MemoryBus()
    let bus = PCIBus(ports: PortBus(), memory: memory)
    let device = PVPanicPCI()
    var seen: [UInt8] = []
    device.onEvent = { seen.append($0) }
    try bus.plug(device, slot: 4)
    #expect(bus.readConfiguration(0x2000, size: 4) == 0x0011_1B36)
    bus.writeConfiguration(0x2010, size: 4, value: 0xFEBF_0000)
    bus.writeConfiguration(0x2004, size: 2, value: 2)
    #expect(memory.read(0xFEBF_0000, size: 1) == 7)
    memory.write(0xFEBF_0000, size: 1, value: 1)
    #expect(seen == [1])
  }
}
