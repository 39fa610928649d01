import ArgumentParser
import Foundation
import Monitor
import PC
import Session

/// The machine, in QEMU's words.
struct MachineOptions: ParsableArguments {
  @Option(
    name: .customLong("kernel", withSingleDash: true),
    help: ArgumentHelp(
      "Start this: a Linux bzImage, or an ELF with a PVH note or for multiboot 1.", valueName: "file"))
  var kernel: String?

  @OptionGroup var firmware: FirmwareOptions
  @OptionGroup var drives: DriveArguments

  @Option(
    name: .customLong("initrd", withSingleDash: true),
    help: ArgumentHelp("Initramfs, several as one; for multiboot the modules.", valueName: "file[,file…]"))
  var initrd: String?

  @Option(
    name: .customLong("append", withSingleDash: true),
    help: ArgumentHelp("Kernel command line.", valueName: "text"))
  var append: String?

  @Option(
    name: .customShort("m"),
    help: ArgumentHelp("Memory: 256 (MiB), 512M, 1G, size=1G. (default: 128M)", valueName: "size"))
  var memory: String?

  @Option(
    name: .customLong("cpu", withSingleDash: true),
    help: ArgumentHelp(
      "The processor: a model of QEMU's, limited to what is implemented, and features; -cpu help lists both. "
        + "(default: Westmere)", valueName: "model[,±feature…]"))
  var processor: String?

  @Option(
    name: .customLong("smp", withSingleDash: true),
    help: ArgumentHelp("Processors: 1 for now.", valueName: "n"))
  var smp: String?

  @Option(
    name: [.customLong("machine", withSingleDash: true), .customShort("M")],
    help: ArgumentHelp(
      "pc (or q35, for scripts that say so), and fast-boot=off: a Linux kernel unpacks itself, which else the host "
        + "does; panic-policy=qemu-1.6: a panicked guest can only be reset, as in QEMU 1.6.0.",
      valueName: "pc[,property=value…]"))
  var machineType: String?

  @Option(name: .customLong("accel", withSingleDash: true), help: .hidden)
  var accelerators: [String] = []

  @Option(name: .customLong("watchdog-action", withSingleDash: true), help: .hidden)
  var watchdogAction: String?

  @Option(name: .customLong("global", withSingleDash: true), help: .hidden)
  var globals: [String] = []

  @Option(
    name: .customLong("device", withSingleDash: true),
    help: ArgumentHelp(
      "Add a device: pvpanic, pvpanic-pci, vmcoreinfo, isa-debug-exit, isa-debugcon, isa-serial and others. May be "
        + "repeated; -device help tells all and their properties.", valueName: "driver[,property=value…]"))
  var devices: [String] = []

  @Option(
    name: .customLong("debugcon", withSingleDash: true),
    help: ArgumentHelp("A debug console at port 0xe9.", valueName: "dev"))
  var debugcon: String?

  @Option(
    name: .customLong("action", withSingleDash: true),
    help: ArgumentHelp(
      "What events of the guest do: panic=pause|shutdown|exit-failure|none, reboot=reset|shutdown, "
        + "shutdown=poweroff|pause, watchdog=reset|shutdown|poweroff|pause|debug|none|inject-nmi. (default: panic=pause,"
        + "reboot=reset,shutdown=poweroff,watchdog=reset)",
      valueName: "event=action[,…]"
    ))
  var actions: [String] = []

  @Flag(name: .customLong("no-reboot", withSingleDash: true), help: "As -action reboot=shutdown.")
  var noReboot = false

  @Flag(name: .customLong("no-shutdown", withSingleDash: true), help: "As -action shutdown=pause.")
  var noShutdown = false

  @Flag(name: .customShort("S"), help: "Do not start before a monitor says 'cont'.")
  var startPaused = false

  @Option(
    name: .customLong("icount", withSingleDash: true),
    help: ArgumentHelp(
      "2^N ns of virtual time an instruction (default: 2); sleep=on: idle time is paced by the host's clock, off: it is "
        + "skipped (default: on where somebody could type).", valueName: "shift=N[,sleep=on|off]"))
  var icount: String?

  @Option(
    name: .customLong("rtc", withSingleDash: true),
    help: ArgumentHelp(
      "The clock at the start. (default: now; with --seed \(ClockOption.fixedText))",
      valueName: "base=utc|localtime|date"))
  var rtc: String?

  @Option(
    name: .customLong("name", withSingleDash: true),
    help: ArgumentHelp("The guest's name.", valueName: "name"))
  var name: String?

  @Option(
    name: .customLong("uuid", withSingleDash: true),
    help: ArgumentHelp("The guest's UUID.", valueName: "uuid"))
  var uuid: String?

  @Flag(name: .customLong("no-hpet", withSingleDash: true), help: "Leave the HPET out.")
  var noHPET = false

  @Option(
    name: .customLong("seed"),
    help: ArgumentHelp(
      "Fix everything that is drawn (entropy, chaos) and the clock at the start; by default each run draws its own.",
      valueName: "n"))
  var seed: UInt64?

  @Flag(
    name: .customLong("chaos"), help: "Delay interrupts by amounts drawn from the seed, to provoke races.")
  var chaos = false
}

/// A machine as it is to be built.
package struct MachinePlan {
  package var setup: RunSetup
  var kernelPath: String
  package var initrdPaths: [String]
  /// Where debug consoles write, in the order of the configuration: arguments as of `-serial`.
  package var debugConsoles: [String]
  /// What each network card is connected to.
  var networks: [NetworkOptions?]
  /// Files of the drives.
  var driveFiles: DriveFiles
  /// Files of the firmware, its VGA BIOS and its kernel loader.
  var firmwareFiles = FirmwareFiles()
  /// `-device isa-serial,chardev=ID`: further serial ports.
  var extraSerials: [String]
  /// `-icount sleep=`.
  package var pacesIdleTime: Bool?

  /// - Parameter arguments: machine options as a user writes them.
  package init(arguments: [String], seed: UInt64? = nil) throws {
    try self.init(try MachineOptions.parse(try Spelling.normalise(arguments)), seed: seed)
  }

  /// - Throws: `CommandFailure` or `OptionText.Failure` that names option and value.
  init(_ options: MachineOptions, seed: UInt64? = nil) throws {
    guard options.kernel != nil || options.firmware.bios != nil else {
      throw CommandFailure.usage("there is nothing to start; name a kernel with -kernel, or firmware with -bios")
    }
    kernelPath = options.kernel ?? ""
    initrdPaths = try options.initrd.map(Self.initrds) ?? []

    var configuration = MachineConfiguration()
    if let text = options.memory { configuration.memorySize = try MemorySizeOption.parse(text) }
    configuration.commandLine = options.append ?? ""
    configuration.kernelName = options.kernel
    configuration.processor = try options.processor.flatMap { try ProcessorOption.parse($0) }
    if let smp = options.smp { try Self.checkProcessors(smp) }
    let icount = try options.icount.map { try IcountOption($0) }
    if let shift = icount?.shift { configuration.timeShift = shift }
    pacesIdleTime = icount?.sleep
    try MachineTypeOption.check(accelerators: options.accelerators)
    let machineType = try MachineTypeOption(options.machineType ?? "pc")
    configuration.hasHPET = !options.noHPET && machineType.hasHPET
    configuration.fastBoot = machineType.fastBoot ?? true
    configuration.chaos = options.chaos
    let fixedSeed = seed ?? options.seed
    configuration.seed = fixedSeed ?? UInt64.random(in: 0...UInt64(UInt32.max))
    configuration.startTime = try ClockOption.startTime(options.rtc, isSeeded: fixedSeed != nil)

    driveFiles = try DriveFiles(options.drives)
    var devices = try DeviceOptions(drives: driveFiles, globals: options.globals)
    for device in options.devices { try devices.add(device) }
    if let console = options.debugcon { try devices.addDebugConsole(port: 0xE9, backend: console) }
    try options.firmware.apply(to: &configuration, &devices)
    firmwareFiles = FirmwareFiles(options.firmware, vgaROM: devices.vgaROM, hasVGA: devices.hasVGA)
    devices.apply(to: &configuration)
    if !driveFiles.isEmpty { configuration.drives = driveFiles.options }
    debugConsoles = devices.debugConsoles.map(\.backend) + devices.consoles
    networks = try NetworkOptions.links(options.firmware.netdevs, cards: devices.networks)
    extraSerials = devices.serials

    setup = RunSetup(configuration: configuration)
    setup.panicRules = machineType.panicRules
    for text in options.actions { try ActionOption.apply(text, to: &setup.actions) }
    if let text = options.watchdogAction { try ActionOption.apply(watchdog: text, to: &setup.actions) }
    if options.noReboot { setup.actions.reboot = .shutdown }
    if options.noShutdown { setup.actions.shutdown = .pause }
    setup.startPaused = options.startPaused
    if let name = options.name { setup.name = try Self.name(name) }
    if let text = options.uuid {
      guard let uuid = UUID(uuidString: text) else {
        throw CommandFailure.usage(
          "-uuid \(text): not a UUID, which looks like \(RunSetup(configuration: .init()).uuid)")
      }
      setup.uuid = uuid.uuidString.lowercased()
    }
  }

  /// Reads the files.
  func images() throws -> MachineImages {
    var images = MachineImages()
    if !kernelPath.isEmpty { images.kernel = try InputFile.read(kernelPath, for: "kernel") }
    try firmwareFiles.read(into: &images)
    // A multiboot module's name is its command line: what follows the first blank is for the guest.
    images.initrds = try initrdPaths.map { text in
      let path = FileManager.default.fileExists(atPath: text) ? text : String(text.prefix { $0 != " " })
      return (name: text, bytes: try InputFile.read(path, for: "initrd"))
    }
    return images
  }

  private static func initrds(_ text: String) throws -> [String] {
    let paths = OptionText.split(text)
    if paths.contains("") { throw CommandFailure.usage("-initrd \(text): a file name is empty") }
    return paths
  }

  private static func name(_ text: String) throws -> String {
    let options = try OptionText(text)
    try options.allow(["guest", "process", "debug-threads"])
    guard let name = options["guest"] ?? options.head, !name.isEmpty else {
      throw CommandFailure.usage("-name \(text): the guest's name is missing")
    }
    return name
  }

  private static func checkProcessors(_ text: String) throws {
    let options = try OptionText(text)
    try options.allow(["cpus", "maxcpus", "sockets", "cores", "threads", "dies", "clusters"])
    var counts = options.entries.map(\.value)
    if let head = options.head { counts.append(head) }
    for count in counts {
      guard let number = OptionText.number(count), number > 0 else {
        throw CommandFailure.usage("-smp \(text): '\(count)' is not a number of processors")
      }
      if number > 1 {
        throw CommandFailure.usage(
          "-smp \(text): one processor for now, more cannot be recorded yet; leave -smp out or say -smp 1")
      }
    }
  }
}
