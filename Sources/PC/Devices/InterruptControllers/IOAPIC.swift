/// The I/O APIC (Intel 82093AA, 290566) with 24 inputs, as version 0x20 with the EOI register.
///
/// Inputs carry assertion, not voltage; so the polarity bit is kept for the guest and has no effect.
public final class IOAPIC: MemoryMappedDevice, InterruptSink {
  public static let inputCount = 24

  // Offsets of the window.
  static let ioregselOffset: UInt64 = 0x00
  static let iowinOffset: UInt64 = 0x10
  static let eoiOffset: UInt64 = 0x40

  // Registers behind the window.
  static let idRegister: UInt8 = 0x00
  static let versionRegister: UInt8 = 0x01
  static let arbitrationRegister: UInt8 = 0x02
  static let redirectionTable: UInt8 = 0x10

  static let version: UInt32 = 0x20
  static let idMask: UInt32 = 0x0F00_0000

  // Redirection entry.
  static let logicalDestination: UInt64 = 1 << 11
  static let deliveryStatus: UInt64 = 1 << 12
  static let remoteIRR: UInt64 = 1 << 14
  static let levelTriggered: UInt64 = 1 << 15
  static let masked: UInt64 = 1 << 16
  /// Destination, mask, trigger, polarity, destination mode, delivery mode, vector.
  static let writable: UInt64 = 0xFF00_0000_0001_AFFF

  public struct State: Codable, Equatable {
    /// IOREGSEL.
    public var select: UInt8 = 0
    /// Register 0, the id in bits 27…24.
    public var id: UInt32 = 0
    /// Asserted inputs, bit n for input n.
    public var lines: UInt32 = 0
    public var redirections = [UInt64](repeating: IOAPIC.masked, count: IOAPIC.inputCount)
    public init() {}
  }

  public var state: State {
    get { chip }
    set {
      chip = newValue
      // A damaged state must not make the table shorter than the inputs.
      let missing = max(0, Self.inputCount - chip.redirections.count)
      chip.redirections.append(contentsOf: repeatElement(Self.masked, count: missing))
    }
  }
  private var chip = State()
  private unowned let bus: APICBus

  public init(bus: APICBus) {
    self.bus = bus
    bus.attach(self)
  }

  public func reset() {
    let lines = chip.lines
    chip = State()
    chip.lines = lines
  }

  // MARK: Inputs

  public func setInput(_ input: Int, level: Bool) {
    guard (0..<Self.inputCount).contains(input) else { return }
    let mask = UInt32(1) << UInt32(input)
    let was = chip.lines & mask != 0
    if level { chip.lines |= mask } else { chip.lines &= ~mask }
    let entry = chip.redirections[input]
    if entry & Self.levelTriggered != 0 {
      if level { serviceLevel(input) }
    } else if level, !was, entry & Self.masked == 0 {
      // An edge at a masked input is ignored.
      bus.send(message(of: entry, isLevelTriggered: false))
    }
  }

  private func serviceLevel(_ input: Int) {
    let entry = chip.redirections[input]
    guard entry & (Self.masked | Self.remoteIRR) == 0, entry & Self.levelTriggered != 0,
      chip.lines >> UInt32(input) & 1 != 0
    else { return }
    let message = message(of: entry, isLevelTriggered: true)
    let isLevel = message.deliveryMode == .fixed || message.deliveryMode == .lowestPriority
    // Remote IRR before the message: the end of interrupt may come from within.
    if isLevel { chip.redirections[input] |= Self.remoteIRR }
    if !bus.send(message) { chip.redirections[input] &= ~Self.remoteIRR }
  }

  /// Sends what waits at level-triggered inputs.
  func service() {
    for input in 0..<Self.inputCount { serviceLevel(input) }
  }

  func endOfInterrupt(_ vector: UInt8) {
    for input in 0..<Self.inputCount {
      let entry = chip.redirections[input]
      guard UInt8(truncatingIfNeeded: entry) == vector, entry & Self.remoteIRR != 0 else { continue }
      chip.redirections[input] &= ~Self.remoteIRR
      serviceLevel(input)
    }
  }

  private func message(of entry: UInt64, isLevelTriggered: Bool) -> APICMessage {
    var message = APICMessage(
      low: UInt32(truncatingIfNeeded: entry), isLogical: entry & Self.logicalDestination != 0,
      destination8: UInt8(entry >> 56))
    message.isLevelTriggered = isLevelTriggered
    return message
  }

  // MARK: Registers

  public func readMemory(offset: UInt64, size: Int) -> UInt64 {
    switch offset {
    case Self.ioregselOffset: return UInt64(chip.select)
    case Self.iowinOffset: return UInt64(readRegister(chip.select))
    default: return 0
    }
  }

  public func writeMemory(offset: UInt64, size: Int, value: UInt64) {
    switch offset {
    case Self.ioregselOffset: chip.select = UInt8(truncatingIfNeeded: value)
    case Self.iowinOffset: writeRegister(chip.select, UInt32(truncatingIfNeeded: value))
    case Self.eoiOffset: endOfInterrupt(UInt8(truncatingIfNeeded: value))
    default: break
    }
  }

  private func readRegister(_ register: UInt8) -> UInt32 {
    switch register {
    case Self.idRegister, Self.arbitrationRegister: return chip.id
    case Self.versionRegister: return UInt32(Self.inputCount - 1) << 16 | Self.version
    default:
      guard let (input, shift) = redirection(register) else { return 0 }
      return UInt32(truncatingIfNeeded: chip.redirections[input] >> shift)
    }
  }

  private func writeRegister(_ register: UInt8, _ value: UInt32) {
    if register == Self.idRegister {
      chip.id = value & Self.idMask
      return
    }
    guard let (input, shift) = redirection(register) else { return }
    let mask = (UInt64(UInt32.max) << shift) & Self.writable
    var entry = (chip.redirections[input] & ~mask) | (UInt64(value) << shift & mask)
    // An edge-triggered entry has no remote IRR; guests switch to edge and back to drop it.
    if entry & Self.levelTriggered == 0 { entry &= ~Self.remoteIRR }
    chip.redirections[input] = entry
    serviceLevel(input)
  }

  /// Input and bit shift of a register of the redirection table.
  private func redirection(_ register: UInt8) -> (input: Int, shift: UInt64)? {
    guard register >= Self.redirectionTable else { return nil }
    let index = Int(register - Self.redirectionTable)
    guard index < 2 * Self.inputCount else { return nil }
    return (index >> 1, index & 1 == 0 ? 0 : 32)
  }
}
