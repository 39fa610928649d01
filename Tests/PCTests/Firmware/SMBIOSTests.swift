import PC
import Testing
import X86Core

/// SMBIOS 2.8, 5.2.1 and 6.1.
struct SMBIOSTests {
  @Test func entryPointAndStructures() throws {
    let memory = try #require(GuestMemory(size: 1 << 20))
    SMBIOSTables(product: "Test PC").write(to: memory)
    let entry = try #require(memory.read(SMBIOSTables.entryPointAddress, count: 31))
    #expect(entry.reduce(0, &+) == 0)
    #expect(entry[16...].reduce(0, &+) == 0)
    let fields = ByteReader(entry)
    let length = Int(try #require(fields.u16(22)))
    let table = try #require(memory.read(UInt64(fields.u32(24)!), count: length))
    var at = 0
    var kinds: [UInt8] = []
    while at < length {
      kinds.append(table[at])
      at += Int(table[at + 1])
      while table[at] != 0 || table[at + 1] != 0 { at += 1 }
      at += 2
    }
    #expect(at == length)
    #expect(kinds == [0, 1, 3, 127])
    #expect(fields.u16(28) == 4)
    #expect(String(decoding: table, as: UTF8.self).contains("Test PC\0"))
  }
}
