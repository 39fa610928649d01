/// What an instruction does: one case per mnemonic of the SDM, in lower case. Conditional families are one operation
/// each (`jcc`, `setcc`, `cmovcc`), as are mnemonics that differ only in width (`movs`, `cbw`, `pushf`); near and far
/// transfers are two.
public enum Operation: UInt16, Sendable, CaseIterable {
  /// No instruction: the bytes are undefined.
  case invalid

  // General registers, control flow, strings, flags.
  case add, or, adc, sbb, and, sub, xor, cmp, push, pop, daa, das, aaa, aas, inc, dec, mov, pusha, popa
  case bound, arpl, movsxd, imul, ins, outs, jcc, test, xchg, lea, pause, nop, callFar, wait, pushf, popf
  case sahf, lahf, movs, cmps, stos, lods, scas, rol, ror, rcl, rcr, shl, shr, sar, ret, les, lds, xabort
  case xbegin, enter, leave, retf, int3, int, into, iret, aam, aad, xlat, loopne, loope, loop, `in`, out
  case call, jmp, jmpFar, int1, hlt, cmc, not, neg, mul, div, idiv, clc, stc, cli, sti, cld, std
  /// CBW, CWDE, CDQE by operand size.
  case cbw
  /// CWD, CDQ, CQO by operand size.
  case cwd
  /// Undocumented: AL becomes 0 or FFH by the carry flag.
  case salc
  /// JCXZ, JECXZ, JRCXZ by address size.
  case jcxz

  // Two-byte general and system instructions.
  case sldt, str, lldt, ltr, verr, verw, sgdt, sidt, lgdt, lidt, smsw, lmsw, invlpg, monitor, mwait, clac
  case stac, xgetbv, xsetbv, xend, xtest, serialize, rdpkru, wrpkru, swapgs, rdtscp, lar, lsl, syscall
  case clts, sysret, invd, wbnoinvd, wbinvd, ud2, wrmsr, rdtsc, rdmsr, rdpmc, sysenter, sysexit, cpuid
  case rsm, cmovcc, setcc, bt, shld, bts, shrd, cmpxchg, lss, btr, lfs, lgs, movzx, popcnt, ud1, btc
  case tzcnt, lzcnt, bsf, bsr, movsx, xadd, movnti, cmpxchg8b, cmpxchg16b, rdrand, rdseed, rdpid, bswap
  case ud0, prefetchw, prefetchwt1, prefetchnta, prefetcht0, prefetcht1, prefetcht2, cldemote, endbr64
  case endbr32, fxsave, fxrstor, ldmxcsr, stmxcsr, xsave, xrstor, xsaveopt, clflush, clwb, clflushopt
  case rdfsbase, rdgsbase, wrfsbase, wrgsbase, lfence, mfence, sfence, xrstors, xsavec, xsaves, invpcid
  case movbe, crc32, adcx, adox, movdir64b, movdiri

  // x87.
  case fadd, fmul, fcom, fcomp, fsub, fsubr, fdiv, fdivr, fiadd, fimul, ficom, ficomp, fisub, fisubr
  case fidiv, fidivr, fld, fst, fstp, fldenv, fldcw, fnstenv, fnstcw, fild, fisttp, fist, fistp, frstor
  case fnsave, fnstsw, fbld, fbstp, fxch, fnop, fchs, fabs, ftst, fxam, fld1, fldl2t, fldl2e, fldpi
  case fldlg2, fldln2, fldz, f2xm1, fyl2x, fptan, fpatan, fxtract, fprem1, fdecstp, fincstp, fprem
  case fyl2xp1, fsqrt, fsincos, frndint, fscale, fsin, fcos, fcmovb, fcmove, fcmovbe, fcmovu, fucompp
  case fcmovnb, fcmovne, fcmovnbe, fcmovnu, fnclex, fninit, fucomi, fcomi, ffree, fucom, fucomp, faddp
  case fmulp, fcompp, fsubrp, fsubp, fdivrp, fdivp, ffreep, fucomip, fcomip
  /// Undocumented: FSTP that takes an empty register for what it holds.
  case fstpnce

  // MMX, and packed integers that XMM registers share with it.
  case punpcklwd, punpckldq, punpcklbw, packsswb, pcmpgtb, pcmpgtw, pcmpgtd, packuswb, punpckhbw
  case punpckhwd, punpckhdq, packssdw, pcmpeqb, pcmpeqw, pcmpeqd, psrlw, psrld, psrlq, pmullw, psubusb
  case psubusw, pand, paddusb, paddusw, pandn, psraw, psrad, pmulhw, psubsb, psubsw, por, paddsb, paddsw
  case pxor, psllw, pslld, psllq, pmaddwd, psubb, psubw, psubd, paddb, paddw, paddd, movq, movd, emms
  case pshufw, pinsrw, pextrw, pmovmskb, pminub, pmaxub, pavgb, pavgw, pmulhuw, movntq, pminsw, pmaxsw
  case psadbw, maskmovq, paddq, pmuludq, psubq, pshufb, phaddw, phaddd, phaddsw, pmaddubsw, phsubw, phsubd
  case phsubsw, psignb, psignw, psignd, pmulhrsw, pabsb, pabsw, pabsd, palignr

  // XMM registers, legacy encoding.
  case sqrtps, sqrtpd, sqrtss, sqrtsd, addps, addpd, addss, addsd, mulps, mulpd, mulss, mulsd, subps
  case subpd, subss, subsd, minps, minpd, minss, minsd, divps, divpd, divss, divsd, maxps, maxpd, maxss
  case maxsd, unpcklps, unpcklpd, unpckhps, unpckhpd, andps, andpd, andnps, andnpd, orps, orpd, xorps
  case xorpd, ucomiss, comiss, rsqrtps, rsqrtss, rcpps, rcpss, cmpps, cmpss, shufps, ucomisd, comisd
  case cmppd, cmpsd, shufpd, haddpd, haddps, hsubpd, hsubps, addsubpd, addsubps, movups, movss, movlps
  case movhlps, movhps, movlhps, movaps, movntps, movmskps, movupd, movsd, movlpd, movhpd, movapd, movntpd
  case movmskpd, movdqa, movdqu, movq2dq, movdq2q, movntdq, maskmovdqu, movsldup, movddup, movshdup, lddqu
  case cvtpi2ps, cvtsi2ss, cvttps2pi, cvttss2si, cvtps2pi, cvtss2si, cvtpi2pd, cvtsi2sd, cvttpd2pi
  case cvttsd2si, cvtpd2pi, cvtsd2si, cvtps2pd, cvtpd2ps, cvtss2sd, cvtsd2ss, cvtdq2ps, cvtps2dq
  case cvttps2dq, cvttpd2dq, cvtdq2pd, cvtpd2dq, punpcklqdq, punpckhqdq, pshufd, pshufhw, pshuflw, psrldq
  case pslldq, ptest, pmuldq, pcmpeqq, packusdw, pminsb, pminsd, pminuw, pminud, pmaxsb, pmaxsd, pmaxuw
  case pmaxud, pmulld, phminposuw, pblendvb, blendvps, blendvpd, pmovsxbw, pmovsxbd, pmovsxbq, pmovsxwd
  case pmovsxwq, pmovsxdq, movntdqa, pmovzxbw, pmovzxbd, pmovzxbq, pmovzxwd, pmovzxwq, pmovzxdq, roundps
  case roundpd, roundss, roundsd, blendps, blendpd, pblendw, pextrb, pextrq, pextrd, extractps, pinsrb
  case insertps, pinsrq, pinsrd, dpps, dppd, mpsadbw, pcmpgtq, pcmpestrm, pcmpestri, pcmpistrm, pcmpistri
  case aesimc, aesenc, aesenclast, aesdec, aesdeclast, aeskeygenassist, pclmulqdq, sha1nexte, sha1msg1
  case sha1msg2, sha256rnds2, sha256msg1, sha256msg2, sha1rnds4, gf2p8mulb, gf2p8affineqb, gf2p8affineinvqb

  // VEX-encoded.
  case andn, blsr, blsmsk, blsi, bextr, bzhi, pext, pdep, mulx, shlx, sarx, shrx, rorx
}
