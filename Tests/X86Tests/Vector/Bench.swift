import X86Core
import X86Decode
import X86Vector

/// A processor without a board, that executes one decoded instruction: 64-bit code, no paging, linear addresses are
/// addresses in 64 KiB of RAM.
final class Bench {
  static let ramSize = 1 << 16
  let cpu: CPU
  let ram: UnsafeMutableRawPointer
  private let seams = ProcessorSeams()
  private let pageFlags: UnsafeMutablePointer<UInt8>
  private let block: UnsafeMutablePointer<Op>

  init() {
    let p = UnsafeMutableRawPointer.allocate(byteCount: Layout.size, alignment: 4096)
    p.initializeMemory(as: UInt8.self, repeating: 0, count: Layout.size)
    ram = .allocate(byteCount: Bench.ramSize, alignment: 4096)
    ram.initializeMemory(as: UInt8.self, repeating: 0, count: Bench.ramSize)
    pageFlags = .allocate(capacity: Bench.ramSize >> 12)
    pageFlags.initialize(repeating: 0, count: Bench.ramSize >> 12)
    block = .allocate(capacity: 3)
    block.initialize(repeating: Op(), count: 3)
    cpu = CPU(p)
    cpu.f.initialize(to: CPUFields())
    cpu.f.pointee.ramBase = ram
    cpu.f.pointee.pageFlags = pageFlags
    cpu.f.pointee.ramSize = UInt64(Bench.ramSize)
    cpu.f.pointee.ramLowSize = UInt64(Bench.ramSize)
    cpu.f.pointee.seams = Unmanaged.passUnretained(seams).toOpaque()
    cpu.f.pointee.cr0 = CR0.pe
    cpu.f.pointee.cr4 = CR4.osfxsr | CR4.osxmmexcpt
    cpu.f.pointee.efer = EFER.lma | EFER.lme
    cpu.setR64(Slot.mask16, 0xFFFF)
    cpu.setR64(Slot.mask32, 0xFFFF_FFFF)
    cpu.setR64(Slot.mask64, .max)
    cpu.cs.pointee.attributes = 0xA09B
    cpu.clearTLBs()
    cpu.updateMode()
  }

  deinit {
    cpu.p.deallocate()
    ram.deallocate()
    pageFlags.deallocate()
    block.deallocate()
  }

  /// Decodes one instruction for 64-bit mode.
  static func decoded(_ bytes: [UInt8]) -> Instruction? {
    var instruction = Instruction()
    let features: CPUFeatures = [.x86_64_v3, .aes, .pclmulqdq, .sha, .gfni, .xsave, .xsaveopt, .xsavec]
    let padded = bytes + [UInt8](repeating: 0, count: 16)
    let status = padded.withUnsafeBufferPointer {
      decode($0.baseAddress!, available: 16, codeSize: .bits64, features: features, into: &instruction)
    }
    return status == .ok ? instruction : nil
  }

  /// The operation of an instruction, lowered as far as these tests need it; nil when it is not of the vector family.
  static func lowered(_ i: Instruction) -> Op? {
    var op = Op()
    op.length = i.length
    op.place = 1
    op.size = i.operandSize | (i.isMemory ? Op.memory : 0)
    op.wide = i.displacement
    if i.isMemory {
      if i.base != Instruction.noRegister { op.base = i.base }
      if i.index != Instruction.noRegister { op.index = i.index }
      op.scale = i.scale
    }
    guard let address = vectorHandler(for: i, &op) else { return nil }
    op.handler = address
    return op
  }

  /// Executes an operation. Returns the vector of the fault that it raised, or nil.
  @discardableResult
  func execute(_ op: Op) -> UInt8? {
    block[1] = op
    block[2].handler = handler { _, _, _ in }
    cpu.f.pointee.exitReason = .link
    let raw = UnsafeRawPointer(block + 1)
    dispatch(cpu.p, raw, 0)
    return cpu.f.pointee.exitReason == .fault ? cpu.f.pointee.faultVector : nil
  }

  /// Decodes and executes; nil when it went through, else the fault's vector.
  @discardableResult
  func run(_ bytes: [UInt8]) -> UInt8? {
    guard let i = Bench.decoded(bytes), let op = Bench.lowered(i) else { return 0xFF }
    return execute(op)
  }

  func xmm(_ i: UInt8) -> SIMD2<UInt64> { cpu.vector(i).load(as: SIMD2<UInt64>.self) }
  func setXMM(_ i: UInt8, _ value: SIMD2<UInt64>) {
    cpu.vector(i).storeBytes(of: value, as: SIMD2<UInt64>.self)
  }
  func mmx(_ i: Int) -> UInt64 { cpu.p.load(fromByteOffset: Layout.x87 + 16 * i, as: UInt64.self) }
  func setMMX(_ i: Int, _ value: UInt64) {
    cpu.p.storeBytes(of: value, toByteOffset: Layout.x87 + 16 * i, as: UInt64.self)
  }
}

/// SplitMix64: the same numbers everywhere.
struct TestRandom {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
