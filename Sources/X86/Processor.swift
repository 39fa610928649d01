import X86Core
import X86Decode
import X86System

/// One x86 processor: state, decoded blocks, and the driver that runs them.
///
/// The driver executes whole blocks while the budget covers them, and single instructions up to the budget's exact end.
/// Interrupts, faults and everything that a handler cannot do for itself come back here.
public final class Processor {
  public enum Stop: Equatable {
    /// The instruction count has reached the limit.
    case limit
    /// Somebody asked for attention: a device changed, time was added, a stop was requested.
    case attention
    /// HLT or MWAIT, and no interrupt that would end it is pending.
    case halted
    /// A triple fault.
    case shutdown
  }

  public let cpu: CPU
  public let model: ProcessorModel
  private let memory: GuestMemory
  private let cache: BlockCache
  let fetchMap: FetchMap
  private let allocation: UnsafeMutableRawPointer
  /// The world. Held here so that the raw pointer in the state stays good.
  public let seams: ProcessorSeams
  /// In HLT or MWAIT.
  public var isHalted = false
  /// The next instruction has met a data breakpoint and is to be executed alone, which makes no other difference.
  private var stepsNext = false

  /// - Parameter seams: the world; its `codeWritten` and `flushBlocks` must end here (see `ProcessorWorld`).
  public init(memory: GuestMemory, seams: ProcessorSeams, model: ProcessorModel = .default) {
    let size = Layout.size
    allocation = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 4096)
    allocation.initializeMemory(as: UInt8.self, repeating: 0, count: size)
    cpu = CPU(allocation)
    self.memory = memory
    self.seams = seams
    self.model = model
    (allocation + Layout.fields).initializeMemory(as: CPUFields.self, to: CPUFields())
    let f = cpu.f
    f.pointee.seams = Unmanaged.passUnretained(seams).toOpaque()
    f.pointee.ramBase = memory.base
    f.pointee.pageFlags = memory.pageFlags
    f.pointee.ramSize = memory.size
    f.pointee.ramLowSize = memory.lowSize
    if memory.romSize > 0 { f.pointee.romBase = memory.romBase }
    cpu.resetState(model)
    fetchMap = FetchMap(cpu: cpu)
    cache = BlockCache(cpu: cpu, fetchMap: fetchMap, memory: memory, features: model.decoder)
    f.pointee.sentinel = UInt(bitPattern: cache.sentinel)
    cpu.clearTLBs()
    cpu.clearJumpCache()
    cpu.updateMode()
    memory.onCodePageWrite = { [unowned self] physical, count in self.codeWritten(physical, count) }
  }

  deinit { allocation.deallocate() }

  public var instructionCount: UInt64 { cpu.instructionCount }
  public var decodedBlocks: Int { cache.decodedBlocks }

  /// Power-up or INIT state; the instruction count goes on.
  public func reset() {
    cpu.resetState(model)
    isHalted = false
    cpu.flushTLB()
    cpu.updateMode()
  }

  /// After state was set from outside (loader, checkpoint, debugger).
  public func stateChanged() {
    cpu.flushTLB()
    cpu.updateMode()
  }

  /// Bytes of RAM that may hold decoded code have changed.
  public func codeWritten(_ physical: UInt64, _ count: Int) {
    cache.invalidate(physical: physical, count: count)
    cpu.f.pointee.attention = true
  }
  public func flushBlocks() { cache.flush() }

  /// Asks the driver to come back to its caller at the next boundary.
  public func requestAttention() { cpu.f.pointee.attention = true }

  /// The INTR line.
  public func setInterruptPending(_ pending: Bool) {
    cpu.f.pointee.interruptPending = pending
    if pending { cpu.f.pointee.attention = true }
  }
  public func requestNMI() {
    cpu.f.pointee.nmiPending = true
    cpu.f.pointee.attention = true
  }

  /// Called with each interrupt that is delivered from outside: vector, whether it is an NMI.
  public var onInterrupt: ((UInt8, Bool) -> Void)?

  /// Called before each fault and trap is delivered: vector, error code (0 when it has none). RIP is the return address.
  public var onException: ((UInt8, UInt32) -> Void)?

  // MARK: Observing. The guest sees nothing of it.

  /// Called at a breakpoint before its instruction is executed, with its linear address: whether to come back to the caller.
  public var onBreakpoint: ((UInt64) -> Bool)?

  /// Linear addresses of instructions before which `onBreakpoint` is called.
  public var breakpoints: Set<UInt64> {
    get { cache.breakpoints }
    set {
      guard newValue != cache.breakpoints else { return }
      cache.breakpoints = newValue
      cache.flush()
    }
  }

  private func stopsAtBreakpoint() -> Bool {
    let rip = cpu.f.pointee.rip
    let is64 = cpu.f.pointee.codeMode & CodeMode.bits64 != 0
    return onBreakpoint?(is64 ? rip : (rip &+ cpu.segmentBase(1)) & 0xFFFF_FFFF) ?? false
  }

  /// Keeps each page's content before its first write from now on; nil ends it.
  public func setJournal(_ images: PageImages?) {
    memory.setJournal(images)
    cpu.connectJournal(images)
  }

  /// Goes on with another journal, at once or after pages were put back.
  public func replaceJournal(_ images: PageImages) {
    memory.replaceJournal(images)
    cpu.connectJournal(images)
  }

  /// Looks out for accesses to memory; nil ends it.
  public func setWatch(_ watch: MemoryWatch?) {
    memory.connectWatch(watch)
    cpu.connectWatch(watch)
  }

  // MARK: Running

  /// Runs until the instruction count is `limit` (at most 2^31 away), or something else stops it first.
  public func run(until limit: UInt64) -> Stop {
    let f = cpu.f
    let count = cpu.instructionCount
    f.pointee.countLimit = Int64(bitPattern: limit)
    f.pointee.exitLeft = Int(truncatingIfNeeded: Int64(bitPattern: limit &- count))
    f.pointee.attention = false
    var slotEpoch = cache.epoch
    f.pointee.exitSlot = 0

    while true {
      if f.pointee.attention { return .attention }
      if f.pointee.exitLeft <= 0 { return .limit }
      if f.pointee.debugPending != 0 && !inStackShadow {
        if !deliverDebugTrap() { return .shutdown }
        continue
      }
      if f.pointee.interruptPending || f.pointee.nmiPending {
        f.pointee.exitSlot = 0
        let left = f.pointee.exitLeft
        if !takeInterrupt() { return .shutdown }
        // The next one may follow before the handler's first instruction: a trap gate leaves interrupts on.
        if f.pointee.exitLeft != left { continue }
      }
      if isHalted { return .halted }
      let singleStep = f.pointee.systemFlags & RFLAGS.tf != 0
      // What IRET or a task switch has set holds for one instruction (SDM 3B 18.3.1.1).
      let resumes = f.pointee.systemFlags & RFLAGS.rf != 0
      let armed = f.pointee.armedBreakpoints
      if _slowPath(armed & ArmedBreakpoints.execution != 0), !resumes, !inStackShadow, meetsExecutionBreakpoint() {
        f.pointee.exitSlot = 0
        if !deliverFault() { return .shutdown }
        continue
      }

      guard let block = currentBlock(step: false) else {
        f.pointee.exitSlot = 0
        if !deliverFault() { return .shutdown }
        continue
      }
      // Executed alone, so that each iteration of a string instruction passes here.
      let meetsBreakpoint = block.load(fromByteOffset: 27, as: UInt8.self) & BlockCache.Flags.breakpoint != 0
      if _slowPath(meetsBreakpoint), stopsAtBreakpoint() { return .attention }
      if f.pointee.exitSlot != 0 {
        if slotEpoch == cache.epoch, let slot = UnsafeMutableRawPointer(bitPattern: f.pointee.exitSlot) {
          cache.link(slot, to: block)
        }
        f.pointee.exitSlot = 0
      }

      if resumes { f.pointee.systemFlags &= ~RFLAGS.rf }
      let left = f.pointee.exitLeft
      let rip = f.pointee.rip
      let length = block.load(as: Int.self)
      let inShadow = cpu.f.pointee.shadowCount == Int64(bitPattern: cpu.instructionCount)
      var size: UInt64 = 0
      if _fastPath(length <= left && !singleStep && !inShadow && armed == 0 && !meetsBreakpoint) {
        slotEpoch = cache.epoch
        dispatch(allocation, block + Op.stride, left &- length)
      } else if length <= left && !singleStep && !inShadow && !stepsNext && !meetsBreakpoint
        && !hasBreakpoint(block, armed)
      {
        slotEpoch = cache.epoch
        f.pointee.debugRecords = false
        if armed & ArmedBreakpoints.execution == 0 {
          dispatch(allocation, block + Op.stride, left &- length)
        } else {
          dispatchAlone(block, length, left)
        }
        f.pointee.debugRecords = true
      } else {
        guard let step = currentBlock(step: true) else {
          if !deliverFault() { return .shutdown }
          continue
        }
        size = UInt64(step.load(fromByteOffset: 24, as: UInt16.self))
        dispatchAlone(step, 1, left)
        f.pointee.exitSlot = 0
        stepsNext = false
      }
      if _slowPath(f.pointee.debugMet != 0) {
        // The traps of an instruction that faulted are lost: it will meet them again.
        if f.pointee.exitReason != .fault { f.pointee.debugPending |= f.pointee.debugMet }
        f.pointee.debugMet = 0
      }

      switch f.pointee.exitReason {
      case .resume: break
      // A step that could not go on to its successor has retired all the same.
      case .link: if !singleStep { continue }
      case .fault:
        if _slowPath(f.pointee.faultKind == FaultKind.restart) {
          stepsNext = true
          f.pointee.exitSlot = 0
          continue
        }
        if !deliverFault() { return .shutdown }
        continue
      case .trap:
        if !deliverTrap() { return .shutdown }
        continue
      case .halt:
        isHalted = true
      case .shutdown:
        return .shutdown
      }
      f.pointee.exitSlot = 0
      // Not at once: a stop that the instruction asked for comes before its own trap.
      var traps = singleStep
      if _slowPath(f.pointee.stepRule != .flagBefore) {
        traps = f.pointee.systemFlags & RFLAGS.tf != 0
        f.pointee.stepRule = .flagBefore
      }
      if traps && !inStackShadow && !stepsOverStraightCode(from: rip, size) {
        f.pointee.debugPending |= DR6.bs
        // HLT does not wait for anything then.
        isHalted = false
      }
    }
  }

  /// Executes a block and follows no link out of it: its budget is its length, the rest waits outside.
  private func dispatchAlone(_ block: UnsafeRawPointer, _ length: Int, _ left: Int) {
    let f = cpu.f
    let rest = left &- length
    f.pointee.countLimit &-= Int64(rest)
    dispatch(allocation, block + Op.stride, 0)
    f.pointee.countLimit &+= Int64(rest)
    f.pointee.exitLeft &+= rest
  }

  // MARK: Debugging

  /// Behind MOV SS or POP SS: debug traps wait, instruction breakpoints do not hit (SDM 3A 6.8.3).
  private var inStackShadow: Bool {
    let f = cpu.f
    return f.pointee.shadowIsStack && f.pointee.shadowCount == Int64(bitPattern: cpu.instructionCount)
  }

  /// Linear address of the next instruction.
  private var linearRIP: UInt64 {
    let f = cpu.f
    if f.pointee.codeMode & CodeMode.bits64 != 0 { return f.pointee.rip }
    return (f.pointee.rip &+ cpu.segmentBase(1)) & 0xFFFF_FFFF
  }

  /// Whether an instruction breakpoint lies at RIP; the fault is recorded then.
  private func meetsExecutionBreakpoint() -> Bool {
    let met = cpu.executionBreakpoints(at: linearRIP)
    if met == 0 { return false }
    cpu.setDebugStatus(met)
    cpu.fault(Vector.db)
    return true
  }

  /// Whether an instruction breakpoint keeps a block from being executed as a whole.
  private func hasBreakpoint(_ block: UnsafeRawPointer, _ armed: UInt8) -> Bool {
    guard armed & ArmedBreakpoints.execution != 0 else { return false }
    return cpu.hasExecutionBreakpoint(linearRIP, UInt64(block.load(fromByteOffset: 24, as: UInt16.self)))
  }

  /// With DEBUGCTL.BTF single steps stop behind taken branches alone (SDM 3B 18.4.3).
  private func stepsOverStraightCode(from rip: UInt64, _ size: UInt64) -> Bool {
    guard cpu.stepsOnBranches else { return false }
    // A repeated string instruction stays where it is.
    return cpu.f.pointee.rip == rip &+ size || cpu.f.pointee.rip == rip
  }

  /// Delivers what the instruction before has left pending: single step, data and I/O breakpoints, a new task's T flag.
  private func deliverDebugTrap() -> Bool {
    let f = cpu.f
    cpu.setDebugStatus(f.pointee.debugPending)
    f.pointee.debugPending = 0
    cpu.fault(Vector.db)
    f.pointee.faultKind = FaultKind.debugTrap
    return deliverTrap()
  }

  /// The block at RIP, from the fetch TLB and the cache. nil: a fault is recorded.
  @inline(__always)
  private func currentBlock(step: Bool) -> UnsafeRawPointer? {
    let f = cpu.f
    let rip = f.pointee.rip
    var linear = rip
    if f.pointee.codeMode & CodeMode.bits64 != 0 {
      if !cpu.isCanonical(rip) {
        cpu.fault(Vector.gp, code: 0)
        return nil
      }
    } else {
      if rip > UInt64(cpu.cs.pointee.limit) {
        cpu.fault(Vector.gp, code: 0)
        return nil
      }
      linear = (rip &+ cpu.segmentBase(1)) & 0xFFFF_FFFF
    }
    guard let physical = fetchMap.translate(linear) else { return nil }
    guard let host = cpu.hostPointer(physical) else {
      // Code outside RAM: all bytes read as FF, which is no instruction.
      cpu.fault(Vector.ud)
      return nil
    }
    guard let block = cache.block(physical: physical, rip: rip, linear: linear, host: host, step: step) else {
      return nil
    }
    if !step && block.load(fromByteOffset: 27, as: UInt8.self) == 0 {
      let key = Int64(bitPattern: rip) < 0 ? f.pointee.fetchKeyHigh : f.pointee.fetchKeyLow
      let entry = allocation + (Layout.jumpCache &+ Int(truncatingIfNeeded: JumpCache.index(rip) &* 16))
      entry.storeBytes(of: key, as: UInt64.self)
      entry.storeBytes(of: UInt(bitPattern: block), toByteOffset: 8, as: UInt.self)
    }
    return block
  }

  // MARK: Events

  /// Delivers the recorded fault. Each delivery counts one instruction.
  private func deliverFault() -> Bool {
    let f = cpu.f
    f.pointee.exitLeft &-= 1
    onException?(f.pointee.faultVector, f.pointee.faultCode)
    return cpu.deliver(
      f.pointee.faultVector, errorCode: f.pointee.faultHasCode ? f.pointee.faultCode : nil, kind: f.pointee.faultKind)
  }
  private func deliverTrap() -> Bool { deliverFault() }

  /// Takes an NMI or an interrupt if the processor lets it. False: shutdown.
  private func takeInterrupt() -> Bool {
    let f = cpu.f
    let inShadow = f.pointee.shadowCount == Int64(bitPattern: cpu.instructionCount)
    if f.pointee.nmiPending && !f.pointee.nmiBlocked && !(inShadow && f.pointee.shadowIsStack) {
      f.pointee.nmiPending = false
      isHalted = false
      onInterrupt?(2, true)
      f.pointee.exitLeft &-= 1
      return cpu.deliver(Vector.nmi, errorCode: nil, kind: FaultKind.external)
    }
    if f.pointee.interruptPending && f.pointee.systemFlags & RFLAGS.if != 0 && !inShadow {
      guard let vector = seams.acknowledgeInterrupt() else { return true }
      isHalted = false
      onInterrupt?(vector, false)
      f.pointee.exitLeft &-= 1
      return cpu.deliver(vector, errorCode: nil, kind: FaultKind.external)
    }
    return true
  }
}
