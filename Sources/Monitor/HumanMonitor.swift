import Disassembly
import Glibc
import Session

/// The commands of the human monitor, with QEMU's texts. Runs on the machine's thread; lines end in CRLF.
struct HumanMonitor {
  let machine: any ControlledMachine
  let context: MonitorContext
  /// The processor that `info registers` and `x` look at.
  var cpu = 0

  /// What `thread_id` shows: the process, as the machine's thread has no life of its own for a user.
  static var threadID: CInt { getpid() }

  private struct Command {
    var names: [String]
    var usage: String
    var help: String
    var run: (HumanMonitor, [Substring]) throws -> String
  }

  private static let commands: [Command] = [
    Command(names: ["help", "?"], usage: "[cmd]", help: "show the help") { _, words in help(words) },
    Command(names: ["info"], usage: "[subcommand]", help: "show various information about the system state") {
      try $0.info($1)
    },
    Command(names: ["stop", "s"], usage: "", help: "stop emulation") { monitor, _ in
      try monitor.perform(.stop)
    },
    Command(names: ["cont", "c"], usage: "", help: "resume emulation") { monitor, _ in
      try monitor.perform(.cont)
    },
    Command(names: ["system_reset"], usage: "", help: "reset the system") { monitor, _ in
      try monitor.perform(.systemReset)
    },
    Command(names: ["system_powerdown"], usage: "", help: "send system power down event") { monitor, _ in
      try monitor.perform(.systemPowerdown)
    },
    Command(names: ["system_wakeup"], usage: "", help: "wakeup guest from suspend") { monitor, _ in
      guard monitor.machine.runState == .suspended else {
        throw ControlError("Unable to wake up: guest is not in suspended state")
      }
      return try monitor.perform(.systemWakeup)
    },
    Command(names: ["nmi"], usage: "", help: "inject an NMI") { monitor, _ in
      try monitor.perform(.injectNMI)
    },
    Command(names: ["quit", "q"], usage: "", help: "quit the emulator") { monitor, _ in
      try monitor.perform(.quit)
    },
    Command(names: ["x"], usage: "/fmt addr", help: "virtual memory dump starting at 'addr'") {
      try $0.dumpMemory($1, physical: false)
    },
    Command(names: ["xp"], usage: "/fmt addr", help: "physical memory dump starting at 'addr'") {
      try $0.dumpMemory($1, physical: true)
    },
    Command(names: ["gva2gpa"], usage: "addr", help: "print the guest physical address of 'addr'") {
      let address = try $0.address($1)
      return $0.machine.translate(linear: address, cpu: $0.cpu).map { "gpa: 0x\(String($0, radix: 16))\r\n" }
        ?? "Unmapped\r\n"
    },
    Command(
      names: ["gpa2hva"], usage: "addr",
      help: "print the host virtual address corresponding to a guest physical address"
    ) {
      let address = try $0.address($1)
      let hex = String(address, radix: 16)
      guard let host = $0.machine.hostAddress(ofPhysical: address) else {
        return "No memory is mapped at address 0x\(hex)\r\n"
      }
      return "Host virtual address for 0x\(hex) (pc.ram) is 0x\(String(host, radix: 16))\r\n"
    },
  ]

  private static let infoHelp: [(String, String)] = [
    ("chardev", "show the character devices"), ("cpus", "show infos for each CPU"),
    ("dump", "Display the latest dump status"), ("kvm", "show KVM information"),
    ("mem", "show the active virtual memory mappings"), ("mtree", "show memory tree (-f: dump flat view)"),
    ("name", "show the current VM name"), ("pic", "show PIC state"), ("qtree", "show device tree"),
    ("registers", "show the cpu registers (-a: of all cpus)"), ("replay", "show record/replay information"),
    ("status", "show the current VM status (running|paused)"), ("tlb", "show virtual to physical memory mappings"),
    ("uuid", "show the current VM UUID"),
    ("version", "show the version of QEMU"),
  ]

  /// Runs one line; errors become part of the text, as a person reads it.
  func execute(_ line: String) -> String {
    var text = Substring(line.trimmed)
    if text.isEmpty { return "" }
    // `x/4xw ADDRESS` is one word for a person, two for the table.
    if let slash = text.firstIndex(of: "/"), ["x", "xp"].contains(String(text[..<slash])) {
      text = Substring(text[..<slash] + " " + text[slash...])
    }
    let words = text.split(whereSeparator: { $0 == " " || $0 == "\t" })
    guard let command = HumanMonitor.commands.first(where: { $0.names.contains(String(words[0])) }) else {
      return "unknown command: '\(words[0])'\r\n"
    }
    do {
      return try command.run(self, Array(words.dropFirst()))
    } catch let error as ControlError {
      return "Error: \(error.message)\r\n"
    } catch {
      return "Error: \(error)\r\n"
    }
  }

  /// Names that begin with `prefix`, for completion.
  static func completions(of prefix: String) -> [String] {
    if prefix.hasPrefix("info ") {
      return infoHelp.map { "info \($0.0)" }.filter { $0.hasPrefix(prefix) }
    }
    return commands.flatMap(\.names).filter { $0.count > 1 && $0.hasPrefix(prefix) }.sorted()
  }

  private static func help(_ words: [Substring]) -> String {
    if words.first == "info" { return infoList }
    return commands.filter { command in words.first.map { command.names.contains(String($0)) } ?? true }
      .map { command in
        let usage = command.usage.isEmpty ? "" : " \(command.usage)"
        return "\(command.names.joined(separator: "|"))\(usage) -- \(command.help)\r\n"
      }.joined()
  }

  private static var infoList: String { infoHelp.map { "info \($0.0)  -- \($0.1)\r\n" }.joined() }

  private func perform(_ command: ControlCommand) throws -> String {
    if context.dump.status == .active, command == .cont || command == .stop {
      throw MonitorContext.dumpInProgress
    }
    try machine.perform(command)
    return ""
  }

  // MARK: info

  private func info(_ words: [Substring]) throws -> String {
    guard let topic = words.first else { return HumanMonitor.infoList }
    switch topic {
    case "status":
      let state = machine.runState
      if state == .running { return "VM status: running\r\n" }
      return "VM status: paused\(state == .paused ? "" : " (\(state.rawValue))")\r\n"
    case "version":
      let identity = context.identity
      return "\(identity.major).\(identity.minor).\(identity.micro) (\(identity.package))\r\n"
    case "name": return machine.name.map { "\($0)\r\n" } ?? ""
    case "uuid": return "\(machine.uuid)\r\n"
    case "cpus":
      return (0..<machine.cpuCount).map {
        "\($0 == cpu ? "*" : " ") CPU #\($0): thread_id=\(HumanMonitor.threadID)\r\n"
      }.joined()
    case "pic": return board(.interruptControllers)
    case "mtree": return board(.memoryTree)
    case "qtree": return board(.deviceTree)
    case "mem": return try paging().mem()
    case "tlb": return try paging().tlb()
    case "kvm": return "kvm support: not compiled\r\n"
    case "chardev": return context.characterDevices.map { "\($0.label): filename=\($0.filename)\r\n" }.joined()
    case "dump":
      let dump = context.dump
      let percent = dump.total > 0 ? dump.completed * 100 / dump.total : 0
      return "Status: \(dump.status.rawValue)\r\n" + (dump.status == .active ? "Finished: \(percent) %\r\n" : "")
    case "registers":
      let selected = words.contains("-a") ? Array(0..<machine.cpuCount) : [cpu]
      return selected.map { "\r\nCPU#\($0)\r\n" + HumanMonitor.crlf(machine.registersText(cpu: $0)) }.joined()
    case "replay":
      let position = machine.position
      let file = position.filename ?? ""
      switch position.mode {
      case .none: return "Record/replay is not active\r\n"
      case .record:
        return "Recording execution '\(file)': instruction count = \(position.instructionCount)\r\n"
      case .play: return "Replaying execution '\(file)': instruction count = \(position.instructionCount)\r\n"
      }
    default: return "unknown command: 'info \(topic)'\r\n"
    }
  }

  private func board(_ topic: BoardTopic) -> String {
    guard let text = machine.boardText(topic) else { return "" }
    return text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map { $0 + "\r\n" }.joined()
  }

  private func paging() throws -> PagingText {
    func value(_ name: String) throws -> UInt64 {
      guard let value = register(name) else { throw ControlError("\(name) is not known") }
      return value
    }
    let machine = machine
    return PagingText(
      cr0: try value("CR0"), cr3: try value("CR3"), cr4: try value("CR4"), efer: try value("EFER"),
      read: { address in
        machine.readPhysical(address, count: 8)?.reversed().reduce(0) { $0 << 8 | UInt64($1) }
      })
  }

  /// `text` with each line ended by CRLF, without a heading of its own.
  private static func crlf(_ text: String) -> String {
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map {
      String($0.last == "\r" ? $0.dropLast() : $0)
    }
    while lines.first?.isEmpty == true || lines.first?.hasPrefix("CPU#") == true { lines.removeFirst() }
    while lines.last?.isEmpty == true { lines.removeLast() }
    return lines.map { $0 + "\r\n" }.joined()
  }

  // MARK: memory

  /// A number, or `$rip` and other registers by their name in `info registers`, with + and - between them.
  private func address(_ words: [Substring]) throws -> UInt64 {
    let text = words.joined()
    if text.isEmpty { throw ControlError("an address is missing") }
    var total: UInt64 = 0
    var sign = true
    var term = ""
    func add() throws {
      let value: UInt64
      if term.hasPrefix("$") {
        guard let register = register(String(term.dropFirst())) else {
          throw ControlError("unknown register '\(term)'")
        }
        value = register
      } else {
        guard let number = OptionText.number(term) else { throw ControlError("invalid number '\(term)'") }
        value = number
      }
      total = sign ? total &+ value : total &- value
    }
    for character in text {
      if character == "+" || character == "-" {
        if !term.isEmpty { try add() }
        sign = character == "+"
        term = ""
      } else {
        term.append(character)
      }
    }
    try add()
    return total
  }

  /// A register's value out of the text of `info registers` (`RIP=ffff…`).
  private func register(_ name: String) -> UInt64? {
    var wanted = name.uppercased()
    if wanted == "PC" { wanted = "RIP" }
    if wanted == "SP" { wanted = "RSP" }
    let text = machine.registersText(cpu: cpu)
    for line in text.split(whereSeparator: \.isNewline) {
      // `R8 =` has a blank before the sign.
      var rest = Substring(line)
      while let equals = rest.firstIndex(of: "=") {
        let label = rest[..<equals].split(separator: " ").last.map(String.init) ?? ""
        rest = rest[rest.index(after: equals)...]
        let digits = rest.prefix { $0.isHexDigit }
        if label == wanted { return UInt64(digits, radix: 16) }
      }
    }
    return nil
  }

  private enum Format: Character {
    case hex = "x", signed = "d", unsigned = "u", octal = "o", character = "c"
  }

  /// How many bytes one command may show.
  private static let dumpLimit = 1 << 20

  private func dumpMemory(_ words: [Substring], physical: Bool) throws -> String {
    var words = words
    var count = 1
    var size = 4
    var format = Format.hex
    var isCode = false
    if let first = words.first, first.first == "/" {
      words.removeFirst()
      let digits = first.dropFirst().prefix { $0.isNumber }
      if !digits.isEmpty {
        guard let number = Int(digits) else { throw ControlError("invalid count '\(digits)'") }
        count = number
      }
      for letter in first.dropFirst(1 + digits.count) {
        switch letter {
        case "b": size = 1
        case "h": size = 2
        case "w": size = 4
        case "g": size = 8
        case "i": isCode = true
        default:
          guard let chosen = Format(rawValue: letter) else {
            throw ControlError("invalid char in format: '\(letter)'")
          }
          format = chosen
        }
      }
    }
    if format == .character { size = 1 }
    if isCode { return try code(at: try address(words), min(count, HumanMonitor.codeLimit), physical) }
    guard count >= 0, count <= HumanMonitor.dumpLimit / size else {
      throw ControlError("at most \(HumanMonitor.dumpLimit) bytes can be shown at once")
    }
    return try render(try address(words), count * size, size, format, physical)
  }

  /// How many instructions one command may show.
  private static let codeLimit = 4096

  /// `x/i`: instructions, as the selected processor would decode them now.
  private func code(at start: UInt64, _ count: Int, _ physical: Bool) throws -> String {
    let registers = machine.registersText(cpu: cpu)
    let width = registers.contains("CS64") ? 64 : registers.contains("CS32") ? 32 : 16
    guard let disassembler = Disassembler(width: width, syntax: .att) else {
      throw ControlError("the disassembler does not work here; dump the bytes with /b")
    }
    var text = ""
    var address = start
    for _ in 0..<count {
      text += "0x" + padded(String(address, radix: 16), 8, "0") + ": "
      // The longest instruction, or what is readable of it.
      var bytes = read(address, 15, physical) ?? []
      if bytes.isEmpty {
        for offset in 0..<15 {
          guard let byte = read(address &+ UInt64(offset), 1, physical) else { break }
          bytes += byte
        }
      }
      guard !bytes.isEmpty else { return text + "unable to read memory\r\n" }
      let line = disassembler.line(bytes, at: address)
      let length = line?.length ?? 1
      let digits = bytes.prefix(length).map { padded(String($0, radix: 16), 2, "0") }.joined(separator: " ")
      text += " " + digits + String(repeating: " ", count: max(1, 25 - digits.count)) + (line?.text ?? "(bad)") + "\r\n"
      address = address &+ UInt64(length)
    }
    return text
  }

  private func render(
    _ start: UInt64, _ length: Int, _ size: Int, _ format: Format, _ physical: Bool
  ) throws -> String {
    var text = ""
    var address = start
    var left = length
    let lineSize = size == 1 ? 8 : 16
    while left > 0 {
      let count = min(left, lineSize)
      text += padded(String(address, radix: 16), 16, "0") + ":"
      guard let bytes = read(address, count, physical) else {
        text += " Cannot access memory\r\n"
        break
      }
      for offset in stride(from: 0, to: count, by: size) {
        var value: UInt64 = 0
        for byte in bytes[offset..<offset + size].reversed() { value = value << 8 | UInt64(byte) }
        text += " " + show(value, size, format)
      }
      text += "\r\n"
      address = address &+ UInt64(count)
      left -= count
    }
    return text
  }

  private func read(_ address: UInt64, _ count: Int, _ physical: Bool) -> [UInt8]? {
    if physical { return machine.readPhysical(address, count: count) }
    var bytes: [UInt8] = []
    var address = address
    while bytes.count < count {
      let piece = min(count - bytes.count, Int(4096 - address & 4095))
      guard let physical = machine.translate(linear: address, cpu: cpu),
        let more = machine.readPhysical(physical, count: piece)
      else { return nil }
      bytes += more
      address = address &+ UInt64(piece)
    }
    return bytes
  }

  private func show(_ value: UInt64, _ size: Int, _ format: Format) -> String {
    let bits = size * 8
    switch format {
    case .hex: return "0x" + padded(String(value, radix: 16), bits / 4, "0")
    case .octal: return "0" + padded(String(value, radix: 8), (bits + 2) / 3, "0")
    case .unsigned: return padded(String(value), (bits * 10 + 32) / 33, " ")
    case .signed:
      let extended = Int64(bitPattern: value << UInt64(64 - bits)) >> Int64(64 - bits)
      return padded(String(extended), (bits * 10 + 32) / 33, " ")
    case .character:
      switch value {
      case 0x27: return "'\\''"
      case 0x5c: return "'\\\\'"
      case 0x0a: return "'\\n'"
      case 0x0d: return "'\\r'"
      case 0x20..<0x7f: return "'\(Character(Unicode.Scalar(UInt8(truncatingIfNeeded: value))))'"
      default: return "'\\x" + padded(String(value, radix: 16), 2, "0") + "'"
      }
    }
  }

  private func padded(_ text: String, _ width: Int, _ fill: String) -> String {
    text.count >= width ? text : String(repeating: fill, count: width - text.count) + text
  }
}

extension String {
  var trimmed: String {
    let blank: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0.isNewline }
    return String(String(drop(while: blank).reversed()).drop(while: blank).reversed())
  }
}
