import ArgumentParser
import Forensics

struct BacktraceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "backtrace",
    abstract: "The functions that the guest's kernel is in at an instant.",
    discussion: """
      Needs no debug information: names come from the kernel's own kallsyms and modules, frames from its ORC unwind \
      tables; where there are none, from frame pointers, else from a scan of the stack, marked with '?'.

      EXAMPLES:
        inquest backtrace crash.inq --at panic
        inquest backtrace crash.inq --at panic --pid 1
        inquest backtrace crash.inq --at 812.3M --all --json
      """)

  @OptionGroup var guest: ForensicsArguments
  @Option(name: .customLong("pid"), help: ArgumentHelp("Of this thread instead of the running one.", valueName: "n"))
  var pid: Int32?
  @Flag(name: .customLong("all"), help: "Of all threads.")
  var all = false

  func run() throws {
    let paused = try PausedGuest.open(guest)
    let kernel = try paused.kernel()
    var reports: [BacktraceReport] = []
    if all || pid != nil {
      let tasks = kernel.tasks
      if tasks.all.isEmpty, let problem = tasks.problem { throw CommandFailure.badData("\(paused.place): \(problem)") }
      let wanted = tasks.all.filter { pid == nil || $0.pid == pid }
      if wanted.isEmpty { throw CommandFailure.usage("--pid \(pid ?? 0): there is no such thread \(paused.place)") }
      reports = wanted.map { BacktraceReport(kernel.backtrace(of: $0), task: $0) }
    } else {
      reports = [BacktraceReport(kernel.backtrace(), task: kernel.currentTask)]
    }
    if guest.json {
      Terminal.print(JSONOutput.text(reports))
      return
    }
    var output = LineOutput()
    for (index, report) in reports.enumerated() {
      if index > 0 { output.print("") }
      for line in report.lines { output.print(line) }
    }
    output.flush()
  }
}

/// A backtrace, for programs and people.
struct BacktraceReport: Encodable {
  struct Task: Encodable {
    var pid: Int32
    var name: String
    init(_ task: KernelTask) {
      pid = task.pid
      name = task.name
    }
  }
  struct Frame: Encodable {
    /// Hexadecimal.
    var address: String
    var symbol: String?
    var offset: UInt64?
    var size: UInt64?
    var module: String?
    /// The stack pointer, hexadecimal.
    var stackPointer: String
    var stack: String?
    var kind: String
    var method: String
    var reliable: Bool
    /// Hexadecimal, where an exception saved them.
    var registers: [String: String]?
    /// For people.
    var text: String
  }
  /// nil where the kernel does not describe its types.
  var task: Task?
  var frames: [Frame]
  /// Why the walk ended before its end.
  var problem: String?

  init(_ backtrace: Backtrace, task: KernelTask?) {
    self.task = task.map(Task.init)
    problem = backtrace.problem
    frames = backtrace.frames.map { frame in
      Frame(
        address: Figures.hexadecimal(frame.address), symbol: frame.name?.symbol, offset: frame.name?.offset,
        size: frame.name?.size, module: frame.name?.module, stackPointer: Figures.hexadecimal(frame.stackPointer),
        stack: frame.stack, kind: frame.kind.rawValue, method: frame.method.rawValue, reliable: frame.isReliable,
        registers: frame.registers.isEmpty
          ? nil
          : Dictionary(
            frame.registers.map { ($0.name, Figures.hexadecimal($0.value)) }, uniquingKeysWith: { first, _ in first }),
        text: frame.text)
    }
  }

  var lines: [String] {
    var lines: [String] = []
    if let task { lines.append("task \(task.pid) \(task.name.visible)") }
    var stack: String?
    for (index, frame) in frames.enumerated() {
      if frame.stack != stack, index > 0 || (frame.stack ?? "task") != "task" {
        lines.append("    -- \(frame.stack ?? "unknown") stack --")
      }
      stack = frame.stack
      if frame.kind == "exception" { lines.append("    -- interrupted at --") }
      lines.append("#\(index)".padded(4) + frame.address.padded(19) + frame.text)
    }
    if let problem { lines.append("    -- \(problem) --") }
    return lines
  }
}
