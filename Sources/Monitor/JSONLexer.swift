/// The lexical half of QMP's JSON, one byte at a time, so that input may arrive in any slices.
///
/// It takes what QEMU takes: RFC 8259 plus single-quoted strings. Words are any run of a–z; which of them mean
/// something is the parser's business. After an error it skips the rest of the line, so that one bad command
/// yields one answer.
struct JSONLexer {
  enum Kind: UInt8 {
    case leftBrace, rightBrace, leftBracket, rightBracket, colon, comma, integer, float, word, string
  }

  struct Token {
    var kind: Kind
    /// The raw text; of a string with its quotes and escapes. Empty for punctuation.
    var bytes: [UInt8]
  }

  enum Output {
    case token(Token)
    /// Bytes that belong to no token.
    case stray([UInt8])
    /// A token longer than any message may be.
    case oversized
  }

  private enum State {
    case start, recovery, doubleQuoted, doubleEscape, singleQuoted, singleEscape, minus, zero, digits
    case point, fraction, exponent, exponentSign, exponentDigits, word
  }

  private var state = State.start
  private var current: [UInt8] = []
  private let limit: Int

  /// - Parameter limit: the longest token, in bytes.
  init(limit: Int) { self.limit = limit }

  /// Whether a token has been begun and not ended.
  var isInsideToken: Bool { state != .start && state != .recovery }

  /// Takes one byte; calls `emit` for what it completes (at most a token that ended before it and one that it is).
  mutating func feed(_ byte: UInt8, _ emit: (Output) -> Void) {
    // A byte that ends a number or word is looked at again from the start.
    while true {
      switch state {
      case .start:
        start(byte, emit)
        return
      case .recovery:
        if byte >= 0x20 && byte <= 0xfd { return }
        state = .start
        continue
      case .doubleQuoted, .singleQuoted:
        guard byte >= 0x20 && byte <= 0xfd else { return fail(byte, emit) }
        current.append(byte)
        let double = state == .doubleQuoted
        if byte == UInt8(ascii: "\\") {
          state = double ? .doubleEscape : .singleEscape
        } else if byte == (double ? UInt8(ascii: "\"") : UInt8(ascii: "'")) {
          finish(.string, emit)
        } else {
          bound(emit)
        }
        return
      case .doubleEscape, .singleEscape:
        guard byte >= 0x20 && byte <= 0xfd else { return fail(byte, emit) }
        current.append(byte)
        state = state == .doubleEscape ? .doubleQuoted : .singleQuoted
        return
      case .minus:
        guard isDigit(byte) else { return fail(byte, emit) }
        current.append(byte)
        state = byte == UInt8(ascii: "0") ? .zero : .digits
        return
      case .zero:
        if isDigit(byte) { return fail(byte, emit) }
        if byte == UInt8(ascii: ".") { return advance(byte, .point) }
        if byte | 0x20 == UInt8(ascii: "e") { return advance(byte, .exponent) }
        finish(.integer, emit)
      case .digits:
        if isDigit(byte) {
          current.append(byte)
          return bound(emit)
        }
        if byte == UInt8(ascii: ".") { return advance(byte, .point) }
        if byte | 0x20 == UInt8(ascii: "e") { return advance(byte, .exponent) }
        finish(.integer, emit)
      case .point:
        guard isDigit(byte) else { return fail(byte, emit) }
        return advance(byte, .fraction)
      case .fraction:
        if isDigit(byte) {
          current.append(byte)
          return bound(emit)
        }
        if byte | 0x20 == UInt8(ascii: "e") { return advance(byte, .exponent) }
        finish(.float, emit)
      case .exponent:
        if byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-") { return advance(byte, .exponentSign) }
        guard isDigit(byte) else { return fail(byte, emit) }
        return advance(byte, .exponentDigits)
      case .exponentSign:
        guard isDigit(byte) else { return fail(byte, emit) }
        return advance(byte, .exponentDigits)
      case .exponentDigits:
        if isDigit(byte) {
          current.append(byte)
          return bound(emit)
        }
        finish(.float, emit)
      case .word:
        if byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "z") {
          current.append(byte)
          return bound(emit)
        }
        finish(.word, emit)
      }
    }
  }

  private mutating func start(_ byte: UInt8, _ emit: (Output) -> Void) {
    switch byte {
    case 0x20, 0x09, 0x0a, 0x0d: break
    case UInt8(ascii: "{"): emit(.token(Token(kind: .leftBrace, bytes: [])))
    case UInt8(ascii: "}"): emit(.token(Token(kind: .rightBrace, bytes: [])))
    case UInt8(ascii: "["): emit(.token(Token(kind: .leftBracket, bytes: [])))
    case UInt8(ascii: "]"): emit(.token(Token(kind: .rightBracket, bytes: [])))
    case UInt8(ascii: ":"): emit(.token(Token(kind: .colon, bytes: [])))
    case UInt8(ascii: ","): emit(.token(Token(kind: .comma, bytes: [])))
    case UInt8(ascii: "\""): advance(byte, .doubleQuoted)
    case UInt8(ascii: "'"): advance(byte, .singleQuoted)
    case UInt8(ascii: "-"): advance(byte, .minus)
    case UInt8(ascii: "0"): advance(byte, .zero)
    case UInt8(ascii: "1")...UInt8(ascii: "9"): advance(byte, .digits)
    case UInt8(ascii: "a")...UInt8(ascii: "z"): advance(byte, .word)
    default: fail(byte, emit)
    }
  }

  private mutating func advance(_ byte: UInt8, _ next: State) {
    current.append(byte)
    state = next
  }

  private mutating func finish(_ kind: Kind, _ emit: (Output) -> Void) {
    let bytes = current
    current = []
    state = .start
    emit(.token(Token(kind: kind, bytes: bytes)))
  }

  private mutating func fail(_ byte: UInt8, _ emit: (Output) -> Void) {
    var bytes = current
    bytes.append(byte)
    current = []
    // A line's end needs no skipping to the line's end.
    state = byte >= 0x20 && byte <= 0xfd ? .recovery : .start
    emit(.stray(bytes))
  }

  private mutating func bound(_ emit: (Output) -> Void) {
    guard current.count > limit else { return }
    current = []
    state = .recovery
    emit(.oversized)
  }

  private func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }
}
