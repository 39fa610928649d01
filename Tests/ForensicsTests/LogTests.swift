import Forensics
import Testing

@Suite struct LogTests {
  private func texts(_ guest: SyntheticGuest) throws -> [String] {
    try PrintkLog(Kernel(guest)).records.map(\.text)
  }

  @Test func recordsInOrderWithLevelsAndTimes() throws {
    let guest = SyntheticGuest.withLog()
    guest.log("Linux version", level: 5)
    guest.log("two\nlines", level: 3)
    guest.log("goes on", level: 4, isContinuation: true)
    let kernel = try Kernel(guest)
    #expect(kernel.vmcoreinfo?.source == .memory)
    #expect(kernel.release == "6.1.0-test")
    let log = try PrintkLog(kernel)
    #expect(log.records.map(\.text) == ["Linux version", "two\nlines", "goes on"])
    #expect(log.records.map(\.level) == [5, 3, 4])
    #expect(log.records.map(\.isContinuation) == [false, false, true])
    #expect(log.records[1].lines == ["[    0.001000] two", "[    0.001000] lines"])
    #expect(log.damaged == 0)
  }

  @Test func prefixCarriesMicroseconds() {
    let record = PrintkRecord(
      sequence: 0, time: 12_345_678_901, level: 6, facility: 0, isContinuation: false, caller: 0, text: "",
      subsystem: "", device: "")
    #expect(record.prefix == "[   12.345678] ")
  }

  @Test func wrappedRingKeepsTheNewest() throws {
    let guest = SyntheticGuest.withLog()
    for index in 0..<30 { guest.log("record \(index) " + String(repeating: "x", count: index % 20)) }
    let found = try texts(guest)
    #expect(found.count == 8)
    #expect(found.last?.hasPrefix("record 29 ") == true)
    #expect(found.first?.hasPrefix("record 22 ") == true)
  }

  @Test func emptyRecordHasNoBlock() throws {
    let guest = SyntheticGuest.withLog()
    guest.log("a")
    guest.log("")
    #expect(try texts(guest) == ["a", ""])
  }

  /// A record that is being written is left out; a block that another record has overwritten, too.
  @Test func reservedAndOverwrittenRecordsAreLeftOut() throws {
    let guest = SyntheticGuest.withLog()
    guest.log("first")
    guest.log("being written", state: 0)
    guest.log("third")
    guest.store(SyntheticGuest.dataPlace, UInt64(77))
    let log = try PrintkLog(Kernel(guest))
    #expect(log.records.map(\.text) == ["third"])
    #expect(log.damaged == 2)
  }

  @Test func impossibleRingSaysSo() throws {
    let guest = SyntheticGuest.withLog()
    guest.log("a")
    guest.store(SyntheticGuest.ringPlace, UInt32(40))
    #expect(throws: ForensicsError.self) { try PrintkLog(Kernel(guest)) }
    guest.store(SyntheticGuest.ringPlace, UInt32(3))
    guest.store(SyntheticGuest.ringPlace + 24, UInt64.max)
    #expect(throws: ForensicsError.self) { try PrintkLog(Kernel(guest)) }
  }

  @Test func noKernelSaysSo() {
    let empty = SyntheticGuest()
    #expect(throws: ForensicsError.notLinux) { try Kernel(empty) }
    empty.processors[0].cr0 = 1
    #expect(throws: ForensicsError.notLongMode) { try Kernel(empty) }
  }
}
