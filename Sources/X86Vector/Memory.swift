import X86Core

/// How wide a memory operand is and whether it must be aligned.
protocol MemorySource {
  static var size: Int { get }
  /// Reads at a host address; narrow values have zeros above.
  static func load(_ host: UnsafeRawPointer) -> V128
  /// Whether the fast way may be taken for this linear address.
  static func suits(_ linear: UInt64) -> Bool
  /// Reads with every check. nil: fault recorded.
  static func read(_ c: CPU, _ o: OpRef) -> V128?
}
/// 16 bytes, which must be aligned, as legacy SSE asks of nearly every operand (SDM 1 10.4.1.1).
enum Aligned: MemorySource {
  @inline(__always) static var size: Int { 16 }
  @inline(__always) static func load(_ host: UnsafeRawPointer) -> V128 { host.loadUnaligned(as: V128.self) }
  @inline(__always) static func suits(_ linear: UInt64) -> Bool { linear & 15 == 0 }
  @inline(__always) static func read(_ c: CPU, _ o: OpRef) -> V128? { c.readVector(o, aligned: true) }
}
/// 16 bytes anywhere.
enum Unaligned: MemorySource {
  @inline(__always) static var size: Int { 16 }
  @inline(__always) static func load(_ host: UnsafeRawPointer) -> V128 { host.loadUnaligned(as: V128.self) }
  @inline(__always) static func suits(_ linear: UInt64) -> Bool { true }
  @inline(__always) static func read(_ c: CPU, _ o: OpRef) -> V128? { c.readVector(o, aligned: false) }
}
extension MemorySource where Self: FixedWidthInteger {
  @inline(__always) static var size: Int { MemoryLayout<Self>.size }
  @inline(__always) static func load(_ host: UnsafeRawPointer) -> V128 {
    V128(low: UInt64(truncatingIfNeeded: host.loadUnaligned(as: Self.self)))
  }
  @inline(__always) static func suits(_ linear: UInt64) -> Bool { true }
  @inline(__always) static func read(_ c: CPU, _ o: OpRef) -> V128? {
    guard let value = c.readOperand(o, Self.self) else { return nil }
    return V128(low: UInt64(truncatingIfNeeded: value))
  }
}
extension UInt8: MemorySource {}
extension UInt16: MemorySource {}
extension UInt32: MemorySource {}
extension UInt64: MemorySource {}

extension CPU {
  /// Host address of a 16-byte operand for the fast way, else nil.
  @inline(__always)
  func fastRead<M: MemorySource, F: AddressForm>(_ o: OpRef, _: M.Type, _: F.Type) -> UnsafeRawPointer? {
    let linear = F.linear(self, o)
    guard M.suits(linear), let host = readHit(linear, M.size) else { return nil }
    return UnsafeRawPointer(host)
  }

  /// Linear address of a 16-byte operand with every check. nil: fault recorded.
  func vectorAddress(_ o: OpRef, aligned: Bool, write: Bool) -> UInt64? {
    guard let linear = checkedAddress(o, size: 16, write: write) else { return nil }
    if aligned && linear & 15 != 0 {
      fault(Vector.gp, code: 0)
      return nil
    }
    return alignmentFaults(linear, 16) ? nil : linear
  }

  /// Reads 16 bytes with every check. nil: fault recorded.
  @inline(never)
  func readVector(_ o: OpRef, aligned: Bool) -> V128? {
    guard let linear = vectorAddress(o, aligned: aligned, write: false),
      let low = read(linear, UInt64.self, dataAccess(write: false)),
      let high = read(linear &+ 8, UInt64.self, dataAccess(write: false))
    else { return nil }
    return V128(low, high)
  }

  /// Writes 16 bytes with every check. False: fault recorded, nothing written.
  @inline(never)
  func writeVector(_ o: OpRef, _ value: V128, aligned: Bool) -> Bool {
    guard let linear = vectorAddress(o, aligned: aligned, write: true),
      probeWrite(linear, 16, dataAccess(write: true))
    else { return false }
    return write(linear, value[0], dataAccess(write: true))
      && write(linear &+ 8, value[1], dataAccess(write: true))
  }
}
