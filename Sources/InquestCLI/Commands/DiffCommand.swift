import ArgumentParser
import Foundation
import Session
import Trace

struct DiffCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "diff",
    abstract: "Where two runs part, and how: events, console, registers, memory.",
    discussion: """
      EXAMPLES:
        inquest diff a.inq b.inq
        inquest diff --json a.inq b.inq | jq .parting
        inquest diff --instructions a.inq b.inq

      EXIT STATUS: 0 the same run; 1 different; see inquest --help.
      """)

  @Argument(help: ArgumentHelp("The first trace.", valueName: "first")) var first: String
  @Argument(help: ArgumentHelp("The second trace.", valueName: "second")) var second: String
  @Option(
    name: .customLong("image"),
    help: ArgumentHelp("A file that a trace does not carry. May be repeated.", valueName: "file"))
  var images: [String] = []
  @Flag(
    name: .customLong("events-only"),
    help: "Do not replay the two to compare registers and memory at their ends.")
  var eventsOnly = false
  @Flag(
    name: .customLong("instructions"),
    help: "Replay both to find the first instruction after which registers or memory differ.")
  var instructions = false
  @Option(
    name: .customLong("context"),
    help: ArgumentHelp("With --instructions: steps to show before and behind it.", valueName: "n"))
  var context = 8
  @Flag(name: .customLong("json"), help: "As JSON.") var json = false

  func run() throws {
    if instructions { return try compareInstructions() }
    let (a, b) = (try TraceReader(path: first), try TraceReader(path: second))
    var diff = try RunDiff(a, b)
    if !diff.isIdentical && !eventsOnly {
      Terminal.progress("replaying both to their ends")
      do { diff.endState = try EndStateDiff(first, second, imagePaths: images) } catch {
        diff.notes.append("the end states were not compared: \(CommandFailure(error).message)")
      }
      Terminal.clearProgress()
    }
    if json { Terminal.print(diff.json) } else { Terminal.write(diff.text, to: STDOUT_FILENO) }
    if !diff.isIdentical { throw ExitRequest(status: ExitStatus.no) }
  }

  private func compareInstructions() throws {
    guard (0...100_000).contains(context) else { throw CommandFailure.usage("--context \(context): 0 to 100000") }
    Terminal.progress("replaying both side by side")
    let diff = try InstructionDiff(first, second, imagePaths: images, context: context) {
      Terminal.progress("comparing at \(Figures.grouped($0.instructionCount)) instructions")
    }
    Terminal.clearProgress()
    let printer = StepPrinter(names: nil)
    let report = InstructionDiffReport(diff, printer)
    if json {
      Terminal.print(JSONOutput.text(report))
    } else {
      for line in report.lines(printer) { Terminal.print(line) }
    }
    if !report.identical { throw ExitRequest(status: ExitStatus.no) }
  }
}
