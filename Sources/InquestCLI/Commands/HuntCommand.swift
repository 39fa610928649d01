import ArgumentParser
import Foundation
import Session
import Trace

struct HuntCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "hunt",
    abstract: "Record with seed after seed until a flaky crash is caught; keep its traces, drop the others.",
    discussion: """
      EXAMPLES:
        inquest hunt -n 200 -j 2 --chaos -o crashes/ -m 256 -kernel vmlinuz -initrd initrd.img \\
            -append console=ttyS0 -device pvpanic
        inquest hunt -n 50 -o found/ --match 'BUG: soft lockup' -kernel vmlinuz …
        inquest checkpoint boot.inq --at t=5s
        inquest hunt --from boot.inq@t=5s -n 500 -j 2 -o crashes/

      Caught is a run in which the guest panicked, or went on beyond --limit of virtual time; with --match, one whose \
      console matches. The folder keeps the state of the hunt: the same command goes on where it was interrupted, and a \
      larger -n adds runs. Each recording is a process of its own.

      With --from, each run branches off a recorded one with a fresh seed, and its trace stands alone. Where that trace \
      carries a checkpoint (inquest checkpoint), no run has to boot.

      EXIT STATUS: 0 something is caught; 1 nothing; see inquest --help.
      """)

  @Option(
    name: [.customShort("n"), .customLong("runs")], help: ArgumentHelp("How many seeds.", valueName: "n"))
  var runs = 100
  @Option(
    name: [.customShort("j"), .customLong("jobs")], help: ArgumentHelp("How many at a time.", valueName: "n"))
  var jobs = 1
  @Option(
    name: .customLong("from"),
    help: ArgumentHelp("Branch off a recorded run there, instead of starting a machine.", valueName: "trace@instant"))
  var from: String?
  @Option(name: .customLong("first-seed"), help: ArgumentHelp("The first seed.", valueName: "n"))
  var firstSeed: UInt64 = 1
  @Option(
    name: [.customShort("o"), .customLong("output")],
    help: ArgumentHelp("Where the traces go.", valueName: "folder"))
  var output: String
  @Option(
    name: .customLong("match"),
    help: ArgumentHelp(
      "Catch runs in which a line of the console matches, and no others.", valueName: "regex"))
  var match: String?
  @Option(
    name: .customLong("limit"),
    help: ArgumentHelp("Virtual time after which a run counts as a hang.", valueName: "time"))
  var limit = "600s"
  @Flag(name: .customLong("json"), help: "Say the result on stdout as JSON.")
  var json = false
  @Option(
    name: .customLong("serial", withSingleDash: true),
    help: ArgumentHelp("Only null: the consoles are kept for --match and the report.", valueName: "null"))
  var serial: String?
  @Flag(name: .customLong("no-embed"), help: "As of 'record'.") var noEmbed = false
  @OptionGroup(title: "Machine") var machine: MachineOptions

  func run() throws {
    guard runs > 0, runs <= 1_000_000 else { throw CommandFailure.usage("-n \(runs): 1 to 1000000") }
    guard jobs > 0, jobs <= 256 else { throw CommandFailure.usage("-j \(jobs): 1 to 256") }
    guard firstSeed <= UInt64.max - UInt64(runs) else {
      throw CommandFailure.usage("--first-seed \(firstSeed): too large")
    }
    if let serial, !["null", "none"].contains(serial) {
      throw CommandFailure.usage("-serial \(serial): a hunt has no console; leave -serial out")
    }
    if machine.seed != nil {
      throw CommandFailure.usage("--seed: a hunt takes one seed after the other; say --first-seed")
    }
    if machine.startPaused { throw CommandFailure.usage("-S: a hunt has nobody to say 'cont'; leave it out") }
    _ = try InstantSpec.duration(limit, option: "--limit")
    let expression = try match.map { text in
      do { return try NSRegularExpression(pattern: text) } catch {
        throw CommandFailure.usage("--match \(text): not a regular expression")
      }
    }
    let parent = try from.map { try Self.parent($0, machine, noEmbed: noEmbed) }
    if parent == nil {
      // What is wrong with the machine is found here, not in each of the runs.
      let plan = try MachinePlan(machine, seed: firstSeed)
      if !plan.debugConsoles.isEmpty || !plan.extraSerials.isEmpty {
        throw CommandFailure.usage("a hunt has no character devices; leave isa-debugcon and isa-serial out")
      }
      _ = try plan.images()
    }

    let folder = output.count > 1 && output.hasSuffix("/") ? String(output.dropLast()) : output
    do { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) } catch {
      throw CommandFailure(
        status: ExitStatus.cannotCreate,
        message: "\(folder): cannot create the folder: \(error.localizedDescription)")
    }
    var arguments =
      parent == nil ? machine.recordArguments + ["--limit", limit, "--on-panic", "quit"] : ["--limit", limit]
    if noEmbed { arguments.append("--no-embed") }
    let identity = arguments + (match.map { ["--match", $0] } ?? []) + (from.map { ["--from", $0] } ?? [])
    let record = try HuntRecord.read(from: folder) ?? HuntRecord(arguments: identity)
    guard record.arguments == identity else {
      throw CommandFailure.usage("\(folder): holds a hunt with other options; give another folder with -o")
    }
    let seeds = firstSeed...(firstSeed + UInt64(runs) - 1)
    let hunt = Hunt(
      Hunt.Plan(
        folder: folder, seeds: seeds, jobs: jobs, recordArguments: arguments, parent: parent, match: expression),
      record: record)
    if !record.runs.isEmpty { Terminal.note("\(folder): going on after \(record.runs.count) runs") }
    let signals = Signals { _ in hunt.stop() }
    try hunt.run()
    let report = HuntReport(hunt.record)
    if json { Terminal.print(JSONOutput.text(report)) } else { report.lines.forEach(Terminal.print) }
    if signals.received != nil { Terminal.note("interrupted; the same command goes on from here") }
    if report.caught == 0 { throw ExitRequest(status: ExitStatus.no) }
  }
}

extension HuntCommand {
  /// Takes `--from` apart and checks it once for all runs.
  fileprivate static func parent(_ text: String, _ machine: MachineOptions, noEmbed: Bool) throws -> (
    trace: String, instant: String
  ) {
    guard machine.recordArguments.isEmpty, !noEmbed else {
      throw CommandFailure.usage("--from: the machine is the recorded one; leave its options out")
    }
    guard let at = text.lastIndex(of: "@"), at > text.startIndex, text.index(after: at) < text.endIndex else {
      throw CommandFailure.usage("--from \(text): write TRACE@INSTANT, such as boot.inq@t=5s")
    }
    let (path, instant) = (String(text[..<at]), String(text[text.index(after: at)...]))
    let reader = try TraceReader(path: path)
    let target = try InstantSpec(instant).target(in: reader)
    TraceArguments.warn(reader)
    var count: UInt64 = 0
    switch target {
    case .instant(let instant): count = instant.instructionCount
    case .instructionCount(let end): count = end
    case .virtualTime, .end, .beforeEnd: count = reader.summary?.last.instructionCount ?? 0
    }
    if reader.checkpoints.isEmpty, count > 100_000_000 {
      Terminal.note(
        "note: \(path) carries no checkpoint, so each run repeats \(Figures.count(count, "instruction")); "
          + "'inquest checkpoint \(path) --at \(count)' saves that")
    }
    return (path, instant)
  }
}

extension MachineOptions {
  /// The options as `record` takes them, but for the seed.
  var recordArguments: [String] {
    var arguments: [String] = []
    func add(_ name: String, _ value: String?) {
      if let value { arguments += [name, value] }
    }
    add("-kernel", kernel)
    add("-initrd", initrd)
    add("-append", append)
    add("-m", memory)
    add("-cpu", processor)
    add("-machine", machineType)
    add("-watchdog-action", watchdogAction)
    for global in globals { add("-global", global) }
    add("-bios", firmware.bios)
    add("-vga", firmware.vga)
    add("-boot", firmware.boot)
    for folder in firmware.folders { add("-L", folder) }
    for device in devices { add("-device", device) }
    for action in actions { add("-action", action) }
    add("-icount", icount)
    add("-rtc", rtc)
    add("-name", name)
    add("-uuid", uuid)
    if noReboot { arguments.append("-no-reboot") }
    if noShutdown { arguments.append("-no-shutdown") }
    if noHPET { arguments.append("-no-hpet") }
    if chaos { arguments.append("--chaos") }
    return arguments
  }
}

/// What came of a hunt.
struct HuntReport: Codable {
  var runs: Int
  var caught: Int
  var failed: Int
  /// Of the runs that could be made, with a confidence interval of 95 %.
  var rate: Double
  var rateFrom: Double
  var rateTo: Double
  var kept: [HuntRecord.Run]

  init(_ record: HuntRecord) {
    let made = record.runs.filter { $0.outcome != .failed }
    kept = record.runs.filter(\.isCaught).sorted { $0.seed < $1.seed }
    runs = made.count
    caught = kept.count
    failed = record.runs.count - made.count
    rate = made.isEmpty ? 0 : Double(caught) / Double(made.count)
    let interval = Proportion.interval(caught, of: made.count)
    (rateFrom, rateTo) = (interval.lowerBound, interval.upperBound)
  }

  /// For people.
  var lines: [String] {
    func percent(_ value: Double) -> String { Figures.decimal(value * 100, 1) }
    var lines = [
      "caught \(caught) of \(runs) runs: \(percent(rate)) %, with 95 % confidence between \(percent(rateFrom)) and "
        + "\(percent(rateTo)) %"
    ]
    if failed > 0 { lines.append("\(failed) runs failed and are not counted") }
    var groups: [(what: String, runs: [HuntRecord.Run])] = []
    for run in kept {
      let what = run.line ?? run.outcome.rawValue
      if let index = groups.firstIndex(where: { $0.what == what }) {
        groups[index].runs.append(run)
      } else {
        groups.append((what, [run]))
      }
    }
    for group in groups {
      lines.append("\(group.runs.count) × \(group.what)")
      lines += group.runs.prefix(10).map {
        "    \($0.trace ?? ""): \($0.instant), \(Figures.time(nanoseconds: $0.virtualTime)) of virtual time"
      }
      if group.runs.count > 10 { lines.append("    … and \(group.runs.count - 10) more") }
    }
    return lines
  }
}
