import ArgumentParser
import Foundation
import Monitor
import PC

/// Firmware and what it needs, in QEMU's words.
struct FirmwareOptions: ParsableArguments {
  @Option(
    name: .customLong("bios", withSingleDash: true),
    help: ArgumentHelp(
      "Start firmware: a flat ROM that ends at 4 GiB, for instance SeaBIOS's bios-256k.bin. A -kernel is started through "
        + "it then.", valueName: "file"))
  var bios: String?

  @Option(
    name: .customLong("vga", withSingleDash: true),
    help: ArgumentHelp(
      "std: a VGA, whose text 'inquest screen' shows; none. (default: std with -bios, else none)", valueName: "type"))
  var vga: String?

  @Option(
    name: .customLong("boot", withSingleDash: true),
    help: ArgumentHelp(
      "What firmware boots from: c disk, d CD, n network; menu=on asks. (default: order=cd)",
      valueName: "[order=]letters[,menu=on|off][,splash-time=ms]"))
  var boot: String?

  @Option(
    name: .customLong("L", withSingleDash: true),
    help: ArgumentHelp("Look for firmware there, too.", valueName: "folder"))
  var folders: [String] = []

  @Option(
    name: .customLong("netdev", withSingleDash: true),
    help: ArgumentHelp(
      "A network for a card: socket,connect=HOST:PORT, socket,listen=:PORT, dgram,local.type=unix,local.path=,"
        + "remote.type=unix,remote.path=, or dgram with local.host/port and remote.host/port. May be repeated.",
      valueName: "type,id=ID[,…]"))
  var netdevs: [String] = []

  /// - Throws: `CommandFailure` that names option and value.
  func apply(to configuration: inout MachineConfiguration, _ devices: inout DeviceOptions) throws {
    // QEMU's other cards are of no use here; with firmware the standard one stands for them.
    let types = ["std", "none", "cirrus", "qxl", "virtio", "vmware", "xenfb", "tcx", "cg3"]
    if let vga, !types.contains(vga) {
      throw CommandFailure.usage("-vga \(vga): there is a standard VGA (-vga std), or none (-vga none)")
    }
    if vga == "std" {
      try devices.addVGA()
    } else if bios != nil, vga != "none", !devices.hasVGA {
      try devices.addVGA()
    }
    // Only firmware chooses what to boot.
    guard bios != nil else { return }
    var firmware = MachineConfiguration.FirmwareOptions()
    if let boot {
      let options = try OptionText(boot)
      try options.allow(["order", "once", "menu", "splash-time", "reboot-timeout", "strict"])
      if let order = options["once"] ?? options["order"] ?? options.head {
        guard !order.isEmpty, order.allSatisfy({ "abcdnop".contains($0) }) else {
          throw CommandFailure.usage("-boot \(boot): the order is made of c (disk), d (CD), n (network) and a (floppy)")
        }
        firmware.order = order
      }
      firmware.menu = try options.flag("menu", default: false)
      if let time = try options.number("splash-time") { firmware.menuTimeout = Int(clamping: time) }
    }
    configuration.firmware = firmware
  }
}

/// Where firmware's files are.
struct FirmwareFiles {
  private(set) var bios: String?
  private var vgaROM: String?
  private var wantsVGAROM = false
  private var folders: [String] = []

  /// Where Debian's packages put them.
  private static let standardFolders = ["/usr/share/seabios", "/usr/share/qemu", "/usr/share/vgabios"]

  init() {}

  init(_ options: FirmwareOptions, vgaROM: String?, hasVGA: Bool) {
    bios = options.bios
    self.vgaROM = vgaROM
    wantsVGAROM = hasVGA && (options.bios != nil || vgaROM != nil)
    folders = options.folders
  }

  /// A file of this name as it is, in the folders of -L, beside the firmware, or where packages put it.
  private func find(_ name: String) -> String? {
    let beside = bios.flatMap { path in path.lastIndex(of: "/").map { String(path[..<$0]) } }
    let places = [""] + (folders + (beside.map { [$0] } ?? []) + Self.standardFolders).map { $0 + "/" }
    return places.map { $0 + name }.first { FileManager.default.fileExists(atPath: $0) }
  }

  /// - Throws: `CommandFailure` for a file that was asked for and is not there.
  func read(into images: inout MachineImages) throws {
    if wantsVGAROM {
      // A display without BIOS is a display all the same.
      if let path = vgaROM ?? find("vgabios-stdvga.bin") {
        images.vgaROM = try InputFile.read(find(path) ?? path, for: "VGA BIOS")
        images.vgaROMName = path
      }
    }
    guard let bios else { return }
    let path = find(bios) ?? bios
    images.bios = try InputFile.read(path, for: "firmware")
    images.biosName = path
    if images.kernel != nil, let rom = find("linuxboot_dma.bin") {
      images.kernelROM = (name: rom, bytes: try InputFile.read(rom, for: "option ROM"))
    }
  }
}
