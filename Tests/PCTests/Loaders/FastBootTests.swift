import Foundation
import PC
import Testing
import X86Core

/// Kernels that the host unpacks: what is left in memory, and what is left to the guest.
struct FastBootTests {
  let memory = GuestMemory(size: 64 << 20)!
  let map = MemoryMap(size: 64 << 20, lowLimit: 0xC000_0000)

  private final class Log {
    var outcome: FastBoot.Outcome?
    var draws = 0
  }

  private func load(_ kernel: [UInt8], commandLine: String = "", random: UInt64 = 0) throws -> (
    BootState, FastBoot.Outcome?, Int
  ) {
    let log = Log()
    let fastBoot = FastBoot(
      random: {
        log.draws += 1
        return random
      }, onOutcome: { log.outcome = $0 })
    let state = try BzImageLoader.load(
      kernel: kernel, initrd: [1, 2, 3], commandLine: commandLine, memory: memory, memoryMap: map,
      rsdp: MemoryMap.rsdp, randomSeed: [], fastBoot: fastBoot)
    return (state, log.outcome, log.draws)
  }

  private var loadFlags: UInt8 { memory.read(BzImageLoader.Layout.bootParameters + 0x211, count: 1)![0] }

  @Test func kernelIsPlacedAndRelocated() throws {
    let kernel = SyntheticKernel()
    let (state, outcome, draws) = try load(kernel.bzImage(), random: 3)
    // The fourth place of 2 MiB from 16 MiB on; physically the decompressor takes the first one.
    let place = KernelPlacement(physical: 0x180_0000, virtual: 0x160_0000, isRandomized: true)
    #expect(outcome == .unpacked(.lz4, place) && draws == 2)
    #expect(state.rip == place.physical + kernel.entryOffset)
    #expect(state.rsi == BzImageLoader.Layout.bootParameters)
    #expect(loadFlags == 0x03)
    #expect(memory.read(0x100_0000, count: 4096) == [UInt8](repeating: 0, count: 4096), "no packed kernel")

    var text = kernel.text
    var data = kernel.data
    func add(_ bytes: inout [UInt8], _ offset: Int, _ value: UInt64, _ size: Int) {
      var sum = value
      for i in 0..<size { sum &+= UInt64(bytes[offset + i]) << (8 * UInt64(i)) }
      for i in 0..<size { bytes[offset + i] = UInt8(truncatingIfNeeded: sum >> (8 * UInt64(i))) }
    }
    add(&text, 0x100, 0x60_0000, 8)
    add(&text, 0x200, 0 &- 0x60_0000, 4)
    add(&text, 0x300, 0x60_0000, 4)
    add(&data, 0x010, 0x60_0000, 8)
    add(&data, 0x020, 0x60_0000, 4)
    add(&data, 0xFFC, 0x60_0000, 4)
    #expect(memory.read(place.physical, count: text.count) == text)
    #expect(memory.read(place.physical + kernel.dataOffset, count: data.count) == data)
  }

  @Test func nokaslrKeepsThePlace() throws {
    let kernel = SyntheticKernel()
    let (state, outcome, draws) = try load(kernel.bzImage(), commandLine: "quiet nokaslr")
    #expect(outcome == .unpacked(.lz4, .fixed(at: 0x100_0000)) && draws == 0)
    #expect(state.rip == 0x100_0040 && loadFlags == 0x01)
    #expect(memory.read(0x100_0000, count: kernel.text.count) == kernel.text)
    // Part of another word it means nothing.
    guard case .unpacked(_, let place)? = try load(kernel.bzImage(), commandLine: "xnokaslr").1 else {
      return #expect(Bool(false))
    }
    #expect(place.isRandomized)
  }

  @Test func kernelsWithoutTablesStay() throws {
    var kernel = SyntheticKernel()
    kernel.hasTables = false
    #expect(try load(kernel.bzImage()).1 == .unpacked(.lz4, .fixed(at: 0x100_0000)))
  }

  @Test func twoTables() throws {
    var kernel = SyntheticKernel()
    kernel.inverse = nil
    #expect(try load(kernel.bzImage(version: "6.15.0"), random: 1).1?.description.contains("0x1200000") == true)
    #expect(memory.read(0x140_0200, count: 4) == Array(kernel.text[0x200..<0x204]))
  }

  /// Whatever is not certain leaves memory and processor as they are without any fast boot.
  @Test func leftToTheGuest() throws {
    var small = SyntheticKernel()
    small.machine = 3
    var outside = SyntheticKernel()
    outside.words = [0x5000]
    var torn = SyntheticKernel()
    // Words that are zero.
    torn.inverse = [0x7F00_0000, 0x7F00_0000]
    let whole = SyntheticKernel()
    let cases: [(String, [UInt8], String)] = [
      ("'earlyprintk'", whole.bzImage(), "earlyprintk=serial"), ("'mem='", whole.bzImage(), "mem=32M"),
      ("'memmap='", whole.bzImage(), "memmap=1M$16M"), ("'hugepages'", whole.bzImage(), "hugepages=2"),
      ("version '5.4.0'", whole.bzImage(version: "5.4.0"), ""), ("version '7.0'", whole.bzImage(version: "7.0"), ""),
      ("unknown way", whole.bzImage { $0[0] = 9 }, ""), ("lz4 payload is damaged", whole.bzImage { $0[9] ^= 0xFF }, ""),
      ("size makes no sense", whole.bzImage { $0[$0.count - 1] = 0x7F }, ""),
      ("no 64-bit kernel", small.bzImage(), ""), ("outside of the kernel", outside.bzImage(), ""),
      ("more relocation tables", torn.bzImage(), ""),
    ]
    for (reason, kernel, commandLine) in cases {
      let (state, outcome, _) = try load(kernel, commandLine: commandLine)
      guard case .left? = outcome else {
        #expect(Bool(false), "\(reason): \(String(describing: outcome))")
        continue
      }
      #expect(outcome?.description.contains(reason) == true, "\(String(describing: outcome))")
      #expect(state.rip == 0x100_0200 && loadFlags == 0x01)
      #expect(memory.read(0x100_0000, count: 0x400) == [UInt8](repeating: 0x5A, count: 0x400))
    }
  }

  @Test func traitsOfTheHeaderThatDoNotFit() throws {
    var image = SyntheticBzImage()
    image.extendedFlags = 0
    #expect(try load(image.bytes).1?.description.contains("no 64-bit kernel") == true)
    #expect(try load(SyntheticBzImage().bytes).1?.description.contains("version") == true)
  }

  /// A kernel above 4 GiB can be entered: its pages are mapped.
  @Test func pagesAboveFourGigabytes() throws {
    let memory = try #require(GuestMemory(size: 6 << 30))
    let map = MemoryMap(size: 6 << 30, lowLimit: 0xC000_0000)
    let state = try BzImageLoader.load(
      kernel: SyntheticKernel().bzImage(), initrd: nil, commandLine: "", memory: memory, memoryMap: map, rsdp: 0,
      randomSeed: [], fastBoot: FastBoot(random: { 2900 }))
    #expect(state.rip >= 1 << 32)
    let pointers = ByteReader(memory.read(state.cr3, count: 8)!).u64(0)! & ~0xFFF
    let entry = ByteReader(memory.read(pointers + 8 * (state.rip >> 30), count: 8)!).u64(0)!
    #expect(entry == state.rip & ~0x3FFF_FFFF | 0x83)
  }

  @Test func damageIsNoCrash() throws {
    let whole = SyntheticKernel().bytes
    var random = RandomStream(seed: 5, purpose: .entropy)
    for round in 0..<3000 {
      var bytes = whole
      for _ in 0...random.next(below: 4) {
        // Mostly headers and tables.
        let offset =
          round % 2 == 0 ? random.next(below: 180) : UInt64(whole.count) - 1 - random.next(below: 48)
        bytes[Int(offset)] = UInt8(truncatingIfNeeded: random.next())
      }
      if round % 3 == 0 { bytes = [UInt8](bytes.prefix(Int(random.next(below: UInt64(whole.count) + 1)))) }
      bytes += [UInt8](repeating: 0, count: 0x10000)
      bytes.withUnsafeMutableBytes { image in
        let file = UnsafeRawBufferPointer(rebasing: image.dropLast(0x10000))
        guard let kernel = try? RelocatableKernel(file) else { return }
        kernel.settle(in: image, virtual: 0x120_0000)
      }
    }
  }
}

struct KernelPlacementTests {
  private func ram(_ base: UInt64, _ end: UInt64, _ kind: E820Entry.Kind = .ram) -> E820Entry {
    E820Entry(base: base, size: end - base, kind: kind)
  }
  private let alignment: UInt64 = 0x20_0000
  private let start: UInt64 = 0x100_0000

  private func places(_ size: UInt64, _ map: [E820Entry], _ avoid: [Range<UInt64>] = []) -> Set<UInt64> {
    Set(
      (0..<4096).map { number in
        KernelPlacement.random(
          preferring: start, size: size, alignment: alignment, map: map, avoid: avoid, random: { number }
        ).physical
      })
  }

  @Test func allAlignedPlacesInRAM() {
    let map = [ram(0, 0x9F000), ram(0x100000, 0x1C0_0000), ram(0x1C0_0000, 0x200_0000, .reserved)]
    #expect(places(0x40_0000, map) == [0x100_0000, 0x120_0000, 0x140_0000, 0x160_0000, 0x180_0000])
  }

  @Test func obstaclesAreAvoided() {
    let map = [ram(0x100000, 0x200_0000)]
    let found = places(0x40_0000, map, [0x151_0000..<0x161_0000, 0x150_0000..<0x152_0000, 0x1FF_0000..<0x200_0000])
    #expect(found == [0x100_0000, 0x180_0000, 0x1A0_0000])
  }

  @Test func highMemoryIsUsed() {
    let map = [ram(0x100000, 0x180_0000), ram(1 << 32, 1 << 32 + 0x60_0000)]
    let expected: Set<UInt64> = [0x100_0000, 0x120_0000, 0x140_0000, 0x1_0000_0000, 0x1_0020_0000]
    #expect(places(0x40_0000, map) == expected)
  }

  @Test func noRoomMeansThePreferredPlace() {
    #expect(places(0x40_0000, [ram(0x100000, 0x120_0000)]) == [start])
    #expect(places(.max, [ram(0x100000, 0x4000_0000)]) == [start])
  }

  /// 64 MiB: (1 GiB − 16 MiB − 64 MiB) / 2 MiB + 1 = 473 places.
  @Test(arguments: [(0, 0x100_0000), (1, 0x120_0000), (472, 0x3C00_0000), (473, 0x100_0000)])
  func virtualAddressesStayInTheKernelsRange(number: UInt64, address: UInt64) {
    let placement = KernelPlacement.random(
      preferring: start, size: 0x400_0000, alignment: alignment, map: [], avoid: [], random: { number })
    #expect(placement.virtual == address)
  }

  @Test func wishes() {
    #expect(KernelPlacement.wish(of: "console=ttyS0 panic=5") == .random)
    #expect(KernelPlacement.wish(of: "console=ttyS0\tnokaslr") == .fixed)
    #expect(KernelPlacement.wish(of: "nokaslr2") == .random)
    #expect(KernelPlacement.wish(of: "nokaslr memmap=1M!2M") == .unknown("memmap="))
    #expect(KernelPlacement.wish(of: "console=uart8250,io,0x3f8") == .unknown("console=uart"))
  }
}
