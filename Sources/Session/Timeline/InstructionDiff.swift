import Foundation
import PC
import Trace
import X86Core

/// The first instruction after which two runs differ in registers or memory.
///
/// Both are replayed side by side, piece by piece, and compared: registers, and those pages that either has written since
/// they were the same. In the first piece at whose end they differ the instruction is found by bisection. What differs
/// before the first instruction (the seed that a loader hands to the kernel, say) is told, and left out of account behind it.
public struct InstructionDiff: Sendable {
  /// An input that one run has and the other has not, or has otherwise.
  public struct InputDifference: Equatable, Sendable {
    public var first: TraceEvent?
    public var second: TraceEvent?
    /// The earlier one's.
    public var instant: Instant
  }
  /// A stretch of RAM whose contents differ.
  public struct MemoryDifference: Equatable, Sendable {
    /// Guest-physical.
    public var address: UInt64
    public var first: [UInt8]
    public var second: [UInt8]
  }
  /// What a run does where the two part.
  public struct Side: Sendable {
    /// The step after which they differ; nil where the run is over.
    public var step: TracedStep?
    /// Why the run ended there.
    public var ending: String?
    /// Steps behind it.
    public var after: [TracedStep]
  }
  public struct Parting: Sendable {
    /// The last place at which both had the same registers and memory.
    public var lastCommon: Instant
    /// Steps of both before it.
    public var before: [TracedStep]
    public var first: Side
    public var second: Side
    /// Behind the step: registers that differ.
    public var registers: [TracedStep.RegisterChange]
    /// Behind the step: memory that differs, at most `maximumStretches`.
    public var memory: [MemoryDifference]
  }
  /// Where the difference comes from.
  public enum Cause: Equatable, Sendable {
    /// The machines were switched on with different things: what the headers and images say.
    case start([String])
    /// An input that only one run has, right at the parting.
    case input(InputDifference)
    /// An input before: the parting is its consequence.
    case consequence(of: InputDifference)
    /// None of these: the runs draw from different seeds, or a device's timing differs.
    case other(String)
  }

  public static let maximumStretches = 64

  /// What the headers say differently: seed, configuration, images.
  public var headers: [RunDiff.HeaderDifference]
  /// Memory that differs before the first instruction.
  public var startMemory: [MemoryDifference]
  public var startRegisters: [TracedStep.RegisterChange]
  /// The first input that differs.
  public var input: InputDifference?
  /// Nil where the runs, as far as both go, are the same.
  public var parting: Parting?
  public var cause: Cause?
  /// How far the comparison went.
  public var comparedTo: Instant
}

extension InstructionDiff {
  /// - Parameter context: steps to show before and behind the parting.
  /// - Throws: what opening the traces throws, and where a replay diverges.
  public init(
    _ first: String, _ second: String, imagePaths: [String] = [], context: Int = 8,
    options: TimelineOptions = TimelineOptions(), progress: ((Instant) -> Void)? = nil
  ) throws {
    var half = options
    half.checkpointMemory = options.budget / 2
    let a = try Timeline(path: first, imagePaths: imagePaths, options: half)
    let b = try Timeline(path: second, imagePaths: imagePaths, options: half)
    let events = try Self.firstDifference(a.reader, b.reader)
    let comparison = Comparison(a, b)
    headers = RunDiff.compareHeaders(a.reader.header, b.reader.header)
    startMemory = comparison.startMemory
    startRegisters = comparison.registers
    input = events.input
    comparedTo = .zero
    guard a.machine.memory.pageCount == b.machine.memory.pageCount, startRegisters.isEmpty else {
      cause = .start(headers.map { "\($0.what): \($0.first) / \($0.second)" })
      return
    }
    let end = min(a.end.instructionCount, b.end.instructionCount)
    // Where the events part, the states do, at the latest.
    let bound = events.any.map { min($0.instructionCount &+ 1, end) } ?? end
    var common: UInt64 = 0
    var differing: UInt64?
    while differing == nil, common < end {
      let next = min(common &+ Self.piece, common < bound ? bound : end)
      try comparison.go(to: next)
      progress?(a.now)
      if comparison.isEqual(since: common) {
        guard min(a.now, b.now).instructionCount > common else { break }
        common = next
        comparison.keep()
      } else {
        differing = next
      }
    }
    comparedTo = a.now
    guard var high = differing else { return }
    var low = common
    while high - low > 1 {
      let middle = low + (high - low) / 2
      try comparison.go(to: middle)
      if comparison.isEqual(since: common) { low = middle } else { high = middle }
    }
    parting = try Self.parting(comparison, at: low, since: common, context)
    cause = Self.cause(parting, input, headers, startMemory)
  }

  /// Instructions between two comparisons.
  private static let piece: UInt64 = 1 << 22

  private static func parting(_ comparison: Comparison, at count: UInt64, since common: UInt64, _ context: Int) throws
    -> Parting
  {
    let (a, b) = (comparison.a, comparison.b)
    try comparison.go(to: count)
    let last = a.now
    var before: [TracedStep] = []
    try a.traceLast(min(context, Int(clamping: count))) { before.append($0) }
    func step(_ timeline: Timeline) throws -> Side {
      var side = Side(step: nil, ending: nil, after: [])
      let stop = try timeline.trace(1) { side.step = $0 }
      if case .end(let reason) = stop { side.ending = reason }
      return side
    }
    var first = try step(a)
    var second = try step(b)
    let registers = comparison.registers
    let memory = comparison.memory(since: common)
    try a.trace(context) { first.after.append($0) }
    try b.trace(context) { second.after.append($0) }
    return Parting(
      lastCommon: last, before: before, first: first, second: second, registers: registers, memory: memory)
  }

  private static func cause(
    _ parting: Parting?, _ input: InputDifference?, _ headers: [RunDiff.HeaderDifference],
    _ startMemory: [MemoryDifference]
  ) -> Cause? {
    guard let parting else { return nil }
    let place = parting.lastCommon
    if let input, input.instant.instructionCount <= place.instructionCount {
      return input.instant.instructionCount == place.instructionCount ? .input(input) : .consequence(of: input)
    }
    let different = headers.map { "\($0.what): \($0.first) / \($0.second)" }
    if !startMemory.isEmpty || !different.isEmpty { return .start(different) }
    return .other("neither inputs nor headers differ before")
  }

  /// The first events and the first inputs that two traces do not share.
  private static func firstDifference(_ a: TraceReader, _ b: TraceReader) throws -> (
    any: Instant?, input: InputDifference?
  ) {
    func next(_ cursor: inout EventCursor, digests: Bool) throws -> TraceEvent? {
      while let event = try nextKeepingPrefix(&cursor) {
        if digests || event.kind != .digest { return event }
      }
      return nil
    }
    var (left, right) = (a.events(), b.events())
    var any: Instant?
    while any == nil {
      // Digests hold what differs out of sight, too.
      let (x, y) = (try next(&left, digests: false), try next(&right, digests: false))
      if x == nil && y == nil { break }
      if x != y { any = [x?.instant, y?.instant].compactMap { $0 }.min() }
    }
    var (leftInputs, rightInputs) = (a.events(inputsOnly: true), b.events(inputsOnly: true))
    while true {
      let (x, y) = (try nextKeepingPrefix(&leftInputs), try nextKeepingPrefix(&rightInputs))
      if x == nil && y == nil { return (any, nil) }
      if x != y {
        let instant = [x?.instant, y?.instant].compactMap { $0 }.min() ?? .zero
        // Of two inputs at different places only the earlier one is the difference.
        return (
          any,
          InputDifference(
            first: x?.instant == instant ? x : nil, second: y?.instant == instant ? y : nil, instant: instant)
        )
      }
    }
  }
}

/// Two runs side by side.
private final class Comparison {
  let a: Timeline
  let b: Timeline
  private(set) var startMemory: [InstructionDiff.MemoryDifference] = []
  /// By page: offsets of bytes that differ from the start.
  private var ignored: [Int: Set<Int>] = [:]

  init(_ a: Timeline, _ b: Timeline) {
    self.a = a
    self.b = b
    let (x, y) = (a.machine.memory, b.machine.memory)
    guard x.pageCount == y.pageCount else { return }
    let different = (0..<x.pageCount).filter { memcmp(x.base + $0 * 4096, y.base + $0 * 4096, 4096) != 0 }
    startMemory = stretches(different)
    for page in different {
      ignored[page] = Set(
        (0..<4096).filter {
          x.base.load(fromByteOffset: page * 4096 + $0, as: UInt8.self)
            != y.base.load(fromByteOffset: page * 4096 + $0, as: UInt8.self)
        })
    }
  }

  func go(to count: UInt64) throws {
    try a.seek(to: StopTarget.instructionCount(count))
    try b.seek(to: StopTarget.instructionCount(count))
  }

  /// Both can come back here at once.
  func keep() {
    a.store.add()
    b.store.add()
  }

  var registers: [TracedStep.RegisterChange] {
    let (x, y) = (a.machine.processorState, b.machine.processorState)
    var changes = TracedStep.RegisterChange.between(x, y)
    if x.rip != y.rip { changes.insert(.init(name: "rip", old: x.rip, new: y.rip), at: 0) }
    return changes
  }

  func isEqual(since count: UInt64) -> Bool {
    a.now.instructionCount == b.now.instructionCount && registers.isEmpty && differingPages(since: count).isEmpty
  }

  private func differingPages(since count: UInt64) -> [Int] {
    let pages = a.store.pagesWritten(since: count).union(b.store.pagesWritten(since: count))
    return pages.sorted().map { Int($0) }.filter(differs)
  }

  private func differs(_ page: Int) -> Bool {
    let (x, y) = (a.machine.memory.base + page * 4096, b.machine.memory.base + page * 4096)
    guard memcmp(x, y, 4096) != 0 else { return false }
    guard let known = ignored[page] else { return true }
    return (0..<4096).contains {
      x.load(fromByteOffset: $0, as: UInt8.self) != y.load(fromByteOffset: $0, as: UInt8.self) && !known.contains($0)
    }
  }

  func memory(since count: UInt64) -> [InstructionDiff.MemoryDifference] { stretches(differingPages(since: count)) }

  /// Bytes that differ in these pages, neighbours together.
  private func stretches(_ pages: [Int]) -> [InstructionDiff.MemoryDifference] {
    var found: [InstructionDiff.MemoryDifference] = []
    let (x, y) = (a.machine.memory, b.machine.memory)
    for page in pages {
      for offset in 0..<4096 {
        let place = page * 4096 + offset
        let (left, right) = (
          x.base.load(fromByteOffset: place, as: UInt8.self), y.base.load(fromByteOffset: place, as: UInt8.self)
        )
        guard left != right, ignored[page]?.contains(offset) != true else { continue }
        let address = x.physicalAddress(ofOffset: UInt64(place))
        if let last = found.last, last.address &+ UInt64(last.first.count) == address, last.first.count < 64 {
          found[found.count - 1].first.append(left)
          found[found.count - 1].second.append(right)
        } else {
          guard found.count < InstructionDiff.maximumStretches else { return found }
          found.append(.init(address: address, first: [left], second: [right]))
        }
      }
    }
    return found
  }
}

extension CheckpointStore {
  /// Pages written between the last checkpoint at or before this count and now.
  func pagesWritten(since count: UInt64) -> Set<UInt32> {
    let from = last { $0.instant.instructionCount <= count } ?? 0
    var pages: Set<UInt32> = []
    if from < base { for index in from..<base { pages.formUnion(writtenPages(since: index)) } }
    return pages.union(journalPages)
  }
}
