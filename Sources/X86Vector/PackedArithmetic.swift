import X86Core

// Packed integers: logic, sums, products, comparisons, shifts. `a` is the destination, `b` the source.

enum Pand: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 { a & b }
}
enum Pandn: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 { ~a & b }
}
enum Por: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 { a | b }
}
enum Pxor: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 { a ^ b }
}

// MARK: Sums

enum Paddb: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 { V128(a.u8 &+ b.u8) }
}
enum Paddw: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 { V128(a.u16 &+ b.u16) }
}
enum Paddd: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 { V128(a.u32 &+ b.u32) }
}
enum Paddq: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 { a &+ b }
}
enum Psubb: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 { V128(a.u8 &- b.u8) }
}
enum Psubw: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 { V128(a.u16 &- b.u16) }
}
enum Psubd: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 { V128(a.u32 &- b.u32) }
}
enum Psubq: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 { a &- b }
}

/// The sum, held at the type's ends.
@inline(__always)
func saturatingSum<E: FixedWidthInteger>(_ x: E, _ y: E) -> E {
  let (r, overflow) = x.addingReportingOverflow(y)
  return overflow ? (E.isSigned && x < 0 ? E.min : E.max) : r
}
/// The difference, held at the type's ends.
@inline(__always)
func saturatingDifference<E: FixedWidthInteger>(_ x: E, _ y: E) -> E {
  let (r, overflow) = x.subtractingReportingOverflow(y)
  return overflow ? (!E.isSigned || x < 0 ? E.min : E.max) : r
}
/// A wider integer, held at the narrow type's ends.
@inline(__always)
func saturated<E: FixedWidthInteger>(_ x: Int32, to _: E.Type) -> E {
  E(truncatingIfNeeded: min(max(x, Int32(truncatingIfNeeded: E.min)), Int32(truncatingIfNeeded: E.max)))
}

enum Paddsb: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanewise(a, b) { (x: Int8, y: Int8) in saturatingSum(x, y) }
  }
}
enum Paddsw: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanewise(a, b) { (x: Int16, y: Int16) in saturatingSum(x, y) }
  }
}
enum Paddusb: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanewise(a, b) { (x: UInt8, y: UInt8) in saturatingSum(x, y) }
  }
}
enum Paddusw: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanewise(a, b) { (x: UInt16, y: UInt16) in saturatingSum(x, y) }
  }
}
enum Psubsb: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanewise(a, b) { (x: Int8, y: Int8) in saturatingDifference(x, y) }
  }
}
enum Psubsw: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanewise(a, b) { (x: Int16, y: Int16) in saturatingDifference(x, y) }
  }
}
enum Psubusb: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanewise(a, b) { (x: UInt8, y: UInt8) in saturatingDifference(x, y) }
  }
}
enum Psubusw: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanewise(a, b) { (x: UInt16, y: UInt16) in saturatingDifference(x, y) }
  }
}
enum Pavgb: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanewise(a, b) { (x: UInt8, y: UInt8) in UInt8(truncatingIfNeeded: (UInt32(x) &+ UInt32(y) &+ 1) &>> 1) }
  }
}
enum Pavgw: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanewise(a, b) { (x: UInt16, y: UInt16) in UInt16(truncatingIfNeeded: (UInt32(x) &+ UInt32(y) &+ 1) &>> 1)
    }
  }
}
/// Sums of absolute differences of eight bytes each.
enum Psadbw: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanes(UInt64.self) { half in
      var sum: UInt64 = 0
      for i in 0..<8 {
        let x = a.lane(half &* 8 &+ i, UInt8.self)
        let y = b.lane(half &* 8 &+ i, UInt8.self)
        sum &+= UInt64(x > y ? x &- y : y &- x)
      }
      return sum
    }
  }
}

// MARK: Products

enum Pmullw: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 { V128(a.u16 &* b.u16) }
}
enum Pmulld: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 { V128(a.u32 &* b.u32) }
}
enum Pmulhw: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanewise(a, b) { (x: Int16, y: Int16) in Int16(truncatingIfNeeded: (Int32(x) &* Int32(y)) &>> 16) }
  }
}
enum Pmulhuw: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanewise(a, b) { (x: UInt16, y: UInt16) in UInt16(truncatingIfNeeded: (UInt32(x) &* UInt32(y)) &>> 16) }
  }
}
enum Pmulhrsw: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanewise(a, b) { (x: Int16, y: Int16) in
      Int16(truncatingIfNeeded: (((Int32(x) &* Int32(y)) &>> 14) &+ 1) &>> 1)
    }
  }
}
enum Pmuludq: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    (a & V128(repeating: 0xFFFF_FFFF)) &* (b & V128(repeating: 0xFFFF_FFFF))
  }
}
enum Pmuldq: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanewise(a, b) { (x: Int64, y: Int64) in
      Int64(Int32(truncatingIfNeeded: x)) &* Int64(Int32(truncatingIfNeeded: y))
    }
  }
}
/// Sums of neighbouring products of signed words; only −32768² twice wraps.
enum Pmaddwd: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanewise(a, b) { (x: Int32, y: Int32) in
      Int32(Int16(truncatingIfNeeded: x)) &* Int32(Int16(truncatingIfNeeded: y)) &+ (x &>> 16) &* (y &>> 16)
    }
  }
}
/// Sums of neighbouring products of unsigned bytes of the destination and signed ones of the source, saturated.
enum Pmaddubsw: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanewise(a, b) { (x: Int16, y: Int16) in
      let low = Int32(UInt8(truncatingIfNeeded: x)) &* Int32(Int8(truncatingIfNeeded: y))
      let high = Int32(UInt8(truncatingIfNeeded: x &>> 8)) &* Int32(y &>> 8)
      return saturated(low &+ high, to: Int16.self)
    }
  }
}

// MARK: Comparisons

enum Pcmpeqb: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanewise(a, b) { (x: UInt8, y: UInt8) in x == y ? .max : 0 }
  }
}
enum Pcmpeqw: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanewise(a, b) { (x: UInt16, y: UInt16) in x == y ? .max : 0 }
  }
}
enum Pcmpeqd: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanewise(a, b) { (x: UInt32, y: UInt32) in x == y ? .max : 0 }
  }
}
enum Pcmpeqq: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanewise(a, b) { (x: UInt64, y: UInt64) in x == y ? .max : 0 }
  }
}
enum Pcmpgtb: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanewise(a, b) { (x: Int8, y: Int8) in x > y ? -1 : 0 }
  }
}
enum Pcmpgtw: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanewise(a, b) { (x: Int16, y: Int16) in x > y ? -1 : 0 }
  }
}
enum Pcmpgtd: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanewise(a, b) { (x: Int32, y: Int32) in x > y ? -1 : 0 }
  }
}
enum Pcmpgtq: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanewise(a, b) { (x: Int64, y: Int64) in x > y ? -1 : 0 }
  }
}

/// Minima and maxima by element type.
enum PackedMinimum<E: FixedWidthInteger>: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanewise(a, b) { (x: E, y: E) in x < y ? x : y }
  }
}
enum PackedMaximum<E: FixedWidthInteger>: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanewise(a, b) { (x: E, y: E) in x > y ? x : y }
  }
}
/// PABSB, …: the most negative number stays.
enum PackedAbsolute<E: FixedWidthInteger>: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanewise(a, b) { (_: E, y: E) in y < 0 ? 0 &- y : y }
  }
}
/// PSIGNB, …
enum PackedSign<E: FixedWidthInteger>: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanewise(a, b) { (x: E, y: E) in y < 0 ? 0 &- x : (y == 0 ? 0 : x) }
  }
}
/// The least word and its place.
enum Phminposuw: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    var least = UInt16.max
    var place: UInt64 = 0
    for i in 0..<8 {
      let x = b.lane(i, UInt16.self)
      if x < least {
        least = x
        place = UInt64(i)
      }
    }
    return V128(low: UInt64(least) | place &<< 16)
  }
}

// MARK: Horizontal

/// PHADDW, PHADDD: sums of neighbours, the destination's below.
enum HorizontalSum<E: FixedWidthInteger>: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    neighbours(a, b) { (x: E, y: E) in x &+ y }
  }
}
enum HorizontalDifference<E: FixedWidthInteger>: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    neighbours(a, b) { (x: E, y: E) in x &- y }
  }
}
enum Phaddsw: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    neighbours(a, b) { (x: Int16, y: Int16) in saturatingSum(x, y) }
  }
}
enum Phsubsw: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    neighbours(a, b) { (x: Int16, y: Int16) in saturatingDifference(x, y) }
  }
}
/// Combines lanes 2i and 2i+1 of `a`, then of `b`.
@inline(__always)
func neighbours<E: FixedWidthInteger>(_ a: V128, _ b: V128, _ combine: (E, E) -> E) -> V128 {
  let half = 64 / E.bitWidth
  return lanes(E.self) { i in
    let v = i < half ? a : b
    let k = (i < half ? i : i &- half) &* 2
    return combine(v.lane(k, E.self), v.lane(k &+ 1, E.self))
  }
}

// MARK: Shifts

/// A shift of every lane by one count, which is a register's, memory's or an immediate.
protocol PackedShift: PackedOperation {
  static func shift(_ a: V128, _ count: UInt64) -> V128
}
extension PackedShift {
  @inline(__always) static var rule: LaneRule { .sharedSource }
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 { shift(a, b[0]) }
}
enum ShiftLeft<E: FixedWidthInteger & UnsignedInteger>: PackedShift {
  @inline(__always) static func shift(_ a: V128, _ count: UInt64) -> V128 {
    if count >= UInt64(truncatingIfNeeded: E.bitWidth) { return V128(0, 0) }
    return lanewise(a, a) { (x: E, _: E) in x &<< E(truncatingIfNeeded: count) }
  }
}
enum ShiftRight<E: FixedWidthInteger & UnsignedInteger>: PackedShift {
  @inline(__always) static func shift(_ a: V128, _ count: UInt64) -> V128 {
    if count >= UInt64(truncatingIfNeeded: E.bitWidth) { return V128(0, 0) }
    return lanewise(a, a) { (x: E, _: E) in x &>> E(truncatingIfNeeded: count) }
  }
}
enum ShiftRightArithmetic<E: FixedWidthInteger & SignedInteger>: PackedShift {
  @inline(__always) static func shift(_ a: V128, _ count: UInt64) -> V128 {
    let n = min(count, UInt64(truncatingIfNeeded: E.bitWidth &- 1))
    return lanewise(a, a) { (x: E, _: E) in x &>> E(truncatingIfNeeded: n) }
  }
}
/// PSLLDQ, PSRLDQ: bytes, by an immediate alone.
enum Pslldq: PackedShift {
  @inline(__always) static func shift(_ a: V128, _ count: UInt64) -> V128 {
    count > 15 ? V128(0, 0) : V128(wide: a.wide &<< UInt128(truncatingIfNeeded: count &* 8))
  }
}
enum Psrldq: PackedShift {
  @inline(__always) static func shift(_ a: V128, _ count: UInt64) -> V128 {
    count > 15 ? V128(0, 0) : V128(wide: a.wide &>> UInt128(truncatingIfNeeded: count &* 8))
  }
}
@inline(__always)
func shiftImmediate<O: PackedShift>(
  _: O.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  let c = CPU(cpu)
  let o = OpRef(op)
  if _slowPath(c.f.pointee.sseBlocked) { return raiseSSEBlocked(cpu, op, left) }
  c.setXMM(o.s, O.shift(c.xmm(o.s), UInt64(o.byte)))
  next(cpu, op, left)
}
@inline(__always)
func shiftImmediateMMX<O: PackedShift>(
  _: O.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  slow(cpu, op, left) { c, o in
    guard c.mayUseMMX() else { return .fault }
    c.enterMMX()
    c.setMMX(o.s, O.shift(V128(low: c.mmx(o.s)), UInt64(o.byte))[0])
    return .next
  }
}
