import X86Core

extension CPU {
  /// Sets the MTRRs as firmware leaves them for an operating system: memory is write-back but for the VGA window, the
  /// option ROMs (write-protected) and the PCI hole from 3 to 4 GiB. Linux does without PAT where they are off.
  ///
  /// For loaders that start a kernel directly; after `resetState`.
  public func setFirmwareMTRRs() {
    func fill(_ type: UInt64) -> UInt64 { type &* 0x0101_0101_0101_0101 }
    let writeBack: UInt64 = 6
    let writeProtected: UInt64 = 5
    _ = writeMSR(MSR.mtrrFix64K, fill(writeBack))
    _ = writeMSR(MSR.mtrrFix16K80000, fill(writeBack))
    _ = writeMSR(MSR.mtrrFix16KA0000, 0)
    for i: UInt32 in 0..<8 { _ = writeMSR(MSR.mtrrFix4KC0000 + i, fill(writeProtected)) }
    _ = writeMSR(MSR.mtrrPhysBase0, 0xC000_0000)
    _ = writeMSR(MSR.mtrrPhysBase0 + 1, (f.pointee.physicalAddressMask & ~0x3FFF_FFFF) | 0x800)
    // Enabled, fixed ranges too.
    _ = writeMSR(MSR.mtrrDefType, 0xC00 | writeBack)
  }
}
