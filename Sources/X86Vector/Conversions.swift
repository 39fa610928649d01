import X86Core
import X86Float

// Conversions between numbers and integers, and roundings.

/// How a number becomes an integer.
protocol Rounding {
  static func convert<T: SSEScalar, I: SSEInteger>(_ a: T, _: I.Type, _ mxcsr: inout UInt32) -> I
  /// The same under a settled MXCSR; nil where IE may be raised.
  static func plain<T: SSEScalar, I: SSEInteger>(_ a: T, _: I.Type) -> I?
}
/// CVTTxx: toward zero.
enum Truncating: Rounding {
  @inline(__always)
  static func convert<T: SSEScalar, I: SSEInteger>(_ a: T, _: I.Type, _ m: inout UInt32) -> I {
    SSE.truncate(a, to: I.self, &m)
  }
  @inline(__always)
  static func plain<T: SSEScalar, I: SSEInteger>(_ a: T, _: I.Type) -> I? { SSE.plainTruncated(a, to: I.self) }
}
/// CVTxx: by MXCSR.
enum ByMode: Rounding {
  @inline(__always)
  static func convert<T: SSEScalar, I: SSEInteger>(_ a: T, _: I.Type, _ m: inout UInt32) -> I {
    SSE.round(a, to: I.self, &m)
  }
  @inline(__always)
  static func plain<T: SSEScalar, I: SSEInteger>(_ a: T, _: I.Type) -> I? { SSE.plainRounded(a, to: I.self) }
}

/// CVT(T)SS2SI, CVT(T)SD2SI.
enum ToInteger<T: SSEScalar, I: SSEInteger, R: Rounding>: VectorReader {
  @inline(__always) static func consume(_ c: CPU, _ o: OpRef, _ a: V128, _ b: V128) -> Bool {
    guard let r = c.withMXCSR({ m in R.convert(T(bits: b[0]), I.self, &m) }) else { return false }
    c.setReg(o.d, r)
    return true
  }
  @inline(__always) static var hasPlainCase: Bool { true }
  @inline(__always) static func consumePlain(_ c: CPU, _ o: OpRef, _ a: V128, _ b: V128) -> Bool {
    guard SSE.isSettled(c.f.pointee.mxcsr), let r = R.plain(T(bits: b[0]), I.self) else { return false }
    c.setReg(o.d, r)
    return true
  }
}

/// CVTSI2SS, CVTSI2SD from a register.
@inline(__always)
func fromInteger<T: SSEScalar, I: SSEInteger>(
  _: T.Type, _: I.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  let c = CPU(cpu)
  let o = OpRef(op)
  if _slowPath(c.f.pointee.sseBlocked) { return raiseSSEBlocked(cpu, op, left) }
  let i = V128(low: UInt64(truncatingIfNeeded: c.reg(o.s, I.self)))
  guard let r = FromInteger<T, I>.plain(c, c.xmm(o.d), i, 0) else {
    return fromIntegerExact(T.self, I.self, cpu, op, left)
  }
  c.setXMM(o.d, r)
  next(cpu, op, left)
}
@inline(never)
func fromIntegerExact<T: SSEScalar, I: SSEInteger>(
  _: T.Type, _: I.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  let c = CPU(cpu)
  let o = OpRef(op)
  let i = V128(low: UInt64(truncatingIfNeeded: c.reg(o.s, I.self)))
  guard let r = FromInteger<T, I>.apply(c, c.xmm(o.d), i, 0) else { return raise(cpu, op, left) }
  c.setXMM(o.d, r)
  next(cpu, op, left)
}
/// The same of a value in the low bits.
enum FromInteger<T: SSEScalar, I: SSEInteger>: VectorOperation {
  @inline(__always) static var rule: LaneRule { .scalar }
  @inline(__always) static func apply(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    c.withMXCSR { m in
      let r = SSE.convert(I(truncatingIfNeeded: b[0]), to: T.self, &m).bits
      return V128(T.fractionBits == 23 ? a[0] & 0xFFFF_FFFF_0000_0000 | r : r, a[1])
    }
  }
  @inline(__always) static var hasPlainCase: Bool { true }
  @inline(__always) static func plain(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    // 32 bits always fit into a Double.
    guard (T.fractionBits == 52 && I.bitWidth == 32) || SSE.isSettled(c.f.pointee.mxcsr) else { return nil }
    let r = T(nearest: Int64(I(truncatingIfNeeded: b[0]))).bits
    return V128(T.fractionBits == 23 ? a[0] & 0xFFFF_FFFF_0000_0000 | r : r, a[1])
  }
}

enum Cvtss2sd: VectorOperation {
  @inline(__always) static var rule: LaneRule { .scalar }
  @inline(__always) static func apply(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    c.withMXCSR { m in V128(SSE.widen(Float(bits: b[0]), &m).bitPattern, a[1]) }
  }
  @inline(__always) static var hasPlainCase: Bool { true }
  @inline(__always) static func plain(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    let x = Float(bits: b[0])
    return SSE.isComparable(x) ? V128(Double(x).bitPattern, a[1]) : nil
  }
}
enum Cvtsd2ss: VectorOperation {
  @inline(__always) static var rule: LaneRule { .scalar }
  @inline(__always) static func apply(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    c.withMXCSR { m in a.with(low: SSE.narrow(Double(bits: b[0]), &m)) }
  }
  @inline(__always) static var hasPlainCase: Bool { true }
  @inline(__always) static func plain(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    guard SSE.isSettled(c.f.pointee.mxcsr), let r = SSE.plainNarrowed(Double(bits: b[0])) else { return nil }
    return a.with(low: r)
  }
}
enum Cvtps2pd: VectorOperation {
  @inline(__always) static var rule: LaneRule { .widening }
  @inline(never) static func apply(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    c.withMXCSR { m in
      let low = SSE.widen(b.f32[0], &m)
      let high = SSE.widen(b.f32[1], &m)
      return V128(SIMD2<Double>(low, high))
    }
  }
  @inline(__always) static var hasPlainCase: Bool { true }
  @inline(__always) static func plain(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    guard SSE.isComparable(b.f32[0]), SSE.isComparable(b.f32[1]) else { return nil }
    return V128(SIMD2<Double>(Double(b.f32[0]), Double(b.f32[1])))
  }
}
enum Cvtpd2ps: VectorOperation {
  @inline(__always) static var rule: LaneRule { .narrowing }
  @inline(never) static func apply(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    c.withMXCSR { m in
      let low = SSE.narrow(b.f64[0], &m)
      let high = SSE.narrow(b.f64[1], &m)
      return V128(SIMD4<Float>(low, high, 0, 0))
    }
  }
  @inline(__always) static var hasPlainCase: Bool { true }
  @inline(__always) static func plain(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    guard SSE.isSettled(c.f.pointee.mxcsr), let low = SSE.plainNarrowed(b.f64[0]),
      let high = SSE.plainNarrowed(b.f64[1])
    else { return nil }
    return V128(SIMD4<Float>(low, high, 0, 0))
  }
}
enum Cvtdq2ps: VectorOperation {
  @inline(never) static func apply(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    c.withMXCSR { m in
      var r = SIMD4<Float>(repeating: 0)
      for i in 0..<4 { r[i] = SSE.convert(b.s32[i], to: Float.self, &m) }
      return V128(r)
    }
  }
  @inline(__always) static var hasPlainCase: Bool { true }
  @inline(__always) static func plain(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    let i = b.s32
    guard SSE.isSettled(c.f.pointee.mxcsr) else { return nil }
    return V128(SIMD4<Float>(Float(i[0]), Float(i[1]), Float(i[2]), Float(i[3])))
  }
}
/// Exact.
enum Cvtdq2pd: PackedOperation {
  @inline(__always) static var rule: LaneRule { .widening }
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    V128(SIMD2<Double>(Double(b.s32[0]), Double(b.s32[1])))
  }
}
/// CVTPS2DQ, CVTTPS2DQ.
enum SinglesToIntegers<R: Rounding>: VectorOperation {
  @inline(never) static func apply(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    c.withMXCSR { m in
      var r = SIMD4<Int32>(repeating: 0)
      for i in 0..<4 { r[i] = R.convert(b.f32[i], Int32.self, &m) }
      return V128(r)
    }
  }
  @inline(__always) static var hasPlainCase: Bool { true }
  @inline(__always) static func plain(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    let x = b.f32
    guard SSE.isSettled(c.f.pointee.mxcsr), let r0 = R.plain(x[0], Int32.self), let r1 = R.plain(x[1], Int32.self),
      let r2 = R.plain(x[2], Int32.self), let r3 = R.plain(x[3], Int32.self)
    else { return nil }
    return V128(SIMD4<Int32>(r0, r1, r2, r3))
  }
}
/// CVTPD2DQ, CVTTPD2DQ: zeros above.
enum DoublesToIntegers<R: Rounding>: VectorOperation {
  @inline(__always) static var rule: LaneRule { .narrowing }
  @inline(never) static func apply(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    c.withMXCSR { m in
      let low = R.convert(b.f64[0], Int32.self, &m)
      let high = R.convert(b.f64[1], Int32.self, &m)
      return V128(SIMD4<Int32>(low, high, 0, 0))
    }
  }
  @inline(__always) static var hasPlainCase: Bool { true }
  @inline(__always) static func plain(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    guard SSE.isSettled(c.f.pointee.mxcsr), let low = R.plain(b.f64[0], Int32.self),
      let high = R.plain(b.f64[1], Int32.self)
    else { return nil }
    return V128(SIMD4<Int32>(low, high, 0, 0))
  }
}
/// CVTPS2PI, CVTTPS2PI: the result is the low half.
enum TwoSinglesToIntegers<R: Rounding>: VectorOperation {
  @inline(never) static func apply(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    c.withMXCSR { m in
      let low = R.convert(b.f32[0], Int32.self, &m)
      let high = R.convert(b.f32[1], Int32.self, &m)
      return V128(SIMD4<Int32>(low, high, 0, 0))
    }
  }
}
/// CVTPI2PS: the upper half stays.
enum Cvtpi2ps: VectorOperation {
  @inline(never) static func apply(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    c.withMXCSR { m in
      let low = SSE.convert(b.s32[0], to: Float.self, &m)
      let high = SSE.convert(b.s32[1], to: Float.self, &m)
      return V128(UInt64(low.bitPattern) | UInt64(high.bitPattern) &<< 32, a[1])
    }
  }
}

// MARK: Between MMX and XMM

/// CVTPI2PS, CVTPI2PD: mm/m64 to xmm. The x87 state changes only for a register, or for PS.
@inline(__always)
func fromMMX<O: VectorOperation>(
  _: O.Type, memoryEnters: Bool, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  slow(cpu, op, left) { c, o in
    let enters = memoryEnters || !o.isMemory
    guard c.mayUseSSE(), !enters || c.hasNoPendingX87Exception(), let b = c.readMMX(o),
      let r = O.apply(c, c.xmm(o.d), V128(low: b), 0)
    else { return .fault }
    if enters { c.enterMMX() }
    c.setXMM(o.d, r)
    return .next
  }
}
/// CVT(T)PS2PI from xmm/m64, CVT(T)PD2PI from xmm/m128.
@inline(__always)
func toMMX<O: VectorOperation, M: MemorySource>(
  _: O.Type, _: M.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  slow(cpu, op, left) { c, o in
    guard c.mayUseSSEAndMMX() else { return .fault }
    var b = c.xmm(o.s)
    if o.isMemory {
      guard let read = M.read(c, o) else { return .fault }
      b = read
    }
    guard let r = O.apply(c, b, b, 0) else { return .fault }
    c.enterMMX()
    c.setMMX(o.d, r[0])
    return .next
  }
}

// MARK: Roundings

enum Roundss: VectorOperation {
  @inline(__always) static var rule: LaneRule { .scalar }
  @inline(__always) static func apply(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    c.withMXCSR { m in a.with(low: SSE.roundToIntegral(Float(bits: b[0]), control: imm, &m)) }
  }
  @inline(__always) static var hasPlainCase: Bool { true }
  @inline(__always) static func plain(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    guard SSE.isSettled(c.f.pointee.mxcsr), let r = SSE.plainIntegral(Float(bits: b[0]), control: imm) else {
      return nil
    }
    return a.with(low: r)
  }
}
enum Roundsd: VectorOperation {
  @inline(__always) static var rule: LaneRule { .scalar }
  @inline(__always) static func apply(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    c.withMXCSR { m in V128(SSE.roundToIntegral(Double(bits: b[0]), control: imm, &m).bits, a[1]) }
  }
  @inline(__always) static var hasPlainCase: Bool { true }
  @inline(__always) static func plain(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    guard SSE.isSettled(c.f.pointee.mxcsr), let r = SSE.plainIntegral(Double(bits: b[0]), control: imm) else {
      return nil
    }
    return V128(r.bits, a[1])
  }
}
enum Roundps: VectorOperation {
  @inline(never) static func apply(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    c.withMXCSR { m in
      var r = SIMD4<Float>(repeating: 0)
      for i in 0..<4 { r[i] = SSE.roundToIntegral(b.f32[i], control: imm, &m) }
      return V128(r)
    }
  }
  @inline(__always) static var hasPlainCase: Bool { true }
  @inline(__always) static func plain(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    let x = b.f32
    guard SSE.isSettled(c.f.pointee.mxcsr), let r0 = SSE.plainIntegral(x[0], control: imm),
      let r1 = SSE.plainIntegral(x[1], control: imm), let r2 = SSE.plainIntegral(x[2], control: imm),
      let r3 = SSE.plainIntegral(x[3], control: imm)
    else { return nil }
    return V128(SIMD4<Float>(r0, r1, r2, r3))
  }
}
enum Roundpd: VectorOperation {
  @inline(never) static func apply(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    c.withMXCSR { m in
      let low = SSE.roundToIntegral(b.f64[0], control: imm, &m)
      let high = SSE.roundToIntegral(b.f64[1], control: imm, &m)
      return V128(SIMD2<Double>(low, high))
    }
  }
  @inline(__always) static var hasPlainCase: Bool { true }
  @inline(__always) static func plain(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    guard SSE.isSettled(c.f.pointee.mxcsr), let low = SSE.plainIntegral(b.f64[0], control: imm),
      let high = SSE.plainIntegral(b.f64[1], control: imm)
    else { return nil }
    return V128(SIMD2<Double>(low, high))
  }
}

struct ConversionHandlers {
  /// CVTSI2SS, CVTSI2SD by integer width: register 32, register 64, memory 32, memory 64.
  let integerToSingle = integerConversions(Float.self)
  let integerToDouble = integerConversions(Double.self)
  /// To a general register: entries for 32 and 64 bits.
  let cvtss2si = [
    reader(ToInteger<Float, Int32, ByMode>.self, UInt32.self),
    reader(ToInteger<Float, Int64, ByMode>.self, UInt32.self),
  ]
  let cvttss2si = [
    reader(ToInteger<Float, Int32, Truncating>.self, UInt32.self),
    reader(ToInteger<Float, Int64, Truncating>.self, UInt32.self),
  ]
  let cvtsd2si = [
    reader(ToInteger<Double, Int32, ByMode>.self, UInt64.self),
    reader(ToInteger<Double, Int64, ByMode>.self, UInt64.self),
  ]
  let cvttsd2si = [
    reader(ToInteger<Double, Int32, Truncating>.self, UInt64.self),
    reader(ToInteger<Double, Int64, Truncating>.self, UInt64.self),
  ]
  let cvtpi2ps = handler { fromMMX(Cvtpi2ps.self, memoryEnters: true, $0, $1, $2) }
  let cvtpi2pd = handler { fromMMX(Cvtdq2pd.self, memoryEnters: false, $0, $1, $2) }
  let cvtps2pi = handler { toMMX(TwoSinglesToIntegers<ByMode>.self, UInt64.self, $0, $1, $2) }
  let cvttps2pi = handler { toMMX(TwoSinglesToIntegers<Truncating>.self, UInt64.self, $0, $1, $2) }
  let cvtpd2pi = handler { toMMX(DoublesToIntegers<ByMode>.self, Aligned.self, $0, $1, $2) }
  let cvttpd2pi = handler { toMMX(DoublesToIntegers<Truncating>.self, Aligned.self, $0, $1, $2) }
}

@inline(__always)
func integerConversions<T: SSEScalar>(_: T.Type) -> [UInt] {
  [
    handler { fromInteger(T.self, Int32.self, $0, $1, $2) },
    handler { fromInteger(T.self, Int64.self, $0, $1, $2) },
    handler { vectorMemory(FromInteger<T, Int32>.self, UInt32.self, $0, $1, $2) },
    handler { vectorMemory(FromInteger<T, Int64>.self, UInt64.self, $0, $1, $2) },
  ]
}
