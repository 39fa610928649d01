import X86Core
import X86Decode
import X86System

/// Ports that remember, an APIC that is not there.
final class RecordingSeams: ProcessorSeams {
  var writes: [(port: UInt16, size: Int, value: UInt32)] = []
  var reads: [UInt16] = []
  var inputValue: UInt32 = 0
  var priority: UInt8 = 0
  override func readPort(_ port: UInt16, size: Int) -> UInt32 {
    reads.append(port)
    return inputValue
  }
  override func writePort(_ port: UInt16, size: Int, value: UInt32) { writes.append((port, size, value)) }
  override var taskPriority: UInt8 {
    get { priority }
    set { priority = newValue }
  }
}

/// A processor with 2 MiB of RAM that executes one system instruction at a time, without blocks.
final class SystemMachine {
  enum Stop: Equatable {
    case resume, halt, shutdown
    /// An exception or software interrupt was delivered.
    case delivered(UInt8)
    /// Not an instruction of the system module.
    case foreign
  }

  let memory: GuestMemory
  let seams = RecordingSeams()
  let cpu: CPU
  var f: UnsafeMutablePointer<CPUFields> { cpu.f }
  private let block: UnsafeMutableRawPointer
  /// Instructions retired.
  var count = 0

  init() {
    memory = GuestMemory(size: 2 << 20)!
    let p = UnsafeMutableRawPointer.allocate(byteCount: Layout.size, alignment: 4096)
    p.initializeMemory(as: UInt8.self, repeating: 0, count: Layout.size)
    block = UnsafeMutableRawPointer.allocate(byteCount: 3 * Op.stride, alignment: 64)
    cpu = CPU(p)
    cpu.f.initialize(to: CPUFields())
    cpu.f.pointee.ramBase = memory.base
    cpu.f.pointee.pageFlags = memory.pageFlags
    cpu.f.pointee.ramSize = memory.size
    cpu.f.pointee.ramLowSize = memory.lowSize
    cpu.f.pointee.seams = Unmanaged.passUnretained(seams).toOpaque()
    cpu.f.pointee.countLimit = 1 << 40
    cpu.f.pointee.exitLeft = 1 << 40
    cpu.clearTLBs()
    cpu.resetState()
  }

  deinit {
    cpu.p.deallocate()
    block.deallocate()
  }

  // MARK: Memory, linear = physical in all tests

  func write64(_ address: UInt64, _ values: UInt64...) {
    for (i, value) in values.enumerated() {
      memory.write(address + UInt64(8 * i), withUnsafeBytes(of: value.littleEndian) { [UInt8]($0) })
    }
  }
  func write32(_ address: UInt64, _ value: UInt32) {
    memory.write(address, withUnsafeBytes(of: value.littleEndian) { [UInt8]($0) })
  }
  func read(_ address: UInt64, size: Int) -> UInt64 {
    (memory.read(address, count: size) ?? []).reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
  func read64(_ address: UInt64) -> UInt64 { read(address, size: 8) }
  func read32(_ address: UInt64) -> UInt64 { read(address, size: 4) }

  func register(_ number: UInt8) -> UInt64 { cpu.r64(number) }
  func set(_ number: UInt8, _ value: UInt64) { cpu.setR64(number, value) }

  // MARK: Execution

  var is64Bit: Bool { f.pointee.codeMode & CodeMode.bits64 != 0 }

  /// Puts `bytes` at RIP and executes the instruction.
  @discardableResult
  func run(_ bytes: UInt8...) -> Stop {
    memory.write(f.pointee.rip &+ (is64Bit ? 0 : cpu.segmentBase(1)), bytes)
    return step()
  }

  /// Executes the instruction at RIP; delivers what it raises.
  @discardableResult
  func step() -> Stop {
    let linear = f.pointee.rip &+ (is64Bit ? 0 : cpu.segmentBase(1))
    guard let physical = cpu.inspect(linear), let host = cpu.hostPointer(physical) else { return .foreign }
    let mode = f.pointee.codeMode
    let codeSize: CodeSize =
      mode & CodeMode.bits64 != 0 ? .bits64 : (mode & CodeMode.bits32 != 0 ? .bits32 : .bits16)
    var instruction = Instruction()
    guard
      decode(
        host.assumingMemoryBound(to: UInt8.self), available: 15, codeSize: codeSize, features: .all,
        into: &instruction)
        == .ok, let handler = systemHandler(for: instruction)
    else { return .foreign }
    lower(instruction, handler)
    let left = (1 << 40) - count - 1
    handler(cpu.p, UnsafeRawPointer(block + Op.stride), left)
    count = (1 << 40) - f.pointee.exitLeft
    switch f.pointee.exitReason {
    case .halt: return .halt
    case .fault, .trap:
      let vector = f.pointee.faultVector
      return cpu.deliver(
        vector, errorCode: f.pointee.faultHasCode ? f.pointee.faultCode : nil, kind: f.pointee.faultKind)
        ? .delivered(vector) : .shutdown
    default: return .resume
    }
  }

  private func lower(_ i: Instruction, _ handler: Handler) {
    block.storeBytes(of: 1, as: Int.self)
    block.storeBytes(of: f.pointee.rip, toByteOffset: 8, as: UInt64.self)
    var op = Op()
    op.handler = UInt(bitPattern: unsafeBitCast(handler, to: Int.self))
    op.d = i.reg
    op.s = i.rm
    op.length = i.length
    op.place = 1
    op.size = i.operandSize | (i.isMemory ? Op.memory : 0) | (i.rep ? Op.rep : 0) | (i.repne ? Op.repne : 0)
    op.maskSlot = i.addressSize == 2 ? Slot.mask16 : (i.addressSize == 4 ? Slot.mask32 : Slot.mask64)
    op.segment = i.segment.rawValue | (f.pointee.codeMode & CodeMode.checked != 0 ? Op.checked : 0)
    if !is64Bit || i.segment.rawValue > 3 { op.segmentSlot = Slot.segmentBase + i.segment.rawValue }
    op.imm = Int32(truncatingIfNeeded: i.immediate)
    if i.isMemory {
      op.base = i.base
      op.index = i.index
      op.scale = i.scale
      op.wide = i.displacement
      if i.isRIPRelative { op.wide &+= Int64(bitPattern: f.pointee.rip &+ UInt64(i.length)) }
    } else {
      op.wide = i.immediate
      if i.operands.0 == .ap { op.imm = Int32(i.immediate2) }
    }
    (block + Op.stride).storeBytes(of: op, as: Op.self)
    let next: Handler = { cpu, op, left in
      let f = CPU(cpu).f
      f.pointee.rip = OpRef(op).rip
      f.pointee.exitLeft = left
      f.pointee.exitReason = .resume
    }
    var last = Op()
    last.handler = UInt(bitPattern: unsafeBitCast(next, to: Int.self))
    last.place = 2
    (block + 2 * Op.stride).storeBytes(of: last, as: Op.self)
  }
}

/// The memory map and the tables that the tests share.
enum Map {
  static let gdt: UInt64 = 0x1000, idt: UInt64 = 0x2000, tss: UInt64 = 0x3000, pages: UInt64 = 0x10000
  static let code: UInt64 = 0x8000, stack0: UInt64 = 0x20000, ist1: UInt64 = 0x30000, stack3: UInt64 = 0x40000
  static let handlers: UInt64 = 0x9000
  // Selectors.
  static let code64: UInt16 = 0x08, data: UInt16 = 0x10, code32: UInt16 = 0x18
  static let userCode32: UInt16 = 0x20 | 3, userData: UInt16 = 0x28 | 3, userCode64: UInt16 = 0x30 | 3
  static let tssSelector: UInt16 = 0x38, secondTSS: UInt16 = 0x48, callGate: UInt16 = 0x58
}

extension SystemMachine {
  /// Writes the GDT that 64-bit and 32-bit tests use.
  func makeGDT() {
    write64(
      Map.gdt, 0, 0x00AF_9B00_0000_FFFF, 0x00CF_9300_0000_FFFF, 0x00CF_9B00_0000_FFFF, 0x00CF_FB00_0000_FFFF,
      0x00CF_F300_0000_FFFF, 0x00AF_FB00_0000_FFFF, 0x0000_8900_3000_0067, 0, 0x0000_8900_3800_0067, 0)
  }

  /// From power-up through 32-bit to 64-bit mode, by instructions alone. Interrupts off, CPL 0.
  func enterLongMode() {
    enterProtectedMode()
    // Identity mapping of 2 MiB, for users too.
    write64(Map.pages, Map.pages + 0x1000 | 7)
    write64(Map.pages + 0x1000, Map.pages + 0x2000 | 7)
    write64(Map.pages + 0x2000, 0x87)
    set(GPR.rax, CR4.pae | CR4.pge | CR4.osfxsr)
    run(0x0F, 0x22, 0xE0)  // mov cr4, eax
    set(GPR.rax, Map.pages)
    run(0x0F, 0x22, 0xD8)  // mov cr3, eax
    set(GPR.rcx, UInt64(MSR.efer))
    set(GPR.rax, EFER.lme | EFER.sce | EFER.nxe)
    set(GPR.rdx, 0)
    run(0x0F, 0x30)  // wrmsr
    set(GPR.rax, CR0.pe | CR0.pg | CR0.et | CR0.wp | CR0.ne)
    run(0x0F, 0x22, 0xC0)  // mov cr0, eax
    run(0xEA, 0x00, 0x80, 0x00, 0x00, UInt8(Map.code64), 0)  // jmp 8:8000
    set(GPR.rsp, Map.stack0)
    set(GPR.rax, UInt64(Map.tssSelector))
    write64(Map.tss + 4, Map.stack0)
    write64(Map.tss + 36, Map.ist1)
    run(0x0F, 0x00, 0xD8)  // ltr ax
    f.pointee.rip = Map.code
  }

  /// From power-up to flat 32-bit protected mode, by instructions alone.
  func enterProtectedMode() {
    makeGDT()
    memory.write(0x500, [0x7F, 0, 0x00, 0x10, 0, 0])
    memory.write(0x508, [0xFF, 0x0F, 0x00, 0x20, 0, 0])
    f.pointee.rip = 0x7000
    cpu.setSegmentBase(1, 0)
    cpu.cs.pointee.selector = 0
    run(0x0F, 0x01, 0x16, 0x00, 0x05)  // lgdt [500]
    run(0x0F, 0x01, 0x1E, 0x08, 0x05)  // lidt [508]
    set(GPR.rax, CR0.pe | CR0.et)
    run(0x0F, 0x22, 0xC0)  // mov cr0, eax
    run(0xEA, 0x00, 0x70, UInt8(Map.code32), 0)  // jmp 18:7000
    set(GPR.rax, UInt64(Map.data))
    for modRM: UInt8 in [0xD8, 0xC0, 0xD0, 0xE0, 0xE8] { run(0x8E, modRM) }
    set(GPR.rsp, Map.stack0)
  }

  func setGate64(
    _ vector: UInt8, type: UInt64 = 0xE, dpl: UInt64 = 0, ist: UInt64 = 0, selector: UInt16 = Map.code64,
    present: Bool = true
  ) {
    let offset = Map.handlers + UInt64(vector) * 16
    write64(
      Map.idt + UInt64(vector) * 16,
      offset & 0xFFFF | UInt64(selector) << 16 | ist << 32 | type << 40 | dpl << 45 | (present ? 1 << 47 : 0),
      0)
  }

  func setGate32(_ vector: UInt8, type: UInt64 = 0xE, dpl: UInt64 = 0, selector: UInt16 = Map.code32) {
    let offset = Map.handlers + UInt64(vector) * 16
    write64(
      Map.idt + UInt64(vector) * 8,
      offset & 0xFFFF | UInt64(selector) << 16 | type << 40 | dpl << 45 | 1 << 47)
  }

  func handler(_ vector: UInt8) -> UInt64 { Map.handlers + UInt64(vector) * 16 }

  /// Goes to ring 3, 64-bit, by IRETQ.
  func enterUser64(flags: UInt64 = 0x202) {
    set(GPR.rsp, 0x1F000)
    write64(0x1F000, Map.code, UInt64(Map.userCode64), flags, Map.stack3, UInt64(Map.userData))
    run(0x48, 0xCF)
  }
}
