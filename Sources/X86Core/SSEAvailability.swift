extension CPU {
  /// Recomputes whether SSE instructions fault (SDM 3A table 13-1): after a change of CR0.EM, CR0.TS or CR4.OSFXSR that
  /// needs no `updateMode`.
  public func updateSSEAvailability() {
    let f = f
    f.pointee.sseBlocked = f.pointee.cr0 & (CR0.em | CR0.ts) != 0 || f.pointee.cr4 & CR4.osfxsr == 0
  }
}
