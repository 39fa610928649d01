import X86Core
import X86Decode
import X86FPU
import X86Integer
import X86System
import X86Vector

/// What becomes of a decoded instruction in a block.
struct Lowered {
  var op: Op
  /// How the block goes on.
  var flow: Flow

  enum Flow {
    case next
    /// A conditional direct jump: an exit slot follows.
    case conditional
    /// A direct jump: the operation is its own exit slot.
    case jump
    /// A direct call: an exit slot follows, the block ends.
    case call
    /// An indirect call: a slot with the return address follows, the block ends.
    case indirectCall
    /// The block ends; whoever comes behind is found by the driver or the jump cache.
    case end
    /// The instruction may leave the block; if it does not, the next one is reached by a cut.
    case cut
  }
}

/// Fills an operation's fields from an instruction, the same way for every family.
func encode(_ i: Instruction, mode: UInt8) -> Op {
  var op = Op()
  op.length = i.length
  op.d = i.reg
  op.s = i.rm
  let is64 = i.codeSize == .bits64
  op.maskSlot = i.addressSize == 8 ? Slot.mask64 : i.addressSize == 4 ? Slot.mask32 : Slot.mask16
  op.segment = i.segment.rawValue
  if is64 {
    if i.segment == .fs || i.segment == .gs { op.segmentSlot = Slot.segmentBase + i.segment.rawValue }
  } else {
    op.segmentSlot = Slot.segmentBase + i.segment.rawValue
    // FS and GS are rarely flat, and their bases wrap around 4 GiB; CS is never written to in protected mode.
    if mode & CodeMode.checked != 0 || i.segment == .fs || i.segment == .gs || i.segment == .cs {
      op.segment |= Op.checked
    }
  }
  op.size = i.operandSize
  if i.rep { op.size |= Op.rep }
  if i.repne { op.size |= Op.repne }
  op.imm = Int32(truncatingIfNeeded: i.immediate)
  if i.isMemory {
    op.size |= Op.memory
    op.base = i.base
    op.index = i.index
    op.scale = i.scale
    op.wide = i.displacement
  } else if i.operands.0 == .ob || i.operands.0 == .ov || i.operands.1 == .ob || i.operands.1 == .ov {
    op.size |= Op.memory
    op.wide = i.displacement
  } else if i.operation == .jmpFar || i.operation == .callFar {
    op.wide = i.immediate
    op.imm = Int32(i.immediate2)
  } else {
    op.wide = i.immediate
  }
  // 8-bit registers are named by byte offset.
  let o = i.operands
  for kind in [o.0, o.1, o.2] {
    switch kind {
    case .gb: op.d = byteRegister(i.reg, i.hasREX)
    case .eb, .zb: if !i.isMemory { op.s = byteRegister(i.rm, i.hasREX) }
    default: break
    }
  }
  return op
}

private func byteRegister(_ number: UInt8, _ hasREX: Bool) -> UInt8 {
  !hasREX && number >= 4 && number < 8 ? (number - 4) * 8 + 1 : number * 8
}

/// Chooses the handler of an instruction that lies at `rip`.
func lower(_ i: Instruction, rip: UInt64, mode: UInt8) -> Lowered {
  var op = encode(i, mode: mode)
  let next = rip &+ UInt64(i.length)
  if i.isMemory && i.isRIPRelative {
    // Made absolute here: a block is only ever executed at the address it was decoded for. With a 67 prefix the sum
    // is cut to 32 bits, which the address mask does.
    op.wide = Int64(bitPattern: next) &+ i.displacement
  }

  switch i.operation {
  case .jcc, .loop, .loope, .loopne, .jcxz:
    op.handler = integerHandler(for: i, &op) ?? undefinedHandler
    return Lowered(op: op, flow: .conditional)
  case .jmp where i.operands.0 == .jb || i.operands.0 == .jz:
    return Lowered(op: op, flow: .jump)
  case .jmp:
    op.handler = integerHandler(for: i, &op) ?? undefinedHandler
    return Lowered(op: op, flow: .end)
  case .call:
    op.handler = integerHandler(for: i, &op) ?? undefinedHandler
    if i.operands.0 == .jz {
      op.wide = Int64(bitPattern: wrap(next, i))
      return Lowered(op: op, flow: .call)
    }
    return Lowered(op: op, flow: .indirectCall)
  case .ret:
    op.handler = integerHandler(for: i, &op) ?? undefinedHandler
    return Lowered(op: op, flow: .end)
  default: break
  }

  if let handler = integerHandler(for: i, &op) {
    op.handler = handler
    return Lowered(op: op, flow: .next)
  }
  if let handler = systemHandler(for: i) {
    op.handler = UInt(bitPattern: unsafeBitCast(handler, to: UnsafeRawPointer.self))
    return Lowered(op: op, flow: endsBlock(i) ? .cut : .next)
  }
  if let handler = vectorHandler(for: i, &op) {
    op.handler = handler
    return Lowered(op: op, flow: .next)
  }
  if let handler = fpuHandler(for: i, &op) {
    op.handler = handler
    return Lowered(op: op, flow: .next)
  }
  op.handler = undefinedHandler
  return Lowered(op: op, flow: .cut)
}

/// A near destination is cut to the operand size outside 64-bit mode.
func wrap(_ rip: UInt64, _ i: Instruction) -> UInt64 {
  i.operandSize == 2 ? rip & 0xFFFF : i.codeSize == .bits64 ? rip : rip & 0xFFFF_FFFF
}
