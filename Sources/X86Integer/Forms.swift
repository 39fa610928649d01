import X86Core

/// Where the second operand comes from.
protocol Source {
  static func value<T: Width>(_ cpu: CPU, _ op: OpRef, _: T.Type) -> T
}
/// The register in `s`.
enum RegisterS: Source {
  @inline(__always) static func value<T: Width>(_ cpu: CPU, _ op: OpRef, _: T.Type) -> T { T.get(cpu, op.s) }
}
/// The register in `d`, when the first operand is memory.
enum RegisterD: Source {
  @inline(__always) static func value<T: Width>(_ cpu: CPU, _ op: OpRef, _: T.Type) -> T { T.get(cpu, op.d) }
}
/// The immediate, sign-extended.
enum Immediate: Source {
  @inline(__always) static func value<T: Width>(_ cpu: CPU, _ op: OpRef, _: T.Type) -> T {
    T(truncatingIfNeeded: op.imm)
  }
}
/// CL, for shifts.
enum CountInCL: Source {
  @inline(__always) static func value<T: Width>(_ cpu: CPU, _ op: OpRef, _: T.Type) -> T {
    T(truncatingIfNeeded: cpu.r8(8))
  }
}

// MARK: Bodies. Each is one operand form; operations and widths come as types.

/// d = d ∘ source
@inline(__always)
func toRegister<O: BinaryOperation, T: Width, S: Source>(
  _: O.Type, _: T.Type, _: S.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  let c = CPU(cpu)
  let o = OpRef(op)
  let r = O.apply(c, T.get(c, o.d), S.value(c, o, T.self))
  if O.writes { T.set(c, o.d, r) }
  next(cpu, op, left)
}

/// d = d ∘ [memory]
@inline(__always)
func fromMemory<O: BinaryOperation, T: Width, F: AddressForm>(
  _: O.Type, _: T.Type, _: F.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  let c = CPU(cpu)
  let o = OpRef(op)
  let found = c.lookUpRead(F.linear(c, o), MemoryLayout<T>.size)
  guard found.isHit else {
    return fromMemorySlow(O.self, T.self, cpu, op, left)
  }
  let host = found.host
  let r = O.apply(c, T.get(c, o.d), host.loadUnaligned(as: T.self))
  if O.writes { T.set(c, o.d, r) }
  next(cpu, op, left)
}
@inline(never)
func fromMemorySlow<O: BinaryOperation, T: Width>(
  _: O.Type, _: T.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  slow(cpu, op, left) { c, o in
    guard let b = c.readOperand(o, T.self) else { return .fault }
    let r = O.apply(c, T.get(c, o.d), b)
    if O.writes { T.set(c, o.d, r) }
    return .next
  }
}

/// [memory] = [memory] ∘ source
@inline(__always)
func toMemory<O: BinaryOperation, T: Width, F: AddressForm, S: Source>(
  _: O.Type, _: T.Type, _: F.Type, _: S.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer,
  _ left: Int
) {
  let c = CPU(cpu)
  let o = OpRef(op)
  let linear = F.linear(c, o)
  if O.writes {
    let found = c.lookUpWrite(linear, MemoryLayout<T>.size)
    guard found.isHit else {
      return toMemorySlow(O.self, T.self, S.self, cpu, op, left)
    }
    let host = found.host
    host.storeBytes(of: O.apply(c, host.loadUnaligned(as: T.self), S.value(c, o, T.self)), as: T.self)
  } else {
    let found = c.lookUpRead(linear, MemoryLayout<T>.size)
    guard found.isHit else {
      return toMemorySlow(O.self, T.self, S.self, cpu, op, left)
    }
    let host = found.host
    _ = O.apply(c, host.loadUnaligned(as: T.self), S.value(c, o, T.self))
  }
  next(cpu, op, left)
}
@inline(never)
func toMemorySlow<O: BinaryOperation, T: Width, S: Source>(
  _: O.Type, _: T.Type, _: S.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  slow(cpu, op, left) { c, o in
    if !O.writes {
      guard let a = c.readOperand(o, T.self) else { return .fault }
      _ = O.apply(c, a, S.value(c, o, T.self))
      return .next
    }
    guard let a = c.readForWrite(o, T.self) else { return .fault }
    // The write has been probed: it cannot fault after the flags have changed.
    _ = c.writeOperand(o, O.apply(c, a, S.value(c, o, T.self)))
    return .next
  }
}

// MARK: Tables

/// Index into a memory-operand table: which handler serves an operand.
public enum MemoryForm {
  public static let base = 0, index = 1, general = 2, checked = 3
}

/// Handlers of one operation: by log2 of the width, and where memory is involved by `width × 4 + MemoryForm`.
struct OperationHandlers {
  var registerRegister: [UInt] = []
  var registerImmediate: [UInt] = []
  var registerMemory: [UInt] = []
  var memoryRegister: [UInt] = []
  var memoryImmediate: [UInt] = []
}

@inline(__always)
func registerHandlers<O: BinaryOperation, S: Source>(_: O.Type, _: S.Type) -> [UInt] {
  [
    handler { toRegister(O.self, UInt8.self, S.self, $0, $1, $2) },
    handler { toRegister(O.self, UInt16.self, S.self, $0, $1, $2) },
    handler { toRegister(O.self, UInt32.self, S.self, $0, $1, $2) },
    handler { toRegister(O.self, UInt64.self, S.self, $0, $1, $2) },
  ]
}

@inline(__always)
func fromMemoryForms<O: BinaryOperation, T: Width>(_: O.Type, _: T.Type) -> [UInt] {
  [
    handler { fromMemory(O.self, T.self, BaseForm.self, $0, $1, $2) },
    handler { fromMemory(O.self, T.self, IndexForm.self, $0, $1, $2) },
    handler { fromMemory(O.self, T.self, GeneralForm.self, $0, $1, $2) },
    handler { fromMemorySlow(O.self, T.self, $0, $1, $2) },
  ]
}
@inline(__always)
func fromMemoryHandlers<O: BinaryOperation>(_: O.Type) -> [UInt] {
  fromMemoryForms(O.self, UInt8.self) + fromMemoryForms(O.self, UInt16.self)
    + fromMemoryForms(O.self, UInt32.self) + fromMemoryForms(O.self, UInt64.self)
}

@inline(__always)
func toMemoryForms<O: BinaryOperation, T: Width, S: Source>(_: O.Type, _: T.Type, _: S.Type) -> [UInt] {
  [
    handler { toMemory(O.self, T.self, BaseForm.self, S.self, $0, $1, $2) },
    handler { toMemory(O.self, T.self, IndexForm.self, S.self, $0, $1, $2) },
    handler { toMemory(O.self, T.self, GeneralForm.self, S.self, $0, $1, $2) },
    handler { toMemorySlow(O.self, T.self, S.self, $0, $1, $2) },
  ]
}
@inline(__always)
func toMemoryHandlers<O: BinaryOperation, S: Source>(_: O.Type, _: S.Type) -> [UInt] {
  toMemoryForms(O.self, UInt8.self, S.self) + toMemoryForms(O.self, UInt16.self, S.self)
    + toMemoryForms(O.self, UInt32.self, S.self) + toMemoryForms(O.self, UInt64.self, S.self)
}

/// For rare operations: one form of memory operand does for all.
@inline(__always)
func toMemoryGeneral<O: BinaryOperation, T: Width, S: Source>(_: O.Type, _: T.Type, _: S.Type) -> [UInt] {
  let general = handler { toMemory(O.self, T.self, GeneralForm.self, S.self, $0, $1, $2) }
  return [general, general, general, handler { toMemorySlow(O.self, T.self, S.self, $0, $1, $2) }]
}
@inline(__always)
func toMemoryGeneralHandlers<O: BinaryOperation, S: Source>(_: O.Type, _: S.Type) -> [UInt] {
  toMemoryGeneral(O.self, UInt8.self, S.self) + toMemoryGeneral(O.self, UInt16.self, S.self)
    + toMemoryGeneral(O.self, UInt32.self, S.self) + toMemoryGeneral(O.self, UInt64.self, S.self)
}

/// ADD, OR, …: all five forms.
@inline(__always)
func arithmeticHandlers<O: BinaryOperation>(_: O.Type) -> OperationHandlers {
  OperationHandlers(
    registerRegister: registerHandlers(O.self, RegisterS.self),
    registerImmediate: registerHandlers(O.self, Immediate.self),
    registerMemory: fromMemoryHandlers(O.self),
    memoryRegister: toMemoryHandlers(O.self, RegisterD.self),
    memoryImmediate: toMemoryHandlers(O.self, Immediate.self))
}
/// One operand: `registerImmediate` and `memoryImmediate` are filled.
@inline(__always)
func unaryHandlers<O: BinaryOperation>(_: O.Type) -> OperationHandlers {
  OperationHandlers(
    registerImmediate: registerHandlers(O.self, Immediate.self),
    memoryImmediate: toMemoryHandlers(O.self, Immediate.self))
}
/// Shifts: the count is an immediate or in CL (`registerRegister`, `memoryRegister`).
@inline(__always)
func shiftHandlers<O: BinaryOperation>(_: O.Type) -> OperationHandlers {
  OperationHandlers(
    registerRegister: registerHandlers(O.self, CountInCL.self),
    registerImmediate: registerHandlers(O.self, Immediate.self),
    memoryRegister: toMemoryGeneralHandlers(O.self, CountInCL.self),
    memoryImmediate: toMemoryGeneralHandlers(O.self, Immediate.self))
}
/// Bit tests; memory with a bit number in a register reaches beyond the operand and is elsewhere.
@inline(__always)
func bitHandlers<O: BinaryOperation>(_: O.Type) -> OperationHandlers {
  OperationHandlers(
    registerRegister: registerHandlers(O.self, RegisterS.self),
    registerImmediate: registerHandlers(O.self, Immediate.self),
    memoryImmediate: toMemoryGeneralHandlers(O.self, Immediate.self))
}
