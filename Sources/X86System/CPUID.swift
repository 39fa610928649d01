import X86Core
import X86Decode

/// The four registers of a CPUID leaf.
public struct CPUIDLeaf: Equatable, Sendable {
  public var eax: UInt32 = 0
  public var ebx: UInt32 = 0
  public var ecx: UInt32 = 0
  public var edx: UInt32 = 0
}

private let highestBasicLeaf: UInt32 = 0x16
private let highestExtendedLeaf: UInt32 = 0x8000_0008
private let hypervisorLeaf: UInt32 = 0x4000_0000

/// Bits of a register: those of the list whose feature is there.
private func bits<F: OptionSet>(_ features: F, _ list: [(UInt32, F)]) -> UInt32 where F.Element == F {
  list.reduce(0) { features.contains($1.1) ? $0 | 1 << $1.0 : $0 }
}

/// Sixteen (twelve, four, …) characters of a string as registers, zero-padded.
private func text(_ string: String, _ word: Int) -> UInt32 {
  let bytes = Array(string.utf8)
  var value: UInt32 = 0
  for i in 0..<4 where word * 4 + i < bytes.count { value |= UInt32(bytes[word * 4 + i]) << UInt32(8 * i) }
  return value
}

private let leaf1ECX: [(UInt32, CPUFeatures)] = [
  (0, .sse3), (1, .pclmulqdq), (3, .monitor), (9, .ssse3), (12, .fma), (13, .cx16), (19, .sse41),
  (20, .sse42),
  (22, .movbe), (23, .popcnt), (25, .aes), (26, .xsave), (28, .avx), (29, .f16c), (30, .rdrand),
]
private let leaf1EDX: [(UInt32, CPUFeatures)] = [
  (0, .fpu), (4, .tsc), (5, .msr), (8, .cx8), (11, .sysenter), (15, .cmov), (19, .clflush), (23, .mmx),
  (24, .fxsr),
  (25, .sse), (26, .sse2),
]
private let leaf7EBX: [(UInt32, CPUFeatures)] = [
  (0, .fsgsbase), (3, .bmi1), (5, .avx2), (8, .bmi2), (10, .invpcid), (11, .rtm), (18, .rdseed), (19, .adx),
  (20, .smap),
  (23, .clflushopt), (24, .clwb), (29, .sha),
]
private let leaf7ECX: [(UInt32, CPUFeatures)] = [
  (0, .prefetchwt1), (3, .pku), (8, .gfni), (9, .vaes), (10, .vpclmulqdq), (22, .rdpid), (25, .cldemote),
  (27, .movdiri), (28, .movdir64b),
]
private let extended1ECX: [(UInt32, CPUFeatures)] = [(0, .lahf64), (5, .lzcnt), (8, .prefetchw)]

extension ProcessorModel {
  /// What CPUID answers (SDM 2A CPUID), the bits that mirror control registers apart.
  /// - Parameter apicID: of the processor that asks.
  public func leaf(_ leaf: UInt32, _ subleaf: UInt32, apicID: UInt32 = 0) -> CPUIDLeaf {
    switch leaf {
    case hypervisorLeaf...(hypervisorLeaf + 0xFFFF) where features.contains(.hypervisor):
      return hypervisor(leaf)
    case 0x8000_0000...highestExtendedLeaf: return extended(leaf)
    default:
      // Beyond the highest leaf Intel answers with the highest basic one.
      return basic(leaf > highestBasicLeaf ? highestBasicLeaf : leaf, subleaf, apicID)
    }
  }

  private func basic(_ leaf: UInt32, _ subleaf: UInt32, _ apicID: UInt32) -> CPUIDLeaf {
    switch leaf {
    case 0:
      let vendor = "GenuineIntel"
      return CPUIDLeaf(
        eax: highestBasicLeaf, ebx: text(vendor, 0), ecx: text(vendor, 2), edx: text(vendor, 1))
    case 1:
      var ecx = bits(decoder, leaf1ECX)
      if features.contains(.pcid) { ecx |= 1 << 17 }
      if features.contains(.x2apic) { ecx |= 1 << 21 }
      if features.contains(.tscDeadline) { ecx |= 1 << 24 }
      if features.contains(.hypervisor) { ecx |= 1 << 31 }
      // VME DE PSE PAE MCE APIC MTRR PGE MCA PAT PSE36, SS.
      let edx = bits(decoder, leaf1EDX) | 0x0803_F2CE
      return CPUIDLeaf(eax: signature, ebx: apicID << 24 | 1 << 16 | 8 << 8, ecx: ecx, edx: edx)
    case 2:
      // Westmere's descriptors: TLBs (55, 03, 5A, B2, CA), 64-byte prefetch (F0); for caches look into leaf 4 (FF).
      return CPUIDLeaf(eax: 0x5503_5A01, ebx: 0x00F0_B2FF, ecx: 0, edx: 0x00CA_0000)
    case 4: return cache(subleaf)
    case 5: return decoder.contains(.monitor) ? CPUIDLeaf(eax: 64, ebx: 64, ecx: 3, edx: 0) : CPUIDLeaf()
    case 6: return CPUIDLeaf(eax: 1 << 2)  // ARAT: the APIC timer never stops
    case 7: return structured(subleaf)
    case 0xB:
      // One thread a core, one core: both levels shift by nothing.
      guard subleaf < 2 else { return CPUIDLeaf(ecx: subleaf, edx: apicID) }
      return CPUIDLeaf(ebx: 1, ecx: subleaf | (subleaf + 1) << 8, edx: apicID)
    case 0xD: return extendedState(subleaf)
    case 0x15:
      return CPUIDLeaf(
        eax: UInt32(ProcessorClock.denominator), ebx: UInt32(ProcessorClock.numerator),
        ecx: UInt32(ProcessorClock.crystalHz))
    case 0x16:
      let mhz = UInt32(ProcessorClock.tscHz / 1_000_000)
      return CPUIDLeaf(eax: mhz, ebx: mhz, ecx: 100)
    default: return CPUIDLeaf()
    }
  }

  private func structured(_ subleaf: UInt32) -> CPUIDLeaf {
    let hasSpeculationControl = features.contains(.speculationControl)
    // Subleaf 2: BHI_CTRL.
    if subleaf == 2 && hasSpeculationControl { return CPUIDLeaf(edx: 1 << 4) }
    guard subleaf == 0 else { return CPUIDLeaf() }
    var ebx = bits(decoder, leaf7EBX) | 1 << 1  // TSC_ADJUST
    if features.contains(.smep) { ebx |= 1 << 7 }
    if features.contains(.erms) { ebx |= 1 << 9 }
    // FPU CS and DS are kept, as the x87 module does: bit 13 stays clear.
    var ecx = bits(decoder, leaf7ECX)
    if features.contains(.umip) { ecx |= 1 << 2 }
    if features.contains(.la57) { ecx |= 1 << 16 }
    if features.contains(.pks) { ecx |= 1 << 31 }
    var edx: UInt32 = 1 << 29  // IA32_ARCH_CAPABILITIES
    if decoder.contains(.serialize) { edx |= 1 << 14 }
    if hasSpeculationControl { edx |= 1 << 26 | 1 << 27 }
    return CPUIDLeaf(eax: hasSpeculationControl ? 2 : 0, ebx: ebx, ecx: ecx, edx: edx)
  }

  /// Leaf 4: what Westmere has; nothing depends on it but reports.
  private func cache(_ subleaf: UInt32) -> CPUIDLeaf {
    func level(_ type: UInt32, _ level: UInt32, ways: UInt32, sets: UInt32) -> CPUIDLeaf {
      CPUIDLeaf(eax: type | level << 5 | 1 << 8, ebx: 63 | (ways - 1) << 22, ecx: sets - 1, edx: 0)
    }
    switch subleaf {
    case 0: return level(1, 1, ways: 8, sets: 64)
    case 1: return level(2, 1, ways: 4, sets: 128)
    case 2: return level(3, 2, ways: 8, sets: 512)
    case 3: return level(3, 3, ways: 16, sets: 4096)
    default: return CPUIDLeaf()
    }
  }

  /// XCR0 bits that XSETBV accepts.
  public var validXCR0: UInt64 {
    var bits: UInt64 = 3
    if decoder.contains(.avx) { bits |= 4 }
    if decoder.contains(.pku) { bits |= 1 << 9 }
    return bits
  }

  private func extendedState(_ subleaf: UInt32) -> CPUIDLeaf {
    guard decoder.contains(.xsave) else { return CPUIDLeaf() }
    let mask = validXCR0
    let size = Self.imageSize(mask)
    switch subleaf {
    case 0: return CPUIDLeaf(eax: UInt32(truncatingIfNeeded: mask), ebx: size, ecx: size, edx: 0)
    case 1:
      let eax = bits(decoder, [(0, .xsaveopt), (1, .xsavec), (3, .xsaves)] as [(UInt32, CPUFeatures)])
      return CPUIDLeaf(eax: eax, ebx: decoder.contains(.xsavec) ? Self.compactedImageSize(mask) : 0)
    case 2 where mask & 4 != 0: return CPUIDLeaf(eax: 256, ebx: 576)
    case 9 where mask & 1 << 9 != 0: return CPUIDLeaf(eax: 8, ebx: 2688)
    default: return CPUIDLeaf()
    }
  }

  /// Bytes of XSAVE's image of these components in the standard format (SDM 1 13.4.3).
  static func imageSize(_ components: UInt64) -> UInt32 {
    components & 1 << 9 != 0 ? 2696 : (components & 4 != 0 ? 832 : 576)
  }
  static func compactedImageSize(_ components: UInt64) -> UInt32 {
    576 + (components & 4 != 0 ? 256 : 0) + (components & 1 << 9 != 0 ? 8 : 0)
  }

  /// The hypervisor bit keeps Linux from looking for microcode updates, uncore counters and C-state registers; the
  /// signature is known to nobody, so that no paravirtual interface is tried.
  private func hypervisor(_ leaf: UInt32) -> CPUIDLeaf {
    guard leaf == hypervisorLeaf else { return CPUIDLeaf() }
    let signature = "InquestInqst"
    return CPUIDLeaf(
      eax: hypervisorLeaf, ebx: text(signature, 0), ecx: text(signature, 1), edx: text(signature, 2))
  }

  private func extended(_ leaf: UInt32) -> CPUIDLeaf {
    switch leaf {
    case 0x8000_0000: return CPUIDLeaf(eax: highestExtendedLeaf)
    case 0x8000_0001:
      var edx: UInt32 = 1 << 20 | 1 << 29  // NX, LM
      if decoder.contains(.syscall) { edx |= 1 << 11 }
      if features.contains(.gigabytePages) { edx |= 1 << 26 }
      if decoder.contains(.rdtscp) { edx |= 1 << 27 }
      return CPUIDLeaf(ecx: bits(decoder, extended1ECX), edx: edx)
    case 0x8000_0002, 0x8000_0003, 0x8000_0004:
      let word = Int(leaf - 0x8000_0002) * 4
      return CPUIDLeaf(
        eax: text(brand, word), ebx: text(brand, word + 1), ecx: text(brand, word + 2),
        edx: text(brand, word + 3))
    case 0x8000_0006: return CPUIDLeaf(ecx: 256 << 16 | 6 << 12 | 64)
    case 0x8000_0007: return CPUIDLeaf(edx: 1 << 8)  // invariant TSC
    case 0x8000_0008: return CPUIDLeaf(eax: (features.contains(.la57) ? 57 : 48) << 8 | 40)
    default: return CPUIDLeaf()
    }
  }
}

/// CPUID.
func cpuid(_ cpu: CPU, _ op: OpRef) -> Outcome {
  let f = cpu.f
  let number = cpu.reg(GPR.rax, UInt32.self)
  let model = cpu.model
  var leaf = model.leaf(number, cpu.reg(GPR.rcx, UInt32.self))
  switch number {
  case 1:
    // OSXSAVE mirrors CR4; the APIC bit follows IA32_APIC_BASE.
    if f.pointee.cr4 & CR4.osxsave != 0 { leaf.ecx |= 1 << 27 }
    if let base = cpu.seams.readAPICMSR(MSR.apicBase), base & 1 << 11 == 0 { leaf.edx &= ~(1 << 9) }
  case 7:
    if f.pointee.cr4 & CR4.pke != 0 { leaf.ecx |= 1 << 4 }
  case 0xD where cpu.reg(GPR.rcx, UInt32.self) == 0 && model.decoder.contains(.xsave):
    leaf.ebx = ProcessorModel.imageSize(f.pointee.xcr0)
  case 0xD where cpu.reg(GPR.rcx, UInt32.self) == 1 && model.decoder.contains(.xsavec):
    leaf.ebx = ProcessorModel.compactedImageSize(f.pointee.xcr0)
  case 0x8000_0001:
    // SYSCALL is announced in 64-bit mode alone.
    if !cpu.is64Bit { leaf.edx &= ~(1 << 11) }
  default: break
  }
  cpu.setR64(GPR.rax, UInt64(leaf.eax))
  cpu.setR64(GPR.rbx, UInt64(leaf.ebx))
  cpu.setR64(GPR.rcx, UInt64(leaf.ecx))
  cpu.setR64(GPR.rdx, UInt64(leaf.edx))
  return .next
}
