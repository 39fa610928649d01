import X86Core

/// Bits of IA32_DEBUGCTL (SDM 3B 18.4.1).
enum DebugCtl {
  static let lbr: UInt64 = 1 << 0, btf: UInt64 = 1 << 1
}

extension CPU {
  /// IA32_DEBUGCTL.BTF: single-step on branches.
  public var stepsOnBranches: Bool { msrWord(MSRStore.debugCtl) & DebugCtl.btf != 0 }

  /// Delivery of a debug exception ends general detection, recording of branches and stepping on branches
  /// (SDM 3B 18.2.4, 18.4.3, 18.4.4).
  func debugExceptionDelivered() {
    f.pointee.dr7 &= ~DR7.gd
    setMSRWord(MSRStore.debugCtl, msrWord(MSRStore.debugCtl) & ~(DebugCtl.lbr | DebugCtl.btf))
  }

  /// The register that a number names, DR4 and DR5 resolved; nil with #UD or #DB recorded.
  fileprivate func debugRegister(_ number: UInt8) -> UInt8? {
    guard requirePrivilege() else { return nil }
    var number = number
    if number == 4 || number == 5 {
      guard f.pointee.cr4 & CR4.de == 0 else {
        fault(Vector.ud)
        return nil
      }
      number += 2
    }
    guard number < 8 else {
      fault(Vector.ud)
      return nil
    }
    if f.pointee.dr7 & DR7.gd != 0 {
      setDebugStatus(DR6.bd)
      fault(Vector.db)
      return nil
    }
    return number
  }
}

/// MOV r, DRn.
func movFromDebug(_ cpu: CPU, _ op: OpRef) -> Outcome {
  let f = cpu.f
  guard let number = cpu.debugRegister(op.d) else { return .fault }
  let value: UInt64
  switch number {
  case 0: value = f.pointee.dr.0
  case 1: value = f.pointee.dr.1
  case 2: value = f.pointee.dr.2
  case 3: value = f.pointee.dr.3
  case 6: value = f.pointee.dr6
  default: value = f.pointee.dr7
  }
  cpu.setRegister(op.s, size: cpu.is64Bit ? 8 : 4, value)
  return .next
}

/// MOV DRn, r.
func movToDebug(_ cpu: CPU, _ op: OpRef) -> Outcome {
  let f = cpu.f
  guard let number = cpu.debugRegister(op.d) else { return .fault }
  let value = cpu.register(op.s, size: cpu.is64Bit ? 8 : 4)
  switch number {
  case 0: f.pointee.dr.0 = value
  case 1: f.pointee.dr.1 = value
  case 2: f.pointee.dr.2 = value
  case 3: f.pointee.dr.3 = value
  default:
    guard value >> 32 == 0 else { return outcome(cpu.fault(Vector.gp, code: 0)) }
    if number == 6 {
      f.pointee.dr6 = value & (0xF | DR6.bd | DR6.bs | DR6.bt) | DR6.fixed
    } else {
      f.pointee.dr7 = value & 0xFFFF_23FF | DR7.fixed
    }
  }
  // Breakpoints are met by the driver.
  cpu.updateBreakpoints()
  return .resume
}
