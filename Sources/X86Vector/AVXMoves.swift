import X86Core

// Moves of AVX: full registers, parts of them, under masks, and from many places.

/// How a load or store of a full register must be aligned.
protocol VEXAlignment {
  static var isAligned: Bool { get }
}
extension Aligned: VEXAlignment { @inline(__always) static var isAligned: Bool { true } }
extension Unaligned: VEXAlignment { @inline(__always) static var isAligned: Bool { false } }

@inline(__always)
func vexLoad<M: VEXAlignment>(_: M.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  vex(cpu, op, left) { c, o in
    if o.is256 {
      guard let r = c.readVector256(o, aligned: M.isAligned) else { return false }
      c.setYMM(o.d, r)
    } else {
      guard let r = c.readVector(o, aligned: M.isAligned) else { return false }
      c.setYMM(o.d, V256(r))
    }
    return true
  }
}
@inline(__always)
func vexStore<M: VEXAlignment>(_: M.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  vex(cpu, op, left) { c, o in
    if o.is256 { return c.writeVector256(o, c.ymm(o.d), aligned: M.isAligned) }
    return c.writeVector(o, c.xmm(o.d), aligned: M.isAligned)
  }
}
/// 32 or 64 bits of half `H` to memory.
@inline(__always)
func vexNarrowStore<T: FixedWidthInteger, H: Half>(
  _: T.Type, _: H.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  vex(cpu, op, left) { c, o in c.writeM(o, T(truncatingIfNeeded: c.xmm(o.d)[H.index])) }
}
/// VMOVD, VMOVQ, VMOVSS, VMOVSD from memory or a general register: zeros above.
@inline(__always)
func vexNarrowLoad<T: Width & MemorySource>(
  _: T.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  vex(cpu, op, left) { c, o in
    guard let value = c.readE(o, T.self) else { return false }
    c.setYMM(o.d, V256(V128(low: UInt64(truncatingIfNeeded: value))))
    return true
  }
}
/// VCVTSI2SS, VCVTSI2SD.
@inline(__always)
func vexFromInteger<O: VectorOperation, T: Width>(
  _: O.Type, _: T.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  vex(cpu, op, left) { c, o in
    guard let value = c.readE(o, T.self),
      let r = O.apply(c, c.xmm(o.v), V128(low: UInt64(truncatingIfNeeded: value)), 0)
    else { return false }
    c.setYMM(o.d, V256(r))
    return true
  }
}
/// VPINSRB and its like: the lane of VEX.vvvv's register.
@inline(__always)
func vexInsert<T: FixedWidthInteger>(
  _: T.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  vex(cpu, op, left) { c, o in
    guard let r = inserted(c, o, into: c.xmm(o.v), T.self) else { return false }
    c.setYMM(o.d, V256(r))
    return true
  }
}
@inline(__always)
func vexExtract<T: FixedWidthInteger>(
  _: T.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  vex(cpu, op, left) { c, o in extracted(c, o, T.self) }
}
/// VMOVMSKPS, VMOVMSKPD, VPMOVMSKB.
@inline(__always)
func vexSigns<E: FixedWidthInteger & SignedInteger>(
  _: E.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  vex(cpu, op, left) { c, o in
    let v = c.ymm(o.s)
    let count = 128 / E.bitWidth
    var r = SignMask<E>.mask(v.low, count: count)
    if o.is256 { r |= SignMask<E>.mask(v.high, count: count) &<< UInt64(truncatingIfNeeded: count) }
    c.setR64(o.d, r)
    return true
  }
}

/// VBROADCASTxx, VPBROADCASTx: one lane everywhere.
@inline(__always)
func vexBroadcast<T: FixedWidthInteger & MemorySource>(
  _: T.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  vex(cpu, op, left) { c, o in
    guard let b = c.source(o, T.self) else { return false }
    let half = lanes(T.self) { _ in b.lane(0, T.self) }
    c.setYMM(o, V256(half, half))
    return true
  }
}

/// VTESTPS, VTESTPD, VPTEST: ZF and CF of the bits that `mask` keeps.
@inline(__always)
func vexTest(_ mask: UInt64, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  vex(cpu, op, left) { c, o in
    guard let b = c.source(o) else { return false }
    let a = c.ymm(o.d)
    var both = a.low & b.low
    var source = ~a.low & b.low
    if o.is256 {
      both |= a.high & b.high
      source |= ~a.high & b.high
    }
    c.setStatusFlags(
      ((both[0] | both[1]) & mask == 0 ? RFLAGS.zf : 0) | ((source[0] | source[1]) & mask == 0 ? RFLAGS.cf : 0))
    return true
  }
}

// MARK: Under a mask

extension CPU {
  /// Linear address of an element `offset` bytes into the memory operand. nil: fault recorded.
  func elementAddress(_ o: OpRef, _ offset: UInt64, size: Int, write: Bool) -> UInt64? {
    // The address size cuts the operand's address, not its elements'.
    address(o, GeneralForm.effective(self, o) &+ offset, size: size, write: write)
  }
  private func address(_ o: OpRef, _ effective: UInt64, size: Int, write: Bool) -> UInt64? {
    checkedLinear(
      effective, segment: o.segment & 7, base: r64(o.segmentSlot), size: size, write: write,
      legacy: o.segment & Op.checked != 0)
  }
  /// Of an element of a gather: `index` is sign-extended.
  func gatherAddress(_ o: OpRef, _ index: Int64, size: Int) -> UInt64? {
    let effective = r64(o.base) &+ (UInt64(bitPattern: index) &<< UInt64(o.scale)) &+ UInt64(bitPattern: o.wide)
    return address(o, effective & r64(o.maskSlot), size: size, write: false)
  }
}

/// VMASKMOVPx, VPMASKMOVx from memory: only lanes whose mask has its sign are read, the others become zeros.
@inline(__always)
func vexMaskedLoad<E: FixedWidthInteger & SignedInteger>(
  _: E.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  vex(cpu, op, left) { c, o in
    let mask = c.ymm(o.v)
    var r = V256(V128(0, 0))
    let half = 128 / E.bitWidth
    for i in 0..<(o.is256 ? 2 * half : half) where mask.lane(i, E.self) < 0 {
      let size = E.bitWidth / 8
      guard let linear = c.elementAddress(o, UInt64(i * size), size: size, write: false),
        let value = c.read(linear, E.self, c.dataAccess(write: false))
      else { return false }
      if i < half { r.low = r.low.with(i, value) } else { r.high = r.high.with(i - half, value) }
    }
    c.setYMM(o.d, r)
    return true
  }
}
/// The same to memory. All pages are looked at before anything is written.
@inline(__always)
func vexMaskedStore<E: FixedWidthInteger & SignedInteger>(
  _: E.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  vex(cpu, op, left) { c, o in
    let mask = c.ymm(o.v)
    let data = c.ymm(o.d)
    let size = E.bitWidth / 8
    let access = c.dataAccess(write: true)
    let count = (o.is256 ? 32 : 16) / size
    for i in 0..<count where mask.lane(i, E.self) < 0 {
      guard let linear = c.elementAddress(o, UInt64(i * size), size: size, write: true),
        c.probeWrite(linear, size, access)
      else { return false }
    }
    for i in 0..<count where mask.lane(i, E.self) < 0 {
      guard let linear = c.elementAddress(o, UInt64(i * size), size: size, write: true),
        c.write(linear, data.lane(i, E.self), access)
      else { return false }
    }
    return true
  }
}

// MARK: Gathers

/// VGATHERxxx, VPGATHERxx: lanes of `E` from addresses with indices of `I`. What was read before a fault stays, with its
/// mask cleared (SDM 2C, VPGATHERDD).
@inline(__always)
func vexGather<E: FixedWidthInteger & SignedInteger, I: FixedWidthInteger & SignedInteger>(
  _: E.Type, _: I.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  vex(cpu, op, left) { c, o in
    // Destination, indices and mask must be three registers.
    if o.d == o.v || o.d == o.index || o.v == o.index { return c.fault(Vector.ud) }
    let half = 128 / E.bitWidth
    let count = (o.is256 ? 256 : 128) / max(E.bitWidth, I.bitWidth)
    let index = c.ymm(o.index)
    var mask = c.ymm(o.v)
    var r = c.ymm(o.d)
    let size = E.bitWidth / 8
    for i in 0..<count {
      if mask.lane(i, E.self) < 0 {
        guard let linear = c.gatherAddress(o, Int64(index.lane(i, I.self)), size: size),
          let value = c.read(linear, E.self, c.dataAccess(write: false))
        else {
          c.setYMM(o.d, r)
          c.setYMM(o.v, mask)
          return false
        }
        if i < half { r.low = r.low.with(i, value) } else { r.high = r.high.with(i - half, value) }
      }
      // Bits below the sign do not matter any more either.
      if i < half { mask.low = mask.low.with(i, 0 as E) } else { mask.high = mask.high.with(i - half, 0 as E) }
    }
    if count < half { r.low = V128(low: r.low[0]) }
    c.setYMM(o.d, count > half ? r : V256(r.low))
    c.setYMM(o.v, V256(V128(0, 0)))
    return true
  }
}
