/// Bits of DR6 (SDM 3B 18.2.3).
public enum DR6 {
  /// B0–B3: which of the four breakpoints was met.
  public static let breakpoints: UInt64 = 0xF
  /// BD: a debug register was to be used while DR7.GD was set. BS: single step. BT: the T flag of a new task's TSS.
  public static let bd: UInt64 = 1 << 13, bs: UInt64 = 1 << 14, bt: UInt64 = 1 << 15
  /// What reads as one.
  public static let fixed: UInt64 = 0xFFFF_0FF0
}

/// Bits of DR7 (SDM 3B 18.2.4).
public enum DR7 {
  /// General detect: debug registers must not be used.
  public static let gd: UInt64 = 1 << 13
  /// L0–L3 and LE, which a task switch clears.
  public static let local: UInt64 = 0x155
  /// What reads as one.
  public static let fixed: UInt64 = 0x400
}

/// What a breakpoint is for, as the R/W fields of DR7 say it.
public enum BreakpointCondition {
  public static let execution: UInt64 = 0, write: UInt64 = 1, io: UInt64 = 2, access: UInt64 = 3
}

/// Kinds of breakpoints that DR7 enables, a bit each: what the driver and the slow paths of accesses look at.
public enum ArmedBreakpoints {
  public static let execution: UInt8 = 1
  public static let data: UInt8 = 2
  public static let io: UInt8 = 4
}

/// Hardware breakpoints (SDM 3B 18.2).
///
/// Instruction breakpoints are looked for by the driver, which follows no links while one is armed. Data breakpoints
/// cost nothing elsewhere: watched pages are not in the fast TLBs, so accesses to them take the slow way, which compares.
/// Inside a block an access that meets one leaves with `FaultKind.restart`, nothing changed; the driver then executes
/// that instruction alone, with `debugRecords` set, and the trap follows it.
extension CPU {
  /// Linear address in DR0–DR3.
  public func breakpointAddress(_ i: Int) -> UInt64 {
    switch i {
    case 0: return f.pointee.dr.0
    case 1: return f.pointee.dr.1
    case 2: return f.pointee.dr.2
    default: return f.pointee.dr.3
    }
  }

  /// Whether breakpoint `i` is enabled, locally or globally.
  private func isEnabled(_ i: Int) -> Bool { f.pointee.dr7 >> UInt64(2 &* i) & 3 != 0 }
  private func condition(_ i: Int) -> UInt64 { f.pointee.dr7 >> UInt64(16 &+ 4 &* i) & 3 }
  /// Bytes that breakpoint `i` covers; its address is aligned to them.
  private func length(_ i: Int) -> UInt64 {
    switch f.pointee.dr7 >> UInt64(18 &+ 4 &* i) & 3 {
    case 0: return 1
    case 1: return 2
    case 2: return 8
    default: return 4
    }
  }

  /// To be called after DR0–DR3, DR7 or CR4.DE changed.
  public func updateBreakpoints() {
    var armed: UInt8 = 0
    for i in 0..<4 where isEnabled(i) {
      switch condition(i) {
      case BreakpointCondition.execution: armed |= ArmedBreakpoints.execution
      case BreakpointCondition.io:
        // Undefined without CR4.DE: nothing.
        if f.pointee.cr4 & CR4.de != 0 { armed |= ArmedBreakpoints.io }
      default: armed |= ArmedBreakpoints.data
      }
    }
    f.pointee.armedBreakpoints = armed
    if armed & ArmedBreakpoints.data != 0 { clearFastTLBs() }
  }

  /// DR6 bits of the instruction breakpoints at a linear address.
  public func executionBreakpoints(at linear: UInt64) -> UInt64 {
    var met: UInt64 = 0
    for i in 0..<4 where isEnabled(i) && condition(i) == BreakpointCondition.execution {
      if breakpointAddress(i) == linear { met |= 1 << UInt64(i) }
    }
    return met
  }

  /// Whether an instruction breakpoint lies among these bytes of code.
  public func hasExecutionBreakpoint(_ linear: UInt64, _ count: UInt64) -> Bool {
    for i in 0..<4 where isEnabled(i) && condition(i) == BreakpointCondition.execution {
      if breakpointAddress(i) &- linear < count { return true }
    }
    return false
  }

  /// Whether a page must stay out of the fast TLBs.
  @inlinable
  public func isWatched(page linear: UInt64) -> Bool {
    if _fastPath(f.pointee.armedBreakpoints & ArmedBreakpoints.data == 0) { return false }
    return hasDataBreakpoint(page: linear & TLBEntry.pageMask)
  }

  @inline(never) @usableFromInline
  func hasDataBreakpoint(page: UInt64) -> Bool {
    for i in 0..<4 where isEnabled(i) && condition(i) & 1 != 0 {
      if breakpointAddress(i) & TLBEntry.pageMask == page { return true }
    }
    return false
  }

  /// Notes the data breakpoints that an access meets. True: the instruction must be executed again, alone.
  @inline(never)
  public func meetsDataBreakpoint(_ linear: UInt64, _ size: Int, write: Bool) -> Bool {
    var met: UInt64 = 0
    for i in 0..<4 where isEnabled(i) && condition(i) & 1 != 0 {
      if !write && condition(i) == BreakpointCondition.write { continue }
      let first = breakpointAddress(i) & ~(length(i) &- 1)
      if linear &- first < length(i) || first &- linear < UInt64(size) { met |= 1 << UInt64(i) }
    }
    if met == 0 { return false }
    if f.pointee.debugRecords {
      f.pointee.debugMet |= met
      return false
    }
    fault(Vector.db)
    f.pointee.faultKind = FaultKind.restart
    return true
  }

  /// Whether an access to a device has to wait until its instruction is executed alone: it could not be taken back if the
  /// instruction met a data breakpoint afterwards.
  func restartsBeforeDevice() -> Bool {
    if _fastPath(f.pointee.armedBreakpoints & ArmedBreakpoints.data == 0 || f.pointee.debugRecords) { return false }
    fault(Vector.db)
    f.pointee.faultKind = FaultKind.restart
    return true
  }

  /// Notes the I/O breakpoints that a port access meets.
  public func noteIOBreakpoints(_ port: UInt16, _ size: Int) {
    if _fastPath(f.pointee.armedBreakpoints & ArmedBreakpoints.io == 0) { return }
    let port = UInt64(port)
    for i in 0..<4 where isEnabled(i) && condition(i) == BreakpointCondition.io {
      let first = breakpointAddress(i) & ~(length(i) &- 1)
      if port &- first < length(i) || first &- port < UInt64(size) { f.pointee.debugMet |= 1 << UInt64(i) }
    }
  }

  /// What a debug exception leaves in DR6: B0–B3 are its own, the other bits stay (SDM 3B 18.2.3).
  public func setDebugStatus(_ bits: UInt64) {
    f.pointee.dr6 = f.pointee.dr6 & ~DR6.breakpoints | bits
  }

  /// Empties the fast data tables; translations in force stay.
  public func clearFastTLBs() {
    let first = p + Layout.tlb
    for i in 0..<(Layout.tlbView &* Layout.tlbViews / 16) {
      first.storeBytes(of: TLBEntry.empty, toByteOffset: i &* 16, as: UInt64.self)
    }
  }
}
