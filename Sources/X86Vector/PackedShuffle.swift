import X86Core

// Lanes in other places: unpacks, packs, shuffles, blends, alignments, widenings. `a` is the destination.

/// PUNPCKLxx: the low halves' lanes in turn.
enum UnpackLow<E: FixedWidthInteger>: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanes(E.self) { i in (i & 1 == 0 ? a : b).lane(i &>> 1, E.self) }
  }
}
/// PUNPCKHxx: the high halves' lanes in turn.
enum UnpackHigh<E: FixedWidthInteger>: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanes(E.self) { i in (i & 1 == 0 ? a : b).lane((i &>> 1) &+ 64 / E.bitWidth, E.self) }
  }
}

/// PACKSSWB, PACKUSWB, PACKSSDW, PACKUSDW: signed lanes of `Wide`, held at the ends of `Narrow`.
enum Pack<Wide: FixedWidthInteger & SignedInteger, Narrow: FixedWidthInteger>: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 { V128(half(a), half(b)) }

  /// Minimum and maximum by lanes first, which the host has for words; then the low halves of the lanes move together.
  @inline(__always) private static func half(_ v: V128) -> UInt64 {
    let held = lanewise(v, v) { (x: Wide, _: Wide) in
      let low = Wide(truncatingIfNeeded: Narrow.min)
      let high = Wide(truncatingIfNeeded: Narrow.max)
      let y = x < low ? low : x
      return y > high ? high : y
    }
    return gathered(held[0]) | gathered(held[1]) &<< 32
  }
  /// The low halves of a quadword's lanes, in its low 32 bits.
  @inline(__always) private static func gathered(_ q: UInt64) -> UInt64 {
    if Wide.bitWidth == 32 { return q & 0xFFFF | (q &>> 16) & 0xFFFF_0000 }
    let x = q & 0x00FF_00FF_00FF_00FF
    let y = (x | x &>> 8) & 0x0000_FFFF_0000_FFFF
    return (y | y &>> 16) & 0xFFFF_FFFF
  }
}

enum Pshufb: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    withBytes(of: a) { bytes in
      @inline(__always) func eight(_ k: UInt64) -> UInt64 {
        var r: UInt64 = 0
        for i: UInt64 in 0..<8 {
          let index = Int(truncatingIfNeeded: (k &>> (8 &* i)) & 15)
          r |= UInt64(bytes.load(fromByteOffset: index, as: UInt8.self)) &<< (8 &* i)
        }
        // Bytes whose index has bit 7 are zeros.
        return r & ~((k &>> 7 & 0x0101_0101_0101_0101) &* 0xFF)
      }
      return V128(eight(b[0]), eight(b[1]))
    }
  }
}
/// PSHUFB of MMX registers: three bits of index.
enum PshufbMMX: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    Pshufb.apply(a, V128(low: b[0] & 0x8787_8787_8787_8787), imm)
  }
}
enum Pshufd: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanes(UInt32.self) { i in b.lane(selector(imm, i), UInt32.self) }
  }
}
enum Pshuflw: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanes(UInt16.self) { i in b.lane(i < 4 ? selector(imm, i) : i, UInt16.self) }
  }
}
enum Pshufhw: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanes(UInt16.self) { i in b.lane(i < 4 ? i : 4 &+ selector(imm, i &- 4), UInt16.self) }
  }
}
enum Shufps: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanes(UInt32.self) { i in (i < 2 ? a : b).lane(selector(imm, i), UInt32.self) }
  }
}
enum Shufpd: PackedOperation {
  @inline(__always) static func upperImmediate(_ imm: UInt8) -> UInt8 { imm &>> 2 }
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    V128(imm & 1 == 0 ? a[0] : a[1], imm & 2 == 0 ? b[0] : b[1])
  }
}
/// Two bits of a shuffle's immediate.
@inline(__always)
func selector(_ imm: UInt8, _ i: Int) -> Int { Int(imm &>> UInt8(truncatingIfNeeded: 2 &* i)) & 3 }

enum Palignr: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    // Quadwords first, then the bits within them.
    let low: V128
    let high: UInt64
    switch imm &>> 3 {
    case 0: (low, high) = (b, a[0])
    case 1: (low, high) = (V128(b[1], a[0]), a[1])
    case 2: (low, high) = (a, 0)
    case 3: (low, high) = (V128(a[1], 0), 0)
    default: return V128(0, 0)
    }
    let n = UInt64(imm & 7) &* 8
    if n == 0 { return low }
    return V128(low[0] &>> n | low[1] &<< (64 &- n), low[1] &>> n | high &<< (64 &- n))
  }
}
enum PalignrMMX: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    imm > 15 ? V128(0, 0) : V128(wide: V128(b[0], a[0]).wide &>> (UInt128(imm) &* 8))
  }
}

/// PBLENDW, BLENDPS, BLENDPD: a bit of the immediate for each lane.
enum Blend<E: FixedWidthInteger>: PackedOperation {
  /// Eight words repeat the immediate, wider lanes go on in it.
  @inline(__always) static func upperImmediate(_ imm: UInt8) -> UInt8 {
    E.bitWidth == 16 ? imm : imm &>> UInt8(truncatingIfNeeded: 128 / E.bitWidth)
  }
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    let mask = lanes(E.self) { i in 0 &- E(truncatingIfNeeded: imm &>> UInt8(truncatingIfNeeded: i) & 1) }
    return a & ~mask | b & mask
  }
}
/// PBLENDVB, BLENDVPS, BLENDVPD: the sign of each lane of XMM0.
enum BlendVariable<E: FixedWidthInteger & SignedInteger>: VectorOperation {
  @inline(__always) static func apply(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    select(a, b, c.xmm(0))
  }
  @inline(__always) static func select(_ a: V128, _ b: V128, _ signs: V128) -> V128 {
    let mask = lanewise(signs, a) { (m: E, _: E) in m &>> E(truncatingIfNeeded: E.bitWidth &- 1) }
    return a & ~mask | b & mask
  }
}

/// PMOVSXxx, PMOVZXxx: the low lanes of `From`, extended by their own signedness.
enum Widen<From: FixedWidthInteger, To: FixedWidthInteger>: PackedOperation {
  @inline(__always) static var rule: LaneRule { .widening }
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanes(To.self) { i in To(truncatingIfNeeded: b.lane(i, From.self)) }
  }
}

/// MPSADBW: eight sums of four absolute differences each (SDM 2B).
enum Mpsadbw: PackedOperation {
  @inline(__always) static func upperImmediate(_ imm: UInt8) -> UInt8 { imm &>> 3 }
  @inline(never) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    let first = Int(imm & 4)
    let block = Int(imm & 3) &* 4
    return lanes(UInt16.self) { i in
      var sum: UInt16 = 0
      for k in 0..<4 {
        let x = a.lane(first &+ i &+ k, UInt8.self)
        let y = b.lane(block &+ k, UInt8.self)
        sum &+= UInt16(x > y ? x &- y : y &- x)
      }
      return sum
    }
  }
}

/// INSERTPS from a register: bits 7:6 choose the source's lane.
enum Insertps: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    insert(a, b.lane(Int(imm &>> 6), UInt32.self), imm)
  }
  @inline(__always) static func insert(_ a: V128, _ value: UInt32, _ imm: UInt8) -> V128 {
    let r = a.with(Int((imm &>> 4) & 3), value)
    return lanes(UInt32.self) { i in
      imm &>> UInt8(truncatingIfNeeded: i) & 1 != 0 ? 0 : r.lane(i, UInt32.self)
    }
  }
}
/// INSERTPS from memory: 32 bits, nothing to choose.
enum InsertpsMemory: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    Insertps.insert(a, UInt32(truncatingIfNeeded: b[0]), imm)
  }
}

// MARK: Moves that are operations on lanes

/// MOVAPS and its like.
enum MoveAll: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 { b }
}
/// MOVSS between registers.
enum MoveLow32: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    V128(a[0] & 0xFFFF_FFFF_0000_0000 | b[0] & 0xFFFF_FFFF, a[1])
  }
}
/// MOVSD between registers; MOVLPS, MOVLPD from memory.
enum MoveLow64: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 { V128(b[0], a[1]) }
}
/// MOVLHPS; MOVHPS, MOVHPD from memory.
enum MoveLowToHigh: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 { V128(a[0], b[0]) }
}
enum MoveHighToLow: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 { V128(b[1], a[1]) }
}
/// MOVQ, and MOVD, MOVSS, MOVSD from memory: zeros above.
enum MoveLowOnly: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 { V128(low: b[0]) }
}
enum Movsldup: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 { Pshufd.apply(a, b, 0xA0) }
}
enum Movshdup: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 { Pshufd.apply(a, b, 0xF5) }
}
enum Movddup: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 { V128(b[0], b[0]) }
}
