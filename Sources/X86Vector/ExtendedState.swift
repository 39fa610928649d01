import X86Core
import X86Float

// XSAVE, XSAVEOPT, XSAVEC, XSAVES, XRSTOR, XRSTORS for x87 and SSE state (SDM 1 13). The processor never tracks which
// components are in their initial configuration: XINUSE is all ones, which the SDM allows.

enum ExtendedState {
  static let x87: UInt64 = 1
  static let sse: UInt64 = 2
  /// Components that this module can save.
  static let supported: UInt64 = x87 | sse
  /// In XCOMP_BV: compacted format.
  static let compacted: UInt64 = 1 << 63
  /// Legacy region and header.
  static let size = 576
  static let headerOffset: UInt64 = 512

  /// Availability and the image's address. nil: #UD, #NM, #GP or a page fault recorded.
  static func address(_ c: CPU, _ o: OpRef, write: Bool) -> UInt64? {
    if c.f.pointee.cr4 & CR4.osxsave == 0 {
      c.fault(Vector.ud)
      return nil
    }
    if c.f.pointee.cr0 & CR0.ts != 0 {
      c.fault(Vector.nm)
      return nil
    }
    guard let linear = c.imageAddress(o, size: size, alignment: 64, write: write) else { return nil }
    let access = c.dataAccess(write: write)
    let reaches = write ? c.probeWrite(linear, size, access) : c.probeRead(linear, size, access)
    return reaches ? linear : nil
  }

  /// EDX:EAX
  static func requested(_ c: CPU) -> UInt64 {
    UInt64(c.reg(GPR.rdx, UInt32.self)) << 32 | UInt64(c.reg(GPR.rax, UInt32.self))
  }

  /// Writes the chosen components into the legacy region.
  static func save(_ c: CPU, _ linear: UInt64, _ components: UInt64, wide: Bool) -> Bool {
    let access = c.dataAccess(write: true)
    func put(_ word: Int, _ value: UInt64) -> Bool { c.write(linear &+ UInt64(8 * word), value, access) }
    if components & x87 != 0 {
      let words = StateImage.x87(c, wide: wide)
      for i in 0..<20 where i != 3 { guard put(i, words[i]) else { return false } }
    }
    if components & sse != 0 {
      guard put(3, UInt64(c.f.pointee.mxcsr) | UInt64(MXCSR.writable) << 32) else { return false }
      for i in 0..<StateImage.xmmCount(c) {
        let v = c.xmm(UInt8(i))
        guard put(StateImage.xmmFirst + 2 * i, v[0]), put(StateImage.xmmFirst + 2 * i + 1, v[1]) else {
          return false
        }
      }
    }
    return true
  }

  /// XSAVE, XSAVEOPT.
  static func xsave(_ c: CPU, _ o: OpRef) -> Outcome {
    guard let linear = address(c, o, write: true) else { return .fault }
    let components = c.f.pointee.xcr0 & requested(c) & supported
    guard let old = c.read(linear &+ headerOffset, UInt64.self, c.dataAccess(write: false)),
      save(c, linear, components, wide: o.operandSize == 8),
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
    guard let linear = address(c, o, write: true) else { return .fault }
    let components = c.f.pointee.xcr0 & requested(c) & supported
    let access = c.dataAccess(write: true)
    guard save(c, linear, components, wide: o.operandSize == 8),
      c.write(linear &+ headerOffset, components, access),
      c.write(linear &+ headerOffset &+ 8, components | compacted, access)
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
    guard let linear = address(c, o, write: false), let words = c.readWords(linear, size / 8) else {
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
    let components = c.f.pointee.xcr0 & requested(c) & supported
    var mxcsr = UInt32(truncatingIfNeeded: words[3])
    // The standard format loads MXCSR whether or not the image holds the XMM registers (SDM 1 13.8.1).
    if isCompacted && present & sse == 0 { mxcsr = MXCSR.initial }
    if components & sse != 0 && mxcsr & ~MXCSR.writable != 0 { return refuse() }
    if components & x87 != 0 {
      if present & x87 != 0 {
        StateImage.setX87(c, words, wide: o.operandSize == 8)
      } else {
        var initial = [UInt64](repeating: 0, count: 20)
        initial[0] = 0x37F
        StateImage.setX87(c, initial, wide: true)
      }
    }
    if components & sse != 0 {
      c.f.pointee.mxcsr = mxcsr
      for i in 0..<StateImage.xmmCount(c) {
        let at = StateImage.xmmFirst + 2 * i
        c.setXMM(UInt8(i), present & sse != 0 ? V128(words[at], words[at + 1]) : V128(0, 0))
      }
    }
    return .next
  }
}

struct ExtendedStateHandlers {
  let xsave = handler { slow($0, $1, $2, ExtendedState.xsave) }
  let xsavec = handler { slow($0, $1, $2) { ExtendedState.xsavec($0, $1, supervisor: false) } }
  let xsaves = handler { slow($0, $1, $2) { ExtendedState.xsavec($0, $1, supervisor: true) } }
  let xrstor = handler { slow($0, $1, $2) { ExtendedState.xrstor($0, $1, supervisor: false) } }
  let xrstors = handler { slow($0, $1, $2) { ExtendedState.xrstor($0, $1, supervisor: true) } }
}
