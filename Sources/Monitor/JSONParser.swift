/// An error of the parser, in QEMU's words.
public struct JSONError: Error, Sendable, Equatable {
  public var message: String
  public init(_ message: String) { self.message = message }
}

/// The limits of one message, as QEMU sets them against clients that would use up its memory or stack.
public struct JSONLimits: Sendable {
  /// Bytes of all tokens of one message.
  public var size = 64 << 20
  /// Tokens of one message.
  public var tokens = 2 << 20
  /// Braces and brackets open at once.
  public var nesting = 1024
  public init() {}
}

/// Cuts a stream of bytes into JSON values. Values may span lines, several may share one, and a value is complete
/// with the token that closes its last brace (a bare word or number: with the byte after it).
public struct JSONParser {
  private var lexer: JSONLexer
  private var tokens: [JSONLexer.Token] = []
  private var size = 0
  private var braces = 0
  private var brackets = 0
  private let limits: JSONLimits

  public init(limits: JSONLimits = JSONLimits()) {
    self.limits = limits
    lexer = JSONLexer(limit: limits.size)
  }

  /// Takes the next bytes and gives back the values and errors that they complete, in order.
  public mutating func feed(_ bytes: some Sequence<UInt8>) -> [Result<JSONValue, JSONError>] {
    var results: [Result<JSONValue, JSONError>] = []
    for byte in bytes {
      var lexed: [JSONLexer.Output] = []
      lexer.feed(byte) { lexed.append($0) }
      for output in lexed { if let result = take(output) { results.append(result) } }
    }
    return results
  }

  /// The one value of a whole text. Trailing bytes other than white space are an error.
  public static func parse(_ text: String) throws -> JSONValue {
    var parser = JSONParser()
    var results = parser.feed(text.utf8)
    results += parser.feed(CollectionOfOne(0x0a))
    guard let first = results.first else { throw JSONError("JSON parse error, premature end of input") }
    if case .failure(let error) = first { throw error }
    if results.count > 1 || !parser.tokens.isEmpty || parser.lexer.isInsideToken {
      throw JSONError("JSON parse error, text after the value")
    }
    return try first.get()
  }

  private mutating func take(_ output: JSONLexer.Output) -> Result<JSONValue, JSONError>? {
    let token: JSONLexer.Token
    switch output {
    case .stray(let bytes):
      return abandon("JSON parse error, stray '\(String(decoding: bytes, as: UTF8.self))'")
    case .oversized:
      return abandon("JSON token size limit exceeded")
    case .token(let value):
      token = value
    }
    switch token.kind {
    case .leftBrace: braces += 1
    case .rightBrace: braces -= 1
    case .leftBracket: brackets += 1
    case .rightBracket: brackets -= 1
    default: break
    }
    size += max(token.bytes.count, 1) + 1
    if size > limits.size { return abandon("JSON token size limit exceeded") }
    if tokens.count + 1 > limits.tokens { return abandon("JSON token count limit exceeded") }
    if braces + brackets > limits.nesting { return abandon("JSON nesting depth limit exceeded") }
    tokens.append(token)
    if braces >= 0 && brackets >= 0 && braces + brackets > 0 { return nil }
    var reader = JSONTokenReader(tokens: tokens)
    let result = Result { () throws(JSONError) in try reader.value() }
    reset()
    return result
  }

  private mutating func abandon(_ message: String) -> Result<JSONValue, JSONError> {
    reset()
    return .failure(JSONError(message))
  }

  private mutating func reset() {
    tokens = []
    size = 0
    braces = 0
    brackets = 0
  }
}

/// Recursive descent over the tokens of one message. Its depth is bounded by `JSONLimits.nesting`.
private struct JSONTokenReader {
  let tokens: [JSONLexer.Token]
  var position = 0

  init(tokens: [JSONLexer.Token]) { self.tokens = tokens }

  private func fail(_ message: String) -> JSONError { JSONError("JSON parse error, \(message)") }

  private mutating func next() throws(JSONError) -> JSONLexer.Token {
    guard position < tokens.count else { throw fail("premature EOI") }
    position += 1
    return tokens[position - 1]
  }

  private var peekedKind: JSONLexer.Kind? { position < tokens.count ? tokens[position].kind : nil }

  mutating func value() throws(JSONError) -> JSONValue {
    let token = try next()
    switch token.kind {
    case .leftBrace: return try object()
    case .leftBracket: return try array()
    case .string: return .string(try string(token.bytes))
    case .integer, .float: return number(token)
    case .word:
      let word = String(decoding: token.bytes, as: UTF8.self)
      switch word {
      case "true": return .bool(true)
      case "false": return .bool(false)
      case "null": return .null
      default: throw fail("invalid keyword '\(word)'")
      }
    case .rightBrace, .rightBracket, .colon, .comma: throw fail("expecting value")
    }
  }

  private mutating func object() throws(JSONError) -> JSONValue {
    var object = JSONObject()
    var names = Set<String>()
    if peekedKind == .rightBrace {
      position += 1
      return .object(object)
    }
    while true {
      guard case .string(let name) = try value() else { throw fail("key is not a string in object") }
      guard try next().kind == .colon else { throw fail("missing : in object pair") }
      let member = try value()
      guard names.insert(name).inserted else { throw fail("duplicate key") }
      object.append(unchecked: name, member)
      switch try next().kind {
      case .rightBrace: return .object(object)
      case .comma: continue
      default: throw fail("expected separator in dict")
      }
    }
  }

  private mutating func array() throws(JSONError) -> JSONValue {
    var elements: [JSONValue] = []
    if peekedKind == .rightBracket {
      position += 1
      return .array(elements)
    }
    while true {
      elements.append(try value())
      switch try next().kind {
      case .rightBracket: return .array(elements)
      case .comma: continue
      default: throw fail("expected separator in list")
      }
    }
  }

  private func number(_ token: JSONLexer.Token) -> JSONValue {
    let text = String(decoding: token.bytes, as: UTF8.self)
    if token.kind == .integer {
      if let value = Int64(text) { return .integer(value) }
      if let value = UInt64(text) { return .unsigned(value) }
    }
    return .number(Double(text) ?? 0)
  }

  /// Resolves escapes and checks the encoding.
  private func string(_ raw: [UInt8]) throws(JSONError) -> String {
    let body = raw.dropFirst().dropLast()
    guard body.contains(UInt8(ascii: "\\")) else {
      guard let string = String(validating: body, as: UTF8.self) else {
        throw fail("invalid UTF-8 sequence in string")
      }
      return string
    }
    var output: [UInt8] = []
    output.reserveCapacity(body.count)
    var index = body.startIndex
    while index < body.endIndex {
      let byte = body[index]
      index += 1
      guard byte == UInt8(ascii: "\\") else {
        output.append(byte)
        continue
      }
      // The lexer lets no string end in a lone backslash.
      guard index < body.endIndex else { throw fail("invalid escape sequence in string") }
      let escape = body[index]
      index += 1
      switch escape {
      case UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "\\"), UInt8(ascii: "/"): output.append(escape)
      case UInt8(ascii: "b"): output.append(0x08)
      case UInt8(ascii: "f"): output.append(0x0c)
      case UInt8(ascii: "n"): output.append(0x0a)
      case UInt8(ascii: "r"): output.append(0x0d)
      case UInt8(ascii: "t"): output.append(0x09)
      case UInt8(ascii: "u"): try unicode(body, &index, &output)
      default: throw fail("invalid escape sequence in string")
      }
    }
    guard let string = String(validating: output, as: UTF8.self) else {
      throw fail("invalid UTF-8 sequence in string")
    }
    return string
  }

  /// `\uXXXX`, or two of them as a surrogate pair; `index` stands behind the `u`.
  private func unicode(
    _ body: ArraySlice<UInt8>, _ index: inout Int, _ output: inout [UInt8]
  ) throws(JSONError) {
    let begin = index - 2
    guard var code = hex4(body, index) else { throw fail("invalid hex escape sequence in string") }
    index += 4
    if code & 0xfc00 == 0xd800, index + 6 <= body.endIndex, body[index] == UInt8(ascii: "\\"),
      body[index + 1] == UInt8(ascii: "u"), let low = hex4(body, index + 2), low & 0xfc00 == 0xdc00
    {
      code = 0x10000 + ((code & 0x3ff) << 10) + (low & 0x3ff)
      index += 6
    }
    guard let scalar = Unicode.Scalar(code) else {
      throw fail("\(String(decoding: body[begin..<index], as: UTF8.self)) is not a valid Unicode character")
    }
    output += Array(String(Character(scalar)).utf8)
  }

  private func hex4(_ body: ArraySlice<UInt8>, _ index: Int) -> UInt32? {
    guard index + 4 <= body.endIndex else { return nil }
    var code: UInt32 = 0
    for byte in body[index..<index + 4] {
      guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 else { return nil }
      code = code << 4 | UInt32(digit)
    }
    return code
  }
}
