import X86Core
import X86Decode

/// What of a case's result is not to be compared.
struct ResultMask {
  /// RFLAGS bits that count.
  var flags: UInt64 = ResultMask.comparedFlags
  /// General registers that do not count, a bit each.
  var ignoredRegisters: UInt16 = 0
  var ignoresMemory = false
  /// RFLAGS bits that a user program can see.
  static let comparedFlags: UInt64 =
    RFLAGS.status | RFLAGS.tf | RFLAGS.if | RFLAGS.df | RFLAGS.iopl | RFLAGS.nt | RFLAGS.rf | RFLAGS.ac
    | RFLAGS.id
}

/// Flags and results that the SDM leaves undefined: the one place where they are masked.
enum UndefinedResults {
  /// - Parameter input: the case before the instruction.
  static func mask(_ i: Instruction, _ input: NativeInput) -> ResultMask {
    var mask = ResultMask()
    let af = RFLAGS.af, cf = RFLAGS.cf, of = RFLAGS.of, sf = RFLAGS.sf, zf = RFLAGS.zf, pf = RFLAGS.pf
    switch i.operation {
    // SDM 2A/2B AND, OR, TEST, XOR: "The state of the AF flag is undefined."
    case .and, .or, .xor, .test: mask.flags &= ~af
    // SDM 2B MUL, 2A IMUL: "The SF, ZF, AF, and PF flags are undefined."
    case .mul, .imul: mask.flags &= ~(sf | zf | af | pf)
    // SDM 2A DIV, IDIV: "The CF, OF, SF, ZF, AF, and PF flags are undefined."
    case .div, .idiv: mask.flags &= ~RFLAGS.status
    // SDM 2B SAL/SAR/SHL/SHR: CF undefined for SHL and SHR with a count of the operand's bits or more; OF for counts
    // other than 1; AF for counts other than 0.
    case .shl, .shr, .sar:
      let (count, bits) = shiftCount(i, input)
      if count != 0 { mask.flags &= ~af }
      if count > 1 { mask.flags &= ~of }
      if count >= bits && i.operation != .sar { mask.flags &= ~cf }
    // SDM 2B RCL/RCR/ROL/ROR: "OF … undefined" for multi-bit rotates.
    case .rol, .ror, .rcl, .rcr:
      let (count, _) = shiftCount(i, input)
      if count > 1 { mask.flags &= ~of }
    // SDM 2B SHLD, SHRD: OF undefined for counts above 1, AF for counts above 0; everything when the count is greater
    // than the operand's size.
    case .shld, .shrd:
      let (count, bits) = shiftCount(i, input)
      if count != 0 { mask.flags &= ~af }
      if count > 1 { mask.flags &= ~of }
      if count > bits {
        mask.flags &= ~RFLAGS.status
        if i.isMemory { mask.ignoresMemory = true } else { mask.ignoredRegisters = 1 << UInt16(i.rm) }
      }
    // SDM 2A BT, BTC, BTR, BTS: "The OF, SF, AF, and PF flags are undefined", ZF unaffected.
    case .bt, .bts, .btr, .btc: mask.flags &= ~(of | sf | af | pf)
    // SDM 2A BSF, BSR: "The CF, OF, SF, AF, and PF flags are undefined"; the destination for a source of 0.
    case .bsf, .bsr:
      mask.flags &= ~(cf | of | sf | af | pf)
    // SDM 2B LZCNT, 2C TZCNT: OF, SF, PF, AF undefined.
    case .lzcnt, .tzcnt: mask.flags &= ~(of | sf | pf | af)
    // SDM 2A ANDN, BLSI, BLSMSK, BLSR, BZHI: "AF and PF are undefined"; BEXTR: also SF.
    case .andn, .blsi, .blsmsk, .blsr, .bzhi: mask.flags &= ~(af | pf)
    case .bextr: mask.flags &= ~(af | pf | sf)
    // SDM 2A BSWAP: "When the BSWAP instruction references a 16-bit register, the result is undefined."
    case .bswap where i.operandSize == 2: mask.ignoredRegisters = 1 << UInt16(i.rm)
    // SDM 3B 18.3.1.1: RF that IRET loads holds for the next instruction, here the INT3 that ends the case; whether a
    // software interrupt's image shows it still is not said.
    case .iret: mask.flags &= ~RFLAGS.rf
    default: break
    }
    return mask
  }

  /// The count as masked (SDM 2B: to 5 bits, 6 with 64-bit operands) and the operand's bits.
  private static func shiftCount(_ i: Instruction, _ input: NativeInput) -> (UInt64, UInt64) {
    let isByte: Bool
    switch i.operands.0 {
    case .eb: isByte = true
    default: isByte = false
    }
    let bits = isByte ? 8 : UInt64(i.operandSize) * 8
    var count: UInt64
    switch (i.operands.1, i.operands.2) {
    case (.one, _): count = 1
    case (.cl, _), (_, .cl): count = input.gpr(1)
    default: count = UInt64(bitPattern: i.immediate)
    }
    count &= bits == 64 ? 63 : 31
    return (count, bits)
  }
}
