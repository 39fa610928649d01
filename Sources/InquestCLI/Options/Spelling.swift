/// QEMU's spelling of options, turned into what ArgumentParser reads: `-kernel` and `--kernel`, with the value behind it
/// or behind `=`, and values that begin with a dash. Options of QEMU's that mean nothing here go; others are refused by
/// name.
package enum Spelling {
  /// - Throws: `CommandFailure` with the option's name and what to do.
  package static func normalise(_ arguments: [String]) throws -> [String] {
    var result: [String] = []
    var index = 0
    while index < arguments.count {
      let argument = arguments[index]
      index += 1
      if argument == "--" { return result + arguments[(index - 1)...] }
      guard argument.count > 1, argument.first == "-" else {
        result.append(argument)
        continue
      }
      let text = argument.drop { $0 == "-" }
      // `-append=x` is not QEMU's, `--append=x` everybody else's.
      let equals = text.firstIndex(of: "=")
      let name = String(text[..<(equals ?? text.endIndex)])
      let attached = equals.map { String(text[text.index(after: $0)...]) }

      func value() throws -> String {
        if let attached { return attached }
        guard index < arguments.count else { throw CommandFailure.usage("\(argument) needs a value") }
        defer { index += 1 }
        return arguments[index]
      }
      func withoutValue() throws {
        if attached != nil { throw CommandFailure.usage("-\(name) takes no value") }
      }

      guard let treatment = OptionTable.treatment(of: name) else {
        if name.allSatisfy(\.isNumber) {
          throw CommandFailure.usage(
            "'\(argument)' is not an option; a value that begins with a dash follows '='")
        }
        throw CommandFailure.usage("unknown option '\(argument)'\(suggestion(for: name))")
      }
      switch treatment {
      case .flag:
        try withoutValue()
        result.append(dashed(name))
      case .value:
        let value = try value()
        // A value that looks like an option must be attached; an empty one must not.
        if value.first == "-" {
          result.append("\(dashed(name))=\(value)")
        } else {
          result += [dashed(name), value]
        }
      case .ignoredFlag: try withoutValue()
      case .ignoredValue: _ = try value()
      case .checked(let accepts, let advice):
        let value = try value()
        if !accepts(value) { throw CommandFailure.usage("-\(name) \(value): \(advice)") }
      case .refusedFlag(let advice):
        throw CommandFailure.usage("-\(name) is not supported: \(advice)")
      case .refusedValue(let advice):
        throw CommandFailure.usage("-\(name) is not supported: \(advice)")
      }
    }
    return result
  }

  private static func dashed(_ name: String) -> String {
    OptionTable.hasOneDash(name) ? "-\(name)" : "--\(name)"
  }

  private static func suggestion(for name: String) -> String {
    let near = OptionTable.known.map { ($0, distance(name, $0)) }.min { $0.1 < $1.1 }
    if let near, near.1 <= max(1, min(3, name.count / 3)) { return "; did you mean \(dashed(near.0))?" }
    return "; see inquest help COMMAND"
  }

  /// Levenshtein's.
  private static func distance(_ a: String, _ b: String) -> Int {
    let (a, b) = (Array(a.prefix(64)), Array(b))
    var row = Array(0...b.count)
    for i in a.indices {
      var diagonal = row[0]
      row[0] = i + 1
      for j in b.indices {
        let replaced = diagonal + (a[i] == b[j] ? 0 : 1)
        diagonal = row[j + 1]
        row[j + 1] = min(replaced, row[j] + 1, row[j + 1] + 1)
      }
    }
    return row[b.count]
  }
}
