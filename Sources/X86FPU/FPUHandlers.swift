import X86Core
import X86Decode
import X86Float

/// The handler of an x87 instruction (D8–DF, WAIT); nil when it is none.
///
/// The operation's fields are those of the generic encoding. `imm` becomes the opcode as FNSTENV stores it (the low
/// three bits of the first byte, and ModRM: SDM 1 figure 8-8); the other fields stay.
public func fpuHandler(for instruction: Instruction, _ op: inout Op) -> UInt? {
  guard let handler = fpuHandler(instruction) else { return nil }
  let modRM = UInt16(instruction.mod) &<< 6 | UInt16(instruction.reg & 7) &<< 3 | UInt16(instruction.rm & 7)
  op.imm = Int32(UInt16(instruction.opcode & 7) &<< 8 | modRM)
  return handler
}

private func fpuHandler(_ i: Instruction) -> UInt? {
  switch i.operation {
  case .fadd, .faddp: return arithmeticHandler(i, addHandlers)
  case .fmul, .fmulp: return arithmeticHandler(i, multiplyHandlers)
  case .fsub, .fsubp: return arithmeticHandler(i, subtractHandlers)
  case .fsubr, .fsubrp: return arithmeticHandler(i, subtractReversedHandlers)
  case .fdiv, .fdivp: return arithmeticHandler(i, divideHandlers)
  case .fdivr, .fdivrp: return arithmeticHandler(i, divideReversedHandlers)
  case .fiadd: return arithmeticHandler(i, addHandlers)
  case .fimul: return arithmeticHandler(i, multiplyHandlers)
  case .fisub: return arithmeticHandler(i, subtractHandlers)
  case .fisubr: return arithmeticHandler(i, subtractReversedHandlers)
  case .fidiv: return arithmeticHandler(i, divideHandlers)
  case .fidivr: return arithmeticHandler(i, divideReversedHandlers)

  case .fcom, .fcomp, .ficom, .ficomp, .fcompp, .fucom, .fucomp, .fucompp, .fcomi, .fcomip, .fucomi, .fucomip,
    .ftst,
    .fxam:
    return comparisonHandler(i)
  case .fld, .fild, .fbld, .fld1, .fldz, .fldl2t, .fldl2e, .fldpi, .fldlg2, .fldln2: return loadHandler(i)
  case .fst, .fstp, .fist, .fistp, .fisttp, .fbstp, .fstpnce: return storeHandler(i)
  case .fcmovb, .fcmove, .fcmovbe, .fcmovu, .fcmovnb, .fcmovne, .fcmovnbe, .fcmovnu: return moveHandler(i)

  case .fxch: return handler { numeric($0, $1, $2, exchange) }
  case .ffree: return handler { numeric($0, $1, $2) { free($0, $1, pops: false) } }
  case .ffreep: return handler { numeric($0, $1, $2) { free($0, $1, pops: true) } }
  case .fincstp: return handler { numeric($0, $1, $2) { fpu, _ in rotate(fpu, by: 1) } }
  case .fdecstp: return handler { numeric($0, $1, $2) { fpu, _ in rotate(fpu, by: 7) } }
  // FNENI, FNDISI and FNSETPM do nothing since the 387, pending exceptions or not.
  case .fnop where i.opcode == 0xDB:
    return handler { controlling($0, $1, $2, waiting: false) { _, _ in true } }
  case .fnop: return handler { numeric($0, $1, $2) { _, _ in true } }

  case .fchs: return handler { numeric($0, $1, $2) { fpu, _ in changeSign(fpu) { $0.negated } } }
  case .fabs: return handler { numeric($0, $1, $2) { fpu, _ in changeSign(fpu) { $0.magnitude } } }
  case .fsqrt: return handler { numeric($0, $1, $2) { fpu, _ in squareRoot(fpu) } }
  case .frndint: return handler { numeric($0, $1, $2) { fpu, _ in roundToInteger(fpu) } }
  case .fscale: return handler { numeric($0, $1, $2) { fpu, _ in scale(fpu) } }
  case .fprem: return handler { numeric($0, $1, $2) { fpu, _ in remainder(fpu, nearest: false) } }
  case .fprem1: return handler { numeric($0, $1, $2) { fpu, _ in remainder(fpu, nearest: true) } }
  case .fxtract: return handler { numeric($0, $1, $2) { fpu, _ in extract(fpu) } }
  case .f2xm1: return handler { numeric($0, $1, $2) { fpu, _ in exponentialMinus1(fpu) } }
  case .fyl2x: return handler { numeric($0, $1, $2) { fpu, _ in yLog2(fpu) } }
  case .fyl2xp1: return handler { numeric($0, $1, $2) { fpu, _ in yLog2Plus1(fpu) } }
  case .fpatan: return handler { numeric($0, $1, $2) { fpu, _ in arctangent(fpu) } }
  case .fptan: return handler { numeric($0, $1, $2) { fpu, _ in tangent(fpu) } }
  case .fsin: return handler { numeric($0, $1, $2) { fpu, _ in sine(fpu) } }
  case .fcos: return handler { numeric($0, $1, $2) { fpu, _ in cosine(fpu) } }
  case .fsincos: return handler { numeric($0, $1, $2) { fpu, _ in sineAndCosine(fpu) } }

  case .fldcw: return handler { controlling($0, $1, $2, waiting: true) { $0.loadControl($1) } }
  case .fnstcw: return handler { controlling($0, $1, $2, waiting: false) { $0.storeControl($1) } }
  case .fnstsw:
    if i.isMemory { return handler { controlling($0, $1, $2, waiting: false) { $0.storeStatus($1) } } }
    return handler { controlling($0, $1, $2, waiting: false) { fpu, _ in fpu.storeStatusToAX() } }
  case .fnclex: return handler { controlling($0, $1, $2, waiting: false) { fpu, _ in fpu.clearExceptions() } }
  case .fninit:
    return handler {
      controlling($0, $1, $2, waiting: false) { fpu, _ in
        fpu.initialize()
        return true
      }
    }
  case .fldenv: return handler { controlling($0, $1, $2, waiting: true) { $0.loadEnvironment($1) } }
  case .fnstenv: return handler { controlling($0, $1, $2, waiting: false) { $0.storeEnvironment($1) } }
  case .frstor: return handler { controlling($0, $1, $2, waiting: true) { $0.restore($1) } }
  case .fnsave: return handler { controlling($0, $1, $2, waiting: false) { $0.save($1) } }
  case .wait: return handler { slow($0, $1, $2, wait) }
  default: return nil
  }
}

// MARK: arithmetic

/// The forms of one arithmetic operation.
private struct ArithmeticHandlers {
  var toTop: UInt
  var toRegister: UInt
  var toRegisterAndPop: UInt
  var single: UInt
  var double: UInt
  var integer16: UInt
  var integer32: UInt
}

private func arithmeticHandler(_ i: Instruction, _ handlers: ArithmeticHandlers) -> UInt? {
  switch i.operands.0 {
  case .m32fp: return handlers.single
  case .m64fp: return handlers.double
  case .m16int: return handlers.integer16
  case .m32int: return handlers.integer32
  case .st0: return handlers.toTop
  case .sti: return i.opcode == 0xDE ? handlers.toRegisterAndPop : handlers.toRegister
  default: return nil
  }
}

private let addHandlers = ArithmeticHandlers(
  toTop: handler { numeric($0, $1, $2) { arithmeticToTop($0, $1, .add) } },
  toRegister: handler { numeric($0, $1, $2) { arithmeticToRegister($0, $1, .add, pops: false) } },
  toRegisterAndPop: handler { numeric($0, $1, $2) { arithmeticToRegister($0, $1, .add, pops: true) } },
  single: handler { numeric($0, $1, $2) { arithmeticMemory($0, $1, Single.self, .add) } },
  double: handler { numeric($0, $1, $2) { arithmeticMemory($0, $1, DoublePrecision.self, .add) } },
  integer16: handler { numeric($0, $1, $2) { arithmeticMemory($0, $1, SignedInteger<Int16>.self, .add) } },
  integer32: handler { numeric($0, $1, $2) { arithmeticMemory($0, $1, SignedInteger<Int32>.self, .add) } })

private let multiplyHandlers = ArithmeticHandlers(
  toTop: handler { numeric($0, $1, $2) { arithmeticToTop($0, $1, .multiply) } },
  toRegister: handler { numeric($0, $1, $2) { arithmeticToRegister($0, $1, .multiply, pops: false) } },
  toRegisterAndPop: handler { numeric($0, $1, $2) { arithmeticToRegister($0, $1, .multiply, pops: true) } },
  single: handler { numeric($0, $1, $2) { arithmeticMemory($0, $1, Single.self, .multiply) } },
  double: handler { numeric($0, $1, $2) { arithmeticMemory($0, $1, DoublePrecision.self, .multiply) } },
  integer16: handler {
    numeric($0, $1, $2) { arithmeticMemory($0, $1, SignedInteger<Int16>.self, .multiply) }
  },
  integer32: handler {
    numeric($0, $1, $2) { arithmeticMemory($0, $1, SignedInteger<Int32>.self, .multiply) }
  })

private let subtractHandlers = ArithmeticHandlers(
  toTop: handler { numeric($0, $1, $2) { arithmeticToTop($0, $1, .subtract) } },
  toRegister: handler { numeric($0, $1, $2) { arithmeticToRegister($0, $1, .subtract, pops: false) } },
  toRegisterAndPop: handler { numeric($0, $1, $2) { arithmeticToRegister($0, $1, .subtract, pops: true) } },
  single: handler { numeric($0, $1, $2) { arithmeticMemory($0, $1, Single.self, .subtract) } },
  double: handler { numeric($0, $1, $2) { arithmeticMemory($0, $1, DoublePrecision.self, .subtract) } },
  integer16: handler {
    numeric($0, $1, $2) { arithmeticMemory($0, $1, SignedInteger<Int16>.self, .subtract) }
  },
  integer32: handler {
    numeric($0, $1, $2) { arithmeticMemory($0, $1, SignedInteger<Int32>.self, .subtract) }
  })

private let subtractReversedHandlers = ArithmeticHandlers(
  toTop: handler { numeric($0, $1, $2) { arithmeticToTop($0, $1, .subtractReversed) } },
  toRegister: handler {
    numeric($0, $1, $2) { arithmeticToRegister($0, $1, .subtractReversed, pops: false) }
  },
  toRegisterAndPop: handler {
    numeric($0, $1, $2) { arithmeticToRegister($0, $1, .subtractReversed, pops: true) }
  },
  single: handler { numeric($0, $1, $2) { arithmeticMemory($0, $1, Single.self, .subtractReversed) } },
  double: handler {
    numeric($0, $1, $2) { arithmeticMemory($0, $1, DoublePrecision.self, .subtractReversed) }
  },
  integer16: handler {
    numeric($0, $1, $2) { arithmeticMemory($0, $1, SignedInteger<Int16>.self, .subtractReversed) }
  },
  integer32: handler {
    numeric($0, $1, $2) { arithmeticMemory($0, $1, SignedInteger<Int32>.self, .subtractReversed) }
  })

private let divideHandlers = ArithmeticHandlers(
  toTop: handler { numeric($0, $1, $2) { arithmeticToTop($0, $1, .divide) } },
  toRegister: handler { numeric($0, $1, $2) { arithmeticToRegister($0, $1, .divide, pops: false) } },
  toRegisterAndPop: handler { numeric($0, $1, $2) { arithmeticToRegister($0, $1, .divide, pops: true) } },
  single: handler { numeric($0, $1, $2) { arithmeticMemory($0, $1, Single.self, .divide) } },
  double: handler { numeric($0, $1, $2) { arithmeticMemory($0, $1, DoublePrecision.self, .divide) } },
  integer16: handler { numeric($0, $1, $2) { arithmeticMemory($0, $1, SignedInteger<Int16>.self, .divide) } },
  integer32: handler { numeric($0, $1, $2) { arithmeticMemory($0, $1, SignedInteger<Int32>.self, .divide) } })

private let divideReversedHandlers = ArithmeticHandlers(
  toTop: handler { numeric($0, $1, $2) { arithmeticToTop($0, $1, .divideReversed) } },
  toRegister: handler { numeric($0, $1, $2) { arithmeticToRegister($0, $1, .divideReversed, pops: false) } },
  toRegisterAndPop: handler {
    numeric($0, $1, $2) { arithmeticToRegister($0, $1, .divideReversed, pops: true) }
  },
  single: handler { numeric($0, $1, $2) { arithmeticMemory($0, $1, Single.self, .divideReversed) } },
  double: handler { numeric($0, $1, $2) { arithmeticMemory($0, $1, DoublePrecision.self, .divideReversed) } },
  integer16: handler {
    numeric($0, $1, $2) { arithmeticMemory($0, $1, SignedInteger<Int16>.self, .divideReversed) }
  },
  integer32: handler {
    numeric($0, $1, $2) { arithmeticMemory($0, $1, SignedInteger<Int32>.self, .divideReversed) }
  })

// MARK: comparisons

private func comparisonHandler(_ i: Instruction) -> UInt? {
  switch (i.operation, i.operands.0) {
  case (.fcom, .m32fp): return handler { numeric($0, $1, $2) { compareMemory($0, $1, Single.self, pops: 0) } }
  case (.fcomp, .m32fp):
    return handler { numeric($0, $1, $2) { compareMemory($0, $1, Single.self, pops: 1) } }
  case (.fcom, .m64fp):
    return handler { numeric($0, $1, $2) { compareMemory($0, $1, DoublePrecision.self, pops: 0) } }
  case (.fcomp, .m64fp):
    return handler { numeric($0, $1, $2) { compareMemory($0, $1, DoublePrecision.self, pops: 1) } }
  case (.ficom, .m16int):
    return handler { numeric($0, $1, $2) { compareMemory($0, $1, SignedInteger<Int16>.self, pops: 0) } }
  case (.ficomp, .m16int):
    return handler { numeric($0, $1, $2) { compareMemory($0, $1, SignedInteger<Int16>.self, pops: 1) } }
  case (.ficom, .m32int):
    return handler { numeric($0, $1, $2) { compareMemory($0, $1, SignedInteger<Int32>.self, pops: 0) } }
  case (.ficomp, .m32int):
    return handler { numeric($0, $1, $2) { compareMemory($0, $1, SignedInteger<Int32>.self, pops: 1) } }

  case (.fcom, _):
    return handler { numeric($0, $1, $2) { compareRegister($0, $1, signalling: true, pops: 0) } }
  case (.fcomp, _):
    return handler { numeric($0, $1, $2) { compareRegister($0, $1, signalling: true, pops: 1) } }
  case (.fucom, _):
    return handler { numeric($0, $1, $2) { compareRegister($0, $1, signalling: false, pops: 0) } }
  case (.fucomp, _):
    return handler { numeric($0, $1, $2) { compareRegister($0, $1, signalling: false, pops: 1) } }
  case (.fcompp, _):
    return handler { numeric($0, $1, $2) { fpu, _ in compareAndPopBoth(fpu, signalling: true) } }
  case (.fucompp, _):
    return handler { numeric($0, $1, $2) { fpu, _ in compareAndPopBoth(fpu, signalling: false) } }
  case (.fcomi, _):
    return handler { numeric($0, $1, $2) { compareToFlags($0, $1, signalling: true, pops: false) } }
  case (.fcomip, _):
    return handler { numeric($0, $1, $2) { compareToFlags($0, $1, signalling: true, pops: true) } }
  case (.fucomi, _):
    return handler { numeric($0, $1, $2) { compareToFlags($0, $1, signalling: false, pops: false) } }
  case (.fucomip, _):
    return handler { numeric($0, $1, $2) { compareToFlags($0, $1, signalling: false, pops: true) } }
  case (.ftst, _): return handler { numeric($0, $1, $2) { fpu, _ in compareZero(fpu) } }
  case (.fxam, _): return handler { numeric($0, $1, $2) { fpu, _ in examine(fpu) } }
  default: return nil
  }
}

// MARK: loads, stores, moves

private func loadHandler(_ i: Instruction) -> UInt? {
  switch (i.operation, i.operands.0) {
  case (.fld, .m32fp): return handler { numeric($0, $1, $2) { load($0, $1, Single.self) } }
  case (.fld, .m64fp): return handler { numeric($0, $1, $2) { load($0, $1, DoublePrecision.self) } }
  case (.fld, .m80fp): return handler { numeric($0, $1, $2, loadExtended) }
  case (.fld, .sti): return handler { numeric($0, $1, $2, loadRegister) }
  case (.fild, .m16int): return handler { numeric($0, $1, $2) { load($0, $1, SignedInteger<Int16>.self) } }
  case (.fild, .m32int): return handler { numeric($0, $1, $2) { load($0, $1, SignedInteger<Int32>.self) } }
  case (.fild, .m64int): return handler { numeric($0, $1, $2) { load($0, $1, SignedInteger<Int64>.self) } }
  case (.fbld, _): return handler { numeric($0, $1, $2, loadBCD) }
  case (.fld1, _): return handler { numeric($0, $1, $2) { fpu, _ in loadExact(fpu, .one) } }
  case (.fldz, _): return handler { numeric($0, $1, $2) { fpu, _ in loadExact(fpu, .zero) } }
  case (.fldl2t, _): return handler { numeric($0, $1, $2) { fpu, _ in loadConstant(fpu, .log2Of10) } }
  case (.fldl2e, _): return handler { numeric($0, $1, $2) { fpu, _ in loadConstant(fpu, .log2OfE) } }
  case (.fldpi, _): return handler { numeric($0, $1, $2) { fpu, _ in loadConstant(fpu, .pi) } }
  case (.fldlg2, _): return handler { numeric($0, $1, $2) { fpu, _ in loadConstant(fpu, .log10Of2) } }
  case (.fldln2, _): return handler { numeric($0, $1, $2) { fpu, _ in loadConstant(fpu, .lnOf2) } }
  default: return nil
  }
}

private func storeHandler(_ i: Instruction) -> UInt? {
  switch (i.operation, i.operands.0) {
  case (.fst, .m32fp): return handler { numeric($0, $1, $2) { store($0, $1, Single.self, pops: false) } }
  case (.fstp, .m32fp): return handler { numeric($0, $1, $2) { store($0, $1, Single.self, pops: true) } }
  case (.fst, .m64fp):
    return handler { numeric($0, $1, $2) { store($0, $1, DoublePrecision.self, pops: false) } }
  case (.fstp, .m64fp):
    return handler { numeric($0, $1, $2) { store($0, $1, DoublePrecision.self, pops: true) } }
  case (.fstp, .m80fp): return handler { numeric($0, $1, $2, storeExtended) }
  case (.fst, .sti): return handler { numeric($0, $1, $2) { storeRegister($0, $1, pops: false) } }
  case (.fstp, .sti): return handler { numeric($0, $1, $2) { storeRegister($0, $1, pops: true) } }
  case (.fstpnce, _): return handler { numeric($0, $1, $2, storeUnchecked) }
  case (.fist, .m16int):
    return handler { numeric($0, $1, $2) { store($0, $1, SignedInteger<Int16>.self, pops: false) } }
  case (.fist, .m32int):
    return handler { numeric($0, $1, $2) { store($0, $1, SignedInteger<Int32>.self, pops: false) } }
  case (.fistp, .m16int):
    return handler { numeric($0, $1, $2) { store($0, $1, SignedInteger<Int16>.self, pops: true) } }
  case (.fistp, .m32int):
    return handler { numeric($0, $1, $2) { store($0, $1, SignedInteger<Int32>.self, pops: true) } }
  case (.fistp, .m64int):
    return handler { numeric($0, $1, $2) { store($0, $1, SignedInteger<Int64>.self, pops: true) } }
  case (.fisttp, .m16int):
    return handler {
      numeric($0, $1, $2) { store($0, $1, SignedInteger<Int16>.self, pops: true, truncating: true) }
    }
  case (.fisttp, .m32int):
    return handler {
      numeric($0, $1, $2) { store($0, $1, SignedInteger<Int32>.self, pops: true, truncating: true) }
    }
  case (.fisttp, .m64int):
    return handler {
      numeric($0, $1, $2) { store($0, $1, SignedInteger<Int64>.self, pops: true, truncating: true) }
    }
  case (.fbstp, _): return handler { numeric($0, $1, $2, storeBCD) }
  default: return nil
  }
}

/// FCMOVcc; the conditions are those of Jcc: B 2, E 4, BE 6, P 10, and their opposites.
private func moveHandler(_ i: Instruction) -> UInt? {
  switch i.operation {
  case .fcmovb: return handler { numeric($0, $1, $2) { conditionalMove($0, $1, 2) } }
  case .fcmovnb: return handler { numeric($0, $1, $2) { conditionalMove($0, $1, 3) } }
  case .fcmove: return handler { numeric($0, $1, $2) { conditionalMove($0, $1, 4) } }
  case .fcmovne: return handler { numeric($0, $1, $2) { conditionalMove($0, $1, 5) } }
  case .fcmovbe: return handler { numeric($0, $1, $2) { conditionalMove($0, $1, 6) } }
  case .fcmovnbe: return handler { numeric($0, $1, $2) { conditionalMove($0, $1, 7) } }
  case .fcmovu: return handler { numeric($0, $1, $2) { conditionalMove($0, $1, 10) } }
  case .fcmovnu: return handler { numeric($0, $1, $2) { conditionalMove($0, $1, 11) } }
  default: return nil
  }
}
