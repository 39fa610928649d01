import Foundation
import PC
import Session
import Testing
import Trace

/// Numbers for tests: the same in every run.
struct TestNumbers {
  private var state: UInt64
  init(_ seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state
  }
  mutating func next(below bound: UInt64) -> UInt64 { bound == 0 ? 0 : next() % bound }
}

/// A recorded guest for the tests of time travel.
final class RecordedGuest {
  let scratch: Scratch
  let path: String
  let result: RecordingResult

  init(_ guest: String, seed: UInt64 = 1, policy: PanicPolicy? = nil, chaos: Bool = false) throws {
    scratch = try Scratch()
    path = scratch.path("\(guest).inq")
    var options = RecordingOptions()
    options.panicPolicy = policy
    let setup = setup(seed: seed) {
      $0.configuration.memorySize = 8 << 20
      $0.configuration.chaos = chaos
      $0.configuration.chaosFromPowerOn = chaos
    }
    result = try record(guest, to: path, setup, options).result
  }

  func timeline(interval: UInt64) throws -> Timeline {
    var options = TimelineOptions()
    options.interval = interval
    options.storedDistance = 0
    return try Timeline(path: path, options: options)
  }
}

@Suite struct TimelineTests {
  /// What a replay that only ever goes forward and keeps no checkpoints finds at these instruction counts, in order.
  private func firstPass(_ path: String, _ counts: [UInt64]) throws -> [UInt64: Fingerprint] {
    let session = try ReplaySession(path: path, until: .instructionCount(0))
    _ = session.run()
    var found: [UInt64: Fingerprint] = [:]
    for count in counts.sorted() {
      let result = session.resume(until: .instructionCount(count))
      #expect(result.reason == .until)
      found[count] = session.fingerprint()
    }
    return found
  }

  /// 1,000 instants in random order, over all guests: every one has the state of the first pass.
  @Test(arguments: [
    ("random", false, 300, 5000 as UInt64), ("race", false, 200, 65536), ("race", true, 200, 100_000),
    ("panic", false, 300, 997),
  ])
  func seeksInAnyOrderFindTheSameState(guest: String, chaos: Bool, instants: Int, interval: UInt64) throws {
    let recorded = try RecordedGuest(guest, policy: .cont, chaos: chaos)
    let timeline = try recorded.timeline(interval: interval)
    var numbers = TestNumbers(0x1234_5678_9ABC_DEF1)
    let end = timeline.end.instructionCount
    let counts = (0..<instants).map { _ in numbers.next(below: end) }
    let expected = try firstPass(recorded.path, counts)
    for count in counts {
      #expect(try timeline.seek(to: .instructionCount(count)) == .reached)
      let found = timeline.session.fingerprint()
      #expect(found == expected[count])
      if found != expected[count] { break }
    }
    #expect(try timeline.seek(to: StopTarget.end) == .end(recorded.result.ending.reason))
  }

  /// Checkpoints are put between others again and again, near places that lie far apart.
  @Test(arguments: ["random", "race"]) func checkpointsBetweenOthersHoldTheirPages(guest: String) throws {
    let recorded = try RecordedGuest(guest, policy: .cont)
    let timeline = try recorded.timeline(interval: 1 << 18)
    var numbers = TestNumbers(0xBEEF)
    let end = timeline.end.instructionCount
    let centres = (0..<6).map { _ in 20_000 + numbers.next(below: end - 40_000) }
    let counts = (0..<150).map { i in centres[i % 6] - 10_000 + numbers.next(below: 20_000) }
    let expected = try firstPass(recorded.path, counts)
    for (i, count) in counts.enumerated() {
      try timeline.seek(to: .instructionCount(count))
      let found = timeline.session.fingerprint()
      #expect(found == expected[count])
      if found != expected[count] { break }
      if i % 7 == 0 { try timeline.seek(to: StopTarget.end) }
      if i % 11 == 0 { try timeline.seek(to: InstantSpec.start) }
    }
  }

  @Test func stepsGoBackAndForth() throws {
    let recorded = try RecordedGuest("panic", policy: .cont)
    let timeline = try recorded.timeline(interval: 1 << 14)
    try timeline.seek(to: InstantSpec("panic"))
    let panic = timeline.now
    var path: [Fingerprint] = [timeline.session.fingerprint()]
    for _ in 0..<300 {
      #expect(try timeline.step(-1) == .reached)
      #expect(timeline.now < path.last!.instant)
      path.append(timeline.session.fingerprint())
    }
    for expected in path.reversed().dropFirst() {
      #expect(try timeline.step(1) == .reached)
      #expect(timeline.session.fingerprint() == expected)
    }
    #expect(timeline.now.instructionCount == panic.instructionCount)
    #expect(try timeline.step(-1 << 40) == .start)
    #expect(timeline.now == .zero)
    #expect(try timeline.step(-1) == .start)
  }

  /// Every address at which an instruction was executed, by single steps from the start.
  private func singleSteps(_ recorded: RecordedGuest) throws -> [TracedStep] {
    let timeline = try recorded.timeline(interval: 1 << 16)
    var steps: [TracedStep] = []
    try timeline.trace(1 << 20) { steps.append($0) }
    return steps
  }

  @Test(arguments: ["hello", "events"]) func breakpointsStopWhereSingleStepsPass(guest: String) throws {
    let recorded = try RecordedGuest(guest)
    let steps = try singleSteps(recorded)
    #expect(steps.count > 1000)
    let timeline = try recorded.timeline(interval: 1 << 12)
    var numbers = TestNumbers(99)
    for _ in 0..<20 {
      let rips = Set((0..<3).map { _ in steps[Int(numbers.next(below: UInt64(steps.count)))].rip })
      let passes = steps.filter { $0.kind == .instruction && rips.contains($0.rip) }.map(\.before)
      let conditions = StopConditions(breakpoints: rips)
      // Too many stops at hot addresses say nothing more.
      let wanted = passes.prefix(40)
      try timeline.seek(to: InstantSpec.start)
      if wanted.first == timeline.now { try timeline.step(1) }
      for place in wanted where place > .zero {
        guard case .hit(let hit) = try timeline.run(.forward, until: conditions) else {
          Issue.record("no hit at \(place)")
          return
        }
        #expect(hit.before == place)
        #expect(timeline.now == place)
      }
      for place in wanted.reversed().dropFirst() {
        guard case .hit(let hit) = try timeline.run(.backward, until: conditions) else {
          Issue.record("no hit before at \(place)")
          return
        }
        #expect(hit.before == place)
        #expect(timeline.now == place)
        #expect(rips.contains(timeline.rip))
      }
    }
  }

  @Test(arguments: ["hello", "events"], [Watchpoint.Access.write, .read])
  func watchpointsStopWhereSingleStepsAccess(guest: String, access: Watchpoint.Access) throws {
    let recorded = try RecordedGuest(guest)
    let steps = try singleSteps(recorded)
    let timeline = try recorded.timeline(interval: 1 << 12)
    var numbers = TestNumbers(7)
    func accesses(_ step: TracedStep) -> [MemoryAccess] { access == .write ? step.writes.map(\.access) : step.reads }
    let candidates = steps.flatMap(accesses).filter { $0.linear != nil }
    #expect(candidates.count > 10)
    for round in 0..<16 where !candidates.isEmpty {
      let picked = candidates[Int(numbers.next(below: UInt64(candidates.count)))]
      let isPhysical = round % 2 == 0
      let start = isPhysical ? picked.physical : picked.linear!
      let watchpoint = Watchpoint(start, count: 4, access: access, space: isPhysical ? .physical : .linear)
      var conditions = StopConditions()
      conditions.watchpoints = [watchpoint]
      let hits = steps.filter { step in
        accesses(step).contains {
          guard let first = isPhysical ? $0.physical : $0.linear else { return false }
          return first < start + 4 && start < first + UInt64($0.count)
        }
      }
      let wanted = hits.prefix(30)
      try timeline.seek(to: InstantSpec.start)
      for step in wanted {
        guard case .hit(let hit) = try timeline.run(.forward, until: conditions) else {
          Issue.record("no hit at \(step.before)")
          return
        }
        #expect(hit.before == step.before)
        #expect(timeline.now == step.after)
      }
      for step in wanted.reversed() {
        guard case .hit(let hit) = try timeline.run(.backward, until: conditions) else {
          Issue.record("no hit before at \(step.before)")
          return
        }
        #expect(hit.before == step.before)
        #expect(timeline.now == step.before)
        #expect(timeline.rip == step.rip)
      }
      #expect(try timeline.run(.backward, until: conditions) == .start)
    }
  }

  @Test func whoWroteTellsTheLastWriter() throws {
    let recorded = try RecordedGuest("events")
    let steps = try singleSteps(recorded)
    let timeline = try recorded.timeline(interval: 1 << 12)
    try timeline.seek(to: StopTarget.end)
    let end = timeline.now
    let writes = steps.flatMap { step in step.writes.map { (step, $0) } }
    var numbers = TestNumbers(5)
    for _ in 0..<40 {
      let address = writes[Int(numbers.next(below: UInt64(writes.count)))].1.access.physical
      let last = writes.last {
        $0.1.access.physical <= address && address < $0.1.access.physical + UInt64($0.1.old.count)
      }!
      let record = try timeline.whoWrote(address, count: 1, isPhysical: true)
      #expect(record?.before == last.0.before)
      #expect(record?.rip == last.0.rip)
      #expect(record?.new.first == timeline.machine.readPhysical(address, count: 1)?.first)
      #expect(timeline.now == end)
    }
    #expect(try timeline.whoWrote(0x7F_0000, count: 8, isPhysical: true) == nil)
    #expect(throws: UnmappedMemory.self) { try timeline.whoWrote(1 << 40, count: 8, isPhysical: true) }
  }

  @Test func portsInterruptsAndEventsStop() throws {
    let recorded = try RecordedGuest("panic", policy: .cont)
    let timeline = try recorded.timeline(interval: 1 << 14)
    var conditions = StopConditions()
    conditions.ports = [0x505...0x505]
    guard case .hit(let hit) = try timeline.run(.forward, until: conditions),
      case .port(0x505, let size, _, _) = hit.cause
    else {
      Issue.record("no write of pvpanic's port")
      return
    }
    #expect(size == 1)
    let behind = timeline.now
    #expect(behind.instructionCount == hit.before.instructionCount + 1)

    var events = StopConditions()
    events.events = [.panic, .cont]
    try timeline.seek(to: InstantSpec.start)
    var kinds: [TimelineHit.Cause] = []
    while case .hit(let hit) = try timeline.run(.forward, until: events) { kinds.append(hit.cause) }
    #expect(kinds == [.event(.panic), .event(.cont), .event(.panic), .event(.cont)])
    var back: [TimelineHit.Cause] = []
    while case .hit(let hit) = try timeline.run(.backward, until: events) { back.append(hit.cause) }
    #expect(back == kinds.reversed())
  }

  @Test func interruptsStopBeforeTheirDelivery() throws {
    let recorded = try RecordedGuest("random")
    var vectors: [(Instant, UInt8)] = []
    var cursor = try TraceReader(path: recorded.path).events()
    while let event = try cursor.next() {
      if case .interrupt(let vector, _) = event.body { vectors.append((event.instant, vector)) }
    }
    #expect(vectors.count > 3)
    let timeline = try recorded.timeline(interval: 1 << 16)
    var conditions = StopConditions()
    conditions.interrupts = Set(0...255)
    for (instant, vector) in vectors {
      guard case .hit(let hit) = try timeline.run(.forward, until: conditions) else {
        Issue.record("no interrupt at \(instant)")
        return
      }
      #expect(hit.cause == .interrupt(vector: vector, isNMI: vector == 2))
      #expect(hit.before.instructionCount == instant.instructionCount)
      #expect(timeline.now.instructionCount == instant.instructionCount + 1)
    }
  }

  /// A small budget thins checkpoints, and everything is still found.
  @Test func aSmallBudgetIsEnough() throws {
    let recorded = try RecordedGuest("race")
    var options = TimelineOptions()
    options.interval = 1 << 14
    options.checkpointMemory = 4 << 20
    let timeline = try Timeline(path: recorded.path, options: options)
    try timeline.seek(to: StopTarget.end)
    var numbers = TestNumbers(3)
    let counts = (0..<20).map { _ in numbers.next(below: timeline.end.instructionCount) }
    let expected = try firstPass(recorded.path, counts)
    for count in counts {
      try timeline.seek(to: .instructionCount(count))
      #expect(timeline.session.fingerprint() == expected[count])
    }
    #expect(timeline.checkpoints.bytes < 16 << 20)
  }

  @Test func anotherThreadInterrupts() throws {
    let recorded = try RecordedGuest("race")
    let timeline = try recorded.timeline(interval: 1 << 16)
    timeline.interrupt()
    // What was asked for before a run begins is forgotten.
    #expect(try timeline.seek(to: .instructionCount(1000)) == .reached)
  }
}
