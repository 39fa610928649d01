import X86Core
import X86Float

/// The x87 environment in memory: four layouts, by operand size and mode (SDM 1 8.1.10, figures 8-9 to 8-12).
///
/// Protected mode stores selectors and offsets; real and virtual-8086 mode one linear address each for instruction and
/// operand, and the opcode. 64-bit mode uses the 32-bit protected layout: the upper halves of the pointers are lost.
struct Environment {
  var control: UInt16 = 0
  var status: UInt16 = 0
  var tag: UInt16 = 0
  var instructionPointer: UInt32 = 0
  var instructionSelector: UInt16 = 0
  var opcode: UInt16 = 0
  var dataPointer: UInt32 = 0
  var dataSelector: UInt16 = 0
}

/// Which of the four layouts.
struct EnvironmentLayout {
  /// Operand size 2: words, else doublewords.
  var isWide: Bool
  /// Real-address or virtual-8086 mode.
  var isReal: Bool

  /// Bytes of the environment.
  var size: Int { isWide ? 28 : 14 }
  /// Bytes of a field.
  var step: Int { isWide ? 4 : 2 }
}

extension Environment {
  /// The seven fields as they lie in memory; of each only `layout.step` bytes are stored. Reserved upper halves of the
  /// 32-bit layouts are all ones, as processors store them.
  func words(_ layout: EnvironmentLayout) -> [UInt32] {
    let reserved: UInt32 = 0xFFFF_0000
    let head = [reserved | UInt32(control), reserved | UInt32(status), reserved | UInt32(tag)]
    guard layout.isReal else {
      let selectorAndOpcode = UInt32(opcode & 0x7FF) &<< 16 | UInt32(instructionSelector)
      return head + [instructionPointer, selectorAndOpcode, dataPointer, reserved | UInt32(dataSelector)]
    }
    let instruction = UInt32(instructionSelector) &<< 4 &+ instructionPointer
    let data = UInt32(dataSelector) &<< 4 &+ dataPointer
    if layout.isWide {
      return head + [
        reserved | instruction & 0xFFFF, (instruction & 0xFFFF_0000) &>> 4 | UInt32(opcode & 0x7FF),
        reserved | data & 0xFFFF, (data & 0xFFFF_0000) &>> 4,
      ]
    }
    return head + [
      instruction, (instruction &>> 4) & 0xF000 | UInt32(opcode & 0x7FF), data, (data &>> 4) & 0xF000,
    ]
  }

  /// The environment that seven fields stand for; `old` keeps the opcode where the layout has none. A linear address
  /// comes back as an offset from selector zero.
  init(_ words: [UInt32], _ layout: EnvironmentLayout, opcode old: UInt16) {
    control = UInt16(truncatingIfNeeded: words[0])
    status = UInt16(truncatingIfNeeded: words[1])
    tag = UInt16(truncatingIfNeeded: words[2])
    if layout.isReal {
      let mask: UInt32 = layout.isWide ? 0x0FFF_F000 : 0xF000
      instructionPointer = words[3] & 0xFFFF | (words[4] & mask) &<< 4
      dataPointer = words[5] & 0xFFFF | (words[6] & mask) &<< 4
      opcode = UInt16(truncatingIfNeeded: words[4]) & 0x7FF
    } else {
      instructionPointer = words[3]
      instructionSelector = UInt16(truncatingIfNeeded: words[4])
      opcode = layout.isWide ? UInt16(truncatingIfNeeded: words[4] &>> 16) & 0x7FF : old
      dataPointer = words[5]
      dataSelector = UInt16(truncatingIfNeeded: words[6])
    }
  }
}

extension FPU {
  private func layout(_ op: OpRef) -> EnvironmentLayout {
    let isProtected = fields.pointee.cr0 & CR0.pe != 0 && fields.pointee.systemFlags & RFLAGS.vm == 0
    return EnvironmentLayout(isWide: op.operandSize != 2, isReal: !isProtected)
  }

  private var environment: Environment {
    Environment(
      control: control, status: statusWord, tag: tagWord,
      instructionPointer: UInt32(truncatingIfNeeded: fields.pointee.x87InstructionPointer),
      instructionSelector: fields.pointee.x87InstructionSelector, opcode: fields.pointee.x87Opcode,
      dataPointer: UInt32(truncatingIfNeeded: fields.pointee.x87DataPointer),
      dataSelector: fields.pointee.x87DataSelector)
  }

  private func load(_ e: Environment) {
    fields.pointee.x87Control = e.control
    setStatusWord(e.status)
    setControlWord(e.control)
    setTagWord(e.tag)
    fields.pointee.x87InstructionPointer = UInt64(e.instructionPointer)
    fields.pointee.x87InstructionSelector = e.instructionSelector
    fields.pointee.x87Opcode = e.opcode
    fields.pointee.x87DataPointer = UInt64(e.dataPointer)
    fields.pointee.x87DataSelector = e.dataSelector
  }

  // MARK: memory

  /// Linear address of an environment or state, every byte of it probed. nil: fault recorded.
  ///
  /// #AC asks for the alignment of a field (SDM 3A table 6-7).
  private func area(_ op: OpRef, _ layout: EnvironmentLayout, size: Int, write: Bool) -> UInt64? {
    let access = cpu.dataAccess(write: write)
    guard let linear = cpu.checkedAddress(op, size: size, write: write),
      !cpu.alignmentFaults(linear, layout.step),
      write ? cpu.probeWrite(linear, size, access) : cpu.probeRead(linear, size, access)
    else { return nil }
    return linear
  }

  private func readWords(_ linear: UInt64, _ layout: EnvironmentLayout) -> [UInt32]? {
    let access = cpu.dataAccess(write: false)
    var words: [UInt32] = []
    for i in 0..<7 {
      let at = advanced(linear, i &* layout.step)
      let word =
        layout.isWide
        ? cpu.read(at, UInt32.self, access) : cpu.read(at, UInt16.self, access).map { UInt32($0) }
      guard let word else { return nil }
      words.append(word)
    }
    return words
  }

  private func writeWords(_ linear: UInt64, _ words: [UInt32], _ layout: EnvironmentLayout) -> Bool {
    let access = cpu.dataAccess(write: true)
    for (i, word) in words.enumerated() {
      let at = advanced(linear, i &* layout.step)
      let done =
        layout.isWide ? cpu.write(at, word, access) : cpu.write(at, UInt16(truncatingIfNeeded: word), access)
      guard done else { return false }
    }
    return true
  }

  // MARK: instructions

  /// FLDENV.
  func loadEnvironment(_ op: OpRef) -> Bool {
    let layout = layout(op)
    guard let linear = area(op, layout, size: layout.size, write: false),
      let words = readWords(linear, layout)
    else { return false }
    load(Environment(words, layout, opcode: fields.pointee.x87Opcode))
    return true
  }

  /// FNSTENV: stores the environment, then masks all exceptions.
  func storeEnvironment(_ op: OpRef) -> Bool {
    let layout = layout(op)
    guard let linear = area(op, layout, size: layout.size, write: true),
      writeWords(linear, environment.words(layout), layout)
    else { return false }
    setControlWord(control | X87.flags)
    return true
  }

  /// FRSTOR: the environment, then ST(0) to ST(7), ten bytes each.
  func restore(_ op: OpRef) -> Bool {
    let layout = layout(op)
    guard let linear = area(op, layout, size: layout.size &+ 80, write: false),
      let words = readWords(linear, layout)
    else { return false }
    let access = cpu.dataAccess(write: false)
    var values: [F80] = []
    for i in 0..<8 {
      let at = advanced(linear, layout.size &+ 10 &* i)
      guard let low = cpu.read(at, UInt64.self, access),
        let high = cpu.read(advanced(at, 8), UInt16.self, access)
      else { return false }
      values.append(F80(signExponent: high, significand: low))
    }
    load(Environment(words, layout, opcode: fields.pointee.x87Opcode))
    for i: UInt8 in 0..<8 { setRegister(physical(i), values[Int(i)]) }
    return true
  }

  /// FNSAVE: stores environment and registers, then does as FNINIT.
  func save(_ op: OpRef) -> Bool {
    let layout = layout(op)
    guard let linear = area(op, layout, size: layout.size &+ 80, write: true),
      writeWords(linear, environment.words(layout), layout)
    else { return false }
    let access = cpu.dataAccess(write: true)
    for i: UInt8 in 0..<8 {
      let at = advanced(linear, layout.size &+ 10 &* Int(i))
      let value = st(i)
      guard cpu.write(at, value.significand, access), cpu.write(advanced(at, 8), value.signExponent, access)
      else { return false }
    }
    initialize()
    return true
  }
}
