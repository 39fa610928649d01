/// A row of the opcode table as a value, for tests and tools that go through all instructions.
public struct OpcodeEntry: Sendable {
  /// `Instruction.row` of what it decodes.
  public var row: Int
  /// 0: one byte, 1: 0F, 2: 0F38, 3: 0F3A.
  public var map: UInt8
  public var opcode: UInt8
  public var isVEX: Bool
  /// Bit 0: may come without 66, F3, F2; 1: with 66; 2: with F3; 3: with F2.
  public var prefixes: UInt8
  /// Whether those prefixes belong to the opcode (else 66 is the operand size, F3 and F2 are REP or ignored).
  public var prefixSelects: Bool
  public var hasModRM: Bool
  /// ModRM.reg as part of the opcode.
  public var reg: UInt8?
  /// ModRM.rm as part of the opcode.
  public var rm: UInt8?
  public var allowsMemory: Bool
  public var allowsRegister: Bool
  public var operation: Operation
  public var operands: [OperandKind]
  public var features: CPUFeatures
  public var isValidIn64BitMode: Bool
  /// Valid in 16- or 32-bit code.
  public var isValidInLegacyModes: Bool
  /// LOCK is allowed when the first operand is memory.
  public var allowsLock: Bool
  /// What REX.W or VEX.W must be; nil for any.
  public var w: Bool?
  /// What VEX.L must be; nil for any.
  public var l: Bool?

  /// All rows, in the table's order.
  public static let all: [OpcodeEntry] = {
    OpcodeTable.definitions().enumerated().map { number, definition in
      let row = definition.row
      let operands = [row.operands.0, row.operands.1, row.operands.2, row.operands.3]
      return OpcodeEntry(
        row: number, map: definition.map.rawValue & 3, opcode: definition.opcode,
        isVEX: definition.map.rawValue > OpcodeMap.map0F3A.rawValue, prefixes: definition.prefixes.rawValue,
        prefixSelects: row.prefixSelects, hasModRM: definition.hasModRM, reg: definition.reg,
        rm: row.rm == 8 ? nil : row.rm,
        allowsMemory: definition.hasModRM && definition.mod != .register && !row.flags.contains(.modIgnored),
        allowsRegister: definition.hasModRM && definition.mod != .memory, operation: row.operation,
        operands: operands.filter { $0 != .none }, features: CPUFeatures(rawValue: row.features),
        isValidIn64BitMode: row.modes & ModeSet.bits64.rawValue != 0,
        isValidInLegacyModes: row.modes & ModeSet.not64.rawValue != 0,
        allowsLock: row.flags.contains(.lock),
        w: row.flags.contains(.w1) ? true : row.flags.contains(.w0) ? false : nil,
        l: row.flags.contains(.l1) ? true : row.flags.contains(.l0) ? false : nil)
    }
  }()
}
