/// A JSON value as QMP needs it: members keep their order, integers are exact.
public enum JSONValue: Sendable, Equatable {
  case null
  case bool(Bool)
  /// Any integer of Int64's range.
  case integer(Int64)
  /// An integer above Int64's range; never used for smaller ones.
  case unsigned(UInt64)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object(JSONObject)

  public init(_ value: UInt64) { self = Int64(exactly: value).map(JSONValue.integer) ?? .unsigned(value) }

  public static func dictionary(_ members: KeyValuePairs<String, JSONValue>) -> JSONValue {
    .object(JSONObject(members))
  }

  public subscript(key: String) -> JSONValue? {
    if case .object(let object) = self { return object[key] }
    return nil
  }
  public var stringValue: String? {
    if case .string(let value) = self { return value }
    return nil
  }
  public var boolValue: Bool? {
    if case .bool(let value) = self { return value }
    return nil
  }
  public var arrayValue: [JSONValue]? {
    if case .array(let value) = self { return value }
    return nil
  }
  public var objectValue: JSONObject? {
    if case .object(let value) = self { return value }
    return nil
  }
  /// An integer in Int64's range.
  public var integerValue: Int64? {
    if case .integer(let value) = self { return value }
    return nil
  }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
  public init(stringLiteral value: String) { self = .string(value) }
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  public init(integerLiteral value: Int64) { self = .integer(value) }
  public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  public init(dictionaryLiteral elements: (String, JSONValue)...) {
    self = .object(JSONObject(elements))
  }
}

/// Members in the order in which they were added. Looking one up is a linear search: QMP's objects are small,
/// and the parser, which meets big ones, keeps its own index.
public struct JSONObject: Sendable, Equatable {
  public private(set) var members: [(name: String, value: JSONValue)] = []

  public init() {}
  public init(_ members: KeyValuePairs<String, JSONValue>) {
    for member in members { self[member.key] = member.value }
  }
  public init(_ members: [(String, JSONValue)]) { for member in members { self[member.0] = member.1 } }

  public subscript(name: String) -> JSONValue? {
    get { members.first { $0.name == name }?.value }
    set {
      if let index = members.firstIndex(where: { $0.name == name }) {
        if let newValue { members[index].value = newValue } else { members.remove(at: index) }
      } else if let newValue {
        members.append((name, newValue))
      }
    }
  }

  /// Appends a member whose name the caller knows to be new.
  mutating func append(unchecked name: String, _ value: JSONValue) { members.append((name, value)) }

  /// Equal when names, values and order are.
  public static func == (left: JSONObject, right: JSONObject) -> Bool {
    left.members.elementsEqual(right.members) { $0.name == $1.name && $0.value == $1.value }
  }
}

extension JSONValue {
  /// The text as QEMU writes it: one line, `": "` and `", "`, ASCII only, everything else as `\uXXXX`.
  public var text: String { String(decoding: bytes, as: UTF8.self) }

  /// `text` as bytes.
  public var bytes: [UInt8] {
    var output: [UInt8] = []
    write(to: &output)
    return output
  }

  func write(to output: inout [UInt8]) {
    switch self {
    case .null: output += "null".utf8
    case .bool(let value): output += (value ? "true" : "false").utf8
    case .integer(let value): output += String(value).utf8
    case .unsigned(let value): output += String(value).utf8
    case .number(let value): output += JSONValue.numberText(value).utf8
    case .string(let value): JSONValue.write(value, to: &output)
    case .array(let elements):
      output.append(UInt8(ascii: "["))
      for (index, element) in elements.enumerated() {
        if index > 0 { output += ", ".utf8 }
        element.write(to: &output)
      }
      output.append(UInt8(ascii: "]"))
    case .object(let object):
      output.append(UInt8(ascii: "{"))
      for (index, member) in object.members.enumerated() {
        if index > 0 { output += ", ".utf8 }
        JSONValue.write(member.name, to: &output)
        output += ": ".utf8
        member.value.write(to: &output)
      }
      output.append(UInt8(ascii: "}"))
    }
  }

  /// The shortest decimal that reads back as `value`. Infinities, which JSON cannot say, become the largest
  /// finite numbers (they arise from input such as 1e999).
  private static func numberText(_ value: Double) -> String {
    if value.isNaN { return "null" }
    if value.isInfinite { return value < 0 ? "-1.7976931348623157e+308" : "1.7976931348623157e+308" }
    if let integer = Int64(exactly: value), abs(value) < 1e15 { return String(integer) }
    return value.description
  }

  private static func write(_ string: String, to output: inout [UInt8]) {
    output.append(UInt8(ascii: "\""))
    for scalar in string.unicodeScalars {
      switch scalar.value {
      case 0x22: output += "\\\"".utf8
      case 0x5c: output += "\\\\".utf8
      case 0x08: output += "\\b".utf8
      case 0x0c: output += "\\f".utf8
      case 0x0a: output += "\\n".utf8
      case 0x0d: output += "\\r".utf8
      case 0x09: output += "\\t".utf8
      case 0x20..<0x7f: output.append(UInt8(truncatingIfNeeded: scalar.value))
      default: for unit in UTF16.encode(scalar)! { writeEscape(unit, to: &output) }
      }
    }
    output.append(UInt8(ascii: "\""))
  }

  private static func writeEscape(_ unit: UInt16, to output: inout [UInt8]) {
    output += "\\u".utf8
    for shift in [12, 8, 4, 0] as [UInt16] {
      let digit = UInt8(truncatingIfNeeded: (unit &>> shift) & 0xf)
      output.append(digit < 10 ? UInt8(ascii: "0") &+ digit : UInt8(ascii: "A") &+ digit &- 10)
    }
  }
}
