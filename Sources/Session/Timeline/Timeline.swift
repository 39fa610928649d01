import Foundation
import PC
import Synchronization
import Trace

/// How a `Timeline` keeps its checkpoints.
public struct TimelineOptions: Sendable {
  /// Bytes of host memory that checkpoints may take; nil: a quarter of the host's.
  public var checkpointMemory: UInt64?
  /// Instructions between two checkpoints of a first pass.
  public var interval: UInt64 = 1 << 24
  /// Instructions that a checkpoint of the trace must save to be read: reading it takes as long as executing so many.
  public var storedDistance: UInt64 = 1 << 25
  public init() {}

  var budget: UInt64 { checkpointMemory ?? ProcessInfo.processInfo.physicalMemory / 4 }
}

/// A replay in which one can go in both directions.
///
/// Forward it executes; back it goes to a checkpoint and executes from there. So it stands wherever it wants to, exactly to
/// the instruction, and what is asked of it there is answered by the same machine as in the recording, checked against the
/// trace all the while.
///
/// Use it from one thread; `interrupt` may be called from any. `machine` is for looking at: never run or change it.
public final class Timeline {
  public let session: ReplaySession
  let store: CheckpointStore
  let options: TimelineOptions
  private var observer: TimelineObserver?
  private let interruption = Atomic<Bool>(false)
  /// Those that the trace carries and that have not turned out to be unusable.
  private var stored: [StoredCheckpoint] = []
  /// Why checkpoints of the trace are not used, if so.
  public private(set) var note: String?

  public var reader: TraceReader { session.reader }
  public var machine: Machine { session.machine }

  /// Opens a trace and stands at its start.
  /// - Throws: what `ReplaySession.init` throws.
  public init(path: String, imagePaths: [String] = [], options: TimelineOptions = TimelineOptions()) throws {
    self.options = options
    session = try ReplaySession(path: path, imagePaths: imagePaths)
    session.prepare()
    store = CheckpointStore(session, budget: options.budget)
    if session.isStorable { stored = session.reader.checkpoints.sorted { $0.instant < $1.instant } }
    session.wantsRest = { [unowned self] in
      observer?.isSatisfied == true || interruption.load(ordering: .relaxed)
    }
  }

  deinit { machine.observer = nil }

  /// The place where the machine stands.
  public var now: Instant { session.instant }
  /// RIP of the next instruction.
  public var rip: UInt64 { session.rip }
  /// Where the trace ends.
  public var end: Instant { reader.summary?.last ?? .zero }
  /// In nanoseconds since power-on.
  public var virtualTime: UInt64 { machine.virtualTime }
  /// How many checkpoints there are, and the bytes of host memory that they take.
  public var checkpoints: (count: Int, bytes: UInt64) { (store.states.count, store.byteCount) }

  /// Makes a run that is under way come to rest soon, with `.interrupted`. From any thread.
  public func interrupt() { interruption.store(true, ordering: .relaxed) }

  // MARK: Seeking

  /// Goes to a place of the trace, forward or back.
  /// - Throws: `SessionError.noSuchInstant` for what the trace does not have; see also `run`.
  @discardableResult
  public func seek(to spec: InstantSpec) throws -> TimelineStop { try seek(to: spec.target(in: reader)) }

  /// Goes to a place of the trace, forward or back.
  @discardableResult @_disfavoredOverload
  public func seek(to target: StopTarget) throws -> TimelineStop {
    interruption.store(false, ordering: .relaxed)
    return try go(to: target)
  }

  private func go(to target: StopTarget) throws -> TimelineStop {
    let leadsOn = Self.leads(now, virtualTime, to: target) && session.control.ending == nil
    enterStored(behind: leadsOn ? max(now, nearest(target)) : nearest(target)) {
      Self.leads($0, $0.virtualTime(shift: session.setup.configuration.timeShift), to: target)
    }
    let index = store.last { Self.leads($0.instant, $0.virtualTime, to: target) } ?? 0
    if !Self.leads(now, virtualTime, to: target) || now < store.states[index].instant || session.control.ending != nil {
      store.restore(index)
    }
    let reason = forward(to: target, goal: Self.count(of: target) ?? end.instructionCount)
    return try stop(for: reason)
  }

  /// Of the last checkpoint in memory from which the way to the target goes forward.
  private func nearest(_ target: StopTarget) -> Instant {
    store.states[store.last { Self.leads($0.instant, $0.virtualTime, to: target) } ?? 0].instant
  }

  /// Goes to the last checkpoint of the trace that fulfils a condition, if it lies so far behind a place that this is faster
  /// than executing what lies between.
  @discardableResult
  private func enterStored(behind place: Instant, where isBefore: (Instant) -> Bool) -> Bool {
    while let checkpoint = stored.last(where: { isBefore($0.instant) }),
      checkpoint.instant.instructionCount > place.instructionCount &+ options.storedDistance
    {
      do {
        let state = try StoredState(
          try reader.readCheckpoint(checkpoint.number), pageCount: machine.memory.pageCount)
        guard state.values.instant == checkpoint.instant else { throw MalformedState(reason: "its place is another") }
        let index = store.last { $0.instant < checkpoint.instant } ?? 0
        store.enter(try session.state(from: state), state, behind: index)
        guard StateDigester.registers(of: machine) == state.values.registers else {
          store.restore(0)
          throw MalformedState(reason: "it is of another machine")
        }
        stored.removeAll { $0 == checkpoint }
        return true
      } catch {
        note = "the checkpoint at \(checkpoint.instant) is not used: \(error)"
        stored.removeAll { $0 == checkpoint }
      }
    }
    return false
  }

  /// Whether the way from a place to the target goes forward. The first place with a count must not be missed.
  private static func leads(_ instant: Instant, _ virtualTime: UInt64, to target: StopTarget) -> Bool {
    switch target {
    case .instant(let end): return instant <= end
    case .instructionCount(let end): return instant.instructionCount < end
    case .virtualTime(let end): return virtualTime < end
    case .end, .beforeEnd: return true
    }
  }

  private static func count(of target: StopTarget) -> UInt64? {
    switch target {
    case .instant(let instant): return instant.instructionCount
    case .instructionCount(let count): return count
    case .virtualTime, .end, .beforeEnd: return nil
    }
  }

  /// Goes forward and leaves checkpoints behind, the closer to `goal` the denser. There must be none on the way.
  private func forward(to target: StopTarget, goal: UInt64?) -> ReplayResult.Reason {
    while true {
      let rest = nextCheckpoint(goal: goal)
      let reason = session.travel(to: target, restingAt: rest)
      guard reason == .until, !session.isReached, session.wantsRest?() != true else { return reason }
      store.add()
    }
  }

  /// The instruction count at which the next checkpoint is due. In front of a goal, checkpoints lie at distances that are
  /// powers of two, so that steps back from there are short.
  private func nextCheckpoint(goal: UInt64?) -> UInt64 {
    let count = machine.instructionCount
    let regular = (count / options.interval &+ 1) &* options.interval
    guard let goal, goal > count &+ 2 * Self.smallestDistance else { return regular }
    var power: UInt64 = 1 << UInt64(63 - (goal &- count).leadingZeroBitCount)
    if goal &- count &- power < power / 4 { power /= 2 }
    power = min(power, options.interval / 2)
    return min(regular, goal &- power)
  }
  private static let smallestDistance: UInt64 = 1024

  private func stop(for reason: ReplayResult.Reason) throws -> TimelineStop {
    switch reason {
    case .until: return interruption.load(ordering: .relaxed) ? .interrupted : .reached
    case .end(let text): return .end(text)
    case .cutOff: return .end("cut-off")
    case .quit: return .interrupted
    case .diverged(let divergence): throw SessionError.parentFailed(path: reader.path, reason: "\(divergence)")
    case .damaged(let error): throw error
    case .failed(let text): throw SessionError.parentFailed(path: reader.path, reason: text)
    }
  }

  // MARK: Stepping

  /// Steps so many places forward, or back when negative. A place is where an instruction has retired or an interrupt or
  /// exception was delivered.
  @discardableResult
  public func step(_ count: Int) throws -> TimelineStop {
    interruption.store(false, ordering: .relaxed)
    if count == 0 { return .reached }
    let here = now.instructionCount
    let distance = UInt64(count.magnitude)
    if count > 0 {
      let (goal, overflow) = here.addingReportingOverflow(distance)
      return try ahead(to: overflow ? .max : goal)
    }
    if now == store.states[0].instant { return .start }
    var goal = here > distance ? here - distance : 0
    while true {
      if goal == 0 {
        store.restore(0)
        return distance <= here ? .reached : .start
      }
      let stop = try go(to: .instructionCount(goal))
      // A software interrupt retires and is delivered in one go: there is no place in between.
      guard stop == .reached, now.instructionCount >= here else { return stop }
      goal -= 1
    }
  }

  /// Goes forward to a count, over checkpoints that may lie on the way.
  private func ahead(to count: UInt64) throws -> TimelineStop {
    guard count > now.instructionCount else { return .reached }
    return try go(to: .instructionCount(count))
  }

  // MARK: Running

  /// Goes on until one of the conditions is met. Going back, it stops at the last hit before now.
  /// - Throws: `SessionError.parentFailed` where the replay diverges, `TraceError` where the trace is damaged.
  @discardableResult
  public func run(_ direction: Direction, until conditions: StopConditions) throws -> TimelineStop {
    interruption.store(false, ordering: .relaxed)
    switch direction {
    case .forward: return try runForward(conditions)
    case .backward: return try runBackward(conditions)
    }
  }

  private func observing<T>(_ conditions: StopConditions, _ mode: TimelineObserver.Mode, _ body: () throws -> T)
    rethrows
    -> (T, TimelineHit?)
  {
    let observer = TimelineObserver(session, conditions, mode)
    if conditions.needsObserver {
      self.observer = observer
      observer.arm()
    }
    defer {
      if conditions.needsObserver {
        observer.disarm()
        self.observer = nil
      }
    }
    return (try body(), observer.hit)
  }

  private func runForward(_ conditions: StopConditions) throws -> TimelineStop {
    let start = now
    let event = try events(conditions).first { $0.instant > start }
    let (reason, hit) = observing(conditions, .stopping(from: start)) { () -> ReplayResult.Reason in
      while true {
        var target = StopTarget.end
        let next = store.base + 1 < store.states.count ? store.states[store.base + 1].instant : nil
        if let first = [event?.instant, next].compactMap({ $0 }).min() { target = .instant(first) }
        let reason = session.travel(to: target, restingAt: nextCheckpoint(goal: nil))
        guard reason == .until, session.wantsRest?() != true else { return reason }
        if now == next { store.arrive() }
        if now == event?.instant { return .until }
        if now != next { store.add() }
      }
    }
    if let hit {
      // A block may have gone on behind the instruction; the place is behind it.
      if now.instructionCount > hit.before.instructionCount &+ 1 {
        _ = try go(to: .instructionCount(hit.before.instructionCount &+ 1))
      }
      return .hit(hit)
    }
    if let event, now == event.instant {
      return .hit(TimelineHit(cause: .event(event.kind), before: now, rip: rip))
    }
    return try stop(for: reason)
  }

  private func runBackward(_ conditions: StopConditions) throws -> TimelineStop {
    let origin = now
    let event = try events(conditions).last { $0.instant < origin }
    let pages = physicalPages(conditions)
    var end = origin
    var index = store.last { $0.instant < origin }
    var hasMoved = false
    while let place = index {
      let start = store.states[place].instant
      // What was written since the last checkpoint is known only as long as the machine stands there.
      let isKnown = !hasMoved || end != origin || place + 1 < store.states.count
      let mayHit =
        pages.map {
          !isKnown || store.hasWritten($0, since: place, includingNow: end == origin && place == store.base)
        } ?? true
      let bound = end
      if mayHit, conditions.needsObserver, enterStored(behind: start, where: { $0 < bound }) {
        hasMoved = true
        index = store.last { $0.instant < bound }
        continue
      }
      if mayHit && conditions.needsObserver {
        hasMoved = true
        if let hit = try lastHit(conditions, from: place, to: end), event.map({ $0.instant <= hit.before }) ?? true {
          return try rest(at: hit)
        }
        if interruption.load(ordering: .relaxed) { return .interrupted }
      }
      if let event, event.instant >= start {
        return try rest(at: TimelineHit(cause: .event(event.kind), before: event.instant))
      }
      end = start
      index = place > 0 ? place - 1 : nil
    }
    store.restore(0)
    return .start
  }

  private func rest(at hit: TimelineHit) throws -> TimelineStop {
    var hit = hit
    _ = try go(to: .instant(hit.before))
    hit.rip = rip
    return .hit(hit)
  }

  /// The last hit between a checkpoint and a place.
  private func lastHit(_ conditions: StopConditions, from index: Int, to end: Instant) throws -> TimelineHit? {
    store.restore(index)
    let (reason, hit) = observing(conditions, .collecting) { () -> ReplayResult.Reason in
      while true {
        let reason = session.travel(to: .instant(end), restingAt: nextCheckpoint(goal: nil))
        guard reason == .until, !session.isReached, session.wantsRest?() != true else { return reason }
        store.add()
      }
    }
    _ = try stop(for: reason)
    guard let hit, hit.before < end else { return nil }
    return hit
  }

  /// Where only writes to physical memory are looked for: the pages, so that stretches in which none of them was written
  /// need not be executed again.
  private func physicalPages(_ conditions: StopConditions) -> Set<UInt32>? {
    var others = conditions
    others.watchpoints = []
    guard !others.needsObserver, !conditions.watchpoints.isEmpty,
      conditions.watchpoints.allSatisfy({ $0.space == .physical && $0.access == .write && $0.count <= 1 << 20 })
    else { return nil }
    var pages: Set<UInt32> = []
    for watchpoint in conditions.watchpoints {
      var address = watchpoint.address
      let last = watchpoint.range.last
      while true {
        if let offset = machine.memory.offset(of: address) { pages.insert(UInt32(truncatingIfNeeded: offset >> 12)) }
        guard address | 0xFFF < last else { break }
        address = (address | 0xFFF) + 1
      }
    }
    return pages
  }

  // MARK: Events

  private var knownEvents: [(instant: Instant, kind: MarkerKind)]?

  /// The events that conditions name, in order.
  private func events(_ conditions: StopConditions) throws -> [(instant: Instant, kind: MarkerKind)] {
    guard !conditions.events.isEmpty else { return [] }
    if knownEvents == nil { knownEvents = try InstantSpec.markers(in: reader) }
    return knownEvents?.filter { conditions.events.contains($0.kind) } ?? []
  }

  // MARK: Storing

  /// The state here, as a trace carries it.
  /// - Throws: `ControlError` for machines whose state traces cannot carry.
  public func checkpointData() throws -> Data {
    guard session.isStorable else { throw ControlError("checkpoints of machines with disks cannot be stored") }
    guard session.control.ending == nil else { throw ControlError("the run is over at \(now)") }
    return try StoredState.encode(session, session.matcher.state, pages: Array(store.pagesWritten(since: 0)))
  }
}
