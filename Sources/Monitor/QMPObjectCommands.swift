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
      ]
    case "/machine":
      return [
        type("\(call.context.identity.machineType)-machine"),
        child("unattached", "container", "/machine/unattached"),
        child("peripheral", "container", "/machine/peripheral"),
        child("peripheral-anon", "container", "/machine/peripheral-anon"),
      ]
    case "/machine/peripheral", "/machine/peripheral-anon": return [type("container")]
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
