import X86Core

/// What causes a task switch (SDM 3A 7.3).
enum TaskSwitchCause {
  case jump
  /// CALL, interrupt or exception: the new task is nested.
  case nested
  /// IRET with NT.
  case returning
}

extension CPU {
  /// The TSS descriptor that a task gate or far transfer names: in the GDT, available, present. nil: fault recorded.
  func availableTSS(_ selector: UInt16) -> Descriptor? {
    guard selector & 0xFFFC != 0, selector & 4 == 0 else {
      selectorFault(Vector.gp, selector)
      return nil
    }
    guard let tss = descriptor(selector) else { return nil }
    guard tss.isSystem, tss.type == SystemType.tss || tss.type == SystemType.tss16 else {
      selectorFault(Vector.gp, selector)
      return nil
    }
    guard tss.isPresent else {
      selectorFault(Vector.np, selector)
      return nil
    }
    return tss
  }

  /// Hardware task switch (SDM 3A 7.3). `f.rip` is where the old task will go on. false: a fault is recorded; faults of
  /// the new task's segments come in its context.
  func switchTask(to selector: UInt16, _ tss: Descriptor, _ cause: TaskSwitchCause, flags: UInt64) -> Bool {
    let f = f
    f.pointee.taskSwitched = false
    f.pointee.debugRecords = true
    let is32 = tss.type & 8 != 0
    guard tss.limit >= (is32 ? 0x67 : 0x2B) else { return selectorFault(Vector.ts, selector) }
    let old = f.pointee.tr
    let oldIs32 = old.attributes & 8 != 0

    // Everything that is needed of the new TSS is read before the old one is written.
    guard let new = readTask(tss.base, is32: is32) else { return false }
    guard saveTask(old.base, is32: oldIs32, flags: cause == .returning ? flags & ~RFLAGS.nt : flags) else {
      return false
    }
    if cause == .nested {
      guard writeSystem(tss.base, old.selector) else { return false }
    } else if let address = descriptorAddress(old.selector & ~4), let raw = loadSystem(address, UInt64.self) {
      guard setBusy(Descriptor(raw: raw, address: address), false) else { return false }
    }
    if cause != .returning {
      guard setBusy(tss, true) else { return false }
    }

    f.pointee.taskSwitched = true
    f.pointee.tr.selector = selector
    f.pointee.tr.base = tss.base
    f.pointee.tr.limit = tss.limit
    f.pointee.tr.attributes = tss.attributes | 2
    f.pointee.cr0 |= CR0.ts
    updateSSEAvailability()
    f.pointee.dr7 &= ~DR7.local
    updateBreakpoints()
    if is32 && f.pointee.cr0 & CR0.pg != 0 && new.cr3 != f.pointee.cr3 {
      if f.pointee.cr4 & CR4.pae != 0 && !loadPDPTEs(new.cr3) { return false }
      f.pointee.cr3 = new.cr3
      flushTLBNonGlobal()
    }
    var newFlags = new.flags | 2
    if cause == .nested { newFlags |= RFLAGS.nt }
    writeFlags(newFlags, mask: is32 ? 0x3F_7FD5 : 0x7FD5)
    for i: UInt8 in 0..<8 { setR64(i, new.registers[Int(i)]) }
    f.pointee.rip = new.rip
    guard loadTaskSegments(new) else { return false }
    if new.traps { f.pointee.debugPending |= DR6.bt }
    return true
  }

  private struct Task {
    var cr3: UInt64 = 0
    var rip: UInt64 = 0
    var flags: UInt64 = 0
    var registers: [UInt64] = []
    /// ES, CS, SS, DS, FS, GS.
    var selectors: [UInt16] = []
    var ldt: UInt16 = 0
    /// The T flag: a debug exception comes before the task's first instruction.
    var traps = false
  }

  private func readTask(_ base: UInt64, is32: Bool) -> Task? {
    var task = Task()
    var at = base &+ (is32 ? 0x1C : 0x0E)
    let size = is32 ? 4 : 2
    func next() -> UInt64? {
      let value = load(at, size: size, Access(Access.implicit))
      at &+= UInt64(size)
      return value
    }
    if is32 {
      guard let cr3 = next() else { return nil }
      task.cr3 = cr3
    }
    guard let rip = next(), let flags = next() else { return nil }
    task.rip = rip
    task.flags = flags
    for _ in 0..<8 {
      guard let value = next() else { return nil }
      task.registers.append(is32 ? value : value | 0xFFFF_0000)
    }
    for i in 0..<6 {
      if !is32 && i > 3 {
        task.selectors.append(0)
        continue
      }
      guard let value = next() else { return nil }
      task.selectors.append(UInt16(truncatingIfNeeded: value))
    }
    guard let ldt = next() else { return nil }
    task.ldt = UInt16(truncatingIfNeeded: ldt)
    if is32 {
      guard let flags = loadSystem(base &+ 100, UInt16.self) else { return nil }
      task.traps = flags & 1 != 0
    }
    return task
  }

  private func saveTask(_ base: UInt64, is32: Bool, flags: UInt64) -> Bool {
    var at = base &+ (is32 ? 0x20 : 0x0E)
    let size = is32 ? 4 : 2
    // All of the area is checked before its first byte changes.
    guard probeWrite(at, is32 ? 0x40 : 0x1C, Access(Access.implicit | Access.write)) else { return false }
    var values = [f.pointee.rip, flags]
    for i: UInt8 in 0..<8 { values.append(r64(i)) }
    for i: UInt8 in 0..<(is32 ? 6 : 4) { values.append(UInt64(segment(i).pointee.selector)) }
    for value in values {
      guard store(at, value, size: size, Access(Access.implicit | Access.write)) else { return false }
      at &+= UInt64(size)
    }
    return true
  }

  private func loadTaskSegments(_ task: Task) -> Bool {
    let f = f
    for i: UInt8 in 0..<6 { setNullSegment(i, task.selectors[Int(i)]) }
    f.pointee.ldtr = TableRegister()
    f.pointee.ldtr.selector = task.ldt & 0xFFFC == 0 ? task.ldt : 0
    if isVirtual8086 {
      f.pointee.cpl = 3
      for i: UInt8 in 0..<6 { setPlainSegment(i, task.selectors[Int(i)]) }
      updateMode()
      return task.ldt & 0xFFFC == 0 || loadTaskLDT(task.ldt)
    }
    f.pointee.cpl = UInt8(truncatingIfNeeded: task.selectors[1]) & 3
    updateMode()
    if task.ldt & 0xFFFC != 0 && !loadTaskLDT(task.ldt) { return false }

    let selector = task.selectors[1]
    guard selector & 0xFFFC != 0 else { return selectorFault(Vector.ts, selector) }
    guard var code = descriptor(selector, outside: Vector.ts) else { return false }
    let cpl = f.pointee.cpl
    guard code.isCode, code.isConforming ? code.dpl <= cpl : code.dpl == cpl else {
      return selectorFault(Vector.ts, selector)
    }
    guard code.isPresent else { return selectorFault(Vector.np, selector) }
    guard markAccessed(&code) else { return false }
    setSegment(1, selector, code)
    updateMode()
    for i: UInt8 in [2, 3, 0, 4, 5] {
      guard loadSegment(i, task.selectors[Int(i)], outside: Vector.ts) else { return false }
    }
    updateMode()
    guard f.pointee.rip <= UInt64(cs.pointee.limit) else { return fault(Vector.gp, code: 0) }
    return true
  }

  private func loadTaskLDT(_ selector: UInt16) -> Bool {
    guard selector & 4 == 0 else { return selectorFault(Vector.ts, selector) }
    guard let ldt = descriptor(selector, outside: Vector.ts) else { return false }
    guard ldt.isSystem, ldt.type == SystemType.ldt, ldt.isPresent else {
      return selectorFault(Vector.ts, selector)
    }
    f.pointee.ldtr.selector = selector
    f.pointee.ldtr.base = ldt.base
    f.pointee.ldtr.limit = ldt.limit
    f.pointee.ldtr.attributes = ldt.attributes
    return true
  }
}
