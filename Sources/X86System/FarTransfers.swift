import X86Core

/// JMP and CALL with a far pointer in the instruction (legacy modes).
func jumpFarPointer(_ cpu: CPU, _ op: OpRef) -> Outcome {
  farTransfer(cpu, op, UInt16(truncatingIfNeeded: op.imm), UInt64(bitPattern: op.wide), isCall: false)
}
func callFarPointer(_ cpu: CPU, _ op: OpRef) -> Outcome {
  farTransfer(cpu, op, UInt16(truncatingIfNeeded: op.imm), UInt64(bitPattern: op.wide), isCall: true)
}

/// JMP and CALL with a far pointer in memory.
func jumpFarMemory(_ cpu: CPU, _ op: OpRef) -> Outcome {
  guard let pointer = cpu.farPointer(op) else { return .fault }
  return farTransfer(cpu, op, pointer.selector, pointer.offset, isCall: false)
}
func callFarMemory(_ cpu: CPU, _ op: OpRef) -> Outcome {
  guard let pointer = cpu.farPointer(op) else { return .fault }
  return farTransfer(cpu, op, pointer.selector, pointer.offset, isCall: true)
}

/// Far JMP and CALL (SDM 2A).
private func farTransfer(_ cpu: CPU, _ op: OpRef, _ selector: UInt16, _ offset: UInt64, isCall: Bool)
  -> Outcome
{
  let size = Int(op.operandSize)
  let offset = size == 2 ? offset & 0xFFFF : (size == 4 ? offset & 0xFFFF_FFFF : offset)
  if cpu.hasPlainSegments {
    guard offset <= UInt64(cpu.cs.pointee.limit) else { return outcome(cpu.fault(Vector.gp, code: 0)) }
    if isCall {
      guard cpu.pushReturn(op.nextRIP, size: size) else { return .fault }
    }
    cpu.setPlainSegment(1, selector)
    cpu.f.pointee.rip = offset
    cpu.updateMode()
    return .jump
  }
  guard selector & 0xFFFC != 0 else { return outcome(cpu.fault(Vector.gp, code: 0)) }
  guard let descriptor = cpu.descriptor(selector) else { return .fault }
  if descriptor.isSystem { return transferThroughSystem(cpu, op, selector, descriptor, isCall: isCall) }
  return outcome(cpu.transferToCode(op, selector, descriptor, offset, size: size, isCall: isCall), .jump)
}

extension CPU {
  /// Pushes CS and the return address. RSP changes only when both could be pushed.
  fileprivate func pushReturn(_ rip: UInt64, size: Int) -> Bool {
    var stack = PendingStack(current: self)
    guard stack.probe(2, size: size), stack.push(UInt64(cs.pointee.selector), size: size),
      stack.push(rip, size: size)
    else { return false }
    stack.commitPointer()
    return true
  }

  /// To a code segment of the same privilege.
  fileprivate func transferToCode(
    _ op: OpRef, _ selector: UInt16, _ descriptor: Descriptor, _ offset: UInt64, size: Int, isCall: Bool
  ) -> Bool {
    let f = f
    var code = descriptor
    let cpl = f.pointee.cpl
    let rpl = UInt8(truncatingIfNeeded: selector) & 3
    guard code.isCode, code.isConforming ? code.dpl <= cpl : rpl <= cpl && code.dpl == cpl else {
      return selectorFault(Vector.gp, selector)
    }
    let is64 = isLongActive && code.long
    guard !(is64 && code.big) else { return selectorFault(Vector.gp, selector) }
    guard code.isPresent else { return selectorFault(Vector.np, selector) }
    guard is64 ? isCanonical(offset) : offset <= UInt64(code.limit) else { return fault(Vector.gp, code: 0) }
    guard markAccessed(&code) else { return false }
    if isCall {
      guard pushReturn(op.nextRIP, size: size) else { return false }
    }
    setSegment(1, selector & ~3 | UInt16(cpl), code)
    f.pointee.rip = offset
    updateMode()
    return true
  }
}

/// Through a call gate, a task gate or a TSS (SDM 3A 5.8, 7.3).
private func transferThroughSystem(
  _ cpu: CPU, _ op: OpRef, _ selector: UInt16, _ gate: Descriptor, isCall: Bool
) -> Outcome {
  let f = cpu.f
  let rpl = UInt8(truncatingIfNeeded: selector) & 3
  let long = cpu.isLongActive
  let isKnown: Bool
  switch gate.type {
  case SystemType.callGate: isKnown = true
  case SystemType.callGate16, SystemType.taskGate, SystemType.tss, SystemType.tss16: isKnown = !long
  default: isKnown = false
  }
  guard isKnown, gate.dpl >= f.pointee.cpl, gate.dpl >= rpl else {
    return outcome(cpu.selectorFault(Vector.gp, selector))
  }
  switch gate.type {
  case SystemType.callGate, SystemType.callGate16:
    guard gate.isPresent else { return outcome(cpu.selectorFault(Vector.np, selector)) }
    return outcome(cpu.transferThroughGate(op, selector, gate, isCall: isCall), .jump)
  case SystemType.taskGate:
    guard gate.isPresent else { return outcome(cpu.selectorFault(Vector.np, selector)) }
    guard let tss = cpu.availableTSS(gate.gateSelector) else { return .fault }
    return transferToTask(cpu, op, gate.gateSelector, tss, isCall: isCall)
  default:
    guard let tss = cpu.availableTSS(selector) else { return .fault }
    return transferToTask(cpu, op, selector, tss, isCall: isCall)
  }
}

private func transferToTask(_ cpu: CPU, _ op: OpRef, _ selector: UInt16, _ tss: Descriptor, isCall: Bool)
  -> Outcome
{
  cpu.f.pointee.rip = op.nextRIP
  return cpu.taskOutcome(cpu.switchTask(to: selector, tss, isCall ? .nested : .jump, flags: cpu.rflags))
}

extension CPU {
  /// The outcome of a task switch: faults come in the new task once it has been committed.
  func taskOutcome(_ ok: Bool) -> Outcome { ok ? .jump : f.pointee.taskSwitched ? .faultAtRIP : .fault }

  fileprivate func transferThroughGate(_ op: OpRef, _ selector: UInt16, _ gate: Descriptor, isCall: Bool)
    -> Bool
  {
    let f = f
    guard let gate = extended(gate, selector) else { return false }
    let target = gate.gateSelector
    guard target & 0xFFFC != 0 else { return fault(Vector.gp, code: 0) }
    guard var code = descriptor(target) else { return false }
    let cpl = f.pointee.cpl
    let long = isLongActive
    guard code.isCode, code.dpl <= cpl, isCall || code.isConforming || code.dpl == cpl,
      !long || code.long && !code.big
    else { return selectorFault(Vector.gp, target) }
    guard code.isPresent else { return selectorFault(Vector.np, target) }
    let size = long ? 8 : (gate.type == SystemType.callGate ? 4 : 2)
    let offset = long ? gate.gateOffset64 : (size == 4 ? gate.gateOffset32 : gate.gateOffset32 & 0xFFFF)
    guard long ? isCanonical(offset) : offset <= UInt64(code.limit) else { return fault(Vector.gp, code: 0) }
    let newCPL = isCall && !code.isConforming ? code.dpl : cpl

    if isCall && newCPL < cpl {
      guard callInward(op, gate, &code, newCPL, size: size) else { return false }
    } else {
      guard markAccessed(&code) else { return false }
      if isCall {
        var stack = PendingStack(current: self)
        if long { stack = PendingStack(self, flat: r64(GPR.rsp), cpl: cpl) }
        guard stack.probe(2, size: size), stack.push(UInt64(cs.pointee.selector), size: size),
          stack.push(op.nextRIP, size: size)
        else { return false }
        stack.commitPointer()
      }
    }
    f.pointee.cpl = newCPL
    setSegment(1, target & ~3 | UInt16(newCPL), code)
    f.pointee.rip = offset
    updateMode()
    return true
  }

  /// A call to an inner ring: the stack of the TSS, with parameters copied from the old one.
  private func callInward(
    _ op: OpRef, _ gate: Descriptor, _ code: inout Descriptor, _ newCPL: UInt8, size: Int
  ) -> Bool {
    var parameters: [UInt64] = []
    var stack: PendingStack
    var inner: InnerStack?
    if isLongActive {
      guard let pointer = stackFromTSS(at: 4 &+ 8 &* UInt32(newCPL)) else { return false }
      stack = PendingStack(self, flat: pointer, cpl: newCPL)
    } else {
      guard let found = innerStack(newCPL) else { return false }
      inner = found
      stack = PendingStack(
        self, segment: found.descriptor.segment(found.selector), base: found.descriptor.base,
        pointer: found.pointer,
        cpl: newCPL, errorCode: UInt32(found.selector & 0xFFFC))
      stack.pointer &= stack.mask
      for i in 0..<gate.parameterCount {
        guard let value = peek(i &* size, size: size) else { return false }
        parameters.append(value)
      }
    }
    guard stack.probe(4 &+ parameters.count, size: size), markAccessed(&code) else { return false }
    if var found = inner {
      guard markAccessed(&found.descriptor) else { return false }
      inner = found
    }
    guard stack.push(UInt64(ss.pointee.selector), size: size), stack.push(r64(GPR.rsp), size: size) else {
      return false
    }
    for value in parameters.reversed() {
      guard stack.push(value, size: size) else { return false }
    }
    guard stack.push(UInt64(cs.pointee.selector), size: size), stack.push(op.nextRIP, size: size) else {
      return false
    }
    if let inner {
      setSegment(2, inner.selector, inner.descriptor)
    } else {
      setNullStackSegment(UInt16(newCPL), cpl: newCPL)
    }
    stack.commitPointer()
    return true
  }
}

/// RETF, with or without bytes to release (SDM 2B RET).
func retf(_ cpu: CPU, _ op: OpRef) -> Outcome {
  let f = cpu.f
  let size = Int(op.operandSize)
  let release = UInt64(UInt16(truncatingIfNeeded: op.imm))
  guard let offset = cpu.peek(0, size: size), let value = cpu.peek(size, size: size) else { return .fault }
  let selector = UInt16(truncatingIfNeeded: value)
  if cpu.hasPlainSegments {
    guard offset <= UInt64(cpu.cs.pointee.limit) else { return outcome(cpu.fault(Vector.gp, code: 0)) }
    cpu.setStackPointer(cpu.stackPointer &+ UInt64(2 &* size) &+ release)
    cpu.setPlainSegment(1, selector)
    f.pointee.rip = offset
    cpu.updateMode()
    return .jump
  }
  guard let target = cpu.returnTarget(selector, offset) else { return .fault }
  var stack: ReturnStack?
  if target.rpl > f.pointee.cpl {
    let above = 2 &* size &+ Int(release)
    guard let pointer = cpu.peek(above, size: size), let value = cpu.peek(above &+ size, size: size),
      let found = cpu.returnStack(UInt16(truncatingIfNeeded: value), pointer, target)
    else { return .fault }
    stack = found
  } else {
    cpu.setStackPointer(cpu.stackPointer &+ UInt64(2 &* size) &+ release)
  }
  cpu.commitReturn(target, stack, size: size, release: release)
  return .jump
}
