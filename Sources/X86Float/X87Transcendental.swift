// The transcendental instructions of the x87 (SDM 1 8.3.7, 8.3.9, 8.3.10). Processors differ in their last bit; here
// each result is computed to more than 110 bits and then rounded, so that it is the correctly rounded one but for
// cases of no practical probability. Trigonometric arguments are reduced by the 66-bit π of Intel's processors.
// Precision control does not apply.

extension X87 {
  /// F2XM1: 2^a − 1 for −1 ≤ a ≤ 1. Outside, where the manual leaves the result open, infinities give −1 and +∞, and
  /// finite numbers stay as they are.
  public static func exponentialMinus1(_ a: F80, control: UInt16, _ raised: inout UInt16) -> F80 {
    if let special = special(a, a, false, control, &raised, invalid: { false }) { return special }
    switch a.classification {
    case .zero: return a
    case .infinity: return a.isNegative ? F80.one.negated : a
    default: break
    }
    let x = a.unpacked
    if x.exponent >= 0 {
      guard x.exponent == 0, x.significand == ExactReal.one.significand else { return a }
      return a.isNegative ? F80(signExponent: 0xBFFE, significand: 1 &<< 63) : a
    }
    let w = ExactReal.wideProduct(x, .ln2)
    let ratio = Fixed127.exponentialRatio(Fixed127.fraction(w), negative: w.sign)
    return finish(ExactReal.wideProduct(w, Fixed127.real(ratio)).sticky, 64, control, &raised)
  }

  /// FYL2X: `y` · log₂ `x` (ST(1) and ST(0)).
  public static func yLog2(_ x: F80, times y: F80, control: UInt16, _ raised: inout UInt16) -> F80 {
    let xClass = x.classification
    let yClass = y.classification
    let isOne = x == F80.one
    // Log of zero of a finite number: the only division by zero; it comes before a denormal operand.
    if xClass == .zero, yClass == .normal || yClass == .denormal {
      raised |= ze
      return F80.infinity(negative: !y.isNegative)
    }
    if let special = special(
      x, y, false, control, &raised,
      invalid: {
        (x.isNegative && xClass != .zero) || (xClass == .infinity && yClass == .zero)
          || (xClass == .zero && yClass == .zero) || (isOne && yClass == .infinity)
      })
    {
      return special
    }
    let below = x.exponentField < 0x3FFF
    let negative = y.isNegative != below
    if xClass == .infinity || xClass == .zero || yClass == .infinity {
      return F80.infinity(negative: negative)
    }
    if yClass == .zero || isOne { return F80.zero(negative: negative) }
    let argument = x.unpacked
    let product = ExactReal.wideProduct(log2(argument), y.unpacked)
    let exact = argument.significand == ExactReal.one.significand
    return finish(exact ? product : product.sticky, 64, control, &raised)
  }

  /// FYL2XP1: `y` · log₂(`x` + 1) (ST(1) and ST(0)). The manual defines it for |x| up to 1 − √½; it is right for
  /// every x > −1 here, and −1 and less is invalid.
  public static func yLog2Plus1(_ x: F80, times y: F80, control: UInt16, _ raised: inout UInt16) -> F80 {
    let xClass = x.classification
    let yClass = y.classification
    if let special = special(
      x, y, false, control, &raised,
      invalid: {
        (x.isNegative && x.exponentField >= 0x3FFF) || (xClass == .infinity && yClass == .zero)
          || (xClass == .zero && yClass == .infinity)
      })
    {
      return special
    }
    let negative = x.isNegative != y.isNegative
    if xClass == .infinity || yClass == .infinity { return F80.infinity(negative: negative) }
    if xClass == .zero || yClass == .zero { return F80.zero(negative: negative) }
    let argument = x.unpacked
    let sum = ExactReal.sum(.one, argument)
    let logarithm: ExactReal
    var exact = false
    if argument.exponent < -2 {
      logarithm = log2(excess: argument, sum: sum)
    } else {
      logarithm = log2(sum)
      exact = sum.significand == ExactReal.one.significand
    }
    let product = ExactReal.wideProduct(logarithm, y.unpacked)
    return finish(exact ? product : product.sticky, 64, control, &raised)
  }

  /// log₂ of a positive number; exact for powers of two, an exact zero for 1.
  private static func log2(_ x: ExactReal) -> ExactReal {
    // x = 2^exponent · m with m between √½ and √2.
    var exponent = x.exponent
    var m = ExactReal(sign: false, exponent: 0, significand: x.significand)
    var excess = ExactReal(sign: false, integer: x.significand &- ExactReal.one.significand, scale: -127)
    if x.significand > 0xB504_F333_F9DE_6484_597D_89B3_754A_BE9F {
      exponent &+= 1
      m.exponent = -1
      excess = ExactReal(sign: true, integer: 0 &- x.significand, scale: -128)
    }
    let whole = ExactReal(sign: exponent < 0, integer: UInt128(exponent.magnitude), scale: 0)
    if excess.isZero { return whole }
    let fraction = log2(excess: excess, sum: ExactReal.sum(.one, excess))
    return exponent == 0 ? fraction : ExactReal.sum(whole, fraction)
  }

  /// log₂(1 + excess) for |excess| < √2 − 1, with `sum` = 1 + excess: artanh of excess / (2 + excess).
  private static func log2(excess: ExactReal, sum: ExactReal) -> ExactReal {
    let s = ExactReal.wideQuotient(excess, ExactReal.sum(.one, sum))
    let f = Fixed127.fraction(s)
    let ratio = Fixed127.areaTangentRatio(Fixed127.product(f, f))
    return ExactReal.wideProduct(
      ExactReal.wideProduct(s, Fixed127.real(ratio)), ExactReal.log2E.scaled(by: 1))
  }

  // MARK: trigonometry

  /// FSIN. Magnitudes of 2^63 and more stay as they are, with C2; likewise below.
  public static func sine(_ a: F80, control: UInt16, _ raised: inout UInt16) -> F80 {
    if let early = beforeReduction(a, zero: a, control, &raised) { return early }
    let r = Reduction(a)
    let value = r.quadrant & 1 == 0 ? r.sine : r.cosine
    let flip = (r.quadrant & 2 != 0) != a.isNegative
    return finish(flip ? value.negated : value, 64, control, &raised)
  }

  /// FCOS.
  public static func cosine(_ a: F80, control: UInt16, _ raised: inout UInt16) -> F80 {
    if let early = beforeReduction(a, zero: .one, control, &raised) { return early }
    let r = Reduction(a)
    let value = r.quadrant & 1 == 0 ? r.cosine : r.sine
    let flip = r.quadrant & 3 == 1 || r.quadrant & 3 == 2
    return finish(flip ? value.negated : value, 64, control, &raised)
  }

  /// FSINCOS: the sine for ST(1), the cosine for ST(0) after the push; C1 tells of the cosine.
  public static func sineAndCosine(
    _ a: F80, control: UInt16, _ raised: inout UInt16
  ) -> (sine: F80, cosine: F80) {
    let s = sine(a, control: control, &raised)
    raised &= ~c1
    let c = cosine(a, control: control, &raised)
    return (s, c)
  }

  /// FPTAN: the tangent; the caller pushes 1 after it unless C2 is raised.
  public static func tangent(_ a: F80, control: UInt16, _ raised: inout UInt16) -> F80 {
    if let early = beforeReduction(a, zero: a, control, &raised) { return early }
    let r = Reduction(a)
    let odd = r.quadrant & 1 != 0
    let value: ExactReal
    if odd {
      value = ExactReal.wideQuotient(r.cosine, r.sine)
    } else if r.rest.exponent < -60 {
      // Just above the argument; the quotient's own error would hide that.
      value = r.rest
    } else {
      value = ExactReal.wideQuotient(r.sine, r.cosine)
    }
    return finish((odd != a.isNegative ? value.negated : value).sticky, 64, control, &raised)
  }

  /// The results that need no computation: NaNs, infinities, zeros, arguments out of range.
  private static func beforeReduction(
    _ a: F80, zero: F80, _ control: UInt16, _ raised: inout UInt16
  ) -> F80? {
    if let special = special(a, a, false, control, &raised, invalid: { a.classification == .infinity }) {
      return special
    }
    if a.classification == .zero { return zero }
    if a.exponentField >= 0x3FFF + 63 {
      raised |= c2
      return a
    }
    return nil
  }

  /// FPATAN: the angle of the point (`x`, `y`) (ST(0) and ST(1)), of −π...π.
  public static func arctangent(_ y: F80, over x: F80, control: UInt16, _ raised: inout UInt16) -> F80 {
    if let special = special(x, y, false, control, &raised, invalid: { false }) { return special }
    let xClass = x.classification
    let yClass = y.classification
    let angle: ExactReal
    if yClass == .infinity {
      let eighth = ExactReal.pi.scaled(by: -2)
      if xClass != .infinity {
        angle = .pi.scaled(by: -1)
      } else {
        angle = x.isNegative ? ExactReal.sum(eighth, .pi.scaled(by: -1)) : eighth
      }
    } else if yClass == .zero || xClass == .infinity {
      if !x.isNegative { return F80.zero(negative: y.isNegative) }
      angle = .pi
    } else if xClass == .zero {
      angle = .pi.scaled(by: -1)
    } else {
      let across = x.unpacked.magnitude
      let up = y.unpacked.magnitude
      let steep =
        up.exponent > across.exponent
        || (up.exponent == across.exponent && up.significand > across.significand)
      let t = arctangent(steep ? ExactReal.quotient(across, up) : ExactReal.quotient(up, across))
      if steep {
        angle = ExactReal.sum(.pi.scaled(by: -1), x.isNegative ? t : t.negated)
      } else {
        angle = x.isNegative ? ExactReal.sum(.pi, t.negated) : t
      }
    }
    return finish((y.isNegative ? angle.negated : angle).sticky, 64, control, &raised)
  }

  /// The arctangent of 0 < q ≤ 1: by the nearest k/32 and the rest (q − k/32) / (1 + q·k/32).
  private static func arctangent(_ q: ExactReal) -> ExactReal {
    let f = Fixed127.fraction(q)
    if q.exponent < -6 {
      return ExactReal.wideProduct(q, Fixed127.real(Fixed127.arctangentRatio(Fixed127.product(f, f))))
    }
    let k = (f &+ (1 &<< 121)) &>> 122
    let center = k &<< 122
    let angle = Fixed127.arctangents[Int(truncatingIfNeeded: k)]
    if f == center { return Fixed127.real(angle) }
    let distance = f > center ? f &- center : center &- f
    let divisor = Fixed127.one &+ Fixed127.product(f, center)
    let d = divisor.dividingFullWidth((distance &>> 1, distance &<< 127)).quotient
    let rest = Fixed127.product(d, Fixed127.arctangentRatio(Fixed127.product(d, d)))
    return Fixed127.real(f > center ? angle &+ rest : angle &- rest)
  }
}

/// An argument's magnitude less the nearest multiple of π/2.
private struct Reduction {
  /// That multiple, modulo 4.
  var quadrant: UInt64
  /// The rest, which lies within ±π/4, exact.
  let rest: ExactReal
  /// Sine and cosine of the rest.
  let sine: ExactReal
  let cosine: ExactReal

  /// 66 bits of π, in units of 2^−66 for π and 2^−67 for π/2 (SDM 1 8.3.8).
  private static let pi66: UInt128 = 0xC_90FD_AA22_168C_234C

  /// - Parameter a: a finite number other than zero, below 2^63 in magnitude.
  init(_ a: F80) {
    var x = a.unpacked.magnitude
    quadrant = 0
    // Long division of the significand · 2^(exponent + 4) by π/2, both in units of 2^−67.
    if x.exponent >= -1 {
      var rest = UInt128(x.head)
      var steps = x.exponent &+ 4
      while steps > 0 {
        rest &<<= 1
        quadrant &<<= 1
        if rest >= Self.pi66 {
          rest &-= Self.pi66
          quadrant |= 1
        }
        steps &-= 1
      }
      var sign = false
      if rest &<< 1 > Self.pi66 {
        rest = Self.pi66 &- rest
        quadrant &+= 1
        sign = true
      }
      x = ExactReal(sign: sign, integer: rest, scale: -67)
    }
    rest = x
    let f = Fixed127.fraction(x)
    let z = Fixed127.product(f, f)
    sine = ExactReal.wideProduct(x, Fixed127.real(Fixed127.sineRatio(z))).sticky
    cosine = Fixed127.real(Fixed127.cosine(z)).sticky
  }
}
