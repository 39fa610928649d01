import X86
import X86Core
import X86System

/// What a debugger changes. To be called between runs, on the machine's thread; the caller logs it first.
extension Machine {
  /// The upper half of the local APIC's task priority, as CR8 shows it.
  public var cr8: UInt64 { board.apic.cr8 }

  /// Replaces what a guest can see of the processor. Modes are recomputed, TLBs emptied.
  public func setProcessorState(_ state: ProcessorState) {
    processor.cpu.state = state
    processor.stateChanged()
    processor.requestAttention()
  }

  public func setCR8(_ value: UInt64) {
    board.apic.cr8 = value & 15
    processor.requestAttention()
  }

  /// Writes bytes at a linear address, whatever its access rights.
  /// - Returns: false, with nothing written, unless all of it is mapped RAM.
  public func writeLinear(_ address: UInt64, _ bytes: [UInt8]) -> Bool {
    var pieces: [(physical: UInt64, range: Range<Int>)] = []
    var done = 0
    while done < bytes.count {
      let at = address &+ UInt64(done)
      let count = min(bytes.count - done, 4096 - Int(at & 0xFFF))
      guard let physical = translate(at), memory.isRAM(physical, count) else { return false }
      pieces.append((physical, done..<done + count))
      done += count
    }
    for piece in pieces { memory.write(piece.physical, Array(bytes[piece.range])) }
    return true
  }
}
