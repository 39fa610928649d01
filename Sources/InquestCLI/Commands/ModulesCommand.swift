import ArgumentParser
import Forensics

struct ModulesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "modules",
    abstract: "The kernel modules that are loaded at an instant, with their build ids.",
    discussion: """
      Needs a kernel that describes its types (BTF), as Debian's do.

      EXAMPLES:
        inquest modules crash.inq --at panic
        inquest modules crash.inq --json | jq -r '.modules[] | .name + " " + .buildID'
      """)

  @OptionGroup var guest: ForensicsArguments

  func run() throws {
    let paused = try PausedGuest.open(guest)
    let kernel = try paused.kernel()
    let modules = kernel.modules
    if modules.all.isEmpty, let problem = modules.problem {
      throw CommandFailure.badData("\(paused.place): \(problem)")
    }
    let report = ModulesReport(kernel)
    if guest.json {
      Terminal.print(JSONOutput.text(report))
      return
    }
    var output = LineOutput()
    output.print(
      "kernel".padded(24) + (report.base ?? "-").padded(20) + "\(kernel.release ?? "-")".padded(24)
        + (kernel.vmcoreinfo?.buildID ?? ""))
    for module in modules.all {
      output.print(
        module.name.padded(24) + Figures.hexadecimal(module.base).padded(20)
          + "\(module.size)".leftPadded(9) + " \(module.state)".padded(15) + (module.buildID ?? "-"))
    }
    output.flush()
    if let problem = modules.problem { Terminal.note("note: \(problem)") }
  }
}

struct ModulesReport: Encodable {
  struct Module: Encodable {
    var name: String
    /// Hexadecimal.
    var base: String
    var size: UInt64
    var state: String
    var buildID: String?
    var symbols: Int
  }
  var release: String?
  /// The kernel's.
  var buildID: String?
  /// Of the kernel's text, hexadecimal.
  var base: String?
  /// How far KASLR moved it, hexadecimal.
  var kernelOffset: String?
  var physicalBase: Int64?
  var modules: [Module]
  var problem: String?

  init(_ kernel: Kernel) {
    release = kernel.release
    buildID = kernel.vmcoreinfo?.buildID
    base = kernel.address(of: "_stext").map(Figures.hexadecimal)
    kernelOffset = kernel.vmcoreinfo?.kernelOffset.map(Figures.hexadecimal)
    physicalBase = kernel.vmcoreinfo?.physicalBase
    problem = kernel.modules.problem
    modules = kernel.modules.all.map {
      Module(
        name: $0.name, base: Figures.hexadecimal($0.base), size: $0.size, state: $0.state, buildID: $0.buildID,
        symbols: $0.symbols.count)
    }
  }
}
