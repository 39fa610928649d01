import X86Core

extension CPU {
  /// Writes the bits of RFLAGS that `mask` names. A change of AC or VM asks for `updateView`/`updateMode` afterwards.
  func writeFlags(_ value: UInt64, mask: UInt64) {
    let flags = (rflags & ~mask) | (value & mask)
    setStatusFlags(flags)
    f.pointee.systemFlags = flags & ~RFLAGS.status | 2
  }

  /// Bits that POPF and IRET may change at this privilege (SDM 2B POPF, 2A IRET): not RF, VM, VIF, VIP.
  func writableFlags(size: Int) -> UInt64 {
    var mask = RFLAGS.status | RFLAGS.tf | RFLAGS.df | RFLAGS.nt
    if size > 2 { mask |= RFLAGS.ac | RFLAGS.id }
    if !isProtected || f.pointee.cpl <= iopl { mask |= RFLAGS.if }
    if !isProtected || f.pointee.cpl == 0 { mask |= RFLAGS.iopl }
    return mask
  }

  /// The outcome after RFLAGS changed: the driver must look if an interrupt or a single-step trap can now come.
  func flagsChanged() -> Outcome {
    let flags = f.pointee.systemFlags
    if flags & RFLAGS.tf != 0 { return .resume }
    if flags & RFLAGS.if != 0 && f.pointee.interruptPending { return .resume }
    return .next
  }

  /// Holds off interrupts until the next instruction has retired.
  func setShadow(isStack: Bool) {
    // While a body runs its own instruction is not counted yet.
    f.pointee.shadowCount = Int64(bitPattern: instructionCount &+ 1)
    f.pointee.shadowIsStack = isStack
  }
}

/// CLI (SDM 2A): IOPL, with VME and PVI.
func cli(_ cpu: CPU, _ op: OpRef) -> Outcome {
  let f = cpu.f
  if !cpu.isProtected || cpu.iopl >= f.pointee.cpl && (!cpu.isVirtual8086 || cpu.iopl == 3) {
    f.pointee.systemFlags &= ~RFLAGS.if
    return .next
  }
  let virtual =
    cpu.isVirtual8086 ? f.pointee.cr4 & CR4.vme != 0 : f.pointee.cr4 & CR4.pvi != 0 && f.pointee.cpl == 3
  guard virtual else { return outcome(cpu.fault(Vector.gp, code: 0)) }
  f.pointee.systemFlags &= ~RFLAGS.vif
  return .next
}

/// STI (SDM 2B): IOPL, with VME and PVI; interrupts are held off for one more instruction.
func sti(_ cpu: CPU, _ op: OpRef) -> Outcome {
  let f = cpu.f
  if !cpu.isProtected || cpu.iopl >= f.pointee.cpl && (!cpu.isVirtual8086 || cpu.iopl == 3) {
    if f.pointee.systemFlags & RFLAGS.if == 0 {
      f.pointee.systemFlags |= RFLAGS.if
      cpu.setShadow(isStack: false)
      return cpu.flagsChanged()
    }
    return .next
  }
  let virtual =
    cpu.isVirtual8086 ? f.pointee.cr4 & CR4.vme != 0 : f.pointee.cr4 & CR4.pvi != 0 && f.pointee.cpl == 3
  guard virtual, f.pointee.systemFlags & RFLAGS.vip == 0 else {
    return outcome(cpu.fault(Vector.gp, code: 0))
  }
  f.pointee.systemFlags |= RFLAGS.vif
  return .next
}

/// PUSHF, PUSHFD, PUSHFQ (SDM 2B).
func pushf(_ cpu: CPU, _ op: OpRef) -> Outcome {
  let size = Int(op.operandSize)
  var flags = cpu.rflags & ~(RFLAGS.vm | RFLAGS.rf)
  if cpu.isVirtual8086 && cpu.iopl < 3 {
    guard size == 2, cpu.f.pointee.cr4 & CR4.vme != 0 else { return outcome(cpu.fault(Vector.gp, code: 0)) }
    let virtualIF = flags & RFLAGS.vif != 0 ? RFLAGS.if : 0
    flags = flags & ~RFLAGS.if | RFLAGS.iopl | virtualIF
  }
  return outcome(cpu.push(flags, size: size))
}

/// POPF, POPFD, POPFQ (SDM 2B).
func popf(_ cpu: CPU, _ op: OpRef) -> Outcome {
  let f = cpu.f
  let size = Int(op.operandSize)
  let isV86 = cpu.isVirtual8086
  if isV86 && cpu.iopl < 3 && !(size == 2 && f.pointee.cr4 & CR4.vme != 0) {
    return outcome(cpu.fault(Vector.gp, code: 0))
  }
  guard var value = cpu.peek(0, size: size) else { return .fault }
  var mask = cpu.writableFlags(size: size)
  if isV86 { mask &= ~RFLAGS.iopl }
  if isV86 && cpu.iopl < 3 {
    if value & RFLAGS.tf != 0 || value & RFLAGS.if != 0 && f.pointee.systemFlags & RFLAGS.vip != 0 {
      return outcome(cpu.fault(Vector.gp, code: 0))
    }
    value &= 0xFFFF
    if value & RFLAGS.if != 0 { value |= RFLAGS.vif }
    mask = mask & ~RFLAGS.if | RFLAGS.vif
  }
  if size > 2 { mask |= RFLAGS.rf }
  let oldAC = f.pointee.systemFlags & RFLAGS.ac
  cpu.setStackPointer(cpu.stackPointer &+ UInt64(size))
  cpu.writeFlags(value & ~RFLAGS.rf, mask: mask)
  if oldAC != f.pointee.systemFlags & RFLAGS.ac { cpu.updateView() }
  return cpu.flagsChanged()
}

/// CLAC and STAC (SDM 2A, 2B).
func clac(_ cpu: CPU, _ op: OpRef) -> Outcome { setAC(cpu, false) }
func stac(_ cpu: CPU, _ op: OpRef) -> Outcome { setAC(cpu, true) }

private func setAC(_ cpu: CPU, _ on: Bool) -> Outcome {
  guard cpu.f.pointee.cpl == 0, !cpu.isVirtual8086 else { return outcome(cpu.fault(Vector.ud)) }
  if on { cpu.f.pointee.systemFlags |= RFLAGS.ac } else { cpu.f.pointee.systemFlags &= ~RFLAGS.ac }
  cpu.updateView()
  return .next
}
