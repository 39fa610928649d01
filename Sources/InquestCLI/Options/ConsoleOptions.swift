import ArgumentParser

/// Consoles and monitors, in QEMU's words.
struct ConsoleOptions: ParsableArguments {
  @Option(
    name: .customLong("serial", withSingleDash: true),
    help: ArgumentHelp(
      "A serial port: stdio, null, none, pty, file:PATH, pipe:PATH, unix:PATH,server=on,wait=off, "
        + "tcp:HOST:PORT,server=on,wait=off, chardev:ID, mon:stdio. May be repeated. (default: output to stdout)",
      valueName: "dev"))
  var serial: [String] = []

  @Option(
    name: .customLong("qmp", withSingleDash: true),
    help: ArgumentHelp("A QMP monitor, for instance unix:qmp.sock,server=on,wait=off.", valueName: "dev"))
  var qmp: [String] = []

  @Option(
    name: .customLong("monitor", withSingleDash: true),
    help: ArgumentHelp("A monitor for people.", valueName: "dev"))
  var monitor: [String] = []

  @Option(
    name: .customLong("chardev", withSingleDash: true),
    help: ArgumentHelp("A character device for others to use.", valueName: "backend,id=ID[,…]"))
  var chardev: [String] = []

  @Option(
    name: .customLong("mon", withSingleDash: true),
    help: ArgumentHelp("A monitor on a -chardev.", valueName: "ID,mode=control|readline"))
  var mon: [String] = []

  @Flag(
    name: .customLong("nographic", withSingleDash: true),
    help: "Console and monitor share the terminal: -serial mon:stdio.")
  var nographic = false

  @Flag(
    name: .customLong("nodefaults", withSingleDash: true), help: "No serial port but those of -serial.")
  var nodefaults = false

  /// Whether something that was asked for reads or writes the terminal.
  var usesStandardStreams: Bool {
    (serial + qmp + monitor + chardev).contains { $0.hasPrefix("stdio") || $0.hasPrefix("mon:stdio") }
  }
}
