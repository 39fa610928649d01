/// The x87 escapes D8–DF (SDM 2D A.5). FWAIT is a one-byte opcode.
extension OpcodeTableBuilder {
  mutating func defineX87() {
    section(.oneByte, .fpu)
    defineX87Memory()
    defineX87Registers()
  }

  private mutating func defineX87Memory() {
    let arithmetic: [Operation] = [.fadd, .fmul, .fcom, .fcomp, .fsub, .fsubr, .fdiv, .fdivr]
    let integer: [Operation] = [.fiadd, .fimul, .ficom, .ficomp, .fisub, .fisubr, .fidiv, .fidivr]
    for reg in UInt8(0)..<8 {
      row(0xD8, reg: reg, mod: .memory, arithmetic[Int(reg)], .m32fp)
      row(0xDC, reg: reg, mod: .memory, arithmetic[Int(reg)], .m64fp)
      row(0xDA, reg: reg, mod: .memory, integer[Int(reg)], .m32int)
      row(0xDE, reg: reg, mod: .memory, integer[Int(reg)], .m16int)
    }
    row(0xD9, reg: 0, mod: .memory, .fld, .m32fp)
    row(0xD9, reg: 2, mod: .memory, .fst, .m32fp)
    row(0xD9, reg: 3, mod: .memory, .fstp, .m32fp)
    row(0xD9, reg: 4, mod: .memory, .fldenv, .menv)
    row(0xD9, reg: 5, mod: .memory, .fldcw, .mw)
    row(0xD9, reg: 6, mod: .memory, .fnstenv, .menv)
    row(0xD9, reg: 7, mod: .memory, .fnstcw, .mw)
    row(0xDB, reg: 0, mod: .memory, .fild, .m32int)
    row(0xDB, reg: 1, mod: .memory, .fisttp, .m32int, also: .sse3)
    row(0xDB, reg: 2, mod: .memory, .fist, .m32int)
    row(0xDB, reg: 3, mod: .memory, .fistp, .m32int)
    row(0xDB, reg: 5, mod: .memory, .fld, .m80fp)
    row(0xDB, reg: 7, mod: .memory, .fstp, .m80fp)
    row(0xDD, reg: 0, mod: .memory, .fld, .m64fp)
    row(0xDD, reg: 1, mod: .memory, .fisttp, .m64int, also: .sse3)
    row(0xDD, reg: 2, mod: .memory, .fst, .m64fp)
    row(0xDD, reg: 3, mod: .memory, .fstp, .m64fp)
    row(0xDD, reg: 4, mod: .memory, .frstor, .mstate)
    row(0xDD, reg: 6, mod: .memory, .fnsave, .mstate)
    row(0xDD, reg: 7, mod: .memory, .fnstsw, .mw)
    row(0xDF, reg: 0, mod: .memory, .fild, .m16int)
    row(0xDF, reg: 1, mod: .memory, .fisttp, .m16int, also: .sse3)
    row(0xDF, reg: 2, mod: .memory, .fist, .m16int)
    row(0xDF, reg: 3, mod: .memory, .fistp, .m16int)
    row(0xDF, reg: 4, mod: .memory, .fbld, .m80bcd)
    row(0xDF, reg: 5, mod: .memory, .fild, .m64int)
    row(0xDF, reg: 6, mod: .memory, .fbstp, .m80bcd)
    row(0xDF, reg: 7, mod: .memory, .fistp, .m64int)
  }

  private mutating func defineX87Registers() {
    let d8: [Operation] = [.fadd, .fmul, .fcom, .fcomp, .fsub, .fsubr, .fdiv, .fdivr]
    // With ST(i) as the destination, SUB and SUBR, DIV and DIVR change places. /2 and /3 are aliases.
    let dc: [Operation] = [.fadd, .fmul, .fcom, .fcomp, .fsubr, .fsub, .fdivr, .fdiv]
    for reg in UInt8(0)..<8 {
      row(0xD8, reg: reg, mod: .register, d8[Int(reg)], .st0, .sti)
      if reg == 2 || reg == 3 {
        row(0xDC, reg: reg, mod: .register, dc[Int(reg)], .st0, .sti)
      } else {
        row(0xDC, reg: reg, mod: .register, dc[Int(reg)], .sti, .st0)
      }
    }
    row(0xD9, reg: 0, mod: .register, .fld, .sti)
    row(0xD9, reg: 1, mod: .register, .fxch, .st0, .sti)
    row(0xD9, reg: 2, rm: 0, mod: .register, .fnop)
    // Undocumented: FSTP that does not raise stack underflow.
    row(0xD9, reg: 3, mod: .register, .fstpnce, .sti)
    x87(0xD9, 4, [.fchs, .fabs, nil, nil, .ftst, .fxam, nil, nil])
    x87(0xD9, 5, [.fld1, .fldl2t, .fldl2e, .fldpi, .fldlg2, .fldln2, .fldz, nil])
    x87(0xD9, 6, [.f2xm1, .fyl2x, .fptan, .fpatan, .fxtract, .fprem1, .fdecstp, .fincstp])
    x87(0xD9, 7, [.fprem, .fyl2xp1, .fsqrt, .fsincos, .frndint, .fscale, .fsin, .fcos])
    row(0xDA, reg: 0, mod: .register, .fcmovb, .st0, .sti, also: .cmov)
    row(0xDA, reg: 1, mod: .register, .fcmove, .st0, .sti, also: .cmov)
    row(0xDA, reg: 2, mod: .register, .fcmovbe, .st0, .sti, also: .cmov)
    row(0xDA, reg: 3, mod: .register, .fcmovu, .st0, .sti, also: .cmov)
    row(0xDA, reg: 5, rm: 1, mod: .register, .fucompp)
    row(0xDB, reg: 0, mod: .register, .fcmovnb, .st0, .sti, also: .cmov)
    row(0xDB, reg: 1, mod: .register, .fcmovne, .st0, .sti, also: .cmov)
    row(0xDB, reg: 2, mod: .register, .fcmovnbe, .st0, .sti, also: .cmov)
    row(0xDB, reg: 3, mod: .register, .fcmovnu, .st0, .sti, also: .cmov)
    // FENI, FDISI and FSETPM of the 8087 and 80287 do nothing since the 387.
    x87(0xDB, 4, [.fnop, .fnop, .fnclex, .fninit, .fnop, nil, nil, nil])
    row(0xDB, reg: 5, mod: .register, .fucomi, .st0, .sti, also: .cmov)
    row(0xDB, reg: 6, mod: .register, .fcomi, .st0, .sti, also: .cmov)
    row(0xDD, reg: 0, mod: .register, .ffree, .sti)
    row(0xDD, reg: 1, mod: .register, .fxch, .st0, .sti)
    row(0xDD, reg: 2, mod: .register, .fst, .sti)
    row(0xDD, reg: 3, mod: .register, .fstp, .sti)
    row(0xDD, reg: 4, mod: .register, .fucom, .st0, .sti)
    row(0xDD, reg: 5, mod: .register, .fucomp, .st0, .sti)
    row(0xDE, reg: 0, mod: .register, .faddp, .sti, .st0)
    row(0xDE, reg: 1, mod: .register, .fmulp, .sti, .st0)
    row(0xDE, reg: 2, mod: .register, .fcomp, .st0, .sti)
    row(0xDE, reg: 3, rm: 1, mod: .register, .fcompp)
    row(0xDE, reg: 4, mod: .register, .fsubrp, .sti, .st0)
    row(0xDE, reg: 5, mod: .register, .fsubp, .sti, .st0)
    row(0xDE, reg: 6, mod: .register, .fdivrp, .sti, .st0)
    row(0xDE, reg: 7, mod: .register, .fdivp, .sti, .st0)
    row(0xDF, reg: 0, mod: .register, .ffreep, .sti)
    row(0xDF, reg: 1, mod: .register, .fxch, .st0, .sti)
    row(0xDF, reg: 2, mod: .register, .fstp, .sti)
    row(0xDF, reg: 3, mod: .register, .fstp, .sti)
    row(0xDF, reg: 4, rm: 0, mod: .register, .fnstsw, .ax)
    row(0xDF, reg: 5, mod: .register, .fucomip, .st0, .sti, also: .cmov)
    row(0xDF, reg: 6, mod: .register, .fcomip, .st0, .sti, also: .cmov)
  }

  /// Eight instructions told apart by ModRM.rm.
  private mutating func x87(_ opcode: UInt8, _ reg: UInt8, _ operations: [Operation?]) {
    for (rm, operation) in operations.enumerated() {
      if let operation { row(opcode, reg: reg, rm: UInt8(rm), mod: .register, operation) }
    }
  }
}
