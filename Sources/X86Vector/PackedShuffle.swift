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
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    let half = 64 / Narrow.bitWidth
    return lanes(Narrow.self) { i in
      let x = i < half ? a.lane(i, Wide.self) : b.lane(i &- half, Wide.self)
      return saturated(Int32(truncatingIfNeeded: x), to: Narrow.self)
    }
  }
}

enum Pshufb: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanewise(b, b) { (k: UInt8, _: UInt8) in
      k & 0x80 != 0 ? 0 : a.lane(Int(k & 15), UInt8.self)
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
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    V128(imm & 1 == 0 ? a[0] : a[1], imm & 2 == 0 ? b[0] : b[1])
  }
}
/// Two bits of a shuffle's immediate.
@inline(__always)
func selector(_ imm: UInt8, _ i: Int) -> Int { Int(imm &>> UInt8(truncatingIfNeeded: 2 &* i)) & 3 }

enum Palignr: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    let n = UInt128(imm) &* 8
    if n >= 256 { return V128(0, 0) }
    if n >= 128 { return V128(wide: a.wide &>> (n &- 128)) }
    return n == 0 ? b : V128(wide: b.wide &>> n | a.wide &<< (128 &- n))
  }
}
enum PalignrMMX: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    imm > 15 ? V128(0, 0) : V128(wide: V128(b[0], a[0]).wide &>> (UInt128(imm) &* 8))
  }
}

/// PBLENDW, BLENDPS, BLENDPD: a bit of the immediate for each lane.
enum Blend<E: FixedWidthInteger>: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanes(E.self) { i in
      (imm &>> UInt8(truncatingIfNeeded: i) & 1 != 0 ? b : a).lane(i, E.self)
    }
  }
}
/// PBLENDVB, BLENDVPS, BLENDVPD: the sign of each lane of XMM0.
enum BlendVariable<E: FixedWidthInteger & SignedInteger>: VectorOperation {
  @inline(__always) static func apply(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    let mask = c.xmm(0)
    return lanes(E.self) { i in (mask.lane(i, E.self) < 0 ? b : a).lane(i, E.self) }
  }
}

/// PMOVSXxx, PMOVZXxx: the low lanes of `From`, extended by their own signedness.
enum Widen<From: FixedWidthInteger, To: FixedWidthInteger>: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanes(To.self) { i in To(truncatingIfNeeded: b.lane(i, From.self)) }
  }
}

/// MPSADBW: eight sums of four absolute differences each (SDM 2B).
enum Mpsadbw: PackedOperation {
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
