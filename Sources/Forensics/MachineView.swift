import X86Core
import X86System

/// A machine that is paused: its memory is read where it is.
public final class MachineView: GuestView {
  private let memory: GuestMemory
  public let processors: [GuestRegisters]
  public let announcedVMCoreInfo: [UInt8]?

  /// - Parameters:
  ///   - processors: at least one.
  ///   - vmcoreinfo: what the guest told the vmcoreinfo device: a note with its header.
  public init(memory: GuestMemory, processors: [ProcessorState], vmcoreinfo: [UInt8]? = nil) {
    self.memory = memory
    self.processors = processors.map(GuestRegisters.init)
    announcedVMCoreInfo = vmcoreinfo
  }

  public var ranges: [Range<UInt64>] { memory.ranges }

  public func page(at physicalAddress: UInt64) -> UnsafeRawPointer? {
    memory.offset(of: physicalAddress).map { UnsafeRawPointer(memory.base) + Int($0 & ~0xFFF) }
  }
}

extension GuestRegisters {
  public init(_ state: ProcessorState) {
    self.init(general: state.general, rip: state.rip)
    rflags = state.rflags
    func segment(_ index: Int) -> ProcessorState.Segment? {
      state.segments.indices.contains(index) ? state.segments[index] : nil
    }
    cs = segment(1)?.register.selector ?? 0
    ss = segment(2)?.register.selector ?? 0
    fsBase = segment(4)?.base ?? 0
    gsBase = segment(5)?.base ?? 0
    kernelGSBase = state.kernelGSBase
    (cr0, cr2, cr3, cr4) = (state.cr0, state.cr2, state.cr3, state.cr4)
    isLongMode = state.efer & (1 << 10) != 0
    idtBase = state.idtr.base
    idtLimit = UInt32(truncatingIfNeeded: state.idtr.limit)
    trBase = state.tr.base
  }
}
