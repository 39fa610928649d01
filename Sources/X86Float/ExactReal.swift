/// A finite number other than zero, exact or with a sticky tail: the common ground of the software paths.
///
/// Its value is (−1)^sign · significand/2^127 · 2^exponent. Bit 127 of the significand is set; bit 0 stands for
/// everything below it (it is set when the value is not representable), so that rounding to 64 bits or fewer
/// is right in every mode. `significand` 0 stands for an exact zero, which only a sum can give.
struct ExactReal {
  var sign: Bool
  var exponent: Int
  var significand: UInt128

  init(sign: Bool, exponent: Int, significand: UInt128) {
    self.sign = sign
    self.exponent = exponent
    self.significand = significand
  }

  /// A value from an integer significand of any alignment: (−1)^sign · `integer` · 2^`scale`.
  init(sign: Bool, integer: UInt128, scale: Int) {
    let shift = integer.leadingZeroBitCount
    self.sign = sign
    self.significand = integer == 0 ? 0 : integer &<< UInt128(truncatingIfNeeded: shift)
    self.exponent = scale &+ 127 &- shift
  }

  var isZero: Bool { significand == 0 }

  /// The sum; `sign` of an exact zero is meaningless, the caller chooses it by rounding mode.
  /// Both operands must be exact in their upper 64 bits.
  static func sum(_ a: ExactReal, _ b: ExactReal) -> ExactReal {
    var big = a
    var small = b
    if a.exponent < b.exponent || (a.exponent == b.exponent && a.significand < b.significand) {
      big = b
      small = a
    }
    let aligned = small.significand.shiftedRightSticky(big.exponent &- small.exponent)
    if big.sign == small.sign {
      let (sum, carry) = big.significand.addingReportingOverflow(aligned)
      if !carry { return ExactReal(sign: big.sign, exponent: big.exponent, significand: sum) }
      let shifted = (sum &>> 1) | (sum & 1) | (1 &<< 127)
      return ExactReal(sign: big.sign, exponent: big.exponent &+ 1, significand: shifted)
    }
    return ExactReal(sign: big.sign, integer: big.significand &- aligned, scale: big.exponent &- 127)
  }

  /// The product of two numbers of at most 64 significant bits.
  static func product(_ a: ExactReal, _ b: ExactReal) -> ExactReal {
    let p = a.head.multipliedFullWidth(by: b.head)
    return ExactReal(
      sign: a.sign != b.sign, integer: UInt128(p.high) &<< 64 | UInt128(p.low),
      scale: a.exponent &+ b.exponent &- 126)
  }

  /// The quotient of two numbers of at most 64 significant bits.
  static func quotient(_ a: ExactReal, _ b: ExactReal) -> ExactReal {
    let fits = a.head >= b.head
    let high = fits ? a.head &>> 1 : a.head
    let low = fits ? a.head &<< 63 : 0
    let first = b.head.dividingFullWidth((high, low))
    let second = b.head.dividingFullWidth((first.remainder, 0))
    let tail = second.quotient | (second.remainder != 0 ? 1 : 0)
    return ExactReal(
      sign: a.sign != b.sign, exponent: a.exponent &- b.exponent &- (fits ? 0 : 1),
      significand: UInt128(first.quotient) &<< 64 | UInt128(tail))
  }

  /// The square root of a positive number of at most 64 significant bits.
  static func squareRoot(_ a: ExactReal) -> ExactReal {
    let odd = a.exponent & 1 != 0
    var remainder: UInt128 = UInt128(a.head) &<< (odd ? 64 : 63)
    // Digit by digit: `root` holds the bits found so far, shifted to their place in 2·root·bit + bit².
    var root: UInt128 = 0
    var bit: UInt128 = 1 &<< 126
    while bit != 0 {
      let trial = root | bit
      root &>>= 1
      if remainder >= trial {
        remainder &-= trial
        root |= bit
      }
      bit &>>= 2
    }
    // A square root is never half way between two numbers: (r + ½)² is not an integer.
    let tail: UInt128 = remainder == 0 ? 0 : remainder > root ? 3 &<< 62 : 1 &<< 62
    return ExactReal(sign: false, exponent: a.exponent &>> 1, significand: root &<< 64 | tail)
  }

  /// The upper 64 bits of the significand.
  var head: UInt64 { UInt64(truncatingIfNeeded: significand &>> 64) }

  /// Rounds to `precision` bits (1...64) as if the exponent had no limits.
  func rounded(to precision: Int, _ mode: RoundingMode) -> RoundedReal {
    var r = RoundedReal(significand, keeping: precision, sign: sign, mode)
    r.exponent = exponent
    if r.carry {
      r.significand = 1 &<< 63
      r.exponent &+= 1
    }
    return r
  }

  /// Rounds a number below 2^`minimumExponent` on the grid of the denormals of a format whose smallest normal
  /// exponent that is: the significand is not normalised, its bit 63 weighs 2^`minimumExponent`.
  func roundedToDenormal(of precision: Int, minimumExponent: Int, _ mode: RoundingMode) -> RoundedReal {
    let shifted = significand.shiftedRightSticky(minimumExponent &- exponent)
    var r = RoundedReal(shifted, keeping: precision, sign: sign, mode)
    r.exponent = minimumExponent
    return r
  }
}

/// The outcome of a rounding.
struct RoundedReal {
  /// Left-justified: bit 63 weighs 2^exponent.
  var significand: UInt64
  var exponent: Int = 0
  var inexact: Bool
  /// The magnitude grew (what the x87 reports in C1).
  var roundedUp: Bool
  /// The significand overflowed to zero and has to become 1 at the next exponent.
  var carry: Bool

  /// Rounds the upper `precision` bits of `wide`.
  init(_ wide: UInt128, keeping precision: Int, sign: Bool, _ mode: RoundingMode) {
    let dropped = UInt128(truncatingIfNeeded: 128 &- precision)
    let one: UInt128 = 1 &<< dropped
    let tail = wide & (one &- 1)
    let half = one &>> 1
    let kept = wide &- tail
    let up: Bool
    switch mode {
    case .nearestEven: up = tail > half || (tail == half && kept & one != 0)
    case .down: up = sign && tail != 0
    case .up: up = !sign && tail != 0
    case .towardZero: up = false
    }
    let (sum, overflow) = kept.addingReportingOverflow(up ? one : 0)
    significand = UInt64(truncatingIfNeeded: sum &>> 64)
    inexact = tail != 0
    roundedUp = up
    carry = overflow
  }
}

extension UInt128 {
  /// A right shift by `count` ≥ 0 that keeps bits shifted out as a one in bit 0.
  func shiftedRightSticky(_ count: Int) -> UInt128 {
    if count == 0 { return self }
    if count > 127 { return self == 0 ? 0 : 1 }
    let shift = UInt128(truncatingIfNeeded: count)
    let lost = self & ((1 &<< shift) &- 1)
    return (self &>> shift) | (lost != 0 ? 1 : 0)
  }
}
