import PC
import Testing
import X86Core

/// Virtual I/O Device 1.2: a driver by hand.
private final class Driver {
  let clock = TestClock()
  let memory: GuestMemory
  let mmio = MemoryBus()
  let bus: PCIBus
  let device: VirtioFunction
  var messages: [(UInt64, UInt32)] = []
  static let bar: UInt64 = 0xE000_0000
  static let vectors: UInt64 = 0xE100_0000
  /// Descriptors, available and used ring of queue n lie at 0x10000 (n + 1).
  func ring(_ queue: Int) -> UInt64 { 0x10000 * UInt64(queue + 1) }

  init(_ make: (DirectMemory, TimerQueue) -> VirtioFunction) throws {
    memory = try #require(GuestMemory(size: 4 << 20))
    bus = PCIBus(ports: PortBus(), memory: mmio)
    device = make(DirectMemory(memory), clock.timers)
    try bus.plug(device, slot: 2)
    bus.writeConfiguration(0x1014, size: 4, value: UInt32(Self.vectors))
    bus.writeConfiguration(0x1020, size: 4, value: UInt32(Self.bar))
    bus.writeConfiguration(0x1024, size: 4, value: 0)
    bus.writeConfiguration(0x1004, size: 2, value: 6)
  }

  func write(_ offset: UInt64, _ value: UInt64, size: Int) { mmio.write(Self.bar + offset, size: size, value: value) }
  func read(_ offset: UInt64, size: Int) -> UInt64 { mmio.read(Self.bar + offset, size: size) }

  func start(queues: Int) {
    write(0x14, 0, size: 1)
    write(0x14, 3, size: 1)
    write(0x08, 1, size: 4)
    write(0x0C, 1, size: 4)
    write(0x14, 11, size: 1)
    for queue in 0..<queues {
      write(0x16, UInt64(queue), size: 2)
      write(0x18, 8, size: 2)
      write(0x20, ring(queue), size: 8)
      write(0x28, ring(queue) + 0x1000, size: 8)
      write(0x30, ring(queue) + 0x2000, size: 8)
      write(0x1C, 1, size: 2)
    }
    write(0x14, 15, size: 1)
  }

  private var available: [Int: UInt16] = [:]
  func le(_ value: UInt64, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
  }

  /// Puts a chain into a queue: (address, length, whether the device writes).
  func offer(_ queue: Int, _ chain: [(UInt64, UInt32, Bool)], notify: Bool = true) {
    for (i, part) in chain.enumerated() {
      let flags: UInt64 = (i + 1 < chain.count ? 1 : 0) | (part.2 ? 2 : 0)
      memory.write(
        ring(queue) + 16 * UInt64(i), le(part.0, 8) + le(UInt64(part.1), 4) + le(flags, 2) + le(UInt64(i + 1), 2))
    }
    let index = available[queue, default: 0]
    memory.write(ring(queue) + 0x1004 + 2 * UInt64(index % 8), [0, 0])
    available[queue] = index &+ 1
    memory.write(ring(queue) + 0x1002, le(UInt64(index &+ 1), 2))
    if notify {
      write(0x3000 + 4 * UInt64(queue), UInt64(queue), size: 2)
      clock.advance(by: 1_000_000)
    }
  }
  /// Number of requests that came back, and the length of the last.
  func used(_ queue: Int) -> (UInt16, UInt32) {
    let index = memory.read(ring(queue) + 0x2002, count: 2)!
    let count = UInt16(index[0]) | UInt16(index[1]) << 8
    let entry = memory.read(ring(queue) + 0x2004 + 8 * UInt64((count &- 1) % 8) + 4, count: 4)!
    return (count, entry.reversed().reduce(0) { $0 << 8 | UInt32($1) })
  }
}

@Suite struct VirtioTests {
  private func rng() throws -> Driver {
    try Driver { memory, timers in
      let device = VirtioRNG(memory: memory, timers: timers)
      device.draw = { 0x0807_0605_0403_0201 }
      return device
    }
  }

  @Test func capabilitiesLeadToTheRegisters() throws {
    let driver = try rng()
    #expect(driver.bus.readConfiguration(0x1000, size: 4) == 0x1044_1AF4)
    var found: [UInt8: UInt32] = [:]
    var at = driver.bus.readConfiguration(0x1034, size: 1)
    while at != 0 {
      let id = driver.bus.readConfiguration(0x1000 + at, size: 1)
      if id == 9 {
        found[UInt8(driver.bus.readConfiguration(0x1003 + at, size: 1))] =
          driver.bus.readConfiguration(0x1008 + at, size: 4)
      } else {
        #expect(id == 0x11)
      }
      at = driver.bus.readConfiguration(0x1001 + at, size: 1)
    }
    #expect(found == [1: 0, 2: 0x3000, 3: 0x1000, 4: 0x2000])
  }

  @Test func statusAndFeatures() throws {
    let driver = try rng()
    driver.write(0x00, 1, size: 4)
    #expect(driver.read(0x04, size: 4) == 1, "version 1")
    driver.write(0x14, 11, size: 1)
    #expect(driver.read(0x14, size: 1) == 3, "a driver without version 1 is refused")
    driver.start(queues: 1)
    #expect(driver.read(0x14, size: 1) == 15)
    driver.write(0x14, 0, size: 1)
    #expect(driver.read(0x14, size: 1) == 0 && driver.read(0x1C, size: 2) == 0)
  }

  @Test func entropyByINTx() throws {
    let driver = try rng()
    driver.start(queues: 1)
    driver.offer(0, [(0x5000, 3, true), (0x6000, 7, true)])
    #expect(driver.used(0) == (1, 10))
    #expect(driver.memory.read(0x5000, count: 3) == [1, 2, 3])
    #expect(driver.memory.read(0x6000, count: 7) == [4, 5, 6, 7, 8, 1, 2])
    #expect(driver.device.interruptLevel)
    #expect(driver.read(0x1000, size: 1) == 1)
    #expect(!driver.device.interruptLevel && driver.read(0x1000, size: 1) == 0)
  }

  @Test func messagesWaitWhileMasked() throws {
    let driver = try rng()
    var messages: [UInt32] = []
    // The board sends what the device asks for; here it is the machine's job, so look at pending bits only.
    driver.start(queues: 1)
    driver.bus.writeConfiguration(0x1042, size: 2, value: 0x8000)
    driver.write(0x1A, 1, size: 2)
    driver.offer(0, [(0x5000, 4, true)])
    #expect(driver.mmio.read(Driver.vectors + 0x800, size: 4) == 2, "vector 1 is masked and pends")
    #expect(!driver.device.interruptLevel)
    driver.mmio.write(Driver.vectors + 16 + 12, size: 4, value: 0)
    #expect(driver.mmio.read(Driver.vectors + 0x800, size: 4) == 0)
    messages.removeAll()
  }

  @Test func brokenRingsNeedAReset() throws {
    let driver = try rng()
    driver.start(queues: 1)
    // A circle of two descriptors.
    driver.offer(0, [(0x5000, 4, true), (0x6000, 4, true)], notify: false)
    driver.memory.write(driver.ring(0) + 16 + 12, [3, 0, 0, 0])
    driver.write(0x3000, 0, size: 2)
    driver.clock.advance(by: 1_000_000)
    #expect(driver.read(0x14, size: 1) & 0x40 != 0)
    #expect(driver.used(0).0 == 0)
    driver.start(queues: 1)
    #expect(driver.read(0x14, size: 1) == 15)
  }

  @Test func blockRequests() throws {
    let world = PatternWorld()
    var options = MachineConfiguration.DriveOptions(id: "v", interface: .virtio, size: 1 << 20, path: "")
    options.interface = .virtio
    let drive = try Drive(options, index: 0, world: world)
    let driver = try Driver { VirtioBlock(drive: drive, memory: $0, timers: $1) }
    #expect(driver.read(0x2000, size: 8) == 2048)
    driver.start(queues: 1)
    func request(_ type: UInt64, _ sector: UInt64) {
      driver.memory.write(0x4000, driver.le(type, 8) + driver.le(sector, 8))
    }
    request(0, 6)
    driver.offer(0, [(0x4000, 16, false), (0x8000, 1024, true), (0x5000, 1, true)])
    #expect(driver.used(0) == (1, 1025))
    #expect(driver.memory.read(0x8000 + 512, count: 1) == [7] && driver.memory.read(0x5000, count: 1) == [0])
    driver.memory.write(0x8000, [UInt8](repeating: 0x99, count: 512))
    request(1, 6)
    driver.offer(0, [(0x4000, 16, false), (0x8000, 512, false), (0x5000, 1, true)])
    #expect(drive.read(sector: 6, count: 1)?[0] == 0x99)
    request(0, 1 << 60)
    driver.offer(0, [(0x4000, 16, false), (0x8000, 512, true), (0x5000, 1, true)])
    #expect(driver.memory.read(0x5000, count: 1) == [1], "an I/O error")
    request(77, 0)
    driver.offer(0, [(0x4000, 16, false), (0x5000, 1, true)])
    #expect(driver.memory.read(0x5000, count: 1) == [2], "unsupported")
  }

  @Test func frames() throws {
    var sent: [[UInt8]] = []
    let driver = try Driver {
      let card = VirtioNet(macAddress: [2, 0, 0, 0, 0, 7], memory: $0, timers: $1)
      card.onTransmit = { sent.append($0) }
      return card
    }
    let card = try #require(driver.device as? VirtioNet)
    #expect(driver.read(0x2000, size: 4) == 0x0000_0002)
    card.receive([1, 2, 3])
    driver.start(queues: 2)
    driver.memory.write(0x4000, [UInt8](repeating: 0, count: 12) + [0xAA, 0xBB])
    driver.offer(1, [(0x4000, 14, false)])
    #expect(sent == [[0xAA, 0xBB]])
    card.receive([9, 8, 7])
    driver.offer(0, [(0x5000, 1600, true)])
    #expect(driver.used(0) == (1, 15), "a frame waits for a buffer; one before the driver was ready is lost")
    #expect(driver.memory.read(0x500A, count: 5) == [1, 0, 9, 8, 7])
  }

  @Test func console() throws {
    var printed: [UInt8] = []
    let driver = try Driver {
      let console = VirtioConsole(memory: $0, timers: $1)
      console.onTransmit = { printed += $0 }
      return console
    }
    driver.start(queues: 2)
    driver.memory.write(0x4000, Array("hvc".utf8))
    driver.offer(1, [(0x4000, 3, false)])
    #expect(printed == Array("hvc".utf8))
    (driver.device as? VirtioConsole)?.receive([0x41])
    driver.offer(0, [(0x5000, 16, true)])
    #expect(driver.used(0) == (1, 1) && driver.memory.read(0x5000, count: 1) == [0x41])
  }

  /// Random rings and registers: no traps, no endless work.
  @Test(arguments: 0..<4) func hostileRings(seed: Int) throws {
    let world = PatternWorld()
    let drive = try Drive(
      .init(id: "v", interface: .virtio, size: 1 << 20, path: ""), index: 0, world: world)
    var random = RandomStream(seed: UInt64(seed), purpose: .scheduling)
    for kind in 0..<4 {
      let driver = try Driver {
        switch kind {
        case 0: return VirtioRNG(memory: $0, timers: $1)
        case 1: return VirtioBlock(drive: drive, memory: $0, timers: $1)
        case 2: return VirtioConsole(memory: $0, timers: $1)
        default: return VirtioNet(macAddress: [], memory: $0, timers: $1)
        }
      }
      for _ in 0..<400 {
        driver.start(queues: kind < 2 ? 1 : 2)
        for queue in 0..<2 {
          let base = driver.ring(queue)
          for i: UInt64 in 0..<8 {
            let address = random.next(below: 4) == 0 ? random.next(below: 1 << 40) : random.next(below: 4 << 20)
            let length = random.next(below: 8) == 0 ? random.next(below: 1 << 32) : random.next(below: 5000)
            driver.memory.write(
              base + 16 * i,
              driver.le(address, 8) + driver.le(length, 4) + driver.le(random.next(below: 8), 2)
                + driver.le(random.next(below: 10), 2))
          }
          driver.memory.write(base + 0x1000, driver.le(random.next(below: 2), 2) + driver.le(random.next(below: 10), 2))
          driver.memory.write(base + 0x1004, (0..<16).map { _ in UInt8(random.next(below: 9)) })
          driver.write(0x3000 + 4 * UInt64(queue), 0, size: 2)
        }
        if random.next(below: 3) == 0 {
          driver.write(
            random.next(below: 0x4000), random.next(below: 1 << 62), size: [1, 2, 4, 8][Int(random.next(below: 4))])
        }
        (driver.device as? VirtioNet)?.receive([UInt8](repeating: 1, count: Int(random.next(below: 2000))))
        (driver.device as? VirtioConsole)?.receive([1, 2, 3])
        driver.clock.advance(by: 1_000_000)
      }
    }
  }
}
