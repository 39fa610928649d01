import Foundation

/// What a run said on its console.
package struct ConsoleSearch {
  private let lines: [Substring]

  /// The console's file, the last 16 MiB of it.
  init(path: String) {
    let data = FileManager.default.contents(atPath: path) ?? Data()
    self.init(text: String(decoding: data.suffix(16 << 20), as: UTF8.self))
  }

  package init(text: String) {
    // A carriage return with a line feed is one Character.
    lines = text.split(whereSeparator: \.isNewline)
  }

  func first(matching expression: NSRegularExpression) -> String? {
    lines.first { line in
      let text = String(line)
      return expression.firstMatch(in: text, range: NSRange(text.startIndex..., in: text)) != nil
    }.map(Self.shortened)
  }

  /// The line that names the panic, without the kernel's time stamp.
  package var panicLine: String? {
    let line =
      lines.first { $0.contains("Kernel panic - not syncing") }
      ?? lines.first { $0.lowercased().contains("panic:") }
      ?? lines.first { $0.lowercased().contains("panic") }
    return line.map(Self.shortened)
  }

  private static func shortened(_ line: Substring) -> String {
    var text = line
    if text.first == "[", let end = text.firstIndex(of: "]") { text = text[text.index(after: end)...] }
    return String(text.drop { $0 == " " }.prefix(160))
  }
}
