/// What an 80286 does in another way than the processors after it (SDM 3B chapter 23, "Architecture compatibility"). Each
/// case says exactly what may be different then; anything else fails.
enum RealModeDifference: String, CaseIterable {
  /// SDM 3B 23.35: from the 80386 on LOCK raises #UD except before certain instructions with a memory operand.
  case lock = "LOCK before an instruction that it may not precede is #UD"
  /// SDM 3B 23.24: 10 bytes on the 80286, 15 later.
  case length = "an instruction may be longer than 10 bytes"
  /// FS and GS came with the 80386 (SDM 3B 23.13).
  case moreSegments = "FS and GS can be named"
  /// SDM 3B 23.32: a stack operand beyond the limit is interrupt 12, not 13.
  case stackLimit = "an operand in SS beyond the limit is #SS"
  /// The 80286 has moved SI, DI and CX when the operand of a string instruction faults; later ones restart it.
  case stringIndex = "a string instruction that faults leaves its registers"
  /// SDM 2B RCL: "the OF flag is undefined for other rotate counts" than 1; on the 80286 as well.
  case rotateOverflow = "OF after RCL, RCR by more than one bit is undefined"

  /// The difference that explains an outcome; nil when none does.
  init?(_ opcode: String, _ test: MOOFile.Case, _ outcome: RealModeMachine.Outcome) {
    let prefixes = test.bytes.prefix { Self.prefixes.contains($0) }
    let rest = Array(test.bytes.dropFirst(prefixes.count))
    let modRM = rest.count > 1 ? rest[1] : 0
    // HLT follows the instruction.
    let length = test.bytes.count - 1
    switch (test.exception, outcome.exception) {
    case (_, 6) where prefixes.contains(0xF0) && (!Self.lockable.contains(opcode) || modRM >= 0xC0): self = .lock
    case (13, nil) where length > 10: self = .length
    case (6, nil) where ["8C", "8E"].contains(opcode) && [4, 5].contains(modRM >> 3 & 7): self = .moreSegments
    case (13, 12): self = .stackLimit
    case (13, 13)
    where Self.strings.contains(opcode) && outcome.registers.isSubset(of: [.si, .di, .cx]) && outcome.addresses.isEmpty:
      self = .stringIndex
    case (nil, nil)
    where Self.rotates.contains(opcode) && outcome.registers == [.flags] && outcome.flags == 0x800
      && outcome.addresses.isEmpty:
      self = .rotateOverflow
    default: return nil
    }
  }

  /// Segment overrides, LOCK, REPNE, REP.
  private static let prefixes: Set<UInt8> = [0x26, 0x2E, 0x36, 0x3E, 0xF0, 0xF2, 0xF3]
  private static let strings: Set<String> = [
    "6C", "6D", "6E", "6F", "A4", "A5", "A6", "A7", "AA", "AB", "AC", "AD", "AE", "AF",
  ]
  /// RCL and RCR by an immediate or CL.
  private static let rotates: Set<String> = ["C0.2", "C0.3", "C1.2", "C1.3", "D2.2", "D2.3", "D3.2", "D3.3"]
  /// Opcodes that LOCK may precede when they write to memory (SDM 2A LOCK).
  private static let lockable: Set<String> = [
    "00", "01", "08", "09", "10", "11", "18", "19", "20", "21", "28", "29", "30", "31", "86", "87",
    "80.0", "80.1", "80.2", "80.3", "80.4", "80.5", "80.6", "81.0", "81.1", "81.2", "81.3", "81.4", "81.5", "81.6",
    "82.0", "82.1", "82.2", "82.3", "82.4", "82.5", "82.6", "83.0", "83.1", "83.2", "83.3", "83.4", "83.5", "83.6",
    "F6.2", "F6.3", "F7.2", "F7.3", "FE.0", "FE.1", "FF.0", "FF.1",
  ]
}
