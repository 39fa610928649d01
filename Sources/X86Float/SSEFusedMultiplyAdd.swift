// FMA3 (SDM 2C, VFMADD…): a product and a sum with one rounding.

extension SSE {
  /// ±x · y ± z with one rounding. A NaN among x, y, z, in that order, is the result, with its own sign.
  @inlinable @inline(__always)
  public static func fusedMultiplyAdd<T: SSEScalar>(
    _ x: T, _ y: T, _ z: T, negatesProduct: Bool, subtracts: Bool, _ mxcsr: inout UInt32
  ) -> T {
    T(
      bits: SSESoftware.fusedMultiplyAdd(
        x.bits, y.bits, z.bits, negatesProduct: negatesProduct, subtracts: subtracts, SSEFormat(T.self), &mxcsr))
  }
}

extension SSESoftware {
  /// ±x · y ± z on encodings of `format`.
  @inline(never)
  public static func fusedMultiplyAdd(
    _ x: UInt64, _ y: UInt64, _ z: UInt64, negatesProduct: Bool, subtracts: Bool, _ format: SSEFormat,
    _ mxcsr: inout UInt32
  ) -> UInt64 {
    if format.isNaN(x) || format.isNaN(y) || format.isNaN(z) {
      if format.isSignalling(x) || format.isSignalling(y) || format.isSignalling(z) { mxcsr |= MXCSR.ie }
      // 0 · ∞ + a quiet NaN: the NaN, without a word (SDM 2C, table 14-18).
      return (format.isNaN(x) ? x : format.isNaN(y) ? y : z) | format.quietBit
    }
    let x = flushDenormal(x, format, mxcsr) ^ (negatesProduct ? format.signBit : 0)
    let y = flushDenormal(y, format, mxcsr)
    let z = flushDenormal(z, format, mxcsr) ^ (subtracts ? format.signBit : 0)
    let productSign = (x ^ y) & format.signBit
    let infiniteProduct = format.isInfinite(x) || format.isInfinite(y)
    let zeroProduct = format.isZero(x) || format.isZero(y)
    if infiniteProduct && zeroProduct
      || infiniteProduct && format.isInfinite(z) && productSign != z & format.signBit
    {
      mxcsr |= MXCSR.ie
      return format.indefinite
    }
    if format.isDenormal(x) || format.isDenormal(y) || format.isDenormal(z) {
      mxcsr |= MXCSR.de
      if mxcsr & (MXCSR.de &<< 7) == 0 { return x }
    }
    if infiniteProduct { return format.infinity | productSign }
    if format.isInfinite(z) { return z }
    let roundingDown = RoundingMode(mxcsr: mxcsr) == .down
    if zeroProduct {
      if !format.isZero(z) { return finish(format.unpack(z), format, &mxcsr) }
      return productSign == z & format.signBit ? productSign : roundingDown ? format.signBit : 0
    }
    let product = ExactReal.product(format.unpack(x), format.unpack(y))
    if format.isZero(z) { return finish(product, format, &mxcsr) }
    // 106 and 53 bits: what the sum loses is below anything that a rounding looks at.
    let sum = ExactReal.sum(product, format.unpack(z))
    if sum.isZero { return roundingDown ? format.signBit : 0 }
    return finish(sum, format, &mxcsr)
  }
}

// MARK: Half precision

extension SSEFormat {
  /// binary16.
  static let half = SSEFormat(fractionBits: 10, bias: 15)
  init(fractionBits: Int, bias: Int) {
    self.fractionBits = fractionBits
    self.bias = bias
  }
}

extension SSE {
  /// VCVTPH2PS: exact. Denormals are no matter to it: neither DAZ nor DE (SDM 2C).
  public static func widen(half a: UInt16, _ mxcsr: inout UInt32) -> UInt32 {
    var m = mxcsr & ~(MXCSR.daz | MXCSR.flags) | MXCSR.masks
    let r = SSESoftware.convert(UInt64(a), from: .half, to: SSEFormat(Float.self), &m)
    mxcsr |= m & MXCSR.ie
    return UInt32(truncatingIfNeeded: r)
  }

  /// VCVTPS2PH: by the mode of the immediate (bit 2: MXCSR's). FTZ is no matter to it (SDM 2C).
  public static func narrow(toHalf a: UInt32, control: UInt8, _ mxcsr: inout UInt32) -> UInt16 {
    var m = mxcsr & ~MXCSR.ftz
    if control & 4 == 0 { m = m & ~MXCSR.rc | UInt32(control & 3) &<< 13 }
    let r = SSESoftware.convert(UInt64(a), from: SSEFormat(Float.self), to: .half, &m)
    mxcsr |= m & MXCSR.flags
    return UInt16(truncatingIfNeeded: r)
  }
}
