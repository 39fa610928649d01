import Testing
import X86Core
import X86Decode
import X86System
import X86Vector

/// What the comparison with the host's processor cannot see: availability, and state after a fault.
@Suite("AVX")
struct AVXTests {
  /// VADDPS ymm1, ymm2, ymm3
  private static let vaddps: [UInt8] = [0xC5, 0xEC, 0x58, 0xCB]

  private func bench() -> Bench {
    let bench = Bench()
    bench.cpu.f.pointee.cr4 |= CR4.osxsave
    bench.cpu.f.pointee.xcr0 = 7
    return bench
  }
  private func setYMM(_ bench: Bench, _ i: UInt8, _ words: [UInt64]) {
    for (n, word) in words.enumerated() {
      bench.cpu.vector(i).storeBytes(of: word, toByteOffset: 8 * n, as: UInt64.self)
    }
  }
  private func ymm(_ bench: Bench, _ i: UInt8) -> [UInt64] {
    (0..<4).map { bench.cpu.vector(i).load(fromByteOffset: 8 * $0, as: UInt64.self) }
  }

  @Test("#UD without OSXSAVE, XCR0's bits, protected mode; #NM with TS; EM and OSFXSR are no matter (SDM 2A 2.4)")
  func availability() {
    let b = bench()
    #expect(b.run(Self.vaddps) == nil)
    b.cpu.f.pointee.cr0 |= CR0.em
    b.cpu.f.pointee.cr4 &= ~CR4.osfxsr
    #expect(b.run(Self.vaddps) == nil)
    b.cpu.f.pointee.cr0 |= CR0.ts
    #expect(b.run(Self.vaddps) == Vector.nm)
    b.cpu.f.pointee.xcr0 = 3
    #expect(b.run(Self.vaddps) == Vector.ud)
    b.cpu.f.pointee.xcr0 = 7
    b.cpu.f.pointee.cr4 &= ~CR4.osxsave
    #expect(b.run(Self.vaddps) == Vector.ud)
    let real = bench()
    real.cpu.f.pointee.cr0 &= ~CR0.pe
    #expect(real.run(Self.vaddps) == Vector.ud)
  }

  @Test("128 bits clear the upper half, legacy SSE leaves it")
  func upperHalves() {
    let b = bench()
    for i: UInt8 in 1...3 { setYMM(b, i, [1, 2, 3, 4]) }
    b.run([0xC5, 0xE8, 0x57, 0xCB])  // VXORPS xmm1, xmm2, xmm3
    #expect(ymm(b, 1) == [0, 0, 0, 0])
    b.run([0x0F, 0x57, 0xD3])  // XORPS xmm2, xmm3
    #expect(ymm(b, 2) == [0, 0, 3, 4])
    b.run([0xC5, 0xF8, 0x77])  // VZEROUPPER
    #expect(ymm(b, 3) == [1, 2, 0, 0])
    b.run([0xC5, 0xFC, 0x77])  // VZEROALL
    #expect(ymm(b, 3) == [0, 0, 0, 0])
  }

  @Test("Exceptions of both halves come together, and leave the destination")
  func unmasked() {
    let b = bench()
    // The low half divides by zero, which is masked; the upper one is invalid, which is not.
    b.cpu.f.pointee.mxcsr = 0x1F00
    setYMM(b, 1, [9, 9, 9, 9])
    setYMM(b, 2, [0x3F80_0000, 0, 0x7FA0_0000, 0])
    setYMM(b, 3, [0, 0x3F80_0000_3F80_0000, 0x3F80_0000_3F80_0000, 0x3F80_0000_3F80_0000])
    #expect(b.run([0xC5, 0xEC, 0x5E, 0xCB]) == Vector.xm)  // VDIVPS ymm1, ymm2, ymm3
    #expect(ymm(b, 1) == [9, 9, 9, 9])
    #expect(b.cpu.f.pointee.mxcsr & 0x3F == 5)
  }

  @Test("A gather that faults keeps what it has read, and what is left in the mask (SDM 2C VPGATHERDD)")
  func gather() {
    let b = bench()
    b.ram.storeBytes(of: 0x1111_1111, toByteOffset: 0x100, as: UInt32.self)
    b.cpu.setR64(GPR.rax, 0x100)
    setYMM(b, 1, [0, 0, 0, 0])
    // Index 1 leads to a linear address that is not canonical.
    setYMM(b, 2, [0, 0x4000_0000_0000_0000, 0, 0])
    setYMM(b, 3, [.max, .max, 0, 0])
    #expect(b.run([0xC4, 0xE2, 0xE1, 0x91, 0x0C, 0x50]) == Vector.gp)  // VPGATHERQQ xmm1, [rax + 2 * xmm2], xmm3
    #expect(ymm(b, 1) == [0x1111_1111, 0, 0, 0])
    #expect(ymm(b, 3) == [0, .max, 0, 0])
    // Registers that are not three different ones.
    #expect(b.run([0xC4, 0xE2, 0xE1, 0x91, 0x1C, 0x50]) == Vector.ud)
  }

  @Test("XSAVE and XRSTOR take the upper halves, in both formats")
  func state() {
    for (save, offset) in [([0x0F, 0xAE, 0x20] as [UInt8], 576), ([0x0F, 0xC7, 0x20], 576)] {
      let b = bench()
      b.cpu.setR64(GPR.rax, 0x1000)
      b.cpu.setR64(GPR.rdx, 0)
      setYMM(b, 5, [1, 2, 3, 4])
      // The mask is EAX, which is the address too.
      b.cpu.setR64(GPR.rax, 0x1000 | 7)
      b.cpu.setR64(GPR.rcx, 0x1000)
      var bytes = save
      bytes[2] = 0x21  // [rcx]
      #expect(b.run(bytes) == nil)
      #expect(b.ram.load(fromByteOffset: 0x1000 + offset + 5 * 16, as: UInt64.self) == 3)
      setYMM(b, 5, [0, 0, 0, 0])
      #expect(b.run([0x0F, 0xAE, 0x29]) == nil)  // XRSTOR [rcx]
      #expect(ymm(b, 5) == [1, 2, 3, 4])
      // A component that the image does not hold goes to its initial state.
      b.ram.storeBytes(of: 3, toByteOffset: 0x1200, as: UInt64.self)
      #expect(b.run([0x0F, 0xAE, 0x29]) == nil)
      #expect(ymm(b, 5) == [1, 2, 0, 0])
    }
  }

  @Test("What a model does not announce is undefined", arguments: ProcessorModel.named)
  func gating(_ model: ProcessorModel) {
    let instructions: [(CPUFeatures, [UInt8])] = [
      (.aes, [0x66, 0x0F, 0x38, 0xDC, 0xC1]), (.pclmulqdq, [0x66, 0x0F, 0x3A, 0x44, 0xC1, 0]),
      (.sse42, [0xF2, 0x0F, 0x38, 0xF1, 0xC1]), (.sse42, [0x66, 0x0F, 0x38, 0x37, 0xC1]),
      (.sse41, [0x66, 0x0F, 0x38, 0x17, 0xC1]), (.ssse3, [0x66, 0x0F, 0x38, 0x00, 0xC1]),
      (.sse3, [0xF2, 0x0F, 0x7C, 0xC1]), (.popcnt, [0xF3, 0x0F, 0xB8, 0xC1]), (.rdrand, [0x0F, 0xC7, 0xF0]),
      (.rdseed, [0x0F, 0xC7, 0xF8]), (.xsave, [0x0F, 0xAE, 0x21]), (.xsave, [0x0F, 0x01, 0xD0]),
      (.xsavec, [0x0F, 0xC7, 0x21]), (.movbe, [0x0F, 0x38, 0xF0, 0x01]), (.adx, [0x66, 0x0F, 0x38, 0xF6, 0xC1]),
      (.sha, [0x0F, 0x38, 0xC8, 0xC1]), (.avx, Self.vaddps), (.avx2, [0xC5, 0xED, 0xFC, 0xCB]),
      (.fma, [0xC4, 0xE2, 0x6D, 0x98, 0xCB]), (.f16c, [0xC4, 0xE2, 0x7D, 0x13, 0xC9]),
      (.bmi1, [0xC4, 0xE2, 0x70, 0xF2, 0xC2]), (.bmi2, [0xC4, 0xE2, 0x70, 0xF5, 0xC2]),
      (.fsgsbase, [0xF3, 0x0F, 0xAE, 0xC0]), (.rdtscp, [0x0F, 0x01, 0xF9]), (.smap, [0x0F, 0x01, 0xCA]),
      (.invpcid, [0x66, 0x0F, 0x38, 0x82, 0x01]), (.pku, [0x0F, 0x01, 0xEE]), (.rdpid, [0xF3, 0x0F, 0xC7, 0xF8]),
      (.gfni, [0x66, 0x0F, 0x38, 0xCF, 0xC1]), (.cx16, [0x48, 0x0F, 0xC7, 0x09]),
    ]
    for (feature, bytes) in instructions {
      var instruction = Instruction()
      let padded = bytes + [UInt8](repeating: 0, count: 15)
      let status = decode(
        padded, available: 15, codeSize: .bits64, features: model.decoder, into: &instruction)
      #expect((status == .ok) == model.decoder.contains(feature), "\(model.name): \(bytes)")
    }
  }

  @Test("Names, versions and features of -cpu")
  func selection() throws {
    #expect(ProcessorModel.called("host")?.name == "max")
    #expect(ProcessorModel.called("Haswell-noTSX-IBRS")?.name == "Haswell")
    #expect(ProcessorModel.called("Skylake-Client-v3")?.name == "Skylake-Client")
    #expect(ProcessorModel.called("486") == nil)
    #expect(ProcessorModel.named[0].name == ProcessorModel.default.name)
    var model = try #require(ProcessorModel.called("max"))
    #expect(model.decoder.isSuperset(of: .x86_64_v3))
    model.set(try #require(ProcessorFeature.named("xsave")), false)
    #expect(model.decoder.isDisjoint(with: [.xsave, .avx, .avx2, .fma, .f16c, .xsavec]))
    model.set(try #require(ProcessorFeature.named("sse4_2")), false)
    #expect(!model.decoder.contains(.sse42) && model.decoder.contains(.sse41))
    // A trace keeps names.
    for model in ProcessorModel.named {
      let again = try #require(ProcessorModel(named: model.name, features: model.featureNames))
      #expect(again.decoder == model.decoder && again.features == model.features, "\(model.name)")
    }
    #expect(ProcessorModel(named: "max", features: ["avx512f"]) == nil)
  }
}
