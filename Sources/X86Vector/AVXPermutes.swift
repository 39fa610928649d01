import X86Core

// What AVX has and SSE has not: permutations, shifts by lane, halves.

/// VPERMILPS and VPERMILPD by a register: within each half.
enum PermuteInHalves<E: FixedWidthInteger>: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanes(E.self) { i in
      // PD takes bit 1 of its quadwords.
      E.bitWidth == 32
        ? a.lane(Int(b.lane(i, UInt32.self) & 3), E.self) : a.lane(Int(b.lane(i, UInt64.self) &>> 1 & 1), E.self)
    }
  }
}
/// VPERMILPD by an immediate; the source is the only operand.
enum PermuteDoubles: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    V128(imm & 1 == 0 ? b[0] : b[1], imm & 2 == 0 ? b[0] : b[1])
  }
  @inline(__always) static func upperImmediate(_ imm: UInt8) -> UInt8 { imm &>> 2 }
}
/// VPSLLVD, VPSLLVQ, VPSRLVD, VPSRLVQ: each lane by its own count.
enum VariableShift<E: FixedWidthInteger & UnsignedInteger, D: ShiftDirection>: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanewise(a, b) { (x: E, n: E) in n >= E(truncatingIfNeeded: E.bitWidth) ? 0 : D.shift(x, n) }
  }
}
protocol ShiftDirection {
  static func shift<E: FixedWidthInteger>(_ x: E, _ n: E) -> E
}
enum ToTheLeft: ShiftDirection {
  @inline(__always) static func shift<E: FixedWidthInteger>(_ x: E, _ n: E) -> E { x &<< n }
}
enum ToTheRight: ShiftDirection {
  @inline(__always) static func shift<E: FixedWidthInteger>(_ x: E, _ n: E) -> E { x &>> n }
}
enum Vpsravd: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanewise(a, b) { (x: Int32, n: Int32) in x &>> (UInt32(bitPattern: n) > 31 ? 31 : n) }
  }
}

/// An operation on whole registers of 256 bits. `control` is VEX.vvvv's register.
protocol WholeOperation {
  static func apply(_ control: V256, _ source: V256, _ imm: UInt8) -> V256
}
@inline(__always)
func vexWhole<O: WholeOperation>(
  _: O.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  vex(cpu, op, left) { c, o in
    guard let b = c.source(o) else { return false }
    c.setYMM(o.d, O.apply(c.ymm(o.v), b, o.byte))
    return true
  }
}
/// VPERMQ, VPERMPD.
enum PermuteQuadwords: WholeOperation {
  @inline(__always) static func apply(_ control: V256, _ source: V256, _ imm: UInt8) -> V256 {
    func lane(_ i: Int) -> UInt64 { source.lane(selector(imm, i), UInt64.self) }
    return V256(V128(lane(0), lane(1)), V128(lane(2), lane(3)))
  }
}
/// VPERMD, VPERMPS.
enum PermuteDoublewords: WholeOperation {
  @inline(__always) static func apply(_ control: V256, _ source: V256, _ imm: UInt8) -> V256 {
    func half(_ from: Int) -> V128 {
      lanes(UInt32.self) { i in source.lane(Int(control.lane(from &+ i, UInt32.self) & 7), UInt32.self) }
    }
    return V256(half(0), half(4))
  }
}
/// VPERM2F128, VPERM2I128.
enum PermuteHalves: WholeOperation {
  @inline(__always) static func apply(_ control: V256, _ source: V256, _ imm: UInt8) -> V256 {
    func half(_ choice: UInt8) -> V128 {
      if choice & 8 != 0 { return V128(0, 0) }
      switch choice & 3 {
      case 0: return control.low
      case 1: return control.high
      case 2: return source.low
      default: return source.high
      }
    }
    return V256(half(imm), half(imm &>> 4))
  }
}

/// VINSERTF128, VINSERTI128.
@inline(__always)
func vexInsertHalf(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  vex(cpu, op, left) { c, o in
    guard let b = c.source(o, Unaligned.self) else { return false }
    let a = c.ymm(o.v)
    c.setYMM(o.d, o.byte & 1 == 0 ? V256(b, a.high) : V256(a.low, b))
    return true
  }
}
/// VEXTRACTF128, VEXTRACTI128.
@inline(__always)
func vexExtractHalf(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  vex(cpu, op, left) { c, o in
    let v = c.ymm(o.d)
    let half = o.byte & 1 == 0 ? v.low : v.high
    if o.isMemory { return c.writeVector(o, half, aligned: false) }
    c.setYMM(o.s, V256(half))
    return true
  }
}
/// VBROADCASTF128, VBROADCASTI128.
@inline(__always)
func vexBroadcastHalf(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  vex(cpu, op, left) { c, o in
    guard let b = c.readVector(o, aligned: false) else { return false }
    c.setYMM(o.d, V256(b, b))
    return true
  }
}
/// VBLENDVPS, VBLENDVPD, VPBLENDVB: the mask is the fourth operand.
@inline(__always)
func vexBlendVariable<E: FixedWidthInteger & SignedInteger>(
  _: E.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  vex(cpu, op, left) { c, o in
    guard let b = c.source(o) else { return false }
    let a = c.ymm(o.v)
    let mask = c.ymm(o.fourth)
    let blend = BlendVariable<E>.self
    c.setYMM(o, V256(blend.select(a.low, b.low, mask.low), blend.select(a.high, b.high, mask.high)))
    return true
  }
}
/// VZEROUPPER, VZEROALL.
@inline(__always)
func vexZero(all: Bool, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  vex(cpu, op, left) { c, o in
    let count: UInt8 = c.f.pointee.codeMode & CodeMode.bits64 != 0 ? 16 : 8
    for i in 0..<count { c.setYMM(i, V256(all ? V128(0, 0) : c.xmm(i))) }
    return true
  }
}
