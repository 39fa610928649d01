import X86Core
import X86Decode

/// The handlers of VEX encodings that are none of an SSE instruction with another encoding.
struct VEXHandlers {
  let loadAligned = handler { vexLoad(Aligned.self, $0, $1, $2) }
  let loadUnaligned = handler { vexLoad(Unaligned.self, $0, $1, $2) }
  let storeAligned = handler { vexStore(Aligned.self, $0, $1, $2) }
  let storeUnaligned = handler { vexStore(Unaligned.self, $0, $1, $2) }
  let load32 = handler { vexNarrowLoad(UInt32.self, $0, $1, $2) }
  let load64 = handler { vexNarrowLoad(UInt64.self, $0, $1, $2) }
  let store32 = handler { vexNarrowStore(UInt32.self, LowerHalf.self, $0, $1, $2) }
  let store64 = handler { vexNarrowStore(UInt64.self, LowerHalf.self, $0, $1, $2) }
  let storeHigh = handler { vexNarrowStore(UInt64.self, UpperHalf.self, $0, $1, $2) }
  let extract8 = handler { vexExtract(UInt8.self, $0, $1, $2) }
  let extract16 = handler { vexExtract(UInt16.self, $0, $1, $2) }
  let extract32 = handler { vexExtract(UInt32.self, $0, $1, $2) }
  let extract64 = handler { vexExtract(UInt64.self, $0, $1, $2) }
  let insert8 = handler { vexInsert(UInt8.self, $0, $1, $2) }
  let insert16 = handler { vexInsert(UInt16.self, $0, $1, $2) }
  let insert32 = handler { vexInsert(UInt32.self, $0, $1, $2) }
  let insert64 = handler { vexInsert(UInt64.self, $0, $1, $2) }
  let extractWord = handler { vexReader(Pextrw.self, Unaligned.self, $0, $1, $2) }
  let copy = handler { vexOperation(MoveAll.self, Unaligned.self, $0, $1, $2) }
  let copyLow32 = handler { vexOperation(MoveLow32.self, Unaligned.self, $0, $1, $2) }
  let copyLow64 = handler { vexOperation(MoveLow64.self, UInt64.self, $0, $1, $2) }
  let copyLowOnly = handler { vexOperation(MoveLowOnly.self, UInt64.self, $0, $1, $2) }
  let lowToHigh = handler { vexOperation(MoveLowToHigh.self, UInt64.self, $0, $1, $2) }
  let highToLow = handler { vexOperation(MoveHighToLow.self, Unaligned.self, $0, $1, $2) }
  let movddup256 = handler { vexOperation(Movddup.self, Unaligned.self, $0, $1, $2) }
  let insertps = handler { vexOperation(Insertps.self, Unaligned.self, $0, $1, $2) }
  let insertpsMemory = handler { vexOperation(InsertpsMemory.self, UInt32.self, $0, $1, $2) }
  let fromInteger = [
    handler { vexFromInteger(FromInteger<Float, Int32>.self, UInt32.self, $0, $1, $2) },
    handler { vexFromInteger(FromInteger<Float, Int64>.self, UInt64.self, $0, $1, $2) },
    handler { vexFromInteger(FromInteger<Double, Int32>.self, UInt32.self, $0, $1, $2) },
    handler { vexFromInteger(FromInteger<Double, Int64>.self, UInt64.self, $0, $1, $2) },
  ]
  let signs32 = handler { vexSigns(Int32.self, $0, $1, $2) }
  let signs64 = handler { vexSigns(Int64.self, $0, $1, $2) }
  let signs8 = handler { vexSigns(Int8.self, $0, $1, $2) }
  let broadcast8 = handler { vexBroadcast(UInt8.self, $0, $1, $2) }
  let broadcast16 = handler { vexBroadcast(UInt16.self, $0, $1, $2) }
  let broadcast32 = handler { vexBroadcast(UInt32.self, $0, $1, $2) }
  let broadcast64 = handler { vexBroadcast(UInt64.self, $0, $1, $2) }
  let broadcastHalf = handler { vexBroadcastHalf($0, $1, $2) }
  let ptest = handler { vexTest(.max, $0, $1, $2) }
  let pcmpestrm = handler { vexStringMask(ExplicitLength.self, $0, $1, $2) }
  let pcmpistrm = handler { vexStringMask(ImplicitLength.self, $0, $1, $2) }
  let testps = handler { vexTest(0x8000_0000_8000_0000, $0, $1, $2) }
  let testpd = handler { vexTest(1 << 63, $0, $1, $2) }
  let maskedLoad32 = handler { vexMaskedLoad(Int32.self, $0, $1, $2) }
  let maskedLoad64 = handler { vexMaskedLoad(Int64.self, $0, $1, $2) }
  let maskedStore32 = handler { vexMaskedStore(Int32.self, $0, $1, $2) }
  let maskedStore64 = handler { vexMaskedStore(Int64.self, $0, $1, $2) }
  let maskmovdqu = handler {
    slow($0, $1, $2) { c, o in
      c.mayUseAVX() ? storeMasked(c, o, c.xmm(o.d), c.xmm(o.s), count: 16) : .fault
    }
  }
  let gatherdd = handler { vexGather(Int32.self, Int32.self, $0, $1, $2) }
  let gatherdq = handler { vexGather(Int64.self, Int32.self, $0, $1, $2) }
  let gatherqd = handler { vexGather(Int32.self, Int64.self, $0, $1, $2) }
  let gatherqq = handler { vexGather(Int64.self, Int64.self, $0, $1, $2) }
  let permilps = handler { vexOperation(PermuteInHalves<UInt32>.self, Unaligned.self, $0, $1, $2) }
  let permilpd = handler { vexOperation(PermuteInHalves<UInt64>.self, Unaligned.self, $0, $1, $2) }
  let permilpsImmediate = handler { vexOperation(Pshufd.self, Unaligned.self, $0, $1, $2) }
  let permilpdImmediate = handler { vexOperation(PermuteDoubles.self, Unaligned.self, $0, $1, $2) }
  let psllvd = handler { vexOperation(VariableShift<UInt32, ToTheLeft>.self, Unaligned.self, $0, $1, $2) }
  let psllvq = handler { vexOperation(VariableShift<UInt64, ToTheLeft>.self, Unaligned.self, $0, $1, $2) }
  let psrlvd = handler { vexOperation(VariableShift<UInt32, ToTheRight>.self, Unaligned.self, $0, $1, $2) }
  let psrlvq = handler { vexOperation(VariableShift<UInt64, ToTheRight>.self, Unaligned.self, $0, $1, $2) }
  let psravd = handler { vexOperation(Vpsravd.self, Unaligned.self, $0, $1, $2) }
  let pblendd = handler { vexOperation(Blend<UInt32>.self, Unaligned.self, $0, $1, $2) }
  let permq = handler { vexWhole(PermuteQuadwords.self, $0, $1, $2) }
  let permd = handler { vexWhole(PermuteDoublewords.self, $0, $1, $2) }
  let perm2 = handler { vexWhole(PermuteHalves.self, $0, $1, $2) }
  let insertHalf = handler { vexInsertHalf($0, $1, $2) }
  let extractHalf = handler { vexExtractHalf($0, $1, $2) }
  let blendv8 = handler { vexBlendVariable(Int8.self, $0, $1, $2) }
  let blendv32 = handler { vexBlendVariable(Int32.self, $0, $1, $2) }
  let blendv64 = handler { vexBlendVariable(Int64.self, $0, $1, $2) }
  let zeroUpper = handler { vexZero(all: false, $0, $1, $2) }
  let zeroAll = handler { vexZero(all: true, $0, $1, $2) }
  let ldmxcsr = handler { vex($0, $1, $2) { c, o in loadMXCSR(c, o) } }
  let stmxcsr = handler { vex($0, $1, $2) { c, o in c.writeM(o, c.f.pointee.mxcsr) } }
  let cvtph2ps = handler { vexOperation(Cvtph2ps.self, UInt64.self, $0, $1, $2) }
  let cvtps2ph = handler { vexToHalf($0, $1, $2) }
  let fusedSingle = handler { vexFusedPacked(Float.self, $0, $1, $2) }
  let fusedDouble = handler { vexFusedPacked(Double.self, $0, $1, $2) }
  let fusedScalarSingle = handler { vexFusedScalar(Float.self, UInt32.self, $0, $1, $2) }
  let fusedScalarDouble = handler { vexFusedScalar(Double.self, UInt64.self, $0, $1, $2) }
  let shiftImmediates = ImmediateVEXShifts()
  static let shared = VEXHandlers()
}

/// Shifts by an immediate: VEX.vvvv is the destination.
struct ImmediateVEXShifts {
  let psllw = shift(ShiftLeft<UInt16>.self), pslld = shift(ShiftLeft<UInt32>.self)
  let psllq = shift(ShiftLeft<UInt64>.self), psrlw = shift(ShiftRight<UInt16>.self)
  let psrld = shift(ShiftRight<UInt32>.self), psrlq = shift(ShiftRight<UInt64>.self)
  let psraw = shift(ShiftRightArithmetic<Int16>.self), psrad = shift(ShiftRightArithmetic<Int32>.self)
  let pslldq = shift(Pslldq.self), psrldq = shift(Psrldq.self)

  @inline(__always)
  private static func shift<O: PackedShift>(_: O.Type) -> UInt {
    handler {
      vex($0, $1, $2) { c, o in
        let a = c.ymm(o.s)
        let count = UInt64(o.byte)
        let r = V256(O.shift(a.low, count), O.shift(a.high, count))
        c.setYMM(o.v, o.is256 ? r : V256(r.low))
        return true
      }
    }
  }

  func callAsFunction(_ operation: Operation) -> UInt {
    switch operation {
    case .vpsllw: return psllw
    case .vpslld: return pslld
    case .vpsllq: return psllq
    case .vpsrlw: return psrlw
    case .vpsrld: return psrld
    case .vpsrlq: return psrlq
    case .vpsraw: return psraw
    case .vpsrad: return psrad
    case .vpslldq: return pslldq
    default: return psrldq
    }
  }
}

/// The operation of SSE that a VEX encoding has another form of: VADDPS is ADDPS.
private let legacyTwins: [Operation: Operation] = {
  var byName: [String: Operation] = [:]
  for operation in Operation.allCases { byName["\(operation)"] = operation }
  var twins: [Operation: Operation] = [:]
  for (name, operation) in byName where name.first == "v" { twins[operation] = byName[String(name.dropFirst())] }
  return twins
}()

/// The handler of a VEX encoding on vectors; nil when it is none.
func vexHandler(for i: Instruction, _ op: inout Op) -> UInt? {
  let h = VEXHandlers.shared
  op.imm = VEXImmediate.pack(i.immediate, vvvv: i.vvvv, is256: i.vectorLength == 256)
  if let kind = FusedKind(opcode: i.opcode), i.map == 2 {
    op.imm |= kind.bits
    let isDouble = "\(i.operation)".last == "d"
    if i.operands.0 == .vx { return isDouble ? h.fusedDouble : h.fusedSingle }
    return isDouble ? h.fusedScalarDouble : h.fusedScalarSingle
  }
  if let move = vexMove(h, i, &op) { return move }
  if let other = vexOnly(h, i) { return other }
  let t = VectorTables.shared
  guard let twin = legacyTwins[i.operation] else { return nil }
  let wide = i.operandSize == 8 ? 1 : 0
  switch twin {
  case .psllw, .pslld, .psllq, .psrlw, .psrld, .psrlq, .psraw, .psrad, .pslldq, .psrldq:
    return i.operands.2 == .ib ? h.shiftImmediates(i.operation) : t.entries[twin].vex
  case .cvtsi2ss: return h.fromInteger[wide]
  case .cvtsi2sd: return h.fromInteger[2 + wide]
  case .cvtss2si: return t.conversions.cvtss2si[wide].vex
  case .cvttss2si: return t.conversions.cvttss2si[wide].vex
  case .cvtsd2si: return t.conversions.cvtsd2si[wide].vex
  case .cvttsd2si: return t.conversions.cvttsd2si[wide].vex
  default: return t.entries[twin].vex
  }
}

private func vexMove(_ h: VEXHandlers, _ i: Instruction, _ op: inout Op) -> UInt? {
  let stores: Bool
  switch i.operands.0 {
  case .wx, .mx, .md, .mq, .wq, .udq, .ed, .eq, .wdq: stores = true
  default: stores = false
  }
  func between(_ handler: UInt) -> UInt {
    if stores { swap(&op.d, &op.s) }
    return handler
  }
  switch i.operation {
  case .vmovaps, .vmovapd, .vmovdqa, .vmovntps, .vmovntpd, .vmovntdq, .vmovntdqa:
    return i.isMemory ? (stores ? h.storeAligned : h.loadAligned) : between(h.copy)
  case .vmovups, .vmovupd, .vmovdqu, .vlddqu:
    return i.isMemory ? (stores ? h.storeUnaligned : h.loadUnaligned) : between(h.copy)
  case .vmovss:
    if i.isMemory { return stores ? h.store32 : h.load32 }
    op.imm &= ~(1 << 16)
    return between(h.copyLow32)
  case .vmovsd:
    if i.isMemory { return stores ? h.store64 : h.load64 }
    op.imm &= ~(1 << 16)
    return between(h.copyLow64)
  case .vmovlps, .vmovlpd: return stores ? h.store64 : h.copyLow64
  case .vmovhps, .vmovhpd: return stores ? h.storeHigh : h.lowToHigh
  case .vmovhlps: return h.highToLow
  case .vmovlhps: return h.lowToHigh
  case .vmovd:
    if i.isMemory { return stores ? h.store32 : h.load32 }
    return stores ? h.extract32 : h.load32
  case .vmovq:
    if i.isMemory { return stores ? h.store64 : h.load64 }
    if i.operands.0 == .eq { return h.extract64 }
    if i.operands.1 == .eq { return h.load64 }
    return between(h.copyLowOnly)
  case .vmaskmovps, .vpmaskmovd: return stores ? h.maskedStore32 : h.maskedLoad32
  case .vmaskmovpd, .vpmaskmovq: return stores ? h.maskedStore64 : h.maskedLoad64
  case .vmaskmovdqu:
    setDestinationIndex(i, &op)
    return h.maskmovdqu
  default: return nil
  }
}

private func vexOnly(_ h: VEXHandlers, _ i: Instruction) -> UInt? {
  switch i.operation {
  case .vmovmskps: return h.signs32
  case .vmovmskpd: return h.signs64
  case .vpmovmskb: return h.signs8
  case .vmovddup: return i.vectorLength == 256 ? h.movddup256 : nil
  case .vpinsrb: return h.insert8
  case .vpinsrw: return h.insert16
  case .vpinsrd: return h.insert32
  case .vpinsrq: return h.insert64
  case .vpextrb: return h.extract8
  case .vpextrw: return i.operands.0 == .gy ? h.extractWord : h.extract16
  case .vpextrd, .vextractps: return h.extract32
  case .vpextrq: return h.extract64
  case .vinsertps: return i.isMemory ? h.insertpsMemory : h.insertps
  case .vptest: return h.ptest
  case .vpcmpestrm: return h.pcmpestrm
  case .vpcmpistrm: return h.pcmpistrm
  case .vtestps: return h.testps
  case .vtestpd: return h.testpd
  case .vpbroadcastb: return h.broadcast8
  case .vpbroadcastw: return h.broadcast16
  case .vpbroadcastd, .vbroadcastss: return h.broadcast32
  case .vpbroadcastq, .vbroadcastsd: return h.broadcast64
  case .vbroadcastf128, .vbroadcasti128: return h.broadcastHalf
  case .vpgatherdd, .vgatherdps: return h.gatherdd
  case .vpgatherdq, .vgatherdpd: return h.gatherdq
  case .vpgatherqd, .vgatherqps: return h.gatherqd
  case .vpgatherqq, .vgatherqpd: return h.gatherqq
  case .vpermilps: return i.operands.2 == .ib ? h.permilpsImmediate : h.permilps
  case .vpermilpd: return i.operands.2 == .ib ? h.permilpdImmediate : h.permilpd
  case .vpsllvd: return h.psllvd
  case .vpsllvq: return h.psllvq
  case .vpsrlvd: return h.psrlvd
  case .vpsrlvq: return h.psrlvq
  case .vpsravd: return h.psravd
  case .vpblendd: return h.pblendd
  case .vpermq, .vpermpd: return h.permq
  case .vpermd, .vpermps: return h.permd
  case .vperm2f128, .vperm2i128: return h.perm2
  case .vinsertf128, .vinserti128: return h.insertHalf
  case .vextractf128, .vextracti128: return h.extractHalf
  case .vpblendvb: return h.blendv8
  case .vblendvps: return h.blendv32
  case .vblendvpd: return h.blendv64
  case .vzeroupper: return h.zeroUpper
  case .vzeroall: return h.zeroAll
  case .vldmxcsr: return h.ldmxcsr
  case .vstmxcsr: return h.stmxcsr
  case .vcvtph2ps: return h.cvtph2ps
  case .vcvtps2ph: return h.cvtps2ph
  default: return nil
  }
}
