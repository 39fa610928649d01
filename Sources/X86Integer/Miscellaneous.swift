import X86Core

// Flags, NOPs, decimal arithmetic, XLAT.

@inline(__always)
func noOperation(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  next(cpu, op, left)
}

/// CLFLUSH, CLFLUSHOPT, CLWB: no cache to write back, but the faults of a load of one byte (SDM 2A CLFLUSH). A device at
/// the address is not read.
@inline(__always)
func flushLine(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  slow(cpu, op, left) { c, o in
    guard let linear = c.checkedAddress(o, size: 1, write: false), c.probeRead(linear, 1, c.dataAccess(write: false))
    else { return .fault }
    return .next
  }
}

/// CLC, STC, CMC (`d`: 0, 1, 2).
@inline(__always)
func changeCarry(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  let c = CPU(cpu)
  switch OpRef(op).d {
  case 0: setCarry(c, 0)
  case 1: setCarry(c, 1)
  default: setCarry(c, c.carryFlag ? 0 : 1)
  }
  next(cpu, op, left)
}
/// CLD, STD (`d`: 0, 1).
@inline(__always)
func changeDirection(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  let f = CPU(cpu).f
  f.pointee.systemFlags = (f.pointee.systemFlags & ~RFLAGS.df) | (OpRef(op).d != 0 ? RFLAGS.df : 0)
  next(cpu, op, left)
}
@inline(__always)
func flagsToAH(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  let c = CPU(cpu)
  c.setR8(1, UInt8(truncatingIfNeeded: c.statusFlags) | 2)
  next(cpu, op, left)
}
@inline(__always)
func flagsFromAH(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  let c = CPU(cpu)
  c.setStatusFlags((c.statusFlags & RFLAGS.of) | (UInt64(c.r8(1)) & (RFLAGS.status & 0xFF)))
  next(cpu, op, left)
}

/// XLAT: AL = [rBX + AL].
@inline(__always)
func translateByte(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  slow(cpu, op, left) { c, o in
    let effective = (c.r64(GPR.rbx) &+ UInt64(c.r8(0))) & c.r64(o.maskSlot)
    guard let linear = sourceLinear(c, o, effective, 1), let value = readElement(c, linear, UInt8.self)
    else { return .fault }
    c.setR8(0, value)
    return .next
  }
}
/// SALC (D6, undocumented): AL = CF ? FF : 0.
@inline(__always)
func setALFromCarry(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  CPU(cpu).setR8(0, CPU(cpu).carryFlag ? 0xFF : 0)
  next(cpu, op, left)
}

// MARK: Decimal arithmetic (SDM 2A: AAA, AAD, AAM, AAS, DAA, DAS)

/// ZF, SF, PF of AL, with CF and AF as given and OF clear.
func setDecimalFlags(_ c: CPU, carry: Bool, adjust: Bool) {
  let al = c.r8(0)
  var flags: UInt64 = (carry ? RFLAGS.cf : 0) | (adjust ? RFLAGS.af : 0)
  if al == 0 { flags |= RFLAGS.zf }
  if al & 0x80 != 0 { flags |= RFLAGS.sf }
  if al.nonzeroBitCount & 1 == 0 { flags |= RFLAGS.pf }
  c.setStatusFlags(flags)
}
/// DAA (`d` 0) and DAS (`d` 1).
@inline(__always)
func decimalAdjust(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  slow(cpu, op, left) { c, o in
    let old = c.r8(0)
    let oldCarry = c.carryFlag
    let low = old & 15 > 9 || c.adjustFlag
    let high = old > 0x99 || oldCarry
    var al = old
    if o.d == 0 {
      if low { al = al &+ 6 }
      if high { al = al &+ 0x60 }
    } else {
      if low { al = al &- 6 }
      if high { al = al &- 0x60 }
    }
    // DAS: a borrow of the first step counts even when the second is not taken.
    let borrow = o.d != 0 && low && old < 6
    c.setR8(0, al)
    setDecimalFlags(c, carry: high || borrow, adjust: low)
    return .next
  }
}
/// AAA (`d` 0) and AAS (`d` 1).
@inline(__always)
func asciiAdjust(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  slow(cpu, op, left) { c, o in
    let adjust = c.r8(0) & 15 > 9 || c.adjustFlag
    var ax = c.reg(GPR.rax, UInt16.self)
    if adjust { ax = o.d == 0 ? ax &+ 0x106 : ax &- 0x106 }
    c.setReg(GPR.rax, ax & 0xFF0F)
    setDecimalFlags(c, carry: adjust, adjust: adjust)
    return .next
  }
}
/// AAM: `imm` is the base.
@inline(__always)
func asciiMultiply(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  slow(cpu, op, left) { c, o in
    let base = UInt8(truncatingIfNeeded: o.imm)
    if base == 0 {
      c.fault(Vector.de)
      return .fault
    }
    let al = c.r8(0)
    c.setR8(1, al / base)
    c.setR8(0, al % base)
    setDecimalFlags(c, carry: false, adjust: false)
    return .next
  }
}
/// AAD: `imm` is the base.
@inline(__always)
func asciiDivide(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  slow(cpu, op, left) { c, o in
    c.setReg(GPR.rax, UInt16(c.r8(0) &+ c.r8(1) &* UInt8(truncatingIfNeeded: o.imm)))
    setDecimalFlags(c, carry: false, adjust: false)
    return .next
  }
}
@inline(__always)
func undefined(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  CPU(cpu).fault(Vector.ud)
  raise(cpu, op, left)
}

public struct MiscellaneousHandlers {
  let nop = handler { noOperation($0, $1, $2) }
  let flushLine = handler { X86Integer.flushLine($0, $1, $2) }
  let carry = handler { changeCarry($0, $1, $2) }
  let direction = handler { changeDirection($0, $1, $2) }
  let lahf = handler { flagsToAH($0, $1, $2) }
  let sahf = handler { flagsFromAH($0, $1, $2) }
  let xlat = handler { translateByte($0, $1, $2) }
  let salc = handler { setALFromCarry($0, $1, $2) }
  let decimalAdjust = handler { X86Integer.decimalAdjust($0, $1, $2) }
  let asciiAdjust = handler { X86Integer.asciiAdjust($0, $1, $2) }
  let aam = handler { asciiMultiply($0, $1, $2) }
  let aad = handler { asciiDivide($0, $1, $2) }
  /// Raises #UD.
  public let undefined = handler { X86Integer.undefined($0, $1, $2) }
  public init() {}
}
