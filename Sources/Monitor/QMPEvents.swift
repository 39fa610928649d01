import Glibc
import Session

extension MachineEvent {
  /// QMP's name of the event and its data, nil where it has none.
  var qmp: (name: String, data: JSONValue?) {
    func shutdownData(_ cause: ShutdownCause) -> JSONValue {
      ["guest": .bool(cause.isGuest), "reason": .string(cause.rawValue)]
    }
    switch self {
    case .guestPanicked(let action): return ("GUEST_PANICKED", ["action": .string(action)])
    case .guestCrashloaded(let action): return ("GUEST_CRASHLOADED", ["action": .string(action)])
    case .guestPVShutdown: return ("GUEST_PVSHUTDOWN", nil)
    case .stop: return ("STOP", nil)
    case .resume: return ("RESUME", nil)
    case .powerdown: return ("POWERDOWN", nil)
    case .wakeup: return ("WAKEUP", nil)
    case .reset(let cause): return ("RESET", shutdownData(cause))
    case .shutdown(let cause): return ("SHUTDOWN", shutdownData(cause))
    case .watchdog(let action): return ("WATCHDOG", ["action": .string(action)])
    case .rtcChange(let offset):
      return ("RTC_CHANGE", ["offset": .integer(offset), "qom-path": "/machine/unattached/rtc"])
    case .dumpCompleted(let completed, let total, let error):
      var data = JSONObject([
        (
          "result",
          [
            "total": JSONValue(total), "status": error == nil ? "completed" : "failed",
            "completed": JSONValue(completed),
          ]
        )
      ])
      if let error { data["error"] = .string(error) }
      return ("DUMP_COMPLETED", .object(data))
    }
  }

  /// The whole message, stamped with the host's clock (which goes to the client only).
  var qmpMessage: JSONValue {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    let (name, data) = qmp
    var message = JSONObject([
      (
        "timestamp",
        ["seconds": .integer(Int64(now.tv_sec)), "microseconds": .integer(Int64(now.tv_nsec / 1000))]
      ), ("event", .string(name)),
    ])
    if let data { message["data"] = data }
    return .object(message)
  }
}

/// The declarations that `query-qmp-schema` shows.
enum QMPEventTypes {
  static let shutdownCause = QMPType.enumeration(
    name: "ShutdownCause",
    values: [
      "none", "host-error", "host-qmp-quit", "host-qmp-system-reset", "host-signal", "host-ui",
      "guest-shutdown",
      "guest-reset", "guest-panic", "subsystem-reset", "snapshot-load",
    ])
  static let panicAction = QMPType.enumeration(
    name: "GuestPanicAction", values: ["pause", "poweroff", "run"])
  static let all: [(name: String, data: [QMPMember])] = [
    ("GUEST_PANICKED", [QMPMember("action", panicAction)]),
    ("GUEST_CRASHLOADED", [QMPMember("action", panicAction)]),
    ("GUEST_PVSHUTDOWN", []),
    ("STOP", []),
    ("RESUME", []),
    ("POWERDOWN", []),
    ("WAKEUP", []),
    ("RESET", [QMPMember("guest", .boolean), QMPMember("reason", shutdownCause)]),
    ("SHUTDOWN", [QMPMember("guest", .boolean), QMPMember("reason", shutdownCause)]),
    ("WATCHDOG", [QMPMember("action", QMPCommandTypes.watchdogAction)]),
    ("RTC_CHANGE", [QMPMember("offset", .integer), QMPMember("qom-path", .string)]),
    (
      "DUMP_COMPLETED",
      [QMPMember("result", QMPCommandTypes.dumpStatus), QMPMember("error", .string, optional: true)]
    ),
  ]
}
