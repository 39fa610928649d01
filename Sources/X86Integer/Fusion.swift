import X86Core

// Compare-and-jump in one handler.
//
// A fused handler stands in the first operation of a pair; the conditional jump's own operation and its exit slot stay
// where they are. So faults, slow twins and RIPs are those of the unfused pair: the slow twin of the first half goes on
// to the second half's handler by itself.

/// A condition as a function of what was compared, or of a result.
protocol FusedCondition {
  /// After CMP and SUB.
  static func compare<T: Width>(_ a: T, _ b: T) -> Bool
  /// After AND, TEST, OR, XOR (CF = OF = 0), and for ZF and SF after anything.
  static func result<T: Width>(_ r: T) -> Bool
}

@inline(__always) private func signed<T: Width>(_ a: T) -> T.Signed { T.Signed(truncatingIfNeeded: a) }

enum IfBelow: FusedCondition {
  @inline(__always) static func compare<T: Width>(_ a: T, _ b: T) -> Bool { a < b }
  @inline(__always) static func result<T: Width>(_ r: T) -> Bool { false }
}
enum IfNotBelow: FusedCondition {
  @inline(__always) static func compare<T: Width>(_ a: T, _ b: T) -> Bool { a >= b }
  @inline(__always) static func result<T: Width>(_ r: T) -> Bool { true }
}
enum IfZero: FusedCondition {
  @inline(__always) static func compare<T: Width>(_ a: T, _ b: T) -> Bool { a == b }
  @inline(__always) static func result<T: Width>(_ r: T) -> Bool { r == 0 }
}
enum IfNotZero: FusedCondition {
  @inline(__always) static func compare<T: Width>(_ a: T, _ b: T) -> Bool { a != b }
  @inline(__always) static func result<T: Width>(_ r: T) -> Bool { r != 0 }
}
enum IfNotAbove: FusedCondition {
  @inline(__always) static func compare<T: Width>(_ a: T, _ b: T) -> Bool { a <= b }
  @inline(__always) static func result<T: Width>(_ r: T) -> Bool { r == 0 }
}
enum IfAbove: FusedCondition {
  @inline(__always) static func compare<T: Width>(_ a: T, _ b: T) -> Bool { a > b }
  @inline(__always) static func result<T: Width>(_ r: T) -> Bool { r != 0 }
}
enum IfSign: FusedCondition {
  @inline(__always) static func compare<T: Width>(_ a: T, _ b: T) -> Bool { signed(a &- b) < 0 }
  @inline(__always) static func result<T: Width>(_ r: T) -> Bool { signed(r) < 0 }
}
enum IfNoSign: FusedCondition {
  @inline(__always) static func compare<T: Width>(_ a: T, _ b: T) -> Bool { signed(a &- b) >= 0 }
  @inline(__always) static func result<T: Width>(_ r: T) -> Bool { signed(r) >= 0 }
}
enum IfLess: FusedCondition {
  @inline(__always) static func compare<T: Width>(_ a: T, _ b: T) -> Bool { signed(a) < signed(b) }
  @inline(__always) static func result<T: Width>(_ r: T) -> Bool { signed(r) < 0 }
}
enum IfNotLess: FusedCondition {
  @inline(__always) static func compare<T: Width>(_ a: T, _ b: T) -> Bool { signed(a) >= signed(b) }
  @inline(__always) static func result<T: Width>(_ r: T) -> Bool { signed(r) >= 0 }
}
enum IfNotGreater: FusedCondition {
  @inline(__always) static func compare<T: Width>(_ a: T, _ b: T) -> Bool { signed(a) <= signed(b) }
  @inline(__always) static func result<T: Width>(_ r: T) -> Bool { signed(r) <= 0 }
}
enum IfGreater: FusedCondition {
  @inline(__always) static func compare<T: Width>(_ a: T, _ b: T) -> Bool { signed(a) > signed(b) }
  @inline(__always) static func result<T: Width>(_ r: T) -> Bool { signed(r) > 0 }
}

/// Whether a jump after the operation is decided by the two operands (CMP, SUB) or by the result.
protocol FusedOperation: BinaryOperation {
  static var comparesOperands: Bool { get }
}
extension Cmp: FusedOperation { static var comparesOperands: Bool { true } }
extension Sub: FusedOperation { static var comparesOperands: Bool { true } }
extension Test: FusedOperation { static var comparesOperands: Bool { false } }
extension And: FusedOperation { static var comparesOperands: Bool { false } }
extension Or: FusedOperation { static var comparesOperands: Bool { false } }
extension Add: FusedOperation { static var comparesOperands: Bool { false } }
extension Inc: FusedOperation { static var comparesOperands: Bool { false } }
extension Dec: FusedOperation { static var comparesOperands: Bool { false } }

/// The second half: the jump's operation is the next one, its exit slot the one behind, and one instruction less comes
/// after it than after the first half.
@inline(__always)
func branch(_ taken: Bool, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  if taken { return follow(cpu, op + 2 &* Op.stride, left &+ Int(OpRef(op).after) &- 1) }
  dispatch(cpu, op + 3 &* Op.stride, left)
}

@inline(__always)
func registerAndJump<O: FusedOperation, T: Width, S: Source, C: FusedCondition>(
  _: O.Type, _: T.Type, _: S.Type, _: C.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  let c = CPU(cpu)
  let o = OpRef(op)
  let a = T.get(c, o.d)
  let b = S.value(c, o, T.self)
  let r = O.apply(c, a, b)
  if O.writes { T.set(c, o.d, r) }
  branch(O.comparesOperands ? C.compare(a, b) : C.result(r), cpu, op, left)
}

@inline(__always)
func memoryAndJump<O: FusedOperation, T: Width, F: AddressForm, S: Source, C: FusedCondition>(
  _: O.Type, _: T.Type, _: F.Type, _: S.Type, _: C.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer,
  _ left: Int
) {
  let c = CPU(cpu)
  let o = OpRef(op)
  let found = c.lookUpRead(F.linear(c, o), MemoryLayout<T>.size)
  guard found.isHit else {
    return toMemorySlow(O.self, T.self, S.self, cpu, op, left)
  }
  let host = found.host
  let a = host.loadUnaligned(as: T.self)
  let b = S.value(c, o, T.self)
  let r = O.apply(c, a, b)
  branch(O.comparesOperands ? C.compare(a, b) : C.result(r), cpu, op, left)
}

@inline(__always)
func registerMemoryAndJump<O: FusedOperation, T: Width, F: AddressForm, C: FusedCondition>(
  _: O.Type, _: T.Type, _: F.Type, _: C.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  let c = CPU(cpu)
  let o = OpRef(op)
  let found = c.lookUpRead(F.linear(c, o), MemoryLayout<T>.size)
  guard found.isHit else {
    return fromMemorySlow(O.self, T.self, cpu, op, left)
  }
  let host = found.host
  let a = T.get(c, o.d)
  let b = host.loadUnaligned(as: T.self)
  let r = O.apply(c, a, b)
  if O.writes { T.set(c, o.d, r) }
  branch(O.comparesOperands ? C.compare(a, b) : C.result(r), cpu, op, left)
}

// MARK: Tables by condition code; 0 where there is no fused handler (overflow and parity are rare).

@inline(__always)
func registerJumps<O: FusedOperation, T: Width, S: Source>(_: O.Type, _: T.Type, _: S.Type) -> [UInt] {
  [
    0, 0,
    handler { registerAndJump(O.self, T.self, S.self, IfBelow.self, $0, $1, $2) },
    handler { registerAndJump(O.self, T.self, S.self, IfNotBelow.self, $0, $1, $2) },
    handler { registerAndJump(O.self, T.self, S.self, IfZero.self, $0, $1, $2) },
    handler { registerAndJump(O.self, T.self, S.self, IfNotZero.self, $0, $1, $2) },
    handler { registerAndJump(O.self, T.self, S.self, IfNotAbove.self, $0, $1, $2) },
    handler { registerAndJump(O.self, T.self, S.self, IfAbove.self, $0, $1, $2) },
    handler { registerAndJump(O.self, T.self, S.self, IfSign.self, $0, $1, $2) },
    handler { registerAndJump(O.self, T.self, S.self, IfNoSign.self, $0, $1, $2) },
    0, 0,
    handler { registerAndJump(O.self, T.self, S.self, IfLess.self, $0, $1, $2) },
    handler { registerAndJump(O.self, T.self, S.self, IfNotLess.self, $0, $1, $2) },
    handler { registerAndJump(O.self, T.self, S.self, IfNotGreater.self, $0, $1, $2) },
    handler { registerAndJump(O.self, T.self, S.self, IfGreater.self, $0, $1, $2) },
  ]
}
/// For operations after which only ZF and SF are looked at.
@inline(__always)
func registerResultJumps<O: FusedOperation, T: Width, S: Source>(_: O.Type, _: T.Type, _: S.Type) -> [UInt] {
  [
    0, 0, 0, 0,
    handler { registerAndJump(O.self, T.self, S.self, IfZero.self, $0, $1, $2) },
    handler { registerAndJump(O.self, T.self, S.self, IfNotZero.self, $0, $1, $2) },
    0, 0,
    handler { registerAndJump(O.self, T.self, S.self, IfSign.self, $0, $1, $2) },
    handler { registerAndJump(O.self, T.self, S.self, IfNoSign.self, $0, $1, $2) },
    0, 0, 0, 0, 0, 0,
  ]
}
@inline(__always)
func memoryJumps<O: FusedOperation, T: Width, F: AddressForm, S: Source>(
  _: O.Type, _: T.Type, _: F.Type, _: S.Type
) -> [UInt] {
  [
    0, 0,
    handler { memoryAndJump(O.self, T.self, F.self, S.self, IfBelow.self, $0, $1, $2) },
    handler { memoryAndJump(O.self, T.self, F.self, S.self, IfNotBelow.self, $0, $1, $2) },
    handler { memoryAndJump(O.self, T.self, F.self, S.self, IfZero.self, $0, $1, $2) },
    handler { memoryAndJump(O.self, T.self, F.self, S.self, IfNotZero.self, $0, $1, $2) },
    handler { memoryAndJump(O.self, T.self, F.self, S.self, IfNotAbove.self, $0, $1, $2) },
    handler { memoryAndJump(O.self, T.self, F.self, S.self, IfAbove.self, $0, $1, $2) },
    0, 0, 0, 0,
    handler { memoryAndJump(O.self, T.self, F.self, S.self, IfLess.self, $0, $1, $2) },
    handler { memoryAndJump(O.self, T.self, F.self, S.self, IfNotLess.self, $0, $1, $2) },
    handler { memoryAndJump(O.self, T.self, F.self, S.self, IfNotGreater.self, $0, $1, $2) },
    handler { memoryAndJump(O.self, T.self, F.self, S.self, IfGreater.self, $0, $1, $2) },
  ]
}
@inline(__always)
func memoryResultJumps<O: FusedOperation, T: Width, F: AddressForm, S: Source>(
  _: O.Type, _: T.Type, _: F.Type, _: S.Type
) -> [UInt] {
  [
    0, 0, 0, 0,
    handler { memoryAndJump(O.self, T.self, F.self, S.self, IfZero.self, $0, $1, $2) },
    handler { memoryAndJump(O.self, T.self, F.self, S.self, IfNotZero.self, $0, $1, $2) },
    0, 0,
    handler { memoryAndJump(O.self, T.self, F.self, S.self, IfSign.self, $0, $1, $2) },
    handler { memoryAndJump(O.self, T.self, F.self, S.self, IfNoSign.self, $0, $1, $2) },
    0, 0, 0, 0, 0, 0,
  ]
}
@inline(__always)
func registerMemoryJumps<O: FusedOperation, T: Width, F: AddressForm>(_: O.Type, _: T.Type, _: F.Type) -> [UInt] {
  [
    0, 0,
    handler { registerMemoryAndJump(O.self, T.self, F.self, IfBelow.self, $0, $1, $2) },
    handler { registerMemoryAndJump(O.self, T.self, F.self, IfNotBelow.self, $0, $1, $2) },
    handler { registerMemoryAndJump(O.self, T.self, F.self, IfZero.self, $0, $1, $2) },
    handler { registerMemoryAndJump(O.self, T.self, F.self, IfNotZero.self, $0, $1, $2) },
    handler { registerMemoryAndJump(O.self, T.self, F.self, IfNotAbove.self, $0, $1, $2) },
    handler { registerMemoryAndJump(O.self, T.self, F.self, IfAbove.self, $0, $1, $2) },
    0, 0, 0, 0,
    handler { registerMemoryAndJump(O.self, T.self, F.self, IfLess.self, $0, $1, $2) },
    handler { registerMemoryAndJump(O.self, T.self, F.self, IfNotLess.self, $0, $1, $2) },
    handler { registerMemoryAndJump(O.self, T.self, F.self, IfNotGreater.self, $0, $1, $2) },
    handler { registerMemoryAndJump(O.self, T.self, F.self, IfGreater.self, $0, $1, $2) },
  ]
}

/// Fused handlers by the first half's own handler: the condition code picks one of sixteen.
private let fusedHandlers: [UInt: [UInt]] = {
  let h = handlers
  var t: [UInt: [UInt]] = [:]
  let b = MemoryForm.base
  let x = MemoryForm.index
  // Widths by log2: 0, 2, 3.
  t[h.cmp.registerRegister[0]] = registerJumps(Cmp.self, UInt8.self, RegisterS.self)
  t[h.cmp.registerRegister[2]] = registerJumps(Cmp.self, UInt32.self, RegisterS.self)
  t[h.cmp.registerRegister[3]] = registerJumps(Cmp.self, UInt64.self, RegisterS.self)
  t[h.cmp.registerImmediate[0]] = registerJumps(Cmp.self, UInt8.self, Immediate.self)
  t[h.cmp.registerImmediate[1]] = registerJumps(Cmp.self, UInt16.self, Immediate.self)
  t[h.cmp.registerImmediate[2]] = registerJumps(Cmp.self, UInt32.self, Immediate.self)
  t[h.cmp.registerImmediate[3]] = registerJumps(Cmp.self, UInt64.self, Immediate.self)
  t[h.test.registerRegister[0]] = registerJumps(Test.self, UInt8.self, RegisterS.self)
  t[h.test.registerRegister[2]] = registerJumps(Test.self, UInt32.self, RegisterS.self)
  t[h.test.registerRegister[3]] = registerJumps(Test.self, UInt64.self, RegisterS.self)
  t[h.test.registerImmediate[0]] = registerResultJumps(Test.self, UInt8.self, Immediate.self)
  t[h.test.registerImmediate[2]] = registerResultJumps(Test.self, UInt32.self, Immediate.self)

  t[h.cmp.memoryImmediate[0 * 4 + b]] = memoryJumps(Cmp.self, UInt8.self, BaseForm.self, Immediate.self)
  t[h.cmp.memoryImmediate[2 * 4 + b]] = memoryJumps(Cmp.self, UInt32.self, BaseForm.self, Immediate.self)
  t[h.cmp.memoryImmediate[3 * 4 + b]] = memoryJumps(Cmp.self, UInt64.self, BaseForm.self, Immediate.self)
  t[h.cmp.memoryImmediate[0 * 4 + x]] = memoryJumps(Cmp.self, UInt8.self, IndexForm.self, Immediate.self)
  t[h.cmp.memoryRegister[0 * 4 + b]] = memoryJumps(Cmp.self, UInt8.self, BaseForm.self, RegisterD.self)
  t[h.cmp.memoryRegister[2 * 4 + b]] = memoryJumps(Cmp.self, UInt32.self, BaseForm.self, RegisterD.self)
  t[h.cmp.memoryRegister[3 * 4 + b]] = memoryJumps(Cmp.self, UInt64.self, BaseForm.self, RegisterD.self)
  t[h.cmp.registerMemory[2 * 4 + b]] = registerMemoryJumps(Cmp.self, UInt32.self, BaseForm.self)
  t[h.cmp.registerMemory[3 * 4 + b]] = registerMemoryJumps(Cmp.self, UInt64.self, BaseForm.self)
  t[h.cmp.registerMemory[0 * 4 + x]] = registerMemoryJumps(Cmp.self, UInt8.self, IndexForm.self)
  t[h.test.memoryImmediate[0 * 4 + b]] = memoryResultJumps(Test.self, UInt8.self, BaseForm.self, Immediate.self)
  t[h.test.memoryImmediate[2 * 4 + b]] = memoryResultJumps(Test.self, UInt32.self, BaseForm.self, Immediate.self)

  t[h.sub.registerRegister[2]] = registerJumps(Sub.self, UInt32.self, RegisterS.self)
  t[h.sub.registerRegister[3]] = registerJumps(Sub.self, UInt64.self, RegisterS.self)
  t[h.sub.registerImmediate[2]] = registerJumps(Sub.self, UInt32.self, Immediate.self)
  t[h.sub.registerImmediate[3]] = registerJumps(Sub.self, UInt64.self, Immediate.self)
  t[h.and.registerRegister[2]] = registerResultJumps(And.self, UInt32.self, RegisterS.self)
  t[h.and.registerRegister[3]] = registerResultJumps(And.self, UInt64.self, RegisterS.self)
  t[h.and.registerImmediate[2]] = registerResultJumps(And.self, UInt32.self, Immediate.self)
  t[h.and.registerImmediate[3]] = registerResultJumps(And.self, UInt64.self, Immediate.self)
  t[h.or.registerRegister[2]] = registerResultJumps(Or.self, UInt32.self, RegisterS.self)
  t[h.or.registerRegister[3]] = registerResultJumps(Or.self, UInt64.self, RegisterS.self)
  t[h.add.registerImmediate[2]] = registerResultJumps(Add.self, UInt32.self, Immediate.self)
  t[h.add.registerImmediate[3]] = registerResultJumps(Add.self, UInt64.self, Immediate.self)
  t[h.dec.registerImmediate[2]] = registerResultJumps(Dec.self, UInt32.self, Immediate.self)
  t[h.dec.registerImmediate[3]] = registerResultJumps(Dec.self, UInt64.self, Immediate.self)
  t[h.inc.registerImmediate[2]] = registerResultJumps(Inc.self, UInt32.self, Immediate.self)
  t[h.inc.registerImmediate[3]] = registerResultJumps(Inc.self, UInt64.self, Immediate.self)
  return t
}()

/// The handler that does what `handler` does and the conditional jump behind it; 0 when there is none.
public func fusedHandler(_ handler: UInt, condition: UInt8) -> UInt {
  fusedHandlers[handler].map { $0[Int(condition)] } ?? 0
}
