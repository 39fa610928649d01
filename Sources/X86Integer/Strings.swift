import X86Core

// MOVS, STOS, LODS, SCAS, CMPS and their REP forms.
//
// Each completed iteration counts one instruction, a zero-count REP one. The block has paid for one; further iterations
// are paid here, and when the budget ends between two of them the instruction is left with RIP on itself. Runs inside
// one page on both sides are done in bulk.

@inline(__always)
func stringRegister(_ c: CPU, _ register: UInt8, _ mask: UInt64) -> UInt64 { c.r64(register) & mask }

@inline(__always)
func setStringRegister(_ c: CPU, _ register: UInt8, _ mask: UInt64, _ value: UInt64) {
  switch mask {
  case 0xFFFF: c.setReg(register, UInt16(truncatingIfNeeded: value))
  case 0xFFFF_FFFF: c.setReg(register, UInt32(truncatingIfNeeded: value))
  default: c.setR64(register, value)
  }
}

/// One string instruction's work.
protocol StringOperation {
  static var usesSource: Bool { get }
  static var usesDestination: Bool { get }
  static var writes: Bool { get }
  /// Whether REP looks at ZF after each iteration.
  static var compares: Bool { get }
  /// One element at a time. False: fault recorded, nothing changed.
  static func step<T: Width>(_ c: CPU, _ o: OpRef, source: UInt64, destination: UInt64, _: T.Type) -> Bool
  /// `count` elements upwards, all inside one page each side; host addresses are nil when not used. Returns how many
  /// were done (fewer only when a comparison ended the run, the last one included).
  static func bulk<T: Width>(
    _ c: CPU, _ o: OpRef, source: UnsafeMutableRawPointer?, destination: UnsafeMutableRawPointer?, count: Int, _: T.Type
  ) -> Int
}

/// Linear address of the source element: the operation's segment. nil: fault recorded.
@inline(__always)
func sourceLinear(_ c: CPU, _ o: OpRef, _ offset: UInt64, _ size: Int) -> UInt64? {
  c.checkedLinear(
    offset, segment: o.segment & 7, base: c.r64(o.segmentSlot), size: size, write: false,
    legacy: o.segment & Op.checked != 0)
}
/// Linear address of the destination element: ES, whose base does not count in 64-bit mode.
@inline(__always)
func destinationLinear(_ c: CPU, _ o: OpRef, _ offset: UInt64, _ size: Int, write: Bool) -> UInt64? {
  let is64 = c.f.pointee.codeMode & CodeMode.bits64 != 0
  return c.checkedLinear(
    offset, segment: 0, base: is64 ? 0 : c.segmentBase(0), size: size, write: write,
    legacy: o.segment & Op.checked != 0)
}

/// Reads an element: TLB first.
@inline(__always)
func readElement<T: Width>(_ c: CPU, _ linear: UInt64, _: T.Type) -> T? {
  if let host = c.readHit(linear, MemoryLayout<T>.size) { return host.loadUnaligned(as: T.self) }
  if c.alignmentFaults(linear, MemoryLayout<T>.size) { return nil }
  return c.read(linear, T.self, c.dataAccess(write: false))
}
@inline(__always)
func writeElement<T: Width>(_ c: CPU, _ linear: UInt64, _ value: T) -> Bool {
  if let host = c.writeHit(linear, MemoryLayout<T>.size) {
    host.storeBytes(of: value, as: T.self)
    return true
  }
  if c.alignmentFaults(linear, MemoryLayout<T>.size) { return false }
  return c.write(linear, value, c.dataAccess(write: true))
}

enum Movs: StringOperation {
  static var usesSource: Bool { true }
  static var usesDestination: Bool { true }
  static var writes: Bool { true }
  static var compares: Bool { false }
  @inline(__always)
  static func step<T: Width>(_ c: CPU, _ o: OpRef, source: UInt64, destination: UInt64, _: T.Type) -> Bool {
    guard let from = sourceLinear(c, o, source, MemoryLayout<T>.size),
      let value = readElement(c, from, T.self),
      let to = destinationLinear(c, o, destination, MemoryLayout<T>.size, write: true)
    else { return false }
    return writeElement(c, to, value)
  }
  @inline(__always)
  static func bulk<T: Width>(
    _ c: CPU, _ o: OpRef, source: UnsafeMutableRawPointer?, destination: UnsafeMutableRawPointer?, count: Int, _: T.Type
  ) -> Int {
    let from = source.unsafelyUnwrapped
    let to = destination.unsafelyUnwrapped
    let bytes = count &* MemoryLayout<T>.size
    if to <= from || to >= from + bytes {
      to.copyMemory(from: from, byteCount: bytes)
    } else {
      // The destination overlaps what is still to be read: the pattern repeats, element by element.
      for i in 0..<count {
        to.storeBytes(
          of: from.loadUnaligned(fromByteOffset: i &* MemoryLayout<T>.size, as: T.self),
          toByteOffset: i &* MemoryLayout<T>.size, as: T.self)
      }
    }
    return count
  }
}
enum Stos: StringOperation {
  static var usesSource: Bool { false }
  static var usesDestination: Bool { true }
  static var writes: Bool { true }
  static var compares: Bool { false }
  @inline(__always)
  static func step<T: Width>(_ c: CPU, _ o: OpRef, source: UInt64, destination: UInt64, _: T.Type) -> Bool {
    guard let to = destinationLinear(c, o, destination, MemoryLayout<T>.size, write: true) else { return false }
    return writeElement(c, to, T.get(c, GPR.rax))
  }
  @inline(__always)
  static func bulk<T: Width>(
    _ c: CPU, _ o: OpRef, source: UnsafeMutableRawPointer?, destination: UnsafeMutableRawPointer?, count: Int, _: T.Type
  ) -> Int {
    let to = destination.unsafelyUnwrapped
    let value = T.get(c, GPR.rax)
    for i in 0..<count { to.storeBytes(of: value, toByteOffset: i &* MemoryLayout<T>.size, as: T.self) }
    return count
  }
}
enum Lods: StringOperation {
  static var usesSource: Bool { true }
  static var usesDestination: Bool { false }
  static var writes: Bool { false }
  static var compares: Bool { false }
  @inline(__always)
  static func step<T: Width>(_ c: CPU, _ o: OpRef, source: UInt64, destination: UInt64, _: T.Type) -> Bool {
    guard let from = sourceLinear(c, o, source, MemoryLayout<T>.size), let value = readElement(c, from, T.self)
    else { return false }
    T.set(c, GPR.rax, value)
    return true
  }
  @inline(__always)
  static func bulk<T: Width>(
    _ c: CPU, _ o: OpRef, source: UnsafeMutableRawPointer?, destination: UnsafeMutableRawPointer?, count: Int, _: T.Type
  ) -> Int {
    T.set(
      c, GPR.rax,
      source.unsafelyUnwrapped.loadUnaligned(fromByteOffset: (count &- 1) &* MemoryLayout<T>.size, as: T.self))
    return count
  }
}
enum Scas: StringOperation {
  static var usesSource: Bool { false }
  static var usesDestination: Bool { true }
  static var writes: Bool { false }
  static var compares: Bool { true }
  @inline(__always)
  static func step<T: Width>(_ c: CPU, _ o: OpRef, source: UInt64, destination: UInt64, _: T.Type) -> Bool {
    guard let at = destinationLinear(c, o, destination, MemoryLayout<T>.size, write: false),
      let value = readElement(c, at, T.self)
    else { return false }
    let a = T.get(c, GPR.rax)
    c.setFlags(FlagKind.sub, a &- value, a)
    return true
  }
  @inline(__always)
  static func bulk<T: Width>(
    _ c: CPU, _ o: OpRef, source: UnsafeMutableRawPointer?, destination: UnsafeMutableRawPointer?, count: Int, _: T.Type
  ) -> Int {
    let a = T.get(c, GPR.rax)
    let whileEqual = o.size & Op.rep != 0
    var value: T = 0
    var i = 0
    repeat {
      value = destination.unsafelyUnwrapped.loadUnaligned(fromByteOffset: i &* MemoryLayout<T>.size, as: T.self)
      i &+= 1
    } while i < count && (value == a) == whileEqual
    c.setFlags(FlagKind.sub, a &- value, a)
    return i
  }
}
enum Cmps: StringOperation {
  static var usesSource: Bool { true }
  static var usesDestination: Bool { true }
  static var writes: Bool { false }
  static var compares: Bool { true }
  @inline(__always)
  static func step<T: Width>(_ c: CPU, _ o: OpRef, source: UInt64, destination: UInt64, _: T.Type) -> Bool {
    guard let from = sourceLinear(c, o, source, MemoryLayout<T>.size), let a = readElement(c, from, T.self),
      let at = destinationLinear(c, o, destination, MemoryLayout<T>.size, write: false),
      let b = readElement(c, at, T.self)
    else { return false }
    c.setFlags(FlagKind.sub, a &- b, a)
    return true
  }
  @inline(__always)
  static func bulk<T: Width>(
    _ c: CPU, _ o: OpRef, source: UnsafeMutableRawPointer?, destination: UnsafeMutableRawPointer?, count: Int, _: T.Type
  ) -> Int {
    let whileEqual = o.size & Op.rep != 0
    var a: T = 0
    var b: T = 0
    var i = 0
    repeat {
      a = source.unsafelyUnwrapped.loadUnaligned(fromByteOffset: i &* MemoryLayout<T>.size, as: T.self)
      b = destination.unsafelyUnwrapped.loadUnaligned(fromByteOffset: i &* MemoryLayout<T>.size, as: T.self)
      i &+= 1
    } while i < count && (a == b) == whileEqual
    c.setFlags(FlagKind.sub, a &- b, a)
    return i
  }
}

@inline(__always)
func stringOperation<S: StringOperation, T: Width>(
  _: S.Type, _: T.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  let o = OpRef(op)
  if o.size & (Op.rep | Op.repne) != 0 { return repeated(S.self, T.self, cpu, op, left) }
  slow(cpu, op, left) { c, o in
    let mask = c.r64(o.maskSlot)
    let step =
      c.f.pointee.systemFlags & RFLAGS.df != 0
      ? 0 &- UInt64(MemoryLayout<T>.size) : UInt64(MemoryLayout<T>.size)
    let source = stringRegister(c, GPR.rsi, mask)
    let destination = stringRegister(c, GPR.rdi, mask)
    guard S.step(c, o, source: source, destination: destination, T.self) else { return .fault }
    if S.usesSource { setStringRegister(c, GPR.rsi, mask, source &+ step) }
    if S.usesDestination { setStringRegister(c, GPR.rdi, mask, destination &+ step) }
    return .next
  }
}

/// A REP instruction: its loop, and the jump to what follows.
@inline(never)
func repeated<S: StringOperation, T: Width>(
  _: S.Type, _: T.Type, _ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int
) {
  let done = iterations(S.self, T.self, CPU(cpu), OpRef(op), left)
  guard done > 0 else { return }
  let rest = left &- (done &- 1)
  if rest < 0 || CPU(cpu).f.pointee.attention { return resume(cpu, op, rest) }
  next(cpu, op, rest)
}

/// The REP loop. Out of line, so that the handler's jump stays a jump (see `outOfLine`).
/// - Returns: how many instructions it counts for, at least 1; 0 when it is left before its end: the state says why.
@inline(never)
func iterations<S: StringOperation, T: Width>(_: S.Type, _: T.Type, _ c: CPU, _ o: OpRef, _ left: Int) -> Int {
  let f = c.f
  let size = MemoryLayout<T>.size
  let mask = c.r64(o.maskSlot)
  let down = f.pointee.systemFlags & RFLAGS.df != 0
  let step = down ? 0 &- UInt64(size) : UInt64(size)
  // What may be spent, this instruction's own charge included; at least 1.
  let available = left &+ Int(o.after) &+ 1
  var done = 0
  var count = c.r64(GPR.rcx) & mask
  f.pointee.exitLeft = available
  if count == 0 { return 1 }

  while true {
    let source = stringRegister(c, GPR.rsi, mask)
    let destination = stringRegister(c, GPR.rdi, mask)
    var n = 0
    let wanted = min(UInt64(available &- done), count)
    if !down && wanted > 1 && o.segment & Op.checked == 0 {
      n = bulkRun(S.self, T.self, c, o, source, destination, wanted, mask)
    }
    if n == 0 {
      guard S.step(c, o, source: source, destination: destination, T.self) else {
        // Completed iterations have retired, this one has not.
        f.pointee.rip = o.rip
        f.pointee.exitLeft = available &- done
        f.pointee.exitReason = .fault
        return 0
      }
      n = 1
    }
    let distance = step &* UInt64(truncatingIfNeeded: n)
    if S.usesSource { setStringRegister(c, GPR.rsi, mask, source &+ distance) }
    if S.usesDestination { setStringRegister(c, GPR.rdi, mask, destination &+ distance) }
    count &-= UInt64(truncatingIfNeeded: n)
    setStringRegister(c, GPR.rcx, mask, count)
    done &+= n
    f.pointee.exitLeft = available &- done
    if count == 0 { return done }
    if S.compares && c.zeroFlag != (o.size & Op.rep != 0) { return done }
    if done >= available || f.pointee.attention {
      f.pointee.rip = o.rip
      f.pointee.exitReason = .resume
      return 0
    }
  }
}

/// As many elements as lie in the current page on each side and are in the TLB; 0 when the slow step has to go first.
@inline(__always)
func bulkRun<S: StringOperation, T: Width>(
  _: S.Type, _: T.Type, _ c: CPU, _ o: OpRef, _ source: UInt64, _ destination: UInt64, _ wanted: UInt64,
  _ mask: UInt64
) -> Int {
  let size = UInt64(MemoryLayout<T>.size)
  let shift = UInt64(MemoryLayout<T>.size.trailingZeroBitCount)
  var n = wanted
  var from: UnsafeMutableRawPointer?
  var to: UnsafeMutableRawPointer?
  if S.usesSource {
    let linear = source &+ c.r64(o.segmentSlot)
    n = min(n, (4096 &- linear & 0xFFF) &>> shift)
    guard n != 0, source <= mask &- (n &* size &- 1), let host = c.readHit(linear, MemoryLayout<T>.size) else {
      return 0
    }
    from = host
  }
  if S.usesDestination {
    let is64 = c.f.pointee.codeMode & CodeMode.bits64 != 0
    let linear = destination &+ (is64 ? 0 : c.segmentBase(0))
    n = min(n, (4096 &- linear & 0xFFF) &>> shift)
    guard n != 0, destination <= mask &- (n &* size &- 1),
      let host = S.writes ? c.writeHit(linear, MemoryLayout<T>.size) : c.readHit(linear, MemoryLayout<T>.size)
    else { return 0 }
    to = host
  }
  return S.bulk(c, o, source: from, destination: to, count: Int(truncatingIfNeeded: n), T.self)
}

@inline(__always)
func stringHandlers<S: StringOperation>(_: S.Type) -> [UInt] {
  [
    handler { stringOperation(S.self, UInt8.self, $0, $1, $2) },
    handler { stringOperation(S.self, UInt16.self, $0, $1, $2) },
    handler { stringOperation(S.self, UInt32.self, $0, $1, $2) },
    handler { stringOperation(S.self, UInt64.self, $0, $1, $2) },
  ]
}

struct StringHandlers {
  let movs = stringHandlers(Movs.self), stos = stringHandlers(Stos.self), lods = stringHandlers(Lods.self)
  let scas = stringHandlers(Scas.self), cmps = stringHandlers(Cmps.self)
}
