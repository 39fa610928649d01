import X86Core
import X86Float

// Functions of one or two registers: signs, roots, roundings, remainders, transcendental functions
// (SDM 1 8.3.5, 8.3.7).

/// FCHS, FABS: no exception but stack underflow.
func changeSign(_ fpu: FPU, _ change: (F80) -> F80) -> Bool {
  if fpu.isEmpty(0) {
    if fpu.underflows() { fpu.setST(0, .indefinite) }
  } else {
    fpu.commit(0)
    fpu.setST(0, change(fpu.st(0)))
  }
  return true
}

/// ST(0) = f(ST(0)): FSQRT, FRNDINT, F2XM1, FSIN, FCOS.
/// - Parameter codes: condition codes that the instruction defines.
func unary(
  _ fpu: FPU, codes: UInt16 = X87.c1, _ function: (F80, UInt16, inout UInt16) -> F80
) -> Bool {
  if fpu.isEmpty(0) {
    if fpu.underflows(replacing: codes) { fpu.setST(0, .indefinite) }
    return true
  }
  var raised: UInt16 = 0
  let result = function(fpu.st(0), fpu.control, &raised)
  if fpu.commit(raised, replacing: codes) & FPU.beforeOperation == 0 { fpu.setST(0, result) }
  return true
}

/// FSCALE.
func scale(_ fpu: FPU) -> Bool {
  if fpu.isEmpty(0) || fpu.isEmpty(1) {
    if fpu.underflows() { fpu.setST(0, .indefinite) }
    return true
  }
  var raised: UInt16 = 0
  let result = X87.scale(fpu.st(0), by: fpu.st(1), control: fpu.control, &raised)
  if fpu.commit(raised) & FPU.beforeOperation == 0 { fpu.setST(0, result) }
  return true
}

/// ST(1) = f(ST(0), ST(1)), then a pop: FYL2X, FYL2XP1, FPATAN.
func binaryAndPop(_ fpu: FPU, _ function: (F80, F80, UInt16, inout UInt16) -> F80) -> Bool {
  if fpu.isEmpty(0) || fpu.isEmpty(1) {
    guard fpu.underflows() else { return true }
    fpu.setST(1, .indefinite)
  } else {
    var raised: UInt16 = 0
    let result = function(fpu.st(0), fpu.st(1), fpu.control, &raised)
    guard fpu.commit(raised) & FPU.beforeOperation == 0 else { return true }
    fpu.setST(1, result)
  }
  fpu.pop()
  return true
}

/// ST(0) is replaced and a second result pushed: FPTAN, FSINCOS, FXTRACT. With C2 (argument out of range) nothing
/// changes.
func unaryWithPush(
  _ fpu: FPU, codes: UInt16, _ function: (F80, UInt16, inout UInt16) -> (replacing: F80, pushed: F80)
) -> Bool {
  if fpu.isEmpty(0) || !fpu.isEmpty(7) {
    let masked = fpu.isEmpty(0) ? fpu.underflows(replacing: codes) : fpu.overflows(replacing: codes)
    if masked {
      fpu.setST(0, .indefinite)
      fpu.push(.indefinite)
    }
    return true
  }
  var raised: UInt16 = 0
  let results = function(fpu.st(0), fpu.control, &raised)
  guard fpu.commit(raised, replacing: codes) & FPU.beforeOperation == 0, raised & X87.c2 == 0 else {
    return true
  }
  fpu.setST(0, results.replacing)
  fpu.push(results.pushed)
  return true
}

func squareRoot(_ fpu: FPU) -> Bool { unary(fpu) { X87.sqrt($0, control: $1, &$2) } }
func roundToInteger(_ fpu: FPU) -> Bool { unary(fpu) { X87.roundToIntegral($0, control: $1, &$2) } }
func exponentialMinus1(_ fpu: FPU) -> Bool { unary(fpu) { X87.exponentialMinus1($0, control: $1, &$2) } }
func sine(_ fpu: FPU) -> Bool { unary(fpu, codes: X87.c1 | X87.c2) { X87.sine($0, control: $1, &$2) } }
func cosine(_ fpu: FPU) -> Bool { unary(fpu, codes: X87.c1 | X87.c2) { X87.cosine($0, control: $1, &$2) } }

/// FPREM, and FPREM1 (`nearest`). C0 and C3 keep their values unless there is a quotient: C2 tells of the rest.
func remainder(_ fpu: FPU, nearest: Bool) -> Bool {
  if fpu.isEmpty(0) || fpu.isEmpty(1) {
    if fpu.underflows(replacing: X87.c1 | X87.c2) { fpu.setST(0, .indefinite) }
    return true
  }
  var raised: UInt16 = 0
  let result = X87.remainder(fpu.st(0), by: fpu.st(1), nearest: nearest, control: fpu.control, &raised)
  let stops = raised & ~fpu.control & FPU.beforeOperation != 0
  let hasQuotient = result.classification != .nan && raised & X87.ie == 0 && !stops
  let codes = X87.c1 | X87.c2 | (hasQuotient ? X87.c0 | X87.c3 : 0)
  if fpu.commit(raised, replacing: codes) & FPU.beforeOperation == 0 { fpu.setST(0, result) }
  return true
}

func yLog2(_ fpu: FPU) -> Bool { binaryAndPop(fpu) { X87.yLog2($0, times: $1, control: $2, &$3) } }
func yLog2Plus1(_ fpu: FPU) -> Bool { binaryAndPop(fpu) { X87.yLog2Plus1($0, times: $1, control: $2, &$3) } }
func arctangent(_ fpu: FPU) -> Bool { binaryAndPop(fpu) { X87.arctangent($1, over: $0, control: $2, &$3) } }

/// FPTAN: a NaN is pushed instead of the 1.
func tangent(_ fpu: FPU) -> Bool {
  unaryWithPush(fpu, codes: X87.c1 | X87.c2) { a, control, raised in
    let result = X87.tangent(a, control: control, &raised)
    return (result, result.classification == .nan ? result : .one)
  }
}
func sineAndCosine(_ fpu: FPU) -> Bool {
  unaryWithPush(fpu, codes: X87.c1 | X87.c2) { a, control, raised in
    let results = X87.sineAndCosine(a, control: control, &raised)
    return (results.sine, results.cosine)
  }
}
func extract(_ fpu: FPU) -> Bool {
  unaryWithPush(fpu, codes: X87.c1) { a, control, raised in
    let results = X87.extract(a, control: control, &raised)
    return (results.exponent, results.significand)
  }
}
