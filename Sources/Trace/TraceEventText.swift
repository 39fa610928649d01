/// Events for people and for other programs.
extension TraceEvent: CustomStringConvertible {
  /// One line: instant, kind, members as `name=value`.
  public var description: String {
    let parts = body.members.map { "\($0.name)=\($0.text)" }
    return ([instant.description, kind.name] + parts).joined(separator: " ")
  }

  /// An object with `instant` (text), `kind`, and the members of the body by their names.
  public var json: JSONValue {
    var object: [String: JSONValue] = ["instant": .string(instant.description), "kind": .string(kind.name)]
    for member in body.members { object[member.name] = member.json }
    return .object(object)
  }
}

extension TraceEvent.Body: CustomStringConvertible {
  public var description: String {
    ([kind.name] + members.map { "\($0.name)=\($0.text)" }).joined(separator: " ")
  }

  struct Member {
    var name: String
    /// For people: addresses and values in hexadecimal, text quoted.
    var text: String
    var json: JSONValue

    static func decimal(_ name: String, _ value: some BinaryInteger) -> Member {
      Member(name: name, text: "\(value)", json: number(value))
    }

    static func hexadecimal(_ name: String, _ value: some BinaryInteger) -> Member {
      Member(name: name, text: "0x" + String(value, radix: 16), json: number(value))
    }

    static func string(_ name: String, _ value: String) -> Member {
      Member(name: name, text: value.debugDescription, json: .string(value))
    }

    static func name(_ name: String, _ value: String) -> Member {
      Member(name: name, text: value, json: .string(value))
    }

    /// What may be any bytes, and is mostly text: as text where it is UTF-8, and exactly in hexadecimal in JSON.
    static func bytes(_ name: String, _ value: [UInt8]) -> Member {
      let digits = SHA256.hexadecimal(value)
      let text = String(validating: value, as: UTF8.self)?.debugDescription ?? digits
      return Member(name: name, text: text, json: .string(digits))
    }

    private static func number(_ value: some BinaryInteger) -> JSONValue {
      if let value = Int64(exactly: value) { return .integer(value) }
      return .unsigned(UInt64(truncatingIfNeeded: value))
    }
  }

  var members: [Member] {
    switch self {
    case .serialInput(let port, let bytes), .serialOutput(let port, let bytes):
      return [.decimal("port", port), .bytes("bytes", bytes)]
    case .command(let monitor, let json): return [.decimal("monitor", monitor), .string("json", json)]
    case .wallClock(let seconds, let nanoseconds):
      return [.decimal("seconds", seconds), .decimal("nanoseconds", nanoseconds)]
    case .entropy(let use, let bytes): return [.string("use", use), .bytes("bytes", bytes)]
    case .blockData(let device, let request, let digest, let bytes):
      return [
        .decimal("device", device), .decimal("request", request),
        .name("digest", SHA256.hexadecimal(digest)), .bytes("bytes", bytes),
      ]
    case .networkFrame(let device, let bytes): return [.decimal("device", device), .bytes("bytes", bytes)]
    case .debuggerWrite(let space, let address, let bytes):
      return [.name("space", "\(space)"), .hexadecimal("address", address), .bytes("bytes", bytes)]
    case .idleWait(let nanoseconds), .idleSkip(let nanoseconds): return [.decimal("nanoseconds", nanoseconds)]
    case .userMarker(let text): return [.string("text", text)]
    case .portRead(let port, let size, let value, let count):
      return [
        .hexadecimal("port", port), .decimal("size", size), .hexadecimal("value", value),
        .decimal("count", count),
      ]
    case .mmioRead(let address, let size, let value, let count):
      return [
        .hexadecimal("address", address), .decimal("size", size), .hexadecimal("value", value),
        .decimal("count", count),
      ]
    case .portWrite(let port, let size, let value):
      return [.hexadecimal("port", port), .decimal("size", size), .hexadecimal("value", value)]
    case .interrupt(let vector, let kind): return [.hexadecimal("vector", vector), .name("type", "\(kind)")]
    case .runState(let from, let to, let reason):
      return [.name("from", from), .name("to", to), .string("reason", reason)]
    case .machineEvent(let name, let json): return [.name("name", name), .string("json", json)]
    case .digest(let digest): return Self.members(digest)
    case .chaosDelay(let what, let nanoseconds):
      return [.string("what", what), .decimal("nanoseconds", nanoseconds)]
    case .endState(let reason, let digest): return [.string("reason", reason)] + Self.members(digest)
    case .marker(let marker, let text): return [.name("marker", "\(marker)"), .string("text", text)]
    }
  }

  private static func members(_ digest: StateDigest) -> [Member] {
    [
      .hexadecimal("registers", digest.registers), .hexadecimal("devices", digest.devices),
      .hexadecimal("memory", digest.memory),
    ]
  }
}
