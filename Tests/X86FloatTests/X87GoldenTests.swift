import Testing
import X86Float

/// The transcendental instructions against results that were computed to several hundred bits and rounded to nearest
/// (trigonometric arguments reduced by the 66-bit π), seeded at random.
@Suite struct X87GoldenTests {
  enum Instruction { case f2xm1, fyl2x, fyl2xp1, fsin, fcos, fptan, fpatan }

  @Test func correctlyRounded() {
    for (instruction, a, b, expected) in Self.golden {
      var raised: UInt16 = 0
      let control = X87.initialControl
      let result: F80
      switch instruction {
      case .f2xm1: result = X87.exponentialMinus1(a, control: control, &raised)
      case .fyl2x: result = X87.yLog2(a, times: b, control: control, &raised)
      case .fyl2xp1: result = X87.yLog2Plus1(a, times: b, control: control, &raised)
      case .fsin: result = X87.sine(a, control: control, &raised)
      case .fcos: result = X87.cosine(a, control: control, &raised)
      case .fptan: result = X87.tangent(a, control: control, &raised)
      case .fpatan: result = X87.arctangent(b, over: a, control: control, &raised)
      }
      #expect(result == expected, "\(instruction) of \(a), \(b)")
      #expect(raised & ~X87.c1 == X87.pe)
    }
  }

  /// Instruction, ST(0), ST(1), result.
  static let golden: [(Instruction, F80, F80, F80)] = [
    (
      .f2xm1, F80(signExponent: 0x3FE0, significand: 0xB06DCB3DBCE80083),
      F80(signExponent: 0x3FE0, significand: 0xB06DCB3DBCE80083),
      F80(signExponent: 0x3FDF, significand: 0xF49515DE9B76200A)
    ),
    (
      .fyl2x, F80(signExponent: 0x3FFF, significand: 0xD5DEEE50C10F3EE2),
      F80(signExponent: 0xBFF2, significand: 0xDD1A4E0F00000000),
      F80(signExponent: 0xBFF2, significand: 0xA3BF6EF9D018429F)
    ),
    (
      .fyl2xp1, F80(signExponent: 0x3FC4, significand: 0xFF2A515CD6141E8E),
      F80(signExponent: 0x3FF7, significand: 0xF15C595000000000),
      F80(signExponent: 0x3FBE, significand: 0xAD898C2B10A04E3D)
    ),
    (
      .fsin, F80(signExponent: 0xBFEA, significand: 0xB26DD25100000000),
      F80(signExponent: 0xBFEA, significand: 0xB26DD25100000000),
      F80(signExponent: 0xBFEA, significand: 0xB26DD250FFF18DAD)
    ),
    (
      .fcos, F80(signExponent: 0xBFEB, significand: 0xA719D551FCAA4749),
      F80(signExponent: 0xBFEB, significand: 0xA719D551FCAA4749),
      F80(signExponent: 0x3FFE, significand: 0xFFFFFFFFFF25DA92)
    ),
    (
      .fptan, F80(signExponent: 0xBFE7, significand: 0xD8DBF607AE98B544),
      F80(signExponent: 0xBFE7, significand: 0xD8DBF607AE98B544),
      F80(signExponent: 0xBFE7, significand: 0xD8DBF607AE9984C1)
    ),
    (
      .fpatan, F80(signExponent: 0xC000, significand: 0xEDAD8CD2091FE43D),
      F80(signExponent: 0xC006, significand: 0x84014ECDC0DC7FB7),
      F80(signExponent: 0xBFFF, significand: 0xCCA97A3FD53EA948)
    ),
    (
      .f2xm1, F80(signExponent: 0x3FFC, significand: 0xF481A8D89859758E),
      F80(signExponent: 0x3FFC, significand: 0xF481A8D89859758E),
      F80(signExponent: 0x3FFC, significand: 0xB84F8FDEC29D18D4)
    ),
    (
      .fyl2x, F80(signExponent: 0x3FCA, significand: 0x888F35D2E94B46E4),
      F80(signExponent: 0xBFFE, significand: 0xFC6B855300000000),
      F80(signExponent: 0x4004, significand: 0xD0AAC070B12860C5)
    ),
    (
      .fyl2xp1, F80(signExponent: 0x3FFB, significand: 0xCD202191049EEBDF),
      F80(signExponent: 0x4003, significand: 0xCD667A4E496EC08D),
      F80(signExponent: 0x4000, significand: 0xE249E43ABA846ED7)
    ),
    (
      .fsin, F80(signExponent: 0xC003, significand: 0xDB8C8BF33B02F6EB),
      F80(signExponent: 0xC003, significand: 0xDB8C8BF33B02F6EB),
      F80(signExponent: 0xBFFE, significand: 0xBD085A6F495B084A)
    ),
    (
      .fcos, F80(signExponent: 0xC000, significand: 0xF9EB450D00000000),
      F80(signExponent: 0xC000, significand: 0xF9EB450D00000000),
      F80(signExponent: 0xBFFE, significand: 0xB8F56E3FAAF0FEE9)
    ),
    (
      .fptan, F80(signExponent: 0x4001, significand: 0xAECC5419A7974E1B),
      F80(signExponent: 0x4001, significand: 0xAECC5419A7974E1B),
      F80(signExponent: 0xBFFF, significand: 0x896241F306833109)
    ),
    (
      .fpatan, F80(signExponent: 0x4004, significand: 0xCE03C94600000000),
      F80(signExponent: 0x4001, significand: 0x89BE0D58FADF3A23),
      F80(signExponent: 0x3FFB, significand: 0xAAC40FDA7709C5DE)
    ),
    (
      .f2xm1, F80(signExponent: 0x3FFB, significand: 0x87AE190C24C4D3A8),
      F80(signExponent: 0x3FFB, significand: 0x87AE190C24C4D3A8),
      F80(signExponent: 0x3FFA, significand: 0xC07A63FF72D23733)
    ),
    (
      .fyl2x, F80(signExponent: 0x3FFE, significand: 0xE913459B8531CA0E),
      F80(signExponent: 0x400A, significand: 0xD94EB0F334C3507F),
      F80(signExponent: 0xC007, significand: 0xEB4BEF780C5BF333)
    ),
    (
      .fyl2xp1, F80(signExponent: 0xBFFB, significand: 0x8B298032939BD5A4),
      F80(signExponent: 0xBFEE, significand: 0x997EEF172FD415EC),
      F80(signExponent: 0x3FEA, significand: 0xF954422F3531D825)
    ),
    (
      .fsin, F80(signExponent: 0xC000, significand: 0xB265843A6A334885),
      F80(signExponent: 0xC000, significand: 0xB265843A6A334885),
      F80(signExponent: 0xBFFD, significand: 0xB18E76794864C0D5)
    ),
    (
      .fcos, F80(signExponent: 0x4001, significand: 0xC39802C4A6082418),
      F80(signExponent: 0x4001, significand: 0xC39802C4A6082418),
      F80(signExponent: 0x3FFE, significand: 0xFC45825112C86DD4)
    ),
    (
      .fptan, F80(signExponent: 0x4000, significand: 0xE673E04749F72115),
      F80(signExponent: 0x4000, significand: 0xE673E04749F72115),
      F80(signExponent: 0x3FFD, significand: 0xFD2DC96DF9390980)
    ),
    (
      .fpatan, F80(signExponent: 0x4006, significand: 0xBEEFA71740BECAA9),
      F80(signExponent: 0xBFFF, significand: 0x8E526EFB1D087589),
      F80(signExponent: 0xBFF7, significand: 0xBED15DB242748C4A)
    ),
    (
      .f2xm1, F80(signExponent: 0x3FFC, significand: 0x9A25D093DBE952C5),
      F80(signExponent: 0x3FFC, significand: 0x9A25D093DBE952C5),
      F80(signExponent: 0x3FFB, significand: 0xE13DAD20A68FAB63)
    ),
    (
      .fyl2x, F80(signExponent: 0x4036, significand: 0xFDF2691F1697C5E3),
      F80(signExponent: 0x3FEB, significand: 0x9E67D4BB00000000),
      F80(signExponent: 0x3FF1, significand: 0x8A937DCCE8174D39)
    ),
    (
      .fyl2xp1, F80(signExponent: 0x3FD1, significand: 0xBCA96C5518D4B964),
      F80(signExponent: 0x4007, significand: 0xC5D8A10600000000),
      F80(signExponent: 0x3FDA, significand: 0xD25A119E13DA5B71)
    ),
    (
      .fsin, F80(signExponent: 0x401F, significand: 0x8E8CAD5A00000000),
      F80(signExponent: 0x401F, significand: 0x8E8CAD5A00000000),
      F80(signExponent: 0x3FFB, significand: 0xA8D58E7B216600E2)
    ),
    (
      .fcos, F80(signExponent: 0xC02F, significand: 0xAFCE4E9B6A05EC51),
      F80(signExponent: 0xC02F, significand: 0xAFCE4E9B6A05EC51),
      F80(signExponent: 0xBFFE, significand: 0xCB043934941F1B27)
    ),
    (
      .fptan, F80(signExponent: 0xC026, significand: 0xFDC990F4ECBB447F),
      F80(signExponent: 0xC026, significand: 0xFDC990F4ECBB447F),
      F80(signExponent: 0x3FFF, significand: 0xA9C2A0781279387D)
    ),
    (
      .fpatan, F80(signExponent: 0x3FFC, significand: 0x898BF4148002C25B),
      F80(signExponent: 0xC010, significand: 0xD5F49D2100000000),
      F80(signExponent: 0xBFFF, significand: 0xC90FD57D85ABF4E8)
    ),
    (
      .f2xm1, F80(signExponent: 0x3FDC, significand: 0xD088F913A5EC5A9B),
      F80(signExponent: 0x3FDC, significand: 0xD088F913A5EC5A9B),
      F80(signExponent: 0x3FDC, significand: 0x908BA4BBB81DE5AA)
    ),
    (
      .fyl2x, F80(signExponent: 0x3FFF, significand: 0xA14BA5B4C52FD88A),
      F80(signExponent: 0xBFF7, significand: 0x9ADA32D000000000),
      F80(signExponent: 0xBFF5, significand: 0xCE9C9487C3A1141A)
    ),
    (
      .fyl2xp1, F80(signExponent: 0xBFFC, significand: 0xB314B63A03E9F49E),
      F80(signExponent: 0xBFF7, significand: 0x889D840512FB9F45),
      F80(signExponent: 0x3FF5, significand: 0x978CE7CEE46032BC)
    ),
    (
      .fsin, F80(signExponent: 0xBFF1, significand: 0x9F9BA448F2BC16AC),
      F80(signExponent: 0xBFF1, significand: 0x9F9BA448F2BC16AC),
      F80(signExponent: 0xBFF1, significand: 0x9F9BA4465CF4D43E)
    ),
    (
      .fcos, F80(signExponent: 0x3FF1, significand: 0xF493B34F76D95339),
      F80(signExponent: 0x3FF1, significand: 0xF493B34F76D95339),
      F80(signExponent: 0x3FFE, significand: 0xFFFFFFE2CAC39FB2)
    ),
    (
      .fptan, F80(signExponent: 0xBFEC, significand: 0x9A968D03401B810F),
      F80(signExponent: 0xBFEC, significand: 0x9A968D03401B810F),
      F80(signExponent: 0xBFEC, significand: 0x9A968D03414824EC)
    ),
    (
      .fpatan, F80(signExponent: 0x3FFF, significand: 0xA5FE7B0800000000),
      F80(signExponent: 0x4006, significand: 0xBA43E23AA403B767),
      F80(signExponent: 0x3FFF, significand: 0xC82BB7D02D47259E)
    ),
    (
      .f2xm1, F80(signExponent: 0xBFFC, significand: 0xA1EEFA574513180F),
      F80(signExponent: 0xBFFC, significand: 0xA1EEFA574513180F),
      F80(signExponent: 0xBFFB, significand: 0xD49F21FC12F3DB58)
    ),
    (
      .fyl2x, F80(signExponent: 0x3FD0, significand: 0xF1C02928B79AE4D7),
      F80(signExponent: 0x3FEC, significand: 0x9B4A322B00000000),
      F80(signExponent: 0xBFF1, significand: 0xDFA14D6078CBFD38)
    ),
    (
      .fyl2xp1, F80(signExponent: 0x3FFC, significand: 0x8EF9CB0D00000000),
      F80(signExponent: 0x3FF8, significand: 0xA4FD2EE72E5E9ADF),
      F80(signExponent: 0x3FF5, significand: 0xF8E190A6613A7CD5)
    ),
    (
      .fsin, F80(signExponent: 0xC002, significand: 0xFB26F41000000000),
      F80(signExponent: 0xC002, significand: 0xFB26F41000000000),
      F80(signExponent: 0xBFF8, significand: 0xB373FF7DD58E5EF6)
    ),
    (
      .fcos, F80(signExponent: 0xC002, significand: 0xFB9225BA8FDCEFF8),
      F80(signExponent: 0xC002, significand: 0xFB9225BA8FDCEFF8),
      F80(signExponent: 0xBFFE, significand: 0xFFF869889207DCD4)
    ),
    (
      .fptan, F80(signExponent: 0xC000, significand: 0xB2846BEA00000000),
      F80(signExponent: 0xC000, significand: 0xB2846BEA00000000),
      F80(signExponent: 0x3FFD, significand: 0xBC35072EA5445B0E)
    ),
    (
      .fpatan, F80(signExponent: 0xC006, significand: 0x8C4787E90DA85553),
      F80(signExponent: 0x4004, significand: 0xB66DC19203B08F7E),
      F80(signExponent: 0x4000, significand: 0xB4F1BFC2334AB821)
    ),
    (
      .f2xm1, F80(signExponent: 0xBFFB, significand: 0xD54985034F69BB51),
      F80(signExponent: 0xBFFB, significand: 0xD54985034F69BB51),
      F80(signExponent: 0xBFFB, significand: 0x8EA124D4FBF68272)
    ),
    (
      .fyl2x, F80(signExponent: 0x3FFF, significand: 0xD08C303800000000),
      F80(signExponent: 0x4000, significand: 0xA02CBD52B9E18AF9),
      F80(signExponent: 0x3FFF, significand: 0xE199C7826F3B7DE6)
    ),
    (
      .fyl2xp1, F80(signExponent: 0x3FDB, significand: 0xB8B123398B3CAE76),
      F80(signExponent: 0x4012, significand: 0xC0669FA08CD62156),
      F80(signExponent: 0x3FEF, significand: 0xC84202EA33F3E29A)
    ),
    (
      .fsin, F80(signExponent: 0xC001, significand: 0xDB1668AB00000000),
      F80(signExponent: 0xC001, significand: 0xDB1668AB00000000),
      F80(signExponent: 0xBFFE, significand: 0x88B2DF34F1625D4E)
    ),
    (
      .fcos, F80(signExponent: 0x4002, significand: 0xABB1EF7FE5BE2BA6),
      F80(signExponent: 0x4002, significand: 0xABB1EF7FE5BE2BA6),
      F80(signExponent: 0xBFFD, significand: 0x85EA8B4773FAEEFE)
    ),
    (
      .fptan, F80(signExponent: 0xC002, significand: 0x9752270CD4D1A590),
      F80(signExponent: 0xC002, significand: 0x9752270CD4D1A590),
      F80(signExponent: 0xBFFA, significand: 0x864F63F33369F24E)
    ),
    (
      .fpatan, F80(signExponent: 0x3FF9, significand: 0xC5D6B27F383E9E3B),
      F80(signExponent: 0x4030, significand: 0xE5C7AE6FE198B988),
      F80(signExponent: 0x3FFF, significand: 0xC90FDAA22168C158)
    ),
    (
      .f2xm1, F80(signExponent: 0x3FF9, significand: 0xB9BB619F4D0480B0),
      F80(signExponent: 0x3FF9, significand: 0xB9BB619F4D0480B0),
      F80(signExponent: 0x3FF9, significand: 0x81C1A980D558F3AE)
    ),
    (
      .fyl2x, F80(signExponent: 0x4010, significand: 0x832C88B7ABDF8745),
      F80(signExponent: 0xC00A, significand: 0xEC92402B00000000),
      F80(signExponent: 0xC00E, significand: 0xFBE126209E3C8D3C)
    ),
    (
      .fyl2xp1, F80(signExponent: 0xBFFC, significand: 0xC16D1CB8B7F2405B),
      F80(signExponent: 0x3FF2, significand: 0xD8234D90D9D583CD),
      F80(signExponent: 0xBFF1, significand: 0x8290088C2FDC29F2)
    ),
    (
      .fsin, F80(signExponent: 0x4013, significand: 0x92BA4F7900000000),
      F80(signExponent: 0x4013, significand: 0x92BA4F7900000000),
      F80(signExponent: 0x3FFE, significand: 0xFC8BA6186EE75565)
    ),
    (
      .fcos, F80(signExponent: 0xC024, significand: 0xDC019CAF2925B3E5),
      F80(signExponent: 0xC024, significand: 0xDC019CAF2925B3E5),
      F80(signExponent: 0x3FFE, significand: 0x91BEEC00C10D8CD9)
    ),
    (
      .fptan, F80(signExponent: 0x4016, significand: 0xCBF5559A95741FFA),
      F80(signExponent: 0x4016, significand: 0xCBF5559A95741FFA),
      F80(signExponent: 0x3FFF, significand: 0x84011F0CF115DC78)
    ),
    (
      .fpatan, F80(signExponent: 0x4007, significand: 0xD1AC6C0000000000),
      F80(signExponent: 0xBFF9, significand: 0xCB38EA524AA441D2),
      F80(signExponent: 0xBFF0, significand: 0xF81F9998D8C325A4)
    ),
    (
      .f2xm1, F80(signExponent: 0x3FF4, significand: 0x9DA2880E00000000),
      F80(signExponent: 0x3FF4, significand: 0x9DA2880E00000000),
      F80(signExponent: 0x3FF3, significand: 0xDA92EB7D634C92EB)
    ),
    (
      .fyl2x, F80(signExponent: 0x3FFE, significand: 0xC19A5EA200000000),
      F80(signExponent: 0xC008, significand: 0xB8A5BA4E00000000),
      F80(signExponent: 0x4007, significand: 0x94D76A037A92E9A6)
    ),
    (
      .fyl2xp1, F80(signExponent: 0x3FFB, significand: 0xB204B44AF93C99EB),
      F80(signExponent: 0xBFF4, significand: 0x9959FF4B8A4A70BB),
      F80(signExponent: 0xBFF1, significand: 0x9386205FA6BC0D32)
    ),
    (
      .fsin, F80(signExponent: 0xBFFC, significand: 0xC87C55D659542D72),
      F80(signExponent: 0xBFFC, significand: 0xC87C55D659542D72),
      F80(signExponent: 0xBFFC, significand: 0xC73510A929AA6095)
    ),
    (
      .fcos, F80(signExponent: 0x3FE6, significand: 0xFC01E5645E1A0AF6),
      F80(signExponent: 0x3FE6, significand: 0xFC01E5645E1A0AF6),
      F80(signExponent: 0x3FFE, significand: 0xFFFFFFFFFFFF83F6)
    ),
    (
      .fptan, F80(signExponent: 0x3FEB, significand: 0x967BE6892B9AC9A0),
      F80(signExponent: 0x3FEB, significand: 0x967BE6892B9AC9A0),
      F80(signExponent: 0x3FEB, significand: 0x967BE6892BE01E73)
    ),
    (
      .fpatan, F80(signExponent: 0x3FF9, significand: 0xF1F9579BD79A5A47),
      F80(signExponent: 0xBFFD, significand: 0x989244BF00000000),
      F80(signExponent: 0xBFFF, significand: 0xBC6A5B9C0135CCB2)
    ),
    (
      .f2xm1, F80(signExponent: 0x3FFD, significand: 0xCB9CB7EEEFBB829B),
      F80(signExponent: 0x3FFD, significand: 0xCB9CB7EEEFBB829B),
      F80(signExponent: 0x3FFD, significand: 0xA280A5BD2672AE25)
    ),
    (
      .fyl2x, F80(signExponent: 0x4019, significand: 0x88BFFD8100000000),
      F80(signExponent: 0x3FF3, significand: 0x92E5BED200000000),
      F80(signExponent: 0x3FF7, significand: 0xEF958D75AB1D3675)
    ),
    (
      .fyl2xp1, F80(signExponent: 0x3FFC, significand: 0xD6B76887EA6289F6),
      F80(signExponent: 0x3FFA, significand: 0x8BFF683200000000),
      F80(signExponent: 0x3FF8, significand: 0x99CA57889E04C7ED)
    ),
    (
      .fsin, F80(signExponent: 0x3FFF, significand: 0xD5CC36E35D84E0C5),
      F80(signExponent: 0x3FFF, significand: 0xD5CC36E35D84E0C5),
      F80(signExponent: 0x3FFE, significand: 0xFEBBDE01FC1A8030)
    ),
    (
      .fcos, F80(signExponent: 0xBFFF, significand: 0xE5C1F8115C9122A6),
      F80(signExponent: 0xBFFF, significand: 0xE5C1F8115C9122A6),
      F80(signExponent: 0xBFFC, significand: 0xE3A5E028026E6D9D)
    ),
    (
      .fptan, F80(signExponent: 0x4003, significand: 0xD144CC249261F464),
      F80(signExponent: 0x4003, significand: 0xD144CC249261F464),
      F80(signExponent: 0x3FFF, significand: 0xD3294DB494883AB7)
    ),
    (
      .fpatan, F80(signExponent: 0xBFFA, significand: 0xD064BED8EC1E88F5),
      F80(signExponent: 0x4006, significand: 0xC94012E211F7AE32),
      F80(signExponent: 0x3FFF, significand: 0xC918235361FF3C44)
    ),
    (
      .f2xm1, F80(signExponent: 0x3FF9, significand: 0x9840129B00000000),
      F80(signExponent: 0x3FF9, significand: 0x9840129B00000000),
      F80(signExponent: 0x3FF8, significand: 0xD46DD6E712B06035)
    ),
    (
      .fyl2x, F80(signExponent: 0x3FFF, significand: 0x89B656E663CD8A8B),
      F80(signExponent: 0xBFEB, significand: 0xCB28F8276586EF61),
      F80(signExponent: 0xBFE8, significand: 0xAB7D130D09E7A02A)
    ),
    (
      .fyl2xp1, F80(signExponent: 0xBFFC, significand: 0xBA2EE06F00000000),
      F80(signExponent: 0x3FFD, significand: 0xA2CAC3064395F650),
      F80(signExponent: 0xBFFB, significand: 0xBC84D942DD7140D9)
    ),
    (
      .fsin, F80(signExponent: 0xC001, significand: 0xA318BB44159458F7),
      F80(signExponent: 0xC001, significand: 0xA318BB44159458F7),
      F80(signExponent: 0x3FFE, significand: 0xED51E9020035189B)
    ),
    (
      .fcos, F80(signExponent: 0xC000, significand: 0x85EEE7C97A8DD6CC),
      F80(signExponent: 0xC000, significand: 0x85EEE7C97A8DD6CC),
      F80(signExponent: 0xBFFD, significand: 0xFF403ECA6BB071AB)
    ),
    (
      .fptan, F80(signExponent: 0xC003, significand: 0xB60E106E89807998),
      F80(signExponent: 0xC003, significand: 0xB60E106E89807998),
      F80(signExponent: 0xBFFE, significand: 0xF61E091A45D67493)
    ),
    (
      .fpatan, F80(signExponent: 0xBFFD, significand: 0x8E060BCEDBE27AAA),
      F80(signExponent: 0x3FF7, significand: 0xB9887D3800000000),
      F80(signExponent: 0x4000, significand: 0xC7C179494B9032D0)
    ),
    (
      .f2xm1, F80(signExponent: 0x3FF9, significand: 0xA032A4CECC8DC7A7),
      F80(signExponent: 0x3FF9, significand: 0xA032A4CECC8DC7A7),
      F80(signExponent: 0x3FF8, significand: 0xDF97E2718E818FD2)
    ),
    (
      .fyl2x, F80(signExponent: 0x3FE3, significand: 0xB73FB0CC1AA92A71),
      F80(signExponent: 0x4005, significand: 0xBB5ED15556FBBC8F),
      F80(signExponent: 0xC00A, significand: 0xA0EB0331409BADC8)
    ),
    (
      .fyl2xp1, F80(signExponent: 0x3FFA, significand: 0xE5235E95021C9FF0),
      F80(signExponent: 0xBFED, significand: 0xCFE5DA7187A5F230),
      F80(signExponent: 0xBFEA, significand: 0x829C4FBE439767C6)
    ),
    (
      .fsin, F80(signExponent: 0x402B, significand: 0x96FE1CAE5DD269FF),
      F80(signExponent: 0x402B, significand: 0x96FE1CAE5DD269FF),
      F80(signExponent: 0xBFFB, significand: 0xB87DB6A6EC8B4E07)
    ),
    (
      .fcos, F80(signExponent: 0x4029, significand: 0x8594152300000000),
      F80(signExponent: 0x4029, significand: 0x8594152300000000),
      F80(signExponent: 0xBFFE, significand: 0x9201343E8393466F)
    ),
    (
      .fptan, F80(signExponent: 0x4026, significand: 0x819466F6D06B5566),
      F80(signExponent: 0x4026, significand: 0x819466F6D06B5566),
      F80(signExponent: 0x3FFA, significand: 0xAC8F814F90CD74E8)
    ),
    (
      .fpatan, F80(signExponent: 0x4000, significand: 0xDAB84ED19018CFC3),
      F80(signExponent: 0x3FFC, significand: 0xEEBBAFCE354AC3B3),
      F80(signExponent: 0x3FFB, significand: 0x8B7EFDD7DE3A3E01)
    ),
    (
      .f2xm1, F80(signExponent: 0xBFE7, significand: 0xB158B3E035879D5C),
      F80(signExponent: 0xBFE7, significand: 0xB158B3E035879D5C),
      F80(signExponent: 0xBFE6, significand: 0xF5DABC7B7BB0C3D8)
    ),
    (
      .fyl2x, F80(signExponent: 0x3FFF, significand: 0xB919F38586DDA29D),
      F80(signExponent: 0xBFFC, significand: 0xB2CA16D300000000),
      F80(signExponent: 0xBFFB, significand: 0xBE4B197D1C79F138)
    ),
    (
      .fyl2xp1, F80(signExponent: 0x3FD8, significand: 0xD6767193F179674B),
      F80(signExponent: 0xC00E, significand: 0xE267B9B000000000),
      F80(signExponent: 0xBFE9, significand: 0x88D15C21D2759A2D)
    ),
    (
      .fsin, F80(signExponent: 0xBFF8, significand: 0xBD78B41800000000),
      F80(signExponent: 0xBFF8, significand: 0xBD78B41800000000),
      F80(signExponent: 0xBFF8, significand: 0xBD779F531DD4B540)
    ),
    (
      .fcos, F80(signExponent: 0x3FE1, significand: 0x8F4083D400000000),
      F80(signExponent: 0x3FE1, significand: 0x8F4083D400000000),
      F80(signExponent: 0x3FFE, significand: 0xFFFFFFFFFFFFFFF6)
    ),
    (
      .fptan, F80(signExponent: 0x3FE6, significand: 0xE052B4D8FE05C224),
      F80(signExponent: 0x3FE6, significand: 0xE052B4D8FE05C224),
      F80(signExponent: 0x3FE6, significand: 0xE052B4D8FE05FB8E)
    ),
    (
      .fpatan, F80(signExponent: 0xC004, significand: 0x90C7677100000000),
      F80(signExponent: 0x4014, significand: 0xABA7C46BD5CFB018),
      F80(signExponent: 0x3FFF, significand: 0xC91046979456E2C2)
    ),
    (
      .f2xm1, F80(signExponent: 0xBFF9, significand: 0xB3331B04F307BD12),
      F80(signExponent: 0xBFF9, significand: 0xB3331B04F307BD12),
      F80(signExponent: 0xBFF8, significand: 0xF68CAF7F573EAB0D)
    ),
    (
      .fyl2x, F80(signExponent: 0x3FE4, significand: 0xAD4EB3DC2763F124),
      F80(signExponent: 0x400F, significand: 0x8D7FDD1A00000000),
      F80(signExponent: 0xC013, significand: 0xEAE9F9E667122294)
    ),
    (
      .fyl2xp1, F80(signExponent: 0x3FFB, significand: 0x859D14482CE39FB3),
      F80(signExponent: 0xBFF1, significand: 0xB7E8A7426FB99711),
      F80(signExponent: 0xBFEE, significand: 0x86267736394EC0C8)
    ),
    (
      .fsin, F80(signExponent: 0x4000, significand: 0xEE72041E3A89A0E2),
      F80(signExponent: 0x4000, significand: 0xEE72041E3A89A0E2),
      F80(signExponent: 0xBFFE, significand: 0x8D2CA49075A69482)
    ),
    (
      .fcos, F80(signExponent: 0x3FFF, significand: 0xD500B30400000000),
      F80(signExponent: 0x3FFF, significand: 0xD500B30400000000),
      F80(signExponent: 0xBFFB, significand: 0xBEC69D75A1FAF1D8)
    ),
    (
      .fptan, F80(signExponent: 0xC001, significand: 0xF2EFE546736C49C0),
      F80(signExponent: 0xC001, significand: 0xF2EFE546736C49C0),
      F80(signExponent: 0xC000, significand: 0xEE78B14BC4B14678)
    ),
    (
      .fpatan, F80(signExponent: 0x3FF9, significand: 0xC7CA00BC00000000),
      F80(signExponent: 0xC002, significand: 0x97FB04F7E655456B),
      F80(signExponent: 0xBFFF, significand: 0xC8BBB8C3C8280743)
    ),
    (
      .f2xm1, F80(signExponent: 0x3FFC, significand: 0xC8243D2D3A4EA477),
      F80(signExponent: 0x3FFC, significand: 0xC8243D2D3A4EA477),
      F80(signExponent: 0x3FFC, significand: 0x949056F6480DE218)
    ),
    (
      .fyl2x, F80(signExponent: 0x3FFE, significand: 0xC12D6A7400000000),
      F80(signExponent: 0x3FEC, significand: 0xEEA2013F00000000),
      F80(signExponent: 0xBFEB, significand: 0xC1DFA6CDEC723549)
    ),
    (
      .fyl2xp1, F80(signExponent: 0x3FFA, significand: 0xB43686A030D0AC07),
      F80(signExponent: 0x4011, significand: 0x96383CABEA96970B),
      F80(signExponent: 0x400D, significand: 0x954D30F49D5C4D73)
    ),
    (
      .fsin, F80(signExponent: 0x4001, significand: 0xE893B0CED3148FB5),
      F80(signExponent: 0x4001, significand: 0xE893B0CED3148FB5),
      F80(signExponent: 0x3FFE, significand: 0xD54BA48D193635B3)
    ),
    (
      .fcos, F80(signExponent: 0x4002, significand: 0xE7C2D859DBEF40C8),
      F80(signExponent: 0x4002, significand: 0xE7C2D859DBEF40C8),
      F80(signExponent: 0xBFFD, significand: 0xAE8DF7C51CE8A232)
    ),
    (
      .fptan, F80(signExponent: 0xC000, significand: 0xD2CA006CB04EACE8),
      F80(signExponent: 0xC000, significand: 0xD2CA006CB04EACE8),
      F80(signExponent: 0xBFFC, significand: 0x9CD8022649BCBC40)
    ),
    (
      .fpatan, F80(signExponent: 0xC007, significand: 0xC8888D9D72674394),
      F80(signExponent: 0x3FFD, significand: 0xB57593FAC097B5BC),
      F80(signExponent: 0x4000, significand: 0xC901603BB415760F)
    ),
    (
      .f2xm1, F80(signExponent: 0xBFF9, significand: 0xE2EAC8A02DCD9F6F),
      F80(signExponent: 0xBFF9, significand: 0xE2EAC8A02DCD9F6F),
      F80(signExponent: 0xBFF9, significand: 0x9BC9600D285B286A)
    ),
    (
      .fyl2x, F80(signExponent: 0x3FDC, significand: 0xD94F9D78ADEBDA54),
      F80(signExponent: 0xC00A, significand: 0xF9F2E0431E649B45),
      F80(signExponent: 0x4010, significand: 0x85B55CAEE9E45B21)
    ),
    (
      .fyl2xp1, F80(signExponent: 0x3FEE, significand: 0xD5935A5B00000000),
      F80(signExponent: 0x3FF9, significand: 0xEFA1EA7CB99F0B58),
      F80(signExponent: 0x3FEA, significand: 0x90361450B853451C)
    ),
    (
      .fsin, F80(signExponent: 0xC01D, significand: 0xDEA65F6F15EB8FA7),
      F80(signExponent: 0xC01D, significand: 0xDEA65F6F15EB8FA7),
      F80(signExponent: 0x3FFE, significand: 0xFD136878F4E00182)
    ),
    (
      .fcos, F80(signExponent: 0x4007, significand: 0xA5A7C74E00000000),
      F80(signExponent: 0x4007, significand: 0xA5A7C74E00000000),
      F80(signExponent: 0xBFFC, significand: 0x81F5368F142CE6E3)
    ),
    (
      .fptan, F80(signExponent: 0xC031, significand: 0xCAA647E000000000),
      F80(signExponent: 0xC031, significand: 0xCAA647E000000000),
      F80(signExponent: 0xBFFF, significand: 0x8E38DEC26DB50B3A)
    ),
    (
      .fpatan, F80(signExponent: 0xBFFD, significand: 0x9EC0AB0700000000),
      F80(signExponent: 0xC049, significand: 0xDD1EAF410FB9AF8D),
      F80(signExponent: 0xBFFF, significand: 0xC90FDAA22168C235)
    ),
    (
      .f2xm1, F80(signExponent: 0xBFE0, significand: 0xB6BB1A944867489B),
      F80(signExponent: 0xBFE0, significand: 0xB6BB1A944867489B),
      F80(signExponent: 0xBFDF, significand: 0xFD519B9B24DE87A1)
    ),
    (
      .fyl2x, F80(signExponent: 0x3FFE, significand: 0xE3DF6E1F00000000),
      F80(signExponent: 0xC004, significand: 0xB8E82501F3C89CF6),
      F80(signExponent: 0x4001, significand: 0xF863AEDF958DF764)
    ),
    (
      .fyl2xp1, F80(signExponent: 0x3FF9, significand: 0xB7C6530E9327D38F),
      F80(signExponent: 0xBFFB, significand: 0xED332F60A07740E2),
      F80(signExponent: 0xBFF6, significand: 0xF2F1FD8D4E4F7B46)
    ),
    (
      .fsin, F80(signExponent: 0x3FF9, significand: 0xBAB4AE5300000000),
      F80(signExponent: 0x3FF9, significand: 0xBAB4AE5300000000),
      F80(signExponent: 0x3FF9, significand: 0xBAB08B0B479B8C77)
    ),
    (
      .fcos, F80(signExponent: 0x3FE4, significand: 0xC874889D00000000),
      F80(signExponent: 0x3FE4, significand: 0xC874889D00000000),
      F80(signExponent: 0x3FFE, significand: 0xFFFFFFFFFFFFFB18)
    ),
    (
      .fptan, F80(signExponent: 0x3FE3, significand: 0xC6269ED8E1561764),
      F80(signExponent: 0x3FE3, significand: 0xC6269ED8E1561764),
      F80(signExponent: 0x3FE3, significand: 0xC6269ED8E1561802)
    ),
    (
      .fpatan, F80(signExponent: 0xBFFA, significand: 0x934DB17863684263),
      F80(signExponent: 0x4001, significand: 0x84A0E2D9CA4864CC),
      F80(signExponent: 0x3FFF, significand: 0xCA2C2C36100635B6)
    ),
    (
      .f2xm1, F80(signExponent: 0xBFFA, significand: 0xE537C0328A3FD707),
      F80(signExponent: 0xBFFA, significand: 0xE537C0328A3FD707),
      F80(signExponent: 0xBFFA, significand: 0x9BD6F324B2EFD7E2)
    ),
    (
      .fyl2x, F80(signExponent: 0x3FD1, significand: 0x86B838B8CBD4B76E),
      F80(signExponent: 0x3FF4, significand: 0xC4E64F78ECFFC947),
      F80(signExponent: 0xBFFA, significand: 0x8D4B65EDB69A7874)
    ),
    (
      .fyl2xp1, F80(signExponent: 0xBFFA, significand: 0x81325CE200000000),
      F80(signExponent: 0x3FEB, significand: 0xE58D49BC26ACAB97),
      F80(signExponent: 0xBFE7, significand: 0xA9D3D7F9D8D12F91)
    ),
    (
      .fsin, F80(signExponent: 0xC000, significand: 0xD47A4434A052A626),
      F80(signExponent: 0xC000, significand: 0xD47A4434A052A626),
      F80(signExponent: 0x3FFC, significand: 0xB5AF0C6CCB24107E)
    ),
    (
      .fcos, F80(signExponent: 0x4000, significand: 0xD484CD34582ECE82),
      F80(signExponent: 0x4000, significand: 0xD484CD34582ECE82),
      F80(signExponent: 0xBFFE, significand: 0xFBE8BAF04C0C0CCA)
    ),
    (
      .fptan, F80(signExponent: 0xC003, significand: 0xCD021857E0CA1962),
      F80(signExponent: 0xC003, significand: 0xCD021857E0CA1962),
      F80(signExponent: 0xBFFE, significand: 0x89A0DFB5258FD840)
    ),
    (
      .fpatan, F80(signExponent: 0x3FFA, significand: 0x80BEC4AF00000000),
      F80(signExponent: 0xBFF7, significand: 0xC67FF189253DC070),
      F80(signExponent: 0xBFFC, significand: 0xC2F5E27C1BE01D1F)
    ),
    (
      .f2xm1, F80(signExponent: 0xBFFB, significand: 0xC52B59E27E2A5760),
      F80(signExponent: 0xBFFB, significand: 0xC52B59E27E2A5760),
      F80(signExponent: 0xBFFB, significand: 0x84350384F14C75C4)
    ),
    (
      .fyl2x, F80(signExponent: 0x3FFF, significand: 0x8EE71AAA708CC7E7),
      F80(signExponent: 0x3FEE, significand: 0xFD82F9E3A68FD0C3),
      F80(signExponent: 0x3FEC, significand: 0xA11F293B430BD3BB)
    ),
    (
      .fyl2xp1, F80(signExponent: 0xBFEF, significand: 0x87BE1C539E3B7EB4),
      F80(signExponent: 0x4002, significand: 0xA9FE0D502438D5AD),
      F80(signExponent: 0xBFF3, significand: 0x820AC38F6916D69A)
    ),
    (
      .fsin, F80(signExponent: 0x4003, significand: 0xFBD11C63D2FED854),
      F80(signExponent: 0x4003, significand: 0xFBD11C63D2FED854),
      F80(signExponent: 0x3FFA, significand: 0xFA6E2FECEFA1581D)
    ),
    (
      .fcos, F80(signExponent: 0x4001, significand: 0xE03F7862B5B8F397),
      F80(signExponent: 0x4001, significand: 0xE03F7862B5B8F397),
      F80(signExponent: 0x3FFE, significand: 0xBFB0AA69CBF16F53)
    ),
    (
      .fptan, F80(signExponent: 0xC001, significand: 0xCCDCEFF4851FF085),
      F80(signExponent: 0xC001, significand: 0xCCDCEFF4851FF085),
      F80(signExponent: 0xBFFB, significand: 0xF46BE645AB508109)
    ),
    (
      .fpatan, F80(signExponent: 0x3FFA, significand: 0xA070B717B68F094F),
      F80(signExponent: 0x4030, significand: 0xF98FE0B4E9ABB4F8),
      F80(signExponent: 0x3FFF, significand: 0xC90FDAA22168C0EC)
    ),
    (
      .f2xm1, F80(signExponent: 0x3FF9, significand: 0xD47290BEDB6AC84E),
      F80(signExponent: 0x3FF9, significand: 0xD47290BEDB6AC84E),
      F80(signExponent: 0x3FF9, significand: 0x9496C207D00B093A)
    ),
    (
      .fyl2x, F80(signExponent: 0x4011, significand: 0xD647026200000000),
      F80(signExponent: 0xBFF6, significand: 0x837B7979F8DFAADA),
      F80(signExponent: 0xBFFA, significand: 0x9A06AD504F6B3934)
    ),
    (
      .fyl2xp1, F80(signExponent: 0xBFF9, significand: 0x945F66A637322227),
      F80(signExponent: 0xBFFC, significand: 0xF0E79230336AAC3C),
      F80(signExponent: 0x3FF7, significand: 0xCB47E580B020A25B)
    ),
    (
      .fsin, F80(signExponent: 0xC012, significand: 0xBF3393D34449AAD5),
      F80(signExponent: 0xC012, significand: 0xBF3393D34449AAD5),
      F80(signExponent: 0x3FFB, significand: 0xE189779E3E5CF5C0)
    ),
    (
      .fcos, F80(signExponent: 0x4029, significand: 0xE2DF2AB1D237ABD8),
      F80(signExponent: 0x4029, significand: 0xE2DF2AB1D237ABD8),
      F80(signExponent: 0x3FFD, significand: 0xE918F4D57C81689B)
    ),
    (
      .fptan, F80(signExponent: 0x4006, significand: 0x8263E886A99967C9),
      F80(signExponent: 0x4006, significand: 0x8263E886A99967C9),
      F80(signExponent: 0xC005, significand: 0x8D1DF16B0C305CE4)
    ),
    (
      .fpatan, F80(signExponent: 0x4007, significand: 0xCBB2FFA65A832402),
      F80(signExponent: 0x3FFE, significand: 0xBC12432800000000),
      F80(signExponent: 0x3FF5, significand: 0xEC5BFD396F941BC6)
    ),
    (
      .f2xm1, F80(signExponent: 0x3FEB, significand: 0xC9DAC06900000000),
      F80(signExponent: 0x3FEB, significand: 0xC9DAC06900000000),
      F80(signExponent: 0x3FEB, significand: 0x8BEA3A1FD96957EF)
    ),
    (
      .fyl2x, F80(signExponent: 0x3FFE, significand: 0xDD24F4D2FA2D0DFB),
      F80(signExponent: 0xC009, significand: 0xABB7AFAB00000000),
      F80(signExponent: 0x4007, significand: 0x91094AFC86E17A11)
    ),
    (
      .fyl2xp1, F80(signExponent: 0x3FFB, significand: 0xC9B5CBAD20DC66D0),
      F80(signExponent: 0xBFEE, significand: 0xA8F8A684EFEAF093),
      F80(signExponent: 0xBFEB, significand: 0xB7324FF135A75987)
    ),
    (
      .fsin, F80(signExponent: 0xBFFE, significand: 0xFEF9FD6E784D04DB),
      F80(signExponent: 0xBFFE, significand: 0xFEF9FD6E784D04DB),
      F80(signExponent: 0xBFFE, significand: 0xD6DCA33296F701F5)
    ),
    (
      .fcos, F80(signExponent: 0x3FF8, significand: 0xECE5B2C100000000),
      F80(signExponent: 0x3FF8, significand: 0xECE5B2C100000000),
      F80(signExponent: 0x3FFE, significand: 0xFFF9264554F78EDE)
    ),
    (
      .fptan, F80(signExponent: 0x3FEA, significand: 0xE3BF93EB668F01BC),
      F80(signExponent: 0x3FEA, significand: 0xE3BF93EB668F01BC),
      F80(signExponent: 0x3FEA, significand: 0xE3BF93EB66CB1771)
    ),
    (
      .fpatan, F80(signExponent: 0xBFFE, significand: 0xF4E16ED6D300B379),
      F80(signExponent: 0xBFFF, significand: 0xABF18831731A1366),
      F80(signExponent: 0xC000, significand: 0x8C2250E8937F6FA6)
    ),
    (
      .f2xm1, F80(signExponent: 0x3FFD, significand: 0xF47AB5AC387822C5),
      F80(signExponent: 0x3FFD, significand: 0xF47AB5AC387822C5),
      F80(signExponent: 0x3FFD, significand: 0xC8DF29B8EF15B30B)
    ),
    (
      .fyl2x, F80(signExponent: 0x3FF4, significand: 0xEF5BD8515BF6E82F),
      F80(signExponent: 0xBFFB, significand: 0xD0CE0A82F49E2424),
      F80(signExponent: 0x3FFF, significand: 0x83C4BCDA8201E241)
    ),
    (
      .fyl2xp1, F80(signExponent: 0x3FF6, significand: 0x983D0D5ADB9140F1),
      F80(signExponent: 0x3FF7, significand: 0xC64D5FED718A7085),
      F80(signExponent: 0x3FEF, significand: 0xA9EF59235D566D48)
    ),
    (
      .fsin, F80(signExponent: 0x3FFF, significand: 0xCC9C9F1E00000000),
      F80(signExponent: 0x3FFF, significand: 0xCC9C9F1E00000000),
      F80(signExponent: 0x3FFE, significand: 0xFFE6CC6512373B27)
    ),
    (
      .fcos, F80(signExponent: 0xC002, significand: 0xC32C5CB833EBAF1B),
      F80(signExponent: 0xC002, significand: 0xC32C5CB833EBAF1B),
      F80(signExponent: 0x3FFE, significand: 0xEEDB5650EBAC239A)
    ),
    (
      .fptan, F80(signExponent: 0x4002, significand: 0xBC0D0C8600000000),
      F80(signExponent: 0x4002, significand: 0xBC0D0C8600000000),
      F80(signExponent: 0xBFFF, significand: 0x875192026B472DBF)
    ),
    (
      .fpatan, F80(signExponent: 0x3FFF, significand: 0xFDE5C27800000000),
      F80(signExponent: 0xC01D, significand: 0xB32D5B3400764861),
      F80(signExponent: 0xBFFF, significand: 0xC90FDA9F4BE536FE)
    ),
    (
      .f2xm1, F80(signExponent: 0xBFF9, significand: 0xE56FF43900000000),
      F80(signExponent: 0xBFF9, significand: 0xE56FF43900000000),
      F80(signExponent: 0xBFF9, significand: 0x9D8005A6CD8DE840)
    ),
    (
      .fyl2x, F80(signExponent: 0x3FFF, significand: 0xA9FA01831474E207),
      F80(signExponent: 0xC011, significand: 0xACDA405200000000),
      F80(signExponent: 0xC010, significand: 0x8D75B7836EFCF9F6)
    ),
    (
      .fyl2xp1, F80(signExponent: 0xBFFB, significand: 0xC8AF45896F16800A),
      F80(signExponent: 0x400A, significand: 0xEDC60C8A0E377A3A),
      F80(signExponent: 0xC008, significand: 0x8D8255EEED0F5FC4)
    ),
    (
      .fsin, F80(signExponent: 0xBFFF, significand: 0x86D8466200000000),
      F80(signExponent: 0xBFFF, significand: 0x86D8466200000000),
      F80(signExponent: 0xBFFE, significand: 0xDE806D3FADD49C89)
    ),
    (
      .fcos, F80(signExponent: 0x4000, significand: 0xB8024B9600000000),
      F80(signExponent: 0x4000, significand: 0xB8024B9600000000),
      F80(signExponent: 0xBFFE, significand: 0xF6F74D8D61DD3675)
    ),
    (
      .fptan, F80(signExponent: 0xC000, significand: 0xAD5DD99CC73D9E06),
      F80(signExponent: 0xC000, significand: 0xAD5DD99CC73D9E06),
      F80(signExponent: 0x3FFD, significand: 0xEC8384EDBC9006E4)
    ),
    (
      .fpatan, F80(signExponent: 0x3FFD, significand: 0xD9F36D389E6075F5),
      F80(signExponent: 0x4002, significand: 0x86DBCD3800000000),
      F80(signExponent: 0x3FFF, significand: 0xC29A53E7BA6A8913)
    ),
    (
      .f2xm1, F80(signExponent: 0xBFFA, significand: 0xEF57B03C2EE9A7E4),
      F80(signExponent: 0xBFFA, significand: 0xEF57B03C2EE9A7E4),
      F80(signExponent: 0xBFFA, significand: 0xA295B5AEE27D9A65)
    ),
    (
      .fyl2x, F80(signExponent: 0x4032, significand: 0xEC38538100000000),
      F80(signExponent: 0xC006, significand: 0xF951E3452D36FDCC),
      F80(signExponent: 0xC00C, significand: 0xCA1ED63E16345A3D)
    ),
    (
      .fyl2xp1, F80(signExponent: 0x3FFA, significand: 0xAC8E955ED958E2BE),
      F80(signExponent: 0x4013, significand: 0xF1E84210F703F8C7),
      F80(signExponent: 0x400F, significand: 0xE66C1EC33D9D7ACD)
    ),
    (
      .fsin, F80(signExponent: 0xC026, significand: 0xC4B62C8A4EE78384),
      F80(signExponent: 0xC026, significand: 0xC4B62C8A4EE78384),
      F80(signExponent: 0x3FFD, significand: 0xFF216679DF7427AB)
    ),
    (
      .fcos, F80(signExponent: 0x400D, significand: 0xBAF850F648831BB3),
      F80(signExponent: 0x400D, significand: 0xBAF850F648831BB3),
      F80(signExponent: 0x3FFE, significand: 0xE14EC722FAF2BFCE)
    ),
    (
      .fptan, F80(signExponent: 0xC038, significand: 0xCFF777E600000000),
      F80(signExponent: 0xC038, significand: 0xCFF777E600000000),
      F80(signExponent: 0x4001, significand: 0x890CA8039EF314DC)
    ),
    (
      .fpatan, F80(signExponent: 0xBFF7, significand: 0xE9A2DC344AE85B18),
      F80(signExponent: 0xBFFB, significand: 0xADCDE502F53B1679),
      F80(signExponent: 0xBFFF, significand: 0xD3CA6CD86F3EB9B7)
    ),
  ]
}
