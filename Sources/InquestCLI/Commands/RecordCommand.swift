import ArgumentParser
import Foundation
import PC
import Session

struct RecordCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "record",
    abstract: "Run a machine and record everything that comes in, so that the run can be repeated.",
    discussion: """
      EXAMPLES:
        inquest record -m 256 -kernel vmlinuz -initrd initrd.img \\
            -append "console=ttyS0 panic=5" -device pvpanic -serial stdio \\
            -qmp unix:qmp.sock,server=on,wait=off -o crash.inq
        inquest record -kernel guest.elf -nographic --seed 7 -o run.inq
        inquest record --from-qemu "qemu-system-x86_64 -kernel vmlinuz -device pvpanic" -o run.inq

      A guest that panics is stopped and waits for its monitor. Without a monitor the recording ends there, unless \
      --on-panic says otherwise. SIGINT and SIGTERM end the recording in good order.

      EXIT STATUS: 0; 1 for -action panic=exit-failure; what isa-debug-exit gives; see inquest --help.
      """)

  @OptionGroup(title: "Machine") var machine: MachineOptions
  @OptionGroup(title: "Consoles and monitors") var consoles: ConsoleOptions
  @OptionGroup(title: "Debugging") var debug: DebugOptions
  @OptionGroup(title: "Run") var live: LiveOptions

  @Option(
    name: [.customShort("o"), .customLong("output")], help: ArgumentHelp("The trace.", valueName: "file"))
  var output: String

  @Flag(
    name: .customLong("no-embed"),
    help: "Leave kernel and initramfs out of the trace; replays then need the files.")
  var noEmbed = false

  @Option(
    name: .customLong("checkpoint"),
    help: ArgumentHelp(
      "What states of the machine go into the trace: panic (the first one, so that it can be looked at without a replay) or "
        + "none. (default: panic; none with --no-embed, which asks for a small trace)", valueName: "when"))
  var checkpoint: String?

  func run() throws {
    try OutputPath.check(output)
    let checkpoint = checkpoint ?? (noEmbed ? "none" : "panic")
    guard ["panic", "none"].contains(checkpoint) else {
      throw CommandFailure.usage("--checkpoint \(checkpoint): panic or none")
    }
    try live.perform(
      machine, consoles, debug, output: output, embed: !noEmbed, storesPanic: checkpoint == "panic")
  }
}

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Run a machine as 'record' does, without a trace.",
    discussion: """
      EXAMPLES:
        inquest run -kernel vmlinuz -initrd initrd.img -append console=ttyS0 -nographic

      EXIT STATUS: as of 'record'.
      """)

  @OptionGroup(title: "Machine") var machine: MachineOptions
  @OptionGroup(title: "Consoles and monitors") var consoles: ConsoleOptions
  @OptionGroup(title: "Debugging") var debug: DebugOptions
  @OptionGroup(title: "Run") var live: LiveOptions

  func run() throws { try live.perform(machine, consoles, debug, output: nil, embed: false) }
}

/// What `record` and `run` have in common.
struct LiveOptions: ParsableArguments {
  @Option(
    name: .customLong("on-panic"),
    help: ArgumentHelp(
      "What happens to a guest that has panicked and was paused: wait, quit, cont, reset. (default: wait with a "
        + "monitor, else quit)", valueName: "policy"))
  var onPanic: String?

  @Option(
    name: .customLong("pcap"),
    help: ArgumentHelp("Write the frames of all network cards to a capture file.", valueName: "file"))
  var pcap: String?

  @Option(
    name: .customLong("limit"),
    help: ArgumentHelp("End the run after so much virtual time.", valueName: "time"))
  var limit: String?

  @Option(
    name: .customLong("until"),
    help: ArgumentHelp(
      "Where the run ends: panic, panic:2, reset, cont, t=+10s, an instruction count.", valueName: "instant"))
  var until: String?

  @Option(
    name: .customLong("pidfile", withSingleDash: true),
    help: ArgumentHelp("Holds the process's number while it runs.", valueName: "file"))
  var pidfile: String?

  /// Taken apart before the other options are read; see `QEMUCommandLine`.
  @Option(
    name: .customLong("from-qemu"),
    help: ArgumentHelp(
      "Options from a whole command line of QEMU's, with QEMU's defaults; says what it leaves out.",
      valueName: "\"qemu-system-x86_64 …\""))
  var fromQEMU: String?

  @Flag(
    name: .customLong("json"),
    help: "Say on stdout as JSON how the run ended; the console is not shown there.")
  var json = false

  func perform(
    _ machine: MachineOptions, _ consoles: ConsoleOptions, _ debug: DebugOptions, output: String?, embed: Bool,
    storesPanic: Bool = false
  ) throws {
    let policy = try onPanic.map(Self.policy)
    let limit = try limit.map { try InstantSpec.duration($0, option: "--limit") }
    let stop = try until.flatMap { try Self.stop($0) }
    var plan = try MachinePlan(machine)
    let images = try plan.images()
    let surroundings = try Surroundings(
      consoles, extraSerials: plan.extraSerials, debugConsoles: plan.debugConsoles,
      gdb: try debug.device(), showsConsole: !json)
    if plan.setup.startPaused && !surroundings.hasMonitor {
      surroundings.close()
      throw CommandFailure.usage("-S: there is no monitor to say 'cont'; give one with -qmp, -monitor or -gdb")
    }
    plan.setup.configuration.serialPorts = surroundings.serialCount
    var options = LiveRun.recordingOptions(
      surroundings, pacesIdleTime: plan.pacesIdleTime, panicPolicy: policy, limit: limit)
    if let stop { options.stops.append(stop) }
    options.storesPanic = storesPanic
    let pidfile: PIDFile?
    do { pidfile = try self.pidfile.map { try PIDFile($0) } } catch {
      surroundings.close()
      throw error
    }
    defer { pidfile?.remove() }
    let links = try plan.networks.map { try $0.map { try NetworkLink($0) } }
    if links.contains(where: { $0 != nil }) {
      // Somebody may send: idle time is real time, and a guest that waits for a frame is not dead.
      options.acceptsInput = true
      options.pacesIdleTime = plan.pacesIdleTime ?? true
    }
    let capture = try pcap.map { try CaptureFile($0) }
    if !plan.driveFiles.isEmpty {
      plan.driveFiles.onError = { Terminal.note($0) }
      options.drives = plan.driveFiles
    }
    let recording: RecordingSession
    do {
      recording = try RecordingSession(
        setup: plan.setup, images: images, trace: output, options: options, kernelName: plan.kernelPath,
        embed: embed)
    } catch {
      surroundings.close()
      throw plan.naming(error)
    }
    recording.connect(links, capture)
    defer { for link in links { link?.close() } }
    try LiveRun(surroundings: surroundings, output: output, json: json).perform(recording)
  }

  /// Where `--until` ends the run; nil for its own end.
  private static func stop(_ text: String) throws -> LiveStop? {
    func refuse(_ reason: String) -> CommandFailure { .usage("--until \(text): \(reason)") }
    switch try InstantSpec(text) {
    case .end: return nil
    case .start: throw refuse("a run goes forward")
    case .beforeEnd: throw refuse("a live run cannot count from an event that is still to come")
    case .instructionCount(let count): return .instructionCount(count)
    case .instant(let instant): return .instructionCount(instant.instructionCount)
    case .virtualTime(let time), .relativeTime(let time): return .virtualTime(time, isLimit: false)
    case .marker(let marker, let number, let offset):
      guard offset == 0 else { throw refuse("a live run cannot count from an event that is still to come") }
      switch marker {
      case .panic: return .panic(number)
      case .reset: return .reset(number)
      case .cont: return .cont(number)
      }
    }
  }

  private static func policy(_ text: String) throws -> PanicPolicy {
    guard let policy = PanicPolicy(rawValue: text) else {
      throw CommandFailure.usage("--on-panic \(text): one of wait, quit, cont, reset")
    }
    return policy
  }
}

extension MachinePlan {
  /// An error of the loader with the file that it is about.
  func naming(_ error: any Error) -> any Error {
    guard let error = error as? LoaderError else { return error }
    var failure = CommandFailure(error)
    switch error {
    case .emptyInitrd, .initrdTooLarge:
      failure.message = "\(initrdPaths.joined(separator: ",")): \(failure.message)"
    case .commandLineTooLong: break
    default: failure.message = "\(kernelPath): \(failure.message)"
    }
    return failure
  }
}

/// Files that a command writes.
enum OutputPath {
  /// Finds out early what would be found out late.
  /// - Throws: `CommandFailure` with status 73.
  static func check(_ path: String) throws {
    if path.isEmpty { throw CommandFailure.usage("-o: the file name is empty") }
    var status = stat()
    if stat(path, &status) == 0 {
      if status.st_mode & S_IFMT == S_IFDIR {
        throw CommandFailure(
          status: ExitStatus.cannotCreate, message: "\(path): this is a folder; name a file to write")
      }
      guard access(path, W_OK) == 0 else { throw CommandFailure.output(path, creating: true, code: errno) }
      return
    }
    // Not Foundation's `deletingLastPathComponent`, which traps on names of one character.
    let folder = path.lastIndex(of: "/").map { path[...$0] } ?? "."
    guard access(String(folder), W_OK | X_OK) == 0 else {
      throw CommandFailure.output(path, creating: true, code: errno)
    }
  }

  /// Refuses to write a file over one that is read.
  static func check(_ path: String, isNot input: String) throws {
    try check(path)
    var (a, b) = (stat(), stat())
    if stat(path, &a) == 0, stat(input, &b) == 0, a.st_dev == b.st_dev, a.st_ino == b.st_ino {
      throw CommandFailure.usage("\(path): this is the trace that is read; name another file to write")
    }
  }
}

extension RecordingSession {
  /// Connects network cards to their links, by their places.
  func connect(_ links: [NetworkLink?], _ capture: CaptureFile?) {
    for (device, link) in links.enumerated() {
      link?.start { [weak self] in self?.sendFrame(device: device, bytes: $0) }
    }
    guard !links.isEmpty else { return }
    let capture = capture.map { capturing($0) }
    onFrame = { device, isSent, bytes in
      capture?(bytes)
      if isSent, links.indices.contains(device) { links[device]?.send(bytes) }
    }
  }
}

extension Session {
  /// Puts a frame into a capture file with the guest's time.
  func capturing(_ capture: CaptureFile) -> ([UInt8]) -> Void {
    let start = setup.configuration.startTime
    return { [unowned self] in capture.add($0, time: start &+ position.virtualTime) }
  }
}
