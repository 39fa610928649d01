// For linking only: `squareRoot()` is the host's instruction, which IEEE 754 determines to the bit, but the compiler
// leaves a reference to `sqrt` for negative operands, which never get there.
#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What the SSE operations need to know of their two element formats, binary32 and binary64.
///
/// The predicates serve the fast paths; each is one or two integer operations.
public protocol SSEScalar: BinaryFloatingPoint {
  /// The width of the fraction: 23 or 52 bits.
  static var fractionBits: Int { get }
  /// The exponent's bias: 127 or 1023.
  static var exponentBias: Int { get }
  /// The encoding, zero-extended.
  var bits: UInt64 { get }
  /// The value of an encoding; bits above the format's width are ignored.
  init(bits: UInt64)
  /// The nearest value; a conversion of the host's own, which the generic initialiser is not.
  init(nearest integer: Int64)
  /// Toward zero, of magnitudes below 2^63.
  var truncated: Int64 { get }
  /// Exponent field zero, fraction not.
  var isDenormal: Bool { get }
  /// Zero of either sign, without a comparison of floating-point numbers.
  var isZeroBits: Bool { get }
  /// Finite, and at least twice the smallest normal number, so that rounding did not lift it over the bound
  /// of tiny results.
  var isSafelyNormal: Bool { get }
  /// Whether `r`, the rounded sum of `a` and `b`, all of moderate size, differs from the exact one.
  static func isInexact(sum r: Self, of a: Self, _ b: Self) -> Bool
  /// Whether `r`, the safely normal rounded product, differs from the exact one.
  static func isInexact(product r: Self, of a: Self, _ b: Self) -> Bool
  /// Whether `r`, the safely normal rounded quotient of nonzero numbers, differs from the exact one.
  static func isInexact(quotient r: Self, of a: Self, by b: Self) -> Bool
  /// Whether `r`, the rounded square root of a positive normal number, differs from the exact one.
  static func isInexact(root r: Self, of a: Self) -> Bool
}

extension SSEScalar {
  /// 2^`exponent`, for normal numbers.
  @inlinable @inline(__always)
  static func power(_ exponent: Int) -> Self {
    Self(bits: UInt64(truncatingIfNeeded: exponentBias &+ exponent) &<< UInt64(fractionBits))
  }

  /// The nearest integer, ties to even, for magnitudes below 2^fractionBits: adding that bound leaves no room
  /// for a fraction. The sign stays.
  @inlinable @inline(__always)
  func roundedToNearest() -> Self {
    let bound = Self.power(Self.fractionBits)
    let r = (magnitude + bound) - bound
    return sign == .minus ? -r : r
  }

  /// An integer by mode (0 nearest, 1 down, 2 up, 3 toward zero), for magnitudes below 2^fractionBits. The sign stays.
  @inlinable @inline(__always)
  func rounded(mode: UInt8) -> Self {
    let nearest = roundedToNearest()
    let wrong: Bool
    switch mode {
    case 0: return nearest
    case 1: wrong = nearest > self
    case 2: wrong = nearest < self
    default: wrong = nearest.magnitude > magnitude
    }
    if !wrong { return nearest }
    // One back, toward the number.
    let one: Self = nearest > self ? -1 : 1
    let r = (nearest + one).magnitude
    return sign == .minus ? -r : r
  }

  /// The biased exponent.
  @inlinable public var exponentField: UInt64 {
    @inline(__always) get { (bits &>> UInt64(Self.fractionBits)) & UInt64(2 &* Self.exponentBias &+ 1) }
  }

  /// The error term of a sum (Knuth's two-sum) is zero exactly when the sum is exact.
  @inlinable @inline(__always)
  public static func isInexact(sum r: Self, of a: Self, _ b: Self) -> Bool {
    let bb = r - a
    return (a - (r - bb)) + (b - bb) != 0
  }
}

extension Float: SSEScalar {
  @inlinable public static var fractionBits: Int { @inline(__always) get { 23 } }
  @inlinable public static var exponentBias: Int { @inline(__always) get { 127 } }
  @inlinable public var bits: UInt64 { @inline(__always) get { UInt64(bitPattern) } }
  @inlinable @inline(__always)
  public init(bits: UInt64) { self.init(bitPattern: UInt32(truncatingIfNeeded: bits)) }
  @inlinable @inline(__always)
  public init(nearest integer: Int64) { self.init(integer) }
  @inlinable public var truncated: Int64 { @inline(__always) get { Int64(self) } }
  @inlinable public var isZeroBits: Bool { @inline(__always) get { bitPattern &<< 1 == 0 } }

  @inlinable public var isDenormal: Bool {
    @inline(__always) get { (bitPattern &<< 1) &- 1 < (1 &<< 24) &- 1 }
  }

  @inlinable public var isSafelyNormal: Bool {
    @inline(__always) get { (bitPattern &<< 1) &- (2 &<< 24) < 253 &<< 24 }
  }

  // Products of 24-bit significands are exact in binary64.
  @inlinable @inline(__always)
  public static func isInexact(product r: Float, of a: Float, _ b: Float) -> Bool {
    Double(a) * Double(b) != Double(r)
  }

  @inlinable @inline(__always)
  public static func isInexact(quotient r: Float, of a: Float, by b: Float) -> Bool {
    Double(r) * Double(b) != Double(a)
  }

  @inlinable @inline(__always)
  public static func isInexact(root r: Float, of a: Float) -> Bool { Double(r) * Double(r) != Double(a) }
}

extension Double: SSEScalar {
  @inlinable public static var fractionBits: Int { @inline(__always) get { 52 } }
  @inlinable public static var exponentBias: Int { @inline(__always) get { 1023 } }
  @inlinable public var bits: UInt64 { @inline(__always) get { bitPattern } }
  @inlinable @inline(__always)
  public init(bits: UInt64) { self.init(bitPattern: bits) }
  @inlinable @inline(__always)
  public init(nearest integer: Int64) { self.init(integer) }
  @inlinable public var truncated: Int64 { @inline(__always) get { Int64(self) } }
  @inlinable public var isZeroBits: Bool { @inline(__always) get { bitPattern &<< 1 == 0 } }

  @inlinable public var isDenormal: Bool {
    @inline(__always) get { (bitPattern &<< 1) &- 1 < (1 &<< 53) &- 1 }
  }

  @inlinable public var isSafelyNormal: Bool {
    @inline(__always) get { (bitPattern &<< 1) &- (2 &<< 53) < 2045 &<< 53 }
  }

  /// The significand of a normal number without its trailing zeros. Two normal numbers are equal up to a
  /// power of two exactly when their odd parts are.
  @inlinable var oddPart: UInt64 {
    @inline(__always) get {
      let significand = (bitPattern & ((1 &<< 52) &- 1)) | (1 &<< 52)
      return significand &>> UInt64(truncatingIfNeeded: significand.trailingZeroBitCount)
    }
  }

  @inlinable @inline(__always)
  public static func isInexact(product r: Double, of a: Double, _ b: Double) -> Bool {
    let p = a.oddPart.multipliedFullWidth(by: b.oddPart)
    return p.high != 0 || p.low != r.oddPart
  }

  @inlinable @inline(__always)
  public static func isInexact(quotient r: Double, of a: Double, by b: Double) -> Bool {
    isInexact(product: a, of: r, b)
  }

  @inlinable @inline(__always)
  public static func isInexact(root r: Double, of a: Double) -> Bool { isInexact(product: a, of: r, r) }
}
