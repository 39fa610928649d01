import X86Core

// Near jumps, calls, returns, loops, and the stack instructions that go with them.
//
// A conditional jump is two operations: the jump and its exit slot. Not taken, the block goes on behind the slot.

@inline(__always)
func jumpConditional<C: Condition>(
  _: C.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  if C.holds(CPU(cpu)) { return follow(cpu, op + Op.stride, left &+ Int(OpRef(op).after)) }
  dispatch(cpu, op + 2 &* Op.stride, left)
}

/// LOOPcc and JrCXZ: rare, so the kind and the address size are looked up (`d`: 0 LOOPNE, 1 LOOPE, 2 LOOP, 3 JrCXZ).
@inline(__always)
func jumpOnCount(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  let c = CPU(cpu)
  let o = OpRef(op)
  let mask = c.r64(o.maskSlot)
  let kind = o.d
  var count = c.r64(GPR.rcx) & mask
  if kind != 3 {
    count = (count &- 1) & mask
    switch o.maskSlot {
    case Slot.mask16: c.setReg(GPR.rcx, UInt16(truncatingIfNeeded: count))
    case Slot.mask32: c.setReg(GPR.rcx, UInt32(truncatingIfNeeded: count))
    default: c.setR64(GPR.rcx, count)
    }
  }
  let taken: Bool
  switch kind {
  case 0: taken = count != 0 && !c.zeroFlag
  case 1: taken = count != 0 && c.zeroFlag
  case 2: taken = count != 0
  default: taken = count == 0
  }
  if taken { return follow(cpu, op + Op.stride, left &+ Int(o.after)) }
  dispatch(cpu, op + 2 &* Op.stride, left)
}

/// Direct jump within a page, and the way on from a block that was cut.
@inline(__always)
func jumpNear(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  follow(cpu, op, left)
}
/// Direct jump to another page.
@inline(__always)
func jumpFar(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  followFar(cpu, op, left)
}

/// Pushes 8 bytes in 64-bit mode; nil when the fast path does not do.
@inline(__always)
func pushFast(_ c: CPU, _ value: UInt64) -> Bool {
  let sp = c.r64(GPR.rsp) &- 8
  let found = c.lookUpWrite(sp, 8)
  guard found.isHit else { return false }
  let host = found.host
  host.storeBytes(of: value, as: UInt64.self)
  c.setR64(GPR.rsp, sp)
  return true
}

/// CALL rel32 in 64-bit mode: `wide` is the return address, the next operation the exit slot.
@inline(__always)
func callDirect(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  guard pushFast(CPU(cpu), UInt64(bitPattern: OpRef(op).wide)) else { return callDirectSlow(cpu, op, left) }
  followFar(cpu, op + Op.stride, left)
}
@inline(never)
func callDirectSlow(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  let c = CPU(cpu)
  let o = OpRef(op)
  c.f.pointee.exitLeft = left &+ Int(o.after) &+ 1
  guard c.stackPush(UInt64(bitPattern: o.wide), size: o.operandSize) else { return raise(cpu, op, left) }
  // The push may have reached a device, or code.
  if c.f.pointee.attention { return leave(cpu, op + Op.stride, left) }
  followFar(cpu, op + Op.stride, left)
}

/// Where an indirect jump leads: a register or memory operand of the operand's size. nil: fault recorded.
@inline(__always)
func target(_ c: CPU, _ o: OpRef) -> UInt64? {
  switch o.operandSize {
  case 2: return c.readE(o, UInt16.self).map { UInt64($0) }
  case 4: return c.readE(o, UInt32.self).map { UInt64($0) }
  default: return c.readE(o, UInt64.self)
  }
}

/// Near transfers check their destination before anything is committed: canonical, or within CS's limit.
@inline(never)
func targetFaults(_ c: CPU, _ rip: UInt64) -> Bool {
  if c.f.pointee.codeMode & CodeMode.bits64 != 0 {
    if c.isCanonical(rip) { return false }
  } else if rip <= UInt64(c.cs.pointee.limit) {
    return false
  }
  c.fault(Vector.gp, code: 0)
  return true
}

@inline(__always)
func jumpIndirect64(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  let c = CPU(cpu)
  c.f.pointee.exitLeft = left &+ Int(OpRef(op).after) &+ 1
  guard let rip = c.readE(OpRef(op), UInt64.self) else { return raise(cpu, op, left) }
  followChecked(cpu, op, rip, left)
}

/// Follows the jump cache, which holds checked destinations only; else checks.
@inline(__always)
func followChecked(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ rip: UInt64, _ left: Int) {
  let c = CPU(cpu)
  let key = Int64(bitPattern: rip) < 0 ? c.f.pointee.fetchKeyHigh : c.f.pointee.fetchKeyLow
  let e = cpu + (Layout.jumpCache &+ Int(truncatingIfNeeded: JumpCache.index(rip) &* 16))
  let block = UnsafeRawPointer(bitPattern: e.load(fromByteOffset: 8, as: UInt.self)).unsafelyUnwrapped
  let rest = left &- block.load(as: Int.self)
  if _slowPath(
    e.load(as: UInt64.self) != key || block.load(fromByteOffset: 8, as: UInt64.self) != rip || rest < 0
      || c.f.pointee.attention)
  {
    return jumpSlow(cpu, op, rip, left)
  }
  dispatch(cpu, block + Op.stride, rest)
}
@inline(never)
func jumpSlow(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ rip: UInt64, _ left: Int) {
  if targetFaults(CPU(cpu), rip) { return raise(cpu, op, left) }
  leaveIndirect(cpu, rip, left)
}

@inline(__always)
func jumpIndirectAnySize(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  slow(cpu, op, left) { c, o in
    guard let rip = target(c, o), !targetFaults(c, rip) else { return .fault }
    c.f.pointee.rip = rip
    return .jump
  }
}

/// CALL r/m64: `wide` is the displacement, so the return address is worked out; the slot behind holds it.
@inline(__always)
func callIndirect64(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  let c = CPU(cpu)
  c.f.pointee.exitLeft = left &+ Int(OpRef(op).after) &+ 1
  guard let rip = c.readE(OpRef(op), UInt64.self) else { return raise(cpu, op, left) }
  let sp = c.r64(GPR.rsp) &- 8
  let key = Int64(bitPattern: rip) < 0 ? c.f.pointee.fetchKeyHigh : c.f.pointee.fetchKeyLow
  let e = cpu + (Layout.jumpCache &+ Int(truncatingIfNeeded: JumpCache.index(rip) &* 16))
  let block = UnsafeRawPointer(bitPattern: e.load(fromByteOffset: 8, as: UInt.self)).unsafelyUnwrapped
  let rest = left &- block.load(as: Int.self)
  if _slowPath(e.load(as: UInt64.self) != key || block.load(fromByteOffset: 8, as: UInt64.self) != rip || rest < 0) {
    return callIndirectSlow(cpu, op, rip, left)
  }
  let found = c.lookUpWrite(sp, 8)
  guard found.isHit else { return callIndirectSlow(cpu, op, rip, left) }
  let host = found.host
  host.storeBytes(of: op.load(fromByteOffset: Op.stride &+ ExitSlot.targetRIP, as: UInt64.self), as: UInt64.self)
  c.setR64(GPR.rsp, sp)
  dispatch(cpu, block + Op.stride, rest)
}
@inline(never)
func callIndirectSlow(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ rip: UInt64, _ left: Int) {
  let c = CPU(cpu)
  c.f.pointee.exitLeft = left &+ Int(OpRef(op).after) &+ 1
  if targetFaults(c, rip) { return raise(cpu, op, left) }
  guard
    c.stackPush(
      op.load(fromByteOffset: Op.stride &+ ExitSlot.targetRIP, as: UInt64.self), size: OpRef(op).operandSize)
  else { return raise(cpu, op, left) }
  leaveIndirect(cpu, rip, left)
}
@inline(__always)
func callIndirectAnySize(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  CPU(cpu).f.pointee.exitLeft = left &+ Int(OpRef(op).after) &+ 1
  guard let rip = target(CPU(cpu), OpRef(op)) else { return raise(cpu, op, left) }
  callIndirectSlow(cpu, op, rip, left)
}
/// Direct call outside 64-bit mode, where the target has to be checked against CS's limit.
@inline(__always)
func callDirectAnySize(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  let c = CPU(cpu)
  c.f.pointee.exitLeft = left &+ Int(OpRef(op).after) &+ 1
  let rip = op.load(fromByteOffset: Op.stride &+ ExitSlot.targetRIP, as: UInt64.self)
  if targetFaults(c, rip) { return raise(cpu, op, left) }
  callDirectSlow(cpu, op, left)
}

/// RET and RET imm16 in 64-bit mode.
@inline(__always)
func return64(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  let c = CPU(cpu)
  let sp = c.r64(GPR.rsp)
  let found = c.lookUpRead(sp, 8)
  guard found.isHit else { return returnSlow(cpu, op, left) }
  let host = found.host
  let rip = host.loadUnaligned(as: UInt64.self)
  let key = Int64(bitPattern: rip) < 0 ? c.f.pointee.fetchKeyHigh : c.f.pointee.fetchKeyLow
  let e = cpu + (Layout.jumpCache &+ Int(truncatingIfNeeded: JumpCache.index(rip) &* 16))
  let block = UnsafeRawPointer(bitPattern: e.load(fromByteOffset: 8, as: UInt.self)).unsafelyUnwrapped
  let rest = left &- block.load(as: Int.self)
  if _slowPath(e.load(as: UInt64.self) != key || block.load(fromByteOffset: 8, as: UInt64.self) != rip || rest < 0) {
    return returnSlow(cpu, op, left)
  }
  c.setR64(GPR.rsp, sp &+ 8 &+ UInt64(truncatingIfNeeded: OpRef(op).imm))
  dispatch(cpu, block + Op.stride, rest)
}
@inline(never)
func returnSlow(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  slow(cpu, op, left) { c, o in
    let size = o.operandSize
    let offset = c.r64(GPR.rsp) & c.stackMask
    guard let rip = c.stackRead(offset, size: size), !targetFaults(c, rip) else { return .fault }
    c.setStackPointer(offset &+ UInt64(size) &+ UInt64(UInt32(bitPattern: o.imm)))
    c.f.pointee.rip = rip
    return .jump
  }
}

// MARK: Stack

@inline(__always)
func pushRegister64(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  guard pushFast(CPU(cpu), CPU(cpu).r64(OpRef(op).s)) else { return pushRegisterSlow(cpu, op, left) }
  next(cpu, op, left)
}
@inline(never)
func pushRegisterSlow(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  slow(cpu, op, left) { c, o in
    c.stackPush(c.register(o.s, size: o.operandSize), size: o.operandSize) ? .next : .fault
  }
}
@inline(__always)
func pushImmediate64(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  guard pushFast(CPU(cpu), UInt64(truncatingIfNeeded: OpRef(op).imm)) else {
    return pushImmediateSlow(cpu, op, left)
  }
  next(cpu, op, left)
}
@inline(never)
func pushImmediateSlow(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  slow(cpu, op, left) { c, o in
    c.stackPush(UInt64(truncatingIfNeeded: o.imm), size: o.operandSize) ? .next : .fault
  }
}
@inline(__always)
func pushMemory(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  slow(cpu, op, left) { c, o in
    guard let value = target(c, o), c.stackPush(value, size: o.operandSize) else { return .fault }
    return .next
  }
}
@inline(__always)
func popRegister64(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  let c = CPU(cpu)
  let sp = c.r64(GPR.rsp)
  let found = c.lookUpRead(sp, 8)
  guard found.isHit else { return popRegisterSlow(cpu, op, left) }
  let host = found.host
  c.setR64(GPR.rsp, sp &+ 8)
  c.setR64(OpRef(op).s, host.loadUnaligned(as: UInt64.self))
  next(cpu, op, left)
}
@inline(never)
func popRegisterSlow(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  slow(cpu, op, left) { c, o in
    guard let value = c.stackPop(size: o.operandSize) else { return .fault }
    c.setRegister(o.s, size: o.operandSize, value)
    return .next
  }
}
/// POP m: a base of rSP is used as incremented (SDM 2B, POP).
@inline(__always)
func popMemory(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  slow(cpu, op, left) { c, o in
    let old = c.r64(GPR.rsp)
    guard let value = c.stackPop(size: o.operandSize) else { return .fault }
    let ok: Bool
    switch o.operandSize {
    case 2: ok = c.writeM(o, UInt16(truncatingIfNeeded: value))
    case 4: ok = c.writeM(o, UInt32(truncatingIfNeeded: value))
    default: ok = c.writeM(o, value)
    }
    if !ok {
      c.setR64(GPR.rsp, old)
      return .fault
    }
    return .next
  }
}

@inline(__always)
func leave64(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  let c = CPU(cpu)
  let sp = c.r64(GPR.rbp)
  let found = c.lookUpRead(sp, 8)
  guard found.isHit else { return leaveFrame(cpu, op, left) }
  let host = found.host
  c.setR64(GPR.rsp, sp &+ 8)
  c.setR64(GPR.rbp, host.loadUnaligned(as: UInt64.self))
  next(cpu, op, left)
}
@inline(never)
func leaveFrame(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  slow(cpu, op, left) { c, o in
    let offset = c.r64(GPR.rbp) & c.stackMask
    guard let value = c.stackRead(offset, size: o.operandSize) else { return .fault }
    c.setStackPointer(offset &+ UInt64(o.operandSize))
    c.setRegister(GPR.rbp, size: o.operandSize, value)
    return .next
  }
}

/// ENTER (SDM 2A). `imm` is the frame's size, `d` the nesting level.
@inline(__always)
func enterFrame(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  slow(cpu, op, left) { c, o in
    let size = o.operandSize
    let level = o.d & 31
    let mask = c.stackMask
    var offset = (c.r64(GPR.rsp) &- UInt64(size)) & mask
    guard c.stackWrite(offset, c.register(GPR.rbp, size: size), size: size) else { return .fault }
    let frame = offset
    if level > 0 {
      var from = c.r64(GPR.rbp)
      for _ in 1..<max(level, 1) {
        from = (from &- UInt64(size)) & mask
        guard let value = c.stackRead(from, size: size) else { return .fault }
        offset = (offset &- UInt64(size)) & mask
        guard c.stackWrite(offset, value, size: size) else { return .fault }
      }
      offset = (offset &- UInt64(size)) & mask
      guard c.stackWrite(offset, frame, size: size) else { return .fault }
    }
    offset = (offset &- UInt64(UInt16(truncatingIfNeeded: o.imm))) & mask
    // The new top must be writable, as if something were pushed there.
    guard let linear = c.stackLinear(offset, size: 1, write: true),
      c.probeWrite(linear, 1, c.dataAccess(write: true))
    else { return .fault }
    c.setRegister(GPR.rbp, size: size, frame)
    c.setStackPointer(offset)
    return .next
  }
}

@inline(__always)
func pushAll(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  slow(cpu, op, left) { c, o in
    let size = o.operandSize
    var offset = c.r64(GPR.rsp)
    for i: UInt8 in 0..<8 {
      offset = (offset &- UInt64(size)) & c.stackMask
      guard c.stackWrite(offset, c.register(i, size: size), size: size) else { return .fault }
    }
    c.setStackPointer(offset)
    return .next
  }
}
@inline(__always)
func popAll(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  slow(cpu, op, left) { c, o in
    let size = o.operandSize
    var values: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0, 0, 0)
    let base = c.r64(GPR.rsp)
    let ok = withUnsafeMutableBytes(of: &values) { bytes -> Bool in
      let slots = bytes.bindMemory(to: UInt64.self)
      for i in 0..<8 {
        guard let value = c.stackRead(base &+ UInt64(i) &* UInt64(size), size: size) else { return false }
        slots[7 - i] = value
      }
      for i in 0..<8 where i != Int(GPR.rsp) { c.setRegister(UInt8(i), size: size, slots[i]) }
      return true
    }
    if !ok { return .fault }
    c.setStackPointer(base &+ 8 &* UInt64(size))
    return .next
  }
}

public struct ControlHandlers {
  let jcc = [
    handler { jumpConditional(Overflow.self, $0, $1, $2) }, handler { jumpConditional(NoOverflow.self, $0, $1, $2) },
    handler { jumpConditional(Below.self, $0, $1, $2) }, handler { jumpConditional(NotBelow.self, $0, $1, $2) },
    handler { jumpConditional(Zero.self, $0, $1, $2) }, handler { jumpConditional(NotZero.self, $0, $1, $2) },
    handler { jumpConditional(NotAbove.self, $0, $1, $2) }, handler { jumpConditional(Above.self, $0, $1, $2) },
    handler { jumpConditional(Sign.self, $0, $1, $2) }, handler { jumpConditional(NoSign.self, $0, $1, $2) },
    handler { jumpConditional(Parity.self, $0, $1, $2) }, handler { jumpConditional(NoParity.self, $0, $1, $2) },
    handler { jumpConditional(Less.self, $0, $1, $2) }, handler { jumpConditional(NotLess.self, $0, $1, $2) },
    handler { jumpConditional(NotGreater.self, $0, $1, $2) }, handler { jumpConditional(Greater.self, $0, $1, $2) },
  ]
  let loop = handler { jumpOnCount($0, $1, $2) }
  public let jumpNear = handler { X86Integer.jumpNear($0, $1, $2) }
  public let jumpFar = handler { X86Integer.jumpFar($0, $1, $2) }
  let call64 = handler { callDirect($0, $1, $2) }
  let callAnySize = handler { callDirectAnySize($0, $1, $2) }
  let jumpIndirect64 = handler { X86Integer.jumpIndirect64($0, $1, $2) }
  let jumpIndirectAnySize = handler { X86Integer.jumpIndirectAnySize($0, $1, $2) }
  let callIndirect64 = handler { X86Integer.callIndirect64($0, $1, $2) }
  let callIndirectAnySize = handler { X86Integer.callIndirectAnySize($0, $1, $2) }
  let return64 = handler { X86Integer.return64($0, $1, $2) }
  let returnAnySize = handler { returnSlow($0, $1, $2) }
  let push64 = handler { pushRegister64($0, $1, $2) }
  let pushAnySize = handler { pushRegisterSlow($0, $1, $2) }
  let pushImmediate64 = handler { X86Integer.pushImmediate64($0, $1, $2) }
  let pushImmediateAnySize = handler { pushImmediateSlow($0, $1, $2) }
  let pushMemory = handler { X86Integer.pushMemory($0, $1, $2) }
  let pop64 = handler { popRegister64($0, $1, $2) }
  let popAnySize = handler { popRegisterSlow($0, $1, $2) }
  let popMemory = handler { X86Integer.popMemory($0, $1, $2) }
  let leave64 = handler { X86Integer.leave64($0, $1, $2) }
  let leaveAnySize = handler { leaveFrame($0, $1, $2) }
  let enter = handler { enterFrame($0, $1, $2) }
  let pushAll = handler { X86Integer.pushAll($0, $1, $2) }
  let popAll = handler { X86Integer.popAll($0, $1, $2) }
  public init() {}
}
