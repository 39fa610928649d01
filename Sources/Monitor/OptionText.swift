/// QEMU's option syntax: `first,key=value,key,no-key`, where `,,` stands for a comma inside a value.
///
/// The first part may be a bare value (a driver's name in `-device pvpanic,events=1`, a back end in
/// `-chardev socket,id=c`). Later parts without `=` are flags: `server` reads as `server=on`, and `nowait`,
/// which older command lines have, as `wait=off`.
public struct OptionText: Sendable, Equatable {
  public struct Failure: Error, Sendable, Equatable, CustomStringConvertible {
    public var message: String
    /// The words are right, but the host does not give what they ask for: a socket in use, a file that cannot be opened.
    public var isUnavailable = false
    public init(_ message: String) { self.message = message }
    public init(unavailable message: String) {
      self.message = message
      isUnavailable = true
    }
    public var description: String { message }
  }

  /// The first part, when it is not a `key=value`.
  public var head: String?
  /// The other parts in the order in which they were given.
  public var entries: [(key: String, value: String)]

  public static func == (left: OptionText, right: OptionText) -> Bool {
    left.head == right.head
      && left.entries.elementsEqual(right.entries) { $0.key == $1.key && $0.value == $1.value }
  }

  /// Splits `text`. An empty part (`a,` or `=b`) is an error.
  /// - Parameters:
  ///   - headless: every part is a `key[=value]`, as in `-mon chardev=c,mode=control`.
  ///   - allowsEmpty: an empty text has no parts.
  public init(_ text: String, headless: Bool = false, allowsEmpty: Bool = false) throws {
    head = nil
    entries = []
    if allowsEmpty && text.isEmpty { return }
    for (index, part) in OptionText.split(text).enumerated() {
      if part.isEmpty { throw Failure("Empty option in '\(text)'") }
      if let equals = part.firstIndex(of: "=") {
        let key = String(part[..<equals])
        if key.isEmpty { throw Failure("Option without a name in '\(text)'") }
        entries.append((key, String(part[part.index(after: equals)...])))
      } else if index == 0 && !headless {
        head = part
      } else if part == "nowait" {
        entries.append(("wait", "off"))
      } else {
        entries.append((part, "on"))
      }
    }
  }

  /// The parts of `text` between single commas, with `,,` turned into a comma.
  public static func split(_ text: String) -> [String] {
    var parts: [String] = []
    var current: [UInt8] = []
    let bytes = Array(text.utf8)
    var index = 0
    while index < bytes.count {
      if bytes[index] == UInt8(ascii: ",") {
        if index + 1 < bytes.count && bytes[index + 1] == UInt8(ascii: ",") {
          current.append(bytes[index])
          index += 2
          continue
        }
        parts.append(String(decoding: current, as: UTF8.self))
        current.removeAll()
      } else {
        current.append(bytes[index])
      }
      index += 1
    }
    parts.append(String(decoding: current, as: UTF8.self))
    return parts
  }

  /// The last value given for `key`, as in QEMU.
  public subscript(key: String) -> String? { entries.last { $0.key == key }?.value }

  /// A switch: on/yes/true/y or off/no/false/n.
  public func flag(_ key: String, default fallback: Bool) throws -> Bool {
    guard let value = self[key] else { return fallback }
    switch value {
    case "on", "yes", "true", "y": return true
    case "off", "no", "false", "n": return false
    default: throw Failure("Parameter '\(key)' expects 'on' or 'off'")
    }
  }

  /// A number in decimal, hexadecimal (0x) or octal (leading 0).
  public func number(_ key: String) throws -> UInt64? {
    guard let value = self[key] else { return nil }
    guard let number = OptionText.number(value) else { throw Failure("Parameter '\(key)' expects a number") }
    return number
  }

  /// C's `strtoull` with base 0, without signs and trailing text.
  public static func number(_ text: String) -> UInt64? {
    if text.hasPrefix("0x") || text.hasPrefix("0X") {
      let digits = text.dropFirst(2)
      return digits.first == "+" || digits.first == "-" ? nil : UInt64(digits, radix: 16)
    }
    if text.first == "+" || text.first == "-" { return nil }
    if text.count > 1 && text.first == "0" { return UInt64(text, radix: 8) }
    return UInt64(text)
  }

  /// Throws for the first key that is not in `known`.
  public func allow(_ known: [String]) throws {
    for entry in entries where !known.contains(entry.key) {
      throw Failure("Invalid parameter '\(entry.key)'")
    }
  }
}
