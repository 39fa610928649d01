import X86Core

// Bit tests in memory, bit scans, double shifts, BMI, CRC32, MOVBE, ADX, exchanges with arithmetic.

/// An instruction with a value from E and a result in `d`.
protocol UnaryToRegister {
  /// nil leaves the destination alone.
  static func apply<T: Width>(_ c: CPU, _ o: OpRef, _ a: T) -> T?
}
@inline(__always)
func unaryToRegister<U: UnaryToRegister, T: Width>(
  _: U.Type, _: T.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  slow(cpu, op, left) { c, o in
    guard let a = c.readE(o, T.self) else { return .fault }
    if let r = U.apply(c, o, a) { T.set(c, o.d, r) }
    return .next
  }
}
@inline(__always)
func unaryToRegisterHandlers<U: UnaryToRegister>(_: U.Type) -> [UInt] {
  [
    handler { unaryToRegister(U.self, UInt16.self, $0, $1, $2) },
    handler { unaryToRegister(U.self, UInt32.self, $0, $1, $2) },
    handler { unaryToRegister(U.self, UInt64.self, $0, $1, $2) },
  ]
}

/// Flags of a scan: ZF as given, the others (undefined) clear but CF as given.
@inline(__always)
func setScanFlags(_ c: CPU, zero: Bool, carry: Bool) {
  c.setStatusFlags((zero ? RFLAGS.zf : 0) | (carry ? RFLAGS.cf : 0))
}

enum Bsf: UnaryToRegister {
  @inline(__always) static func apply<T: Width>(_ c: CPU, _ o: OpRef, _ a: T) -> T? {
    setScanFlags(c, zero: a == 0, carry: false)
    return a == 0 ? nil : T(truncatingIfNeeded: a.trailingZeroBitCount)
  }
}
enum Bsr: UnaryToRegister {
  @inline(__always) static func apply<T: Width>(_ c: CPU, _ o: OpRef, _ a: T) -> T? {
    setScanFlags(c, zero: a == 0, carry: false)
    return a == 0 ? nil : T(truncatingIfNeeded: T.bitWidth - 1 - a.leadingZeroBitCount)
  }
}
enum Tzcnt: UnaryToRegister {
  @inline(__always) static func apply<T: Width>(_ c: CPU, _ o: OpRef, _ a: T) -> T? {
    let n = a.trailingZeroBitCount
    setScanFlags(c, zero: n == 0, carry: a == 0)
    return T(truncatingIfNeeded: n)
  }
}
enum Lzcnt: UnaryToRegister {
  @inline(__always) static func apply<T: Width>(_ c: CPU, _ o: OpRef, _ a: T) -> T? {
    let n = a.leadingZeroBitCount
    setScanFlags(c, zero: n == 0, carry: a == 0)
    return T(truncatingIfNeeded: n)
  }
}
enum Popcnt: UnaryToRegister {
  @inline(__always) static func apply<T: Width>(_ c: CPU, _ o: OpRef, _ a: T) -> T? {
    c.setStatusFlags(a == 0 ? RFLAGS.zf : 0)
    return T(truncatingIfNeeded: a.nonzeroBitCount)
  }
}
/// MOVBE r, m.
enum LoadSwapped: UnaryToRegister {
  @inline(__always) static func apply<T: Width>(_ c: CPU, _ o: OpRef, _ a: T) -> T? { a.byteSwapped }
}
/// ADCX: CF alone; ADOX: OF alone.
enum Adcx: UnaryToRegister {
  @inline(__always) static func apply<T: Width>(_ c: CPU, _ o: OpRef, _ a: T) -> T? {
    let flags = c.statusFlags
    let (s, carry1) = T.get(c, o.d).addingReportingOverflow(a)
    let (r, carry2) = s.addingReportingOverflow(T(truncatingIfNeeded: flags & 1))
    c.setStatusFlags((flags & ~RFLAGS.cf) | (carry1 || carry2 ? RFLAGS.cf : 0))
    return r
  }
}
enum Adox: UnaryToRegister {
  @inline(__always) static func apply<T: Width>(_ c: CPU, _ o: OpRef, _ a: T) -> T? {
    let flags = c.statusFlags
    let (s, carry1) = T.get(c, o.d).addingReportingOverflow(a)
    let (r, carry2) = s.addingReportingOverflow(T(truncatingIfNeeded: (flags >> 11) & 1))
    c.setStatusFlags((flags & ~RFLAGS.of) | (carry1 || carry2 ? RFLAGS.of : 0))
    return r
  }
}

// MARK: BMI (VEX-encoded). VEX.vvvv travels in bits 8–15 of `imm`.

/// The register that VEX.vvvv names.
@inline(__always) func vvvv(_ o: OpRef) -> UInt8 { UInt8(truncatingIfNeeded: o.imm >> 8) }

/// SF, ZF of a result; OF clear; CF as given; AF, PF (undefined) clear.
@inline(__always)
func setBMIFlags<T: Width>(_ c: CPU, _ r: T, carry: Bool) {
  var flags: UInt64 = carry ? RFLAGS.cf : 0
  if r == 0 { flags |= RFLAGS.zf }
  if r &>> T(truncatingIfNeeded: T.bitWidth - 1) != 0 { flags |= RFLAGS.sf }
  c.setStatusFlags(flags)
}
enum Andn: UnaryToRegister {
  @inline(__always) static func apply<T: Width>(_ c: CPU, _ o: OpRef, _ a: T) -> T? {
    let r = ~T.get(c, vvvv(o)) & a
    setBMIFlags(c, r, carry: false)
    return r
  }
}
enum Bextr: UnaryToRegister {
  @inline(__always) static func apply<T: Width>(_ c: CPU, _ o: OpRef, _ a: T) -> T? {
    let control = c.r64(vvvv(o))
    let start = Int(control & 0xFF)
    let length = Int((control >> 8) & 0xFF)
    var r = start >= T.bitWidth ? 0 : a >> T(truncatingIfNeeded: start)
    if length < T.bitWidth { r &= (1 << T(truncatingIfNeeded: length)) &- 1 }
    c.setStatusFlags(r == 0 ? RFLAGS.zf : 0)
    return r
  }
}
enum Bzhi: UnaryToRegister {
  @inline(__always) static func apply<T: Width>(_ c: CPU, _ o: OpRef, _ a: T) -> T? {
    let n = Int(c.r64(vvvv(o)) & 0xFF)
    let r = n >= T.bitWidth ? a : a & ((1 << T(truncatingIfNeeded: n)) &- 1)
    setBMIFlags(c, r, carry: n > T.bitWidth - 1)
    return r
  }
}
enum Pext: UnaryToRegister {
  @inline(__always) static func apply<T: Width>(_ c: CPU, _ o: OpRef, _ a: T) -> T? {
    let source = T.get(c, vvvv(o))
    var mask = a
    var r: T = 0
    var k: T = 0
    while mask != 0 {
      let lowest = mask & (0 &- mask)
      if source & lowest != 0 { r |= 1 &<< k }
      k &+= 1
      mask &= mask &- 1
    }
    return r
  }
}
enum Pdep: UnaryToRegister {
  @inline(__always) static func apply<T: Width>(_ c: CPU, _ o: OpRef, _ a: T) -> T? {
    let source = T.get(c, vvvv(o))
    var mask = a
    var r: T = 0
    var k: T = 0
    while mask != 0 {
      let lowest = mask & (0 &- mask)
      if (source &>> k) & 1 != 0 { r |= lowest }
      k &+= 1
      mask &= mask &- 1
    }
    return r
  }
}
enum Shlx: UnaryToRegister {
  @inline(__always) static func apply<T: Width>(_ c: CPU, _ o: OpRef, _ a: T) -> T? { a &<< T.get(c, vvvv(o)) }
}
enum Shrx: UnaryToRegister {
  @inline(__always) static func apply<T: Width>(_ c: CPU, _ o: OpRef, _ a: T) -> T? { a &>> T.get(c, vvvv(o)) }
}
enum Sarx: UnaryToRegister {
  @inline(__always) static func apply<T: Width>(_ c: CPU, _ o: OpRef, _ a: T) -> T? {
    T(truncatingIfNeeded: T.Signed(truncatingIfNeeded: a) &>> T.Signed(truncatingIfNeeded: T.get(c, vvvv(o))))
  }
}
enum Rorx: UnaryToRegister {
  @inline(__always) static func apply<T: Width>(_ c: CPU, _ o: OpRef, _ a: T) -> T? {
    let n = T(truncatingIfNeeded: o.imm & 0xFF)
    return (a &>> n) | (a &<< (0 &- n))
  }
}
/// MULX: high half to `d`, low half to vvvv; the high half wins when they are the same register.
enum Mulx: UnaryToRegister {
  @inline(__always) static func apply<T: Width>(_ c: CPU, _ o: OpRef, _ a: T) -> T? {
    let (high, low) = T.get(c, GPR.rdx).multipliedFullWidth(by: a)
    T.set(c, vvvv(o), T(truncatingIfNeeded: low))
    return high
  }
}
/// BLSR, BLSMSK, BLSI write vvvv. `d` is the opcode's /reg.
@inline(__always)
func lowestBit<T: Width>(_: T.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  slow(cpu, op, left) { c, o in
    guard let a = c.readE(o, T.self) else { return .fault }
    let r: T
    switch o.d & 7 {
    case 1:
      r = a & (a &- 1)
      setBMIFlags(c, r, carry: a == 0)
    case 2:
      r = a ^ (a &- 1)
      setBMIFlags(c, r, carry: a == 0)
    default:
      r = a & (0 &- a)
      setBMIFlags(c, r, carry: a != 0)
    }
    T.set(c, vvvv(o), r)
    return .next
  }
}

// MARK: CRC32 (polynomial 11EDC6F41, bit-reflected)

/// 256 entries for one byte at a time.
private let crc32cTable: UnsafeMutablePointer<UInt32> = {
  let table = UnsafeMutablePointer<UInt32>.allocate(capacity: 256)
  for i in 0..<256 {
    var c = UInt32(i)
    for _ in 0..<8 { c = c & 1 != 0 ? 0x82F6_3B78 ^ (c >> 1) : c >> 1 }
    table[i] = c
  }
  return table
}()

@inline(__always)
func crc32<T: Width>(_: T.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  slow(cpu, op, left) { c, o in
    guard var data = c.readE(o, T.self).map({ UInt64(truncatingIfNeeded: $0) }) else { return .fault }
    var crc = c.reg(o.d, UInt32.self)
    for _ in 0..<MemoryLayout<T>.size {
      crc = crc32cTable[Int((crc ^ UInt32(truncatingIfNeeded: data)) & 0xFF)] ^ (crc >> 8)
      data >>= 8
    }
    c.setReg(o.d, crc)
    return .next
  }
}

// MARK: Double shifts

/// SHLD (`right` false) and SHRD: E and `d` as one number; the count is `imm`, or CL when `imm` is negative.
@inline(__always)
func doubleShift<T: Width>(
  _: T.Type, right: Bool, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  slow(cpu, op, left) { c, o in
    guard let a = c.modifyE(o, T.self) else { return .fault }
    let raw = o.imm < 0 ? UInt64(c.r8(8)) : UInt64(truncatingIfNeeded: o.imm)
    let count = raw & (MemoryLayout<T>.size == 8 ? 63 : 31)
    if count == 0 {
      // Flags stay; a memory operand is written all the same, a 32-bit register's upper half is cleared.
      return c.writeE(o, a) ? .next : .fault
    }
    let b = T.get(c, o.d)
    let width = UInt64(T.bitWidth)
    let r: T
    let carry: T
    if count <= width {
      let n = T(truncatingIfNeeded: count)
      let m = T(truncatingIfNeeded: width - count)
      if right {
        r = count == width ? b : (a &>> n) | (b &<< m)
        carry = (a &>> (n &- 1)) & 1
      } else {
        r = count == width ? b : (a &<< n) | (b &>> m)
        carry = (a &>> m) & 1
      }
    } else {
      // 16 bits with a count above 16: undefined (SDM 2B). The operands taken in turn, as processors do.
      let n = T(truncatingIfNeeded: count - width)
      let m = T(truncatingIfNeeded: 2 * width - count)
      if right {
        r = (b &>> n) | (a &<< m)
        carry = (b &>> (n &- 1)) & 1
      } else {
        r = (b &<< n) | (a &>> m)
        carry = (b &>> m) & 1
      }
    }
    guard c.writeE(o, r) else { return .fault }
    let top = T(truncatingIfNeeded: T.bitWidth - 1)
    var flags = UInt64(truncatingIfNeeded: carry)
    if r == 0 { flags |= RFLAGS.zf }
    if r &>> top != 0 { flags |= RFLAGS.sf }
    if UInt8(truncatingIfNeeded: r).nonzeroBitCount & 1 == 0 { flags |= RFLAGS.pf }
    if (r ^ a) &>> top != 0 { flags |= RFLAGS.of }
    c.setStatusFlags(flags)
    return .next
  }
}

// MARK: Bit strings: BT family with a memory operand and the bit number in a register

/// `imm` bits 0–1 say what is done to the bit: 0 BT, 1 BTS, 2 BTR, 3 BTC.
@inline(__always)
func bitString<T: Width>(_: T.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  slow(cpu, op, left) { c, o in
    let size = MemoryLayout<T>.size
    let bit = Int64(truncatingIfNeeded: T.Signed(truncatingIfNeeded: T.get(c, o.d)))
    let away = (bit >> Int64(T.bitWidth.trailingZeroBitCount)) &* Int64(size)
    let effective = (GeneralForm.effective(c, o) &+ UInt64(bitPattern: away)) & c.r64(o.maskSlot)
    let change = o.imm & 3
    guard
      let linear = c.checkedLinear(
        effective, segment: o.segment & 7, base: c.r64(o.segmentSlot), size: size, write: change != 0,
        legacy: o.segment & Op.checked != 0), !c.alignmentFaults(linear, size)
    else { return .fault }
    if change != 0 { guard c.probeWrite(linear, size, c.dataAccess(write: true)) else { return .fault } }
    guard let a = c.read(linear, T.self, c.dataAccess(write: false)) else { return .fault }
    let n = T(truncatingIfNeeded: bit) & T(truncatingIfNeeded: T.bitWidth - 1)
    let mask: T = 1 &<< n
    switch change {
    case 1: _ = c.write(linear, a | mask, c.dataAccess(write: true))
    case 2: _ = c.write(linear, a & ~mask, c.dataAccess(write: true))
    case 3: _ = c.write(linear, a ^ mask, c.dataAccess(write: true))
    default: break
    }
    setCarry(c, UInt64(truncatingIfNeeded: (a &>> n) & 1))
    return .next
  }
}

// MARK: XADD, CMPXCHG

@inline(__always)
func exchangeAdd<T: Width>(_: T.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  slow(cpu, op, left) { c, o in
    guard let a = c.modifyE(o, T.self) else { return .fault }
    let r = a &+ T.get(c, o.d)
    if o.isMemory {
      guard c.writeM(o, r) else { return .fault }
      T.set(c, o.d, a)
    } else {
      T.set(c, o.d, a)
      T.set(c, o.s, r)
    }
    c.setFlags(FlagKind.add, r, a)
    return .next
  }
}
@inline(__always)
func compareExchange<T: Width>(_: T.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  slow(cpu, op, left) { c, o in
    guard let a = c.modifyE(o, T.self) else { return .fault }
    let accumulator = T.get(c, GPR.rax)
    if a == accumulator {
      guard c.writeE(o, T.get(c, o.d)) else { return .fault }
    } else {
      // The destination is written in either case (SDM 2A).
      if o.isMemory { guard c.writeM(o, a) else { return .fault } }
      T.set(c, GPR.rax, a)
    }
    c.setFlags(FlagKind.sub, accumulator &- a, accumulator)
    return .next
  }
}
/// CMPXCHG8B (T = UInt32) and CMPXCHG16B (T = UInt64).
@inline(__always)
func compareExchangePair<T: Width>(
  _: T.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  slow(cpu, op, left) { c, o in
    let half = MemoryLayout<T>.size
    guard let linear = c.checkedAddress(o, size: 2 * half, write: true) else { return .fault }
    if half == 8 && linear & 15 != 0 {
      c.fault(Vector.gp, code: 0)
      return .fault
    }
    if c.alignmentFaults(linear, 2 * half) { return .fault }
    let second = linear &+ UInt64(half)
    guard c.probeWrite(linear, 2 * half, c.dataAccess(write: true)),
      let low = c.read(linear, T.self, c.dataAccess(write: false)),
      let high = c.read(second, T.self, c.dataAccess(write: false))
    else { return .fault }
    let equal = low == T.get(c, GPR.rax) && high == T.get(c, GPR.rdx)
    _ = c.write(linear, equal ? T.get(c, GPR.rbx) : low, c.dataAccess(write: true))
    _ = c.write(second, equal ? T.get(c, GPR.rcx) : high, c.dataAccess(write: true))
    if !equal {
      T.set(c, GPR.rax, low)
      T.set(c, GPR.rdx, high)
    }
    c.setStatusFlags((c.statusFlags & ~RFLAGS.zf) | (equal ? RFLAGS.zf : 0))
    return .next
  }
}
/// MOVBE m, r.
@inline(__always)
func storeSwapped<T: Width>(_: T.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  slow(cpu, op, left) { c, o in c.writeM(o, T.get(c, o.d).byteSwapped) ? .next : .fault }
}

struct BitHandlers {
  let bsf = unaryToRegisterHandlers(Bsf.self), bsr = unaryToRegisterHandlers(Bsr.self)
  let tzcnt = unaryToRegisterHandlers(Tzcnt.self), lzcnt = unaryToRegisterHandlers(Lzcnt.self)
  let popcnt = unaryToRegisterHandlers(Popcnt.self), movbeLoad = unaryToRegisterHandlers(LoadSwapped.self)
  let adcx = unaryToRegisterHandlers(Adcx.self), adox = unaryToRegisterHandlers(Adox.self)
  let andn = unaryToRegisterHandlers(Andn.self), bextr = unaryToRegisterHandlers(Bextr.self)
  let bzhi = unaryToRegisterHandlers(Bzhi.self), pext = unaryToRegisterHandlers(Pext.self)
  let pdep = unaryToRegisterHandlers(Pdep.self), shlx = unaryToRegisterHandlers(Shlx.self)
  let shrx = unaryToRegisterHandlers(Shrx.self), sarx = unaryToRegisterHandlers(Sarx.self)
  let rorx = unaryToRegisterHandlers(Rorx.self), mulx = unaryToRegisterHandlers(Mulx.self)
  let lowestBit = [
    0, handler { X86Integer.lowestBit(UInt32.self, $0, $1, $2) },
    handler { X86Integer.lowestBit(UInt64.self, $0, $1, $2) },
  ]
  let crc32 = [
    handler { X86Integer.crc32(UInt8.self, $0, $1, $2) }, handler { X86Integer.crc32(UInt16.self, $0, $1, $2) },
    handler { X86Integer.crc32(UInt32.self, $0, $1, $2) }, handler { X86Integer.crc32(UInt64.self, $0, $1, $2) },
  ]
  let shld = [
    handler { doubleShift(UInt16.self, right: false, $0, $1, $2) },
    handler { doubleShift(UInt32.self, right: false, $0, $1, $2) },
    handler { doubleShift(UInt64.self, right: false, $0, $1, $2) },
  ]
  let shrd = [
    handler { doubleShift(UInt16.self, right: true, $0, $1, $2) },
    handler { doubleShift(UInt32.self, right: true, $0, $1, $2) },
    handler { doubleShift(UInt64.self, right: true, $0, $1, $2) },
  ]
  let bitString = [
    handler { X86Integer.bitString(UInt16.self, $0, $1, $2) },
    handler { X86Integer.bitString(UInt32.self, $0, $1, $2) },
    handler { X86Integer.bitString(UInt64.self, $0, $1, $2) },
  ]
  let xadd = [
    handler { exchangeAdd(UInt8.self, $0, $1, $2) }, handler { exchangeAdd(UInt16.self, $0, $1, $2) },
    handler { exchangeAdd(UInt32.self, $0, $1, $2) }, handler { exchangeAdd(UInt64.self, $0, $1, $2) },
  ]
  let cmpxchg = [
    handler { compareExchange(UInt8.self, $0, $1, $2) }, handler { compareExchange(UInt16.self, $0, $1, $2) },
    handler { compareExchange(UInt32.self, $0, $1, $2) }, handler { compareExchange(UInt64.self, $0, $1, $2) },
  ]
  let cmpxchg8b = handler { compareExchangePair(UInt32.self, $0, $1, $2) }
  let cmpxchg16b = handler { compareExchangePair(UInt64.self, $0, $1, $2) }
  let movbeStore = [
    handler { storeSwapped(UInt16.self, $0, $1, $2) }, handler { storeSwapped(UInt32.self, $0, $1, $2) },
    handler { storeSwapped(UInt64.self, $0, $1, $2) },
  ]
}
