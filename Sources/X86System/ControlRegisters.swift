import X86Core

extension CPU {
  /// CR4 bits of this processor's features.
  var validCR4: UInt64 {
    var bits =
      CR4.vme | CR4.pvi | CR4.tsd | CR4.de | CR4.pse | CR4.pae | CR4.mce | CR4.pge | CR4.pce | CR4.osfxsr
    bits |= CR4.osxmmexcpt
    let model = modelFeatures
    if model.contains(.umip) { bits |= CR4.umip }
    if model.contains(.smep) { bits |= CR4.smep }
    if model.contains(.pcid) { bits |= CR4.pcide }
    if model.contains(.la57) { bits |= CR4.la57 }
    if model.contains(.pks) { bits |= CR4.pks }
    let features = decoderFeatures
    if features.contains(.fsgsbase) { bits |= CR4.fsgsbase }
    if features.contains(.xsave) { bits |= CR4.osxsave }
    if features.contains(.smap) { bits |= CR4.smap }
    if features.contains(.pku) { bits |= CR4.pke }
    return bits
  }

  /// Writes CR0 with every check and consequence (SDM 2B MOV, 3A 2.5, 9.8.5). False: #GP recorded, nothing changed.
  func writeCR0(_ value: UInt64) -> Bool {
    let f = f
    let known = CR0.pe | CR0.mp | CR0.em | CR0.ts | CR0.ne | CR0.wp | CR0.am | CR0.nw | CR0.cd | CR0.pg
    guard value >> 32 == 0 else { return fault(Vector.gp, code: 0) }
    let new = value & known | CR0.et
    if new & CR0.pg != 0 && new & CR0.pe == 0 || new & CR0.nw != 0 && new & CR0.cd == 0 {
      return fault(Vector.gp, code: 0)
    }
    let old = f.pointee.cr0
    if new & CR0.pg != 0 && old & CR0.pg == 0 {
      if f.pointee.efer & EFER.lme != 0 {
        guard f.pointee.cr4 & CR4.pae != 0, !cs.pointee.long else { return fault(Vector.gp, code: 0) }
        // A 16-bit TSS cannot be used any more.
        guard f.pointee.tr.attributes & 15 != 3 else { return fault(Vector.gp, code: 0) }
        f.pointee.efer |= EFER.lma
      } else if f.pointee.cr4 & CR4.pae != 0 {
        guard loadPDPTEs(f.pointee.cr3) else { return false }
      }
    } else if new & CR0.pg == 0 && old & CR0.pg != 0 {
      guard f.pointee.cr4 & CR4.pcide == 0, !is64Bit else { return fault(Vector.gp, code: 0) }
      f.pointee.efer &= ~EFER.lma
    }
    f.pointee.cr0 = new
    updateSSEAvailability()
    if (old ^ new) & (CR0.pg | CR0.wp | CR0.pe) != 0 {
      flushTLB()
      updateMode()
    } else if (old ^ new) & CR0.am != 0 {
      updateView()
    }
    return true
  }

  /// Writes CR3. False: #GP recorded.
  func writeCR3(_ value: UInt64) -> Bool {
    let f = f
    var value = value
    var flush = true
    if isLongActive {
      if f.pointee.cr4 & CR4.pcide != 0 && value & 1 << 63 != 0 {
        value &= ~(1 << 63)
        flush = false
      }
      guard value & ~f.pointee.physicalAddressMask == 0 else { return fault(Vector.gp, code: 0) }
    } else {
      value &= 0xFFFF_FFFF
      if f.pointee.cr4 & CR4.pae != 0 && f.pointee.cr0 & CR0.pg != 0 && !loadPDPTEs(value) { return false }
    }
    // The TLBs hold one address space at a time, so that bit 63 (keep what the PCID has) can only flush less when
    // the space stays.
    if !flush && f.pointee.cr3 == value { return true }
    f.pointee.cr3 = value
    flushTLBNonGlobal()
    return true
  }

  /// Writes CR4. False: #GP recorded.
  func writeCR4(_ value: UInt64) -> Bool {
    let f = f
    let old = f.pointee.cr4
    guard value & ~validCR4 == 0 else { return fault(Vector.gp, code: 0) }
    if isLongActive {
      guard value & CR4.pae != 0, (old ^ value) & CR4.la57 == 0 else { return fault(Vector.gp, code: 0) }
    }
    if value & CR4.pcide != 0 && old & CR4.pcide == 0 {
      guard isLongActive, f.pointee.cr3 & 0xFFF == 0 else { return fault(Vector.gp, code: 0) }
    }
    let paging =
      CR4.pse | CR4.pae | CR4.pge | CR4.smep | CR4.smap | CR4.pcide | CR4.pke | CR4.pks
      | CR4.la57
    if value & CR4.pae != 0 && f.pointee.cr0 & CR0.pg != 0 && !isLongActive
      && (old ^ value) & (CR4.pae | CR4.pge | CR4.pse | CR4.smep) != 0
    {
      guard loadPDPTEs(f.pointee.cr3) else { return false }
    }
    f.pointee.cr4 = value
    if (old ^ value) & CR4.de != 0 { updateBreakpoints() }
    updateSSEAvailability()
    if (old ^ value) & paging != 0 {
      flushTLB()
      updateMode()
    }
    return true
  }

  /// Writes IA32_EFER. False: #GP recorded.
  func writeEFER(_ value: UInt64) -> Bool {
    let f = f
    let old = f.pointee.efer
    guard value & ~(EFER.sce | EFER.lme | EFER.lma | EFER.nxe) == 0 else { return fault(Vector.gp, code: 0) }
    let new = value & ~EFER.lma | old & EFER.lma
    if (old ^ new) & EFER.lme != 0 && f.pointee.cr0 & CR0.pg != 0 { return fault(Vector.gp, code: 0) }
    f.pointee.efer = new
    if (old ^ new) & EFER.nxe != 0 { flushTLB() }
    updateMode()
    return true
  }
}

/// MOV r, CRn.
func movFromControl(_ cpu: CPU, _ op: OpRef) -> Outcome {
  let f = cpu.f
  guard cpu.requirePrivilege() else { return .fault }
  let value: UInt64
  switch op.d {
  case 0: value = f.pointee.cr0
  case 2: value = f.pointee.cr2
  case 3: value = f.pointee.cr3
  case 4: value = f.pointee.cr4
  case 8: value = UInt64(cpu.seams.taskPriority)
  default: return outcome(cpu.fault(Vector.ud))
  }
  cpu.setRegister(op.s, size: cpu.is64Bit ? 8 : 4, value)
  return .next
}

/// MOV CRn, r.
func movToControl(_ cpu: CPU, _ op: OpRef) -> Outcome {
  let f = cpu.f
  guard cpu.requirePrivilege() else { return .fault }
  let value = cpu.register(op.s, size: cpu.is64Bit ? 8 : 4)
  switch op.d {
  case 0: return outcome(cpu.writeCR0(value), .resume)
  case 2:
    f.pointee.cr2 = value
    return .next
  case 3: return outcome(cpu.writeCR3(value), .resume)
  case 4: return outcome(cpu.writeCR4(value), .resume)
  case 8:
    guard value < 16 else { return outcome(cpu.fault(Vector.gp, code: 0)) }
    cpu.seams.taskPriority = UInt8(value)
    return .resume
  default: return outcome(cpu.fault(Vector.ud))
  }
}

/// LMSW: PE can be set, not cleared.
func lmsw(_ cpu: CPU, _ op: OpRef) -> Outcome {
  guard cpu.requirePrivilege(), let value = cpu.source16(op) else { return .fault }
  let old = cpu.f.pointee.cr0
  let bits = UInt64(value) & (CR0.pe | CR0.mp | CR0.em | CR0.ts) | old & CR0.pe
  return outcome(cpu.writeCR0(old & ~(CR0.mp | CR0.em | CR0.ts) | bits), .resume)
}

/// CLTS.
func clts(_ cpu: CPU, _ op: OpRef) -> Outcome {
  guard cpu.requirePrivilege() else { return .fault }
  cpu.f.pointee.cr0 &= ~CR0.ts
  cpu.updateSSEAvailability()
  return .next
}

/// INVLPG.
func invlpg(_ cpu: CPU, _ op: OpRef) -> Outcome {
  guard cpu.requirePrivilege() else { return .fault }
  let linear = cpu.linearAddress(op)
  cpu.flushTLB(page: (cpu.is64Bit ? linear : linear & 0xFFFF_FFFF) & TLBEntry.pageMask)
  return .resume
}

/// INVPCID (SDM 2A).
func invpcid(_ cpu: CPU, _ op: OpRef) -> Outcome {
  guard cpu.requirePrivilege() else { return .fault }
  guard let at = cpu.checkedAddress(op, size: 16, write: false) else { return .fault }
  let access = cpu.dataAccess(write: false)
  guard let low = cpu.load(at, UInt64.self, access), let linear = cpu.load(at &+ 8, UInt64.self, access)
  else {
    return .fault
  }
  let type = cpu.register(op.d, size: cpu.is64Bit ? 8 : 4)
  let pcid = low & 0xFFF
  guard type < 4, low >> 12 == 0 else { return outcome(cpu.fault(Vector.gp, code: 0)) }
  if type < 2 && cpu.f.pointee.cr4 & CR4.pcide == 0 && pcid != 0 {
    return outcome(cpu.fault(Vector.gp, code: 0))
  }
  switch type {
  case 0:
    guard cpu.isCanonicalForProcessor(linear) else { return outcome(cpu.fault(Vector.gp, code: 0)) }
    if pcid == cpu.f.pointee.cr3 & 0xFFF || cpu.f.pointee.cr4 & CR4.pcide == 0 {
      cpu.flushTLB(page: linear & TLBEntry.pageMask)
    }
  case 2: cpu.flushTLB()
  default: cpu.flushTLBNonGlobal()
  }
  return .resume
}
