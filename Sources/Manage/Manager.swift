import Glibc
import Monitor

/// How a manager is set up.
public struct ManagerOptions: Sendable {
  public var address: QMPAddress
  public var policy: ManagePolicy
  /// Where cores go; the machine's process writes them.
  public var dumpFolder: String
  /// `dump-guest-memory`'s `format`; nil for the machine's own choice.
  public var dumpFormat: String?
  /// A shell command, run once for each panic.
  public var command: String?
  /// Seconds to wait for a machine before giving up; nil for ever.
  public var patience: Double?
  /// Waits for the next machine when one has ended.
  public var stays = false
  /// Tells the machine to pause when its guest panics, whatever its `-action` was.
  public var setsPause = false

  public init(address: QMPAddress, policy: ManagePolicy, dumpFolder: String) {
    self.address = address
    self.policy = policy
    self.dumpFolder = dumpFolder
  }
}

/// Looks after one machine: handles each panic once, those included that happened while no manager was there.
///
/// An event can be missed, a stopped machine cannot. So the manager looks at `query-status` whenever it has connected
/// and whenever an event says that there is something to see, and does what the journal says was not done yet.
public final class Manager {
  public enum End: Equatable, Sendable {
    /// The machine has ended, as it had announced or as was asked for.
    case machineEnded
    /// Nobody was there within `patience`.
    case unreachable(String)
    /// `shouldStop` said so.
    case stopped
  }

  private let options: ManagerOptions
  private let journal: Journal
  private let say: (String) -> Void
  private let shouldStop: () -> Bool
  private var name: String?

  /// - Parameters:
  ///   - say: takes lines for the user.
  ///   - shouldStop: asked several times a second, on the calling thread.
  public init(
    _ options: ManagerOptions, journal: Journal, say: @escaping (String) -> Void = { _ in },
    shouldStop: @escaping () -> Bool = { false }
  ) {
    self.options = options
    self.journal = journal
    self.say = say
    self.shouldStop = shouldStop
  }

  /// Manages until the machine ends, or for ever.
  /// - Throws: `Journal.Failure`.
  public func run() throws -> End {
    var lastReason = ""
    var deadline = options.patience.map { QMPConnection.now() + $0 }
    while true {
      if shouldStop() { return .stopped }
      do {
        let connection = try QMPConnection(to: options.address, shouldStop: shouldStop)
        lastReason = ""
        deadline = options.patience.map { QMPConnection.now() + $0 }
        if try manage(connection), !options.stays { return .machineEnded }
      } catch QMPFailure.interrupted {
        return .stopped
      } catch let failure as QMPFailure {
        let reason = "\(failure)"
        if let deadline, QMPConnection.now() >= deadline { return .unreachable(reason) }
        if reason != lastReason { say("\(options.address): \(reason); trying again") }
        lastReason = reason
        // Who cannot be reached may have ended without having been seen to.
        try closeRecordsOfDeadMachines()
      }
      usleep(100_000)
    }
  }

  /// - Returns: whether the machine has ended.
  private func manage(_ connection: QMPConnection) throws -> Bool {
    do {
      name = try? connection.execute("query-name", timeout: 60)["name"]?.stringValue
      if options.setsPause {
        do { _ = try connection.execute("set-action", [("panic", "pause")]) } catch QMPFailure.refused(_, _, let reason)
        {
          say("the machine cannot be told to pause on a panic (\(reason))")
        }
      }
      say("managing \(options.address) (\(connection.server)), on panic: \(options.policy.name)")
      try closeRecordsOfDeadMachines()
      try finishOthers(connection)
      try look(connection)
      while true {
        guard let event = try connection.nextEvent(timeout: nil) else { continue }
        switch event["event"]?.stringValue {
        case "GUEST_PANICKED" where event["data"]?["action"]?.stringValue != "pause":
          try unpaused(event["data"]?["action"]?.stringValue ?? "run")
        case "GUEST_PANICKED", "STOP": try look(connection)
        default: break
        }
      }
    } catch QMPFailure.lost(let reason) {
      // A process that has just closed its sockets may need a moment to end.
      var hasEnded = connection.announcesEnd
      for _ in 0..<100 where !hasEnded {
        hasEnded = !Self.isAlive(connection.server)
        if !hasEnded { usleep(10_000) }
      }
      say(hasEnded ? "the machine has ended" : "the connection is lost: \(reason)")
      try closeRecordsOfDeadMachines()
      return hasEnded
    }
  }

  /// A panic after which the machine did not pause.
  private func unpaused(_ action: String) throws {
    let text =
      action == "run"
      ? "the guest panicked and runs on, as -action panic=none says"
      : "the guest panicked and the machine ends (action \(action)); give it -action panic=pause to keep it"
    say(text)
    try journal.note(text)
  }

  // MARK: Panics

  /// Handles the panic in which the machine stands, if it does and if nobody has.
  private func look(_ connection: QMPConnection) throws {
    guard try status(connection) == "guest-panicked" else { return }
    let panic = try PanicIdentity.current(of: connection)
    // Somebody else may have continued it in the meantime.
    guard try status(connection) == "guest-panicked" else { return }
    var record = journal.record(server: connection.server, panic: panic)
    if record == nil {
      record = try journal.seen(
        server: connection.server, panic: panic, policy: options.policy,
        dump: options.policy.dumps ? dumpPath() : nil)
      say("panic \(record!.number): the guest has panicked (\(panic)); \(options.policy.name)")
    }
    if let record, record.outcome == nil { try handle(record, connection) }
  }

  private func status(_ connection: QMPConnection) throws -> String {
    let answer = try connection.execute("query-status")
    return answer["status"]?.stringValue ?? ""
  }

  /// Does what is still to be done.
  private func handle(_ record: PanicRecord, _ connection: QMPConnection) throws {
    if record.policy.dumps, !record.done.contains(.dump), !(try dump(record, connection)) { return }
    if let command = options.command, !record.done.contains(.exec) { try run(command, record) }
    switch record.policy.action {
    case .preserve: try finish(record, "preserved", "the machine stays paused")
    case .cont:
      try journal.begins(.cont, of: record)
      try cont(record, connection)
    case .reset:
      try journal.begins(.reset, of: record)
      do { _ = try connection.execute("system_reset") } catch QMPFailure.lost(let reason) {
        try lostInReset(record, connection, reason)
      }
      try afterReset(record, connection)
    case .destroy:
      try journal.begins(.destroy, of: record)
      do { _ = try connection.execute("quit") } catch QMPFailure.lost {}
      try journal.ended(.destroy, of: record)
      try finish(record, "destroyed", "the machine was ended")
    }
  }

  private func cont(_ record: PanicRecord, _ connection: QMPConnection) throws {
    do {
      _ = try connection.execute("cont")
      try journal.ended(.cont, of: record)
      try finish(record, "continued", "the guest goes on")
    } catch QMPFailure.refused(_, _, let reason) where reason.contains("Reset") {
      // QEMU before 1.7.0: nothing but a reset leads out of the panicked state.
      try finish(
        record, "stays-paused",
        "'cont' was refused (\(reason)): the machine stays paused; QEMU should be updated, from 1.7.0 on a panicked guest "
          + "can be continued")
    } catch QMPFailure.refused(_, _, let reason) {
      try finish(record, "stays-paused", "'cont' was refused (\(reason)): the machine stays paused")
    }
  }

  /// The reset was asked for. It comes soon after the answer; then the machine waits for `cont`, or has ended because of
  /// -no-reboot.
  private func afterReset(_ record: PanicRecord, _ connection: QMPConnection) throws {
    do {
      for _ in 0..<500 {
        switch try status(connection) {
        case "guest-panicked": usleep(10_000)
        case "running": return try finish(record, "reset", "the machine was reset")
        case "shutdown":
          return try finish(record, "ended", "the machine has shut down instead of starting anew (-no-reboot)")
        default:
          _ = try connection.execute("cont")
          try journal.ended(.reset, of: record)
          return try finish(record, "reset", "the machine was reset")
        }
      }
      try finish(record, "stays-paused", "'system_reset' has not changed the machine's state: it stays paused")
    } catch QMPFailure.lost(let reason) {
      try lostInReset(record, connection, reason)
    } catch QMPFailure.refused(_, _, let reason) {
      try finish(record, "stays-paused", "the machine was reset, but 'cont' was refused (\(reason))")
    }
  }

  private func lostInReset(_ record: PanicRecord, _ connection: QMPConnection, _ reason: String) throws -> Never {
    if connection.announcesEnd {
      try finish(record, "ended", "the machine has ended instead of starting anew (-no-reboot)")
    }
    throw QMPFailure.lost(reason)
  }

  private func finish(_ record: PanicRecord, _ outcome: String, _ text: String) throws {
    try journal.handled(record, outcome: outcome, note: text)
    unlink(marker(record))
    say("panic \(record.number): \(text)")
  }

  // MARK: Panics of another life

  /// Panics that an earlier manager had begun to handle and that the machine has left since.
  private func finishOthers(_ connection: QMPConnection) throws {
    let open = journal.unfinished.filter { $0.server == connection.server }
    guard !open.isEmpty else { return }
    var state = try status(connection)
    // A reset that was asked for takes effect a little later.
    for _ in 0..<100 where state == "guest-panicked" && open.last?.begun.last == .reset {
      usleep(10_000)
      state = try status(connection)
    }
    let current = state == "guest-panicked" ? try PanicIdentity.current(of: connection) : nil
    for record in open where record.panic != current {
      switch record.begun.last {
      case .cont: try finish(record, "continued", "the guest went on while no manager was there")
      case .reset:
        if record == open.last, state == "prelaunch" || state == "paused" {
          try afterReset(record, connection)
        } else {
          try finish(record, "reset", "the machine was reset while no manager was there")
        }
      default: try finish(record, "left", "somebody else continued or reset the machine before it was dealt with")
      }
    }
  }

  /// Panics of machines whose process is no more.
  private func closeRecordsOfDeadMachines() throws {
    for record in journal.unfinished where !Self.isAlive(record.server) {
      switch record.begun.last {
      case .destroy: try finish(record, "destroyed", "the machine was ended")
      default: try finish(record, "gone", "the machine's process ended before the panic was dealt with")
      }
    }
  }

  /// Whether a server may still be there; see `QMPConnection.server`.
  static func isAlive(_ server: String) -> Bool {
    guard server.hasPrefix("pid "), let pid = pid_t(server.dropFirst(4).prefix { $0.isNumber }) else { return true }
    if let boot = server.split(separator: ",").first(where: { $0.hasPrefix(" boot ") }),
      let now = FileText.read("/proc/sys/kernel/random/boot_id"), !now.hasPrefix(boot.dropFirst(6))
    {
      return false
    }
    guard let status = FileText.read("/proc/\(pid)/stat"), let end = status.lastIndex(of: ")") else {
      return kill(pid, 0) == 0
    }
    let fields = status[end...].split(separator: " ")
    // A zombie's memory is gone.
    if fields.count > 1, fields[1] == "Z" || fields[1] == "X" { return false }
    guard fields.count > 20 else { return true }
    return server.contains("started \(fields[20])")
  }

  // MARK: Cores and commands

  /// As libvirt names cores: `NAME-YYYY-MM-DD-HH:MM:SS`.
  private func dumpPath() -> String {
    var seconds = time(nil)
    var calendar = tm()
    localtime_r(&seconds, &calendar)
    var text = [CChar](repeating: 0, count: 32)
    strftime(&text, text.count, "%Y-%m-%d-%H:%M:%S", &calendar)
    let stamp = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let safe = String((name ?? "guest").map { $0 == "/" || $0.isNewline || $0 == "\0" ? "_" : $0 })
    let base = "\(options.dumpFolder)/\(safe.hasPrefix(".") ? "_" + safe.dropFirst() : safe)-\(stamp)"
    var path = base
    var number = 2
    while access(path, F_OK) == 0 || journal.records.contains(where: { $0.dump == path }) {
      path = "\(base).\(number)"
      number += 1
    }
    return path
  }

  /// - Returns: whether the policy may go on: without its core a panic is not to be destroyed.
  private func dump(_ record: PanicRecord, _ connection: QMPConnection) throws -> Bool {
    guard let path = record.dump else { return true }
    let partial = path + ".partial"
    var arguments: [(String, JSONValue)] = [("paging", false), ("protocol", .string("file:\(partial)"))]
    if let format = options.dumpFormat { arguments.append(("format", .string(format))) }
    try journal.begins(.dump, of: record)
    // The manager before may have been killed between the two.
    if access(partial, F_OK) != 0, access(path, F_OK) == 0, record.begun.contains(.dump) {
      try journal.ended(.dump, of: record, note: path)
      return true
    }
    while true {
      // QEMU does not write over a file that it may only read.
      unlink(partial)
      do {
        _ = try connection.execute("dump-guest-memory", arguments)
        break
      } catch QMPFailure.refused(_, _, let reason) where reason.contains("dump in process") {
        if shouldStop() { throw QMPFailure.interrupted }
        usleep(100_000)
      } catch QMPFailure.refused(_, _, let reason) {
        unlink(partial)
        try finish(record, "stays-paused", "the core could not be written (\(reason)): the machine stays paused")
        return false
      }
    }
    if rename(partial, path) != 0 {
      let reason = String(cString: strerror(errno))
      say("panic \(record.number): the core stays at \(partial): \(reason)")
    }
    try journal.ended(.dump, of: record, note: path)
    say("panic \(record.number): core in \(path)")
    return true
  }

  private func marker(_ record: PanicRecord) -> String { "\(journal.path).exec-\(record.number)" }

  private func run(_ command: String, _ record: PanicRecord) throws {
    try journal.begins(.exec, of: record)
    let hook = ExecHook(
      command: command, marker: marker(record),
      environment: [
        ("INQUEST_PANIC", record.panic), ("INQUEST_PANIC_NUMBER", String(record.number)),
        ("INQUEST_POLICY", record.policy.name), ("INQUEST_DUMP", record.dump ?? ""), ("INQUEST_NAME", name ?? ""),
        ("INQUEST_QMP", "\(options.address)"), ("INQUEST_JOURNAL", journal.path),
      ])
    let note: String
    switch hook.run(shouldStop: shouldStop) {
    case .ended(let status): note = status == 0 ? "ended well" : "ended with status \(status)"
    case .signalled(let signal): note = "was ended by signal \(signal)"
    case .alreadyStarted: note = "had been started by an earlier manager"
    case .notStarted(let code): note = "cannot be started: \(String(cString: strerror(code)))"
    case .left: throw QMPFailure.interrupted
    }
    try journal.ended(.exec, of: record, note: note)
    if note != "ended well" { say("panic \(record.number): the command \(note)") }
  }
}
