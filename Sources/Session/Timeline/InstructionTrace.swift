import PC
import Trace
import X86Core
import X86System

/// One step of a run, taken apart.
public struct TracedStep: Equatable, Sendable {
  public enum Kind: Equatable, Sendable {
    case instruction
    /// An interrupt or exception was delivered; a software interrupt's instruction is part of its delivery.
    case interrupt(vector: UInt8)
    case exception(vector: UInt8, errorCode: UInt32)
  }
  public struct RegisterChange: Equatable, Sendable {
    public var name: String
    public var old: UInt64
    public var new: UInt64
  }
  public struct MemoryChange: Equatable, Sendable {
    public var access: MemoryAccess
    /// Before and after the step.
    public var old: [UInt8]
    public var new: [UInt8]
  }
  public var kind: Kind
  public var before: Instant
  public var after: Instant
  /// Of the instruction, or the return address of a delivery.
  public var rip: UInt64
  /// The bytes at RIP, more than the instruction has, as far as they are mapped.
  public var code: [UInt8]
  /// 16, 32 or 64.
  public var codeWidth: Int
  public var cpl: UInt8
  /// Those that changed, RIP apart.
  public var registers: [RegisterChange]
  /// What was written, in order.
  public var writes: [MemoryChange]
  /// What the processor read, code and page tables apart.
  public var reads: [MemoryAccess]
}

extension Timeline {
  /// Takes single steps from here and tells what each did.
  /// - Returns: why it ended: `.reached` behind the last step.
  @discardableResult
  public func trace(_ count: Int, _ body: (TracedStep) throws -> Void) throws -> TimelineStop {
    let watcher = StepWatcher(machine)
    watcher.arm()
    defer { watcher.disarm() }
    var registers = machine.processorState
    for _ in 0..<max(count, 0) {
      watcher.begin()
      var step = TracedStep(
        kind: .instruction, before: now, after: now, rip: rip, code: machine.codeBytes(), codeWidth: machine.codeWidth,
        cpl: registers.cpl, registers: [], writes: [], reads: [])
      let stop = try self.step(1)
      let end = machine.processorState
      step.after = now
      step.kind = watcher.kind
      step.registers = TracedStep.RegisterChange.between(registers, end)
      step.reads = watcher.reads
      step.writes = watcher.writes.map {
        .init(access: $0.access, old: $0.old, new: machine.readPhysical($0.access.physical, count: $0.old.count) ?? [])
      }
      registers = end
      if step.after != step.before { try body(step) }
      guard stop == .reached else { return stop }
    }
    return .reached
  }

  /// The last steps before now: goes back so many and comes forward again.
  @discardableResult
  public func traceLast(_ count: Int, _ body: (TracedStep) throws -> Void) throws -> TimelineStop {
    let origin = now
    try step(-max(count, 0))
    var isLast = false
    while now < origin, !isLast {
      // Software interrupts take two counts in one step.
      let left = origin.instructionCount &- now.instructionCount
      guard left > 0 else { break }
      let before = now
      let stop = try trace(Int(left)) { if $0.after.instructionCount <= origin.instructionCount { try body($0) } }
      isLast = stop != .reached || now == before
    }
    return try seek(to: StopTarget.instant(origin))
  }
}

/// Notes what a single step accesses.
private final class StepWatcher: MachineObserver {
  private let machine: Machine
  private(set) var reads: [MemoryAccess] = []
  private(set) var writes: [(access: MemoryAccess, old: [UInt8])] = []
  private(set) var kind = TracedStep.Kind.instruction

  init(_ machine: Machine) { self.machine = machine }

  func arm() {
    machine.observer = self
    machine.processor.setWatch(
      MemoryWatch(ranges: [], watchesAll: true) { [unowned self] _, access in
        let access = MemoryAccess(access)
        if access.isWrite {
          // Of a device's registers nothing is known.
          writes.append((access, machine.readPhysical(access.physical, count: access.count) ?? []))
        } else {
          reads.append(access)
        }
      })
  }

  func disarm() {
    machine.observer = nil
    machine.processor.setWatch(nil)
  }

  func begin() {
    reads.removeAll(keepingCapacity: true)
    writes.removeAll(keepingCapacity: true)
    kind = .instruction
  }

  func observePort(_ port: UInt16, size: Int, value: UInt32, isWrite: Bool) {}
  func observeInterrupt(vector: UInt8, isNMI: Bool) { kind = .interrupt(vector: vector) }
  func observeException(vector: UInt8, errorCode: UInt32) { kind = .exception(vector: vector, errorCode: errorCode) }
  func observeBoundary() {}
}

extension TracedStep.RegisterChange {
  static let generalNames = [
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
  ]

  /// Registers that differ between two states, RIP apart.
  public static func between(_ a: ProcessorState, _ b: ProcessorState) -> [Self] {
    var changes: [Self] = []
    func add(_ name: String, _ old: UInt64, _ new: UInt64) {
      if old != new { changes.append(.init(name: name, old: old, new: new)) }
    }
    for (i, name) in generalNames.enumerated() where i < a.general.count && i < b.general.count {
      add(name, a.general[i], b.general[i])
    }
    add("rflags", a.rflags, b.rflags)
    for (i, name) in ["es", "cs", "ss", "ds", "fs", "gs"].enumerated()
    where i < a.segments.count && i < b.segments.count {
      add(name, UInt64(a.segments[i].register.selector), UInt64(b.segments[i].register.selector))
      add(name + ".base", a.segments[i].base, b.segments[i].base)
    }
    add("cr0", a.cr0, b.cr0)
    add("cr2", a.cr2, b.cr2)
    add("cr3", a.cr3, b.cr3)
    add("cr4", a.cr4, b.cr4)
    add("efer", a.efer, b.efer)
    add("gdtr.base", a.gdtr.base, b.gdtr.base)
    add("idtr.base", a.idtr.base, b.idtr.base)
    add("tr", UInt64(a.tr.selector), UInt64(b.tr.selector))
    add("ldtr", UInt64(a.ldtr.selector), UInt64(b.ldtr.selector))
    add("kernel_gs_base", a.kernelGSBase, b.kernelGSBase)
    for i in 0..<min(a.debug.count, b.debug.count) { add("dr\(i < 4 ? i : i + 2)", a.debug[i], b.debug[i]) }
    add("mxcsr", UInt64(a.mxcsr), UInt64(b.mxcsr))
    for i in 0..<min(a.vectors.count, b.vectors.count) {
      let part = i % 4
      add("\(part < 2 ? "xmm" : "ymm")\(i / 4)[\(part)]", a.vectors[i], b.vectors[i])
    }
    for i in 0..<min(a.x87.count, b.x87.count) { add("x87r\(i / 2)\(i % 2 == 0 ? "" : ".exp")", a.x87[i], b.x87[i]) }
    add("fctrl", UInt64(a.x87Control), UInt64(b.x87Control))
    add("fstat", UInt64(a.x87Status) | UInt64(a.x87Top) << 11, UInt64(b.x87Status) | UInt64(b.x87Top) << 11)
    add("pkru", UInt64(a.pkru), UInt64(b.pkru))
    add("star", a.star, b.star)
    add("lstar", a.lstar, b.lstar)
    add("tsc_offset", a.tscOffset, b.tscOffset)
    return changes
  }
}
