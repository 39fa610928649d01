import Foundation
import PC
import Trace

/// What a trace is, as `inquest info` shows it.
public struct TraceInfo: Codable, Equatable, Sendable {
  public struct Image: Codable, Equatable, Sendable {
    public var role: String
    public var name: String
    public var size: UInt64
    public var sha256: String
    public var embedded: Bool
  }
  public struct Panic: Codable, Equatable, Sendable {
    /// As `--until` takes it.
    public var instant: String
    public var instructions: UInt64
    /// Nanoseconds since power-on.
    public var virtualTime: UInt64
    /// Hexadecimal; behind the OUT.
    public var rip: String?
  }
  public struct Command: Codable, Equatable, Sendable {
    public var instant: String
    public var virtualTime: UInt64
    /// monitor, policy or host.
    public var source: String
    public var command: String
  }
  public struct Checkpoint: Codable, Equatable, Sendable {
    public var instant: String
    /// Bytes of the file.
    public var size: UInt64
  }
  public struct Parent: Codable, Equatable, Sendable {
    public var name: String
    public var sha256: String?
    public var instant: String
  }

  public var path: String
  /// Bytes of the file, and of those the images'.
  public var size: UInt64
  public var imageBytes: UInt64
  public var formatVersion: UInt64
  public var machineVersion: UInt64
  public var inquestVersion: String
  public var created: String
  public var seed: UInt64
  public var name: String?
  /// Bytes.
  public var memory: UInt64
  public var commandLine: String
  public var images: [Image]
  /// The version that a Linux kernel says it has.
  public var kernelVersion: String?
  public var instructions: UInt64
  /// Nanoseconds since power-on.
  public var virtualTime: UInt64
  /// Where it ends.
  public var end: String
  /// Why the run ended; nil where the trace does not say.
  public var ending: String?
  /// closed, cut-off, failed or damaged.
  public var state: String
  /// A remark on the state, for people.
  public var note: String?
  public var events: UInt64
  /// By kind.
  public var eventCounts: [String: UInt64]
  public var panics: [Panic]
  public var resets: Int
  public var commands: [Command]
  public var parent: Parent?
  /// States that the trace carries.
  public var checkpoints: [Checkpoint]

  /// - Throws: a `TraceError` when nothing can be said. Damage behind the header is told in `state`.
  public init(of reader: TraceReader) throws {
    let header = reader.header
    let setup = try? header.machine.decode(as: RunSetup.self)
    let shift = setup?.configuration.timeShift ?? 0
    path = reader.path
    size = reader.size
    imageBytes = reader.imageBytes
    formatVersion = header.formatVersion
    machineVersion = header.machineVersion
    inquestVersion = header.inquestVersion
    created = header.created
    seed = header.seed
    name = setup?.name
    memory = setup?.configuration.memorySize ?? 0
    commandLine = setup?.configuration.commandLine ?? ""
    images = header.images.map {
      Image(role: $0.role, name: $0.name, size: $0.size, sha256: $0.sha256, embedded: $0.embedded)
    }
    kernelVersion = Self.kernelVersion(of: reader)
    let last = reader.summary?.last ?? .zero
    instructions = last.instructionCount
    virtualTime = last.virtualTime(shift: shift)
    end = last.description
    checkpoints = reader.checkpoints.map { Checkpoint(instant: $0.instant.description, size: $0.size) }
    parent = header.parent.map { Parent(name: $0.name, sha256: $0.sha256, instant: $0.instant.description) }

    panics = []
    resets = 0
    commands = []
    events = 0
    var counts = [UInt64](repeating: 0, count: 256)
    var cursor = reader.events()
    var damage: TraceError?
    do {
      while let event = try cursor.next() {
        events &+= 1
        counts[Int(event.kind.rawValue)] &+= 1
        let time = event.instant.virtualTime(shift: shift)
        switch event.body {
        case .marker(.panic, let text):
          panics.append(
            Panic(
              instant: event.instant.description, instructions: event.instant.instructionCount,
              virtualTime: time, rip: text.hasPrefix("rip ") ? String(text.dropFirst(4)) : nil))
        case .marker(.reset, _): resets += 1
        case .command(let source, let json):
          commands.append(
            Command(
              instant: event.instant.description, virtualTime: time,
              source: CommandSource(rawValue: source).map { "\($0)" } ?? "\(source)", command: json))
        case .endState(let reason, _): ending = reason
        default: break
        }
      }
    } catch let error as TraceError { damage = error }
    eventCounts = [:]
    for kind in EventKind.allCases where counts[Int(kind.rawValue)] > 0 {
      eventCounts[kind.name] = counts[Int(kind.rawValue)]
    }
    if case .damaged(let error) = reader.ending { damage = damage ?? error }
    if let damage {
      (state, note) = ("damaged", "\(damage)")
    } else {
      switch reader.ending {
      case .failed(let code):
        (state, note) = (
          "failed",
          "the recorder ran into an error (\(String(cString: strerror(code)))); what is there replays"
        )
      case .cutOff: (state, note) = ("cut-off", "the recording was cut off; what is there replays")
      case .closed, .damaged: (state, note) = ("closed", nil)
      }
    }
  }

  /// The version string of a bzImage: its offset, less 512, is at 20E of the setup header (Linux x86 boot protocol 2.00).
  private static func kernelVersion(of reader: TraceReader) -> String? {
    struct Enough: Error {}
    var start: [UInt8] = []
    // Only the beginning is wanted, so the digest, which is checked at the end, is not waited for.
    do {
      try reader.readImage("kernel") {
        start += $0.prefix(65536 - start.count)
        if start.count >= 65536 { throw Enough() }
      }
    } catch is Enough {} catch { return nil }
    guard start.count > 0x210, Array(start[0x202..<0x206]) == Array("HdrS".utf8) else { return nil }
    let offset = Int(start[0x20E]) + Int(start[0x20F]) << 8 + 0x200
    guard offset > 0x200, offset < start.count else { return nil }
    let text = start[offset...].prefix { $0 != 0 }.prefix(256)
    return String(validating: text, as: UTF8.self)
  }

  /// With members in alphabetical order.
  public var json: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
  }
}
