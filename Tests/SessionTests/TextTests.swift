import Session
import Testing
import Trace

@Suite struct InstantSpecTests {
  @Test(arguments: [
    ("812334112", InstantSpec.instructionCount(812_334_112)),
    ("812.3M", .instructionCount(812_300_000)),
    ("1.2G", .instructionCount(1_200_000_000)),
    ("4k", .instructionCount(4000)),
    ("0", .instructionCount(0)),
    ("start", .start),
    ("end", .end),
    ("panic", .marker(.panic, number: 1, offset: 0)),
    ("panic:2", .marker(.panic, number: 2, offset: 0)),
    ("cont:1", .marker(.cont, number: 1, offset: 0)),
    ("reset:3", .marker(.reset, number: 3, offset: 0)),
    ("panic-1000", .marker(.panic, number: 1, offset: -1000)),
    ("panic:2+1M", .marker(.panic, number: 2, offset: 1_000_000)),
    ("t=3.25s", .virtualTime(3_250_000_000)),
    ("t=10ms", .virtualTime(10_000_000)),
    ("t=7", .virtualTime(7_000_000_000)),
    ("t=+10s", .relativeTime(10_000_000_000)), ("end-1000", .beforeEnd(1000)), ("end-1.5M", .beforeEnd(1_500_000)),
    ("start+4k", .instructionCount(4000)),
    ("12+500.2", .instant(Instant(instructionCount: 12, addedTime: 500, sequence: 2))),
  ])
  func reads(text: String, spec: InstantSpec) throws { #expect(try InstantSpec(text) == spec) }

  @Test(arguments: [
    "", "x", "-1", "1.5.2", "1.2345k", "M", "1.M", ".5M", "99999999999999999999", "99999999999G", "panic:0",
    "panic:", "panic:-1", "panic:99999999999999999999", "panic-", "panicky", "t=", "t=s", "t=+", "t=-1s",
    "t=1.0000000001s", "t=1e3", "12+", "12.", "1 2", "١٢",
  ])
  func refuses(text: String) { #expect(throws: InstantSpec.ParseError.self) { try InstantSpec(text) } }
}

@Suite struct CommandTextTests {
  @Test(arguments: [
    ControlCommand.stop, .cont, .systemReset, .systemPowerdown, .systemWakeup, .injectNMI, .quit,
    .setAction(panic: .exitFailure, reboot: .shutdown, shutdown: .pause, watchdog: .injectNMI),
    .setAction(panic: nil, reboot: nil, shutdown: nil, watchdog: nil),
  ])
  func roundTrip(command: ControlCommand) throws {
    #expect(try LoggedCommand(LoggedCommand.control(command).json) == .control(command))
    #expect(try ControlCommand(qmp: LoggedCommand.control(command).json) == command)
  }

  @Test func endsAreStoredToo() throws {
    #expect(try LoggedCommand(LoggedCommand.end(reason: "a \"b\"\n").json) == .end(reason: "a \"b\"\n"))
  }

  @Test(arguments: [
    "", "cont", "[]", "{}", "{\"execute\": 1}", "{\"execute\": \"query-status\"}",
    "{\"execute\": \"cont\", \"arguments\": {\"a\": \"b\"}}", "{\"execute\": \"cont\", \"x\": 1}",
    "{\"execute\": \"set-action\", \"arguments\": {\"panic\": \"explode\"}}",
    "{\"execute\": \"set-action\", \"arguments\": {\"panic\": 1}}",
    "{\"execute\": \"x-end\", \"arguments\": {\"reason\": \"until\"}}",
  ])
  func refuses(text: String) { #expect(throws: ControlError.self) { try ControlCommand(qmp: text) } }
}

@Suite struct StateHashTests {
  @Test func everyBitOfMemoryCounts() {
    var memory = [UInt8](repeating: 0, count: 4096)
    func hash() -> UInt64 {
      var hash = StateHash()
      memory.withUnsafeBytes { hash.add(memory: $0.baseAddress!, count: 4096) }
      return hash.value
    }
    var seen: Set<UInt64> = [hash()]
    for byte in stride(from: 0, to: 4096, by: 7) {
      for bit in [0, 7] {
        memory[byte] ^= 1 << bit
        #expect(seen.insert(hash()).inserted)
        memory[byte] ^= 1 << bit
      }
    }
    // Words that change places, within a lane and across lanes.
    memory[0] = 1
    memory[8] = 2
    memory[64] = 3
    let before = hash()
    memory.swapAt(0, 8)
    #expect(hash() != before)
    memory.swapAt(0, 8)
    memory.swapAt(0, 64)
    #expect(hash() != before)
  }

  @Test func theHashIsPartOfTheFormat() {
    // Traces hold these values: a change of the hash is a new machine version.
    var hash = StateHash()
    hash.add(1)
    hash.add(bytes: Array("inquest".utf8))
    let memory = (0..<128).map { UInt8($0) }
    memory.withUnsafeBytes { hash.add(memory: $0.baseAddress!, count: 128) }
    #expect(String(hash.value, radix: 16) == "4d3870d4d7867341")
  }
}

@Suite struct RunDiffTests {
  private func trace(_ path: String, _ events: [TraceEvent], seed: UInt64 = 1) throws -> TraceReader {
    var setup = setup(seed: seed)
    setup.name = "synthetic"
    let header = TraceHeader(
      machineVersion: Session.machineVersion, inquestVersion: "test", created: "", seed: seed,
      machine: try JSONValue(encoding: setup))
    let writer = try TraceWriter(path: path, header: header)
    for event in events { try writer.append(event.body, at: event.instant) }
    try writer.close()
    return try TraceReader(path: path)
  }
  private func line(_ count: UInt64, _ text: String) -> TraceEvent {
    TraceEvent(Instant(instructionCount: count), .serialOutput(port: 0, bytes: Array("\(text)\n".utf8)))
  }

  @Test func theFirstDifferenceAndWhatFollows() throws {
    let scratch = try Scratch()
    let a = try trace(
      scratch.path("a"), [line(1, "one"), line(2, "[    0.000001] two"), line(3, "three"), line(4, "four")])
    let b = try trace(
      scratch.path("b"), [line(1, "one"), line(2, "[    0.000002] two"), line(3, "drei"), line(4, "four")])
    let diff = try RunDiff(a, b)
    #expect(!diff.isIdentical)
    #expect(diff.headers.isEmpty)
    #expect(diff.parting?.commonEvents == 1)
    #expect(diff.parting?.first.instant == "2")
    #expect(diff.first?.eventCounts == ["serialOutput": 3])
    #expect(diff.console.filter { $0.side != " " }.map { $0.side + $0.text } == ["-three", "+drei"])
    #expect(diff.text.contains("part after 1 common event"))
    #expect(diff.json.contains("\"isIdentical\" : false"))
  }

  @Test func oneRunIsThePrefixOfTheOther() throws {
    let scratch = try Scratch()
    let a = try trace(scratch.path("a"), [line(1, "one")])
    let b = try trace(scratch.path("b"), [line(1, "one"), line(2, "two")])
    let diff = try RunDiff(a, b)
    #expect(diff.parting?.first.event == nil)
    #expect(diff.parting?.second.event != nil)
    #expect(try RunDiff(a, a).isIdentical)
  }

  @Test func configurationsDiffer() throws {
    let scratch = try Scratch()
    let a = try trace(scratch.path("a"), [])
    let b = try trace(scratch.path("b"), [], seed: 2)
    #expect(try RunDiff(a, b).headers.map(\.what) == ["seed"])
  }
}
