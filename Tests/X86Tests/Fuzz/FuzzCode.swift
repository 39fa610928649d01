import X86Decode

/// Draws code: valid encodings of the opcode table, short idioms that reach the system's registers with values that mean
/// something, and noise.
struct FuzzCode {
  var random: FuzzRandom
  let codeSize: CodeSize
  private var scratch = Instruction()

  init(_ random: FuzzRandom, _ codeSize: CodeSize) {
    self.random = random
    self.codeSize = codeSize
  }

  private static let rows64 = OpcodeEntry.all.filter(\.isValidIn64BitMode)
  private static let rowsLegacy = OpcodeEntry.all.filter(\.isValidInLegacyModes)

  private var is64: Bool { codeSize == .bits64 }

  /// At least `count` bytes.
  mutating func stretch(_ count: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count {
      switch random.below(32) {
      case 0: for _ in 0..<(1 + random.below(8)) { bytes.append(random.byte()) }
      case 1...4: bytes += moveImmediate(UInt8(random.below(8)), address())
      case 5...7: bytes += system()
      case 8: bytes += string()
      case 9: bytes += tableWrite()
      default: bytes += fromTable()
      }
    }
    return bytes
  }

  /// A value that is likely to be an address of something.
  mutating func address() -> UInt32 {
    switch random.below(16) {
    case 0: return UInt32(truncatingIfNeeded: random.next())
    case 1: return random.pick([0, 1, 0xFFFF_FFFF, 0x8000_0000, 0x7FFF_FFFF, 0xA0000, 0xFEE0_0000, 0xFFFF])
    case 2...3: return UInt32(FuzzMap.code) + UInt32(random.below(0x10000))
    case 4: return UInt32(FuzzMap.pml4) + UInt32(random.below(0x8000))
    case 5: return UInt32(random.below(0x8000))
    case 6:
      return UInt32(random.below(Int(FuzzMap.memorySize / 4096))) << 12 | UInt32(0xFF0 + random.below(16))
    default: return UInt32(FuzzMap.data) + UInt32(random.below(0x20000))
    }
  }

  private func le32(_ v: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: v >> (8 * $0)) } }

  /// MOV r32, imm32.
  private func moveImmediate(_ register: UInt8, _ value: UInt32) -> [UInt8] {
    (codeSize == .bits16 ? [0x66] : []) + [0xB8 + register] + le32(value)
  }

  private mutating func fromTable() -> [UInt8] {
    let row = random.pick(is64 ? Self.rows64 : Self.rowsLegacy)
    // HLT ends most cases too early.
    if row.map == 0 && row.opcode == 0xF4 && !random.oneIn(16) { return [0x90] }
    var bytes: [UInt8] = []
    if random.oneIn(16) { bytes.append(random.pick([0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65])) }
    if random.oneIn(16) { bytes.append(0x67) }
    if row.allowsLock && random.oneIn(8) { bytes.append(0xF0) }
    let set = [0, 1, 2, 3].filter { row.prefixes & 1 << $0 != 0 }
    let prefix =
      row.prefixSelects || random.oneIn(3) ? random.pick(set.isEmpty ? [0] : set) : (set.first ?? 0)
    var wide = random.oneIn(2)
    if let w = row.w { wide = w }
    if row.isVEX {
      let long = row.l ?? random.oneIn(2)
      let vvvv = random.oneIn(2) ? 15 : UInt8(random.below(16))
      bytes += [
        0xC4, (is64 ? random.byte() & 0xE0 : 0xE0) | [1, 1, 2, 3][Int(row.map)],
        (wide ? 0x80 : 0) | vvvv << 3 | (long ? 4 : 0) | UInt8(prefix), row.opcode,
      ]
    } else {
      if prefix != 0 { bytes.append([0, 0x66, 0xF3, 0xF2][prefix]) }
      if prefix != 1 && random.oneIn(8) && !row.prefixSelects { bytes.append(0x66) }
      if is64 && (wide || random.oneIn(3)) { bytes.append(0x40 | (wide ? 8 : 0) | random.byte() & 7) }
      bytes += [[], [0x0F], [0x0F, 0x38], [0x0F, 0x3A]][Int(row.map)] + [row.opcode]
    }
    if row.hasModRM {
      var modRM = random.byte()
      if !row.allowsMemory || (row.allowsRegister && random.oneIn(3)) { modRM |= 0xC0 }
      if !row.allowsRegister && modRM >= 0xC0 { modRM &= 0x7F }
      if let reg = row.reg { modRM = modRM & 0xC7 | reg << 3 }
      if let rm = row.rm { modRM = modRM & 0xF8 | rm }
      bytes.append(modRM)
      if modRM < 0xC0 && modRM & 7 == 4 { bytes.append(random.byte()) }
    }
    // Displacement and immediate; the decoder says how much of it belongs to the instruction.
    let opcodeEnd = bytes.count
    bytes += le32(random.oneIn(2) ? address() : UInt32(random.below(256)))
    while bytes.count < opcodeEnd + 15 { bytes.append(random.byte()) }
    var instruction = scratch
    let status = bytes.withUnsafeBufferPointer {
      decode($0.baseAddress!, available: 15, codeSize: codeSize, features: .all, into: &instruction)
    }
    return status == .ok ? Array(bytes.prefix(Int(instruction.length))) : Array(bytes.prefix(opcodeEnd))
  }

  private mutating func string() -> [UInt8] {
    var bytes = moveImmediate(1, UInt32(random.below(random.oneIn(8) ? 10000 : 64)))
    if random.oneIn(2) { bytes += moveImmediate(6, address()) }
    if random.oneIn(2) { bytes += moveImmediate(7, address()) }
    if random.oneIn(8) { bytes.append(random.pick([0xFC, 0xFD])) }
    bytes.append(random.pick([0xF2, 0xF3]))
    if random.oneIn(3) { bytes.append(is64 ? 0x48 : 0x66) }
    return bytes + [
      random.pick([0xA4, 0xA5, 0xA6, 0xA7, 0xAA, 0xAB, 0xAC, 0xAD, 0xAE, 0xAF, 0x6C, 0x6D, 0x6E, 0x6F])
    ]
  }

  /// MOV dword [address], value: page tables, descriptors, code.
  private mutating func tableWrite() -> [UInt8] {
    let target = random.pick([
      UInt32(FuzzMap.pml4) + UInt32(random.below(0x8000)) & ~3,
      UInt32(FuzzMap.gdt) + UInt32(random.below(0x100)) & ~3,
      UInt32(FuzzMap.idt) + UInt32(random.below(0x400)) & ~3,
      UInt32(FuzzMap.code) + UInt32(random.below(0x10000)),
    ])
    let value =
      random.oneIn(2) ? UInt32(random.below(1024)) << 12 | UInt32(random.byte()) : UInt32(random.next() >> 32)
    let invalidate: [UInt8] = random.oneIn(2) ? [0x0F, 0x01, 0x3B] : []
    return moveImmediate(3, target) + moveImmediate(0, value)
      + (codeSize == .bits16 ? [0x67, 0x66, 0x89, 0x03] : [0x89, 0x03]) + invalidate
  }

  private mutating func system() -> [UInt8] {
    let wide: [UInt8] = codeSize == .bits16 ? [0x66] : []
    switch random.below(14) {
    case 0:
      let value =
        0x11 | UInt32(truncatingIfNeeded: random.next()) & 0x8005_002E | (random.oneIn(4) ? 0 : 0x8000_0000)
      return moveImmediate(0, value) + [0x0F, 0x22, 0xC0]
    case 1:
      return moveImmediate(
        0,
        UInt32(random.pick([FuzzMap.pml4, FuzzMap.pd32, FuzzMap.pdptPAE, FuzzMap.pd]))
          | UInt32(random.below(32)))
        + [0x0F, 0x22, 0xD8]
    case 2:
      let value = UInt32(truncatingIfNeeded: random.next()) & 0x0077_0EFF | (random.oneIn(8) ? 0 : 0x20)
      return moveImmediate(0, value) + [0x0F, 0x22, 0xE0]
    case 3:
      let msr = random.pick([
        0xC000_0080, 0xC000_0081, 0xC000_0082, 0xC000_0084, 0xC000_0100, 0xC000_0101, 0xC000_0102, 0x10, 0x3B,
        0x174,
        0x175, 0x176, 0x1A0, 0x277, 0x6E0, 0x1B, 0x800, 0x830, 0xDA0, 0x200, 0x2FF, 0x400, 0x48, 0x49,
        UInt32(random.below(0x1000)),
      ])
      return moveImmediate(1, msr) + moveImmediate(0, address())
        + moveImmediate(2, random.oneIn(2) ? 0 : address())
        + [0x0F, random.oneIn(3) ? 0x32 : 0x30]
    case 4...5:
      return moveImmediate(0, UInt32(random.pick(FuzzMap.selectors))) + [
        0x8E, 0xC0 | UInt8(random.below(6)) << 3,
      ]
    case 6:
      let offset = UInt32(random.below(0x10000))
      let selector = random.pick(FuzzMap.selectors)
      if is64 {
        // PUSH selector; PUSH offset; RETFQ
        return [0x68] + le32(UInt32(selector)) + [0x68] + le32(UInt32(FuzzMap.code) + offset) + [0x48, 0xCB]
      }
      return wide + [random.pick([0xEA, 0x9A])] + le32(UInt32(FuzzMap.code) + offset)
        + [UInt8(truncatingIfNeeded: selector), UInt8(truncatingIfNeeded: selector >> 8)]
    case 7: return wide + [0x68] + le32(UInt32(random.next() >> 32) & 0x0027_7FD7) + wide + [0x9D]
    case 8: return moveImmediate(4, UInt32(FuzzMap.stack) + UInt32(random.below(0x4000)))
    case 9: return [random.pick([0xFB, 0xFB, 0xFA])]
    case 10: return [0xCD, random.byte()]
    case 11:
      return moveImmediate(0, UInt32(random.next() >> 32) & (random.oneIn(2) ? 0xFFFF : 0xFFFF_FFFF))
        + [0x0F, 0x23, 0xC0 | UInt8(random.below(8)) << 3]
    case 12: return moveImmediate(2, UInt32(random.below(0x10000))) + [random.pick([0xEC, 0xED, 0xEE, 0xEF])]
    default:
      // LGDT, LIDT from a table register's image in data; INVPCID, XSETBV come from the table.
      return wide + [0x0F, 0x06, 0x0F, 0x09]
    }
  }
}
