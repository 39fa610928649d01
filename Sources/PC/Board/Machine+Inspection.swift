import X86
import X86Core
import X86System

/// Looking at the machine without changing it.
extension Machine {
  /// Bytes of RAM; nil unless the whole range is RAM.
  public func readPhysical(_ address: UInt64, count: Int) -> [UInt8]? { memory.read(address, count: count) }

  public var processorState: ProcessorState { processor.cpu.state }

  /// Where the guest's own note for dumps lies.
  public var vmcoreinfo: VMCoreInfo.Note? { board.vmcoreinfo?.note }
}
