import Session
import Synchronization

/// Who answers: what `query-version` and the greetings say.
public struct MonitorIdentity: Sendable {
  /// The QEMU whose behaviour is matched.
  public var major = 9, minor = 1, micro = 0
  /// Inquest's own version.
  public var package: String
  /// Formats of `dump-guest-memory` that the machine writes.
  public var dumpFormats = ["elf", "kdump-zlib", "kdump-raw-zlib", "x-elf-gzip"]
  /// A client that leaves half a mebibyte of answers unread for so long, in seconds, is cut off.
  public var slowClientTimeout = 30
  /// `-machine`'s name.
  public var machineType = "pc"
  public init(version: String) { package = "Inquest \(version)" }

  var json: JSONValue {
    [
      "qemu": [
        "micro": .integer(Int64(micro)), "minor": .integer(Int64(minor)), "major": .integer(Int64(major)),
      ],
      "package": .string(package),
    ]
  }
}

/// What all monitors of a process share.
final class MonitorContext: Sendable {
  let identity: MonitorIdentity

  struct Dump: Sendable {
    enum Status: String { case none, active, completed, failed }
    var status = Status.none
    var completed: UInt64 = 0
    var total: UInt64 = 0
    /// The run state in which the dump was begun and which lasts until it ends.
    var runState = RunState.paused
  }
  private struct State {
    var dump = Dump()
    var characterDevices: [any CharacterBackend] = []
  }
  private let state = Mutex(State())

  init(identity: MonitorIdentity) { self.identity = identity }

  var dump: Dump { state.withLock { $0.dump } }
  var characterDevices: [any CharacterBackend] { state.withLock { $0.characterDevices } }
  func add(_ device: any CharacterBackend) { state.withLock { $0.characterDevices.append(device) } }

  /// Marks a dump as active; gives back what was known of the one before.
  func dumpBegins(runState: RunState) -> Dump {
    state.withLock {
      let before = $0.dump
      $0.dump = Dump(status: .active, runState: runState)
      return before
    }
  }

  func dumpProgress(completed: UInt64, total: UInt64) {
    state.withLock {
      $0.dump.completed = completed
      $0.dump.total = total
    }
  }

  /// After the dump: what the machine's event said stays; without an event nothing was dumped.
  func dumpEnds(before: Dump) {
    state.withLock { if $0.dump.status == .active { $0.dump = before } }
  }

  func observe(_ event: MachineEvent) {
    guard case .dumpCompleted(let completed, let total, let error) = event else { return }
    state.withLock {
      $0.dump.status = error == nil ? .completed : .failed
      $0.dump.completed = completed
      $0.dump.total = total
    }
  }

  static let dumpInProgress = ControlError("There is a dump in process, please wait.")
}
