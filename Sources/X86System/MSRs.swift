import X86Core
import X86Decode

/// Model-specific registers by number (SDM 4, table 2-2).
public enum MSR {
  public static let timeStampCounter: UInt32 = 0x10, platformID: UInt32 = 0x17, apicBase: UInt32 = 0x1B
  public static let eblCRPowerOn: UInt32 = 0x2A, smiCount: UInt32 = 0x34, featureControl: UInt32 = 0x3A
  public static let tscAdjust: UInt32 = 0x3B, specCtrl: UInt32 = 0x48, predCmd: UInt32 = 0x49
  public static let biosUpdateTrigger: UInt32 = 0x79, biosSignID: UInt32 = 0x8B, platformInfo: UInt32 = 0xCE
  public static let mtrrCap: UInt32 = 0xFE, archCapabilities: UInt32 = 0x10A
  public static let sysenterCS: UInt32 = 0x174, sysenterESP: UInt32 = 0x175, sysenterEIP: UInt32 = 0x176
  public static let mcgCap: UInt32 = 0x179, mcgStatus: UInt32 = 0x17A, mcgCtl: UInt32 = 0x17B
  public static let miscEnable: UInt32 = 0x1A0, debugCtl: UInt32 = 0x1D9
  public static let mtrrPhysBase0: UInt32 = 0x200, mtrrFix64K: UInt32 = 0x250, mtrrFix16K80000: UInt32 = 0x258
  public static let mtrrFix16KA0000: UInt32 = 0x259, mtrrFix4KC0000: UInt32 = 0x268, pat: UInt32 = 0x277
  public static let mtrrDefType: UInt32 = 0x2FF, mc0Ctl: UInt32 = 0x400, tscDeadline: UInt32 = 0x6E0
  public static let pkrs: UInt32 = 0x6E1
  public static let x2apic: ClosedRange<UInt32> = 0x800...0x8FF, xss: UInt32 = 0xDA0
  public static let efer: UInt32 = 0xC000_0080, star: UInt32 = 0xC000_0081, lstar: UInt32 = 0xC000_0082
  public static let cstar: UInt32 = 0xC000_0083, fmask: UInt32 = 0xC000_0084, fsBase: UInt32 = 0xC000_0100
  public static let gsBase: UInt32 = 0xC000_0101, kernelGSBase: UInt32 = 0xC000_0102,
    tscAux: UInt32 = 0xC000_0103
}

/// MSRs that hold values and do nothing: a block of 64-bit words in the processor's allocation, behind `CPUFields`.
public enum MSRStore {
  static let offset = 0x1000
  static let mtrrVariableCount = 8
  // Indices of words.
  static let tscAdjust = 0
  static let specCtrl = 1
  static let debugCtl = 2
  static let mtrrDefType = 3
  static let mcgStatus = 4
  static let mcgCtl = 5
  static let microcode = 6
  static let mtrrFixed = 8  // 11 words
  static let mtrrVariable = 20  // 16 words
  static let machineCheck = 36  // 4 words a bank
  static let machineCheckBanks = 10
  /// Words in use.
  public static let count = machineCheck + 4 * machineCheckBanks
}

/// Numbers of the eleven fixed-range MTRRs in order.
private let fixedMTRRs: [UInt32] = [
  0x250, 0x258, 0x259, 0x268, 0x269, 0x26A, 0x26B, 0x26C, 0x26D, 0x26E, 0x26F,
]

/// IA32_ARCH_CAPABILITIES: this processor has none of the known leaks, so that kernels do not defend themselves.
/// RDCL_NO, IBRS_ALL, SKIP_L1DFL, SSB_NO, MDS_NO, IF_PSCHANGE_MC_NO, TAA_NO, SBDR_SSDP_NO, FBSDP_NO, PSDP_NO, BHI_NO,
/// PBRSB_NO, GDS_NO, RFDS_NO, ITS_NO. Since May 2025 (6.15 and the stable kernels of that time) Linux gives nothing on
/// BHI_NO and clears the branch history in a loop at each system call, unless there is BHI_DIS_S (`SpecCtrl.bhiDisable`).
private let archCapabilities: UInt64 =
  1 << 0 | 1 << 1 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 8 | 1 << 13 | 1 << 14 | 1 << 15 | 1 << 20 | 1
  << 24
  | 1 << 26 | 1 << 27 | 1 << 62

/// Bits of IA32_SPEC_CTRL. They are kept and do nothing: there is no speculation that they could restrict.
private enum SpecCtrl {
  static let ibrs: UInt64 = 1 << 0, stibp: UInt64 = 1 << 1, ssbd: UInt64 = 1 << 2
  /// BHI_DIS_S (CPUID.7.2:EDX.BHI_CTRL): branch history does not steer predictions in supervisor mode.
  static let bhiDisable: UInt64 = 1 << 10
  static let all = ibrs | stibp | ssbd | bhiDisable
}

extension CPU {
  /// A word of the MSR store.
  public func msrWord(_ index: Int) -> UInt64 {
    p.load(fromByteOffset: MSRStore.offset &+ index &* 8, as: UInt64.self)
  }
  public func setMSRWord(_ index: Int, _ value: UInt64) {
    p.storeBytes(of: value, toByteOffset: MSRStore.offset &+ index &* 8, as: UInt64.self)
  }

  /// Where the store keeps an MSR, if it is one that only holds a value.
  private func storeIndex(_ msr: UInt32) -> Int? {
    switch msr {
    case 0x200..<(0x200 + 2 * UInt32(MSRStore.mtrrVariableCount)):
      return MSRStore.mtrrVariable + Int(msr - 0x200)
    case 0x400..<(0x400 + 4 * UInt32(MSRStore.machineCheckBanks)):
      return MSRStore.machineCheck + Int(msr - 0x400)
    case 0x250...0x26F:
      return fixedMTRRs.firstIndex(of: msr).map { MSRStore.mtrrFixed + $0 }
    case MSR.mtrrDefType: return MSRStore.mtrrDefType
    case MSR.mcgStatus: return MSRStore.mcgStatus
    case MSR.mcgCtl: return MSRStore.mcgCtl
    case MSR.debugCtl: return MSRStore.debugCtl
    default: return nil
    }
  }

  /// Addresses in MSRs and descriptor tables have the processor's width, whatever CR4.LA57 says.
  func isCanonicalForProcessor(_ linear: UInt64) -> Bool {
    let shift: UInt64 = modelFeatures.contains(.la57) ? 7 : 16
    return UInt64(bitPattern: Int64(bitPattern: linear &<< shift) &>> Int64(shift)) == linear
  }

  private var hasSpeculationControl: Bool { modelFeatures.contains(.speculationControl) }

  /// Reads an MSR; nil when there is none of that number (#GP). Also for debuggers and dumps.
  public func readMSR(_ msr: UInt32) -> UInt64? {
    let f = f
    switch msr {
    case MSR.efer: return f.pointee.efer
    case MSR.star: return f.pointee.star
    case MSR.lstar: return f.pointee.lstar
    case MSR.cstar: return f.pointee.cstar
    case MSR.fmask: return f.pointee.sfmask
    case MSR.fsBase: return segmentBase(4)
    case MSR.gsBase: return segmentBase(5)
    case MSR.kernelGSBase: return f.pointee.kernelGSBase
    case MSR.tscAux: return f.pointee.tscAux
    case MSR.timeStampCounter: return timeStampCounter
    case MSR.tscAdjust: return msrWord(MSRStore.tscAdjust)
    case MSR.apicBase, MSR.tscDeadline, MSR.x2apic: return seams.readAPICMSR(msr)
    case MSR.sysenterCS: return f.pointee.sysenterCS
    case MSR.sysenterESP: return f.pointee.sysenterESP
    case MSR.sysenterEIP: return f.pointee.sysenterEIP
    case MSR.pat: return f.pointee.pat
    case MSR.miscEnable: return f.pointee.miscEnable
    case MSR.pkrs: return modelFeatures.contains(.pks) ? UInt64(f.pointee.pkrs) : nil
    case MSR.xss: return decoderFeatures.contains(.xsaves) ? f.pointee.xss : nil
    case MSR.mtrrCap: return 0x500 | UInt64(MSRStore.mtrrVariableCount)  // fixed ranges, WC
    case MSR.mcgCap: return 1 << 8 | UInt64(MSRStore.machineCheckBanks)
    case MSR.archCapabilities: return archCapabilities
    case MSR.specCtrl: return hasSpeculationControl ? msrWord(MSRStore.specCtrl) : nil
    case MSR.biosSignID: return msrWord(MSRStore.microcode)
    case MSR.featureControl: return 1  // locked, nothing enabled
    case MSR.platformInfo: return ProcessorClock.tscHz / 100_000_000 << 8
    case MSR.platformID, MSR.eblCRPowerOn, MSR.smiCount, 0x1DB, 0x1DC, 0x1DD, 0x1DE: return 0
    default: return storeIndex(msr).map(msrWord)
    }
  }

  /// Writes an MSR. False: #GP (not recorded), nothing changed.
  public func writeMSR(_ msr: UInt32, _ value: UInt64) -> Bool {
    let f = f
    func canonical(_ field: WritableKeyPath<CPUFields, UInt64>) -> Bool {
      guard isCanonicalForProcessor(value) else { return false }
      f.pointee[keyPath: field] = value
      return true
    }
    switch msr {
    case MSR.efer: return writeEFER(value)
    case MSR.star: f.pointee.star = value
    case MSR.lstar: return canonical(\.lstar)
    case MSR.cstar: return canonical(\.cstar)
    case MSR.fmask:
      guard value >> 32 == 0 else { return false }
      f.pointee.sfmask = value
    case MSR.fsBase, MSR.gsBase:
      guard isCanonicalForProcessor(value) else { return false }
      setSegmentBase(msr == MSR.fsBase ? 4 : 5, value)
    case MSR.kernelGSBase: return canonical(\.kernelGSBase)
    case MSR.tscAux:
      guard value >> 32 == 0 else { return false }
      f.pointee.tscAux = value
    case MSR.timeStampCounter: adjustTSC(by: value &- timeStampCounter)
    case MSR.tscAdjust: adjustTSC(by: value &- msrWord(MSRStore.tscAdjust))
    case MSR.apicBase where value & 1 << 10 != 0 && !modelFeatures.contains(.x2apic): return false  // EXTD
    case MSR.apicBase, MSR.tscDeadline, MSR.x2apic: return seams.writeAPICMSR(msr, value)
    case MSR.sysenterCS: f.pointee.sysenterCS = value & 0xFFFF_FFFF
    case MSR.sysenterESP: return canonical(\.sysenterESP)
    case MSR.sysenterEIP: return canonical(\.sysenterEIP)
    case MSR.pat:
      guard isMemoryTypes(value, isPAT: true) else { return false }
      f.pointee.pat = value
    case MSR.miscEnable: f.pointee.miscEnable = value
    case MSR.pkrs:
      guard modelFeatures.contains(.pks), value >> 32 == 0 else { return false }
      f.pointee.pkrs = UInt32(truncatingIfNeeded: value)
      clearTLBs()
    case MSR.xss:
      guard decoderFeatures.contains(.xsaves), value == 0 else { return false }
    case MSR.specCtrl:
      guard hasSpeculationControl, value & ~SpecCtrl.all == 0 else { return false }
      setMSRWord(MSRStore.specCtrl, value)
    case MSR.predCmd: return hasSpeculationControl && value & ~1 == 0
    case MSR.biosSignID, MSR.biosUpdateTrigger: break  // no microcode to update
    case MSR.mcgStatus:
      guard value == 0 else { return false }
      setMSRWord(MSRStore.mcgStatus, 0)
    case MSR.mtrrDefType:
      guard value & ~0xCFF == 0, isMemoryType(UInt8(truncatingIfNeeded: value), isPAT: false) else {
        return false
      }
      setMSRWord(MSRStore.mtrrDefType, value)
    case MSR.mtrrPhysBase0..<(MSR.mtrrPhysBase0 + 2 * UInt32(MSRStore.mtrrVariableCount)):
      let isMask = msr & 1 != 0
      let allowed = f.pointee.physicalAddressMask & ~0xFFF | (isMask ? 0x800 : 0xFF)
      guard value & ~allowed == 0, isMask || isMemoryType(UInt8(truncatingIfNeeded: value), isPAT: false)
      else {
        return false
      }
      setMSRWord(MSRStore.mtrrVariable + Int(msr - MSR.mtrrPhysBase0), value)
    case 0x250...0x26F:
      guard let index = storeIndex(msr), isMemoryTypes(value, isPAT: false) else { return false }
      setMSRWord(index, value)
    case MSR.mc0Ctl..<(MSR.mc0Ctl + 4 * UInt32(MSRStore.machineCheckBanks)):
      // All or nothing is switched on, a status can only be cleared (SDM 3B 16.3.2); addresses and miscellany are kept.
      switch msr & 3 {
      case 0: guard value == 0 || value == .max else { return false }
      case 1: guard value == 0 else { return false }
      default: break
      }
      setMSRWord(MSRStore.machineCheck + Int(msr - MSR.mc0Ctl), value)
    case MSR.mcgCtl: setMSRWord(MSRStore.mcgCtl, value)
    case MSR.debugCtl:
      guard value & ~0xDFC3 == 0 else { return false }
      setMSRWord(MSRStore.debugCtl, value)
    default: return false
    }
    return true
  }

  /// A write of the TSC or of TSC_ADJUST moves both (SDM 3B 17.17.3).
  private func adjustTSC(by delta: UInt64) {
    f.pointee.tscOffset &+= delta
    seams.timeStampOffsetChanged(f.pointee.tscOffset)
    setMSRWord(MSRStore.tscAdjust, msrWord(MSRStore.tscAdjust) &+ delta)
  }

  private func isMemoryType(_ type: UInt8, isPAT: Bool) -> Bool {
    type == 0 || type == 1 || type == 4 || type == 5 || type == 6 || isPAT && type == 7
  }
  private func isMemoryTypes(_ value: UInt64, isPAT: Bool) -> Bool {
    (0..<8).allSatisfy { isMemoryType(UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)), isPAT: isPAT) }
  }
}

/// RDMSR.
func rdmsr(_ cpu: CPU, _ op: OpRef) -> Outcome {
  guard cpu.requirePrivilege() else { return .fault }
  guard let value = cpu.readMSR(cpu.reg(GPR.rcx, UInt32.self)) else {
    return outcome(cpu.fault(Vector.gp, code: 0))
  }
  cpu.setR64(GPR.rax, value & 0xFFFF_FFFF)
  cpu.setR64(GPR.rdx, value >> 32)
  return .next
}

/// WRMSR.
func wrmsr(_ cpu: CPU, _ op: OpRef) -> Outcome {
  guard cpu.requirePrivilege() else { return .fault }
  let value = UInt64(cpu.reg(GPR.rdx, UInt32.self)) << 32 | UInt64(cpu.reg(GPR.rax, UInt32.self))
  let msr = cpu.reg(GPR.rcx, UInt32.self)
  guard cpu.writeMSR(msr, value) else { return outcome(cpu.fault(Vector.gp, code: 0)) }
  switch msr {
  case MSR.fsBase, MSR.gsBase, MSR.kernelGSBase, MSR.specCtrl, MSR.predCmd: return .next
  default: return .resume
  }
}
