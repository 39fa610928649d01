import X86Core
import X86Decode

/// Features that CPUID announces and that are no matter of decoding.
public struct ModelFeatures: OptionSet, Sendable {
  public let rawValue: UInt64
  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }
  public static let pcid = ModelFeatures(rawValue: 1 << 0)
  public static let smep = ModelFeatures(rawValue: 1 << 1)
  public static let umip = ModelFeatures(rawValue: 1 << 2)
  public static let erms = ModelFeatures(rawValue: 1 << 3)
  /// Pages of 1 GiB.
  public static let gigabytePages = ModelFeatures(rawValue: 1 << 4)
  /// Linux makes use of it only where interrupts can be remapped, and complains where they cannot.
  public static let x2apic = ModelFeatures(rawValue: 1 << 5)
  public static let tscDeadline = ModelFeatures(rawValue: 1 << 6)
  /// IBRS, IBPB, STIBP, BHI_CTRL: IA32_SPEC_CTRL and IA32_PRED_CMD. Without it Linux takes the slower retpolines, and
  /// clears the branch history in software at each system call.
  public static let speculationControl = ModelFeatures(rawValue: 1 << 7)
  public static let hypervisor = ModelFeatures(rawValue: 1 << 8)
  /// Five levels of paging, linear addresses of 57 bits.
  public static let la57 = ModelFeatures(rawValue: 1 << 9)
  /// Protection keys for supervisor pages: CR4.PKS, IA32_PKRS.
  public static let pks = ModelFeatures(rawValue: 1 << 10)
}

/// The one processor that a machine has, whatever the host is: what CPUID and the MSRs tell of it.
public struct ProcessorModel: Sendable {
  /// As QEMU's `-cpu` names it.
  public var name: String
  public var family: UInt32
  public var model: UInt32
  public var stepping: UInt32
  /// At most 47 bytes of ASCII.
  public var brand: String
  public var decoder: CPUFeatures
  public var features: ModelFeatures
  /// What the real one has and this one has not, by QEMU's names.
  public var leftOut: [String] = []
  /// Its place in `ProcessorModel.named`: what a processor keeps of its name.
  var number: UInt8 { UInt8(truncatingIfNeeded: Self.named.firstIndex { $0.name == name } ?? 0) }

  /// x86-64-v2, Westmere's family and model: old enough that no driver looks for what is not there.
  public static let `default` = ProcessorModel(
    name: "Westmere", family: 6, model: 44, stepping: 1, brand: "Inquest virtual CPU (Westmere, x86-64-v2)",
    decoder: [
      .x86_64_v2, .rdtscp, .rdrand, .rdseed, .fsgsbase, .clflushopt, .prefetchw, .invpcid,
    ],
    features: [
      .smep, .umip, .erms, .gigabytePages, .tscDeadline, .speculationControl, .hypervisor, .pcid,
    ])

  public init(
    name: String, family: UInt32, model: UInt32, stepping: UInt32, brand: String, decoder: CPUFeatures,
    features: ModelFeatures
  ) {
    self.name = name
    self.family = family
    self.model = model
    self.stepping = stepping
    self.brand = brand
    self.decoder = decoder
    self.features = features
  }

  /// CPUID.1:EAX (SDM 2A, CPUID, figure 3-6).
  public var signature: UInt32 {
    let extended = family >= 15 ? (family - 15) << 20 : 0
    return extended | (model >> 4) << 16 | min(family, 15) << 8 | (model & 15) << 4 | stepping & 15
  }
}

/// Frequencies that CPUID leaves 15H and 16H announce, so that no guest has to calibrate anything.
public enum ProcessorClock {
  /// Of the core crystal, which is also the local APIC timer's input.
  public static let crystalHz: UInt64 = 25_000_000
  /// TSC frequency / crystal frequency.
  public static let numerator: UInt64 = 40
  public static let denominator: UInt64 = 1
  /// One tick a nanosecond of virtual time.
  public static let tscHz: UInt64 = crystalHz * numerator / denominator
}

extension CPU {
  /// What the decoder is told of this processor.
  public var decoderFeatures: CPUFeatures { CPUFeatures(rawValue: f.pointee.features.0) }
  public var modelFeatures: ModelFeatures { ModelFeatures(rawValue: f.pointee.features.1) }

  /// IA32_TIME_STAMP_COUNTER at this instruction.
  public var timeStampCounter: UInt64 {
    let ns = virtualTime
    let hz = ProcessorClock.tscHz
    let seconds = ns / 1_000_000_000
    let ticks = seconds &* hz &+ (ns % 1_000_000_000) &* hz / 1_000_000_000
    return ticks &+ f.pointee.tscOffset
  }
}
