import X86Core
import X86Decode

/// The handler of a system instruction; nil when it is none.
///
/// Chosen by what the instruction's bytes say alone; the operation's fields are those of the generic encoding.
public func systemHandler(for instruction: Instruction) -> Handler? {
  switch instruction.operation {
  case .mov, .push, .pop, .les, .lds, .lss, .lfs, .lgs, .rdfsbase, .rdgsbase, .wrfsbase, .wrgsbase:
    return segmentHandler(instruction)
  case .in, .out, .ins, .outs: return portHandler(instruction)

  case .iret: return { slow($0, $1, $2, iret) }
  case .retf: return { slow($0, $1, $2, retf) }
  case .jmpFar:
    if instruction.isMemory { return { slow($0, $1, $2, jumpFarMemory) } }
    return { slow($0, $1, $2, jumpFarPointer) }
  case .callFar:
    if instruction.isMemory { return { slow($0, $1, $2, callFarMemory) } }
    return { slow($0, $1, $2, callFarPointer) }
  case .int: return { slow($0, $1, $2, intN) }
  case .int3: return { slow($0, $1, $2, int3) }
  case .int1: return { slow($0, $1, $2, int1) }
  case .into: return { slow($0, $1, $2, into) }
  case .bound: return { slow($0, $1, $2, bound) }
  case .ud0, .ud1, .ud2, .rsm, .invalid: return { slow($0, $1, $2, undefined) }

  case .syscall: return { slow($0, $1, $2, syscall) }
  case .sysret: return { slow($0, $1, $2, sysret) }
  case .sysenter: return { slow($0, $1, $2, sysenter) }
  case .sysexit: return { slow($0, $1, $2, sysexit) }
  case .swapgs: return { slow($0, $1, $2, swapgs) }

  case .cli: return { slow($0, $1, $2, cli) }
  case .sti: return { slow($0, $1, $2, sti) }
  case .pushf: return { slow($0, $1, $2, pushf) }
  case .popf: return { slow($0, $1, $2, popf) }
  case .clac: return { slow($0, $1, $2, clac) }
  case .stac: return { slow($0, $1, $2, stac) }

  case .sgdt: return { slow($0, $1, $2, sgdt) }
  case .sidt: return { slow($0, $1, $2, sidt) }
  case .lgdt: return { slow($0, $1, $2, lgdt) }
  case .lidt: return { slow($0, $1, $2, lidt) }
  case .sldt: return { slow($0, $1, $2, sldt) }
  case .str: return { slow($0, $1, $2, str) }
  case .lldt: return { slow($0, $1, $2, lldt) }
  case .ltr: return { slow($0, $1, $2, ltr) }
  case .lar: return { slow($0, $1, $2, lar) }
  case .lsl: return { slow($0, $1, $2, lsl) }
  case .verr: return { slow($0, $1, $2, verr) }
  case .verw: return { slow($0, $1, $2, verw) }
  case .arpl: return { slow($0, $1, $2, arpl) }

  case .smsw: return { slow($0, $1, $2, smsw) }
  case .lmsw: return { slow($0, $1, $2, lmsw) }
  case .clts: return { slow($0, $1, $2, clts) }
  case .invlpg: return { slow($0, $1, $2, invlpg) }
  case .invpcid: return { slow($0, $1, $2, invpcid) }
  case .invd, .wbinvd, .wbnoinvd: return { slow($0, $1, $2, invalidateCaches) }
  case .xgetbv: return { slow($0, $1, $2, xgetbv) }
  case .xsetbv: return { slow($0, $1, $2, xsetbv) }
  case .rdpkru: return { slow($0, $1, $2, rdpkru) }
  case .wrpkru: return { slow($0, $1, $2, wrpkru) }

  case .hlt: return { slow($0, $1, $2, hlt) }
  case .monitor: return { slow($0, $1, $2, monitor) }
  case .mwait: return { slow($0, $1, $2, mwait) }
  case .pause: return { slow($0, $1, $2, pause) }
  case .serialize: return { slow($0, $1, $2, serialize) }
  case .cpuid: return { slow($0, $1, $2, cpuid) }
  case .rdtsc: return { slow($0, $1, $2, rdtsc) }
  case .rdtscp: return { slow($0, $1, $2, rdtscp) }
  case .rdpid: return { slow($0, $1, $2, rdpid) }
  case .rdrand, .rdseed: return { slow($0, $1, $2, readRandom) }
  case .rdpmc: return { slow($0, $1, $2, rdpmc) }
  case .rdmsr: return { slow($0, $1, $2, rdmsr) }
  case .wrmsr: return { slow($0, $1, $2, wrmsr) }
  default: return nil
  }
}

/// Instructions with a segment, control or debug register as operand.
private func segmentHandler(_ instruction: Instruction) -> Handler? {
  switch (instruction.operation, instruction.operands.0, instruction.operands.1) {
  case (.mov, .sw, _): return { slow($0, $1, $2, movToSegment) }
  case (.mov, _, .sw): return { slow($0, $1, $2, movFromSegment) }
  case (.mov, .cd, _): return { slow($0, $1, $2, movToControl) }
  case (.mov, _, .cd): return { slow($0, $1, $2, movFromControl) }
  case (.mov, .dd, _): return { slow($0, $1, $2, movToDebug) }
  case (.mov, _, .dd): return { slow($0, $1, $2, movFromDebug) }

  case (.push, .es, _): return { slow($0, $1, $2) { pushSegment($0, $1, 0) } }
  case (.push, .cs, _): return { slow($0, $1, $2) { pushSegment($0, $1, 1) } }
  case (.push, .ss, _): return { slow($0, $1, $2) { pushSegment($0, $1, 2) } }
  case (.push, .ds, _): return { slow($0, $1, $2) { pushSegment($0, $1, 3) } }
  case (.push, .fs, _): return { slow($0, $1, $2) { pushSegment($0, $1, 4) } }
  case (.push, .gs, _): return { slow($0, $1, $2) { pushSegment($0, $1, 5) } }
  case (.pop, .es, _): return { slow($0, $1, $2) { popSegment($0, $1, 0) } }
  case (.pop, .ss, _): return { slow($0, $1, $2) { popSegment($0, $1, 2) } }
  case (.pop, .ds, _): return { slow($0, $1, $2) { popSegment($0, $1, 3) } }
  case (.pop, .fs, _): return { slow($0, $1, $2) { popSegment($0, $1, 4) } }
  case (.pop, .gs, _): return { slow($0, $1, $2) { popSegment($0, $1, 5) } }

  case (.les, _, _): return { slow($0, $1, $2) { loadFarPointer($0, $1, 0) } }
  case (.lss, _, _): return { slow($0, $1, $2) { loadFarPointer($0, $1, 2) } }
  case (.lds, _, _): return { slow($0, $1, $2) { loadFarPointer($0, $1, 3) } }
  case (.lfs, _, _): return { slow($0, $1, $2) { loadFarPointer($0, $1, 4) } }
  case (.lgs, _, _): return { slow($0, $1, $2) { loadFarPointer($0, $1, 5) } }

  case (.rdfsbase, _, _): return { slow($0, $1, $2) { readSegmentBase($0, $1, 4) } }
  case (.rdgsbase, _, _): return { slow($0, $1, $2) { readSegmentBase($0, $1, 5) } }
  case (.wrfsbase, _, _): return { slow($0, $1, $2) { writeSegmentBase($0, $1, 4) } }
  case (.wrgsbase, _, _): return { slow($0, $1, $2) { writeSegmentBase($0, $1, 5) } }
  default: return nil
  }
}

private func portHandler(_ instruction: Instruction) -> Handler? {
  switch (instruction.operation, instruction.operands.0, instruction.operands.1) {
  case (.in, .al, .ib): return { slow($0, $1, $2, inByteImmediate) }
  case (.in, _, .ib): return { slow($0, $1, $2, inImmediate) }
  case (.in, .al, _): return { slow($0, $1, $2, inByte) }
  case (.in, _, _): return { slow($0, $1, $2, inWide) }
  case (.out, .ib, .al): return { slow($0, $1, $2, outByteImmediate) }
  case (.out, .ib, _): return { slow($0, $1, $2, outImmediate) }
  case (.out, _, .al): return { slow($0, $1, $2, outByte) }
  case (.out, _, _): return { slow($0, $1, $2, outWide) }
  case (.ins, .yb, _): return { slow($0, $1, $2, insByte) }
  case (.ins, _, _): return { slow($0, $1, $2, insWide) }
  case (.outs, _, .xb): return { slow($0, $1, $2, outsByte) }
  default: return { slow($0, $1, $2, outsWide) }
  }
}

/// Whether a block ends behind a system instruction: it may change the control flow, the mode, the mappings or what
/// interrupts can come, so that its handler may leave by other ways than to the next operation.
public func endsBlock(_ instruction: Instruction) -> Bool {
  switch instruction.operation {
  case .mov:
    // Stores of segment, control and debug registers go on.
    switch instruction.operands.0 {
    case .sw, .cd, .dd: return true
    default: return false
    }
  case .pop:
    switch instruction.operands.0 {
    case .es, .ss, .ds, .fs, .gs: return true
    default: return false
    }
  default: return endsBlock(instruction.operation)
  }
}

/// As `endsBlock(_: Instruction)`, for operations of this module's own: not MOV, PUSH, POP.
public func endsBlock(_ operation: Operation) -> Bool {
  switch operation {
  case .iret, .retf, .jmpFar, .callFar, .int, .int3, .int1, .into, .ud0, .ud1, .ud2, .rsm, .invalid, .syscall,
    .sysret,
    .sysenter, .sysexit, .sti, .popf, .lmsw, .invlpg, .invpcid, .xsetbv, .hlt, .mwait, .pause, .wrmsr, .in,
    .out,
    .ins, .outs, .les, .lds, .lss, .lfs, .lgs:
    return true
  default: return false
  }
}
