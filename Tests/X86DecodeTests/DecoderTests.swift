import Testing
import X86Decode

@Suite struct DecoderTests {
  private func run(
    _ bytes: [UInt8], _ codeSize: CodeSize = .bits64, _ features: CPUFeatures = .x86_64_v2,
    available: Int? = nil
  ) -> (DecodeStatus, Instruction) {
    var instruction = Instruction()
    let status = (bytes + [0]).withUnsafeBufferPointer {
      decode(
        $0.baseAddress!, available: available ?? bytes.count, codeSize: codeSize, features: features,
        into: &instruction)
    }
    return (status, instruction)
  }

  @Test func everyPrefixOfAnInstructionIsTruncated() {
    for bytes: [UInt8] in [
      [0x48, 0xB8, 1, 2, 3, 4, 5, 6, 7, 8], [0x66, 0x0F, 0x3A, 0x0F, 0x44, 0x88, 0x10, 0x05],
      [0x81, 0x84, 0x88, 1, 2, 3, 4, 5, 6, 7, 8], [0xC8, 1, 2, 3], [0xE8, 1, 2, 3, 4],
      [0xF0, 0x0F, 0xC7, 0x0E],
    ] {
      for count in 0..<bytes.count { #expect(run(bytes, available: count).0 == .truncated) }
      let (status, instruction) = run(bytes)
      #expect(status == .ok)
      #expect(Int(instruction.length) == bytes.count)
    }
  }

  @Test func fifteenBytesAreTheLimit() {
    #expect(run([UInt8](repeating: 0x66, count: 14) + [0x90]).0 == .ok)
    #expect(run([UInt8](repeating: 0x66, count: 15) + [0x90]).0 == .tooLong)
    #expect(run([UInt8](repeating: 0x66, count: 14) + [0x90], available: 14).0 == .truncated)
  }

  @Test func featuresFallBack() {
    let everything = CPUFeatures.all
    let cases: [([UInt8], CPUFeatures, Operation, Operation)] = [
      ([0xF3, 0x0F, 0xBC, 0xC1], .bmi1, .tzcnt, .bsf), ([0xF3, 0x0F, 0xBD, 0xC1], .lzcnt, .lzcnt, .bsr),
      ([0xF3, 0x0F, 0x1E, 0xFA], .cetIBT, .endbr64, .nop),
      ([0x0F, 0x0D, 0x08], .prefetchw, .prefetchw, .nop),
      ([0x0F, 0x1C, 0x00], .cldemote, .cldemote, .nop), ([0xF3, 0x0F, 0x09], .wbnoinvd, .wbnoinvd, .wbinvd),
    ]
    for (bytes, feature, with, without) in cases {
      #expect(run(bytes, .bits64, everything).1.operation == with)
      #expect(run(bytes, .bits64, everything.subtracting(feature)).1.operation == without)
    }
    #expect(run([0xF3, 0x0F, 0xB8, 0xC1], .bits64, everything.subtracting(.popcnt)).0 == .undefined)
    #expect(run([0x0F, 0xC7, 0xF0], .bits64, everything.subtracting(.rdrand)).0 == .undefined)
  }

  @Test func operandSizes() {
    #expect(run([0x66, 0x50]).1.operandSize == 2)
    #expect(run([0x50]).1.operandSize == 8)
    // Near branches ignore 66 in 64-bit mode: the offset stays four bytes.
    let (status, branch) = run([0x66, 0xE9, 0xFE, 0xFF, 0xFF, 0xFF])
    #expect(status == .ok && branch.operandSize == 8 && branch.length == 6 && branch.immediate == -2)
    #expect(run([0x66, 0xE9, 0xFE, 0xFF], .bits32).1.length == 4)
    #expect(run([0x48, 0xED]).1.operandSize == 4)
    #expect(run([0x0F, 0x22, 0xC0]).1.operandSize == 8)
    #expect(run([0xF3, 0x66, 0x0F, 0xB8, 0xC1]).1.operandSize == 2)
    #expect(run([0x66, 0x0F, 0x6E, 0xC0]).1.operandSize == 4)
  }

  @Test func rexCountsOnlyRightBeforeTheOpcode() {
    let (_, instruction) = run([0x4F, 0x66, 0x01, 0xC8])
    #expect(
      instruction.operandSize == 2 && !instruction.hasREX && instruction.rm == 0 && instruction.reg == 1)
  }

  @Test func segments() {
    #expect(run([0x8B, 0x45, 0x00]).1.segment == .ss)
    #expect(run([0x8B, 0x04, 0x24]).1.segment == .ss)
    #expect(run([0x41, 0x8B, 0x45, 0x00]).1.segment == .ds)
    #expect(run([0x65, 0x8B, 0x45, 0x00]).1.segment == .gs)
    #expect(run([0x65, 0x2E, 0x8B, 0x45, 0x00]).1.segment == .gs)
    #expect(run([0x2E, 0x8B, 0x45, 0x00]).1.segment == .ss)
    #expect(run([0x2E, 0x8B, 0x45, 0x00], .bits32).1.segment == .cs)
    #expect(run([0x2E, 0xA4]).1.segmentOverride == .cs)
  }

  @Test func repeatPrefixes() {
    let (_, string) = run([0xF3, 0xA4])
    #expect(string.rep && !string.repne && string.mandatoryPrefix == 0)
    #expect(run([0xF3, 0xF2, 0xA6]).1.repne)
    let (_, scalar) = run([0xF3, 0x0F, 0x10, 0xC1])
    #expect(!scalar.rep && scalar.mandatoryPrefix == 2 && scalar.operation == .movss)
  }

  @Test func farPointersAndOffsets() {
    let (_, far) = run([0xEA, 0x78, 0x56, 0x34, 0x92, 0x10, 0x00], .bits32)
    #expect(far.operation == .jmpFar && far.immediate == 0x9234_5678 && far.immediate2 == 0x10)
    let (_, offset) = run([0xA1, 1, 2, 3, 4, 5, 6, 7, 0x88])
    #expect(offset.displacement == Int64(bitPattern: 0x8807_0605_0403_0201) && !offset.isMemory)
  }

  /// No bytes, however wild, may trap or yield an impossible length.
  @Test func randomBytesAreHarmless() {
    var state: UInt64 = 0x9E37_79B9_7F4A_7C15
    var bytes = [UInt8](repeating: 0, count: 16)
    for _ in 0..<200_000 {
      for i in 0..<16 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        bytes[i] = UInt8(truncatingIfNeeded: state >> 24)
      }
      for size in [CodeSize.bits16, .bits32, .bits64] {
        let available = Int(state >> 40 & 15)
        let (status, instruction) = run(bytes, size, .all, available: available)
        #expect(
          status != .ok || (1...15).contains(instruction.length) && Int(instruction.length) <= available)
      }
    }
  }
}
