import PC
import Trace

/// How a `Timeline` keeps its checkpoints.
public struct TimelineOptions: Sendable {
  /// Bytes of host memory that before-images may take; nil: a quarter of the host's.
  public var checkpointMemory: UInt64?
  /// Instructions between two checkpoints of a first pass.
  public var interval: UInt64 = 1 << 24
  public init() {}
}

/// A replay in which one can go in both directions.
///
/// Use it from one thread; `interrupt` may be called from any. `machine` is for looking at: never run or change it.
public final class Timeline {
  public let session: ReplaySession
  public var reader: TraceReader { session.reader }
  public var machine: Machine { session.machine }

  /// Opens a trace and stands at its start.
  /// - Throws: what `ReplaySession.init` throws.
  public init(path: String, imagePaths: [String] = [], options: TimelineOptions = TimelineOptions()) throws {
    session = try ReplaySession(path: path, imagePaths: imagePaths)
  }

  /// The place where the machine stands.
  public var now: Instant { session.instant }
  /// RIP of the next instruction.
  public var rip: UInt64 { session.rip }
  /// Where the trace ends.
  public var end: Instant { reader.summary?.last ?? .zero }
  /// In nanoseconds since power-on.
  public var virtualTime: UInt64 { machine.virtualTime }

  /// Goes to a place of the trace, forward or back.
  /// - Throws: `SessionError.noSuchInstant` for what the trace does not have.
  @discardableResult
  public func seek(to spec: InstantSpec) throws -> TimelineStop { try seek(to: spec.target(in: reader)) }

  @discardableResult
  public func seek(to target: StopTarget) throws -> TimelineStop { .end("not yet") }

  /// Steps so many places forward, or back when negative. A place is where an instruction has retired or an interrupt or
  /// exception was delivered.
  @discardableResult
  public func step(_ count: Int) throws -> TimelineStop { .end("not yet") }

  /// Goes on until one of the conditions is met. Going back, it stops at the last hit before now.
  /// - Throws: where the replay diverges or the trace is damaged.
  @discardableResult
  public func run(_ direction: Direction, until conditions: StopConditions) throws -> TimelineStop {
    .end("not yet")
  }

  /// Makes a run that is under way come to rest soon, with `.interrupted`. From any thread.
  public func interrupt() {}
}
