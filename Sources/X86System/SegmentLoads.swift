import X86Core

extension CPU {
  /// Loads ES, SS, DS, FS or GS by selector, with every check (SDM 2B MOV). `updateMode` is left to the caller.
  /// - Parameter outside: what a selector beyond its table or an unfit descriptor raises: #GP, or #TS in a task switch.
  /// - Returns: false when a fault is recorded; then nothing has changed.
  func loadSegment(_ number: UInt8, _ selector: UInt16, outside: UInt8 = Vector.gp) -> Bool {
    let f = f
    if hasPlainSegments {
      setPlainSegment(number, selector)
      return true
    }
    let cpl = f.pointee.cpl
    let rpl = UInt8(truncatingIfNeeded: selector) & 3
    if selector & 0xFFFC == 0 {
      if number == 2 {
        guard is64Bit, cpl != 3, rpl == cpl else {
          return fault(outside, code: 0)
        }
        setNullStackSegment(selector, cpl: cpl)
      } else {
        setNullSegment(number, selector)
      }
      return true
    }
    guard var s = descriptor(selector, outside: outside) else { return false }
    if number == 2 {
      guard rpl == cpl, s.dpl == cpl, s.isData, s.isWritableOrReadable else {
        return selectorFault(outside, selector)
      }
      guard s.isPresent else { return selectorFault(Vector.ss, selector) }
    } else {
      guard s.isData || s.isCode && s.isWritableOrReadable, s.isConforming || rpl <= s.dpl && cpl <= s.dpl
      else {
        return selectorFault(outside, selector)
      }
      guard s.isPresent else { return selectorFault(Vector.np, selector) }
    }
    guard markAccessed(&s) else { return false }
    setSegment(number, selector, s)
    return true
  }

  /// What follows a load of a segment register: the mode in legacy code, the shadow of SS.
  fileprivate func segmentLoaded(_ number: UInt8) -> Outcome {
    let before = f.pointee.codeMode
    if before & CodeMode.bits64 == 0 { updateMode() }
    if number == 2 {
      setShadow(isStack: true)
      return .resume
    }
    return f.pointee.codeMode == before ? .next : .resume
  }
}

/// MOV Sreg, r/m16.
func movToSegment(_ cpu: CPU, _ op: OpRef) -> Outcome {
  let number = op.d & 7
  guard number < 6, number != 1 else { return outcome(cpu.fault(Vector.ud)) }
  guard let selector = cpu.source16(op), cpu.loadSegment(number, selector) else { return .fault }
  return cpu.segmentLoaded(number)
}

/// MOV r/m, Sreg: 16 bits to memory, zero-extended to a register.
func movFromSegment(_ cpu: CPU, _ op: OpRef) -> Outcome {
  let number = op.d & 7
  guard number < 6 else { return outcome(cpu.fault(Vector.ud)) }
  let selector = cpu.segment(number).pointee.selector
  if op.isMemory { return outcome(cpu.writeOperand(op, selector)) }
  cpu.setRegister(op.s, size: op.operandSize, UInt64(selector))
  return .next
}

/// PUSH Sreg. A 32-bit push writes 16 bits and leaves the rest, as recent processors do (SDM 2B PUSH).
func pushSegment(_ cpu: CPU, _ op: OpRef, _ number: UInt8) -> Outcome {
  let selector = UInt64(cpu.segment(number).pointee.selector)
  let size = Int(op.operandSize)
  if size != 4 { return outcome(cpu.push(selector, size: size)) }
  let pointer = (cpu.r64(GPR.rsp) &- 4) & cpu.stackMask
  guard let linear = cpu.stackAddress(pointer, size: 4, write: true),
    cpu.store(linear, UInt16(truncatingIfNeeded: selector), cpu.dataAccess(write: true))
  else { return .fault }
  cpu.setStackPointer(pointer)
  return .next
}

/// POP Sreg.
func popSegment(_ cpu: CPU, _ op: OpRef, _ number: UInt8) -> Outcome {
  let size = Int(op.operandSize)
  guard let value = cpu.peek(0, size: size) else { return .fault }
  // The stack's width is that before the load.
  let pointer = cpu.stackPointer &+ UInt64(size)
  let mask = cpu.stackMask
  guard cpu.loadSegment(number, UInt16(truncatingIfNeeded: value)) else { return .fault }
  switch mask {
  case .max: cpu.setR64(GPR.rsp, pointer)
  case 0xFFFF: cpu.setReg(GPR.rsp, UInt16(truncatingIfNeeded: pointer))
  default: cpu.setReg(GPR.rsp, UInt32(truncatingIfNeeded: pointer))
  }
  return cpu.segmentLoaded(number)
}

/// LDS, LES, LSS, LFS, LGS.
func loadFarPointer(_ cpu: CPU, _ op: OpRef, _ number: UInt8) -> Outcome {
  guard let pointer = cpu.farPointer(op) else { return .fault }
  guard cpu.loadSegment(number, pointer.selector) else { return .fault }
  cpu.setRegister(op.d, size: op.operandSize, pointer.offset)
  let end = cpu.segmentLoaded(number)
  // Only MOV SS and POP SS cast a shadow.
  if number == 2 { cpu.f.pointee.shadowCount = -1 }
  return end
}

extension CPU {
  /// A far pointer in memory: offset of operand size, then selector. nil: fault recorded.
  func farPointer(_ op: OpRef) -> (selector: UInt16, offset: UInt64)? {
    let size = Int(op.operandSize)
    guard let linear = checkedAddress(op, size: size &+ 2, write: false) else { return nil }
    // SDM 3A table 6-7: pointers of 16:16 bits are aligned to 2 bytes, 16:32 to 4.
    if alignmentFaults(linear, size) { return nil }
    let access = dataAccess(write: false)
    guard let offset = load(linear, size: size, access),
      let selector = load(linear &+ UInt64(size), UInt16.self, access)
    else { return nil }
    return (selector, offset)
  }
}

// MARK: FS and GS bases

/// CR4.FSGSBASE is asked first (SDM 2B RDFSBASE).
private func fsgsAllowed(_ cpu: CPU) -> Bool {
  cpu.f.pointee.cr4 & CR4.fsgsbase != 0 && cpu.is64Bit ? true : cpu.fault(Vector.ud)
}

func readSegmentBase(_ cpu: CPU, _ op: OpRef, _ number: UInt8) -> Outcome {
  guard fsgsAllowed(cpu) else { return .fault }
  cpu.setRegister(op.s, size: op.operandSize, cpu.segmentBase(number))
  return .next
}

func writeSegmentBase(_ cpu: CPU, _ op: OpRef, _ number: UInt8) -> Outcome {
  guard fsgsAllowed(cpu) else { return .fault }
  let base = cpu.register(op.s, size: op.operandSize)
  guard cpu.isCanonical(base) else { return outcome(cpu.fault(Vector.gp, code: 0)) }
  cpu.setSegmentBase(number, base)
  return .next
}
