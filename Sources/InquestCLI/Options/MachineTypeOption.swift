import Monitor
import Session

/// `-machine`: QEMU's two kinds of PC stand for the one board that there is, and properties that change nothing of it are
/// accepted.
struct MachineTypeOption {
  /// Whether the host unpacks Linux kernels; nil for the default.
  var fastBoot: Bool?
  /// `panic-policy=`; nil for today's rules.
  var panicRules: PanicRules?
  /// `hpet=off`.
  var hasHPET = true
  /// Accelerators in the order of preference; empty without a word about it.
  var accelerators: [String] = []

  /// What `-machine help` says.
  static let help = """
    pc     440FX board (default; also pc-i440fx-VERSION, and q35 or pc-q35-VERSION for scripts that name it)

    properties: fast-boot=on|off               the host unpacks a Linux kernel (default: on)
                panic-policy=qemu-1.6          a panicked guest can only be reset, as in QEMU 1.6.0
                hpet=on|off, accel=tcg
    """

  /// Properties that change nothing here, with the values for which that is true; nil for all.
  private static let harmless: [String: [String]?] = [
    "usb": ["off"], "vmport": nil, "graphics": nil, "smm": nil, "kernel-irqchip": nil, "kernel_irqchip": nil,
    "dump-guest-core": nil, "mem-merge": nil, "nvdimm": ["off"], "hmat": ["off"], "acpi": ["on", "auto"],
    "suppress-vmdesc": nil, "sata": nil, "smbus": nil, "pit": ["on"], "pic": ["on", "auto"], "i8042": ["on"],
    "firmware": nil, "confidential-guest-support": [], "default-bus-bypass-iommu": nil, "aux-ram-share": nil,
    "x-south-bridge": nil, "fd-bootchk": nil, "rtc": ["on"], "igd-passthru": ["off"], "kvm-shadow-mem": nil,
  ]

  init(_ text: String) throws {
    let options = try OptionText(text)
    func refuse(_ reason: String) -> CommandFailure { .usage("-machine \(text): \(reason)") }
    if let type = options.head ?? options["type"], !Self.isPC(type) {
      throw refuse("the machine is 'pc', a 440FX board; leave it out, or say -machine pc")
    }
    for (name, value) in options.entries {
      switch name {
      case "type": continue
      case "accel":
        accelerators = value.split(separator: ":").map(String.init)
        if !accelerators.contains("tcg") { throw refuse(Self.noAccelerator) }
      case "fast-boot": fastBoot = try Self.flag(options, name, text)
      case "hpet": hasHPET = try Self.flag(options, name, text)
      case "panic-policy":
        guard let rules = PanicRules(rawValue: value) else {
          throw refuse("panic-policy is one of \(PanicRules.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        panicRules = rules == .reversible ? nil : rules
      default:
        guard let accepted = Self.harmless[name] else { throw refuse("there is no property '\(name)'") }
        if let accepted, !accepted.contains(value) {
          throw refuse("'\(name)=\(value)' is not supported; leave it out")
        }
      }
    }
  }

  private static func flag(_ options: OptionText, _ name: String, _ text: String) throws -> Bool {
    do { return try options.flag(name, default: true) } catch {
      throw CommandFailure.usage("-machine \(text): \(name) is on or off")
    }
  }

  static let noAccelerator =
    "every instruction must be counted, which the host's virtualisation cannot do; leave it out, or say tcg"

  private static func isPC(_ type: String) -> Bool {
    ["pc", "q35"].contains(type) || type.hasPrefix("pc-i440fx-") || type.hasPrefix("pc-q35-")
  }

  /// `-accel`, which may be given several times: one of them must be what there is.
  static func check(accelerators texts: [String]) throws {
    guard let first = texts.first else { return }
    var names: [String] = []
    for text in texts {
      var list = text.split(separator: ",").first ?? ""
      if list.hasPrefix("accel=") { list = list.dropFirst(6) }
      names += list.split(separator: ":").map(String.init)
    }
    if !names.contains("tcg") { throw CommandFailure.usage("-accel \(first): \(noAccelerator)") }
  }
}
