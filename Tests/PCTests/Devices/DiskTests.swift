import PC
import Testing
import X86Core

/// A file of sectors that are known by their numbers; counts what is asked for.
final class PatternWorld: MachineWorld {
  var reads: [(offset: UInt64, count: Int)] = []
  var fails = false
  var sectors: [UInt64] { reads.map { $0.offset / 512 } }
  private static func pattern(_ offset: Int, _ count: Int) -> [UInt8] {
    (offset..<offset + count).map { UInt8(truncatingIfNeeded: $0 / 512) }
  }
  func readDrive(_ drive: Int, offset: UInt64, count: Int) -> [UInt8]? {
    reads.append((offset, count))
    return fails ? nil : Self.pattern(Int(offset), count)
  }
  func didReadPort(_ port: UInt16, size: Int, value: UInt32) {}
  func didReadMemory(_ address: UInt64, size: Int, value: UInt64) {}
  func didInterrupt(vector: UInt8, isNMI: Bool) {}
  func didTransmit(port: Int, byte: UInt8) {}
}

private func options(sectors: UInt64, isCDROM: Bool = false) -> MachineConfiguration.DriveOptions {
  var options = MachineConfiguration.DriveOptions(id: "d", interface: .ide, size: sectors * 512, path: "disk")
  options.isCDROM = isCDROM
  options.isReadOnly = isCDROM
  return options
}

@Suite struct DriveTests {
  let world = PatternWorld()

  @Test func asksOnceAndKeepsWrites() throws {
    let drive = try Drive(options(sectors: 1024), index: 0, world: world)
    #expect(drive.read(sector: 3, count: 2)?[512] == 4)
    #expect(drive.read(sector: 2, count: 4)?.count == 2048)
    #expect(world.sectors == [3, 2, 5])
    #expect(drive.write(sector: 3, [UInt8](repeating: 0xEE, count: 512)))
    #expect(drive.read(sector: 3, count: 1)?[0] == 0xEE)
    #expect(world.reads.count == 3)
    #expect(drive.read(sector: 1023, count: 2) == nil)
    #expect(!drive.write(sector: .max, [UInt8](repeating: 0, count: 512)))
    world.fails = true
    #expect(drive.read(sector: 100, count: 1) == nil)
  }

  @Test func goesBackToAState() throws {
    let drive = try Drive(options(sectors: 1024), index: 0, world: world)
    drive.keepsHistory = true
    _ = drive.read(sector: 0, count: 1)
    let state = drive.state
    _ = drive.write(sector: 0, [UInt8](repeating: 1, count: 1024))
    _ = drive.read(sector: 10, count: 1)
    #expect(drive.state != state)
    drive.state = state
    #expect(drive.state == state)
    #expect(drive.read(sector: 0, count: 2)?[0] == 0)
    _ = drive.read(sector: 10, count: 1)
    #expect(world.sectors == [0, 10, 1, 10], "what was asked for later is asked for again")
  }
}

/// ATA/ATAPI-6 and the bus master of the 82371SB.
@Suite struct IDETests {
  let clock = TestClock()
  let world = PatternWorld()
  let memory: GuestMemory
  let interrupt: Probe
  let channel: IDEChannel
  let disk: Drive
  let controller: PIIX3IDE
  let bus: PCIBus
  let ports = PortBus()

  init() throws {
    memory = try #require(GuestMemory(size: 4 << 20))
    interrupt = Probe(clock)
    disk = try Drive(options(sectors: 300_000), index: 0, world: world)
    let cd = try Drive(options(sectors: 4096, isCDROM: true), index: 1, world: world)
    channel = IDEChannel(
      name: "IDE", devices: [ATADisk(drive: disk), ATAPICDROM(drive: cd)], timers: clock.timers,
      interrupt: interrupt.line)
    let empty = IDEChannel(name: "IDE 1", devices: [], timers: clock.timers, interrupt: InterruptLine())
    bus = PCIBus(ports: ports, memory: MemoryBus())
    controller = PIIX3IDE(channels: [channel, empty], memory: DirectMemory(memory), hasFirmware: false)
    try bus.plug(controller, slot: 1, function: 1)
    bus.writeConfiguration(0x920, size: 4, value: 0xC000)
    bus.writeConfiguration(0x904, size: 2, value: 5)
  }

  func out(_ register: UInt16, _ value: UInt8) { channel.commandBlock.out(register, value) }
  func `in`(_ register: UInt16) -> UInt8 { channel.commandBlock.in(register) }
  func words(_ count: Int) -> [UInt16] {
    (0..<count).map { _ in UInt16(truncatingIfNeeded: channel.commandBlock.readPort(offset: 0, size: 2)) }
  }
  func wait() { clock.advance(by: 1_000_000) }
  func address(_ sector: UInt32, count: UInt8) {
    out(2, count)
    for i: UInt16 in 0..<3 { out(3 + i, UInt8(truncatingIfNeeded: sector >> UInt32(8 * i))) }
    out(6, 0xE0 | UInt8(sector >> 24 & 15))
  }

  @Test func identification() {
    out(6, 0xA0)
    out(7, 0xEC)
    #expect(interrupt.level)
    #expect(`in`(7) == 0x58)
    #expect(!interrupt.level, "reading the status acknowledges")
    let data = words(256)
    #expect(data[0] == 0x0040 && data[49] & 0x0300 == 0x0300)
    let sectors = UInt32(data[60]) | UInt32(data[61]) << 16
    #expect(sectors == 300_000)
    #expect(data[27] == 0x494E, "IN")
    #expect(`in`(7) == 0x50)
  }

  @Test func readsByPIO() {
    address(0x123, count: 2)
    out(7, 0x20)
    #expect(`in`(7) & 0x80 != 0)
    wait()
    #expect(`in`(7) == 0x58)
    #expect(words(256).allSatisfy { $0 == 0x2323 })
    wait()
    #expect(interrupt.rises.count == 2)
    #expect(words(256)[255] == 0x2424)
    #expect(`in`(7) == 0x50)
    // Cylinder 0, head 1, sector 1 is sector 63.
    out(2, 1)
    out(3, 1)
    out(4, 0)
    out(5, 0)
    out(6, 0xA1)
    out(7, 0x20)
    wait()
    #expect(words(1)[0] == 0x3F3F)
  }

  @Test func writesByPIOInBlocks() {
    out(2, 4)
    out(6, 0xE0)
    out(7, 0xC6)
    address(8, count: 6)
    out(7, 0xC5)
    #expect(`in`(7) & 8 != 0, "the first block is asked for at once")
    for i in 0..<1024 { channel.commandBlock.writePort(offset: 0, size: 2, value: UInt32(i)) }
    wait()
    #expect(`in`(7) & 8 != 0)
    for _ in 0..<512 { channel.commandBlock.writePort(offset: 0, size: 2, value: 0x5A5A) }
    wait()
    #expect(`in`(7) == 0x50)
    #expect(disk.read(sector: 8, count: 1)?[2] == 1)
    #expect(disk.read(sector: 13, count: 1)?[511] == 0x5A)
  }

  @Test func readsByDMAWith48Bits() {
    memory.write(0x1000, [0, 0x20, 0, 0, 0, 2, 0, 0, 0, 0x80, 0, 0, 0, 2, 0, 0x80])
    ports.write(0xC004, size: 4, value: 0x1000)
    ports.write(0xC002, size: 1, value: 6)
    // Sector 0x10123: the previous values hold the upper bytes.
    for (high, low): (UInt8, UInt8) in [(0, 2)] {
      out(2, high)
      out(2, low)
    }
    for (register, bytes): (UInt16, [UInt8]) in [(3, [0, 0x23]), (4, [0, 1]), (5, [0, 1])] {
      for byte in bytes { out(register, byte) }
    }
    out(6, 0xE0)
    out(7, 0x25)
    ports.write(0xC000, size: 1, value: 9)
    wait()
    #expect(interrupt.level)
    #expect(ports.read(0xC002, size: 1) & 7 == 4, "interrupt, and no longer active")
    #expect(memory.read(0x2000, count: 1) == [0x23] && memory.read(0x8000, count: 1) == [0x24])
    // A table that is too short is an error.
    address(0, count: 8)
    out(7, 0xC8)
    ports.write(0xC000, size: 1, value: 0)
    ports.write(0xC000, size: 1, value: 9)
    wait()
    #expect(`in`(7) & 1 != 0 && ports.read(0xC002, size: 1) & 2 != 0)
  }

  @Test func refusesWhatItDoesNotKnow() {
    out(6, 0xE0)
    out(7, 0xFF)
    #expect(`in`(7) & 1 != 0 && `in`(1) == 4)
    address(0xFFF_FFFF, count: 1)
    out(7, 0x20)
    #expect(`in`(7) & 1 != 0 && `in`(1) == 0x10)
    world.fails = true
    address(5, count: 1)
    out(7, 0x20)
    wait()
    #expect(`in`(7) & 1 != 0 && `in`(1) == 0x40)
  }

  @Test func softResetShowsSignatures() {
    channel.controlBlock.out(0, 4)
    #expect(channel.controlBlock.in(0) & 0x80 != 0)
    channel.controlBlock.out(0, 0)
    #expect([`in`(2), `in`(3), `in`(4), `in`(5)] == [1, 1, 0, 0])
    out(6, 0xB0)
    #expect([`in`(4), `in`(5)] == [0x14, 0xEB], "a packet device")
  }

  private func packet(_ bytes: [UInt8], limit: UInt16 = 0xFFFE) {
    out(6, 0xB0)
    out(1, 0)
    out(4, UInt8(truncatingIfNeeded: limit))
    out(5, UInt8(truncatingIfNeeded: limit >> 8))
    out(7, 0xA0)
    let packet = bytes + [UInt8](repeating: 0, count: 12 - bytes.count)
    for i in 0..<6 {
      channel.commandBlock.writePort(
        offset: 0, size: 2, value: UInt32(packet[2 * i]) | UInt32(packet[2 * i + 1]) << 8)
    }
    wait()
  }

  @Test func packetCommands() {
    out(6, 0xB0)
    out(7, 0xEC)
    #expect(`in`(7) & 1 != 0, "IDENTIFY is for disks")
    packet([0x25])
    #expect(`in`(2) == 2 && `in`(4) == 8)
    #expect(words(4) == [0, 0xFF03, 0, 0x0008], "1024 sectors of 2048 bytes")
    #expect(`in`(2) == 3 && `in`(7) == 0x50)
    packet([0x28, 0, 0, 0, 0, 5, 0, 0, 2], limit: 2048)
    #expect(`in`(5) == 8)
    #expect(words(1024)[0] == 0x1414)
    wait()
    #expect(words(1024)[1023] == 0x1B1B)
    #expect(`in`(7) == 0x50)
    packet([0x28, 0, 0, 0, 4, 0, 0, 0, 1])
    #expect(`in`(7) & 1 != 0 && `in`(1) >> 4 == 5)
    packet([0x03, 0, 0, 0, 18])
    let sense = words(9)
    #expect(sense[1] & 0xFF == 5 && sense[6] & 0xFF == 0x21, "illegal request, out of range")
    packet([0x43, 0, 0, 0, 0, 0, 0, 0, 20])
    #expect(words(10)[8] == 0)
  }

  @Test func emptyChannelFloats() {
    #expect(controller.channels[1].commandBlock.in(7) == 0xFF)
  }
}
