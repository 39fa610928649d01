import Testing
import X86Core
import X86Decode
import X86FPU

/// What the comparison with the host cannot see: pointers, the four layouts of the environment, faults.
@Suite struct FPUStateTests {
  private let bench = FPUBench()
  private var f: UnsafeMutablePointer<CPUFields> { bench.cpu.f }

  private static let fninit: [UInt8] = [0xDB, 0xE3]
  private static let fld1: [UInt8] = [0xD9, 0xE8]
  private static let fldz: [UInt8] = [0xD9, 0xEE]
  /// ST(0) = ST(0) / ST(1), by zero below.
  private static let fdiv: [UInt8] = [0xD8, 0xF1]

  init() {
    bench.cpu.setR64(GPR.rsi, FPUBench.memoryAddress)
    bench.cpu.setR64(GPR.rdx, FPUBench.resultAddress)
    #expect(bench.run([Self.fninit]) == .resume)
  }

  private func enter(real: Bool) {
    if real { f.pointee.cr0 &= ~CR0.pe }
    f.pointee.efer = 0
    for i: UInt8 in 0..<6 {
      bench.cpu.segment(i).pointee.selector = 0x1230 + UInt16(i)
      bench.cpu.segment(i).pointee.attributes = i == 1 ? 0xC09B : 0xC093
    }
    bench.cpu.updateMode()
  }

  /// Leaves 1/0 pending, ZE unmasked.
  private func makePending() {
    f.pointee.x87Control = 0x37B
    #expect(bench.run([Self.fldz, Self.fld1, Self.fdiv]) == .resume)
    #expect(f.pointee.x87Status & 0x8084 == 0x8084)
  }

  // MARK: pointers

  @Test func pointersFollowNumericInstructions() {
    #expect(bench.run([Self.fninit, Self.fld1, [0xD8, 0x46, 0x04]]) == .resume)
    #expect(f.pointee.x87InstructionPointer == FPUBench.codeAddress + 4)
    #expect(f.pointee.x87InstructionSelector == bench.cpu.cs.pointee.selector)
    #expect(f.pointee.x87DataPointer == FPUBench.memoryAddress + 4)
    #expect(f.pointee.x87DataSelector == bench.cpu.segment(3).pointee.selector)
    #expect(f.pointee.x87Opcode == 0x046)
    // Control instructions leave them; without a memory operand the data pointer stays.
    #expect(bench.run([[0xD9, 0x3E], [0xDF, 0xE0], [0x9B], [0xD9, 0xC0], [0xDB, 0xE2]]) == .resume)
    #expect(f.pointee.x87InstructionPointer == FPUBench.codeAddress + 5)
    #expect(f.pointee.x87Opcode == 0x1C0)
    #expect(f.pointee.x87DataPointer == FPUBench.memoryAddress + 4)
  }

  @Test func faultingMemoryLeavesEverything() {
    bench.cpu.setR64(GPR.rsi, 0x8000_0000_0000_0000)
    for code: [UInt8] in [
      [0xD9, 0x06], [0xDB, 0x2E], [0xDB, 0x3E], [0xDD, 0x36], [0xDD, 0x26], [0xD9, 0x36], [0xD9, 0x26],
      [0xD9, 0x2E],
      [0xDF, 0x36], [0xDD, 0x1E], [0xD8, 0x06],
    ] {
      #expect(bench.run([Self.fninit, Self.fld1]) == .resume)
      let before = (
        f.pointee.x87Status, f.pointee.x87Top, f.pointee.x87Empty, f.pointee.x87InstructionPointer
      )
      #expect(bench.run([code]) == .fault)
      #expect(f.pointee.faultVector == Vector.gp)
      #expect(f.pointee.rip == FPUBench.codeAddress)
      let after = (f.pointee.x87Status, f.pointee.x87Top, f.pointee.x87Empty, f.pointee.x87InstructionPointer)
      #expect(before == after)
    }
  }

  @Test func storesOfTenBytesAreAllOrNothing() {
    // The second page is beyond the segment's limit: 8 bytes would fit, 10 do not.
    enter(real: false)
    bench.cpu.segment(3).pointee.limit = 0x2FFF
    bench.cpu.updateMode()
    bench.memory.write(0x2FF8, [UInt8](repeating: 0xCC, count: 16))
    bench.cpu.setR64(GPR.rsi, 0x2FF8)
    #expect(bench.run([Self.fninit, Self.fld1, [0xDB, 0x3E]], .bits32) == .fault)
    #expect(bench.bytes(0x2FF8, 16) == [UInt8](repeating: 0xCC, count: 16))
    #expect(f.pointee.x87Empty == 0x7F)
  }

  // MARK: layouts

  @Test func environmentProtected32() {
    let r = FPUBench.resultAddress
    f.pointee.x87InstructionSelector = 0x1234
    f.pointee.x87InstructionPointer = 0x8765_4321
    f.pointee.x87DataSelector = 0x5678
    f.pointee.x87DataPointer = 0xFEDC_BA98
    f.pointee.x87Opcode = 0x5A5
    f.pointee.x87Control = 0x340
    #expect(bench.run([[0xD9, 0x32]]) == .resume)
    let words = (0..<7).map { bench.double(r + UInt64(4 * $0)) }
    #expect(
      words == [0xFFFF_0340, 0xFFFF_0000, 0xFFFF_FFFF, 0x8765_4321, 0x05A5_1234, 0xFEDC_BA98, 0xFFFF_5678])
    #expect(f.pointee.x87Control == 0x37F)
    #expect(bench.run([Self.fninit, [0xD9, 0x22]]) == .resume)
    #expect(f.pointee.x87Control == 0x340 && f.pointee.x87Opcode == 0x5A5)
    #expect(f.pointee.x87InstructionPointer == 0x8765_4321 && f.pointee.x87InstructionSelector == 0x1234)
    #expect(f.pointee.x87DataPointer == 0xFEDC_BA98 && f.pointee.x87DataSelector == 0x5678)
  }

  @Test func environmentProtected16() {
    let r = FPUBench.resultAddress
    f.pointee.x87InstructionSelector = 0x1234
    f.pointee.x87InstructionPointer = 0x8765_4321
    f.pointee.x87DataSelector = 0x5678
    f.pointee.x87DataPointer = 0xFEDC_BA98
    #expect(bench.run([[0x66, 0xD9, 0x32]]) == .resume)
    #expect(
      (0..<7).map { bench.word(r + UInt64(2 * $0)) } == [0x37F, 0, 0xFFFF, 0x4321, 0x1234, 0xBA98, 0x5678])
  }

  @Test func environmentReal() {
    let r = FPUBench.resultAddress
    enter(real: true)
    f.pointee.x87InstructionSelector = 0x1234
    f.pointee.x87InstructionPointer = 0x4321
    f.pointee.x87DataSelector = 0xF678
    f.pointee.x87DataPointer = 0xBA98
    f.pointee.x87Opcode = 0x5A5
    #expect(bench.run([[0xD9, 0x32]], .bits32) == .resume)
    // 12340 + 4321 = 16661; F6780 + BA98 = 102218.
    #expect(
      (0..<7).map { bench.double(r + UInt64(4 * $0)) } == [
        0xFFFF_037F, 0xFFFF_0000, 0xFFFF_FFFF, 0xFFFF_6661, 0x0000_15A5, 0xFFFF_2218, 0x0001_0000,
      ])
    #expect(bench.run([Self.fninit, [0xD9, 0x22]], .bits32) == .resume)
    #expect(f.pointee.x87InstructionPointer == 0x16661 && f.pointee.x87InstructionSelector == 0)
    #expect(f.pointee.x87DataPointer == 0x102218 && f.pointee.x87Opcode == 0x5A5)
    #expect(bench.run([[0x66, 0xD9, 0x32]], .bits32) == .resume)
    #expect(
      (0..<7).map { bench.word(r + UInt64(2 * $0)) } == [0x37F, 0, 0xFFFF, 0x6661, 0x15A5, 0x2218, 0])
  }

  @Test func stateIn16BitsRoundTrips() {
    #expect(bench.run([Self.fld1, Self.fldz, [0xD9, 0xEB], [0x66, 0xDD, 0x32]]) == .resume)
    // π, 0, 1 behind 14 bytes; physical 5 valid, 6 zero, 7 valid.
    #expect(bench.word(FPUBench.resultAddress + 4) == 0x13FF)
    #expect(
      bench.bytes(FPUBench.resultAddress + 14, 10) == [
        0x35, 0xC2, 0x68, 0x21, 0xA2, 0xDA, 0x0F, 0xC9, 0x00, 0x40,
      ])
    #expect(f.pointee.x87Empty == 0xFF && f.pointee.x87Top == 0)
    #expect(bench.run([[0x66, 0xDD, 0x22], [0x66, 0xDD, 0x32]]) == .resume)
    #expect(bench.word(FPUBench.resultAddress + 4) == 0x13FF)
    #expect(bench.word(FPUBench.resultAddress + 2) == 5 << 11)
  }

  // MARK: faults

  @Test func deviceNotAvailable() {
    for (bits, numeric, wait) in [
      (CR0.em, true, false), (CR0.ts, true, false), (CR0.ts | CR0.mp, true, true), (CR0.mp, false, false),
    ] {
      let old = f.pointee.cr0
      f.pointee.cr0 |= bits
      for code in [Self.fld1, Self.fninit, [0xDF, 0xE0], [0xD9, 0x36]] {
        #expect((bench.run([code]) == .fault) == numeric)
        if numeric { #expect(f.pointee.faultVector == Vector.nm && !f.pointee.faultHasCode) }
      }
      #expect((bench.run([[0x9B]]) == .fault) == wait)
      f.pointee.cr0 = old
    }
  }

  @Test func pendingExceptionsStopWaitingInstructions() {
    makePending()
    for code: [UInt8] in [[0x9B], Self.fld1, [0xD9, 0xD0], [0xD9, 0x2E], [0xDD, 0x26], [0xD9, 0x26]] {
      #expect(bench.run([code]) == .fault)
      #expect(f.pointee.faultVector == Vector.mf && !f.pointee.faultHasCode)
    }
    for code: [UInt8] in [[0xDF, 0xE0], [0xD9, 0x3E], [0xDD, 0x3E]] { #expect(bench.run([code]) == .resume) }
    // FNSTENV masks everything: nothing is pending any more.
    #expect(bench.run([[0xD9, 0x36], [0x9B]]) == .resume)
    #expect(f.pointee.x87Status & 0x8084 == 4)
    // FLDCW unmasks it again.
    bench.memory.write(FPUBench.memoryAddress, [0x7B, 0x03])
    #expect(bench.run([[0xD9, 0x2E], [0x9B]]) == .fault)
    #expect(f.pointee.rip == FPUBench.codeAddress + 2)
    #expect(bench.run([[0xDB, 0xE2], [0x9B]]) == .resume)
  }

  @Test func withoutNENothingIsRaised() {
    makePending()
    f.pointee.cr0 &= ~CR0.ne
    #expect(bench.run([[0x9B], Self.fld1]) == .resume)
    #expect(f.pointee.x87Status & 0x80 != 0)
  }

  @Test func unmaskedStackFaultsChangeNothing() {
    f.pointee.x87Control = 0x37E
    // Underflow: FADD, FCOMI and FSTP of an empty stack.
    for code: [UInt8] in [[0xD8, 0xC1], [0xDB, 0xF1], [0xDD, 0x1E], [0xD9, 0xC9]] {
      bench.cpu.setStatusFlags(RFLAGS.sf)
      bench.memory.write(FPUBench.memoryAddress, [1, 2, 3, 4, 5, 6, 7, 8])
      #expect(bench.run([Self.fninit]) == .resume)
      f.pointee.x87Control = 0x37E
      #expect(bench.run([code]) == .resume)
      #expect(f.pointee.x87Status == 0x80C1 && f.pointee.x87Top == 0 && f.pointee.x87Empty == 0xFF)
      #expect(bench.cpu.statusFlags == RFLAGS.sf)
      #expect(bench.bytes(FPUBench.memoryAddress, 8) == [1, 2, 3, 4, 5, 6, 7, 8])
    }
    // Overflow: C1.
    #expect(bench.run([Self.fninit] + [[UInt8]](repeating: Self.fld1, count: 8)) == .resume)
    f.pointee.x87Control = 0x37E
    #expect(bench.run([Self.fldz]) == .resume)
    #expect(f.pointee.x87Status == 0x82C1 && f.pointee.x87Top == 0)
  }

  @Test func comparisonWithUnmaskedInvalidKeepsCodes() {
    // Codes C3 and C0 from before; FCOM of an empty register.
    f.pointee.x87Status = 0x4100
    f.pointee.x87Control = 0x37E
    #expect(bench.run([[0xD8, 0xD1]]) == .resume)
    #expect(f.pointee.x87Status == 0xC1C1)
  }

  @Test func everyRowHasAHandler() {
    for first: UInt8 in 0xD8...0xDF {
      for second: UInt8 in 0...0xFF {
        // [RBP + disp8], disp32, SIB and RIP-relative forms have the rows of [RSI].
        if second < 0xC0 && second & 0xC7 != 0x06 { continue }
        var i = Instruction()
        let bytes = [first, second, 0, 0]
        let status = bytes.withUnsafeBufferPointer {
          decode($0.baseAddress!, available: 4, codeSize: .bits64, features: .x86_64_v2, into: &i)
        }
        guard status == .ok else { continue }
        var op = Op()
        #expect(fpuHandler(for: i, &op) != nil, "\(String(first, radix: 16)) \(String(second, radix: 16))")
        #expect(op.imm == Int32(first & 7) << 8 | Int32(second))
      }
    }
  }
}
