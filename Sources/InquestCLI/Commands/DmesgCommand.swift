import ArgumentParser
import Forensics

struct DmesgCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dmesg",
    abstract: "The kernel's own log at an instant, read from its memory.",
    discussion: """
      Needs no debug information and no help from the guest; Linux 5.10 and newer.

      EXAMPLES:
        inquest dmesg crash.inq --at panic
        inquest dmesg crash.inq --level err
        inquest dmesg crash.inq --at t=2s --json | jq '.records[] | select(.level <= 3)'
      """)

  @OptionGroup var guest: ForensicsArguments
  @Option(
    name: .customLong("level"),
    help: ArgumentHelp(
      "Only this level and more urgent ones: \(PrintkRecord.levels.joined(separator: ", ")).", valueName: "level"))
  var level: String?
  @Flag(name: [.customShort("x"), .customLong("decode")], help: "Show each record's level.")
  var decode = false

  func run() throws {
    var limit = 7
    if let level {
      guard let number = PrintkRecord.levels.firstIndex(of: level) ?? Int(level), (0...7).contains(number) else {
        throw CommandFailure.usage("--level \(level): \(PrintkRecord.levels.joined(separator: ", "))")
      }
      limit = number
    }
    let paused = try PausedGuest.open(guest)
    let kernel = try paused.kernel()
    let log: PrintkLog
    do { log = try PrintkLog(kernel) } catch { throw CommandFailure.badData("\(paused.place): \(error)") }
    let records = log.records.filter { $0.level <= limit }
    if guest.json {
      Terminal.print(
        JSONOutput.text(
          LogReport(
            release: kernel.release, damaged: log.damaged, records: records.map(LogReport.Record.init))))
      return
    }
    var output = LineOutput()
    for record in records {
      let head = decode ? PrintkRecord.levels[Int(record.level & 7)].padded(6) + ": " : ""
      for line in record.lines { output.print(head + line.visible) }
    }
    output.flush()
    if log.damaged > 0 {
      Terminal.note("note: \(Figures.count(UInt64(log.damaged), "record")) being written, or damaged, left out")
    }
  }
}

/// The kernel's log, for programs.
struct LogReport: Encodable {
  struct Record: Encodable {
    var sequence: UInt64
    /// Nanoseconds since the kernel's start.
    var time: UInt64
    var level: UInt8
    var facility: UInt8
    var continuation: Bool
    var caller: String
    var text: String
    var subsystem: String?
    var device: String?

    init(_ record: PrintkRecord) {
      sequence = record.sequence
      time = record.time
      level = record.level
      facility = record.facility
      continuation = record.isContinuation
      caller = record.caller >> 31 != 0 ? "C\(record.caller & 0x7FFF_FFFF)" : "T\(record.caller)"
      text = record.text
      subsystem = record.subsystem.isEmpty ? nil : record.subsystem
      device = record.device.isEmpty ? nil : record.device
    }
  }
  var release: String?
  var damaged: Int
  var records: [Record]
}

extension String {
  func padded(_ count: Int) -> String { self + String(repeating: " ", count: Swift.max(0, count - self.count)) }
  func leftPadded(_ count: Int) -> String { String(repeating: " ", count: Swift.max(0, count - self.count)) + self }

  /// With control characters as `\x1b`: a guest's text must not steer the terminal.
  var visible: String {
    guard unicodeScalars.contains(where: { ($0.value < 0x20 && $0 != "\t") || (0x7F..<0xA0).contains($0.value) }) else {
      return self
    }
    return unicodeScalars.map {
      ($0.value < 0x20 && $0 != "\t") || (0x7F..<0xA0).contains($0.value)
        ? "\\x" + ($0.value < 16 ? "0" : "") + String($0.value, radix: 16) : String($0)
    }.joined()
  }
}
