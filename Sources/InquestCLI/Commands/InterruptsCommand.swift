import ArgumentParser
import Forensics

struct InterruptsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "interrupts",
    abstract: "The kernel's interrupts at an instant: lines, vectors, counts, handlers.",
    discussion: """
      As /proc/interrupts shows them, with the processor's vector of each line; those that have no handler are left out \
      unless they have come. Needs a kernel that describes its types (BTF), as Debian's do.

      EXAMPLES:
        inquest interrupts crash.inq --at panic
      """)

  @OptionGroup var guest: ForensicsArguments

  func run() throws {
    let paused = try PausedGuest.open(guest)
    let kernel = try paused.kernel()
    let interrupts = KernelInterrupts(kernel)
    if interrupts.all.isEmpty, interrupts.counters.isEmpty, let problem = interrupts.problem {
      throw CommandFailure.badData("\(paused.place): \(problem)")
    }
    let report = InterruptsReport(interrupts)
    if guest.json {
      Terminal.print(JSONOutput.text(report))
      return
    }
    var output = LineOutput()
    output.print(" IRQ VECTOR      COUNT  CHIP            HANDLERS")
    for line in report.interrupts {
      output.print(
        "\(line.number)".leftPadded(4) + (line.vector ?? "-").leftPadded(7)
          + "\(line.counts.reduce(0, &+))".leftPadded(11) + "  " + "\(line.chip) \(line.hardwareNumber)".padded(16)
          + line.actions.joined(separator: ", ").visible)
    }
    for counter in report.counters {
      output.print("".padded(11) + "\(counter.count)".leftPadded(11) + "  " + counter.name)
    }
    output.flush()
    if let problem = interrupts.problem { Terminal.note("note: \(problem)") }
  }
}

struct InterruptsReport: Encodable {
  struct Line: Encodable {
    var number: UInt64
    /// Hexadecimal.
    var vector: String?
    /// Of each processor.
    var counts: [UInt64]
    var chip: String
    var hardwareNumber: UInt64
    var actions: [String]
  }
  struct Counter: Encodable {
    var name: String
    var count: UInt64
  }
  var interrupts: [Line]
  var counters: [Counter]
  var problem: String?

  init(_ found: KernelInterrupts) {
    interrupts = found.all.filter { !$0.actions.isEmpty || $0.counts.contains { $0 > 0 } }.map {
      Line(
        number: $0.number, vector: $0.vector.map { Figures.hexadecimal(UInt64($0)) }, counts: $0.counts, chip: $0.chip,
        hardwareNumber: $0.hardwareNumber, actions: $0.actions)
    }
    counters = found.counters.map { Counter(name: $0.name, count: $0.count) }
    problem = found.problem
  }
}
