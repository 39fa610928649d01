import X86Core
import X86Decode

// The processors that `-cpu` names, limited to what is implemented.

extension ProcessorModel {
  /// All of them, the default first. Places in the list are for the life of a process alone; traces hold names.
  ///
  /// Families and models are the real ones', so that guests choose the code they would choose there. The vendor is Intel
  /// in all of them: what differs between vendors (SYSCALL in compatibility mode, for one) is implemented as Intel's.
  public static let named: [ProcessorModel] = [
    .default,
    model("qemu64", 6, 6, 3, v1.union([.sse3, .cx16]), basic),
    model("kvm64", 15, 6, 1, v1.union([.sse3, .cx16]), basic),
    model("Conroe", 6, 15, 3, conroe, basic),
    model("Penryn", 6, 23, 3, penryn, basic),
    model("Nehalem", 6, 26, 3, nehalem, basic),
    model("SandyBridge", 6, 42, 1, sandyBridge, advanced),
    model("IvyBridge", 6, 58, 9, ivyBridge, advanced),
    model("Haswell", 6, 60, 4, haswell, advanced, without: transactions),
    model("Broadwell", 6, 61, 2, broadwell, advanced, without: transactions),
    model("Skylake-Client", 6, 94, 3, skylake, advanced, without: transactions + ["mpx"]),
    model(
      "Skylake-Server", 6, 85, 4, skylake.union([.clwb, .pku]), advanced, without: transactions + ["mpx"] + avx512),
    model(
      "Cascadelake-Server", 6, 85, 6, skylake.union([.clwb, .pku]), advanced,
      without: transactions + avx512 + ["avx512-vnni"]),
    model(
      "Icelake-Server", 6, 106, 0, iceLake, advanced.union([.la57]),
      without: transactions + avx512 + [
        "avx512ifma", "avx512vbmi", "avx512-vbmi2", "avx512-vnni", "avx512-bitalg", "avx512-vpopcntdq",
      ]),
    model(
      "EPYC", 6, 60, 4, broadwell.union([.sha, .clflushopt, .xsavec]), advanced,
      without: ["sse4a", "misalignsse", "osvw", "topoext", "cr8legacy"]),
    model("max", 6, 60, 4, implemented, implementedFeatures),
  ]

  /// Names by which users call what is in the list: QEMU's versions of a model ("Haswell-v4") and variants
  /// ("Haswell-noTSX") are the model itself.
  /// - Returns: nil for a name that nobody has.
  public static func called(_ name: String) -> ProcessorModel? {
    let same: [String: String] = [
      "host": "max", "base": "qemu64", "qemu32": "qemu64", "kvm32": "qemu64", "core2duo": "Conroe",
      "Skylake": "Skylake-Client", "Cascadelake": "Cascadelake-Server", "Icelake": "Icelake-Server",
      "Icelake-Client": "Icelake-Server", "Cooperlake": "Cascadelake-Server", "SapphireRapids": "Icelake-Server",
      "GraniteRapids": "Icelake-Server", "Opteron_G1": "qemu64", "Opteron_G2": "qemu64", "phenom": "qemu64",
      "Opteron_G3": "qemu64", "athlon": "qemu64", "Opteron_G4": "Westmere", "Opteron_G5": "Westmere",
      "EPYC-Rome": "EPYC", "EPYC-Milan": "EPYC", "EPYC-Genoa": "EPYC", "Dhyana": "EPYC",
    ]
    let bare = withoutVariant(name)
    let wanted = same[bare] ?? same[name] ?? bare
    return named.first { $0.name.lowercased() == wanted.lowercased() }
  }

  private static func withoutVariant(_ name: String) -> String {
    var name = name
    var before = ""
    // Version first, then as many variants as there are.
    name = withoutVersion(name)
    while before != name {
      before = name
      for suffix in ["-noTSX", "-IBRS", "-IBPB"] where name.hasSuffix(suffix) { name.removeLast(suffix.count) }
    }
    return name
  }

  private static func withoutVersion(_ name: String) -> String {
    var name = name
    if let dash = name.lastIndex(of: "-"), name[name.index(after: dash)...].first == "v",
      name[name.index(dash, offsetBy: 2)...].allSatisfy(\.isNumber)
    {
      name.removeSubrange(dash...)
    }
    return name
  }

  private static func model(
    _ name: String, _ family: UInt32, _ model: UInt32, _ stepping: UInt32, _ decoder: CPUFeatures,
    _ features: ModelFeatures, without others: [String] = []
  ) -> ProcessorModel {
    var result = ProcessorModel(
      name: name, family: family, model: model, stepping: stepping, brand: "Inquest virtual CPU (\(name))",
      decoder: decoder.intersection(implemented), features: features)
    let missing = decoder.subtracting(implemented)
    result.leftOut = ProcessorFeature.all.filter { !$0.decoder.isDisjoint(with: missing) }.map(\.name) + others
    return result
  }

  private static let transactions = ["hle", "rtm"]
  private static let avx512 = ["avx512f", "avx512dq", "avx512cd", "avx512bw", "avx512vl"]

  // MARK: Generations

  private static let v1: CPUFeatures = [.x86_64_v1, .rdtscp]
  private static let conroe: CPUFeatures = [.x86_64_v1, .sse3, .ssse3, .cx16, .lahf64]
  private static let penryn = conroe.union([.sse41])
  private static let nehalem: CPUFeatures = [.x86_64_v2, .rdtscp]
  private static let sandyBridge = nehalem.union([.aes, .pclmulqdq, .xsave, .xsaveopt, .avx])
  private static let ivyBridge = sandyBridge.union([.f16c, .rdrand, .fsgsbase])
  private static let haswell = ivyBridge.union([.x86_64_v3, .invpcid])
  private static let broadwell = haswell.union([.rdseed, .adx, .smap, .prefetchw])
  private static let skylake = broadwell.union([.clflushopt, .xsavec])
  private static let iceLake = skylake.union([.clwb, .pku, .rdpid, .sha, .gfni, .vaes, .vpclmulqdq, .wbnoinvd])

  private static let basic: ModelFeatures = [.gigabytePages, .tscDeadline, .hypervisor, .speculationControl]
  private static let advanced: ModelFeatures = [
    .gigabytePages, .tscDeadline, .hypervisor, .smep, .umip, .erms, .pcid, .speculationControl,
  ]

  // MARK: What there is

  /// Features of the decoder whose instructions are all implemented.
  public static let implemented: CPUFeatures = {
    var features = `default`.decoder
    features.formUnion([
      .aes, .pclmulqdq, .sha, .gfni, .movbe, .lzcnt, .bmi1, .bmi2, .adx, .smap, .clwb, .pku, .rdpid, .xsave,
      .xsaveopt, .xsavec, .wbnoinvd, .x86_64_v3, .vaes, .vpclmulqdq,
    ])
    return features
  }()
  /// Features that are no matter of decoding.
  public static let implementedFeatures: ModelFeatures = `default`.features.union([.pcid, .la57, .pks])

  /// Switches features on or off, and with them what cannot be without them.
  public mutating func set(_ feature: ProcessorFeature, _ on: Bool) {
    if on {
      decoder.formUnion(feature.decoder)
      features.formUnion(feature.model)
    } else {
      decoder.subtract(feature.decoder)
      features.subtract(feature.model)
    }
    for (needed, dependent) in Self.dependencies where !decoder.contains(needed) { decoder.subtract(dependent) }
  }

  /// In an order in which one pass is enough.
  private static let dependencies: [(CPUFeatures, CPUFeatures)] = [
    (.sse, .sse2), (.sse2, [.sse3, .aes, .pclmulqdq, .sha, .gfni]), (.sse3, .ssse3), (.ssse3, .sse41),
    (.sse41, .sse42), (.xsave, [.xsaveopt, .xsavec, .xsaves, .avx]),
    (.avx, [.avx2, .fma, .f16c, .vaes, .vpclmulqdq]),
  ]
}

extension CPU {
  /// What CPUID tells.
  var model: ProcessorModel {
    let number = Int(f.pointee.modelNumber)
    var model = number < ProcessorModel.named.count ? ProcessorModel.named[number] : .default
    model.decoder = decoderFeatures
    model.features = modelFeatures
    return model
  }
}
