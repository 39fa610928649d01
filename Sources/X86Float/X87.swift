/// The arithmetic of the x87 FPU in integers (SDM 1 chapter 8).
///
/// Every operation takes the control word and ORs what it raises into `raised`, which the caller clears before:
/// exception flags, and C1 if the result was rounded away from zero. ``commit(raised:control:replacing:to:)``
/// merges it into the status word and tells what is unmasked. Stack faults are the caller's.
///
/// With an overflow or underflow unmasked, the result is the one for a register, its exponent adjusted by 24576
/// (SDM 1 8.5.4, 8.5.5).
public enum X87 {
  // Flags of the status word; the masks stand at the same places of the control word (SDM 1 8.1.3, 8.1.5).
  public static let ie: UInt16 = 1 << 0
  public static let de: UInt16 = 1 << 1
  public static let ze: UInt16 = 1 << 2
  public static let oe: UInt16 = 1 << 3
  public static let ue: UInt16 = 1 << 4
  public static let pe: UInt16 = 1 << 5
  public static let flags: UInt16 = 0x3F
  /// Stack fault.
  public static let sf: UInt16 = 1 << 6
  /// Error summary.
  public static let es: UInt16 = 1 << 7
  public static let c0: UInt16 = 1 << 8
  public static let c1: UInt16 = 1 << 9
  public static let c2: UInt16 = 1 << 10
  public static let c3: UInt16 = 1 << 14
  /// Busy: mirrors ES.
  public static let busy: UInt16 = 1 << 15
  /// The control word after FNINIT: everything masked, 64 bits, round to nearest.
  public static let initialControl: UInt16 = 0x37F

  /// What the exponent of a result moves by when overflow or underflow is unmasked.
  static let biasAdjustment = 24576

  /// Merges what an operation raised into the status word, sets ES and B if something is unmasked.
  /// - Parameter codes: the condition codes that the instruction defines; they are cleared first.
  /// - Returns: the unmasked exceptions. With IE, DE or ZE among them no destination is written; with OE or UE no
  ///   destination in memory is. PE never holds a result back.
  public static func commit(
    raised: UInt16, control: UInt16, replacing codes: UInt16 = c1, to status: inout UInt16
  ) -> UInt16 {
    let unmasked = raised & ~control & flags
    status = (status & ~codes) | raised
    if unmasked != 0 { status |= es | busy }
    return unmasked
  }

  static func rounding(_ control: UInt16) -> RoundingMode { RoundingMode(field: UInt32(control) &>> 10) }

  /// Precision control: significant bits of FADD, FSUB, FMUL, FDIV and FSQRT (SDM 1 table 8-2).
  static func precision(_ control: UInt16) -> Int {
    switch (control &>> 8) & 3 {
    case 0: return 24
    case 2: return 53
    default: return 64
    }
  }

  // MARK: arithmetic

  /// FADD. `denormal`: an operand came from memory as a denormal of its own format, likewise below.
  public static func add(
    _ a: F80, _ b: F80, denormal: Bool = false, control: UInt16, _ raised: inout UInt16
  ) -> F80 {
    if let special = special(
      a, b, denormal, control, &raised,
      invalid: {
        a.classification == .infinity && b.classification == .infinity && a.isNegative != b.isNegative
      })
    {
      return special
    }
    let aClass = a.classification
    let bClass = b.classification
    if aClass == .infinity { return a }
    if bClass == .infinity { return b }
    let down = rounding(control) == .down
    if aClass == .zero && bClass == .zero {
      return F80.zero(negative: a.isNegative == b.isNegative ? a.isNegative : down)
    }
    let sum: ExactReal
    if aClass == .zero {
      sum = b.unpacked
    } else if bClass == .zero {
      sum = a.unpacked
    } else {
      sum = ExactReal.sum(a.unpacked, b.unpacked)
    }
    if sum.isZero { return F80.zero(negative: down) }
    return finish(sum, precision(control), control, &raised)
  }

  /// FSUB: `a` − `b`; FSUBR is the same with its operands in the other order.
  public static func sub(
    _ a: F80, _ b: F80, denormal: Bool = false, control: UInt16, _ raised: inout UInt16
  ) -> F80 {
    // A NaN keeps its sign.
    if b.classification == .nan { return add(a, b, denormal: denormal, control: control, &raised) }
    return add(a, b.negated, denormal: denormal, control: control, &raised)
  }

  /// FMUL.
  public static func mul(
    _ a: F80, _ b: F80, denormal: Bool = false, control: UInt16, _ raised: inout UInt16
  ) -> F80 {
    let aClass = a.classification
    let bClass = b.classification
    if let special = special(
      a, b, denormal, control, &raised,
      invalid: {
        (aClass == .infinity && bClass == .zero) || (aClass == .zero && bClass == .infinity)
      })
    {
      return special
    }
    let negative = a.isNegative != b.isNegative
    if aClass == .infinity || bClass == .infinity { return F80.infinity(negative: negative) }
    if aClass == .zero || bClass == .zero { return F80.zero(negative: negative) }
    return finish(ExactReal.product(a.unpacked, b.unpacked), precision(control), control, &raised)
  }

  /// FDIV: `a` / `b`; FDIVR is the same with its operands in the other order.
  public static func div(
    _ a: F80, _ b: F80, denormal: Bool = false, control: UInt16, _ raised: inout UInt16
  ) -> F80 {
    let aClass = a.classification
    let bClass = b.classification
    let negative = a.isNegative != b.isNegative
    if bClass == .zero, aClass == .normal || aClass == .denormal {
      // A division by zero comes before a denormal operand (SDM 1 table 4-11).
      raised |= ze
      return F80.infinity(negative: negative)
    }
    if let special = special(
      a, b, denormal, control, &raised,
      invalid: {
        (aClass == .infinity && bClass == .infinity) || (aClass == .zero && bClass == .zero)
      })
    {
      return special
    }
    if aClass == .infinity { return F80.infinity(negative: negative) }
    if bClass == .infinity || aClass == .zero { return F80.zero(negative: negative) }
    return finish(ExactReal.quotient(a.unpacked, b.unpacked), precision(control), control, &raised)
  }

  /// FSQRT.
  public static func sqrt(_ a: F80, control: UInt16, _ raised: inout UInt16) -> F80 {
    let aClass = a.classification
    if let special = special(a, a, false, control, &raised, invalid: { a.isNegative && aClass != .zero }) {
      return special
    }
    if aClass == .zero || aClass == .infinity { return a }
    return finish(ExactReal.squareRoot(a.unpacked), precision(control), control, &raised)
  }

  // MARK: comparison

  /// FCOM, FCOMI (`signalling`: IE for every NaN), FUCOM, FUCOMI.
  public static func compare(
    _ a: F80, _ b: F80, signalling: Bool, denormal: Bool = false, _ raised: inout UInt16
  ) -> Comparison {
    let aClass = a.classification
    let bClass = b.classification
    if aClass == .unsupported || bClass == .unsupported {
      raised |= ie
      return .unordered
    }
    if aClass == .nan || bClass == .nan {
      if signalling || a.isSignalling || b.isSignalling { raised |= ie }
      return .unordered
    }
    if aClass == .denormal || bClass == .denormal || denormal { raised |= de }
    if aClass == .zero && bClass == .zero { return .equal }
    if a.isNegative != b.isNegative { return a.isNegative ? .less : .greater }
    let x = key(a)
    let y = key(b)
    if x == y { return .equal }
    return (x < y) != a.isNegative ? .less : .greater
  }

  /// The magnitude as an ordered integer; pseudo-denormals have the exponent that they mean.
  private static func key(_ a: F80) -> UInt128 {
    let field = a.exponentField == 0 && a.significand & F80.integerBit != 0 ? 1 : a.exponentField
    return UInt128(field) &<< 64 | UInt128(a.significand)
  }

  // MARK: common parts

  /// The masked responses of two-operand arithmetic before any computation: unsupported encodings, NaNs, what
  /// `invalid` tells; raises DE otherwise. Nil if the operation has to be computed.
  static func special(
    _ a: F80, _ b: F80, _ denormal: Bool, _ control: UInt16, _ raised: inout UInt16, invalid: () -> Bool
  ) -> F80? {
    let aClass = a.classification
    let bClass = b.classification
    if aClass == .unsupported || bClass == .unsupported {
      raised |= ie
      return .indefinite
    }
    if aClass == .nan || bClass == .nan { return selectNaN(a, b, &raised) }
    if invalid() {
      raised |= ie
      return .indefinite
    }
    if aClass == .denormal || bClass == .denormal || denormal {
      raised |= de
      // Unmasked, it stops the operation before the flags of the result.
      if control & de == 0 { return a }
    }
    return nil
  }

  /// The NaN that an operation with a NaN delivers, quieted: of two the quiet one, else the one with the larger
  /// significand, else the positive one (SDM 1 table 4-7).
  static func selectNaN(_ a: F80, _ b: F80, _ raised: inout UInt16) -> F80 {
    if a.isSignalling || b.isSignalling { raised |= ie }
    guard a.classification == .nan else { return b.quieted }
    guard b.classification == .nan else { return a.quieted }
    if a.isSignalling != b.isSignalling { return a.isSignalling ? b : a }
    if a.significand != b.significand { return (a.significand > b.significand ? a : b).quieted }
    return (a.signExponent < b.signExponent ? a : b).quieted
  }

  /// Rounds to `precision` bits within the range of the registers; raises OE, UE, PE and C1.
  static func finish(_ x: ExactReal, _ precision: Int, _ control: UInt16, _ raised: inout UInt16) -> F80 {
    let mode = rounding(control)
    var r = x.rounded(to: precision, mode)
    if r.exponent < F80.minimumExponent {
      if control & ue == 0 {
        raised |= ue
        r.exponent &+= biasAdjustment
        // Only FSCALE gets so low.
        if r.exponent < F80.minimumExponent {
          raised |= pe
          return F80.zero(negative: x.sign)
        }
      } else {
        r = x.roundedToDenormal(of: precision, minimumExponent: F80.minimumExponent, mode)
        if r.inexact { raised |= ue }
      }
    } else if r.exponent > F80.maximumExponent {
      raised |= oe
      let unmasked = control & oe == 0
      r.exponent &-= biasAdjustment
      if !unmasked || r.exponent > F80.maximumExponent {
        raised |= pe
        // Unmasked, and out of range even so (only FSCALE gets there), it is infinity in every mode.
        let toInfinity: Bool
        switch unmasked ? .nearestEven : mode {
        case .nearestEven: toInfinity = true
        case .down: toInfinity = x.sign
        case .up: toInfinity = !x.sign
        case .towardZero: toInfinity = false
        }
        if toInfinity {
          raised |= c1
          return F80.infinity(negative: x.sign)
        }
        let largest = UInt64.max &<< UInt64(64 &- precision)
        return F80(signExponent: x.sign ? 0xFFFE : 0x7FFE, significand: largest)
      }
    }
    if r.inexact { raised |= pe }
    if r.roundedUp { raised |= c1 }
    return F80(r, sign: x.sign)
  }
}
