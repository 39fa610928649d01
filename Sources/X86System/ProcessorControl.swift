import X86Core
import X86Decode

func hlt(_ cpu: CPU, _ op: OpRef) -> Outcome {
  guard cpu.requirePrivilege() else { return .fault }
  return .halt
}

/// MONITOR arms nothing: MWAIT then waits for an interrupt, which it may (SDM 2B MWAIT).
func monitor(_ cpu: CPU, _ op: OpRef) -> Outcome {
  cpu.f.pointee.cpl == 0 ? .next : outcome(cpu.fault(Vector.ud))
}
func mwait(_ cpu: CPU, _ op: OpRef) -> Outcome {
  cpu.f.pointee.cpl == 0 ? .halt : outcome(cpu.fault(Vector.ud))
}

/// A guest that waits in a loop lets time pass: a microsecond.
func pause(_ cpu: CPU, _ op: OpRef) -> Outcome {
  cpu.addTime(1000)
  return .resume
}

/// INVD, WBINVD, WBNOINVD: there are no caches.
func invalidateCaches(_ cpu: CPU, _ op: OpRef) -> Outcome {
  cpu.requirePrivilege() ? .next : .fault
}

func serialize(_ cpu: CPU, _ op: OpRef) -> Outcome { .next }

extension CPU {
  fileprivate func mayReadTSC() -> Bool {
    f.pointee.cr4 & CR4.tsd != 0 && f.pointee.cpl != 0 ? fault(Vector.gp, code: 0) : true
  }
  fileprivate func setEDXEAX(_ value: UInt64) {
    setR64(GPR.rax, value & 0xFFFF_FFFF)
    setR64(GPR.rdx, value >> 32)
  }
}

func rdtsc(_ cpu: CPU, _ op: OpRef) -> Outcome {
  guard cpu.mayReadTSC() else { return .fault }
  cpu.setEDXEAX(cpu.timeStampCounter)
  return .next
}

func rdtscp(_ cpu: CPU, _ op: OpRef) -> Outcome {
  guard cpu.mayReadTSC() else { return .fault }
  cpu.setEDXEAX(cpu.timeStampCounter)
  cpu.setR64(GPR.rcx, cpu.f.pointee.tscAux & 0xFFFF_FFFF)
  return .next
}

func rdpid(_ cpu: CPU, _ op: OpRef) -> Outcome {
  cpu.setR64(op.s, cpu.f.pointee.tscAux & 0xFFFF_FFFF)
  return .next
}

/// RDRAND and RDSEED: CF tells that there was a number, which there always is (SDM 2B).
func readRandom(_ cpu: CPU, _ op: OpRef) -> Outcome {
  cpu.setRegister(op.s, size: UInt8(op.operandSize), cpu.seams.drawEntropy())
  cpu.setStatusFlags(RFLAGS.cf)
  return .next
}

/// RDPMC: there are no counters.
func rdpmc(_ cpu: CPU, _ op: OpRef) -> Outcome { outcome(cpu.fault(Vector.gp, code: 0)) }

// MARK: XCR0 and PKRU

func xgetbv(_ cpu: CPU, _ op: OpRef) -> Outcome {
  let f = cpu.f
  guard f.pointee.cr4 & CR4.osxsave != 0 else { return outcome(cpu.fault(Vector.ud)) }
  switch cpu.reg(GPR.rcx, UInt32.self) {
  case 0: cpu.setEDXEAX(f.pointee.xcr0)
  case 1 where cpu.decoderFeatures.contains(.xsavec):
    // XINUSE: nothing is tracked, all that is enabled may be in use.
    cpu.setEDXEAX(f.pointee.xcr0)
  default: return outcome(cpu.fault(Vector.gp, code: 0))
  }
  return .next
}

func xsetbv(_ cpu: CPU, _ op: OpRef) -> Outcome {
  let f = cpu.f
  guard f.pointee.cr4 & CR4.osxsave != 0 else { return outcome(cpu.fault(Vector.ud)) }
  guard cpu.requirePrivilege() else { return .fault }
  let value = UInt64(cpu.reg(GPR.rdx, UInt32.self)) << 32 | UInt64(cpu.reg(GPR.rax, UInt32.self))
  let model = cpu.model
  // x87 always; AVX only with SSE (SDM 1 13.3).
  guard cpu.reg(GPR.rcx, UInt32.self) == 0, value & ~model.validXCR0 == 0, value & 1 != 0, value & 6 != 4
  else {
    return outcome(cpu.fault(Vector.gp, code: 0))
  }
  f.pointee.xcr0 = value
  return .resume
}

func rdpkru(_ cpu: CPU, _ op: OpRef) -> Outcome {
  guard cpu.f.pointee.cr4 & CR4.pke != 0 else { return outcome(cpu.fault(Vector.ud)) }
  guard cpu.reg(GPR.rcx, UInt32.self) == 0 else { return outcome(cpu.fault(Vector.gp, code: 0)) }
  cpu.setEDXEAX(UInt64(cpu.f.pointee.pkru))
  return .next
}

func wrpkru(_ cpu: CPU, _ op: OpRef) -> Outcome {
  guard cpu.f.pointee.cr4 & CR4.pke != 0 else { return outcome(cpu.fault(Vector.ud)) }
  guard cpu.reg(GPR.rcx, UInt32.self) == 0, cpu.reg(GPR.rdx, UInt32.self) == 0 else {
    return outcome(cpu.fault(Vector.gp, code: 0))
  }
  cpu.f.pointee.pkru = cpu.reg(GPR.rax, UInt32.self)
  // Data TLB entries were made under the old rights.
  cpu.clearTLBs()
  return .next
}
