import X86
import X86Core
import X86System

/// The world of a processor that has none.
final class NoWorld: ProcessorSeams {
  unowned var processor: Processor!
  override func codeWritten(_ physicalAddress: UInt64, _ count: Int) { processor.codeWritten(physicalAddress, count) }
  override func flushBlocks() { processor.flushBlocks() }
}

/// A processor in 64-bit mode with identical linear and physical addresses (pages of 2 MiB) that runs one endless loop.
final class LoopMachine {
  let memory: GuestMemory
  let processor: Processor
  private let world = NoWorld()

  static let memorySize: UInt64 = 64 << 20
  static let code: UInt64 = 0x10_0000
  private static let tables: UInt64 = 0x1000

  /// - Parameters:
  ///   - code: 64-bit code, put at `LoopMachine.code`; RSI points at `data`.
  ///   - data: where the code finds its data.
  init(code: [UInt8], data: (address: UInt64, bytes: [UInt8]) = (0x20_0000, [])) {
    memory = GuestMemory(size: Self.memorySize)!
    processor = Processor(memory: memory, seams: world)
    world.processor = processor
    var entries: [UInt64: UInt64] = [Self.tables: Self.tables + 0x1003, Self.tables + 0x1000: Self.tables + 0x2003]
    for page in 0..<Self.memorySize >> 21 { entries[Self.tables + 0x2000 + page * 8] = page << 21 | 0x83 }
    for (address, entry) in entries {
      memory.write(address, (0..<8).map { UInt8(truncatingIfNeeded: entry >> (8 * $0)) })
    }
    memory.write(Self.code, code)
    memory.write(data.address, data.bytes)

    var state = processor.cpu.state
    state.cr0 = CR0.pe | CR0.pg
    state.cr3 = Self.tables
    state.cr4 = CR4.pae
    state.efer = EFER.lme | EFER.lma
    for number in state.segments.indices {
      let attributes: UInt16 = number == 1 ? 0xA09B : 0xC093
      state.segments[number] = .init(
        base: 0, register: SegmentRegister(selector: 8, attributes: attributes, limit: .max))
    }
    state.rip = Self.code
    state.general[4] = 0x18_0000
    state.general[6] = data.address
    processor.cpu.state = state
    processor.stateChanged()
    // Warm: decoded, linked, translated.
    run(instructions: 1_000_000)
  }

  /// Runs so many instructions more.
  func run(instructions: UInt64) {
    let end = processor.instructionCount + instructions
    while processor.instructionCount < end {
      guard processor.run(until: end) != .shutdown else { fatalError("the loop's code has faulted") }
    }
  }
}
