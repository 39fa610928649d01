/// Scalar SSE arithmetic on binary32 (`Float`) and binary64 (`Double`), by MXCSR (SDM 1 11.5, 4.9).
///
/// Functions OR the exceptions they raise into `mxcsr`. With every exception masked, that is all a caller
/// needs. Otherwise it clears the flags of a copy, runs its elements and calls ``MXCSR/commit(raised:to:)``.
/// The result that belongs to an unmasked exception is without meaning.
///
/// Operands keep the order of the instruction (`a` is the destination, `b` the source), since the choice
/// among NaNs depends on it. Results do not depend on the host as long as it computes IEEE 754 in
/// round-to-nearest, which is the mode of every Swift program.
public enum SSE {
  /// ADDSS, ADDSD.
  @inlinable @inline(__always)
  public static func add<T: SSEScalar>(_ a: T, _ b: T, _ mxcsr: inout UInt32) -> T {
    let r = a + b
    if mxcsr & MXCSR.rc == 0, !a.isDenormal, !b.isDenormal, r.isSafelyNormal || r == 0 {
      if mxcsr & MXCSR.pe != 0 { return r }
      return noteSum(r, a, b, &mxcsr)
    }
    return T(bits: SSESoftware.arithmetic(.add, a.bits, b.bits, SSEFormat(T.self), &mxcsr))
  }

  /// SUBSS, SUBSD.
  @inlinable @inline(__always)
  public static func sub<T: SSEScalar>(_ a: T, _ b: T, _ mxcsr: inout UInt32) -> T {
    let r = a - b
    if mxcsr & MXCSR.rc == 0, !a.isDenormal, !b.isDenormal, r.isSafelyNormal || r == 0 {
      if mxcsr & MXCSR.pe != 0 { return r }
      return noteSum(r, a, -b, &mxcsr)
    }
    return T(bits: SSESoftware.arithmetic(.sub, a.bits, b.bits, SSEFormat(T.self), &mxcsr))
  }

  /// MULSS, MULSD.
  @inlinable @inline(__always)
  public static func mul<T: SSEScalar>(_ a: T, _ b: T, _ mxcsr: inout UInt32) -> T {
    let r = a * b
    if mxcsr & MXCSR.rc == 0, !a.isDenormal, !b.isDenormal {
      if r.isSafelyNormal {
        if mxcsr & MXCSR.pe == 0, T.isInexact(product: r, of: a, b) { mxcsr |= MXCSR.pe }
        return r
      }
      if r == 0, a == 0 || b == 0 { return r }
    }
    return T(bits: SSESoftware.arithmetic(.mul, a.bits, b.bits, SSEFormat(T.self), &mxcsr))
  }

  /// DIVSS, DIVSD.
  @inlinable @inline(__always)
  public static func div<T: SSEScalar>(_ a: T, _ b: T, _ mxcsr: inout UInt32) -> T {
    let r = a / b
    if mxcsr & MXCSR.rc == 0, !a.isDenormal, !b.isDenormal {
      // A quotient other than zero and infinity comes from finite operands other than zero.
      if r.isSafelyNormal {
        if mxcsr & MXCSR.pe == 0, T.isInexact(quotient: r, of: a, by: b) { mxcsr |= MXCSR.pe }
        return r
      }
      if r == 0, a == 0 { return r }
    }
    return T(bits: SSESoftware.arithmetic(.div, a.bits, b.bits, SSEFormat(T.self), &mxcsr))
  }

  /// SQRTSS, SQRTSD.
  @inlinable @inline(__always)
  public static func sqrt<T: SSEScalar>(_ b: T, _ mxcsr: inout UInt32) -> T {
    if mxcsr & MXCSR.rc == 0, b.isSafelyNormal, b > 0 {
      let r = b.squareRoot()
      if mxcsr & MXCSR.pe == 0, T.isInexact(root: r, of: b) { mxcsr |= MXCSR.pe }
      return r
    }
    return T(bits: SSESoftware.arithmetic(.sqrt, b.bits, b.bits, SSEFormat(T.self), &mxcsr))
  }

  /// MINSS, MINSD: the source when either is a NaN or both are zeros.
  @inlinable @inline(__always)
  public static func min<T: SSEScalar>(_ a: T, _ b: T, _ mxcsr: inout UInt32) -> T {
    if !a.isDenormal, !b.isDenormal, a == a, b == b { return a < b ? a : b }
    return T(bits: SSESoftware.minMax(max: false, a.bits, b.bits, SSEFormat(T.self), &mxcsr))
  }

  /// MAXSS, MAXSD: the source when either is a NaN or both are zeros.
  @inlinable @inline(__always)
  public static func max<T: SSEScalar>(_ a: T, _ b: T, _ mxcsr: inout UInt32) -> T {
    if !a.isDenormal, !b.isDenormal, a == a, b == b { return a > b ? a : b }
    return T(bits: SSESoftware.minMax(max: true, a.bits, b.bits, SSEFormat(T.self), &mxcsr))
  }

  /// COMISS, COMISD (`signalling`), UCOMISS, UCOMISD.
  /// - Returns: ZF, PF and CF at their places in RFLAGS (0x40, 0x04, 0x01); OF, SF and AF are cleared by the
  ///   instruction.
  @inlinable @inline(__always)
  public static func compare<T: SSEScalar>(
    _ a: T, _ b: T, signalling: Bool, _ mxcsr: inout UInt32
  ) -> UInt32 {
    if !a.isDenormal, !b.isDenormal {
      if a > b { return 0 }
      if a < b { return 0x01 }
      if a == b { return 0x40 }
    }
    let order = SSESoftware.compare(a.bits, b.bits, signalling, SSEFormat(T.self), &mxcsr)
    switch order {
    case .greater: return 0
    case .less: return 0x01
    case .equal: return 0x40
    case .unordered: return 0x45
    }
  }

  /// CMPSS, CMPSD and their packed forms: whether predicate `predicate` holds (the caller makes ones of it).
  /// - Parameter predicate: bits 4:0 as in VCMPSD (SDM 2A table 3-1); the legacy forms use 0...7.
  @inlinable @inline(__always)
  public static func compare<T: SSEScalar>(
    _ a: T, _ b: T, predicate: UInt8, _ mxcsr: inout UInt32
  ) -> Bool {
    let order: Comparison
    if !a.isDenormal, !b.isDenormal, a == a, b == b {
      order = a < b ? .less : a > b ? .greater : .equal
    } else {
      // Predicates that signal on quiet NaNs: LT LE NLT NLE GE GT NGE NGT; 16 and up swap the two kinds.
      let signalling = ((0x9999_6666 as UInt32) &>> UInt32(predicate & 0x1F)) & 1 != 0
      order = SSESoftware.compare(a.bits, b.bits, signalling, SSEFormat(T.self), &mxcsr)
    }
    return (predicateTruth(predicate) &>> order.rawValue) & 1 != 0
  }

  /// For which of the four outcomes (bit n: `Comparison` of raw value n) a predicate holds.
  @inlinable @inline(__always)
  static func predicateTruth(_ predicate: UInt8) -> UInt8 {
    // One nibble per predicate 0...15, lowest first: EQ LT LE UNORD NEQ NLT NLE ORD, then the forms
    // EQ_UQ NGE NGT FALSE NEQ_OQ GE GT TRUE. Bit 0 less, 1 equal, 2 greater, 3 unordered.
    let table: UInt64 = 0xF465_0B9A_7CED_8312
    return UInt8(truncatingIfNeeded: table &>> UInt64((predicate & 0x0F) &<< 2)) & 0x0F
  }

  /// Sets PE if `r` is not the exact sum.
  @inlinable @inline(__always)
  static func noteSum<T: SSEScalar>(_ r: T, _ a: T, _ b: T, _ mxcsr: inout UInt32) -> T {
    // Intermediate values of the error term could overflow only near the end of the range.
    let bound = UInt64(T.exponentBias &* 2 &- 1)
    if a.exponentField >= bound || b.exponentField >= bound {
      return T(bits: SSESoftware.arithmetic(.add, a.bits, b.bits, SSEFormat(T.self), &mxcsr))
    }
    if T.isInexact(sum: r, of: a, b) { mxcsr |= MXCSR.pe }
    return r
  }

  /// One element of DPPS: the sum (a₀b₀ + a₁b₁) + (a₂b₂ + a₃b₃) over the elements that bits 7:4 of the
  /// immediate select; the others count as +0. The caller stores it where bits 3:0 say, and +0 elsewhere.
  @inlinable @inline(__always)
  public static func dotProduct(
    _ a: SIMD4<Float>, _ b: SIMD4<Float>, selection: UInt8, _ mxcsr: inout UInt32
  ) -> Float {
    let p0 = selection & 0x10 != 0 ? mul(a[0], b[0], &mxcsr) : 0
    let p1 = selection & 0x20 != 0 ? mul(a[1], b[1], &mxcsr) : 0
    let p2 = selection & 0x40 != 0 ? mul(a[2], b[2], &mxcsr) : 0
    let p3 = selection & 0x80 != 0 ? mul(a[3], b[3], &mxcsr) : 0
    // An unmasked exception of one step ends the instruction before the next (SDM 2A, DPPS).
    if hasUnmasked(mxcsr) { return 0 }
    let low = add(p0, p1, &mxcsr)
    let high = add(p2, p3, &mxcsr)
    if hasUnmasked(mxcsr) { return 0 }
    return add(low, high, &mxcsr)
  }

  /// Whether MXCSR holds a flag whose exception is not masked.
  @inlinable @inline(__always)
  static func hasUnmasked(_ mxcsr: UInt32) -> Bool { mxcsr & ~(mxcsr >> 7) & 0x3F != 0 }

  /// One element of DPPD: a₀b₀ + a₁b₁ over the elements that bits 5:4 of the immediate select.
  @inlinable @inline(__always)
  public static func dotProduct(
    _ a: SIMD2<Double>, _ b: SIMD2<Double>, selection: UInt8, _ mxcsr: inout UInt32
  ) -> Double {
    let p0 = selection & 0x10 != 0 ? mul(a[0], b[0], &mxcsr) : 0
    let p1 = selection & 0x20 != 0 ? mul(a[1], b[1], &mxcsr) : 0
    if hasUnmasked(mxcsr) { return 0 }
    return add(p0, p1, &mxcsr)
  }
}

/// How two numbers compare.
public enum Comparison: UInt8 {
  case less = 0
  case equal = 1
  case greater = 2
  case unordered = 3
}
