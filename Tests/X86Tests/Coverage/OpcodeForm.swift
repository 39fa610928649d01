import X86Decode

/// A row of the opcode table in one code size, with one operand size, its E operand in a register or in memory: what
/// coverage is counted by.
struct OpcodeForm: Hashable, CustomStringConvertible {
  var row: Int
  var codeSize: CodeSize
  var operandSize: UInt8
  var isMemory: Bool
  /// 0: none, 1: 66, 2: F3, 3: F2 as part of the opcode.
  var mandatory: UInt8
  /// VEX.L
  var isLong: Bool

  private var entry: OpcodeEntry { OpcodeEntry.all[row] }

  var description: String {
    let map = ["", "0F ", "0F38 ", "0F3A "][Int(entry.map)]
    let prefix = ["", "66 ", "F3 ", "F2 "][Int(mandatory)]
    var text = (entry.isVEX ? "VEX " : "") + prefix + map + String(entry.opcode, radix: 16, uppercase: true)
    if let reg = entry.reg { text += "/\(reg)" }
    text += " \(entry.operation)"
    if entry.hasModRM { text += isMemory ? " mem" : " reg" }
    return text + ", \(codeSize.rawValue * 8)-bit code, operand size \(operandSize * 8)\(isLong ? ", L" : "")"
  }

  /// All forms of a row that its bytes can express, each with an encoding: memory operands at [rBX] ([BX] in 16-bit code),
  /// immediates and displacements zero.
  static func all(of entry: OpcodeEntry, features: CPUFeatures) -> [(form: OpcodeForm, bytes: [UInt8])] {
    var found: [(OpcodeForm, [UInt8])] = []
    var seen: Set<OpcodeForm> = []
    for codeSize in [CodeSize.bits16, .bits32, .bits64] {
      for draft in drafts(of: entry, codeSize) {
        var instruction = Instruction()
        let padded = draft.bytes + [UInt8](repeating: 0, count: 15)
        guard
          decode(padded, available: 15, codeSize: codeSize, features: features, into: &instruction) == .ok,
          Int(instruction.row) == entry.row
        else { continue }
        let form = OpcodeForm(
          row: entry.row, codeSize: codeSize, operandSize: instruction.operandSize, isMemory: instruction.isMemory,
          mandatory: draft.mandatory, isLong: draft.isLong)
        if seen.insert(form).inserted { found.append((form, Array(padded.prefix(Int(instruction.length))))) }
      }
    }
    return found
  }

  private struct Draft {
    var bytes: [UInt8]
    var mandatory: UInt8
    var isLong: Bool
  }

  private static func drafts(of entry: OpcodeEntry, _ codeSize: CodeSize) -> [Draft] {
    var result: [Draft] = []
    for mandatory in UInt8(0)..<4 where !entry.prefixSelects ? mandatory == 0 : entry.prefixes >> mandatory & 1 != 0 {
      for bits in 0..<8 {
        let has66 = bits & 1 != 0
        let w = bits & 2 != 0
        let l = bits & 4 != 0
        if w && codeSize != .bits64 && !entry.isVEX || has66 && entry.isVEX || l && !entry.isVEX { continue }
        var bytes: [UInt8] = []
        if entry.isVEX {
          if codeSize == .bits16 { continue }
          // No register is extended, vvvv names register 0.
          bytes = [0xC4, 0xE0 | entry.map, (w ? 0x80 : 0) | 0x78 | (l ? 4 : 0) | mandatory]
        } else {
          if has66 || mandatory == 1 { bytes.append(0x66) }
          if mandatory >= 2 { bytes.append(mandatory == 2 ? 0xF3 : 0xF2) }
          if w { bytes.append(0x48) }
          bytes += [[], [0x0F], [0x0F, 0x38], [0x0F, 0x3A]][Int(entry.map)]
        }
        bytes.append(entry.opcode)
        guard entry.hasModRM else {
          result.append(Draft(bytes: bytes, mandatory: mandatory, isLong: l))
          if codeSize == .bits64 && !entry.isVEX && !w {
            // REX.B: XCHG r8, rAX, which is no NOP.
            result.append(Draft(bytes: bytes.dropLast() + [0x41, entry.opcode], mandatory: mandatory, isLong: l))
          }
          continue
        }
        let register = entry.reg ?? (entry.operands.contains { [.cd, .dd, .sw].contains($0) } ? 0 : 1)
        let usesVSIB = entry.operands.contains { $0 == .vmd || $0 == .vmq }
        if entry.allowsMemory {
          let rm: UInt8 = usesVSIB ? 4 : codeSize == .bits16 ? 7 : 3
          let memory = bytes + [register << 3 | rm] + (usesVSIB ? [0x13] : [])
          result.append(Draft(bytes: memory, mandatory: mandatory, isLong: l))
        }
        if entry.allowsRegister {
          let rm = entry.rm ?? 2
          result.append(Draft(bytes: bytes + [0xC0 | register << 3 | rm], mandatory: mandatory, isLong: l))
        }
      }
    }
    return result
  }
}
