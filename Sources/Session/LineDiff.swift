/// A text diff by lines, for consoles that are alike in most lines (Myers, "An O(ND) Difference Algorithm", 1986).
enum LineDiff {
  struct Line: Equatable {
    /// " " in both, "-" in the first only, "+" in the second only.
    var side: String
    var text: String
  }

  /// Differences looked for; beyond that, the rest of both is shown as it is.
  static let maximumDistance = 400
  /// Common lines shown around differences.
  static let context = 2

  /// The differences with some lines around them; gaps are shown as "…".
  static func diff(_ a: [String], _ b: [String]) -> [Line] {
    let start = zip(a, b).prefix { isSame($0, $1) }.count
    let end = min(
      zip(a.reversed(), b.reversed()).prefix { isSame($0, $1) }.count, min(a.count, b.count) - start)
    let middle = changes(Array(a[start..<a.count - end]), Array(b[start..<b.count - end]))
    let all =
      a.prefix(start).map { Line(side: " ", text: $0) } + middle
      + a.suffix(end).map { Line(side: " ", text: $0) }
    return shortened(all)
  }

  /// Whether two lines are the same but for the time that Linux writes before its messages (`[    0.006795] `).
  static func isSame(_ a: String, _ b: String) -> Bool { a == b || untimed(a) == untimed(b) }

  private static func untimed(_ line: String) -> Substring {
    guard line.utf8.first == UInt8(ascii: "["), let end = line.firstIndex(of: "]"),
      line[..<end].dropFirst().allSatisfy({ $0 == " " || $0 == "." || $0.isASCII && $0.isNumber })
    else { return line[...] }
    return line[end...]
  }

  private static func changes(_ a: [String], _ b: [String]) -> [Line] {
    let limit = min(maximumDistance, a.count + b.count)
    var furthest = [Int](repeating: 0, count: 2 * limit + 3)
    var history: [[Int]] = []
    let middle = limit + 1
    for distance in 0...limit {
      history.append(furthest)
      for diagonal in stride(from: -distance, through: distance, by: 2) {
        let down =
          diagonal == -distance
          || (diagonal != distance && furthest[middle + diagonal - 1] < furthest[middle + diagonal + 1])
        var x = down ? furthest[middle + diagonal + 1] : furthest[middle + diagonal - 1] + 1
        while x < a.count, x - diagonal < b.count, x - diagonal >= 0, isSame(a[x], b[x - diagonal]) { x += 1 }
        furthest[middle + diagonal] = x
        if x >= a.count, x - diagonal >= b.count { return walkBack(a, b, history, middle) }
      }
    }
    return a.map { Line(side: "-", text: $0) } + b.map { Line(side: "+", text: $0) }
  }

  private static func walkBack(_ a: [String], _ b: [String], _ history: [[Int]], _ middle: Int) -> [Line] {
    var lines: [Line] = []
    var (x, y) = (a.count, b.count)
    for distance in stride(from: history.count - 1, through: 0, by: -1) {
      let furthest = history[distance]
      let diagonal = x - y
      let down =
        diagonal == -distance
        || (diagonal != distance && furthest[middle + diagonal - 1] < furthest[middle + diagonal + 1])
      let previous = down ? diagonal + 1 : diagonal - 1
      let fromX = distance == 0 ? 0 : furthest[middle + previous]
      let fromY = distance == 0 ? 0 : fromX - previous
      while x > fromX, y > fromY {
        x -= 1
        y -= 1
        lines.append(Line(side: " ", text: a[x]))
      }
      guard distance > 0 else { break }
      if down {
        y -= 1
        lines.append(Line(side: "+", text: b[y]))
      } else {
        x -= 1
        lines.append(Line(side: "-", text: a[x]))
      }
    }
    return lines.reversed()
  }

  private static func shortened(_ lines: [Line]) -> [Line] {
    var result: [Line] = []
    for (index, line) in lines.enumerated() {
      let around = max(0, index - context)...min(lines.count - 1, index + context)
      if lines[around].contains(where: { $0.side != " " }) {
        result.append(line)
      } else if result.last?.text != "…" || result.last?.side != " " {
        result.append(Line(side: " ", text: "…"))
      }
    }
    return result.allSatisfy { $0.side == " " } ? [] : result
  }
}
