/// A line of input with editing and history, for a monitor that people type into. Like QEMU's it echoes what is
/// typed on every connection, terminal or not.
struct LineEditor {
  enum Action: Equatable {
    /// To be shown.
    case echo([UInt8])
    case line(String)
    /// Tab: the text before the cursor, to be completed by `complete`.
    case completion(String)
  }

  private var line: [UInt8] = []
  private var cursor = 0
  private var history: [[UInt8]] = []
  private var historyIndex = 0
  private enum Escape { case none, started, sequence([UInt8]) }
  private var escape = Escape.none
  private let lineLimit = 4095
  private let historyLimit = 64
  private var previousWasReturn = false

  mutating func take(_ byte: UInt8) -> [Action] {
    switch escape {
    case .started:
      escape = byte == UInt8(ascii: "[") || byte == UInt8(ascii: "O") ? .sequence([]) : .none
      return []
    case .sequence(let parameters):
      if byte >= 0x40 && byte <= 0x7e {
        escape = .none
        return control(sequence: byte, parameters)
      }
      escape = parameters.count < 8 ? .sequence(parameters + [byte]) : .none
      return []
    case .none: break
    }
    defer { previousWasReturn = byte == 0x0d }
    switch byte {
    case 0x0a where previousWasReturn: return []  // CRLF is one end of line.
    case 0x0a, 0x0d: return submit()
    case 0x1b:
      escape = .started
      return []
    case 0x01: return move(to: 0)
    case 0x05: return move(to: line.count)
    case 0x02: return move(to: cursor - 1)
    case 0x06: return move(to: cursor + 1)
    case 0x08, 0x7f: return cursor > 0 ? replace(cursor - 1..<cursor, with: []) : []
    case 0x04: return cursor < line.count ? replace(cursor..<cursor + 1, with: []) : []
    case 0x0b: return replace(cursor..<line.count, with: [])
    case 0x15: return replace(0..<cursor, with: [])
    case 0x17: return deleteWord()
    case 0x10: return recall(historyIndex - 1)
    case 0x0e: return recall(historyIndex + 1)
    case 0x09: return [.completion(String(decoding: line[..<cursor], as: UTF8.self))]
    case 0x20...0x7e, 0x80...0xff:
      if line.count >= lineLimit { return [] }
      return replace(cursor..<cursor, with: [byte])
    default: return []
    }
  }

  /// Replaces what was before the cursor, after completion.
  mutating func complete(_ text: String) -> [Action] { replace(0..<cursor, with: Array(text.utf8)) }

  /// The line so far, to be shown again behind a new prompt.
  var current: [UInt8] { line }

  mutating func clear() {
    line = []
    cursor = 0
    escape = .none
    historyIndex = history.count
  }

  private mutating func submit() -> [Action] {
    let text = String(decoding: line, as: UTF8.self)
    if !line.isEmpty && history.last != line {
      history.append(line)
      if history.count > historyLimit { history.removeFirst() }
    }
    clear()
    return [.echo([0x0d, 0x0a]), .line(text)]
  }

  private mutating func control(sequence: UInt8, _ parameters: [UInt8]) -> [Action] {
    switch sequence {
    case UInt8(ascii: "A"): return recall(historyIndex - 1)
    case UInt8(ascii: "B"): return recall(historyIndex + 1)
    case UInt8(ascii: "C"): return move(to: cursor + 1)
    case UInt8(ascii: "D"): return move(to: cursor - 1)
    case UInt8(ascii: "H"): return move(to: 0)
    case UInt8(ascii: "F"): return move(to: line.count)
    case UInt8(ascii: "~"):
      switch parameters.first {
      case UInt8(ascii: "1"): return move(to: 0)
      case UInt8(ascii: "4"): return move(to: line.count)
      case UInt8(ascii: "3") where cursor < line.count: return replace(cursor..<cursor + 1, with: [])
      default: return []
      }
    default: return []
    }
  }

  private mutating func deleteWord() -> [Action] {
    var start = cursor
    while start > 0 && line[start - 1] == 0x20 { start -= 1 }
    while start > 0 && line[start - 1] != 0x20 { start -= 1 }
    return replace(start..<cursor, with: [])
  }

  private mutating func recall(_ index: Int) -> [Action] {
    guard index >= 0 && index <= history.count && index != historyIndex else { return [] }
    let text = index == history.count ? [] : history[index]
    let actions = replace(0..<line.count, with: text)
    historyIndex = index
    return actions
  }

  private mutating func move(to place: Int) -> [Action] {
    let target = max(0, min(line.count, place))
    let distance = target - cursor
    cursor = target
    if distance == 0 { return [] }
    return [.echo(LineEditor.motion(distance))]
  }

  /// Changes a part of the line; the cursor ends behind the new text.
  private mutating func replace(_ range: Range<Int>, with new: [UInt8]) -> [Action] {
    if range.isEmpty && new.isEmpty { return [] }
    let wasAtEnd = cursor == line.count && range.lowerBound == cursor
    var output = LineEditor.motion(range.lowerBound - cursor)
    line.replaceSubrange(range, with: new)
    cursor = range.lowerBound + new.count
    output += line[range.lowerBound...]
    if !wasAtEnd { output += Array("\u{1b}[K".utf8) }
    output += LineEditor.motion(cursor - line.count)
    return [.echo(output)]
  }

  private static func motion(_ distance: Int) -> [UInt8] {
    if distance == 0 { return [] }
    return Array("\u{1b}[\(abs(distance))\(distance < 0 ? "D" : "C")".utf8)
  }
}
