import X86Core

extension CPU {
  /// Delivery in IA-32e mode (SDM 3A 6.14). false: a fault is recorded and nothing has changed.
  func deliverLong(_ vector: UInt8, _ errorCode: UInt32?, _ kind: UInt8) -> Bool {
    let f = f
    let offset = UInt32(vector) << 4
    let gateError = UInt32(vector) << 3 | 2
    guard offset &+ 15 <= f.pointee.idtr.limit else { return fault(Vector.gp, code: gateError) }
    let address = f.pointee.idtr.base &+ UInt64(offset)
    guard let low = loadSystem(address, UInt64.self), let high = loadSystem(address &+ 8, UInt64.self) else {
      return false
    }
    let gate = Descriptor(raw: low, high: high)
    guard gate.isSystem, gate.type == SystemType.interruptGate || gate.type == SystemType.trapGate else {
      return fault(Vector.gp, code: gateError)
    }
    if checksGateDPL(kind) && gate.dpl < f.pointee.cpl { return fault(Vector.gp, code: gateError) }
    guard gate.isPresent else { return fault(Vector.np, code: gateError) }

    let selector = gate.gateSelector
    guard selector & 0xFFFC != 0 else { return fault(Vector.gp, code: 0) }
    guard var code = descriptor(selector) else { return false }
    let cpl = f.pointee.cpl
    guard code.isCode, code.dpl <= cpl, code.long, !code.big else {
      return selectorFault(Vector.gp, selector)
    }
    guard code.isPresent else { return selectorFault(Vector.np, selector) }
    let newCPL = code.isConforming ? cpl : code.dpl

    var pointer = r64(GPR.rsp)
    if gate.ist != 0 {
      guard let value = stackFromTSS(at: 28 &+ 8 &* UInt32(gate.ist)) else { return false }
      pointer = value
    } else if newCPL < cpl {
      guard let value = stackFromTSS(at: 4 &+ 8 &* UInt32(newCPL)) else { return false }
      pointer = value
    }
    var stack = PendingStack(self, flat: pointer & ~15, cpl: newCPL)
    let flags = pushedFlags(vector, kind)
    guard isCanonical(pointer) else { return fault(Vector.ss, code: 0) }
    guard stack.probe(errorCode == nil ? 5 : 6, size: 8) else { return false }
    guard isCanonical(gate.gateOffset64) else { return fault(Vector.gp, code: 0) }
    guard markAccessed(&code) else { return false }
    guard stack.push(UInt64(ss.pointee.selector), size: 8), stack.push(r64(GPR.rsp), size: 8),
      stack.push(flags, size: 8), stack.push(UInt64(cs.pointee.selector), size: 8),
      stack.push(f.pointee.rip, size: 8)
    else { return false }
    if let errorCode, !stack.push(UInt64(errorCode), size: 8) { return false }

    if newCPL < cpl { setNullStackSegment(UInt16(newCPL), cpl: newCPL) }
    setSegment(1, selector & ~3 | UInt16(newCPL), code)
    f.pointee.cpl = newCPL
    setR64(GPR.rsp, stack.pointer)
    f.pointee.rip = gate.gateOffset64
    clearFlagsOnEntry(gate)
    return true
  }

  /// TF, NT, VM, RF are cleared on entry, IF by interrupt gates alone (SDM 3A 6.12.1.3).
  func clearFlagsOnEntry(_ gate: Descriptor) {
    f.pointee.systemFlags &= ~(RFLAGS.tf | RFLAGS.nt | RFLAGS.vm | RFLAGS.rf)
    if gate.type & 1 == 0 { f.pointee.systemFlags &= ~RFLAGS.if }
  }

  /// A stack pointer of the 64-bit TSS (SDM 3A 7.7). nil: #TS or a page fault is recorded.
  func stackFromTSS(at offset: UInt32) -> UInt64? {
    let f = f
    guard offset &+ 7 <= f.pointee.tr.limit else {
      selectorFault(Vector.ts, f.pointee.tr.selector)
      return nil
    }
    return loadSystem(f.pointee.tr.base &+ UInt64(offset), UInt64.self)
  }
}
