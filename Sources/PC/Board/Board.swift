import X86
import X86Core
import X86System

/// The devices of the machine and the wires between them. What a device tells the outside goes to `Machine`, which sets
/// the callbacks.
final class Board {
  let memory: GuestMemory
  let memoryMap: MemoryMap
  let timers = TimerQueue()
  let ports = PortBus()
  let mmio = MemoryBus()

  let apicBus = APICBus()
  let apic: LocalAPIC
  let ioapic: IOAPIC
  let pic = PIC8259Pair()
  let wires: InterruptWires

  let pit: PIT8254
  let rtc: RTC146818
  let hpet: HPET?
  let portA = SystemControlPortA()
  let portB: SystemControlPortB
  let keyboardController: I8042
  let serialPorts: [UART16550A]

  let pci: PCIBus
  let pciPorts: PCIConfigurationPorts
  let resetControl = ResetControl()
  let powerManagement: ACPIPowerManagement
  let fwCfg: FWCfg
  let vmcoreinfo: VMCoreInfo?

  let pvpanic: PVPanicISA?
  let pvpanicPCI: PVPanicPCI?
  let debugExit: ISADebugExit?
  let debugConsoles: [DebugConsole]

  // What not every board has: see BoardCards.swift.
  let shadow: ShadowRAM?
  let hasFirmware: Bool
  var pcTestDevice: PCTestDevice?
  var vga: VGA?
  var ide: PIIX3IDE?
  var drives: [Drive] = []
  unowned let world: MachineWorld
  /// In the order of the configuration.
  var cards: [PCIFunction] = []

  private var mappedAPIC: UInt64?

  /// - Throws: `BusOverlap` when two devices of the configuration want the same ports.
  init(
    _ configuration: MachineConfiguration, images: MachineImages, memory: GuestMemory, timeSource: TimeSource,
    world: MachineWorld
  ) throws {
    self.world = world
    self.memory = memory
    memoryMap = MemoryMap(size: memory.size, lowLimit: memory.lowSize)
    timers.timeSource = timeSource

    apic = LocalAPIC(
      id: 0, isBootstrapProcessor: true, timerFrequency: ProcessorClock.crystalHz,
      tscFrequency: ProcessorClock.tscHz, timers: timers, bus: apicBus)
    ioapic = IOAPIC(bus: apicBus)
    wires = InterruptWires(pic: pic, ioapic: ioapic)

    pit = PIT8254(timers: timers, irq: wires.tap(0))
    rtc = RTC146818(
      timers: timers, baseTime: configuration.startTime, memoryBelow4G: memory.lowSize,
      memoryAbove4G: memory.size - memory.lowSize, irq: wires.tap(8))
    hpet =
      configuration.hasHPET
      ? HPET(
        timers: timers, routes: wires.hpetRoutes, legacyIRQ0: wires.tap(0), legacyIRQ8: wires.tap(8)) : nil
    portB = SystemControlPortB(pit: pit)
    keyboardController = I8042(keyboardInterrupt: wires.tap(1), mouseInterrupt: wires.tap(12))
    let wires = wires
    serialPorts = Self.serialPlaces.prefix(max(0, configuration.serialPorts)).map {
      UART16550A(interrupt: wires.tap(Int($0.irq)))
    }

    pci = PCIBus(ports: ports, memory: mmio)
    pciPorts = PCIConfigurationPorts(bus: pci, resetControl: resetControl)
    powerManagement = ACPIPowerManagement(interrupt: wires.tap(Int(PCAddress.sciIRQ)), timers: timers)
    fwCfg = FWCfg(memory: memory)
    vmcoreinfo = configuration.vmcoreinfo ? VMCoreInfo(fwCfg: fwCfg) : nil

    pvpanic = configuration.pvpanic.map { PVPanicISA(events: $0.events) }
    pvpanicPCI = configuration.pvpanicPCI.map { PVPanicPCI(events: $0.events) }
    debugExit = configuration.isaDebugExit.map { _ in ISADebugExit() }
    debugConsoles = configuration.debugConsoles.indices.map { i in
      let console = DebugConsole()
      if let values = configuration.debugConsoleReadbacks, values.indices.contains(i) {
        console.state.readback = values[i]
      }
      return console
    }
    hasFirmware = images.bios != nil
    if let bios = images.bios {
      memory.setROM(bios)
      shadow = ShadowRAM(memory: memory, rom: bios)
    } else {
      shadow = nil
    }

    connectInterrupts()
    try mapPorts(configuration)
    try mmio.map(
      UInt64(PCAddress.ioAPIC)..<UInt64(PCAddress.ioAPIC) + 0x1000, to: ioapic, name: "IOAPIC")
    if let hpet {
      try mmio.map(UInt64(PCAddress.hpet)..<UInt64(PCAddress.hpet) + 0x400, to: hpet, name: "HPET")
    }
    mapAPIC()
    try plugPCI()
    try plugCards(configuration, images)
    if let port = configuration.pvpanic?.port {
      fwCfg.addFile(
        "etc/pvpanic-port", [UInt8(truncatingIfNeeded: port), UInt8(truncatingIfNeeded: port >> 8)])
    }
    fwCfg.add(FWCfg.Key.ramSize, number: memory.size)
    fwCfg.add(FWCfg.Key.processorCount, number: UInt16(1))
    fwCfg.add(FWCfg.Key.maximumProcessors, number: UInt16(1))
  }

  static let serialPlaces: [ACPIConfiguration.SerialPort] = [.com1, .com2, .com3, .com4]

  private func connectInterrupts() {
    pic.onOutputChange = { [unowned apic] level in apic.setInput(LocalAPIC.lint0, level: level) }
    apic.onExternalAcknowledge = { [unowned pic] in pic.acknowledge() }
    apic.onBaseChange = { [unowned self] in mapAPIC() }
    hpet?.onLegacyReplacementChange = { [unowned pit, unowned rtc] replaced in
      pit.isIRQConnected = !replaced
      rtc.isIRQConnected = !replaced
    }
  }

  /// The local APIC's page moves with IA32_APIC_BASE. Where it would lie on another device, it is not seen.
  private func mapAPIC() {
    let base = apic.mappedBase
    guard base != mappedAPIC else { return }
    if let old = mappedAPIC { mmio.unmap(old..<old + 0x1000) }
    mappedAPIC = nil
    guard let base, base <= UInt64.max - 0x1000 else { return }
    if (try? mmio.map(base..<base + 0x1000, to: apic, name: "local APIC")) != nil { mappedAPIC = base }
  }

  private func mapPorts(_ configuration: MachineConfiguration) throws {
    func map(_ first: UInt16, _ count: UInt16, _ device: PortDevice, _ name: String) throws {
      guard count > 0, first <= UInt16.max - (count - 1) else {
        throw MachineError.portRange(name, first, count)
      }
      try ports.map(first...(first + count - 1), to: device, name: name)
    }
    try map(0x20, 2, pic.master, "8259")
    try map(0xA0, 2, pic.slave, "8259")
    try map(0x4D0, 2, pic.edgeLevelControl, "ELCR")
    try map(0x40, 4, pit, "8254")
    try map(0x61, 1, portB, "port B")
    try map(0x70, 2, rtc, "RTC")
    try map(I8042.dataPort, 1, keyboardController.dataRegister, "i8042")
    try map(I8042.commandPort, 1, keyboardController.commandRegister, "i8042")
    try map(SystemControlPortA.port, 1, portA, "port 92")
    for (place, port) in zip(Self.serialPlaces, serialPorts) {
      try map(place.firstPort, UART16550A.portCount, port, "serial port")
    }
    try map(PCIConfigurationPorts.firstPort, PCIConfigurationPorts.portCount, pciPorts, "PCI configuration")
    try map(PCAddress.pm1Event, ACPIPowerManagement.portCount, powerManagement, "ACPI")
    try map(PCAddress.gpe0, ACPIPowerManagement.GPE0.portCount, powerManagement.gpe0, "ACPI GPE0")
    try map(PCAddress.fwCfg, FWCfg.portCount, fwCfg, "fw_cfg")
    if let options = configuration.pvpanic, let pvpanic { try map(options.port, 1, pvpanic, "pvpanic") }
    if let options = configuration.isaDebugExit, let debugExit {
      try map(options.port, options.size, debugExit, "isa-debug-exit")
    }
    for (port, console) in zip(configuration.debugConsoles, debugConsoles) {
      try map(port, 1, console, "isa-debugcon")
    }
  }

  private func plugPCI() throws {
    let bridge = I440FX()
    bridge.shadow = shadow
    try pci.plug(bridge, slot: 0)
    try pci.plug(
      PIIX3(
        bus: pci, lines: (0..<16).map { wires.tap($0) }, routes: hasFirmware ? nil : PCAddress.pirqRoutes),
      slot: 1)
    try pci.plug(PIIX4PowerManagement(hasFirmware: hasFirmware), slot: 1, function: 3)
    if let pvpanicPCI, let slot = pci.freeSlot { try pci.plug(pvpanicPCI, slot: slot) }
  }

  var acpiConfiguration: ACPIConfiguration {
    var acpi = ACPIConfiguration()
    acpi.serialPorts = Array(Self.serialPlaces.prefix(serialPorts.count))
    acpi.hasHPET = hpet != nil
    acpi.hasVGA = vga != nil
    return acpi
  }

  /// The reset line: every device as at power-on, but for what a reset leaves alone (time, CMOS).
  func reset() {
    pci.reset()
    pcTestDevice?.state = PCTestDevice.State()
    pciPorts.reset()
    resetControl.reset()
    powerManagement.reset()
    fwCfg.reset()
    for port in serialPorts { port.reset() }
    keyboardController.reset()
    portA.reset()
    portB.reset()
    hpet?.reset()
    rtc.reset()
    pit.reset()
    pic.reset()
    ioapic.reset()
    apic.reset()
  }
}
