import ArgumentParser
import Foundation
import Manage

struct ManageCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "manage",
    abstract: "Look after a machine through its QMP socket: do something about each panic, once.",
    discussion: """
      EXAMPLES:
        inquest manage --qmp qmp.sock --on-panic coredump-reset --dump-dir cores/
        inquest manage --qmp unix:/run/vm.qmp --on-panic cont \\
            --exec 'logger "guest panic $INQUEST_PANIC_NUMBER"'

      POLICIES: preserve (stay paused), cont (go on), reset, destroy (end the machine), each also with coredump- in \
      front: a core is written first.

      The machine is Inquest's or QEMU's, started with -action panic=pause. Panics that happen while no manager is there \
      are dealt with by the next one; the journal (JSON lines) sees to it that none is dealt with twice. Where a core \
      cannot be written, or 'cont' is refused as QEMU did before 1.7.0, the machine stays paused.

      The command of --exec runs once for each panic, after the core is written and before the machine goes on. Its \
      environment tells: INQUEST_PANIC, INQUEST_PANIC_NUMBER, INQUEST_POLICY, INQUEST_DUMP, INQUEST_NAME, INQUEST_QMP, \
      INQUEST_JOURNAL.

      EXIT STATUS: 0 the machine has ended; 69 no machine, or the journal is in use; 73, 74 the journal cannot be \
      written; 128 + n after a signal.
      """)

  @Option(
    name: .customLong("qmp", withSingleDash: true),
    help: ArgumentHelp("The machine's QMP socket: a path, unix:PATH or tcp:HOST:PORT.", valueName: "socket"))
  var qmp: [String] = []
  @Option(
    name: .customLong("on-panic"),
    help: ArgumentHelp("What to do: \(ManagePolicy.names.joined(separator: ", ")).", valueName: "policy"))
  var onPanic: String
  @Option(
    name: .customLong("dump-dir"),
    help: ArgumentHelp("Where cores go, and the journal. (default: the current folder)", valueName: "folder"))
  var dumpFolder = "."
  @Option(
    name: .customLong("dump-format"),
    help: ArgumentHelp("The cores' format, as of QMP's dump-guest-memory. (default: elf)", valueName: "format"))
  var dumpFormat: String?
  @Option(
    name: .customLong("exec"), help: ArgumentHelp("A shell command, run once for each panic.", valueName: "command"))
  var command: String?
  @Option(
    name: .customLong("journal"),
    help: ArgumentHelp("The journal. (default: manage.jsonl in --dump-dir)", valueName: "file"))
  var journal: String?
  @Option(
    name: .customLong("wait"),
    help: ArgumentHelp("Give up when nobody is at the socket for so long. (default: never)", valueName: "seconds"))
  var wait: Double?
  @Flag(name: .customLong("stay"), help: "When the machine has ended, wait for the next one.")
  var stay = false
  @Flag(
    name: .customLong("set-pause"),
    help: "Tell the machine to pause when its guest panics (set-action), whatever its -action was.")
  var setPause = false

  func run() throws {
    guard qmp.count == 1, let text = qmp.first else {
      throw CommandFailure.usage("manage looks after one machine: name its socket with --qmp")
    }
    guard let address = QMPAddress(text) else {
      throw CommandFailure.usage("--qmp \(text): not a socket; write a path, unix:PATH or tcp:HOST:PORT")
    }
    guard let policy = ManagePolicy(onPanic) else {
      throw CommandFailure.usage("--on-panic \(onPanic): one of \(ManagePolicy.names.joined(separator: ", "))")
    }
    if let wait, !(wait >= 0) { throw CommandFailure.usage("--wait: a number of seconds, not negative") }
    guard let folder = realpath(dumpFolder, nil) else {
      throw CommandFailure.output(dumpFolder, creating: true, code: errno)
    }
    defer { free(folder) }
    var options = ManagerOptions(address: address, policy: policy, dumpFolder: String(cString: folder))
    options.dumpFormat = dumpFormat
    options.command = command
    options.patience = wait
    options.stays = stay
    options.setsPause = setPause
    do {
      let journal = try Journal(path: journal ?? "\(options.dumpFolder)/manage.jsonl")
      let signals = Signals { _ in }
      let manager = Manager(
        options, journal: journal, say: { Terminal.note($0) }, shouldStop: { signals.received != nil })
      switch try manager.run() {
      case .machineEnded: return
      case .stopped: if let number = signals.received { throw ExitRequest(status: 128 + number) }
      case .unreachable(let reason):
        throw CommandFailure(
          status: ExitStatus.unavailable, message: "\(address): \(reason); start the machine with -qmp first")
      }
    } catch let failure as Journal.Failure {
      let status = failure.isInUse ? ExitStatus.unavailable : ExitStatus.inputOutput
      throw CommandFailure(status: status, message: failure.description)
    }
  }
}
