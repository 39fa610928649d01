import X86Core
import X86Decode
import X86FPU

/// A processor without a driver: one allocation, a megabyte of RAM, no paging, and blocks of x87 instructions made by
/// hand.
final class FPUBench {
  let cpu: CPU
  let memory: GuestMemory
  private let seams = ProcessorSeams()
  private let block: UnsafeMutableRawPointer

  /// Instructions that a block has room for.
  static let longest = 16
  /// Where the block lies in the guest.
  static let codeAddress: UInt64 = 0x1234_5000

  init() {
    let p = UnsafeMutableRawPointer.allocate(byteCount: Layout.size, alignment: 64)
    p.initializeMemory(as: UInt8.self, repeating: 0, count: Layout.size)
    (p + Layout.fields).initializeMemory(as: CPUFields.self, to: CPUFields())
    block = UnsafeMutableRawPointer.allocate(byteCount: Op.stride * (FPUBench.longest + 2), alignment: 64)
    block.initializeMemory(as: UInt8.self, repeating: 0, count: Op.stride * (FPUBench.longest + 2))
    cpu = CPU(p)
    memory = GuestMemory(size: 1 << 20)!
    cpu.setR64(Slot.mask16, 0xFFFF)
    cpu.setR64(Slot.mask32, 0xFFFF_FFFF)
    cpu.setR64(Slot.mask64, .max)
    let f = cpu.f
    f.pointee.ramBase = memory.base
    f.pointee.pageFlags = memory.pageFlags
    f.pointee.ramSize = memory.size
    f.pointee.ramLowSize = memory.lowSize
    f.pointee.seams = Unmanaged.passUnretained(seams).toOpaque()
    f.pointee.cr0 = CR0.pe | CR0.ne | CR0.et
    f.pointee.efer = EFER.lma | EFER.lme
    for i: UInt8 in 0..<6 {
      cpu.segment(i).pointee = SegmentRegister(
        selector: UInt16(i) * 8 + 8, attributes: i == 1 ? 0xA09B : 0xC093, limit: .max)
    }
    cpu.updateMode()
    cpu.clearTLBs()
  }

  deinit {
    block.deallocate()
    cpu.p.deallocate()
  }

  /// Runs instructions one after the other, each with its memory operand (if it has one) at the given register's
  /// address, [RSI] or [RDI] or [RDX].
  /// - Returns: how the chain ended: `.resume` behind the last instruction, `.fault` at one.
  func run(_ codes: [[UInt8]], _ codeSize: CodeSize = .bits64) -> ExitReason {
    precondition(codes.count <= FPUBench.longest)
    block.storeBytes(of: FPUBench.codeAddress, toByteOffset: 8, as: UInt64.self)
    for (i, code) in codes.enumerated() {
      var op = FPUBench.operation(code, codeSize)
      op.place = UInt8(i + 1)
      op.after = UInt8(codes.count - 1 - i)
      block.storeBytes(of: op, toByteOffset: (i + 1) * Op.stride, as: Op.self)
    }
    var end = Op()
    // A C function that returns to the caller of the chain.
    let terminator: Handler = { cpu, _, left in CPU(cpu).f.pointee.exitLeft = left }
    end.handler = UInt(bitPattern: unsafeBitCast(terminator, to: UnsafeRawPointer.self))
    block.storeBytes(of: end, toByteOffset: (codes.count + 1) * Op.stride, as: Op.self)
    cpu.f.pointee.exitReason = .resume
    dispatch(cpu.p, block + Op.stride, 0)
    return cpu.f.pointee.exitReason
  }

  /// The operation of an instruction, encoded as the block builder does.
  static func operation(_ code: [UInt8], _ codeSize: CodeSize = .bits64) -> Op {
    var i = Instruction()
    let status = (code + [0]).withUnsafeBufferPointer {
      decode($0.baseAddress!, available: code.count, codeSize: codeSize, features: .x86_64_v2, into: &i)
    }
    precondition(status == .ok && Int(i.length) == code.count, "\(code)")
    var op = Op()
    op.length = i.length
    op.d = i.reg
    op.s = i.rm
    op.maskSlot = i.addressSize == 8 ? Slot.mask64 : i.addressSize == 4 ? Slot.mask32 : Slot.mask16
    op.segment = i.segment.rawValue
    if codeSize != .bits64 {
      op.segmentSlot = Slot.segmentBase + i.segment.rawValue
      op.segment |= Op.checked
    }
    op.size = i.operandSize
    if i.isMemory {
      op.size |= Op.memory
      op.base = i.base
      op.index = i.index
      op.scale = i.scale
      op.wide = i.displacement
    }
    op.handler = fpuHandler(for: i, &op)!
    return op
  }

  // MARK: memory

  func bytes(_ address: UInt64, _ count: Int) -> [UInt8] { memory.read(address, count: count)! }
  func word(_ address: UInt64) -> UInt16 { UInt16(bytes(address, 2)[0]) | UInt16(bytes(address, 2)[1]) << 8 }
  func double(_ address: UInt64) -> UInt32 { UInt32(word(address)) | UInt32(word(address + 2)) << 16 }

  // MARK: cases of the host's

  static let stateAddress: UInt64 = 0x1000
  static let memoryAddress: UInt64 = 0x2000
  static let resultAddress: UInt64 = 0x3000

  /// FRSTOR, the instruction, FNSAVE; nil when the chain was left by a fault.
  func run(_ test: FPUCase) -> FPUResult? {
    memory.write(FPUBench.stateAddress, test.state)
    memory.write(FPUBench.memoryAddress, test.memory)
    cpu.setR64(GPR.rax, test.rax)
    cpu.setR64(GPR.rdi, FPUBench.stateAddress)
    cpu.setR64(GPR.rsi, FPUBench.memoryAddress)
    cpu.setR64(GPR.rdx, FPUBench.resultAddress)
    cpu.setStatusFlags(test.rflags)
    guard run([[0xDD, 0x27], test.code, [0xDD, 0x32]]) == .resume else { return nil }
    return FPUResult(
      state: bytes(FPUBench.resultAddress, FPUCase.stateSize),
      memory: bytes(FPUBench.memoryAddress, FPUCase.memorySize), rax: cpu.r64(GPR.rax),
      rflags: cpu.statusFlags)
  }
}
