import Trace

/// A piece of the guest's memory whose accesses are of interest.
public struct Watchpoint: Equatable, Sendable, Codable {
  public enum Access: String, Sendable, Codable, CaseIterable {
    case write, read
    /// Both.
    case access
  }
  public enum Space: String, Sendable, Codable, CaseIterable {
    /// Accesses of the processor through this linear address, whatever it is mapped to.
    case linear
    /// Accesses to this guest-physical address, through whatever mapping, by processor, page walker, device or loader.
    case physical
  }
  public var address: UInt64
  /// Bytes, at least 1.
  public var count: UInt64
  public var access: Access
  public var space: Space

  public init(_ address: UInt64, count: UInt64, access: Access = .write, space: Space = .linear) {
    self.address = address
    self.count = max(count, 1)
    self.access = access
    self.space = space
  }
}

/// Where a run through a `Timeline` stops; the first that is met does. Nothing of this can be seen by the guest.
public struct StopConditions: Equatable, Sendable {
  /// Linear addresses: stops before the instruction that starts there is executed.
  public var breakpoints: Set<UInt64> = []
  /// Stops behind the instruction that made the access when going forward, before it when going back.
  public var watchpoints: [Watchpoint] = []
  /// Reads and writes of I/O ports: like watchpoints.
  public var ports: [ClosedRange<UInt16>] = []
  /// Interrupts from outside by vector: before their delivery when going back, at the handler's first instruction when going
  /// forward.
  public var interrupts: Set<UInt8> = []
  /// Exceptions by vector: likewise.
  public var exceptions: Set<UInt8> = []
  /// Loads of CR3 with another value: like watchpoints.
  public var cr3Changes = false
  /// Events of the machine: stops where the trace has them.
  public var events: Set<MarkerKind> = []

  public init() {}
  public init(breakpoints: Set<UInt64>) { self.breakpoints = breakpoints }

  /// Whether the machine itself has to look out for something.
  var needsObserver: Bool {
    !breakpoints.isEmpty || !watchpoints.isEmpty || !ports.isEmpty || !interrupts.isEmpty || !exceptions.isEmpty
      || cr3Changes
  }
}

/// Something that a run was looking for.
public struct TimelineHit: Equatable, Sendable {
  public enum Cause: Equatable, Sendable {
    /// The instruction at this linear address is next.
    case breakpoint(UInt64)
    /// `index` into `StopConditions.watchpoints`, and the access.
    case watchpoint(index: Int, MemoryAccess)
    case port(UInt16, size: Int, isWrite: Bool, value: UInt32)
    case interrupt(vector: UInt8, isNMI: Bool)
    case exception(vector: UInt8, errorCode: UInt32)
    case cr3(old: UInt64, new: UInt64)
    case event(MarkerKind)
  }
  public var cause: Cause
  /// The state before the instruction (delivery, event) that did it.
  public var before: Instant
  /// The instruction's address, where it is known: at breakpoints, interrupts and exceptions, and going back always.
  public var rip: UInt64?
}

/// One access to memory.
public struct MemoryAccess: Equatable, Sendable {
  public enum Agent: String, Equatable, Sendable, Codable {
    case processor
    /// The processor's page walk, which sets accessed and dirty bits.
    case pageWalk = "page-walk"
    /// A device, or firmware and loader at a reset.
    case device
  }
  public var agent: Agent
  public var isWrite: Bool
  /// The linear address that the processor used; nil for others.
  public var linear: UInt64?
  public var physical: UInt64
  /// Bytes.
  public var count: Int
}

/// Why a `Timeline` came to rest.
public enum TimelineStop: Equatable, Sendable {
  /// At the place asked for, or behind the steps asked for.
  case reached
  case hit(TimelineHit)
  /// Going back, there was nothing before: the machine stands at its first instruction.
  case start
  /// Going forward, the trace is over; the reason that it gives, or what kept the replay from going on.
  case end(String)
  /// `Timeline.interrupt` was called.
  case interrupted
}

public enum Direction: Sendable { case forward, backward }
