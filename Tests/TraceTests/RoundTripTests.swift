import Foundation
import Testing
import Trace

@Suite struct RoundTripTests {
  @Test(arguments: 0..<20) func everyKindComesBack(seed: UInt64) throws {
    let file = ScratchFile()
    let events = randomEvents(300, seed: seed)
    try write(events, to: file, flushEvery: seed % 2 == 0 ? 17 : nil)
    let reader = try TraceReader(path: file.path)
    #expect(reader.ending == .closed)
    #expect(try readAll(reader) == events)
    try reader.verify()
    #expect(reader.summary?.eventCount == 300)
    #expect(reader.summary?.first == events.first?.instant)
    #expect(reader.summary?.last == events.last?.instant)
    #expect(reader.header.seed == 7)
    #expect(reader.header.machine["memory"] == .integer(64))
  }

  @Test func inputsAlone() throws {
    let file = ScratchFile()
    let events = randomEvents(2000, seed: 99)
    try write(events, to: file, flushEvery: 3)
    let reader = try TraceReader(path: file.path)
    var cursor = reader.events(inputsOnly: true)
    var inputs: [TraceEvent] = []
    while let event = try cursor.next() { inputs.append(event) }
    #expect(inputs == events.filter { $0.kind.isInput })
    for index in [0, 1, 500, 1999] {
      var from = try reader.events(from: events[index].instant)
      #expect(try from.next() == events.first { $0.instant >= events[index].instant })
    }
  }

  @Test func imagesComeBack() throws {
    let file = ScratchFile()
    var random = Random(1)
    let kernel = Data(random.bytes(2_500_000))
    let initrd = Data(repeating: 0x61, count: 3_000_000)
    try write(
      randomEvents(10, seed: 1), to: file,
      images: [
        ImageSource(name: "vmlinuz", role: "kernel", data: kernel),
        ImageSource(name: "initrd.img", role: "initrd", data: initrd),
        ImageSource(name: "bios.bin", role: "bios", data: Data([1, 2, 3]), embed: false),
        ImageSource(name: "empty", role: "empty", data: Data()),
      ])
    let reader = try TraceReader(path: file.path)
    #expect(try reader.readImage("kernel") == kernel)
    #expect(try reader.readImage("initrd") == initrd)
    #expect(try reader.readImage("empty").isEmpty)
    #expect(throws: TraceError.noSuchImage(path: file.path, role: "disk")) { try reader.readImage("disk") }
    let digest = SHA256.hexadecimal(SHA256.hash(Data([1, 2, 3])))
    #expect(throws: TraceError.imageNotEmbedded(path: file.path, image: "bios.bin", sha256: digest)) {
      try reader.readImage("bios")
    }
    #expect(reader.size < 2_700_000)
    try reader.verify()
  }

  @Test func instantsGoForwardOnly() throws {
    let file = ScratchFile()
    let writer = try TraceWriter(path: file.path, header: sampleHeader())
    try writer.append(.userMarker(text: "b"), at: Instant(instructionCount: 5))
    #expect(throws: TraceError.self) {
      try writer.append(.userMarker(text: "a"), at: Instant(instructionCount: 4))
    }
    #expect(throws: TraceError.self) {
      try writer.append(
        .userMarker(text: String(repeating: "x", count: 1 << 20)), at: Instant(instructionCount: 6))
    }
    try writer.close()
    try writer.close()
    #expect(throws: TraceError.closed(path: file.path)) {
      try writer.append(.userMarker(text: "c"), at: Instant(instructionCount: 7))
    }
    #expect(try readAll(TraceReader(path: file.path)).count == 1)
  }

  @Test func instantText() {
    for instant in [
      Instant.zero, Instant(instructionCount: 12), Instant(instructionCount: 12, addedTime: 3, sequence: 4),
      Instant(instructionCount: .max, addedTime: .max, sequence: .max),
    ] { #expect(Instant(instant.description) == instant) }
    for text in ["", "x", "1+", "+1", "1.", "1.2.3", "1+2+3", "-1", "1.4294967296", "18446744073709551616"] {
      #expect(Instant(text) == nil)
    }
    #expect(Instant(instructionCount: 1, addedTime: 9) < Instant(instructionCount: 2))
    #expect(
      Instant(instructionCount: 1, addedTime: 9) < Instant(instructionCount: 1, addedTime: 9, sequence: 1))
  }
}

@Suite struct EventTextTests {
  @Test func lines() {
    let at = Instant(instructionCount: 12, addedTime: 5)
    #expect(
      TraceEvent(at, .portRead(port: 0x3FD, size: 1, value: 0x60, count: 9)).description
        == "12+5 portRead port=0x3fd size=1 value=0x60 count=9")
    #expect(
      TraceEvent(at, .serialOutput(port: 0, bytes: Array("ok\n".utf8))).description
        == "12+5 serialOutput port=0 bytes=\"ok\\n\"")
    #expect(TraceEvent(at, .idleSkip(nanoseconds: .max)).json["nanoseconds"] == .unsigned(.max))
    #expect(TraceEvent(at, .marker(.panic, text: "")).json["marker"] == .string("panic"))
  }
}
