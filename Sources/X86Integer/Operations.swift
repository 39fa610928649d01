import X86Core

/// What an arithmetic or logical instruction does to two values of one width, flags included.
protocol BinaryOperation {
  /// Whether the result is written back (not for CMP and TEST).
  static var writes: Bool { get }
  static func apply<T: Width>(_ cpu: CPU, _ a: T, _ b: T) -> T
}

enum Add: BinaryOperation {
  static var writes: Bool { true }
  @inline(__always) static func apply<T: Width>(_ cpu: CPU, _ a: T, _ b: T) -> T {
    let r = a &+ b
    cpu.setFlags(FlagKind.add, r, a)
    return r
  }
}
enum Adc: BinaryOperation {
  static var writes: Bool { true }
  @inline(__always) static func apply<T: Width>(_ cpu: CPU, _ a: T, _ b: T) -> T {
    let carry: UInt64 = cpu.carryFlag ? 1 : 0
    let r = a &+ b &+ T(truncatingIfNeeded: carry)
    cpu.setFlags(FlagKind.add &+ carry &* (FlagKind.adc &- FlagKind.add), r, a)
    return r
  }
}
enum Sub: BinaryOperation {
  static var writes: Bool { true }
  @inline(__always) static func apply<T: Width>(_ cpu: CPU, _ a: T, _ b: T) -> T {
    let r = a &- b
    cpu.setFlags(FlagKind.sub, r, a)
    return r
  }
}
enum Sbb: BinaryOperation {
  static var writes: Bool { true }
  @inline(__always) static func apply<T: Width>(_ cpu: CPU, _ a: T, _ b: T) -> T {
    let borrow: UInt64 = cpu.carryFlag ? 1 : 0
    let r = a &- b &- T(truncatingIfNeeded: borrow)
    cpu.setFlags(FlagKind.sub &+ borrow &* (FlagKind.sbb &- FlagKind.sub), r, a)
    return r
  }
}
enum Cmp: BinaryOperation {
  static var writes: Bool { false }
  @inline(__always) static func apply<T: Width>(_ cpu: CPU, _ a: T, _ b: T) -> T {
    let r = a &- b
    cpu.setFlags(FlagKind.sub, r, a)
    return r
  }
}
enum And: BinaryOperation {
  static var writes: Bool { true }
  @inline(__always) static func apply<T: Width>(_ cpu: CPU, _ a: T, _ b: T) -> T {
    let r = a & b
    cpu.setLogicFlags(r)
    return r
  }
}
enum Or: BinaryOperation {
  static var writes: Bool { true }
  @inline(__always) static func apply<T: Width>(_ cpu: CPU, _ a: T, _ b: T) -> T {
    let r = a | b
    cpu.setLogicFlags(r)
    return r
  }
}
enum Xor: BinaryOperation {
  static var writes: Bool { true }
  @inline(__always) static func apply<T: Width>(_ cpu: CPU, _ a: T, _ b: T) -> T {
    let r = a ^ b
    cpu.setLogicFlags(r)
    return r
  }
}
enum Test: BinaryOperation {
  static var writes: Bool { false }
  @inline(__always) static func apply<T: Width>(_ cpu: CPU, _ a: T, _ b: T) -> T {
    let r = a & b
    cpu.setLogicFlags(r)
    return r
  }
}

// MARK: One operand; `b` is not looked at.

enum Inc: BinaryOperation {
  static var writes: Bool { true }
  @inline(__always) static func apply<T: Width>(_ cpu: CPU, _ a: T, _ b: T) -> T {
    let carry: T = cpu.carryFlag ? 1 : 0
    let r = a &+ 1
    cpu.setFlags(FlagKind.inc, r, carry)
    return r
  }
}
enum Dec: BinaryOperation {
  static var writes: Bool { true }
  @inline(__always) static func apply<T: Width>(_ cpu: CPU, _ a: T, _ b: T) -> T {
    let carry: T = cpu.carryFlag ? 1 : 0
    let r = a &- 1
    cpu.setFlags(FlagKind.dec, r, carry)
    return r
  }
}
enum Neg: BinaryOperation {
  static var writes: Bool { true }
  @inline(__always) static func apply<T: Width>(_ cpu: CPU, _ a: T, _ b: T) -> T {
    let r = 0 &- a
    cpu.setFlags(FlagKind.sub, r, 0)
    return r
  }
}
enum Not: BinaryOperation {
  static var writes: Bool { true }
  @inline(__always) static func apply<T: Width>(_ cpu: CPU, _ a: T, _ b: T) -> T { ~a }
}

// MARK: Shifts and rotates: `b` is the count. SDM 2B: "SAL/SAR/SHL/SHR", "RCL/RCR/ROL/ROR".

/// The count as the processor masks it.
@inline(__always) func shiftCount<T: Width>(_ b: T) -> UInt64 {
  UInt64(truncatingIfNeeded: b) & (MemoryLayout<T>.size == 8 ? 63 : 31)
}

enum Shl: BinaryOperation {
  static var writes: Bool { true }
  @inline(__always) static func apply<T: Width>(_ cpu: CPU, _ a: T, _ b: T) -> T {
    let count = shiftCount(b)
    if count == 0 { return a }
    let last = T(truncatingIfNeeded: UInt64(truncatingIfNeeded: a) &<< (count &- 1))
    let r = last &+ last
    cpu.setFlags(FlagKind.shl, r, last)
    return r
  }
}
enum Shr: BinaryOperation {
  static var writes: Bool { true }
  @inline(__always) static func apply<T: Width>(_ cpu: CPU, _ a: T, _ b: T) -> T {
    let count = shiftCount(b)
    if count == 0 { return a }
    let last = T(truncatingIfNeeded: UInt64(truncatingIfNeeded: a) &>> (count &- 1))
    let r = last &>> 1
    cpu.setFlags(FlagKind.shr, r, last)
    return r
  }
}
enum Sar: BinaryOperation {
  static var writes: Bool { true }
  @inline(__always) static func apply<T: Width>(_ cpu: CPU, _ a: T, _ b: T) -> T {
    let count = Int64(truncatingIfNeeded: shiftCount(b))
    if count == 0 { return a }
    let last = Int64(truncatingIfNeeded: T.Signed(truncatingIfNeeded: a)) &>> (count &- 1)
    let r = T(truncatingIfNeeded: last &>> 1)
    cpu.setFlags(FlagKind.sar, r, T(truncatingIfNeeded: last))
    return r
  }
}

/// Sets CF and OF, keeps the other flags.
@inline(never)
func setCarryAndOverflow(_ cpu: CPU, _ carry: UInt64, _ overflow: UInt64) {
  cpu.setStatusFlags(
    (cpu.statusFlags & ~(RFLAGS.cf | RFLAGS.of)) | (carry & 1) | ((overflow & 1) &<< 11))
}

enum Rol: BinaryOperation {
  static var writes: Bool { true }
  @inline(__always) static func apply<T: Width>(_ cpu: CPU, _ a: T, _ b: T) -> T {
    let count = shiftCount(b)
    if count == 0 { return a }
    let n = T(truncatingIfNeeded: count)
    let r = (a &<< n) | (a &>> (0 &- n))
    let top = UInt64(truncatingIfNeeded: r &>> T(truncatingIfNeeded: T.bitWidth - 1))
    setCarryAndOverflow(cpu, UInt64(truncatingIfNeeded: r & 1), top ^ UInt64(truncatingIfNeeded: r & 1))
    return r
  }
}
enum Ror: BinaryOperation {
  static var writes: Bool { true }
  @inline(__always) static func apply<T: Width>(_ cpu: CPU, _ a: T, _ b: T) -> T {
    let count = shiftCount(b)
    if count == 0 { return a }
    let n = T(truncatingIfNeeded: count)
    let r = (a &>> n) | (a &<< (0 &- n))
    let top = UInt64(truncatingIfNeeded: r &>> T(truncatingIfNeeded: T.bitWidth - 1))
    let below = UInt64(truncatingIfNeeded: r &>> T(truncatingIfNeeded: T.bitWidth - 2)) & 1
    setCarryAndOverflow(cpu, top, top ^ below)
    return r
  }
}
enum Rcl: BinaryOperation {
  static var writes: Bool { true }
  @inline(__always) static func apply<T: Width>(_ cpu: CPU, _ a: T, _ b: T) -> T {
    var count = shiftCount(b)
    if T.bitWidth < 32 { count %= UInt64(T.bitWidth + 1) }
    if count == 0 { return a }
    var carry: T = cpu.carryFlag ? 1 : 0
    var r = a
    for _ in 0..<count {
      let out = r &>> T(truncatingIfNeeded: T.bitWidth - 1)
      r = (r &<< 1) | carry
      carry = out
    }
    let top = UInt64(truncatingIfNeeded: r &>> T(truncatingIfNeeded: T.bitWidth - 1))
    setCarryAndOverflow(cpu, UInt64(truncatingIfNeeded: carry), top ^ UInt64(truncatingIfNeeded: carry))
    return r
  }
}
enum Rcr: BinaryOperation {
  static var writes: Bool { true }
  @inline(__always) static func apply<T: Width>(_ cpu: CPU, _ a: T, _ b: T) -> T {
    var count = shiftCount(b)
    if T.bitWidth < 32 { count %= UInt64(T.bitWidth + 1) }
    if count == 0 { return a }
    var carry: T = cpu.carryFlag ? 1 : 0
    var r = a
    for _ in 0..<count {
      let out = r & 1
      r = (r &>> 1) | (carry &<< T(truncatingIfNeeded: T.bitWidth - 1))
      carry = out
    }
    let top = UInt64(truncatingIfNeeded: r &>> T(truncatingIfNeeded: T.bitWidth - 1))
    let below = UInt64(truncatingIfNeeded: r &>> T(truncatingIfNeeded: T.bitWidth - 2)) & 1
    setCarryAndOverflow(cpu, UInt64(truncatingIfNeeded: carry), top ^ below)
    return r
  }
}

// MARK: Bit tests on a register or an aligned memory operand: `b` is the bit number, taken modulo the width.

protocol BitChange { static func change<T: Width>(_ a: T, _ bit: T) -> T }
enum Keep: BitChange { @inline(__always) static func change<T: Width>(_ a: T, _ bit: T) -> T { a } }
enum SetBit: BitChange { @inline(__always) static func change<T: Width>(_ a: T, _ bit: T) -> T { a | bit } }
enum ResetBit: BitChange { @inline(__always) static func change<T: Width>(_ a: T, _ bit: T) -> T { a & ~bit } }
enum ComplementBit: BitChange { @inline(__always) static func change<T: Width>(_ a: T, _ bit: T) -> T { a ^ bit } }

/// Sets CF, keeps the other flags.
@inline(never)
func setCarry(_ cpu: CPU, _ carry: UInt64) {
  cpu.setStatusFlags((cpu.statusFlags & ~RFLAGS.cf) | (carry & 1))
}

@inline(__always)
func testBit<C: BitChange, T: Width>(_: C.Type, _ cpu: CPU, _ a: T, _ bit: T) -> T {
  let n = bit & T(truncatingIfNeeded: T.bitWidth - 1)
  setCarry(cpu, UInt64(truncatingIfNeeded: (a &>> n) & 1))
  return C.change(a, 1 &<< n)
}

enum Bt: BinaryOperation {
  static var writes: Bool { false }
  @inline(__always) static func apply<T: Width>(_ cpu: CPU, _ a: T, _ b: T) -> T { testBit(Keep.self, cpu, a, b) }
}
enum Bts: BinaryOperation {
  static var writes: Bool { true }
  @inline(__always) static func apply<T: Width>(_ cpu: CPU, _ a: T, _ b: T) -> T { testBit(SetBit.self, cpu, a, b) }
}
enum Btr: BinaryOperation {
  static var writes: Bool { true }
  @inline(__always) static func apply<T: Width>(_ cpu: CPU, _ a: T, _ b: T) -> T {
    testBit(ResetBit.self, cpu, a, b)
  }
}
enum Btc: BinaryOperation {
  static var writes: Bool { true }
  @inline(__always) static func apply<T: Width>(_ cpu: CPU, _ a: T, _ b: T) -> T {
    testBit(ComplementBit.self, cpu, a, b)
  }
}
