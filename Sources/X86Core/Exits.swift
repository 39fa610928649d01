/// Exception vectors (SDM 3A, table 6-1).
public enum Vector {
  public static let de: UInt8 = 0, db: UInt8 = 1, nmi: UInt8 = 2, bp: UInt8 = 3, of: UInt8 = 4, br: UInt8 = 5
  public static let ud: UInt8 = 6, nm: UInt8 = 7, df: UInt8 = 8, ts: UInt8 = 10, np: UInt8 = 11, ss: UInt8 = 12
  public static let gp: UInt8 = 13, pf: UInt8 = 14, mf: UInt8 = 16, ac: UInt8 = 17, mc: UInt8 = 18, xm: UInt8 = 19
  public static let cp: UInt8 = 21
}

/// Where a fault or trap comes from; decides about gate privilege checks and the return address (SDM 3A 6.12.1.2).
public enum FaultKind {
  /// A fault, or a trap that the processor raises itself.
  public static let exception: UInt8 = 0
  /// INT n: the gate's DPL counts.
  public static let softwareInterrupt: UInt8 = 1
  /// INT3 and INTO: the gate's DPL counts, no VME redirection.
  public static let softwareException: UInt8 = 2
  /// INT1 (F1): the gate's DPL does not count.
  public static let privilegedException: UInt8 = 3
  /// An interrupt from outside.
  public static let external: UInt8 = 4
  /// No event: the instruction meets a data breakpoint and is to be executed again, alone.
  public static let restart: UInt8 = 5
  /// #DB as a trap: single step, data and I/O breakpoints.
  public static let debugTrap: UInt8 = 6
}

extension CPU {
  /// Records a fault; the caller then leaves by `raise`. Returns false so that slow paths can `return` it.
  @discardableResult
  public func fault(_ vector: UInt8, code: UInt32? = nil) -> Bool {
    f.pointee.faultVector = vector
    f.pointee.faultHasCode = code != nil
    f.pointee.faultCode = code ?? 0
    f.pointee.faultKind = FaultKind.exception
    return false
  }

  /// Records a page fault with the address for CR2.
  @discardableResult
  public func pageFault(_ linear: UInt64, code: UInt32) -> Bool {
    f.pointee.faultAddress = linear
    return fault(Vector.pf, code: code)
  }
}

/// Leaves the chain with the recorded fault: this operation and the rest of its block have not happened.
@inline(never)
public func raise(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  let f = CPU(cpu).f
  let op = OpRef(op)
  f.pointee.rip = op.rip
  f.pointee.exitLeft = left &+ Int(op.after) &+ 1
  f.pointee.exitReason = .fault
}

/// Leaves the chain with a trap (INT n, single-step, …): this operation has retired, `rip` is behind it.
@inline(never)
public func raiseTrap(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  let f = CPU(cpu).f
  let op = OpRef(op)
  f.pointee.rip = op.nextRIP
  f.pointee.exitLeft = left &+ Int(op.after)
  f.pointee.exitReason = .trap
}

/// Leaves the chain behind this operation, which has retired; the driver goes on at the next instruction.
@inline(never)
public func resume(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  let f = CPU(cpu).f
  let op = OpRef(op)
  f.pointee.rip = op.nextRIP
  f.pointee.exitLeft = left &+ Int(op.after)
  f.pointee.exitReason = .resume
}

/// Leaves the chain at `f.rip`, which the operation (retired, a jump of some kind) has set.
@inline(never)
public func resumeAtRIP(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  let f = CPU(cpu).f
  f.pointee.exitLeft = left &+ Int(OpRef(op).after)
  f.pointee.exitReason = .resume
}

/// Leaves the chain through an exit slot whose successor cannot be entered: not linked, stale, or budget too small.
/// `left` is what is left at the jump's destination.
@inline(never)
public func leave(_ cpu: UnsafeMutableRawPointer, _ slot: UnsafeRawPointer, _ left: Int) {
  let f = CPU(cpu).f
  f.pointee.rip = slot.load(fromByteOffset: ExitSlot.targetRIP, as: UInt64.self)
  f.pointee.exitLeft = left
  f.pointee.exitSlot = UInt(bitPattern: slot)
  f.pointee.exitReason = .link
}

/// Follows an exit slot inside a page: `left` is what is left at the jump's destination.
@inlinable @inline(__always)
public func follow(_ cpu: UnsafeMutableRawPointer, _ slot: UnsafeRawPointer, _ left: Int) {
  let target = UnsafeRawPointer(
    bitPattern: slot.load(fromByteOffset: ExitSlot.successor, as: UInt.self)
  ).unsafelyUnwrapped
  let rest = left &- target.load(as: Int.self)
  if _slowPath(rest < 0) { return leave(cpu, slot, left) }
  return dispatch(cpu, target + Op.stride, rest)
}

/// Follows an exit slot to another page: the link holds only while the fetch key is the one it was made under.
@inlinable @inline(__always)
public func followFar(_ cpu: UnsafeMutableRawPointer, _ slot: UnsafeRawPointer, _ left: Int) {
  let f = CPU(cpu).f
  let rip = slot.load(fromByteOffset: ExitSlot.targetRIP, as: Int64.self)
  let key = rip < 0 ? f.pointee.fetchKeyHigh : f.pointee.fetchKeyLow
  if _slowPath(slot.load(fromByteOffset: ExitSlot.key, as: UInt32.self) != UInt32(truncatingIfNeeded: key)) {
    return leave(cpu, slot, left)
  }
  return follow(cpu, slot, left)
}

public enum JumpCache {
  @inlinable @inline(__always)
  public static func index(_ rip: UInt64) -> UInt64 {
    (rip ^ (rip &>> 13)) & UInt64(Layout.jumpCacheEntries &- 1)
  }
}

/// Leaves the chain towards `rip`; `left` is what is left there.
@inline(never)
public func leaveIndirect(_ cpu: UnsafeMutableRawPointer, _ rip: UInt64, _ left: Int) {
  let f = CPU(cpu).f
  f.pointee.rip = rip
  f.pointee.exitLeft = left
  f.pointee.exitReason = .resume
}
