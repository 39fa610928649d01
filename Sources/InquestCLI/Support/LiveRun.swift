import Foundation
import PC
import Session
import Trace

/// Drives a live machine from its start to the exit status: `record`, `run`, `branch`.
struct LiveRun {
  var surroundings: Surroundings
  /// The trace, nil for none.
  var output: String?
  /// Whether the result goes to stdout as JSON.
  var json = false

  /// Options of a recording in these surroundings.
  static func recordingOptions(
    _ surroundings: Surroundings, pacesIdleTime: Bool?, panicPolicy: PanicPolicy?, limit: UInt64?
  ) -> RecordingOptions {
    var options = RecordingOptions()
    options.hasMonitor = surroundings.hasMonitor
    options.acceptsInput = surroundings.acceptsInput
    options.pacesIdleTime = pacesIdleTime ?? surroundings.acceptsInput
    options.panicPolicy = panicPolicy
    if let limit { options.stops.append(.virtualTime(limit, isLimit: true)) }
    return options
  }

  /// - Throws: `CommandFailure`, or an exit status that is not 0 as `ExitRequest`.
  func perform(_ recording: RecordingSession) throws {
    let signals = Signals { _ in recording.requestQuit(cause: .hostSignal) }
    let waits = recording.options.panicPolicy == .wait || recording.options.hasMonitor
    recording.mailbox.observe { event in
      if case .guestPanicked(let action) = event {
        Terminal.note(
          "the guest panicked"
            + (action == "pause" && waits ? "; it waits for 'cont', 'system_reset' or 'quit'" : ""))
      }
    }
    // Of those that are told, the monitors come last: what a client knows has been said here.
    surroundings.connect(recording)
    // A monitor may keep the machine; its user must know at once that it stands still.
    if recording.options.hasMonitor {
      recording.onFailure = { Terminal.note($0) }
    }
    if ProcessInfo.processInfo.environment["INQUEST_DEBUG"] != nil, let outcome = recording.machine.fastBootOutcome {
      Terminal.note("fast boot: \(outcome)")
    }
    let result = recording.run()
    _ = signals
    surroundings.close()
    if let failure = result.failure {
      throw CommandFailure(status: ExitStatus.inputOutput, message: failure)
    }
    report(result, recording)
    let status = result.ending.exitStatus
    if status != 0 {
      let reason: String
      if case .debugExit = result.ending {
        reason = "isa-debug-exit"
      } else {
        reason = "-action panic=exit-failure"
      }
      Terminal.note("exit status \(status), chosen by the guest (\(reason))")
      throw ExitRequest(status: status)
    }
  }

  private func report(_ result: RecordingResult, _ recording: RecordingSession) {
    let size = output.flatMap { try? FileManager.default.attributesOfItem(atPath: $0)[.size] as? UInt64 }
    let seed = recording.seed
    if json {
      Terminal.print(RunReport(result, recording, trace: output, size: size).json)
      return
    }
    var text =
      "\(Self.describe(result, recording.runState)); \(Figures.count(result.instant.instructionCount, "instruction")), "
    text += "\(Figures.time(nanoseconds: result.virtualTime)) of virtual time, "
    text += "\(Figures.seconds(result.hostTime)), seed \(seed)"
    Terminal.note(text)
    if let output {
      let place =
        result.panics.isEmpty ? "" : ", panics at \(result.panics.map(\.description).joined(separator: ", "))"
      Terminal.note("\(output): \(size.map(Figures.bytes) ?? "not there")\(place)")
      if let checkpoint = result.checkpoint {
        Terminal.note(
          checkpoint.failure.map { "note: no checkpoint at the panic: \($0)" }
            ?? "\(output): with a checkpoint at \(checkpoint.instant), \(Figures.bytes(checkpoint.size)), "
            + "\(Figures.seconds(checkpoint.hostTime)) (--checkpoint none leaves it out)")
      }
    }
  }

  /// How a run ended, in words.
  static func describe(_ result: RecordingResult, _ state: RunState) -> String {
    switch result.ending {
    case .shutdown(.hostQMPQuit, _)
    where result.panics.last.map({ $0.instructionCount == result.instant.instructionCount }) ?? false:
      return "ended after the guest's panic"
    case .shutdown(let cause, _):
      switch cause {
      case .hostQMPQuit: return "ended by 'quit'"
      case .hostQMPSystemReset: return "ended by 'system_reset' (-no-reboot)"
      case .hostSignal: return "ended by a signal"
      case .guestShutdown: return "the guest switched off"
      case .guestReset: return "the guest rebooted (-no-reboot)"
      case .guestPanic: return "ended by the guest's panic (-action)"
      case .hostError: return "ended by an error of the host"
      case .hostUI: return "ended at the console"
      }
    case .debugExit(let status): return "the guest ended it through isa-debug-exit with \(status)"
    case .guestDead where state != .running:
      return "the machine is stopped (\(state.rawValue)) and nobody could continue it"
    case .guestDead: return "the guest halted for ever: nothing can wake it up"
    case .timeLimit: return "the limit of virtual time is over"
    case .until: return "the place asked for was reached"
    case .traceFailed: return "the trace could not be written any more"
    }
  }
}

/// Ends the process with a status after everything has been said.
struct ExitRequest: Error {
  var status: Int32
}

/// How a live run ended, for programs.
struct RunReport: Codable {
  var ending: String
  var instructions: UInt64
  var instant: String
  /// Nanoseconds.
  var virtualTime: UInt64
  /// Seconds.
  var hostTime: Double
  var panics: [String]
  /// RIP at the end, hexadecimal.
  var rip: String
  var seed: UInt64
  var trace: String?
  var traceSize: UInt64?
  /// Who unpacked the kernel and where it lies; absent where that was not asked for or it is no bzImage.
  var fastBoot: String?

  init(_ result: RecordingResult, _ session: RecordingSession, trace: String?, size: UInt64?) {
    ending = result.ending.reason
    instructions = result.instant.instructionCount
    instant = result.instant.description
    virtualTime = result.virtualTime
    hostTime = result.hostTime
    panics = result.panics.map(\.description)
    rip = Figures.hexadecimal(session.rip)
    seed = session.seed
    self.trace = trace
    traceSize = size
    fastBoot = session.machine.fastBootOutcome?.description
  }

  var json: String { JSONOutput.text(self) }
}

/// JSON with members in alphabetical order.
enum JSONOutput {
  static func text<Value: Encodable>(_ value: Value, onOneLine: Bool = false) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    if !onOneLine { encoder.outputFormatting.insert(.prettyPrinted) }
    return (try? encoder.encode(value)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
  }
}
