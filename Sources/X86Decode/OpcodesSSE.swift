/// XMM registers, legacy encoding: SSE to SSE4.2, AES, PCLMULQDQ, SHA, GFNI (SDM 2D, tables ).
extension OpcodeTableBuilder {
  mutating func defineSSE() {
    defineFloat()
    defineMoves()
    defineConversions()
    definePackedInteger()
    defineThreeByteVector()
  }

  private mutating func defineFloat() {
    // PS, PD, SS, SD share the opcode.
    let quadruples: [(UInt8, Operation, Operation, Operation, Operation)] = [
      (0x51, .sqrtps, .sqrtpd, .sqrtss, .sqrtsd), (0x58, .addps, .addpd, .addss, .addsd),
      (0x59, .mulps, .mulpd, .mulss, .mulsd), (0x5C, .subps, .subpd, .subss, .subsd),
      (0x5D, .minps, .minpd, .minss, .minsd), (0x5E, .divps, .divpd, .divss, .divsd),
      (0x5F, .maxps, .maxpd, .maxss, .maxsd),
    ]
    for (opcode, ps, pd, ss, sd) in quadruples {
      section(.twoByte, .sse)
      row(opcode, .np, ps, .vdq, .wdq)
      row(opcode, .f3, ss, .vdq, .wd)
      section(.twoByte, .sse2)
      row(opcode, .p66, pd, .vdq, .wdq)
      row(opcode, .f2, sd, .vdq, .wq)
    }
    // PS and PD.
    let pairs: [(UInt8, Operation, Operation)] = [
      (0x14, .unpcklps, .unpcklpd), (0x15, .unpckhps, .unpckhpd), (0x54, .andps, .andpd),
      (0x55, .andnps, .andnpd),
      (0x56, .orps, .orpd), (0x57, .xorps, .xorpd),
    ]
    for (opcode, ps, pd) in pairs {
      row(opcode, .p66, pd, .vdq, .wdq)
      section(.twoByte, .sse)
      row(opcode, .np, ps, .vdq, .wdq)
      section(.twoByte, .sse2)
    }
    section(.twoByte, .sse)
    row(0x2E, .np, .ucomiss, .vdq, .wd)
    row(0x2F, .np, .comiss, .vdq, .wd)
    row(0x52, .np, .rsqrtps, .vdq, .wdq)
    row(0x52, .f3, .rsqrtss, .vdq, .wd)
    row(0x53, .np, .rcpps, .vdq, .wdq)
    row(0x53, .f3, .rcpss, .vdq, .wd)
    row(0xC2, .np, .cmpps, .vdq, .wdq, .ib)
    row(0xC2, .f3, .cmpss, .vdq, .wd, .ib)
    row(0xC6, .np, .shufps, .vdq, .wdq, .ib)
    section(.twoByte, .sse2)
    row(0x2E, .p66, .ucomisd, .vdq, .wq)
    row(0x2F, .p66, .comisd, .vdq, .wq)
    row(0xC2, .p66, .cmppd, .vdq, .wdq, .ib)
    row(0xC2, .f2, .cmpsd, .vdq, .wq, .ib)
    row(0xC6, .p66, .shufpd, .vdq, .wdq, .ib)
    section(.twoByte, .sse3)
    row(0x7C, .p66, .haddpd, .vdq, .wdq)
    row(0x7C, .f2, .haddps, .vdq, .wdq)
    row(0x7D, .p66, .hsubpd, .vdq, .wdq)
    row(0x7D, .f2, .hsubps, .vdq, .wdq)
    row(0xD0, .p66, .addsubpd, .vdq, .wdq)
    row(0xD0, .f2, .addsubps, .vdq, .wdq)
  }

  private mutating func defineMoves() {
    section(.twoByte, .sse)
    row(0x10, .np, .movups, .vdq, .wdq)
    row(0x11, .np, .movups, .wdq, .vdq)
    row(0x10, .f3, .movss, .vdq, .wd)
    row(0x11, .f3, .movss, .wd, .vdq)
    row(0x12, .np, mod: .memory, .movlps, .vdq, .mq)
    row(0x12, .np, mod: .register, .movhlps, .vdq, .udq)
    row(0x13, .np, .movlps, .mq, .vdq)
    row(0x16, .np, mod: .memory, .movhps, .vdq, .mq)
    row(0x16, .np, mod: .register, .movlhps, .vdq, .udq)
    row(0x17, .np, .movhps, .mq, .vdq)
    row(0x28, .np, .movaps, .vdq, .wdq)
    row(0x29, .np, .movaps, .wdq, .vdq)
    row(0x2B, .np, .movntps, .mdq, .vdq)
    row(0x50, .np, .movmskps, .gy, .udq)
    section(.twoByte, .sse2)
    row(0x10, .p66, .movupd, .vdq, .wdq)
    row(0x11, .p66, .movupd, .wdq, .vdq)
    row(0x10, .f2, .movsd, .vdq, .wq)
    row(0x11, .f2, .movsd, .wq, .vdq)
    row(0x12, .p66, .movlpd, .vdq, .mq)
    row(0x13, .p66, .movlpd, .mq, .vdq)
    row(0x16, .p66, .movhpd, .vdq, .mq)
    row(0x17, .p66, .movhpd, .mq, .vdq)
    row(0x28, .p66, .movapd, .vdq, .wdq)
    row(0x29, .p66, .movapd, .wdq, .vdq)
    row(0x2B, .p66, .movntpd, .mdq, .vdq)
    row(0x50, .p66, .movmskpd, .gy, .udq)
    row(0x6E, .p66, .movq, .vdq, .eq, flags: .w1)
    row(0x6E, .p66, .movd, .vdq, .ed)
    row(0x7E, .p66, .movq, .eq, .vdq, flags: .w1)
    row(0x7E, .p66, .movd, .ed, .vdq)
    row(0x7E, .f3, .movq, .vdq, .wq)
    row(0xD6, .p66, .movq, .wq, .vdq)
    row(0x6F, .p66, .movdqa, .vdq, .wdq)
    row(0x7F, .p66, .movdqa, .wdq, .vdq)
    row(0x6F, .f3, .movdqu, .vdq, .wdq)
    row(0x7F, .f3, .movdqu, .wdq, .vdq)
    row(0xD6, .f3, .movq2dq, .vdq, .nq)
    row(0xD6, .f2, .movdq2q, .pq, .udq)
    row(0xE7, .p66, .movntdq, .mdq, .vdq)
    row(0xF7, .p66, .maskmovdqu, .vdq, .udq)
    section(.twoByte, .sse3)
    row(0x12, .f3, .movsldup, .vdq, .wdq)
    row(0x12, .f2, .movddup, .vdq, .wq)
    row(0x16, .f3, .movshdup, .vdq, .wdq)
    row(0xF0, .f2, .lddqu, .vdq, .mdq)
  }

  private mutating func defineConversions() {
    section(.twoByte, .sse)
    row(0x2A, .np, .cvtpi2ps, .vdq, .qq)
    row(0x2A, .f3, .cvtsi2ss, .vdq, .ey)
    row(0x2C, .np, .cvttps2pi, .pq, .wq)
    row(0x2C, .f3, .cvttss2si, .gy, .wd)
    row(0x2D, .np, .cvtps2pi, .pq, .wq)
    row(0x2D, .f3, .cvtss2si, .gy, .wd)
    section(.twoByte, .sse2)
    row(0x2A, .p66, .cvtpi2pd, .vdq, .qq)
    row(0x2A, .f2, .cvtsi2sd, .vdq, .ey)
    row(0x2C, .p66, .cvttpd2pi, .pq, .wdq)
    row(0x2C, .f2, .cvttsd2si, .gy, .wq)
    row(0x2D, .p66, .cvtpd2pi, .pq, .wdq)
    row(0x2D, .f2, .cvtsd2si, .gy, .wq)
    row(0x5A, .np, .cvtps2pd, .vdq, .wq)
    row(0x5A, .p66, .cvtpd2ps, .vdq, .wdq)
    row(0x5A, .f3, .cvtss2sd, .vdq, .wd)
    row(0x5A, .f2, .cvtsd2ss, .vdq, .wq)
    row(0x5B, .np, .cvtdq2ps, .vdq, .wdq)
    row(0x5B, .p66, .cvtps2dq, .vdq, .wdq)
    row(0x5B, .f3, .cvttps2dq, .vdq, .wdq)
    row(0xE6, .p66, .cvttpd2dq, .vdq, .wdq)
    row(0xE6, .f3, .cvtdq2pd, .vdq, .wq)
    row(0xE6, .f2, .cvtpd2dq, .vdq, .wdq)
  }

  private mutating func definePackedInteger() {
    section(.twoByte, .sse2)
    let packed: [(UInt8, Operation)] = [
      (0x60, .punpcklbw), (0x61, .punpcklwd), (0x62, .punpckldq), (0x63, .packsswb), (0x64, .pcmpgtb),
      (0x65, .pcmpgtw), (0x66, .pcmpgtd), (0x67, .packuswb), (0x68, .punpckhbw), (0x69, .punpckhwd),
      (0x6A, .punpckhdq), (0x6B, .packssdw), (0x6C, .punpcklqdq), (0x6D, .punpckhqdq), (0x74, .pcmpeqb),
      (0x75, .pcmpeqw), (0x76, .pcmpeqd), (0xD1, .psrlw), (0xD2, .psrld), (0xD3, .psrlq), (0xD4, .paddq),
      (0xD5, .pmullw), (0xD8, .psubusb), (0xD9, .psubusw), (0xDA, .pminub), (0xDB, .pand), (0xDC, .paddusb),
      (0xDD, .paddusw), (0xDE, .pmaxub), (0xDF, .pandn), (0xE0, .pavgb), (0xE1, .psraw), (0xE2, .psrad),
      (0xE3, .pavgw), (0xE4, .pmulhuw), (0xE5, .pmulhw), (0xE8, .psubsb), (0xE9, .psubsw), (0xEA, .pminsw),
      (0xEB, .por), (0xEC, .paddsb), (0xED, .paddsw), (0xEE, .pmaxsw), (0xEF, .pxor), (0xF1, .psllw),
      (0xF2, .pslld), (0xF3, .psllq), (0xF4, .pmuludq), (0xF5, .pmaddwd), (0xF6, .psadbw), (0xF8, .psubb),
      (0xF9, .psubw), (0xFA, .psubd), (0xFB, .psubq), (0xFC, .paddb), (0xFD, .paddw), (0xFE, .paddd),
    ]
    for (opcode, operation) in packed { row(opcode, .p66, operation, .vdq, .wdq) }
    row(0x70, .p66, .pshufd, .vdq, .wdq, .ib)
    row(0x70, .f3, .pshufhw, .vdq, .wdq, .ib)
    row(0x70, .f2, .pshuflw, .vdq, .wdq, .ib)
    row(0x71, .p66, reg: 2, .psrlw, .udq, .ib)
    row(0x71, .p66, reg: 4, .psraw, .udq, .ib)
    row(0x71, .p66, reg: 6, .psllw, .udq, .ib)
    row(0x72, .p66, reg: 2, .psrld, .udq, .ib)
    row(0x72, .p66, reg: 4, .psrad, .udq, .ib)
    row(0x72, .p66, reg: 6, .pslld, .udq, .ib)
    row(0x73, .p66, reg: 2, .psrlq, .udq, .ib)
    row(0x73, .p66, reg: 3, .psrldq, .udq, .ib)
    row(0x73, .p66, reg: 6, .psllq, .udq, .ib)
    row(0x73, .p66, reg: 7, .pslldq, .udq, .ib)
    row(0xC4, .p66, .pinsrw, .vdq, .edMw, .ib)
    row(0xC5, .p66, .pextrw, .gy, .udq, .ib)
    row(0xD7, .p66, .pmovmskb, .gy, .udq)
  }

  private mutating func defineThreeByteVector() {
    section(.map0F38, .ssse3)
    let ssse3: [(UInt8, Operation)] = [
      (0x00, .pshufb), (0x01, .phaddw), (0x02, .phaddd), (0x03, .phaddsw), (0x04, .pmaddubsw),
      (0x05, .phsubw),
      (0x06, .phsubd), (0x07, .phsubsw), (0x08, .psignb), (0x09, .psignw), (0x0A, .psignd), (0x0B, .pmulhrsw),
      (0x1C, .pabsb), (0x1D, .pabsw), (0x1E, .pabsd),
    ]
    for (opcode, operation) in ssse3 { row(opcode, .p66, operation, .vdq, .wdq) }

    section(.map0F3A, .ssse3)
    row(0x0F, .p66, .palignr, .vdq, .wdq, .ib)

    section(.map0F38, .sse41)
    let sse41: [(UInt8, Operation)] = [
      (0x17, .ptest), (0x28, .pmuldq), (0x29, .pcmpeqq), (0x2B, .packusdw), (0x38, .pminsb), (0x39, .pminsd),
      (0x3A, .pminuw), (0x3B, .pminud), (0x3C, .pmaxsb), (0x3D, .pmaxsd), (0x3E, .pmaxuw), (0x3F, .pmaxud),
      (0x40, .pmulld), (0x41, .phminposuw),
    ]
    for (opcode, operation) in sse41 { row(opcode, .p66, operation, .vdq, .wdq) }
    row(0x10, .p66, .pblendvb, .vdq, .wdq, .xmm0)
    row(0x14, .p66, .blendvps, .vdq, .wdq, .xmm0)
    row(0x15, .p66, .blendvpd, .vdq, .wdq, .xmm0)
    row(0x20, .p66, .pmovsxbw, .vdq, .wq)
    row(0x21, .p66, .pmovsxbd, .vdq, .wd)
    row(0x22, .p66, .pmovsxbq, .vdq, .ww)
    row(0x23, .p66, .pmovsxwd, .vdq, .wq)
    row(0x24, .p66, .pmovsxwq, .vdq, .wd)
    row(0x25, .p66, .pmovsxdq, .vdq, .wq)
    row(0x2A, .p66, .movntdqa, .vdq, .mdq)
    row(0x30, .p66, .pmovzxbw, .vdq, .wq)
    row(0x31, .p66, .pmovzxbd, .vdq, .wd)
    row(0x32, .p66, .pmovzxbq, .vdq, .ww)
    row(0x33, .p66, .pmovzxwd, .vdq, .wq)
    row(0x34, .p66, .pmovzxwq, .vdq, .wd)
    row(0x35, .p66, .pmovzxdq, .vdq, .wq)

    section(.map0F3A, .sse41)
    row(0x08, .p66, .roundps, .vdq, .wdq, .ib)
    row(0x09, .p66, .roundpd, .vdq, .wdq, .ib)
    row(0x0A, .p66, .roundss, .vdq, .wd, .ib)
    row(0x0B, .p66, .roundsd, .vdq, .wq, .ib)
    row(0x0C, .p66, .blendps, .vdq, .wdq, .ib)
    row(0x0D, .p66, .blendpd, .vdq, .wdq, .ib)
    row(0x0E, .p66, .pblendw, .vdq, .wdq, .ib)
    row(0x14, .p66, .pextrb, .edMb, .vdq, .ib)
    row(0x15, .p66, .pextrw, .edMw, .vdq, .ib)
    row(0x16, .p66, .pextrq, .eq, .vdq, .ib, flags: .w1)
    row(0x16, .p66, .pextrd, .ed, .vdq, .ib)
    row(0x17, .p66, .extractps, .ed, .vdq, .ib)
    row(0x20, .p66, .pinsrb, .vdq, .edMb, .ib)
    row(0x21, .p66, .insertps, .vdq, .wd, .ib)
    row(0x22, .p66, .pinsrq, .vdq, .eq, .ib, flags: .w1)
    row(0x22, .p66, .pinsrd, .vdq, .ed, .ib)
    row(0x40, .p66, .dpps, .vdq, .wdq, .ib)
    row(0x41, .p66, .dppd, .vdq, .wdq, .ib)
    row(0x42, .p66, .mpsadbw, .vdq, .wdq, .ib)

    section(.map0F38, .sse42)
    row(0x37, .p66, .pcmpgtq, .vdq, .wdq)
    section(.map0F3A, .sse42)
    row(0x60, .p66, .pcmpestrm, .vdq, .wdq, .ib)
    row(0x61, .p66, .pcmpestri, .vdq, .wdq, .ib)
    row(0x62, .p66, .pcmpistrm, .vdq, .wdq, .ib)
    row(0x63, .p66, .pcmpistri, .vdq, .wdq, .ib)

    section(.map0F38, .aes)
    row(0xDB, .p66, .aesimc, .vdq, .wdq)
    row(0xDC, .p66, .aesenc, .vdq, .wdq)
    row(0xDD, .p66, .aesenclast, .vdq, .wdq)
    row(0xDE, .p66, .aesdec, .vdq, .wdq)
    row(0xDF, .p66, .aesdeclast, .vdq, .wdq)
    section(.map0F3A, .aes)
    row(0xDF, .p66, .aeskeygenassist, .vdq, .wdq, .ib)
    section(.map0F3A, .pclmulqdq)
    row(0x44, .p66, .pclmulqdq, .vdq, .wdq, .ib)
    section(.map0F38, .sha)
    row(0xC8, .np, .sha1nexte, .vdq, .wdq)
    row(0xC9, .np, .sha1msg1, .vdq, .wdq)
    row(0xCA, .np, .sha1msg2, .vdq, .wdq)
    row(0xCB, .np, .sha256rnds2, .vdq, .wdq, .xmm0)
    row(0xCC, .np, .sha256msg1, .vdq, .wdq)
    row(0xCD, .np, .sha256msg2, .vdq, .wdq)
    section(.map0F3A, .sha)
    row(0xCC, .np, .sha1rnds4, .vdq, .wdq, .ib)
    section(.map0F38, .gfni)
    row(0xCF, .p66, .gf2p8mulb, .vdq, .wdq)
    section(.map0F3A, .gfni)
    row(0xCE, .p66, .gf2p8affineqb, .vdq, .wdq, .ib)
    row(0xCF, .p66, .gf2p8affineinvqb, .vdq, .wdq, .ib)
  }
}
