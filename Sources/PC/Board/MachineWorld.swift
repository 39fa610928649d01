/// Everything about a machine that is decided before it is switched on; with the images, the machine's whole identity.
public struct MachineConfiguration: Codable, Equatable, Sendable {
  /// Bytes of RAM.
  public var memorySize: UInt64 = 128 << 20
  /// Kernel command line.
  public var commandLine = ""
  /// Virtual nanoseconds of an instruction = 1 << timeShift.
  public var timeShift: UInt64 = 2
  /// Wall clock at power-on, nanoseconds since 1970 UTC.
  public var startTime: UInt64 = 0
  /// Serial ports with something behind them, COM1 first (at most 4).
  public var serialPorts = 1
  /// `-device pvpanic`: port and event mask; nil without one.
  public var pvpanic: PVPanicOptions?
  public var pvpanicPCI: PVPanicOptions?
  public var vmcoreinfo = false
  public var isaDebugExit: DebugExitOptions?
  /// `-device isa-debugcon`: ports.
  public var debugConsoles: [UInt16] = []
  public var hasHPET = true
  /// Whether the host unpacks Linux kernels (`-machine fast-boot`). Nil, as in traces from before there was a choice: no.
  public var fastBoot: Bool?
  /// Seed of entropy, chaos and scheduling streams.
  public var seed: UInt64 = 0
  /// Delays interrupts by amounts drawn from the seed.
  public var chaos = false
  /// Chaos begins at power-on, not with the first instruction in ring 3. Kernels may then panic falsely about their
  /// timers.
  public var chaosFromPowerOn = false

  public struct PVPanicOptions: Codable, Equatable, Sendable {
    public var port: UInt16 = 0x505
    public var events: UInt8 = 7
    public init() {}
  }
  public struct DebugExitOptions: Codable, Equatable, Sendable {
    public var port: UInt16 = 0x501
    public var size: UInt16 = 2
    public init() {}
  }
  public init() {}
}

/// What a machine is started from. Bytes, so that nothing of the host's file system gets in.
public struct MachineImages {
  public var kernel: [UInt8]?
  /// One for Linux; several modules for multiboot.
  public var initrds: [(name: String, bytes: [UInt8])] = []
  public init() {}
}

/// The world as the machine sees it: the one funnel through which everything passes that is not a function of image and
/// count. A recording session writes it down, a replaying session checks it. Called on the machine's thread.
public protocol MachineWorld: AnyObject {
  /// The guest has read a port. A witness.
  func didReadPort(_ port: UInt16, size: Int, value: UInt32)
  /// The guest has read memory-mapped device registers. A witness.
  func didReadMemory(_ address: UInt64, size: Int, value: UInt64)
  /// An interrupt was delivered. A witness.
  func didInterrupt(vector: UInt8, isNMI: Bool)
  /// A byte left a serial port (0 is COM1) or a debug console (0x100 + index).
  func didTransmit(port: Int, byte: UInt8)
  /// Chaos holds an interrupt back for so long. A witness.
  func didDelayInterrupt(nanoseconds: UInt64)
}

extension MachineWorld {
  public func didDelayInterrupt(nanoseconds: UInt64) {}
}

/// Why `Machine.run` came back.
public enum MachineStop: Equatable {
  /// The instruction count asked for was reached.
  case limit
  /// The guest is idle (HLT, interrupts on) until the next timer; nil when none is armed. The caller decides how virtual
  /// time goes on: `Machine.skipIdle(to:)`, or an input.
  case idle(nextTimer: UInt64?)
  /// HLT with interrupts off: only an NMI or a reset ends it.
  case dead
  /// The guest wrote the pvpanic port: the byte, unknown bits included. RIP is behind the OUT.
  case panicEvent(UInt8)
  /// The guest asked for power off (ACPI S5).
  case powerOff
  /// The guest asked for a reset (8042, CF9, port 92, triple fault).
  case resetRequested
  /// isa-debug-exit: the process should end with this status.
  case debugExit(UInt32)
  /// `requestStop` was called.
  case stopRequested
}
