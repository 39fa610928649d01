import Debugger
import Testing

private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

/// A frame with the right checksum around content as it goes over the wire.
private func framed(_ content: [UInt8]) -> [UInt8] {
  let sum = content.reduce(UInt8(0)) { $0 &+ $1 }
  let digits = String(sum, radix: 16)
  return [0x24] + content + bytes("#" + (digits.count < 2 ? "0" : "") + digits)
}

@Suite struct PacketTests {
  @Test func framesHaveChecksums() {
    #expect(Packet.frame([]) == bytes("$#00"))
    #expect(Packet.frame(bytes("OK")) == bytes("$OK#9a"))
    #expect(Packet.frame(bytes("E14")) == bytes("$E14#aa"))
  }

  @Test func specialBytesAreEscaped() {
    let frame = Packet.frame([0x24, 0x23, 0x7D, 0x2A, 0x00, 0xFF])
    #expect(Array(frame.dropLast(3)) == [0x24, 0x7D, 0x04, 0x7D, 0x03, 0x7D, 0x5D, 0x7D, 0x0A, 0x00, 0xFF])
  }

  @Test(arguments: [0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 14, 15, 16, 17, 18, 60, 96, 97, 98, 99, 200, 5000])
  func compressedRunsComeBack(count: Int) {
    for byte: UInt8 in [0x30, 0x2A, 0x24, 0x00] {
      let content = bytes("a") + [UInt8](repeating: byte, count: count) + bytes("b")
      let frame = Packet.frame(content, compresses: true)
      var parser = PacketParser(limit: 1 << 16)
      #expect(parser.take(frame) == [.packet(content)])
      // A count must not look like a frame's own bytes.
      #expect(!frame.dropFirst().dropLast(3).contains(0x24) && !frame.dropFirst().dropLast(3).contains(0x23))
    }
    #expect(Packet.frame([UInt8](repeating: 0x30, count: 64), compresses: true).count < 8)
  }

  @Test func elementsComeInOrder() {
    var parser = PacketParser(limit: 100)
    #expect(
      parser.take(bytes("+$g#67-\u{3}noise$?#3f")) == [
        .acknowledged, .packet(bytes("g")), .retransmit, .interrupt, .packet(bytes("?")),
      ])
  }

  @Test func piecesAreJoined() {
    var parser = PacketParser(limit: 100)
    var elements: [PacketParser.Element] = []
    for byte in framed(bytes("m1000,10")) { elements += parser.take([byte]) }
    #expect(elements == [.packet(bytes("m1000,10"))])
  }

  @Test func wrongChecksumsAreDamage() {
    var parser = PacketParser(limit: 100)
    #expect(parser.take(bytes("$g#68")) == [.damaged])
    #expect(parser.take(bytes("$g#zz")) == [.damaged])
    #expect(parser.take(bytes("$g#6")) == [])
    #expect(parser.take(bytes("7$?#3f")) == [.packet(bytes("g")), .packet(bytes("?"))])
  }

  @Test func aNewPacketEndsOneWhoseEndWasLost() {
    var parser = PacketParser(limit: 100)
    #expect(parser.take(bytes("$m1000$g#67")) == [.packet(bytes("g"))])
  }

  @Test func escapesAndRunsAreUndone() {
    var parser = PacketParser(limit: 100)
    #expect(parser.take(framed([0x58, 0x7D, 0x03, 0x7D, 0x5D])) == [.packet([0x58, 0x23, 0x7D])])
    #expect(parser.take(framed(bytes("0* "))) == [.packet(bytes("0000"))])
    // Nothing to repeat, a count below the smallest, an escape without a byte.
    #expect(parser.take(framed(bytes("* "))) == [.damaged])
    #expect(parser.take(framed([0x30, 0x2A, 0x1F])) == [.damaged])
    #expect(parser.take([0x24, 0x41, 0x7D, 0x23] + bytes("be")) == [.damaged])
  }

  @Test func hugePacketsAreTooLongAndForgotten() {
    var parser = PacketParser(limit: 1000)
    #expect(
      parser.take(framed([UInt8](repeating: 0x41, count: 1000))) == [.packet([UInt8](repeating: 0x41, count: 1000))])
    #expect(parser.take(framed([UInt8](repeating: 0x41, count: 1_000_000))) == [.tooLong])
    // A few bytes that unfold to many.
    #expect(parser.take(framed(bytes("0" + String(repeating: "*~", count: 20)))) == [.tooLong])
    #expect(parser.take(bytes("$g#67")) == [.packet(bytes("g"))])
  }

  /// Whatever comes, however it is cut, gives the same elements; and a good packet behind it is understood.
  @Test func anythingIsSurvived() {
    var random = SystemOfNumbers(7)
    let alphabet = bytes("$$##}}**++-\u{3}0123456789abcdefmMgGpPzZvcs,;:= ~")
    for _ in 0..<3000 {
      let input = (0..<Int(random.next() % 64)).map { _ in
        random.next() % 8 == 0
          ? UInt8(truncatingIfNeeded: random.next()) : alphabet[Int(random.next() % UInt64(alphabet.count))]
      }
      var whole = PacketParser(limit: 32)
      var pieces = PacketParser(limit: 32)
      let expected = whole.take(input)
      var found: [PacketParser.Element] = []
      var rest = input[...]
      while !rest.isEmpty {
        let count = min(rest.count, 1 + Int(random.next() % 5))
        found += pieces.take(rest.prefix(count))
        rest = rest.dropFirst(count)
      }
      #expect(found == expected)
      for element in expected {
        if case .packet(let content) = element { #expect(content.count <= 32) }
      }
      #expect(whole.take(bytes("#00$g#67")).last == .packet(bytes("g")))
    }
  }
}

/// splitmix64: the same numbers in each run.
struct SystemOfNumbers {
  private var state: UInt64
  init(_ seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
