import X86Core

extension CPU {
  /// #GP(0) unless CPL is 0 (or real mode). For privileged instructions.
  func requirePrivilege() -> Bool {
    f.pointee.cpl == 0 ? true : fault(Vector.gp, code: 0)
  }
  /// #GP(0) where user-mode instruction prevention forbids SGDT, SIDT, SLDT, SMSW, STR (SDM 3A 2.5, CR4.UMIP).
  fileprivate func umipAllows() -> Bool {
    f.pointee.cpl != 0 && f.pointee.cr4 & CR4.umip != 0 ? fault(Vector.gp, code: 0) : true
  }
  /// #UD in real and virtual-8086 mode.
  fileprivate func requireProtected() -> Bool { hasPlainSegments ? fault(Vector.ud) : true }

  /// Stores a selector or machine status word: 16 bits to memory, else the operand size.
  fileprivate func storeWord(_ op: OpRef, _ value: UInt64) -> Bool {
    if op.isMemory { return writeOperand(op, UInt16(truncatingIfNeeded: value)) }
    setRegister(op.s, size: op.operandSize, value)
    return true
  }

  fileprivate func storeTable(_ op: OpRef, _ table: TableRegister) -> Bool {
    guard umipAllows() else { return false }
    let size = is64Bit ? 8 : 4
    guard let linear = checkedAddress(op, size: size &+ 2, write: true) else { return false }
    let access = dataAccess(write: true)
    guard probeWrite(linear, size &+ 2, access) else { return false }
    return store(linear, UInt16(truncatingIfNeeded: table.limit), access)
      && store(linear &+ 2, table.base, size: size, access)
  }

  fileprivate func loadTable(_ op: OpRef) -> TableRegister? {
    guard requirePrivilege() else { return nil }
    let size = is64Bit ? 8 : 4
    guard let linear = checkedAddress(op, size: size &+ 2, write: false) else { return nil }
    let access = dataAccess(write: false)
    guard let limit = load(linear, UInt16.self, access), var base = load(linear &+ 2, size: size, access)
    else {
      return nil
    }
    if is64Bit {
      guard isCanonicalForProcessor(base) else {
        fault(Vector.gp, code: 0)
        return nil
      }
    } else if op.operandSize == 2 {
      base &= 0xFF_FFFF
    }
    var table = TableRegister()
    table.base = base
    table.limit = UInt32(limit)
    return table
  }
}

func sgdt(_ cpu: CPU, _ op: OpRef) -> Outcome { outcome(cpu.storeTable(op, cpu.f.pointee.gdtr)) }
func sidt(_ cpu: CPU, _ op: OpRef) -> Outcome { outcome(cpu.storeTable(op, cpu.f.pointee.idtr)) }

func lgdt(_ cpu: CPU, _ op: OpRef) -> Outcome {
  guard let table = cpu.loadTable(op) else { return .fault }
  cpu.f.pointee.gdtr = table
  return .next
}

func lidt(_ cpu: CPU, _ op: OpRef) -> Outcome {
  guard let table = cpu.loadTable(op) else { return .fault }
  cpu.f.pointee.idtr = table
  return .next
}

func sldt(_ cpu: CPU, _ op: OpRef) -> Outcome {
  guard cpu.requireProtected(), cpu.umipAllows() else { return .fault }
  return outcome(cpu.storeWord(op, UInt64(cpu.f.pointee.ldtr.selector)))
}

func str(_ cpu: CPU, _ op: OpRef) -> Outcome {
  guard cpu.requireProtected(), cpu.umipAllows() else { return .fault }
  return outcome(cpu.storeWord(op, UInt64(cpu.f.pointee.tr.selector)))
}

func smsw(_ cpu: CPU, _ op: OpRef) -> Outcome {
  guard cpu.umipAllows() else { return .fault }
  return outcome(cpu.storeWord(op, cpu.f.pointee.cr0))
}

/// LLDT (SDM 2A).
func lldt(_ cpu: CPU, _ op: OpRef) -> Outcome {
  let f = cpu.f
  guard cpu.requireProtected(), cpu.requirePrivilege(), let selector = cpu.source16(op) else { return .fault }
  if selector & 0xFFFC == 0 {
    f.pointee.ldtr = TableRegister()
    f.pointee.ldtr.selector = selector
    return .next
  }
  guard selector & 4 == 0 else { return outcome(cpu.selectorFault(Vector.gp, selector)) }
  guard let low = cpu.descriptor(selector) else { return .fault }
  guard low.isSystem, low.type == SystemType.ldt else {
    return outcome(cpu.selectorFault(Vector.gp, selector))
  }
  guard low.isPresent else { return outcome(cpu.selectorFault(Vector.np, selector)) }
  guard let ldt = cpu.extended(low, selector) else { return .fault }
  guard cpu.isCanonicalForProcessor(ldt.base) else { return outcome(cpu.selectorFault(Vector.gp, selector)) }
  f.pointee.ldtr = cpu.table(selector, ldt)
  return .next
}

/// LTR (SDM 2A).
func ltr(_ cpu: CPU, _ op: OpRef) -> Outcome {
  guard cpu.requireProtected(), cpu.requirePrivilege(), let selector = cpu.source16(op) else { return .fault }
  guard selector & 0xFFFC != 0 else { return outcome(cpu.fault(Vector.gp, code: 0)) }
  guard selector & 4 == 0 else { return outcome(cpu.selectorFault(Vector.gp, selector)) }
  guard let low = cpu.descriptor(selector) else { return .fault }
  guard low.isSystem, low.type == SystemType.tss || low.type == SystemType.tss16 && !cpu.isLongActive else {
    return outcome(cpu.selectorFault(Vector.gp, selector))
  }
  guard low.isPresent else { return outcome(cpu.selectorFault(Vector.np, selector)) }
  guard let tss = cpu.extended(low, selector) else { return .fault }
  guard cpu.isCanonicalForProcessor(tss.base) else { return outcome(cpu.selectorFault(Vector.gp, selector)) }
  guard cpu.setBusy(tss, true) else { return .fault }
  cpu.f.pointee.tr = cpu.table(selector, tss)
  cpu.f.pointee.tr.attributes |= 2
  return .next
}

extension CPU {
  fileprivate func table(_ selector: UInt16, _ descriptor: Descriptor) -> TableRegister {
    var table = TableRegister()
    table.selector = selector
    table.base = descriptor.base
    table.limit = descriptor.limit
    table.attributes = descriptor.attributes
    return table
  }

  fileprivate func setZeroFlag(_ on: Bool) { writeFlags(on ? RFLAGS.zf : 0, mask: RFLAGS.zf) }

  /// The descriptor of LAR, LSL, VERR, VERW. `found` is nil without a fault when the selector leads nowhere.
  fileprivate func inspectedDescriptor(_ op: OpRef) -> (ok: Bool, found: Descriptor?, selector: UInt16) {
    guard requireProtected(), let selector = source16(op) else { return (false, nil, 0) }
    guard selector & 0xFFFC != 0, let address = descriptorAddress(selector) else {
      return (true, nil, selector)
    }
    guard let raw = loadSystem(address, UInt64.self) else { return (false, nil, selector) }
    return (true, Descriptor(raw: raw, address: address), selector)
  }

  /// Privilege rule for everything but conforming code.
  fileprivate func isVisible(_ d: Descriptor, _ selector: UInt16) -> Bool {
    d.isConforming || d.dpl >= f.pointee.cpl && d.dpl >= UInt8(truncatingIfNeeded: selector) & 3
  }
}

/// LAR (SDM 2A, table 3-53).
func lar(_ cpu: CPU, _ op: OpRef) -> Outcome {
  let (ok, found, selector) = cpu.inspectedDescriptor(op)
  guard ok else { return .fault }
  var valid = false
  if let d = found, cpu.isVisible(d, selector) {
    if !d.isSystem {
      valid = true
    } else if cpu.isLongActive {
      valid = [2, 9, 11, 12].contains(d.type)
    } else {
      valid = [1, 2, 3, 4, 5, 9, 11, 12].contains(d.type)
    }
    if valid { cpu.setRegister(op.d, size: op.operandSize, d.raw >> 32 & 0x00F0_FF00) }
  }
  cpu.setZeroFlag(valid)
  return .next
}

/// LSL (SDM 2A, table 3-61).
func lsl(_ cpu: CPU, _ op: OpRef) -> Outcome {
  let (ok, found, selector) = cpu.inspectedDescriptor(op)
  guard ok else { return .fault }
  var valid = false
  if let d = found, cpu.isVisible(d, selector) {
    if !d.isSystem {
      valid = true
    } else if cpu.isLongActive {
      valid = [2, 9, 11].contains(d.type)
    } else {
      valid = [1, 2, 3, 9, 11].contains(d.type)
    }
    if valid { cpu.setRegister(op.d, size: op.operandSize, UInt64(d.limit)) }
  }
  cpu.setZeroFlag(valid)
  return .next
}

/// VERR and VERW (SDM 2B).
func verr(_ cpu: CPU, _ op: OpRef) -> Outcome {
  let (ok, found, selector) = cpu.inspectedDescriptor(op)
  guard ok else { return .fault }
  let valid = found.map {
    !$0.isSystem && cpu.isVisible($0, selector) && ($0.isData || $0.isWritableOrReadable)
  }
  cpu.setZeroFlag(valid ?? false)
  return .next
}

func verw(_ cpu: CPU, _ op: OpRef) -> Outcome {
  let (ok, found, selector) = cpu.inspectedDescriptor(op)
  guard ok else { return .fault }
  let valid = found.map { cpu.isVisible($0, selector) && $0.isData && $0.isWritableOrReadable }
  cpu.setZeroFlag(valid ?? false)
  return .next
}

/// ARPL (SDM 2A).
func arpl(_ cpu: CPU, _ op: OpRef) -> Outcome {
  guard cpu.requireProtected() else { return .fault }
  let source = cpu.reg(op.d, UInt16.self)
  guard let value = op.isMemory ? cpu.readForWrite(op, UInt16.self) : cpu.reg(op.s, UInt16.self) else {
    return .fault
  }
  let raised = value & 3 < source & 3
  if raised {
    let new = value & ~3 | source & 3
    if op.isMemory {
      guard cpu.writeOperand(op, new) else { return .fault }
    } else {
      cpu.setReg(op.s, new)
    }
  }
  cpu.setZeroFlag(raised)
  return .next
}
