import Session

extension QMPCommand {
  /// What QEMU does not have: their names begin with `x-inquest-`.
  static let inquest: [QMPCommand] = [
    machine("x-inquest-query-position", returns: QMPCommandTypes.position) { call in
      let position = call.machine.position
      var answer = JSONObject([
        ("instructions", JSONValue(position.instructionCount)), ("virtual-time", JSONValue(position.virtualTime)),
        ("mode", .string(position.mode.rawValue)),
      ])
      if let filename = position.filename { answer["filename"] = .string(filename) }
      return .object(answer)
    },
    machine("x-inquest-query-actions", returns: QMPCommandTypes.actions) { call in
      let actions = call.machine.actions
      return [
        "panic": .string(actions.panic.rawValue), "reboot": .string(actions.reboot.rawValue),
        "shutdown": .string(actions.shutdown.rawValue), "watchdog": .string(actions.watchdog.rawValue),
      ]
    },
  ]
}

extension QMPCommandTypes {
  /// `virtual-time` is in nanoseconds since power-on.
  static let position = QMPType.object(
    name: "InquestPosition",
    members: [
      QMPMember("instructions", .integer), QMPMember("virtual-time", .integer),
      QMPMember("mode", .enumeration(name: "ReplayMode", values: ["none", "record", "play"])),
      QMPMember("filename", .string, optional: true),
    ])
  static let actions = QMPType.object(
    name: "InquestActions",
    members: [
      QMPMember("panic", panicAction), QMPMember("reboot", rebootAction), QMPMember("shutdown", shutdownAction),
      QMPMember("watchdog", watchdogAction),
    ])
}
