import X86Core

/// A stack as the TSS names it for an inner privilege level.
struct InnerStack {
  var selector: UInt16
  var pointer: UInt64
  var descriptor: Descriptor
}

extension CPU {
  /// Delivery in protected and virtual-8086 mode (SDM 3A 6.12, 20.3.1). false: a fault is recorded.
  func deliverProtected(_ vector: UInt8, _ errorCode: UInt32?, _ kind: UInt8) -> Bool {
    let f = f
    let offset = UInt32(vector) << 3
    let gateError = UInt32(vector) << 3 | 2
    guard offset &+ 7 <= f.pointee.idtr.limit else { return fault(Vector.gp, code: gateError) }
    guard let raw = loadSystem(f.pointee.idtr.base &+ UInt64(offset), UInt64.self) else { return false }
    let gate = Descriptor(raw: raw)
    var is32 = true
    switch (gate.isSystem, gate.type) {
    case (true, SystemType.taskGate), (true, SystemType.interruptGate), (true, SystemType.trapGate): break
    case (true, SystemType.interruptGate16), (true, SystemType.trapGate16): is32 = false
    default: return fault(Vector.gp, code: gateError)
    }
    if checksGateDPL(kind) && gate.dpl < f.pointee.cpl { return fault(Vector.gp, code: gateError) }
    guard gate.isPresent else { return fault(Vector.np, code: gateError) }
    if gate.type == SystemType.taskGate { return deliverToTask(gate, vector, errorCode, kind) }

    let selector = gate.gateSelector
    guard selector & 0xFFFC != 0 else { return fault(Vector.gp, code: 0) }
    guard var code = descriptor(selector) else { return false }
    let cpl = f.pointee.cpl
    guard code.isCode, code.dpl <= cpl else { return selectorFault(Vector.gp, selector) }
    guard code.isPresent else { return selectorFault(Vector.np, selector) }
    let newCPL = code.isConforming ? cpl : code.dpl
    let wasV86 = isVirtual8086
    if wasV86 && newCPL != 0 { return selectorFault(Vector.gp, selector) }

    let size = is32 ? 4 : 2
    let target = is32 ? gate.gateOffset32 : gate.gateOffset32 & 0xFFFF
    guard target <= UInt64(code.limit) else { return fault(Vector.gp, code: 0) }
    let flags = pushedFlags(vector, kind)
    var entries = errorCode == nil ? 3 : 4
    var stack: PendingStack
    var inner: InnerStack?
    if newCPL < cpl {
      guard let found = innerStack(newCPL) else { return false }
      inner = found
      entries += wasV86 ? 6 : 2
      stack = PendingStack(
        self, segment: found.descriptor.segment(found.selector), base: found.descriptor.base,
        pointer: found.pointer,
        cpl: newCPL, errorCode: UInt32(found.selector & 0xFFFC))
      stack.pointer &= stack.mask
    } else {
      stack = PendingStack(current: self)
    }
    guard stack.probe(entries, size: size), markAccessed(&code) else { return false }
    if var found = inner {
      guard markAccessed(&found.descriptor) else { return false }
      inner = found
      if wasV86 {
        for number: UInt8 in [5, 4, 3, 0] {
          guard stack.push(UInt64(segment(number).pointee.selector), size: size) else { return false }
        }
      }
      guard stack.push(UInt64(ss.pointee.selector), size: size),
        stack.push(r64(GPR.rsp) & 0xFFFF_FFFF, size: size)
      else { return false }
    }
    guard stack.push(flags, size: size), stack.push(UInt64(cs.pointee.selector), size: size),
      stack.push(f.pointee.rip, size: size)
    else { return false }
    if let errorCode, !stack.push(UInt64(errorCode), size: size) { return false }

    if let inner {
      setSegment(2, inner.selector, inner.descriptor)
      if wasV86 { for number: UInt8 in [0, 3, 4, 5] { setNullSegment(number, 0) } }
    }
    stack.commitPointer()
    setSegment(1, selector & ~3 | UInt16(newCPL), code)
    f.pointee.cpl = newCPL
    f.pointee.rip = target
    clearFlagsOnEntry(gate)
    return true
  }

  /// SS:ESP for an inner privilege level from a 16- or 32-bit TSS, with the checks of SDM 3A 6.12.1 (#TS, #SS).
  func innerStack(_ cpl: UInt8) -> InnerStack? {
    let tr = f.pointee.tr
    let is32 = tr.attributes & 8 != 0
    let offset = is32 ? UInt32(cpl) &* 8 &+ 4 : UInt32(cpl) &* 4 &+ 2
    guard offset &+ (is32 ? 5 : 3) <= tr.limit else {
      selectorFault(Vector.ts, tr.selector)
      return nil
    }
    let at = tr.base &+ UInt64(offset)
    let pointer: UInt64
    let selector: UInt16
    if is32 {
      guard let esp = loadSystem(at, UInt32.self), let value = loadSystem(at &+ 4, UInt16.self) else {
        return nil
      }
      (pointer, selector) = (UInt64(esp), value)
    } else {
      guard let sp = loadSystem(at, UInt16.self), let value = loadSystem(at &+ 2, UInt16.self) else {
        return nil
      }
      (pointer, selector) = (UInt64(sp), value)
    }
    guard selector & 0xFFFC != 0 else {
      fault(Vector.ts, code: 0)
      return nil
    }
    guard let stack = descriptor(selector, outside: Vector.ts) else { return nil }
    guard selector & 3 == UInt16(cpl), stack.dpl == cpl, stack.isData, stack.isWritableOrReadable else {
      selectorFault(Vector.ts, selector)
      return nil
    }
    guard stack.isPresent else {
      selectorFault(Vector.ss, selector)
      return nil
    }
    return InnerStack(selector: selector, pointer: pointer, descriptor: stack)
  }

  /// Delivery through a task gate (SDM 3A 6.12.2): a task switch, nested; the error code goes onto the new stack.
  private func deliverToTask(_ gate: Descriptor, _ vector: UInt8, _ errorCode: UInt32?, _ kind: UInt8) -> Bool {
    guard let tss = availableTSS(gate.gateSelector) else { return false }
    guard switchTask(to: gate.gateSelector, tss, .nested, flags: pushedFlags(vector, kind)) else {
      return false
    }
    guard let errorCode else { return true }
    var stack = PendingStack(current: self)
    guard stack.push(UInt64(errorCode), size: f.pointee.tr.attributes & 8 != 0 ? 4 : 2) else { return false }
    stack.commitPointer()
    return true
  }
}
