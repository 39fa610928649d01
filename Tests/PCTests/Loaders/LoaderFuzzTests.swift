import Foundation
import PC
import Testing
import X86Core

/// Kernels with damage: errors or a machine that starts, no traps. `FUZZ_ROUNDS` asks for more than the usual number.
@Suite struct LoaderFuzzTests {
  private static let rounds = ProcessInfo.processInfo.environment["FUZZ_ROUNDS"].flatMap { Int($0) } ?? 400

  private static func kernels() -> [[UInt8]] {
    var thirtyTwo = SyntheticELF()
    thirtyTwo.is64Bit = false
    var multiboot = SyntheticELF()
    multiboot.pvhEntry = nil
    multiboot.multibootFlags = 3
    var flat = ByteWriter()
    let flags: UInt32 = 1 << 16
    for word in [0x1BAD_B002, flags, 0 &- 0x1BAD_B002 &- flags, 0x10_0000, 0x10_0000, 0, 0x10_4000, 0x10_0020] {
      flat.u32(word)
    }
    flat.raw([UInt8](repeating: 0xF4, count: 256))
    return [SyntheticELF().bytes, thirtyTwo.bytes, multiboot.bytes, flat.bytes]
  }

  /// Values that headers do not like, and single bits.
  private func damage(_ kernel: [UInt8], _ random: inout RandomStream) -> [UInt8] {
    var bytes = kernel
    for _ in 0...random.next(below: 4) {
      // Most of it in the headers.
      let room = random.next(below: 3) == 0 ? bytes.count : min(bytes.count, 200)
      guard room > 8 else { break }
      let at = Int(random.next(below: UInt64(room - 8)))
      switch random.next(below: 5) {
      case 0: bytes[at] ^= 1 << UInt8(random.next(below: 8))
      case 1: bytes[at] = 0xFF
      case 2: for i in 0..<8 { bytes[at + i] = 0xFF }
      case 3: for i in 0..<4 { bytes[at + i] = 0 }
      default: bytes[at + 7] = 0x80
      }
    }
    if random.next(below: 8) == 0 { bytes.removeLast(Int(random.next(below: UInt64(bytes.count)))) }
    return bytes
  }

  @Test(arguments: 0..<4) func damagedKernels(kind: Int) throws {
    let kernel = Self.kernels()[kind]
    var random = RandomStream(seed: UInt64(kind), purpose: .scheduling)
    var loaded = 0
    for _ in 0..<Self.rounds {
      let memory = try #require(GuestMemory(size: 4 << 20))
      let map = MemoryMap(size: memory.size, lowLimit: memory.lowSize)
      let bytes = damage(kernel, &random)
      let state = try? KernelLoader.load(
        kernel: bytes, initrds: [BootModule(bytes: [1, 2, 3], commandLine: "m")], commandLine: "a b", memory: memory,
        memoryMap: map, rsdp: 0, randomSeed: [])
      if state != nil { loaded += 1 }
    }
    #expect(loaded > 0)
  }

  /// The same through firmware: a ROM that stops at once, so that only fw_cfg sees the kernel.
  @Test func throughFirmware() throws {
    var images = MachineImages()
    images.bios = [UInt8](repeating: 0xF4, count: 4096)
    images.kernelROM = (name: "/somewhere/linuxboot_dma.bin", bytes: [0x55, 0xAA, 1])
    images.kernel = Self.kernels()[0]
    var configuration = MachineConfiguration()
    configuration.memorySize = 2 << 20
    #expect(throws: MachineError.self) {
      try Machine(configuration: configuration, images: images, world: PatternWorld())
    }
    images.kernel = nil
    _ = try Machine(configuration: configuration, images: images, world: PatternWorld())
  }

  @Test func entryInTheUpperHalf() throws {
    // A multiboot ELF that is linked high starts at its physical place.
    var kernel = SyntheticELF()
    kernel.pvhEntry = nil
    kernel.multibootFlags = 0
    var bytes = kernel.bytes
    func put(_ at: Int, _ value: UInt64) {
      for i in 0..<8 { bytes[at + i] = UInt8(truncatingIfNeeded: value >> UInt64(8 * i)) }
    }
    put(24, 0xFFFF_FFFF_8010_0010)
    put(64 + 16, 0xFFFF_FFFF_8010_0000)
    let memory = try #require(GuestMemory(size: 4 << 20))
    let state = try KernelLoader.load(
      kernel: bytes, initrds: [], commandLine: "", memory: memory,
      memoryMap: MemoryMap(size: memory.size, lowLimit: memory.lowSize), rsdp: 0, randomSeed: [])
    #expect(state.rip == 0x10_0010)
  }
}
