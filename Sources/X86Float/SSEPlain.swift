// Arithmetic without a word about exceptions: what SSE does nearly always.
//
// Once MXCSR is *settled* (all exceptions masked, rounding to nearest, PE set, as after the first inexact result of a
// program), an operation on numbers that are not denormal, with a result that is normal or an exact zero, changes no
// flag. Then the host's instruction is all there is to it. Functions return nil where that is not so, and the caller
// takes the exact way (``SSE/add(_:_:_:)`` and its like).

extension SSE {
  /// Whether the only flag that plain operations can raise, PE, is set, and nothing else needs a look.
  @inlinable @inline(__always)
  public static func isSettled(_ mxcsr: UInt32) -> Bool {
    mxcsr & (MXCSR.masks | MXCSR.rc | MXCSR.pe) == MXCSR.masks | MXCSR.pe
  }

  /// Whether all exceptions are masked and rounding is to nearest. While PE is not set, an operation is plain if it is exact.
  @inlinable @inline(__always)
  public static func isQuiet(_ mxcsr: UInt32) -> Bool {
    mxcsr & (MXCSR.masks | MXCSR.rc) == MXCSR.masks
  }

  // MARK: Whether a plain result is the exact one. Where that cannot be told at once, the answer is no.

  @inlinable @inline(__always)
  public static func isExact<T: SSEScalar>(sum r: T, of a: T, _ b: T) -> Bool {
    // Near the end of the range the terms of the error could overflow.
    let bound = UInt64(T.exponentBias &* 2 &- 1)
    return a.exponentField < bound && b.exponentField < bound && !T.isInexact(sum: r, of: a, b)
  }
  /// A product has at most as many bits as its factors together.
  @inlinable @inline(__always)
  public static func isExact<T: SSEScalar>(product r: T, of a: T, _ b: T) -> Bool {
    let one: UInt64 = 1 &<< UInt64(T.fractionBits)
    let zeros = (a.bits | one).trailingZeroBitCount &+ (b.bits | one).trailingZeroBitCount
    return zeros > T.fractionBits || r.isZeroBits
  }

  // MARK: One number. `a` is the destination, `b` the source; MXCSR is settled.

  @inlinable @inline(__always)
  public static func plainSum<T: SSEScalar>(_ a: T, _ b: T) -> T? {
    let r = a + b
    return !a.isDenormal && !b.isDenormal && (r.isSafelyNormal || r.isZeroBits) ? r : nil
  }
  @inlinable @inline(__always)
  public static func plainDifference<T: SSEScalar>(_ a: T, _ b: T) -> T? {
    let r = a - b
    return !a.isDenormal && !b.isDenormal && (r.isSafelyNormal || r.isZeroBits) ? r : nil
  }
  @inlinable @inline(__always)
  public static func plainProduct<T: SSEScalar>(_ a: T, _ b: T) -> T? {
    let r = a * b
    if a.isDenormal || b.isDenormal { return nil }
    return r.isSafelyNormal || (r.isZeroBits && (a.isZeroBits || b.isZeroBits)) ? r : nil
  }
  @inlinable @inline(__always)
  public static func plainQuotient<T: SSEScalar>(_ a: T, _ b: T) -> T? {
    let r = a / b
    if a.isDenormal || b.isDenormal { return nil }
    return r.isSafelyNormal || (r.isZeroBits && a.isZeroBits) ? r : nil
  }
  @inlinable @inline(__always)
  public static func plainRoot<T: SSEScalar>(_ b: T) -> T? {
    b.isSafelyNormal && b.sign == .plus ? b.squareRoot() : nil
  }
  /// Needs no settled MXCSR.
  @inlinable @inline(__always)
  public static func plainMinimum<T: SSEScalar>(_ a: T, _ b: T) -> T? {
    isComparable(a) && isComparable(b) ? (a < b ? a : b) : nil
  }
  /// Needs no settled MXCSR.
  @inlinable @inline(__always)
  public static func plainMaximum<T: SSEScalar>(_ a: T, _ b: T) -> T? {
    isComparable(a) && isComparable(b) ? (a > b ? a : b) : nil
  }
  /// Neither denormal nor NaN: comparing it raises nothing.
  @inlinable @inline(__always)
  public static func isComparable<T: SSEScalar>(_ a: T) -> Bool { !a.isDenormal && a == a }

  /// The outcome of a comparison of comparable numbers as ZF and CF at their places in RFLAGS.
  @inlinable @inline(__always)
  public static func plainOrder<T: SSEScalar>(_ a: T, _ b: T) -> UInt32? {
    guard isComparable(a), isComparable(b) else { return nil }
    return (a == b ? 0x40 : 0) | (a < b ? 0x01 : 0)
  }

  /// CMPSS, CMPSD. Needs no settled MXCSR.
  @inlinable @inline(__always)
  public static func plainComparison<T: SSEScalar>(_ a: T, _ b: T, predicate: UInt8) -> Bool? {
    guard isComparable(a), isComparable(b) else { return nil }
    let outcome: UInt8 = a < b ? 1 : a == b ? 2 : 4
    return predicateTruth(predicate) & outcome != 0
  }

  /// CVTSD2SS.
  @inlinable @inline(__always)
  public static func plainNarrowed(_ a: Double) -> Float? {
    let r = Float(a)
    return r.isSafelyNormal || a.isZeroBits ? r : nil
  }

  /// CVTTxx2SI and its packed forms; nil for what may not fit.
  @inlinable @inline(__always)
  public static func plainTruncated<T: SSEScalar, I: SSEInteger>(_ a: T, to _: I.Type) -> I? {
    a.magnitude < T.power(I.bitWidth &- 1) ? I(truncatingIfNeeded: a.truncated) : nil
  }
  /// CVTxx2SI and its packed forms; nil for what may not fit, and for numbers that have no fraction by their size.
  @inlinable @inline(__always)
  public static func plainRounded<T: SSEScalar, I: SSEInteger>(_ a: T, to _: I.Type) -> I? {
    a.magnitude < T.power(Swift.min(T.fractionBits, I.bitWidth &- 2))
      ? I(truncatingIfNeeded: a.roundedToNearest().truncated) : nil
  }
  /// ROUNDxx with the immediate `control`; nil for numbers that have no fraction by their size, and denormals.
  @inlinable @inline(__always)
  public static func plainIntegral<T: SSEScalar>(_ a: T, control: UInt8) -> T? {
    guard a.magnitude < T.power(T.fractionBits), !a.isDenormal else { return nil }
    // MXCSR's mode, which a settled one says is to nearest, or one of its own.
    return a.rounded(mode: control & 4 != 0 ? 0 : control & 3)
  }

  // MARK: Four numbers. What is wrong with a lane shows in its sign bit: SIMD comparisons of the standard library are
  // loops over lanes, differences are not.

  @inlinable @inline(__always)
  public static func plainSum(_ a: SIMD4<Float>, _ b: SIMD4<Float>) -> SIMD4<Float>? {
    let r = a + b
    return isPlain(sum: r, a, b) ? r : nil
  }
  @inlinable @inline(__always)
  public static func plainDifference(_ a: SIMD4<Float>, _ b: SIMD4<Float>) -> SIMD4<Float>? {
    let r = a - b
    return isPlain(sum: r, a, b) ? r : nil
  }
  @inlinable @inline(__always)
  public static func plainProduct(_ a: SIMD4<Float>, _ b: SIMD4<Float>) -> SIMD4<Float>? {
    let r = a * b
    let (x, y, m) = (magnitudes(a), magnitudes(b), magnitudes(r))
    // Tiny products are wrong unless they are zeros with a zero factor.
    let tiny = (m &- lanes(2 &<< 23)) & ((lanes(0) &- m) | ((lanes(0) &- x) & (lanes(0) &- y)))
    return isClear(denormal(x) | denormal(y) | tiny | (lanes(255 &<< 23 &- 1) &- m)) ? r : nil
  }
  @inlinable @inline(__always)
  public static func plainQuotient(_ a: SIMD4<Float>, _ b: SIMD4<Float>) -> SIMD4<Float>? {
    let r = a / b
    let (x, y, m) = (magnitudes(a), magnitudes(b), magnitudes(r))
    let tiny = (m &- lanes(2 &<< 23)) & ((lanes(0) &- m) | (lanes(0) &- x))
    return isClear(denormal(x) | denormal(y) | tiny | (lanes(255 &<< 23 &- 1) &- m)) ? r : nil
  }
  @inlinable @inline(__always)
  public static func plainRoot(_ b: SIMD4<Float>) -> SIMD4<Float>? {
    let bits = unsafeBitCast(b, to: SIMD4<Int32>.self)
    guard isClear(bits | (bits &- lanes(2 &<< 23)) | (lanes(255 &<< 23 &- 1) &- bits)) else { return nil }
    return eachLane(b, b) { x, _ in x.squareRoot() }
  }
  @inlinable @inline(__always)
  public static func plainMinimum(_ a: SIMD4<Float>, _ b: SIMD4<Float>) -> SIMD4<Float>? {
    areComparable(a, b) ? eachLane(a, b) { x, y in x < y ? x : y } : nil
  }
  @inlinable @inline(__always)
  public static func plainMaximum(_ a: SIMD4<Float>, _ b: SIMD4<Float>) -> SIMD4<Float>? {
    areComparable(a, b) ? eachLane(a, b) { x, y in x > y ? x : y } : nil
  }
  /// Needs no settled MXCSR. Ones where the predicate holds.
  @inlinable @inline(__always)
  public static func plainComparison(_ a: SIMD4<Float>, _ b: SIMD4<Float>, predicate: UInt8) -> SIMD4<Int32>? {
    guard areComparable(a, b) else { return nil }
    let truth = predicateTruth(predicate)
    @inline(__always) func ones(_ place: UInt8) -> SIMD4<Int32> {
      SIMD4(repeating: 0 &- Int32(truth &>> place & 1))
    }
    let less = unsafeBitCast(
      eachLane(a, b) { x, y in Float(bitPattern: x < y ? .max : 0) }, to: SIMD4<Int32>.self)
    let equal = unsafeBitCast(
      eachLane(a, b) { x, y in Float(bitPattern: x == y ? .max : 0) }, to: SIMD4<Int32>.self)
    return (less & ones(0)) | (equal & ones(1)) | (((less | equal) ^ SIMD4(repeating: -1)) & ones(2))
  }

  // MARK: Kinds of numbers, lane by lane, in sign bits

  @inlinable @inline(__always)
  static func lanes(_ x: Int32) -> SIMD4<Int32> { SIMD4(repeating: x) }
  /// Without the sign.
  @inlinable @inline(__always)
  static func magnitudes(_ x: SIMD4<Float>) -> SIMD4<Int32> {
    unsafeBitCast(x, to: SIMD4<Int32>.self) & SIMD4(repeating: 0x7FFF_FFFF)
  }
  @inlinable @inline(__always)
  static func denormal(_ m: SIMD4<Int32>) -> SIMD4<Int32> { (m &- lanes(1 &<< 23)) & (lanes(0) &- m) }
  @inlinable @inline(__always)
  static func isPlain(sum r: SIMD4<Float>, _ a: SIMD4<Float>, _ b: SIMD4<Float>) -> Bool {
    let m = magnitudes(r)
    let tiny = (m &- lanes(2 &<< 23)) & (lanes(0) &- m)
    return isClear(denormal(magnitudes(a)) | denormal(magnitudes(b)) | tiny | (lanes(255 &<< 23 &- 1) &- m))
  }
  @inlinable @inline(__always)
  static func areComparable(_ a: SIMD4<Float>, _ b: SIMD4<Float>) -> Bool {
    let (x, y) = (magnitudes(a), magnitudes(b))
    return isClear(denormal(x) | denormal(y) | (lanes(255 &<< 23) &- x) | (lanes(255 &<< 23) &- y))
  }
  @inlinable @inline(__always)
  static func isClear(_ signs: SIMD4<Int32>) -> Bool {
    let halves = unsafeBitCast(signs, to: SIMD2<UInt64>.self)
    return (halves[0] | halves[1]) & 0x8000_0000_8000_0000 == 0
  }
  /// A loop that the compiler makes one vector instruction of.
  @inlinable @inline(__always)
  static func eachLane(_ a: SIMD4<Float>, _ b: SIMD4<Float>, _ body: (Float, Float) -> Float) -> SIMD4<Float> {
    var result = a
    _withUnprotectedUnsafeMutablePointer(to: &result) { r in
      _withUnprotectedUnsafePointer(to: b) { s in
        let r = UnsafeMutableRawPointer(r).assumingMemoryBound(to: Float.self)
        let s = UnsafeRawPointer(s).assumingMemoryBound(to: Float.self)
        for i in 0..<4 { r[i] = body(r[i], s[i]) }
      }
    }
    return result
  }
}
