// Loads, stores and roundings of the x87 (SDM 1 8.3.3, 4.8).

extension X87 {
  /// FLD m32fp, m64fp: exact; raises DE for denormals and IE for signalling NaNs, which it quiets.
  public static func load<T: SSEScalar>(_ value: T, _ raised: inout UInt16) -> F80 {
    let x = F80(exactly: value)
    if value.isDenormal { raised |= de }
    if x.isSignalling {
      raised |= ie
      return x.quieted
    }
    return x
  }

  /// FST m32fp, m64fp. With an exception other than PE unmasked there is nothing to store; an unmasked overflow or
  /// underflow then raises nothing else.
  public static func store<T: SSEScalar>(
    _ a: F80, as _: T.Type, control: UInt16, _ raised: inout UInt16
  ) -> T {
    let format = SSEFormat(T.self)
    let sign = a.isNegative ? format.signBit : 0
    switch a.classification {
    case .unsupported, .empty:
      raised |= ie
      return T(bits: format.indefinite)
    case .nan:
      if a.isSignalling { raised |= ie }
      let payload = (a.significand & ~F80.integerBit) &>> UInt64(63 &- format.fractionBits)
      return T(bits: sign | format.infinity | format.quietBit | payload)
    case .infinity: return T(bits: sign | format.infinity)
    case .zero: return T(bits: sign)
    case .normal, .denormal: break
    }
    let x = a.unpacked
    let mode = rounding(control)
    var r = x.rounded(to: format.precision, mode)
    if r.exponent > format.bias {
      raised |= oe
      if control & oe == 0 { return T(bits: sign) }
      raised |= pe
      // The value by the same rules as SSE's.
      var mxcsr = MXCSR.masks | UInt32(mode.rawValue) &<< 13
      let bits = SSESoftware.finish(x, format, &mxcsr)
      if bits & ~format.signBit == format.infinity { raised |= c1 }
      return T(bits: bits)
    }
    if r.exponent < format.minimumExponent {
      if control & ue == 0 {
        raised |= ue
        return T(bits: sign)
      } else {
        r = x.roundedToDenormal(
          of: format.precision, minimumExponent: format.minimumExponent, mode)
        if r.inexact { raised |= ue }
      }
    }
    if r.inexact { raised |= pe }
    if r.roundedUp { raised |= c1 }
    return T(bits: format.pack(r, sign: x.sign))
  }

  /// FIST, FISTP, and FISTTP (`truncating`): an integer of `bits` (16, 32 or 64) width, sign-extended. NaNs and
  /// numbers out of range give the integer indefinite (the least integer) and IE.
  public static func storeInteger(
    _ a: F80, bits: Int, truncating: Bool = false, control: UInt16, _ raised: inout UInt16
  ) -> Int64 {
    switch a.classification {
    case .zero: return 0
    case .normal, .denormal:
      let r = a.unpacked.roundedToInteger(truncating ? .towardZero : rounding(control))
      if let value = r.value(bits: bits) {
        if r.inexact { raised |= pe }
        if r.roundedUp { raised |= c1 }
        return value
      }
    default: break
    }
    raised |= ie
    return Int64.min &>> Int64(truncatingIfNeeded: 64 &- bits)
  }

  /// FBLD: eighteen decimal digits, two to a byte from the lowest up (`digits`, bytes 0...7; `top`, byte 8 and
  /// the sign in bit 15). Digits above nine count as they are; the result is exact.
  public static func loadBCD(digits: UInt64, top: UInt16) -> F80 {
    var value: UInt64 = 0
    for shift: UInt16 in [4, 0] { value = value &* 10 &+ UInt64((top &>> shift) & 0xF) }
    for k in 0..<16 { value = value &* 10 &+ (digits &>> UInt64(60 &- 4 &* k)) & 0xF }
    let x = F80(Int64(truncatingIfNeeded: value))
    return top & 0x8000 != 0 ? x.negated : x
  }

  /// FBSTP: the packed decimal number as in ``loadBCD(digits:top:)``; what has no eighteen digits gives the packed
  /// BCD indefinite and IE.
  public static func storeBCD(_ a: F80, control: UInt16, _ raised: inout UInt16) -> (
    digits: UInt64, top: UInt16
  ) {
    let sign: UInt16 = a.isNegative ? 0x8000 : 0
    var value: UInt64
    switch a.classification {
    case .zero: return (0, sign)
    case .normal, .denormal:
      let r = a.unpacked.roundedToInteger(rounding(control))
      if r.magnitude >= 1_000_000_000_000_000_000 {
        raised |= ie
        return (0xC000_0000_0000_0000, 0xFFFF)
      }
      if r.inexact { raised |= pe }
      if r.roundedUp { raised |= c1 }
      value = UInt64(truncatingIfNeeded: r.magnitude)
    default:
      raised |= ie
      return (0xC000_0000_0000_0000, 0xFFFF)
    }
    var digits: UInt64 = 0
    for k in 0..<16 {
      digits |= (value % 10) &<< UInt64(4 &* k)
      value /= 10
    }
    return (digits, sign | UInt16(truncatingIfNeeded: (value / 10) &<< 4 | value % 10))
  }

  /// FRNDINT.
  public static func roundToIntegral(_ a: F80, control: UInt16, _ raised: inout UInt16) -> F80 {
    if let special = special(a, a, false, control, &raised, invalid: { false }) { return special }
    let aClass = a.classification
    if aClass == .zero || aClass == .infinity { return a }
    let x = a.unpacked
    if x.exponent >= 63 { return a }
    let r = x.roundedToInteger(rounding(control))
    if r.inexact { raised |= pe }
    if r.roundedUp { raised |= c1 }
    if r.magnitude == 0 { return F80.zero(negative: a.isNegative) }
    let integral = F80(
      ExactReal(sign: false, integer: r.magnitude, scale: 0).rounded(to: 64, .towardZero), sign: false)
    return a.isNegative ? integral.negated : integral
  }

  /// FSCALE: `a` · 2^(`b` without its fraction).
  public static func scale(_ a: F80, by b: F80, control: UInt16, _ raised: inout UInt16) -> F80 {
    let aClass = a.classification
    let bClass = b.classification
    if let special = special(
      a, b, false, control, &raised,
      invalid: {
        bClass == .infinity && (b.isNegative ? aClass == .infinity : aClass == .zero)
      })
    {
      return special
    }
    if bClass == .infinity {
      return b.isNegative ? F80.zero(negative: a.isNegative) : F80.infinity(negative: a.isNegative)
    }
    if aClass == .zero || aClass == .infinity { return a }
    var x = a.unpacked
    if bClass == .normal, Int(b.exponentField) >= F80.bias {
      // Past 2^16 everything overflows or underflows, whatever the masks.
      let count = Int(b.exponentField) &- F80.bias
      let shift = count > 16 ? 1 << 17 : Int(truncatingIfNeeded: b.significand &>> UInt64(63 &- count))
      x.exponent &+= b.isNegative ? 0 &- shift : shift
    }
    return finish(x, 64, control, &raised)
  }

  /// FXTRACT: the exponent (for ST(1) after the push) and the significand (for ST(0)).
  public static func extract(
    _ a: F80, control: UInt16, _ raised: inout UInt16
  ) -> (exponent: F80, significand: F80) {
    if let special = special(a, a, false, control, &raised, invalid: { false }) { return (special, special) }
    switch a.classification {
    case .zero:
      raised |= ze
      return (F80.infinity(negative: true), a)
    case .infinity: return (F80.infinity, a)
    default:
      let x = a.unpacked
      let significand = F80(signExponent: (a.signExponent & 0x8000) | 0x3FFF, significand: x.head)
      return (F80(Int64(x.exponent)), significand)
    }
  }

  /// FPREM, and FPREM1 (`nearest`): the partial remainder of `a` by `b`. Raises C2 while the reduction is
  /// incomplete; else C0, C3 and C1 are bits 2, 1 and 0 of the quotient.
  public static func remainder(
    _ a: F80, by b: F80, nearest: Bool, control: UInt16, _ raised: inout UInt16
  ) -> F80 {
    let aClass = a.classification
    let bClass = b.classification
    if let special = special(
      a, b, false, control, &raised,
      invalid: {
        aClass == .infinity || bClass == .zero
      })
    {
      return special
    }
    if aClass == .zero { return a }
    let x = a.unpacked
    if bClass == .infinity { return finish(x, 64, control, &raised) }
    let y = b.unpacked
    let difference = x.exponent &- y.exponent
    if difference < -1 { return finish(x, 64, control, &raised) }

    // How many quotient bits this pass finds: all of them below 64, else 32...63 (SDM 2A, FPREM).
    let complete = difference < 64
    let bits = complete ? difference : (difference & 31) | 32
    var quotient: UInt64 = 0
    // Both in units of y's lowest bit, doubled for the comparison with one half.
    var rest: UInt128
    let divisor = UInt128(y.head) &<< 1
    if bits < 0 {
      rest = UInt128(x.head)
    } else {
      rest = UInt128(x.head) &<< 1
      if rest >= divisor {
        rest &-= divisor
        quotient = 1
      }
      for _ in 0..<bits {
        rest &<<= 1
        quotient &<<= 1
        if rest >= divisor {
          rest &-= divisor
          quotient |= 1
        }
      }
    }
    let unit = y.exponent &- 64 &+ (complete ? 0 : difference &- bits)
    var sign = a.isNegative
    if complete {
      if nearest, rest &<< 1 > divisor || (rest &<< 1 == divisor && quotient & 1 != 0) {
        rest = divisor &- rest
        quotient &+= 1
        sign.toggle()
      }
      if quotient & 4 != 0 { raised |= c0 }
      if quotient & 2 != 0 { raised |= c3 }
      if quotient & 1 != 0 { raised |= c1 }
    } else {
      raised |= c2
    }
    if rest == 0 { return F80.zero(negative: a.isNegative) }
    return finish(ExactReal(sign: sign, integer: rest, scale: unit), 64, control, &raised)
  }

  /// The constants of FLDL2T, FLDL2E, FLDPI, FLDLG2 and FLDLN2, which are rounded by rounding control
  /// (SDM 1 8.3.8).
  public enum Constant: UInt8 {
    case log2Of10 = 0
    case log2OfE = 1
    case pi = 2
    case log10Of2 = 3
    case lnOf2 = 4
  }

  /// The constant, rounded; no flags are raised.
  public static func load(_ constant: Constant, control: UInt16) -> F80 {
    let exact: ExactReal
    switch constant {
    case .log2Of10:
      exact = ExactReal(sign: false, exponent: 1, significand: 0xD49A_784B_CD1B_8AFE_492B_F6FF_4DAF_DB4C)
    case .log2OfE:
      exact = ExactReal(sign: false, exponent: 0, significand: 0xB8AA_3B29_5C17_F0BB_BE87_FED0_691D_3E88)
    case .pi:
      exact = ExactReal(sign: false, exponent: 1, significand: 0xC90F_DAA2_2168_C234_C4C6_628B_80DC_1CD1)
    case .log10Of2:
      exact = ExactReal(sign: false, exponent: -2, significand: 0x9A20_9A84_FBCF_F798_8F89_59AC_0B7C_9178)
    case .lnOf2:
      exact = ExactReal(sign: false, exponent: -1, significand: 0xB172_17F7_D1CF_79AB_C9E3_B398_03F2_F6AF)
    }
    return F80(exact.rounded(to: 64, rounding(control)), sign: false)
  }
}
