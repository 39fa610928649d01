/// QEMU's isa-debug-exit: a write ends the run with status `(value << 1) | 1`, so that a test in the guest can
/// tell its result.
public final class ISADebugExit: PortDevice {
  public static let defaultPort: UInt16 = 0x501
  /// Number of ports by default.
  public static let defaultPortCount: UInt16 = 2

  public struct State: Codable, Equatable {}
  public var state = State()
  /// The guest asks for the end of the run.
  /// - Parameter status: exit status, always odd.
  public var onExit: ((UInt32) -> Void)?

  public init() {}

  public func readPort(offset: UInt16, size: Int) -> UInt32 { 0 }

  public func writePort(offset: UInt16, size: Int, value: UInt32) { onExit?(value << 1 | 1) }
}
