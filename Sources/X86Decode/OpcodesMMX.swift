/// MMX registers: MMX itself, and what SSE, SSE2 and SSSE3 added to it (SDM 2D, tables, no prefix).
extension OpcodeTableBuilder {
  mutating func defineMMX() {
    section(.twoByte, .mmx)
    let packed: [(UInt8, Operation)] = [
      (0x61, .punpcklwd), (0x62, .punpckldq), (0x60, .punpcklbw), (0x63, .packsswb), (0x64, .pcmpgtb),
      (0x65, .pcmpgtw), (0x66, .pcmpgtd), (0x67, .packuswb), (0x68, .punpckhbw), (0x69, .punpckhwd),
      (0x6A, .punpckhdq), (0x6B, .packssdw), (0x74, .pcmpeqb), (0x75, .pcmpeqw), (0x76, .pcmpeqd),
      (0xD1, .psrlw), (0xD2, .psrld), (0xD3, .psrlq), (0xD5, .pmullw), (0xD8, .psubusb), (0xD9, .psubusw),
      (0xDB, .pand), (0xDC, .paddusb), (0xDD, .paddusw), (0xDF, .pandn), (0xE1, .psraw), (0xE2, .psrad),
      (0xE5, .pmulhw), (0xE8, .psubsb), (0xE9, .psubsw), (0xEB, .por), (0xEC, .paddsb), (0xED, .paddsw),
      (0xEF, .pxor), (0xF1, .psllw), (0xF2, .pslld), (0xF3, .psllq), (0xF5, .pmaddwd), (0xF8, .psubb),
      (0xF9, .psubw), (0xFA, .psubd), (0xFC, .paddb), (0xFD, .paddw), (0xFE, .paddd),
    ]
    // The low unpacks read 32 bits of memory, which is less than the register form may read.
    for (opcode, operation) in packed { row(opcode, .np, operation, .pq, opcode <= 0x62 ? .qd : .qq) }
    row(0x6E, .np, .movq, .pq, .eq, flags: .w1)
    row(0x6E, .np, .movd, .pq, .ed)
    row(0x7E, .np, .movq, .eq, .pq, flags: .w1)
    row(0x7E, .np, .movd, .ed, .pq)
    row(0x6F, .np, .movq, .pq, .qq)
    row(0x7F, .np, .movq, .qq, .pq)
    row(0x77, .np, .emms)
    row(0x71, .np, reg: 2, .psrlw, .nq, .ib)
    row(0x71, .np, reg: 4, .psraw, .nq, .ib)
    row(0x71, .np, reg: 6, .psllw, .nq, .ib)
    row(0x72, .np, reg: 2, .psrld, .nq, .ib)
    row(0x72, .np, reg: 4, .psrad, .nq, .ib)
    row(0x72, .np, reg: 6, .pslld, .nq, .ib)
    row(0x73, .np, reg: 2, .psrlq, .nq, .ib)
    row(0x73, .np, reg: 6, .psllq, .nq, .ib)

    section(.twoByte, .sse)
    row(0x70, .np, .pshufw, .pq, .qq, .ib)
    row(0xC4, .np, .pinsrw, .pq, .edMw, .ib)
    row(0xC5, .np, .pextrw, .gy, .nq, .ib)
    row(0xD7, .np, .pmovmskb, .gy, .nq)
    row(0xDA, .np, .pminub, .pq, .qq)
    row(0xDE, .np, .pmaxub, .pq, .qq)
    row(0xE0, .np, .pavgb, .pq, .qq)
    row(0xE3, .np, .pavgw, .pq, .qq)
    row(0xE4, .np, .pmulhuw, .pq, .qq)
    row(0xE7, .np, .movntq, .mq, .pq)
    row(0xEA, .np, .pminsw, .pq, .qq)
    row(0xEE, .np, .pmaxsw, .pq, .qq)
    row(0xF6, .np, .psadbw, .pq, .qq)
    row(0xF7, .np, .maskmovq, .pq, .nq)

    section(.twoByte, .sse2)
    row(0xD4, .np, .paddq, .pq, .qq)
    row(0xF4, .np, .pmuludq, .pq, .qq)
    row(0xFB, .np, .psubq, .pq, .qq)

    section(.map0F38, .ssse3)
    let ssse3: [(UInt8, Operation)] = [
      (0x00, .pshufb), (0x01, .phaddw), (0x02, .phaddd), (0x03, .phaddsw), (0x04, .pmaddubsw),
      (0x05, .phsubw),
      (0x06, .phsubd), (0x07, .phsubsw), (0x08, .psignb), (0x09, .psignw), (0x0A, .psignd), (0x0B, .pmulhrsw),
      (0x1C, .pabsb), (0x1D, .pabsw), (0x1E, .pabsd),
    ]
    for (opcode, operation) in ssse3 { row(opcode, .np, operation, .pq, .qq) }
    section(.map0F3A, .ssse3)
    row(0x0F, .np, .palignr, .pq, .qq, .ib)
  }
}
