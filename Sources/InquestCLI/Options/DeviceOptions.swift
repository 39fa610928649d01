import Monitor
import PC

/// What `-device` and `-debugcon` ask for.
struct DeviceOptions {
  /// What `drive=` names.
  let drives: DriveFiles
  private(set) var pvpanic: MachineConfiguration.PVPanicOptions?
  private(set) var pvpanicPCI: MachineConfiguration.PVPanicOptions?
  private(set) var vmcoreinfo = false
  private(set) var debugExit: MachineConfiguration.DebugExitOptions?
  private(set) var debugConsoles: [(port: UInt16, backend: String, readback: UInt8)] = []
  private(set) var pcTestDevice = false
  /// Cards in the order of the command line.
  private(set) var cards: [MachineConfiguration.PCIDeviceOptions] = []
  /// Character devices of virtio consoles.
  private(set) var consoles: [String] = []
  /// `netdev=` of each network card.
  private(set) var networks: [String?] = []
  /// What every virtio card of QEMU's has and means nothing here.
  private static let virtioProperties = ["addr", "bus", "disable-legacy", "disable-modern", "iommu_platform"]
  /// `romfile=` of the VGA card.
  private(set) var vgaROM: String?
  /// Character devices of further serial ports, as `-serial` takes them.
  private(set) var serials: [String] = []

  /// What `-device help` says.
  static let help = """
    pvpanic[,ioport=0x505][,events=7]          the panic device of the ISA bus (Linux: pvpanic-mmio)
    pvpanic-pci[,events=7]                     the panic device of the PCI bus (Linux: pvpanic-pci)
    vmcoreinfo                                 the guest tells where its VMCOREINFO is, for dumps
    isa-debug-exit[,iobase=0x501][,iosize=2]   the guest ends the process with status 2 * value + 1
    isa-debugcon[,iobase=0xe9][,readback=0xe9],chardev=ID
                                               bytes written to the port go to a character device
    isa-serial,chardev=ID                      a further serial port
    pc-testdev                                 interrupt lines, ports and memory for kernel test suites
    pci-testdev[,addr=SLOT]                    counts writes to its memory and ports
    virtio-rng-pci[,addr=SLOT]                 entropy from the run's seed
    virtio-blk-pci,drive=ID[,addr=SLOT]        a disk of a -drive with if=none (also -drive if=virtio)
    virtio-net-pci,netdev=ID[,mac=][,addr=]    a network card on a -netdev
    virtio-serial-pci[,addr=SLOT]              for virtconsole,chardev=ID: what the guest prints on hvc0
    i6300esb[,addr=SLOT]                       a watchdog; -action watchdog= says what it does
    ide-hd,drive=ID | ide-cd,drive=ID          an IDE disk or CD of a -drive with if=none
    VGA[,romfile=FILE][,addr=SLOT]             a display, see inquest screen (also -vga std)
    """

  /// `-global`: properties of devices that do not name them themselves. As in QEMU, those of devices that are not there
  /// change nothing.
  private let globals: [(driver: String, property: String, value: String)]

  /// - Parameter globals: arguments of `-global`: `DRIVER.PROPERTY=VALUE`, or with `driver=`, `property=`, `value=`.
  init(drives: DriveFiles, globals texts: [String] = []) throws {
    self.drives = drives
    globals = try texts.map { text in
      let failure = CommandFailure.usage("-global \(text): write DRIVER.PROPERTY=VALUE")
      if let options = try? OptionText(text, headless: true), let driver = options["driver"],
        let property = options["property"], let value = options["value"]
      {
        return (driver, property, value)
      }
      guard let dot = text.firstIndex(of: "."), let equals = text[dot...].firstIndex(of: "="), dot != text.startIndex
      else { throw failure }
      return (
        String(text[..<dot]), String(text[text.index(after: dot)..<equals]), String(text[text.index(after: equals)...])
      )
    }
  }

  /// - Parameter text: `DRIVER,PROPERTY=VALUE,…`, or a JSON object.
  /// - Throws: `CommandFailure` that names driver and property.
  mutating func add(_ text: String) throws {
    do {
      var options = text.first == "{" ? try Self.options(json: text) : try OptionText(text)
      let name = options.head ?? options["driver"]
      for global in globals where global.driver == name && options[global.property] == nil {
        options.entries.append((global.property, global.value))
      }
      guard let driver = options.head ?? options["driver"] else {
        throw OptionText.Failure("the driver's name is missing")
      }
      try add(driver, options)
    } catch let failure as OptionText.Failure {
      throw CommandFailure.usage("-device \(text): \(failure.message)")
    }
  }

  /// QEMU's other form, which libvirt writes.
  private static func options(json: String) throws -> OptionText {
    guard let value = try? JSONParser.parse(json), case .object(let object) = value else {
      throw OptionText.Failure("this is not a JSON object")
    }
    var options = try OptionText("", headless: true, allowsEmpty: true)
    for member in object.members {
      let text: String
      switch member.value {
      case .string(let string): text = string
      case .bool(let flag): text = flag ? "on" : "off"
      case .integer, .unsigned: text = member.value.text
      default: throw OptionText.Failure("'\(member.name)' is not a string, a number or a switch")
      }
      options.entries.append((member.name, text))
    }
    return options
  }

  private mutating func add(_ driver: String, _ options: OptionText) throws {
    let common = ["id", "driver"]
    switch driver {
    case "pc-testdev":
      try options.allow(common)
      if pcTestDevice { throw OptionText.Failure("there is one already") }
      pcTestDevice = true
    case "pci-testdev":
      try options.allow(common + ["addr", "bus"])
      cards.append(.init(.testDevice, slot: try Self.slot(options)))
    case "i6300esb":
      try options.allow(common + ["addr", "bus"])
      if cards.contains(where: { $0.kind == .watchdog }) { throw OptionText.Failure("there is one already") }
      cards.append(.init(.watchdog, slot: try Self.slot(options)))
    case "virtio-rng-pci", "virtio-rng-pci-non-transitional":
      try options.allow(common + Self.virtioProperties + ["rng", "max-bytes", "period"])
      cards.append(.init(.virtioRNG, slot: try Self.slot(options)))
    case "virtio-blk-pci", "virtio-blk-pci-non-transitional":
      try options.allow(common + Self.virtioProperties + ["drive", "bootindex", "serial", "num-queues", "write-cache"])
      guard let drive = options["drive"] else { throw OptionText.Failure("drive=ID is missing") }
      cards.append(.init(.virtioBlock, slot: try Self.slot(options), drive: try drives.plugVirtio(drive)))
    case "virtio-serial-pci", "virtio-serial-pci-non-transitional":
      // The card comes with its console.
      try options.allow(common + Self.virtioProperties + ["max_ports"])
    case "virtconsole":
      try options.allow(common + ["chardev", "bus", "nr", "name"])
      guard let chardev = options["chardev"] else {
        throw OptionText.Failure("chardev=ID is missing; declare it with -chardev")
      }
      cards.append(.init(.virtioConsole))
      consoles.append("chardev:\(chardev)")
    case "virtio-net-pci", "virtio-net-pci-non-transitional":
      try options.allow(common + Self.virtioProperties + ["netdev", "mac", "bootindex", "romfile", "mq", "vectors"])
      let count = cards.filter { $0.kind == .virtioNet }.count
      var address: [UInt8] = [0x52, 0x54, 0, 0x12, 0x34, UInt8(truncatingIfNeeded: 0x56 + count)]
      if let text = options["mac"] {
        address = text.split(separator: ":", omittingEmptySubsequences: false).compactMap { UInt8($0, radix: 16) }
        guard address.count == 6, text.count == 17, address[0] & 1 == 0 else {
          throw OptionText.Failure("mac=\(text): six hexadecimal bytes, for instance 52:54:00:12:34:56")
        }
      }
      cards.append(.init(.virtioNet, slot: try Self.slot(options), macAddress: address))
      networks.append(options["netdev"])
    case "ide-hd", "ide-cd":
      try options.allow(common + ["drive", "bus", "unit", "bootindex"])
      var index: Int?
      if let bus = options["bus"] {
        guard bus == "ide.0" || bus == "ide.1" else { throw OptionText.Failure("bus=\(bus): ide.0 or ide.1") }
        index = (bus == "ide.1" ? 2 : 0) + Int(clamping: try options.number("unit") ?? 0)
      }
      guard let drive = options["drive"] else { throw OptionText.Failure("drive=ID is missing") }
      try drives.plugIDE(drive, isCDROM: driver == "ide-cd", index: index)
    case "VGA":
      try options.allow(common + ["addr", "bus", "romfile", "vgamem_mb"])
      try addVGA(romFile: options["romfile"], slot: try Self.slot(options))
    case "pvpanic":
      try options.allow(common + ["ioport", "events"])
      if pvpanic != nil { throw OptionText.Failure("there is one already") }
      var device = MachineConfiguration.PVPanicOptions()
      device.port = try Self.number(options, "ioport", default: device.port)
      device.events = try Self.number(options, "events", default: device.events)
      pvpanic = device
    case "pvpanic-pci":
      // The place on the bus is the board's choice.
      try options.allow(common + ["events", "bus", "addr"])
      if pvpanicPCI != nil { throw OptionText.Failure("there is one already") }
      var device = MachineConfiguration.PVPanicOptions()
      device.events = try Self.number(options, "events", default: device.events)
      pvpanicPCI = device
    case "vmcoreinfo":
      try options.allow(common)
      vmcoreinfo = true
    case "isa-debug-exit":
      try options.allow(common + ["iobase", "iosize"])
      if debugExit != nil { throw OptionText.Failure("there is one already") }
      var device = MachineConfiguration.DebugExitOptions()
      device.port = try Self.number(options, "iobase", default: device.port)
      device.size = try Self.number(options, "iosize", default: device.size)
      guard [1, 2, 4].contains(device.size) else { throw OptionText.Failure("iosize is 1, 2 or 4") }
      debugExit = device
    case "isa-debugcon":
      try options.allow(common + ["iobase", "chardev", "readback"])
      guard let chardev = options["chardev"] else {
        throw OptionText.Failure("chardev=ID is missing; declare it with -chardev")
      }
      try addDebugConsole(
        port: Self.number(options, "iobase", default: 0xE9), backend: "chardev:\(chardev)",
        readback: Self.number(options, "readback", default: 0xE9))
    case "isa-serial":
      try options.allow(common + ["chardev"])
      guard let chardev = options["chardev"] else {
        throw OptionText.Failure("chardev=ID is missing; declare it with -chardev")
      }
      serials.append("chardev:\(chardev)")
    default:
      throw OptionText.Failure(
        "unknown device '\(driver)'; -device help lists those that are there")
    }
  }

  /// - Throws: when there is a VGA card already.
  mutating func addVGA(romFile: String? = nil, slot: Int? = nil) throws {
    if hasVGA { throw OptionText.Failure("there is one already") }
    vgaROM = romFile
    cards.append(.init(.vga, slot: slot))
  }
  var hasVGA: Bool { cards.contains { $0.kind == .vga } }

  mutating func addDebugConsole(port: UInt16, backend: String, readback: UInt8 = 0xE9) throws {
    if debugConsoles.count == 4 { throw OptionText.Failure("at most 4 debug consoles are possible") }
    debugConsoles.append((port, backend, readback))
  }

  func apply(to configuration: inout MachineConfiguration) {
    configuration.pvpanic = pvpanic
    configuration.pvpanicPCI = pvpanicPCI
    configuration.vmcoreinfo = vmcoreinfo
    configuration.isaDebugExit = debugExit
    configuration.debugConsoles = debugConsoles.map(\.port)
    if debugConsoles.contains(where: { $0.readback != 0xE9 }) {
      configuration.debugConsoleReadbacks = debugConsoles.map(\.readback)
    }
    if pcTestDevice { configuration.pcTestDevice = true }
    // Disks of -drive if=virtio come last, as in QEMU.
    let cards = cards + drives.virtioDrives(notIn: cards).map { .init(.virtioBlock, drive: $0) }
    if !cards.isEmpty { configuration.pciDevices = cards }
  }

  /// `addr=`: a slot, hexadecimal as QEMU reads it, or `slot.0`.
  static func slot(_ options: OptionText) throws -> Int? {
    guard let text = options["addr"] else { return nil }
    let digits = text.hasPrefix("0x") ? text.dropFirst(2) : text[...]
    let parts = digits.split(separator: ".", omittingEmptySubsequences: false)
    guard let slot = Int(parts[0], radix: 16), (0...31).contains(slot), parts.count < 2 || parts[1] == "0" else {
      throw OptionText.Failure("addr=\(text): slots are 0 to 0x1f, without functions")
    }
    return slot
  }

  private static func number<Number: FixedWidthInteger>(
    _ options: OptionText, _ key: String, default fallback: Number
  ) throws -> Number {
    guard let value = try options.number(key) else { return fallback }
    guard let number = Number(exactly: value) else {
      throw OptionText.Failure("\(key)=\(options[key] ?? ""): at most \(Number.max)")
    }
    return number
  }
}

/// `-device help` and its like.
enum OptionHelp {
  /// What a command line asks to be told, nil when it does not.
  static func text(for arguments: [String]) -> String? {
    for (option, value) in zip(arguments, arguments.dropFirst()) where value == "help" || value == "?" {
      switch option.drop(while: { $0 == "-" }) {
      case "device" where option.first == "-": return DeviceOptions.help
      case "machine" where option.first == "-", "M" where option.first == "-": return MachineTypeOption.help
      case "cpu" where option.first == "-": return ProcessorOption.help
      case "accel" where option.first == "-": return "tcg"
      default: continue
      }
    }
    return nil
  }
}
