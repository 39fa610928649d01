import X86Core
import X86Decode

/// All handlers of this module. Made once at start.
struct IntegerHandlers {
  let add = arithmeticHandlers(Add.self), adc = arithmeticHandlers(Adc.self)
  let sub = arithmeticHandlers(Sub.self), sbb = arithmeticHandlers(Sbb.self)
  let and = arithmeticHandlers(And.self), or = arithmeticHandlers(Or.self), xor = arithmeticHandlers(Xor.self)
  let cmp = arithmeticHandlers(Cmp.self), test = arithmeticHandlers(Test.self)
  let inc = unaryHandlers(Inc.self), dec = unaryHandlers(Dec.self)
  let neg = unaryHandlers(Neg.self), not = unaryHandlers(Not.self)
  let shl = shiftHandlers(Shl.self), shr = shiftHandlers(Shr.self), sar = shiftHandlers(Sar.self)
  let rol = shiftHandlers(Rol.self), ror = shiftHandlers(Ror.self)
  let rcl = shiftHandlers(Rcl.self), rcr = shiftHandlers(Rcr.self)
  let bt = bitHandlers(Bt.self), bts = bitHandlers(Bts.self), btr = bitHandlers(Btr.self),
    btc = bitHandlers(Btc.self)
  let move = MoveHandlers()
  let control = ControlHandlers()
  let multiply = MultiplyHandlers()
  let bits = BitHandlers()
  let strings = StringHandlers()
  let miscellaneous = MiscellaneousHandlers()
}
nonisolated(unsafe) let handlers = IntegerHandlers()

/// Handlers that the block builder itself places.
public let controlHandlers = handlers.control
public let undefinedHandler = handlers.miscellaneous.undefined

/// Which handler serves the memory operand of an operation: `MemoryForm`.
public func memoryForm(_ op: Op) -> Int {
  if op.segment & Op.checked != 0 { return MemoryForm.checked }
  if op.segmentSlot != Slot.zero || op.maskSlot != Slot.mask64 { return MemoryForm.general }
  return op.index == Slot.zero ? MemoryForm.base : MemoryForm.index
}

extension OperandKind {
  /// An 8-bit E or G operand, or AL.
  var isByte: Bool { self == .eb || self == .gb || self == .al || self == .zb || self == .ob }
}

/// log2 of the width of an operand: 0 for bytes, else by operand size.
func widthIndex(_ i: Instruction) -> Int {
  if i.operands.0.isByte || (i.operands.0 == .none && i.operands.1.isByte) { return 0 }
  return i.operandSize == 2 ? 1 : i.operandSize == 4 ? 2 : 3
}

/// The handler of an integer instruction, `op` adjusted to what it expects. nil: not of this family.
///
/// `op` comes with the general encoding (d = ModRM.reg, s = register of E or of the opcode, 8-bit registers as byte
/// offsets, memory operand, immediate).
public func integerHandler(for i: Instruction, _ op: inout Op) -> UInt? {
  let h = handlers
  switch i.operation {
  case .add: return arithmetic(h.add, i, &op)
  case .adc: return arithmetic(h.adc, i, &op)
  case .sub: return arithmetic(h.sub, i, &op)
  case .sbb: return arithmetic(h.sbb, i, &op)
  case .and: return arithmetic(h.and, i, &op)
  case .or: return arithmetic(h.or, i, &op)
  case .xor: return arithmetic(h.xor, i, &op)
  case .cmp: return arithmetic(h.cmp, i, &op)
  case .test: return arithmetic(h.test, i, &op)
  case .inc: return unary(h.inc, i, &op)
  case .dec: return unary(h.dec, i, &op)
  case .neg: return unary(h.neg, i, &op)
  case .not: return unary(h.not, i, &op)
  case .shl: return shift(h.shl, i, &op)
  case .shr: return shift(h.shr, i, &op)
  case .sar: return shift(h.sar, i, &op)
  case .rol: return shift(h.rol, i, &op)
  case .ror: return shift(h.ror, i, &op)
  case .rcl: return shift(h.rcl, i, &op)
  case .rcr: return shift(h.rcr, i, &op)
  case .bt: return bitTest(h.bt, 0, i, &op)
  case .bts: return bitTest(h.bts, 1, i, &op)
  case .btr: return bitTest(h.btr, 2, i, &op)
  case .btc: return bitTest(h.btc, 3, i, &op)
  case .mov, .movnti: return move(i, &op)
  case .movzx, .movsx, .movsxd: return widen(i, &op)
  case .lea:
    op.segmentSlot = Slot.zero
    if i.operandSize == 2 { return h.move.lea[0] }
    let form = op.maskSlot != Slot.mask64 ? 2 : op.index == Slot.zero ? 0 : 1
    return h.move.lea[(i.operandSize == 4 ? 1 : 4) + form]
  case .cmovcc:
    let w = widthIndex(i)
    op.imm = Int32(i.condition)
    if i.isMemory { return h.move.cmovMemory[w - 1] }
    return (w == 1 ? h.move.cmov16 : w == 2 ? h.move.cmov32 : h.move.cmov64)[Int(i.condition)]
  case .setcc:
    op.imm = Int32(i.condition)
    if i.isMemory { return h.move.setccMemory }
    op.d = op.s
    return h.move.setcc[Int(i.condition)]
  case .xchg:
    let w = widthIndex(i)
    if i.isMemory { return h.move.exchangeMemory[w] }
    if !i.hasModRM { op.d = 0 }  // XCHG rAX, r
    return h.move.exchangeRegister[w]
  case .bswap: return h.move.bswap[widthIndex(i) - 1]

  case .imul:
    let w = widthIndex(i)
    if i.operands.1 == .none { return h.multiply.imul[w] }
    if i.operands.2 != .none { return h.multiply.imulImmediate[w - 1] }
    return i.isMemory ? h.multiply.imulMemory[w * 4 + memoryForm(op)] : h.multiply.imulRegister[w]
  case .mul: return h.multiply.mul[widthIndex(i)]
  case .div: return h.multiply.div[widthIndex(i)]
  case .idiv: return h.multiply.idiv[widthIndex(i)]
  case .cbw: return h.multiply.cbw
  case .cwd: return h.multiply.cwd

  case .bsf: return h.bits.bsf[widthIndex(i) - 1]
  case .bsr: return h.bits.bsr[widthIndex(i) - 1]
  case .tzcnt: return h.bits.tzcnt[widthIndex(i) - 1]
  case .lzcnt: return h.bits.lzcnt[widthIndex(i) - 1]
  case .popcnt: return h.bits.popcnt[widthIndex(i) - 1]
  case .adcx: return h.bits.adcx[widthIndex(i) - 1]
  case .adox: return h.bits.adox[widthIndex(i) - 1]
  case .movbe:
    return i.operands.0 == .gv ? h.bits.movbeLoad[widthIndex(i) - 1] : h.bits.movbeStore[widthIndex(i) - 1]
  case .andn: return bmi(h.bits.andn, i, &op)
  case .bextr: return bmi(h.bits.bextr, i, &op)
  case .bzhi: return bmi(h.bits.bzhi, i, &op)
  case .pext: return bmi(h.bits.pext, i, &op)
  case .pdep: return bmi(h.bits.pdep, i, &op)
  case .shlx: return bmi(h.bits.shlx, i, &op)
  case .shrx: return bmi(h.bits.shrx, i, &op)
  case .sarx: return bmi(h.bits.sarx, i, &op)
  case .mulx: return bmi(h.bits.mulx, i, &op)
  case .blsr, .blsmsk, .blsi: return bmi(h.bits.lowestBit, i, &op)
  case .rorx: return h.bits.rorx[widthIndex(i) - 1]
  case .crc32:
    let w = i.operands.1.isByte ? 0 : i.operandSize == 2 ? 1 : i.operandSize == 4 ? 2 : 3
    return h.bits.crc32[w]
  case .shld, .shrd:
    if i.operands.2 == .cl { op.imm = -1 } else { op.imm = Int32(i.immediate & 0xFF) }
    return (i.operation == .shld ? h.bits.shld : h.bits.shrd)[widthIndex(i) - 1]
  case .xadd: return h.bits.xadd[widthIndex(i)]
  case .cmpxchg: return h.bits.cmpxchg[widthIndex(i)]
  case .cmpxchg8b: return h.bits.cmpxchg8b
  case .cmpxchg16b: return h.bits.cmpxchg16b

  case .movs: return h.strings.movs[widthIndexOfString(i)]
  case .stos: return h.strings.stos[widthIndexOfString(i)]
  case .lods: return h.strings.lods[widthIndexOfString(i)]
  case .scas: return h.strings.scas[widthIndexOfString(i)]
  case .cmps: return h.strings.cmps[widthIndexOfString(i)]

  case .push: return push(i, &op)
  case .pop: return pop(i, &op)
  case .pusha: return h.control.pushAll
  case .popa: return h.control.popAll
  case .enter:
    op.d = UInt8(truncatingIfNeeded: i.immediate2)
    return h.control.enter
  case .leave: return i.codeSize == .bits64 && i.operandSize == 8 ? h.control.leave64 : h.control.leaveAnySize
  case .ret:
    op.imm = Int32(i.immediate & 0xFFFF)
    return i.operandSize == 8 ? h.control.return64 : h.control.returnAnySize
  case .jcc: return h.control.jcc[Int(i.condition)]
  case .loopne, .loope, .loop, .jcxz:
    op.d = i.operation == .loopne ? 0 : i.operation == .loope ? 1 : i.operation == .loop ? 2 : 3
    return h.control.loop
  case .jmp: return i.operandSize == 8 ? h.control.jumpIndirect64 : h.control.jumpIndirectAnySize
  case .call:
    if i.operands.0 == .jz { return i.operandSize == 8 ? h.control.call64 : h.control.callAnySize }
    return i.operandSize == 8 ? h.control.callIndirect64 : h.control.callIndirectAnySize

  case .nop, .endbr64, .endbr32, .prefetchw, .prefetchwt1, .prefetchnta, .prefetcht0, .prefetcht1,
    .prefetcht2,
    .cldemote, .lfence, .mfence, .sfence:
    return h.miscellaneous.nop
  case .clflush, .clflushopt, .clwb: return h.miscellaneous.flushLine
  case .clc, .stc, .cmc:
    op.d = i.operation == .clc ? 0 : i.operation == .stc ? 1 : 2
    return h.miscellaneous.carry
  case .cld, .std:
    op.d = i.operation == .std ? 1 : 0
    return h.miscellaneous.direction
  case .lahf: return h.miscellaneous.lahf
  case .sahf: return h.miscellaneous.sahf
  case .xlat: return h.miscellaneous.xlat
  case .salc: return h.miscellaneous.salc
  case .daa, .das:
    op.d = i.operation == .das ? 1 : 0
    return h.miscellaneous.decimalAdjust
  case .aaa, .aas:
    op.d = i.operation == .aas ? 1 : 0
    return h.miscellaneous.asciiAdjust
  case .aam: return h.miscellaneous.aam
  case .aad: return h.miscellaneous.aad
  default: return nil
  }
}

private func isImmediate(_ kind: OperandKind) -> Bool {
  kind == .ib || kind == .ibs || kind == .iz || kind == .iv || kind == .iw || kind == .one
}

private func arithmetic(_ table: OperationHandlers, _ i: Instruction, _ op: inout Op) -> UInt {
  let w = widthIndex(i)
  if isImmediate(i.operands.1) {
    if i.isMemory { return table.memoryImmediate[w * 4 + memoryForm(op)] }
    op.d = i.hasModRM ? op.s : 0  // the accumulator has no ModRM
    return table.registerImmediate[w]
  }
  let toE = i.operands.0 == .eb || i.operands.0 == .ev
  if i.isMemory { return (toE ? table.memoryRegister : table.registerMemory)[w * 4 + memoryForm(op)] }
  if toE { swap(&op.d, &op.s) }
  return table.registerRegister[w]
}

private func unary(_ table: OperationHandlers, _ i: Instruction, _ op: inout Op) -> UInt {
  let w = widthIndex(i)
  if i.isMemory { return table.memoryImmediate[w * 4 + memoryForm(op)] }
  op.d = op.s
  return table.registerImmediate[w]
}

private func shift(_ table: OperationHandlers, _ i: Instruction, _ op: inout Op) -> UInt {
  let w = widthIndex(i)
  let byCL = i.operands.1 == .cl
  if i.operands.1 == .one { op.imm = 1 }
  if i.isMemory { return (byCL ? table.memoryRegister : table.memoryImmediate)[w * 4 + memoryForm(op)] }
  op.d = op.s
  return (byCL ? table.registerRegister : table.registerImmediate)[w]
}

private func bitTest(_ table: OperationHandlers, _ change: Int32, _ i: Instruction, _ op: inout Op) -> UInt {
  let w = widthIndex(i)
  if isImmediate(i.operands.1) {
    if i.isMemory { return table.memoryImmediate[w * 4 + memoryForm(op)] }
    op.d = op.s
    return table.registerImmediate[w]
  }
  if i.isMemory {
    op.imm = change
    return handlers.bits.bitString[w - 1]
  }
  swap(&op.d, &op.s)
  return table.registerRegister[w]
}

private func bmi(_ table: [UInt], _ i: Instruction, _ op: inout Op) -> UInt {
  op.imm = Int32(i.vvvv) << 8
  return table[widthIndex(i) - 1]
}

private func move(_ i: Instruction, _ op: inout Op) -> UInt? {
  let h = handlers.move
  let w = widthIndex(i)
  switch (i.operands.0, i.operands.1) {
  case (.sw, _), (.cd, _), (.dd, _), (_, .sw), (_, .cd), (_, .dd): return nil  // system's
  case (.al, .ob), (.eax, .ov):
    op.d = 0
    return h.load[w * 4 + memoryForm(op)]
  case (.ob, .al), (.ov, .eax):
    op.d = 0
    return h.storeRegister[w * 4 + memoryForm(op)]
  default: break
  }
  if isImmediate(i.operands.1) {
    if i.isMemory { return h.storeImmediate[w * 4 + memoryForm(op)] }
    op.d = op.s
    if w == 3 {
      op.wide = i.immediate
      return h.wide
    }
    return h.registerImmediate[w]
  }
  let toE = i.operands.0 == .eb || i.operands.0 == .ev || i.operation == .movnti
  if i.isMemory { return (toE ? h.storeRegister : h.load)[w * 4 + memoryForm(op)] }
  if toE { swap(&op.d, &op.s) }
  return h.registerRegister[w]
}

private func widen(_ i: Instruction, _ op: inout Op) -> UInt {
  let h = handlers.move
  let table: [UInt]
  let source = i.operands.1
  switch (i.operation, i.operandSize) {
  case (.movzx, 2): table = source == .eb ? h.zeroExtend8to16 : h.widen16to16
  case (.movzx, _): table = source == .eb ? h.zeroExtend8to32 : h.zeroExtend16to32
  case (.movsxd, 2): table = h.widen16to16
  case (.movsxd, 4): table = h.widen32to32
  case (.movsxd, _): table = h.signExtend32to64
  case (_, 2): table = source == .eb ? h.signExtend8to16 : h.widen16to16
  case (_, 4): table = source == .eb ? h.signExtend8to32 : h.signExtend16to32
  default: table = source == .eb ? h.signExtend8to64 : h.signExtend16to64
  }
  return table[i.isMemory ? memoryForm(op) : 4]
}

private func widthIndexOfString(_ i: Instruction) -> Int {
  i.opcode & 1 == 0 ? 0 : i.operandSize == 2 ? 1 : i.operandSize == 4 ? 2 : 3
}

private func push(_ i: Instruction, _ op: inout Op) -> UInt? {
  let h = handlers.control
  switch i.operands.0 {
  case .ibs, .iz, .ib: return i.operandSize == 8 ? h.pushImmediate64 : h.pushImmediateAnySize
  case .ev, .zv, .rv: break
  default: return nil  // segment registers: system's
  }
  if i.isMemory { return h.pushMemory }
  return i.operandSize == 8 ? h.push64 : h.pushAnySize
}

private func pop(_ i: Instruction, _ op: inout Op) -> UInt? {
  let h = handlers.control
  switch i.operands.0 {
  case .ev, .zv, .rv: break
  default: return nil
  }
  if i.isMemory { return h.popMemory }
  return i.operandSize == 8 ? h.pop64 : h.popAnySize
}
