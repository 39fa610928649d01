import X86Core

/// What a board has beside what every board has: firmware's memory, test devices, cards. Made in the order of the
/// command line, so that timers and slots come out alike in each run.
extension Board {
  /// Builds the cards that the configuration names.
  func plugCards(_ configuration: MachineConfiguration, _ images: MachineImages) throws {
    if configuration.pcTestDevice == true { try mapTestDevice() }
    drives = try (configuration.drives ?? []).enumerated().map { try Drive($1, index: $0, world: world) }
    try plugIDE()
    let direct = DirectMemory(memory)
    for options in configuration.pciDevices ?? [] {
      let card: PCIFunction
      switch options.kind {
      case .vga:
        let vga = VGA(timers: timers, rom: images.vgaROM, startsInTextMode: images.bios == nil)
        try mapVGA(vga)
        self.vga = vga
        card = vga
      case .testDevice: card = PCITestDevice()
      case .watchdog: card = I6300ESB(timers: timers)
      case .virtioRNG: card = VirtioRNG(memory: direct, timers: timers)
      case .virtioBlock:
        guard let drive = options.drive, drives.indices.contains(drive), drives[drive].options.interface == .virtio
        else {
          throw MachineError.unknownDevice(options.kind.rawValue)
        }
        card = VirtioBlock(drive: drives[drive], memory: direct, timers: timers)
      case .virtioConsole: card = VirtioConsole(memory: direct, timers: timers)
      case .virtioNet:
        card = VirtioNet(
          macAddress: options.macAddress ?? [0x52, 0x54, 0, 0x12, 0x34, 0x56], memory: direct, timers: timers)
      }
      try plug(card, options.slot, options.kind.rawValue)
      cards.append(card)
    }
  }

  func cards<Card: PCIFunction>(_: Card.Type) -> [Card] { cards.compactMap { $0 as? Card } }

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
      states.pciTestDevices = cards(PCITestDevice.self).map(\.testState)
      states.watchdogs = cards(I6300ESB.self).map(\.watchdogState)
      states.virtio = cards(VirtioFunction.self).map(\.virtioState)
      states.virtioInput = cards(VirtioConsole.self).map(\.backlog)
      states.virtioFrames = cards(VirtioNet.self).map(\.backlog)
      return states
    }
    set {
      if let state = newValue.pcTestDevice.first { pcTestDevice?.state = state }
      if let state = newValue.shadow.first { shadow?.state = state }
      for (drive, state) in zip(drives, newValue.drives) { drive.state = state }
      for (channel, state) in zip(ide?.channels ?? [], newValue.ideChannels) { channel.state = state }
      if let state = newValue.vga.first { vga?.displayState = state }
      for (device, state) in zip(cards(PCITestDevice.self), newValue.pciTestDevices) { device.testState = state }
      for (device, state) in zip(cards(I6300ESB.self), newValue.watchdogs) { device.watchdogState = state }
      for (device, state) in zip(cards(VirtioFunction.self), newValue.virtio) { device.virtioState = state }
      for (device, bytes) in zip(cards(VirtioConsole.self), newValue.virtioInput) { device.backlog = bytes }
      for (device, frames) in zip(cards(VirtioNet.self), newValue.virtioFrames) { device.backlog = frames }
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
  var watchdogs: [I6300ESB.WatchdogState] = []
  var virtio: [VirtioFunction.VirtioState] = []
  var virtioInput: [[UInt8]] = []
  var virtioFrames: [[[UInt8]]] = []

  private enum CodingKeys: String, CodingKey {
    case pcTestDevice, shadow, vga, pciTestDevices, drives, ideChannels, watchdogs, virtio, virtioInput, virtioFrames
  }

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
    virtioFrames = try states(.virtioFrames)
    virtioInput = try states(.virtioInput)
    virtio = try states(.virtio)
    watchdogs = try states(.watchdogs)
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
    try add(virtioFrames, .virtioFrames)
    try add(virtioInput, .virtioInput)
    try add(virtio, .virtio)
    try add(watchdogs, .watchdogs)
  }
}
