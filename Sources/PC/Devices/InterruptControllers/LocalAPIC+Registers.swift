/// The registers: a page of memory in xAPIC mode, model-specific registers in x2APIC mode (SDM 3A table 11-1, 11-6).
extension LocalAPIC: MemoryMappedDevice {
  /// MSRs that are the local APIC's.
  public static let apicBaseMSR: UInt32 = 0x1B
  public static let tscDeadlineMSR: UInt32 = 0x6E0
  public static let x2APICMSRs: ClosedRange<UInt32> = 0x800...0x8FF

  /// Offset in the page ÷ 16, which is also the MSR − 0x800.
  enum Register {
    static let id = 0x02
    static let version = 0x03
    static let tpr = 0x08
    static let arbitration = 0x09
    static let ppr = 0x0A
    static let eoi = 0x0B
    static let remoteRead = 0x0C
    static let ldr = 0x0D
    static let dfr = 0x0E
    static let svr = 0x0F
    static let isr = 0x10
    static let tmr = 0x18
    static let irr = 0x20
    static let esr = 0x28
    static let icrLow = 0x30
    static let icrHigh = 0x31
    static let lvtTimer = 0x32
    static let lvtError = 0x37
    static let initialCount = 0x38
    static let currentCount = 0x39
    static let divideConfiguration = 0x3E
    static let selfIPI = 0x3F
  }

  /// Integrated APIC, six entries in the local vector table, no suppression of EOI broadcasts.
  static let version: UInt32 = 0x0005_0014
  /// Vector, delivery mode, destination mode, level, trigger, shorthand.
  static let icrWritable: UInt32 = 0x000C_CFFF
  /// Vector and software enable; focus checking is gone since the Pentium 4.
  static let svrWritable: UInt32 = 0x0000_01FF

  // MARK: Memory

  public func readMemory(offset: UInt64, size: Int) -> UInt64 {
    guard mappedBase != nil else { return .max }
    let value = UInt64(readRegister(Int(truncatingIfNeeded: offset >> 4 & 0xFF)))
    // Only the first four bytes of a line are defined.
    let shift = offset & 0xF
    return shift < 4 ? value >> (8 * shift) : 0
  }

  public func writeMemory(offset: UInt64, size: Int, value: UInt64) {
    guard mappedBase != nil, offset & 0xF == 0, size >= 4 else { return }
    let register = Int(truncatingIfNeeded: offset >> 4 & 0xFF)
    let value = UInt32(truncatingIfNeeded: value)
    switch register {
    case Register.ldr: apic.ldr = value & 0xFF00_0000
    case Register.dfr: apic.dfr = value | 0x0FFF_FFFF
    case Register.icrHigh: apic.icr = apic.icr & 0xFFFF_FFFF | UInt64(value & 0xFF00_0000) << 32
    case Register.icrLow: writeICR(apic.icr & ~0xFFFF_FFFF | UInt64(value & Self.icrWritable))
    case Register.selfIPI: raiseError(Self.esrIllegalRegister)
    default:
      if !writeRegister(register, value), !isReadOnly(register) { raiseError(Self.esrIllegalRegister) }
    }
  }

  /// Registers that both modes have. An undefined one reads as 0.
  private func readRegister(_ register: Int) -> UInt32 {
    switch register {
    case Register.id: return isX2APIC ? id : id << 24
    case Register.version: return Self.version
    case Register.tpr: return UInt32(apic.tpr)
    case Register.arbitration, Register.remoteRead, Register.eoi: return 0
    case Register.ppr: return UInt32(ppr)
    case Register.ldr: return apic.ldr
    case Register.dfr: return apic.dfr
    case Register.svr: return apic.svr
    case Register.isr..<Register.isr + 8: return apic.isr.register(register - Register.isr)
    case Register.tmr..<Register.tmr + 8: return apic.tmr.register(register - Register.tmr)
    case Register.irr..<Register.irr + 8:
      catchUpTimer()
      return apic.irr.register(register - Register.irr)
    case Register.esr: return apic.esr
    case Register.icrLow: return UInt32(truncatingIfNeeded: apic.icr)
    case Register.icrHigh: return UInt32(apic.icr >> 32)
    case Register.lvtTimer...Register.lvtError:
      guard let source = LocalVectorTable.Source(rawValue: register - Register.lvtTimer) else { return 0 }
      return apic.lvt[source]
    case Register.initialCount: return timerMode == .tscDeadline ? 0 : apic.timer.initialCount
    case Register.currentCount: return currentCount(at: timers.virtualTime)
    case Register.divideConfiguration: return apic.timer.divideConfiguration
    default:
      raiseError(Self.esrIllegalRegister)
      return 0
    }
  }

  private func isReadOnly(_ register: Int) -> Bool {
    switch register {
    case Register.id, Register.version, Register.arbitration, Register.ppr, Register.remoteRead,
      Register.isr..<Register.irr + 8, Register.currentCount:
      return true
    default: return false
    }
  }

  /// - Returns: false when there is no such register or it cannot be written.
  private func writeRegister(_ register: Int, _ value: UInt32) -> Bool {
    switch register {
    case Register.tpr:
      apic.tpr = UInt8(truncatingIfNeeded: value)
      update()
    case Register.eoi: endOfInterrupt()
    case Register.svr: writeSVR(value)
    case Register.esr:
      // A write makes the errors since the last one readable.
      apic.esr = apic.errors
      apic.errors = 0
    case Register.lvtTimer...Register.lvtError:
      guard let source = LocalVectorTable.Source(rawValue: register - Register.lvtTimer) else { return false }
      writeLVT(source, value)
    case Register.initialCount: writeInitialCount(value)
    case Register.divideConfiguration: writeDivideConfiguration(value)
    default: return false
    }
    return true
  }

  private func writeSVR(_ value: UInt32) {
    let wasEnabled = isSoftwareEnabled
    if wasEnabled { catchUpTimer() }
    apic.svr = value & Self.svrWritable
    if !isSoftwareEnabled {
      apic.lvt.maskAll()
      rearmTimer()
    }
    update()
    if isSoftwareEnabled, !wasEnabled { bus.retry() }
  }

  private func writeLVT(_ source: LocalVectorTable.Source, _ value: UInt32) {
    var entry = value & LocalVectorTable.writable(source)
    if !isSoftwareEnabled { entry |= LocalVectorTable.masked }
    if source == .timer {
      writeTimerVector(entry)
      return
    }
    if entry & LocalVectorTable.levelTriggered != 0 {
      entry |= apic.lvt[source] & LocalVectorTable.remoteIRR
    }
    apic.lvt[source] = entry
    // A level that waits at LINT0 is taken as soon as the entry lets it.
    if source == .lint0, apic.lint0, entry & LocalVectorTable.levelTriggered != 0 { deliverLocal(.lint0) }
    update()
  }

  // MARK: Interprocessor interrupts

  private func writeICR(_ value: UInt64) {
    apic.icr = value
    let low = UInt32(truncatingIfNeeded: value)
    var message = APICMessage(
      low: low, isLogical: low & 1 << 11 != 0, destination8: UInt8(truncatingIfNeeded: value >> 56))
    if isX2APIC { message.destination = UInt32(value >> 32) }
    // Interprocessor interrupts are edges. INIT level de-assert only set arbitration ids, long ago.
    message.isLevelTriggered = false
    let isAssert = low & 1 << 14 != 0
    if message.deliveryMode == .initialize, !isAssert { return }
    let needsVector = message.deliveryMode == .fixed || message.deliveryMode == .lowestPriority
    guard !needsVector || message.vector >= 16 else {
      raiseError(Self.esrSendIllegalVector)
      return
    }
    switch low >> 18 & 3 {
    case 0: bus.send(message)
    case 1: deliver(message)
    case 2: bus.send(message) { _ in true }
    default: bus.send(message) { $0 !== self }
    }
  }

  // MARK: Model-specific registers

  /// - Returns: nil for a general-protection exception, also when the MSR is not the local APIC's.
  public func readMSR(_ index: UInt32) -> UInt64? {
    switch index {
    case Self.apicBaseMSR: return apic.apicBase
    case Self.tscDeadlineMSR: return tscDeadline
    case Self.x2APICMSRs:
      guard isX2APIC else { return nil }
      let register = Int(index - Self.x2APICMSRs.lowerBound)
      switch register {
      case Register.icrLow: return apic.icr
      case Register.id, Register.version, Register.tpr, Register.ppr, Register.ldr, Register.svr,
        Register.isr..<Register.irr + 8, Register.esr, Register.lvtTimer...Register.currentCount,
        Register.divideConfiguration:
        return UInt64(readRegister(register))
      default: return nil
      }
    default: return nil
    }
  }

  /// - Returns: false for a general-protection exception; then nothing has changed.
  public func writeMSR(_ index: UInt32, _ value: UInt64) -> Bool {
    switch index {
    case Self.apicBaseMSR: return writeAPICBase(value)
    case Self.tscDeadlineMSR:
      tscDeadline = value
      return true
    case Self.x2APICMSRs:
      guard isX2APIC else { return false }
      return writeX2APIC(Int(index - Self.x2APICMSRs.lowerBound), value)
    default: return false
    }
  }

  private func writeX2APIC(_ register: Int, _ value: UInt64) -> Bool {
    let low = UInt32(truncatingIfNeeded: value)
    if register == Register.icrLow {
      guard low & ~Self.icrWritable == 0 else { return false }
      writeICR(value)
      return true
    }
    guard value >> 32 == 0 else { return false }
    switch register {
    case Register.selfIPI:
      guard low <= 0xFF else { return false }
      guard low >= 16 else {
        raiseError(Self.esrSendIllegalVector)
        return true
      }
      deliver(APICMessage(vector: UInt8(low), destination: id))
      return true
    case Register.eoi, Register.esr:
      guard low == 0 else { return false }
    case Register.tpr:
      guard low <= 0xFF else { return false }
    case Register.svr:
      guard low & ~Self.svrWritable == 0 else { return false }
    case Register.divideConfiguration:
      guard low & ~0xB == 0 else { return false }
    case Register.lvtTimer...Register.lvtError:
      guard let source = LocalVectorTable.Source(rawValue: register - Register.lvtTimer) else { return false }
      // Delivery status and remote IRR are read-only, not reserved.
      let readOnly: UInt32 = 1 << 12 | LocalVectorTable.remoteIRR
      guard low & ~(LocalVectorTable.writable(source) | readOnly) == 0 else { return false }
    default: break
    }
    return writeRegister(register, low)
  }

  /// The transitions of SDM 3A figure 11-27.
  private func writeAPICBase(_ value: UInt64) -> Bool {
    let known = Self.baseIsBootstrap | Self.baseX2APIC | Self.baseEnable | 0x000F_FFFF_FFFF_F000
    let modes = Self.baseEnable | Self.baseX2APIC
    guard value & ~known == 0, value & modes != Self.baseX2APIC else { return false }
    let was = apic.apicBase & modes
    let becomes = value & modes
    // x2APIC is left only by disabling the APIC, and entered only from xAPIC mode.
    if was == modes, becomes == Self.baseEnable { return false }
    if was == 0, becomes == modes { return false }
    catchUpTimer()
    apic.apicBase = value
    if becomes == 0, was != 0 {
      initialize()
    } else if becomes == modes, was != modes {
      apic.ldr = x2LogicalID
      apic.icr &= 0xFFFF_FFFF
    }
    onBaseChange?()
    update()
    return true
  }
}
