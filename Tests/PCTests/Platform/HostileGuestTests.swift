import PC
import Testing
import X86Core

/// Random reads and writes on every port and register: the devices neither crash nor grow.
struct HostileGuestTests {
  /// SplitMix64.
  private struct Generator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state &+= 0x9E37_79B9_7F4A_7C15
      var z = state
      z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
      return z ^ z >> 31
    }
  }

  @Test(arguments: 0..<8) func randomAccesses(seed: Int) throws {
    let ports = PortBus()
    let physical = MemoryBus()
    let clock = SteppedClock()
    let timers = TimerQueue()
    timers.timeSource = clock
    let wires = Wires()
    let memory = try #require(GuestMemory(size: 1 << 20))
    let bus = PCIBus(ports: ports, memory: physical)
    let configuration = PCIConfigurationPorts(bus: bus, resetControl: ResetControl())
    let bridge = PIIX3(bus: bus, lines: (0..<16).map { wires.line($0) })
    let panic = PVPanicPCI()
    try bus.plug(I440FX(), slot: 0)
    try bus.plug(bridge, slot: 1)
    try bus.plug(PIIX4PowerManagement(), slot: 1, function: 3)
    try bus.plug(panic, slot: 2)
    let uart = UART16550A(interrupt: wires.line(4))
    let input = I8042(keyboardInterrupt: wires.line(1), mouseInterrupt: wires.line(12))
    let power = ACPIPowerManagement(interrupt: wires.line(9), timers: timers)
    let fwCfg = FWCfg(memory: memory)
    let info = VMCoreInfo(fwCfg: fwCfg)
    try ports.map(0xCF8...0xCFF, to: configuration, name: "PCI configuration")
    try ports.map(0x3F8...0x3FF, to: uart, name: "COM1")
    try ports.map(0x60...0x60, to: input.dataRegister, name: "8042 data")
    try ports.map(0x64...0x64, to: input.commandRegister, name: "8042 command")
    try ports.map(0x92...0x92, to: SystemControlPortA(), name: "port 92")
    try ports.map(0x600...0x60B, to: power, name: "ACPI PM")
    try ports.map(0xAFE0...0xAFE3, to: power.gpe0, name: "ACPI GPE0")
    try ports.map(0x510...0x51B, to: fwCfg, name: "fw_cfg")
    try ports.map(0x505...0x505, to: PVPanicISA(), name: "pvpanic")
    try ports.map(0x402...0x402, to: DebugConsole(), name: "debug console")
    try ports.map(0x501...0x502, to: ISADebugExit(), name: "debug exit")
    let targets: [ClosedRange<UInt16>] = [
      0xCF8...0xCFF, 0x3F8...0x3FF, 0x60...0x64, 0x92...0x92, 0x600...0x60B, 0xAFE0...0xAFE3, 0x510...0x51B,
      0x501...0x505, 0x402...0x402,
    ]
    var random = Generator(state: UInt64(seed))
    for _ in 0..<100_000 {
      let range = targets[Int(random.next() % UInt64(targets.count))]
      let port = range.lowerBound + UInt16(random.next() % UInt64(range.count))
      let size = [1, 2, 4][Int(random.next() % 3)]
      var value = UInt32(truncatingIfNeeded: random.next())
      // Configuration addresses that lead somewhere, half of the time.
      if port == 0xCF8, value & 1 == 0 { value = 1 << 31 | value & 0x1BFC }
      if random.next() & 1 == 0 {
        _ = ports.read(port, size: size)
      } else {
        ports.write(port, size: size, value: value)
      }
      clock.virtualTime &+= random.next() % 1_000_000
      timers.run(now: clock.virtualTime)
      _ = uart.receive(UInt8(truncatingIfNeeded: value))
      _ = info.note
    }
    #expect(uart.state.received.count <= 16)
    #expect(input.state.answers.count <= 16)
    #expect(input.keyboard.state.output.count <= 32 && input.mouse.state.output.count <= 32)
    #expect(panic.state.configuration.count == 256)
  }
}
