import Session

extension QMPCommand {
  /// A small picture of QEMU's object tree: what clients look at when they connect.
  static let objects: [QMPCommand] = [
    machine("qom-list", [QMPMember("path", .string)], returns: .array(QMPCommandTypes.objectProperty)) {
      call in
      let path = call.arguments.string("path") ?? ""
      guard let properties = objectProperties(path, call) else {
        throw ControlError("Device '\(path)' not found", errorClass: "DeviceNotFound")
      }
      return .array(properties.map { ["name": .string($0.name), "type": .string($0.type)] })
    },
    machine("qom-get", [QMPMember("path", .string), QMPMember("property", .string)], returns: .any) { call in
      let path = call.arguments.string("path") ?? ""
      let name = call.arguments.string("property") ?? ""
      guard let properties = objectProperties(path, call) else {
        throw ControlError("Device '\(path)' not found", errorClass: "DeviceNotFound")
      }
      guard let property = properties.first(where: { $0.name == name }) else {
        let type = properties.first { $0.name == "type" }?.value.stringValue ?? "object"
        throw ControlError("Property '\(type).\(name)' not found")
      }
      return property.value
    },
  ]

  /// Properties of the devices that `-device` takes, by driver.
  private static let deviceProperties:
    [(driver: String, properties: [(name: String, type: String, value: JSONValue?)])] =
      [
        ("pvpanic", [("ioport", "uint16", 0x505), ("events", "uint8", 7)]),
        ("pvpanic-pci", [("events", "uint8", 7), ("addr", "int32", nil)]),
        ("vmcoreinfo", []),
        ("isa-debug-exit", [("iobase", "uint32", 0x501), ("iosize", "uint32", 2)]),
        ("isa-debugcon", [("iobase", "uint32", 0xE9), ("chardev", "str", nil)]),
        ("isa-serial", [("chardev", "str", nil)]),
        ("qemu64-x86_64-cpu", [("core-id", "int32", nil), ("thread-id", "int32", nil), ("socket-id", "int32", nil)]),
      ]

  static let devices: [QMPCommand] = [
    local(
      "device-list-properties", [QMPMember("typename", .string)], returns: .array(QMPCommandTypes.objectProperty)
    ) { _, arguments in
      let driver = arguments.string("typename") ?? ""
      guard let device = deviceProperties.first(where: { $0.driver == driver }) else {
        throw ControlError("Device '\(driver)' not found", errorClass: "DeviceNotFound")
      }
      return .array(
        device.properties.map { property in
          var entry = JSONObject()
          if let value = property.value { entry["default-value"] = value }
          entry["name"] = .string(property.name)
          entry["type"] = .string(property.type)
          return .object(entry)
        })
    },
    machine("query-hotpluggable-cpus", returns: .array(QMPCommandTypes.hotpluggableCPU)) { call in
      .array(
        (0..<call.machine.cpuCount).map { cpu in
          [
            "props": ["core-id": .integer(Int64(cpu)), "thread-id": 0, "socket-id": 0], "vcpus-count": 1,
            "qom-path": .string("/machine/unattached/device[\(cpu)]"), "type": "qemu64-x86_64-cpu",
          ]
        })
    },
  ]

  private typealias Property = (name: String, type: String, value: JSONValue)

  /// The properties of an object, nil where there is none.
  private static func objectProperties(_ path: String, _ call: QMPInvocation) -> [Property]? {
    func child(_ name: String, _ type: String, _ path: String) -> Property {
      (name, "child<\(type)>", .string(path))
    }
    func type(_ name: String) -> Property { ("type", "string", .string(name)) }
    var path = path
    while path.count > 1 && path.hasSuffix("/") { path.removeLast() }
    switch path {
    case "/":
      return [
        type("container"), child("machine", "\(call.context.identity.machineType)-machine", "/machine"),
        child("chardevs", "container", "/chardevs"), child("objects", "container", "/objects"),
      ]
    case "/machine":
      return [
        type("\(call.context.identity.machineType)-machine"),
        child("unattached", "container", "/machine/unattached"),
        child("peripheral", "container", "/machine/peripheral"),
        child("peripheral-anon", "container", "/machine/peripheral-anon"),
      ]
    case "/machine/peripheral", "/machine/peripheral-anon", "/objects": return [type("container")]
    case "/chardevs":
      return [type("container")]
        + call.context.characterDevices.map { child($0.label, "chardev", "/chardevs/\($0.label)") }
    case "/machine/unattached":
      return [type("container")]
        + (0..<call.machine.cpuCount).map {
          child("device[\($0)]", "qemu64-x86_64-cpu", "/machine/unattached/device[\($0)]")
        }
    default:
      let prefix = "/machine/unattached/device["
      guard path.hasPrefix(prefix), path.hasSuffix("]"),
        let cpu = Int(path.dropFirst(prefix.count).dropLast()),
        cpu >= 0, cpu < call.machine.cpuCount
      else { return nil }
      return [
        type("qemu64-x86_64-cpu"), ("realized", "bool", true), ("hotplugged", "bool", false),
        ("core-id", "int", .integer(Int64(cpu))), ("thread-id", "int", 0), ("socket-id", "int", 0),
      ]
    }
  }
}
