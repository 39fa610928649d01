import X86Core
import X86Decode

/// All handlers of this module, made once.
struct VectorTables {
  let entries = VectorEntries()
  let moves = MoveHandlers()
  let mmx = MMXHandlers()
  let conversions = ConversionHandlers()
  let state = StateHandlers()
  let extendedState = ExtendedStateHandlers()
  let shifts = ImmediateShiftHandlers()
  let signs = SignHandlers()
  static let shared = VectorTables()
}

/// Lanes and signs of an XMM register to a general one.
struct SignHandlers {
  let single = handler { readerRegister(SignMask<Int32>.self, $0, $1, $2) }
  let double = handler { readerRegister(SignMask<Int64>.self, $0, $1, $2) }
  let bytes = handler { readerRegister(SignMask<Int8>.self, $0, $1, $2) }
  let pextrw = handler { readerRegister(Pextrw.self, $0, $1, $2) }
}

/// Shifts by an immediate; the register is ModRM.rm.
struct ImmediateShiftHandlers {
  struct Pair {
    let xmm: UInt
    let mmx: UInt
  }
  let psllw = shiftPair(ShiftLeft<UInt16>.self), pslld = shiftPair(ShiftLeft<UInt32>.self)
  let psllq = shiftPair(ShiftLeft<UInt64>.self), psrlw = shiftPair(ShiftRight<UInt16>.self)
  let psrld = shiftPair(ShiftRight<UInt32>.self), psrlq = shiftPair(ShiftRight<UInt64>.self)
  let psraw = shiftPair(ShiftRightArithmetic<Int16>.self), psrad = shiftPair(ShiftRightArithmetic<Int32>.self)
  let pslldq = shiftPair(Pslldq.self), psrldq = shiftPair(Psrldq.self)
}
@inline(__always)
func shiftPair<O: PackedShift>(_: O.Type) -> ImmediateShiftHandlers.Pair {
  ImmediateShiftHandlers.Pair(
    xmm: handler { shiftImmediate(O.self, $0, $1, $2) },
    mmx: handler { shiftImmediateMMX(O.self, $0, $1, $2) })
}

/// The handler of an MMX or SSE instruction; nil when it is none. Register numbers and operand size of `op` are set
/// here as the handler wants them; the memory operand, where ModRM names one, must be filled.
public func vectorHandler(for instruction: Instruction, _ op: inout Op) -> UInt? {
  let saved = op
  op.d = instruction.reg
  op.s = instruction.rm
  op.imm = Int32(truncatingIfNeeded: instruction.immediate & 0xFF)
  op.size = instruction.operandSize | (instruction.isMemory ? Op.memory : 0)
  let address = instruction.vectorLength == 0 ? chooseHandler(instruction, &op) : vexHandler(for: instruction, &op)
  if let address, address != 0 { return address }
  op = saved
  return nil
}

/// Whether a block must end behind the operation: none of these changes the control flow or the mode.
public func vectorEndsBlock(_ operation: Operation) -> Bool { false }

extension OperandKind {
  var isMMX: Bool {
    switch self {
    case .pq, .qq, .qd, .nq: return true
    default: return false
    }
  }
}

private func chooseHandler(_ i: Instruction, _ op: inout Op) -> UInt? {
  let t = VectorTables.shared
  if i.operands.0.isMMX || i.operands.1.isMMX { return chooseMMX(t, i, &op) }
  if let shift = immediateShift(t.shifts, i) { return shift.xmm }
  if let move = chooseMove(t, i, &op) { return move }
  switch i.operation {
  case .cvtsi2ss: return t.conversions.integerToSingle[(i.isMemory ? 2 : 0) + (i.operandSize == 8 ? 1 : 0)]
  case .cvtsi2sd: return t.conversions.integerToDouble[(i.isMemory ? 2 : 0) + (i.operandSize == 8 ? 1 : 0)]
  case .cvtss2si: return form(t.conversions.cvtss2si[i.operandSize == 8 ? 1 : 0], i)
  case .cvttss2si: return form(t.conversions.cvttss2si[i.operandSize == 8 ? 1 : 0], i)
  case .cvtsd2si: return form(t.conversions.cvtsd2si[i.operandSize == 8 ? 1 : 0], i)
  case .cvttsd2si: return form(t.conversions.cvttsd2si[i.operandSize == 8 ? 1 : 0], i)
  case .ldmxcsr: return t.state.ldmxcsr
  case .stmxcsr: return t.state.stmxcsr
  case .fxsave: return t.state.fxsave
  case .fxrstor: return t.state.fxrstor
  case .xsave, .xsaveopt: return t.extendedState.xsave
  case .xsavec: return t.extendedState.xsavec
  case .xsaves: return t.extendedState.xsaves
  case .xrstor: return t.extendedState.xrstor
  case .xrstors: return t.extendedState.xrstors
  case .emms: return t.mmx.emms
  case .cmpps, .cmppd, .cmpss, .cmpsd:
    // Legacy encodings have eight predicates.
    op.imm &= 7
    return form(t.entries[i.operation], i)
  default: return form(t.entries[i.operation], i)
  }
}

private func form(_ entry: VectorEntry, _ i: Instruction) -> UInt {
  i.isMemory ? entry.memory : entry.register
}

/// The entry of a shift whose count is an immediate, else nil.
private func immediateShift(_ t: ImmediateShiftHandlers, _ i: Instruction) -> ImmediateShiftHandlers.Pair? {
  switch i.operation {
  case .pslldq: return t.pslldq
  case .psrldq: return t.psrldq
  case .psllw, .pslld, .psllq, .psrlw, .psrld, .psrlq, .psraw, .psrad: break
  default: return nil
  }
  guard i.operands.1 == .ib else { return nil }
  switch i.operation {
  case .psllw: return t.psllw
  case .pslld: return t.pslld
  case .psllq: return t.psllq
  case .psrlw: return t.psrlw
  case .psrld: return t.psrld
  case .psrlq: return t.psrlq
  case .psraw: return t.psraw
  default: return t.psrad
  }
}

/// An instruction with an MMX operand.
private func chooseMMX(_ t: VectorTables, _ i: Instruction, _ op: inout Op) -> UInt? {
  // 32 bits of memory for the low unpacks, 64 for the others.
  op.size = (i.operands.1 == .qd ? 4 : 8) | (op.size & Op.memory)
  switch i.operation {
  case .movd, .movq, .movntq:
    // MOVD and MOVQ with a general operand, by the operand's kind.
    switch (i.operands.0, i.operands.1) {
    case (.pq, .ed), (.pq, .eq):
      op.size = (i.operands.1 == .ed ? 4 : 8) | (op.size & Op.memory)
      return i.isMemory ? t.mmx.load : t.mmx.fromGeneral
    case (.ed, .pq), (.eq, .pq):
      op.size = (i.operands.0 == .ed ? 4 : 8) | (op.size & Op.memory)
      return i.isMemory ? t.mmx.store : t.mmx.toGeneral
    case (.pq, _): return t.mmx.load
    default: return t.mmx.store
    }
  case .pinsrw: return t.mmx.pinsrw
  case .pextrw: return t.mmx.pextrw
  case .pmovmskb: return t.mmx.pmovmskb
  case .movq2dq: return t.mmx.movq2dq
  case .movdq2q: return t.mmx.movdq2q
  case .cvtpi2ps: return t.conversions.cvtpi2ps
  case .cvtpi2pd: return t.conversions.cvtpi2pd
  case .cvtps2pi: return t.conversions.cvtps2pi
  case .cvttps2pi: return t.conversions.cvttps2pi
  case .cvtpd2pi: return t.conversions.cvtpd2pi
  case .cvttpd2pi: return t.conversions.cvttpd2pi
  case .maskmovq:
    setDestinationIndex(i, &op)
    return t.moves.maskedStoreMMX
  default:
    if let shift = immediateShift(t.shifts, i) { return shift.mmx }
    return t.entries[i.operation].mmx
  }
}

/// The memory operand [rDI] of the masked stores, which ModRM does not name.
func setDestinationIndex(_ i: Instruction, _ op: inout Op) {
  op.base = GPR.rdi
  op.index = Slot.zero
  op.scale = 0
  op.wide = 0
  op.maskSlot = i.addressSize == 8 ? Slot.mask64 : (i.addressSize == 4 ? Slot.mask32 : Slot.mask16)
  let segment = i.segmentOverride ?? .ds
  if i.codeSize == .bits64 {
    let hasBase = segment == .fs || segment == .gs
    op.segment = hasBase ? segment.rawValue : Segment.ds.rawValue
    op.segmentSlot = hasBase ? Slot.segmentBase + segment.rawValue : Slot.zero
  } else {
    op.segment = segment.rawValue | Op.checked
    op.segmentSlot = Slot.segmentBase + segment.rawValue
  }
}

/// Which of four forms of handlers serves the memory operand of `op`.
private func memoryForm(_ op: Op) -> Int {
  if op.segment & Op.checked != 0 { return 3 }
  if op.maskSlot != Slot.mask64 || op.segmentSlot != Slot.zero { return 2 }
  return op.index == Slot.zero ? 0 : 1
}

/// Moves between XMM registers, memory and general registers; nil when it is none.
private func chooseMove(_ t: VectorTables, _ i: Instruction, _ op: inout Op) -> UInt? {
  let m = t.moves
  let stores: Bool
  switch i.operands.0 {
  case .wdq, .wd, .wq, .mq, .mdq, .ed, .eq: stores = true
  default: stores = false
  }
  let place = memoryForm(op)
  switch i.operation {
  case .movaps, .movapd, .movdqa, .movntps, .movntpd, .movntdq, .movntdqa:
    if i.isMemory { return stores ? m.storeAligned[place] : m.loadAligned[place] }
    return registerMove(m.copy, stores, &op)
  case .movups, .movupd, .movdqu, .lddqu:
    if i.isMemory { return stores ? m.storeUnaligned[place] : m.loadUnaligned[place] }
    return registerMove(m.copy, stores, &op)
  case .movss:
    if i.isMemory { return stores ? m.store32 : m.load32[place] }
    return registerMove(m.copyLow32, stores, &op)
  case .movsd:
    if i.isMemory { return stores ? m.store64 : m.load64[place] }
    return registerMove(m.copyLow64, stores, &op)
  case .movlps, .movlpd: return stores ? m.store64 : m.loadLow[place]
  case .movhps, .movhpd: return stores ? m.storeHigh : m.loadHigh[place]
  case .movhlps: return m.highToLow
  case .movlhps: return m.lowToHigh
  case .movd:
    if i.isMemory { return stores ? m.store32 : m.load32[place] }
    return stores ? m.toGeneral32 : m.fromGeneral32
  case .movq:
    if i.isMemory { return stores ? m.store64 : m.load64[place] }
    if i.operands.0 == .eq { return m.toGeneral64 }
    if i.operands.1 == .eq { return m.fromGeneral64 }
    return registerMove(m.copyLowOnly, stores, &op)
  case .movmskps: return t.signs.single
  case .movmskpd: return t.signs.double
  case .pmovmskb: return t.signs.bytes
  case .pinsrb: return m.insert8
  case .pinsrw: return m.insert16
  case .pinsrd: return m.insert32
  case .pinsrq: return m.insert64
  case .pextrb: return m.extract8
  case .pextrw: return i.operands.0 == .gy ? t.signs.pextrw : m.extract16
  case .pextrd, .extractps: return m.extract32
  case .pextrq: return m.extract64
  case .maskmovdqu:
    setDestinationIndex(i, &op)
    return m.maskedStore
  default: return nil
  }
}

/// A move between registers; the opcode of a store has its destination in ModRM.rm.
private func registerMove(_ handler: UInt, _ stores: Bool, _ op: inout Op) -> UInt {
  if stores { swap(&op.d, &op.s) }
  return handler
}
