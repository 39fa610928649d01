import X86
import X86Core
import X86Decode
import X86System

/// A processor in ring 0 that executes single instructions in 16-, 32- or 64-bit code, with everything switched on that an
/// instruction may ask for.
final class CoverageMachine {
  private enum Map {
    static let gdt: UInt64 = 0x1000
    static let idt: UInt64 = 0x2000
    static let pages: UInt64 = 0x8000
    static let code: UInt64 = 0x6000
    static let data: UInt64 = 0x7000
    static let stack: UInt64 = 0xF800
    /// 16-, 32-, 64-bit code and flat data.
    static let code16: UInt16 = 0x08, code32: UInt16 = 0x10, code64: UInt16 = 0x18, dataSelector: UInt16 = 0x20
  }

  private final class World: ProcessorSeams {
    unowned var processor: Processor!
    override func codeWritten(_ physicalAddress: UInt64, _ count: Int) { processor.codeWritten(physicalAddress, count) }
    override func flushBlocks() { processor.flushBlocks() }
    override func readAPICMSR(_ index: UInt32) -> UInt64? { 0 }
  }

  private let memory = GuestMemory(size: 4 << 20)!
  private let world = World()
  private let processor: Processor
  private let model: ProcessorModel

  init(model: ProcessorModel) {
    self.model = model
    processor = Processor(memory: memory, seams: world, model: model)
    world.processor = processor
    for (i, descriptor)
      in ([
        0, 0x008F_9B00_0000_FFFF, 0x00CF_9B00_0000_FFFF, 0x00AF_9B00_0000_FFFF, 0x00CF_9300_0000_FFFF,
      ] as [UInt64]).enumerated()
    { write(Map.gdt + UInt64(8 * i), descriptor) }
    // Identity by pages of 2 MiB.
    write(Map.pages, Map.pages + 0x1003)
    write(Map.pages + 0x1000, Map.pages + 0x2003)
    for i: UInt64 in 0..<2 { write(Map.pages + 0x2000 + 8 * i, i << 21 | 0x83) }
  }

  private func write(_ address: UInt64, _ value: UInt64) {
    memory.write(address, withUnsafeBytes(of: value.littleEndian) { [UInt8]($0) })
  }

  /// Executes one instruction.
  /// - Returns: the exception that it raised, nil when it retired.
  func run(_ bytes: [UInt8], _ codeSize: CodeSize) -> UInt8? {
    processor.reset()
    memory.write(Map.code, bytes + [0x90, 0x90])
    memory.write(Map.data, [UInt8](repeating: 0, count: 1024))
    var state = processor.cpu.state
    state.general = [UInt64](repeating: Map.data, count: 16)
    state.general[Int(GPR.rsp)] = Map.stack
    // Small counts, shifts and indices; port 80; a quotient that fits.
    state.general[Int(GPR.rcx)] = 1
    state.general[Int(GPR.rax)] = 1
    state.general[Int(GPR.rdx)] = 0
    state.rip = Map.code
    state.cr0 = CR0.pe | CR0.mp | CR0.ne | CR0.et
    state.cr4 = CR4.pae | CR4.de | CR4.osfxsr | CR4.osxmmexcpt
    if model.decoder.contains(.xsave) { state.cr4 |= CR4.osxsave }
    if model.decoder.contains(.fsgsbase) { state.cr4 |= CR4.fsgsbase }
    if model.decoder.contains(.pku) { state.cr4 |= CR4.pke }
    state.xcr0 = model.validXCR0
    state.cr3 = Map.pages
    state.efer = EFER.sce
    if codeSize == .bits64 {
      state.cr0 |= CR0.pg
      state.efer |= EFER.lme | EFER.lma
    }
    state.gdtr.base = Map.gdt
    state.gdtr.limit = 0x27
    state.idtr.base = Map.idt
    state.idtr.limit = 0
    let code: (UInt16, UInt16) =
      codeSize == .bits16
      ? (Map.code16, 0x809B) : codeSize == .bits32 ? (Map.code32, 0xC09B) : (Map.code64, 0xA09B)
    for i in 0..<6 {
      state.segments[i] = .init(
        base: 0,
        register: SegmentRegister(
          selector: i == 1 ? code.0 : Map.dataSelector, attributes: i == 1 ? code.1 : 0xC093, limit: .max))
    }
    processor.cpu.state = state
    processor.stateChanged()
    var exception: UInt8?
    processor.onException = { vector, _ in exception = exception ?? vector }
    defer { processor.onException = nil }
    _ = processor.run(until: processor.instructionCount &+ 1)
    return exception
  }
}
