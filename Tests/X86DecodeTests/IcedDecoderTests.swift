import Testing
import X86Decode

/// Every case of iced's decoder tests that this decoder's features cover.
@Suite(.enabled(if: IcedCase.available, "the folder ../shared/data/iced-decoder is not there"))
struct IcedDecoderTests {
  @Test(arguments: [
    ("DecoderTest16", CodeSize.bits16), ("DecoderTest32", .bits32), ("DecoderTest64", .bits64),
  ])
  func agrees(file: String, codeSize: CodeSize) throws {
    var failures: [String] = []
    var unknown: Set<String> = []
    var checked = 0
    var outside: [String: Int] = [:]
    for test in try IcedCase.read(file) {
      if let option = test.option {
        outside["option \(option)", default: 0] += 1
        continue
      }
      if !test.isInvalid, let feature = IcedNames.absentFeature(test, codeSize) {
        outside["\(feature)", default: 0] += 1
        continue
      }
      if !test.isInvalid && IcedNames.operation(test) == nil {
        unknown.insert(test.mnemonic)
        continue
      }
      checked += 1
      if let complaint = check(test, codeSize) { failures.append("\(complaint): \(test.line)") }
    }
    #expect(unknown.sorted() == [], "mnemonics of no known feature")
    #expect(
      failures.isEmpty, "\(failures.count) of \(checked):\n\(failures.prefix(150).joined(separator: "\n"))")
    #expect(checked > 6_500)
    let list = outside.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
    print("decoder: \(file): \(checked) cases, \(failures.count) wrong; not in scope: \(list)")
  }

  /// Instructions of absent features are undefined, or the hints and older instructions whose bytes they took.
  @Test func absentFeaturesAreUndefined() throws {
    let hints: Set<Operation> = [.nop]
    var found: [String] = []
    for test in try IcedCase.read("DecoderTest64") where test.option == nil && !test.isInvalid {
      guard IcedNames.absentFeature(test, .bits64) != nil else { continue }
      var instruction = Instruction()
      let status = (test.bytes + [UInt8](repeating: 0, count: 16)).withUnsafeBufferPointer {
        decode($0.baseAddress!, available: $0.count, codeSize: .bits64, features: .all, into: &instruction)
      }
      if status == .undefined || status == .ok && hints.contains(instruction.operation) { continue }
      found.append("\(status) \(instruction.operation): \(test.line)")
    }
    #expect(found.isEmpty, "\(found.count):\n\(found.prefix(60).joined(separator: "\n"))")
  }

  /// What is wrong with the decoding of a case, nil if nothing.
  private func check(_ test: IcedCase, _ codeSize: CodeSize) -> String? {
    var instruction = Instruction()
    // Bytes that a longer instruction would need: an undefined one must be seen as such whatever follows.
    let padded = test.bytes + [UInt8](repeating: 0, count: 16)
    let count = test.isInvalid ? padded.count : test.bytes.count
    let status = padded.withUnsafeBufferPointer {
      decode($0.baseAddress!, available: count, codeSize: codeSize, features: .all, into: &instruction)
    }
    if test.isInvalid { return status == .undefined ? nil : "\(status) \(instruction.operation)" }
    guard status == .ok else { return "\(status)" }
    if Int(instruction.length) != test.bytes.count { return "length \(instruction.length)" }
    if let (operation, condition) = IcedNames.operation(test) {
      if instruction.operation != operation { return "\(instruction.operation)" }
      if let condition, instruction.condition != condition { return "condition \(instruction.condition)" }
    }
    for detail in test.details where detail.hasPrefix("op") {
      let parts = detail.dropFirst(4).split(separator: ";", omittingEmptySubsequences: false)
      guard let number = detail.dropFirst(2).first?.wholeNumberValue, number < 4, parts.count >= 2 else {
        continue
      }
      // Reserved NOPs have no operands worth naming; iced counts MASKMOVQ's implied memory operand.
      if [.nop, .maskmovq, .maskmovdqu, .vmaskmovdqu].contains(instruction.operation) { break }
      let complaint: String?
      switch parts[0] {
      case "m" where parts.count == 8: complaint = checkMemory(parts, instruction)
      case "r": complaint = checkRegister(instruction, number, String(parts[1]))
      case let kind where kind.hasPrefix("i"): complaint = checkImmediate(instruction, number, kind, parts[1])
      default: complaint = nil
      }
      if let complaint { return "operand \(number) \(complaint)" }
    }
    return nil
  }

  /// `m;segment;base;index;scale;displacement;displacement bytes;type`
  private func checkMemory(_ parts: [Substring], _ instruction: Instruction) -> String? {
    // In 64-bit mode ES, CS, SS and DS are one flat segment: iced names the prefix that was written.
    let flat = instruction.codeSize == .bits64 && ["es", "cs", "ss", "ds"].contains(parts[1])
    if flat ? instruction.segment.rawValue > 3 : "\(instruction.segment)" != parts[1] {
      return "segment \(instruction.segment)"
    }
    if instruction.operation == .xlat { return nil }
    let base = Self.registers.firstIndex { $0.contains(String(parts[2])) }
    let isVector = parts[3].hasPrefix("xmm") || parts[3].hasPrefix("ymm")
    let index =
      isVector ? Int(parts[3].dropFirst(3)) : Self.registers.firstIndex { $0.contains(String(parts[3])) }
    if instruction.isRIPRelative != (parts[2] == "rip" || parts[2] == "eip") { return "RIP" }
    if Int(instruction.base) != base ?? 16 { return "base \(instruction.base)" }
    if Int(instruction.index) != index ?? 16 { return "index \(instruction.index)" }
    if 1 << instruction.scale != Int(parts[4]) { return "scale \(instruction.scale)" }
    // iced shows the target of RIP-relative addresses, which depends on where its test puts the code.
    if !instruction.isRIPRelative, let expected = Self.number(parts[5]) {
      let mask = instruction.addressSize == 8 ? UInt64.max : (1 << (UInt64(instruction.addressSize) * 8)) - 1
      let found = UInt64(bitPattern: instruction.displacement) & mask
      if found != expected & mask { return "displacement \(String(found, radix: 16))" }
    }
    return nil
  }

  /// Names of each general register in every width.
  private static let registers: [[String]] =
    ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"].map { [$0, "e" + $0, "r" + $0] }
    + (8..<16).map { ["r\($0)", "r\($0)d", "r\($0)w"] }

  private func checkImmediate(
    _ instruction: Instruction, _ number: Int, _ kind: Substring, _ value: Substring
  )
    -> String?
  {
    guard let expected = Self.number(value) else { return "unreadable" }
    switch operand(instruction, number) {
    case .ib, .ibs, .iw, .iz, .iv:
      let bits = UInt64(kind.split(separator: "o").last?.filter { $0.isNumber } ?? "") ?? 64
      let mask = bits == 64 ? UInt64.max : (1 << bits) - 1
      let found = UInt64(bitPattern: instruction.immediate) & mask
      return found == expected & mask ? nil : "immediate \(String(found, radix: 16))"
    case .ib2: return UInt64(instruction.immediate2) == expected ? nil : "second immediate"
    case .one: return expected == 1 ? nil : "one"
    case let kind: return "\(kind)"
    }
  }

  /// Whether the register operand has the number, and for general registers the width, of the one iced names.
  private func checkRegister(_ instruction: Instruction, _ operand: Int, _ name: String) -> String? {
    let kind = self.operand(instruction, operand)
    let number: UInt8
    let width: UInt8
    switch kind {
    case .eb, .zb: (number, width) = (instruction.rm, 1)
    case .gb: (number, width) = (instruction.reg, 1)
    case .ew: (number, width) = (instruction.rm, 0)
    case .ed, .eq, .ev, .ey, .edMb, .edMw, .evMw, .rd, .rv, .rm, .ry, .zv:
      (number, width) = (instruction.rm, kind == .ev || kind == .zv ? instruction.operandSize : 0)
    case .gw, .gd, .gq, .gv, .gy:
      (number, width) = (instruction.reg, kind == .gv ? instruction.operandSize : 0)
    case .ga: (number, width) = (instruction.reg, instruction.addressSize)
    case .by: (number, width) = (instruction.vvvv, 0)
    case .sw:
      return "es cs ss ds fs gs".split(separator: " ")[Int(instruction.reg & 7)] == name ? nil : "segment"
    case .cd: return "cr\(instruction.reg)" == name ? nil : "cr\(instruction.reg)"
    case .dd: return "dr\(instruction.reg)" == name ? nil : "dr\(instruction.reg)"
    case .st0: return name == "st0" ? nil : "st0"
    case .sti: return name == "st\(instruction.rm & 7)" ? nil : "st\(instruction.rm & 7)"
    case .pq: return name == "mm\(instruction.reg & 7)" ? nil : "mm\(instruction.reg & 7)"
    case .qq, .qd, .nq: return name == "mm\(instruction.rm & 7)" ? nil : "mm\(instruction.rm & 7)"
    case .vdq, .vx, .vqq: return Self.isVector(name, instruction.reg) ? nil : "vector \(instruction.reg)"
    case .ww, .wb, .wd, .wq, .wdq, .wqq, .wx, .udq, .ux:
      return Self.isVector(name, instruction.rm) ? nil : "vector \(instruction.rm)"
    case .hdq, .hx, .hqq: return Self.isVector(name, instruction.vvvv) ? nil : "vector \(instruction.vvvv)"
    case .lx: return Self.isVector(name, UInt8(instruction.immediate >> 4)) ? nil : "is4"
    case .eax:
      return Self.registers[0].firstIndex(of: name).map { 2 << UInt8($0) } == instruction.operandSize
        ? nil : "rAX"
    case .none: return "missing"
    default: return "\(kind)" == name ? nil : "\(kind)"
    }
    if width == 1 {
      let names = instruction.hasREX || number > 7 ? Self.byteRegisters64 : Self.byteRegisters
      return names[Int(number)] == name ? nil : "\(names[Int(number)])"
    }
    guard let at = Self.registers[Int(number)].firstIndex(of: name) else { return "register \(number)" }
    let order: [UInt8] = number < 8 ? [2, 4, 8] : [8, 4, 2]
    return width == 0 || order[at] == width ? nil : "width \(width)"
  }

  private func operand(_ instruction: Instruction, _ number: Int) -> OperandKind {
    let (a, b, c, d) = instruction.operands
    return [a, b, c, d][number]
  }

  private static func number(_ text: Substring) -> UInt64? {
    if text.hasPrefix("-0x") { return UInt64(text.dropFirst(3), radix: 16).map { 0 &- $0 } }
    return text.hasPrefix("0x") ? UInt64(text.dropFirst(2), radix: 16) : UInt64(text)
  }

  private static func isVector(_ name: String, _ number: UInt8) -> Bool {
    name == "xmm\(number)" || name == "ymm\(number)"
  }

  private static let byteRegisters = ["al", "cl", "dl", "bl", "ah", "ch", "dh", "bh"]
  private static let byteRegisters64 =
    ["al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil"] + (8..<16).map { "r\($0)l" }
}
