import Foundation
import PC
import Testing
import X86
import X86Core

/// Random accesses to every port and register of a whole machine, with interrupts delivered and timers running: nothing
/// traps, hangs or grows. `HOSTILE_ACCESSES` asks for more than the usual number.
@Suite struct HostileMachineTests {
  @Test(arguments: 0..<8) func randomAccesses(seed: Int) throws {
    let accesses = ProcessInfo.processInfo.environment["HOSTILE_ACCESSES"].flatMap { Int($0) } ?? 100_000
    let world = SilentWorld()
    let machine = try Machine(configuration: configuration(seed), images: images(), world: world)
    var random = RandomStream(seed: UInt64(seed), purpose: .scheduling)
    let seams = machine.processor.seams
    var interrupted: UInt64 = 0
    for number in 0..<accesses {
      access(seams, &random)
      if random.next(below: 4) == 0 {
        let stop = machine.run(until: machine.instructionCount &+ 1 &+ random.next(below: 200))
        switch stop {
        case .idle(let next?) where random.next(below: 8) != 0: machine.skipIdle(to: next)
        case .idle: machine.skipIdle(to: machine.virtualTime &+ random.next(below: 100_000))
        case .dead, .resetRequested: try machine.reset()
        default: break
        }
      }
      if random.next(below: 64) == 0 { host(machine, &random) }
      // What the hostile accesses have wrecked is put right, so that interrupts go on being delivered.
      if number % 4096 == 4095 {
        interrupted += world.interrupts
        world.interrupts = 0
        try machine.reset()
      }
    }
    #expect(interrupted > 0)
    // The VGA's memory and that of pc-testdev are numbers in JSON.
    #expect(try JSONEncoder().encode(machine.snapshot()).count < (seed % 2 == 0 ? 100_000 : 4_000_000))
  }

  private func configuration(_ seed: Int) -> MachineConfiguration {
    var configuration = MachineConfiguration()
    configuration.memorySize = 8 << 20
    configuration.serialPorts = 4
    configuration.pvpanic = .init()
    configuration.pvpanicPCI = .init()
    configuration.vmcoreinfo = true
    configuration.isaDebugExit = .init()
    configuration.debugConsoles = [0x402]
    configuration.seed = UInt64(seed)
    if seed % 2 == 1 { plugEverything(&configuration) }
    configuration.chaos = seed % 2 == 1
    configuration.chaosFromPowerOn = true
    return configuration
  }

  private func plugEverything(_ configuration: inout MachineConfiguration) {
    configuration.pcTestDevice = true
    func drive(_ id: String, _ interface: MachineConfiguration.DriveOptions.Interface, _ index: Int?, cd: Bool)
      -> MachineConfiguration.DriveOptions
    {
      var options = MachineConfiguration.DriveOptions(id: id, interface: interface, size: 1 << 20, path: "")
      options.index = index
      options.isCDROM = cd
      return options
    }
    configuration.drives = [
      drive("a", .ide, 0, cd: false), drive("b", .ide, 2, cd: true), drive("c", .virtio, nil, cd: false),
    ]
    configuration.pciDevices = [
      .init(.vga), .init(.testDevice), .init(.watchdog), .init(.virtioRNG), .init(.virtioBlock, drive: 2),
      .init(.virtioConsole), .init(.virtioNet, macAddress: [2, 0, 0, 0, 0, 1]),
    ]
  }

  private static let ports: [ClosedRange<UInt16>] = [
    0x20...0x21, 0xA0...0xA1, 0x4D0...0x4D1, 0x40...0x43, 0x61...0x61, 0x70...0x71, 0x60...0x60, 0x64...0x64,
    0x92...0x92, 0x3F8...0x3FF, 0x2F8...0x2FF, 0x3E8...0x3EF, 0x2E8...0x2EF, 0xCF8...0xCFF, 0x600...0x60B,
    0xAFE0...0xAFE3, 0x510...0x51B, 0x501...0x505, 0x402...0x402, 0x1F0...0x1F7, 0x170...0x177, 0x3F6...0x3F6,
    0x376...0x376, 0x3B0...0x3DF,
    0x1CE...0x1D0, 0x2000...0x2017, 0xE0...0xEB, 0x0...0xFFFF,
  ]
  private static let memory: [(UInt64, UInt64)] = [
    (0xFEE0_0000, 0x1000), (0xFEE0_0000, 0x400), (0xFEC0_0000, 0x50), (0xFED0_0000, 0x400), (0xA0000, 0x20000),
    (0xC000_0000, 0x3EC0_0000), (0xFEBF_0000, 0x1000), (0xFF00_0000, 0x10000),
  ]

  private func value(_ random: inout RandomStream) -> UInt64 {
    let drawn = random.next(below: 1 << 62) &* 5
    switch random.next(below: 6) {
    case 0: return 0
    case 1: return .max
    case 2: return drawn & 0xFF
    case 3: return drawn & 0xFFFF
    case 4: return 1 &<< (drawn & 63)
    default: return drawn
    }
  }

  private func access(_ seams: ProcessorSeams, _ random: inout RandomStream) {
    let isRead = random.next(below: 2) == 0
    switch random.next(below: 16) {
    case 0...8:
      let range = Self.ports[Int(random.next(below: UInt64(Self.ports.count)))]
      let port = range.lowerBound &+ UInt16(random.next(below: UInt64(range.count)))
      let size = [1, 1, 2, 4][Int(random.next(below: 4))]
      var value = UInt32(truncatingIfNeeded: value(&random)) & (size == 4 ? .max : (1 << UInt32(8 * size)) - 1)
      // Configuration addresses that lead somewhere, half of the time.
      if port == 0xCF8, value & 1 == 0 { value = 1 << 31 | value & 0x5BFC }
      if isRead { _ = seams.readPort(port, size: size) } else { seams.writePort(port, size: size, value: value) }
    case 9...14:
      let (base, length) = Self.memory[Int(random.next(below: UInt64(Self.memory.count)))]
      var address = base &+ random.next(below: length)
      if random.next(below: 8) != 0 { address &= ~(length <= 0x50 ? 15 : 3) }
      let size = [1, 2, 4, 4, 4, 8][Int(random.next(below: 6))]
      if isRead {
        _ = seams.readMemory(address, size: size)
      } else {
        seams.writeMemory(
          address, size: size, value: size == 8 ? value(&random) : value(&random) & (1 << UInt64(8 * size)) &- 1)
      }
    default:
      let msr: UInt32 =
        switch random.next(below: 6) {
        case 0: 0x1B
        case 1: 0x6E0
        default: 0x800 + UInt32(random.next(below: 0x100))
        }
      if isRead { _ = seams.readAPICMSR(msr) } else { _ = seams.writeAPICMSR(msr, value(&random)) }
      if random.next(below: 8) == 0 { seams.taskPriority = UInt8(random.next(below: 16)) }
    }
  }

  private func host(_ machine: Machine, _ random: inout RandomStream) {
    switch random.next(below: 4) {
    case 3: machine.receiveFrame(device: 0, bytes: [UInt8](repeating: 3, count: Int(random.next(below: 1600))))
    case 0: _ = machine.serialInput(port: Int(random.next(below: 5)), bytes: [1, 2, 3])
    case 1: machine.injectNMI()
    default: machine.pressPowerButton()
    }
  }

  /// A multiboot kernel that waits for interrupts and acknowledges them.
  private func images() -> MachineImages {
    let base: UInt32 = 0x10_0000
    func le(_ words: UInt32...) -> [UInt8] {
      words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
    }
    let flags: UInt32 = 1 << 16
    var bytes = le(0x1BAD_B002, flags, 0 &- 0x1BAD_B002 &- flags, base, base, 0, 0, base + 0x20)
    bytes += [0x0F, 0x01, 0x15] + le(base + 0x100)  // lgdt
    bytes += [0x0F, 0x01, 0x1D] + le(base + 0x108)  // lidt
    bytes += [0xEA] + le(base + 0x20 + 21) + [0x08, 0]  // jmp 8:next
    bytes += [0xB8, 0x10, 0, 0, 0, 0x8E, 0xD8, 0x8E, 0xC0, 0x8E, 0xD0, 0xBC] + le(0x30_0000)
    bytes += [0xFB, 0xB9, 20, 0, 0, 0, 0xE2, 0xFE, 0xF4, 0xEB, 0xF5]  // sti; mov ecx, 20; loop .; hlt; jmp sti
    bytes += [UInt8](repeating: 0x90, count: 0x80 - bytes.count)
    // The handler, at 80: acknowledges at both 8259s and at the local APIC.
    bytes += [0x50, 0xB0, 0x20, 0xE6, 0xA0, 0xE6, 0x20, 0xC7, 0x05] + le(0xFEE0_00B0, 0) + [0x58, 0xCF]
    bytes += [UInt8](repeating: 0, count: 0x100 - bytes.count)
    bytes += [0x17, 0] + le(base + 0x110) + [0, 0] + [0xFF, 7] + le(base + 0x200) + [0, 0]
    bytes += le(0, 0, 0xFFFF, 0x00CF_9B00, 0xFFFF, 0x00CF_9300)
    bytes += [UInt8](repeating: 0, count: 0x200 - bytes.count)
    for _ in 0..<256 { bytes += le(0x0008_0080, 0x0010_8E00) }
    var images = MachineImages()
    images.kernel = bytes
    return images
  }
}

private final class SilentWorld: MachineWorld {
  var interrupts: UInt64 = 0
  func didReadPort(_ port: UInt16, size: Int, value: UInt32) {}
  func didReadMemory(_ address: UInt64, size: Int, value: UInt64) {}
  func didInterrupt(vector: UInt8, isNMI: Bool) { interrupts += 1 }
  func didTransmit(port: Int, byte: UInt8) {}
  func readDrive(_ drive: Int, offset: UInt64, count: Int) -> [UInt8]? {
    offset & 0x1000 != 0 ? nil : [UInt8](repeating: 0x5A, count: count)
  }
}
