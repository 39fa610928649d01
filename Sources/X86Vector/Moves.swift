import X86Core

// Loads and stores of XMM and MMX registers, and exchanges with general registers.

@inline(__always)
func vectorLoad<O: PackedOperation, M: MemorySource, F: AddressForm>(
  _: O.Type, _: M.Type, _: F.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  let c = CPU(cpu)
  let o = OpRef(op)
  if _slowPath(c.f.pointee.sseBlocked) { return raiseSSEBlocked(cpu, op, left) }
  guard let host = c.fastRead(o, M.self, F.self) else {
    return vectorMemorySlow(O.self, M.self, cpu, op, left)
  }
  c.setXMM(o.d, O.apply(c.xmm(o.d), M.load(host), 0))
  next(cpu, op, left)
}
/// The blocked case of operands that always go the slow way.
@inline(__always)
func vectorLoadChecked<O: PackedOperation, M: MemorySource>(
  _: O.Type, _: M.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  if _slowPath(CPU(cpu).f.pointee.sseBlocked) { return raiseSSEBlocked(cpu, op, left) }
  vectorMemorySlow(O.self, M.self, cpu, op, left)
}
/// By `MemoryForm`: base, index, general, checked.
@inline(__always)
func loadForms<O: PackedOperation, M: MemorySource>(_: O.Type, _: M.Type) -> [UInt] {
  [
    handler { vectorLoad(O.self, M.self, BaseForm.self, $0, $1, $2) },
    handler { vectorLoad(O.self, M.self, IndexForm.self, $0, $1, $2) },
    handler { vectorLoad(O.self, M.self, GeneralForm.self, $0, $1, $2) },
    handler { vectorLoadChecked(O.self, M.self, $0, $1, $2) },
  ]
}

/// 16 bytes to memory.
@inline(__always)
func vectorStore<M: MemorySource, F: AddressForm>(
  _: M.Type, _: F.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  let c = CPU(cpu)
  let o = OpRef(op)
  if _slowPath(c.f.pointee.sseBlocked) { return raiseSSEBlocked(cpu, op, left) }
  let linear = F.linear(c, o)
  guard M.suits(linear), let host = c.writeHit(linear, 16) else {
    return vectorStoreSlow(M.self, cpu, op, left)
  }
  host.storeBytes(of: c.xmm(o.d), as: V128.self)
  next(cpu, op, left)
}
@inline(never)
func vectorStoreSlow<M: MemorySource>(
  _: M.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  slow(cpu, op, left) { c, o in
    guard c.mayUseSSE(), c.writeVector(o, c.xmm(o.d), aligned: !M.suits(1)) else { return .fault }
    return .next
  }
}
@inline(__always)
func storeForms<M: MemorySource>(_: M.Type) -> [UInt] {
  [
    handler { vectorStore(M.self, BaseForm.self, $0, $1, $2) },
    handler { vectorStore(M.self, IndexForm.self, $0, $1, $2) },
    handler { vectorStore(M.self, GeneralForm.self, $0, $1, $2) },
    handler { vectorStoreSlow(M.self, $0, $1, $2) },
  ]
}

/// Which half of a register a narrow store takes.
protocol Half {
  static var index: Int { get }
}
enum LowerHalf: Half { @inline(__always) static var index: Int { 0 } }
enum UpperHalf: Half { @inline(__always) static var index: Int { 1 } }

/// 4 or 8 bytes to memory: MOVSS, MOVSD, MOVLPS, MOVHPS, MOVD, MOVQ.
@inline(__always)
func narrowStore<T: FixedWidthInteger, H: Half>(
  _: T.Type, _: H.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  let c = CPU(cpu)
  let o = OpRef(op)
  if _slowPath(c.f.pointee.sseBlocked) { return raiseSSEBlocked(cpu, op, left) }
  guard o.segment & Op.checked == 0, let host = c.writeHit(GeneralForm.linear(c, o), MemoryLayout<T>.size)
  else {
    return narrowStoreSlow(T.self, H.self, cpu, op, left)
  }
  host.storeBytes(of: T(truncatingIfNeeded: c.xmm(o.d)[H.index]), as: T.self)
  next(cpu, op, left)
}
@inline(never)
func narrowStoreSlow<T: FixedWidthInteger, H: Half>(
  _: T.Type, _: H.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  slow(cpu, op, left) { c, o in
    c.writeOperand(o, T(truncatingIfNeeded: c.xmm(o.d)[H.index])) ? .next : .fault
  }
}

// MARK: General registers

/// MOVD, MOVQ xmm, r.
@inline(__always)
func fromGeneral<T: FixedWidthInteger>(
  _: T.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  let c = CPU(cpu)
  let o = OpRef(op)
  if _slowPath(c.f.pointee.sseBlocked) { return raiseSSEBlocked(cpu, op, left) }
  c.setXMM(o.d, V128(low: UInt64(truncatingIfNeeded: c.reg(o.s, T.self))))
  next(cpu, op, left)
}
/// MOVD, MOVQ r, xmm.
@inline(__always)
func toGeneral<T: FixedWidthInteger>(
  _: T.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  let c = CPU(cpu)
  let o = OpRef(op)
  if _slowPath(c.f.pointee.sseBlocked) { return raiseSSEBlocked(cpu, op, left) }
  c.setReg(o.s, T(truncatingIfNeeded: c.xmm(o.d)[0]))
  next(cpu, op, left)
}

/// PINSRB, PINSRW, PINSRD, PINSRQ.
@inline(__always)
func insert<T: FixedWidthInteger>(
  _: T.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  slow(cpu, op, left) { c, o in
    guard c.mayUseSSE(), let r = inserted(c, o, into: c.xmm(o.d), T.self) else { return .fault }
    c.setXMM(o.d, r)
    return .next
  }
}
/// A register with the lane that the immediate names from E. nil: fault recorded.
@inline(__always)
func inserted<T: FixedWidthInteger>(_ c: CPU, _ o: OpRef, into v: V128, _: T.Type) -> V128? {
  let value: T
  if o.isMemory {
    guard let read = c.readM(o, T.self) else { return nil }
    value = read
  } else {
    value = c.reg(o.s, T.self)
  }
  return v.with(Int(o.byte) & (128 / T.bitWidth &- 1), value)
}
/// PEXTRB, PEXTRW, PEXTRD, PEXTRQ, EXTRACTPS.
@inline(__always)
func extract<T: FixedWidthInteger>(
  _: T.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  slow(cpu, op, left) { c, o in c.mayUseSSE() && extracted(c, o, T.self) ? .next : .fault }
}
/// The lane that the immediate names to E. A register gets zeros above. False: fault recorded.
@inline(__always)
func extracted<T: FixedWidthInteger>(_ c: CPU, _ o: OpRef, _: T.Type) -> Bool {
  let value = c.xmm(o.d).lane(Int(o.byte) & (128 / T.bitWidth &- 1), T.self)
  if o.isMemory { return c.writeM(o, value) }
  c.setR64(o.s, UInt64(truncatingIfNeeded: value))
  return true
}
/// PEXTRW r, xmm (0F C5).
enum Pextrw: VectorReader {
  @inline(__always) static func consume(_ c: CPU, _ o: OpRef, _ a: V128, _ b: V128) -> Bool {
    c.setR64(o.d, UInt64(b.lane(Int(o.byte & 7), UInt16.self)))
    return true
  }
}
/// MOVMSKPS, MOVMSKPD, PMOVMSKB: the signs of the lanes.
enum SignMask<E: FixedWidthInteger & SignedInteger>: VectorReader {
  @inline(__always) static func consume(_ c: CPU, _ o: OpRef, _ a: V128, _ b: V128) -> Bool {
    c.setR64(o.d, mask(b, count: 128 / E.bitWidth))
    return true
  }
  @inline(__always) static func mask(_ b: V128, count: Int) -> UInt64 {
    var r: UInt64 = 0
    for i in 0..<count where b.lane(i, E.self) < 0 { r |= 1 &<< UInt64(truncatingIfNeeded: i) }
    return r
  }
}
/// PTEST: ZF and CF; the others are cleared.
enum Ptest: VectorReader {
  @inline(__always) static func consume(_ c: CPU, _ o: OpRef, _ a: V128, _ b: V128) -> Bool {
    let both = a & b
    let source = ~a & b
    c.setStatusFlags(
      (both[0] | both[1] == 0 ? RFLAGS.zf : 0) | (source[0] | source[1] == 0 ? RFLAGS.cf : 0))
    return true
  }
}

// MARK: Bytes under a mask

/// MASKMOVDQU, MASKMOVQ: the bytes of `d` whose mask bytes in `s` have their sign set go to [rDI]. The lowering's
/// memory operand is [rDI]. Nothing is touched when no byte is chosen.
func storeMasked(_ c: CPU, _ o: OpRef, _ value: V128, _ mask: V128, count: Int) -> Outcome {
  guard let linear = c.checkedAddress(o, size: count, write: true) else { return .fault }
  let access = c.dataAccess(write: true)
  let chosen = SignMask<Int8>.mask(mask, count: count)
  if chosen == 0 { return .next }
  // All pages are checked first, so that a fault leaves no trace.
  for i in 0..<count where chosen &>> UInt64(i) & 1 != 0 {
    guard c.probeWrite(linear &+ UInt64(i), 1, access) else { return .fault }
  }
  for i in 0..<count where chosen &>> UInt64(i) & 1 != 0 {
    _ = c.write(linear &+ UInt64(i), value.lane(i, UInt8.self), access)
  }
  return .next
}
@inline(__always)
func maskmovdqu(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  slow(cpu, op, left) { c, o in
    guard c.mayUseSSE() else { return .fault }
    return storeMasked(c, o, c.xmm(o.d), c.xmm(o.s), count: 16)
  }
}
@inline(__always)
func maskmovq(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  slow(cpu, op, left) { c, o in
    guard c.mayUseMMX() else { return .fault }
    let outcome = storeMasked(c, o, V128(low: c.mmx(o.d)), V128(low: c.mmx(o.s)), count: 8)
    if outcome == .next { c.enterMMX() }
    return outcome
  }
}

struct MoveHandlers {
  let loadAligned = loadForms(MoveAll.self, Aligned.self)
  let loadUnaligned = loadForms(MoveAll.self, Unaligned.self)
  let load32 = loadForms(MoveLowOnly.self, UInt32.self)
  let load64 = loadForms(MoveLowOnly.self, UInt64.self)
  let loadLow = loadForms(MoveLow64.self, UInt64.self)
  let loadHigh = loadForms(MoveLowToHigh.self, UInt64.self)
  let storeAligned = storeForms(Aligned.self)
  let storeUnaligned = storeForms(Unaligned.self)
  let store32 = handler { narrowStore(UInt32.self, LowerHalf.self, $0, $1, $2) }
  let store64 = handler { narrowStore(UInt64.self, LowerHalf.self, $0, $1, $2) }
  let storeHigh = handler { narrowStore(UInt64.self, UpperHalf.self, $0, $1, $2) }
  let copy = handler { vectorRegister(MoveAll.self, $0, $1, $2) }
  let copyLow32 = handler { vectorRegister(MoveLow32.self, $0, $1, $2) }
  let copyLow64 = handler { vectorRegister(MoveLow64.self, $0, $1, $2) }
  let copyLowOnly = handler { vectorRegister(MoveLowOnly.self, $0, $1, $2) }
  let lowToHigh = handler { vectorRegister(MoveLowToHigh.self, $0, $1, $2) }
  let highToLow = handler { vectorRegister(MoveHighToLow.self, $0, $1, $2) }
  let fromGeneral32 = handler { fromGeneral(UInt32.self, $0, $1, $2) }
  let fromGeneral64 = handler { fromGeneral(UInt64.self, $0, $1, $2) }
  let toGeneral32 = handler { toGeneral(UInt32.self, $0, $1, $2) }
  let toGeneral64 = handler { toGeneral(UInt64.self, $0, $1, $2) }
  let insert8 = handler { insert(UInt8.self, $0, $1, $2) }
  let insert16 = handler { insert(UInt16.self, $0, $1, $2) }
  let insert32 = handler { insert(UInt32.self, $0, $1, $2) }
  let insert64 = handler { insert(UInt64.self, $0, $1, $2) }
  let extract8 = handler { extract(UInt8.self, $0, $1, $2) }
  let extract16 = handler { extract(UInt16.self, $0, $1, $2) }
  let extract32 = handler { extract(UInt32.self, $0, $1, $2) }
  let extract64 = handler { extract(UInt64.self, $0, $1, $2) }
  let maskedStore = handler { maskmovdqu($0, $1, $2) }
  let maskedStoreMMX = handler { maskmovq($0, $1, $2) }
}
