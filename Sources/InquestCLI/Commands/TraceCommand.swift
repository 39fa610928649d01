import ArgumentParser
import Disassembly
import Foundation
import Session
import Trace

struct TraceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "trace",
    abstract:
      "The last instructions before an instant: address, bytes, disassembly, registers and memory they changed.",
    discussion: """
      Each line is one step: an instruction, an iteration of a repeated one, or the delivery of an interrupt or exception.

      EXAMPLES:
        inquest trace crash.inq --last 200 --at panic
        inquest trace crash.inq --last 20 --next 20 --at 812.3M
        inquest trace crash.inq --last 1000 --at panic --json | jq -c 'select(.writes != [])'

      With --json one object a line. For instants see inquest help replay.
      """)

  @OptionGroup var timeline: TimelineArguments
  @Option(name: .customLong("last"), help: ArgumentHelp("Steps before the instant.", valueName: "n"))
  var last: Int?
  @Option(name: .customLong("next"), help: ArgumentHelp("Steps behind it.", valueName: "n"))
  var next: Int = 0
  @Flag(name: .customLong("reads"), help: "Show what is read from memory, too.") var showsReads = false
  @Flag(name: .customLong("att"), help: "Disassemble in AT&T's syntax.") var isATT = false

  func run() throws {
    let before = last ?? (next > 0 ? 0 : 100)
    guard before >= 0, next >= 0, before <= 10_000_000, next <= 10_000_000 else {
      throw CommandFailure.usage("--last and --next: 0 to 10000000")
    }
    let timeline = try self.timeline.open()
    let printer = StepPrinter(
      names: CodeNames(timeline), isATT: isATT, showsReads: showsReads, json: self.timeline.json)
    try timeline.traceLast(before) { printer.print($0) }
    try timeline.trace(next) { printer.print($0) }
    printer.flush()
  }
}

/// Writes steps as text or JSON.
final class StepPrinter {
  private let names: CodeNames?
  private let isATT: Bool
  private let showsReads: Bool
  private let json: Bool
  private var disassemblers: [Int: Disassembler] = [:]
  private var output = LineOutput()
  private var lastSymbol: String?

  /// - Parameter names: nil where addresses have no names.
  init(names: CodeNames?, isATT: Bool = false, showsReads: Bool = false, json: Bool = false) {
    self.names = names
    self.isATT = isATT
    self.showsReads = showsReads
    self.json = json
  }

  func flush() { output.flush() }

  func print(_ step: TracedStep) {
    let report = report(step)
    if json { return output.print(JSONOutput.text(report, onOneLine: true)) }
    for line in text(report) { output.print(line) }
  }

  private func disassemble(_ step: TracedStep) -> Disassembler.Line? {
    guard step.kind == .instruction else { return nil }
    if disassemblers[step.codeWidth] == nil {
      disassemblers[step.codeWidth] = Disassembler(width: step.codeWidth, syntax: isATT ? .att : .intel)
    }
    return disassemblers[step.codeWidth]?.line(step.code, at: step.rip)
  }

  /// A step, for programs.
  struct Report: Encodable {
    struct Register: Encodable {
      var name: String
      var old: String
      var new: String
    }
    struct Memory: Encodable {
      var agent: String
      var linear: String?
      var physical: String
      var size: Int
      var old: String?
      var new: String?
    }
    var instant: String
    var kind: String
    var vector: UInt8?
    var errorCode: String?
    var rip: String
    var symbol: String?
    var cpl: UInt8
    var bytes: String
    var text: String?
    var registers: [Register]
    var writes: [Memory]
    var reads: [Memory]?
  }

  func report(_ step: TracedStep) -> Report {
    let line = disassemble(step)
    var report = Report(
      instant: step.before.description, kind: "instruction", rip: Figures.hexadecimal(step.rip),
      symbol: names?.name(of: step.rip), cpl: step.cpl,
      bytes: step.kind == .instruction ? Self.bytes(step.code.prefix(line?.length ?? step.code.count)) : "",
      text: line?.text,
      registers: step.registers.map {
        .init(name: $0.name, old: Figures.hexadecimal($0.old), new: Figures.hexadecimal($0.new))
      },
      writes: step.writes.map {
        Self.memory($0.access, old: Self.value($0.old), new: Self.value($0.new))
      })
    if showsReads { report.reads = step.reads.map { Self.memory($0, old: nil, new: nil) } }
    switch step.kind {
    case .instruction: break
    case .interrupt(let vector):
      report.kind = "interrupt"
      report.vector = vector
    case .exception(let vector, let code):
      report.kind = "exception"
      report.vector = vector
      report.errorCode = Figures.hexadecimal(UInt64(code))
    }
    return report
  }

  private static func memory(_ access: MemoryAccess, old: String?, new: String?) -> Report.Memory {
    .init(
      agent: access.agent.rawValue, linear: access.linear.map(Figures.hexadecimal),
      physical: Figures.hexadecimal(access.physical), size: access.count, old: old, new: new)
  }

  /// Little-endian, as a number where it is one of up to 8 bytes.
  private static func value(_ bytes: [UInt8]) -> String? {
    guard !bytes.isEmpty else { return nil }
    guard bytes.count <= 8 else { return Self.bytes(bytes.prefix(64)) }
    return Figures.hexadecimal(bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) })
  }

  private static func bytes(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
  }

  func text(_ step: Report) -> [String] {
    var lines: [String] = []
    if let symbol = step.symbol {
      let function = symbol.prefix { $0 != "+" } + (symbol.contains("[") ? symbol.drop { $0 != "[" } : "")
      if String(function) != lastSymbol { lines.append("\(function):") }
      lastSymbol = String(function)
    }
    var line = "\(step.instant.padded(18)) \(step.rip.padded(18)) "
    switch step.kind {
    case "instruction": line += "\(step.bytes.padded(30)) \(step.text ?? "(no instruction)")"
    case "interrupt": line += "interrupt \(step.vector ?? 0) is delivered"
    default: line += "exception \(step.vector ?? 0), error code \(step.errorCode ?? "0x0"), is delivered"
    }
    lines.append(line)
    let indent = String(repeating: " ", count: 38)
    var changes = step.registers.map { "\($0.name) \($0.old) → \($0.new)" }
    // An instruction writes a few places; one that resets the machine lets the loader write thousands.
    changes += step.writes.prefix(8).map {
      "[\($0.linear ?? "physical " + $0.physical)] \($0.old ?? "?") → \($0.new ?? "?")"
        + ($0.agent == "processor" ? "" : " (\($0.agent))")
    }
    if step.writes.count > 8 {
      changes.append("and \(Figures.count(UInt64(step.writes.count - 8), "write")) more (--json has them)")
    }
    changes += (step.reads ?? []).map { "read [\($0.linear ?? "physical " + $0.physical)], \($0.size)" }
    if !changes.isEmpty { lines.append(indent + changes.joined(separator: "; ")) }
    return lines
  }
}
