import X86Core

// MUL, IMUL, DIV, IDIV, and the sign extensions of the accumulator.

/// IMUL r, r/m and IMUL r, r/m, imm: CF = OF = the product does not fit (SDM 2A).
enum Imul: BinaryOperation {
  static var writes: Bool { true }
  @inline(__always) static func apply<T: Width>(_ cpu: CPU, _ a: T, _ b: T) -> T {
    let (high, low) = T.Signed(truncatingIfNeeded: a).multipliedFullWidth(by: T.Signed(truncatingIfNeeded: b))
    let r = T(truncatingIfNeeded: low)
    let fits = high == T.Signed(truncatingIfNeeded: r) &>> T.Signed(truncatingIfNeeded: T.bitWidth - 1)
    setProductFlags(cpu, r, overflow: !fits)
    return r
  }
}

/// SF, ZF, PF are undefined after a multiplication; they are those of the low half, AF is clear.
@inline(__always)
func setProductFlags<T: Width>(_ cpu: CPU, _ r: T, overflow: Bool) {
  var flags: UInt64 = overflow ? RFLAGS.cf | RFLAGS.of : 0
  if r == 0 { flags |= RFLAGS.zf }
  if r &>> T(truncatingIfNeeded: T.bitWidth - 1) != 0 { flags |= RFLAGS.sf }
  if UInt8(truncatingIfNeeded: r).nonzeroBitCount & 1 == 0 { flags |= RFLAGS.pf }
  cpu.setStatusFlags(flags)
}

/// IMUL r, r/m, imm: `d` = E × imm.
@inline(__always)
func multiplyImmediate<T: Width>(
  _: T.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  slow(cpu, op, left) { c, o in
    guard let a = c.readE(o, T.self) else { return .fault }
    T.set(c, o.d, Imul.apply(c, a, T(truncatingIfNeeded: o.imm)))
    return .next
  }
}

/// rDX (AH for 8 bits) holds the high half.
@inline(__always)
func highHalf<T: Width>(_ c: CPU, _: T.Type) -> T {
  MemoryLayout<T>.size == 1 ? T.get(c, 1) : T.get(c, GPR.rdx)
}
@inline(__always)
func setHalves<T: Width>(_ c: CPU, high: T, low: T) {
  T.set(c, MemoryLayout<T>.size == 1 ? 1 : GPR.rdx, high)
  T.set(c, GPR.rax, low)
}

@inline(__always)
func multiply<T: Width>(_: T.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  slow(cpu, op, left) { c, o in
    guard let b = c.readE(o, T.self) else { return .fault }
    let (high, low) = T.get(c, GPR.rax).multipliedFullWidth(by: b)
    setHalves(c, high: high, low: T(truncatingIfNeeded: low))
    setProductFlags(c, T(truncatingIfNeeded: low), overflow: high != 0)
    return .next
  }
}
@inline(__always)
func multiplySigned<T: Width>(_: T.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  slow(cpu, op, left) { c, o in
    guard let b = c.readE(o, T.self) else { return .fault }
    let (high, low) = T.Signed(truncatingIfNeeded: T.get(c, GPR.rax)).multipliedFullWidth(
      by: T.Signed(truncatingIfNeeded: b))
    let r = T(truncatingIfNeeded: low)
    setHalves(c, high: T(truncatingIfNeeded: high), low: r)
    let fits = high == T.Signed(truncatingIfNeeded: r) &>> T.Signed(truncatingIfNeeded: T.bitWidth - 1)
    setProductFlags(c, r, overflow: !fits)
    return .next
  }
}
@inline(__always)
func divide<T: Width>(_: T.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  slow(cpu, op, left) { c, o in
    guard let b = c.readE(o, T.self) else { return .fault }
    let high = highHalf(c, T.self)
    // The quotient fits exactly when the high half is below the divisor; a zero divisor never is.
    if high >= b {
      c.fault(Vector.de)
      return .fault
    }
    let (quotient, remainder) = divideUnsigned(high, T.get(c, GPR.rax), b)
    setHalves(c, high: remainder, low: quotient)
    return .next
  }
}
@inline(__always)
func divideUnsigned<T: Width>(_ high: T, _ low: T, _ b: T) -> (T, T) {
  if MemoryLayout<T>.size == 8 {
    if high == 0 { return (low / b, low % b) }
    return b.dividingFullWidth((high, T.Magnitude(truncatingIfNeeded: low)))
  }
  let n = UInt64(truncatingIfNeeded: high) << UInt64(T.bitWidth) | UInt64(truncatingIfNeeded: low)
  let d = UInt64(truncatingIfNeeded: b)
  return (T(truncatingIfNeeded: n / d), T(truncatingIfNeeded: n % d))
}
@inline(__always)
func divideSigned<T: Width>(_: T.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  slow(cpu, op, left) { c, o in
    guard let b = c.readE(o, T.self) else { return .fault }
    let high = highHalf(c, T.self)
    let low = T.get(c, GPR.rax)
    let top = T(truncatingIfNeeded: T.bitWidth - 1)
    let negative = high &>> top != 0
    let divisorNegative = b &>> top != 0
    // Magnitudes of the double-width dividend and of the divisor.
    let lowMagnitude = negative ? 0 &- low : low
    let highMagnitude = negative ? ~high &+ (low == 0 ? 1 : 0) : high
    let divisor = divisorNegative ? 0 &- b : b
    if highMagnitude >= divisor {
      c.fault(Vector.de)
      return .fault
    }
    let (q, r) = divideUnsigned(highMagnitude, lowMagnitude, divisor)
    let limit: T = 1 &<< top
    let quotientNegative = negative != divisorNegative
    if quotientNegative ? q > limit : q >= limit {
      c.fault(Vector.de)
      return .fault
    }
    setHalves(c, high: negative ? 0 &- r : r, low: quotientNegative ? 0 &- q : q)
    return .next
  }
}

/// CBW, CWDE, CDQE: the accumulator's lower half is extended over the upper.
@inline(__always)
func extendAccumulator(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  let c = CPU(cpu)
  switch OpRef(op).operandSize {
  case 2: c.setReg(GPR.rax, UInt16(truncatingIfNeeded: Int8(truncatingIfNeeded: c.r64(GPR.rax))))
  case 4: c.setReg(GPR.rax, UInt32(truncatingIfNeeded: Int16(truncatingIfNeeded: c.r64(GPR.rax))))
  default: c.setR64(GPR.rax, UInt64(truncatingIfNeeded: Int32(truncatingIfNeeded: c.r64(GPR.rax))))
  }
  next(cpu, op, left)
}
/// CWD, CDQ, CQO: rDX is filled with the accumulator's sign.
@inline(__always)
func signIntoDX(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  let c = CPU(cpu)
  switch OpRef(op).operandSize {
  case 2: c.setReg(GPR.rdx, UInt16(truncatingIfNeeded: Int16(truncatingIfNeeded: c.r64(GPR.rax)) >> 15))
  case 4: c.setReg(GPR.rdx, UInt32(truncatingIfNeeded: Int32(truncatingIfNeeded: c.r64(GPR.rax)) >> 31))
  default: c.setR64(GPR.rdx, UInt64(truncatingIfNeeded: Int64(bitPattern: c.r64(GPR.rax)) >> 63))
  }
  next(cpu, op, left)
}

struct MultiplyHandlers {
  let imulRegister = registerHandlers(Imul.self, RegisterS.self)
  let imulMemory = fromMemoryHandlers(Imul.self)
  let imulImmediate = [
    handler { multiplyImmediate(UInt16.self, $0, $1, $2) }, handler { multiplyImmediate(UInt32.self, $0, $1, $2) },
    handler { multiplyImmediate(UInt64.self, $0, $1, $2) },
  ]
  let mul = [
    handler { multiply(UInt8.self, $0, $1, $2) }, handler { multiply(UInt16.self, $0, $1, $2) },
    handler { multiply(UInt32.self, $0, $1, $2) }, handler { multiply(UInt64.self, $0, $1, $2) },
  ]
  let imul = [
    handler { multiplySigned(UInt8.self, $0, $1, $2) }, handler { multiplySigned(UInt16.self, $0, $1, $2) },
    handler { multiplySigned(UInt32.self, $0, $1, $2) }, handler { multiplySigned(UInt64.self, $0, $1, $2) },
  ]
  let div = [
    handler { divide(UInt8.self, $0, $1, $2) }, handler { divide(UInt16.self, $0, $1, $2) },
    handler { divide(UInt32.self, $0, $1, $2) }, handler { divide(UInt64.self, $0, $1, $2) },
  ]
  let idiv = [
    handler { divideSigned(UInt8.self, $0, $1, $2) }, handler { divideSigned(UInt16.self, $0, $1, $2) },
    handler { divideSigned(UInt32.self, $0, $1, $2) }, handler { divideSigned(UInt64.self, $0, $1, $2) },
  ]
  let cbw = handler { extendAccumulator($0, $1, $2) }
  let cwd = handler { signIntoDX($0, $1, $2) }
}
