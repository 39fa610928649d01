import PC
import Trace

/// Changes that a debugger makes. Each is an input of the trace, logged before it takes effect; a replay applies it at the
/// same instant. Reads leave no mark anywhere.
extension Session {
  /// The most bytes that one write to memory has.
  public static let maximumDebuggerWrite = 64 << 10

  /// Checks, logs and applies a change.
  /// - Parameters:
  ///   - space: physical, linear or register.
  ///   - address: in memory; of a register its number (`ProcessorRegister`).
  ///   - bytes: the new content, for a register as many as it has.
  /// - Throws: a `ControlError` for what cannot be changed so; nothing is logged then.
  func applyDebuggerWrite(_ space: WriteSpace, address: UInt64, bytes: [UInt8]) throws {
    let event = TraceEvent.Body.debuggerWrite(space: space, address: address, bytes: bytes)
    switch space {
    case .physical:
      guard bytes.count <= Self.maximumDebuggerWrite, machine.memory.isRAM(address, bytes.count) else {
        throw ControlError("there is no RAM at physical 0x\(String(address, radix: 16))")
      }
      funnel.input(event)
      machine.memory.write(address, bytes)
    case .linear:
      guard bytes.count <= Self.maximumDebuggerWrite, machine.readLinear(address, count: bytes.count) != nil else {
        throw ControlError("no RAM is mapped at 0x\(String(address, radix: 16))")
      }
      funnel.input(event)
      _ = machine.writeLinear(address, bytes)
    case .register:
      var file = RegisterFile(of: machine)
      guard let number = Int(exactly: address), file.available.indices.contains(number) else {
        throw ControlError("there is no register \(address)")
      }
      try file.set(ProcessorRegister.all[number], bytes)
      funnel.input(event)
      if file.state != machine.processorState { machine.setProcessorState(file.state) }
      if file.cr8 != machine.cr8 { machine.setCR8(file.cr8) }
    case .port:
      throw ControlError("a debugger cannot write to ports")
    }
  }
}
