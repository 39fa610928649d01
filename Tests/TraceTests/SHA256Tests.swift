import Foundation
import Testing
import Trace

@Suite struct SHA256Tests {
  /// FIPS 180-4 examples, and NIST's long one.
  @Test(arguments: [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
    (
      "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
      "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
    ),
    (
      String(repeating: "a", count: 1_000_000),
      "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
    ),
  ])
  func vectors(text: String, digest: String) {
    #expect(SHA256.hexadecimal(SHA256.hash(Data(text.utf8))) == digest)
  }

  /// With and without the processor's instructions.
  @Test func bothWaysAgree() {
    var random = Random(6)
    let known = SHA256.hasInstructions
    defer { SHA256.hasInstructions = known }
    for size in [0, 1, 55, 56, 63, 64, 65, 127, 128, 1000, 4096, 100_000] {
      let bytes = random.bytes(size)
      SHA256.hasInstructions = known
      let digest = SHA256.hash(bytes)
      SHA256.hasInstructions = false
      #expect(SHA256.hash(bytes) == digest)
    }
  }

  @Test func piecesMakeTheWhole() {
    var random = Random(4)
    let bytes = random.bytes(1000)
    for _ in 0..<50 {
      var hash = SHA256()
      var offset = 0
      while offset < bytes.count {
        let end = min(bytes.count, offset + Int(random.below(150)))
        hash.update(Array(bytes[offset..<end]))
        offset = end
      }
      #expect(hash.finalize() == SHA256.hash(bytes))
    }
  }
}
