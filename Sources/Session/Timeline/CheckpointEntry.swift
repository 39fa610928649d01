import PC
import Trace
import X86Core

/// Going to a checkpoint of the trace before a replay starts.
extension ReplaySession {
  /// Goes to the last checkpoint that the trace carries before a place, if there is one: what lies before is not executed, and
  /// not compared. Before the start only. What a console showed until then is not shown.
  /// - Parameter sink: gets the trace's events up to there.
  /// - Returns: whether there was one. One that cannot be used is left alone.
  /// - Throws: what `sink` throws, and damage of the trace.
  @discardableResult
  public func enterCheckpoint(before target: StopTarget, copyingEventsTo sink: EventSink? = nil) throws -> Bool {
    guard isStorable, !hasStarted else { return false }
    let shift = setup.configuration.timeShift
    let candidates = reader.checkpoints.filter { checkpoint in
      switch target {
      case .instant(let end): return checkpoint.instant <= end
      case .instructionCount(let end): return checkpoint.instant.instructionCount < end
      case .virtualTime(let end): return checkpoint.instant.virtualTime(shift: shift) < end
      case .end, .beforeEnd: return false
      }
    }
    guard let checkpoint = candidates.max(by: { $0.instant < $1.instant }),
      let stored = try? StoredState(
        try reader.readCheckpoint(checkpoint.number), pageCount: machine.memory.pageCount),
      stored.values.instant == checkpoint.instant, let state = try? state(from: stored)
    else { return false }
    if let sink { try copyEvents(stored.values.matcher, to: sink) }
    hasStarted = true
    stored.images().exchange(with: machine.memory)
    self.state = state
    return true
  }

  /// Gives a sink the events that were met, the open ones as far as they were.
  private func copyEvents(_ place: WitnessMatcher.State, to sink: EventSink) throws {
    var cursor = reader.events()
    var events: [TraceEvent] = []
    for _ in 0..<place.eventCount {
      guard let event = try cursor.next() else { break }
      events.append(event)
      // Only what comes last can be open.
      if events.count > 8 { try give(events.removeFirst(), to: sink) }
    }
    if place.readsLeft > 0, let index = events.lastIndex(where: { $0.kind == .portRead || $0.kind == .mmioRead }) {
      switch events[index].body {
      case .portRead(let port, let size, let value, let count):
        events[index].body = .portRead(port: port, size: size, value: value, count: count &- place.readsLeft)
      case .mmioRead(let address, let size, let value, let count):
        events[index].body = .mmioRead(address: address, size: size, value: value, count: count &- place.readsLeft)
      default: break
      }
    }
    if !place.output.isEmpty, let index = events.lastIndex(where: { $0.kind == .serialOutput }),
      case .serialOutput(let port, let bytes) = events[index].body
    {
      events[index].body = .serialOutput(port: port, bytes: Array(bytes.dropLast(place.output.count)))
    }
    for event in events { try give(event, to: sink) }
  }

  /// Reads one by one, so that a fold stays open for those that follow.
  private func give(_ event: TraceEvent, to sink: EventSink) throws {
    switch event.body {
    case .portRead(let port, let size, let value, let count) where count > 1:
      for _ in 0..<count { try sink.portRead(at: event.instant, port: port, size: size, value: value) }
    case .mmioRead(let address, let size, let value, let count) where count > 1:
      for _ in 0..<count { try sink.mmioRead(at: event.instant, address: address, size: size, value: value) }
    default: try sink.append(event.body, at: event.instant)
    }
  }
}

extension StoredState {
  /// The pages' contents.
  func images() -> PageImages {
    let images = PageImages()
    let zeros = [UInt8](repeating: 0, count: 4096)
    data.withUnsafeBytes { data in
      zeros.withUnsafeBytes { zeros in
        for page in pages {
          if let content = page.content.map({ data.baseAddress! + $0.lowerBound }) ?? zeros.baseAddress {
            images.append(page.number, content)
          }
        }
      }
    }
    return images
  }
}
