import ArgumentParser
import CoreDump
import Foundation
import PC
import Session
import Trace

struct DemoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo",
    abstract: "Show the whole job on a small built-in guest, in seconds.",
    discussion: """
      EXAMPLES:
        inquest demo
        inquest demo -o folder

      Records a guest that panics twice, replays it, dumps its memory, branches at the panic and compares the branches. \
      The files are removed at the end, unless -o names a folder for them.

      EXIT STATUS: 0 every step did what it should; 70 one did not.
      """)

  @Option(
    name: [.customShort("o"), .customLong("output")],
    help: ArgumentHelp("Keep the files there.", valueName: "folder"))
  var output: String?

  func run() throws {
    let folder: String
    if let output {
      folder = output
    } else {
      var template = Array((NSTemporaryDirectory() + "/inquest-demo.XXXXXX").utf8CString)
      guard mkdtemp(&template) != nil else {
        throw CommandFailure.output(NSTemporaryDirectory(), creating: true, code: errno)
      }
      folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
    defer { if output == nil { try? FileManager.default.removeItem(atPath: folder) } }
    do { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) } catch {
      throw CommandFailure(
        status: ExitStatus.cannotCreate,
        message: "\(folder): cannot create the folder: \(error.localizedDescription)")
    }
    var demo = Demo(folder: folder)
    try demo.run()
    if output != nil { Terminal.print("The files are in \(folder).") }
  }
}

/// The main job, step by step, on the built-in guest.
struct Demo {
  let folder: String
  private var step = 0
  private let bold = isatty(STDOUT_FILENO) == 1

  init(folder: String) { self.folder = folder }

  mutating func run() throws {
    let crash = folder + "/crash.inq"
    title("Record: a guest with a bug runs until it panics, is told to go on, reboots, and panics again")
    show("record -m 16 -kernel panic.elf -device pvpanic --on-panic wait -qmp … -o crash.inq")
    let recorded = try record(to: crash)
    Terminal.print(
      "  \(figures(recorded.instant.instructionCount, recorded.virtualTime, recorded.hostTime)); panics at "
        + recorded.panics.map(\.description).joined(separator: " and ") + "; \(size(crash))")

    title("Replay: the same run again, to the instruction, with every event compared")
    show("replay crash.inq")
    let replay = try ReplaySession(path: crash)
    let replayed = replay.run()
    guard case .end = replayed.reason else { throw failure("the replay ended with \(replayed.reason)") }
    Terminal.print(
      "  \(figures(replayed.instructions, replayed.virtualTime, replayed.hostTime)); "
        + "\(Figures.count(replayed.events, "event")), 0 divergences")

    title("Dump: memory and registers at the first panic, for gdb, crash and drgn")
    show("dump crash.inq --at panic -o core.elf.gz")
    let (first, rip) = try dump(crash, to: folder + "/core.elf.gz")
    let (second, _) = try dump(crash, to: folder + "/again.elf.gz")
    guard first == second else { throw failure("two dumps of one instant differ") }
    unlink(folder + "/again.elf.gz")
    Terminal.print(
      "  rip \(Figures.hexadecimal(rip)); \(size(folder + "/core.elf.gz")); a second replay gives the same bytes"
    )

    title("Branch: from the panic on, once with 'cont', once with 'system_reset'")
    show("branch crash.inq --at panic --qmp '{\"execute\":\"cont\"}' --seed 7 -o a.inq")
    try branch(crash, [.cont], to: "a.inq")
    show(
      "branch crash.inq --at panic --qmp '{\"execute\":\"system_reset\"}' --qmp '{\"execute\":\"cont\"}' --seed 7 -o b.inq"
    )
    try branch(crash, [.systemReset, .cont], to: "b.inq")

    title("Diff: where the two part, and how")
    show("diff a.inq b.inq")
    var diff = try RunDiff(TraceReader(path: folder + "/a.inq"), TraceReader(path: folder + "/b.inq"))
    guard !diff.isIdentical else { throw failure("the branches should differ") }
    diff.endState = try EndStateDiff(folder + "/a.inq", folder + "/b.inq")
    if let parting = diff.parting {
      Terminal.print("  \(Figures.grouped(parting.commonEvents)) events in common; then")
      for (name, side) in [("a", parting.first), ("b", parting.second)] {
        Terminal.print("    \(name): \(side.instant ?? "") \(side.event ?? "the end")")
      }
    }
    if let end = diff.endState {
      Terminal.print(
        "  at their ends \(end.registers.count) registers and \(end.differingPages) of \(end.pages) pages differ"
      )
    }

    title("Branch once more with the same command and seed: the same run")
    try branch(crash, [.cont], to: "c.inq")
    let same = try RunDiff(TraceReader(path: folder + "/a.inq"), TraceReader(path: folder + "/c.inq"))
    guard same.isIdentical else {
      throw failure("two branches with one command and seed differ:\n\(same.text)")
    }
    Terminal.print("  identical")
    Terminal.print("\nAll \(step) steps did what they should.")
  }

  private func record(to path: String) throws -> RecordingResult {
    var configuration = MachineConfiguration()
    configuration.memorySize = 16 << 20
    configuration.pvpanic = MachineConfiguration.PVPanicOptions()
    configuration.seed = UInt64.random(in: 0...UInt64(UInt32.max))
    configuration.startTime = try ClockOption.startTime(nil, isSeeded: false)
    var images = MachineImages()
    images.kernel = DemoGuest.image
    var options = RecordingOptions()
    options.hasMonitor = true
    options.stops = [.virtualTime(60_000_000_000, isLimit: true)]
    let session = try RecordingSession(
      setup: RunSetup(configuration: configuration), images: images, trace: path, options: options,
      kernelName: "panic.elf")
    session.onOutput = { _, bytes in Self.showConsole(bytes) }
    // What a client of the monitor would do: go on after the first panic, end it after the second.
    let panics = Counter()
    let mailbox = session.mailbox
    mailbox.observe { event in
      guard case .guestPanicked = event else { return }
      let command: ControlCommand = panics.next() == 1 ? .cont : .quit
      mailbox.post { machine in
        Terminal.print("  QMP: \(machine.runState.rawValue) → \(command.name)")
        try? machine.perform(command)
      }
    }
    let result = session.run()
    if let failure = result.failure { throw CommandFailure(status: ExitStatus.inputOutput, message: failure) }
    guard result.panics.count == 2 else {
      throw failure("the guest should have panicked twice, not \(result.panics.count) times")
    }
    return result
  }

  private func dump(_ trace: String, to path: String) throws -> (data: Data, rip: UInt64) {
    let reader = try TraceReader(path: trace)
    let session = try ReplaySession(path: trace, until: try InstantSpec("panic").target(in: reader))
    try DumpCommand.check(session.run())
    _ = try DumpWriter.write(session, to: path, format: .elfGzip)
    return (FileManager.default.contents(atPath: path) ?? Data(), session.rip)
  }

  private func branch(_ trace: String, _ commands: [ControlCommand], to name: String) throws {
    var options = BranchOptions()
    options.at = try InstantSpec("panic")
    options.commands = commands
    options.seed = 7
    let branch = try BranchSession(parent: trace, options: options, output: folder + "/" + name)
    let result = branch.run()
    if let failure = result.failure { throw CommandFailure(status: ExitStatus.inputOutput, message: failure) }
    Terminal.print(
      "  \(name): \(LiveRun.describe(result, branch.recording.runState)); \(figures(result.instant.instructionCount, result.virtualTime, result.hostTime)); "
        + size(folder + "/" + name))
  }

  // MARK: Words

  private mutating func title(_ text: String) {
    step += 1
    Terminal.print("\n\(bold ? "\u{1B}[1m" : "")\(step). \(text)\(bold ? "\u{1B}[0m" : "")")
  }
  private func show(_ command: String) { Terminal.print("$ inquest \(command)") }

  private func figures(_ instructions: UInt64, _ virtualTime: UInt64, _ hostTime: Double) -> String {
    "\(Figures.count(instructions, "instruction")), \(Figures.time(nanoseconds: virtualTime)) of virtual time, in "
      + Figures.seconds(hostTime)
  }
  private func size(_ path: String) -> String {
    let size = (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? UInt64) ?? 0
    return "\(path.split(separator: "/").last ?? "") \(Figures.bytes(size))"
  }
  private func failure(_ text: String) -> CommandFailure {
    CommandFailure(status: ExitStatus.internal, message: "demo: \(text); please report this")
  }

  private static func showConsole(_ bytes: [UInt8]) {
    for line in String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline) {
      Terminal.print("  | \(line)")
    }
  }
}

/// Counts on the machine's thread.
private final class Counter: @unchecked Sendable {
  private var count = 0
  func next() -> Int {
    count += 1
    return count
  }
}
