import Foundation
import PC
import Session
import Trace

/// The project's own guests, assembled once per run of the tests.
enum Guests {
  private static let folder: URL = {
    let repository = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("inquest-guests-\(getpid())")
    let process = Process()
    process.executableURL = repository.appendingPathComponent("tools/guests-asm")
    process.arguments = ["-o", folder.path]
    do {
      try process.run()
      process.waitUntilExit()
    } catch { fatalError("tools/guests-asm: \(error)") }
    atexit { try? FileManager.default.removeItem(at: Guests.folderAtExit) }
    return folder
  }()
  private static var folderAtExit: URL { folder }

  static func bytes(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: folder.appendingPathComponent("\(name).elf")))
  }
}

/// A folder of its own for each test.
final class Scratch {
  let url: URL
  init() throws {
    url = FileManager.default.temporaryDirectory.appendingPathComponent(
      "inquest-session-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }
  deinit { try? FileManager.default.removeItem(at: url) }
  func path(_ name: String) -> String { url.appendingPathComponent(name).path }
}

/// What a run said, and what it told its monitors.
final class Listener: @unchecked Sendable {
  private let lock = NSLock()
  private var bytes: [UInt8] = []
  private var told: [MachineEvent] = []
  var console: String {
    lock.lock()
    defer { lock.unlock() }
    return String(decoding: bytes, as: UTF8.self)
  }
  var events: [MachineEvent] {
    lock.lock()
    defer { lock.unlock() }
    return told
  }
  func attach(to session: Session) {
    session.onOutput = { [self] port, bytes in
      lock.lock()
      if port == 0 { self.bytes += bytes }
      lock.unlock()
    }
    session.mailbox.observe { [self] event in
      lock.lock()
      told.append(event)
      lock.unlock()
    }
  }
}

func setup(seed: UInt64 = 1, pvpanic: Bool = true, _ change: (inout RunSetup) -> Void = { _ in }) -> RunSetup {
  var configuration = MachineConfiguration()
  configuration.memorySize = 16 << 20
  configuration.seed = seed
  configuration.startTime = 1_700_000_000_000_000_000
  if pvpanic { configuration.pvpanic = .init() }
  var setup = RunSetup(configuration: configuration)
  change(&setup)
  return setup
}

func images(_ guest: String) throws -> MachineImages {
  var images = MachineImages()
  images.kernel = try Guests.bytes(guest)
  return images
}

/// Records a guest to the end of its run.
func record(
  _ guest: String, to path: String?, _ setup: RunSetup, _ options: RecordingOptions = RecordingOptions()
) throws -> (result: RecordingResult, listener: Listener) {
  let session = try RecordingSession(setup: setup, images: images(guest), trace: path, options: options)
  let listener = Listener()
  listener.attach(to: session)
  return (session.run(), listener)
}

/// Replays a trace.
func replay(_ path: String, until target: StopTarget = .end) throws -> (
  result: ReplayResult, listener: Listener, session: ReplaySession
) {
  let session = try ReplaySession(path: path, until: target)
  let listener = Listener()
  listener.attach(to: session)
  return (session.run(), listener, session)
}
