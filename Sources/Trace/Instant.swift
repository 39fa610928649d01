/// A place in a run. Everything that is logged, sought or compared is named by instants.
///
/// Instants of one run are ordered by instruction count, then added time, then sequence.
public struct Instant: Hashable, Sendable, Codable {
  /// Instructions retired since power-on, machine-wide, deliveries of interrupts and exceptions included.
  public var instructionCount: UInt64
  /// Virtual time that no instruction accounts for, in nanoseconds: idle time skipped and extra costs.
  public var addedTime: UInt64
  /// Numbers the inputs that are applied at one place, from 0.
  public var sequence: UInt32

  public static let zero = Instant(instructionCount: 0)

  public init(instructionCount: UInt64, addedTime: UInt64 = 0, sequence: UInt32 = 0) {
    self.instructionCount = instructionCount
    self.addedTime = addedTime
    self.sequence = sequence
  }
}

extension Instant: Comparable {
  @inline(__always)
  public static func < (a: Instant, b: Instant) -> Bool {
    if a.instructionCount != b.instructionCount { return a.instructionCount < b.instructionCount }
    if a.addedTime != b.addedTime { return a.addedTime < b.addedTime }
    return a.sequence < b.sequence
  }
}

/// The text form: `COUNT[+ADDED][.SEQUENCE]`, decimal, `ADDED` in nanoseconds; parts that are 0 are left out.
extension Instant: LosslessStringConvertible {
  public var description: String {
    var text = String(instructionCount)
    if addedTime != 0 { text += "+\(addedTime)" }
    if sequence != 0 { text += ".\(sequence)" }
    return text
  }

  /// - Returns: nil when `text` is not of the form above or a part is out of range.
  public init?(_ text: String) {
    let dotted = text.split(separator: ".", omittingEmptySubsequences: false)
    let added = dotted[0].split(separator: "+", omittingEmptySubsequences: false)
    guard dotted.count <= 2, added.count <= 2, let count = Self.number(added[0], UInt64.self) else {
      return nil
    }
    var instant = Instant(instructionCount: count)
    if added.count == 2 {
      guard let time = Self.number(added[1], UInt64.self) else { return nil }
      instant.addedTime = time
    }
    if dotted.count == 2 {
      guard let sequence = Self.number(dotted[1], UInt32.self) else { return nil }
      instant.sequence = sequence
    }
    self = instant
  }

  private static func number<T: FixedWidthInteger>(_ text: Substring, _: T.Type) -> T? {
    guard !text.isEmpty, text.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else { return nil }
    return T(text)
  }
}
