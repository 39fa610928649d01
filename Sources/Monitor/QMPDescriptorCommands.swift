import Session

extension QMPCommand {
  /// Descriptors that a client passes over its socket, by name.
  static let descriptors: [QMPCommand] = [
    QMPCommand(
      name: "getfd", arguments: [QMPMember("fdname", .string)], returns: nothing,
      body: .descriptor { store, arguments, descriptor in
        guard let descriptor else { throw ControlError("No file descriptor supplied via SCM_RIGHTS") }
        let name = arguments.string("fdname") ?? ""
        if let first = name.utf8.first, (0x30...0x39).contains(first) {
          throw ControlError("Parameter 'fdname' expects a name not starting with a digit")
        }
        store.store(descriptor, name: name)
        return [:]
      }),
    QMPCommand(
      name: "closefd", arguments: [QMPMember("fdname", .string)], returns: nothing,
      body: .descriptor { store, arguments, _ in
        let name = arguments.string("fdname") ?? ""
        guard store.take(name) != nil else { throw ControlError("File descriptor named '\(name)' not found") }
        return [:]
      }),
  ]
}
