import Foundation
import PC
import Session
import Testing
import Trace

@Suite struct StoredCheckpointTests {
  /// Stores checkpoints at these counts in the guest's trace.
  private func store(_ recorded: RecordedGuest, _ counts: [UInt64]) throws {
    let timeline = try recorded.timeline(interval: 1 << 16)
    let appender = try CheckpointAppender(path: recorded.path)
    for count in counts.sorted() {
      try timeline.seek(to: .instructionCount(count))
      try appender.add(at: timeline.now, try timeline.checkpointData())
    }
    try appender.close()
  }

  /// Far enough apart that they are worth entering.
  private func longGuest() throws -> RecordedGuest { try RecordedGuest("race") }

  @Test func aTraceOpensAtItsCheckpoints() throws {
    let recorded = try longGuest()
    let end = recorded.result.instant.instructionCount
    let counts = [end * 2 / 3, end * 9 / 10]
    let reference = try recorded.timeline(interval: 1 << 16)
    let places = counts + [end * 2 / 3 + 1000, end - 10, end / 3, 5]
    var expected: [UInt64: Fingerprint] = [:]
    for count in places.sorted() {
      try reference.seek(to: .instructionCount(count))
      expected[count] = reference.session.fingerprint()
    }
    try store(recorded, counts)
    let reader = try TraceReader(path: recorded.path)
    #expect(reader.checkpoints.map(\.instant.instructionCount) == counts)
    #expect(reader.header.formatVersion == TraceSchema.checkpointVersion)
    try reader.verify()
    for place in places {
      let timeline = try recorded.timeline(interval: 1 << 16)
      try timeline.seek(to: .instructionCount(place))
      #expect(timeline.session.fingerprint() == expected[place])
      #expect(timeline.note == nil)
      // Everywhere else from there, too.
      for other in places {
        try timeline.seek(to: .instructionCount(other))
        #expect(timeline.session.fingerprint() == expected[other])
      }
      #expect(try timeline.seek(to: StopTarget.end) == .end(recorded.result.ending.reason))
    }
    // What only goes forward does not mind them.
    #expect(try replay(recorded.path).result.reason == .end(recorded.result.ending.reason))
  }

  @Test func goingBackFromACheckpointFindsWhatALongWayBackIs() throws {
    let recorded = try longGuest()
    let end = recorded.result.instant.instructionCount
    let plain = try recorded.timeline(interval: 1 << 20)
    try plain.seek(to: .instructionCount(end * 9 / 10))
    let address = plain.machine.processorState.general[4]
    let expected = try plain.whoWrote(address, count: 4)
    var conditions = StopConditions()
    conditions.interrupts = Set(0...255)
    let stop = try plain.run(.backward, until: conditions)

    try store(recorded, [end / 2, end * 9 / 10])
    let timeline = try recorded.timeline(interval: 1 << 20)
    try timeline.seek(to: .instructionCount(end * 9 / 10 + 1))
    #expect(timeline.checkpoints.count == 2)
    try timeline.seek(to: .instructionCount(end * 9 / 10))
    #expect(try timeline.whoWrote(address, count: 4) == expected)
    #expect(try timeline.run(.backward, until: conditions) == stop)
    #expect(try timeline.step(-1) == .reached)
  }

  @Test func checkpointsCanBeRemoved() throws {
    let recorded = try RecordedGuest("hello")
    try store(recorded, [100, 200])
    #expect(try TraceReader(path: recorded.path).checkpoints.count == 2)
    let appender = try CheckpointAppender(path: recorded.path, keeping: false)
    try appender.close()
    let reader = try TraceReader(path: recorded.path)
    #expect(reader.checkpoints.isEmpty)
    try reader.verify()
    #expect(try replay(recorded.path).result.divergence == nil)
  }

  /// A checkpoint that does not fit is left alone; what it would have shortened is executed.
  @Test func aCheckpointOfSomethingElseIsNotUsed() throws {
    let recorded = try longGuest()
    let end = recorded.result.instant.instructionCount
    let appender = try CheckpointAppender(path: recorded.path)
    try appender.add(at: Instant(instructionCount: end / 2), Data("INQSTATE and more".utf8))
    try appender.add(at: Instant(instructionCount: end / 2), Data())
    try appender.close()
    let timeline = try recorded.timeline(interval: 1 << 20)
    #expect(try timeline.seek(to: .instructionCount(end * 2 / 3)) == .reached)
    #expect(timeline.note != nil)
  }

  /// Every flipped byte is noticed: the trace is damaged, or as before.
  @Test func damageIsNoticed() throws {
    let recorded = try RecordedGuest("hello")
    try store(recorded, [1000])
    let bytes = try Data(contentsOf: URL(fileURLWithPath: recorded.path))
    var numbers = TestNumbers(17)
    for _ in 0..<60 {
      var damaged = bytes
      let place = Int(numbers.next(below: UInt64(bytes.count)))
      damaged[place] ^= UInt8(1 + numbers.next(below: 255))
      let path = recorded.scratch.path("damaged.inq")
      try damaged.write(to: URL(fileURLWithPath: path))
      #expect(throws: TraceError.self, "byte \(place)") {
        let reader = try TraceReader(path: path)
        if case .damaged(let error) = reader.ending { throw error }
        try reader.verify()
      }
    }
  }
}
