extension CPU {
  /// Mask of the stack pointer: 64-bit mode, SS.B, or 16 bits.
  @inlinable public var stackMask: UInt64 {
    if f.pointee.codeMode & CodeMode.bits64 != 0 { return .max }
    return ss.pointee.big ? 0xFFFF_FFFF : 0xFFFF
  }

  /// Sets the stack pointer at the stack's width.
  @inlinable public func setStackPointer(_ value: UInt64) {
    let mask = stackMask
    setR64(GPR.rsp, mask == 0xFFFF ? (r64(GPR.rsp) & ~0xFFFF) | (value & 0xFFFF) : value & mask)
  }

  /// Linear address of a stack offset with the mode's checks. nil: #SS recorded.
  public func stackLinear(_ offset: UInt64, size: Int, write: Bool) -> UInt64? {
    let is64 = f.pointee.codeMode & CodeMode.bits64 != 0
    return checkedLinear(
      offset & stackMask, segment: 2, base: is64 ? 0 : segmentBase(2), size: size, write: write,
      legacy: !is64)
  }

  /// Pushes 2, 4 or 8 bytes. False: fault recorded, nothing changed.
  public func stackPush(_ value: UInt64, size: UInt8) -> Bool {
    let offset = (r64(GPR.rsp) &- UInt64(size)) & stackMask
    guard stackWrite(offset, value, size: size) else { return false }
    setStackPointer(offset)
    return true
  }

  /// Writes 2, 4 or 8 bytes at a stack offset. False: fault recorded.
  public func stackWrite(_ offset: UInt64, _ value: UInt64, size: UInt8) -> Bool {
    guard let linear = stackLinear(offset, size: Int(size), write: true) else { return false }
    if alignmentFaults(linear, Int(size)) { return false }
    switch size {
    case 2: return write(linear, UInt16(truncatingIfNeeded: value), dataAccess(write: true))
    case 4: return write(linear, UInt32(truncatingIfNeeded: value), dataAccess(write: true))
    default: return write(linear, value, dataAccess(write: true))
    }
  }

  /// Reads 2, 4 or 8 bytes at a stack offset. nil: fault recorded.
  public func stackRead(_ offset: UInt64, size: UInt8) -> UInt64? {
    guard let linear = stackLinear(offset, size: Int(size), write: false) else { return nil }
    if alignmentFaults(linear, Int(size)) { return nil }
    switch size {
    case 2: return read(linear, UInt16.self, dataAccess(write: false)).map { UInt64($0) }
    case 4: return read(linear, UInt32.self, dataAccess(write: false)).map { UInt64($0) }
    default: return read(linear, UInt64.self, dataAccess(write: false))
    }
  }

  /// Pops 2, 4 or 8 bytes. nil: fault recorded, nothing changed.
  public func stackPop(size: UInt8) -> UInt64? {
    let offset = r64(GPR.rsp) & stackMask
    guard let value = stackRead(offset, size: size) else { return nil }
    setStackPointer(offset &+ UInt64(size))
    return value
  }
}
