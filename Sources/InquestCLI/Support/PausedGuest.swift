import CoreDump
import Forensics
import Foundation
import Session
import Trace

/// A guest that stands still at an instant: a replay that has come there, or a core.
struct PausedGuest {
  /// nil for a core.
  var session: ReplaySession?
  var result: ReplayResult?
  var view: any GuestView

  /// Replays a trace up to an instant, or opens a core.
  /// - Throws: `CommandFailure`, and what opening a trace throws.
  static func open(_ arguments: ForensicsArguments) throws -> PausedGuest {
    if isELF(arguments.path) {
      if let at = arguments.at { throw CommandFailure.usage("--at \(at): a core has one instant only") }
      do {
        return PausedGuest(session: nil, result: nil, view: try ELFCoreView(path: arguments.path))
      } catch { throw CommandFailure.badData("\(arguments.path): \(error)") }
    }
    return try replay(arguments.path, images: arguments.images, at: arguments.at)
  }

  /// Replays a trace up to an instant; nil: the first panic, or the end where there is none.
  static func replay(
    _ path: String, images: [String], at: String?, prepare: (ReplaySession) -> Void = { _ in }
  ) throws -> PausedGuest {
    let spec = try at.map { try InstantSpec($0) }
    let reader = try TraceReader(path: path)
    let target: StopTarget
    if let spec {
      target = try spec.target(in: reader)
    } else {
      target = (try? InstantSpec("panic").target(in: reader)) ?? .beforeEnd
    }
    let session = try ReplaySession(path: path, imagePaths: images, until: target)
    TraceArguments.warn(reader)
    ReplayProgress(reader, verb: "replaying").install(in: session)
    prepare(session)
    try session.enterCheckpoint(before: target)
    let result = session.run()
    Terminal.clearProgress()
    try DumpCommand.check(result)
    let machine = session.machine
    let view = MachineView(
      memory: machine.memory, processors: [machine.processorState], vmcoreinfo: DumpWriter.announcedNote(machine))
    return PausedGuest(session: session, result: result, view: view)
  }

  /// The kernel in it.
  /// - Throws: `CommandFailure` where there is none.
  func kernel() throws -> Kernel {
    do { return try Kernel(view) } catch { throw CommandFailure.badData("\(place): \(error)") }
  }

  /// Where the guest is, for messages.
  var place: String {
    result.map { "at \($0.instant)" } ?? "this core"
  }

  private static func isELF(_ path: String) -> Bool {
    guard let file = FileHandle(forReadingAtPath: path) else { return false }
    defer { try? file.close() }
    return (try? file.read(upToCount: 4)).map { Array($0) == [0x7F, 0x45, 0x4C, 0x46] } ?? false
  }
}
