/// The types that more than one declaration uses, under QEMU's names.
enum QMPCommandTypes {
  static let capability = QMPType.enumeration(name: "QMPCapability", values: ["oob"])
  static let rebootAction = QMPType.enumeration(name: "RebootAction", values: ["reset", "shutdown"])
  static let shutdownAction = QMPType.enumeration(name: "ShutdownAction", values: ["poweroff", "pause"])
  static let panicAction = QMPType.enumeration(
    name: "PanicAction", values: ["pause", "shutdown", "exit-failure", "none"])
  static let watchdogAction = QMPType.enumeration(
    name: "WatchdogAction", values: ["reset", "shutdown", "poweroff", "pause", "debug", "none", "inject-nmi"])
  static let runState = QMPType.enumeration(
    name: "RunState",
    values: [
      "debug", "inmigrate", "internal-error", "io-error", "paused", "postmigrate", "prelaunch",
      "finish-migrate",
      "restore-vm", "running", "save-vm", "shutdown", "suspended", "watchdog", "guest-panicked", "colo",
    ])
  static let dumpFormat = QMPType.enumeration(
    name: "DumpGuestMemoryFormat",
    values: [
      "elf", "kdump-zlib", "kdump-lzo", "kdump-snappy", "kdump-raw-zlib", "kdump-raw-lzo", "kdump-raw-snappy",
      "win-dmp", "x-elf-gzip",
    ])
  static let dumpStatus = QMPType.object(
    name: "DumpQueryResult",
    members: [
      QMPMember(
        "status",
        .enumeration(name: "DumpStatus", values: ["none", "active", "completed", "failed"])),
      QMPMember("completed", .integer), QMPMember("total", .integer),
    ])
  static let version = QMPType.object(
    name: "VersionInfo",
    members: [
      QMPMember(
        "qemu",
        .object(
          name: "VersionTriple",
          members: [QMPMember("major", .integer), QMPMember("minor", .integer), QMPMember("micro", .integer)])
      ),
      QMPMember("package", .string),
    ])
  static let commandInfo = QMPType.object(name: "CommandInfo", members: [QMPMember("name", .string)])
  static let schemaInfo = QMPType.object(
    name: "SchemaInfo",
    members: [
      QMPMember("name", .string),
      QMPMember(
        "meta-type",
        .enumeration(
          name: "SchemaMetaType",
          values: ["builtin", "enum", "array", "object", "alternate", "command", "event"])),
    ])
  static let target = QMPType.object(
    name: "TargetInfo",
    members: [QMPMember("arch", .enumeration(name: "SysEmuTarget", values: ["x86_64"]))])
  static let kvm = QMPType.object(
    name: "KvmInfo", members: [QMPMember("enabled", .boolean), QMPMember("present", .boolean)])
  static let machineInfo = QMPType.object(
    name: "MachineInfo",
    members: [
      QMPMember("name", .string), QMPMember("is-default", .boolean, optional: true),
      QMPMember("cpu-max", .integer),
      QMPMember("hotpluggable-cpus", .boolean), QMPMember("numa-mem-supported", .boolean),
      QMPMember("deprecated", .boolean),
    ])
  static let chardevInfo = QMPType.object(
    name: "ChardevInfo",
    members: [
      QMPMember("label", .string), QMPMember("filename", .string), QMPMember("frontend-open", .boolean),
    ])
  static let statusInfo = QMPType.object(
    name: "StatusInfo",
    members: [
      QMPMember("running", .boolean), QMPMember("singlestep", .boolean), QMPMember("status", runState),
    ])
  static let nameInfo = QMPType.object(
    name: "NameInfo", members: [QMPMember("name", .string, optional: true)])
  static let uuidInfo = QMPType.object(name: "UuidInfo", members: [QMPMember("UUID", .string)])
  static let cpuInfo = QMPType.object(
    name: "CpuInfoFast",
    members: [
      QMPMember("cpu-index", .integer), QMPMember("qom-path", .string), QMPMember("thread-id", .integer),
      QMPMember(
        "props",
        .object(
          name: "CpuInstanceProperties",
          members: [
            QMPMember("socket-id", .integer, optional: true), QMPMember("core-id", .integer, optional: true),
            QMPMember("thread-id", .integer, optional: true),
          ]), optional: true), QMPMember("target", .enumeration(name: "SysEmuTarget", values: ["x86_64"])),
    ])
  static let memorySize = QMPType.object(
    name: "MemoryInfo",
    members: [QMPMember("base-memory", .integer), QMPMember("plugged-memory", .integer, optional: true)])
  static let replayInfo = QMPType.object(
    name: "ReplayInfo",
    members: [
      QMPMember("mode", .enumeration(name: "ReplayMode", values: ["none", "record", "play"])),
      QMPMember("filename", .string, optional: true), QMPMember("icount", .integer),
    ])
  static let dumpCapability = QMPType.object(
    name: "DumpGuestMemoryCapability", members: [QMPMember("formats", .array(dumpFormat))])
  static let hotpluggableCPU = QMPType.object(
    name: "HotpluggableCPU",
    members: [
      QMPMember("type", .string), QMPMember("vcpus-count", .integer),
      QMPMember(
        "props",
        .object(
          name: "CpuInstanceProperties",
          members: [
            QMPMember("socket-id", .integer, optional: true), QMPMember("core-id", .integer, optional: true),
            QMPMember("thread-id", .integer, optional: true),
          ])),
      QMPMember("qom-path", .string, optional: true),
    ])
  static let objectProperty = QMPType.object(
    name: "ObjectPropertyInfo",
    members: [
      QMPMember("name", .string), QMPMember("type", .string),
      QMPMember("description", .string, optional: true),
      QMPMember("default-value", .any, optional: true),
    ])
}
