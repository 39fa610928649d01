import X86Core
import X86Decode
import X86Float

// FMA3 and F16C.

/// In the upper bits of `imm` of a fused multiply-add: the order of its operands, and what is negated.
struct FusedKind: Equatable {
  /// 132, 213, 231: which operands are factors.
  var order: Int
  var negatesProduct: Bool
  /// In lanes of even and of odd number.
  var subtractsEven: Bool
  var subtractsOdd: Bool

  var bits: Int32 {
    Int32(order) << 17 | (negatesProduct ? 1 << 19 : 0) | (subtractsEven ? 1 << 20 : 0) | (subtractsOdd ? 1 << 21 : 0)
  }
  init(bits: Int32) {
    order = Int(bits >> 17 & 3)
    negatesProduct = bits & 1 << 19 != 0
    subtractsEven = bits & 1 << 20 != 0
    subtractsOdd = bits & 1 << 21 != 0
  }

  /// By the opcode of map 0F38: the high digit is the order, the low one the operation.
  init?(opcode: UInt8) {
    guard (0x9...0xB).contains(opcode >> 4), opcode & 15 >= 6 else { return nil }
    order = Int(opcode >> 4) - 9
    negatesProduct = opcode & 15 >= 12
    switch opcode & 15 {
    case 6: (subtractsEven, subtractsOdd) = (true, false)
    case 7: (subtractsEven, subtractsOdd) = (false, true)
    default: (subtractsEven, subtractsOdd) = (opcode & 2 != 0, opcode & 2 != 0)
    }
  }
}

extension CPU {
  /// One half of a fused multiply-add; `count` lanes of `T` are computed, the others stay the destination's.
  @inline(never)
  func fused<T: SSEScalar>(
    _: T.Type, _ kind: FusedKind, count: Int, _ d: V128, _ v: V128, _ s: V128
  ) -> V128? {
    let (x, y, z) = kind.order == 0 ? (d, s, v) : kind.order == 1 ? (v, d, s) : (v, s, d)
    return withMXCSR { m in
      var r = d
      for i in 0..<count {
        let subtracts = i & 1 == 0 ? kind.subtractsEven : kind.subtractsOdd
        if T.fractionBits == 23 {
          let lane = SSE.fusedMultiplyAdd(
            Float(bits: UInt64(x.lane(i, UInt32.self))), Float(bits: UInt64(y.lane(i, UInt32.self))),
            Float(bits: UInt64(z.lane(i, UInt32.self))), negatesProduct: kind.negatesProduct, subtracts: subtracts, &m)
          r = r.with(i, lane.bitPattern)
        } else {
          let lane = SSE.fusedMultiplyAdd(
            Double(bits: x[i]), Double(bits: y[i]), Double(bits: z[i]), negatesProduct: kind.negatesProduct,
            subtracts: subtracts, &m)
          r = r.with(i, lane.bitPattern)
        }
      }
      return r
    }
  }
}

@inline(__always)
func vexFusedPacked<T: SSEScalar>(
  _: T.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  vex(cpu, op, left) { c, o in
    guard let s = c.source(o) else { return false }
    let kind = FusedKind(bits: o.imm)
    let (d, v) = (c.ymm(o.d), c.ymm(o.v))
    let count = 128 / (T.fractionBits == 23 ? 32 : 64)
    guard
      let r = c.both(
        o, { c.fused(T.self, kind, count: count, d.low, v.low, s.low) },
        { c.fused(T.self, kind, count: count, d.high, v.high, s.high) })
    else { return false }
    c.setYMM(o.d, r)
    return true
  }
}
@inline(__always)
func vexFusedScalar<T: SSEScalar, M: MemorySource>(
  _: T.Type, _: M.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  vex(cpu, op, left) { c, o in
    guard let s = c.source(o, M.self),
      let r = c.fused(T.self, FusedKind(bits: o.imm), count: 1, c.xmm(o.d), c.xmm(o.v), s)
    else { return false }
    c.setYMM(o.d, V256(r))
    return true
  }
}

/// VCVTPH2PS.
enum Cvtph2ps: VectorOperation {
  @inline(__always) static var rule: LaneRule { .widening }
  @inline(never) static func apply(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    c.withMXCSR { m in
      var r = V128(0, 0)
      for i in 0..<4 { r = r.with(i, SSE.widen(half: b.lane(i, UInt16.self), &m)) }
      return r
    }
  }
}
/// VCVTPS2PH: 64 or 128 bits to a register or memory.
@inline(__always)
func vexToHalf(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  vex(cpu, op, left) { c, o in
    let v = c.ymm(o.d)
    // A store that faults leaves MXCSR alone.
    if o.isMemory {
      let size = o.is256 ? 16 : 8
      guard let linear = c.checkedAddress(o, size: size, write: true), !c.alignmentFaults(linear, size),
        c.probeWrite(linear, size, c.dataAccess(write: true))
      else { return false }
    }
    guard let r = c.both(o, { toHalf(c, v.low, o.byte) }, { toHalf(c, v.high, o.byte) }) else { return false }
    if o.isMemory {
      return o.is256 ? c.writeVector(o, V128(r.low[0], r.high[0]), aligned: false) : c.writeM(o, r.low[0])
    }
    c.setYMM(o.s, V256(V128(r.low[0], r.high[0])))
    return true
  }
}
@inline(never)
private func toHalf(_ c: CPU, _ v: V128, _ control: UInt8) -> V128? {
  c.withMXCSR { m in
    var r = V128(0, 0)
    for i in 0..<4 { r = r.with(i, SSE.narrow(toHalf: v.lane(i, UInt32.self), control: control, &m)) }
    return r
  }
}
