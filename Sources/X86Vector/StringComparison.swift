import X86Core

// PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM (SDM 2B 4.1).

/// How many elements of a string count.
protocol StringLength {
  static func lengths(_ c: CPU, _ a: V128, _ b: V128, wide: Bool, quad: Bool) -> (Int, Int)
}
/// |rAX| and |rDX|, at most a register full.
enum ExplicitLength: StringLength {
  @inline(__always)
  static func lengths(_ c: CPU, _ a: V128, _ b: V128, wide: Bool, quad: Bool) -> (Int, Int) {
    (one(c, GPR.rax, wide, quad), one(c, GPR.rdx, wide, quad))
  }
  @inline(__always)
  private static func one(_ c: CPU, _ register: UInt8, _ wide: Bool, _ quad: Bool) -> Int {
    let limit: UInt64 = wide ? 8 : 16
    let value = quad ? c.r64(register) : UInt64(bitPattern: Int64(c.reg(register, Int32.self)))
    return Int(min(Int64(bitPattern: value).magnitude, limit))
  }
}
/// Up to the first zero element.
enum ImplicitLength: StringLength {
  @inline(__always)
  static func lengths(_ c: CPU, _ a: V128, _ b: V128, wide: Bool, quad: Bool) -> (Int, Int) {
    (one(a, wide), one(b, wide))
  }
  @inline(__always)
  private static func one(_ v: V128, _ wide: Bool) -> Int {
    if wide {
      let zeros = StringComparison.placesOfZeros(words: v)
      return zeros == 0 ? 8 : zeros.trailingZeroBitCount
    }
    let zeros = StringComparison.placesOfZeros(bytes: v)
    return zeros == 0 ? 16 : zeros.trailingZeroBitCount
  }
}

/// The comparison itself.
enum StringComparison {
  struct Result {
    /// IntRes2, a bit an element.
    var bits: UInt32
    var flags: UInt64
  }

  /// A bit for each byte that is zero.
  @inline(__always)
  static func placesOfZeros(bytes v: V128) -> UInt32 {
    @inline(__always) func eight(_ q: UInt64) -> UInt32 {
      // 80 in each byte that is zero: no carry leaves a byte.
      let low7: UInt64 = 0x7F7F_7F7F_7F7F_7F7F
      let zeros = ~((q & low7) &+ low7 | q | low7)
      // The eight bits 8i + 7 move to the top byte.
      return UInt32(truncatingIfNeeded: ((zeros &>> 7) &* 0x0102_0408_1020_4080) &>> 56)
    }
    return eight(v[0]) | eight(v[1]) &<< 8
  }
  /// A bit for each word that is zero.
  @inline(__always)
  static func placesOfZeros(words v: V128) -> UInt32 {
    @inline(__always) func four(_ q: UInt64) -> UInt32 {
      let low15: UInt64 = 0x7FFF_7FFF_7FFF_7FFF
      let zeros = ~((q & low15) &+ low15 | q | low15)
      return UInt32(truncatingIfNeeded: ((zeros &>> 15) &* 0x1000_2000_4000_8000) &>> 60)
    }
    return four(v[0]) | four(v[1]) &<< 4
  }
  @inline(__always)
  private static func element(_ v: V128, _ wide: Bool, _ i: Int) -> UInt64 {
    wide ? UInt64(v.lane(i & 7, UInt16.self)) : UInt64(v.lane(i & 15, UInt8.self))
  }
  @inline(__always)
  private static func placesOf(_ v: V128, _ wide: Bool, equal x: UInt64) -> UInt32 {
    wide
      ? placesOfZeros(words: v ^ V128(repeating: x &* 0x0001_0001_0001_0001))
      : placesOfZeros(bytes: v ^ V128(repeating: x &* 0x0101_0101_0101_0101))
  }
  @inline(__always)
  private static func placesOf(_ v: V128, _ wide: Bool, from low: UInt64, through high: UInt64) -> UInt32 {
    let outside: V128
    if wide {
      let (l, h) = (UInt16(truncatingIfNeeded: low), UInt16(truncatingIfNeeded: high))
      outside = lanewise(v, v) { (x: UInt16, _: UInt16) in x < l || x > h ? .max : 0 }
      return placesOfZeros(words: outside)
    }
    let (l, h) = (UInt8(truncatingIfNeeded: low), UInt8(truncatingIfNeeded: high))
    outside = lanewise(v, v) { (x: UInt8, _: UInt8) in x < l || x > h ? .max : 0 }
    return placesOfZeros(bytes: outside)
  }

  @inline(never)
  static func compare(_ a: V128, _ b: V128, _ imm: UInt8, _ lengthA: Int, _ lengthB: Int) -> Result {
    let wide = imm & 1 != 0
    let count = wide ? 8 : 16
    // Lanes of the flipped values compare as unsigned numbers, whichever the elements are.
    let sign: UInt64 = imm & 2 == 0 ? 0 : wide ? 0x8000_8000_8000_8000 : 0x8080_8080_8080_8080
    let x = a ^ V128(repeating: sign)
    let y = b ^ V128(repeating: sign)
    let validA: UInt32 = (1 &<< UInt32(lengthA)) &- 1
    let validB: UInt32 = (1 &<< UInt32(lengthB)) &- 1
    var bits: UInt32 = 0
    switch (imm >> 2) & 3 {
    case 0:  // equal any: an element of b is one of a's
      for i in 0..<lengthA { bits |= placesOf(y, wide, equal: element(x, wide, i)) }
      bits &= validB
    case 1:  // ranges: pairs of a
      for i in 0..<(lengthA / 2) {
        let low = element(x, wide, 2 &* i)
        let high = element(x, wide, 2 &* i &+ 1)
        bits |= placesOf(y, wide, from: low, through: high)
      }
      bits &= validB
    case 2:  // equal each: both ended counts as equal, one ended as different
      let equal = wide ? placesOfZeros(words: x ^ y) : placesOfZeros(bytes: x ^ y)
      bits = equal & validA & validB | ~validA & ~validB
    default:  // equal ordered: a is found in b at j; what lies beyond the register is not compared
      bits = .max
      for i in 0..<lengthA {
        let equal = placesOf(y, wide, equal: element(x, wide, i)) & validB
        let beyond = UInt32.max &<< UInt32(count &- i)
        bits &= equal &>> UInt32(i) | beyond
      }
    }
    bits &= wide ? 0xFF : 0xFFFF
    let all: UInt32 = wide ? 0xFF : 0xFFFF
    switch (imm >> 4) & 3 {
    case 1: bits ^= all
    case 3: bits ^= lengthB >= 16 ? all : all & ((1 << UInt32(lengthB)) &- 1)
    default: break
    }
    var flags: UInt64 = 0
    if bits != 0 { flags |= RFLAGS.cf }
    if lengthB < count { flags |= RFLAGS.zf }
    if lengthA < count { flags |= RFLAGS.sf }
    if bits & 1 != 0 { flags |= RFLAGS.of }
    return Result(bits: bits, flags: flags)
  }
}

/// PCMPESTRI, PCMPISTRI: the first or last place in ECX. Operand size 8: 64-bit lengths.
enum StringIndex<L: StringLength>: VectorReader {
  @inline(__always) static func consume(_ c: CPU, _ o: OpRef, _ a: V128, _ b: V128) -> Bool {
    let wide = o.byte & 1 != 0
    let (la, lb) = L.lengths(c, a, b, wide: wide, quad: o.operandSize == 8)
    let r = StringComparison.compare(a, b, o.byte, la, lb)
    let index: Int
    if r.bits == 0 {
      index = wide ? 8 : 16
    } else {
      index = o.byte & 0x40 != 0 ? 31 &- r.bits.leadingZeroBitCount : r.bits.trailingZeroBitCount
    }
    c.setR64(GPR.rcx, UInt64(truncatingIfNeeded: index))
    c.setStatusFlags(r.flags)
    return true
  }
}
/// VPCMPESTRM, VPCMPISTRM: what is above XMM0 becomes zero.
@inline(__always)
func vexStringMask<L: StringLength>(
  _: L.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  vex(cpu, op, left) { c, o in
    guard let b = c.source(o, Unaligned.self) else { return false }
    _ = StringMask<L>.consume(c, o, c.xmm(o.d), b)
    c.setYMM(0, V256(c.xmm(0)))
    return true
  }
}
/// PCMPESTRM, PCMPISTRM: a mask of bits or elements in XMM0.
enum StringMask<L: StringLength>: VectorReader {
  @inline(__always) static func consume(_ c: CPU, _ o: OpRef, _ a: V128, _ b: V128) -> Bool {
    let wide = o.byte & 1 != 0
    let (la, lb) = L.lengths(c, a, b, wide: wide, quad: o.operandSize == 8)
    let r = StringComparison.compare(a, b, o.byte, la, lb)
    var mask = V128(low: UInt64(r.bits))
    if o.byte & 0x40 != 0 {
      if wide {
        mask = lanes(UInt16.self) { i in r.bits >> UInt32(i) & 1 != 0 ? .max : 0 }
      } else {
        mask = lanes(UInt8.self) { i in r.bits >> UInt32(i) & 1 != 0 ? .max : 0 }
      }
    }
    c.setXMM(0, mask)
    c.setStatusFlags(r.flags)
    return true
  }
}
