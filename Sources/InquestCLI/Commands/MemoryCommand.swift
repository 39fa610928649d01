import ArgumentParser
import Foundation
import Monitor
import PC
import Session

struct MemoryCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "memory",
    abstract: "The guest's memory at an instant.",
    discussion: """
      EXAMPLES:
        inquest memory crash.inq --at panic --address '$rsp' --length 128
        inquest memory crash.inq --address 0xffff888003a1c0d8
        inquest memory crash.inq --address jiffies --length 8
        inquest memory crash.inq --physical --address 0x1000000 --length 16M --raw >kernel.bin

      An address is linear, as the page tables of the instant map it, unless --physical is given: a number, a register \
      ($rsp, $cr2) or a symbol of a Linux kernel (jiffies), with numbers added or taken away. Bytes that cannot be read are shown as ??. For instants see \
      inquest help replay.
      """)

  @OptionGroup var trace: TraceArguments
  @Option(
    name: .customLong("at"),
    help: ArgumentHelp("Where in the run. (default: panic, or the end where there is none)", valueName: "instant"))
  var at: String?
  @Option(name: .customLong("address"), help: ArgumentHelp("The first byte.", valueName: "address"))
  var address: String
  @Option(name: .customLong("length"), help: ArgumentHelp("Bytes: 256, 0x100, 4k, 16M.", valueName: "bytes"))
  var length = "256"
  @Flag(name: .customLong("physical"), help: "The address is a physical one.")
  var physical = false
  @Flag(name: .customLong("raw"), help: "The bytes themselves, on stdout.")
  var raw = false
  @Flag(name: .customLong("json"), help: "As JSON: the bytes in hexadecimal.")
  var json = false

  func run() throws {
    guard let count = Self.size(length), count > 0, count <= 1 << 32 else {
      throw CommandFailure.usage("--length \(length): 1 byte to 4G")
    }
    // Before the replay, which takes longer.
    _ = try Self.resolve(address, register: { _ in 0 }, symbol: { _ in 0 })
    let guest = try PausedGuest.replay(trace.path, images: trace.images, at: at)
    guard let session = guest.session else { return }
    let machine = session.machine
    let file = RegisterFile(of: machine)
    let start = try Self.resolve(
      address, register: { ProcessorRegister.named($0).map { file.value($0) } },
      symbol: { try guest.kernel().address(of: $0) })
    let bytes = read(machine, start, Int(count))
    if bytes.allSatisfy({ $0 == nil }) {
      throw CommandFailure.usage(
        "--address \(address): there is no \(physical ? "RAM" : "mapped memory") at 0x\(String(start, radix: 16)) "
          + "(\(session.instant))")
    }
    if raw {
      let known = bytes.prefix { $0 != nil }.compactMap { $0 }
      Terminal.write(known, to: STDOUT_FILENO)
      if known.count < bytes.count {
        throw CommandFailure.usage("--length \(length): only \(known.count) bytes can be read from there on")
      }
    } else if json {
      let report = MemoryReport(
        instant: session.instant.description, address: Figures.hexadecimal(start),
        space: physical ? "physical" : "linear", length: bytes.count,
        bytes: bytes.map { $0.map(Self.digits) ?? "??" }.joined())
      Terminal.print(JSONOutput.text(report))
    } else {
      Self.dump(bytes, from: start)
    }
  }

  /// Each byte, nil where there is none.
  private func read(_ machine: Machine, _ start: UInt64, _ count: Int) -> [UInt8?] {
    var bytes: [UInt8?] = []
    bytes.reserveCapacity(count)
    while bytes.count < count {
      let at = start &+ UInt64(bytes.count)
      let piece = min(count - bytes.count, 4096 - Int(at & 0xFFF))
      if let part = physical ? machine.readPhysical(at, count: piece) : machine.readLinear(at, count: piece) {
        bytes += part
      } else {
        bytes += [UInt8?](repeating: nil, count: piece)
      }
    }
    return bytes
  }

  /// Sixteen bytes a line, as `hexdump -C` shows them; lines like the one before are left out.
  private static func dump(_ bytes: [UInt8?], from start: UInt64) {
    var output = LineOutput()
    var last: ArraySlice<UInt8?> = []
    var isLeftOut = false
    for offset in stride(from: 0, to: bytes.count, by: 16) {
      let line = bytes[offset..<min(offset + 16, bytes.count)]
      if line.elementsEqual(last), offset + 16 < bytes.count {
        if !isLeftOut { output.print("*") }
        isLeftOut = true
        continue
      }
      (last, isLeftOut) = (line, false)
      let address = String(start &+ UInt64(offset), radix: 16)
      var text = String(repeating: "0", count: max(0, 16 - address.count)) + address + " "
      for (index, byte) in line.enumerated() {
        text += (index == 8 ? "  " : " ") + (byte.map(digits) ?? "??")
      }
      text += String(repeating: " ", count: 3 * (16 - line.count) + (line.count <= 8 ? 1 : 0)) + "  |"
      for byte in line {
        let isPlain = byte.map { (0x20..<0x7F).contains($0) } ?? false
        text.unicodeScalars.append(Unicode.Scalar(isPlain ? byte ?? 0x2E : 0x2E))
      }
      output.print(text + "|")
    }
    output.flush()
  }

  private static func digits(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16) }

  /// `4096`, `0x1000`, `4k`, `16M`.
  private static func size(_ text: String) -> UInt64? {
    let units: [Character: UInt64] = ["k": 10, "K": 10, "M": 20, "G": 30]
    guard let last = text.last, let shift = units[last] else { return OptionText.number(text) }
    guard let number = OptionText.number(String(text.dropLast())), number < 1 << 32 else { return nil }
    return number << shift
  }

  /// A number, `$REGISTER` or a symbol, with numbers added and taken away.
  /// - Throws: `CommandFailure` for anything else, and what the look-ups throw.
  static func resolve(
    _ text: String, register: (String) -> UInt64?, symbol: (String) throws -> UInt64?
  ) throws -> UInt64 {
    let wrong = CommandFailure.usage(
      "--address \(text): a number (0x1000), a register ($rsp+8), or a symbol of the guest's kernel (jiffies)")
    var total: UInt64 = 0
    var term = ""
    var isAdded = true
    func add() throws {
      let value: UInt64
      if term.hasPrefix("$") {
        let name = String(term.dropFirst())
        guard ProcessorRegister.named(name) != nil, let known = register(name) else { throw wrong }
        value = known
      } else if let first = term.first, first.isLetter || first == "_" {
        guard let known = try symbol(term) else {
          throw CommandFailure.usage("--address \(text): the guest's kernel has no symbol '\(term)' there")
        }
        value = known
      } else {
        guard let number = OptionText.number(term) else { throw wrong }
        value = number
      }
      total = isAdded ? total &+ value : total &- value
      term = ""
    }
    for character in text {
      if character == "+" || character == "-" {
        try add()
        isAdded = character == "+"
      } else if !character.isWhitespace {
        term.append(character)
      }
    }
    try add()
    return total
  }
}

/// Memory for programs.
struct MemoryReport: Encodable {
  var instant: String
  var address: String
  var space: String
  var length: Int
  /// Two digits a byte, `??` for one that cannot be read.
  var bytes: String
}
