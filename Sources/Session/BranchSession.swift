import Foundation
import PC
import Trace

/// What a branch does differently from its parent.
public struct BranchOptions: Sendable {
  /// Where it leaves its parent.
  public var at: InstantSpec = .end
  /// Applied there, in order.
  public var commands: [ControlCommand] = []
  /// Entropy, chaos and scheduling go on from this seed; nil: as in the parent.
  public var seed: UInt64?
  /// Where it ends: an instant of the new run. Nil: the next panic, a shutdown, or 60 s of virtual time.
  public var until: InstantSpec?
  /// Nanoseconds of virtual time behind the branch after which a run without `until` is a hang; nil: it ends after a minute.
  public var limit: UInt64?
  /// How its surroundings behave. `stops` are added to what `until` says.
  public var recording = RecordingOptions()
  public init() {}
}

/// A run that shares another one's trace up to an instant and goes its own way from there. Its trace stands alone: the
/// parent's events up to the instant are in it, checked once more on the way.
public final class BranchSession {
  /// Virtual time after which a branch ends that was told nothing else, in nanoseconds.
  public static let defaultTime: UInt64 = 60_000_000_000

  /// The live machine, standing at the instant.
  public let recording: RecordingSession

  /// Replays the parent to the instant, in silence. Takes as long as that.
  /// - Parameters:
  ///   - path: the parent's trace.
  ///   - imagePaths: see `ReplaySession`.
  ///   - output: the new trace.
  /// - Throws: `SessionError`, `TraceError`.
  public init(parent path: String, imagePaths: [String] = [], options: BranchOptions, output: String) throws {
    let replay = try ReplaySession(path: path, imagePaths: imagePaths)
    var target = try options.at.target(in: replay.reader)
    if target == .end { target = .beforeEnd }
    let sources = replay.images.sources(
      kernelName: replay.reader.header.images.first { $0.role == "kernel" }?.name ?? "kernel", embed: true)
    let parent = TraceParent(
      name: URL(fileURLWithPath: path).lastPathComponent, sha256: try Self.digest(of: path),
      instant: try Self.instant(of: target, replay))
    let writer = try TraceWriter(
      path: output, header: try TraceHeader(recording: replay.setup, parent: parent), images: sources)
    func give(up error: SessionError) -> SessionError {
      try? writer.close()
      unlink(output)
      return error
    }
    do { try replay.enterCheckpoint(before: target, copyingEventsTo: writer) } catch {
      throw give(up: .parentFailed(path: path, reason: "\(error)"))
    }
    replay.copyEvents(to: writer)
    let result = replay.run(until: target)
    switch result.reason {
    case .until: break
    case .end(let reason): throw give(up: .runIsOver(path: path, reason: reason))
    case .cutOff where replay.control.ending == nil: break
    case .cutOff: throw give(up: .runIsOver(path: path, reason: "cut off"))
    case .diverged(let divergence): throw give(up: .parentFailed(path: path, reason: "\(divergence)"))
    case .damaged(let error): throw give(up: .parentFailed(path: path, reason: "\(error)"))
    case .failed(let reason): throw give(up: .parentFailed(path: path, reason: reason))
    case .quit: throw give(up: .parentFailed(path: path, reason: "the replay was stopped"))
    }

    var recordingOptions = options.recording
    recordingOptions.stops += try Self.stops(options, from: replay)
    recording = RecordingSession(continuing: replay, writer: writer, options: recordingOptions)
    recording.firstCommands = options.commands
    recording.firstSeed = options.seed
  }

  /// Goes live and waits for the end.
  public func run() -> RecordingResult { recording.run() }

  private static func stops(_ options: BranchOptions, from replay: ReplaySession) throws -> [LiveStop] {
    let now = replay.machine.virtualTime
    let path = replay.reader.path
    switch options.until {
    case nil:
      return [.panic(1), .virtualTime(now &+ (options.limit ?? defaultTime), isLimit: options.limit != nil)]
    case .end?: return []
    case .start?: throw SessionError.noSuchInstant(path: path, text: "start", reason: "a branch goes forward")
    case .beforeEnd?:
      throw SessionError.noSuchInstant(path: path, text: "end-", reason: "the end of a live run is still to come")
    case .relativeTime(let time)?: return [.virtualTime(now &+ time, isLimit: false)]
    case .virtualTime(let time)?:
      guard time >= now else {
        throw SessionError.noSuchInstant(
          path: path, text: "t=\(InstantSpec.seconds(time))", reason: "it lies before the branch")
      }
      return [.virtualTime(time, isLimit: false)]
    case .instructionCount, .instant:
      let count: UInt64
      if case .instant(let instant)? = options.until {
        count = instant.instructionCount
      } else if case .instructionCount(let given)? = options.until {
        count = given
      } else {
        return []
      }
      guard count >= replay.machine.instructionCount else {
        throw SessionError.noSuchInstant(path: path, text: "\(count)", reason: "it lies before the branch")
      }
      return [.instructionCount(count)]
    case .marker(let marker, let number, let offset)?:
      guard offset == 0 else {
        throw SessionError.noSuchInstant(
          path: path, text: marker.rawValue,
          reason: "a live run cannot count from an event that is still to come")
      }
      switch marker {
      case .panic: return [.panic(number)]
      case .reset: return [.reset(number)]
      case .cont: return [.cont(number)]
      }
    }
  }

  /// The instant that the header names, which is written before the replay. Where the target is a count or a time, the
  /// added time is that of the last event before.
  private static func instant(of target: StopTarget, _ replay: ReplaySession) throws -> Instant {
    let shift = replay.setup.configuration.timeShift
    var before = Instant.zero
    func find(_ isBefore: (Instant) -> Bool) throws {
      var cursor = replay.reader.events()
      while let event = try nextKeepingPrefix(&cursor), isBefore(event.instant) { before = event.instant }
    }
    switch target {
    case .instant(let instant): return instant
    case .instructionCount(let count):
      try find { $0.instructionCount < count }
      return Instant(instructionCount: count, addedTime: before.addedTime)
    case .virtualTime(let time):
      try find { $0.virtualTime(shift: shift) < time }
      let count = (time &- min(time, before.addedTime)) >> shift
      return Instant(instructionCount: max(count, before.instructionCount), addedTime: before.addedTime)
    case .end, .beforeEnd: return replay.reader.summary?.last ?? .zero
    }
  }

  /// Of a file, in hexadecimal.
  private static func digest(of path: String) throws -> String {
    let data: Data
    do { data = try Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe) } catch {
      throw TraceError.missing(path: path)
    }
    return SHA256.hexadecimal(SHA256.hash(data))
  }
}
