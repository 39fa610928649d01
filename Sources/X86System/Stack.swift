import X86Core

extension CPU {
  /// The part of RSP that is the stack pointer.
  var stackPointer: UInt64 { r64(GPR.rsp) & stackMask }

  /// Checked linear address of `size` bytes at stack offset `offset`. nil: #SS recorded.
  func stackAddress(_ offset: UInt64, size: Int, write: Bool) -> UInt64? {
    checkedLinear(
      offset, segment: 2, base: is64Bit ? 0 : segmentBase(2), size: size, write: write, legacy: !is64Bit)
  }

  /// Pushes 2, 4 or 8 bytes. RSP changes only on success. False: fault recorded.
  func push(_ value: UInt64, size: Int) -> Bool {
    let pointer = (r64(GPR.rsp) &- UInt64(size)) & stackMask
    guard let linear = stackAddress(pointer, size: size, write: true) else { return false }
    if alignmentFaults(linear, size) { return false }
    guard store(linear, value, size: size, dataAccess(write: true)) else { return false }
    setStackPointer(pointer)
    return true
  }

  /// Pops 2, 4 or 8 bytes, zero-extended. nil: fault recorded, RSP unchanged.
  func pop(size: Int) -> UInt64? {
    guard let value = peek(0, size: size) else { return nil }
    setStackPointer(stackPointer &+ UInt64(size))
    return value
  }

  /// Reads the stack `distance` bytes above the stack pointer, without popping. nil: fault recorded.
  func peek(_ distance: Int, size: Int) -> UInt64? {
    let pointer = (r64(GPR.rsp) &+ UInt64(truncatingIfNeeded: distance)) & stackMask
    guard let linear = stackAddress(pointer, size: size, write: false) else { return nil }
    if alignmentFaults(linear, size) { return nil }
    return load(linear, size: size, dataAccess(write: false))
  }
}

/// A stack that is not yet that of the processor: pushes go there before anything is committed.
struct PendingStack {
  let cpu: CPU
  /// nil: the current SS or the flat stack of IA-32e mode.
  var segment: SegmentRegister
  var base: UInt64
  var pointer: UInt64
  /// Privilege of the code that will use it.
  var cpl: UInt8
  /// Flat 64-bit stack: only canonical form is checked.
  var isFlat: Bool
  /// Error code of a #SS on this stack.
  var errorCode: UInt32 = 0

  var mask: UInt64 { isFlat ? .max : (segment.big ? 0xFFFF_FFFF : 0xFFFF) }

  /// The processor's own stack.
  init(current cpu: CPU) {
    self.cpu = cpu
    segment = cpu.ss.pointee
    base = cpu.is64Bit ? 0 : cpu.segmentBase(2)
    pointer = cpu.stackPointer
    cpl = cpu.f.pointee.cpl
    isFlat = cpu.is64Bit
  }

  init(_ cpu: CPU, segment: SegmentRegister, base: UInt64, pointer: UInt64, cpl: UInt8, errorCode: UInt32) {
    self.cpu = cpu
    self.segment = segment
    self.base = base
    self.pointer = pointer
    self.cpl = cpl
    self.isFlat = false
    self.errorCode = errorCode
  }

  init(_ cpu: CPU, flat pointer: UInt64, cpl: UInt8) {
    self.cpu = cpu
    segment = SegmentRegister()
    base = 0
    self.pointer = pointer
    self.cpl = cpl
    isFlat = true
  }

  private func fits(_ offset: UInt64, _ size: Int) -> Bool {
    let last = offset &+ UInt64(size &- 1)
    if isFlat { return cpu.isCanonical(offset) && cpu.isCanonical(last) }
    if segment.expandsDown {
      return offset > UInt64(segment.limit) && last <= mask && last >= offset
    }
    return last <= UInt64(segment.limit)
  }

  private func linear(_ offset: UInt64) -> UInt64 { isFlat ? offset : (base &+ offset) & 0xFFFF_FFFF }

  /// Checks that `count` entries of `size` bytes can be pushed, without pushing. False: fault recorded.
  func probe(_ count: Int, size: Int) -> Bool {
    let access = cpu.access(cpl: cpl, write: true)
    var offset = pointer
    for i in 0..<count {
      offset = (offset &- UInt64(size)) & mask
      guard fits(offset, size) else { return cpu.fault(Vector.ss, code: errorCode) }
      if cpl == 3 && cpu.alignmentFaults(linear(offset), size) { return false }
      // A frame has at most two pages: those of its first and last entries.
      if i == 0 || i == count &- 1 {
        guard cpu.probeWrite(linear(offset), size, access) else { return false }
      }
    }
    return true
  }

  /// Pushes; after a `probe` it cannot fail.
  mutating func push(_ value: UInt64, size: Int) -> Bool {
    let offset = (pointer &- UInt64(size)) & mask
    guard fits(offset, size) else { return cpu.fault(Vector.ss, code: errorCode) }
    guard cpu.store(linear(offset), value, size: size, cpu.access(cpl: cpl, write: true)) else {
      return false
    }
    pointer = offset
    return true
  }

  /// Makes its pointer the processor's, whose SS must be loaded already.
  func commitPointer() {
    if isFlat {
      cpu.setR64(GPR.rsp, pointer)
    } else if segment.big {
      cpu.setReg(GPR.rsp, UInt32(truncatingIfNeeded: pointer))
    } else {
      cpu.setReg(GPR.rsp, UInt16(truncatingIfNeeded: pointer))
    }
  }
}
