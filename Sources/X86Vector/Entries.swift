import X86Core
import X86Decode

/// The handlers of the operations whose forms are regular, by operation.
struct VectorEntries {
  private var entries = [VectorEntry](repeating: VectorEntry(), count: Operation.allCases.count)

  /// Entry of an operation; empty when it is irregular or not of this family.
  subscript(_ operation: Operation) -> VectorEntry {
    get { entries[Int(operation.rawValue)] }
    set { entries[Int(operation.rawValue)] = newValue }
  }

  init() {
    addLogic()
    addSums()
    addProductsAndComparisons()
    addMinima()
    addShuffles()
    addShifts()
    addWidenings()
    addFloat()
    addSpecial()
  }

  private mutating func addLogic() {
    self[.pand] = packed(Pand.self, LowHalf.self)
    self[.pandn] = packed(Pandn.self, LowHalf.self)
    self[.por] = packed(Por.self, LowHalf.self)
    self[.pxor] = packed(Pxor.self, LowHalf.self)
    (self[.andps], self[.andpd]) = (self[.pand], self[.pand])
    (self[.andnps], self[.andnpd]) = (self[.pandn], self[.pandn])
    (self[.orps], self[.orpd]) = (self[.por], self[.por])
    (self[.xorps], self[.xorpd]) = (self[.pxor], self[.pxor])
    self[.ptest] = reader(Ptest.self, Aligned.self)
  }

  private mutating func addSums() {
    self[.paddb] = packed(Paddb.self, LowHalf.self)
    self[.paddw] = packed(Paddw.self, LowHalf.self)
    self[.paddd] = packed(Paddd.self, LowHalf.self)
    self[.paddq] = packed(Paddq.self, LowHalf.self)
    self[.psubb] = packed(Psubb.self, LowHalf.self)
    self[.psubw] = packed(Psubw.self, LowHalf.self)
    self[.psubd] = packed(Psubd.self, LowHalf.self)
    self[.psubq] = packed(Psubq.self, LowHalf.self)
    self[.paddsb] = packed(Paddsb.self, LowHalf.self)
    self[.paddsw] = packed(Paddsw.self, LowHalf.self)
    self[.paddusb] = packed(Paddusb.self, LowHalf.self)
    self[.paddusw] = packed(Paddusw.self, LowHalf.self)
    self[.psubsb] = packed(Psubsb.self, LowHalf.self)
    self[.psubsw] = packed(Psubsw.self, LowHalf.self)
    self[.psubusb] = packed(Psubusb.self, LowHalf.self)
    self[.psubusw] = packed(Psubusw.self, LowHalf.self)
    self[.pavgb] = packed(Pavgb.self, LowHalf.self)
    self[.pavgw] = packed(Pavgw.self, LowHalf.self)
    self[.psadbw] = packed(Psadbw.self, LowHalf.self)
    self[.phaddw] = packed(HorizontalSum<UInt16>.self, Concatenated.self)
    self[.phaddd] = packed(HorizontalSum<UInt32>.self, Concatenated.self)
    self[.phaddsw] = packed(Phaddsw.self, Concatenated.self)
    self[.phsubw] = packed(HorizontalDifference<UInt16>.self, Concatenated.self)
    self[.phsubd] = packed(HorizontalDifference<UInt32>.self, Concatenated.self)
    self[.phsubsw] = packed(Phsubsw.self, Concatenated.self)
  }

  private mutating func addProductsAndComparisons() {
    self[.pmullw] = packed(Pmullw.self, LowHalf.self)
    self[.pmulhw] = packed(Pmulhw.self, LowHalf.self)
    self[.pmulhuw] = packed(Pmulhuw.self, LowHalf.self)
    self[.pmulhrsw] = packed(Pmulhrsw.self, LowHalf.self)
    self[.pmuludq] = packed(Pmuludq.self, LowHalf.self)
    self[.pmaddwd] = packed(Pmaddwd.self, LowHalf.self)
    self[.pmaddubsw] = packed(Pmaddubsw.self, LowHalf.self)
    self[.pmulld] = packed(Pmulld.self)
    self[.pmuldq] = packed(Pmuldq.self)
    self[.pcmpeqb] = packed(Pcmpeqb.self, LowHalf.self)
    self[.pcmpeqw] = packed(Pcmpeqw.self, LowHalf.self)
    self[.pcmpeqd] = packed(Pcmpeqd.self, LowHalf.self)
    self[.pcmpeqq] = packed(Pcmpeqq.self)
    self[.pcmpgtb] = packed(Pcmpgtb.self, LowHalf.self)
    self[.pcmpgtw] = packed(Pcmpgtw.self, LowHalf.self)
    self[.pcmpgtd] = packed(Pcmpgtd.self, LowHalf.self)
    self[.pcmpgtq] = packed(Pcmpgtq.self)
  }

  private mutating func addMinima() {
    self[.pminub] = packed(PackedMinimum<UInt8>.self, LowHalf.self)
    self[.pminuw] = packed(PackedMinimum<UInt16>.self)
    self[.pminud] = packed(PackedMinimum<UInt32>.self)
    self[.pminsb] = packed(PackedMinimum<Int8>.self)
    self[.pminsw] = packed(PackedMinimum<Int16>.self, LowHalf.self)
    self[.pminsd] = packed(PackedMinimum<Int32>.self)
    self[.pmaxub] = packed(PackedMaximum<UInt8>.self, LowHalf.self)
    self[.pmaxuw] = packed(PackedMaximum<UInt16>.self)
    self[.pmaxud] = packed(PackedMaximum<UInt32>.self)
    self[.pmaxsb] = packed(PackedMaximum<Int8>.self)
    self[.pmaxsw] = packed(PackedMaximum<Int16>.self, LowHalf.self)
    self[.pmaxsd] = packed(PackedMaximum<Int32>.self)
    self[.pabsb] = packed(PackedAbsolute<Int8>.self, LowHalf.self)
    self[.pabsw] = packed(PackedAbsolute<Int16>.self, LowHalf.self)
    self[.pabsd] = packed(PackedAbsolute<Int32>.self, LowHalf.self)
    self[.psignb] = packed(PackedSign<Int8>.self, LowHalf.self)
    self[.psignw] = packed(PackedSign<Int16>.self, LowHalf.self)
    self[.psignd] = packed(PackedSign<Int32>.self, LowHalf.self)
    self[.phminposuw] = packed(Phminposuw.self)
  }

  private mutating func addShuffles() {
    self[.punpcklbw] = packed(UnpackLow<UInt8>.self, LowHalf.self)
    self[.punpcklwd] = packed(UnpackLow<UInt16>.self, LowHalf.self)
    self[.punpckldq] = packed(UnpackLow<UInt32>.self, LowHalf.self)
    self[.punpcklqdq] = packed(UnpackLow<UInt64>.self)
    self[.punpckhbw] = packed(UnpackHigh<UInt8>.self, UnpackLow<UInt8>.self, HighHalf.self)
    self[.punpckhwd] = packed(UnpackHigh<UInt16>.self, UnpackLow<UInt16>.self, HighHalf.self)
    self[.punpckhdq] = packed(UnpackHigh<UInt32>.self, UnpackLow<UInt32>.self, HighHalf.self)
    self[.punpckhqdq] = packed(UnpackHigh<UInt64>.self)
    (self[.unpcklps], self[.unpcklpd]) = (self[.punpckldq], self[.punpcklqdq])
    (self[.unpckhps], self[.unpckhpd]) = (self[.punpckhdq], self[.punpckhqdq])
    self[.packsswb] = packed(Pack<Int16, Int8>.self, Concatenated.self)
    self[.packuswb] = packed(Pack<Int16, UInt8>.self, Concatenated.self)
    self[.packssdw] = packed(Pack<Int32, Int16>.self, Concatenated.self)
    self[.packusdw] = packed(Pack<Int32, UInt16>.self)
    self[.pshufb] = packed(Pshufb.self, PshufbMMX.self, LowHalf.self)
    self[.pshufd] = packed(Pshufd.self)
    self[.pshuflw] = packed(Pshuflw.self)
    self[.pshufhw] = packed(Pshufhw.self)
    self[.pshufw] = VectorEntry(mmx: handler { mmxOperation(Pshuflw.self, LowHalf.self, $0, $1, $2) })
    self[.shufps] = packed(Shufps.self)
    self[.shufpd] = packed(Shufpd.self)
    self[.palignr] = packed(Palignr.self, PalignrMMX.self, LowHalf.self)
    self[.pblendw] = packed(Blend<UInt16>.self)
    self[.blendps] = packed(Blend<UInt32>.self)
    self[.blendpd] = packed(Blend<UInt64>.self)
    self[.pblendvb] = packed(BlendVariable<Int8>.self)
    self[.blendvps] = packed(BlendVariable<Int32>.self)
    self[.blendvpd] = packed(BlendVariable<Int64>.self)
    self[.mpsadbw] = packed(Mpsadbw.self)
    self[.insertps] = VectorEntry(
      register: packed(Insertps.self).register, memory: vector(InsertpsMemory.self, UInt32.self).memory)
    self[.movsldup] = packed(Movsldup.self)
    self[.movshdup] = packed(Movshdup.self)
    self[.movddup] = vector(Movddup.self, UInt64.self)
  }

  private mutating func addShifts() {
    self[.psllw] = packed(ShiftLeft<UInt16>.self, LowHalf.self)
    self[.pslld] = packed(ShiftLeft<UInt32>.self, LowHalf.self)
    self[.psllq] = packed(ShiftLeft<UInt64>.self, LowHalf.self)
    self[.psrlw] = packed(ShiftRight<UInt16>.self, LowHalf.self)
    self[.psrld] = packed(ShiftRight<UInt32>.self, LowHalf.self)
    self[.psrlq] = packed(ShiftRight<UInt64>.self, LowHalf.self)
    self[.psraw] = packed(ShiftRightArithmetic<Int16>.self, LowHalf.self)
    self[.psrad] = packed(ShiftRightArithmetic<Int32>.self, LowHalf.self)
  }

  private mutating func addWidenings() {
    self[.pmovsxbw] = vector(Widen<Int8, Int16>.self, UInt64.self)
    self[.pmovsxbd] = vector(Widen<Int8, Int32>.self, UInt32.self)
    self[.pmovsxbq] = vector(Widen<Int8, Int64>.self, UInt16.self)
    self[.pmovsxwd] = vector(Widen<Int16, Int32>.self, UInt64.self)
    self[.pmovsxwq] = vector(Widen<Int16, Int64>.self, UInt32.self)
    self[.pmovsxdq] = vector(Widen<Int32, Int64>.self, UInt64.self)
    self[.pmovzxbw] = vector(Widen<UInt8, UInt16>.self, UInt64.self)
    self[.pmovzxbd] = vector(Widen<UInt8, UInt32>.self, UInt32.self)
    self[.pmovzxbq] = vector(Widen<UInt8, UInt64>.self, UInt16.self)
    self[.pmovzxwd] = vector(Widen<UInt16, UInt32>.self, UInt64.self)
    self[.pmovzxwq] = vector(Widen<UInt16, UInt64>.self, UInt32.self)
    self[.pmovzxdq] = vector(Widen<UInt32, UInt64>.self, UInt64.self)
  }

  private mutating func addFloat() {
    (self[.addss], self[.addsd], self[.addps], self[.addpd]) = floatEntries(FloatAdd.self)
    (self[.subss], self[.subsd], self[.subps], self[.subpd]) = floatEntries(FloatSub.self)
    (self[.mulss], self[.mulsd], self[.mulps], self[.mulpd]) = floatEntries(FloatMul.self)
    (self[.divss], self[.divsd], self[.divps], self[.divpd]) = floatEntries(FloatDiv.self)
    (self[.minss], self[.minsd], self[.minps], self[.minpd]) = floatEntries(FloatMin.self)
    (self[.maxss], self[.maxsd], self[.maxps], self[.maxpd]) = floatEntries(FloatMax.self)
    (self[.sqrtss], self[.sqrtsd], self[.sqrtps], self[.sqrtpd]) = floatEntries(FloatSqrt.self)
    self[.addsubps] = packed(Addsubps.self)
    self[.addsubpd] = packed(Addsubpd.self)
    self[.haddps] = packed(HorizontalSingle<FloatAdd>.self)
    self[.haddpd] = packed(HorizontalDouble<FloatAdd>.self)
    self[.hsubps] = packed(HorizontalSingle<FloatSub>.self)
    self[.hsubpd] = packed(HorizontalDouble<FloatSub>.self)
    self[.dpps] = packed(Dpps.self)
    self[.dppd] = packed(Dppd.self)
    self[.cmpss] = vector(Cmpss.self, UInt32.self)
    self[.cmpsd] = vector(Cmpsd.self, UInt64.self)
    self[.cmpps] = packed(Cmpps.self)
    self[.cmppd] = packed(Cmppd.self)
    self[.comiss] = reader(Comiss<Ordered>.self, UInt32.self)
    self[.comisd] = reader(Comisd<Ordered>.self, UInt64.self)
    self[.ucomiss] = reader(Comiss<Unordered>.self, UInt32.self)
    self[.ucomisd] = reader(Comisd<Unordered>.self, UInt64.self)
    self[.rcpss] = vector(Rcpss.self, UInt32.self)
    self[.rcpps] = packed(Rcpps.self)
    self[.rsqrtss] = vector(Rsqrtss.self, UInt32.self)
    self[.rsqrtps] = packed(Rsqrtps.self)
    self[.cvtss2sd] = vector(Cvtss2sd.self, UInt32.self)
    self[.cvtsd2ss] = vector(Cvtsd2ss.self, UInt64.self)
    self[.cvtps2pd] = vector(Cvtps2pd.self, UInt64.self)
    self[.cvtpd2ps] = packed(Cvtpd2ps.self)
    self[.cvtdq2ps] = packed(Cvtdq2ps.self)
    self[.cvtdq2pd] = vector(Cvtdq2pd.self, UInt64.self)
    self[.cvtps2dq] = packed(SinglesToIntegers<ByMode>.self)
    self[.cvttps2dq] = packed(SinglesToIntegers<Truncating>.self)
    self[.cvtpd2dq] = packed(DoublesToIntegers<ByMode>.self)
    self[.cvttpd2dq] = packed(DoublesToIntegers<Truncating>.self)
    self[.roundss] = vector(Roundss.self, UInt32.self)
    self[.roundsd] = vector(Roundsd.self, UInt64.self)
    self[.roundps] = packed(Roundps.self)
    self[.roundpd] = packed(Roundpd.self)
  }
}

/// SS, SD, PS and PD of one operation.
@inline(__always)
func floatEntries<O: FloatOperation>(_: O.Type) -> (VectorEntry, VectorEntry, VectorEntry, VectorEntry) {
  (
    vector(ScalarSingle<O>.self, UInt32.self), vector(ScalarDouble<O>.self, UInt64.self),
    packed(PackedSingle<O>.self), packed(PackedDouble<O>.self)
  )
}
