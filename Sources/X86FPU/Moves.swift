import X86Core
import X86Float

// Loads, stores, constants and the instructions that move or mark registers (SDM 1 8.3.3, 8.3.4).

// MARK: to the stack

extension FPU {
  /// Pushes a value that has no exceptions of its own: overflow is all that can happen.
  func pushChecked(_ value: F80) {
    if !isEmpty(7) {
      if overflows() { push(.indefinite) }
      return
    }
    commit(0)
    push(value)
  }
}

/// FLD m32fp, m64fp; FILD.
func load<M: MemoryFormat>(_ fpu: FPU, _ op: OpRef, _: M.Type) -> Bool {
  guard let bits = fpu.cpu.readM(op, M.Bits.self) else { return false }
  if !fpu.isEmpty(7) {
    if fpu.overflows() { fpu.push(.indefinite) }
    return true
  }
  var raised: UInt16 = 0
  let value = M.load(bits, &raised)
  // A denormal is loaded even when its exception is unmasked.
  if fpu.commit(raised) & X87.ie == 0 { fpu.push(value) }
  return true
}

/// FLD m80fp.
func loadExtended(_ fpu: FPU, _ op: OpRef) -> Bool {
  guard let bytes = fpu.readTenBytes(op) else { return false }
  fpu.pushChecked(F80(signExponent: bytes.high, significand: bytes.low))
  return true
}

/// FBLD.
func loadBCD(_ fpu: FPU, _ op: OpRef) -> Bool {
  guard let bytes = fpu.readTenBytes(op) else { return false }
  fpu.pushChecked(X87.loadBCD(digits: bytes.low, top: bytes.high))
  return true
}

/// FLD ST(i). Where both stack faults are due, it is underflow.
func loadRegister(_ fpu: FPU, _ op: OpRef) -> Bool {
  if fpu.isEmpty(op.s) {
    if fpu.underflows() { fpu.push(.indefinite) }
  } else {
    fpu.pushChecked(fpu.st(op.s))
  }
  return true
}

/// FLD1, FLDZ.
func loadExact(_ fpu: FPU, _ value: F80) -> Bool {
  fpu.pushChecked(value)
  return true
}

/// FLDL2T, FLDL2E, FLDPI, FLDLG2, FLDLN2.
func loadConstant(_ fpu: FPU, _ constant: X87.Constant) -> Bool {
  fpu.pushChecked(X87.load(constant, control: fpu.control))
  return true
}

// MARK: from the stack

/// FST, FSTP m32fp, m64fp; FIST, FISTP, FISTTP.
func store<M: MemoryFormat>(
  _ fpu: FPU, _ op: OpRef, _: M.Type, pops: Bool, truncating: Bool = false
) -> Bool {
  var raised: UInt16 = 0
  let bits: M.Bits
  if fpu.isEmpty(0) {
    raised = X87.ie | X87.sf
    bits = M.indefinite
  } else {
    bits = M.store(fpu.st(0), truncating: truncating, control: fpu.control, &raised)
  }
  let stores = raised & ~fpu.control & FPU.beforeStore == 0
  if stores && !fpu.cpu.writeM(op, bits) { return false }
  fpu.commit(raised)
  if stores && pops { fpu.pop() }
  return true
}

/// FSTP m80fp.
func storeExtended(_ fpu: FPU, _ op: OpRef) -> Bool {
  storeTenBytes(fpu, op, indefinite: (3 << 62, 0xFFFF)) { a, _, _ in (a.significand, a.signExponent) }
}

/// FBSTP.
func storeBCD(_ fpu: FPU, _ op: OpRef) -> Bool {
  storeTenBytes(fpu, op, indefinite: (0xC000_0000_0000_0000, 0xFFFF)) { a, control, raised in
    let bytes = X87.storeBCD(a, control: control, &raised)
    return (bytes.digits, bytes.top)
  }
}

private func storeTenBytes(
  _ fpu: FPU, _ op: OpRef, indefinite: (UInt64, UInt16),
  _ convert: (F80, UInt16, inout UInt16) -> (UInt64, UInt16)
) -> Bool {
  var raised: UInt16 = 0
  var bytes = indefinite
  if fpu.isEmpty(0) {
    raised = X87.ie | X87.sf
  } else {
    bytes = convert(fpu.st(0), fpu.control, &raised)
  }
  let stores = raised & ~fpu.control & FPU.beforeStore == 0
  if stores && !fpu.writeTenBytes(op, bytes.0, bytes.1) { return false }
  fpu.commit(raised)
  if stores { fpu.pop() }
  return true
}

/// FST, FSTP ST(i).
func storeRegister(_ fpu: FPU, _ op: OpRef, pops: Bool) -> Bool {
  if fpu.isEmpty(0) {
    guard fpu.underflows() else { return true }
    fpu.setST(op.s, .indefinite)
  } else {
    fpu.commit(0)
    fpu.setST(op.s, fpu.st(0))
  }
  if pops { fpu.pop() }
  return true
}

/// FSTPNCE: FSTP ST(i) without stack faults; of an empty ST(0) nothing is stored.
func storeUnchecked(_ fpu: FPU, _ op: OpRef) -> Bool {
  fpu.commit(0)
  if !fpu.isEmpty(0) { fpu.setST(op.s, fpu.st(0)) }
  fpu.pop()
  return true
}

// MARK: within the stack

/// FXCH. Empty registers become the indefinite first when the underflow is masked (SDM 2A FXCH).
func exchange(_ fpu: FPU, _ op: OpRef) -> Bool {
  if fpu.isEmpty(0) || fpu.isEmpty(op.s) {
    guard fpu.underflows() else { return true }
    if fpu.isEmpty(0) { fpu.setST(0, .indefinite) }
    if fpu.isEmpty(op.s) { fpu.setST(op.s, .indefinite) }
  } else {
    fpu.commit(0)
  }
  let top = fpu.st(0)
  fpu.setST(0, fpu.st(op.s))
  fpu.setST(op.s, top)
  return true
}

/// FCMOVcc. The registers are looked at whatever the condition says.
/// - Parameter condition: as encoded in Jcc.
func conditionalMove(_ fpu: FPU, _ op: OpRef, _ condition: UInt8) -> Bool {
  if fpu.isEmpty(0) || fpu.isEmpty(op.s) {
    if fpu.underflows() { fpu.setST(0, .indefinite) }
  } else if fpu.cpu.holds(condition) {
    fpu.setST(0, fpu.st(op.s))
  }
  return true
}

/// FFREE, and FFREEP with a pop that checks nothing.
func free(_ fpu: FPU, _ op: OpRef, pops: Bool) -> Bool {
  fpu.commit(0)
  fpu.markEmpty(op.s)
  if pops { fpu.pop() }
  return true
}

/// FINCSTP (`by` 1), FDECSTP (7): no tag changes.
func rotate(_ fpu: FPU, by distance: UInt8) -> Bool {
  fpu.commit(0)
  fpu.fields.pointee.x87Top = fpu.physical(distance)
  return true
}
