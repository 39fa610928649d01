import X86Core
import X86Float

// Instructions on the control and status words (SDM 1 8.3.12).

extension FPU {
  /// FLDCW. Unmasking an exception whose flag is set makes it pending.
  func loadControl(_ op: OpRef) -> Bool {
    guard let word = cpu.readM(op, UInt16.self) else { return false }
    setControlWord(word)
    return true
  }

  /// FNSTCW.
  func storeControl(_ op: OpRef) -> Bool { cpu.writeM(op, control) }

  /// FNSTSW m16.
  func storeStatus(_ op: OpRef) -> Bool { cpu.writeM(op, statusWord) }

  /// FNSTSW AX.
  func storeStatusToAX() -> Bool {
    cpu.setReg(GPR.rax, statusWord)
    return true
  }

  /// FNCLEX: exception flags, SF, ES and B. The condition codes (undefined) stay.
  func clearExceptions() -> Bool {
    fields.pointee.x87Status &= ~(X87.flags | X87.sf | X87.es | X87.busy)
    return true
  }
}
