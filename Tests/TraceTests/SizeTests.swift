import Foundation
import Testing
import Trace

@Suite struct SizeTests {
  /// A stand-in for a Linux boot of 1.9 G instructions: a line of console output every 1.5 M instructions (polled
  /// port, one status read per byte), 2,000 ticks, 20,000 configuration and clock reads, digests.
  @Test func bootFitsTheBudget() throws {
    let file = ScratchFile()
    let writer = try TraceWriter(path: file.path, header: sampleHeader(), flushInterval: 3600)
    var random = Random(11)
    var at = Instant.zero
    var nextTick: UInt64 = 1_000_000
    var nextDigest: UInt64 = 1 << 26
    var produced = 0
    let words = [
      "pci", "0000:00:01.0:", "BAR", "mem", "kernel", "registered", "ACPI:", "bus",
      "[mem 0x00000000fed00000]", "CPU0",
    ]
    func pass(_ count: UInt64) throws {
      at.instructionCount += count
      if at.instructionCount >= nextTick {
        try writer.interrupt(at: at, vector: 0xEC, kind: .external)
        nextTick += 1_000_000 + random.below(200)
        produced += 1
      }
      if at.instructionCount >= nextDigest {
        try writer.append(
          .digest(StateDigest(registers: random.next(), devices: random.next(), memory: random.next())),
          at: at)
        nextDigest += 1 << 26
      }
    }
    func io() throws {
      at.addedTime += 1000
      try pass(20 + random.below(60))
    }
    for line in 0..<1250 {
      var text = "[    \(line / 200).\(String(100000 + random.below(899999)))] "
      for _ in 0..<4 { text += words[Int(random.below(10))] + " " }
      for byte in (text + "\r\n").utf8 {
        try io()
        try writer.portRead(at: at, port: 0x3FD, size: 1, value: 0x60)
        try io()
        try writer.serialOutput(at: at, port: 0, byte: byte)
        produced += 2
      }
      for _ in 0..<16 {
        try io()
        if line < 400 {
          try writer.portRead(
            at: at, port: 0xCFC, size: 4, value: random.below(3) == 0 ? 0x8086_1237 : UInt32.max)
        } else {
          try writer.portRead(
            at: at, port: 0x608, size: 4, value: UInt32(truncatingIfNeeded: at.addedTime / 279))
        }
        produced += 1
      }
      for _ in 0..<15 { try pass(100_000 + random.below(1000)) }
    }
    let start = Date()
    try writer.close()
    let reader = try TraceReader(path: file.path)
    print(
      "boot: \(produced) events produced, \(reader.summary!.eventCount) stored, \(reader.size) bytes, "
        + "closed in \(Int(Date().timeIntervalSince(start) * 1000)) ms")
    for count in reader.summary!.counts { print("  \(count.kind.name) \(count.events)") }
    #expect(reader.size <= 128 << 10)
  }
}
