import X86Core
import X86Decode

extension VectorEntries {
  /// SSE4.2 strings, AES, PCLMULQDQ, SHA, GFNI.
  mutating func addSpecial() {
    // The string comparisons are the only ones whose 16 bytes need no alignment (SDM 2B).
    self[.pcmpestri] = reader(StringIndex<ExplicitLength>.self, Unaligned.self)
    self[.pcmpestrm] = reader(StringMask<ExplicitLength>.self, Unaligned.self)
    self[.pcmpistri] = reader(StringIndex<ImplicitLength>.self, Unaligned.self)
    self[.pcmpistrm] = reader(StringMask<ImplicitLength>.self, Unaligned.self)
    self[.aesenc] = packed(Aesenc.self)
    self[.aesenclast] = packed(Aesenclast.self)
    self[.aesdec] = packed(Aesdec.self)
    self[.aesdeclast] = packed(Aesdeclast.self)
    self[.aesimc] = packed(Aesimc.self)
    self[.aeskeygenassist] = packed(Aeskeygenassist.self)
    self[.pclmulqdq] = packed(Pclmulqdq.self)
    self[.sha1nexte] = packed(Sha1nexte.self)
    self[.sha1msg1] = packed(Sha1msg1.self)
    self[.sha1msg2] = packed(Sha1msg2.self)
    self[.sha1rnds4] = packed(Sha1rnds4.self)
    self[.sha256rnds2] = packed(Sha256rnds2.self)
    self[.sha256msg1] = packed(Sha256msg1.self)
    self[.sha256msg2] = packed(Sha256msg2.self)
    self[.gf2p8mulb] = packed(Gf2p8mulb.self)
    self[.gf2p8affineqb] = packed(Gf2p8affineqb.self)
    self[.gf2p8affineinvqb] = packed(Gf2p8affineinvqb.self)
  }
}
