import ArgumentParser
import Forensics

struct TasksCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tasks",
    abstract: "The guest's processes and threads at an instant.",
    discussion: """
      States are those of ps: R running, S sleeping, D waiting for a device, I idle, T stopped, Z zombie. The running task \
      has a star, kernel threads brackets. Needs a kernel that describes its types (BTF), as Debian's do.

      EXAMPLES:
        inquest tasks crash.inq --at panic
        inquest tasks crash.inq --json | jq '.tasks[] | select(.state == "D")'
      """)

  @OptionGroup var guest: ForensicsArguments

  func run() throws {
    let paused = try PausedGuest.open(guest)
    let kernel = try paused.kernel()
    let tasks = kernel.tasks
    if tasks.all.isEmpty, let problem = tasks.problem { throw CommandFailure.badData("\(paused.place): \(problem)") }
    if guest.json {
      Terminal.print(JSONOutput.text(TasksReport(tasks)))
      return
    }
    var output = LineOutput()
    output.print("      PID    TGID  PARENT S  NAME")
    for task in tasks.all {
      output.print(
        (task.isCurrent ? "*" : " ") + "\(task.pid)".leftPadded(8) + "\(task.tgid)".leftPadded(8)
          + (task.parent.map { "\($0)" } ?? "-").leftPadded(8) + " \(task.state)  "
          + (task.isKernelThread ? "[\(task.name.visible)]" : task.name.visible))
    }
    output.flush()
    if let problem = tasks.problem { Terminal.note("note: \(problem)") }
  }
}

struct TasksReport: Encodable {
  struct Task: Encodable {
    var pid: Int32
    var tgid: Int32
    var parent: Int32?
    var name: String
    var state: String
    var kernelThread: Bool
    var current: Bool
    /// Of the `task_struct`, hexadecimal.
    var address: String

    init(_ task: KernelTask) {
      (pid, tgid, parent, name, state) = (task.pid, task.tgid, task.parent, task.name, String(task.state))
      (kernelThread, current) = (task.isKernelThread, task.isCurrent)
      address = Figures.hexadecimal(task.address)
    }
  }
  var tasks: [Task]
  var problem: String?

  init(_ tasks: KernelTasks) {
    self.tasks = tasks.all.map(Task.init)
    problem = tasks.problem
  }
}
