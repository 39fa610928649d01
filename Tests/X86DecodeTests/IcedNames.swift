import X86Decode

/// Translates iced's names into this decoder's operations.
enum IcedNames {
  /// Every operation by its name.
  static let operations: [String: Operation] = Dictionary(
    uniqueKeysWithValues: Operation.allCases.map { ("\($0)", $0) })

  private static let conditions = [
    "o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g",
  ]

  /// Mnemonics that this decoder calls otherwise.
  private static let renamed: [String: Operation] = [
    "cwde": .cbw, "cdqe": .cbw, "cdq": .cwd, "cqo": .cwd, "sal": .shl, "reservednop": .nop, "jecxz": .jcxz,
    "jrcxz": .jcxz, "fneni": .fnop, "fndisi": .fnop, "fnsetpm": .fnop, "pcmpestri64": .pcmpestri,
    "pcmpestrm64": .pcmpestrm, "monitord": .monitor, "monitorq": .monitor, "sysexitd": .sysexit,
    "sysexitq": .sysexit, "sysretd": .sysret, "sysretq": .sysret, "prefetchreserved3": .nop,
    "prefetchreserved4": .nop, "prefetchreserved5": .nop, "prefetchreserved6": .nop,
    "prefetchreserved7": .nop,
    "prefetch": .nop, "pushad": .pusha, "pushaw": .pusha, "popad": .popa, "popaw": .popa, "lgdt": .lgdt,
  ]

  /// Families that iced splits by operand size with a last letter.
  private static let sized: [(String, Operation)] = [
    ("movs", .movs), ("cmps", .cmps), ("stos", .stos), ("lods", .lods), ("scas", .scas), ("ins", .ins),
    ("outs", .outs), ("pushf", .pushf), ("popf", .popf), ("iret", .iret), ("retn", .ret), ("retf", .retf),
    ("enter", .enter), ("leave", .leave), ("nop", .nop), ("push", .push), ("pop", .pop), ("xlat", .xlat),
  ]

  /// The operation and, for conditional families, the condition; nil for what this decoder does not know.
  static func operation(_ test: IcedCase) -> (Operation, condition: UInt8?)? {
    let name = test.mnemonic.lowercased()
    if test.code.hasPrefix("Prefetchreserved") { return (.nop, nil) }
    let vex = test.code.hasPrefix("VEX_")
    if !vex {
      for (i, condition) in conditions.enumerated() {
        if name == "j" + condition { return (.jcc, UInt8(i)) }
        if name == "set" + condition { return (.setcc, UInt8(i)) }
        if name == "cmov" + condition { return (.cmovcc, UInt8(i)) }
      }
      if let operation = renamed[name] { return (operation, nil) }
      if name == "call" || name == "jmp" {
        let far = ["ptr16", "m16"].contains { test.code.contains("_" + $0) && !test.code.contains("_rm16") }
        if far { return (name == "call" ? .callFar : .jmpFar, nil) }
      }
      if !test.code.contains("_xmm") && !test.code.contains("xmm_") {
        for (stem, operation) in sized
        where name.hasPrefix(stem) && name.count == stem.count + 1 && "bwdq".contains(name.last!) {
          return (operation, nil)
        }
      }
      if name.hasSuffix("64"), let operation = operations[String(name.dropLast(2))],
        test.code.contains("save") || test.code.contains("rstor")
      {
        return (operation, nil)
      }
    }
    if vex && name.hasSuffix("64") { return operations[String(name.dropLast(2))].map { ($0, nil) } }
    return operations[name].map { ($0, nil) }
  }

  /// CPUID features (and makes of processors) that this decoder does not have, each with iced's names of its
  /// instructions: a name, a prefix ending in `*`.
  static let absentFeatures: [(feature: String, names: [String])] = [
    (
      "FMA4",
      [
        "Vfmaddpd", "Vfmaddps", "Vfmaddsd", "Vfmaddss", "Vfmaddsubpd", "Vfmaddsubps", "Vfmsubaddpd",
        "Vfmsubaddps",
        "Vfmsubpd", "Vfmsubps", "Vfmsubsd", "Vfmsubss", "Vfnmaddpd", "Vfnmaddps", "Vfnmaddsd", "Vfnmaddss",
        "Vfnmsubpd", "Vfnmsubps", "Vfnmsubsd", "Vfnmsubss",
      ]
    ),
    ("XOP's permutes", ["Vpermil2*"]),
    ("AVX_VNNI, AVX_VNNI_INT8, AVX_VNNI_INT16", ["Vpdp*"]), ("AVX_IFMA", ["Vpmadd52*"]),
    ("AVX_NE_CONVERT", ["Vbcstne*", "Vcvtne*"]),
    ("SHA512", ["Vsha512*"]), ("SM3", ["Vsm3*"]), ("SM4", ["Vsm4*"]),
    ("AVX512", ["EVEX_*", "VEX_K*"]),
    ("AMX", ["VEX_Tile*", "VEX_Tdp*", "VEX_Ldtilecfg*", "VEX_Sttilecfg*"]),
    ("KNC", ["MVEX_*", "VEX_KNC_*"]),
    ("XOP, TBM, LWP", ["XOP_*"]),
    ("3DNOW", ["D3NOW_*", "Femms"]),
    ("CMPCCXADD", ["VEX_Cmp*"]),
    ("AESKLE", ["Aes*kl", "Encodekey*", "Loadiwkey"]),
    ("RAO_INT", ["Aadd", "Aand", "Aor", "Axor"]),
    ("PADLOCK", ["Ccs_*", "Montmul", "Xcrypt*", "Xsha*", "Xstore*", "Undoc"]),
    ("SVM", ["Clgi", "Stgi", "Invlpga", "Skinit", "Vmload", "Vmsave", "Vmrun", "Vmmcall", "Vmgexit"]),
    ("SNP", ["Psmash", "Pvalidate", "Rmpadjust", "Rmpupdate", "Rmpquery", "Rmpread"]),
    ("INVLPGB", ["Invlpgb", "Tlbsync"]),
    ("CLZERO", ["Clzero"]), ("MCOMMIT", ["Mcommit"]), ("MONITORX", ["Monitorx", "Mwaitx"]),
    ("RDPRU", ["Rdpru"]),
    ("SSE4A", ["Extrq", "Insertq", "Movntsd", "Movntss"]),
    (
      "CET_SS",
      ["Clrssbsy", "Setssbsy", "Incssp*", "Rdssp*", "Rstorssp", "Saveprevssp", "Wrss*", "Wruss*"]
    ),
    ("SGX", ["Encls", "Enclu", "Enclv"]), ("SMX", ["Getsec*"]), ("ENQCMD", ["Enqcmd*"]),
    ("HRESET", ["Hreset"]),
    (
      "VMX",
      [
        "Invept", "Invvpid", "Vmcall", "Vmclear", "Vmfunc", "Vmlaunch", "Vmptrld", "Vmptrst", "Vmread",
        "Vmresume",
        "Vmwrite", "Vmxoff", "Vmxon",
      ]
    ),
    ("TDX, SEAM", ["Tdcall", "Seamcall", "Seamops", "Seamret"]),
    ("PCONFIG", ["Pconfig"]), ("PREFETCHITI", ["Prefetchit*"]), ("PTWRITE", ["Ptwrite"]),
    ("WAITPKG", ["Tpause", "Umonitor", "Umwait"]),
    ("UINTR", ["Clui", "Stui", "Testui", "Uiret", "Senduipi"]),
    ("FRED, LKGS", ["Erets", "Eretu", "Lkgs"]), ("TSXLDTRK", ["Xresldtrk", "Xsusldtrk"]),
    ("MSRLIST, WRMSRNS", ["Rdmsrlist", "Wrmsrlist", "Wrmsrns"]), ("PBNDKB", ["Pbndkb"]),
    // SYSCALL and SYSRET are undefined outside 64-bit mode on Intel's processors (SDM 2B).
    ("SYSCALL outside 64-bit mode", ["Syscall", "Sysret"]),
  ]

  /// The feature of an instruction this decoder does not have.
  static func absentFeature(_ test: IcedCase, _ codeSize: CodeSize) -> String? {
    for (feature, names) in absentFeatures where !(feature.hasPrefix("SYSCALL") && codeSize == .bits64) {
      for name in names where matches(name, name.contains("_") ? test.code : test.mnemonic) { return feature }
    }
    return nil
  }

  private static func matches(_ pattern: String, _ name: String) -> Bool {
    let parts = pattern.split(separator: "*", omittingEmptySubsequences: false)
    guard parts.count == 2 else { return pattern == name }
    return name.hasPrefix(parts[0]) && name.hasSuffix(parts[1])
  }
}
