import Disassembly
import Monitor
import PC
import Session

/// `x/8i ADDRESS` of the monitor, in the mode that the processor is in: gdb disassembles 64-bit code only, once it has been
/// told of a 64-bit machine.
enum DisassemblyCommand {
  private static let maximumCount = 1000

  /// - Returns: nil for a line that is another command.
  static func run(_ line: String, on machine: Machine) -> String? {
    let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)
    guard let first = words.first, first.hasPrefix("x/"), first.last == "i", words.count <= 2 else { return nil }
    let digits = first.dropFirst(2).dropLast()
    guard let count = digits.isEmpty ? 1 : Int(digits), (1...maximumCount).contains(count) else { return nil }
    guard let start = address(words.count > 1 ? words[1] : "$pc", machine) else {
      return "'\(words[1])' is not an address\n"
    }
    guard let disassembler = Disassembler(width: machine.codeWidth) else { return "there is no disassembler\n" }
    var text = ""
    var at = start
    for _ in 0..<count {
      let bytes = machine.readable(.linear, at, count: 15)
      let line = disassembler.line(bytes, at: at)
      if bytes.isEmpty { return text + "0x\(Hexadecimal.text(at)):  cannot be read\n" }
      text += "0x\(Hexadecimal.text(at)):  \(line?.text ?? "(bad)")\n"
      at &+= UInt64(max(1, line?.length ?? 1))
    }
    return text
  }

  /// A number, or a register; `$pc` is where the next instruction lies.
  static func address(_ text: String, _ machine: Machine) -> UInt64? {
    guard text.hasPrefix("$") else { return OptionText.number(text) }
    let file = RegisterFile(of: machine)
    let name = text.dropFirst().lowercased()
    if ["pc", "rip", "eip", "ip"].contains(name) { return file.linearRIP }
    return ProcessorRegister.named(name).map { file.value($0) }
  }
}
