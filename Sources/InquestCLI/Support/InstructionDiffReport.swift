import Foundation
import Session
import Trace

/// What `diff --instructions` says, for programs and people.
struct InstructionDiffReport: Encodable {
  struct Register: Encodable {
    var name: String
    var first: String
    var second: String
  }
  struct Memory: Encodable {
    var physical: String
    var first: String
    var second: String
  }
  struct Side: Encodable {
    var step: StepPrinter.Report?
    var ending: String?
    var after: [StepPrinter.Report]
  }
  struct Event: Encodable {
    var instant: String
    var first: String?
    var second: String?
  }
  struct Cause: Encodable {
    /// start, input, consequence or other.
    var kind: String
    var details: [String]
  }
  struct Parting: Encodable {
    var lastCommon: String
    var before: [StepPrinter.Report]
    var first: Side
    var second: Side
    var registers: [Register]
    var memory: [Memory]
  }
  var identical: Bool
  var comparedTo: String
  var headers: [String]
  var startRegisters: [Register]
  var startMemory: [Memory]
  var input: Event?
  var parting: Parting?
  var cause: Cause?

  init(_ diff: InstructionDiff, _ printer: StepPrinter) {
    let hex = Figures.hexadecimal
    func bytes(_ bytes: [UInt8]) -> String {
      bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
    }
    func registers(_ changes: [TracedStep.RegisterChange]) -> [Register] {
      changes.map { Register(name: $0.name, first: hex($0.old), second: hex($0.new)) }
    }
    func memory(_ stretches: [InstructionDiff.MemoryDifference]) -> [Memory] {
      stretches.map { Memory(physical: hex($0.address), first: bytes($0.first), second: bytes($0.second)) }
    }
    func event(_ input: InstructionDiff.InputDifference) -> Event {
      Event(
        instant: input.instant.description, first: input.first.map { "\($0.body)" },
        second: input.second.map { "\($0.body)" })
    }
    func side(_ side: InstructionDiff.Side) -> Side {
      Side(step: side.step.map(printer.report), ending: side.ending, after: side.after.map(printer.report))
    }
    comparedTo = diff.comparedTo.description
    headers = diff.headers.map { "\($0.what): \($0.first) / \($0.second)" }
    startRegisters = registers(diff.startRegisters)
    startMemory = memory(diff.startMemory)
    input = diff.input.map(event)
    parting = diff.parting.map {
      Parting(
        lastCommon: $0.lastCommon.description, before: $0.before.map(printer.report), first: side($0.first),
        second: side($0.second), registers: registers($0.registers), memory: memory($0.memory))
    }
    identical = diff.parting == nil && diff.cause == nil && startMemory.isEmpty
    switch diff.cause {
    case nil: cause = nil
    case .start(let details)?: cause = Cause(kind: "start", details: details)
    case .input(let input)?: cause = Cause(kind: "input", details: Self.text(event(input)))
    case .consequence(let input)?: cause = Cause(kind: "consequence", details: Self.text(event(input)))
    case .other(let text)?: cause = Cause(kind: "other", details: [text])
    }
  }

  private static func text(_ event: Event) -> [String] {
    ["at \(event.instant)", "first:  \(event.first ?? "nothing")", "second: \(event.second ?? "nothing")"]
  }

  func lines(_ printer: StepPrinter) -> [String] {
    if identical { return ["The same instructions, registers and memory up to \(comparedTo)."] }
    var lines: [String] = []
    if !startRegisters.isEmpty { lines.append("The machines start with different registers.") }
    if !startMemory.isEmpty {
      lines.append(
        "Before the first instruction memory differs in \(Figures.count(UInt64(startMemory.count), "place"))"
          + (startMemory.count >= InstructionDiff.maximumStretches ? " or more" : "")
          + ": \(startMemory.prefix(4).map(\.physical).joined(separator: ", "))\(startMemory.count > 4 ? ", …" : "")")
    }
    if let parting {
      lines.append("The last place that both have in common: \(parting.lastCommon)")
      if !parting.before.isEmpty {
        lines.append("before it, in both:")
        lines += parting.before.flatMap { printer.text($0) }.map { "    " + $0 }
      }
      for (name, sign, side) in [("first", "-", parting.first), ("second", "+", parting.second)] {
        lines.append("the \(name):")
        if let step = side.step { lines += printer.text(step).map { "  \(sign) " + $0 } }
        if let ending = side.ending { lines.append("  \(sign) the run is over: \(ending)") }
        lines += side.after.flatMap { printer.text($0) }.map { "    " + $0 }
      }
      if !parting.registers.isEmpty {
        lines.append("registers behind it, first / second:")
        lines += parting.registers.map { "    \($0.name.padded(14)) \($0.first.padded(18)) / \($0.second)" }
      }
      if !parting.memory.isEmpty {
        lines.append("memory behind it, first / second:")
        lines += parting.memory.prefix(16).map { "    \($0.physical.padded(14)) \($0.first) / \($0.second)" }
        if parting.memory.count > 16 { lines.append("    …") }
      }
    } else {
      lines.append("No instruction up to \(comparedTo) makes another difference.")
    }
    if let cause {
      let title: String
      switch cause.kind {
      case "start": title = "The cause: they were switched on with different things"
      case "input": title = "The cause: an input, right there"
      case "consequence": title = "A consequence of an earlier input"
      default: title = "The cause is not in the traces"
      }
      lines.append(title + (cause.details.isEmpty ? "" : ":"))
      lines += cause.details.map { "    " + $0 }
    }
    return lines
  }
}
