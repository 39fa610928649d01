/// The functions that a processor or a sleeping task is in, innermost first.
public struct Backtrace: Sendable {
  public struct Frame: Sendable {
    /// How a frame was found.
    public enum Method: String, Sendable, Encodable {
      /// The registers themselves.
      case registers
      /// The kernel's unwind tables.
      case orc
      /// A chain of saved frame pointers.
      case framePointer = "frame-pointer"
      /// A word of the stack that looks like a return address: perhaps left over from an earlier call.
      case scan
    }
    public enum Kind: String, Sendable, Encodable {
      case call
      /// An exception or interrupt came at this instruction.
      case exception
      /// The program in user mode that entered the kernel.
      case user
    }
    public var address: UInt64
    /// nil for user mode, and for what has no name.
    public var name: Symbolizer.Name?
    /// RSP in this frame.
    public var stackPointer: UInt64
    public var kind: Kind
    public var method: Method
    /// `task`, `irq`, `NMI`, …; nil when it is not known.
    public var stack: String?
    /// Registers that an exception or system call saved.
    public var registers: [(name: String, value: UInt64)] = []
    public var isReliable: Bool { method != .scan }

    /// `panic+0x118/0x2f4`, with a question mark when it is a guess.
    public var text: String {
      let place = kind == .user ? "user mode, rip 0x" + String(address, radix: 16) : nil
      return (isReliable ? "" : "? ") + (place ?? name?.text ?? "0x" + String(address, radix: 16))
    }
  }

  public var frames: [Frame] = []
  /// Why the walk ended before its end; nil when it reached the program or the task's first function.
  public var problem: String?
}

/// Walks the stack of the kernel.
struct Unwinder {
  private static let maximumFrames = 512
  private static let maximumScan: UInt64 = 16 << 10

  let kernel: Kernel
  let stacks: KernelStacks
  private let table: ORCTable?
  private var space: AddressSpace { kernel.space }

  // The state: where the frame's registers are. `full`: all registers, `nil` once they are not known any more.
  private var ip: UInt64
  private var sp: UInt64
  private var bp: UInt64
  /// RDX, RDI, R10, R13, while the frame's registers are known.
  private var others: (dx: UInt64, di: UInt64, r10: UInt64, r13: UInt64)?
  /// The frame's address is that of an instruction, not of a return.
  private var isInstruction: Bool
  private var result = Backtrace()

  /// From a processor's registers.
  static func backtrace(_ kernel: Kernel) -> Backtrace {
    let registers = kernel.registers
    let g = registers.general
    var unwinder = Unwinder(
      kernel, ip: registers.rip, sp: registers.rsp, bp: registers.rbp, isInstruction: true)
    unwinder.others = (g[2], g[7], g[10], g[13])
    if registers.isUserMode {
      unwinder.append(.user, .registers)
      return unwinder.result
    }
    unwinder.append(.call, .registers)
    return unwinder.run()
  }

  /// Of a task that does not run: from where it went to sleep.
  static func backtrace(_ kernel: Kernel, sleeping task: KernelTask) -> Backtrace {
    var failed = Backtrace()
    guard let stack = kernel.pointer(task.address, "task_struct", "thread.sp"),
      let returnAddress = kernel.offset("inactive_task_frame", "ret_addr"),
      let ip = kernel.space.u64(stack &+ returnAddress),
      let bp = kernel.pointer(stack, "inactive_task_frame", "bp"),
      let size = kernel.size("inactive_task_frame")
    else {
      failed.problem = "where the task sleeps is not known"
      return failed
    }
    var unwinder = Unwinder(kernel, ip: ip, sp: stack &+ size, bp: bp, isInstruction: false)
    unwinder.append(.call, .orc)
    return unwinder.run()
  }

  private init(_ kernel: Kernel, ip: UInt64, sp: UInt64, bp: UInt64, isInstruction: Bool) {
    self.kernel = kernel
    stacks = KernelStacks(kernel)
    table = kernel.orc
    (self.ip, self.sp, self.bp, self.isInstruction) = (ip, sp, bp, isInstruction)
  }

  private mutating func run() -> Backtrace {
    var seen: Set<UInt64> = [sp]
    while result.frames.count < Self.maximumFrames {
      switch step() {
      case .frame(let kind, let method):
        append(kind, method)
        if kind == .user { return result }
        // Stacks may be left for others, but no place is met twice.
        guard seen.insert(sp).inserted else {
          result.problem = "the stack is damaged: its frames go round in a circle"
          return result
        }
      case .end: return result
      case .lost(let reason):
        scan()
        result.problem = reason
        return result
      }
    }
    result.problem = "more than \(Self.maximumFrames) frames"
    return result
  }

  private mutating func append(_ kind: Backtrace.Frame.Kind, _ method: Backtrace.Frame.Method) {
    // A return address may lie behind a function whose last instruction is a call.
    let back: UInt64 = isInstruction ? 0 : 1
    var name = kind == .user ? nil : kernel.symbolizer.name(of: ip &- back)
    name?.offset &+= back
    result.frames.append(
      .init(address: ip, name: name, stackPointer: sp, kind: kind, method: method, stack: stacks.name(of: sp)))
  }

  private enum Step {
    case frame(Backtrace.Frame.Kind, Backtrace.Frame.Method)
    case end
    case lost(String)
  }

  private mutating func step() -> Step {
    let place = isInstruction ? ip : ip &- 1
    guard let entry = orc(at: place) else { return followFramePointer() }
    switch entry.kind {
    case .undefined: return followFramePointer()
    case .endOfStack: return .end
    default: break
    }
    guard let base = stackBase(entry) else {
      return .lost("the unwind table needs a register that is not known at \(kernel.symbolizer.text(ip))")
    }
    let oldBP = bp
    switch entry.kind {
    case .registers, .partialRegisters: return takeRegisters(entry, base)
    default:
      var base = base
      guard var target = space.u64(base &- 8) else { return .lost("the stack cannot be read at \(hex(base &- 8))") }
      // Code that was patched while the kernel ran (PUSH; POPF in place of a call) is not in its tables.
      if isInstruction, !kernel.isReturnAddress(target), let pushed = space.u8(ip &- 1),
        pushed & 0xF8 == 0x50 || pushed == 0x9C,
        let next = space.u64(base), kernel.isReturnAddress(next)
      {
        base &+= 8
        target = next
      }
      switch entry.bpBase {
      case .previousSP:
        guard let value = space.u64(base &+ offset(entry.bpOffset)) else { return .lost("the stack cannot be read") }
        bp = value
      case .bp:
        guard let value = space.u64(oldBP &+ offset(entry.bpOffset)) else {
          return .lost("the stack cannot be read")
        }
        bp = value
      default: break
      }
      ip = target
      sp = base
      others = nil
      isInstruction = false
      guard kernel.symbolizer.name(of: ip &- 1) != nil || ip >> 63 != 0 else {
        return .lost("the return address \(hex(ip)) is not the kernel's")
      }
      return .frame(.call, .orc)
    }
  }

  /// An exception's frame (`pt_regs`, or only the part that the processor pushes).
  private mutating func takeRegisters(_ entry: ORCEntry, _ base: UInt64) -> Step {
    let isFull = entry.kind == .registers
    let start = isFull ? base : base &- 128
    guard let ip = space.u64(start &+ 128), let cs = space.u64(start &+ 136), let sp = space.u64(start &+ 152) else {
      return .lost("the registers that an exception saved at \(hex(start)) cannot be read")
    }
    if !result.frames.isEmpty { result.frames[result.frames.count - 1].registers = saved(start, isFull) }
    self.ip = ip
    self.sp = sp
    isInstruction = true
    if isFull {
      bp = space.u64(start &+ 32) ?? bp
      others = (
        space.u64(start &+ 96) ?? 0, space.u64(start &+ 112) ?? 0, space.u64(start &+ 56) ?? 0,
        space.u64(start &+ 16) ?? 0
      )
    } else if entry.bpBase == .previousSP {
      bp = space.u64(base &+ offset(entry.bpOffset)) ?? bp
    }
    return .frame(cs & 3 == 3 ? .user : .exception, .orc)
  }

  private func saved(_ start: UInt64, _ isFull: Bool) -> [(name: String, value: UInt64)] {
    let names = [
      "r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi", "rdi",
      "orig_rax", "rip", "cs", "rflags", "rsp", "ss",
    ]
    return names.enumerated().dropFirst(isFull ? 0 : 16).compactMap { index, name in
      space.u64(start &+ UInt64(8 * index)).map { (name, $0) }
    }
  }

  private func stackBase(_ entry: ORCEntry) -> UInt64? {
    let add = offset(entry.spOffset)
    switch entry.spBase {
    case .sp: return sp &+ add
    case .bp: return bp &+ add
    case .bpIndirect: return space.u64(bp &+ add)
    case .spIndirect: return kernel.version >= (5, 12) ? space.u64(sp).map { $0 &+ add } : space.u64(sp &+ add)
    case .dx: return others?.dx
    case .di: return others?.di
    case .r10: return others?.r10
    case .r13: return others?.r13
    case .undefined, .previousSP: return nil
    }
  }

  private func orc(at address: UInt64) -> ORCEntry? {
    if let module = kernel.modules.module(at: address) { return module.orc?.entry(at: address, space) }
    guard kernel.symbolizer.name(of: address) != nil else { return nil }
    return table?.entry(at: address, space)
  }

  /// RBP points to the caller's RBP, and the return address lies above it.
  private mutating func followFramePointer() -> Step {
    // A call of what is no code: the return address is on top of the stack.
    if isInstruction, kernel.symbolizer.name(of: ip)?.isText != true, let target = space.u64(sp),
      kernel.isReturnAddress(target)
    {
      ip = target
      sp &+= 8
      isInstruction = false
      return .frame(.call, .framePointer)
    }
    guard bp >= sp, bp &- sp <= Self.maximumScan, bp % 8 == 0, let next = space.u64(bp),
      let target = space.u64(bp &+ 8),
      kernel.isReturnAddress(target)
    else { return .lost("there is no unwind table for \(kernel.symbolizer.text(ip))") }
    ip = target
    sp = bp &+ 16
    bp = next
    others = nil
    isInstruction = false
    return .frame(.call, .framePointer)
  }

  /// All words of the stack that are return addresses.
  private mutating func scan() {
    let end = stacks.end(of: sp) ?? (sp &+ Self.maximumScan)
    var address = (sp &+ 7) & ~7
    isInstruction = false
    while address < end, address &- sp < Self.maximumScan, result.frames.count < Self.maximumFrames {
      guard let word = space.u64(address) else { return }
      if kernel.isReturnAddress(word) {
        var name = kernel.symbolizer.name(of: word &- 1)
        name?.offset &+= 1
        result.frames.append(
          .init(
            address: word, name: name, stackPointer: address, kind: .call, method: .scan,
            stack: stacks.name(of: address)))
      }
      address &+= 8
    }
  }

  private func offset(_ value: Int16) -> UInt64 { UInt64(bitPattern: Int64(value)) }
  private func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
}

extension Kernel {
  /// The unwind table of the kernel's own code.
  var orc: ORCTable? {
    if let known = knownORC { return known }
    knownORC = .some(ORCTable(self))
    return knownORC!
  }

  /// What the processor is in.
  public func backtrace() -> Backtrace { Unwinder.backtrace(self) }

  /// What a task is in: the processor's registers where it runs, else where it sleeps.
  public func backtrace(of task: KernelTask) -> Backtrace {
    task.address == currentTaskAddress ? backtrace() : Unwinder.backtrace(self, sleeping: task)
  }

  /// Whether an address lies behind a call in the kernel's or a module's code.
  func isReturnAddress(_ address: UInt64) -> Bool {
    guard address >> 63 != 0, let name = symbolizer.name(of: address &- 1), name.isText || name.module != nil,
      let bytes = space.read(address &- 7, count: 7)
    else { return false }
    if bytes[2] == 0xE8 { return true }  // CALL rel32
    // CALL r/m64 (FF /2), with or without prefix, SIB and displacement: 2 to 7 bytes.
    for length in 2...7 {
      let at = 7 - length
      guard bytes[at] == 0xFF, bytes[at + 1] >> 3 & 7 == 2 else { continue }
      let (mode, register) = (bytes[at + 1] >> 6, bytes[at + 1] & 7)
      var size = 2
      if mode != 3, register == 4 { size += 1 }
      if mode == 1 { size += 1 } else if mode == 2 || (mode == 0 && register == 5) { size += 4 }
      if size == length { return true }
    }
    return false
  }
}

/// Where the kernel's stacks of one processor are.
struct KernelStacks {
  private var stacks: [(name: String, range: Range<UInt64>)] = []

  init(_ kernel: Kernel) {
    func add(_ name: String, _ base: UInt64, _ size: UInt64) {
      guard base >> 63 != 0, size > 0, size <= 1 << 20, base < .max - size else { return }
      stacks.append((name, base..<(base + size)))
    }
    let taskSize = kernel.size("thread_union") ?? (16 << 10)
    if let task = kernel.currentTaskAddress, let stack = kernel.pointer(task, "task_struct", "stack") {
      add("task", stack, taskSize)
    }
    var top = kernel.perCPU("hardirq_stack_ptr")
    if top == nil, let hot = kernel.perCPUAddress("pcpu_hot") {
      top = kernel.pointer(hot, "pcpu_hot", "hardirq_stack_ptr")
    }
    if let top, top >> 63 != 0 {
      let end = (top &+ 4095) & ~4095
      add("irq", end &- (16 << 10), 16 << 10)
    }
    if let exceptions = kernel.perCPU("cea_exception_stacks"), let types = kernel.types {
      for (name, member) in types.members(of: "cea_exception_stacks") where name.hasSuffix("_stack") {
        if let size = types.size(of: member.type) {
          add(String(name.dropLast("_stack".count)), exceptions &+ member.offset, size)
        }
      }
    }
  }

  func name(of address: UInt64) -> String? { stacks.first { $0.range.contains(address) }?.name }
  func end(of address: UInt64) -> UInt64? { stacks.first { $0.range.contains(address) }?.range.upperBound }
  func start(of address: UInt64) -> UInt64? { stacks.first { $0.range.contains(address) }?.range.lowerBound }
}
