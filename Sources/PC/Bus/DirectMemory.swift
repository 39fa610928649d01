import X86Core

/// Memory as a device reaches it by itself: RAM, and nothing else.
public final class DirectMemory {
  private let memory: GuestMemory
  public init(_ memory: GuestMemory) { self.memory = memory }

  /// - Returns: nil unless all of it is RAM.
  public func read(_ address: UInt64, count: Int) -> [UInt8]? { memory.read(address, count: count) }
  /// - Returns: false, with nothing written, unless all of it is RAM.
  @discardableResult
  public func write(_ address: UInt64, _ bytes: [UInt8]) -> Bool { memory.write(address, bytes) }
}
