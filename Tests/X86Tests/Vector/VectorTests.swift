import Testing
import X86Core
import X86Decode
import X86Float

/// Faults, states and images of MMX and SSE: what a comparison with the host cannot show.
@Suite struct VectorStateTests {
  let addps: [UInt8] = [0x0F, 0x58, 0xCA]  // addps xmm1, xmm2
  let addpsMemory: [UInt8] = [0x0F, 0x58, 0x0E]  // addps xmm1, [rsi]
  let paddbMMX: [UInt8] = [0x0F, 0xFC, 0xCA]  // paddb mm1, mm2

  @Test func availability() {
    let b = Bench()
    let f = b.cpu.f
    for bytes in [addps, addpsMemory, [0x0F, 0x28, 0x0E], [0x0F, 0x29, 0x0E], [0x66, 0x0F, 0xD7, 0xCA]] {
      f.pointee.cr0 = CR0.pe | CR0.ts
      b.cpu.updateMode()
      #expect(b.run(bytes) == Vector.nm)
      f.pointee.cr0 = CR0.pe | CR0.em | CR0.ts
      b.cpu.updateMode()
      #expect(b.run(bytes) == Vector.ud)
      f.pointee.cr0 = CR0.pe
      f.pointee.cr4 = 0
      b.cpu.updateMode()
      #expect(b.run(bytes) == Vector.ud)
      f.pointee.cr4 = CR4.osfxsr
      b.cpu.updateMode()
      #expect(b.run(bytes) == nil)
    }
    // MMX does not ask for CR4.OSFXSR, but for the x87 to be at rest.
    f.pointee.cr4 = 0
    b.cpu.updateMode()
    #expect(b.run(paddbMMX) == nil)
    f.pointee.x87Status = 0x80
    #expect(b.run(paddbMMX) == nil)
    f.pointee.cr0 = CR0.pe | CR0.ne
    #expect(b.run(paddbMMX) == Vector.mf)
    f.pointee.x87Status = 0
    f.pointee.cr0 = CR0.pe | CR0.ts
    #expect(b.run(paddbMMX) == Vector.nm)
    #expect(b.run([0x0F, 0x77]) == Vector.nm)
    f.pointee.cr0 = CR0.pe | CR0.em
    #expect(b.run(paddbMMX) == Vector.ud)
  }

  @Test func alignment() {
    let b = Bench()
    b.cpu.setR64(GPR.rsi, 0x1008)
    #expect(b.run(addpsMemory) == Vector.gp)
    #expect(b.run([0x0F, 0x28, 0x0E]) == Vector.gp)  // movaps load
    #expect(b.run([0x66, 0x0F, 0x7F, 0x0E]) == Vector.gp)  // movdqa store
    #expect(b.run([0x66, 0x0F, 0xE7, 0x0E]) == Vector.gp)  // movntdq
    #expect(b.run([0x0F, 0x10, 0x0E]) == nil)  // movups
    #expect(b.run([0xF3, 0x0F, 0x7F, 0x0E]) == nil)  // movdqu store
    #expect(b.run([0xF2, 0x0F, 0x58, 0x0E]) == nil)  // addsd
    #expect(b.run([0x66, 0x0F, 0x3A, 0x63, 0x0E, 0]) == nil)  // pcmpistri
    #expect(b.run([0x0F, 0xFC, 0x0E]) == nil)  // paddb mm
    // Also when the TLB already has the page.
    b.cpu.setR64(GPR.rsi, 0x1010)
    #expect(b.run(addpsMemory) == nil)
    b.cpu.setR64(GPR.rsi, 0x1008)
    #expect(b.run(addpsMemory) == Vector.gp)
    b.cpu.setR64(GPR.rsi, 0x8000_0000_0000_0000)
    #expect(b.run([0x0F, 0x10, 0x0E]) == Vector.gp)  // not canonical
  }

  @Test func acrossPages() {
    let b = Bench()
    b.setXMM(1, SIMD2(0x0807_0605_0403_0201, 0x100F_0E0D_0C0B_0A09))
    b.cpu.setR64(GPR.rsi, 0x1FFB)
    #expect(b.run([0xF3, 0x0F, 0x7F, 0x0E]) == nil)
    for i in 0..<16 { #expect((b.ram + 0x1FFB + i).load(as: UInt8.self) == UInt8(i + 1)) }
    b.setXMM(1, SIMD2(0, 0))
    #expect(b.run([0xF3, 0x0F, 0x6F, 0x0E]) == nil)
    #expect(b.xmm(1) == SIMD2(0x0807_0605_0403_0201, 0x100F_0E0D_0C0B_0A09))
  }

  @Test func unmaskedExceptionsComeBeforeTheResult() {
    let b = Bench()
    let f = b.cpu.f
    b.setXMM(1, SIMD2((1.0 as Double).bitPattern, 7))
    b.setXMM(2, SIMD2(0, 0))
    f.pointee.mxcsr = 0x1F80 & ~0x200  // division by zero unmasked
    let divsd: [UInt8] = [0xF2, 0x0F, 0x5E, 0xCA]
    #expect(b.run(divsd) == Vector.xm)
    #expect(b.xmm(1) == SIMD2((1.0 as Double).bitPattern, 7))
    #expect(f.pointee.mxcsr & 0x3F == MXCSR.ze)
    f.pointee.cr4 = CR4.osfxsr
    b.cpu.updateMode()
    #expect(b.run(divsd) == Vector.ud)
    // A flag that was set before raises nothing again.
    b.setXMM(2, SIMD2((2.0 as Double).bitPattern, 0))
    #expect(b.run(divsd) == nil)
    #expect(b.xmm(1)[0] == (0.5 as Double).bitPattern)
    #expect(f.pointee.mxcsr & 0x3F == MXCSR.ze)
  }

  @Test func mmxTakesTheX87() {
    let b = Bench()
    let f = b.cpu.f
    f.pointee.x87Top = 3
    f.pointee.x87Empty = 0xFF
    b.setMMX(1, 0x01FF_01FF_01FF_01FF)
    b.setMMX(2, 0x0101_0101_0101_0101)
    #expect(b.run(paddbMMX) == nil)
    #expect(b.mmx(1) == 0x0200_0200_0200_0200)
    #expect(b.cpu.p.load(fromByteOffset: Layout.x87 + 24, as: UInt16.self) == 0xFFFF)
    #expect(f.pointee.x87Top == 0)
    #expect(f.pointee.x87Empty == 0)
    #expect(b.run([0x0F, 0x77]) == nil)
    #expect(f.pointee.x87Empty == 0xFF)
  }

  @Test func mxcsrLoads() {
    let b = Bench()
    b.cpu.setR64(GPR.rsi, 0x1000)
    (b.ram + 0x1000).storeBytes(of: 0x1_0000, as: UInt32.self)
    #expect(b.run([0x0F, 0xAE, 0x16]) == Vector.gp)
    (b.ram + 0x1000).storeBytes(of: 0xFFFF, as: UInt32.self)
    #expect(b.run([0x0F, 0xAE, 0x16]) == nil)
    b.cpu.setR64(GPR.rsi, 0x1004)
    #expect(b.run([0x0F, 0xAE, 0x1E]) == nil)
    #expect((b.ram + 0x1004).load(as: UInt32.self) == 0xFFFF)
  }

  /// A state with a different value in every field.
  func fill(_ b: Bench) {
    let f = b.cpu.f
    f.pointee.x87Control = 0x27F
    f.pointee.x87Status = 0x4100
    f.pointee.x87Top = 5
    f.pointee.x87Empty = 0b0101_1111
    f.pointee.x87Opcode = 0x123
    f.pointee.x87InstructionPointer = 0x1122_3344_5566_7788
    f.pointee.x87DataPointer = 0x99AA_BBCC_DDEE_FF00
    f.pointee.mxcsr = 0x1FA0
    for i in 0..<8 {
      b.setMMX(i, 0x8000_0000_0000_0000 + UInt64(i))
      b.cpu.p.storeBytes(of: UInt16(0x3FF0 + i), toByteOffset: Layout.x87 + 16 * i + 8, as: UInt16.self)
    }
    for i: UInt8 in 0..<16 { b.setXMM(i, SIMD2(UInt64(i) * 3 + 1, UInt64(i) * 5 + 2)) }
  }

  @Test func fxsaveImage() {
    let b = Bench()
    fill(b)
    let f = b.cpu.f
    b.cpu.setR64(GPR.rsi, 0x1008)
    #expect(b.run([0x48, 0x0F, 0xAE, 0x06]) == Vector.gp)
    b.cpu.setR64(GPR.rsi, 0x1000)
    #expect(b.run([0x48, 0x0F, 0xAE, 0x06]) == nil)
    let image = b.ram + 0x1000
    #expect(image.load(as: UInt16.self) == 0x27F)
    #expect(image.load(fromByteOffset: 2, as: UInt16.self) == 0x4100 | 5 << 11)
    #expect(image.load(fromByteOffset: 4, as: UInt8.self) == 0b1010_0000)
    #expect(image.load(fromByteOffset: 6, as: UInt16.self) == 0x123)
    #expect(image.load(fromByteOffset: 8, as: UInt64.self) == 0x1122_3344_5566_7788)
    #expect(image.load(fromByteOffset: 16, as: UInt64.self) == 0x99AA_BBCC_DDEE_FF00)
    #expect(image.load(fromByteOffset: 24, as: UInt32.self) == 0x1FA0)
    #expect(image.load(fromByteOffset: 28, as: UInt32.self) == 0xFFFF)
    // ST(0) is physical register 5.
    #expect(image.load(fromByteOffset: 32, as: UInt64.self) == 0x8000_0000_0000_0005)
    #expect(image.load(fromByteOffset: 40, as: UInt16.self) == 0x3FF5)
    #expect(image.load(fromByteOffset: 160 + 15 * 16 + 8, as: UInt64.self) == 77)

    let other = Bench()
    (other.ram + 0x1000).copyMemory(from: image, byteCount: 512)
    other.cpu.setR64(GPR.rsi, 0x1000)
    #expect(other.run([0x48, 0x0F, 0xAE, 0x0E]) == nil)
    let g = other.cpu.f
    #expect(g.pointee.x87Control == f.pointee.x87Control && g.pointee.x87Status == f.pointee.x87Status)
    #expect(g.pointee.x87Top == 5 && g.pointee.x87Empty == 0b0101_1111 && g.pointee.x87Opcode == 0x123)
    #expect(g.pointee.x87InstructionPointer == f.pointee.x87InstructionPointer)
    #expect(g.pointee.x87DataPointer == f.pointee.x87DataPointer)
    #expect(g.pointee.mxcsr == 0x1FA0)
    for i in 0..<8 { #expect(other.mmx(i) == b.mmx(i)) }
    for i: UInt8 in 0..<16 { #expect(other.xmm(i) == b.xmm(i)) }

    (other.ram + 0x1000).storeBytes(of: 0x1_1F80, toByteOffset: 24, as: UInt32.self)
    #expect(other.run([0x48, 0x0F, 0xAE, 0x0E]) == Vector.gp)
  }

  @Test func xsaveAndXrstor() {
    let b = Bench()
    fill(b)
    b.cpu.setR64(GPR.rsi, 0x1000)
    b.cpu.setR64(GPR.rax, 2)
    #expect(b.run([0x48, 0x0F, 0xAE, 0x26]) == Vector.ud)
    b.cpu.f.pointee.cr4 |= CR4.osxsave
    b.cpu.f.pointee.xcr0 = 3
    #expect(b.run([0x48, 0x0F, 0xAE, 0x26]) == nil)
    let image = b.ram + 0x1000
    #expect(image.load(as: UInt64.self) == 0)  // the x87 was not asked for
    #expect(image.load(fromByteOffset: 160, as: UInt64.self) == 1)
    #expect(image.load(fromByteOffset: 512, as: UInt64.self) == 2)
    // XRSTOR of both: what the image lacks becomes initial.
    b.setXMM(0, SIMD2(0, 0))
    b.cpu.setR64(GPR.rax, 3)
    #expect(b.run([0x48, 0x0F, 0xAE, 0x2E]) == nil)
    #expect(b.xmm(0) == SIMD2(1, 2))
    #expect(b.cpu.f.pointee.x87Control == 0x37F)
    #expect(b.cpu.f.pointee.x87Empty == 0xFF)
    (image + 512).storeBytes(of: 4, as: UInt64.self)
    #expect(b.run([0x48, 0x0F, 0xAE, 0x2E]) == Vector.gp)
    b.cpu.setR64(GPR.rsi, 0x1020)
    #expect(b.run([0x48, 0x0F, 0xAE, 0x2E]) == Vector.gp)
  }

  /// Values that follow from the SDM's pictures, for hosts that cannot be asked.
  @Test func lanesAndOrder() {
    let b = Bench()
    let a = SIMD2<UInt64>(0x0706_0504_0302_0100, 0x0F0E_0D0C_0B0A_0908)
    let s = SIMD2<UInt64>(0x1716_1514_1312_1110, 0x1F1E_1D1C_1B1A_1918)
    func check(_ bytes: [UInt8], _ low: UInt64, _ high: UInt64) {
      b.setXMM(1, a)
      b.setXMM(2, s)
      #expect(b.run(bytes) == nil)
      #expect(b.xmm(1) == SIMD2(low, high), "\(bytes)")
    }
    check([0x66, 0x0F, 0x60, 0xCA], 0x1303_1202_1101_1000, 0x1707_1606_1505_1404)  // punpcklbw
    check([0x66, 0x0F, 0x69, 0xCA], 0x1B1A_0B0A_1918_0908, 0x1F1E_0F0E_1D1C_0D0C)  // punpckhwd
    check([0x66, 0x0F, 0x70, 0xCA, 0x1B], 0x1B1A_1918_1F1E_1D1C, 0x1312_1110_1716_1514)  // pshufd
    check([0x0F, 0xC6, 0xCA, 0xE4], 0x0706_0504_0302_0100, 0x1F1E_1D1C_1B1A_1918)  // shufps
    check([0x66, 0x0F, 0x3A, 0x0F, 0xCA, 4], 0x1B1A_1918_1716_1514, 0x0302_0100_1F1E_1D1C)  // palignr
    check([0x66, 0x0F, 0x67, 0xCA], 0xFFFF_FFFF_FFFF_FFFF, 0xFFFF_FFFF_FFFF_FFFF)  // packuswb
    check([0x66, 0x0F, 0xDF, 0xCA], 0x1010_1010_1010_1010, 0x1010_1010_1010_1010)  // pandn
    check([0x66, 0x0F, 0x73, 0xF9, 3], 0x0403_0201_0000_0000, 0x0C0B_0A09_0807_0605)  // pslldq 3
  }

  /// FIPS 197, appendix B: SubBytes and ShiftRows of round 1.
  @Test func aesRound() {
    let b = Bench()
    b.setXMM(1, SIMD2(0x2BE2_F4A0_BEE3_3D19, 0x0848_F8E9_2A8D_C69A))
    b.setXMM(2, SIMD2(0, 0))
    #expect(b.run([0x66, 0x0F, 0x38, 0xDD, 0xCA]) == nil)
    #expect(b.xmm(1) == SIMD2(0xAE52_B4E0_305D_BFD4, 0xE598_271E_F111_41B8))
    #expect(b.run([0x66, 0x0F, 0x38, 0xDF, 0xCA]) == nil)
    #expect(b.xmm(1) == SIMD2(0x2BE2_F4A0_BEE3_3D19, 0x0848_F8E9_2A8D_C69A))
  }
}
