import X86Core
import X86Decode

/// x87, MMX and SSE state of cases: values near every edge of every format, control words that unmask.
extension CaseBuilder {
  /// Fills the FXSAVE image.
  mutating func fillFloat(_ form: InstructionForm, _ input: NativeInput) {
    let fx = input.fx
    fx.storeBytes(of: 0x37F, as: UInt16.self)
    fx.storeBytes(of: 0x1F80, toByteOffset: 24, as: UInt32.self)
    fx.storeBytes(of: 0xFFFF, toByteOffset: 28, as: UInt32.self)
    let family = InstructionFamily(form.entry)
    let isVector = family == .vector || family == .avx
    let kinds = isVector ? VectorKind.allCases : [.integers]
    let kind = g.pick(kinds)
    for i in 0..<32 { fx.storeBytes(of: vectorWord(kind), toByteOffset: 160 + 8 * i, as: UInt64.self) }
    if NativeOracle.hasAVX {
      for i in 0..<32 { input.ymm.storeBytes(of: vectorWord(kind), toByteOffset: 8 * i, as: UInt64.self) }
    }
    if family == .integer { return }
    if isVector { fx.storeBytes(of: drawMXCSR(), toByteOffset: 24, as: UInt32.self) }
    if family == .x87 || form.entry.isMMX { fillX87(fx, family) }
  }

  /// What the memory operand holds, if it is a floating-point one.
  mutating func fillFloatMemory(
    _ form: InstructionForm, _ i: Instruction, _ input: NativeInput, _ linear: UInt64
  ) {
    let family = InstructionFamily(form.entry)
    if family == .integer || !i.isMemory { return }
    let bytes = input.setPatch(0, linear, count: 64)
    let kind = g.pick(VectorKind.allCases)
    for n in 0..<8 { bytes.storeBytes(of: vectorWord(kind), toByteOffset: 8 * n, as: UInt64.self) }
    if form.entry.operation == .ldmxcsr || form.entry.operation == .vldmxcsr {
      // Mostly without reserved bits.
      bytes.storeBytes(
        of: g.chance(90) ? UInt32(g.below(0x10000)) : UInt32(truncatingIfNeeded: g.next()), as: UInt32.self)
    }
    if form.entry.operation == .fxrstor {
      bytes.storeBytes(of: drawMXCSR(), toByteOffset: 24, as: UInt32.self)
      bytes.storeBytes(of: drawControlWord(), as: UInt16.self)
    }
    switch form.entry.operands.first(where: { $0.isMemoryOnly }) {
    case .m32fp: bytes.storeBytes(of: single(), as: UInt32.self)
    case .m64fp: bytes.storeBytes(of: double(), as: UInt64.self)
    case .m80fp:
      let value = extended()
      bytes.storeBytes(of: value.significand, as: UInt64.self)
      bytes.storeBytes(of: value.signExponent, toByteOffset: 8, as: UInt16.self)
    case .m80bcd:
      // The digits of the result for non-digits are undefined (SDM 2A FBLD).
      for n in 0..<9 {
        bytes.storeBytes(of: UInt8(g.below(10) << 4 | g.below(10)), toByteOffset: n, as: UInt8.self)
      }
      bytes.storeBytes(of: UInt8(g.pick([0, 0x80] as [UInt8])), toByteOffset: 9, as: UInt8.self)
    case .m16int, .m32int, .m64int: bytes.storeBytes(of: interestingInteger(&g), as: UInt64.self)
    case .menv, .mstate:
      bytes.storeBytes(of: drawControlWord(), as: UInt16.self)
    default: break
    }
  }

  enum VectorKind: CaseIterable { case integers, smallLanes, singles, doubles }

  private mutating func vectorWord(_ kind: VectorKind) -> UInt64 {
    switch kind {
    case .integers: return interestingInteger(&g)
    case .smallLanes:
      var word: UInt64 = 0
      for n in UInt64(0)..<4 {
        let lane: UInt64 = g.pick([
          0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0x8001, 0xFFFF, 0x7F80, 0x0100, g.next() & 0xFFFF,
        ])
        word |= lane << (16 * n)
      }
      return word
    case .singles: return UInt64(single()) | UInt64(single()) << 32
    case .doubles: return double()
    }
  }

  private mutating func drawMXCSR() -> UInt32 {
    if g.chance(30) { return 0x1F80 }
    // Rounding, DAZ, FTZ, sticky flags; a third with exceptions unmasked.
    var value = UInt32(truncatingIfNeeded: g.next()) & 0xE07F | 0x1F80
    if g.chance(35) { value &= ~(UInt32(truncatingIfNeeded: g.next()) & 0x1F80) }
    return value
  }

  private mutating func single() -> UInt32 {
    let sign: UInt32 = g.chance(50) ? 0x8000_0000 : 0
    switch g.below(6) {
    case 0, 1:
      return sign
        | g.pick([
          0, 1, 0x7F_FFFF, 0x80_0000, 0x80_0001, 0x3F80_0000, 0x3F7F_FFFF, 0x3F80_0001, 0x3F00_0000,
          0x4000_0000,
          0x4B00_0000, 0x4F00_0000, 0x4EFF_FFFF, 0x5F00_0000, 0x7F7F_FFFF, 0x7F80_0000, 0x7F80_0001,
          0x7FC0_0000,
          0x7FFF_FFFF, 0x7FBF_FFFF, 0x3FC0_0000,
        ])
    case 2: return sign | UInt32(g.below(0x80_0000))  // denormal
    case 3: return Float(Int64(bitPattern: interestingInteger(&g))).bitPattern
    case 4: return sign | UInt32(0x3F80_0000 - (10 << 23) + g.below(20 << 23))
    default: return UInt32(truncatingIfNeeded: g.next())
    }
  }

  private mutating func double() -> UInt64 {
    let sign: UInt64 = g.chance(50) ? 1 << 63 : 0
    switch g.below(6) {
    case 0, 1:
      return sign
        | g.pick([
          0, 1, 0xF_FFFF_FFFF_FFFF, 0x10_0000_0000_0000, 0x3FF0_0000_0000_0000, 0x3FEF_FFFF_FFFF_FFFF,
          0x3FF0_0000_0000_0001, 0x3FE0_0000_0000_0000, 0x41E0_0000_0000_0000, 0x41DF_FFFF_FFC0_0000,
          0x43E0_0000_0000_0000, 0x7FEF_FFFF_FFFF_FFFF, 0x7FF0_0000_0000_0000, 0x7FF0_0000_0000_0001,
          0x7FF8_0000_0000_0000, 0x47EF_FFFF_E000_0000, 0x47EF_FFFF_F000_0000, 0x3810_0000_0000_0000,
          0x380F_FFFF_FFFF_FFFF, 0x36A0_0000_0000_0000, 0x3690_0000_0000_0000,
        ])
    case 2: return sign | g.next() >> 12
    case 3: return Double(Int64(bitPattern: interestingInteger(&g))).bitPattern
    case 4: return sign | (0x3FF0_0000_0000_0000 - (20 << 52) + (g.below(40) << 52) + g.next() >> 12)
    default: return g.next()
    }
  }

  private mutating func extended() -> (signExponent: UInt16, significand: UInt64) {
    let sign: UInt16 = g.chance(50) ? 0x8000 : 0
    let top: UInt64 = 1 << 63
    switch g.below(8) {
    case 0:  // zero, denormals, pseudo-denormals
      return (sign, g.pick([0, 1, top >> 1, top &- 1, top, top | 1, g.next()]))
    case 1:  // infinities, NaNs, and what has been invalid since the 387
      return (sign | 0x7FFF, g.pick([top, top, 0, 1, top | 1, top | 3 << 62, .max, top >> 1, g.next()]))
    case 2:  // unnormals, rarely; one and its neighbours
      return (sign | 0x3FFF, g.pick([top, top, top | 1, .max, 1, top >> 1, 3 << 62]))
    case 3:
      let value = Double(Int64(bitPattern: interestingInteger(&g)))
      if value == 0 { return (sign, 0) }
      let bits = value.bitPattern
      return (UInt16(bits >> 63) << 15 | UInt16((bits >> 52 & 0x7FF) + 15360), top | bits << 11)
    case 4: return (UInt16(truncatingIfNeeded: g.next()), g.next() | top)
    default:
      let keep = g.pick([0, 11, 40, 60] as [UInt64])
      return (sign | UInt16(0x3FFF - 40 + g.below(110)), ((g.next() | top) >> keep) << keep)
    }
  }

  private mutating func drawControlWord() -> UInt16 {
    // Bit 6 is always set; precision 1 is reserved.
    var word: UInt16 = 0x7F | UInt16(g.below(4)) << 10 | g.pick([0, 2, 3, 3, 3]) << 8
    if g.chance(35) { word &= ~(UInt16(g.below(64))) }
    return word
  }

  private mutating func fillX87(_ fx: UnsafeMutableRawPointer, _ family: InstructionFamily) {
    let control = drawControlWord()
    let top = UInt16(g.below(8))
    // Flags whose exceptions are masked; rarely others, which are pending.
    var status = UInt16(g.below(64)) & (g.chance(95) ? control & 63 : 63)
    if g.chance(50) { status = 0 }
    status |= UInt16(truncatingIfNeeded: g.next()) & 0x4700 | top << 11
    if status & 1 != 0 && g.chance(50) { status |= 0x40 }
    if status & ~control & 63 != 0 { status |= 0x8080 }
    fx.storeBytes(of: control, as: UInt16.self)
    fx.storeBytes(of: status, toByteOffset: 2, as: UInt16.self)
    // A bit a physical register, 1: in use.
    var tags = UInt8(truncatingIfNeeded: g.next())
    if g.chance(80) { tags |= 1 << UInt8(top) | 1 << UInt8(top &+ 1 & 7) }
    if g.chance(30) { tags = 0xFF }
    if g.chance(60) { tags &= ~(1 << UInt8((top &+ 7) & 7)) }
    fx.storeBytes(of: tags, toByteOffset: 4, as: UInt8.self)
    for i in 0..<8 {
      let value =
        family == .x87
        ? extended() : (signExponent: 0xFFFF, significand: vectorWord(g.pick(VectorKind.allCases)))
      fx.storeBytes(of: value.significand, toByteOffset: 32 + 16 * i, as: UInt64.self)
      fx.storeBytes(of: value.signExponent, toByteOffset: 40 + 16 * i, as: UInt16.self)
    }
  }
}
