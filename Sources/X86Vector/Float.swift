import X86Core
import X86Float

// SSE floating point: arithmetic and comparisons. Results and flags are X86Float's; here are lanes and exceptions.

extension CPU {
  /// Runs a computation on MXCSR. nil: an unmasked exception is recorded, and the destination must stay as it is.
  @inline(__always)
  func withMXCSR<R>(_ compute: (inout UInt32) -> R) -> R? {
    let before = f.pointee.mxcsr
    let allMasked = before & MXCSR.masks == MXCSR.masks
    var m = _fastPath(allMasked) ? before : before & ~MXCSR.flags
    let r = compute(&m)
    if _fastPath(allMasked) {
      f.pointee.mxcsr = m
      return r
    }
    if f.pointee.collectsExceptions {
      f.pointee.collectedExceptions |= m & MXCSR.flags
      return r
    }
    return hasRaised(m & MXCSR.flags) ? nil : r
  }

  /// Merges flags into MXCSR; true when one of them is unmasked: #XM, or #UD without CR4.OSXMMEXCPT, is recorded.
  @inline(never)
  func hasRaised(_ raised: UInt32) -> Bool {
    guard MXCSR.commit(raised: raised, to: &f.pointee.mxcsr) else { return false }
    fault(f.pointee.cr4 & CR4.osxmmexcpt != 0 ? Vector.xm : Vector.ud)
    return true
  }
}

/// An operation on two numbers.
protocol FloatOperation {
  static func apply<T: SSEScalar>(_ a: T, _ b: T, _ mxcsr: inout UInt32) -> T
  /// Whether `plain` asks for a settled MXCSR (see `SSE.isSettled`).
  static var mayRound: Bool { get }
  /// What `apply` gives where no flag changes, else nil.
  static func plain<T: SSEScalar>(_ a: T, _ b: T) -> T?
  static func plain(_ a: SIMD4<Float>, _ b: SIMD4<Float>) -> SIMD4<Float>?
  /// Whether what `plain` gives is exact, so that it needs no settled MXCSR; no, where that cannot be told at once.
  static func isExact<T: SSEScalar>(_ r: T, _ a: T, _ b: T) -> Bool
}
extension FloatOperation {
  @inline(__always) static var mayRound: Bool { true }
  @inline(__always) static func isExact<T: SSEScalar>(_ r: T, _ a: T, _ b: T) -> Bool { false }
  /// `plain` on one number, as MXCSR allows.
  @inline(__always) static func plain<T: SSEScalar>(_ c: CPU, _ a: T, _ b: T) -> T? {
    guard let r = plain(a, b) else { return nil }
    if _fastPath(mayBePlain(c)) { return r }
    return SSE.isQuiet(c.f.pointee.mxcsr) && isExact(r, a, b) ? r : nil
  }
  @inline(__always) static func mayBePlain(_ c: CPU) -> Bool { !mayRound || SSE.isSettled(c.f.pointee.mxcsr) }
}
enum FloatAdd: FloatOperation {
  @inline(__always) static func apply<T: SSEScalar>(_ a: T, _ b: T, _ m: inout UInt32) -> T { SSE.add(a, b, &m) }
  @inline(__always) static func plain<T: SSEScalar>(_ a: T, _ b: T) -> T? { SSE.plainSum(a, b) }
  @inline(__always) static func isExact<T: SSEScalar>(_ r: T, _ a: T, _ b: T) -> Bool { SSE.isExact(sum: r, of: a, b) }
  @inline(__always) static func plain(_ a: SIMD4<Float>, _ b: SIMD4<Float>) -> SIMD4<Float>? { SSE.plainSum(a, b) }
}
enum FloatSub: FloatOperation {
  @inline(__always) static func apply<T: SSEScalar>(_ a: T, _ b: T, _ m: inout UInt32) -> T { SSE.sub(a, b, &m) }
  @inline(__always) static func plain<T: SSEScalar>(_ a: T, _ b: T) -> T? { SSE.plainDifference(a, b) }
  @inline(__always) static func isExact<T: SSEScalar>(_ r: T, _ a: T, _ b: T) -> Bool { SSE.isExact(sum: r, of: a, -b) }
  @inline(__always) static func plain(_ a: SIMD4<Float>, _ b: SIMD4<Float>) -> SIMD4<Float>? {
    SSE.plainDifference(a, b)
  }
}
enum FloatMul: FloatOperation {
  @inline(__always) static func apply<T: SSEScalar>(_ a: T, _ b: T, _ m: inout UInt32) -> T { SSE.mul(a, b, &m) }
  @inline(__always) static func plain<T: SSEScalar>(_ a: T, _ b: T) -> T? { SSE.plainProduct(a, b) }
  @inline(__always) static func isExact<T: SSEScalar>(_ r: T, _ a: T, _ b: T) -> Bool {
    SSE.isExact(product: r, of: a, b)
  }
  @inline(__always) static func plain(_ a: SIMD4<Float>, _ b: SIMD4<Float>) -> SIMD4<Float>? { SSE.plainProduct(a, b) }
}
enum FloatDiv: FloatOperation {
  @inline(__always) static func apply<T: SSEScalar>(_ a: T, _ b: T, _ m: inout UInt32) -> T { SSE.div(a, b, &m) }
  @inline(__always) static func plain<T: SSEScalar>(_ a: T, _ b: T) -> T? { SSE.plainQuotient(a, b) }
  @inline(__always) static func plain(_ a: SIMD4<Float>, _ b: SIMD4<Float>) -> SIMD4<Float>? { SSE.plainQuotient(a, b) }
}
enum FloatMin: FloatOperation {
  @inline(__always) static var mayRound: Bool { false }
  @inline(__always) static func apply<T: SSEScalar>(_ a: T, _ b: T, _ m: inout UInt32) -> T { SSE.min(a, b, &m) }
  @inline(__always) static func plain<T: SSEScalar>(_ a: T, _ b: T) -> T? { SSE.plainMinimum(a, b) }
  @inline(__always) static func plain(_ a: SIMD4<Float>, _ b: SIMD4<Float>) -> SIMD4<Float>? { SSE.plainMinimum(a, b) }
}
enum FloatMax: FloatOperation {
  @inline(__always) static var mayRound: Bool { false }
  @inline(__always) static func apply<T: SSEScalar>(_ a: T, _ b: T, _ m: inout UInt32) -> T { SSE.max(a, b, &m) }
  @inline(__always) static func plain<T: SSEScalar>(_ a: T, _ b: T) -> T? { SSE.plainMaximum(a, b) }
  @inline(__always) static func plain(_ a: SIMD4<Float>, _ b: SIMD4<Float>) -> SIMD4<Float>? { SSE.plainMaximum(a, b) }
}
enum FloatSqrt: FloatOperation {
  @inline(__always) static func apply<T: SSEScalar>(_ a: T, _ b: T, _ m: inout UInt32) -> T { SSE.sqrt(b, &m) }
  @inline(__always) static func plain<T: SSEScalar>(_ a: T, _ b: T) -> T? { SSE.plainRoot(b) }
  @inline(__always) static func plain(_ a: SIMD4<Float>, _ b: SIMD4<Float>) -> SIMD4<Float>? { SSE.plainRoot(b) }
}

/// ADDSS and its like: the other lanes stay.
enum ScalarSingle<O: FloatOperation>: VectorOperation {
  @inline(__always) static var rule: LaneRule { .scalar }
  @inline(__always) static func apply(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    c.withMXCSR { m in a.with(low: O.apply(Float(bits: a[0]), Float(bits: b[0]), &m)) }
  }
  @inline(__always) static var hasPlainCase: Bool { true }
  @inline(__always) static func plain(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    guard let r = O.plain(c, Float(bits: a[0]), Float(bits: b[0])) else { return nil }
    return a.with(low: r)
  }
}
/// ADDSD and its like.
enum ScalarDouble<O: FloatOperation>: VectorOperation {
  @inline(__always) static var rule: LaneRule { .scalar }
  @inline(__always) static func apply(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    c.withMXCSR { m in V128(O.apply(Double(bits: a[0]), Double(bits: b[0]), &m).bits, a[1]) }
  }
  @inline(__always) static var hasPlainCase: Bool { true }
  @inline(__always) static func plain(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    guard let r = O.plain(c, Double(bits: a[0]), Double(bits: b[0])) else { return nil }
    return V128(r.bits, a[1])
  }
}
/// ADDPS and its like.
enum PackedSingle<O: FloatOperation>: VectorOperation {
  @inline(never) static func apply(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    c.withMXCSR { m in
      let x = a.f32
      let y = b.f32
      let r0 = O.apply(x[0], y[0], &m)
      let r1 = O.apply(x[1], y[1], &m)
      let r2 = O.apply(x[2], y[2], &m)
      let r3 = O.apply(x[3], y[3], &m)
      return V128(SIMD4<Float>(r0, r1, r2, r3))
    }
  }
  @inline(__always) static var hasPlainCase: Bool { true }
  @inline(__always) static func plain(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    guard O.mayBePlain(c), let r = O.plain(a.f32, b.f32) else { return nil }
    return V128(r)
  }
}
/// ADDPD and its like.
enum PackedDouble<O: FloatOperation>: VectorOperation {
  @inline(__always) static func apply(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    c.withMXCSR { m in
      let r0 = O.apply(a.f64[0], b.f64[0], &m)
      let r1 = O.apply(a.f64[1], b.f64[1], &m)
      return V128(SIMD2<Double>(r0, r1))
    }
  }
  @inline(__always) static var hasPlainCase: Bool { true }
  @inline(__always) static func plain(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    guard let low = O.plain(c, a.f64[0], b.f64[0]), let high = O.plain(c, a.f64[1], b.f64[1]) else { return nil }
    return V128(SIMD2<Double>(low, high))
  }
}
/// ADDSUBPS: differences in the even lanes.
enum Addsubps: VectorOperation {
  @inline(never) static func apply(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    c.withMXCSR { m in
      let x = a.f32
      let y = b.f32
      let r0 = SSE.sub(x[0], y[0], &m)
      let r1 = SSE.add(x[1], y[1], &m)
      let r2 = SSE.sub(x[2], y[2], &m)
      let r3 = SSE.add(x[3], y[3], &m)
      return V128(SIMD4<Float>(r0, r1, r2, r3))
    }
  }
}
enum Addsubpd: VectorOperation {
  @inline(never) static func apply(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    c.withMXCSR { m in
      let r0 = SSE.sub(a.f64[0], b.f64[0], &m)
      let r1 = SSE.add(a.f64[1], b.f64[1], &m)
      return V128(SIMD2<Double>(r0, r1))
    }
  }
}
/// HADDPS, HSUBPS: neighbours, the destination's below.
enum HorizontalSingle<O: FloatOperation>: VectorOperation {
  @inline(__always) static func apply(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    PackedSingle<O>.apply(c, Shufps.apply(a, b, 0x88), Shufps.apply(a, b, 0xDD), 0)
  }
  @inline(__always) static var hasPlainCase: Bool { true }
  @inline(__always) static func plain(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    PackedSingle<O>.plain(c, Shufps.apply(a, b, 0x88), Shufps.apply(a, b, 0xDD), 0)
  }
}
enum HorizontalDouble<O: FloatOperation>: VectorOperation {
  @inline(__always) static func apply(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    PackedDouble<O>.apply(c, V128(a[0], b[0]), V128(a[1], b[1]), 0)
  }
  @inline(__always) static var hasPlainCase: Bool { true }
  @inline(__always) static func plain(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    PackedDouble<O>.plain(c, V128(a[0], b[0]), V128(a[1], b[1]), 0)
  }
}
/// DPPS: one sum, stored where bits 3:0 of the immediate say.
enum Dpps: VectorOperation {
  @inline(never) static func apply(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    c.withMXCSR { m in
      let r = SSE.dotProduct(a.f32, b.f32, selection: imm, &m).bitPattern
      return lanes(UInt32.self) { i in imm &>> UInt8(truncatingIfNeeded: i) & 1 != 0 ? r : 0 }
    }
  }
}
enum Dppd: VectorOperation {
  @inline(never) static func apply(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    c.withMXCSR { m in
      let r = SSE.dotProduct(a.f64, b.f64, selection: imm, &m).bitPattern
      return V128(imm & 1 != 0 ? r : 0, imm & 2 != 0 ? r : 0)
    }
  }
}

// MARK: Comparisons

enum Cmpss: VectorOperation {
  @inline(__always) static var rule: LaneRule { .scalar }
  @inline(__always) static func apply(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    c.withMXCSR { m in
      let holds = SSE.compare(Float(bits: a[0]), Float(bits: b[0]), predicate: imm & 31, &m)
      return V128(a[0] & 0xFFFF_FFFF_0000_0000 | (holds ? 0xFFFF_FFFF : 0), a[1])
    }
  }
  @inline(__always) static var hasPlainCase: Bool { true }
  @inline(__always) static func plain(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    guard let holds = SSE.plainComparison(Float(bits: a[0]), Float(bits: b[0]), predicate: imm & 31) else { return nil }
    return V128(a[0] & 0xFFFF_FFFF_0000_0000 | (holds ? 0xFFFF_FFFF : 0), a[1])
  }
}
enum Cmpsd: VectorOperation {
  @inline(__always) static var rule: LaneRule { .scalar }
  @inline(__always) static func apply(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    c.withMXCSR { m in
      V128(SSE.compare(Double(bits: a[0]), Double(bits: b[0]), predicate: imm & 31, &m) ? .max : 0, a[1])
    }
  }
  @inline(__always) static var hasPlainCase: Bool { true }
  @inline(__always) static func plain(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    guard let holds = SSE.plainComparison(Double(bits: a[0]), Double(bits: b[0]), predicate: imm & 31) else {
      return nil
    }
    return V128(holds ? .max : 0, a[1])
  }
}
enum Cmpps: VectorOperation {
  @inline(never) static func apply(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    c.withMXCSR { m in
      var r = SIMD4<UInt32>(repeating: 0)
      for i in 0..<4 where SSE.compare(a.f32[i], b.f32[i], predicate: imm & 31, &m) { r[i] = .max }
      return V128(r)
    }
  }
  @inline(__always) static var hasPlainCase: Bool { true }
  @inline(__always) static func plain(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    guard let r = SSE.plainComparison(a.f32, b.f32, predicate: imm & 31) else { return nil }
    return V128(r)
  }
}
enum Cmppd: VectorOperation {
  @inline(never) static func apply(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    c.withMXCSR { m in
      var r = V128(0, 0)
      for i in 0..<2 where SSE.compare(a.f64[i], b.f64[i], predicate: imm & 31, &m) { r[i] = .max }
      return r
    }
  }
  @inline(__always) static var hasPlainCase: Bool { true }
  @inline(__always) static func plain(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    guard let low = SSE.plainComparison(a.f64[0], b.f64[0], predicate: imm & 31),
      let high = SSE.plainComparison(a.f64[1], b.f64[1], predicate: imm & 31)
    else { return nil }
    return V128(low ? .max : 0, high ? .max : 0)
  }
}

/// Whether quiet NaNs are invalid: COMISx, or not: UCOMISx.
protocol Signalling {
  static var signals: Bool { get }
}
enum Ordered: Signalling { @inline(__always) static var signals: Bool { true } }
enum Unordered: Signalling { @inline(__always) static var signals: Bool { false } }

enum Comiss<S: Signalling>: VectorReader {
  @inline(__always) static func consume(_ c: CPU, _ o: OpRef, _ a: V128, _ b: V128) -> Bool {
    guard
      let flags = c.withMXCSR({ m in
        SSE.compare(Float(bits: a[0]), Float(bits: b[0]), signalling: S.signals, &m)
      })
    else { return false }
    c.setStatusFlags(UInt64(flags))
    return true
  }
  @inline(__always) static var hasPlainCase: Bool { true }
  @inline(__always) static func consumePlain(_ c: CPU, _ o: OpRef, _ a: V128, _ b: V128) -> Bool {
    guard let flags = SSE.plainOrder(Float(bits: a[0]), Float(bits: b[0])) else { return false }
    c.setStatusFlags(UInt64(flags))
    return true
  }
}
enum Comisd<S: Signalling>: VectorReader {
  @inline(__always) static func consume(_ c: CPU, _ o: OpRef, _ a: V128, _ b: V128) -> Bool {
    guard
      let flags = c.withMXCSR({ m in
        SSE.compare(Double(bits: a[0]), Double(bits: b[0]), signalling: S.signals, &m)
      })
    else { return false }
    c.setStatusFlags(UInt64(flags))
    return true
  }
  @inline(__always) static var hasPlainCase: Bool { true }
  @inline(__always) static func consumePlain(_ c: CPU, _ o: OpRef, _ a: V128, _ b: V128) -> Bool {
    guard let flags = SSE.plainOrder(Double(bits: a[0]), Double(bits: b[0])) else { return false }
    c.setStatusFlags(UInt64(flags))
    return true
  }
}

// MARK: Approximations. They raise nothing.

enum Rcpss: PackedOperation {
  @inline(__always) static var rule: LaneRule { .scalar }
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    a.with(0, SSE.reciprocal(Float(bits: b[0])).bitPattern)
  }
}
enum Rsqrtss: PackedOperation {
  @inline(__always) static var rule: LaneRule { .scalar }
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    a.with(0, SSE.reciprocalSquareRoot(Float(bits: b[0])).bitPattern)
  }
}
enum Rcpps: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanes(UInt32.self) { i in SSE.reciprocal(Float(bitPattern: b.lane(i, UInt32.self))).bitPattern }
  }
}
enum Rsqrtps: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanes(UInt32.self) { i in SSE.reciprocalSquareRoot(Float(bitPattern: b.lane(i, UInt32.self))).bitPattern }
  }
}
