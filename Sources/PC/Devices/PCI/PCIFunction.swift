/// One function of a PCI device: its 256 bytes of configuration space, its BARs and its interrupt pin
/// (PCI Local Bus Specification 3.0, chapter 6). Devices derive from it and fill it in.
open class PCIFunction {
  /// Offsets of the type 0 header.
  public enum Header {
    public static let vendorID = 0x00
    public static let deviceID = 0x02
    public static let command = 0x04
    public static let status = 0x06
    public static let revision = 0x08
    public static let classCode = 0x09
    public static let cacheLineSize = 0x0C
    public static let latencyTimer = 0x0D
    public static let headerType = 0x0E
    public static let bar0 = 0x10
    public static let subsystemVendorID = 0x2C
    public static let subsystemID = 0x2E
    public static let expansionROM = 0x30
    public static let capabilities = 0x34
    public static let interruptLine = 0x3C
    public static let interruptPin = 0x3D
  }
  public enum Command {
    public static let ioSpace: UInt16 = 1 << 0
    public static let memorySpace: UInt16 = 1 << 1
    public static let busMaster: UInt16 = 1 << 2
    public static let interruptDisable: UInt16 = 1 << 10
    /// I/O, memory, bus master, parity, SERR, interrupt disable.
    static let writable: UInt16 = 0x0547
  }
  enum Status {
    static let interrupt: UInt16 = 1 << 3
    static let capabilities: UInt16 = 1 << 4
    /// Error bits, cleared by writing 1.
    static let errors: UInt16 = 0xF900
  }
  /// QEMU's subsystem IDs, by which drivers tell an emulated chipset.
  public static let emulatedSubsystem: (vendor: UInt16, device: UInt16) = (0x1AF4, 0x1100)

  /// What a base address register decodes.
  public enum BARKind: Equatable {
    case io
    case memory32(prefetchable: Bool)
    /// Takes two registers.
    case memory64(prefetchable: Bool)
    /// The expansion ROM's register (6.2.5.2).
    case rom
  }
  struct BAR {
    let index: Int
    let kind: BARKind
    let size: UInt64
    let port: PortDevice?
    let memory: MemoryMappedDevice?
    let name: String
    /// Where the bus has it mapped now.
    var mapped: UInt64?
  }

  public struct State: Codable, Equatable {
    public var configuration: [UInt8]
    /// Level of INTx as the device drives it, before the interrupt disable bit.
    public var interruptLevel: Bool
  }
  /// What a checkpoint keeps. Setting it moves the BARs.
  public var state: State {
    get { State(configuration: configuration, interruptLevel: interruptLevel) }
    set {
      guard newValue.configuration.count == 256 else { return }
      configuration = newValue.configuration
      interruptLevel = newValue.interruptLevel
      bus?.updateMappings(of: self)
      bus?.interruptsChanged()
    }
  }

  /// All 256 bytes as the guest reads them.
  public private(set) var configuration = [UInt8](repeating: 0, count: 256)
  /// Bits that the guest may change.
  private var writable = [UInt8](repeating: 0, count: 256)
  /// Bits that the guest clears by writing 1.
  private var clearable = [UInt8](repeating: 0, count: 256)
  private var initial: [UInt8]?
  var bars: [BAR] = []
  public private(set) var interruptLevel = false
  weak var bus: PCIBus?
  /// Slot and function once it is plugged in: bits 3–7 and 0–2.
  public internal(set) var deviceFunction: UInt8 = 0

  /// - Parameters:
  ///   - classCode: class, subclass and programming interface, as 0x060000 for a host bridge.
  ///   - interruptPin: 1 for INTA to 4 for INTD, 0 for none.
  public init(
    vendorID: UInt16, deviceID: UInt16, revision: UInt8 = 0, classCode: UInt32,
    subsystem: (vendor: UInt16, device: UInt16) = PCIFunction.emulatedSubsystem, interruptPin: UInt8 = 0,
    isMultiFunction: Bool = false
  ) {
    set16(Header.vendorID, vendorID)
    set16(Header.deviceID, deviceID)
    set8(Header.revision, revision)
    for i in 0..<3 { set8(Header.classCode + i, UInt8(truncatingIfNeeded: classCode >> UInt32(8 * i))) }
    set8(Header.headerType, isMultiFunction ? 0x80 : 0)
    set16(Header.subsystemVendorID, subsystem.vendor)
    set16(Header.subsystemID, subsystem.device)
    set8(Header.interruptPin, interruptPin)
    allowWrites(Header.command, mask: Command.writable)
    allowWrites(Header.cacheLineSize, mask: 0x00FF)
    allowWrites(Header.latencyTimer, mask: 0x00FF)
    allowWrites(Header.interruptLine, mask: 0x00FF)
    clearable[Header.status + 1] = UInt8(Status.errors >> 8)
  }

  // MARK: For devices

  public func get8(_ offset: Int) -> UInt8 { configuration[offset & 0xFF] }
  public func get16(_ offset: Int) -> UInt16 { UInt16(get8(offset)) | UInt16(get8(offset + 1)) << 8 }
  public func get32(_ offset: Int) -> UInt32 { UInt32(get16(offset)) | UInt32(get16(offset + 2)) << 16 }
  public func set8(_ offset: Int, _ value: UInt8) { configuration[offset & 0xFF] = value }
  public func set16(_ offset: Int, _ value: UInt16) {
    set8(offset, UInt8(truncatingIfNeeded: value))
    set8(offset + 1, UInt8(truncatingIfNeeded: value >> 8))
  }
  public func set32(_ offset: Int, _ value: UInt32) {
    set16(offset, UInt16(truncatingIfNeeded: value))
    set16(offset + 2, UInt16(truncatingIfNeeded: value >> 16))
  }

  /// Lets the guest change the bits of `mask` in the 16-bit word at `offset`.
  public func allowWrites(_ offset: Int, mask: UInt16) {
    writable[offset & 0xFF] |= UInt8(truncatingIfNeeded: mask)
    writable[(offset + 1) & 0xFF] |= UInt8(truncatingIfNeeded: mask >> 8)
  }

  /// Adds a base address register.
  /// - Parameters:
  ///   - index: 0 to 5.
  ///   - size: bytes; a power of two, at least 4 for I/O and 16 for memory.
  public func addBAR(_ index: Int, kind: BARKind, size: UInt64, name: String, port: PortDevice) {
    addBAR(BAR(index: index, kind: kind, size: size, port: port, memory: nil, name: name))
  }
  public func addBAR(_ index: Int, kind: BARKind, size: UInt64, name: String, memory: MemoryMappedDevice) {
    addBAR(BAR(index: index, kind: kind, size: size, port: nil, memory: memory, name: name))
  }

  private func addBAR(_ bar: BAR) {
    precondition(
      bar.size.nonzeroBitCount == 1 && (0..<6).contains(bar.index), "a BAR's size is a power of two")
    let offset = Header.bar0 + 4 * bar.index
    let mask = ~(bar.size - 1)
    let flags: UInt32
    switch bar.kind {
    case .io: flags = 1
    case .rom: flags = 0
    case .memory32(let prefetchable): flags = prefetchable ? 8 : 0
    case .memory64(let prefetchable):
      flags = 4 | (prefetchable ? 8 : 0)
      allowWrites(offset + 4, mask: UInt16(truncatingIfNeeded: mask >> 32))
      allowWrites(offset + 6, mask: UInt16(truncatingIfNeeded: mask >> 48))
    }
    set32(offset, flags)
    let settable = UInt32(truncatingIfNeeded: mask) & (bar.kind == .io ? ~3 : ~15)
    allowWrites(offset, mask: UInt16(truncatingIfNeeded: settable))
    allowWrites(offset + 2, mask: UInt16(truncatingIfNeeded: settable >> 16))
    bars.append(bar)
  }

  /// Adds an expansion ROM.
  /// - Parameter bytes: at most 16 MiB; what is missing up to the next power of two reads as FF.
  public func addROM(_ bytes: [UInt8], name: String) {
    var size: UInt64 = 2048
    while size < UInt64(bytes.count), size < 16 << 20 { size *= 2 }
    // Bit 0 enables it.
    let settable = ~UInt32(size - 1) & 0xFFFF_F800 | 1
    allowWrites(Header.expansionROM, mask: UInt16(truncatingIfNeeded: settable))
    allowWrites(Header.expansionROM + 2, mask: UInt16(truncatingIfNeeded: settable >> 16))
    bars.append(
      BAR(index: 8, kind: .rom, size: size, port: nil, memory: ExpansionROM(bytes: bytes), name: name))
  }

  private final class ExpansionROM: MemoryMappedDevice {
    let bytes: [UInt8]
    init(bytes: [UInt8]) { self.bytes = bytes }
    func readMemory(offset: UInt64, size: Int) -> UInt64 {
      (0..<size).reduce(0) {
        let at = Int(truncatingIfNeeded: offset) + $1
        return $0 | UInt64(bytes.indices.contains(at) ? bytes[at] : 0xFF) << UInt64(8 * $1)
      }
    }
    func writeMemory(offset: UInt64, size: Int, value: UInt64) {}
  }

  /// Adds a capability at `offset` and links it in front of the list.
  /// - Parameters:
  ///   - offset: a multiple of 4 from 0x40 up.
  ///   - body: what follows the ID and the link.
  public func addCapability(_ id: UInt8, at offset: Int, body: [UInt8]) {
    set8(offset, id)
    set8(offset + 1, get8(Header.capabilities))
    for (i, byte) in body.enumerated() { set8(offset + 2 + i, byte) }
    set8(Header.capabilities, UInt8(truncatingIfNeeded: offset))
    set16(Header.status, get16(Header.status) | Status.capabilities)
  }

  /// Drives the interrupt pin.
  public func setInterrupt(_ level: Bool) {
    guard level != interruptLevel else { return }
    interruptLevel = level
    let status = get16(Header.status)
    set16(Header.status, level ? status | Status.interrupt : status & ~Status.interrupt)
    bus?.interruptsChanged()
  }

  public var commandRegister: UInt16 { get16(Header.command) }
  /// Whether the device may read and write memory by itself.
  public var isBusMaster: Bool { commandRegister & Command.busMaster != 0 }

  /// Called after the guest wrote to configuration space.
  open func configurationWritten(offset: Int, size: Int) {}

  /// Back to how it was when it was plugged in.
  open func reset() {
    if let initial { configuration = initial }
    interruptLevel = false
    bus?.updateMappings(of: self)
    bus?.interruptsChanged()
  }

  // MARK: For the bus

  /// What is here now is what a reset goes back to.
  func pluggedIn() { initial = configuration }

  func writeConfiguration(offset: Int, size: Int, value: UInt32) {
    for i in 0..<size where offset + i < 256 {
      let at = offset + i
      let byte = UInt8(truncatingIfNeeded: value >> UInt32(8 * i))
      configuration[at] = configuration[at] & ~writable[at] | byte & writable[at]
      configuration[at] &= ~(byte & clearable[at])
    }
    bus?.updateMappings(of: self)
    bus?.interruptsChanged()
    configurationWritten(offset: offset, size: size)
  }

  /// Where a BAR decodes now; nil while it does not.
  func address(of bar: BAR) -> UInt64? {
    let offset = Header.bar0 + 4 * bar.index
    var base = UInt64(get32(offset))
    let limit: UInt64
    switch bar.kind {
    case .rom:
      guard commandRegister & Command.memorySpace != 0, base & 1 != 0 else { return nil }
      base &= 0xFFFF_F800
      limit = 0x1_0000_0000
    case .io:
      guard commandRegister & Command.ioSpace != 0 else { return nil }
      base &= 0xFFFF_FFFC
      limit = 0x1_0000
    case .memory32:
      guard commandRegister & Command.memorySpace != 0 else { return nil }
      base &= 0xFFFF_FFF0
      limit = 0x1_0000_0000
    case .memory64:
      guard commandRegister & Command.memorySpace != 0 else { return nil }
      base = base & 0xFFFF_FFF0 | UInt64(get32(offset + 4)) << 32
      limit = 1 << 52
    }
    // 0 means that nobody has assigned an address; all ones is the guest asking for the size.
    guard base != 0, base < limit, bar.size < limit - base else { return nil }
    return base
  }
}
