/// A device that answers on I/O ports. It does not know where: it sees offsets from its first port.
public protocol PortDevice: AnyObject {
  /// - Parameters:
  ///   - offset: from the first port of the mapped range.
  ///   - size: 1, 2 or 4 bytes; the bus never lets an access reach past the range.
  func readPort(offset: UInt16, size: Int) -> UInt32
  func writePort(offset: UInt16, size: Int, value: UInt32)
}

/// A device that answers in guest-physical memory. It sees offsets from the start of its range.
public protocol MemoryMappedDevice: AnyObject {
  /// - Parameter size: 1, 2, 4 or 8 bytes.
  func readMemory(offset: UInt64, size: Int) -> UInt64
  func writeMemory(offset: UInt64, size: Int, value: UInt64)
}

/// Two devices claim the same addresses.
public struct BusOverlap: Error, CustomStringConvertible {
  public let range: String
  public let claimant: String
  public let owner: String
  public var description: String { "\(claimant) cannot have \(range): \(owner) is there" }
}

/// The 65,536 I/O ports. Reads where nobody answers give all ones, writes there go nowhere.
public final class PortBus {
  struct Mapping {
    let first: UInt16
    let device: PortDevice
    let name: String
  }
  private var mappings: [Mapping] = []
  /// Index into `mappings` + 1 for each port; 0 where nobody answers.
  private var owner = [UInt16](repeating: 0, count: 65536)

  public init() {}

  /// - Throws: `BusOverlap` when one of the ports is taken.
  public func map(_ ports: ClosedRange<UInt16>, to device: PortDevice, name: String) throws {
    for port in ports where owner[Int(port)] != 0 {
      throw BusOverlap(
        range: "ports 0x\(String(ports.lowerBound, radix: 16))–0x\(String(ports.upperBound, radix: 16))",
        claimant: name, owner: mappings[Int(owner[Int(port)]) - 1].name)
    }
    mappings.append(Mapping(first: ports.lowerBound, device: device, name: name))
    for port in ports { owner[Int(port)] = UInt16(mappings.count) }
  }

  /// Frees ports, as when a PCI BAR moves. Ports that nobody has are left alone.
  /// What lies where, in order of address.
  public var regions: [(ports: ClosedRange<UInt16>, name: String)] {
    var regions: [(ports: ClosedRange<UInt16>, name: String)] = []
    var port = 0
    while port < owner.count {
      var end = port
      while end + 1 < owner.count, owner[end + 1] == owner[port] { end += 1 }
      let index = Int(owner[port])
      if index > 0, index <= mappings.count { regions.append((UInt16(port)...UInt16(end), mappings[index - 1].name)) }
      port = end + 1
    }
    return regions
  }

  public func unmap(_ ports: ClosedRange<UInt16>) {
    for port in ports { owner[Int(port)] = 0 }
  }

  /// Reads 1, 2 or 4 bytes. An access that spans devices is split into bytes.
  public func read(_ port: UInt16, size: Int) -> UInt32 {
    let index = owner[Int(port)]
    let last = Int(port) + size - 1
    if last <= 0xFFFF, owner[last] == index {
      guard index != 0 else { return size == 4 ? .max : (1 << UInt32(8 * size)) - 1 }
      let mapping = mappings[Int(index) - 1]
      return mapping.device.readPort(offset: port - mapping.first, size: size)
    }
    var value: UInt32 = 0
    for i in 0..<size { value |= read(port &+ UInt16(i), size: 1) << UInt32(8 * i) }
    return value
  }

  public func write(_ port: UInt16, size: Int, value: UInt32) {
    let index = owner[Int(port)]
    let last = Int(port) + size - 1
    if last <= 0xFFFF, owner[last] == index {
      guard index != 0 else { return }
      let mapping = mappings[Int(index) - 1]
      mapping.device.writePort(offset: port - mapping.first, size: size, value: value)
      return
    }
    for i in 0..<size { write(port &+ UInt16(i), size: 1, value: (value >> UInt32(8 * i)) & 0xFF) }
  }
}

/// Guest-physical memory that is not RAM. Reads where nobody answers give all ones.
public final class MemoryBus {
  struct Mapping {
    let range: Range<UInt64>
    let device: MemoryMappedDevice
    let name: String
  }
  private var mappings: [Mapping] = []

  public init() {}

  /// - Throws: `BusOverlap` when part of the range is taken.
  public func map(_ range: Range<UInt64>, to device: MemoryMappedDevice, name: String) throws {
    if let other = mappings.first(where: { $0.range.overlaps(range) }) {
      throw BusOverlap(
        range: "0x\(String(range.lowerBound, radix: 16))–0x\(String(range.upperBound - 1, radix: 16))",
        claimant: name, owner: other.name)
    }
    mappings.append(Mapping(range: range, device: device, name: name))
  }

  /// What lies where, in order of address.
  public var regions: [(range: Range<UInt64>, name: String)] {
    mappings.map { ($0.range, $0.name) }.sorted { $0.range.lowerBound < $1.range.lowerBound }
  }

  public func unmap(_ range: Range<UInt64>) {
    mappings.removeAll { $0.range == range }
  }

  public func read(_ address: UInt64, size: Int) -> UInt64 {
    guard let mapping = mappings.first(where: { $0.range.contains(address) }),
      address - mapping.range.lowerBound <= UInt64(mapping.range.count) - UInt64(size)
    else { return size == 8 ? .max : (1 << UInt64(8 * size)) - 1 }
    return mapping.device.readMemory(offset: address - mapping.range.lowerBound, size: size)
  }

  public func write(_ address: UInt64, size: Int, value: UInt64) {
    guard let mapping = mappings.first(where: { $0.range.contains(address) }),
      address - mapping.range.lowerBound <= UInt64(mapping.range.count) - UInt64(size)
    else { return }
    mapping.device.writeMemory(offset: address - mapping.range.lowerBound, size: size, value: value)
  }
}
