import X86Core

/// Flat segments that the fast system call instructions load without descriptors.
private enum Flat {
  static let code64: UInt16 = 0xA09B
  static let code32: UInt16 = 0xC09B
  static let data: UInt16 = 0xC093
  static let userDPL: UInt16 = 0x60
}

extension CPU {
  /// Loads CS and SS with flat segments of privilege `cpl` and sets CPL.
  private func setFlat(code: UInt16, stack: UInt16, cpl: UInt8, long: Bool) {
    let dpl: UInt16 = cpl == 3 ? Flat.userDPL : 0
    cs.pointee = SegmentRegister(
      selector: code, attributes: (long ? Flat.code64 : Flat.code32) | dpl, limit: .max)
    ss.pointee = SegmentRegister(selector: stack, attributes: Flat.data | dpl, limit: .max)
    setSegmentBase(1, 0)
    setSegmentBase(2, 0)
    f.pointee.cpl = cpl
    updateMode()
  }

  fileprivate func enterBySyscall(_ returnAddress: UInt64) {
    let f = f
    setR64(GPR.rcx, returnAddress)
    let flags = rflags & ~RFLAGS.rf
    setR64(11, flags)
    writeFlags(flags & ~f.pointee.sfmask, mask: .max)
    f.pointee.rip = f.pointee.lstar
    let selector = UInt16(truncatingIfNeeded: f.pointee.star >> 32) & 0xFFFC
    setFlat(code: selector, stack: selector &+ 8, cpl: 0, long: true)
  }

  fileprivate func leaveBySysret(wide: Bool) -> Bool {
    let f = f
    let target = r64(GPR.rcx)
    // Intel checks while still in ring 0.
    if wide && !isCanonical(target) { return fault(Vector.gp, code: 0) }
    f.pointee.rip = wide ? target : target & 0xFFFF_FFFF
    writeFlags(r64(11) & 0x3C_7FD7, mask: .max)
    let selector = UInt16(truncatingIfNeeded: f.pointee.star >> 48)
    setFlat(code: (wide ? selector &+ 16 : selector) | 3, stack: (selector &+ 8) | 3, cpl: 3, long: wide)
    return true
  }

  fileprivate func enterBySysenter() {
    let f = f
    f.pointee.systemFlags &= ~(RFLAGS.vm | RFLAGS.if | RFLAGS.rf)
    let long = isLongActive
    let mask: UInt64 = long ? .max : 0xFFFF_FFFF
    setR64(GPR.rsp, f.pointee.sysenterESP & mask)
    f.pointee.rip = f.pointee.sysenterEIP & mask
    let selector = UInt16(truncatingIfNeeded: f.pointee.sysenterCS) & 0xFFFC
    setFlat(code: selector, stack: selector &+ 8, cpl: 0, long: long)
  }

  fileprivate func leaveBySysexit(wide: Bool) -> Bool {
    let f = f
    let stack = r64(GPR.rcx)
    let target = r64(GPR.rdx)
    if wide && !(isCanonical(stack) && isCanonical(target)) { return fault(Vector.gp, code: 0) }
    let mask: UInt64 = wide ? .max : 0xFFFF_FFFF
    setR64(GPR.rsp, stack & mask)
    f.pointee.rip = target & mask
    let selector = UInt16(truncatingIfNeeded: f.pointee.sysenterCS)
    setFlat(
      code: (selector &+ (wide ? 32 : 16)) | 3, stack: (selector &+ (wide ? 40 : 24)) | 3, cpl: 3, long: wide)
    return true
  }
}

/// SYSCALL (SDM 2B); in 64-bit mode only, as Intel's.
func syscall(_ cpu: CPU, _ op: OpRef) -> Outcome {
  guard cpu.f.pointee.efer & EFER.sce != 0, cpu.is64Bit else { return outcome(cpu.fault(Vector.ud)) }
  cpu.enterBySyscall(op.nextRIP)
  cpu.f.pointee.stepRule = .flagAfter
  return .jump
}

/// SYSRET (SDM 2B).
func sysret(_ cpu: CPU, _ op: OpRef) -> Outcome {
  guard cpu.f.pointee.efer & EFER.sce != 0, cpu.is64Bit else { return outcome(cpu.fault(Vector.ud)) }
  guard cpu.f.pointee.cpl == 0 else { return outcome(cpu.fault(Vector.gp, code: 0)) }
  guard cpu.leaveBySysret(wide: op.operandSize == 8) else { return .fault }
  cpu.f.pointee.stepRule = .flagAfter
  return .jump
}

/// SYSENTER (SDM 2B).
func sysenter(_ cpu: CPU, _ op: OpRef) -> Outcome {
  guard cpu.isProtected, cpu.f.pointee.sysenterCS & 0xFFFC != 0 else {
    return outcome(cpu.fault(Vector.gp, code: 0))
  }
  cpu.enterBySysenter()
  return .jump
}

/// SYSEXIT (SDM 2B).
func sysexit(_ cpu: CPU, _ op: OpRef) -> Outcome {
  guard cpu.isProtected, cpu.f.pointee.sysenterCS & 0xFFFC != 0, cpu.f.pointee.cpl == 0 else {
    return outcome(cpu.fault(Vector.gp, code: 0))
  }
  return outcome(cpu.leaveBySysexit(wide: op.operandSize == 8), .jump)
}

/// SWAPGS (SDM 2B).
func swapgs(_ cpu: CPU, _ op: OpRef) -> Outcome {
  guard cpu.f.pointee.cpl == 0 else { return outcome(cpu.fault(Vector.gp, code: 0)) }
  let base = cpu.segmentBase(5)
  cpu.setSegmentBase(5, cpu.f.pointee.kernelGSBase)
  cpu.f.pointee.kernelGSBase = base
  return .next
}
