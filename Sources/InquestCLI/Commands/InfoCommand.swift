import ArgumentParser
import Foundation
import Session
import Trace

struct InfoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "info",
    abstract: "What a trace is: image, guest, length, panics, commands, size.",
    discussion: """
      EXAMPLES:
        inquest info crash.inq
        inquest info --json crash.inq | jq '.panics[0].instant'

      A recording that was cut off is shown with a note. Exit status: 0; 65 damaged, or no trace; 66 missing.
      """)

  @Argument(help: ArgumentHelp("The trace.", valueName: "trace"))
  var path: String

  @Flag(name: .customLong("json"), help: "As JSON.")
  var json = false

  func run() throws {
    let reader = try TraceReader(path: path)
    let info = try TraceInfo(of: reader)
    if json {
      Terminal.print(info.json)
    } else {
      for (name, value) in Self.rows(info) {
        Terminal.print(
          name.isEmpty
            ? "              \(value)" : name.padding(toLength: 14, withPad: " ", startingAt: 0) + value)
      }
    }
    TraceArguments.warn(reader)
    if info.state == "damaged" {
      throw CommandFailure.badData(
        info.note.map { "\($0); the intact beginning can still be replayed" } ?? "\(path): damaged")
    }
  }

  /// Name and value; a name may have further lines.
  static func rows(_ info: TraceInfo) -> [(String, String)] {
    var rows: [(String, String)] = []
    rows.append(
      (
        "trace",
        "\(info.path), \(Figures.bytes(info.size))\(info.imageBytes > 0 ? " (images: \(Figures.bytes(info.imageBytes)))" : "")"
      ))
    rows.append(
      (
        "recorded",
        "\(info.created) by inquest \(info.inquestVersion), format \(info.formatVersion), machine \(info.machineVersion)"
      ))
    if let name = info.name { rows.append(("name", name)) }
    rows.append(("memory", Figures.bytes(info.memory)))
    for image in info.images {
      rows.append(
        (
          image.role,
          "\(image.name), \(Figures.bytes(image.size))\(image.embedded ? "" : ", not in the trace")"
        ))
      rows.append(("", "sha256 \(image.sha256)"))
      if image.role == "kernel", let version = info.kernelVersion { rows.append(("", version)) }
    }
    if !info.commandLine.isEmpty { rows.append(("append", info.commandLine)) }
    rows.append(("seed", "\(info.seed)"))
    if let parent = info.parent { rows.append(("branch of", "\(parent.name) at \(parent.instant)")) }
    rows.append(
      (
        "length",
        "\(Figures.count(info.instructions, "instruction")), \(Figures.time(nanoseconds: info.virtualTime)) of virtual time"
      ))
    let kinds = info.eventCounts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
    rows.append(
      (
        "events",
        "\(Figures.grouped(info.events)): "
          + kinds.prefix(6).map { "\(Figures.grouped($0.value)) \($0.key)" }.joined(separator: ", ")
      ))
    for (index, panic) in info.panics.enumerated() {
      rows.append(
        (
          index == 0 ? "panics" : "",
          "\(panic.instant), \(Figures.time(nanoseconds: panic.virtualTime))\(panic.rip.map { ", rip \($0)" } ?? "")"
        ))
    }
    if info.panics.isEmpty { rows.append(("panics", "none")) }
    for (index, checkpoint) in info.checkpoints.enumerated() {
      rows.append((index == 0 ? "checkpoints" : "", "\(checkpoint.instant), \(Figures.bytes(checkpoint.size))"))
    }
    if info.resets > 0 { rows.append(("resets", "\(info.resets)")) }
    for (index, command) in info.commands.prefix(20).enumerated() {
      rows.append((index == 0 ? "commands" : "", "\(command.instant) \(command.source): \(command.command)"))
    }
    if info.commands.count > 20 {
      rows.append(("", "… and \(info.commands.count - 20) more (inquest events --kind command)"))
    }
    rows.append(("ended", "\(info.ending ?? "not told") at \(info.end)\(info.note.map { " (\($0))" } ?? "")"))
    return rows
  }
}
