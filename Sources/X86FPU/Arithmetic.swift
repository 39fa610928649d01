import X86Core
import X86Float

// Arithmetic with two operands, and comparisons (SDM 1 8.3.5, 8.3.6).

enum Arithmetic {
  case add, multiply, subtract, subtractReversed, divide, divideReversed

  /// `a` ∘ `b`, `a` being the destination.
  func apply(_ a: F80, _ b: F80, denormal: Bool, control: UInt16, _ raised: inout UInt16) -> F80 {
    switch self {
    case .add: return X87.add(a, b, denormal: denormal, control: control, &raised)
    case .multiply: return X87.mul(a, b, denormal: denormal, control: control, &raised)
    case .subtract: return X87.sub(a, b, denormal: denormal, control: control, &raised)
    case .subtractReversed: return X87.sub(b, a, denormal: denormal, control: control, &raised)
    case .divide: return X87.div(a, b, denormal: denormal, control: control, &raised)
    case .divideReversed: return X87.div(b, a, denormal: denormal, control: control, &raised)
    }
  }
}

/// ST(0) = ST(0) ∘ memory.
func arithmeticMemory<M: MemoryFormat>(_ fpu: FPU, _ op: OpRef, _: M.Type, _ operation: Arithmetic) -> Bool {
  guard let bits = fpu.cpu.readM(op, M.Bits.self) else { return false }
  if fpu.isEmpty(0) {
    if fpu.underflows() { fpu.setST(0, .indefinite) }
    return true
  }
  let (value, isDenormal) = M.operand(bits)
  var raised: UInt16 = 0
  let result = operation.apply(fpu.st(0), value, denormal: isDenormal, control: fpu.control, &raised)
  if fpu.commit(raised) & FPU.beforeOperation == 0 { fpu.setST(0, result) }
  return true
}

/// ST(0) = ST(0) ∘ ST(i).
func arithmeticToTop(_ fpu: FPU, _ op: OpRef, _ operation: Arithmetic) -> Bool {
  arithmetic(fpu, 0, op.s, operation, pops: false)
}

/// ST(i) = ST(i) ∘ ST(0).
func arithmeticToRegister(_ fpu: FPU, _ op: OpRef, _ operation: Arithmetic, pops: Bool) -> Bool {
  arithmetic(fpu, op.s, 0, operation, pops: pops)
}

private func arithmetic(
  _ fpu: FPU, _ destination: UInt8, _ source: UInt8, _ operation: Arithmetic, pops: Bool
) -> Bool {
  if fpu.isEmpty(destination) || fpu.isEmpty(source) {
    guard fpu.underflows() else { return true }
    fpu.setST(destination, .indefinite)
  } else {
    var raised: UInt16 = 0
    let result = operation.apply(
      fpu.st(destination), fpu.st(source), denormal: false, control: fpu.control, &raised)
    guard fpu.commit(raised) & FPU.beforeOperation == 0 else { return true }
    fpu.setST(destination, result)
  }
  if pops { fpu.pop() }
  return true
}

// MARK: comparison

/// Condition codes of a comparison (SDM 1 table 8-6).
private func codes(_ comparison: Comparison) -> UInt16 {
  switch comparison {
  case .greater: return 0
  case .less: return X87.c0
  case .equal: return X87.c3
  case .unordered: return X87.c0 | X87.c2 | X87.c3
  }
}

/// Sets the codes for ST(0) against `b` (nil: that register is empty) and pops `pops` times unless an exception is
/// unmasked. An unmasked invalid operation sets no codes (SDM 2A FCOM), a denormal operand does.
private func compare(
  _ fpu: FPU, _ b: F80?, denormal: Bool = false, signalling: Bool, pops: Int
) {
  var raised: UInt16 = 0
  let result: Comparison
  if let b, !fpu.isEmpty(0) {
    result = X87.compare(fpu.st(0), b, signalling: signalling, denormal: denormal, &raised)
  } else {
    raised = X87.ie | X87.sf
    result = .unordered
  }
  if raised & ~fpu.control & X87.ie != 0 {
    fpu.commit(raised)
    return
  }
  let all = X87.c0 | X87.c1 | X87.c2 | X87.c3
  guard fpu.commit(raised | codes(result), replacing: all) & FPU.beforeOperation == 0 else { return }
  for _ in 0..<pops { fpu.pop() }
}

/// FCOM, FUCOM and their pops with a register.
func compareRegister(_ fpu: FPU, _ op: OpRef, signalling: Bool, pops: Int) -> Bool {
  compare(fpu, fpu.isEmpty(op.s) ? nil : fpu.st(op.s), signalling: signalling, pops: pops)
  return true
}

/// FCOMPP, FUCOMPP: with ST(1), two pops.
func compareAndPopBoth(_ fpu: FPU, signalling: Bool) -> Bool {
  compare(fpu, fpu.isEmpty(1) ? nil : fpu.st(1), signalling: signalling, pops: 2)
  return true
}

/// FCOM, FCOMP, FICOM, FICOMP with memory.
func compareMemory<M: MemoryFormat>(_ fpu: FPU, _ op: OpRef, _: M.Type, pops: Int) -> Bool {
  guard let bits = fpu.cpu.readM(op, M.Bits.self) else { return false }
  let (value, isDenormal) = M.operand(bits)
  compare(fpu, value, denormal: isDenormal, signalling: true, pops: pops)
  return true
}

/// FTST.
func compareZero(_ fpu: FPU) -> Bool {
  compare(fpu, .zero, signalling: true, pops: 0)
  return true
}

/// FCOMI, FUCOMI and their pops: ZF, PF and CF stand for C3, C2 and C0; OF, SF and AF are cleared. An unmasked invalid
/// operation leaves the flags alone, a denormal operand does not (SDM 2A FCOMI).
func compareToFlags(_ fpu: FPU, _ op: OpRef, signalling: Bool, pops: Bool) -> Bool {
  var raised: UInt16 = 0
  var result = Comparison.unordered
  if fpu.isEmpty(0) || fpu.isEmpty(op.s) {
    raised = X87.ie | X87.sf
  } else {
    result = X87.compare(fpu.st(0), fpu.st(op.s), signalling: signalling, &raised)
  }
  let unmasked = fpu.commit(raised)
  guard unmasked & X87.ie == 0 else { return true }
  let codes = codes(result)
  var flags: UInt64 = 0
  if codes & X87.c3 != 0 { flags |= RFLAGS.zf }
  if codes & X87.c2 != 0 { flags |= RFLAGS.pf }
  if codes & X87.c0 != 0 { flags |= RFLAGS.cf }
  fpu.cpu.setStatusFlags(flags)
  if pops && unmasked & FPU.beforeOperation == 0 { fpu.pop() }
  return true
}

/// FXAM: the class of ST(0) in C3, C2, C0; its sign, even of an empty register, in C1.
func examine(_ fpu: FPU) -> Bool {
  let a = fpu.st(0)
  let code = (fpu.isEmpty(0) ? F80.Class.empty : a.classification).rawValue
  var codes: UInt16 = a.isNegative ? X87.c1 : 0
  if code & 1 != 0 { codes |= X87.c0 }
  if code & 2 != 0 { codes |= X87.c2 }
  if code & 4 != 0 { codes |= X87.c3 }
  fpu.commit(codes, replacing: X87.c0 | X87.c1 | X87.c2 | X87.c3)
  return true
}
