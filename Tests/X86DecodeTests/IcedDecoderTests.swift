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
    for test in try IcedCase.read(file) where test.option == nil {
      guard test.isInvalid || IcedNames.absentFeature(test, codeSize) == nil else { continue }
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
    #expect(checked > 3_500)
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
      guard parts.count == 8, parts[0] == "m" else { continue }
      if let complaint = checkMemory(parts, instruction) { return complaint }
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
    let index = Self.registers.firstIndex { $0.contains(String(parts[3])) }
    if instruction.isRIPRelative != (parts[2] == "rip" || parts[2] == "eip") { return "RIP" }
    if Int(instruction.base) != base ?? 16 { return "base \(instruction.base)" }
    if Int(instruction.index) != index ?? 16 { return "index \(instruction.index)" }
    if 1 << instruction.scale != Int(parts[4]) { return "scale \(instruction.scale)" }
    return nil
  }

  /// Names of each general register in every width.
  private static let registers: [[String]] =
    ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"].map { [$0, "e" + $0, "r" + $0] }
    + (8..<16).map { ["r\($0)", "r\($0)d", "r\($0)w"] }
}
