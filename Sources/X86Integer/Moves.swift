import X86Core

// MOV, MOVZX, MOVSX, LEA, XCHG, CMOVcc, SETcc, BSWAP.

@inline(__always)
func load<T: Width, F: AddressForm>(
  _: T.Type, _: F.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  let c = CPU(cpu)
  let o = OpRef(op)
  let found = c.lookUpRead(F.linear(c, o), MemoryLayout<T>.size)
  guard found.isHit else {
    return loadSlow(T.self, cpu, op, left)
  }
  let host = found.host
  T.set(c, o.d, host.loadUnaligned(as: T.self))
  next(cpu, op, left)
}
@inline(never)
func loadSlow<T: Width>(_: T.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  slow(cpu, op, left) { c, o in
    guard let value = c.readOperand(o, T.self) else { return .fault }
    T.set(c, o.d, value)
    return .next
  }
}

@inline(__always)
func store<T: Width, F: AddressForm, S: Source>(
  _: T.Type, _: F.Type, _: S.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  let c = CPU(cpu)
  let o = OpRef(op)
  let found = c.lookUpWrite(F.linear(c, o), MemoryLayout<T>.size)
  guard found.isHit else {
    return storeSlow(T.self, S.self, cpu, op, left)
  }
  let host = found.host
  host.storeBytes(of: S.value(c, o, T.self), as: T.self)
  next(cpu, op, left)
}
@inline(never)
func storeSlow<T: Width, S: Source>(
  _: T.Type, _: S.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  slow(cpu, op, left) { c, o in
    c.writeOperand(o, S.value(c, o, T.self)) ? .next : .fault
  }
}

@inline(__always)
func loadForms<T: Width>(_: T.Type) -> [UInt] {
  [
    handler { load(T.self, BaseForm.self, $0, $1, $2) },
    handler { load(T.self, IndexForm.self, $0, $1, $2) },
    handler { load(T.self, GeneralForm.self, $0, $1, $2) },
    handler { loadSlow(T.self, $0, $1, $2) },
  ]
}
@inline(__always)
func storeForms<T: Width, S: Source>(_: T.Type, _: S.Type) -> [UInt] {
  [
    handler { store(T.self, BaseForm.self, S.self, $0, $1, $2) },
    handler { store(T.self, IndexForm.self, S.self, $0, $1, $2) },
    handler { store(T.self, GeneralForm.self, S.self, $0, $1, $2) },
    handler { storeSlow(T.self, S.self, $0, $1, $2) },
  ]
}

@inline(__always)
func moveRegister<T: Width, S: Source>(
  _: T.Type, _: S.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  T.set(CPU(cpu), OpRef(op).d, S.value(CPU(cpu), OpRef(op), T.self))
  next(cpu, op, left)
}

/// MOV r64, imm64, and every MOV of a constant that is known when decoding.
@inline(__always)
func moveWide(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  CPU(cpu).setR64(OpRef(op).d, UInt64(bitPattern: OpRef(op).wide))
  next(cpu, op, left)
}

// MARK: Widening

protocol Signedness {
  static func extend<From: Width, To: Width>(_ value: From, _: To.Type) -> To
}
enum ZeroExtended: Signedness {
  @inline(__always) static func extend<From: Width, To: Width>(_ value: From, _: To.Type) -> To {
    To(truncatingIfNeeded: value)
  }
}
enum SignExtended: Signedness {
  @inline(__always) static func extend<From: Width, To: Width>(_ value: From, _: To.Type) -> To {
    To(truncatingIfNeeded: From.Signed(truncatingIfNeeded: value))
  }
}

@inline(__always)
func widenRegister<From: Width, To: Width, E: Signedness>(
  _: From.Type, _: To.Type, _: E.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  let c = CPU(cpu)
  To.set(c, OpRef(op).d, E.extend(From.get(c, OpRef(op).s), To.self))
  next(cpu, op, left)
}
@inline(__always)
func widenMemory<From: Width, To: Width, E: Signedness, F: AddressForm>(
  _: From.Type, _: To.Type, _: E.Type, _: F.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer,
  _ left: Int
) {
  let c = CPU(cpu)
  let o = OpRef(op)
  let found = c.lookUpRead(F.linear(c, o), MemoryLayout<From>.size)
  guard found.isHit else {
    return widenMemorySlow(From.self, To.self, E.self, cpu, op, left)
  }
  let host = found.host
  To.set(c, o.d, E.extend(host.loadUnaligned(as: From.self), To.self))
  next(cpu, op, left)
}
@inline(never)
func widenMemorySlow<From: Width, To: Width, E: Signedness>(
  _: From.Type, _: To.Type, _: E.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  slow(cpu, op, left) { c, o in
    guard let value = c.readOperand(o, From.self) else { return .fault }
    To.set(c, o.d, E.extend(value, To.self))
    return .next
  }
}
/// Register form, then the four memory forms.
@inline(__always)
func widenForms<From: Width, To: Width, E: Signedness>(_: From.Type, _: To.Type, _: E.Type) -> [UInt] {
  [
    handler { widenMemory(From.self, To.self, E.self, BaseForm.self, $0, $1, $2) },
    handler { widenMemory(From.self, To.self, E.self, IndexForm.self, $0, $1, $2) },
    handler { widenMemory(From.self, To.self, E.self, GeneralForm.self, $0, $1, $2) },
    handler { widenMemorySlow(From.self, To.self, E.self, $0, $1, $2) },
    handler { widenRegister(From.self, To.self, E.self, $0, $1, $2) },
  ]
}

// MARK: LEA

@inline(__always)
func lea<T: Width, F: AddressForm>(
  _: T.Type, _: F.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  // The lowering gives LEA no segment base.
  T.set(CPU(cpu), OpRef(op).d, T(truncatingIfNeeded: F.linear(CPU(cpu), OpRef(op))))
  next(cpu, op, left)
}

// MARK: CMOVcc, SETcc

@inline(__always)
func conditionalMove<C: Condition, T: Width>(
  _: C.Type, _: T.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  let c = CPU(cpu)
  let o = OpRef(op)
  // A 32-bit CMOVcc clears the upper half even when it does not move.
  T.set(c, o.d, C.holds(c) ? T.get(c, o.s) : T.get(c, o.d))
  next(cpu, op, left)
}
@inline(__always)
func conditionalMoveMemory<T: Width>(
  _: T.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  slow(cpu, op, left) { c, o in
    guard let value = c.readM(o, T.self) else { return .fault }
    T.set(c, o.d, c.holds(UInt8(truncatingIfNeeded: o.imm)) ? value : T.get(c, o.d))
    return .next
  }
}
@inline(__always)
func setByte<C: Condition>(
  _: C.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  CPU(cpu).setR8(OpRef(op).d, C.holds(CPU(cpu)) ? 1 : 0)
  next(cpu, op, left)
}
@inline(__always)
func setByteMemory(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  slow(cpu, op, left) { c, o in
    c.writeM(o, c.holds(UInt8(truncatingIfNeeded: o.imm)) ? UInt8(1) : 0) ? .next : .fault
  }
}

// MARK: XCHG, BSWAP

@inline(__always)
func exchangeRegisters<T: Width>(
  _: T.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  let c = CPU(cpu)
  let o = OpRef(op)
  let a = T.get(c, o.d)
  let b = T.get(c, o.s)
  T.set(c, o.d, b)
  T.set(c, o.s, a)
  next(cpu, op, left)
}
@inline(__always)
func exchangeMemory<T: Width>(
  _: T.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  slow(cpu, op, left) { c, o in
    guard let a = c.modifyE(o, T.self), c.writeM(o, T.get(c, o.d)) else { return .fault }
    T.set(c, o.d, a)
    return .next
  }
}
@inline(__always)
func byteSwap<T: Width>(_: T.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  let c = CPU(cpu)
  // BSWAP of 16 bits is undefined; processors of this model clear the register's low half.
  let value = T.get(c, OpRef(op).s)
  T.set(c, OpRef(op).s, MemoryLayout<T>.size == 2 ? 0 : value.byteSwapped)
  next(cpu, op, left)
}

struct MoveHandlers {
  let registerRegister = [
    handler { moveRegister(UInt8.self, RegisterS.self, $0, $1, $2) },
    handler { moveRegister(UInt16.self, RegisterS.self, $0, $1, $2) },
    handler { moveRegister(UInt32.self, RegisterS.self, $0, $1, $2) },
    handler { moveRegister(UInt64.self, RegisterS.self, $0, $1, $2) },
  ]
  let registerImmediate = [
    handler { moveRegister(UInt8.self, Immediate.self, $0, $1, $2) },
    handler { moveRegister(UInt16.self, Immediate.self, $0, $1, $2) },
    handler { moveRegister(UInt32.self, Immediate.self, $0, $1, $2) },
    handler { moveRegister(UInt64.self, Immediate.self, $0, $1, $2) },
  ]
  let wide = handler { moveWide($0, $1, $2) }
  let load = loadForms(UInt8.self) + loadForms(UInt16.self) + loadForms(UInt32.self) + loadForms(UInt64.self)
  let storeRegister =
    storeForms(UInt8.self, RegisterD.self) + storeForms(UInt16.self, RegisterD.self)
    + storeForms(UInt32.self, RegisterD.self) + storeForms(UInt64.self, RegisterD.self)
  let storeImmediate =
    storeForms(UInt8.self, Immediate.self) + storeForms(UInt16.self, Immediate.self)
    + storeForms(UInt32.self, Immediate.self) + storeForms(UInt64.self, Immediate.self)
  /// By source and destination width; a zero-extended 64-bit result is that of 32 bits.
  let zeroExtend8to16 = widenForms(UInt8.self, UInt16.self, ZeroExtended.self)
  let zeroExtend8to32 = widenForms(UInt8.self, UInt32.self, ZeroExtended.self)
  let zeroExtend16to32 = widenForms(UInt16.self, UInt32.self, ZeroExtended.self)
  let signExtend8to16 = widenForms(UInt8.self, UInt16.self, SignExtended.self)
  let signExtend8to32 = widenForms(UInt8.self, UInt32.self, SignExtended.self)
  let signExtend8to64 = widenForms(UInt8.self, UInt64.self, SignExtended.self)
  let signExtend16to32 = widenForms(UInt16.self, UInt32.self, SignExtended.self)
  let signExtend16to64 = widenForms(UInt16.self, UInt64.self, SignExtended.self)
  let signExtend32to64 = widenForms(UInt32.self, UInt64.self, SignExtended.self)
  let widen16to16 = widenForms(UInt16.self, UInt16.self, ZeroExtended.self)
  let widen32to32 = widenForms(UInt32.self, UInt32.self, ZeroExtended.self)
  /// By width 16, 32, 64; forms base, index, general.
  let lea = [
    handler { X86Integer.lea(UInt16.self, GeneralForm.self, $0, $1, $2) },
    handler { X86Integer.lea(UInt32.self, BaseForm.self, $0, $1, $2) },
    handler { X86Integer.lea(UInt32.self, IndexForm.self, $0, $1, $2) },
    handler { X86Integer.lea(UInt32.self, GeneralForm.self, $0, $1, $2) },
    handler { X86Integer.lea(UInt64.self, BaseForm.self, $0, $1, $2) },
    handler { X86Integer.lea(UInt64.self, IndexForm.self, $0, $1, $2) },
    handler { X86Integer.lea(UInt64.self, GeneralForm.self, $0, $1, $2) },
  ]
  let cmov16 = conditionalMoves(UInt16.self)
  let cmov32 = conditionalMoves(UInt32.self)
  let cmov64 = conditionalMoves(UInt64.self)
  let cmovMemory = [
    handler { conditionalMoveMemory(UInt16.self, $0, $1, $2) },
    handler { conditionalMoveMemory(UInt32.self, $0, $1, $2) },
    handler { conditionalMoveMemory(UInt64.self, $0, $1, $2) },
  ]
  let setcc = setBytes()
  let setccMemory = handler { setByteMemory($0, $1, $2) }
  let exchangeRegister = [
    handler { exchangeRegisters(UInt8.self, $0, $1, $2) }, handler { exchangeRegisters(UInt16.self, $0, $1, $2) },
    handler { exchangeRegisters(UInt32.self, $0, $1, $2) }, handler { exchangeRegisters(UInt64.self, $0, $1, $2) },
  ]
  let exchangeMemory = [
    handler { X86Integer.exchangeMemory(UInt8.self, $0, $1, $2) },
    handler { X86Integer.exchangeMemory(UInt16.self, $0, $1, $2) },
    handler { X86Integer.exchangeMemory(UInt32.self, $0, $1, $2) },
    handler { X86Integer.exchangeMemory(UInt64.self, $0, $1, $2) },
  ]
  let bswap = [
    handler { byteSwap(UInt16.self, $0, $1, $2) }, handler { byteSwap(UInt32.self, $0, $1, $2) },
    handler { byteSwap(UInt64.self, $0, $1, $2) },
  ]
}

@inline(__always)
func conditionalMoves<T: Width>(_: T.Type) -> [UInt] {
  [
    handler { conditionalMove(Overflow.self, T.self, $0, $1, $2) },
    handler { conditionalMove(NoOverflow.self, T.self, $0, $1, $2) },
    handler { conditionalMove(Below.self, T.self, $0, $1, $2) },
    handler { conditionalMove(NotBelow.self, T.self, $0, $1, $2) },
    handler { conditionalMove(Zero.self, T.self, $0, $1, $2) },
    handler { conditionalMove(NotZero.self, T.self, $0, $1, $2) },
    handler { conditionalMove(NotAbove.self, T.self, $0, $1, $2) },
    handler { conditionalMove(Above.self, T.self, $0, $1, $2) },
    handler { conditionalMove(Sign.self, T.self, $0, $1, $2) },
    handler { conditionalMove(NoSign.self, T.self, $0, $1, $2) },
    handler { conditionalMove(Parity.self, T.self, $0, $1, $2) },
    handler { conditionalMove(NoParity.self, T.self, $0, $1, $2) },
    handler { conditionalMove(Less.self, T.self, $0, $1, $2) },
    handler { conditionalMove(NotLess.self, T.self, $0, $1, $2) },
    handler { conditionalMove(NotGreater.self, T.self, $0, $1, $2) },
    handler { conditionalMove(Greater.self, T.self, $0, $1, $2) },
  ]
}
@inline(__always)
func setBytes() -> [UInt] {
  [
    handler { setByte(Overflow.self, $0, $1, $2) }, handler { setByte(NoOverflow.self, $0, $1, $2) },
    handler { setByte(Below.self, $0, $1, $2) }, handler { setByte(NotBelow.self, $0, $1, $2) },
    handler { setByte(Zero.self, $0, $1, $2) }, handler { setByte(NotZero.self, $0, $1, $2) },
    handler { setByte(NotAbove.self, $0, $1, $2) }, handler { setByte(Above.self, $0, $1, $2) },
    handler { setByte(Sign.self, $0, $1, $2) }, handler { setByte(NoSign.self, $0, $1, $2) },
    handler { setByte(Parity.self, $0, $1, $2) }, handler { setByte(NoParity.self, $0, $1, $2) },
    handler { setByte(Less.self, $0, $1, $2) }, handler { setByte(NotLess.self, $0, $1, $2) },
    handler { setByte(NotGreater.self, $0, $1, $2) }, handler { setByte(Greater.self, $0, $1, $2) },
  ]
}
