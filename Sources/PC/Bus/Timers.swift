/// Who knows the machine's virtual time: nanoseconds since power-on, a function of the instant alone.
public protocol TimeSource: AnyObject {
  var virtualTime: UInt64 { get }
}

/// One deadline of a device. Made by `TimerQueue.makeTimer`; equal deadlines fire in the order of making.
public final class DeviceTimer {
  public let name: String
  /// Virtual time in nanoseconds, or nil when not armed. Part of the device's state.
  public private(set) var deadline: UInt64?
  private unowned let queue: TimerQueue
  fileprivate let fire: () -> Void

  fileprivate init(name: String, queue: TimerQueue, fire: @escaping () -> Void) {
    self.name = name
    self.queue = queue
    self.fire = fire
  }

  /// Arms or re-arms. A deadline in the past fires at the next instruction boundary.
  public func arm(at deadline: UInt64) {
    self.deadline = deadline
    queue.changed()
  }

  public func cancel() {
    guard deadline != nil else { return }
    deadline = nil
    queue.changed()
  }

  fileprivate func expire() {
    deadline = nil
    fire()
  }
}

/// All deadlines of the board. Timers are functions of virtual time, so nothing of them is logged.
public final class TimerQueue: TimeSource {
  private var timers: [DeviceTimer] = []
  /// The earliest deadline, `UInt64.max` when nothing is armed.
  public private(set) var earliest = UInt64.max
  /// Called when `earliest` moved, so that the board shortens the processor's budget at once.
  public var onChange: (() -> Void)?
  /// The machine's clock; must be set before devices are used.
  public weak var timeSource: TimeSource?

  public init() {}

  public var virtualTime: UInt64 { timeSource?.virtualTime ?? 0 }

  public func makeTimer(_ name: String, fire: @escaping () -> Void) -> DeviceTimer {
    let timer = DeviceTimer(name: name, queue: self, fire: fire)
    timers.append(timer)
    return timer
  }

  fileprivate func changed() {
    var first = UInt64.max
    for timer in timers { if let deadline = timer.deadline, deadline < first { first = deadline } }
    if first != earliest {
      earliest = first
      onChange?()
    }
  }

  /// Fires everything that is due at `now`, earliest first, equal deadlines in the order of making.
  public func run(now: UInt64) {
    while earliest <= now {
      guard let due = timers.first(where: { $0.deadline == earliest }) else { return }
      due.expire()
      changed()
    }
  }
}
