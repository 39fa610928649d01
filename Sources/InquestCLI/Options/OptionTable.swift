/// Every option of every command, and what becomes of QEMU's.
///
/// A name takes a value in all commands or in none, so that a command line can be read before it is known which command
/// it is for.
package enum OptionTable {
  package enum Treatment {
    case flag
    case value
    /// QEMU's, means nothing here, and is left out.
    case ignoredFlag
    case ignoredValue
    /// QEMU's, means nothing here as long as `accepts` is content with the value; else the advice is given.
    case checked(accepts: @Sendable (String) -> Bool, advice: String)
    /// QEMU's, refused with an advice.
    case refusedFlag(String)
    case refusedValue(String)
  }

  package static func treatment(of name: String) -> Treatment? {
    if BoardOptionNames.qemuValues.contains(name) || BoardOptionNames.values.contains(name) { return .value }
    if qemuValues.contains(name) || values.contains(name) { return .value }
    if qemuFlags.contains(name) || flags.contains(name) { return .flag }
    return foreign[name]
  }

  /// Whether help shows the option with one dash.
  static func hasOneDash(_ name: String) -> Bool {
    name.count == 1 || BoardOptionNames.qemuValues.contains(name) || qemuValues.contains(name)
      || qemuFlags.contains(name)
  }

  private static let qemuValues: Set<String> = [
    "kernel", "initrd", "append", "m", "smp", "cpu", "device", "serial", "qmp", "monitor", "chardev", "mon", "name",
    "rtc", "gdb",
    "icount", "action", "debugcon", "uuid", "machine", "M", "accel",
    "watchdog-action", "global", "pidfile",
  ]
  private static let qemuFlags: Set<String> = [
    "nographic", "no-reboot", "no-shutdown", "S", "s", "no-hpet", "nodefaults",
  ]
  private static let values: Set<String> = [
    "o", "output", "at", "until", "from", "to", "kind", "limit", "seed", "first-seed", "on-panic", "n",
    "runs", "j",
    "jobs", "match", "level", "image", "dump-dir", "dump-format", "exec", "pid", "format", "pages", "journal", "wait",
    "from-qemu",
    "symbols", "address", "length", "port",
    "count", "last", "next", "context", "checkpoint-memory", "every", "checkpoint",
  ]
  private static let flags: Set<String> = [
    "json", "no-embed", "chaos", "paging", "events-only", "x", "decode", "h", "help", "help-hidden", "version",
    "stay", "set-pause", "start-gdb", "all", "physical", "raw",
    "reads", "att", "instructions", "panics", "remove",
  ]
  /// For the search of near misses.
  static var known: [String] {
    [qemuValues, qemuFlags, values, flags].joined().filter { $0.count > 2 }.sorted()
  }

  /// Whether a name of QEMU's or Inquest's is followed by a value; nil for an unknown one.
  static func takesValue(_ name: String) -> Bool? {
    switch treatment(of: name) {
    case .flag, .ignoredFlag, .refusedFlag: return false
    case .value, .ignoredValue, .checked, .refusedValue: return true
    case nil: return nil
    }
  }

  private static let noDisks = "disks are IDE or virtio; say -drive, -hda or -cdrom"
  private static let noNetwork = "say -netdev socket or dgram with -device virtio-net-pci, or -nic none"
  private static let noDisplay = "there is no display; use the serial console (-serial stdio, -nographic)"
  private static let noLog = "use 'inquest events' on the recorded trace"
  private static let noUSB = "there is no USB; leave it out"
  private static let noSound = "there is no sound; leave it out"
  private static let noFirmware = "firmware is one flat ROM; say -bios"
  private static let noWindow = "there is no window; leave it out"
  private static let noConfinement = "inquest does not confine itself; use your shell or service manager"
  private static let otherMachines = "it is for machines that are no PC; leave it out"
  private static let tracing =
    "recording and replay have commands of their own: inquest record, inquest replay"

  @Sendable private static func none(_ value: String) -> Bool { value == "none" }
  @Sendable private static func noDriver(_ value: String) -> Bool { value == "none" || value.hasPrefix("none,") }

  private static let foreign: [String: Treatment] = [
    // What changes nothing here.
    "no-user-config": .ignoredFlag, "nodefconfig": .ignoredFlag, "no-fd-bootchk": .ignoredFlag,
    "no-kvm": .ignoredFlag, "snapshot": .ignoredFlag, "only-migratable": .ignoredFlag, "mem-prealloc": .ignoredFlag,
    "singlestep": .ignoredFlag, "perfmap": .ignoredFlag, "jitdump": .ignoredFlag,
    "vga": .ignoredValue, "boot": .ignoredValue, "overcommit": .ignoredValue,
    "msg": .ignoredValue, "tb-size": .ignoredValue, "L": .ignoredValue, "k": .ignoredValue,
    "mem-path": .ignoredValue, "g": .ignoredValue,
    "display": .checked(accepts: none, advice: noDisplay),
    "vnc": .checked(accepts: none, advice: noDisplay),
    "net": .checked(accepts: none, advice: noNetwork),
    "nic": .checked(accepts: none, advice: noNetwork),
    "parallel": .checked(accepts: none, advice: "there is no parallel port; leave it out"),
    "audio": .checked(accepts: noDriver, advice: noSound),
    "audiodev": .checked(accepts: noDriver, advice: noSound),
    "sandbox": .checked(accepts: { $0 == "off" }, advice: noConfinement),

    // What is not there.
    "enable-kvm": .refusedFlag(MachineTypeOption.noAccelerator),
    "fda": .refusedValue(noDisks), "fdb": .refusedValue(noDisks), "blockdev": .refusedValue(noDisks),
    "sd": .refusedValue(noDisks), "mtdblock": .refusedValue(noDisks), "pflash": .refusedValue(noFirmware),
    "virtfs": .refusedValue(noDisks), "fsdev": .refusedValue(noDisks), "iscsi": .refusedValue(noDisks),
    "option-rom": .refusedValue(noFirmware), "shim": .refusedValue(noFirmware),
    "dtb": .refusedValue("a PC has no device tree; leave it out"),
    "fw_cfg": .refusedValue("the guest's files come through -kernel, -initrd and -append; leave it out"),
    "curses": .refusedFlag(noDisplay), "sdl": .refusedFlag(noDisplay), "spice": .refusedValue(noDisplay),
    "full-screen": .refusedFlag(noWindow), "rotate": .refusedValue(noWindow), "portrait": .refusedFlag(noWindow),
    "alt-grab": .refusedFlag(noWindow), "ctrl-grab": .refusedFlag(noWindow), "no-frame": .refusedFlag(noWindow),
    "no-quit": .refusedFlag(noWindow),
    "usb": .refusedFlag(noUSB), "usbdevice": .refusedValue(noUSB),
    "soundhw": .refusedValue(noSound),
    "no-acpi": .refusedFlag("the machine has ACPI; give the guest 'acpi=off' with -append"),
    "acpitable": .refusedValue("the ACPI tables are fixed; leave it out"),
    "smbios": .refusedValue("the SMBIOS tables are fixed; leave it out"),
    "set": .refusedValue("give the property to its -device"),
    "object": .refusedValue("there are no backend objects; leave it out"),
    "tpmdev": .refusedValue("there is no TPM; leave it out"),
    "numa": .refusedValue("there is one node; leave it out"),
    "watchdog": .refusedValue("say -device i6300esb"),
    "d": .refusedValue(noLog), "D": .refusedValue(noLog), "trace": .refusedValue(noLog),
    "dfilter": .refusedValue(noLog), "plugin": .refusedValue(noLog),
    "daemonize": .refusedFlag("start it in the background with your shell or service manager"),
    "chroot": .refusedValue(noConfinement), "runas": .refusedValue(noConfinement),
    "run-with": .refusedValue(noConfinement),
    "loadvm": .refusedValue("to go on from an earlier state, branch from a trace: inquest branch"),
    "incoming": .refusedValue("there is no migration; traces can be copied to another machine"),
    "dump-vmstate": .refusedValue("there is no migration; leave it out"),
    "preconfig": .refusedFlag("the machine is set up by its command line; use -S to hold its start"),
    "record": .refusedValue(tracing), "replay": .refusedValue(tracing),
    "readconfig": .refusedValue("give the options on the command line"),
    "writeconfig": .refusedValue("a trace holds the machine's configuration: inquest info --json"),
    "qmp-pretty": .refusedValue("answers come on one line each; use -qmp"),
    "echr": .refusedValue("the escape is Ctrl-a; leave it out"),
    "add-fd": .refusedValue("files are named by their paths; leave it out"),
    "compat": .refusedValue("leave it out"),
    "async-teardown": .ignoredFlag,
    "semihosting": .refusedFlag(otherMachines), "semihosting-config": .refusedValue(otherMachines),
    "prom-env": .refusedValue(otherMachines), "xen-domid": .refusedValue(otherMachines),
    "xen-attach": .refusedFlag(otherMachines), "xen-domid-restrict": .refusedFlag(otherMachines),
  ]
}
