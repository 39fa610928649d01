// Operations on 128-bit significands for the transcendental functions: results are truncated, their error is a few
// units of bit 0 of the significand.

extension ExactReal {
  static let one = ExactReal(sign: false, exponent: 0, significand: 1 << 127)
  static let pi = ExactReal(sign: false, exponent: 1, significand: 0xC90F_DAA2_2168_C234_C4C6_628B_80DC_1CD1)
  static let ln2 = ExactReal(
    sign: false, exponent: -1, significand: 0xB172_17F7_D1CF_79AB_C9E3_B398_03F2_F6AF)
  static let log2E = ExactReal(
    sign: false, exponent: 0, significand: 0xB8AA_3B29_5C17_F0BB_BE87_FED0_691D_3E88)

  var negated: ExactReal { ExactReal(sign: !sign, exponent: exponent, significand: significand) }
  var magnitude: ExactReal { ExactReal(sign: false, exponent: exponent, significand: significand) }

  /// The same number marked as inexact: its last bit is set.
  var sticky: ExactReal { ExactReal(sign: sign, exponent: exponent, significand: significand | 1) }

  /// This number times 2^`count`.
  func scaled(by count: Int) -> ExactReal {
    ExactReal(sign: sign, exponent: exponent &+ count, significand: significand)
  }

  /// The product of two full significands.
  static func wideProduct(_ a: ExactReal, _ b: ExactReal) -> ExactReal {
    let p = a.significand.multipliedFullWidth(by: b.significand)
    let tail: UInt128 = p.low != 0 ? 1 : 0
    let sign = a.sign != b.sign
    if p.high &>> 127 != 0 {
      return ExactReal(sign: sign, exponent: a.exponent &+ b.exponent &+ 1, significand: p.high | tail)
    }
    let shifted = p.high &<< 1 | p.low &>> 127
    let rest: UInt128 = p.low &<< 1 != 0 ? 1 : 0
    return ExactReal(sign: sign, exponent: a.exponent &+ b.exponent, significand: shifted | rest)
  }

  /// The quotient of two full significands.
  static func wideQuotient(_ a: ExactReal, _ b: ExactReal) -> ExactReal {
    let fits = a.significand >= b.significand
    let high = fits ? a.significand &>> 1 : a.significand
    let low = fits ? a.significand &<< 127 : 0
    let q = b.significand.dividingFullWidth((high, low))
    return ExactReal(
      sign: a.sign != b.sign, exponent: a.exponent &- b.exponent &- (fits ? 0 : 1),
      significand: q.quotient | (q.remainder != 0 ? 1 : 0))
  }
}

/// Numbers of 0...2 with 127 bits of fraction, and the series of the transcendental functions on them.
enum Fixed127 {
  static let one: UInt128 = 1 << 127

  /// A magnitude of at most 1.
  static func fraction(_ x: ExactReal) -> UInt128 {
    let shift = 0 &- x.exponent
    return shift > 127 ? 0 : x.significand &>> UInt128(truncatingIfNeeded: shift)
  }

  static func real(_ x: UInt128) -> ExactReal { ExactReal(sign: false, integer: x, scale: -127) }

  static func product(_ a: UInt128, _ b: UInt128) -> UInt128 {
    let p = a.multipliedFullWidth(by: b)
    return p.high &<< 1 | p.low &>> 127
  }

  /// sin x / x for z = x² ≤ (π/4)²; below 1 even where x is tiny.
  static func sineRatio(_ z: UInt128) -> UInt128 {
    var t = one
    for k: UInt128 in (1...17).reversed() { t = one &- product(z, t) / (2 &* k &* (2 &* k &+ 1)) }
    return t == one ? one &- 1 : t
  }

  /// cos x for z = x² ≤ (π/4)²; below 1 even where x is tiny.
  static func cosine(_ z: UInt128) -> UInt128 {
    var t = one
    for k: UInt128 in (1...17).reversed() { t = one &- product(z, t) / (2 &* k &* (2 &* k &- 1)) }
    return t == one ? one &- 1 : t
  }

  /// atan x / x for z = x² ≤ 2^−12; below 1 even where x is tiny.
  static func arctangentRatio(_ z: UInt128) -> UInt128 {
    var t: UInt128 = 0
    for k: UInt128 in (0...11).reversed() { t = one / (2 &* k &+ 1) &- product(z, t) }
    return t == one ? one &- 1 : t
  }

  /// artanh x / x for z = x² ≤ 0.03.
  static func areaTangentRatio(_ z: UInt128) -> UInt128 {
    var t: UInt128 = 0
    for k: UInt128 in (0...26).reversed() { t = one / (2 &* k &+ 1) &+ product(z, t) }
    return t
  }

  /// (e^w − 1) / w for |w| ≤ ln 2.
  static func exponentialRatio(_ w: UInt128, negative: Bool) -> UInt128 {
    var t = one
    for k: UInt128 in (2...34).reversed() {
      let term = product(w, t) / k
      t = negative ? one &- term : one &+ term
    }
    return t
  }

  /// atan(k/32), k = 0...32.
  static let arctangents: [UInt128] = [
    0,
    0x03FF_AAB7_752E_C495_09DE_75DD_B76A_3188,
    0x07FD_56ED_CB3F_7A71_B659_3C96_E071_706A,
    0x0BF7_0C13_0178_8746_0935_67E7_84CF_8367,
    0x0FEA_DD4D_5617_B6E3_2C89_7989_F3E8_88EF,
    0x13D6_EEE8_C662_6C58_68EC_33A4_A06C_1FD0,
    0x17B9_7B4B_CE5B_0226_8F61_69F1_0393_8E90,
    0x1B90_D752_9260_A204_5EC4_34B8_396A_A5E0,
    0x1F5B_75F9_2C80_DD62_ADB8_F3DE_BEF4_42FC,
    0x2317_EB46_17E2_F04C_3291_D22C_6FE2_0A63,
    0x26C4_EE6E_0FD7_979A_716A_ED26_349E_BCCA,
    0x2A61_5B32_A39A_93B6_A66D_FDDE_FDF6_7A30,
    0x2DEC_3283_C9BD_E11C_E2A8_C848_B73F_9120,
    0x3164_9A72_9436_4ADB_685D_1BA4_7D42_8A37,
    0x34C9_DD87_9847_F96D_909F_257A_4007_9C4D,
    0x381B_6992_9D93_DF19_F18C_7B65_9E63_2E00,
    0x3B58_CE0A_C376_9ED1_5BF9_117B_2F0E_A340,
    0x3E81_BA16_A828_2F97_19B4_8F1F_5772_3B30,
    0x4195_FA53_6CC3_3F15_25B5_04E5_B0D2_8AE0,
    0x4495_766F_EF4A_A3DA_84A2_3C7E_2395_A57D,
    0x4780_2EAF_7BFA_CFCD_AE41_AF0B_32E2_1BA3,
    0x4A56_3964_C238_C37B_0C62_79C9_FBC5_197C,
    0x4D17_C073_38DE_ED10_2113_7C71_1027_F9DE,
    0x4FC4_FEE2_7A5B_D0F6_7C5A_4932_2783_80EF,
    0x525E_3E8C_9A7B_8492_0CD4_3F95_22BE_D64F,
    0x54E3_D5EE_2418_7AE4_48B5_425A_DF3C_99FA,
    0x5756_261C_5A6C_6040_0A39_2F17_9F29_0385,
    0x59B5_98E4_8F82_1B48_AC80_A0BA_2231_7C9C,
    0x5C02_9F15_E118_CF39_E596_D2A9_0852_221E,
    0x5E3D_AEF5_74C5_7940_6A08_9803_7407_D948,
    0x6067_42DC_5629_3320_44EE_B162_3749_7D12,
    0x627F_D7FD_5FC7_DEAA_465A_1E88_5E4F_0110,
    0x6487_ED51_10B4_611A_6263_3145_C06E_0E68,
  ]
}
