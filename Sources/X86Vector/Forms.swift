import X86Core

// The operand forms of XMM instructions. Each instruction is a type with one function; forms are written once.

/// xmm = xmm ∘ (xmm or memory), with an immediate byte. nil: a floating-point exception is recorded.
protocol VectorOperation {
  static func apply(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128?
  /// Whether `plain` is worth a try before `apply`, which then stays out of the handler.
  static var hasPlainCase: Bool { get }
  /// What `apply` gives where no exception flag can change; nil where that is not certain.
  static func plain(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128?
  /// How it becomes one of 256 bits.
  static var rule: LaneRule { get }
  /// The immediate for the upper half of 256 bits.
  static func upperImmediate(_ imm: UInt8) -> UInt8
}
extension VectorOperation {
  @inline(__always) static var rule: LaneRule { .halves }
  @inline(__always) static func upperImmediate(_ imm: UInt8) -> UInt8 { imm }
  @inline(__always) static var hasPlainCase: Bool { false }
  @inline(__always) static func plain(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? { nil }
}

/// A `VectorOperation` of integers or of moves alone: it cannot fault, and its MMX form has the same lanes.
protocol PackedOperation: VectorOperation {
  static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128
}
extension PackedOperation {
  @inline(__always) static func apply(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    apply(a, b, imm)
  }
}

/// Something read from xmm and (xmm or memory) that goes to a general register or the flags, named by the operation.
/// False: fault recorded.
protocol VectorReader {
  static func consume(_ c: CPU, _ o: OpRef, _ a: V128, _ b: V128) -> Bool
  /// As of `VectorOperation`.
  static var hasPlainCase: Bool { get }
  /// Does what `consume` does where no exception flag can change; false, and nothing done, where that is not certain.
  static func consumePlain(_ c: CPU, _ o: OpRef, _ a: V128, _ b: V128) -> Bool
}
extension VectorReader {
  @inline(__always) static var hasPlainCase: Bool { false }
  @inline(__always) static func consumePlain(_ c: CPU, _ o: OpRef, _ a: V128, _ b: V128) -> Bool { false }
}

extension OpRef {
  @inline(__always) var byte: UInt8 { UInt8(truncatingIfNeeded: imm) }
}

@inline(__always)
func vectorRegister<O: VectorOperation>(
  _: O.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  let c = CPU(cpu)
  let o = OpRef(op)
  if _slowPath(c.f.pointee.sseBlocked) { return raiseSSEBlocked(cpu, op, left) }
  if O.hasPlainCase {
    guard let r = O.plain(c, c.xmm(o.d), c.xmm(o.s), o.byte) else { return vectorRegisterExact(O.self, cpu, op, left) }
    c.setXMM(o.d, r)
  } else {
    guard let r = O.apply(c, c.xmm(o.d), c.xmm(o.s), o.byte) else { return raise(cpu, op, left) }
    c.setXMM(o.d, r)
  }
  next(cpu, op, left)
}
@inline(never)
func vectorRegisterExact<O: VectorOperation>(
  _: O.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  let c = CPU(cpu)
  let o = OpRef(op)
  guard let r = O.apply(c, c.xmm(o.d), c.xmm(o.s), o.byte) else { return raise(cpu, op, left) }
  c.setXMM(o.d, r)
  next(cpu, op, left)
}

@inline(__always)
func vectorMemory<O: VectorOperation, M: MemorySource>(
  _: O.Type, _: M.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  let c = CPU(cpu)
  let o = OpRef(op)
  if _slowPath(c.f.pointee.sseBlocked) { return raiseSSEBlocked(cpu, op, left) }
  guard o.segment & Op.checked == 0, let host = c.fastRead(o, M.self, GeneralForm.self) else {
    return vectorMemorySlow(O.self, M.self, cpu, op, left)
  }
  if O.hasPlainCase {
    guard let r = O.plain(c, c.xmm(o.d), M.load(host), o.byte) else {
      return vectorMemorySlow(O.self, M.self, cpu, op, left)
    }
    c.setXMM(o.d, r)
  } else {
    guard let r = O.apply(c, c.xmm(o.d), M.load(host), o.byte) else { return raise(cpu, op, left) }
    c.setXMM(o.d, r)
  }
  next(cpu, op, left)
}
@inline(never)
func vectorMemorySlow<O: VectorOperation, M: MemorySource>(
  _: O.Type, _: M.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  slow(cpu, op, left) { c, o in
    guard let b = M.read(c, o), let r = O.apply(c, c.xmm(o.d), b, o.byte) else { return .fault }
    c.setXMM(o.d, r)
    return .next
  }
}

@inline(__always)
func readerRegister<O: VectorReader>(
  _: O.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  let c = CPU(cpu)
  let o = OpRef(op)
  if _slowPath(c.f.pointee.sseBlocked) { return raiseSSEBlocked(cpu, op, left) }
  if O.hasPlainCase {
    guard O.consumePlain(c, o, c.xmm(o.d), c.xmm(o.s)) else { return readerRegisterExact(O.self, cpu, op, left) }
  } else {
    guard O.consume(c, o, c.xmm(o.d), c.xmm(o.s)) else { return raise(cpu, op, left) }
  }
  next(cpu, op, left)
}
@inline(never)
func readerRegisterExact<O: VectorReader>(
  _: O.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  let c = CPU(cpu)
  let o = OpRef(op)
  guard O.consume(c, o, c.xmm(o.d), c.xmm(o.s)) else { return raise(cpu, op, left) }
  next(cpu, op, left)
}
@inline(__always)
func readerMemory<O: VectorReader, M: MemorySource>(
  _: O.Type, _: M.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  let c = CPU(cpu)
  let o = OpRef(op)
  if _slowPath(c.f.pointee.sseBlocked) { return raiseSSEBlocked(cpu, op, left) }
  guard o.segment & Op.checked == 0, let host = c.fastRead(o, M.self, GeneralForm.self) else {
    return readerMemorySlow(O.self, M.self, cpu, op, left)
  }
  if O.hasPlainCase {
    guard O.consumePlain(c, o, c.xmm(o.d), M.load(host)) else {
      return readerMemorySlow(O.self, M.self, cpu, op, left)
    }
  } else {
    guard O.consume(c, o, c.xmm(o.d), M.load(host)) else { return raise(cpu, op, left) }
  }
  next(cpu, op, left)
}
@inline(never)
func readerMemorySlow<O: VectorReader, M: MemorySource>(
  _: O.Type, _: M.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  slow(cpu, op, left) { c, o in
    guard let b = M.read(c, o), O.consume(c, o, c.xmm(o.d), b) else { return .fault }
    return .next
  }
}

// MARK: MMX

/// How an MMX instruction follows from its XMM twin.
protocol MMXForm {
  static func apply<O: PackedOperation>(_: O.Type, _ a: UInt64, _ b: UInt64, _ imm: UInt8) -> UInt64
}
/// Lane by lane: the low half of the twin's result.
enum LowHalf: MMXForm {
  @inline(__always)
  static func apply<O: PackedOperation>(_: O.Type, _ a: UInt64, _ b: UInt64, _ imm: UInt8) -> UInt64 {
    O.apply(V128(low: a), V128(low: b), imm)[0]
  }
}
/// High unpacks: the upper half of what the low unpack makes of 64-bit operands.
enum HighHalf: MMXForm {
  @inline(__always)
  static func apply<O: PackedOperation>(_: O.Type, _ a: UInt64, _ b: UInt64, _ imm: UInt8) -> UInt64 {
    O.apply(V128(low: a), V128(low: b), imm)[1]
  }
}
/// Packs and horizontal sums: both operands are halves of the twin's first.
enum Concatenated: MMXForm {
  @inline(__always)
  static func apply<O: PackedOperation>(_: O.Type, _ a: UInt64, _ b: UInt64, _ imm: UInt8) -> UInt64 {
    O.apply(V128(a, b), V128(0, 0), imm)[0]
  }
}

/// mm = mm ∘ (mm or memory); `operandSize` 4 reads 32 bits of memory (the low unpacks).
@inline(__always)
func mmxOperation<O: PackedOperation, X: MMXForm>(
  _: O.Type, _: X.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  slow(cpu, op, left) { c, o in
    guard c.mayUseMMX(), let b = c.readMMX(o) else { return .fault }
    c.enterMMX()
    c.setMMX(o.d, X.apply(O.self, c.mmx(o.d), b, o.byte))
    return .next
  }
}

extension CPU {
  /// An MMX instruction's source: register, or 64 bits of memory, or 32 for an operand size of 4. nil: fault recorded.
  @inline(never)
  func readMMX(_ o: OpRef) -> UInt64? {
    if !o.isMemory { return mmx(o.s) }
    if o.operandSize == 4 { return readM(o, UInt32.self).map { UInt64($0) } }
    return readM(o, UInt64.self)
  }
}

// MARK: Tables

/// The handlers of one operation; 0 where a form does not exist.
struct VectorEntry {
  var register: UInt = 0
  var memory: UInt = 0
  /// Both forms of MMX.
  var mmx: UInt = 0
  /// All forms of AVX.
  var vex: UInt = 0
}

/// An operation with a full-width source.
@inline(__always)
func packed<O: VectorOperation>(_: O.Type) -> VectorEntry { vector(O.self, Aligned.self) }
/// An operation with a narrow source: scalars and widenings.
@inline(__always)
func vector<O: VectorOperation, M: MemorySource>(_: O.Type, _: M.Type) -> VectorEntry {
  VectorEntry(
    register: handler { vectorRegister(O.self, $0, $1, $2) },
    memory: handler { vectorMemory(O.self, M.self, $0, $1, $2) },
    vex: handler { vexOperation(O.self, M.self, $0, $1, $2) })
}
@inline(__always)
func reader<O: VectorReader, M: MemorySource>(_: O.Type, _: M.Type) -> VectorEntry {
  VectorEntry(
    register: handler { readerRegister(O.self, $0, $1, $2) },
    memory: handler { readerMemory(O.self, M.self, $0, $1, $2) },
    vex: handler { vexReader(O.self, M.self, $0, $1, $2) })
}
/// With an MMX form as well.
@inline(__always)
func packed<O: PackedOperation, X: MMXForm>(_: O.Type, _: X.Type) -> VectorEntry {
  packed(O.self, O.self, X.self)
}
/// With an MMX form that follows from another operation.
@inline(__always)
func packed<O: PackedOperation, P: PackedOperation, X: MMXForm>(_: O.Type, _: P.Type, _: X.Type)
  -> VectorEntry
{
  var entry = packed(O.self)
  entry.mmx = handler { mmxOperation(P.self, X.self, $0, $1, $2) }
  return entry
}
