/// An SSE element format, for the software paths, which serve both with one body.
public struct SSEFormat {
  /// The width of the fraction: 23 or 52 bits.
  public let fractionBits: Int
  /// The exponent's bias: 127 or 1023.
  public let bias: Int

  @inlinable @inline(__always)
  public init<T: SSEScalar>(_: T.Type) {
    fractionBits = T.fractionBits
    bias = T.exponentBias
  }

  var precision: Int { fractionBits &+ 1 }
  var minimumExponent: Int { 1 &- bias }
  var signBit: UInt64 { infinity &+ hiddenBit }
  var hiddenBit: UInt64 { 1 &<< UInt64(fractionBits) }
  var fractionMask: UInt64 { hiddenBit &- 1 }
  var quietBit: UInt64 { hiddenBit &>> 1 }
  var infinity: UInt64 { UInt64(2 &* bias &+ 1) &<< UInt64(fractionBits) }
  /// The QNaN floating-point indefinite (SDM 1 4.8.3.7): negative, quiet, no payload.
  var indefinite: UInt64 { signBit | infinity | quietBit }

  func isNaN(_ x: UInt64) -> Bool { x & ~signBit > infinity }
  func isSignalling(_ x: UInt64) -> Bool { isNaN(x) && x & quietBit == 0 }
  func isInfinite(_ x: UInt64) -> Bool { x & ~signBit == infinity }
  func isZero(_ x: UInt64) -> Bool { x & ~signBit == 0 }
  func isDenormal(_ x: UInt64) -> Bool { x & infinity == 0 && x & fractionMask != 0 }
  func isNegative(_ x: UInt64) -> Bool { x & signBit != 0 }

  /// A finite number other than zero.
  func unpack(_ x: UInt64) -> ExactReal {
    let field = Int(truncatingIfNeeded: (x & infinity) &>> UInt64(fractionBits))
    let fraction = x & fractionMask
    let integer = field == 0 ? fraction : fraction | hiddenBit
    return ExactReal(
      sign: isNegative(x), integer: UInt128(integer),
      scale: Swift.max(field, 1) &- bias &- fractionBits)
  }

  /// The encoding of a rounded number within range, normal or on the grid of the denormals.
  func pack(_ r: RoundedReal, sign: Bool) -> UInt64 {
    let significand = r.significand &>> UInt64(63 &- fractionBits)
    let base = UInt64(truncatingIfNeeded: r.exponent &+ bias &- 1) &<< UInt64(fractionBits)
    // A set hidden bit adds one to the exponent field; without it (a denormal) the field stays 0.
    return (sign ? signBit : 0) | (base &+ significand)
  }
}

/// The SSE operations in integer arithmetic: every rounding mode, DAZ, FTZ, every flag (SDM 1 11.5, 4.9).
public enum SSESoftware {
  public enum Operation: UInt8 { case add, sub, mul, div, sqrt }

  /// ADD, SUB, MUL, DIV and SQRT (of `b`; `a` must be the same) on encodings of `format`.
  @inline(never)
  public static func arithmetic(
    _ operation: Operation, _ a: UInt64, _ b: UInt64, _ format: SSEFormat, _ mxcsr: inout UInt32
  ) -> UInt64 {
    if format.isNaN(a) || format.isNaN(b) { return selectNaN(a, b, format, &mxcsr) }
    let a = flushDenormal(a, format, mxcsr)
    var b = flushDenormal(b, format, mxcsr)
    if operation == .sub { b ^= format.signBit }

    let aInfinite = format.isInfinite(a)
    let bInfinite = format.isInfinite(b)
    let aZero = format.isZero(a)
    let bZero = format.isZero(b)
    let productSign = (a ^ b) & format.signBit

    let invalid: Bool
    switch operation {
    case .add, .sub: invalid = aInfinite && bInfinite && a != b
    case .mul: invalid = (aInfinite && bZero) || (aZero && bInfinite)
    case .div: invalid = (aInfinite && bInfinite) || (aZero && bZero)
    case .sqrt: invalid = format.isNegative(b) && !bZero
    }
    if invalid {
      mxcsr |= MXCSR.ie
      return format.indefinite
    }
    // A division by zero comes before a denormal operand (SDM 1 table 4-11).
    if operation == .div, bZero, !aInfinite {
      mxcsr |= MXCSR.ze
      return format.infinity | productSign
    }
    if format.isDenormal(a) || format.isDenormal(b) {
      mxcsr |= MXCSR.de
      // Unmasked, it stops the operation before the flags of the result.
      if mxcsr & (MXCSR.de &<< 7) == 0 { return a }
    }

    let roundingDown = RoundingMode(mxcsr: mxcsr) == .down
    switch operation {
    case .add, .sub:
      if aInfinite { return a }
      if bInfinite { return b }
      if aZero && bZero { return a == b ? a : roundingDown ? format.signBit : 0 }
      if aZero { return finish(format.unpack(b), format, &mxcsr) }
      if bZero { return finish(format.unpack(a), format, &mxcsr) }
      let sum = ExactReal.sum(format.unpack(a), format.unpack(b))
      if sum.isZero { return roundingDown ? format.signBit : 0 }
      return finish(sum, format, &mxcsr)
    case .mul:
      if aInfinite || bInfinite { return format.infinity | productSign }
      if aZero || bZero { return productSign }
      return finish(ExactReal.product(format.unpack(a), format.unpack(b)), format, &mxcsr)
    case .div:
      if aInfinite { return format.infinity | productSign }
      if bInfinite || aZero { return productSign }
      return finish(ExactReal.quotient(format.unpack(a), format.unpack(b)), format, &mxcsr)
    case .sqrt:
      if bInfinite || bZero { return b }
      return finish(ExactReal.squareRoot(format.unpack(b)), format, &mxcsr)
    }
  }

  /// MIN and MAX where an operand is a NaN or a denormal.
  @inline(never)
  public static func minMax(
    max: Bool, _ a: UInt64, _ b: UInt64, _ format: SSEFormat, _ mxcsr: inout UInt32
  ) -> UInt64 {
    switch compare(a, b, true, format, &mxcsr) {
    case .unordered, .equal: return flushDenormal(b, format, mxcsr)
    case .less: return flushDenormal(max ? b : a, format, mxcsr)
    case .greater: return flushDenormal(max ? a : b, format, mxcsr)
    }
  }

  /// Compares; `signalling` raises IE for quiet NaNs too.
  @inline(never)
  public static func compare(
    _ a: UInt64, _ b: UInt64, _ signalling: Bool, _ format: SSEFormat, _ mxcsr: inout UInt32
  ) -> Comparison {
    if format.isNaN(a) || format.isNaN(b) {
      if signalling || format.isSignalling(a) || format.isSignalling(b) { mxcsr |= MXCSR.ie }
      return .unordered
    }
    let a = flushDenormal(a, format, mxcsr)
    let b = flushDenormal(b, format, mxcsr)
    if format.isDenormal(a) || format.isDenormal(b) { mxcsr |= MXCSR.de }
    // Sign and magnitude to an ordered integer.
    let x = orderKey(a, format)
    let y = orderKey(b, format)
    return x < y ? .less : x > y ? .greater : .equal
  }

  private static func orderKey(_ x: UInt64, _ format: SSEFormat) -> Int64 {
    let magnitude = Int64(bitPattern: x & (format.signBit &- 1))
    return format.isNegative(x) ? 0 &- magnitude : magnitude
  }

  /// The first NaN operand, quieted (SDM 1 table 4-7).
  private static func selectNaN(
    _ a: UInt64, _ b: UInt64, _ format: SSEFormat, _ mxcsr: inout UInt32
  ) -> UInt64 {
    if format.isSignalling(a) || format.isSignalling(b) { mxcsr |= MXCSR.ie }
    return (format.isNaN(a) ? a : b) | format.quietBit
  }

  /// A zero of the same sign for a denormal under DAZ, else `x`.
  static func flushDenormal(_ x: UInt64, _ format: SSEFormat, _ mxcsr: UInt32) -> UInt64 {
    mxcsr & MXCSR.daz != 0 && format.isDenormal(x) ? x & format.signBit : x
  }

  /// Rounds to `format` and raises OE, UE and PE. Tininess is detected after rounding.
  static func finish(_ x: ExactReal, _ format: SSEFormat, _ mxcsr: inout UInt32) -> UInt64 {
    let mode = RoundingMode(mxcsr: mxcsr)
    let sign = x.sign ? format.signBit : 0
    let r = x.rounded(to: format.precision, mode)
    if r.exponent < format.minimumExponent {
      if mxcsr & MXCSR.um == 0 {
        mxcsr |= r.inexact ? MXCSR.ue | MXCSR.pe : MXCSR.ue
        return sign
      }
      if mxcsr & MXCSR.ftz != 0 {
        mxcsr |= MXCSR.ue | MXCSR.pe
        return sign
      }
      let d = x.roundedToDenormal(
        of: format.precision, minimumExponent: format.minimumExponent, mode)
      if d.inexact { mxcsr |= MXCSR.ue | MXCSR.pe }
      return format.pack(d, sign: x.sign)
    }
    if r.exponent > format.bias {
      mxcsr |= MXCSR.oe
      if mxcsr & (MXCSR.oe &<< 7) != 0 || r.inexact { mxcsr |= MXCSR.pe }
      let toInfinity: Bool
      switch mode {
      case .nearestEven: toInfinity = true
      case .down: toInfinity = x.sign
      case .up: toInfinity = !x.sign
      case .towardZero: toInfinity = false
      }
      return sign | (toInfinity ? format.infinity : format.infinity &- 1)
    }
    if r.inexact { mxcsr |= MXCSR.pe }
    return format.pack(r, sign: x.sign)
  }
}
