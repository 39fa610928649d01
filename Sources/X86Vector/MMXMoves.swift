import X86Core

// What only MMX registers do: moves, exchanges with XMM and general registers, EMMS. All rare, one handler each.

extension CPU {
  /// As `mayUseMMX`, for instructions that also use XMM registers.
  func mayUseSSEAndMMX() -> Bool { mayUseSSE() && hasNoPendingX87Exception() }
}

/// MOVQ mm, mm/m64; MOVD mm, m32 (operand size 4).
@inline(__always)
func loadMMX(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  slow(cpu, op, left) { c, o in
    guard c.mayUseMMX(), let value = c.readMMX(o) else { return .fault }
    c.enterMMX()
    c.setMMX(o.d, value)
    return .next
  }
}
/// MOVD, MOVQ mm, r.
@inline(__always)
func generalToMMX(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  slow(cpu, op, left) { c, o in
    guard c.mayUseMMX() else { return .fault }
    c.enterMMX()
    c.setMMX(o.d, c.register(o.s, size: o.operandSize))
    return .next
  }
}
/// MOVQ mm/m64, mm; MOVNTQ; MOVD m32, mm (operand size 4).
@inline(__always)
func storeMMX(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  slow(cpu, op, left) { c, o in
    guard c.mayUseMMX() else { return .fault }
    let value = c.mmx(o.d)
    if o.isMemory {
      let stored = o.operandSize == 4 ? c.writeM(o, UInt32(truncatingIfNeeded: value)) : c.writeM(o, value)
      if !stored { return .fault }
      c.enterMMX()
    } else {
      c.enterMMX()
      c.setMMX(o.s, value)
    }
    return .next
  }
}
/// MOVD, MOVQ r, mm.
@inline(__always)
func mmxToGeneral(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  slow(cpu, op, left) { c, o in
    guard c.mayUseMMX() else { return .fault }
    c.enterMMX()
    c.setRegister(o.s, size: o.operandSize, c.mmx(o.d))
    return .next
  }
}
@inline(__always)
func pinsrwMMX(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  slow(cpu, op, left) { c, o in
    guard c.mayUseMMX() else { return .fault }
    let value: UInt16
    if o.isMemory {
      guard let read = c.readM(o, UInt16.self) else { return .fault }
      value = read
    } else {
      value = c.reg(o.s, UInt16.self)
    }
    c.enterMMX()
    c.setMMX(o.d, V128(low: c.mmx(o.d)).with(Int(o.byte & 3), value)[0])
    return .next
  }
}
@inline(__always)
func pextrwMMX(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  slow(cpu, op, left) { c, o in
    guard c.mayUseMMX() else { return .fault }
    c.enterMMX()
    c.setR64(o.d, UInt64(V128(low: c.mmx(o.s)).lane(Int(o.byte & 3), UInt16.self)))
    return .next
  }
}
@inline(__always)
func pmovmskbMMX(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  slow(cpu, op, left) { c, o in
    guard c.mayUseMMX() else { return .fault }
    c.enterMMX()
    c.setR64(o.d, SignMask<Int8>.mask(V128(low: c.mmx(o.s)), count: 8))
    return .next
  }
}
/// MOVQ2DQ
@inline(__always)
func mmxToXMM(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  slow(cpu, op, left) { c, o in
    guard c.mayUseSSEAndMMX() else { return .fault }
    c.enterMMX()
    c.setXMM(o.d, V128(low: c.mmx(o.s)))
    return .next
  }
}
/// MOVDQ2Q
@inline(__always)
func xmmToMMX(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  slow(cpu, op, left) { c, o in
    guard c.mayUseSSEAndMMX() else { return .fault }
    c.enterMMX()
    c.setMMX(o.d, c.xmm(o.s)[0])
    return .next
  }
}
/// EMMS: every register is empty (SDM 1 9.6.3).
@inline(__always)
func emms(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  slow(cpu, op, left) { c, _ in
    guard c.mayUseMMX() else { return .fault }
    c.f.pointee.x87Top = 0
    c.f.pointee.x87Empty = 0xFF
    return .next
  }
}

struct MMXHandlers {
  let load = handler { loadMMX($0, $1, $2) }
  let store = handler { storeMMX($0, $1, $2) }
  let fromGeneral = handler { generalToMMX($0, $1, $2) }
  let toGeneral = handler { mmxToGeneral($0, $1, $2) }
  let pinsrw = handler { pinsrwMMX($0, $1, $2) }
  let pextrw = handler { pextrwMMX($0, $1, $2) }
  let pmovmskb = handler { pmovmskbMMX($0, $1, $2) }
  let movq2dq = handler { mmxToXMM($0, $1, $2) }
  let movdq2q = handler { xmmToMMX($0, $1, $2) }
  let emms = handler { X86Vector.emms($0, $1, $2) }
}
