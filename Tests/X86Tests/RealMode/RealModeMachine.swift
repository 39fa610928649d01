import X86
import X86Core
import X86System

/// A processor in real mode with memory from 0 to 10FFEF, all of it writable.
///
/// The VGA window (A0000–BFFFF) is a device to the processor: data there is kept by the world, code cannot be executed.
/// Cases whose code lies there run with all segment bases 1 MiB higher, where a second copy of their memory lies.
final class RealModeMachine {
  private static let shift = 0x20_0000
  private static let window = 0xA0000..<0xC0000

  private final class World: ProcessorSeams {
    var window = [UInt8](repeating: 0, count: RealModeMachine.window.count)
    unowned var processor: Processor!
    override func readMemory(_ address: UInt64, size: Int) -> UInt64 {
      var value: UInt64 = 0
      for i in 0..<size {
        let at = Int(address) + i - RealModeMachine.window.lowerBound
        if window.indices.contains(at) { value |= UInt64(window[at]) << UInt64(8 * i) }
      }
      return value
    }
    override func writeMemory(_ address: UInt64, size: Int, value: UInt64) {
      for i in 0..<size {
        let at = Int(address) + i - RealModeMachine.window.lowerBound
        if window.indices.contains(at) { window[at] = UInt8(truncatingIfNeeded: value >> UInt64(8 * i)) }
      }
    }
    override func codeWritten(_ physicalAddress: UInt64, _ count: Int) { processor.codeWritten(physicalAddress, count) }
    override func flushBlocks() { processor.flushBlocks() }
  }

  private let memory = GuestMemory(size: 8 << 20)!
  private let world = World()
  private let processor: Processor

  init() {
    processor = Processor(memory: memory, seams: world)
    world.processor = processor
  }

  private func write(_ address: Int, _ value: UInt8) {
    if Self.window.contains(address) {
      world.window[address - Self.window.lowerBound] = value
    } else {
      memory.write(UInt64(address), [value])
    }
    memory.write(UInt64(address + Self.shift), [value])
  }

  private func read(_ address: Int) -> UInt8 {
    if Self.window.contains(address) { return world.window[address - Self.window.lowerBound] }
    return memory.read(UInt64(address), count: 1)![0]
  }

  /// What came of a case.
  struct Outcome {
    /// The exception that was raised.
    var exception: UInt8?
    /// Registers that are not as they should be.
    var registers: Set<MOOFile.Register> = []
    /// Addresses that do not hold what they should.
    var addresses: Set<Int> = []
    /// The same for people.
    var complaints: [String] = []
    /// Flags that differ, of those that are defined.
    var flags: UInt16 = 0
    var isRight: Bool { complaints.isEmpty }
  }

  /// Runs a case: its one instruction, or all of its iterations. The HLT that follows is not executed, since it may lie in
  /// the VGA window.
  func run(_ test: MOOFile.Case, definedFlags: UInt16) -> Outcome {
    let cpu = processor.cpu
    let f = cpu.f
    for (address, value) in test.initial.memory { write(address, value) }
    processor.reset()
    func initial(_ register: MOOFile.Register) -> UInt16 { test.initial.registers[register] ?? 0 }
    for (number, register) in Self.general { cpu.setR64(number, UInt64(initial(register))) }
    let code = Int(initial(.cs)) << 4 + Int(initial(.ip))
    let isShifted = Self.window.overlaps(code..<code + 16)
    for (number, register) in Self.segments {
      cpu.segment(number).pointee = SegmentRegister(selector: initial(register), attributes: 0x93, limit: 0xFFFF)
      cpu.setSegmentBase(number, UInt64(initial(register)) << 4 + (isShifted ? UInt64(Self.shift) : 0))
    }
    f.pointee.rip = UInt64(initial(.ip))
    f.pointee.cr0 = 0x10
    f.pointee.idtr.limit = 0x3FF
    cpu.setStatusFlags(UInt64(initial(.flags)))
    f.pointee.systemFlags = UInt64(initial(.flags)) & 0x600 | 2
    processor.stateChanged()

    var outcome = Outcome()
    processor.onException = { vector, _ in outcome.exception = outcome.exception ?? vector }
    defer { processor.onException = nil }
    var iterations = 0
    repeat {
      _ = processor.run(until: processor.instructionCount + 1)
      iterations += 1
    } while f.pointee.rip == UInt64(initial(.ip)) && cpu.cs.pointee.selector == initial(.cs) && outcome.exception == nil
      && iterations < 100_000

    func compare(_ register: MOOFile.Register, _ found: UInt16, mask: UInt16 = 0xFFFF) {
      let wanted = test.final.registers[register] ?? initial(register)
      guard (found ^ wanted) & mask != 0 else { return }
      outcome.registers.insert(register)
      if register == .flags { outcome.flags = (found ^ wanted) & mask }
      outcome.complaints.append("\(register) is \(Self.hex(found)), not \(Self.hex(wanted))")
    }
    for (number, register) in Self.general { compare(register, UInt16(truncatingIfNeeded: cpu.r64(number))) }
    for (number, register) in Self.segments { compare(register, cpu.segment(number).pointee.selector) }
    // The cases end behind a HLT.
    compare(.ip, UInt16(truncatingIfNeeded: f.pointee.rip &+ (processor.isHalted ? 0 : 1)))
    compare(.flags, UInt16(truncatingIfNeeded: cpu.rflags), mask: definedFlags & 0x0FD5)
    let image = Int(initial(.ss)) << 4 + Int(initial(.sp) &- 2)
    for (address, value) in test.final.memory {
      // An exception's image of the flags holds undefined ones, too.
      var mask: UInt8 = 0xFF
      if test.exception != nil, address == image || address == image + 1 {
        mask = UInt8(truncatingIfNeeded: (definedFlags & 0x0FD5) >> UInt16(8 * (address - image)))
      }
      let found = read(address)
      if (found ^ value) & mask == 0 { continue }
      if isShifted, (memory.read(UInt64(address + Self.shift), count: 1)![0] ^ value) & mask == 0 { continue }
      outcome.addresses.insert(address)
      outcome.complaints.append("[\(Self.hex(address))] is \(Self.hex(found)), not \(Self.hex(value))")
    }
    return outcome
  }

  private static func hex(_ value: some BinaryInteger) -> String { String(value, radix: 16) }

  private static let general: [(UInt8, MOOFile.Register)] = [
    (0, .ax), (1, .cx), (2, .dx), (3, .bx), (4, .sp), (5, .bp), (6, .si), (7, .di),
  ]
  private static let segments: [(UInt8, MOOFile.Register)] = [(0, .es), (1, .cs), (2, .ss), (3, .ds)]
}
