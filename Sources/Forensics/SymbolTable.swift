/// Names of addresses, decoded from a kernel's kallsyms or a module's symbol table.
public struct SymbolTable: Sendable {
  public struct Symbol: Equatable, Sendable {
    public var name: String
    public var address: UInt64
    /// To the next symbol; 0 for the last one.
    public var size: UInt64
    /// As `nm` prints it: `T`, `t`, `D`, …
    public var type: UInt8
  }

  /// Ascending; symbols with the same address are in the kernel's order.
  private var addresses: [UInt64] = []
  private var nameStarts: [UInt32] = []
  private var types: [UInt8] = []
  private var names: [UInt8] = []
  /// Open addressing over hashes of names: symbol number + 1, 0 for empty.
  private var buckets: [UInt32] = []

  public var count: Int { addresses.count }
  public var isEmpty: Bool { addresses.isEmpty }
  public var range: ClosedRange<UInt64>? { isEmpty ? nil : addresses.first!...addresses.last! }

  init(addresses: [UInt64], nameStarts: [UInt32], types: [UInt8], names: [UInt8]) {
    precondition(addresses.count == types.count && nameStarts.count == addresses.count + 1)
    if zip(addresses, addresses.dropFirst()).allSatisfy({ $0 <= $1 }) {
      (self.addresses, self.nameStarts, self.types, self.names) = (addresses, nameStarts, types, names)
    } else {
      let order = addresses.indices.sorted { (addresses[$0], $0) < (addresses[$1], $1) }
      self.nameStarts = [0]
      for index in order {
        self.addresses.append(addresses[index])
        self.types.append(types[index])
        self.names += names[Int(nameStarts[index])..<Int(nameStarts[index + 1])]
        self.nameStarts.append(UInt32(self.names.count))
      }
    }
    var size = 16
    while size < 2 * self.addresses.count { size *= 2 }
    var buckets = [UInt32](repeating: 0, count: size)
    self.names.withUnsafeBufferPointer { bytes in
      for index in 0..<self.addresses.count {
        let name = UnsafeBufferPointer(rebasing: bytes[Int(self.nameStarts[index])..<Int(self.nameStarts[index + 1])])
        var place = Self.hash(name) & (size - 1)
        while buckets[place] != 0 { place = (place + 1) & (size - 1) }
        buckets[place] = UInt32(index + 1)
      }
    }
    self.buckets = buckets
  }

  /// A table from pairs, for modules.
  init(_ symbols: [(name: String, address: UInt64, type: UInt8)]) {
    var names: [UInt8] = []
    var starts: [UInt32] = [0]
    for symbol in symbols {
      names += symbol.name.utf8
      starts.append(UInt32(names.count))
    }
    self.init(addresses: symbols.map(\.address), nameStarts: starts, types: symbols.map(\.type), names: names)
  }

  private static func hash(_ bytes: some Sequence<UInt8>) -> Int {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325  // FNV-1a
    for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    return Int(truncatingIfNeeded: (hash ^ hash >> 32) & 0x7FFF_FFFF)
  }

  private func name(_ index: Int) -> ArraySlice<UInt8> { names[Int(nameStarts[index])..<Int(nameStarts[index + 1])] }

  public subscript(_ index: Int) -> Symbol {
    var next = index + 1
    while next < addresses.count, addresses[next] == addresses[index] { next += 1 }
    return Symbol(
      name: String(decoding: name(index), as: UTF8.self), address: addresses[index],
      size: next < addresses.count ? addresses[next] - addresses[index] : 0, type: types[index])
  }

  /// The address of the first symbol with this name.
  public func address(of wanted: String) -> UInt64? {
    guard !buckets.isEmpty else { return nil }
    let bytes = Array(wanted.utf8)
    var place = Self.hash(bytes) & (buckets.count - 1)
    var found: Int?
    while buckets[place] != 0 {
      let index = Int(buckets[place]) - 1
      if name(index).elementsEqual(bytes), index < found ?? .max { found = index }
      place = (place + 1) & (buckets.count - 1)
    }
    return found.map { addresses[$0] }
  }

  /// The symbol at or before an address, the first of those that share its address, as the kernel chooses.
  public func symbol(at address: UInt64) -> Symbol? {
    var low = 0
    var high = addresses.count
    while low < high {
      let middle = (low + high) / 2
      if addresses[middle] <= address { low = middle + 1 } else { high = middle }
    }
    guard low > 0 else { return nil }
    var index = low - 1
    while index > 0, addresses[index - 1] == addresses[index] { index -= 1 }
    return self[index]
  }

  /// All symbols whose name satisfies a condition, in order of addresses.
  public func all(where isWanted: (String) -> Bool) -> [Symbol] {
    addresses.indices.compactMap {
      isWanted(String(decoding: name($0), as: UTF8.self)) ? self[$0] : nil
    }
  }
}
