import Session

/// The checked arguments of a command.
struct QMPArguments: Sendable {
  let object: JSONObject
  func string(_ name: String) -> String? { object[name]?.stringValue }
  func bool(_ name: String) -> Bool? { object[name]?.boolValue }
  func integer(_ name: String) -> Int64? { object[name]?.integerValue }
}

/// A command that runs on the machine's thread.
struct QMPInvocation {
  let machine: any ControlledMachine
  let arguments: QMPArguments
  let context: MonitorContext
  let descriptors: DescriptorStore
  /// Answers at once, before the command has ended; what it returns later is then ignored.
  let answerNow: (JSONValue) -> Void
}

/// One command's declaration: dispatch, argument checks, `query-commands` and `query-qmp-schema` come from it.
public struct QMPCommand: Sendable {
  enum Body: Sendable {
    /// Needs no machine: answered on the event loop.
    case local(@Sendable (MonitorContext, QMPArguments) throws -> JSONValue)
    /// Posted to the machine's thread.
    case machine(@Sendable (QMPInvocation) throws -> JSONValue)
    /// Works with the descriptors of a client: `getfd`, which comes with one, and `closefd`.
    case descriptor(@Sendable (DescriptorStore, QMPArguments, ReceivedDescriptor?) throws -> JSONValue)
    /// `qmp_capabilities`: the session's own.
    case negotiation
  }
  public var name: String
  public var arguments: [QMPMember]
  public var returns: QMPType
  public var allowsOOB = false
  /// Refused while a detached dump reads the machine's memory.
  var isRefusedDuringDump = false
  var body: Body

  static let nothing = QMPType.object(name: "empty", members: [])

  static func local(
    _ name: String, _ arguments: [QMPMember] = [], returns: QMPType = nothing,
    _ body: @escaping @Sendable (MonitorContext, QMPArguments) throws -> JSONValue
  ) -> QMPCommand {
    QMPCommand(name: name, arguments: arguments, returns: returns, body: .local(body))
  }

  static func machine(
    _ name: String, _ arguments: [QMPMember] = [], returns: QMPType = nothing,
    refusedDuringDump: Bool = false,
    _ body: @escaping @Sendable (QMPInvocation) throws -> JSONValue
  ) -> QMPCommand {
    QMPCommand(
      name: name, arguments: arguments, returns: returns, isRefusedDuringDump: refusedDuringDump,
      body: .machine(body))
  }

  /// A command that is one input of the machine and answers nothing.
  static func control(_ name: String, _ command: ControlCommand, refusedDuringDump: Bool = false)
    -> QMPCommand
  {
    machine(name, refusedDuringDump: refusedDuringDump) {
      try $0.machine.perform(command)
      return [:]
    }
  }

  /// Every command, in the order in which `query-commands` lists them.
  static let all: [QMPCommand] =
    [
      QMPCommand(
        name: "qmp_capabilities",
        arguments: [QMPMember("enable", .array(QMPCommandTypes.capability), optional: true)],
        returns: nothing,
        body: .negotiation)
    ] + introspection + status + control + memory + descriptors + replay + objects + devices + inquest

  private static let byName: [String: QMPCommand] = Dictionary(
    all.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })

  static func named(_ name: String) -> QMPCommand? { byName[name] }
}

extension QMPCommand {
  /// What monitors say about themselves.
  static let introspection: [QMPCommand] = [
    local("query-version", returns: QMPCommandTypes.version) { context, _ in context.identity.json },
    local("query-commands", returns: .array(QMPCommandTypes.commandInfo)) { _, _ in
      .array(all.map { ["name": .string($0.name)] })
    },
    local("query-qmp-schema", returns: .array(QMPCommandTypes.schemaInfo)) { _, _ in
      QMPSchemaBuilder.build(commands: all, events: QMPEventTypes.all)
    },
    local("query-target", returns: QMPCommandTypes.target) { _, _ in ["arch": "x86_64"] },
    local("query-kvm", returns: QMPCommandTypes.kvm) { _, _ in ["enabled": false, "present": false] },
    local("query-machines", returns: .array(QMPCommandTypes.machineInfo)) { context, _ in
      [
        [
          "hotpluggable-cpus": false, "name": .string(context.identity.machineType),
          "numa-mem-supported": false,
          "is-default": true, "cpu-max": 1, "deprecated": false,
        ]
      ]
    },
    local("query-chardev", returns: .array(QMPCommandTypes.chardevInfo)) { context, _ in
      .array(
        context.characterDevices.map {
          ["frontend-open": true, "filename": .string($0.filename), "label": .string($0.label)]
        })
    },
    machine(
      "human-monitor-command",
      [QMPMember("command-line", .string), QMPMember("cpu-index", .integer, optional: true)], returns: .string
    ) { call in
      let cpu = Int(truncatingIfNeeded: call.arguments.integer("cpu-index") ?? 0)
      guard cpu >= 0 && cpu < call.machine.cpuCount else {
        throw ControlError("Parameter 'cpu-index' expects a CPU number")
      }
      let human = HumanMonitor(machine: call.machine, context: call.context, cpu: cpu)
      return .string(human.execute(call.arguments.string("command-line") ?? ""))
    },
  ]

  /// The machine's state.
  static let status: [QMPCommand] = [
    machine("query-status", returns: QMPCommandTypes.statusInfo) { statusAnswer($0.machine.runState) },
    machine("query-name", returns: QMPCommandTypes.nameInfo) {
      $0.machine.name.map { ["name": .string($0)] } ?? [:]
    },
    machine("query-uuid", returns: QMPCommandTypes.uuidInfo) { ["UUID": .string($0.machine.uuid)] },
    machine("query-cpus-fast", returns: .array(QMPCommandTypes.cpuInfo)) { call in
      .array(
        (0..<call.machine.cpuCount).map { cpu in
          [
            "thread-id": .integer(Int64(HumanMonitor.threadID)),
            "props": ["core-id": .integer(Int64(cpu)), "thread-id": 0, "socket-id": 0],
            "qom-path": .string("/machine/unattached/device[\(cpu)]"), "cpu-index": .integer(Int64(cpu)),
            "target": "x86_64",
          ]
        })
    },
    machine("query-memory-size-summary", returns: QMPCommandTypes.memorySize) {
      ["base-memory": JSONValue($0.machine.memorySize), "plugged-memory": 0]
    },
    machine("query-replay", returns: QMPCommandTypes.replayInfo) { call in
      let position = call.machine.position
      var answer = JSONObject([
        ("icount", position.mode == .none ? 0 : JSONValue(position.instructionCount)),
        ("mode", .string(position.mode.rawValue)),
      ])
      if let filename = position.filename { answer["filename"] = .string(filename) }
      return .object(answer)
    },
  ]

  static func statusAnswer(_ state: RunState) -> JSONValue {
    ["status": .string(state.rawValue), "singlestep": false, "running": .bool(state == .running)]
  }

  /// What changes the machine. Each is an input of the trace, applied at the instant at which it arrives.
  static let control: [QMPCommand] = [
    control("stop", .stop, refusedDuringDump: true),
    control("cont", .cont, refusedDuringDump: true),
    control("system_reset", .systemReset),
    control("system_powerdown", .systemPowerdown),
    control("inject-nmi", .injectNMI),
    control("quit", .quit),
    machine("system_wakeup") { call in
      guard call.machine.runState == .suspended else {
        throw ControlError("Unable to wake up: guest is not in suspended state")
      }
      try call.machine.perform(.systemWakeup)
      return [:]
    },
    machine(
      "set-action",
      [
        QMPMember("reboot", QMPCommandTypes.rebootAction, optional: true),
        QMPMember("shutdown", QMPCommandTypes.shutdownAction, optional: true),
        QMPMember("panic", QMPCommandTypes.panicAction, optional: true),
        QMPMember("watchdog", QMPCommandTypes.watchdogAction, optional: true),
      ]
    ) { call in
      let arguments = call.arguments
      try call.machine.perform(
        .setAction(
          panic: arguments.string("panic").flatMap(ActionSettings.Panic.init),
          reboot: arguments.string("reboot").flatMap(ActionSettings.Reboot.init),
          shutdown: arguments.string("shutdown").flatMap(ActionSettings.Shutdown.init),
          watchdog: arguments.string("watchdog").flatMap(ActionSettings.Watchdog.init)))
      return [:]
    },
    machine("watchdog-set-action", [QMPMember("action", QMPCommandTypes.watchdogAction)]) { call in
      try call.machine.perform(
        .setAction(
          panic: nil, reboot: nil, shutdown: nil,
          watchdog: call.arguments.string("action").flatMap(ActionSettings.Watchdog.init)))
      return [:]
    },
  ]

  static let replay: [QMPCommand] = [
    machine("replay-break", [QMPMember("icount", .integer)]) { call in
      let position = call.machine.position
      guard position.mode == .play else {
        throw ControlError("setting the breakpoint is allowed only in play mode")
      }
      guard let icount = call.arguments.integer("icount").flatMap(UInt64.init(exactly:)),
        icount >= position.instructionCount
      else { throw ControlError("cannot set breakpoint at the instruction in the past") }
      try call.machine.setReplayBreakpoint(instructionCount: icount)
      return [:]
    },
    machine("replay-delete-break") { call in
      guard call.machine.position.mode == .play else {
        throw ControlError("replay breakpoints are allowed only in play mode")
      }
      try call.machine.setReplayBreakpoint(instructionCount: nil)
      return [:]
    },
    machine("replay-seek", [QMPMember("icount", .integer)]) { call in
      guard call.machine.position.mode == .play else { throw ControlError("replay must be enabled to seek") }
      guard let icount = call.arguments.integer("icount").flatMap(UInt64.init(exactly:)) else {
        throw ControlError("Parameter 'icount' expects a non-negative instruction count")
      }
      try call.machine.replaySeek(instructionCount: icount)
      return [:]
    },
  ]
}
