import Foundation

/// SIGINT, SIGTERM and SIGHUP end a run in good order; the second one ends the process at once.
final class Signals: @unchecked Sendable {
  private var sources: [any DispatchSourceSignal] = []
  private let queue = DispatchQueue(label: "inquest-signals")
  private var count = 0
  private var last: Int32?

  /// - Parameter handler: called once, on another thread, with the signal's number.
  init(_ handler: @escaping @Sendable (Int32) -> Void) {
    for number in [SIGINT, SIGTERM, SIGHUP] {
      // A caught signal of the dispatch source must not end the process.
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
      source.setEventHandler { [unowned self] in
        count += 1
        last = number
        if count == 1 { handler(number) } else { exit(128 + number) }
      }
      source.resume()
      sources.append(source)
    }
  }

  /// The signal that came, if any.
  var received: Int32? { queue.sync { last } }

  /// What every command wants: writing to a full disk, past a limit or to nobody is an error, not the end.
  static func ignoreWriteErrors() {
    signal(SIGPIPE, SIG_IGN)
    signal(SIGXFSZ, SIG_IGN)
  }
}
