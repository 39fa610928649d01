import X86Core
import X86Float

// FXSAVE, FXRSTOR, LDMXCSR, STMXCSR (SDM 1 10.5, SDM 2A "FXSAVE").

extension MXCSR {
  /// Bits that may be set; MXCSR_MASK in the image. Others are #GP.
  static let writable: UInt32 = 0xFFFF
}

/// LDMXCSR. False: #GP or a page fault recorded.
func loadMXCSR(_ c: CPU, _ o: OpRef) -> Bool {
  guard let value = c.readM(o, UInt32.self) else { return false }
  if value & ~MXCSR.writable != 0 { return c.fault(Vector.gp, code: 0) }
  c.f.pointee.mxcsr = value
  return true
}
@inline(__always)
func ldmxcsr(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  slow(cpu, op, left) { c, o in c.mayUseSSE() && loadMXCSR(c, o) ? .next : .fault }
}
@inline(__always)
func stmxcsr(_ cpu: UnsafeMutableRawPointer, _ op: UnsafeRawPointer, _ left: Int) {
  slow(cpu, op, left) { c, o in
    guard c.mayUseSSE(), c.writeM(o, c.f.pointee.mxcsr) else { return .fault }
    return .next
  }
}

/// The 512 bytes of FXSAVE's image on their way between processor and memory.
struct StateImage {
  /// Quadwords of the legacy region: 0–3 control, 4–19 ST0–ST7, 20–51 XMM0–XMM15, the rest reserved or software's.
  static let x87Range = 4..<20
  static let xmmFirst = 20

  /// The x87's part: quadwords 0–3 (MXCSR apart) and 4–19. `wide`: REX.W or 64-bit pointers.
  static func x87(_ c: CPU, wide: Bool) -> [UInt64] {
    let f = c.f
    var words = [UInt64](repeating: 0, count: 20)
    let status = UInt64(f.pointee.x87Status & ~0x3800) | UInt64(f.pointee.x87Top & 7) << 11
    words[0] = UInt64(f.pointee.x87Control) | status << 16 | UInt64(~f.pointee.x87Empty) << 32
    words[0] |= UInt64(f.pointee.x87Opcode & 0x7FF) << 48
    if wide {
      words[1] = f.pointee.x87InstructionPointer
      words[2] = f.pointee.x87DataPointer
    } else {
      words[1] =
        f.pointee.x87InstructionPointer & 0xFFFF_FFFF | UInt64(f.pointee.x87InstructionSelector) << 32
      words[2] = f.pointee.x87DataPointer & 0xFFFF_FFFF | UInt64(f.pointee.x87DataSelector) << 32
    }
    for i in 0..<8 {
      let register = c.p + (Layout.x87 + ((i + Int(f.pointee.x87Top)) & 7) * 16)
      words[4 + 2 * i] = register.load(as: UInt64.self)
      words[5 + 2 * i] = UInt64(register.load(fromByteOffset: 8, as: UInt16.self))
    }
    return words
  }

  /// Sets the x87 from quadwords as `x87` gives them.
  static func setX87(_ c: CPU, _ words: [UInt64], wide: Bool) {
    let f = c.f
    f.pointee.x87Control = UInt16(truncatingIfNeeded: words[0]) & 0x1F7F | 0x40
    let status = UInt16(truncatingIfNeeded: words[0] >> 16)
    f.pointee.x87Top = UInt8(truncatingIfNeeded: status >> 11) & 7
    f.pointee.x87Empty = ~UInt8(truncatingIfNeeded: words[0] >> 32)
    f.pointee.x87Opcode = UInt16(truncatingIfNeeded: words[0] >> 48) & 0x7FF
    // ES and B follow from flags and masks.
    let pending = status & ~f.pointee.x87Control & 0x3F != 0
    f.pointee.x87Status = status & 0x477F | (pending ? 0x8080 : 0)
    if wide {
      f.pointee.x87InstructionPointer = words[1]
      f.pointee.x87DataPointer = words[2]
      f.pointee.x87InstructionSelector = 0
      f.pointee.x87DataSelector = 0
    } else {
      f.pointee.x87InstructionPointer = words[1] & 0xFFFF_FFFF
      f.pointee.x87InstructionSelector = UInt16(truncatingIfNeeded: words[1] >> 32)
      f.pointee.x87DataPointer = words[2] & 0xFFFF_FFFF
      f.pointee.x87DataSelector = UInt16(truncatingIfNeeded: words[2] >> 32)
    }
    for i in 0..<8 {
      let register = c.p + (Layout.x87 + ((i + Int(f.pointee.x87Top)) & 7) * 16)
      register.storeBytes(of: words[4 + 2 * i], as: UInt64.self)
      register.storeBytes(
        of: UInt16(truncatingIfNeeded: words[5 + 2 * i]), toByteOffset: 8, as: UInt16.self)
    }
  }

  /// XMM registers that the mode has.
  static func xmmCount(_ c: CPU) -> Int { c.f.pointee.codeMode & CodeMode.bits64 != 0 ? 16 : 8 }
}

extension CPU {
  /// #NM when CR0.TS or CR0.EM keeps FXSAVE and XSAVE off. False: recorded.
  func mayUseState() -> Bool {
    f.pointee.cr0 & (CR0.em | CR0.ts) == 0 ? true : fault(Vector.nm)
  }

  /// Linear address of a state image of `size` bytes, aligned to `alignment`. nil: fault recorded.
  func imageAddress(_ o: OpRef, size: Int, alignment: UInt64, write: Bool) -> UInt64? {
    guard let linear = checkedAddress(o, size: size, write: write) else { return nil }
    if linear & (alignment &- 1) != 0 {
      fault(Vector.gp, code: 0)
      return nil
    }
    return linear
  }

  /// Reads `count` quadwords. nil: fault recorded.
  func readWords(_ linear: UInt64, _ count: Int) -> [UInt64]? {
    var words = [UInt64](repeating: 0, count: count)
    let access = dataAccess(write: false)
    for i in 0..<count {
      guard let word = read(linear &+ UInt64(8 * i), UInt64.self, access) else { return nil }
      words[i] = word
    }
    return words
  }
}

/// FXSAVE, FXSAVE64 (operand size 8).
func fxsave(_ c: CPU, _ o: OpRef) -> Outcome {
  let access = c.dataAccess(write: true)
  guard c.mayUseState(), let linear = c.imageAddress(o, size: 512, alignment: 16, write: true),
    c.probeWrite(linear, 512, access)
  else { return .fault }
  var words = StateImage.x87(c, wide: o.operandSize == 8)
  words[3] = UInt64(c.f.pointee.mxcsr) | UInt64(MXCSR.writable) << 32
  for i in 0..<StateImage.xmmCount(c) {
    let v = c.xmm(UInt8(i))
    words += [v[0], v[1]]
  }
  for (i, word) in words.enumerated() {
    guard c.write(linear &+ UInt64(8 * i), word, access) else { return .fault }
  }
  return .next
}

/// FXRSTOR, FXRSTOR64 (operand size 8).
func fxrstor(_ c: CPU, _ o: OpRef) -> Outcome {
  guard c.mayUseState(), let linear = c.imageAddress(o, size: 512, alignment: 16, write: false),
    c.probeRead(linear, 512, c.dataAccess(write: false)),
    let words = c.readWords(linear, StateImage.xmmFirst + 2 * StateImage.xmmCount(c))
  else { return .fault }
  let mxcsr = UInt32(truncatingIfNeeded: words[3])
  if mxcsr & ~MXCSR.writable != 0 {
    c.fault(Vector.gp, code: 0)
    return .fault
  }
  StateImage.setX87(c, words, wide: o.operandSize == 8)
  c.f.pointee.mxcsr = mxcsr
  for i in 0..<StateImage.xmmCount(c) {
    c.setXMM(UInt8(i), V128(words[StateImage.xmmFirst + 2 * i], words[StateImage.xmmFirst + 2 * i + 1]))
  }
  return .next
}

struct StateHandlers {
  let ldmxcsr = handler { X86Vector.ldmxcsr($0, $1, $2) }
  let stmxcsr = handler { X86Vector.stmxcsr($0, $1, $2) }
  let fxsave = handler { slow($0, $1, $2, X86Vector.fxsave) }
  let fxrstor = handler { slow($0, $1, $2, X86Vector.fxrstor) }
}
