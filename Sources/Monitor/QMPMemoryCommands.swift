import Glibc
import Session

extension QMPCommand {
  /// Guest memory into files.
  static let memory: [QMPCommand] = [
    machine("query-dump", returns: QMPCommandTypes.dumpStatus) { dumpAnswer($0.context.dump) },
    local("query-dump-guest-memory-capability", returns: QMPCommandTypes.dumpCapability) { context, _ in
      ["formats": .array(context.identity.dumpFormats.map { .string($0) })]
    },
    machine(
      "dump-guest-memory",
      [
        QMPMember("paging", .boolean), QMPMember("protocol", .string),
        QMPMember("detach", .boolean, optional: true),
        QMPMember("begin", .integer, optional: true), QMPMember("length", .integer, optional: true),
        QMPMember("format", QMPCommandTypes.dumpFormat, optional: true),
      ], refusedDuringDump: true, dumpGuestMemory),
    machine("pmemsave", savedRange) { call in
      let (start, size, filename) = try savedRange(call.arguments)
      try withFile(filename) { write in
        try forEachPiece(start, size) { address, count in
          // Where there is no memory, reads give zeros.
          try write(call.machine.readPhysical(address, count: count) ?? [UInt8](repeating: 0, count: count))
        }
      }
      return [:]
    },
    machine("memsave", savedRange + [QMPMember("cpu-index", .integer, optional: true)]) { call in
      let (start, size, filename) = try savedRange(call.arguments)
      let cpu = Int(truncatingIfNeeded: call.arguments.integer("cpu-index") ?? 0)
      guard cpu >= 0 && cpu < call.machine.cpuCount else {
        throw ControlError("Parameter 'cpu-index' expects a CPU number")
      }
      try withFile(filename) { write in
        try forEachPiece(start, size) { address, count in
          guard let physical = call.machine.translate(linear: address, cpu: cpu),
            let bytes = call.machine.readPhysical(physical, count: count)
          else {
            let digits = String(start, radix: 16)
            let padded = String(repeating: "0", count: 16 - digits.count) + digits
            throw ControlError("Invalid addr 0x\(padded)/size \(size) specified")
          }
          try write(bytes)
        }
      }
      return [:]
    },
  ]

  static func dumpAnswer(_ dump: MonitorContext.Dump) -> JSONValue {
    [
      "total": JSONValue(dump.total), "status": .string(dump.status.rawValue),
      "completed": JSONValue(dump.completed),
    ]
  }

  private static let savedRange = [
    QMPMember("val", .integer), QMPMember("size", .integer), QMPMember("filename", .string),
  ]

  /// The checks, their order and their texts are those of QEMU.
  @Sendable private static func dumpGuestMemory(_ call: QMPInvocation) throws -> JSONValue {
    let arguments = call.arguments
    let paging = arguments.bool("paging") ?? false
    let begin = arguments.integer("begin")
    let length = arguments.integer("length")
    let format = arguments.string("format") ?? "elf"
    let target = arguments.string("protocol") ?? ""
    if !format.hasSuffix("elf-gzip") && format != "elf" && (paging || begin != nil || length != nil) {
      throw ControlError("kdump-compressed format doesn't support paging or filter")
    }
    if begin != nil && length == nil { throw ControlError("Parameter 'length' is missing") }
    if length != nil && begin == nil { throw ControlError("Parameter 'begin' is missing") }
    if !call.context.identity.dumpFormats.contains(format) {
      throw ControlError("\(format) is not available now")
    }
    let place: DumpTarget
    var descriptor: ReceivedDescriptor?
    if target.hasPrefix("file:") {
      place = .file(path: String(target.dropFirst(5)))
    } else if target.hasPrefix("fd:") {
      let name = String(target.dropFirst(3))
      guard let found = call.descriptors.take(name) else {
        throw ControlError("File descriptor named '\(name)' has not been found")
      }
      descriptor = found
      place = .descriptor(found.number)
    } else {
      throw ControlError("Invalid parameter 'protocol'")
    }
    defer { withExtendedLifetime(descriptor) {} }
    var range: Range<UInt64>?
    if let begin, let length {
      let start = UInt64(bitPattern: begin)
      let (end, overflow) = start.addingReportingOverflow(UInt64(bitPattern: length))
      guard length > 0, !overflow else { throw ControlError("Parameter 'length' expects a non-empty range") }
      range = start..<end
    }
    let before = call.context.dumpBegins(runState: call.machine.runState)
    defer { call.context.dumpEnds(before: before) }
    let isDetached = arguments.bool("detach") ?? false
    if isDetached { call.answerNow([:]) }
    let context = call.context
    try call.machine.dump(
      to: place, format: format, paging: paging, range: range, isDetached: isDetached,
      progress: { context.dumpProgress(completed: $0, total: $1) })
    return [:]
  }

  private static func savedRange(
    _ arguments: QMPArguments
  ) throws -> (start: UInt64, size: UInt64, filename: String) {
    let start = UInt64(bitPattern: arguments.integer("val") ?? 0)
    guard let size = UInt64(exactly: arguments.integer("size") ?? 0) else {
      throw ControlError("Parameter 'size' expects a non-negative number")
    }
    return (start, size, arguments.string("filename") ?? "")
  }

  /// Cuts a range at page boundaries, where mappings and memory may end.
  private static func forEachPiece(
    _ start: UInt64, _ size: UInt64, _ body: (UInt64, Int) throws -> Void
  ) throws {
    var address = start
    var left = size
    while left > 0 {
      let count = min(left, 4096 - address & 4095)
      try body(address, Int(count))
      address = address &+ count
      left -= count
    }
  }

  private static func withFile(_ path: String, _ body: (([UInt8]) throws -> Void) throws -> Void) throws {
    guard let file = fopen(path, "wb") else {
      throw ControlError("Could not open '\(path)': \(String(cString: strerror(errno)))")
    }
    var isOpen = true
    defer { if isOpen { fclose(file) } }
    try body { bytes in
      if fwrite(bytes, 1, bytes.count, file) != bytes.count {
        throw ControlError("writing memory to '\(path)' failed: \(String(cString: strerror(errno)))")
      }
    }
    isOpen = false
    if fclose(file) != 0 {
      throw ControlError("writing memory to '\(path)' failed: \(String(cString: strerror(errno)))")
    }
  }
}
