import PC

/// A clock that moves by hand and fires what is due on the way, each deadline at its own time.
final class TestClock: TimeSource {
  let timers = TimerQueue()
  private(set) var virtualTime: UInt64 = 0

  init() { timers.timeSource = self }

  func advance(to time: UInt64) {
    while timers.earliest <= time {
      virtualTime = max(virtualTime, timers.earliest)
      timers.run(now: virtualTime)
    }
    virtualTime = max(virtualTime, time)
  }

  func advance(by time: UInt64) { advance(to: virtualTime + time) }

  /// Moves on without firing anything, as in the middle of an instruction that costs time.
  func skip(by time: UInt64) { virtualTime += time }
}

/// The end of a wire that remembers when it rose.
final class Probe: InterruptSink {
  private(set) var level = false
  private(set) var rises: [UInt64] = []
  private let clock: TestClock?

  init(_ clock: TestClock? = nil) { self.clock = clock }

  func setInput(_ input: Int, level: Bool) {
    if level, !self.level { rises.append(clock?.virtualTime ?? 0) }
    self.level = level
  }

  var line: InterruptLine { InterruptLine([(self, 0)]) }
}

extension PortDevice {
  func out(_ offset: UInt16, _ value: UInt8) { writePort(offset: offset, size: 1, value: UInt32(value)) }
  func `in`(_ offset: UInt16) -> UInt8 { UInt8(truncatingIfNeeded: readPort(offset: offset, size: 1)) }
}
