/// Which of the prefixes 66, F3, F2 a row asks for. The last of F3 and F2 counts and outranks 66.
struct PrefixSet: OptionSet {
  let rawValue: UInt8
  /// None of them.
  static let np = PrefixSet(rawValue: 1)
  static let p66 = PrefixSet(rawValue: 2)
  static let f3 = PrefixSet(rawValue: 4)
  static let f2 = PrefixSet(rawValue: 8)
  /// They do not select the opcode: 66 is the operand size, F3 and F2 are REP or ignored.
  static let any: PrefixSet = [.np, .p66, .f3, .f2]
  /// 66 is the operand size, F3 and F2 are undefined.
  static let noRepeat: PrefixSet = [.np, .p66]
}

/// Code sizes in which a row is valid, a bit each.
struct ModeSet: OptionSet {
  let rawValue: UInt8
  static let bits16 = ModeSet(rawValue: 1)
  static let bits32 = ModeSet(rawValue: 2)
  static let bits64 = ModeSet(rawValue: 4)
  static let all: ModeSet = [.bits16, .bits32, .bits64]
  static let not64: ModeSet = [.bits16, .bits32]
}

/// What ModRM.mod must be.
enum ModConstraint: UInt8 {
  case any, memory, register
}

/// How the operand size follows from mode, REX.W and 66 (SDM 2D A.2.5, SDM 1 table 3-4).
enum SizeRule: UInt8 {
  /// 66 and W as usual.
  case normal
  /// 4, or 8 with W; 66 has another meaning.
  case y
  /// 8 in 64-bit mode, 2 with 66 (PUSH, POP, …).
  case default64
  /// 8 in 64-bit mode whatever is written (near branches).
  case force64
  /// As usual, but never 8 (IN, OUT, INS, OUTS).
  case atMost32
  /// 8 in 64-bit mode, else 4, whatever is written (control and debug registers, descriptor tables).
  case native
}

/// Marks of a row.
struct RowFlags: OptionSet {
  let rawValue: UInt32
  /// LOCK is allowed when the first operand is memory.
  static let lock = RowFlags(rawValue: 1 << 0)
  /// `SizeRule.default64`
  static let default64 = RowFlags(rawValue: 1 << 1)
  /// `SizeRule.force64`
  static let force64 = RowFlags(rawValue: 1 << 2)
  /// `SizeRule.atMost32`
  static let atMost32 = RowFlags(rawValue: 1 << 3)
  /// `SizeRule.native`
  static let native = RowFlags(rawValue: 1 << 4)
  /// `SizeRule.y`
  static let y = RowFlags(rawValue: 1 << 5)
  /// `SizeRule.normal` although the row has a mandatory prefix (POPCNT, CRC32, …).
  static let sized = RowFlags(rawValue: 1 << 6)
  /// Only with W = 0.
  static let w0 = RowFlags(rawValue: 1 << 7)
  /// Only with W = 1.
  static let w1 = RowFlags(rawValue: 1 << 8)
  /// Only with VEX.L = 0.
  static let l0 = RowFlags(rawValue: 1 << 9)
  /// Only with VEX.L = 1.
  static let l1 = RowFlags(rawValue: 1 << 10)
  /// ModRM.mod is taken as 3 (MOV CRn, MOV DRn).
  static let modIgnored = RowFlags(rawValue: 1 << 11)
  /// Only without REX.B (NOP, which shares 90 with XCHG R8, RAX).
  static let noRexB = RowFlags(rawValue: 1 << 13)
  /// The index register is a vector.
  static let vsib = RowFlags(rawValue: 1 << 14)
  /// VEX.vvvv is an operand. Derived.
  static let vvvv = RowFlags(rawValue: 1 << 15)
  /// The row needs more than its feature, mode and slot to match. Derived.
  static let conditional = RowFlags(rawValue: 1 << 17)
}

/// What follows ModRM and displacement.
enum ImmediateForm: UInt8 {
  case none, ib, ibs, iw, iz, iv, iwib, ap, moffs, is4
}

/// One row of the opcode table, as the decoder reads it: a plain value in raw memory.
struct OpcodeRow {
  var features: UInt64 = 0
  var flags: RowFlags = []
  var operation: Operation = .invalid
  /// Bit n: ModRM.reg (with REX.R) may be n.
  var registers: UInt16 = 0xFFFF
  var operands: (OperandKind, OperandKind, OperandKind, OperandKind) = (.none, .none, .none, .none)
  /// 1: 16-bit, 2: 32-bit, 4: 64-bit code.
  var modes: UInt8 = 7
  /// ModRM.rm that it must be, 8 for any.
  var rm: UInt8 = 8
  var sizeRule: SizeRule = .normal
  var immediate: ImmediateForm = .none
  /// Whether the slot's prefix belongs to the opcode.
  var prefixSelects = false
}
