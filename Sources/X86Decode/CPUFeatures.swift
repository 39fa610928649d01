/// What a processor can do, as far as the decoder must know: an instruction whose feature is off is undefined
/// (#UD), or what older processors made of its bytes (SDM 2, "CPUID feature flag" of each instruction).
public struct CPUFeatures: OptionSet, Sendable, Hashable {
  public let rawValue: UInt64

  @inlinable
  public init(rawValue: UInt64) { self.rawValue = rawValue }

  @inlinable
  init(bit: UInt64) { self.rawValue = 1 &<< bit }

  public static let fpu = CPUFeatures(bit: 0)
  public static let tsc = CPUFeatures(bit: 1)
  public static let msr = CPUFeatures(bit: 2)
  public static let cx8 = CPUFeatures(bit: 3)
  public static let sysenter = CPUFeatures(bit: 4)
  public static let cmov = CPUFeatures(bit: 5)
  public static let clflush = CPUFeatures(bit: 6)
  public static let mmx = CPUFeatures(bit: 7)
  public static let fxsr = CPUFeatures(bit: 8)
  public static let sse = CPUFeatures(bit: 9)
  public static let sse2 = CPUFeatures(bit: 10)
  public static let sse3 = CPUFeatures(bit: 11)
  public static let pclmulqdq = CPUFeatures(bit: 12)
  public static let monitor = CPUFeatures(bit: 13)
  public static let ssse3 = CPUFeatures(bit: 14)
  public static let fma = CPUFeatures(bit: 15)
  public static let cx16 = CPUFeatures(bit: 16)
  public static let sse41 = CPUFeatures(bit: 17)
  /// Also CRC32.
  public static let sse42 = CPUFeatures(bit: 18)
  public static let movbe = CPUFeatures(bit: 19)
  public static let popcnt = CPUFeatures(bit: 20)
  public static let aes = CPUFeatures(bit: 21)
  public static let xsave = CPUFeatures(bit: 22)
  public static let avx = CPUFeatures(bit: 23)
  public static let f16c = CPUFeatures(bit: 24)
  public static let rdrand = CPUFeatures(bit: 25)
  public static let syscall = CPUFeatures(bit: 26)
  public static let rdtscp = CPUFeatures(bit: 27)
  /// LAHF and SAHF in 64-bit mode.
  public static let lahf64 = CPUFeatures(bit: 28)
  public static let lzcnt = CPUFeatures(bit: 29)
  /// PREFETCHW; 0F 0D is a NOP without it.
  public static let prefetchw = CPUFeatures(bit: 30)
  public static let fsgsbase = CPUFeatures(bit: 31)
  /// Also TZCNT, as in CPUID.
  public static let bmi1 = CPUFeatures(bit: 32)
  public static let avx2 = CPUFeatures(bit: 33)
  public static let bmi2 = CPUFeatures(bit: 34)
  public static let invpcid = CPUFeatures(bit: 35)
  public static let rtm = CPUFeatures(bit: 36)
  public static let rdseed = CPUFeatures(bit: 37)
  public static let adx = CPUFeatures(bit: 38)
  public static let smap = CPUFeatures(bit: 39)
  public static let clflushopt = CPUFeatures(bit: 40)
  public static let clwb = CPUFeatures(bit: 41)
  public static let sha = CPUFeatures(bit: 42)
  public static let pku = CPUFeatures(bit: 43)
  public static let rdpid = CPUFeatures(bit: 44)
  public static let xsaveopt = CPUFeatures(bit: 45)
  public static let xsavec = CPUFeatures(bit: 46)
  public static let xsaves = CPUFeatures(bit: 47)
  /// ENDBR32 and ENDBR64; reserved NOPs without it.
  public static let cetIBT = CPUFeatures(bit: 48)
  public static let movdiri = CPUFeatures(bit: 49)
  public static let movdir64b = CPUFeatures(bit: 50)
  public static let serialize = CPUFeatures(bit: 51)
  public static let wbnoinvd = CPUFeatures(bit: 52)
  public static let gfni = CPUFeatures(bit: 53)
  public static let vaes = CPUFeatures(bit: 54)
  public static let vpclmulqdq = CPUFeatures(bit: 55)
  /// CLDEMOTE; a reserved NOP without it.
  public static let cldemote = CPUFeatures(bit: 56)
  /// PREFETCHWT1
  public static let prefetchwt1 = CPUFeatures(bit: 57)
  /// The instruction set of VMX root operation (VMXON, VMCALL, …); no row has it yet.
  public static let vmx = CPUFeatures(bit: 58)

  /// The x86-64 baseline of the psABI: what every 64-bit kernel may count on.
  public static let x86_64_v1: CPUFeatures = [
    .fpu, .tsc, .msr, .cx8, .sysenter, .cmov, .clflush, .mmx, .fxsr, .sse, .sse2, .syscall,
  ]
  /// psABI level 2.
  public static let x86_64_v2: CPUFeatures = [
    .x86_64_v1, .cx16, .lahf64, .popcnt, .sse3, .sse41, .sse42, .ssse3,
  ]
  /// psABI level 3.
  public static let x86_64_v3: CPUFeatures = [
    .x86_64_v2, .avx, .avx2, .bmi1, .bmi2, .f16c, .fma, .lzcnt, .movbe, .xsave,
  ]
  /// Every feature that the table has rows for.
  public static let all = CPUFeatures(rawValue: (1 &<< 58) &- 1)
}
