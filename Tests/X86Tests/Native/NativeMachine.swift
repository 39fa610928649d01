import X86
import X86Core
import X86Decode
import X86System

/// A guest with nothing but ring 3 in it, laid out as the helper's process: the same pages at the same addresses, the
/// same selectors. Every exception ends in a HLT of its supervisor part.
final class NativeMachine {
  let memory = GuestMemory(size: 16 << 20)!
  let processor: Processor
  private let seams = Seams()
  /// No devices, but writes to code count.
  private final class Seams: ProcessorSeams {
    weak var processor: Processor?
    override func codeWritten(_ physicalAddress: UInt64, _ count: Int) {
      processor?.codeWritten(physicalAddress, count)
    }
    override func flushBlocks() { processor?.flushBlocks() }
  }
  private let initial: UnsafeMutableRawPointer
  private let pattern: UnsafeMutableRawPointer

  // Physical addresses.
  private static let pml4: UInt64 = 0x1000, gdt: UInt64 = 0x10000, idt: UInt64 = 0x11000,
    tss: UInt64 = 0x12000
  private static let halt: UInt64 = 0x13000, stack: UInt64 = 0x15000
  private static let code: UInt64 = 0x20_0000, data: UInt64 = 0x30_0000
  /// Linear address of physical 0, for the supervisor alone.
  private static let kernel: UInt64 = 0xFFFF_8000_0000_0000
  private var tables: UInt64 = 0x2000

  /// - Parameter pattern: what the data pages hold at first.
  init(pattern: UnsafeMutableRawPointer, features: CPUFeatures) {
    var model = ProcessorModel.default
    model.decoder = features
    processor = Processor(memory: memory, seams: seams, model: model)
    seams.processor = processor
    initial = .allocate(byteCount: Int(NativeMap.writableSize), alignment: 16)
    initial.copyMemory(from: pattern, byteCount: Int(NativeMap.writableSize))
    self.pattern = pattern

    let present: UInt64 = 1, write: UInt64 = 2, user: UInt64 = 4, noExecute: UInt64 = 1 << 63
    map(Self.kernel, 0, present | write | 0x80, large: true)
    for i in 0..<NativeMap.codeSize / 4096 {
      map(NativeMap.code + i * 4096, Self.code + i * 4096, present | user)
    }
    for i in 0..<NativeMap.dataSize / 4096 {
      let writable = i * 4096 < NativeMap.writableSize ? write : 0
      map(NativeMap.data + i * 4096, Self.data + i * 4096, present | user | noExecute | writable)
    }
    (memory.base + Int(Self.code)).initializeMemory(
      as: UInt8.self, repeating: 0xCC, count: Int(NativeMap.codeSize))
    (memory.base + Int(Self.data)).copyMemory(from: pattern, byteCount: Int(NativeMap.dataSize))

    // 08: nothing, 10: kernel code, 18: kernel data, 20: user code 32, 28: user data, 30: user code 64, 40: TSS.
    let descriptors: [UInt64] = [
      0, 0x00CF_9B00_0000_FFFF, 0x00AF_9B00_0000_FFFF, 0x00CF_9300_0000_FFFF, 0x00CF_FB00_0000_FFFF,
      0x00CF_F300_0000_FFFF, 0x00AF_FB00_0000_FFFF, 0,
    ]
    for (i, descriptor) in descriptors.enumerated() { write64(Self.gdt + UInt64(8 * i), descriptor) }
    write64(Self.tss + 4, Self.kernel + Self.stack)
    write64(Self.tss + 96, 0xFFFF << 48)  // no I/O permission map
    let handler = Self.kernel + Self.halt
    for vector in UInt64(0)..<256 {
      let dpl: UInt64 = vector == 3 || vector == 4 ? 3 : 0
      write64(
        Self.idt + 16 * vector,
        handler & 0xFFFF | 0x10 << 16 | 0xE << 40 | dpl << 45 | 1 << 47 | (handler >> 16 & 0xFFFF) << 48)
      write64(Self.idt + 16 * vector + 8, handler >> 32)
    }
    memory.write(Self.halt, [0xF4])

    let f = processor.cpu.f
    f.pointee.cr0 = CR0.pe | CR0.mp | CR0.et | CR0.ne | CR0.wp | CR0.am | CR0.pg
    f.pointee.cr3 = Self.pml4
    f.pointee.cr4 =
      CR4.pae | CR4.pge | CR4.osfxsr | CR4.osxmmexcpt | CR4.fsgsbase | CR4.umip | CR4.osxsave
    f.pointee.xcr0 = 7
    f.pointee.efer = EFER.lme | EFER.lma | EFER.nxe | EFER.sce
    f.pointee.gdtr.base = Self.kernel + Self.gdt
    f.pointee.gdtr.limit = 127
    f.pointee.idtr.base = Self.kernel + Self.idt
    f.pointee.idtr.limit = 4095
    f.pointee.tr.selector = 0x40
    f.pointee.tr.base = Self.kernel + Self.tss
    f.pointee.tr.limit = 103
    f.pointee.tr.attributes = 0x8B
    processor.stateChanged()
  }

  deinit { initial.deallocate() }

  private func write64(_ address: UInt64, _ value: UInt64) {
    (memory.base + Int(address)).storeBytes(of: value, as: UInt64.self)
  }
  private func read64(_ address: UInt64) -> UInt64 { (memory.base + Int(address)).load(as: UInt64.self) }

  private func map(_ linear: UInt64, _ physical: UInt64, _ bits: UInt64, large: Bool = false) {
    var table = Self.pml4
    for level in stride(from: 3, to: large ? 1 : 0, by: -1) {
      let entry = table + (linear >> UInt64(12 + 9 * level) & 511) * 8
      if read64(entry) == 0 {
        write64(entry, tables | 7)
        tables += 4096
      }
      table = read64(entry) & ~0xFFF
    }
    write64(table + (linear >> (large ? 21 : 12) & 511) * 8, physical | bits)
  }

  private func patch(_ input: NativeInput, undo: Bool) {
    for number in 0..<2 {
      let (address, bytes) = input.patch(number)
      for i in 0..<bytes.count {
        let offset = address &+ UInt64(i) &- NativeMap.data
        guard offset < NativeMap.writableSize else { continue }
        let byte = undo ? pattern.load(fromByteOffset: Int(offset), as: UInt8.self) : bytes[i]
        (memory.base + Int(Self.data + offset)).storeBytes(of: byte, as: UInt8.self)
        (initial + Int(offset)).storeBytes(of: byte, as: UInt8.self)
      }
    }
  }

  private func writeCode(_ input: NativeInput, undo: Bool) {
    for i in 0..<input.length {
      let offset = input.rip &+ UInt64(i) &- NativeMap.code
      guard offset < NativeMap.codeSize else { continue }
      memory.write(
        Self.code + offset, [undo ? 0xCC : input.guestCode.load(fromByteOffset: i, as: UInt8.self)])
    }
  }

  /// Most instructions (REP iterations) a case may take.
  private static let budget: UInt64 = 1 << 16

  /// Runs one case and writes what became of it.
  func run(_ input: NativeInput, into output: NativeOutput) {
    writeCode(input, undo: false)
    patch(input, undo: false)
    load(input)
    let end = processor.instructionCount &+ Self.budget
    var stop = processor.run(until: end)
    while stop == .attention { stop = processor.run(until: end) }
    let arrived = stop == .halted && processor.cpu.f.pointee.cpl == 0
    save(into: output, trap: arrived ? nil : 255)
    writeCode(input, undo: true)
    patch(input, undo: true)
  }

  private func load(_ input: NativeInput) {
    let cpu = processor.cpu
    let f = cpu.f
    processor.isHalted = false
    for i in 0..<16 { cpu.setR64(UInt8(i), input.gpr(i)) }
    f.pointee.rip = input.rip
    cpu.setStatusFlags(input.rflags)
    f.pointee.systemFlags = input.rflags & ~RFLAGS.status | 2
    f.pointee.cpl = 3
    f.pointee.debugPending = 0
    cpu.cs.pointee = SegmentRegister(selector: NativeMap.userCode64, attributes: 0xA0FB, limit: .max)
    cpu.ss.pointee = SegmentRegister(selector: NativeMap.userData, attributes: 0xC0F3, limit: .max)
    for i: UInt8 in 0..<6 {
      if i != 1 && i != 2 { cpu.segment(i).pointee = SegmentRegister(selector: 0, attributes: 0, limit: 0) }
      cpu.setSegmentBase(i, i == 4 ? input.fsBase : i == 5 ? input.gsBase : 0)
    }
    // The FXSAVE image.
    let fx = input.fx
    let status = fx.load(fromByteOffset: 2, as: UInt16.self)
    let top = UInt8(status >> 11 & 7)
    f.pointee.x87Control = fx.load(as: UInt16.self)
    f.pointee.x87Status = status & ~(7 << 11)
    f.pointee.x87Top = top
    f.pointee.x87Empty = ~fx.load(fromByteOffset: 4, as: UInt8.self)
    f.pointee.x87Opcode = 0
    f.pointee.x87InstructionPointer = 0
    f.pointee.x87InstructionSelector = 0
    f.pointee.x87DataPointer = 0
    f.pointee.x87DataSelector = 0
    f.pointee.mxcsr = fx.load(fromByteOffset: 24, as: UInt32.self)
    for i in 0..<8 {
      let to = cpu.p + Layout.x87 + Int((top &+ UInt8(i)) & 7) * 16
      to.storeBytes(of: fx.load(fromByteOffset: 32 + 16 * i, as: UInt64.self), as: UInt64.self)
      to.storeBytes(
        of: UInt64(fx.load(fromByteOffset: 40 + 16 * i, as: UInt16.self)), toByteOffset: 8, as: UInt64.self)
    }
    for i in 0..<16 {
      let to = cpu.vector(UInt8(i))
      to.copyMemory(from: fx + 160 + 16 * i, byteCount: 16)
      (to + 16).copyMemory(from: input.ymm + 16 * i, byteCount: 16)
    }
    cpu.updateMode()
  }

  private func save(into output: NativeOutput, trap: UInt32?) {
    let cpu = processor.cpu
    let f = cpu.f
    let to = output.p
    for i in 0..<16 { output.setGPR(i, cpu.r64(UInt8(i))) }
    // RIP, CS, RFLAGS, RSP, SS, whether or not an error code lies below them.
    let frame = Self.stack - 40
    let hasCode = f.pointee.faultHasCode && trap == nil
    to.storeBytes(of: trap ?? UInt32(f.pointee.faultVector), toByteOffset: 144, as: UInt32.self)
    to.storeBytes(of: hasCode ? f.pointee.faultCode : 0, toByteOffset: 148, as: UInt32.self)
    to.storeBytes(of: f.pointee.cr2, toByteOffset: 152, as: UInt64.self)
    if trap == nil {
      to.storeBytes(of: read64(frame), toByteOffset: 128, as: UInt64.self)
      to.storeBytes(of: read64(frame + 16), toByteOffset: 136, as: UInt64.self)
      output.setGPR(4, read64(frame + 24))
    } else {
      to.storeBytes(of: f.pointee.rip, toByteOffset: 128, as: UInt64.self)
      to.storeBytes(of: cpu.rflags, toByteOffset: 136, as: UInt64.self)
    }
    to.storeBytes(of: cpu.segmentBase(4), toByteOffset: 160, as: UInt64.self)
    to.storeBytes(of: cpu.segmentBase(5), toByteOffset: 168, as: UInt64.self)
    for i in 0..<6 {
      to.storeBytes(of: cpu.segment(UInt8(i)).pointee.selector, toByteOffset: 176 + 2 * i, as: UInt16.self)
    }
    if trap == nil {
      to.storeBytes(of: UInt16(truncatingIfNeeded: read64(frame + 8)), toByteOffset: 178, as: UInt16.self)
      to.storeBytes(of: UInt16(truncatingIfNeeded: read64(frame + 32)), toByteOffset: 180, as: UInt16.self)
    }

    let fx = output.fx
    let top = f.pointee.x87Top
    fx.initializeMemory(as: UInt8.self, repeating: 0, count: 512)
    fx.storeBytes(of: f.pointee.x87Control, as: UInt16.self)
    fx.storeBytes(of: f.pointee.x87Status | UInt16(top) << 11, toByteOffset: 2, as: UInt16.self)
    fx.storeBytes(of: ~f.pointee.x87Empty, toByteOffset: 4, as: UInt8.self)
    fx.storeBytes(of: f.pointee.mxcsr, toByteOffset: 24, as: UInt32.self)
    for i in 0..<8 {
      let from = cpu.p + Layout.x87 + Int((top &+ UInt8(i)) & 7) * 16
      (fx + 32 + 16 * i).copyMemory(from: from, byteCount: 10)
    }
    for i in 0..<16 {
      (fx + 160 + 16 * i).copyMemory(from: cpu.vector(UInt8(i)), byteCount: 16)
      (output.ymm + 16 * i).copyMemory(from: cpu.vector(UInt8(i)) + 16, byteCount: 16)
    }

    // Memory: bounds of what changed, then everything back.
    let now = memory.base + Int(Self.data)
    let words = Int(NativeMap.writableSize) / 8
    var first = 0
    while first < words
      && now.load(fromByteOffset: 8 * first, as: UInt64.self)
        == initial.load(fromByteOffset: 8 * first, as: UInt64.self)
    { first += 1 }
    var length = 0
    if first < words {
      var last = words - 1
      while now.load(fromByteOffset: 8 * last, as: UInt64.self)
        == initial.load(fromByteOffset: 8 * last, as: UInt64.self)
      { last -= 1 }
      length = (last - first + 1) * 8
      output.memory.copyMemory(from: now + 8 * first, byteCount: min(length, NativeOutput.memoryReported))
      (now + 8 * first).copyMemory(from: pattern + 8 * first, byteCount: length)
    } else {
      first = 0
    }
    to.storeBytes(of: UInt32(8 * first), toByteOffset: 192, as: UInt32.self)
    to.storeBytes(of: UInt32(length), toByteOffset: 196, as: UInt32.self)
  }
}
