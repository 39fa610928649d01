import ArgumentParser
import Foundation
import Session
import Trace

struct CheckpointCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "checkpoint",
    abstract: "Store states of the machine in a trace, for opening it there at once.",
    discussion: """
      EXAMPLES:
        inquest checkpoint crash.inq --panics
        inquest checkpoint crash.inq --every 1G --panics
        inquest checkpoint crash.inq --at 812.3M --at cont:1
        inquest checkpoint crash.inq --remove

      With --panics, each panic and a place shortly before it, so that the first step back is short, too. The trace is \
      replayed once. It grows by some tens of MiB for each checkpoint; nothing else of it changes. For instants see inquest \
      help replay.
      """)

  @OptionGroup var trace: TraceArguments
  @Option(name: .customLong("every"), help: ArgumentHelp("Each so many instructions.", valueName: "count"))
  var every: String?
  @Flag(name: .customLong("panics"), help: "At each panic.") var panics = false
  @Option(name: .customLong("at"), help: ArgumentHelp("At an instant. May be repeated.", valueName: "instant"))
  var at: [String] = []
  @Flag(name: .customLong("remove"), help: "Remove those that the trace carries, before others are added.")
  var remove = false
  @Flag(name: .customLong("json"), help: "As JSON.") var json = false

  /// Instructions between a panic and the checkpoint before it.
  private static let distance: UInt64 = 1 << 23

  func run() throws {
    let reader = try TraceReader(path: trace.path)
    let places = try places(reader)
    guard remove || !places.isEmpty else {
      throw CommandFailure.usage("nothing to do: say --panics, --every, --at or --remove")
    }
    let timeline = places.isEmpty ? nil : try Timeline(path: trace.path, imagePaths: trace.images)
    if let timeline { ReplayProgress(reader, verb: "replaying").install(in: timeline.session) }
    let appender = try CheckpointAppender(path: trace.path, keeping: !remove)
    var report = CheckpointReport(path: trace.path, checkpoints: [])
    let known = remove ? [] : reader.checkpoints.map(\.instant)
    do {
      for place in places {
        guard let timeline else { break }
        guard try timeline.seek(to: place) == .reached, !known.contains(timeline.now),
          report.checkpoints.last?.instant != timeline.now.description
        else { continue }
        let size = try appender.add(at: timeline.now, try timeline.checkpointData())
        report.checkpoints.append(.init(instant: timeline.now.description, size: size))
      }
      try appender.close()
    } catch {
      appender.giveUp()
      throw error
    }
    Terminal.clearProgress()
    if json { return Terminal.print(JSONOutput.text(report)) }
    if remove {
      Terminal.note("\(trace.path): removed \(Figures.count(UInt64(reader.checkpoints.count), "checkpoint"))")
    }
    for checkpoint in report.checkpoints {
      Terminal.note("\(trace.path): checkpoint at \(checkpoint.instant), \(Figures.bytes(checkpoint.size))")
    }
  }

  /// In the order of the run.
  private func places(_ reader: TraceReader) throws -> [StopTarget] {
    var places: [(count: UInt64, target: StopTarget)] = []
    let end = reader.summary?.last.instructionCount ?? 0
    if let every {
      guard case .instructionCount(let count)? = try? InstantSpec(every), count >= 1_000_000 else {
        throw CommandFailure.usage("--every \(every): a count of instructions, at least 1M")
      }
      var next = count
      while next < end {
        places.append((next, .instructionCount(next)))
        next += count
      }
    }
    if panics {
      for number in 1...1000 {
        guard case .instant(let instant)? = try? InstantSpec("panic:\(number)").target(in: reader) else { break }
        if instant.instructionCount > Self.distance {
          let before = instant.instructionCount - Self.distance
          places.append((before, .instructionCount(before)))
        }
        places.append((instant.instructionCount, .instant(instant)))
      }
    }
    for text in at {
      let target = try InstantSpec(text).target(in: reader)
      switch target {
      case .instant(let instant): places.append((instant.instructionCount, target))
      case .instructionCount(let count): places.append((count, target))
      case .virtualTime, .end, .beforeEnd:
        throw CommandFailure.usage("--at \(text): an instruction count, or an event such as panic or cont:1")
      }
    }
    return places.enumerated().sorted { ($0.element.count, $0.offset) < ($1.element.count, $1.offset) }.map {
      $0.element.target
    }
  }
}

/// What was stored.
struct CheckpointReport: Encodable {
  struct Checkpoint: Encodable {
    var instant: String
    /// Bytes of the file.
    var size: UInt64
  }
  var path: String
  var checkpoints: [Checkpoint]
}
