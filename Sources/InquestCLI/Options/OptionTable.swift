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
    name.count == 1 || BoardOptionNames.qemuValues.contains(name) || qemuValues.contains(name) || qemuFlags.contains(name)
  }

  private static let qemuValues: Set<String> = [
    "kernel", "initrd", "append", "m", "smp", "device", "serial", "qmp", "monitor", "chardev", "mon", "name",
    "rtc", "gdb",
    "icount", "action", "debugcon", "uuid", "machine", "M",
  ]
  private static let qemuFlags: Set<String> = [
    "nographic", "no-reboot", "no-shutdown", "S", "s", "no-hpet", "nodefaults",
  ]
  private static let values: Set<String> = [
    "o", "output", "at", "until", "from", "to", "kind", "limit", "seed", "first-seed", "on-panic", "n",
    "runs", "j",
    "jobs", "match", "level", "image", "dump-dir", "dump-format", "exec", "pid", "format", "pages", "journal", "wait",
    "symbols", "address", "length", "port",
  ]
  private static let flags: Set<String> = [
    "json", "no-embed", "chaos", "paging", "events-only", "x", "decode", "h", "help", "help-hidden", "version",
    "stay", "set-pause", "start-gdb", "all", "physical", "raw",
  ]
  /// For the search of near misses.
  static var known: [String] {
    [qemuValues, qemuFlags, values, flags].joined().filter { $0.count > 2 }.sorted()
  }

  private static let noDisks = "there are no disks; put the guest's files into the initramfs (-initrd)"
  private static let noNetwork = "there is no network; leave it out, or say -nic none"
  private static let noDisplay = "there is no display; use the serial console (-serial stdio, -nographic)"
  private static let noLog = "use 'inquest events' on the recorded trace"
  private static let tracing =
    "recording and replay have commands of their own: inquest record, inquest replay"
  private static let counting =
    "every instruction must be counted, which the host's virtualisation cannot do; leave it out"

  @Sendable private static func none(_ value: String) -> Bool { value == "none" }

  private static let foreign: [String: Treatment] = [
    "no-user-config": .ignoredFlag,
    "no-fd-bootchk": .ignoredFlag,
    "cpu": .checked(
      accepts: { ["max", "Westmere"].contains($0) },
      advice: "there is one processor model, Westmere with RDRAND; leave -cpu out"),
    "accel": .checked(
      accepts: { $0 == "tcg" || $0.hasPrefix("tcg,") }, advice: counting),
    "display": .checked(accepts: none, advice: noDisplay),
    "vga": .checked(accepts: none, advice: noDisplay),
    "net": .checked(accepts: none, advice: noNetwork),
    "nic": .checked(accepts: none, advice: noNetwork),
    "parallel": .checked(accepts: none, advice: "there is no parallel port; leave it out"),
    "netdev": .refusedValue(noNetwork),
    "enable-kvm": .refusedFlag(counting),
    "drive": .refusedValue(noDisks), "hda": .refusedValue(noDisks), "hdb": .refusedValue(noDisks),
    "hdc": .refusedValue(noDisks), "hdd": .refusedValue(noDisks), "cdrom": .refusedValue(noDisks),
    "fda": .refusedValue(noDisks), "fdb": .refusedValue(noDisks), "blockdev": .refusedValue(noDisks),
    "sd": .refusedValue(noDisks), "virtfs": .refusedValue(noDisks), "snapshot": .refusedFlag(noDisks),
    "boot": .refusedValue("the machine boots what -kernel names; leave it out"),
    "bios": .refusedValue("the machine has no firmware of its own; start a kernel with -kernel"),
    "dtb": .refusedValue("a PC has no device tree; leave it out"),
    "fw_cfg": .refusedValue("the guest's files come through -kernel, -initrd and -append; leave it out"),
    "curses": .refusedFlag(noDisplay), "sdl": .refusedFlag(noDisplay), "vnc": .refusedValue(noDisplay),
    "spice": .refusedValue(noDisplay), "full-screen": .refusedFlag(noDisplay), "k": .refusedValue(noDisplay),
    "usb": .refusedFlag("there is no USB; leave it out"),
    "usbdevice": .refusedValue("there is no USB; leave it out"),
    "audio": .refusedValue("there is no sound; leave it out"),
    "audiodev": .refusedValue("there is no sound; leave it out"),
    "no-acpi": .refusedFlag("the machine has ACPI; give the guest 'acpi=off' with -append"),
    "acpitable": .refusedValue("the ACPI tables are fixed; leave it out"),
    "smbios": .refusedValue("the SMBIOS tables are fixed; leave it out"),
    "global": .refusedValue("give the property to its -device"),
    "set": .refusedValue("give the property to its -device"),
    "object": .refusedValue("there are no backend objects; leave it out"),
    "numa": .refusedValue("there is one node; leave it out"),
    "watchdog": .refusedValue("there is no watchdog; leave it out"),
    "d": .refusedValue(noLog), "D": .refusedValue(noLog), "trace": .refusedValue(noLog),
    "daemonize": .refusedFlag("start it in the background with your shell or service manager"),
    "pidfile": .refusedValue("your shell or service manager knows the process; leave it out"),
    "loadvm": .refusedValue("to go on from an earlier state, branch from a trace: inquest branch"),
    "incoming": .refusedValue("there is no migration; traces can be copied to another machine"),
    "record": .refusedValue(tracing), "replay": .refusedValue(tracing),
    "bootindex": .refusedValue("the machine boots what -kernel names; leave it out"),
    "L": .refusedValue("the machine needs no firmware files; leave it out"),
    "readconfig": .refusedValue("give the options on the command line"),
    "singlestep": .refusedFlag("leave it out: every instruction is counted anyway"),
    "no-kvm": .ignoredFlag,
  ]
}
