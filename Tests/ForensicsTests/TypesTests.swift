import Forensics
import Testing

@Suite struct TypesTests {
  @Test func membersOfMembersAndBitFields() throws {
    var image = BTFImage()
    let int = image.integer("unsigned int", size: 4)
    let inner = image.structure("inner", size: 8, [("a", int, 0, 0), ("b", int, 32, 0)])
    let anonymous = image.structure("", size: 4, [("c", int, 0, 0), ("d", int, 0, 0)], isUnion: true)
    let bits = image.structure("bits", size: 4, [("low", int, 0, 4), ("type", int, 4, 3)])
    _ = image.structure("outer", size: 24, [("", anonymous, 0, 0), ("in", inner, 64, 0), ("f", bits, 128, 0)])
    let types = try #require(BTF(image.bytes))
    #expect(types.size(of: "outer") == 24)
    #expect(types.member("outer", "d")?.offset == 0)
    #expect(types.member("outer", "in.b")?.offset == 12)
    let type = try #require(types.member("outer", "f.type"))
    #expect(type.bitOffset == 132 && type.bitSize == 3)
    #expect(types.member("outer", "nothing") == nil)
    #expect(types.member("nothing", "a") == nil)
    #expect(types.members(of: "outer").map(\.name) == ["in", "f"])
  }

  @Test func damagedDescriptionsAreRefusedOrHarmless() throws {
    var image = BTFImage()
    let int = image.integer("int", size: 4)
    _ = image.structure("thing", size: 8, [("a", int, 0, 0), ("b", int, 32, 0)])
    let good = image.bytes
    var numbers = SeededNumbers(state: 1)
    for _ in 0..<2000 {
      var bytes = good
      for _ in 0..<Int.random(in: 1...4, using: &numbers) {
        bytes[Int.random(in: 0..<bytes.count, using: &numbers)] = UInt8.random(in: 0...255, using: &numbers)
      }
      guard let types = BTF(bytes) else { continue }
      _ = types.member("thing", "b")
      _ = types.size(of: "thing")
      _ = types.members(of: "thing")
    }
    for count in 0..<good.count { _ = BTF(Array(good.prefix(count))) }
  }
}
