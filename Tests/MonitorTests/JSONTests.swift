import Monitor
import Testing

@Suite struct JSONTests {
  private func feed(_ text: String) -> [Result<JSONValue, JSONError>] {
    var parser = JSONParser()
    return parser.feed(text.utf8)
  }

  private func error(_ text: String) -> String? {
    for case .failure(let error) in feed(text) { return error.message }
    return nil
  }

  @Test func takesWhatQEMUTakes() throws {
    #expect(feed("{'a': 'it\\'s'}") == [.success(["a": "it's"])])
    #expect(feed("{\"a\":1}{\"b\":\n 2}") == [.success(["a": 1]), .success(["b": 2])])
    #expect(feed("42") == [])
    #expect(feed("42 -7\n") == [.success(42), .success(-7)])
    #expect(feed("\"str\"") == [.success("str")])
    #expect(feed("[true, false, null, 1.5e3]") == [.success([true, false, .null, .number(1500)])])
    #expect(feed("\"\\ud83d\\ude00\"") == [.success("😀")])
    #expect(
      feed("9223372036854775807 9223372036854775808 18446744073709551616 ") == [
        .success(.integer(.max)), .success(.unsigned(1 << 63)), .success(.number(18_446_744_073_709_551_616)),
      ])
  }

  @Test func errorTexts() {
    let cases: [(String, String)] = [
      ("{bad json}", "invalid keyword 'bad'"), ("{\"a\" 1}", "missing : in object pair"),
      ("{\"a\":}", "expecting value"), ("{1:2}", "key is not a string in object"),
      ("[1 2]", "expected separator in list"),
      ("{\"a\":1 \"b\":2}", "expected separator in dict"), ("{\"a\":1,\"a\":2}", "duplicate key"),
      ("}", "expecting value"), ("\"\\x\"", "invalid escape sequence in string"),
      ("\"\\u12g4\"", "invalid hex escape sequence in string"),
      ("\"\\udc00\"", "\\udc00 is not a valid Unicode character"), ("01", "stray '01'"), ("@", "stray '@'"),
    ]
    for (text, message) in cases { #expect(error(text) == "JSON parse error, \(message)", "\(text)") }
  }

  @Test func oneBadLineIsOneErrorAndTheNextIsFine() {
    let results = feed("@@@ {\"a\": oops\r\n{\"b\": 2}\r\n")
    #expect(results.count == 2)
    #expect(results.last == .success(["b": 2]))
  }

  @Test func limits() {
    func nested(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    #expect(error(nested(1024)) == nil)
    #expect(error(nested(1025)) == "JSON nesting depth limit exceeded")
    var limits = JSONLimits()
    limits.size = 1000
    limits.tokens = 100
    var parser = JSONParser(limits: limits)
    #expect(
      parser.feed("\"\(String(repeating: "a", count: 2000))\"".utf8) == [
        .failure(JSONError("JSON token size limit exceeded"))
      ])
    parser = JSONParser(limits: limits)
    let many = parser.feed("[\(String(repeating: "1,", count: 200))".utf8)
    #expect(many.first == .failure(JSONError("JSON token count limit exceeded")))
  }

  @Test func writesLikeQEMU() {
    let value: JSONValue = [
      "a": [1, "é\u{7f}\u{1}😀\"\\\n", .null, true], "b": [:], "c": .unsigned(.max), "d": .integer(.min),
      "e": .number(0.5),
    ]
    #expect(
      value.text
        == #"{"a": [1, "\u00E9\u007F\u0001\uD83D\uDE00\"\\\n", null, true], "b": {}, "c": 18446744073709551615, "#
        + #""d": -9223372036854775808, "e": 0.5}"#)
  }

  /// Slicing must not matter, and what is parsed must read back from what is written. The seeds are fixed.
  @Test func mutatedInput() throws {
    let corpus = Transcripts.all.flatMap { $0.text.split(separator: "\n").map { Array($0.dropFirst().utf8) } }
    var state: UInt64 = 0x9e37_79b9_7f4a_7c15
    func random(_ bound: Int) -> Int {
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return Int(state % UInt64(bound))
    }
    let interesting: [UInt8] = Array("{}[]:,\"'\\u0-.eE \r\n".utf8) + [0, 0x7f, 0x80, 0xc0, 0xfe, 0xff]
    for _ in 0..<4000 {
      var bytes = corpus[random(corpus.count)]
      if bytes.count > 600 { bytes.removeLast(bytes.count - 600) }
      for _ in 0...random(6) {
        let place = random(bytes.count + 1)
        switch random(4) {
        case 0: bytes.insert(interesting[random(interesting.count)], at: place)
        case 1 where place < bytes.count: bytes.remove(at: place)
        case 2 where place < bytes.count: bytes[place] = UInt8(random(256))
        default: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + random(9))], at: place)
        }
        if bytes.isEmpty { bytes = [0x7b] }
      }
      bytes.append(0x0a)
      var whole = JSONParser()
      let expected = whole.feed(bytes)
      var sliced = JSONParser()
      var results: [Result<JSONValue, JSONError>] = []
      var rest = bytes[...]
      while !rest.isEmpty {
        let piece = rest.prefix(1 + random(20))
        rest = rest.dropFirst(piece.count)
        results += sliced.feed(piece)
      }
      #expect(results == expected)
      for case .success(let value) in expected {
        #expect(value.bytes.allSatisfy { $0 >= 0x20 && $0 < 0x7f })
        #expect(try JSONParser.parse(value.text) == value)
      }
    }
  }
}

@Suite struct OptionTextTests {
  @Test func keysValuesAndEscapes() throws {
    let options = try OptionText("socket,id=c,path=/a,,b,server,nowait,telnet=off")
    #expect(options.head == "socket")
    #expect(options["path"] == "/a,b")
    #expect(try options.flag("server", default: false))
    #expect(try options.flag("wait", default: true) == false)
    #expect(try OptionText("pvpanic,ioport=0x505")["ioport"].flatMap(OptionText.number) == 0x505)
    #expect(OptionText.number("010") == 8)
    #expect(OptionText.number("-1") == nil)
    #expect(OptionText.number("0x") == nil)
    #expect(throws: OptionText.Failure.self) { try OptionText("a,,,=b") }
    #expect(throws: OptionText.Failure.self) { try OptionText("a,b=maybe").flag("b", default: true) }
  }

  @Test func characterDevices() throws {
    #expect(
      try CharacterSpec.parse("unix:q.sock,server=on,wait=off")
        == CharacterSpec(.unix(path: "q.sock", server: true, wait: false)))
    #expect(
      try CharacterSpec.parse("unix:q.sock,server,nowait")
        == CharacterSpec(.unix(path: "q.sock", server: true, wait: false)))
    #expect(
      try CharacterSpec.parse("tcp:localhost:4444,server=on")
        == CharacterSpec(.tcp(host: "localhost", port: 4444, server: true, wait: true)))
    #expect(try CharacterSpec.parse("mon:stdio") == CharacterSpec(.stdio, mux: true, signal: false))
    #expect(try CharacterSpec.parse("stdio") == CharacterSpec(.stdio, signal: true))
    #expect(try CharacterSpec.parse("none") == nil)
    #expect(
      try CharacterSpec.parseChardev("socket,id=c,path=p,server=on,wait=off").spec
        == CharacterSpec(.unix(path: "p", server: true, wait: false)))
    for wrong in ["", "bogus", "file:", "unix:p,colour=red", "tcp:host", "tcp:h:99999", "unix:p,wait=off"] {
      #expect(throws: OptionText.Failure.self, "\(wrong)") { try CharacterSpec.parse(wrong) }
    }
    for wrong in ["socket,path=p", "id=c", "bogus,id=c", "file,id=c"] {
      #expect(throws: OptionText.Failure.self, "\(wrong)") { try CharacterSpec.parseChardev(wrong) }
    }
  }
}
