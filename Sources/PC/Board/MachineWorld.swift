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

  // Since machine version 1 these came to it; nil is what traces without them mean.

  /// `-device pc-testdev`.
  public var pcTestDevice: Bool?
  /// What reading each debug console gives; 0xE9 where nothing is said.
  public var debugConsoleReadbacks: [UInt8]?
  /// What a multiboot kernel is told in front of its command line, as QEMU does; nil for nothing.
  public var kernelName: String?
  /// What firmware is told; nil without firmware (`-bios`).
  public var firmware: FirmwareOptions?
  /// Cards on the PCI bus beside pvpanic-pci, in the order of the command line.
  public var pciDevices: [PCIDeviceOptions]?
  /// `-drive`, in the order of the command line; requests and cards name them by their places here.
  public var drives: [DriveOptions]?

  /// `-cpu`; nil for the default model.
  public var processor: ProcessorOptions?

  /// The processor: a model's name and all the features that it shall have.
  public struct ProcessorOptions: Codable, Equatable, Sendable {
    /// As `ProcessorModel.named` has it.
    public var name: String
    /// As `ProcessorModel.featureNames` names them.
    public var features: [String]

    public init(name: String, features: [String]) {
      self.name = name
      self.features = features
    }
  }

  /// A card of the PCI bus.
  public struct PCIDeviceOptions: Codable, Equatable, Sendable {
    /// Named as QEMU names its devices.
    public enum Kind: String, Codable, Sendable, CaseIterable {
      case vga = "VGA"
      case testDevice = "pci-testdev"
      case watchdog = "i6300esb"
      case virtioRNG = "virtio-rng-pci"
      case virtioBlock = "virtio-blk-pci"
      case virtioConsole = "virtio-serial-pci"
      case virtioNet = "virtio-net-pci"
    }
    public var kind: Kind
    /// `addr=`; nil takes the first free slot.
    public var slot: Int?
    /// The drive of a disk.
    public var drive: Int?
    /// Six bytes, of a network card.
    public var macAddress: [UInt8]?

    public init(_ kind: Kind, slot: Int? = nil, drive: Int? = nil, macAddress: [UInt8]? = nil) {
      self.kind = kind
      self.slot = slot
      self.drive = drive
      self.macAddress = macAddress
    }
  }

  /// A disk or CD as the machine sees it, whatever file is behind it.
  public struct DriveOptions: Codable, Equatable, Sendable {
    public enum Interface: String, Codable, Sendable { case ide, virtio, none }
    /// `id=`, or made up.
    public var id: String
    public var interface: Interface
    /// Place on the IDE channels: 0 primary master … 3 secondary slave.
    public var index: Int?
    /// Bytes; a multiple of 512.
    public var size: UInt64
    public var isCDROM = false
    /// Writes are refused.
    public var isReadOnly = false
    /// Writes go to the file; else they stay in the machine.
    public var writesThrough = false
    /// Where the content was when it was recorded. For people, and for branches.
    public var path: String

    public init(id: String, interface: Interface, size: UInt64, path: String) {
      self.id = id
      self.interface = interface
      self.size = size
      self.path = path
    }
  }

  /// What firmware learns through fw_cfg.
  public struct FirmwareOptions: Codable, Equatable, Sendable {
    /// `-boot order=`: letters of QEMU's: c disk, d CD, a floppy, n network.
    public var order = "cd"
    /// `-boot menu=on`.
    public var menu = false
    /// `-boot splash-time=`, milliseconds that the menu's prompt is shown.
    public var menuTimeout: Int?
    public init() {}
  }

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
  /// Firmware that lies below 4 GiB, and in small below 1 MiB; it starts the machine then.
  public var bios: [UInt8]?
  /// What the user called it. For people only.
  public var biosName = "bios"
  /// The expansion ROM of the VGA card.
  public var vgaROM: [UInt8]?
  public var vgaROMName = "vga-rom"
  /// The option ROM by which firmware starts a kernel (QEMU's linuxboot_dma.bin or multiboot_dma.bin).
  public var kernelROM: (name: String, bytes: [UInt8])?
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
  /// The machine needs what a drive's file holds there. An input.
  /// - Returns: `count` bytes; nil when the host cannot read them.
  func readDrive(_ drive: Int, offset: UInt64, count: Int) -> [UInt8]?
  /// A drive whose writes go to its file was written. Nothing comes back, so nothing of it is logged.
  /// - Returns: whether the host did it; a failed write is an input.
  func writeDrive(_ drive: Int, offset: UInt64, bytes: [UInt8]) -> Bool
  /// A network card sent a frame. A witness.
  func didSendFrame(device: Int, bytes: [UInt8])
}

extension MachineWorld {
  public func didDelayInterrupt(nanoseconds: UInt64) {}
  public func readDrive(_ drive: Int, offset: UInt64, count: Int) -> [UInt8]? { nil }
  public func writeDrive(_ drive: Int, offset: UInt64, bytes: [UInt8]) -> Bool { false }
  public func didSendFrame(device: Int, bytes: [UInt8]) {}
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
  /// The watchdog was not petted in time.
  case watchdog
  /// `requestStop` was called.
  case stopRequested
}
