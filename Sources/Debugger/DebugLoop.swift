import Foundation

/// The thread of a replay that is debugged: carries out what others post, until it is told to stop.
public final class DebugLoop: @unchecked Sendable {
  private let condition = NSCondition()
  private var queue: [@Sendable () -> Void] = []
  private var isStopped = false

  public init() {}

  /// Runs work on the loop's thread, in order. From any thread.
  public func post(_ work: @escaping @Sendable () -> Void) {
    condition.lock()
    queue.append(work)
    condition.signal()
    condition.unlock()
  }

  /// Makes `run` return when it has done what is under way. From any thread.
  public func stop() {
    condition.lock()
    isStopped = true
    condition.signal()
    condition.unlock()
  }

  /// Carries out what comes, on the calling thread.
  /// - Parameter idle: called when there is nothing; whether to wait a little (50 ms) before it is called again.
  public func run(idle: (() -> Bool)? = nil) {
    while true {
      condition.lock()
      if let idle {
        if queue.isEmpty && !isStopped {
          condition.unlock()
          let waits = idle()
          condition.lock()
          if waits && queue.isEmpty && !isStopped { _ = condition.wait(until: Date(timeIntervalSinceNow: 0.05)) }
        }
      } else {
        while queue.isEmpty && !isStopped { condition.wait() }
      }
      let work = queue
      queue = []
      let isStopped = isStopped
      condition.unlock()
      for item in work { item() }
      if isStopped { return }
    }
  }
}
