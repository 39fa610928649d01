import X86Core
import X86System

extension CPU {
  /// Puts what a loader asks for into a processor that was just reset.
  func setBootState(_ state: BootState) {
    setR64(GPR.rax, state.rax)
    setR64(GPR.rbx, state.rbx)
    setR64(GPR.rcx, 0)
    setR64(GPR.rdx, 0)
    setR64(GPR.rsi, state.rsi)
    setR64(GPR.rsp, state.rsp)
    f.pointee.rip = state.rip
    f.pointee.cr0 = state.cr0
    f.pointee.cr3 = state.cr3
    f.pointee.cr4 = state.cr4
    f.pointee.efer = state.efer
    f.pointee.gdtr.base = state.gdtBase
    f.pointee.gdtr.limit = UInt32(state.gdtLimit)
    f.pointee.idtr.base = 0
    f.pointee.idtr.limit = 0
    for i: UInt8 in 0..<6 {
      let from = i == 1 ? state.cs : state.data
      segment(i).pointee = SegmentRegister(
        selector: from.selector, attributes: from.attributes, limit: from.limit)
      setSegmentBase(i, from.base)
    }
    f.pointee.tr.selector = state.tr.selector
    f.pointee.tr.base = state.tr.base
    f.pointee.tr.limit = state.tr.limit
    f.pointee.tr.attributes = state.tr.attributes
    updateMode()
  }
}
