import Foundation
import Testing
import Trace

@Suite struct FoldingTests {
  /// A run of reads, output and other events, given to any sink.
  static func drive(_ sink: some EventSink, seed: UInt64, steps: Int, each: () throws -> Void = {}) throws {
    var random = Random(seed)
    var at = Instant.zero
    for _ in 0..<steps {
      at.instructionCount += random.below(3)
      switch random.below(20) {
      case 0..<8: try sink.portRead(at: at, port: 0x3FD, size: 1, value: random.below(10) == 0 ? 0x61 : 0x60)
      case 8..<10: try sink.mmioRead(at: at, address: 0xFEE0_0390, size: 4, value: random.below(2))
      case 10..<18:
        try sink.serialOutput(
          at: at, port: random.below(30) == 0 ? 1 : 0, byte: random.below(12) == 0 ? 10 : 0x61)
      case 18: try sink.interrupt(at: at, vector: 0xEC, kind: .external)
      default: try sink.append(randomBody(.idleSkip, &random), at: at)
      }
      try each()
    }
  }

  @Test func repeatedReadsAreOneEvent() throws {
    let file = ScratchFile()
    let writer = try TraceWriter(path: file.path, header: sampleHeader())
    func at(_ count: UInt64) -> Instant { Instant(instructionCount: count) }
    for i in 0..<1000 {
      try writer.portRead(at: at(UInt64(10 * i)), port: 0x3FD, size: 1, value: 0x60)
      try writer.serialOutput(at: at(UInt64(10 * i + 5)), port: 0, byte: 0x61)
    }
    try writer.flush()
    try writer.portRead(at: at(20000), port: 0x3FD, size: 1, value: 0x60)
    try writer.portRead(at: at(20001), port: 0x3FD, size: 2, value: 0x60)
    try writer.mmioRead(at: at(20002), address: 0x3FD, size: 2, value: 0x60)
    try writer.interrupt(at: at(20003), vector: 3, kind: .nmi)
    try writer.portRead(at: at(20004), port: 0x3FD, size: 2, value: 0x60)
    try writer.close()
    #expect(
      try readAll(TraceReader(path: file.path)) == [
        TraceEvent(at(0), .portRead(port: 0x3FD, size: 1, value: 0x60, count: 1001)),
        TraceEvent(at(5), .serialOutput(port: 0, bytes: [UInt8](repeating: 0x61, count: 1000))),
        TraceEvent(at(20001), .portRead(port: 0x3FD, size: 2, value: 0x60, count: 1)),
        TraceEvent(at(20002), .mmioRead(address: 0x3FD, size: 2, value: 0x60, count: 1)),
        TraceEvent(at(20003), .interrupt(vector: 3, kind: .nmi)),
        TraceEvent(at(20004), .portRead(port: 0x3FD, size: 2, value: 0x60, count: 1)),
      ])
  }

  @Test func longOutputIsSplitAlwaysAtTheSamePlace() throws {
    let file = ScratchFile()
    let writer = try TraceWriter(path: file.path, header: sampleHeader())
    for i in 0..<10000 {
      try writer.serialOutput(at: Instant(instructionCount: UInt64(i)), port: 0, byte: 0x2E)
    }
    try writer.close()
    let sizes = try readAll(TraceReader(path: file.path)).map { event -> Int in
      if case .serialOutput(_, let bytes) = event.body { return bytes.count }
      return -1
    }
    #expect(sizes == [4096, 4096, 1808])
  }

  /// Frames are cut by host time; the events must not show it.
  @Test(arguments: 0..<5) func cutsDoNotShow(seed: UInt64) throws {
    let whole = ScratchFile()
    let cut = ScratchFile()
    let one = try TraceWriter(path: whole.path, header: sampleHeader())
    try Self.drive(one, seed: seed, steps: 3000)
    try one.close()
    let two = try TraceWriter(path: cut.path, header: sampleHeader())
    var step = 0
    try Self.drive(two, seed: seed, steps: 3000) {
      step += 1
      if step % 7 == 0 { try two.flush() }
    }
    try two.close()
    let reader = try TraceReader(path: cut.path)
    #expect(reader.eventFrames.count > 10)
    #expect(try readAll(TraceReader(path: whole.path)) == readAll(reader))
  }

  @Test(arguments: 0..<10) func replayMatchesItsRecording(seed: UInt64) throws {
    let file = ScratchFile()
    let writer = try TraceWriter(path: file.path, header: sampleHeader())
    try Self.drive(writer, seed: seed, steps: 3000)
    try writer.close()
    let reader = try TraceReader(path: file.path)
    let matcher = WitnessMatcher(reader.events())
    try Self.drive(matcher, seed: seed, steps: 3000)
    try matcher.finish()
    #expect(matcher.eventCount == reader.summary?.eventCount)

    let other = WitnessMatcher(reader.events())
    #expect(throws: Divergence.self) { try Self.drive(other, seed: seed + 1, steps: 3000) }
    let shorter = WitnessMatcher(reader.events())
    try Self.drive(shorter, seed: seed, steps: 2500)
    #expect(throws: Divergence.self) { try shorter.finish() }
    let longer = WitnessMatcher(reader.events())
    #expect(throws: Divergence.self) { try Self.drive(longer, seed: seed, steps: 3100) }
  }

  @Test func divergenceNamesBothSides() throws {
    let file = ScratchFile()
    let writer = try TraceWriter(path: file.path, header: sampleHeader())
    for i in 0..<3 {
      try writer.portRead(at: Instant(instructionCount: UInt64(i)), port: 0x71, size: 1, value: 7)
    }
    try writer.close()
    let matcher = WitnessMatcher(try TraceReader(path: file.path).events())
    try matcher.portRead(at: Instant(instructionCount: 0), port: 0x71, size: 1, value: 7)
    #expect(
      throws: Divergence(
        expected: TraceEvent(.zero, .portRead(port: 0x71, size: 1, value: 7, count: 2)),
        found: TraceEvent(Instant(instructionCount: 1), .portRead(port: 0x71, size: 1, value: 8, count: 1)))
    ) {
      try matcher.portRead(at: Instant(instructionCount: 1), port: 0x71, size: 1, value: 8)
    }
  }
}
