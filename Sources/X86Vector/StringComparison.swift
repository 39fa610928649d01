import X86Core

// PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM (SDM 2B 4.1).

/// How many elements of a string count.
protocol StringLength {
  static func lengths(_ c: CPU, _ a: V128, _ b: V128, wide: Bool, quad: Bool) -> (Int, Int)
}
/// |rAX| and |rDX|, at most a register full.
enum ExplicitLength: StringLength {
  @inline(__always)
  static func lengths(_ c: CPU, _ a: V128, _ b: V128, wide: Bool, quad: Bool) -> (Int, Int) {
    (one(c, GPR.rax, wide, quad), one(c, GPR.rdx, wide, quad))
  }
  @inline(__always)
  private static func one(_ c: CPU, _ register: UInt8, _ wide: Bool, _ quad: Bool) -> Int {
    let limit: UInt64 = wide ? 8 : 16
    let value = quad ? c.r64(register) : UInt64(bitPattern: Int64(c.reg(register, Int32.self)))
    return Int(min(Int64(bitPattern: value).magnitude, limit))
  }
}
/// Up to the first zero element.
enum ImplicitLength: StringLength {
  @inline(__always)
  static func lengths(_ c: CPU, _ a: V128, _ b: V128, wide: Bool, quad: Bool) -> (Int, Int) {
    (one(a, wide), one(b, wide))
  }
  @inline(__always)
  private static func one(_ v: V128, _ wide: Bool) -> Int {
    let count = wide ? 8 : 16
    var n = 0
    while n < count, wide ? v.lane(n, UInt16.self) != 0 : v.lane(n, UInt8.self) != 0 { n &+= 1 }
    return n
  }
}

/// The comparison itself.
enum StringComparison {
  struct Result {
    /// IntRes2, a bit an element.
    var bits: UInt32
    var flags: UInt64
  }

  @inline(never)
  static func compare(_ a: V128, _ b: V128, _ imm: UInt8, _ lengthA: Int, _ lengthB: Int) -> Result {
    let wide = imm & 1 != 0
    let signed = imm & 2 != 0
    let count = wide ? 8 : 16
    func element(_ v: V128, _ i: Int) -> Int32 {
      switch (wide, signed) {
      case (false, false): return Int32(v.lane(i, UInt8.self))
      case (false, true): return Int32(v.lane(i, Int8.self))
      case (true, false): return Int32(v.lane(i, UInt16.self))
      case (true, true): return Int32(v.lane(i, Int16.self))
      }
    }
    var bits: UInt32 = 0
    for j in 0..<count {
      var holds: Bool
      switch (imm >> 2) & 3 {
      case 0:  // equal any: b[j] is one of a's
        holds = false
        if j < lengthB {
          for i in 0..<lengthA where element(a, i) == element(b, j) { holds = true }
        }
      case 1:  // ranges: pairs of a
        holds = false
        if j < lengthB {
          var i = 0
          while i &+ 1 < lengthA {
            let x = element(b, j)
            if element(a, i) <= x && x <= element(a, i &+ 1) { holds = true }
            i &+= 2
          }
        }
      case 2:  // equal each: both ended counts as equal, one ended as different
        if j < lengthA && j < lengthB {
          holds = element(a, j) == element(b, j)
        } else {
          holds = j >= lengthA && j >= lengthB
        }
      default:  // equal ordered: a is found in b at j; what lies beyond the register is not compared
        holds = true
        var i = 0
        while i < lengthA && i &+ j < count {
          if i &+ j >= lengthB || element(a, i) != element(b, i &+ j) { holds = false }
          i &+= 1
        }
      }
      if holds { bits |= 1 << UInt32(j) }
    }
    let all: UInt32 = wide ? 0xFF : 0xFFFF
    switch (imm >> 4) & 3 {
    case 1: bits ^= all
    case 3: bits ^= lengthB >= 16 ? all : all & ((1 << UInt32(lengthB)) &- 1)
    default: break
    }
    var flags: UInt64 = 0
    if bits != 0 { flags |= RFLAGS.cf }
    if lengthB < count { flags |= RFLAGS.zf }
    if lengthA < count { flags |= RFLAGS.sf }
    if bits & 1 != 0 { flags |= RFLAGS.of }
    return Result(bits: bits, flags: flags)
  }
}

/// PCMPESTRI, PCMPISTRI: the first or last place in ECX. Operand size 8: 64-bit lengths.
enum StringIndex<L: StringLength>: VectorReader {
  @inline(__always) static func consume(_ c: CPU, _ o: OpRef, _ a: V128, _ b: V128) -> Bool {
    let wide = o.byte & 1 != 0
    let (la, lb) = L.lengths(c, a, b, wide: wide, quad: o.operandSize == 8)
    let r = StringComparison.compare(a, b, o.byte, la, lb)
    let index: Int
    if r.bits == 0 {
      index = wide ? 8 : 16
    } else {
      index = o.byte & 0x40 != 0 ? 31 &- r.bits.leadingZeroBitCount : r.bits.trailingZeroBitCount
    }
    c.setR64(GPR.rcx, UInt64(truncatingIfNeeded: index))
    c.setStatusFlags(r.flags)
    return true
  }
}
/// PCMPESTRM, PCMPISTRM: a mask of bits or elements in XMM0.
enum StringMask<L: StringLength>: VectorReader {
  @inline(__always) static func consume(_ c: CPU, _ o: OpRef, _ a: V128, _ b: V128) -> Bool {
    let wide = o.byte & 1 != 0
    let (la, lb) = L.lengths(c, a, b, wide: wide, quad: o.operandSize == 8)
    let r = StringComparison.compare(a, b, o.byte, la, lb)
    var mask = V128(low: UInt64(r.bits))
    if o.byte & 0x40 != 0 {
      if wide {
        mask = lanes(UInt16.self) { i in r.bits >> UInt32(i) & 1 != 0 ? .max : 0 }
      } else {
        mask = lanes(UInt8.self) { i in r.bits >> UInt32(i) & 1 != 0 ? .max : 0 }
      }
    }
    c.setXMM(0, mask)
    c.setStatusFlags(r.flags)
    return true
  }
}
