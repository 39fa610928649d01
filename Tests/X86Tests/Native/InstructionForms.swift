import X86Decode

/// SplitMix64, the source of all that is random in the cases.
struct CaseGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
  /// 0..<n, n at most 2^32.
  mutating func below(_ n: UInt64) -> UInt64 { ((next() >> 32) &* n) >> 32 }
  /// True in `percent` of 100 cases.
  mutating func chance(_ percent: UInt64) -> Bool { below(100) < percent }
  mutating func pick<T>(_ values: [T]) -> T { values[Int(below(UInt64(values.count)))] }
}

/// A row of the opcode table in one operand size, with its E operand in a register or in memory, and with or without
/// LOCK or REP: what cases are counted by.
struct InstructionForm {
  enum Size: String, CaseIterable {
    case usual = ""
    case small = "66 "
    case wide = "W "
  }
  enum Prefix: String {
    case none = ""
    case lock = "lock "
    case rep = "rep "
    case repne = "repne "
  }

  var entry: OpcodeEntry
  /// 0: none, 1: 66, 2: F3, 3: F2 as part of the opcode.
  var mandatory: UInt8
  var size: Size
  var isMemory: Bool
  var prefix: Prefix

  var name: String {
    let map = ["", "0F ", "0F38 ", "0F3A "][Int(entry.map)]
    let opcode = String(entry.opcode, radix: 16, uppercase: true)
    let mandatoryName = ["", "66 ", "F3 ", "F2 "][Int(mandatory)]
    return (entry.isVEX ? "VEX " : "") + prefix.rawValue + mandatoryName + size.rawValue + map + opcode
      + (entry.reg.map { "/\($0)" } ?? "") + (entry.rm.map { ".\($0)" } ?? "") + " \(entry.operation)"
      + (entry.hasModRM ? (isMemory ? " mem" : " reg") : "")
  }

  /// All forms of a row in 64-bit mode.
  static func all(of entry: OpcodeEntry) -> [InstructionForm] {
    var forms: [InstructionForm] = []
    let mandatories: [UInt8] = entry.prefixSelects ? (0..<4).filter { entry.prefixes >> $0 & 1 != 0 } : [0]
    for mandatory in mandatories {
      for size in Size.allCases {
        if size == .small && (mandatory == 1 || entry.isVEX) { continue }
        if let w = entry.w, w != (size == .wide) { continue }
        for memory in [false, true] {
          if entry.hasModRM ? !(memory ? entry.allowsMemory : entry.allowsRegister) : memory { continue }
          var prefixes: [Prefix] = [.none]
          if memory && entry.allowsLock { prefixes.append(.lock) }
          if entry.isString { prefixes += [.rep, .repne] }
          for prefix in prefixes {
            forms.append(
              InstructionForm(
                entry: entry, mandatory: mandatory, size: size, isMemory: memory, prefix: prefix))
          }
        }
      }
    }
    return forms
  }
}

/// The parts of the instruction set that are tested apart.
enum InstructionFamily: String, CaseIterable {
  case integer, vector, avx, x87

  init(_ entry: OpcodeEntry) {
    if entry.map == 0 && (entry.opcode & 0xF8 == 0xD8 || entry.operation == .wait) {
      self = .x87
    } else if entry.operands.contains(where: { Self.vectorKinds.contains($0) })
      || [.emms, .ldmxcsr, .stmxcsr, .fxsave, .fxrstor].contains(entry.operation)
    {
      self = entry.isVEX ? .avx : .vector
    } else if entry.isVEX && [.vzeroupper, .vzeroall, .vldmxcsr, .vstmxcsr].contains(entry.operation) {
      self = .avx
    } else {
      self = .integer
    }
  }

  private static let vectorKinds: Set<OperandKind> = [
    .pq, .qq, .qd, .nq, .vdq, .vx, .vqq, .ww, .wb, .wd, .wq, .wdq, .wqq, .wx, .udq, .ux,
  ]
}

extension OpcodeEntry {
  var isMMX: Bool {
    operation == .emms || operation == .fxsave || operands.contains { [.pq, .qq, .qd, .nq].contains($0) }
  }
  var isString: Bool {
    operands.contains { [.xb, .xv, .yb, .yv].contains($0) }
  }
}

/// An instruction's bytes, and what they decode to.
struct EncodedInstruction {
  var bytes: [UInt8] = []
  var instruction = Instruction()
  /// Linear address of the memory operand.
  var linear: UInt64 = 0
}

extension InstructionForm {
  /// Draws an encoding that decodes to this form's row; nil when none of several does.
  /// - Parameters:
  ///   - rip: where it will lie; `target` is what RIP-relative and absolute operands shall reach.
  func encode(
    _ g: inout CaseGenerator, rip: UInt64, target: UInt64, features: CPUFeatures
  ) -> EncodedInstruction? {
    for _ in 0..<16 {
      guard var draft = draw(&g, target: target) else { continue }
      var result = EncodedInstruction()
      let padded = draft.bytes + [UInt8](repeating: 0xCC, count: 15)
      let status = decode(
        padded, available: 15, codeSize: .bits64, features: features, into: &result.instruction)
      guard status == .ok, Int(result.instruction.row) == entry.row,
        Int(result.instruction.length) == draft.bytes.count, result.instruction.isMemory == isMemory
      else { continue }
      if let at = draft.ripRelativeAt {
        let displacement = UInt32(
          truncatingIfNeeded: target &- rip &- UInt64(draft.bytes.count))
        for i in 0..<4 { draft.bytes[at + i] = UInt8(truncatingIfNeeded: displacement >> UInt32(8 * i)) }
        result.instruction.displacement = Int64(Int32(bitPattern: displacement))
      }
      result.bytes = draft.bytes
      return result
    }
    return nil
  }

  private struct Draft {
    var bytes: [UInt8] = []
    var ripRelativeAt: Int?
  }

  private func draw(_ g: inout CaseGenerator, target: UInt64) -> Draft? {
    var draft = Draft()
    let usesByteRegister = entry.operands.contains { [.eb, .gb, .zb].contains($0) }

    // Prefixes, in any order.
    var prefixes: [UInt8] = []
    if size == .small || (mandatory == 1 && !entry.isVEX) { prefixes.append(0x66) }
    if isMemory || entry.isString || entry.operation == .xlat || entry.operands.contains(.ob)
      || entry.operands.contains(.ov)
    {
      if g.chance(10) { prefixes.append(0x67) }
      if g.chance(15) { prefixes.append(g.pick([0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x64, 0x65])) }
    } else if [.loop, .loope, .loopne, .jcxz].contains(entry.operation), g.chance(30) {
      prefixes.append(0x67)
    }
    switch prefix {
    case .none: break
    case .lock: prefixes.append(0xF0)
    case .rep: prefixes.append(0xF3)
    case .repne: prefixes.append(0xF2)
    }
    if mandatory == 2 && !entry.isVEX { prefixes.append(0xF3) }
    if mandatory == 3 && !entry.isVEX { prefixes.append(0xF2) }
    for i in prefixes.indices.dropFirst() { prefixes.swapAt(i, Int(g.below(UInt64(i + 1)))) }
    draft.bytes = prefixes

    // REX or VEX.
    var rex: UInt8 = size == .wide ? 8 : 0
    let plain = g.chance(usesByteRegister ? 50 : 30)
    if !plain { rex |= UInt8(g.below(8)) }
    let hasREX = rex != 0 || (!plain && g.chance(20)) || (usesByteRegister && !plain)
    if entry.isVEX {
      let vvvv = entry.operands.contains { $0.usesVvvv } ? UInt8(g.below(16)) : 0
      let l: UInt8 = (entry.l ?? g.chance(50)) ? 4 : 0
      let pp: UInt8 = mandatory
      draft.bytes.append(0xC4)
      draft.bytes.append((~rex & 7) << 5 | entry.map)
      draft.bytes.append((rex & 8) << 4 | (~vvvv & 15) << 3 | l | pp)
    } else {
      if hasREX { draft.bytes.append(0x40 | rex) }
      switch entry.map {
      case 1: draft.bytes.append(0x0F)
      case 2: draft.bytes += [0x0F, 0x38]
      case 3: draft.bytes += [0x0F, 0x3A]
      default: break
      }
    }
    draft.bytes.append(entry.opcode)

    if entry.hasModRM {
      let reg = entry.reg ?? UInt8(g.below(8))
      if isMemory {
        appendMemory(&g, &draft, reg: reg << 3, target: target)
      } else {
        draft.bytes.append(0xC0 | reg << 3 | (entry.rm ?? UInt8(g.below(8))))
      }
    }
    appendImmediates(&g, &draft, target: target, hasW: rex & 8 != 0, has67: prefixes.contains(0x67))
    return draft.bytes.count <= 15 ? draft : nil
  }

  /// ModRM, SIB and displacement, each addressing form of SDM 2A tables 2-2 and 2-3.
  private func appendMemory(_ g: inout CaseGenerator, _ draft: inout Draft, reg: UInt8, target: UInt64) {
    let mod = UInt8(g.below(3)) << 6
    switch g.below(8) {
    case 0:
      // RIP-relative; the displacement is filled in when the length is known.
      draft.bytes.append(reg | 5)
      draft.ripRelativeAt = draft.bytes.count
      draft.bytes += [0, 0, 0, 0]
      return
    case 1:
      // SIB without base: index × scale + disp32, or disp32 alone.
      draft.bytes.append(reg | 4)
      let alone = g.chance(50)
      draft.bytes.append(UInt8(g.below(4)) << 6 | (alone ? 4 : UInt8(g.below(8))) << 3 | 5)
      append32(&draft, alone ? UInt32(truncatingIfNeeded: target) : UInt32(truncatingIfNeeded: g.next()))
      return
    case 2, 3, 4:
      draft.bytes.append(mod | reg | 4)
      let base = UInt8(g.below(8))
      draft.bytes.append(UInt8(g.below(4)) << 6 | UInt8(g.below(8)) << 3 | base)
      if mod == 0 && base == 5 { append32(&draft, UInt32(truncatingIfNeeded: target &- g.below(4096))) }
    default:
      var rm = UInt8(g.below(8))
      if rm == 4 || (rm == 5 && mod == 0) { rm = 3 }
      draft.bytes.append(mod | reg | rm)
    }
    if mod == 0x40 { draft.bytes.append(UInt8(truncatingIfNeeded: g.next())) }
    if mod == 0x80 {
      append32(&draft, UInt32(truncatingIfNeeded: g.chance(50) ? g.next() : g.below(64) &- 32))
    }
  }

  private func append32(_ draft: inout Draft, _ value: UInt32) {
    for i in 0..<4 { draft.bytes.append(UInt8(truncatingIfNeeded: value >> UInt32(8 * i))) }
  }
  private func append(_ draft: inout Draft, _ value: UInt64, _ count: Int) {
    for i in 0..<count { draft.bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * i))) }
  }

  private func appendImmediates(
    _ g: inout CaseGenerator, _ draft: inout Draft, target: UInt64, hasW: Bool, has67: Bool
  ) {
    let smallSize = size == .small && !hasW
    for operand in entry.operands {
      switch operand {
      case .ib:
        var value = UInt8(truncatingIfNeeded: g.chance(50) ? g.next() : interestingInteger(&g))
        // INT 80 is a system call.
        if entry.operation == .int && value == 0x80 { value = 0x81 }
        draft.bytes.append(value)
      case .lx: draft.bytes.append(UInt8(truncatingIfNeeded: g.next()))
      case .ibs, .ib2: draft.bytes.append(UInt8(truncatingIfNeeded: interestingInteger(&g)))
      case .iw: append(&draft, g.chance(60) ? g.below(64) : interestingInteger(&g), 2)
      case .iz: append(&draft, interestingInteger(&g), smallSize ? 2 : 4)
      case .iv: append(&draft, interestingInteger(&g), hasW ? 8 : smallSize ? 2 : 4)
      case .jb:
        // Not into itself, where the helper would go on executing.
        draft.bytes.append(UInt8(truncatingIfNeeded: g.chance(50) ? 1 + g.below(127) : 0x80 + g.below(0x70)))
      case .jz:
        // In 64-bit mode near branches have 32-bit displacements whatever 66 says (Intel); see the vendor table.
        append(
          &draft, g.chance(70) ? 1 + g.below(0x400) : g.chance(50) ? 0 &- (32 + g.below(0x400)) : g.next(), 4)
      case .ob, .ov: append(&draft, target, has67 ? 4 : 8)
      default: break
      }
    }
  }
}

/// Integers that are near some edge, half of the time.
func interestingInteger(_ g: inout CaseGenerator) -> UInt64 {
  switch g.below(8) {
  case 0, 1:
    return g.pick([
      0, 1, 2, 3, 0x0F, 0x10, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFF_FFFF,
      0x8000_0000,
      0xFFFF_FFFF, 0x1_0000_0000, 0x7FFF_FFFF_FFFF_FFFF, 0x8000_0000_0000_0000, 0xFFFF_FFFF_FFFF_FFFF,
      0xFFFF_FFFF_FFFF_FF80, 0xFFFF_FFFF_FFFF_8000, 0xFFFF_FFFF_8000_0000, 0x8000_8000_8000_8080,
      0x7F7F_7FFF_7FFF_7F7F,
    ])
  case 2: return g.below(128) &- 64
  case 3: return 1 << g.below(64)
  case 4: return ~(1 << g.below(64))
  case 5: return g.next() >> g.below(64)
  default: return g.next()
  }
}
