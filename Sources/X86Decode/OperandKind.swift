/// How an operand is encoded and how wide it is: the abbreviations of SDM 2D, appendix A.2, in lower camel case.
/// First letter: where it is encoded; the rest: its width. "E" is a general register or memory, by ModRM.
public enum OperandKind: UInt8, Sendable, CaseIterable {
  /// No operand.
  case none

  // General register or memory, by ModRM.rm.
  /// 8 bits.
  case eb
  /// 16 bits.
  case ew
  /// 32 bits.
  case ed
  /// 64 bits.
  case eq
  /// Operand size.
  case ev
  /// 32 bits, or 64 with W in 64-bit mode.
  case ey
  /// A register of 32 bits (64 with W), or 8 bits of memory: PEXTRB, PINSRB.
  case edMb
  /// A register of 32 bits (64 with W), or 16 bits of memory: PEXTRW, PINSRW.
  case edMw
  /// A register of operand size, or 16 bits of memory: SLDT, STR, SMSW, MOV Ev, Sw; LAR and LSL.
  case evMw

  // General register, by ModRM.reg.
  /// 8 bits.
  case gb
  /// 16 bits.
  case gw
  /// 32 bits.
  case gd
  /// 64 bits.
  case gq
  /// Operand size.
  case gv
  /// 32 bits, or 64 with W in 64-bit mode.
  case gy
  /// Address size: the destination address of MOVDIR64B.
  case ga

  // General register only, by ModRM.rm.
  /// 32 bits.
  case rd
  /// Operand size.
  case rv
  /// As wide as the mode's addresses: 64 bits in 64-bit mode, else 32 (MOV CRn, MOV DRn, RDPID).
  case rm
  /// 32 bits, or 64 with W in 64-bit mode.
  case ry

  // General register by VEX.vvvv.
  /// 32 bits, or 64 with W in 64-bit mode.
  case by

  // Memory only, by ModRM.
  /// An address alone or a structure whose size the operation knows: LEA, INVLPG, FXSAVE, …
  case m
  /// 8 bits.
  case mb
  /// 16 bits.
  case mw
  /// 32 bits.
  case md
  /// 64 bits.
  case mq
  /// 128 bits.
  case mdq
  /// Operand size.
  case mv
  /// 32 bits, or 64 with W in 64-bit mode.
  case my
  /// A far pointer: 16:operand size.
  case mp
  /// Two bounds of operand size: BOUND.
  case ma
  /// A pseudo-descriptor, 16:32 or 16:64: LGDT, LIDT, SGDT, SIDT.
  case ms
  /// 128 or 256 bits, by VEX.L.
  case mx
  /// 32-bit elements addressed with a vector index (VSIB).
  case vmd
  /// 64-bit elements addressed with a vector index (VSIB).
  case vmq

  // Memory of the x87.
  /// Single precision.
  case m32fp
  /// Double precision.
  case m64fp
  /// Double extended precision.
  case m80fp
  /// 16-bit integer.
  case m16int
  /// 32-bit integer.
  case m32int
  /// 64-bit integer.
  case m64int
  /// 18 packed decimal digits.
  case m80bcd
  /// The environment: 14 bytes for operand size 2, else 28.
  case menv
  /// The whole state: 94 bytes for operand size 2, else 108.
  case mstate

  // Immediates.
  /// Byte, zero-extended.
  case ib
  /// Byte, sign-extended.
  case ibs
  /// Word, zero-extended.
  case iw
  /// Word for operand size 2, else doubleword, sign-extended.
  case iz
  /// Of operand size, up to 64 bits, sign-extended.
  case iv
  /// Second byte immediate: ENTER's nesting level.
  case ib2
  /// Byte offset relative to the next instruction.
  case jb
  /// Word or doubleword offset relative to the next instruction.
  case jz
  /// Far pointer in the instruction: offset in `immediate`, selector in `immediate2`.
  case ap
  /// The constant 1: shifts by one.
  case one

  // Offsets of address size in the instruction, no ModRM.
  /// 8 bits of memory.
  case ob
  /// Operand size of memory.
  case ov

  // Fixed and opcode registers.
  /// AL
  case al
  /// AX
  case ax
  /// AX, EAX or RAX by operand size.
  case eax
  /// CL
  case cl
  /// DX
  case dx
  /// 8-bit register in the opcode's low bits (and REX.B), number in `rm`.
  case zb
  /// Register of operand size in the opcode's low bits (and REX.B), number in `rm`.
  case zv
  /// Segment registers named by the opcode.
  case es, cs, ss, ds, fs, gs

  // Strings.
  /// Byte at DS:rSI (the segment can be overridden).
  case xb
  /// Operand size at DS:rSI (the segment can be overridden).
  case xv
  /// Byte at ES:rDI.
  case yb
  /// Operand size at ES:rDI.
  case yv

  // Special registers by ModRM.reg.
  /// Segment register, number in the low three bits of `reg`.
  case sw
  /// Control register.
  case cd
  /// Debug register.
  case dd

  // x87 registers.
  /// ST(0)
  case st0
  /// ST(i), i in the low three bits of `rm`.
  case sti

  // MMX: REX does not extend these numbers; use the low three bits.
  /// Register by ModRM.reg.
  case pq
  /// Register or 64 bits of memory by ModRM.rm.
  case qq
  /// Register or 32 bits of memory by ModRM.rm.
  case qd
  /// Register only, by ModRM.rm.
  case nq

  // XMM and, with VEX.L, YMM.
  /// XMM register by ModRM.reg.
  case vdq
  /// XMM or YMM register by ModRM.reg, by VEX.L.
  case vx
  /// YMM register by ModRM.reg.
  case vqq
  /// XMM register or 16 bits of memory by ModRM.rm.
  case ww
  /// XMM register or 8 bits of memory by ModRM.rm.
  case wb
  /// XMM register or 32 bits of memory by ModRM.rm.
  case wd
  /// XMM register or 64 bits of memory by ModRM.rm.
  case wq
  /// XMM register or 128 bits of memory by ModRM.rm.
  case wdq
  /// YMM register or 256 bits of memory by ModRM.rm.
  case wqq
  /// XMM or YMM register or as much memory by ModRM.rm, by VEX.L.
  case wx
  /// XMM register only, by ModRM.rm.
  case udq
  /// XMM or YMM register only by ModRM.rm, by VEX.L.
  case ux
  /// XMM register by VEX.vvvv.
  case hdq
  /// XMM or YMM register by VEX.vvvv, by VEX.L.
  case hx
  /// YMM register by VEX.vvvv.
  case hqq
  /// XMM or YMM register in bits 7:4 of the immediate byte, by VEX.L.
  case lx
  /// XMM0, implied.
  case xmm0

  /// Whether the operand is encoded in ModRM.
  public var usesModRM: Bool {
    switch self {
    case .eb, .ew, .ed, .eq, .ev, .ey, .edMb, .edMw, .evMw, .gb, .gw, .gd, .gq, .gv, .gy, .ga, .rd, .rv, .rm,
      .ry,
      .m,
      .mb, .mw, .md, .mq, .mdq, .mv, .my, .mp, .ma, .ms, .mx, .vmd, .vmq, .m32fp, .m64fp, .m80fp, .m16int,
      .m32int,
      .m64int, .m80bcd, .menv, .mstate, .sw, .cd, .dd, .sti, .pq, .qq, .qd, .nq, .vdq, .vx, .vqq, .ww, .wb,
      .wd, .wq,
      .wdq, .wqq, .wx, .udq, .ux:
      return true
    default: return false
    }
  }

  /// Whether only memory will do: mod = 3 is undefined.
  public var isMemoryOnly: Bool {
    switch self {
    case .m, .mb, .mw, .md, .mq, .mdq, .mv, .my, .mp, .ma, .ms, .mx, .vmd, .vmq, .m32fp, .m64fp, .m80fp,
      .m16int,
      .m32int, .m64int, .m80bcd, .menv, .mstate:
      return true
    default: return false
    }
  }

  /// Whether only a register by ModRM.rm will do: mod other than 3 is undefined.
  public var isRegisterOnly: Bool {
    switch self {
    case .rd, .rv, .ry, .rm, .nq, .udq, .ux, .sti: return true
    default: return false
    }
  }

  /// Whether the operand is encoded in VEX.vvvv.
  public var usesVvvv: Bool {
    switch self {
    case .by, .hdq, .hx, .hqq: return true
    default: return false
    }
  }
}
