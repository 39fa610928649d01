/// A thread as the kernel knows it.
public struct KernelTask: Sendable {
  /// Of its `task_struct`.
  public var address: UInt64
  public var pid: Int32
  /// The process's number.
  public var tgid: Int32
  public var parent: Int32?
  public var name: String
  /// As `ps` shows it: R, S, D, T, t, Z, X, I.
  public var state: Character
  public var isKernelThread: Bool
  public var isCurrent: Bool
  /// The lowest address of its kernel stack.
  public var stack: UInt64?
}

/// The list of tasks.
public struct KernelTasks: Sendable {
  public var all: [KernelTask] = []
  /// Why the list is empty or not whole; nil when it is whole.
  public var problem: String?

  private static let maximumTasks = 1 << 16

  init(_ kernel: Kernel) {
    guard let first = kernel.symbols.address(of: "init_task") else {
      problem = "the kernel has no symbol 'init_task'"
      return
    }
    guard kernel.types != nil, let listOffset = kernel.offset("task_struct", "tasks") else {
      problem = "the kernel does not describe its types (no BTF), so its tasks' structures cannot be read"
      return
    }
    let (leaders, isWhole) = kernel.list(first &+ listOffset, offset: listOffset, limit: Self.maximumTasks)
    if !isWhole { problem = "the list of tasks is damaged: it does not come back to its head" }
    for leader in [first] + leaders {
      guard let task = KernelTask(kernel, leader) else {
        problem = "the structure of a task at 0x\(String(leader, radix: 16)) is damaged"
        continue
      }
      all.append(task)
      guard leader != first, all.count < Self.maximumTasks else { continue }
      addThreads(kernel, of: leader)
    }
    all = all.enumerated().sorted { ($0.element.pid, $0.offset) < ($1.element.pid, $1.offset) }.map(\.element)
  }

  private mutating func addThreads(_ kernel: Kernel, of leader: UInt64) {
    guard let signal = kernel.pointer(leader, "task_struct", "signal"),
      let head = kernel.offset("signal_struct", "thread_head"),
      let node = kernel.offset("task_struct", "thread_node")
    else { return }
    for thread in kernel.list(signal &+ head, offset: node, limit: 4096).elements where thread != leader {
      if all.count < Self.maximumTasks, let task = KernelTask(kernel, thread) { all.append(task) }
    }
  }
}

extension KernelTask {
  /// Reads a `task_struct`; nil when what is there is none, or the kernel does not describe its types.
  init?(_ kernel: Kernel, _ address: UInt64) {
    guard let pid = kernel.integer(address, "task_struct", "pid"),
      let tgid = kernel.integer(address, "task_struct", "tgid"),
      let name = kernel.text(address, "task_struct", "comm"), pid <= 1 << 22, tgid <= 1 << 22
    else { return nil }
    self.address = address
    self.pid = Int32(truncatingIfNeeded: pid)
    self.tgid = Int32(truncatingIfNeeded: tgid)
    self.name = name
    parent = kernel.pointer(address, "task_struct", "real_parent").flatMap {
      kernel.integer($0, "task_struct", "pid")
    }.map { Int32(truncatingIfNeeded: $0) }
    isKernelThread = kernel.pointer(address, "task_struct", "mm") == 0
    isCurrent = address == kernel.currentTaskAddress
    stack = kernel.pointer(address, "task_struct", "stack")
    let run = kernel.integer(address, "task_struct", "__state") ?? kernel.integer(address, "task_struct", "state") ?? 0
    let exit = kernel.integer(address, "task_struct", "exit_state") ?? 0
    state = Self.letter(run, exit)
  }

  /// Linux, include/linux/sched.h: TASK_RUNNING 0, INTERRUPTIBLE 1, UNINTERRUPTIBLE 2, STOPPED 4, TRACED 8, EXIT_DEAD 16,
  /// EXIT_ZOMBIE 32, TASK_PARKED 64, TASK_DEAD 128, TASK_NOLOAD 1024.
  private static func letter(_ state: UInt64, _ exit: UInt64) -> Character {
    if exit & 32 != 0 { return "Z" }
    if exit & 16 != 0 || state & 128 != 0 { return "X" }
    if state & 0x402 == 0x402 { return "I" }
    if state & 1 != 0 { return "S" }
    if state & 2 != 0 { return "D" }
    if state & 4 != 0 { return "T" }
    if state & 8 != 0 { return "t" }
    if state & 64 != 0 { return "P" }
    return "R"
  }
}

extension Kernel {
  /// The `task_struct` of the task that the processor runs; nil when it is not known.
  public var currentTaskAddress: UInt64? {
    var address = perCPU("current_task")
    if address == nil, let hot = perCPUAddress("pcpu_hot") {
      address = pointer(hot, "pcpu_hot", "current_task")
    }
    guard let address, address >> 63 != 0, space.u64(address) != nil else { return nil }
    return address
  }

  /// The task that the processor runs.
  public var currentTask: KernelTask? { currentTaskAddress.flatMap { KernelTask(self, $0) } }
}
