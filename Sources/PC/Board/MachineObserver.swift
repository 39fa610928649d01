import X86

/// Somebody who looks on while the machine runs and may ask it to come to rest. The guest sees nothing of it.
/// Called on the machine's thread.
public protocol MachineObserver: AnyObject {
  /// The running instruction has read or is about to write a port.
  func observePort(_ port: UInt16, size: Int, value: UInt32, isWrite: Bool)
  /// An interrupt is about to be delivered.
  func observeInterrupt(vector: UInt8, isNMI: Bool)
  /// An exception is about to be delivered.
  func observeException(vector: UInt8, errorCode: UInt32)
  /// The processor has come back to the board, as it does behind each load of CR3.
  func observeBoundary()
}

extension Machine {
  /// Makes `run` come back with `.stopRequested` behind the instruction that is running. For observers.
  public func rest() {
    requestStop()
    processor.requestAttention()
  }
}
