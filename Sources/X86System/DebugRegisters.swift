import X86Core

/// Bits of DR6 (SDM 3B 17.2.3).
public enum DR6 {
  public static let b0: UInt64 = 1, bd: UInt64 = 1 << 13, bs: UInt64 = 1 << 14, bt: UInt64 = 1 << 15
  /// What reads as one.
  public static let fixed: UInt64 = 0xFFFF_0FF0
}

/// Bits of DR7 (SDM 3B 17.2.4).
public enum DR7 {
  public static let gd: UInt64 = 1 << 13
  /// Enables of the four breakpoints.
  public static let enables: UInt64 = 0xFF
}

extension CPU {
  /// The register that a number names, DR4 and DR5 resolved; nil with #UD or #DB recorded.
  fileprivate func debugRegister(_ number: UInt8) -> UInt8? {
    guard requirePrivilege() else { return nil }
    var number = number
    if number == 4 || number == 5 {
      guard f.pointee.cr4 & CR4.de == 0 else {
        fault(Vector.ud)
        return nil
      }
      number += 2
    }
    guard number < 8 else {
      fault(Vector.ud)
      return nil
    }
    if f.pointee.dr7 & DR7.gd != 0 {
      f.pointee.dr6 |= DR6.bd
      fault(Vector.db)
      return nil
    }
    return number
  }
}

/// MOV r, DRn.
func movFromDebug(_ cpu: CPU, _ op: OpRef) -> Outcome {
  let f = cpu.f
  guard let number = cpu.debugRegister(op.d) else { return .fault }
  let value: UInt64
  switch number {
  case 0: value = f.pointee.dr.0
  case 1: value = f.pointee.dr.1
  case 2: value = f.pointee.dr.2
  case 3: value = f.pointee.dr.3
  case 6: value = f.pointee.dr6
  default: value = f.pointee.dr7
  }
  cpu.setRegister(op.s, size: cpu.is64Bit ? 8 : 4, value)
  return .next
}

/// MOV DRn, r.
func movToDebug(_ cpu: CPU, _ op: OpRef) -> Outcome {
  let f = cpu.f
  guard let number = cpu.debugRegister(op.d) else { return .fault }
  let value = cpu.register(op.s, size: cpu.is64Bit ? 8 : 4)
  switch number {
  case 0: f.pointee.dr.0 = value
  case 1: f.pointee.dr.1 = value
  case 2: f.pointee.dr.2 = value
  case 3: f.pointee.dr.3 = value
  default:
    guard value >> 32 == 0 else { return outcome(cpu.fault(Vector.gp, code: 0)) }
    if number == 6 {
      f.pointee.dr6 = value & (0xF | DR6.bd | DR6.bs | DR6.bt) | DR6.fixed
    } else {
      f.pointee.dr7 = value & 0xFFFF_23FF | 0x400
    }
  }
  // Breakpoints are met by the driver.
  return .resume
}
