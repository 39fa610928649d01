// RCPSS and RSQRTSS. Processors differ in these; here they are fixed functions of the operand, in the manner
// of Intel's: the upper fraction bits choose an interval, whose middle's reciprocal is rounded to 14 bits. The
// relative error is below 1.5 · 2^−12 (SDM 2B, RCPPS). IEEE division and square root in binary64 make them the
// same on every host.

extension SSE {
  /// RCPSS, RCPPS. Denormals count as zeros, tiny results become zeros, no exception is raised.
  @inline(never)
  public static func reciprocal(_ a: Float) -> Float {
    let bits = a.bitPattern
    let sign = bits & 0x8000_0000
    let exponent = Int((bits &>> 23) & 0xFF)
    if exponent == 0 { return Float(bitPattern: sign | 0x7F80_0000) }
    if exponent == 0xFF {
      return Float(bitPattern: bits & 0x7F_FFFF != 0 ? bits | 0x40_0000 : sign)
    }
    // Eleven bits of the fraction and the middle of what they leave open: in units of 2^−12.
    let middle = 0x1001 | ((bits &>> 11) & 0xFFE)
    // In units of 2^−14 of 1/2...1, with bit 13 set for all operands.
    let quotient = UInt32(Double(1 << 26) / Double(middle) + 0.5)
    let field = 253 &- exponent
    if field <= 0 { return Float(bitPattern: sign) }
    return Float(bitPattern: sign | UInt32(field) &<< 23 | (quotient & 0x1FFF) &<< 10)
  }

  /// RSQRTSS, RSQRTPS. Denormals count as zeros; negative operands give the default NaN; no exception is
  /// raised.
  @inline(never)
  public static func reciprocalSquareRoot(_ a: Float) -> Float {
    let bits = a.bitPattern
    let sign = bits & 0x8000_0000
    let exponent = Int((bits &>> 23) & 0xFF)
    if exponent == 0 { return Float(bitPattern: sign | 0x7F80_0000) }
    if exponent == 0xFF, bits & 0x7F_FFFF != 0 { return Float(bitPattern: bits | 0x40_0000) }
    if sign != 0 { return Float(bitPattern: 0xFFC0_0000) }
    if exponent == 0xFF { return 0 }
    // 1...4 in units of 2^−11: ten bits of the fraction, their middle, and the exponent's parity.
    let even = exponent & 1 != 0
    let middle = Double(0x801 | ((bits &>> 12) & 0x7FE)) * (even ? 1 : 2) / 2048
    // In units of 2^−14 of 1/2...1.
    let root = UInt32(Double(1 << 14) / middle.squareRoot() + 0.5)
    let field = 126 &- ((exponent &- 127) &>> 1)
    return Float(bitPattern: UInt32(field) &<< 23 | (root & 0x1FFF) &<< 10)
  }
}
