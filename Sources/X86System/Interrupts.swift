import X86Core

/// How an event joins another that was being delivered (SDM 3A table 6-4).
private enum EventClass {
  case benign, contributory, pageFault, doubleFault

  init(_ vector: UInt8, kind: UInt8) {
    guard kind == FaultKind.exception else {
      self = .benign
      return
    }
    switch vector {
    case Vector.de, Vector.ts, Vector.np, Vector.ss, Vector.gp, Vector.cp: self = .contributory
    case Vector.pf: self = .pageFault
    case Vector.df: self = .doubleFault
    default: self = .benign
    }
  }
}

extension CPU {
  /// Delivers an interrupt or exception through the IDT (SDM 3A chapter 6), with all that follows when delivery itself
  /// faults: the second exception, #DF, shutdown.
  ///
  /// `f.rip` is the return address: the instruction itself for a fault, the one behind it for everything else. After
  /// success RIP, RSP, flags, segments and mode are those of the handler's first instruction.
  /// - Parameters:
  ///   - errorCode: what the exception pushes, nil for none.
  ///   - kind: a `FaultKind`. An NMI is vector 2 with `FaultKind.external`.
  /// - Returns: false when the processor has shut down (triple fault).
  public func deliver(_ vector: UInt8, errorCode: UInt32?, kind: UInt8) -> Bool {
    let f = f
    var vector = vector
    var errorCode = errorCode
    var kind = kind
    f.pointee.shadowCount = -1
    f.pointee.taskSwitched = false
    if kind == FaultKind.privilegedException && f.pointee.debugPending != 0 {
      // INT1 in the shadow of a MOV SS that met a breakpoint: one exception for both.
      setDebugStatus(f.pointee.debugPending)
      f.pointee.debugPending = 0
    }
    while true {
      if vector == Vector.pf && kind == FaultKind.exception { f.pointee.cr2 = f.pointee.faultAddress }
      // INT n that faults has not happened: its own address, kept by the instruction.
      let instruction = f.pointee.faultAddress
      if deliverOnce(vector, errorCode, kind) {
        if vector == Vector.db && kind != FaultKind.softwareInterrupt { debugExceptionDelivered() }
        // Breakpoints that the delivery itself has met.
        f.pointee.debugPending |= f.pointee.debugMet
        f.pointee.debugMet = 0
        if vector == Vector.nmi && kind == FaultKind.external { f.pointee.nmiBlocked = true }
        updateMode()
        return true
      }
      let second = f.pointee.faultVector
      switch (EventClass(vector, kind: kind), EventClass(second, kind: FaultKind.exception)) {
      case (.doubleFault, .contributory), (.doubleFault, .pageFault), (.doubleFault, .doubleFault):
        return false
      case (.contributory, .contributory), (.pageFault, .contributory), (.pageFault, .pageFault):
        // CR2 tells of the last page fault: kernels recognise a stack overflow by it.
        if second == Vector.pf { f.pointee.cr2 = f.pointee.faultAddress }
        vector = Vector.df
        errorCode = 0
      default:
        if isSoftware(kind) && !f.pointee.taskSwitched { f.pointee.rip = instruction }
        if checksGateDPL(kind) {
          // Neither an interrupt from outside nor an exception was being delivered: no EXT.
        } else if f.pointee.faultHasCode && second != Vector.pf {
          f.pointee.faultCode |= 1  // EXT (SDM 3A 6.13)
        }
        vector = second
        errorCode = f.pointee.faultHasCode ? f.pointee.faultCode : nil
      }
      kind = FaultKind.exception
    }
  }

  private func isSoftware(_ kind: UInt8) -> Bool {
    kind == FaultKind.softwareInterrupt || kind == FaultKind.softwareException
      || kind == FaultKind.privilegedException
  }

  /// INT n, INT3, INTO are subject to the gate's DPL.
  func checksGateDPL(_ kind: UInt8) -> Bool {
    kind == FaultKind.softwareInterrupt || kind == FaultKind.softwareException
  }

  /// RFLAGS to push: RF is set for faults, so that an instruction breakpoint does not hit again (SDM 3B 17.3.1.1).
  func pushedFlags(_ vector: UInt8, _ kind: UInt8) -> UInt64 {
    let flags = rflags
    guard kind == FaultKind.exception else { return flags }
    // A #DB that is a fault comes from an instruction breakpoint: its handler decides.
    switch vector {
    case Vector.db, Vector.df, Vector.mc: return flags
    default: return flags | RFLAGS.rf
    }
  }

  /// One attempt. false: a fault is recorded and nothing has changed.
  private func deliverOnce(_ vector: UInt8, _ errorCode: UInt32?, _ kind: UInt8) -> Bool {
    if !isProtected { return deliverReal(vector) }
    if isLongActive { return deliverLong(vector, errorCode, kind) }
    if isVirtual8086 && kind == FaultKind.softwareInterrupt {
      switch virtual8086Interrupt(vector) {
      case .some(let done): return done
      case .none: break
      }
    }
    return deliverProtected(vector, errorCode, kind)
  }

  /// Real-address mode (SDM 3A 20.1.4).
  private func deliverReal(_ vector: UInt8) -> Bool {
    let f = f
    let offset = UInt32(vector) &* 4
    guard offset &+ 3 <= f.pointee.idtr.limit else { return fault(Vector.gp, code: UInt32(vector) << 3 | 2) }
    guard let entry = loadSystem(f.pointee.idtr.base &+ UInt64(offset), UInt32.self) else { return false }
    return enterPlain(UInt16(truncatingIfNeeded: entry >> 16), UInt16(truncatingIfNeeded: entry), rflags)
  }

  /// Pushes FLAGS, CS, IP and goes to an 8086 handler.
  private func enterPlain(_ selector: UInt16, _ ip: UInt16, _ flags: UInt64) -> Bool {
    let f = f
    var stack = PendingStack(current: self)
    guard stack.probe(3, size: 2), stack.push(flags, size: 2),
      stack.push(UInt64(cs.pointee.selector), size: 2),
      stack.push(f.pointee.rip, size: 2)
    else { return false }
    stack.commitPointer()
    setPlainSegment(1, selector)
    f.pointee.rip = UInt64(ip)
    f.pointee.systemFlags &= ~(RFLAGS.tf | RFLAGS.if | RFLAGS.rf | RFLAGS.ac)
    return true
  }

  /// INT n in virtual-8086 mode (SDM 3A 20.3.3, table 20-2). nil: through the IDT as in protected mode.
  private func virtual8086Interrupt(_ vector: UInt8) -> Bool? {
    let f = f
    if f.pointee.cr4 & CR4.vme != 0 {
      guard let map = loadSystem(f.pointee.tr.base &+ 102, UInt16.self) else { return false }
      let at = UInt32(map) &- 32 &+ UInt32(vector >> 3)
      guard f.pointee.tr.limit >= 103, at <= f.pointee.tr.limit else { return fault(Vector.gp, code: 0) }
      guard let bits = loadSystem(f.pointee.tr.base &+ UInt64(at), UInt8.self) else { return false }
      if bits >> (vector & 7) & 1 == 0 {
        guard let entry = load(UInt64(vector) &* 4, UInt32.self, access(cpl: 3, write: false)) else {
          return false
        }
        var flags = rflags
        let virtualIF = f.pointee.systemFlags & RFLAGS.vif
        if iopl < 3 {
          flags = flags & ~RFLAGS.if | RFLAGS.iopl
          if virtualIF != 0 { flags |= RFLAGS.if }
        }
        let keptIF = f.pointee.systemFlags & RFLAGS.if
        guard enterPlain(UInt16(truncatingIfNeeded: entry >> 16), UInt16(truncatingIfNeeded: entry), flags)
        else {
          return false
        }
        if iopl < 3 { f.pointee.systemFlags = f.pointee.systemFlags & ~RFLAGS.vif | keptIF }
        return true
      }
    }
    if iopl < 3 { return fault(Vector.gp, code: 0) }
    return nil
  }
}
