import X86Core
import X86Float

// XSAVE, XSAVEOPT, XSAVEC, XSAVES, XRSTOR, XRSTORS for x87, SSE, AVX and PKRU (SDM 1 13). The processor never tracks which
// components are in their initial configuration: XINUSE is all ones, which the SDM allows.

enum ExtendedState {
  static let x87: UInt64 = 1
  static let sse: UInt64 = 2
  /// The upper halves of the YMM registers.
  static let avx: UInt64 = 4
  static let pkru: UInt64 = 1 << 9
  /// In XCOMP_BV: compacted format.
  static let compacted: UInt64 = 1 << 63
  static let headerOffset: UInt64 = 512
  /// Legacy region and header.
  static let minimumSize = 576

  /// Where a component lies: in the standard format where CPUID leaf 0DH says, in the compacted one behind those before.
  static func offset(_ component: UInt64, layout: UInt64) -> UInt64 {
    let isCompacted = layout & compacted != 0
    switch component {
    case avx: return 576
    default: return isCompacted ? 576 + (layout & avx != 0 ? 256 : 0) : 2688
    }
  }
  /// Bytes of an image that holds `components`.
  static func size(_ components: UInt64, layout: UInt64) -> Int {
    if components & pkru != 0 { return Int(offset(pkru, layout: layout)) + 8 }
    return components & avx != 0 ? 832 : minimumSize
  }

  /// Availability and the image's address. nil: #UD, #NM or #GP recorded.
  static func address(_ c: CPU, _ o: OpRef, write: Bool) -> UInt64? {
    if c.f.pointee.cr4 & CR4.osxsave == 0 {
      c.fault(Vector.ud)
      return nil
    }
    if c.f.pointee.cr0 & CR0.ts != 0 {
      c.fault(Vector.nm)
      return nil
    }
    return c.imageAddress(o, size: minimumSize, alignment: 64, write: write)
  }
  /// Whether all of an image can be reached. False: a fault recorded.
  static func reaches(_ c: CPU, _ linear: UInt64, _ size: Int, write: Bool) -> Bool {
    let access = c.dataAccess(write: write)
    return write ? c.probeWrite(linear, size, access) : c.probeRead(linear, size, access)
  }

  /// EDX:EAX, as far as XCR0 enables it.
  static func requested(_ c: CPU) -> UInt64 {
    c.f.pointee.xcr0 & (UInt64(c.reg(GPR.rdx, UInt32.self)) << 32 | UInt64(c.reg(GPR.rax, UInt32.self)))
  }

  /// Writes the chosen components. False: fault recorded.
  static func save(_ c: CPU, _ linear: UInt64, _ components: UInt64, layout: UInt64, wide: Bool) -> Bool {
    let access = c.dataAccess(write: true)
    func put(_ at: UInt64, _ value: UInt64) -> Bool { c.write(linear &+ at, value, access) }
    func put(_ at: UInt64, _ v: V128) -> Bool { put(at, v[0]) && put(at &+ 8, v[1]) }
    if components & x87 != 0 {
      let words = StateImage.x87(c, wide: wide)
      for i in 0..<20 where i != 3 { guard put(UInt64(8 * i), words[i]) else { return false } }
    }
    // MXCSR belongs to SSE; the standard format takes it along with AVX too (SDM 1 13.7).
    if components & sse != 0 || (components & avx != 0 && layout & compacted == 0) {
      guard put(24, UInt64(c.f.pointee.mxcsr) | UInt64(MXCSR.writable) << 32) else { return false }
    }
    for i in 0..<StateImage.xmmCount(c) {
      let v = c.ymm(UInt8(i))
      if components & sse != 0 {
        guard put(UInt64(8 * StateImage.xmmFirst + 16 * i), v.low) else { return false }
      }
      if components & avx != 0 {
        guard put(offset(avx, layout: layout) &+ UInt64(16 * i), v.high) else { return false }
      }
    }
    if components & pkru != 0 {
      guard put(offset(pkru, layout: layout), UInt64(c.f.pointee.pkru)) else { return false }
    }
    return true
  }

  /// XSAVE, XSAVEOPT.
  static func xsave(_ c: CPU, _ o: OpRef) -> Outcome {
    let components = requested(c)
    guard let linear = address(c, o, write: true),
      reaches(c, linear, size(components, layout: 0), write: true),
      let old = c.read(linear &+ headerOffset, UInt64.self, c.dataAccess(write: false)),
      save(c, linear, components, layout: 0, wide: o.operandSize == 8),
      c.write(linear &+ headerOffset, old | components, c.dataAccess(write: true))
    else { return .fault }
    return .next
  }

  /// XSAVEC, and XSAVES (`supervisor`).
  static func xsavec(_ c: CPU, _ o: OpRef, supervisor: Bool) -> Outcome {
    if supervisor, c.f.pointee.cr4 & CR4.osxsave != 0, c.f.pointee.cpl != 0 {
      c.fault(Vector.gp, code: 0)
      return .fault
    }
    let components = requested(c)
    let layout = components | compacted
    let access = c.dataAccess(write: true)
    guard let linear = address(c, o, write: true),
      reaches(c, linear, size(components, layout: layout), write: true),
      save(c, linear, components, layout: layout, wide: o.operandSize == 8),
      c.write(linear &+ headerOffset, components, access), c.write(linear &+ headerOffset &+ 8, layout, access)
    else { return .fault }
    return .next
  }

  /// XRSTOR, and XRSTORS (`supervisor`), which takes the compacted format alone.
  static func xrstor(_ c: CPU, _ o: OpRef, supervisor: Bool) -> Outcome {
    func refuse() -> Outcome {
      c.fault(Vector.gp, code: 0)
      return .fault
    }
    if supervisor, c.f.pointee.cr4 & CR4.osxsave != 0, c.f.pointee.cpl != 0 { return refuse() }
    let components = requested(c)
    guard let linear = address(c, o, write: false), let words = c.readWords(linear, minimumSize / 8) else {
      return .fault
    }
    let present = words[64]
    let layout = words[65]
    let isCompacted = layout & compacted != 0
    if isCompacted {
      if layout & ~compacted & ~c.f.pointee.xcr0 != 0 || present & ~layout != 0 { return refuse() }
      for i in 66..<72 where words[i] != 0 { return refuse() }
    } else {
      if supervisor || present & ~c.f.pointee.xcr0 != 0 || layout != 0 || words[66] != 0 { return refuse() }
    }
    // Everything is read before anything is changed.
    let loaded = components & present
    var halves = [UInt64](repeating: 0, count: 32)
    if loaded & avx != 0 {
      guard let read = c.readWords(linear &+ offset(avx, layout: layout), 2 * StateImage.xmmCount(c)) else {
        return .fault
      }
      halves.replaceSubrange(0..<read.count, with: read)
    }
    var keys: UInt64 = 0
    if loaded & pkru != 0 {
      guard let read = c.readWords(linear &+ offset(pkru, layout: layout), 1) else { return .fault }
      keys = read[0]
    }
    var mxcsr = UInt32(truncatingIfNeeded: words[3])
    // The standard format loads MXCSR whether or not the image holds the XMM registers (SDM 1 13.8.1).
    if isCompacted && present & sse == 0 { mxcsr = MXCSR.initial }
    let loadsMXCSR = components & sse != 0 || (components & avx != 0 && !isCompacted)
    if loadsMXCSR && mxcsr & ~MXCSR.writable != 0 { return refuse() }

    if components & x87 != 0 {
      if present & x87 != 0 {
        StateImage.setX87(c, words, wide: o.operandSize == 8)
      } else {
        var initial = [UInt64](repeating: 0, count: 20)
        initial[0] = 0x37F
        StateImage.setX87(c, initial, wide: true)
      }
    }
    if loadsMXCSR { c.f.pointee.mxcsr = mxcsr }
    for i in 0..<StateImage.xmmCount(c) {
      var v = c.ymm(UInt8(i))
      let at = StateImage.xmmFirst + 2 * i
      if components & sse != 0 { v.low = present & sse != 0 ? V128(words[at], words[at + 1]) : V128(0, 0) }
      if components & avx != 0 { v.high = V128(halves[2 * i], halves[2 * i + 1]) }
      c.setYMM(UInt8(i), v)
    }
    if components & pkru != 0 { c.setPKRU(UInt32(truncatingIfNeeded: keys)) }
    return .next
  }
}

extension CPU {
  /// As WRPKRU does: data translations were made under the old rights.
  fileprivate func setPKRU(_ value: UInt32) {
    f.pointee.pkru = value
    clearTLBs()
  }
}

struct ExtendedStateHandlers {
  let xsave = handler { slow($0, $1, $2, ExtendedState.xsave) }
  let xsavec = handler { slow($0, $1, $2) { ExtendedState.xsavec($0, $1, supervisor: false) } }
  let xsaves = handler { slow($0, $1, $2) { ExtendedState.xsavec($0, $1, supervisor: true) } }
  let xrstor = handler { slow($0, $1, $2) { ExtendedState.xrstor($0, $1, supervisor: false) } }
  let xrstors = handler { slow($0, $1, $2) { ExtendedState.xrstor($0, $1, supervisor: true) } }
}
