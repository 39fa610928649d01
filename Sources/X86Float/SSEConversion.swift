// Conversions and roundings of SSE (SDM 1 11.4.1.4..6, 11.5.2).

/// Integers that SSE converts to and from: `Int32` and `Int64`.
public protocol SSEInteger: FixedWidthInteger, SignedInteger {}
extension Int32: SSEInteger {}
extension Int64: SSEInteger {}

extension SSE {
  /// CVTTSS2SI, CVTTSD2SI, CVTTPS2DQ, CVTTPD2DQ: toward zero. NaNs and numbers out of range give the integer
  /// indefinite (the least integer) and IE.
  @inlinable @inline(__always)
  public static func truncate<T: SSEScalar, I: SSEInteger>(
    _ a: T, to _: I.Type, _ mxcsr: inout UInt32
  ) -> I {
    // Below 2^31 and 2^63 in magnitude the host's conversion is exact arithmetic.
    if mxcsr & MXCSR.daz == 0, a.magnitude < T.power(I.bitWidth &- 1) {
      let i = a.truncated
      if mxcsr & MXCSR.pe == 0, T(nearest: i) != a { mxcsr |= MXCSR.pe }
      return I(truncatingIfNeeded: i)
    }
    return I(
      truncatingIfNeeded: SSESoftware.toInteger(
        a.bits, bits: I.bitWidth, .towardZero, SSEFormat(T.self), &mxcsr))
  }

  /// CVTSS2SI, CVTSD2SI, CVTPS2DQ, CVTPD2DQ: by MXCSR's rounding mode. NaNs and numbers out of range give the
  /// integer indefinite (the least integer) and IE.
  @inlinable @inline(__always)
  public static func round<T: SSEScalar, I: SSEInteger>(
    _ a: T, to _: I.Type, _ mxcsr: inout UInt32
  ) -> I {
    if mxcsr & (MXCSR.daz | MXCSR.rc) == 0, a.magnitude < T.power(Swift.min(T.fractionBits, I.bitWidth &- 2)) {
      let r = a.roundedToNearest()
      if mxcsr & MXCSR.pe == 0, r != a { mxcsr |= MXCSR.pe }
      return I(truncatingIfNeeded: r.truncated)
    }
    return I(
      truncatingIfNeeded: SSESoftware.toInteger(
        a.bits, bits: I.bitWidth, RoundingMode(mxcsr: mxcsr), SSEFormat(T.self), &mxcsr))
  }

  /// CVTSI2SS, CVTSI2SD, CVTDQ2PS, CVTDQ2PD.
  @inlinable @inline(__always)
  public static func convert<T: SSEScalar, I: SSEInteger>(
    _ i: I, to _: T.Type, _ mxcsr: inout UInt32
  ) -> T {
    // Exact while the magnitude fits the significand.
    let limit = Int64(1) &<< Int64(T.fractionBits &+ 1)
    let wide = Int64(truncatingIfNeeded: i)
    if wide <= limit, wide >= 0 &- limit { return T(nearest: wide) }
    return T(bits: SSESoftware.fromInteger(wide, SSEFormat(T.self), &mxcsr))
  }

  /// CVTSS2SD.
  @inlinable @inline(__always)
  public static func widen(_ a: Float, _ mxcsr: inout UInt32) -> Double {
    if a == a, !a.isDenormal { return Double(a) }
    return Double(
      bitPattern: SSESoftware.convert(a.bits, from: SSEFormat(Float.self), to: SSEFormat(Double.self), &mxcsr)
    )
  }

  /// CVTSD2SS.
  @inlinable @inline(__always)
  public static func narrow(_ a: Double, _ mxcsr: inout UInt32) -> Float {
    let r = Float(a)
    if mxcsr & MXCSR.rc == 0, r.isSafelyNormal || a == 0 {
      if mxcsr & MXCSR.pe == 0, Double(r) != a { mxcsr |= MXCSR.pe }
      return r
    }
    return Float(
      bits: SSESoftware.convert(a.bits, from: SSEFormat(Double.self), to: SSEFormat(Float.self), &mxcsr))
  }

  /// ROUNDSS, ROUNDSD and their packed forms.
  /// - Parameter control: the immediate: bits 1:0 mode, bit 2 take MXCSR's instead, bit 3 do not raise PE.
  @inlinable @inline(__always)
  public static func roundToIntegral<T: SSEScalar>(_ a: T, control: UInt8, _ mxcsr: inout UInt32) -> T {
    // Only the fixed modes, which compilers emit for floor, ceil, trunc and rint.
    if mxcsr & MXCSR.daz == 0, control & 4 == 0, a.magnitude < T.power(T.fractionBits) {
      let r = a.rounded(mode: control & 3)
      if control & 8 == 0, r != a { mxcsr |= MXCSR.pe }
      return r
    }
    return T(bits: SSESoftware.roundToIntegral(a.bits, control, SSEFormat(T.self), &mxcsr))
  }
}

extension SSESoftware {
  /// The integer of `bits` (32 or 64) width, sign-extended; the integer indefinite with IE if there is none.
  @inline(never)
  public static func toInteger(
    _ a: UInt64, bits: Int, _ mode: RoundingMode, _ format: SSEFormat, _ mxcsr: inout UInt32
  ) -> Int64 {
    let indefinite = Int64.min &>> Int64(64 &- bits)
    let a = flushDenormal(a, format, mxcsr)
    if format.isZero(a) { return 0 }
    if a & format.infinity == format.infinity {
      mxcsr |= MXCSR.ie
      return indefinite
    }
    let r = format.unpack(a).roundedToInteger(mode)
    guard let value = r.value(bits: bits) else {
      mxcsr |= MXCSR.ie
      return indefinite
    }
    if r.inexact { mxcsr |= MXCSR.pe }
    return value
  }

  /// An integer rounded to `format`.
  @inline(never)
  public static func fromInteger(_ i: Int64, _ format: SSEFormat, _ mxcsr: inout UInt32) -> UInt64 {
    if i == 0 { return 0 }
    return finish(ExactReal(sign: i < 0, integer: UInt128(i.magnitude), scale: 0), format, &mxcsr)
  }

  /// A number of one format in the other; NaNs keep the upper bits of their payload.
  @inline(never)
  public static func convert(
    _ a: UInt64, from source: SSEFormat, to target: SSEFormat, _ mxcsr: inout UInt32
  ) -> UInt64 {
    let a = flushDenormal(a, source, mxcsr)
    let sign = source.isNegative(a) ? target.signBit : 0
    if source.isNaN(a) {
      if source.isSignalling(a) { mxcsr |= MXCSR.ie }
      let payload = (a & source.fractionMask) &<< UInt64(63 &- source.fractionBits)
      return sign | target.infinity | target.quietBit | payload &>> UInt64(63 &- target.fractionBits)
    }
    if source.isInfinite(a) { return sign | target.infinity }
    if source.isZero(a) { return sign }
    if source.isDenormal(a) {
      mxcsr |= MXCSR.de
      if mxcsr & (MXCSR.de &<< 7) == 0 { return a }
    }
    return finish(source.unpack(a), target, &mxcsr)
  }

  /// The nearest number without fraction by the mode of ROUNDSD's immediate `control`.
  @inline(never)
  public static func roundToIntegral(
    _ a: UInt64, _ control: UInt8, _ format: SSEFormat, _ mxcsr: inout UInt32
  ) -> UInt64 {
    let a = flushDenormal(a, format, mxcsr)
    if format.isNaN(a) {
      if format.isSignalling(a) { mxcsr |= MXCSR.ie }
      return a | format.quietBit
    }
    if format.isInfinite(a) || format.isZero(a) { return a }
    let mode =
      control & 4 != 0 ? RoundingMode(mxcsr: mxcsr) : RoundingMode(field: UInt32(control))
    let x = format.unpack(a)
    if x.exponent >= format.fractionBits { return a }
    let r = x.roundedToInteger(mode)
    if r.inexact && control & 8 == 0 { mxcsr |= MXCSR.pe }
    if r.magnitude == 0 { return a & format.signBit }
    let integral = ExactReal(sign: x.sign, integer: r.magnitude, scale: 0)
    return format.pack(integral.rounded(to: format.precision, .towardZero), sign: x.sign)
  }
}

extension ExactReal {
  /// The number rounded to an integer.
  func roundedToInteger(_ mode: RoundingMode) -> RoundedInteger {
    if exponent > 64 { return RoundedInteger(sign: sign, magnitude: .max, inexact: false, roundedUp: false) }
    // Units from bit 63 on, the fraction in the 63 bits below with a sticky bit: 64 + 1 bits of integer.
    let aligned = significand.shiftedRightSticky(64 &- exponent)
    let fraction = aligned & ((1 &<< 63) &- 1)
    let half: UInt128 = 1 &<< 62
    let whole = aligned &>> 63
    let up: Bool
    switch mode {
    case .nearestEven: up = fraction > half || (fraction == half && whole & 1 != 0)
    case .down: up = sign && fraction != 0
    case .up: up = !sign && fraction != 0
    case .towardZero: up = false
    }
    return RoundedInteger(
      sign: sign, magnitude: whole &+ (up ? 1 : 0), inexact: fraction != 0, roundedUp: up)
  }
}

/// The outcome of a rounding to an integer; a magnitude of 2^65 and more is given as the greatest `UInt128`.
struct RoundedInteger {
  var sign: Bool
  var magnitude: UInt128
  var inexact: Bool
  var roundedUp: Bool

  /// The value in two's complement of `bits` width (16, 32, 64), or nil if it does not fit.
  func value(bits: Int) -> Int64? {
    let limit: UInt128 = 1 &<< UInt128(truncatingIfNeeded: bits &- 1)
    if magnitude > limit || (magnitude == limit && !sign) { return nil }
    let low = Int64(truncatingIfNeeded: magnitude)
    return sign ? 0 &- low : low
  }
}
