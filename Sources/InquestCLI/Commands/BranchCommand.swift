import ArgumentParser
import Foundation
import Session
import Trace

struct BranchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "branch",
    abstract: "Replay to an instant and go live there: other commands, another seed, a trace of its own.",
    discussion: """
      EXAMPLES:
        inquest branch crash.inq --at panic --qmp '{"execute":"cont"}' --seed 7 -o b.inq
        inquest branch crash.inq --at panic --qmp '{"execute":"system_reset"}' \\
            --qmp '{"execute":"cont"}' --until t=+10s -o c.inq

      A branch runs until the next panic, the end of the guest or 60 s of virtual time, or as --until says: panic, \
      reset, cont, t=+10s, an instruction count. Its trace stands alone and names its parent. For instants see inquest \
      help replay.
      """)

  @OptionGroup var trace: TraceArguments
  @Option(name: .customLong("at"), help: ArgumentHelp("Where it leaves its parent.", valueName: "instant"))
  var at: String
  @Option(
    name: .customLong("qmp", withSingleDash: true),
    help: ArgumentHelp(
      "A QMP command to apply there; or, without a brace, a monitor as of 'record'. May be repeated.",
      valueName: "command"))
  var qmp: [String] = []
  @Option(name: .customLong("seed"), help: ArgumentHelp("Draw from this seed from there on.", valueName: "n"))
  var seed: UInt64?
  @Option(name: .customLong("until"), help: ArgumentHelp("Where it ends.", valueName: "instant"))
  var until: String?
  @Option(
    name: .customLong("limit"),
    help: ArgumentHelp(
      "Without --until: virtual time behind the branch after which it ends as a hang.", valueName: "time"))
  var limit: String?
  @Option(
    name: [.customShort("o"), .customLong("output")], help: ArgumentHelp("The new trace.", valueName: "file"))
  var output: String
  @Option(
    name: .customLong("serial", withSingleDash: true),
    help: ArgumentHelp(
      "The console behind the instant, as of 'record'. (default: output to stdout)", valueName: "dev"))
  var serial: [String] = []
  @OptionGroup(title: "Debugging") var debug: DebugOptions
  @Flag(name: .customShort("S"), help: "With -gdb: stand at the instant until gdb says 'continue'.")
  var startPaused = false
  @Flag(
    name: .customLong("json"),
    help: "Say on stdout as JSON how the run ended; the console is not shown there.")
  var json = false

  func run() throws {
    var options = BranchOptions()
    options.at = try InstantSpec(at)
    options.until = try until.map { try InstantSpec($0) }
    options.seed = seed
    options.limit = try limit.map { try InstantSpec.duration($0, option: "--limit") }
    options.commands = try qmp.filter(Self.isCommand).map { text in
      do { return try ControlCommand(qmp: text) } catch let error as ControlError {
        throw CommandFailure.usage("--qmp \(text): \(error.message)")
      }
    }
    try OutputPath.check(output, isNot: trace.path)
    let reader = try TraceReader(path: trace.path)
    _ = try options.at.target(in: reader)
    var consoles = try ConsoleOptions.parse([])
    consoles.serial = serial
    consoles.qmp = qmp.filter { !Self.isCommand($0) }
    let device = try debug.device()
    if startPaused && device == nil {
      throw CommandFailure.usage("-S: there is no gdb to let the machine go; give it a place with -gdb")
    }
    // With gdb it is gdb's business when it ends.
    if device != nil && until == nil { options.until = .end }
    let surroundings = try Surroundings(consoles, gdb: device, showsConsole: !json)
    surroundings.holdsAtStart = startPaused
    options.recording = LiveRun.recordingOptions(
      surroundings, pacesIdleTime: nil, panicPolicy: nil, limit: nil)
    // What the run has not read of its disks by then comes from their files, as far as they are still there.
    if let drives = try RunSetup(of: reader).configuration.drives {
      let files = DriveFiles(reopening: drives)
      files.onError = { Terminal.note($0) }
      options.recording.drives = files
    }
    let branch: BranchSession
    do {
      TraceArguments.warn(reader)
      Terminal.progress("replaying to \(at)")
      branch = try BranchSession(
        parent: trace.path, imagePaths: trace.images, options: options, output: output)
    } catch {
      surroundings.close()
      throw error
    }
    Terminal.clearProgress()
    try LiveRun(surroundings: surroundings, output: output, json: json).perform(branch.recording)
  }

  private static func isCommand(_ text: String) -> Bool {
    text.first { !$0.isWhitespace } == "{"
  }
}
