import X86Core
import X86Float

extension FPU {
  /// #NM of all x87 instructions but WAIT: CR0.EM or TS. False: fault recorded.
  func isAvailable() -> Bool {
    if fields.pointee.cr0 & (CR0.em | CR0.ts) != 0 { return cpu.fault(Vector.nm) }
    return true
  }

  /// #MF for an unmasked exception of an earlier instruction (SDM 1 8.6, 8.7). False: fault recorded.
  ///
  /// With CR0.NE clear the processor would signal FERR# and wait for the interrupt controller's IRQ 13. There is no
  /// such line on the board: the exception stays pending, unseen but in the status word.
  func hasNothingPending() -> Bool {
    if fields.pointee.x87Status & X87.es != 0, fields.pointee.cr0 & CR0.ne != 0 {
      return cpu.fault(Vector.mf)
    }
    return true
  }

  /// Records where the instruction and its memory operand lie, and its opcode (SDM 1 8.1.8, 8.1.9).
  ///
  /// As the processors before FDP_EXCPTN_ONLY and without the fopcode sub-mode: every non-control instruction
  /// records, masked or not, FCS and FDS included; without a memory operand, FDP and FDS (then undefined) stay.
  func record(_ op: OpRef) {
    fields.pointee.x87InstructionPointer = op.rip
    fields.pointee.x87InstructionSelector = cpu.cs.pointee.selector
    fields.pointee.x87Opcode = UInt16(truncatingIfNeeded: op.imm) & 0x7FF
    if op.isMemory {
      fields.pointee.x87DataPointer = GeneralForm.effective(cpu, op)
      fields.pointee.x87DataSelector = cpu.segment(op.segment & 7).pointee.selector
    }
  }
}

/// Runs an instruction that computes or moves numbers: after #NM and #MF, `body`, and then the pointers.
/// `body` returns false for a recorded fault of a memory access, with nothing changed.
@inline(__always)
func numeric(
  _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int, _ body: (FPU, OpRef) -> Bool
) {
  slow(cpu, op, left) { c, o in
    let fpu = FPU(c)
    guard fpu.isAvailable(), fpu.hasNothingPending(), body(fpu, o) else { return .fault }
    fpu.record(o)
    return .next
  }
}

/// Runs a control instruction, which leaves the pointers alone. Those without `waiting` do not look for pending
/// exceptions: FNINIT, FNCLEX, FNSTENV, FNSAVE, FNSTSW, FNSTCW (SDM 1 8.3.12).
@inline(__always)
func controlling(
  _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int, waiting: Bool,
  _ body: (FPU, OpRef) -> Bool
) {
  slow(cpu, op, left) { c, o in
    let fpu = FPU(c)
    guard fpu.isAvailable(), !waiting || fpu.hasNothingPending(), body(fpu, o) else { return .fault }
    return .next
  }
}

/// WAIT: #NM for CR0.MP with TS alone (SDM 3A table 2-2).
func wait(_ c: CPU, _ o: OpRef) -> Outcome {
  let both = CR0.mp | CR0.ts
  if c.f.pointee.cr0 & both == both {
    c.fault(Vector.nm)
    return .fault
  }
  return FPU(c).hasNothingPending() ? .next : .fault
}
