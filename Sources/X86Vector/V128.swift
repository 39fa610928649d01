import X86Core

/// The value of an XMM register: two quadwords, the low one first.
typealias V128 = SIMD2<UInt64>

extension SIMD2 where Scalar == UInt64 {
  /// `low` with zeros above.
  @inline(__always) init(low: UInt64) { self.init(low, 0) }
  @inline(__always) init(_ v: SIMD16<UInt8>) { self = unsafeBitCast(v, to: V128.self) }
  @inline(__always) init(_ v: SIMD8<UInt16>) { self = unsafeBitCast(v, to: V128.self) }
  @inline(__always) init(_ v: SIMD4<UInt32>) { self = unsafeBitCast(v, to: V128.self) }
  @inline(__always) init(_ v: SIMD16<Int8>) { self = unsafeBitCast(v, to: V128.self) }
  @inline(__always) init(_ v: SIMD8<Int16>) { self = unsafeBitCast(v, to: V128.self) }
  @inline(__always) init(_ v: SIMD4<Int32>) { self = unsafeBitCast(v, to: V128.self) }
  @inline(__always) init(_ v: SIMD2<Int64>) { self = unsafeBitCast(v, to: V128.self) }
  @inline(__always) init(_ v: SIMD4<Float>) { self = unsafeBitCast(v, to: V128.self) }
  @inline(__always) init(_ v: SIMD2<Double>) { self = unsafeBitCast(v, to: V128.self) }
  @inline(__always) var u8: SIMD16<UInt8> { unsafeBitCast(self, to: SIMD16<UInt8>.self) }
  @inline(__always) var u16: SIMD8<UInt16> { unsafeBitCast(self, to: SIMD8<UInt16>.self) }
  @inline(__always) var u32: SIMD4<UInt32> { unsafeBitCast(self, to: SIMD4<UInt32>.self) }
  @inline(__always) var s8: SIMD16<Int8> { unsafeBitCast(self, to: SIMD16<Int8>.self) }
  @inline(__always) var s16: SIMD8<Int16> { unsafeBitCast(self, to: SIMD8<Int16>.self) }
  @inline(__always) var s32: SIMD4<Int32> { unsafeBitCast(self, to: SIMD4<Int32>.self) }
  @inline(__always) var s64: SIMD2<Int64> { unsafeBitCast(self, to: SIMD2<Int64>.self) }
  @inline(__always) var f32: SIMD4<Float> { unsafeBitCast(self, to: SIMD4<Float>.self) }
  @inline(__always) var f64: SIMD2<Double> { unsafeBitCast(self, to: SIMD2<Double>.self) }

  /// Lane `i` as elements of type `E`; `i` must be in range.
  @inline(__always)
  func lane<E: FixedWidthInteger>(_ i: Int, _: E.Type) -> E {
    let bits = i &* E.bitWidth
    let half = bits < 64 ? self[0] : self[1]
    return E(truncatingIfNeeded: half &>> UInt64(truncatingIfNeeded: bits & 63))
  }

  /// The value with lane `i` replaced.
  @inline(__always)
  func with<E: FixedWidthInteger>(_ i: Int, _ value: E) -> V128 {
    let bits = i &* E.bitWidth
    let shift = UInt64(truncatingIfNeeded: bits & 63)
    let ones: UInt64 = E.bitWidth == 64 ? .max : (1 &<< UInt64(truncatingIfNeeded: E.bitWidth)) &- 1
    let mask = ones &<< shift
    let inserted = (UInt64(truncatingIfNeeded: value) & ones) &<< shift
    return bits < 64 ? V128(self[0] & ~mask | inserted, self[1]) : V128(self[0], self[1] & ~mask | inserted)
  }

  /// The value with a number in its lowest 32 bits.
  @inline(__always) func with(low number: Float) -> V128 {
    V128(self[0] & 0xFFFF_FFFF_0000_0000 | UInt64(number.bitPattern), self[1])
  }

  /// As one number.
  @inline(__always) var wide: UInt128 { UInt128(self[1]) &<< 64 | UInt128(self[0]) }
  @inline(__always) init(wide: UInt128) {
    self.init(UInt64(truncatingIfNeeded: wide), UInt64(truncatingIfNeeded: wide &>> 64))
  }
}

/// Combines two values lane by lane; the closure's types say how wide lanes are.
@inline(__always)
func lanewise<E: FixedWidthInteger>(_ a: V128, _ b: V128, _ combine: (E, E) -> E) -> V128 {
  var result = a
  _withUnprotectedUnsafeMutablePointer(to: &result) { r in
    _withUnprotectedUnsafePointer(to: b) { s in
      let r = UnsafeMutableRawPointer(r)
      let s = UnsafeRawPointer(s)
      for i in 0..<(16 / MemoryLayout<E>.size) {
        let at = i &* MemoryLayout<E>.size
        r.storeBytes(
          of: combine(r.load(fromByteOffset: at, as: E.self), s.load(fromByteOffset: at, as: E.self)),
          toByteOffset: at, as: E.self)
      }
    }
  }
  return result
}

/// Gives a value's bytes an address, for lanes that are chosen by the guest.
@inline(__always)
func withBytes(of v: V128, _ body: (UnsafeRawPointer) -> V128) -> V128 {
  _withUnprotectedUnsafePointer(to: v) { body(UnsafeRawPointer($0)) }
}

/// Makes a value of its lanes: `lane(0)` is the lowest.
@inline(__always)
func lanes<E: FixedWidthInteger>(_: E.Type, _ lane: (Int) -> E) -> V128 {
  var result = V128(0, 0)
  _withUnprotectedUnsafeMutablePointer(to: &result) { r in
    let r = UnsafeMutableRawPointer(r)
    for i in 0..<(16 / MemoryLayout<E>.size) {
      r.storeBytes(of: lane(i), toByteOffset: i &* MemoryLayout<E>.size, as: E.self)
    }
  }
  return result
}

extension CPU {
  @inline(__always) func xmm(_ i: UInt8) -> V128 { vector(i).load(as: V128.self) }
  /// Legacy SSE leaves the upper half of the YMM register alone.
  @inline(__always) func setXMM(_ i: UInt8, _ value: V128) { vector(i).storeBytes(of: value, as: V128.self) }
}
