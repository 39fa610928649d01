import ArgumentParser

/// Where gdb finds a machine, in QEMU's words.
struct DebugOptions: ParsableArguments {
  @Option(
    name: .customLong("gdb", withSingleDash: true),
    help: ArgumentHelp(
      "Wait for gdb there: tcp::1234, unix:PATH,server=on,wait=off, stdio. The machine runs until gdb comes; with -S it "
        + "waits for gdb's 'continue'.", valueName: "dev"))
  var gdb: String?

  @Flag(name: .customShort("s"), help: "As -gdb tcp::1234.")
  var isDefaultPort = false

  /// What `-gdb` was given or `-s` stands for; nil without either.
  /// - Throws: `CommandFailure` where both were given.
  func device() throws -> String? {
    if gdb != nil && isDefaultPort { throw CommandFailure.usage("-s means -gdb tcp::1234; leave one of them out") }
    let device = gdb ?? (isDefaultPort ? "tcp::1234" : nil)
    return device == "none" ? nil : device
  }
}
