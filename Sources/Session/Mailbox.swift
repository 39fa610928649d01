import Foundation

/// The queue through which other threads reach the machine's thread, and the list of who is told of its events.
public final class Mailbox: MachineMailbox, @unchecked Sendable {
  private let condition = NSCondition()
  private var queue: [@Sendable (ControlledMachine) -> Void] = []
  private var observers: [@Sendable (MachineEvent) -> Void] = []
  private var isClosed = false
  private var isRung = false

  public init() {}

  /// After the end of the run nothing is carried out any more.
  public func post(_ work: @escaping @Sendable (ControlledMachine) -> Void) {
    condition.lock()
    if !isClosed { queue.append(work) }
    condition.broadcast()
    condition.unlock()
  }

  public func observe(_ observer: @escaping @Sendable (MachineEvent) -> Void) {
    condition.lock()
    observers.append(observer)
    condition.unlock()
  }

  /// Wakes the machine's thread where it waits: something else than a message has come.
  func ring() {
    condition.lock()
    isRung = true
    condition.broadcast()
    condition.unlock()
  }

  // MARK: The machine's thread

  func tell(_ event: MachineEvent) {
    condition.lock()
    let observers = observers
    condition.unlock()
    for observer in observers { observer(event) }
  }

  /// Carries out what has come, in order, until the queue is empty.
  /// - Returns: whether there was anything.
  @discardableResult
  func empty(for machine: ControlledMachine) -> Bool {
    var found = false
    while true {
      condition.lock()
      // One by one: an item may look here itself while it waits for something.
      let item = queue.isEmpty ? nil : queue.removeFirst()
      isRung = false
      condition.unlock()
      guard let item else { return found }
      found = true
      item(machine)
    }
  }

  /// Waits for a message or a ring.
  /// - Parameter nanoseconds: at most so long; nil for as long as it takes.
  func wait(nanoseconds: UInt64?) {
    condition.lock()
    defer { condition.unlock() }
    let deadline = nanoseconds.map { Date(timeIntervalSinceNow: Double($0) / 1e9) }
    while queue.isEmpty && !isRung {
      if let deadline {
        if !condition.wait(until: deadline) { return }
      } else {
        condition.wait()
      }
    }
  }

  /// The run is over: what is still in the queue is carried out, what comes later is dropped.
  func close(for machine: ControlledMachine) {
    empty(for: machine)
    condition.lock()
    isClosed = true
    let rest = queue
    queue.removeAll()
    condition.unlock()
    for item in rest { item(machine) }
  }
}
