import X86Decode

/// A feature as `-cpu NAME,+feature` names it, which is QEMU's name for it.
public struct ProcessorFeature: Sendable {
  public let name: String
  public var decoder: CPUFeatures = []
  public var model: ModelFeatures = []

  /// What one can switch, in the order of CPUID's leaves.
  public static let all: [ProcessorFeature] = [
    f("fpu", .fpu), f("tsc", .tsc), f("msr", .msr), f("cx8", .cx8), f("sep", .sysenter), f("cmov", .cmov),
    f("clflush", .clflush), f("mmx", .mmx), f("fxsr", .fxsr), f("sse", .sse), f("sse2", .sse2), f("pni", .sse3),
    f("pclmulqdq", .pclmulqdq), f("monitor", .monitor), f("ssse3", .ssse3), f("fma", .fma), f("cx16", .cx16),
    m("pcid", .pcid), f("sse4.1", .sse41), f("sse4.2", .sse42), m("x2apic", .x2apic), f("movbe", .movbe),
    f("popcnt", .popcnt), m("tsc-deadline", .tscDeadline), f("aes", .aes), f("xsave", .xsave), f("avx", .avx),
    f("f16c", .f16c), f("rdrand", .rdrand), m("hypervisor", .hypervisor), f("fsgsbase", .fsgsbase),
    f("bmi1", .bmi1), f("avx2", .avx2), m("smep", .smep), f("bmi2", .bmi2), m("erms", .erms),
    f("invpcid", .invpcid), f("rdseed", .rdseed), f("adx", .adx), f("smap", .smap), f("clflushopt", .clflushopt),
    f("clwb", .clwb), f("sha-ni", .sha), m("umip", .umip), f("pku", .pku), f("gfni", .gfni), f("vaes", .vaes),
    f("vpclmulqdq", .vpclmulqdq), m("la57", .la57), f("rdpid", .rdpid), m("pks", .pks),
    m("spec-ctrl", .speculationControl), f("xsaveopt", .xsaveopt), f("xsavec", .xsavec), f("xsaves", .xsaves),
    f("lahf-lm", .lahf64), f("abm", .lzcnt), f("3dnowprefetch", .prefetchw), f("syscall", .syscall),
    m("pdpe1gb", .gigabytePages), f("rdtscp", .rdtscp), f("wbnoinvd", .wbnoinvd),
  ]

  /// Every processor here has these.
  public static let permanent: Set<String> = [
    "vme", "de", "pse", "pae", "mce", "apic", "mtrr", "pge", "mca", "pat", "pse36", "nx", "lm", "tsc-adjust",
    "invtsc", "arat", "arch-capabilities",
  ]

  /// QEMU's names of features that nothing here has.
  public static let known: Set<String> = [
    "dtes64", "ds-cpl", "ds", "acpi", "ss", "ht", "tm", "ia64", "pbe", "vmx", "smx", "est", "tm2", "cid", "xtpr",
    "pdcm", "dca", "hle", "rtm", "mpx", "rdctl-no", "avx512f", "avx512dq", "avx512ifma", "avx512pf", "avx512er",
    "avx512cd", "avx512bw", "avx512vl", "avx512vbmi", "avx512-vbmi2", "avx512-vnni", "avx512-bitalg",
    "avx512-vpopcntdq", "avx512-4vnniw", "avx512-4fmaps", "avx512-bf16", "avx512-fp16", "avx512-vp2intersect",
    "avx-vnni", "amx-bf16", "amx-tile", "amx-int8", "intel-pt", "sgx", "sgxlc", "cldemote", "movdiri", "movdir64b",
    "serialize", "tsx-ldtrk", "fsrm", "md-clear", "stibp", "ssbd", "core-capability", "svm", "extapic",
    "cr8legacy", "sse4a", "misalignsse", "3dnowext", "3dnow", "mmxext", "mmxext", "fxsr-opt", "ibs", "xop",
    "skinit", "wdt", "lwp", "fma4", "tce", "nodeid-msr", "tbm", "topoext", "perfctr-core", "perfctr-nb", "npt",
    "lbrv", "svm-lock", "nrip-save", "vgif", "xgetbv1", "ibpb", "ibrs", "virt-ssbd", "amd-ssbd", "clzero",
    "xsaveerptr", "bus-lock-detect", "taa-no", "mds-no", "kvm", "kvmclock", "kvm-pv-eoi", "vmware-cpuid-freq",
    "waitpkg", "enqcmd",
  ]

  /// The feature of a name; Linux's and other spellings are understood (`sse4_2`, `sha_ni`, `lzcnt`, `sse3`).
  public static func named(_ name: String) -> ProcessorFeature? {
    let same = [
      "sse3": "pni", "sse4-1": "sse4.1", "sse4-2": "sse4.2", "sse41": "sse4.1", "sse42": "sse4.2", "lzcnt": "abm",
      "sha": "sha-ni", "pclmuldq": "pclmulqdq", "tsc-deadline-timer": "tsc-deadline", "ffxsr": "fxsr",
      "prefetchw": "3dnowprefetch",
    ]
    let spelled = spelling(name)
    let wanted = same[spelled] ?? spelled
    return all.first { $0.name == wanted }
  }

  /// Lower case, with dashes.
  public static func spelling(_ name: String) -> String {
    String(name.lowercased().map { $0 == "_" ? "-" : $0 })
  }

  /// Whether the machine can have it.
  public var isImplemented: Bool {
    decoder.isSubset(of: ProcessorModel.implemented)
      && model.isSubset(of: ProcessorModel.implementedFeatures.union([.x2apic]))
  }

  private static func f(_ name: String, _ feature: CPUFeatures) -> ProcessorFeature {
    ProcessorFeature(name: name, decoder: feature)
  }
  private static func m(_ name: String, _ feature: ModelFeatures) -> ProcessorFeature {
    ProcessorFeature(name: name, model: feature)
  }
}

extension ProcessorModel {
  /// The names of what it has; with `init(named:features:)` the way into a trace and out of it.
  public var featureNames: [String] {
    ProcessorFeature.all.filter { decoder.isSuperset(of: $0.decoder) && features.isSuperset(of: $0.model) }
      .map(\.name)
  }

  /// The model of a name with exactly these features. Nil when a name is none.
  public init?(named name: String, features names: [String]) {
    guard var model = ProcessorModel.named.first(where: { $0.name == name }) else { return nil }
    model.decoder = []
    model.features = []
    for name in names {
      guard let feature = ProcessorFeature.all.first(where: { $0.name == name }), feature.isImplemented else {
        return nil
      }
      model.decoder.formUnion(feature.decoder)
      model.features.formUnion(feature.model)
    }
    self = model
  }
}
