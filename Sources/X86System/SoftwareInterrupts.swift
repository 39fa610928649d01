import X86Core

/// Records a trap of the instruction's own making; the processor delivers it with RIP behind the instruction.
private func trap(_ cpu: CPU, _ op: OpRef, _ vector: UInt8, _ kind: UInt8) -> Outcome {
  let f = cpu.f
  f.pointee.faultVector = vector
  f.pointee.faultKind = kind
  f.pointee.faultHasCode = false
  f.pointee.faultCode = 0
  // Should delivery fault, the instruction has not happened: see `deliver`.
  f.pointee.faultAddress = op.rip
  return .trap
}

func int3(_ cpu: CPU, _ op: OpRef) -> Outcome { trap(cpu, op, Vector.bp, FaultKind.softwareException) }
func int1(_ cpu: CPU, _ op: OpRef) -> Outcome { trap(cpu, op, Vector.db, FaultKind.privilegedException) }

func intN(_ cpu: CPU, _ op: OpRef) -> Outcome {
  trap(cpu, op, UInt8(truncatingIfNeeded: op.imm), FaultKind.softwareInterrupt)
}

func into(_ cpu: CPU, _ op: OpRef) -> Outcome {
  cpu.overflowFlag ? trap(cpu, op, Vector.of, FaultKind.softwareException) : .next
}

/// BOUND (SDM 2A): signed comparison with both bounds, inclusive.
func bound(_ cpu: CPU, _ op: OpRef) -> Outcome {
  let size = Int(op.operandSize)
  guard let at = cpu.checkedAddress(op, size: 2 &* size, write: false) else { return .fault }
  let access = cpu.dataAccess(write: false)
  guard let low = cpu.load(at, size: size, access),
    let high = cpu.load(at &+ UInt64(size), size: size, access)
  else {
    return .fault
  }
  func signed(_ value: UInt64) -> Int32 {
    size == 2 ? Int32(Int16(truncatingIfNeeded: value)) : Int32(truncatingIfNeeded: value)
  }
  let index = signed(cpu.register(op.d, size: op.operandSize))
  return index < signed(low) || index > signed(high) ? outcome(cpu.fault(Vector.br)) : .next
}

/// UD0, UD1, UD2, RSM and all that is not there.
func undefined(_ cpu: CPU, _ op: OpRef) -> Outcome { outcome(cpu.fault(Vector.ud)) }
