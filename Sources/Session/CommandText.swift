import Foundation
import Trace

/// Who gave a command, as the trace numbers it.
public enum CommandSource: UInt32, Sendable {
  /// A monitor: QMP or the human one.
  case monitor = 0
  /// A policy of the command line: `--on-panic`, `branch --qmp`.
  case policy = 1
  /// The host: a signal, a limit.
  case host = 2
  /// gdb.
  case debugger = 3
}

/// A command as the trace stores it: a QMP message without `id`.
public enum LoggedCommand: Equatable, Sendable {
  case control(ControlCommand)
  /// `x-end`: the session ended the run for a reason of the host's.
  case end(reason: String)

  public init(_ json: String) throws {
    let refusal = { (reason: String) in
      ControlError("not a QMP command that changes the machine: \(reason)")
    }
    guard json.utf8.count <= 64 << 10 else { throw refusal("too long") }
    guard let message = try? JSONDecoder().decode(JSONValue.self, from: Data(json.utf8)),
      case .object(let members) = message
    else { throw refusal("not a JSON object") }
    guard case .string(let name)? = members["execute"] else { throw refusal("no \"execute\"") }
    if let unknown = members.keys.sorted().first(where: { !["execute", "arguments", "id"].contains($0) }) {
      throw refusal("unexpected member '\(unknown)'")
    }
    var arguments: [String: JSONValue] = [:]
    if let given = members["arguments"] {
      guard case .object(let object) = given else { throw refusal("\"arguments\" is not an object") }
      arguments = object
    }
    func text(_ key: String) throws -> String? {
      guard let value = arguments.removeValue(forKey: key) else { return nil }
      guard case .string(let text) = value else { throw refusal("'\(key)' is not a string") }
      return text
    }
    func choice<Choice: RawRepresentable>(_ key: String, _: Choice.Type) throws -> Choice?
    where Choice.RawValue == String {
      guard let name = try text(key) else { return nil }
      guard let value = Choice(rawValue: name) else { throw refusal("'\(key)' does not take '\(name)'") }
      return value
    }
    switch name {
    case "set-action":
      self = .control(
        .setAction(
          panic: try choice("panic", ActionSettings.Panic.self),
          reboot: try choice("reboot", ActionSettings.Reboot.self),
          shutdown: try choice("shutdown", ActionSettings.Shutdown.self),
          watchdog: try choice("watchdog", ActionSettings.Watchdog.self)))
    case "x-end":
      guard let reason = try text("reason") else { throw refusal("x-end needs a reason") }
      self = .end(reason: reason)
    default:
      guard let command = ControlCommand.simple.first(where: { $0.name == name })?.command else {
        throw refusal("'\(name)' is none")
      }
      self = .control(command)
    }
    if let unknown = arguments.keys.min() { throw refusal("'\(name)' has no argument '\(unknown)'") }
  }

  /// The one form in which a command is stored.
  public var json: String {
    switch self {
    case .end(let reason): return JSONText.object([("execute", "x-end")], arguments: [("reason", reason)])
    case .control(.setAction(let panic, let reboot, let shutdown, let watchdog)):
      let arguments = [
        ("panic", panic?.rawValue), ("reboot", reboot?.rawValue), ("shutdown", shutdown?.rawValue),
        ("watchdog", watchdog?.rawValue),
      ]
      return JSONText.object(
        [("execute", "set-action")],
        arguments: arguments.compactMap { name, value in value.map { (name, $0) } })
    case .control(let command):
      let name = ControlCommand.simple.first { $0.command == command }?.name ?? ""
      return JSONText.object([("execute", name)])
    }
  }
}

extension ControlCommand {
  /// The commands without arguments.
  static let simple: [(name: String, command: ControlCommand)] = [
    ("stop", .stop), ("cont", .cont), ("system_reset", .systemReset), ("system_powerdown", .systemPowerdown),
    ("system_wakeup", .systemWakeup), ("inject-nmi", .injectNMI), ("quit", .quit),
  ]

  /// A QMP message such as `{"execute": "cont"}`.
  /// - Throws: a `ControlError` that says what is wrong with it.
  public init(qmp text: String) throws {
    guard case .control(let command) = try LoggedCommand(text) else {
      throw ControlError("not a QMP command that changes the machine: 'x-end' is none")
    }
    self = command
  }

  /// QMP's name of the command.
  public var name: String {
    if case .setAction = self { return "set-action" }
    return Self.simple.first { $0.command == self }?.name ?? ""
  }
}

extension MachineEvent {
  /// QMP's name of the event, and its data as JSON text, empty where it has none.
  var logged: (name: String, json: String) {
    func shutdownData(_ cause: ShutdownCause) -> String {
      "{\"guest\": \(cause.isGuest), \"reason\": \"\(cause.rawValue)\"}"
    }
    switch self {
    case .guestPanicked(let action): return ("GUEST_PANICKED", "{\"action\": \"\(action)\"}")
    case .guestCrashloaded(let action): return ("GUEST_CRASHLOADED", "{\"action\": \"\(action)\"}")
    case .guestPVShutdown: return ("GUEST_PVSHUTDOWN", "")
    case .stop: return ("STOP", "")
    case .resume: return ("RESUME", "")
    case .powerdown: return ("POWERDOWN", "")
    case .wakeup: return ("WAKEUP", "")
    case .reset(let cause): return ("RESET", shutdownData(cause))
    case .shutdown(let cause): return ("SHUTDOWN", shutdownData(cause))
    case .watchdog(let action): return ("WATCHDOG", "{\"action\": \"\(action)\"}")
    case .rtcChange(let offset): return ("RTC_CHANGE", "{\"offset\": \(offset)}")
    case .dumpCompleted: return ("DUMP_COMPLETED", "")
    }
  }
}

/// JSON text of flat objects of strings, members in the order given.
enum JSONText {
  static func object(_ members: [(String, String)], arguments: [(String, String)] = []) -> String {
    var parts = members.map { "\(string($0.0)): \(string($0.1))" }
    if !arguments.isEmpty { parts.append("\"arguments\": \(object(arguments))") }
    return "{" + parts.joined(separator: ", ") + "}"
  }

  static func string(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
