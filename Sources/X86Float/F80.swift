/// A double extended-precision number as the x87 registers hold it (SDM 1 4.2.2, 8.2).
public struct F80: Equatable, Sendable {
  /// Bit 15 the sign, bits 14:0 the biased exponent.
  public var signExponent: UInt16
  /// The integer bit (63) and the fraction.
  public var significand: UInt64

  @inlinable @inline(__always)
  public init(signExponent: UInt16, significand: UInt64) {
    self.signExponent = signExponent
    self.significand = significand
  }

  public static let zero = F80(signExponent: 0, significand: 0)
  public static let one = F80(signExponent: 0x3FFF, significand: 1 << 63)
  public static let infinity = F80(signExponent: 0x7FFF, significand: 1 << 63)
  /// The QNaN floating-point indefinite, the masked response to an invalid operation.
  public static let indefinite = F80(signExponent: 0xFFFF, significand: 3 << 62)

  static let bias = 16383
  static let minimumExponent = -16382
  static let maximumExponent = 16383
  static let quietBit: UInt64 = 1 << 62
  static let integerBit: UInt64 = 1 << 63

  @inlinable public var isNegative: Bool { @inline(__always) get { signExponent & 0x8000 != 0 } }
  @inlinable public var exponentField: UInt16 { @inline(__always) get { signExponent & 0x7FFF } }
  /// The number with the other sign (FCHS).
  @inlinable public var negated: F80 {
    @inline(__always) get { F80(signExponent: signExponent ^ 0x8000, significand: significand) }
  }
  /// The number without its sign (FABS).
  @inlinable public var magnitude: F80 {
    @inline(__always) get { F80(signExponent: signExponent & 0x7FFF, significand: significand) }
  }

  /// The classes that FXAM tells apart; raw values are C3, C2, C0 as bits 2, 1, 0 (SDM 2A, FXAM).
  public enum Class: UInt8 {
    /// Unnormals, pseudo-infinities and pseudo-NaNs, which no processor since the 387 accepts.
    case unsupported = 0
    case nan = 1
    case normal = 2
    case infinity = 3
    case zero = 4
    /// Register marked empty; for the caller's use.
    case empty = 5
    /// Denormals and pseudo-denormals.
    case denormal = 6
  }

  public var classification: Class {
    if exponentField == 0 { return significand == 0 ? .zero : .denormal }
    if significand & F80.integerBit == 0 { return .unsupported }
    if exponentField != 0x7FFF { return .normal }
    return significand &<< 1 == 0 ? .infinity : .nan
  }

  /// A NaN of supported encoding whose quiet bit is clear.
  var isSignalling: Bool { classification == .nan && significand & F80.quietBit == 0 }

  var quieted: F80 { F80(signExponent: signExponent, significand: significand | F80.quietBit) }

  static func zero(negative: Bool) -> F80 { F80(signExponent: negative ? 0x8000 : 0, significand: 0) }

  static func infinity(negative: Bool) -> F80 {
    F80(signExponent: negative ? 0xFFFF : 0x7FFF, significand: 1 &<< 63)
  }

  /// A finite number other than zero.
  var unpacked: ExactReal {
    let field = Int(exponentField)
    return ExactReal(
      sign: isNegative, integer: UInt128(significand), scale: Swift.max(field, 1) &- F80.bias &- 63)
  }

  /// The encoding of a rounded number within range.
  init(_ r: RoundedReal, sign: Bool) {
    let field = r.significand & F80.integerBit == 0 ? 0 : r.exponent &+ F80.bias
    signExponent = (sign ? 0x8000 : 0) | UInt16(truncatingIfNeeded: field & 0x7FFF)
    significand = r.significand
  }

  /// An integer, exactly (FILD).
  public init(_ integer: Int64) {
    if integer == 0 {
      self = .zero
    } else {
      let shift = UInt64(truncatingIfNeeded: integer.magnitude.leadingZeroBitCount)
      signExponent = (integer < 0 ? 0x8000 : 0) | UInt16(truncatingIfNeeded: 0x403E &- shift)
      significand = integer.magnitude &<< shift
    }
  }

  /// A number of an SSE format, exactly; NaNs keep payload and kind, and no exception is looked for.
  /// For arithmetic with an operand in memory: hand `value.isDenormal` to the operation.
  public init<T: SSEScalar>(exactly value: T) {
    let format = SSEFormat(T.self)
    let bits = value.bits
    let sign: UInt16 = format.isNegative(bits) ? 0x8000 : 0
    if format.isZero(bits) {
      self.init(signExponent: sign, significand: 0)
    } else if bits & format.infinity == format.infinity {
      let payload = (bits & format.fractionMask) &<< UInt64(63 &- format.fractionBits)
      self.init(signExponent: sign | 0x7FFF, significand: F80.integerBit | payload)
    } else {
      let x = format.unpack(bits)
      self.init(signExponent: sign | UInt16(truncatingIfNeeded: x.exponent &+ F80.bias), significand: x.head)
    }
  }
}
