import Monitor
import PC

/// What `-device` and `-debugcon` ask for.
struct DeviceOptions {
  private(set) var pvpanic: MachineConfiguration.PVPanicOptions?
  private(set) var pvpanicPCI: MachineConfiguration.PVPanicOptions?
  private(set) var vmcoreinfo = false
  private(set) var debugExit: MachineConfiguration.DebugExitOptions?
  private(set) var debugConsoles: [(port: UInt16, backend: String)] = []
  /// Character devices of further serial ports, as `-serial` takes them.
  private(set) var serials: [String] = []

  /// What `-device help` says.
  static let help = """
    pvpanic[,ioport=0x505][,events=7]          the panic device of the ISA bus (Linux: pvpanic-mmio)
    pvpanic-pci[,events=7]                     the panic device of the PCI bus (Linux: pvpanic-pci)
    vmcoreinfo                                 the guest tells where its VMCOREINFO is, for dumps
    isa-debug-exit[,iobase=0x501][,iosize=2]   the guest ends the process with status 2 * value + 1
    isa-debugcon[,iobase=0xe9],chardev=ID      bytes written to the port go to a character device
    isa-serial,chardev=ID                      a further serial port
    """

  /// - Throws: `CommandFailure` that names driver and property.
  mutating func add(_ text: String) throws {
    do {
      let options = try OptionText(text)
      guard let driver = options.head ?? options["driver"] else {
        throw OptionText.Failure("the driver's name is missing")
      }
      try add(driver, options)
    } catch let failure as OptionText.Failure {
      throw CommandFailure.usage("-device \(text): \(failure.message)")
    }
  }

  private mutating func add(_ driver: String, _ options: OptionText) throws {
    let common = ["id", "driver"]
    switch driver {
    case "pvpanic":
      try options.allow(common + ["ioport", "events"])
      if pvpanic != nil { throw OptionText.Failure("there is one already") }
      var device = MachineConfiguration.PVPanicOptions()
      device.port = try Self.number(options, "ioport", default: device.port)
      device.events = try Self.number(options, "events", default: device.events)
      pvpanic = device
    case "pvpanic-pci":
      try options.allow(common + ["events"])
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
        port: Self.number(options, "iobase", default: 0xE9), backend: "chardev:\(chardev)")
    case "isa-serial":
      try options.allow(common + ["chardev"])
      guard let chardev = options["chardev"] else {
        throw OptionText.Failure("chardev=ID is missing; declare it with -chardev")
      }
      serials.append("chardev:\(chardev)")
    case _ where driver.hasPrefix("virtio-"):
      throw OptionText.Failure("there are no virtio devices yet; the guest's files come through -initrd")
    default:
      throw OptionText.Failure(
        "unknown device '\(driver)'; there are pvpanic, pvpanic-pci, vmcoreinfo, isa-debug-exit, isa-debugcon and "
          + "isa-serial")
    }
  }

  mutating func addDebugConsole(port: UInt16, backend: String) throws {
    if debugConsoles.count == 4 { throw OptionText.Failure("at most 4 debug consoles are possible") }
    debugConsoles.append((port, backend))
  }

  func apply(to configuration: inout MachineConfiguration) {
    configuration.pvpanic = pvpanic
    configuration.pvpanicPCI = pvpanicPCI
    configuration.vmcoreinfo = vmcoreinfo
    configuration.isaDebugExit = debugExit
    configuration.debugConsoles = debugConsoles.map(\.port)
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

extension DeviceOptions {
  /// Whether a command line asks for the list of devices.
  static func isHelpRequest(_ arguments: [String]) -> Bool {
    zip(arguments, arguments.dropFirst()).contains {
      ($0 == "-device" || $0 == "--device") && ($1 == "help" || $1 == "?")
    }
  }
}
