/// How an instruction that is executed out of line ended.
public enum Outcome {
  /// Retired; go on with the next operation of the block.
  case next
  /// Retired; let the driver look at the world (time was added, a device changed, the mode changed) and go on behind it.
  case resume
  /// Retired; a jump: `rip` is set, and the mode may have changed.
  case jump
  /// Not retired: the recorded fault is to be delivered.
  case fault
  /// Retired: the recorded trap is to be delivered.
  case trap
  /// Retired, and the recorded fault is to be delivered at `rip`, which is set: a task switch that was committed.
  case faultAtRIP
  /// Retired: HLT or MWAIT. `rip` is behind it.
  case halt
  /// Not retired, will be executed again: a REP iteration count ended before the work. `rip` is at it, and
  /// `exitLeft` was charged by the body.
  case again
}

/// Runs a slow instruction's body and leaves or goes on as its outcome says. While the body runs, `exitLeft` is what was
/// left before this instruction, so that instruction count and virtual time are exact in everything it calls.
@inlinable @inline(__always)
public func slow(
  _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int, _ body: (CPU, OpRef) -> Outcome
) {
  let f = CPU(cpu).f
  f.pointee.exitLeft = left &+ Int(OpRef(op).after) &+ 1
  switch outOfLine(CPU(cpu), OpRef(op), body) {
  case .next:
    if _slowPath(f.pointee.attention) { return resume(cpu, op, left) }
    return next(cpu, op, left)
  case .resume: return resume(cpu, op, left)
  case .jump: return resumeAtRIP(cpu, op, left)
  case .fault: return raise(cpu, op, left)
  case .trap: return raiseTrap(cpu, op, left)
  case .faultAtRIP:
    resumeAtRIP(cpu, op, left)
    f.pointee.exitReason = .fault
  case .halt:
    resume(cpu, op, left)
    f.pointee.exitReason = .halt
  case .again:
    f.pointee.rip = OpRef(op).rip
    f.pointee.exitReason = .resume
  }
}

/// Calls a body without taking it in. Whatever the body keeps on the stack (the result of an unspecialised call, say)
/// would, inside the handler, turn the jump to the next handler into a call, and a guest's loop would then eat the stack.
@inlinable @inline(never)
func outOfLine(_ cpu: CPU, _ op: OpRef, _ body: (CPU, OpRef) -> Outcome) -> Outcome { body(cpu, op) }

extension CPU {
  /// Instructions retired so far. Exact in the driver and inside slow instructions (not counting the one that runs).
  public var instructionCount: UInt64 { UInt64(bitPattern: f.pointee.countLimit &- Int64(f.pointee.exitLeft)) }

  /// Nanoseconds of virtual time at `instructionCount`.
  public var virtualTime: UInt64 {
    (instructionCount &<< f.pointee.timeShift) &+ f.pointee.addedTime
  }

  /// Adds virtual time that passes without instructions; the instruction must end with `.resume`. Asks for attention: the
  /// next deadline comes after fewer instructions.
  public func addTime(_ nanoseconds: UInt64) {
    f.pointee.addedTime &+= nanoseconds
    f.pointee.attention = true
  }
}
