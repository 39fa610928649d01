import Session

/// Where a debugger reads and writes memory.
public enum AddressSpace: Equatable, Sendable { case linear, physical }

/// A place at which a debugger wants the machine to stop. All of them are kept beside the machine: none changes its
/// memory or its debug registers.
public struct DebugPoint: Hashable, Sendable {
  /// The numbers are those of the packets `Z` and `z`.
  public enum Kind: Int, Sendable, CaseIterable {
    case software = 0, hardware, write, read, access
    public var isWatchpoint: Bool { rawValue >= 2 }
  }
  public var kind: Kind
  /// Linear.
  public var address: UInt64
  /// Bytes that are watched; of a breakpoint what the client said, without meaning.
  public var length: Int

  public init(_ kind: Kind, _ address: UInt64, length: Int = 1) {
    self.kind = kind
    self.address = address
    self.length = length
  }
}

/// How a machine is to go on.
public enum DebugResume: Equatable, Sendable {
  case step, cont, reverseStep, reverseCont
  public var isReverse: Bool { self == .reverseStep || self == .reverseCont }
}

/// Why a machine has stopped.
public enum DebugStop: Equatable, Sendable {
  /// A step is done.
  case step
  /// At a breakpoint, before its instruction.
  case breakpoint(DebugPoint)
  /// Going forward, behind the instruction that accessed memory; going back, before it.
  case watchpoint(DebugPoint)
  /// The client asked for it, or somebody at a monitor did.
  case interrupt
  case panic
  /// Another run state in which a machine stands still.
  case runState(RunState)
  /// There is nothing before, or nothing behind.
  case beginning, end
  /// The run is over; the process's status.
  case exited(Int32)
  /// The machine or its trace let the debugger down.
  case failed(String)
}

/// What a target can do, and what it says where it cannot.
public struct DebugFeatures: Equatable, Sendable {
  /// Whether it goes backwards.
  public var reverses: Bool
  /// nil where memory and registers can be written, else the reason why not.
  public var writeRefusal: String?

  public init(reverses: Bool, writeRefusal: String? = nil) {
    self.reverses = reverses
    self.writeRefusal = writeRefusal
  }
}

/// A machine as a debugger drives it: a replay, or one that is being recorded. All but `interrupt` is for the machine's own
/// thread.
public protocol DebugTarget: AnyObject {
  var features: DebugFeatures { get }
  var processorCount: Int { get }
  /// Whether a processor waits in HLT.
  func isHalted(_ processor: Int) -> Bool
  func registers(of processor: Int) -> RegisterFile
  /// - Throws: a `ControlError`.
  func write(_ register: ProcessorRegister, _ bytes: [UInt8], of processor: Int) throws
  /// As many of the bytes as can be read, without any effect on the machine.
  func read(_ space: AddressSpace, _ address: UInt64, count: Int) -> [UInt8]
  /// All of the bytes or none.
  /// - Throws: a `ControlError`.
  func write(_ space: AddressSpace, _ address: UInt64, _ bytes: [UInt8]) throws
  /// The places at which `resume` stops, from now on.
  /// - Throws: a `ControlError` for one that cannot be watched; then the old ones are in force.
  func setPoints(_ points: [DebugPoint]) throws

  /// A client has come: the machine stands still until it says otherwise. - Returns: why it stands.
  func attach() -> DebugStop
  /// The client has gone.
  /// - Parameter resumes: whether it said good-bye, which lets a live machine go on.
  func detach(resumes: Bool)
  /// Lets the machine go on. `onStop` is called on the machine's thread, once, perhaps before this returns.
  func resume(_ how: DebugResume, processor: Int, onStop: @escaping (DebugStop) -> Void)
  /// Stops the machine soon, if it runs. From any thread.
  func interrupt()
  /// Ends the run.
  func kill()
  /// A line for the monitor. - Returns: the answer, lines ended by newlines.
  func monitor(_ line: String) -> String
}
