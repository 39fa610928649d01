import X86Core

/// What a board has beside what every board has: firmware's memory, test devices, cards. Made in the order of the
/// command line, so that timers and slots come out alike in each run.
extension Board {
  /// Builds the cards that the configuration names.
  func plugCards(_ configuration: MachineConfiguration, _ images: MachineImages) throws {
    if configuration.pcTestDevice == true { try mapTestDevice() }
    drives = try (configuration.drives ?? []).enumerated().map { try Drive($1, index: $0, world: world) }
    try plugIDE()
    for options in configuration.pciDevices ?? [] {
      let card: PCIFunction
      switch options.kind {
      case .vga:
        let vga = VGA(timers: timers, rom: images.vgaROM, startsInTextMode: images.bios == nil)
        try mapVGA(vga)
        self.vga = vga
        card = vga
      case .testDevice: card = PCITestDevice()
      default: throw MachineError.unknownDevice(options.kind.rawValue)
      }
      try plug(card, options.slot, options.kind.rawValue)
      cards.append(card)
    }
  }

  func plug(_ card: PCIFunction, _ slot: Int?, _ name: String) throws {
    guard let slot = slot ?? pci.freeSlot else { throw MachineError.noSlot(name) }
    guard (0..<32).contains(slot) else { throw MachineError.slot(name, slot) }
    try pci.plug(card, slot: slot)
  }

  /// The IDE controller is there when a drive is on it.
  private func plugIDE() throws {
    let onIDE = drives.filter { $0.options.interface == .ide }
    guard !onIDE.isEmpty else { return }
    var devices = [IDEDevice?](repeating: nil, count: 4)
    for drive in onIDE {
      guard let index = drive.options.index, devices.indices.contains(index), devices[index] == nil else {
        throw MachineError.driveIndex(drive.options.id, drive.options.index)
      }
      devices[index] = drive.options.isCDROM ? ATAPICDROM(drive: drive) : ATADisk(drive: drive)
    }
    let channels = PIIX3IDE.places.enumerated().map { number, place in
      IDEChannel(
        name: "IDE \(number)", devices: Array(devices[2 * number..<2 * number + 2]), timers: timers,
        interrupt: wires.tap(place.irq))
    }
    for (place, channel) in zip(PIIX3IDE.places, channels) {
      try ports.map(
        place.command...(place.command + PIIX3IDE.commandPorts - 1), to: channel.commandBlock, name: "IDE")
      try ports.map(place.control...place.control, to: channel.controlBlock, name: "IDE")
    }
    let controller = PIIX3IDE(channels: channels, memory: DirectMemory(memory), hasFirmware: hasFirmware)
    ide = controller
    try pci.plug(controller, slot: 1, function: 1)
  }

  /// Whether what a port gives is no witness: the bytes of a drive, which are inputs or the guest's own.
  @inline(__always)
  func isDriveData(_ port: UInt16) -> Bool {
    (port == PIIX3IDE.places[0].command || port == PIIX3IDE.places[1].command) && ide != nil
  }

  private func mapTestDevice() throws {
    let lines =
      (0..<16).map { wires.tap($0) } + (16..<IOAPIC.inputCount).map { InterruptLine([(ioapic, $0)]) }
    let device = PCTestDevice(lines: lines)
    pcTestDevice = device
    let name = "pc-testdev"
    try ports.map(
      PCTestDevice.linesPort...(PCTestDevice.linesPort + PCTestDevice.lineCount - 1), to: device.lines,
      name: name)
    try ports.map(PCTestDevice.dataPort...(PCTestDevice.dataPort + 3), to: device.data, name: name)
    try ports.map(PCTestDevice.flushPort...(PCTestDevice.flushPort + 3), to: device.flush, name: name)
    try ports.map(PCTestDevice.byteDataPort...(PCTestDevice.byteDataPort + 3), to: device.data, name: name)
    try mmio.map(
      PCTestDevice.memoryBase..<PCTestDevice.memoryBase + PCTestDevice.memorySize, to: device.memory, name: name)
  }

  private func mapVGA(_ vga: VGA) throws {
    try ports.map(VGA.firstPort...(VGA.firstPort + VGA.portCount - 1), to: vga.portDevice, name: "VGA")
    try ports.map(VGA.vbePort...(VGA.vbePort + 2), to: vga.vbeDevice, name: "VGA")
    try mmio.map(VGA.window, to: vga.windowDevice, name: "VGA")
  }

  /// Everything of the cards that configuration space does not hold.
  var cardStates: CardStates {
    get {
      var states = CardStates()
      if let pcTestDevice { states.pcTestDevice = [pcTestDevice.state] }
      if let shadow { states.shadow = [shadow.state] }
      if let vga { states.vga = [vga.displayState] }
      states.drives = drives.map(\.state)
      if let ide { states.ideChannels = ide.channels.map(\.state) }
      states.pciTestDevices = cards.compactMap { ($0 as? PCITestDevice)?.testState }
      return states
    }
    set {
      if let state = newValue.pcTestDevice.first { pcTestDevice?.state = state }
      if let state = newValue.shadow.first { shadow?.state = state }
      for (drive, state) in zip(drives, newValue.drives) { drive.state = state }
      for (channel, state) in zip(ide?.channels ?? [], newValue.ideChannels) { channel.state = state }
      if let state = newValue.vga.first { vga?.displayState = state }
      for (device, state) in zip(cards.compactMap { $0 as? PCITestDevice }, newValue.pciTestDevices) {
        device.testState = state
      }
    }
  }
}

/// The states of devices that a board may have. Those of devices that are not there are not encoded at all: a board
/// without them has the digest that it had before they were known.
struct CardStates: Codable {
  var pcTestDevice: [PCTestDevice.State] = []
  var shadow: [ShadowRAM.State] = []
  var vga: [VGA.DisplayState] = []
  var pciTestDevices: [PCITestDevice.TestState] = []
  var drives: [Drive.State] = []
  var ideChannels: [IDEChannel.State] = []

  private enum CodingKeys: String, CodingKey { case pcTestDevice, shadow, vga, pciTestDevices, drives, ideChannels }

  init() {}

  init(from decoder: Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    func states<State: Decodable>(_ key: CodingKeys) throws -> [State] {
      try container.decodeIfPresent([State].self, forKey: key) ?? []
    }
    pcTestDevice = try states(.pcTestDevice)
    shadow = try states(.shadow)
    vga = try states(.vga)
    pciTestDevices = try states(.pciTestDevices)
    drives = try states(.drives)
    ideChannels = try states(.ideChannels)
  }

  func encode(to encoder: Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    func add<State: Encodable>(_ states: [State], _ key: CodingKeys) throws {
      if !states.isEmpty { try container.encode(states, forKey: key) }
    }
    try add(pcTestDevice, .pcTestDevice)
    try add(shadow, .shadow)
    try add(vga, .vga)
    try add(pciTestDevices, .pciTestDevices)
    try add(drives, .drives)
    try add(ideChannels, .ideChannels)
  }
}
