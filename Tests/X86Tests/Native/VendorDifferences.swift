import X86Core
import X86Decode

/// Where processors of different vendors, or this host's kernel, differ from the model for a reason; each with its
/// source. The model is Intel's.
enum VendorDifferences {
  /// Instructions that are not compared at all, with the reason.
  static func exclusion(_ entry: OpcodeEntry) -> String? {
    switch entry.operation {
    case .syscall, .sysenter: return "enters the host's kernel"
    case .cpuid, .rdtsc, .rdtscp, .rdrand, .rdseed, .rdpid, .rdpmc, .xgetbv, .rdpkru, .wrpkru:
      return "tells of this host, of time or of chance"
    case .sgdt, .sidt, .sldt, .str, .smsw:
      return "UMIP: the host's kernel emulates or reports them in its own way"
    case .lar, .lsl, .verr, .verw: return "depends on the host kernel's descriptor tables"
    case .xbegin, .xend, .xtest, .xabort, .monitor, .mwait: return "not in both processors"
    case .xsave, .xrstor, .xsaveopt, .xsavec, .xsaves, .xrstors: return "state components of the host differ"
    default: return nil
    }
  }

  /// Near branches with 66: in 64-bit mode Intel ignores the prefix, AMD cuts RIP to 16 bits (SDM 2A CALL, Jcc, JMP,
  /// RET; APM 3, "Near Branches in 64-Bit Mode"). The host gets a prefix that means nothing instead.
  static func replacePrefixes(_ i: Instruction, _ input: NativeInput) {
    switch i.operation {
    case .jcc, .jmp, .call, .ret, .loop, .loope, .loopne, .jcxz:
      for k in 0..<input.length {
        switch (input.code + k).load(as: UInt8.self) {
        case 0x66:
          (input.code + k).storeBytes(of: 0x3E, as: UInt8.self)
          return
        case 0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x67, 0xF0, 0xF2, 0xF3: continue
        default: return
        }
      }
    default: break
    }
  }

  /// Cases that are not compared, with the reason.
  /// - Parameter linear: of the memory operand.
  static func differs(
    _ i: Instruction, _ input: NativeInput, _ linear: UInt64, _ native: NativeOutput, _ guest: NativeOutput
  ) -> String? {
    if native.trap == 13 && guest.trap == 14 && guest.cr2 >= 0xFFFF_8000_0000_0000 {
      return "a hypervisor keeps parts of the upper half to itself"
    }
    if i.vectorLength == 256 && native.trap == 14 && guest.trap == 13 && linear < 1 << 47 && linear &+ 31 >= 1 << 47 {
      // SDM 1 3.3.7.1: every byte of an operand must be canonical; AMD's halves are accesses of their own.
      return "256 bits across the end of the canonical addresses"
    }
    switch i.operation {
    case .jmpFar, .callFar, .lss, .lfs, .lgs:
      // SDM 2A JMP, CALL, LSS: m16:64 with REX.W; APM 3 "CALL (Far)", "LxS": AMD has no such form.
      if i.operandSize == 8 { return "far pointers of 64 bits are Intel's" }
    case .int1:
      // SDM 2A INT1: a trap, so RIP is behind it; hypervisors that intercept it report RIP at it.
      return "INT1 is reported by a hypervisor in its own way"
    case .nop where i.opcode == 0x0D && !i.isMemory:
      // SDM 2B NOP, 2D table A-3: 0F 0D is a hint; APM 3 PREFETCHW: undefined with a register.
      return "0F 0D with a register is undefined on AMD"
    case .pause:
      // iced's decoder data and SDM 2B PAUSE (no REX in its opcode): PAUSE; AMD: XCHG R8, RAX.
      if (0..<input.length).contains(where: { (input.code + $0).load(as: UInt8.self) & 0xF1 == 0x41 }) {
        return "PAUSE with REX.B exchanges registers on AMD"
      }
    case .ud0, .ud1:
      // SDM 2B UD: "some older processors do not decode ModRM" of UD0; AMD fetches none of the operand.
      if guest.trap == 14 && native.trap == 6 { return "whether UD0 and UD1 fetch a memory operand's bytes" }
    case .ins, .outs:
      // SDM 2A REP: nothing is done for a count of 0; AMD checks the I/O permission first.
      if (i.rep || i.repne) && native.trap == 13 && guest.trap != 13
        && input.gpr(1) & (i.addressSize == 4 ? 0xFFFF_FFFF : .max) == 0
      {
        return "I/O permission for a repeat count of 0"
      }
    case .enter:
      // SDM 2A ENTER ends with a check that a push would be possible; whether that minds its alignment is open.
      if native.trap == 17 && guest.trap != 17 { return "#AC for the last check of ENTER" }
    case .rcpps, .rcpss, .rsqrtps, .rsqrtss, .vrcpps, .vrcpss, .vrsqrtps, .vrsqrtss:
      // SDM 2B RCPPS: "relative error … <= 1.5 * 2^-12": the value is the maker's.
      return "approximations"
    case .maskmovq, .maskmovdqu, .vmaskmovdqu:
      // SDM 2B MASKMOVDQU: faults for bytes that are masked out are implementation-dependent.
      // A fault after AMD's has entered MMX state, too.
      if native.trap != 3 || guest.trap != 3 { return "faults of masked bytes" }
    case .cvtpi2ps where i.isMemory:
      // SDM 2A CVTPI2PS: "causes a transition from x87 FPU to MMX"; AMD makes none for a memory operand.
      if guest.trap == 16
        || native.fx.load(fromByteOffset: 2, as: UInt32.self) << 8 != guest.fx.load(
          fromByteOffset: 2, as: UInt32.self) << 8
      {
        return "CVTPI2PS from memory enters MMX state on Intel"
      }
    case .sha1nexte, .sha1msg1, .sha1msg2, .sha1rnds4, .sha256msg1, .sha256msg2, .sha256rnds2:
      // SDM 2A SHA1MSG1: exceptions of type 4, so 16-byte alignment; AMD does not ask for it.
      if linear & 15 != 0 && guest.trap == 13 { return "alignment of SHA operands" }
    case .movsxd where i.operandSize == 2 && i.isMemory:
      // SDM 2B MOVSXD: r/m16 with 66; APM 3: reads 32 bits.
      if native.trap == 14 || native.trap == 17 { return "bytes that MOVSXD with 66 reads" }
    case .ldmxcsr, .vldmxcsr:
      // SDM 1 10.2.3: bits 31:16 are reserved; AMD has MXCSR.MM, bit 17.
      if guest.trap == 13 && native.fx.load(fromByteOffset: 24, as: UInt32.self) & 0x20000 != 0 {
        return "MXCSR.MM"
      }
    case .cvtps2pi, .cvttps2pi, .cvtpd2pi, .cvttpd2pi, .cvtpi2ps, .cvtpi2pd:
      // SDM 2A CVTPS2PI: the transition to MMX and #XM have no stated order; AMD's happens although #XM is raised.
      if native.trap == 19 && guest.trap == 19 { return "MMX state after an unmasked SIMD exception" }
    case .f2xm1, .fyl2xp1:
      // SDM 2A F2XM1, FYL2XP1: the result is undefined for sources out of range.
      if !isInRange(i.operation, input) { return "undefined results of F2XM1 and FYL2XP1 out of range" }
    case .fcom, .fcomp, .fcompp, .fucom, .fucomp, .fucompp, .ficom, .ficomp, .ftst, .fcomi, .fcomip, .fucomi,
      .fucomip:
      // SDM 2A FCOM, FCOMI: the condition codes are not set when the invalid operation is unmasked; AMD sets them.
      if guest.fx.load(fromByteOffset: 2, as: UInt16.self) & 0x81 == 0x81,
        guest.fx.load(as: UInt16.self) & 1 == 0
      {
        return "condition codes of a comparison with an unmasked invalid operation"
      }
    case .fst where i.isMemory, .fstp where i.isMemory, .fist, .fistp, .fisttp, .fbstp:
      // SDM 3A table 6-2 puts x87 exceptions and faults of the operand into one class.
      if [12, 13, 14, 17].contains(native.trap) && guest.rip != input.rip && native.rip == input.rip
        && guest.fx.load(fromByteOffset: 2, as: UInt16.self) & 0x80 != 0
      {
        return "an unmasked x87 exception and a fault of the same store"
      }
    case .retf:
      // AMD reads the outer stack's pointer before it looks at the selector's privilege.
      if [14, 17].contains(native.trap) && guest.trap == 13 { return "order of RETF's checks" }
    case .call where i.isMemory:
      // SDM 2A CALL looks at the target before it pushes; AMD pushes first.
      if [12, 14, 17].contains(native.trap) && guest.trap == 13 { return "order of CALL's checks" }
    case .fxsave, .fxrstor:
      // SDM 2A FXSAVE: whether #AC or #GP is raised for a bad alignment is up to the implementation.
      if native.trap == 17 && guest.trap == 13 { return "#AC or #GP for FXSAVE, FXRSTOR" }
    default: break
    }
    switch i.operation {
    case .retf, .iret, .lss, .lfs, .lgs, .fldenv, .fnstenv, .frstor, .fnsave, .fxsave, .fxrstor, .fld, .fbstp,
      .fbld, .fstp:
      // Several accesses, in an order of the maker's: which of two bad pages is reported, or whether a page fault
      // comes before the address that stops being canonical.
      if native.trap == 14
        && (guest.trap == 14 && native.cr2 != guest.cr2 || guest.trap == 13 || guest.trap == 12)
        || native.trap == 12 && guest.trap == 14
      {
        return "order of the accesses to a structure in memory"
      }
    default: break
    }
    // SDM 3A table 6-2 leaves the order of faults of one operand to the implementation.
    if linear & 15 != 0 && native.trap == 13 && guest.trap == 12 {
      return "alignment before or after the stack segment"
    }
    return nil
  }

  /// Makes equal what instructions write about the processor rather than about the program.
  static func normalize(_ i: Instruction, _ linear: UInt64, _ native: NativeOutput, _ guest: NativeOutput) {
    switch i.operation {
    case .fsin, .fcos, .fsincos, .fptan, .fpatan, .fyl2x, .fyl2xp1, .f2xm1: allowApproximation(native, guest)
    case .fcomi, .fcomip, .fucomi, .fucomip:
      // SDM 2A FCOMI: "C1: set to 0"; AMD leaves it.
      clearC1(native)
      clearC1(guest)
    default: break
    }
    guard i.operation == .fxsave else { return }
    // MXCSR_MASK: AMD has MXCSR.MM, bit 17.
    for output in [native, guest] {
      let at = Int(truncatingIfNeeded: linear &+ 28 &- NativeMap.data) - output.memoryStart
      guard at >= 0, at + 4 <= min(output.memoryLength, NativeOutput.memoryReported) else { continue }
      let mask = output.memory.loadUnaligned(fromByteOffset: at, as: UInt32.self)
      output.memory.storeBytes(of: mask & 0xFFFF, toByteOffset: at, as: UInt32.self)
    }
  }

  /// Units in the last place by which transcendental results may differ (SDM 1 8.3.10: an error below 1 ulp, on each
  /// side here).
  private static let approximation: UInt64 = 2

  /// Takes over results that differ by what two approximations may, and C1, which tells of their last rounding.
  private static func allowApproximation(_ native: NativeOutput, _ guest: NativeOutput) {
    clearC1(native)
    clearC1(guest)
    // 2^1 − 1 and log2 of a power of two are exact; AMD reports them as inexact.
    let status = (
      native.fx.load(fromByteOffset: 2, as: UInt16.self), guest.fx.load(fromByteOffset: 2, as: UInt16.self)
    )
    if status.0 & 0x20 != 0 && status.1 & 0x20 == 0 {
      // With it underflow, and ES and B when unmasked.
      guest.fx.storeBytes(of: status.1 | status.0 & 0x80B0, toByteOffset: 2, as: UInt16.self)
    }
    for r in 0..<2 {
      let a = native.fx + 32 + 16 * r
      let b = guest.fx + 32 + 16 * r
      let exponents = (
        Int(a.load(fromByteOffset: 8, as: UInt16.self)), Int(b.load(fromByteOffset: 8, as: UInt16.self))
      )
      var difference = a.load(as: UInt64.self) &- b.load(as: UInt64.self)
      // Across a power of two: 1.0 − 1 ulp and 1.0.
      if exponents.0 == exponents.1 + 1 {
        difference = (a.load(as: UInt64.self) << 1) &- b.load(as: UInt64.self)
      }
      if exponents.1 == exponents.0 + 1 {
        difference = (b.load(as: UInt64.self) << 1) &- a.load(as: UInt64.self)
      }
      if abs(exponents.0 - exponents.1) <= 1
        && (difference <= approximation || 0 &- difference <= approximation)
      {
        b.copyMemory(from: a, byteCount: 10)
      }
    }
  }

  private static func clearC1(_ output: NativeOutput) {
    let status = output.fx.load(fromByteOffset: 2, as: UInt16.self)
    output.fx.storeBytes(of: status & ~0x200, toByteOffset: 2, as: UInt16.self)
  }

  /// F2XM1: −1…1. FYL2XP1: −(1 − √½)…√2 − 1.
  private static func isInRange(_ operation: Operation, _ input: NativeInput) -> Bool {
    let significand = input.fx.load(fromByteOffset: 32, as: UInt64.self)
    let signExponent = input.fx.load(fromByteOffset: 40, as: UInt16.self)
    let exponent = Int(signExponent & 0x7FFF)
    if exponent == 0x7FFF || (exponent != 0 && significand >> 63 == 0) { return true }  // special, and exact
    if exponent == 0 { return true }
    let value = Double(
      sign: .plus, exponent: max(exponent, 0x3FFF - 200) - 0x3FFF - 63, significand: Double(significand))
    if operation == .f2xm1 { return exponent < 0x3FFF || (exponent == 0x3FFF && significand << 1 == 0) }
    return signExponent & 0x8000 != 0 ? value <= 0.2928 : value <= 0.4142
  }
}
