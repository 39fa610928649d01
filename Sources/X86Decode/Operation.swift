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

  // VEX-encoded, on vectors.
  case vaddps, vaddpd, vaddss, vaddsd, vmulps, vmulpd, vmulss, vmulsd, vsubps, vsubpd, vsubss, vsubsd
  case vminps, vminpd, vminss, vminsd, vdivps, vdivpd, vdivss, vdivsd, vmaxps, vmaxpd, vmaxss, vmaxsd
  case vunpcklps, vunpcklpd, vunpckhps, vunpckhpd, vandps, vandpd, vandnps, vandnpd, vorps, vorpd, vxorps
  case vxorpd, vucomiss, vucomisd, vcomiss, vcomisd, vsqrtps, vsqrtpd, vsqrtss, vsqrtsd, vrsqrtps
  case vrsqrtss, vrcpps, vrcpss, vhaddpd, vhaddps, vhsubpd, vhsubps, vaddsubpd, vaddsubps, vcmpps, vcmppd
  case vcmpss, vcmpsd, vshufps, vshufpd, vmovups, vmovupd, vmovss, vmovsd, vmovlps, vmovhlps, vmovlpd
  case vmovsldup, vmovddup, vmovhps, vmovlhps, vmovhpd, vmovshdup, vmovaps, vmovapd, vmovntps, vmovntpd
  case vmovmskps, vmovmskpd, vmovq, vmovd, vmovdqa, vmovdqu, vzeroupper, vzeroall, vldmxcsr, vstmxcsr
  case vmovntdq, vlddqu, vmaskmovdqu, vcvtsi2ss, vcvtsi2sd, vcvttss2si, vcvttsd2si, vcvtss2si, vcvtsd2si
  case vcvtps2pd, vcvtpd2ps, vcvtss2sd, vcvtsd2ss, vcvtdq2ps, vcvtps2dq, vcvttps2dq, vcvttpd2dq, vcvtdq2pd
  case vcvtpd2dq, vcvtph2ps, vcvtps2ph, vpunpcklbw, vpunpcklwd, vpunpckldq, vpacksswb, vpcmpgtb, vpcmpgtw
  case vpcmpgtd, vpackuswb, vpunpckhbw, vpunpckhwd, vpunpckhdq, vpackssdw, vpunpcklqdq, vpunpckhqdq
  case vpcmpeqb, vpcmpeqw, vpcmpeqd, vpaddq, vpmullw, vpsubusb, vpsubusw, vpminub, vpand, vpaddusb
  case vpaddusw, vpmaxub, vpandn, vpavgb, vpavgw, vpmulhuw, vpmulhw, vpsubsb, vpsubsw, vpminsw, vpor
  case vpaddsb, vpaddsw, vpmaxsw, vpxor, vpmuludq, vpmaddwd, vpsadbw, vpsubb, vpsubw, vpsubd, vpsubq
  case vpaddb, vpaddw, vpaddd, vpsrlw, vpsrld, vpsrlq, vpsraw, vpsrad, vpsllw, vpslld, vpsllq, vpsrldq
  case vpslldq, vpshufd, vpmovmskb, vpshuflw, vpinsrw, vpextrw, vpshufb, vphaddw, vphaddd, vphaddsw
  case vpmaddubsw, vphsubw, vphsubd, vphsubsw, vpsignb, vpsignw, vpsignd, vpmulhrsw, vpmuldq, vpcmpeqq
  case vpackusdw, vpcmpgtq, vpminsb, vpminsd, vpminuw, vpminud, vpmaxsb, vpmaxsd, vpmaxuw, vpmaxud
  case vpmulld, vpabsb, vpabsw, vpabsd, vmovntdqa, vpmovsxbw, vpmovsxbd, vpmovsxbq, vpmovsxwd, vpmovsxwq
  case vpmovsxdq, vpmovzxbw, vpmovzxbd, vpmovzxbq, vpmovzxwd, vpmovzxwq, vpmovzxdq, vptest, vphminposuw
  case vaesimc, vaesenclast, vaesdec, vaesdeclast, vgf2p8mulb, vpermilps, vpermilpd, vtestps, vtestpd
  case vbroadcastss, vbroadcastsd, vbroadcastf128, vmaskmovps, vmaskmovpd, vpermps, vpermd, vpsrlvd
  case vpsrlvq, vpsravd, vpsllvd, vpsllvq, vpbroadcastd, vpbroadcastq, vbroadcasti128, vpbroadcastb
  case vpbroadcastw, vpmaskmovd, vpmaskmovq, vpgatherdd, vpgatherdq, vpgatherqd, vpgatherqq, vgatherdps
  case vgatherdpd, vgatherqps, vgatherqpd, vperm2f128, vroundps, vroundpd, vroundss, vroundsd, vblendps
  case vblendpd, vpextrb, vpextrq, vpextrd, vextractps, vinsertf128, vextractf128, vpinsrb, vinsertps
  case vpinsrq, vpinsrd, vdpps, vdppd, vblendvps, vblendvpd, vpcmpestrm, vpcmpestri, vpcmpistrm
  case vpcmpistri, vgf2p8affineqb, vgf2p8affineinvqb, vaeskeygenassist, vpermq, vpermpd, vpblendd
  case vinserti128, vextracti128, vperm2i128, vpblendw, vpalignr, vmpsadbw, vpblendvb, vfmaddsub132ps
  case vfmaddsub213ps, vfmaddsub231ps, vfmaddsub132pd, vfmaddsub213pd, vfmaddsub231pd, vfmsubadd132ps
  case vfmsubadd213ps, vfmsubadd231ps, vfmsubadd132pd, vfmsubadd213pd, vfmsubadd231pd, vfmadd132ps
  case vfmadd213ps, vfmadd231ps, vfmadd132pd, vfmadd213pd, vfmadd231pd, vfmsub132ps, vfmsub213ps
  case vfmsub231ps, vfmsub132pd, vfmsub213pd, vfmsub231pd, vfnmadd132ps, vfnmadd213ps, vfnmadd231ps
  case vfnmadd132pd, vfnmadd213pd, vfnmadd231pd, vfnmsub132ps, vfnmsub213ps, vfnmsub231ps, vfnmsub132pd
  case vfnmsub213pd, vfnmsub231pd, vfmadd132ss, vfmadd213ss, vfmadd231ss, vfmadd132sd, vfmadd213sd
  case vfmadd231sd, vfmsub132ss, vfmsub213ss, vfmsub231ss, vfmsub132sd, vfmsub213sd, vfmsub231sd
  case vfnmadd132ss, vfnmadd213ss, vfnmadd231ss, vfnmadd132sd, vfnmadd213sd, vfnmadd231sd, vfnmsub132ss
  case vfnmsub213ss, vfnmsub231ss, vfnmsub132sd, vfnmsub213sd, vfnmsub231sd, vpclmulqdq
  case vaesenc, vpshufhw
}
