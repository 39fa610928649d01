/// The events that a guest reports through pvpanic (QEMU's specification "PVPANIC DEVICE").
public enum PVPanicEvent {
  /// The guest panicked and nothing in it will handle that.
  public static let panicked: UInt8 = 0x01
  /// The guest panicked and goes on in a crash kernel of its own.
  public static let crashLoaded: UInt8 = 0x02
  /// The guest asks for an orderly shutdown.
  public static let shutdown: UInt8 = 0x04
  public static let all: UInt8 = 0x07
}

/// QEMU's pvpanic device on the ISA bus: one port, by default 0x505. Reading shows which events the machine
/// understands, writing reports one.
public final class PVPanicISA: PortDevice {
  public static let defaultPort: UInt16 = 0x505

  public struct State: Codable, Equatable {
    /// The mask that a read shows; limits nothing else.
    public var events: UInt8
  }
  public var state: State

  /// The guest wrote these bits, unknown ones included. Called from within the OUT.
  public var onEvent: ((UInt8) -> Void)?

  /// - Parameter events: mask of `PVPanicEvent` that the guest is shown.
  public init(events: UInt8 = PVPanicEvent.all) { state = State(events: events) }

  public func readPort(offset: UInt16, size: Int) -> UInt32 { UInt32(state.events) }

  public func writePort(offset: UInt16, size: Int, value: UInt32) {
    onEvent?(UInt8(truncatingIfNeeded: value))
  }
}
