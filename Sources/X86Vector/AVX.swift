import X86Core
import X86Float

// AVX and AVX2: the operand forms of VEX encodings. What an instruction does is written once, for 128 bits (see Forms);
// here it is done to both halves, with three operands, and what it does not write of a YMM register becomes zero.

/// The value of a YMM register.
struct V256 {
  var low: V128
  var high: V128
  @inline(__always) init(_ low: V128, _ high: V128 = V128(0, 0)) {
    self.low = low
    self.high = high
  }
  /// Lane `i` of both halves together.
  @inline(__always) func lane<E: FixedWidthInteger>(_ i: Int, _: E.Type) -> E {
    let half = 128 / E.bitWidth
    return i < half ? low.lane(i, E.self) : high.lane(i &- half, E.self)
  }
}

// In `imm` of a VEX operation: the immediate, VEX.vvvv, VEX.L.
enum VEXImmediate {
  static func pack(_ immediate: Int64, vvvv: UInt8, is256: Bool) -> Int32 {
    Int32(truncatingIfNeeded: immediate & 0xFF) | Int32(vvvv) << 8 | (is256 ? 1 << 16 : 0)
  }
}
extension OpRef {
  /// The register that VEX.vvvv names.
  @inline(__always) var v: UInt8 { UInt8(truncatingIfNeeded: imm &>> 8) & 15 }
  @inline(__always) var is256: Bool { imm & 1 << 16 != 0 }
  /// The fourth operand's register.
  @inline(__always) var fourth: UInt8 { byte &>> 4 }
}

extension CPU {
  @inline(__always) func ymm(_ i: UInt8) -> V256 {
    V256(vector(i).load(as: V128.self), vector(i).load(fromByteOffset: 16, as: V128.self))
  }
  @inline(__always) func setYMM(_ i: UInt8, _ value: V256) {
    vector(i).storeBytes(of: value.low, as: V128.self)
    vector(i).storeBytes(of: value.high, toByteOffset: 16, as: V128.self)
  }
  /// As far as VEX.L says, with zeros above.
  @inline(__always) func setYMM(_ o: OpRef, _ value: V256) {
    setYMM(o.d, o.is256 ? value : V256(value.low))
  }

  /// Whether a VEX instruction may go on (SDM 2A 2.8, table 2-15 and up). False: #UD or #NM recorded.
  @inline(__always) func mayUseAVX() -> Bool {
    let f = f
    if _fastPath(
      f.pointee.xcr0 & 6 == 6 && f.pointee.cr4 & CR4.osxsave != 0 && f.pointee.cr0 & (CR0.ts | CR0.pe) == CR0.pe
        && f.pointee.systemFlags & RFLAGS.vm == 0)
    {
      return true
    }
    return recordAVXBlocked()
  }
  @inline(never) private func recordAVXBlocked() -> Bool {
    let f = f
    let isUndefined =
      f.pointee.cr0 & CR0.pe == 0 || f.pointee.systemFlags & RFLAGS.vm != 0 || f.pointee.cr4 & CR4.osxsave == 0
      || f.pointee.xcr0 & 6 != 6
    return fault(isUndefined ? Vector.ud : Vector.nm)
  }

  /// 32 bytes of memory. nil: fault recorded.
  @inline(never)
  func readVector256(_ o: OpRef, aligned: Bool = false) -> V256? {
    guard let linear = checkedAddress(o, size: 32, write: false) else { return nil }
    if aligned && linear & 31 != 0 {
      _ = fault(Vector.gp, code: 0)
      return nil
    }
    // To #AC 32 bytes are two operands of 16.
    if alignmentFaults(linear, 16) { return nil }
    let access = dataAccess(write: false)
    guard let q0 = read(linear, UInt64.self, access), let q1 = read(linear &+ 8, UInt64.self, access),
      let q2 = read(linear &+ 16, UInt64.self, access), let q3 = read(linear &+ 24, UInt64.self, access)
    else { return nil }
    return V256(V128(q0, q1), V128(q2, q3))
  }

  /// 32 bytes to memory. False: fault recorded, nothing written.
  @inline(never)
  func writeVector256(_ o: OpRef, _ value: V256, aligned: Bool = false) -> Bool {
    guard let linear = checkedAddress(o, size: 32, write: true) else { return false }
    if aligned && linear & 31 != 0 { return fault(Vector.gp, code: 0) }
    let access = dataAccess(write: true)
    guard !alignmentFaults(linear, 16), probeWrite(linear, 32, access) else { return false }
    return write(linear, value.low[0], access) && write(linear &+ 8, value.low[1], access)
      && write(linear &+ 16, value.high[0], access) && write(linear &+ 24, value.high[1], access)
  }

  /// The operand of ModRM.rm in full: register, or as many bytes of memory as VEX.L says. nil: fault recorded.
  @inline(__always)
  func source(_ o: OpRef) -> V256? {
    if !o.isMemory { return ymm(o.s) }
    if o.is256 { return readVector256(o) }
    guard let low = readVector(o, aligned: false) else { return nil }
    return V256(low)
  }
  /// A narrower one; registers in full.
  @inline(__always)
  func source<M: MemorySource>(_ o: OpRef, _: M.Type) -> V128? {
    !o.isMemory ? xmm(o.s) : M.size == 16 ? readVector(o, aligned: false) : M.read(self, o)
  }
}

/// How an operation on 128 bits becomes one on 256.
enum LaneRule {
  /// Each half by itself.
  case halves
  /// The low part of one register alone, whatever VEX.L says.
  case scalar
  /// The source is half as wide or less: its parts spread over the halves.
  case widening
  /// The results' low quadwords make one register.
  case narrowing
  /// Each half with the low half of the source, a count.
  case sharedSource
}

/// A VEX instruction's body. False: fault recorded.
@inline(__always)
func vex(
  _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int, _ body: (CPU, OpRef) -> Bool
) {
  slow(cpu, op, left) { c, o in c.mayUseAVX() && body(c, o) ? .next : .fault }
}

/// ymm = ymm ∘ (ymm or memory).
@inline(__always)
func vexOperation<O: VectorOperation, M: MemorySource>(
  _: O.Type, _: M.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  vex(cpu, op, left) { c, o in
    switch O.rule == .halves && M.size < 16 ? .scalar : O.rule {
    case .scalar:
      guard let b = c.source(o, M.self), let r = O.apply(c, c.xmm(o.v), b, o.byte) else { return false }
      c.setYMM(o.d, V256(r))
    case .widening:
      guard o.is256 else {
        guard let b = c.source(o, M.self), let r = O.apply(c, b, b, o.byte) else { return false }
        c.setYMM(o.d, V256(r))
        return true
      }
      guard let b = c.wideSource(o, M.self) else { return false }
      let upper = V128(wide: b.wide &>> UInt128(truncatingIfNeeded: 8 &* M.size))
      guard let r = c.both(o, { O.apply(c, b, b, o.byte) }, { O.apply(c, upper, upper, o.byte) }) else {
        return false
      }
      c.setYMM(o.d, r)
    case .narrowing:
      guard let b = c.source(o),
        let r = c.both(o, { O.apply(c, b.low, b.low, o.byte) }, { O.apply(c, b.high, b.high, o.byte) })
      else { return false }
      c.setYMM(o.d, V256(o.is256 ? V128(r.low[0], r.high[0]) : r.low))
    case .sharedSource:
      let a = c.ymm(o.v)
      guard let b = c.source(o, Unaligned.self),
        let r = c.both(o, { O.apply(c, a.low, b, o.byte) }, { O.apply(c, a.high, b, o.byte) })
      else { return false }
      c.setYMM(o.d, r)
    case .halves:
      let a = c.ymm(o.v)
      guard let b = c.source(o),
        let r = c.both(
          o, { O.apply(c, a.low, b.low, o.byte) }, { O.apply(c, a.high, b.high, O.upperImmediate(o.byte)) })
      else { return false }
      c.setYMM(o.d, r)
    }
    return true
  }
}

/// Something read from (xmm or memory) and xmm that goes to a general register or the flags.
@inline(__always)
func vexReader<O: VectorReader, M: MemorySource>(
  _: O.Type, _: M.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  vex(cpu, op, left) { c, o in
    guard let b = c.source(o, M.self) else { return false }
    return O.consume(c, o, c.xmm(o.d), b)
  }
}

extension CPU {
  /// The source of a widening to 256 bits: twice as much as `M` is for 128.
  @inline(__always)
  func wideSource<M: MemorySource>(_ o: OpRef, _: M.Type) -> V128? {
    if !o.isMemory { return xmm(o.s) }
    switch M.size {
    case 8: return readVector(o, aligned: false)
    case 4: return UInt64.read(self, o)
    default: return UInt32.read(self, o)
    }
  }

  /// Both halves of an operation, the upper one where VEX.L asks for it; the exceptions of both come together.
  /// nil: one that is not masked is recorded.
  @inline(__always)
  func both(_ o: OpRef, _ low: () -> V128?, _ high: () -> V128?) -> V256? {
    if !o.is256 { return low().map { V256($0) } }
    if _fastPath(f.pointee.mxcsr & MXCSR.masks == MXCSR.masks) {
      guard let l = low(), let h = high() else { return nil }
      return V256(l, h)
    }
    f.pointee.collectsExceptions = true
    f.pointee.collectedExceptions = 0
    let l = low()
    let h = high()
    f.pointee.collectsExceptions = false
    guard let l, let h, !hasRaised(f.pointee.collectedExceptions) else { return nil }
    return V256(l, h)
  }
}
