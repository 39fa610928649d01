/// VEX encodings on vectors: AVX, AVX2, F16C, FMA, VAES, VPCLMULQDQ, GFNI (SDM 2A 2.3, 2D tables ).
extension OpcodeTableBuilder {
  mutating func defineAVX() {
    defineAVXFloat()
    defineAVXMoves()
    defineAVXConversions()
    defineAVXInteger()
    defineAVXInteger0F38()
    defineAVXPermutes()
    defineAVX0F3A()
    defineFMA()
  }

  /// A row for vectors of 128 bits under AVX and of 256 bits under AVX2.
  private mutating func integer(
    _ opcode: UInt8, reg: UInt8? = nil, _ operation: Operation, _ a: OperandKind, _ b: OperandKind,
    _ c: OperandKind = .none, _ d: OperandKind = .none
  ) {
    row(opcode, .p66, reg: reg, operation, a, b, c, d, flags: .l0, also: .avx)
    row(opcode, .p66, reg: reg, operation, a, b, c, d, flags: .l1, also: .avx2)
  }

  private mutating func defineAVXFloat() {
    section(.vex0F, .avx)
    let quadruples: [(UInt8, Operation, Operation, Operation, Operation)] = [
      (0x58, .vaddps, .vaddpd, .vaddss, .vaddsd), (0x59, .vmulps, .vmulpd, .vmulss, .vmulsd),
      (0x5C, .vsubps, .vsubpd, .vsubss, .vsubsd), (0x5D, .vminps, .vminpd, .vminss, .vminsd),
      (0x5E, .vdivps, .vdivpd, .vdivss, .vdivsd), (0x5F, .vmaxps, .vmaxpd, .vmaxss, .vmaxsd),
    ]
    for (opcode, ps, pd, ss, sd) in quadruples {
      row(opcode, .np, ps, .vx, .hx, .wx)
      row(opcode, .p66, pd, .vx, .hx, .wx)
      row(opcode, .f3, ss, .vdq, .hdq, .wd)
      row(opcode, .f2, sd, .vdq, .hdq, .wq)
    }
    let pairs: [(UInt8, Operation, Operation)] = [
      (0x14, .vunpcklps, .vunpcklpd), (0x15, .vunpckhps, .vunpckhpd), (0x54, .vandps, .vandpd),
      (0x55, .vandnps, .vandnpd), (0x56, .vorps, .vorpd), (0x57, .vxorps, .vxorpd),
    ]
    for (opcode, ps, pd) in pairs {
      row(opcode, .np, ps, .vx, .hx, .wx)
      row(opcode, .p66, pd, .vx, .hx, .wx)
    }
    row(0x2E, .np, .vucomiss, .vdq, .wd)
    row(0x2E, .p66, .vucomisd, .vdq, .wq)
    row(0x2F, .np, .vcomiss, .vdq, .wd)
    row(0x2F, .p66, .vcomisd, .vdq, .wq)
    row(0x51, .np, .vsqrtps, .vx, .wx)
    row(0x51, .p66, .vsqrtpd, .vx, .wx)
    row(0x51, .f3, .vsqrtss, .vdq, .hdq, .wd)
    row(0x51, .f2, .vsqrtsd, .vdq, .hdq, .wq)
    row(0x52, .np, .vrsqrtps, .vx, .wx)
    row(0x52, .f3, .vrsqrtss, .vdq, .hdq, .wd)
    row(0x53, .np, .vrcpps, .vx, .wx)
    row(0x53, .f3, .vrcpss, .vdq, .hdq, .wd)
    row(0x7C, .p66, .vhaddpd, .vx, .hx, .wx)
    row(0x7C, .f2, .vhaddps, .vx, .hx, .wx)
    row(0x7D, .p66, .vhsubpd, .vx, .hx, .wx)
    row(0x7D, .f2, .vhsubps, .vx, .hx, .wx)
    row(0xD0, .p66, .vaddsubpd, .vx, .hx, .wx)
    row(0xD0, .f2, .vaddsubps, .vx, .hx, .wx)
    row(0xC2, .np, .vcmpps, .vx, .hx, .wx, .ib)
    row(0xC2, .p66, .vcmppd, .vx, .hx, .wx, .ib)
    row(0xC2, .f3, .vcmpss, .vdq, .hdq, .wd, .ib)
    row(0xC2, .f2, .vcmpsd, .vdq, .hdq, .wq, .ib)
    row(0xC6, .np, .vshufps, .vx, .hx, .wx, .ib)
    row(0xC6, .p66, .vshufpd, .vx, .hx, .wx, .ib)
  }

  private mutating func defineAVXMoves() {
    section(.vex0F, .avx)
    row(0x10, .np, .vmovups, .vx, .wx)
    row(0x11, .np, .vmovups, .wx, .vx)
    row(0x10, .p66, .vmovupd, .vx, .wx)
    row(0x11, .p66, .vmovupd, .wx, .vx)
    row(0x10, .f3, mod: .memory, .vmovss, .vdq, .md)
    row(0x11, .f3, mod: .memory, .vmovss, .md, .vdq)
    row(0x10, .f3, mod: .register, .vmovss, .vdq, .hdq, .udq)
    row(0x11, .f3, mod: .register, .vmovss, .udq, .hdq, .vdq)
    row(0x10, .f2, mod: .memory, .vmovsd, .vdq, .mq)
    row(0x11, .f2, mod: .memory, .vmovsd, .mq, .vdq)
    row(0x10, .f2, mod: .register, .vmovsd, .vdq, .hdq, .udq)
    row(0x11, .f2, mod: .register, .vmovsd, .udq, .hdq, .vdq)
    row(0x12, .np, mod: .memory, .vmovlps, .vdq, .hdq, .mq, flags: .l0)
    row(0x12, .np, mod: .register, .vmovhlps, .vdq, .hdq, .udq, flags: .l0)
    row(0x12, .p66, .vmovlpd, .vdq, .hdq, .mq, flags: .l0)
    row(0x12, .f3, .vmovsldup, .vx, .wx)
    row(0x12, .f2, .vmovddup, .vdq, .wq, flags: .l0)
    row(0x12, .f2, .vmovddup, .vqq, .wqq, flags: .l1)
    row(0x13, .np, .vmovlps, .mq, .vdq, flags: .l0)
    row(0x13, .p66, .vmovlpd, .mq, .vdq, flags: .l0)
    row(0x16, .np, mod: .memory, .vmovhps, .vdq, .hdq, .mq, flags: .l0)
    row(0x16, .np, mod: .register, .vmovlhps, .vdq, .hdq, .udq, flags: .l0)
    row(0x16, .p66, .vmovhpd, .vdq, .hdq, .mq, flags: .l0)
    row(0x16, .f3, .vmovshdup, .vx, .wx)
    row(0x17, .np, .vmovhps, .mq, .vdq, flags: .l0)
    row(0x17, .p66, .vmovhpd, .mq, .vdq, flags: .l0)
    row(0x28, .np, .vmovaps, .vx, .wx)
    row(0x29, .np, .vmovaps, .wx, .vx)
    row(0x28, .p66, .vmovapd, .vx, .wx)
    row(0x29, .p66, .vmovapd, .wx, .vx)
    row(0x2B, .np, .vmovntps, .mx, .vx)
    row(0x2B, .p66, .vmovntpd, .mx, .vx)
    row(0x50, .np, .vmovmskps, .gy, .ux)
    row(0x50, .p66, .vmovmskpd, .gy, .ux)
    row(0x6E, .p66, .vmovq, .vdq, .eq, flags: [.l0, .w1], modes: .bits64)
    row(0x6E, .p66, .vmovd, .vdq, .ed, flags: .l0)
    row(0x7E, .p66, .vmovq, .eq, .vdq, flags: [.l0, .w1], modes: .bits64)
    row(0x7E, .p66, .vmovd, .ed, .vdq, flags: .l0)
    row(0x7E, .f3, .vmovq, .vdq, .wq, flags: .l0)
    row(0xD6, .p66, .vmovq, .wq, .vdq, flags: .l0)
    row(0x6F, .p66, .vmovdqa, .vx, .wx)
    row(0x7F, .p66, .vmovdqa, .wx, .vx)
    row(0x6F, .f3, .vmovdqu, .vx, .wx)
    row(0x7F, .f3, .vmovdqu, .wx, .vx)
    row(0x77, .np, .vzeroupper, flags: .l0)
    row(0x77, .np, .vzeroall, flags: .l1)
    row(0xAE, .np, reg: 2, mod: .memory, .vldmxcsr, .md, flags: .l0)
    row(0xAE, .np, reg: 3, mod: .memory, .vstmxcsr, .md, flags: .l0)
    row(0xE7, .p66, .vmovntdq, .mx, .vx)
    row(0xF0, .f2, .vlddqu, .vx, .mx)
    row(0xF7, .p66, .vmaskmovdqu, .vdq, .udq, flags: .l0)
  }

  private mutating func defineAVXConversions() {
    section(.vex0F, .avx)
    row(0x2A, .f3, .vcvtsi2ss, .vdq, .hdq, .ey)
    row(0x2A, .f2, .vcvtsi2sd, .vdq, .hdq, .ey)
    row(0x2C, .f3, .vcvttss2si, .gy, .wd)
    row(0x2C, .f2, .vcvttsd2si, .gy, .wq)
    row(0x2D, .f3, .vcvtss2si, .gy, .wd)
    row(0x2D, .f2, .vcvtsd2si, .gy, .wq)
    row(0x5A, .np, .vcvtps2pd, .vdq, .wq, flags: .l0)
    row(0x5A, .np, .vcvtps2pd, .vqq, .wdq, flags: .l1)
    row(0x5A, .p66, .vcvtpd2ps, .vdq, .wx)
    row(0x5A, .f3, .vcvtss2sd, .vdq, .hdq, .wd)
    row(0x5A, .f2, .vcvtsd2ss, .vdq, .hdq, .wq)
    row(0x5B, .np, .vcvtdq2ps, .vx, .wx)
    row(0x5B, .p66, .vcvtps2dq, .vx, .wx)
    row(0x5B, .f3, .vcvttps2dq, .vx, .wx)
    row(0xE6, .p66, .vcvttpd2dq, .vdq, .wx)
    row(0xE6, .f3, .vcvtdq2pd, .vdq, .wq, flags: .l0)
    row(0xE6, .f3, .vcvtdq2pd, .vqq, .wdq, flags: .l1)
    row(0xE6, .f2, .vcvtpd2dq, .vdq, .wx)
    section(.vex0F38, .f16c)
    row(0x13, .p66, .vcvtph2ps, .vdq, .wq, flags: [.l0, .w0])
    row(0x13, .p66, .vcvtph2ps, .vqq, .wdq, flags: [.l1, .w0])
    section(.vex0F3A, .f16c)
    row(0x1D, .p66, .vcvtps2ph, .wq, .vdq, .ib, flags: [.l0, .w0])
    row(0x1D, .p66, .vcvtps2ph, .wdq, .vqq, .ib, flags: [.l1, .w0])
  }

  private mutating func defineAVXInteger() {
    section(.vex0F)
    let packed: [(UInt8, Operation)] = [
      (0x60, .vpunpcklbw), (0x61, .vpunpcklwd), (0x62, .vpunpckldq), (0x63, .vpacksswb), (0x64, .vpcmpgtb),
      (0x65, .vpcmpgtw), (0x66, .vpcmpgtd), (0x67, .vpackuswb), (0x68, .vpunpckhbw), (0x69, .vpunpckhwd),
      (0x6A, .vpunpckhdq), (0x6B, .vpackssdw), (0x6C, .vpunpcklqdq), (0x6D, .vpunpckhqdq), (0x74, .vpcmpeqb),
      (0x75, .vpcmpeqw), (0x76, .vpcmpeqd), (0xD4, .vpaddq), (0xD5, .vpmullw), (0xD8, .vpsubusb),
      (0xD9, .vpsubusw), (0xDA, .vpminub), (0xDB, .vpand), (0xDC, .vpaddusb), (0xDD, .vpaddusw),
      (0xDE, .vpmaxub),
      (0xDF, .vpandn), (0xE0, .vpavgb), (0xE3, .vpavgw), (0xE4, .vpmulhuw), (0xE5, .vpmulhw),
      (0xE8, .vpsubsb),
      (0xE9, .vpsubsw), (0xEA, .vpminsw), (0xEB, .vpor), (0xEC, .vpaddsb), (0xED, .vpaddsw), (0xEE, .vpmaxsw),
      (0xEF, .vpxor), (0xF4, .vpmuludq), (0xF5, .vpmaddwd), (0xF6, .vpsadbw), (0xF8, .vpsubb),
      (0xF9, .vpsubw),
      (0xFA, .vpsubd), (0xFB, .vpsubq), (0xFC, .vpaddb), (0xFD, .vpaddw), (0xFE, .vpaddd),
    ]
    for (opcode, operation) in packed { integer(opcode, operation, .vx, .hx, .wx) }
    // The count comes from 128 bits whatever the vector's width.
    let shifts: [(UInt8, Operation)] = [
      (0xD1, .vpsrlw), (0xD2, .vpsrld), (0xD3, .vpsrlq), (0xE1, .vpsraw), (0xE2, .vpsrad), (0xF1, .vpsllw),
      (0xF2, .vpslld), (0xF3, .vpsllq),
    ]
    for (opcode, operation) in shifts { integer(opcode, operation, .vx, .hx, .wdq) }
    integer(0x71, reg: 2, .vpsrlw, .hx, .ux, .ib)
    integer(0x71, reg: 4, .vpsraw, .hx, .ux, .ib)
    integer(0x71, reg: 6, .vpsllw, .hx, .ux, .ib)
    integer(0x72, reg: 2, .vpsrld, .hx, .ux, .ib)
    integer(0x72, reg: 4, .vpsrad, .hx, .ux, .ib)
    integer(0x72, reg: 6, .vpslld, .hx, .ux, .ib)
    integer(0x73, reg: 2, .vpsrlq, .hx, .ux, .ib)
    integer(0x73, reg: 3, .vpsrldq, .hx, .ux, .ib)
    integer(0x73, reg: 6, .vpsllq, .hx, .ux, .ib)
    integer(0x73, reg: 7, .vpslldq, .hx, .ux, .ib)
    integer(0x70, .vpshufd, .vx, .wx, .ib)
    integer(0xD7, .vpmovmskb, .gy, .ux)
    for (prefix, operation) in [(PrefixSet.f3, Operation.vpshufhw), (.f2, .vpshuflw)] {
      row(0x70, prefix, operation, .vx, .wx, .ib, flags: .l0, also: .avx)
      row(0x70, prefix, operation, .vx, .wx, .ib, flags: .l1, also: .avx2)
    }
    row(0xC4, .p66, .vpinsrw, .vdq, .hdq, .edMw, .ib, flags: .l0, also: .avx)
    row(0xC5, .p66, .vpextrw, .gy, .udq, .ib, flags: .l0, also: .avx)
  }

  private mutating func defineAVXInteger0F38() {
    section(.vex0F38)
    let packed: [(UInt8, Operation)] = [
      (0x00, .vpshufb), (0x01, .vphaddw), (0x02, .vphaddd), (0x03, .vphaddsw), (0x04, .vpmaddubsw),
      (0x05, .vphsubw), (0x06, .vphsubd), (0x07, .vphsubsw), (0x08, .vpsignb), (0x09, .vpsignw),
      (0x0A, .vpsignd),
      (0x0B, .vpmulhrsw), (0x28, .vpmuldq), (0x29, .vpcmpeqq), (0x2B, .vpackusdw), (0x37, .vpcmpgtq),
      (0x38, .vpminsb), (0x39, .vpminsd), (0x3A, .vpminuw), (0x3B, .vpminud), (0x3C, .vpmaxsb),
      (0x3D, .vpmaxsd),
      (0x3E, .vpmaxuw), (0x3F, .vpmaxud), (0x40, .vpmulld),
    ]
    for (opcode, operation) in packed { integer(opcode, operation, .vx, .hx, .wx) }
    integer(0x1C, .vpabsb, .vx, .wx)
    integer(0x1D, .vpabsw, .vx, .wx)
    integer(0x1E, .vpabsd, .vx, .wx)
    integer(0x2A, .vmovntdqa, .vx, .mx)
    // Widening moves: source of a half, a quarter, an eighth.
    let widening: [(UInt8, Operation, OperandKind, OperandKind)] = [
      (0x20, .vpmovsxbw, .wq, .wdq), (0x21, .vpmovsxbd, .wd, .wq), (0x22, .vpmovsxbq, .ww, .wd),
      (0x23, .vpmovsxwd, .wq, .wdq), (0x24, .vpmovsxwq, .wd, .wq), (0x25, .vpmovsxdq, .wq, .wdq),
      (0x30, .vpmovzxbw, .wq, .wdq), (0x31, .vpmovzxbd, .wd, .wq), (0x32, .vpmovzxbq, .ww, .wd),
      (0x33, .vpmovzxwd, .wq, .wdq), (0x34, .vpmovzxwq, .wd, .wq), (0x35, .vpmovzxdq, .wq, .wdq),
    ]
    for (opcode, operation, small, large) in widening {
      row(opcode, .p66, operation, .vdq, small, flags: .l0, also: .avx)
      row(opcode, .p66, operation, .vqq, large, flags: .l1, also: .avx2)
    }
    section(.vex0F38, .avx)
    row(0x17, .p66, .vptest, .vx, .wx)
    row(0x41, .p66, .vphminposuw, .vdq, .wdq, flags: .l0)
    row(0xDB, .p66, .vaesimc, .vdq, .wdq, flags: .l0, also: .aes)
    for (i, operation) in [Operation.vaesenc, .vaesenclast, .vaesdec, .vaesdeclast].enumerated() {
      row(0xDC + UInt8(i), .p66, operation, .vx, .hx, .wx, flags: .l0, also: .aes)
      row(0xDC + UInt8(i), .p66, operation, .vx, .hx, .wx, flags: .l1, also: .vaes)
    }
    row(0xCF, .p66, .vgf2p8mulb, .vx, .hx, .wx, flags: .w0, also: .gfni)
  }

  private mutating func defineAVXPermutes() {
    section(.vex0F38, .avx)
    row(0x0C, .p66, .vpermilps, .vx, .hx, .wx, flags: .w0)
    row(0x0D, .p66, .vpermilpd, .vx, .hx, .wx, flags: .w0)
    row(0x0E, .p66, .vtestps, .vx, .wx, flags: .w0)
    row(0x0F, .p66, .vtestpd, .vx, .wx, flags: .w0)
    row(0x18, .p66, mod: .memory, .vbroadcastss, .vx, .md, flags: .w0)
    row(0x18, .p66, mod: .register, .vbroadcastss, .vx, .udq, flags: .w0, also: .avx2)
    row(0x19, .p66, mod: .memory, .vbroadcastsd, .vqq, .mq, flags: [.w0, .l1])
    row(0x19, .p66, mod: .register, .vbroadcastsd, .vqq, .udq, flags: [.w0, .l1], also: .avx2)
    row(0x1A, .p66, .vbroadcastf128, .vqq, .mdq, flags: [.w0, .l1])
    row(0x2C, .p66, .vmaskmovps, .vx, .hx, .mx, flags: .w0)
    row(0x2D, .p66, .vmaskmovpd, .vx, .hx, .mx, flags: .w0)
    row(0x2E, .p66, .vmaskmovps, .mx, .hx, .vx, flags: .w0)
    row(0x2F, .p66, .vmaskmovpd, .mx, .hx, .vx, flags: .w0)
    section(.vex0F38, .avx2)
    row(0x16, .p66, .vpermps, .vqq, .hqq, .wqq, flags: [.w0, .l1])
    row(0x36, .p66, .vpermd, .vqq, .hqq, .wqq, flags: [.w0, .l1])
    row(0x45, .p66, .vpsrlvd, .vx, .hx, .wx, flags: .w0)
    row(0x45, .p66, .vpsrlvq, .vx, .hx, .wx, flags: .w1)
    row(0x46, .p66, .vpsravd, .vx, .hx, .wx, flags: .w0)
    row(0x47, .p66, .vpsllvd, .vx, .hx, .wx, flags: .w0)
    row(0x47, .p66, .vpsllvq, .vx, .hx, .wx, flags: .w1)
    row(0x58, .p66, .vpbroadcastd, .vx, .wd, flags: .w0)
    row(0x59, .p66, .vpbroadcastq, .vx, .wq, flags: .w0)
    row(0x5A, .p66, .vbroadcasti128, .vqq, .mdq, flags: [.w0, .l1])
    row(0x78, .p66, .vpbroadcastb, .vx, .wb, flags: .w0)
    row(0x79, .p66, .vpbroadcastw, .vx, .ww, flags: .w0)
    row(0x8C, .p66, .vpmaskmovd, .vx, .hx, .mx, flags: .w0)
    row(0x8C, .p66, .vpmaskmovq, .vx, .hx, .mx, flags: .w1)
    row(0x8E, .p66, .vpmaskmovd, .mx, .hx, .vx, flags: .w0)
    row(0x8E, .p66, .vpmaskmovq, .mx, .hx, .vx, flags: .w1)
    // The destination is as wide as the wider of data and indices.
    row(0x90, .p66, .vpgatherdd, .vx, .vmd, .hx, flags: .w0)
    row(0x90, .p66, .vpgatherdq, .vx, .vmq, .hx, flags: .w1)
    row(0x91, .p66, .vpgatherqd, .vdq, .vmd, .hdq, flags: .w0)
    row(0x91, .p66, .vpgatherqq, .vx, .vmq, .hx, flags: .w1)
    row(0x92, .p66, .vgatherdps, .vx, .vmd, .hx, flags: .w0)
    row(0x92, .p66, .vgatherdpd, .vx, .vmq, .hx, flags: .w1)
    row(0x93, .p66, .vgatherqps, .vdq, .vmd, .hdq, flags: .w0)
    row(0x93, .p66, .vgatherqpd, .vx, .vmq, .hx, flags: .w1)
  }

  private mutating func defineAVX0F3A() {
    section(.vex0F3A, .avx)
    row(0x04, .p66, .vpermilps, .vx, .wx, .ib, flags: .w0)
    row(0x05, .p66, .vpermilpd, .vx, .wx, .ib, flags: .w0)
    row(0x06, .p66, .vperm2f128, .vqq, .hqq, .wqq, .ib, flags: [.w0, .l1])
    row(0x08, .p66, .vroundps, .vx, .wx, .ib)
    row(0x09, .p66, .vroundpd, .vx, .wx, .ib)
    row(0x0A, .p66, .vroundss, .vdq, .hdq, .wd, .ib)
    row(0x0B, .p66, .vroundsd, .vdq, .hdq, .wq, .ib)
    row(0x0C, .p66, .vblendps, .vx, .hx, .wx, .ib)
    row(0x0D, .p66, .vblendpd, .vx, .hx, .wx, .ib)
    row(0x14, .p66, .vpextrb, .edMb, .vdq, .ib, flags: .l0)
    row(0x15, .p66, .vpextrw, .edMw, .vdq, .ib, flags: .l0)
    row(0x16, .p66, .vpextrq, .eq, .vdq, .ib, flags: [.l0, .w1], modes: .bits64)
    row(0x16, .p66, .vpextrd, .ed, .vdq, .ib, flags: .l0)
    row(0x17, .p66, .vextractps, .ed, .vdq, .ib, flags: .l0)
    row(0x18, .p66, .vinsertf128, .vqq, .hqq, .wdq, .ib, flags: [.w0, .l1])
    row(0x19, .p66, .vextractf128, .wdq, .vqq, .ib, flags: [.w0, .l1])
    row(0x20, .p66, .vpinsrb, .vdq, .hdq, .edMb, .ib, flags: .l0)
    row(0x21, .p66, .vinsertps, .vdq, .hdq, .wd, .ib, flags: .l0)
    row(0x22, .p66, .vpinsrq, .vdq, .hdq, .eq, .ib, flags: [.l0, .w1], modes: .bits64)
    row(0x22, .p66, .vpinsrd, .vdq, .hdq, .ed, .ib, flags: .l0)
    row(0x40, .p66, .vdpps, .vx, .hx, .wx, .ib)
    row(0x41, .p66, .vdppd, .vdq, .hdq, .wdq, .ib, flags: .l0)
    row(0x44, .p66, .vpclmulqdq, .vx, .hx, .wx, .ib, flags: .l0, also: .pclmulqdq)
    row(0x44, .p66, .vpclmulqdq, .vx, .hx, .wx, .ib, flags: .l1, also: .vpclmulqdq)
    row(0x4A, .p66, .vblendvps, .vx, .hx, .wx, .lx, flags: .w0)
    row(0x4B, .p66, .vblendvpd, .vx, .hx, .wx, .lx, flags: .w0)
    row(0x60, .p66, .vpcmpestrm, .vdq, .wdq, .ib, flags: .l0)
    row(0x61, .p66, .vpcmpestri, .vdq, .wdq, .ib, flags: .l0)
    row(0x62, .p66, .vpcmpistrm, .vdq, .wdq, .ib, flags: .l0)
    row(0x63, .p66, .vpcmpistri, .vdq, .wdq, .ib, flags: .l0)
    row(0xCE, .p66, .vgf2p8affineqb, .vx, .hx, .wx, .ib, flags: .w1, also: .gfni)
    row(0xCF, .p66, .vgf2p8affineinvqb, .vx, .hx, .wx, .ib, flags: .w1, also: .gfni)
    row(0xDF, .p66, .vaeskeygenassist, .vdq, .wdq, .ib, flags: .l0, also: .aes)
    section(.vex0F3A, .avx2)
    row(0x00, .p66, .vpermq, .vqq, .wqq, .ib, flags: [.w1, .l1])
    row(0x01, .p66, .vpermpd, .vqq, .wqq, .ib, flags: [.w1, .l1])
    row(0x02, .p66, .vpblendd, .vx, .hx, .wx, .ib, flags: .w0)
    row(0x38, .p66, .vinserti128, .vqq, .hqq, .wdq, .ib, flags: [.w0, .l1])
    row(0x39, .p66, .vextracti128, .wdq, .vqq, .ib, flags: [.w0, .l1])
    row(0x46, .p66, .vperm2i128, .vqq, .hqq, .wqq, .ib, flags: [.w0, .l1])
    section(.vex0F3A)
    integer(0x0E, .vpblendw, .vx, .hx, .wx, .ib)
    integer(0x0F, .vpalignr, .vx, .hx, .wx, .ib)
    integer(0x42, .vmpsadbw, .vx, .hx, .wx, .ib)
    row(0x4C, .p66, .vpblendvb, .vx, .hx, .wx, .lx, flags: [.w0, .l0], also: .avx)
    row(0x4C, .p66, .vpblendvb, .vx, .hx, .wx, .lx, flags: [.w0, .l1], also: .avx2)
  }

  private mutating func defineFMA() {
    section(.vex0F38, .fma)
    // Per low digit: the PS and PD, or SS and SD, operations in the orders 132, 213, 231.
    let packed: [(UInt8, [Operation], [Operation])] = [
      (
        6, [.vfmaddsub132ps, .vfmaddsub213ps, .vfmaddsub231ps],
        [.vfmaddsub132pd, .vfmaddsub213pd, .vfmaddsub231pd]
      ),
      (
        7, [.vfmsubadd132ps, .vfmsubadd213ps, .vfmsubadd231ps],
        [.vfmsubadd132pd, .vfmsubadd213pd, .vfmsubadd231pd]
      ),
      (8, [.vfmadd132ps, .vfmadd213ps, .vfmadd231ps], [.vfmadd132pd, .vfmadd213pd, .vfmadd231pd]),
      (10, [.vfmsub132ps, .vfmsub213ps, .vfmsub231ps], [.vfmsub132pd, .vfmsub213pd, .vfmsub231pd]),
      (12, [.vfnmadd132ps, .vfnmadd213ps, .vfnmadd231ps], [.vfnmadd132pd, .vfnmadd213pd, .vfnmadd231pd]),
      (14, [.vfnmsub132ps, .vfnmsub213ps, .vfnmsub231ps], [.vfnmsub132pd, .vfnmsub213pd, .vfnmsub231pd]),
    ]
    let scalar: [(UInt8, [Operation], [Operation])] = [
      (9, [.vfmadd132ss, .vfmadd213ss, .vfmadd231ss], [.vfmadd132sd, .vfmadd213sd, .vfmadd231sd]),
      (11, [.vfmsub132ss, .vfmsub213ss, .vfmsub231ss], [.vfmsub132sd, .vfmsub213sd, .vfmsub231sd]),
      (13, [.vfnmadd132ss, .vfnmadd213ss, .vfnmadd231ss], [.vfnmadd132sd, .vfnmadd213sd, .vfnmadd231sd]),
      (15, [.vfnmsub132ss, .vfnmsub213ss, .vfnmsub231ss], [.vfnmsub132sd, .vfnmsub213sd, .vfnmsub231sd]),
    ]
    for (i, high) in [UInt8(0x90), 0xA0, 0xB0].enumerated() {
      for (low, single, double) in packed {
        row(high + low, .p66, single[i], .vx, .hx, .wx, flags: .w0)
        row(high + low, .p66, double[i], .vx, .hx, .wx, flags: .w1)
      }
      for (low, single, double) in scalar {
        row(high + low, .p66, single[i], .vdq, .hdq, .wd, flags: .w0)
        row(high + low, .p66, double[i], .vdq, .hdq, .wq, flags: .w1)
      }
    }
  }
}
