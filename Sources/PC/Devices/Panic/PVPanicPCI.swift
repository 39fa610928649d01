/// QEMU's pvpanic-pci: the same register as `PVPanicISA`, as two bytes of memory behind BAR 0.
public final class PVPanicPCI: PCIFunction {
  static let registerSize: UInt64 = 2

  /// The mask of `PVPanicEvent` that a read shows; limits nothing else.
  public let events: UInt8
  /// The guest wrote these bits, unknown ones included. Called from within the store.
  public var onEvent: ((UInt8) -> Void)? {
    get { register.onEvent }
    set { register.onEvent = newValue }
  }
  private let register: Register

  public init(events: UInt8 = PVPanicEvent.all) {
    self.events = events
    register = Register(events: events)
    super.init(vendorID: 0x1B36, deviceID: 0x0011, revision: 1, classCode: 0x088000)
    addBAR(
      0, kind: .memory32(prefetchable: false), size: Self.registerSize, name: "pvpanic-pci",
      memory: register)
  }

  private final class Register: MemoryMappedDevice {
    let events: UInt8
    var onEvent: ((UInt8) -> Void)?

    init(events: UInt8) { self.events = events }

    func readMemory(offset: UInt64, size: Int) -> UInt64 { offset == 0 ? UInt64(events) : 0 }

    func writeMemory(offset: UInt64, size: Int, value: UInt64) {
      if offset == 0 { onEvent?(UInt8(truncatingIfNeeded: value)) }
    }
  }
}
