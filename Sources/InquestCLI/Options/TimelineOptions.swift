import ArgumentParser
import Foundation
import Forensics
import PC
import Session
import Trace

/// A recorded run and a place in it, for commands that go through it in both directions.
struct TimelineArguments: ParsableArguments {
  @OptionGroup var trace: TraceArguments
  @Option(
    name: .customLong("at"),
    help: ArgumentHelp(
      "Where in the run. (default: the first panic; the end where there is none)", valueName: "instant"))
  var at: String?
  @Option(
    name: .customLong("checkpoint-memory"),
    help: ArgumentHelp(
      "Host memory for checkpoints, such as 512M or 2G. (default: a quarter of the host's)", valueName: "size"))
  var checkpointMemory: String?
  @Flag(name: .customLong("json"), help: "As JSON.") var json = false

  /// Bytes of `--checkpoint-memory`.
  func options() throws -> TimelineOptions {
    var options = TimelineOptions()
    if let checkpointMemory {
      options.checkpointMemory = try Self.size(checkpointMemory, option: "--checkpoint-memory")
    }
    return options
  }

  /// `512M`: a number with k, M, G or T (powers of 1024), bytes without a unit.
  static func size(_ text: String, option: String) throws -> UInt64 {
    let units: [Character: UInt64] = ["k": 10, "K": 10, "M": 20, "G": 30, "T": 40]
    let unit = text.last.flatMap { units[$0] }
    let digits = unit == nil ? text[...] : text.dropLast()
    guard digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let value = UInt64(digits), value > 0,
      value <= UInt64.max >> (unit ?? 0)
    else { throw CommandFailure.usage("\(option) \(text): not a size; write 512M or 2G") }
    return value << (unit ?? 0)
  }

  /// Opens the trace and goes to the place.
  /// - Throws: `CommandFailure`, and what opening a trace throws.
  func open() throws -> Timeline {
    let spec = try at.map { try InstantSpec($0) }
    let reader = try TraceReader(path: trace.path)
    let target: StopTarget
    if let spec {
      target = try spec.target(in: reader)
    } else {
      target = (try? InstantSpec("panic").target(in: reader)) ?? .beforeEnd
    }
    TraceArguments.warn(reader)
    let timeline = try Timeline(path: trace.path, imagePaths: trace.images, options: try options())
    ReplayProgress(reader, verb: "replaying").install(in: timeline.session)
    defer { Terminal.clearProgress() }
    let stop = try timeline.seek(to: target)
    if case .end(let reason) = stop, target != .end {
      Terminal.note("note: the replay came to \(timeline.now) only: \(reason)")
    }
    return timeline
  }

  /// A number as an option takes it: decimal, or hexadecimal with 0x.
  static func number(_ text: String, option: String) throws -> UInt64 {
    let digits = text.replacingOccurrences(of: "_", with: "")
    let value =
      digits.hasPrefix("0x") || digits.hasPrefix("0X") ? UInt64(digits.dropFirst(2), radix: 16) : UInt64(digits)
    guard let value else {
      throw CommandFailure.usage("\(option) \(text): not a number; write 4096 or 0xffff888003a1c0d8")
    }
    return value
  }
}

/// Names for addresses, where the guest's kernel says them.
struct CodeNames {
  private let kernel: Kernel?

  /// - Parameter timeline: standing where the kernel's symbols can be read.
  init(_ timeline: Timeline) {
    let machine = timeline.machine
    let view = MachineView(
      memory: machine.memory, processors: [machine.processorState], vmcoreinfo: DumpWriter.announcedNote(machine))
    kernel = try? Kernel(view)
  }

  /// `panic+0x118/0x2f4`; nil where there is no name.
  func name(of address: UInt64) -> String? { kernel?.symbolizer.name(of: address)?.text }
  /// The address of a name such as `jiffies` or `panic+0x12`.
  func address(of name: String) -> UInt64? { kernel?.symbolizer.address(of: name) }
}
