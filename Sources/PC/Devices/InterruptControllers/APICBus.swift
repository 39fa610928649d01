/// How an interrupt message is to be taken (SDM 3A 11.6.1, 82093AA redirection table bits 10…8).
public enum APICDeliveryMode: UInt8, Codable, Sendable {
  case fixed = 0
  case lowestPriority = 1
  case smi = 2
  case reserved = 3
  case nmi = 4
  case initialize = 5
  case startUp = 6
  case externalInterrupt = 7
}

/// One interrupt message between APICs, or of a device (MSI).
public struct APICMessage: Codable, Equatable, Sendable {
  /// Reaches every processor in physical mode.
  public static let broadcast: UInt32 = .max

  public var vector: UInt8
  public var deliveryMode: APICDeliveryMode
  public var isLogical: Bool
  public var isLevelTriggered: Bool
  public var destination: UInt32

  public init(
    vector: UInt8, deliveryMode: APICDeliveryMode = .fixed, isLogical: Bool = false,
    isLevelTriggered: Bool = false, destination: UInt32
  ) {
    self.vector = vector
    self.deliveryMode = deliveryMode
    self.isLogical = isLogical
    self.isLevelTriggered = isLevelTriggered
    self.destination = destination
  }

  /// Low word of a redirection entry, of an ICR, or of MSI data, which share bits 0…10 and 15, with an 8-bit
  /// destination.
  init(low: UInt32, isLogical: Bool, destination8: UInt8) {
    vector = UInt8(truncatingIfNeeded: low)
    deliveryMode = APICDeliveryMode(rawValue: UInt8(low >> 8 & 7)) ?? .reserved
    self.isLogical = isLogical
    isLevelTriggered = low & 1 << 15 != 0
    // 0xFF means all in physical mode; in logical mode the receivers see to it.
    destination = !isLogical && destination8 == 0xFF ? Self.broadcast : UInt32(destination8)
  }

  /// A memory write of a device to the interrupt range (SDM 3A 11.11).
  public init(msiAddress: UInt64, data: UInt32) {
    self.init(
      low: data, isLogical: msiAddress & 1 << 2 != 0,
      destination8: UInt8(truncatingIfNeeded: msiAddress >> 12))
    // Redirection hint: one processor out of the destination.
    if msiAddress & 1 << 3 != 0, deliveryMode == .fixed, isLogical { deliveryMode = .lowestPriority }
  }
}

/// What carries messages between local APICs and IOAPICs, without delay and in order.
public final class APICBus {
  /// In order of APIC id.
  public private(set) var localAPICs: [LocalAPIC] = []
  private var ioAPICs: [IOAPIC] = []

  public init() {}

  func attach(_ apic: LocalAPIC) {
    localAPICs.append(apic)
    localAPICs.sort { $0.id < $1.id }
  }

  func attach(_ ioapic: IOAPIC) { ioAPICs.append(ioapic) }

  /// Delivers to all processors that the destination names; lowest priority to the one with the lowest id among
  /// those that accept.
  /// - Returns: whether a processor has accepted it.
  @discardableResult
  public func send(_ message: APICMessage) -> Bool {
    send(message) { $0.matches(message) }
  }

  @discardableResult
  func send(_ message: APICMessage, where isDestination: (LocalAPIC) -> Bool) -> Bool {
    var accepted = false
    for apic in localAPICs where isDestination(apic) {
      if apic.deliver(message) {
        accepted = true
        if message.deliveryMode == .lowestPriority { break }
      }
    }
    return accepted
  }

  /// A device's message-signalled interrupt.
  @discardableResult
  public func sendMSI(address: UInt64, data: UInt32) -> Bool {
    send(APICMessage(msiAddress: address, data: data))
  }

  /// End of a level-triggered interrupt.
  func broadcastEOI(_ vector: UInt8) {
    for ioapic in ioAPICs { ioapic.endOfInterrupt(vector) }
  }

  /// A local APIC accepts now what it did not before.
  func retry() {
    for ioapic in ioAPICs { ioapic.service() }
  }
}
