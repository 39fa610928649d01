import Foundation

/// `--from-qemu`: a whole command line of QEMU's, as Inquest's options. What has no counterpart is left out and named.
package struct QEMUCommandLine {
  /// Options for `record` and `run`, QEMU's defaults among them.
  package private(set) var arguments: [String] = []
  /// What was left out, each with the reason.
  package private(set) var leftOut: [String] = []

  /// Without these there is no run to speak of: what is wrong with them is an error.
  private static let essential: Set<String> = [
    "kernel", "initrd", "append", "m", "serial", "qmp", "monitor", "chardev", "mon", "debugcon", "name", "uuid",
  ]

  /// - Parameter text: as for a shell; the program may be a path, with variables before it.
  /// - Throws: `CommandFailure`.
  package init(_ text: String) throws {
    var words = try Self.words(text)[...]
    // `FOO=1 sudo qemu-system-x86_64 …`
    while let word = words.first, word.first != "-" {
      words.removeFirst()
      let program = word.split(separator: "/").last.map(String.init) ?? ""
      if program.hasPrefix("qemu") || program == "kvm" { break }
      if !word.contains("=") && !["sudo", "exec", "env", "nice", "time"].contains(program) {
        throw CommandFailure.usage("--from-qemu: '\(word)' is not qemu-system-x86_64 and no option of its")
      }
    }
    var options: [(name: String, words: [String])] = []
    while let word = words.popFirst() {
      guard word.first == "-", word.count > 1 else {
        // QEMU takes an image by itself for the first disk.
        options.append(("hda", ["-hda", word]))
        continue
      }
      let name = String(word.drop { $0 == "-" })
      guard let takesValue = OptionTable.takesValue(name) else {
        throw CommandFailure.usage(
          "--from-qemu: '\(word)' is no option of QEMU's that Inquest knows; whether the next word belongs to it cannot be "
            + "told")
      }
      var option = ["-" + name]
      if takesValue {
        guard let value = words.popFirst() else { throw CommandFailure.usage("--from-qemu: \(word) needs a value") }
        option.append(value)
      }
      options.append((name, option))
    }
    // QEMU's own defaults, where they are others than Inquest's. Options behind them win.
    arguments = ["-action", "panic=shutdown"] + Self.kept(of: options, leftOut: &leftOut)
    let names = options.map(\.name)
    if !names.contains("nodefaults"), !names.contains(where: { ["net", "nic", "netdev", "vga"].contains($0) }) {
      leftOut.append("QEMU's default network card and VGA: ask for them with -nic and -vga where they are needed")
    }
  }

  /// What can be carried out of the options, in their order.
  private static func kept(of options: [(name: String, words: [String])], leftOut: inout [String]) -> [String] {
    if refusal(of: options.flatMap(\.words), name: nil) == nil { return options.flatMap(\.words) }
    // Back ends before those that name them; what still fails is tried once more when everything else is there.
    let backends: Set<String> = ["netdev", "drive", "blockdev", "chardev", "object"]
    var chosen: Set<Int> = []
    var reasons: [Int: CommandFailure] = [:]
    let order =
      options.indices.filter { backends.contains(options[$0].name) }
      + options.indices.filter { !backends.contains(options[$0].name) }
    for index in order + order where !chosen.contains(index) {
      let words = options.indices.filter { chosen.contains($0) || $0 == index }.flatMap { options[$0].words }
      reasons[index] = refusal(of: words, name: options[index].name)
      if reasons[index] == nil { chosen.insert(index) }
    }
    for index in options.indices {
      if let failure = reasons[index] { leftOut.append(reason(failure, options[index].words)) }
    }
    return options.indices.filter { chosen.contains($0) }.flatMap { options[$0].words }
  }

  /// Asks those that would have to carry it out. - Returns: why not.
  private static func refusal(of words: [String], name: String?) -> CommandFailure? {
    Terminal.isMuted = true
    defer { Terminal.isMuted = false }
    do {
      let arguments = try Spelling.normalise(["-o", "trace", "-kernel", "kernel"] + words)
      let command: RecordCommand
      do { command = try RecordCommand.parse(arguments) } catch {
        throw CommandFailure.usage("\(words.suffix(2).joined(separator: " ")): this is not supported")
      }
      if name.map({ !essential.contains($0) }) ?? true { _ = try MachinePlan(command.machine) }
      return nil
    } catch { return CommandFailure(error) }
  }

  private static func reason(_ failure: CommandFailure, _ option: [String]) -> String {
    let text = option.joined(separator: " ")
    for prefix in ["\(text): ", "\(option[0]) is not supported: "] where failure.message.hasPrefix(prefix) {
      return "\(text): \(failure.message.dropFirst(prefix.count))"
    }
    return "\(text): \(failure.message)"
  }

  // MARK: Shell words

  /// Splits as a shell does: blanks, quotes, backslashes, continued lines, comments; without expansions.
  static func words(_ text: String) throws -> [String] {
    var words: [String] = []
    var word: [Character]?
    var quote: Character?
    var rest = Array(text)[...]
    while let character = rest.popFirst() {
      switch (character, quote) {
      case ("\\", "\""?):
        guard let next = rest.popFirst() else { throw CommandFailure.usage("--from-qemu: a quote is not closed") }
        if next.isNewline { continue }
        if !["\"", "\\", "$", "`"].contains(next) { word = (word ?? []) + ["\\"] }
        word = (word ?? []) + [next]
      case ("\\", nil):
        guard let next = rest.popFirst() else { continue }
        if !next.isNewline { word = (word ?? []) + [next] }
      case (let end, let open?) where end == open: quote = nil
      case (_, _?): word = (word ?? []) + [character]
      case ("\"", nil), ("'", nil):
        quote = character
        word = word ?? []
      case ("#", nil) where word == nil: rest = rest.drop { !$0.isNewline }
      case (_, nil) where character.isWhitespace:
        if let finished = word { words.append(String(finished)) }
        word = nil
      default: word = (word ?? []) + [character]
      }
    }
    if quote != nil { throw CommandFailure.usage("--from-qemu: a quote is not closed") }
    if let word { words.append(String(word)) }
    return words
  }
}

extension QEMUCommandLine {
  /// Replaces `--from-qemu TEXT` by what it stands for, before everything else, so that options beside it win.
  /// - Parameter note: is told what was left out.
  static func expand(_ arguments: [String], note: (String) -> Void) throws -> [String] {
    var result: [String] = []
    var translated: [String] = []
    var rest = arguments[...]
    while let argument = rest.popFirst() {
      let name = argument.prefix { $0 != "=" }
      guard name == "--from-qemu" || name == "-from-qemu" else {
        result.append(argument)
        // A value is not an option, whatever it looks like.
        if argument == "--" {
          result += rest
          break
        }
        if argument.first == "-", !argument.contains("="),
          OptionTable.takesValue(String(argument.drop { $0 == "-" })) == true, let value = rest.popFirst()
        {
          result.append(value)
        }
        continue
      }
      guard let command = arguments.first, ["record", "run", "hunt"].contains(command) else {
        throw CommandFailure.usage("--from-qemu is for 'record', 'run' and 'hunt'")
      }
      let text: String
      if argument.count > name.count {
        text = String(argument.dropFirst(name.count + 1))
      } else {
        guard let value = rest.popFirst() else { throw CommandFailure.usage("--from-qemu needs a value") }
        text = value
      }
      let line = try QEMUCommandLine(text)
      for item in line.leftOut { note("left out of QEMU's command line: \(item)") }
      translated += line.arguments
    }
    if let command = result.first { result = [command] + translated + result.dropFirst() }
    return result
  }
}
