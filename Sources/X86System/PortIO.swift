import X86Core

/// Virtual time that a port access takes beyond its instruction, in nanoseconds: that of an ISA bus cycle.
private let portTime: UInt64 = 1000

extension CPU {
  /// IOPL and the TSS's I/O permission bitmap (SDM 1 19.5). False: a fault is recorded.
  fileprivate func portAllowed(_ port: UInt16, size: Int) -> Bool {
    let f = f
    guard isProtected, f.pointee.cpl > iopl || isVirtual8086 else { return true }
    let tr = f.pointee.tr
    guard tr.selector & 0xFFFC != 0, tr.attributes & 8 != 0, tr.limit >= 103 else {
      return fault(Vector.gp, code: 0)
    }
    guard let map = loadSystem(tr.base &+ 102, UInt16.self) else { return false }
    let at = UInt32(map) &+ UInt32(port >> 3)
    // The processor always reads two bytes of the map.
    guard at &+ 1 <= tr.limit else { return fault(Vector.gp, code: 0) }
    guard let bits = loadSystem(tr.base &+ UInt64(at), UInt16.self) else { return false }
    let wanted = (UInt16(1) &<< UInt16(size)) &- 1
    return bits >> (port & 7) & wanted == 0 ? true : fault(Vector.gp, code: 0)
  }

  fileprivate func portRead(_ port: UInt16, size: Int) -> UInt32 {
    let value = seams.readPort(port, size: size)
    noteIOBreakpoints(port, size)
    addTime(portTime)
    return value
  }
  fileprivate func portWrite(_ port: UInt16, size: Int, _ value: UInt32) {
    seams.writePort(port, size: size, value: value)
    noteIOBreakpoints(port, size)
    addTime(portTime)
  }

  fileprivate var dxPort: UInt16 { reg(GPR.rdx, UInt16.self) }
}

/// IN. - Parameter size: 1, 2 or 4.
func input(_ cpu: CPU, _ port: UInt16, size: Int) -> Outcome {
  guard cpu.portAllowed(port, size: size) else { return .fault }
  let value = cpu.portRead(port, size: size)
  switch size {
  case 1: cpu.setR8(0, UInt8(truncatingIfNeeded: value))
  case 2: cpu.setReg(GPR.rax, UInt16(truncatingIfNeeded: value))
  default: cpu.setReg(GPR.rax, value)
  }
  return .resume
}

/// OUT. - Parameter size: 1, 2 or 4.
func output(_ cpu: CPU, _ port: UInt16, size: Int) -> Outcome {
  guard cpu.portAllowed(port, size: size) else { return .fault }
  let value = UInt32(
    truncatingIfNeeded: size == 1 ? UInt64(cpu.r8(0)) : cpu.register(GPR.rax, size: UInt8(size)))
  cpu.portWrite(port, size: size, value)
  return .resume
}

/// A byte, or a word or doubleword by operand size.
@inline(__always)
private func width(_ op: OpRef, _ isByte: Bool) -> Int { isByte ? 1 : (op.operandSize == 2 ? 2 : 4) }
@inline(__always)
private func immediatePort(_ op: OpRef) -> UInt16 { UInt16(UInt8(truncatingIfNeeded: op.imm)) }

func inByteImmediate(_ cpu: CPU, _ op: OpRef) -> Outcome { input(cpu, immediatePort(op), size: 1) }
func inImmediate(_ cpu: CPU, _ op: OpRef) -> Outcome { input(cpu, immediatePort(op), size: width(op, false)) }
func inByte(_ cpu: CPU, _ op: OpRef) -> Outcome { input(cpu, cpu.dxPort, size: 1) }
func inWide(_ cpu: CPU, _ op: OpRef) -> Outcome { input(cpu, cpu.dxPort, size: width(op, false)) }
func outByteImmediate(_ cpu: CPU, _ op: OpRef) -> Outcome { output(cpu, immediatePort(op), size: 1) }
func outImmediate(_ cpu: CPU, _ op: OpRef) -> Outcome {
  output(cpu, immediatePort(op), size: width(op, false))
}
func outByte(_ cpu: CPU, _ op: OpRef) -> Outcome { output(cpu, cpu.dxPort, size: 1) }
func outWide(_ cpu: CPU, _ op: OpRef) -> Outcome { output(cpu, cpu.dxPort, size: width(op, false)) }

func insByte(_ cpu: CPU, _ op: OpRef) -> Outcome { stringIO(cpu, op, size: 1, isInput: true) }
func insWide(_ cpu: CPU, _ op: OpRef) -> Outcome { stringIO(cpu, op, size: width(op, false), isInput: true) }
func outsByte(_ cpu: CPU, _ op: OpRef) -> Outcome { stringIO(cpu, op, size: 1, isInput: false) }
func outsWide(_ cpu: CPU, _ op: OpRef) -> Outcome {
  stringIO(cpu, op, size: width(op, false), isInput: false)
}

/// One iteration of INS or OUTS, with or without REP. Every iteration counts as an instruction: while RCX is not zero,
/// RIP stays on the instruction.
private func stringIO(_ cpu: CPU, _ op: OpRef, size: Int, isInput: Bool) -> Outcome {
  let mask = cpu.r64(op.maskSlot)
  let repeats = op.size & (Op.rep | Op.repne) != 0
  if repeats && cpu.r64(GPR.rcx) & mask == 0 { return .next }
  let port = cpu.dxPort
  guard cpu.portAllowed(port, size: size) else { return .fault }
  let pointer: UInt8 = isInput ? GPR.rdi : GPR.rsi
  // INS writes to ES:rDI whatever is overridden.
  let segment: UInt8 = isInput ? 0 : op.segment & 7
  let base: UInt64 = isInput ? (cpu.is64Bit ? 0 : cpu.segmentBase(0)) : cpu.r64(op.segmentSlot)
  guard
    let linear = cpu.checkedLinear(
      cpu.r64(pointer) & mask, segment: segment, base: base, size: size, write: isInput, legacy: !cpu.is64Bit)
  else { return .fault }
  if cpu.alignmentFaults(linear, size) { return .fault }
  let access = cpu.dataAccess(write: isInput)
  if isInput {
    // A port is read only if the value can be stored.
    guard cpu.probeWrite(linear, size, access) else { return .fault }
    guard cpu.store(linear, UInt64(cpu.portRead(port, size: size)), size: size, access) else { return .fault }
  } else {
    guard let value = cpu.load(linear, size: size, access) else { return .fault }
    cpu.portWrite(port, size: size, UInt32(truncatingIfNeeded: value))
  }
  let step = cpu.f.pointee.systemFlags & RFLAGS.df != 0 ? 0 &- UInt64(size) : UInt64(size)
  cpu.advance(pointer, by: step, mask: mask)
  guard repeats else { return .resume }
  cpu.advance(GPR.rcx, by: .max, mask: mask)
  guard cpu.r64(GPR.rcx) & mask != 0 else { return .resume }
  cpu.f.pointee.rip = op.rip
  return .jump
}

extension CPU {
  /// Adds to a register in the width of an address.
  fileprivate func advance(_ register: UInt8, by step: UInt64, mask: UInt64) {
    let value = r64(register) &+ step
    switch mask {
    case 0xFFFF: setReg(register, UInt16(truncatingIfNeeded: value))
    case 0xFFFF_FFFF: setReg(register, UInt32(truncatingIfNeeded: value))
    default: setR64(register, value)
    }
  }
}
