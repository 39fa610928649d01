/// What the processor knows of the world: ports, memory-mapped devices, the interrupt controller's answer to an
/// acknowledge cycle, the APIC's MSRs and entropy. The board subclasses this; everything here is off the hot path.
///
/// While one of these is called, `Processor.instructionCount` and `virtualTime` are exact.
open class ProcessorSeams {
  public init() {}

  /// - Parameter size: 1, 2 or 4.
  open func readPort(_ port: UInt16, size: Int) -> UInt32 { size == 4 ? .max : (1 << UInt32(8 * size)) - 1 }
  open func writePort(_ port: UInt16, size: Int, value: UInt32) {}
  /// A guest-physical access outside RAM. - Parameter size: 1, 2, 4 or 8.
  open func readMemory(_ address: UInt64, size: Int) -> UInt64 { size == 8 ? .max : (1 << UInt64(8 * size)) - 1 }
  open func writeMemory(_ address: UInt64, size: Int, value: UInt64) {}
  /// The vector of the interrupt that is taken now; nil when the request has gone away.
  open func acknowledgeInterrupt() -> UInt8? { nil }
  /// Task priority, CR8 (0...15).
  open var taskPriority: UInt8 {
    get { 0 }
    set {}
  }
  /// MSRs that belong to the local APIC (1B, 6E0, 800–8FF). nil is #GP.
  open func readAPICMSR(_ index: UInt32) -> UInt64? { nil }
  open func writeAPICMSR(_ index: UInt32, _ value: UInt64) -> Bool { false }
  /// IA32_TSC has moved against virtual time: TSC deadlines count from this offset on.
  open func timeStampOffsetChanged(_ offset: UInt64) {}
  /// Fresh 64 bits for RDRAND and RDSEED, from the run's one entropy stream.
  open func drawEntropy() -> UInt64 { 0 }
  /// Blocks decoded from this physical range are stale from now on. Implemented by the processor.
  open func codeWritten(_ physicalAddress: UInt64, _ count: Int) {}
  /// Forgets all decoded blocks. Implemented by the processor.
  open func flushBlocks() {}
}
