import ArgumentParser
import Foundation
import Session
import Trace

/// A trace to read.
struct TraceArguments: ParsableArguments {
  @Argument(help: ArgumentHelp("The trace.", valueName: "trace"))
  var path: String

  @Option(
    name: .customLong("image"),
    help: ArgumentHelp(
      "A kernel or initramfs of a trace that does not carry it (--no-embed), found by its digest. May be repeated.",
      valueName: "file"))
  var images: [String] = []

  /// Says where a recording was cut off, which is no error.
  static func warn(_ reader: TraceReader) {
    switch reader.ending {
    case .cutOff: Terminal.note("note: \(reader.path): the recording was cut off; what is there is used")
    case .failed(let code):
      Terminal.note(
        "note: \(reader.path): the recording was cut off by an error (\(String(cString: strerror(code)))); what is "
          + "there is used")
    case .closed, .damaged: break
    }
  }
}

/// Shows how far a replay of a trace is.
struct ReplayProgress {
  var total: UInt64
  var verb: String

  init(_ reader: TraceReader, verb: String) {
    total = max(1, reader.summary?.last.instructionCount ?? 1)
    self.verb = verb
  }

  func install(in session: Session) {
    guard Terminal.hasErrorTerminal else { return }
    session.onProgress = { instant in
      let percent = min(100, instant.instructionCount &* 100 / total)
      Terminal.progress("\(verb) \(percent) %, \(Figures.grouped(instant.instructionCount)) instructions")
    }
  }
}

extension InstantSpec {
  /// A duration as `--limit` takes it: `60`, `60s`, `250ms`.
  static func duration(_ text: String, option: String) throws -> UInt64 {
    guard let spec = try? InstantSpec("t=" + text), case .virtualTime(let time) = spec, time > 0 else {
      throw CommandFailure.usage("\(option) \(text): not a time; write 60s, 250ms or 1.5s")
    }
    return time
  }
}
