import PC
import Trace
import X86Core

/// Looks out for what stop conditions name while a replay runs.
final class TimelineObserver: MachineObserver {
  enum Mode {
    /// Comes to rest at the first hit. A breakpoint at the place where the run begins does not count.
    case stopping(from: Instant)
    /// Notes the last hit and goes on.
    case collecting
  }

  private let session: ReplaySession
  private let conditions: StopConditions
  private let mode: Mode
  private(set) var hit: TimelineHit?
  private var cr3: UInt64

  private var machine: Machine { session.machine }

  init(_ session: ReplaySession, _ conditions: StopConditions, _ mode: Mode) {
    self.session = session
    self.conditions = conditions
    self.mode = mode
    cr3 = session.machine.processor.cpu.f.pointee.cr3
  }

  /// Whether the run is to come to rest.
  var isSatisfied: Bool {
    if case .stopping = mode { return hit != nil }
    return false
  }

  /// From here on the machine is observed. Decoded blocks are cut at breakpoints, and stay so.
  func arm() {
    let processor = machine.processor
    machine.observer = self
    processor.breakpoints = conditions.breakpoints
    if !conditions.breakpoints.isEmpty {
      processor.onBreakpoint = { [unowned self] in meetBreakpoint($0) }
    }
    if !conditions.watchpoints.isEmpty {
      processor.setWatch(
        MemoryWatch(ranges: conditions.watchpoints.map(\.range)) { [unowned self] index, access in
          note(.watchpoint(index: index, MemoryAccess(access)))
        })
    }
  }

  func disarm() {
    machine.observer = nil
    machine.processor.onBreakpoint = nil
    if !conditions.watchpoints.isEmpty { machine.processor.setWatch(nil) }
  }

  private func note(_ cause: TimelineHit.Cause, rip: UInt64? = nil) {
    let hit = TimelineHit(cause: cause, before: session.instant, rip: rip)
    switch mode {
    case .stopping:
      guard self.hit == nil else { return }
      self.hit = hit
      machine.rest()
    case .collecting: self.hit = hit
    }
  }

  private func meetBreakpoint(_ linear: UInt64) -> Bool {
    if case .stopping(let start) = mode, session.instant == start { return false }
    note(.breakpoint(linear), rip: session.machine.processor.cpu.f.pointee.rip)
    return isSatisfied
  }

  // MARK: MachineObserver

  func observePort(_ port: UInt16, size: Int, value: UInt32, isWrite: Bool) {
    let last = port &+ UInt16(truncatingIfNeeded: size &- 1)
    guard conditions.ports.contains(where: { $0.lowerBound <= last && port <= $0.upperBound }) else { return }
    note(.port(port, size: size, isWrite: isWrite, value: value))
  }

  func observeInterrupt(vector: UInt8, isNMI: Bool) {
    guard conditions.interrupts.contains(vector) else { return }
    note(.interrupt(vector: vector, isNMI: isNMI), rip: machine.processor.cpu.f.pointee.rip)
  }

  func observeException(vector: UInt8, errorCode: UInt32) {
    guard conditions.exceptions.contains(vector) else { return }
    note(.exception(vector: vector, errorCode: errorCode), rip: machine.processor.cpu.f.pointee.rip)
  }

  func observeBoundary() {
    let new = machine.processor.cpu.f.pointee.cr3
    guard new != cr3 else { return }
    let old = cr3
    cr3 = new
    guard conditions.cr3Changes else { return }
    note(.cr3(old: old, new: new))
    // The instruction has retired already.
    if let count = hit?.before.instructionCount, count > 0 {
      hit?.before.instructionCount = count &- 1
      hit?.before.sequence = 0
    }
  }
}

extension Watchpoint {
  var range: MemoryWatch.Range {
    MemoryWatch.Range(
      first: address, last: address.addingReportingOverflow(count &- 1).overflow ? .max : address &+ (count &- 1),
      reads: access != .write, writes: access != .read, isPhysical: space == .physical)
  }
}

extension MemoryAccess {
  init(_ access: MemoryWatch.Access) {
    let agent: Agent
    switch access.agent {
    case .processor: agent = .processor
    case .pageWalk: agent = .pageWalk
    case .device: agent = .device
    }
    self.init(
      agent: agent, isWrite: access.isWrite, linear: access.linear, physical: access.physical, count: access.count)
  }
}
