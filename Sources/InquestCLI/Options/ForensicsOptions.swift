import ArgumentParser

/// A guest to look into: a trace and an instant of it, or a core.
struct ForensicsArguments: ParsableArguments {
  @Argument(help: ArgumentHelp("The trace, or a plain ELF core.", valueName: "trace"))
  var path: String

  @Option(
    name: .customLong("image"),
    help: ArgumentHelp(
      "A kernel or initramfs of a trace that does not carry it (--no-embed), found by its digest. May be repeated.",
      valueName: "file"))
  var images: [String] = []

  @Option(
    name: .customLong("at"),
    help: ArgumentHelp("Where in the run. (default: panic, or the end where there is none)", valueName: "instant"))
  var at: String?

  @Flag(name: .customLong("json"), help: "As JSON.")
  var json = false
}
