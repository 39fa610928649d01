import Session

/// The types of QMP's arguments and results, from which arguments are checked and `query-qmp-schema` is made.
public indirect enum QMPType: Sendable {
  case string, integer, boolean, any
  /// `name` is for the reader: on the wire types are numbered.
  case enumeration(name: String, values: [String])
  case array(QMPType)
  case object(name: String, members: [QMPMember])

  /// What QEMU calls the type in "Invalid parameter type for …".
  var expectation: String {
    switch self {
    case .string, .enumeration: return "string"
    case .integer: return "integer"
    case .boolean: return "boolean"
    case .any: return "any"
    case .array: return "array"
    case .object: return "object"
    }
  }
}

public struct QMPMember: Sendable {
  public var name: String
  public var type: QMPType
  public var isOptional: Bool
  public init(_ name: String, _ type: QMPType, optional: Bool = false) {
    self.name = name
    self.type = type
    isOptional = optional
  }
}

extension QMPMember {
  /// Checks `object` against `members`, in the order and with the texts of QEMU: first each declared member
  /// (missing, wrong type), then what is left over.
  static func check(_ object: JSONObject, against members: [QMPMember], prefix: String = "")
    throws(ControlError)
  {
    for member in members {
      guard let value = object[member.name] else {
        if member.isOptional { continue }
        throw ControlError("Parameter '\(prefix)\(member.name)' is missing")
      }
      try check(value, member.type, name: prefix + member.name)
    }
    for given in object.members where !members.contains(where: { $0.name == given.name }) {
      throw ControlError("Parameter '\(prefix)\(given.name)' is unexpected")
    }
  }

  private static func check(_ value: JSONValue, _ type: QMPType, name: String) throws(ControlError) {
    let mismatch = ControlError("Invalid parameter type for '\(name)', expected: \(type.expectation)")
    switch type {
    case .any: break
    case .string: if value.stringValue == nil { throw mismatch }
    case .integer: if value.integerValue == nil { throw mismatch }
    case .boolean: if value.boolValue == nil { throw mismatch }
    case .enumeration(_, let values):
      guard let string = value.stringValue else { throw mismatch }
      if !values.contains(string) {
        throw ControlError("Parameter '\(name)' does not accept value '\(string)'")
      }
    case .array(let element):
      guard let elements = value.arrayValue else { throw mismatch }
      // QEMU has no name for an element.
      for item in elements { try check(item, element, name: "null") }
    case .object(_, let members):
      guard let object = value.objectValue else { throw mismatch }
      try check(object, against: members, prefix: name + ".")
    }
  }
}

/// Makes `query-qmp-schema`'s answer: commands and events first, then the types they use, each once.
struct QMPSchemaBuilder {
  private var entries: [JSONValue] = []
  private var types: [JSONValue] = []
  private var numbers: [String: String] = [:]

  static func build(commands: [QMPCommand], events: [(name: String, data: [QMPMember])]) -> JSONValue {
    var builder = QMPSchemaBuilder()
    for command in commands {
      let arguments = builder.objectName("\(command.name)-arg", command.arguments)
      let result = builder.name(of: command.returns)
      var entry: JSONObject = JSONObject([
        ("name", .string(command.name)), ("ret-type", .string(result)), ("meta-type", "command"),
        ("arg-type", .string(arguments)),
      ])
      if command.allowsOOB { entry["allow-oob"] = true }
      builder.entries.append(.object(entry))
    }
    for event in events {
      let data = builder.objectName("\(event.name)-arg", event.data)
      builder.entries.append(
        ["name": .string(event.name), "meta-type": "event", "arg-type": .string(data)])
    }
    return .array(builder.entries + builder.types)
  }

  private mutating func name(of type: QMPType) -> String {
    switch type {
    case .string: return builtin("str", "string")
    case .integer: return builtin("int", "int")
    case .boolean: return builtin("bool", "boolean")
    case .any: return builtin("any", "value")
    case .enumeration(let name, let values):
      return numbered("enum \(name)") { number, _ in
        [
          "name": .string(number),
          "members": .array(values.map { ["name": .string($0)] }), "meta-type": "enum",
          "values": .array(values.map { .string($0) }),
        ]
      }
    case .array(let element):
      let name = "[\(self.name(of: element))]"
      if numbers[name] == nil {
        numbers[name] = name
        types.append([
          "name": .string(name), "element-type": .string(String(name.dropFirst().dropLast())),
          "meta-type": "array",
        ])
      }
      return name
    case .object(let name, let members): return objectName(name, members)
    }
  }

  private mutating func objectName(_ name: String, _ members: [QMPMember]) -> String {
    numbered(members.isEmpty ? "empty" : "object \(name)") { number, builder in
      let list = members.map { member -> JSONValue in
        var entry = JSONObject([("name", .string(member.name))])
        if member.isOptional { entry["default"] = .null }
        entry["type"] = .string(builder.name(of: member.type))
        return .object(entry)
      }
      return ["name": .string(number), "members": .array(list), "meta-type": "object"]
    }
  }

  private mutating func builtin(_ name: String, _ jsonType: String) -> String {
    if numbers[name] == nil {
      numbers[name] = name
      types.append(["name": .string(name), "json-type": .string(jsonType), "meta-type": "builtin"])
    }
    return name
  }

  private var nextNumber = 0

  private mutating func numbered(_ key: String, _ make: (String, inout QMPSchemaBuilder) -> JSONValue)
    -> String
  {
    if let number = numbers[key] { return number }
    let number = String(nextNumber)
    nextNumber += 1
    numbers[key] = number
    let place = types.count
    let entry = make(number, &self)
    types.insert(entry, at: place)
    return number
  }
}
