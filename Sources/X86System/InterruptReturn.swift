import X86Core

/// IRET, IRETD, IRETQ (SDM 2A).
func iret(_ cpu: CPU, _ op: OpRef) -> Outcome {
  let f = cpu.f
  let size = Int(op.operandSize)
  if !cpu.isProtected { return iretPlain(cpu, size) }
  if cpu.isVirtual8086 { return iretVirtual8086(cpu, size) }
  // Even if it faults (SDM 3C 26.3).
  f.pointee.nmiBlocked = false
  if f.pointee.systemFlags & RFLAGS.nt != 0 {
    if cpu.isLongActive { return outcome(cpu.fault(Vector.gp, code: 0)) }
    return iretFromTask(cpu, op)
  }
  guard let offset = cpu.peek(0, size: size), let selectorValue = cpu.peek(size, size: size),
    let flags = cpu.peek(2 &* size, size: size)
  else { return .fault }
  let cpl = f.pointee.cpl
  if flags & RFLAGS.vm != 0 && cpl == 0 && size == 4 && !cpu.isLongActive {
    return iretToVirtual8086(cpu, offset, UInt16(truncatingIfNeeded: selectorValue), flags)
  }
  let selector = UInt16(truncatingIfNeeded: selectorValue)
  guard let target = cpu.returnTarget(selector, offset) else { return .fault }

  var stack: ReturnStack?
  if target.rpl > cpl || cpu.is64Bit {
    guard let pointer = cpu.peek(3 &* size, size: size), let value = cpu.peek(4 &* size, size: size),
      let found = cpu.returnStack(UInt16(truncatingIfNeeded: value), pointer, target)
    else { return .fault }
    stack = found
  }
  var mask = cpu.writableFlags(size: size)
  if size > 2 {
    mask |= RFLAGS.rf
    if cpl == 0 { mask |= RFLAGS.vif | RFLAGS.vip }
  }
  if stack == nil { cpu.setStackPointer(cpu.stackPointer &+ UInt64(3 &* size)) }
  cpu.writeFlags(flags, mask: mask)
  cpu.commitReturn(target, stack, size: size, release: 0)
  return .jump
}

/// Where a far return leads, checked.
struct ReturnTarget {
  var selector: UInt16
  var descriptor: Descriptor
  var offset: UInt64
  var is64: Bool
  var rpl: UInt8 { UInt8(truncatingIfNeeded: selector) & 3 }
}

/// The stack that a far return goes back to, checked. Without a descriptor: the null SS of 64-bit mode.
struct ReturnStack {
  var selector: UInt16
  var pointer: UInt64
  var descriptor: Descriptor?
}

extension CPU {
  /// Checks CS:RIP of IRET or RETF in protected mode. nil: fault recorded.
  func returnTarget(_ selector: UInt16, _ offset: UInt64) -> ReturnTarget? {
    guard selector & 0xFFFC != 0 else {
      fault(Vector.gp, code: 0)
      return nil
    }
    guard var code = descriptor(selector) else { return nil }
    let rpl = UInt8(truncatingIfNeeded: selector) & 3
    let is64 = isLongActive && code.long
    guard code.isCode, rpl >= f.pointee.cpl, code.isConforming ? code.dpl <= rpl : code.dpl == rpl,
      !(is64 && code.big)
    else {
      selectorFault(Vector.gp, selector)
      return nil
    }
    guard code.isPresent else {
      selectorFault(Vector.np, selector)
      return nil
    }
    guard is64 ? isCanonical(offset) : offset <= UInt64(code.limit) else {
      fault(Vector.gp, code: 0)
      return nil
    }
    guard markAccessed(&code) else { return nil }
    return ReturnTarget(selector: selector, descriptor: code, offset: offset, is64: is64)
  }

  /// Checks SS:RSP of a return to `target`. nil: fault recorded.
  func returnStack(_ selector: UInt16, _ pointer: UInt64, _ target: ReturnTarget) -> ReturnStack? {
    if selector & 0xFFFC == 0 {
      guard target.is64, target.rpl != 3, selector & 3 == UInt16(target.rpl) else {
        fault(Vector.gp, code: 0)
        return nil
      }
      return ReturnStack(selector: selector, pointer: pointer, descriptor: nil)
    }
    guard var stack = descriptor(selector) else { return nil }
    guard selector & 3 == UInt16(target.rpl), stack.dpl == target.rpl, stack.isData,
      stack.isWritableOrReadable
    else {
      selectorFault(Vector.gp, selector)
      return nil
    }
    guard stack.isPresent else {
      selectorFault(Vector.ss, selector)
      return nil
    }
    guard markAccessed(&stack) else { return nil }
    return ReturnStack(selector: selector, pointer: pointer, descriptor: stack)
  }

  /// Loads CS:RIP and, where given, SS:RSP, and takes from an outer ring the data segments it may not have.
  /// - Parameter release: bytes of parameters on the outer stack.
  func commitReturn(_ target: ReturnTarget, _ stack: ReturnStack?, size: Int, release: UInt64) {
    let f = f
    let outer = target.rpl > f.pointee.cpl
    setSegment(1, target.selector, target.descriptor)
    f.pointee.rip = target.offset
    f.pointee.cpl = target.rpl
    if let stack {
      if let descriptor = stack.descriptor {
        setSegment(2, stack.selector, descriptor)
      } else {
        setNullStackSegment(stack.selector, cpl: target.rpl)
      }
      let pointer = stack.pointer &+ release
      if target.is64 {
        setR64(GPR.rsp, pointer)
      } else if ss.pointee.big {
        setReg(GPR.rsp, UInt32(truncatingIfNeeded: pointer))
      } else {
        setReg(GPR.rsp, UInt16(truncatingIfNeeded: pointer))
      }
    }
    if outer {
      for number: UInt8 in [0, 3, 4, 5] {
        let s = segment(number).pointee
        let isConformingCode = s.attributes & 0x1C == 0x1C
        if !isConformingCode && s.dpl < target.rpl {
          // The selector alone becomes 0, one that is null already too (SDM 2A IRET): 64-bit mode still uses the base of
          // FS and GS.
          let base = segmentBase(number)
          setNullSegment(number, 0)
          if isLongActive { setSegmentBase(number, base) }
        }
      }
    }
    updateMode()
  }
}

/// Real-address mode.
private func iretPlain(_ cpu: CPU, _ size: Int) -> Outcome {
  guard let offset = cpu.peek(0, size: size), let selector = cpu.peek(size, size: size),
    let flags = cpu.peek(2 &* size, size: size)
  else { return .fault }
  guard offset <= 0xFFFF || offset <= UInt64(cpu.cs.pointee.limit) else {
    return outcome(cpu.fault(Vector.gp, code: 0))
  }
  cpu.setStackPointer(cpu.stackPointer &+ UInt64(3 &* size))
  cpu.setPlainSegment(1, UInt16(truncatingIfNeeded: selector))
  cpu.f.pointee.rip = offset
  var mask = cpu.writableFlags(size: size)
  if size > 2 { mask |= RFLAGS.rf }
  if cpu.isVirtual8086 { mask &= ~RFLAGS.iopl }
  cpu.writeFlags(flags, mask: mask)
  cpu.f.pointee.nmiBlocked = false
  cpu.updateMode()
  return .jump
}

/// Virtual-8086 mode: as in real mode with IOPL 3, else VME's way or #GP (SDM 3A 20.2.8).
private func iretVirtual8086(_ cpu: CPU, _ size: Int) -> Outcome {
  if cpu.iopl == 3 { return iretPlain(cpu, size) }
  let f = cpu.f
  guard size == 2, f.pointee.cr4 & CR4.vme != 0 else { return outcome(cpu.fault(Vector.gp, code: 0)) }
  guard let offset = cpu.peek(0, size: 2), let selector = cpu.peek(2, size: 2),
    let flags = cpu.peek(4, size: 2)
  else { return .fault }
  if flags & RFLAGS.tf != 0 || flags & RFLAGS.if != 0 && f.pointee.systemFlags & RFLAGS.vip != 0 {
    return outcome(cpu.fault(Vector.gp, code: 0))
  }
  cpu.setStackPointer(cpu.stackPointer &+ 6)
  cpu.setPlainSegment(1, UInt16(truncatingIfNeeded: selector))
  f.pointee.rip = offset
  let mask = RFLAGS.status | RFLAGS.tf | RFLAGS.df | RFLAGS.nt
  cpu.writeFlags(flags, mask: mask)
  f.pointee.systemFlags = f.pointee.systemFlags & ~RFLAGS.vif | (flags & RFLAGS.if != 0 ? RFLAGS.vif : 0)
  cpu.updateMode()
  return .jump
}

/// From ring 0 to virtual-8086 mode: nine doublewords.
private func iretToVirtual8086(_ cpu: CPU, _ offset: UInt64, _ selector: UInt16, _ flags: UInt64) -> Outcome {
  var values: [UInt64] = []
  for i in 3..<9 {
    guard let value = cpu.peek(4 &* i, size: 4) else { return .fault }
    values.append(value)
  }
  guard offset <= 0xFFFF else { return outcome(cpu.fault(Vector.gp, code: 0)) }
  let f = cpu.f
  cpu.writeFlags(flags, mask: 0x3F_7FD5)
  f.pointee.cpl = 3
  cpu.setPlainSegment(1, selector)
  f.pointee.rip = offset
  cpu.setPlainSegment(2, UInt16(truncatingIfNeeded: values[1]))
  for (number, value) in zip([0, 3, 4, 5] as [UInt8], values[2...]) {
    cpu.setPlainSegment(number, UInt16(truncatingIfNeeded: value))
  }
  cpu.setReg(GPR.rsp, UInt32(truncatingIfNeeded: values[0]))
  cpu.updateMode()
  return .jump
}

/// NT: back to the task that this one was nested in.
private func iretFromTask(_ cpu: CPU, _ op: OpRef) -> Outcome {
  let f = cpu.f
  guard let link = cpu.loadSystem(f.pointee.tr.base, UInt16.self) else { return .fault }
  guard link & 4 == 0, link & 0xFFFC != 0 else { return outcome(cpu.selectorFault(Vector.ts, link)) }
  guard let tss = cpu.descriptor(link, outside: Vector.ts) else { return .fault }
  guard tss.isSystem, tss.type == SystemType.busyTSS || tss.type == SystemType.busyTSS16 else {
    return outcome(cpu.selectorFault(Vector.ts, link))
  }
  guard tss.isPresent else { return outcome(cpu.selectorFault(Vector.np, link)) }
  f.pointee.rip = op.nextRIP
  return cpu.taskOutcome(cpu.switchTask(to: link, tss, .returning, flags: cpu.rflags))
}
