import X86Core

// Whether SSE and MMX may be used now (SDM 3A table 13-1 and 12-1), and how they fault when not.

/// Leaves with #UD or #NM, whichever CR0 and CR4 ask for. Reached only when `sseBlocked` is set.
@inline(never)
func raiseSSEBlocked(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  recordSSEBlocked(CPU(cpu))
  raise(cpu, op, left)
}

@inline(never)
func recordSSEBlocked(_ c: CPU) {
  let f = c.f
  if f.pointee.cr0 & CR0.em != 0 || f.pointee.cr4 & CR4.osfxsr == 0 {
    c.fault(Vector.ud)
  } else {
    c.fault(Vector.nm)
  }
}

extension CPU {
  /// Whether an SSE instruction may go on. False: #UD or #NM recorded. For bodies of `slow`.
  @inline(__always)
  func mayUseSSE() -> Bool {
    if _fastPath(!f.pointee.sseBlocked) { return true }
    recordSSEBlocked(self)
    return false
  }

  /// Whether an MMX instruction may go on. False: #UD, #NM or #MF recorded.
  @inline(never)
  func mayUseMMX() -> Bool {
    if f.pointee.cr0 & CR0.em != 0 { return fault(Vector.ud) }
    if f.pointee.cr0 & CR0.ts != 0 { return fault(Vector.nm) }
    return hasNoPendingX87Exception()
  }

  /// An unmasked x87 exception waits for the next x87 or MMX instruction (SDM 1 8.7): the status word's ES. Without
  /// CR0.NE it would be an interrupt of a line that the board does not have.
  @inline(never)
  func hasNoPendingX87Exception() -> Bool {
    if f.pointee.x87Status & 0x80 == 0 || f.pointee.cr0 & CR0.ne == 0 { return true }
    return fault(Vector.mf)
  }

  /// What every MMX instruction but EMMS does to the x87's state: all registers valid, TOP zero (SDM 1 9.5.1).
  @inline(__always)
  func enterMMX() {
    f.pointee.x87Top = 0
    f.pointee.x87Empty = 0
  }

  /// MMX register `i` (0...7): the significand of a physical x87 register.
  @inline(__always)
  func mmx(_ i: UInt8) -> UInt64 {
    p.load(fromByteOffset: Layout.x87 &+ Int(i & 7) &* 16, as: UInt64.self)
  }
  /// Writes an MMX register; sign and exponent become ones (SDM 1 9.5.2).
  @inline(__always)
  func setMMX(_ i: UInt8, _ value: UInt64) {
    let at = Layout.x87 &+ Int(i & 7) &* 16
    p.storeBytes(of: value, toByteOffset: at, as: UInt64.self)
    p.storeBytes(of: 0xFFFF, toByteOffset: at &+ 8, as: UInt16.self)
  }
}
