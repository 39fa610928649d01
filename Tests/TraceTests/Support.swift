import Foundation

import Trace

/// A file that is gone when the test is over.
final class ScratchFile {
  let path: String
  init(_ name: String = "trace.inq") {
    path = NSTemporaryDirectory() + "inquest-\(UUID().uuidString)-\(name)"
  }
  deinit { try? FileManager.default.removeItem(atPath: path) }

  var bytes: [UInt8] {
    get { [UInt8](FileManager.default.contents(atPath: path) ?? Data()) }
    // Plain writing; Foundation's own way takes ten times as long.
    set {
      let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
      precondition(write(descriptor, newValue, newValue.count) == newValue.count)
      close(descriptor)
    }
  }
}

/// SplitMix64: the same numbers in every run.
struct Random: RandomNumberGenerator {
  var state: UInt64
  init(_ seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
  mutating func below(_ bound: UInt64) -> UInt64 { next() % bound }
  mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) } }
}

func sampleHeader() -> TraceHeader {
  TraceHeader(
    machineVersion: 1, inquestVersion: "test", created: "2026-01-01T00:00:00Z", seed: 7,
    machine: .object(["memory": .integer(64), "append": .string("console=ttyS0")]))
}

func readAll(_ reader: TraceReader) throws -> [TraceEvent] {
  var events: [TraceEvent] = []
  var cursor = reader.events()
  while let event = try cursor.next() { events.append(event) }
  return events
}

/// The intact events, and the error behind them.
func readIntact(_ reader: TraceReader) -> ([TraceEvent], Error?) {
  var events: [TraceEvent] = []
  var cursor = reader.events()
  do {
    while let event = try cursor.next() { events.append(event) }
    return (events, nil)
  } catch { return (events, error) }
}

/// Events of every kind at growing instants, never foldable into each other.
func randomEvents(_ count: Int, seed: UInt64) -> [TraceEvent] {
  var random = Random(seed)
  var at = Instant.zero
  var previous: EventKind?
  var events: [TraceEvent] = []
  while events.count < count {
    let kind = EventKind.allCases.randomElement(using: &random)!
    if kind == previous { continue }
    // Reads, output and their mixtures fold; tests of their own look at that.
    if [.portRead, .mmioRead, .serialOutput].contains(kind), let previous,
      [.portRead, .mmioRead, .serialOutput].contains(previous)
    {
      continue
    }
    previous = kind
    switch random.below(4) {
    case 0: at.sequence += 1
    case 1:
      at.addedTime += random.below(1 << random.below(40))
      at.sequence = 0
      at.instructionCount += 1
    default:
      at.instructionCount += 1 + random.below(1 << random.below(45))
      at.sequence = 0
    }
    events.append(TraceEvent(at, randomBody(kind, &random)))
  }
  return events
}

func randomBody(_ kind: EventKind, _ random: inout Random) -> TraceEvent.Body {
  func small() -> UInt32 { UInt32(random.below(5)) }
  func number() -> UInt64 { random.next() >> random.below(64) }
  func bytes() -> [UInt8] { random.bytes(Int(random.below(20))) }
  func text() -> String {
    ["", "x", "guest-panicked", "käse 🧀", "{\"execute\":\"cont\"}"][Int(random.below(5))]
  }
  func digest() -> StateDigest {
    StateDigest(registers: random.next(), devices: random.next(), memory: random.next())
  }
  switch kind {
  case .serialInput: return .serialInput(port: small(), bytes: bytes())
  case .command: return .command(monitor: small(), json: text())
  case .wallClock:
    return .wallClock(
      seconds: Int64(bitPattern: random.next()), nanoseconds: UInt32(random.below(1_000_000_000)))
  case .entropy: return .entropy(use: text(), bytes: bytes())
  case .blockData:
    return .blockData(device: small(), request: number(), digest: random.bytes(32), bytes: bytes())
  case .networkFrame: return .networkFrame(device: small(), bytes: bytes())
  case .debuggerWrite:
    return .debuggerWrite(
      space: WriteSpace.allCases.randomElement(using: &random)!, address: number(), bytes: bytes())
  case .idleWait: return .idleWait(nanoseconds: number())
  case .userMarker: return .userMarker(text: text())
  case .portRead:
    return .portRead(
      port: UInt16(truncatingIfNeeded: random.next()), size: [1, 2, 4][Int(random.below(3))],
      value: UInt32(truncatingIfNeeded: number()), count: 1)
  case .mmioRead:
    return .mmioRead(
      address: number() >> 12, size: [1, 2, 4, 8][Int(random.below(4))], value: number(), count: 1)
  case .portWrite:
    return .portWrite(port: UInt16(truncatingIfNeeded: random.next()), size: 1, value: small())
  case .interrupt:
    return .interrupt(
      vector: UInt8(truncatingIfNeeded: random.next()),
      kind: InterruptKind.allCases.randomElement(using: &random)!)
  case .runState: return .runState(from: text(), to: text(), reason: text())
  case .machineEvent: return .machineEvent(name: text(), json: text())
  case .idleSkip: return .idleSkip(nanoseconds: number())
  case .serialOutput: return .serialOutput(port: small(), bytes: bytes().filter { $0 != 10 } + [10])
  case .digest: return .digest(digest())
  case .chaosDelay: return .chaosDelay(what: text(), nanoseconds: number())
  case .endState: return .endState(reason: text(), digest: digest())
  case .marker: return .marker(MarkerKind.allCases.randomElement(using: &random)!, text: text())
  }
}

func write(
  _ events: [TraceEvent], to file: ScratchFile, images: [ImageSource] = [], flushEvery: Int? = nil,
  close: Bool = true
) throws {
  let writer = try TraceWriter(path: file.path, header: sampleHeader(), images: images)
  for (index, event) in events.enumerated() {
    try writer.append(event.body, at: event.instant)
    if let flushEvery, index % flushEvery == flushEvery - 1 { try writer.flush() }
  }
  if close { try writer.close() } else { try writer.flush() }
}
