import PC
import Testing
import X86Core

/// 82441FX data sheet 3.2.18: programmable attribute map.
@Suite struct FirmwareMemoryTests {
  let memory: GuestMemory
  let bus: PCIBus
  init() throws {
    memory = try #require(GuestMemory(size: 2 << 20, romSize: 256 << 10))
    let rom = (0..<256 << 10).map { UInt8(truncatingIfNeeded: $0 >> 12) }
    memory.setROM(rom)
    bus = PCIBus(ports: PortBus(), memory: MemoryBus())
    let bridge = I440FX()
    bridge.shadow = ShadowRAM(memory: memory, rom: rom)
    try bus.plug(bridge, slot: 0)
  }
  func pam(_ index: UInt32, _ value: UInt32) { bus.writeConfiguration(0x59 + index, size: 1, value: value) }
  func byte(_ address: UInt64) -> UInt8 { memory.read(address, count: 1)?[0] ?? 0 }

  @Test func romEndsAt4GiBAndAt1MiB() {
    #expect(byte(0xFFFF_FFFF) == 63 && byte(0xFFFC_0000) == 0)
    #expect(memory.offset(of: 0xFFFB_FFFF) == nil)
    // The last 128 KiB are seen below 1 MiB.
    #expect(byte(0xFFFFF) == 63 && byte(0xE0000) == 32)
    #expect(byte(0xDFFFF) == 0xFF)
    memory.write(0xFFFF_FFF0, [1])
    memory.write(0xF0000, [1])
    #expect(byte(0xFFFF_FFF0) == 63 && byte(0xF0000) == 48, "ROM is not written")
  }

  @Test func shadowing() {
    pam(0, 0x30)
    #expect(byte(0xF0000) == 0, "RAM is empty")
    memory.write(0xF0000, [7])
    pam(0, 0x10)
    memory.write(0xF0000, [8])
    #expect(byte(0xF0000) == 7, "read-only RAM")
    pam(0, 0)
    #expect(byte(0xF0000) == 48, "ROM again")
    pam(0, 0x30)
    #expect(byte(0xF0000) == 7, "RAM has kept its content")
  }

  @Test func romCopiesItselfToRAM() {
    // Reads from ROM, writes to RAM: copied onto itself, then switched to RAM.
    pam(6, 0x02)
    memory.write(0xE8000, memory.read(0xE8000, count: 0x4000)!)
    pam(6, 0x03)
    #expect(byte(0xE8000) == 40 && byte(0xEBFFF) == 43)
    memory.write(0xE8000, [1])
    #expect(byte(0xE8000) == 1)
  }

  @Test func resetShowsROM() {
    pam(0, 0x30)
    memory.write(0xFFFF0, [9])
    bus.reset()
    #expect(byte(0xFFFF0) == 63)
  }
}

/// Reset vector, ROM and shadow with a processor in between.
@Suite struct FirmwareStartTests {
  /// Prints, from the ROM below 4 GiB and from its copy below 1 MiB, and ends.
  private func firmware(size: Int) -> [UInt8] {
    var rom = [UInt8](repeating: 0xF4, count: size)
    let code: [UInt8] = [
      0xBA, 0xE9, 0x00,  // mov dx, 0xE9
      0xB0, 0x4F, 0xEE, 0xB0, 0x4B, 0xEE,  // "OK"
      0xBA, 0x01, 0x05, 0xB0, 0x10, 0xEE,  // isa-debug-exit
    ]
    let start = size - 0x1000
    rom.replaceSubrange(start..<start + code.count, with: code)
    // jmp F000:F000, at FFFF0.
    rom.replaceSubrange(size - 16..<size - 11, with: [0xEA, 0x00, 0xF0, 0x00, 0xF0])
    return rom
  }

  @Test(arguments: [64, 128, 256, 1024, 4]) func anySizeStarts(kibibytes: Int) throws {
    var configuration = MachineConfiguration()
    configuration.memorySize = 2 << 20
    configuration.debugConsoles = [0xE9]
    configuration.isaDebugExit = .init()
    var images = MachineImages()
    images.bios = firmware(size: kibibytes << 10)
    let world = WorldLog()
    let machine = try Machine(configuration: configuration, images: images, world: world)
    #expect(machine.processorState.rip == 0xFFF0)
    #expect(machine.run(until: 1000) == .debugExit(0x21))
    #expect(world.text == "OK")
    try machine.reset()
    #expect(machine.run(until: 2000) == .debugExit(0x21))
  }

  @Test func sizesThatCannotBe() {
    var images = MachineImages()
    images.bios = []
    #expect(throws: MachineError.self) {
      try Machine(configuration: .init(), images: images, world: WorldLog())
    }
    images.bios = [UInt8](repeating: 0, count: 17 << 20)
    #expect(throws: MachineError.self) {
      try Machine(configuration: .init(), images: images, world: WorldLog())
    }
  }
}
