import ArgumentParser
import Disassembly
import Foundation
import Session
import Trace

struct WhoWroteCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "who-wrote",
    abstract: "Who wrote a piece of memory last, before an instant: which instruction, when, and what.",
    discussion: """
      The memory is what the address is mapped to at the instant; writes through other mappings, by the page walk and by \
      devices are found, too.

      EXAMPLES:
        inquest who-wrote crash.inq --address 0xffff888003a1c0d8 --at panic
        inquest who-wrote crash.inq --address jiffies --count 8 --at panic-1000
        inquest who-wrote crash.inq --address 0x7c00 --physical --count 512 --json

      EXIT STATUS: 0; 1 when nobody has written it since the machine was switched on; see inquest --help.
      """)

  @OptionGroup var timeline: TimelineArguments
  @Option(
    name: .customLong("address"),
    help: ArgumentHelp("Linear address, or a symbol of the guest's kernel.", valueName: "address"))
  var address: String
  @Option(
    name: .customLong("count"), help: ArgumentHelp("Bytes, at most 1 MiB.", valueName: "bytes"))
  var count: UInt64 = 8
  @Flag(name: .customLong("physical"), help: "The address is guest-physical.") var isPhysical = false

  func run() throws {
    guard (1...(1 << 20)).contains(count) else { throw CommandFailure.usage("--count \(count): 1 to 1048576") }
    // A wrong number is told before the replay; a name is looked up behind it.
    let isName = address.first.map { $0.isLetter || $0 == "_" } ?? false
    let number = isName ? nil : try TimelineArguments.number(address, option: "--address")
    let timeline = try self.timeline.open()
    let names = CodeNames(timeline)
    guard let linear = number ?? names.address(of: address) else {
      throw CommandFailure.usage("--address \(address): the guest's kernel has no such symbol at \(timeline.now)")
    }
    let record: WriteRecord?
    do {
      record = try timeline.whoWrote(linear, count: Int(count), isPhysical: isPhysical)
      Terminal.clearProgress()
    } catch let error as UnmappedMemory { throw CommandFailure.usage("--address \(address): \(error)") }
    let report = WriteReport(record, address: linear, isPhysical: isPhysical, count: count, at: timeline.now, names)
    if self.timeline.json { Terminal.print(JSONOutput.text(report)) } else { Terminal.print(report.text) }
    if record == nil { throw ExitRequest(status: ExitStatus.no) }
  }
}

/// What `who-wrote` says.
struct WriteReport: Encodable {
  struct Write: Encodable {
    var agent: String
    var instant: String
    var instructions: UInt64
    /// Nanoseconds since power-on.
    var virtualTime: UInt64
    var rip: String
    var symbol: String?
    var instruction: String?
    var linear: String?
    var physical: String
    /// Bytes of the whole access.
    var size: Int
    /// Of the range asked for, in the order of addresses.
    var old: String
    var new: String
  }
  var address: String
  var physical: Bool
  var count: UInt64
  var at: String
  /// null when nobody has written since power-on.
  var write: Write?

  init(
    _ record: WriteRecord?, address: UInt64, isPhysical: Bool, count: UInt64, at: Instant, _ names: CodeNames
  ) {
    self.address = Figures.hexadecimal(address)
    self.physical = isPhysical
    self.count = count
    self.at = at.description
    guard let record else { return }
    write = Write(
      agent: record.agent.rawValue, instant: record.before.description,
      instructions: record.before.instructionCount, virtualTime: record.virtualTime,
      rip: Figures.hexadecimal(record.rip), symbol: names.name(of: record.rip),
      instruction: Disassembler(width: record.codeWidth)?.line(record.code, at: record.rip)?.text,
      linear: record.access.linear.map(Figures.hexadecimal), physical: Figures.hexadecimal(record.access.physical),
      size: record.access.count, old: Self.bytes(record.old), new: Self.bytes(record.new))
  }

  /// `de ad be ef`.
  private static func bytes(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
  }

  var text: String {
    guard let write else {
      return
        "nobody has written \(count) bytes at \(address) since power-on: what is there came with the kernel's image, "
        + "from firmware, or is zero"
    }
    let who: String
    switch write.agent {
    case "device": who = "a device, or firmware at a reset, while this instruction ran"
    case "page-walk": who = "the processor's page walk (accessed and dirty bits)"
    default: who = "the processor"
    }
    var lines = [
      "written by    \(who)",
      "at            \(write.instant), \(Figures.time(nanoseconds: write.virtualTime)) of virtual time",
      "instruction   \(write.rip)\(write.symbol.map { " \($0)" } ?? "")\(write.instruction.map { ":  \($0)" } ?? "")",
      "access        \(Figures.count(UInt64(write.size), "byte")) at physical \(write.physical)"
        + (write.linear.map { ", linear \($0)" } ?? ""),
    ]
    func shown(_ text: String) -> String { text.count > 96 ? text.prefix(95) + " …" : text }
    lines.append("before        \(shown(write.old))")
    lines.append("after         \(shown(write.new))")
    return lines.joined(separator: "\n")
  }
}
