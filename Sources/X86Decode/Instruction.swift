/// How the code segment makes the processor read code: CS.L and CS.D (SDM 3A 5.2.1).
public enum CodeSize: UInt8, Sendable {
  case bits16 = 2
  case bits32 = 4
  case bits64 = 8
}

/// A segment register, in the encoding's order (SDM 2B, table B-8).
public enum Segment: UInt8, Sendable {
  case es, cs, ss, ds, fs, gs
}

/// One decoded instruction: what the bytes say, nothing of what it does. A plain value.
public struct Instruction {
  /// No base or no index register.
  public static let noRegister: UInt8 = 16

  /// What it does. A mnemonic in lower case; conditional families are one operation each (`jcc`, `setcc`, `cmovcc`).
  public var operation: Operation = .invalid
  /// Bytes, 1...15.
  public var length: UInt8 = 0
  public var codeSize: CodeSize = .bits64
  /// 2, 4 or 8, with 66, REX.W, defaults and forced 64 bits applied. Byte forms are told by their operands.
  public var operandSize: UInt8 = 4
  /// 2, 4 or 8.
  public var addressSize: UInt8 = 8
  /// Of the memory operand, defaults and overrides applied (in 64-bit mode es, cs, ss, ds overrides are dropped).
  public var segment: Segment = .ds
  /// The override as written, nil without one.
  public var segmentOverride: Segment?
  public var lock = false
  /// F3 as a prefix (REP, REPE), not as part of the opcode.
  public var rep = false
  /// F2 as a prefix (REPNE), not as part of the opcode.
  public var repne = false
  /// Whether any REX prefix is in force: then byte registers 4–7 are SPL, BPL, SIL, DIL.
  public var hasREX = false
  /// Width of a VEX vector in bits, 0 without VEX.
  public var vectorLength: UInt16 = 0
  /// VEX.vvvv as a register number.
  public var vvvv: UInt8 = 0
  /// 0: one byte, 1: 0F, 2: 0F38, 3: 0F3A.
  public var map: UInt8 = 0
  public var opcode: UInt8 = 0
  /// 0: none, 1: 66, 2: F3, 3: F2 where it selects the opcode.
  public var mandatoryPrefix: UInt8 = 0
  public var hasModRM = false
  /// ModRM.mod
  public var mod: UInt8 = 3
  /// ModRM.reg with REX.R.
  public var reg: UInt8 = 0
  /// ModRM.rm with REX.B (a register only when `isMemory` is false), or the register in the opcode's low bits.
  public var rm: UInt8 = 0
  /// Whether the E operand (ModRM.rm) is memory. False for moffs and for implied memory ([rSI], [rDI], …).
  public var isMemory = false
  /// Register number or `noRegister`.
  public var base: UInt8 = noRegister
  /// Register number or `noRegister`.
  public var index: UInt8 = noRegister
  /// 0...3
  public var scale: UInt8 = 0
  /// The displacement is relative to the next instruction.
  public var isRIPRelative = false
  /// Sign-extended; the full 64-bit offset for moffs.
  public var displacement: Int64 = 0
  /// First immediate, extended as the operand kind says; the relative offset of near branches; the offset of far pointers.
  public var immediate: Int64 = 0
  /// Second immediate: ENTER's level, the far pointer's selector, the second immediate of EXTRQ-like forms.
  public var immediate2: UInt16 = 0
  /// The table's operand kinds, in Intel's order.
  public var operands: (OperandKind, OperandKind, OperandKind, OperandKind) = (.none, .none, .none, .none)
  /// The row of the opcode table.
  public var row: UInt16 = 0

  public init() {}

  /// The condition in the opcode's low bits, for jcc, setcc, cmovcc (SDM 2D, B.1.4.7).
  public var condition: UInt8 { opcode & 15 }
}
