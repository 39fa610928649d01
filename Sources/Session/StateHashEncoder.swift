/// Hashes any `Encodable` value: each number and string in the order in which the value encodes it, keys left out.
/// The values must not encode dictionaries or sets, whose order is not fixed.
struct StateHashEncoder: Encoder {
  final class Accumulator { var hash = StateHash() }
  let accumulator: Accumulator
  var codingPath: [CodingKey] { [] }
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  /// The hash of a value.
  static func hash<T: Encodable>(_ value: T) throws -> UInt64 {
    let accumulator = Accumulator()
    try value.encode(to: StateHashEncoder(accumulator: accumulator))
    return accumulator.hash.value
  }

  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
    KeyedEncodingContainer(Keyed(accumulator: accumulator))
  }
  func unkeyedContainer() -> UnkeyedEncodingContainer { Unkeyed(accumulator: accumulator) }
  func singleValueContainer() -> SingleValueEncodingContainer { Single(accumulator: accumulator) }

  /// What the three kinds of containers do alike.
  fileprivate static func add<T: Encodable>(_ value: T, to accumulator: Accumulator) throws {
    switch value {
    case let value as UInt64: accumulator.hash.add(value)
    case let value as UInt8: accumulator.hash.add(UInt64(value))
    case let value as UInt16: accumulator.hash.add(UInt64(value))
    case let value as UInt32: accumulator.hash.add(UInt64(value))
    case let value as UInt: accumulator.hash.add(UInt64(value))
    case let value as Int: accumulator.hash.add(UInt64(bitPattern: Int64(value)))
    case let value as Int64: accumulator.hash.add(UInt64(bitPattern: value))
    case let value as Bool: accumulator.hash.add(value ? 1 : 0)
    case let value as String: accumulator.hash.add(bytes: value.utf8)
    case let value as [UInt8]: accumulator.hash.add(bytes: value)
    case let value as [UInt64]:
      accumulator.hash.add(UInt64(value.count))
      for word in value { accumulator.hash.add(word) }
    default: try value.encode(to: StateHashEncoder(accumulator: accumulator))
    }
  }

  private struct Keyed<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let accumulator: Accumulator
    var codingPath: [CodingKey] { [] }
    mutating func encodeNil(forKey key: Key) { accumulator.hash.add(0x6E69_6C00) }
    // An absent optional is told apart from the member that follows it.
    mutating func encodeIfPresent<T: Encodable>(_ value: T?, forKey key: Key) throws {
      if let value { try encode(value, forKey: key) } else { encodeNil(forKey: key) }
    }
    mutating func encode<T: Encodable>(_ value: T, forKey key: Key) throws {
      try StateHashEncoder.add(value, to: accumulator)
    }
    mutating func nestedContainer<NestedKey: CodingKey>(keyedBy keyType: NestedKey.Type, forKey key: Key)
      -> KeyedEncodingContainer<NestedKey>
    { KeyedEncodingContainer(Keyed<NestedKey>(accumulator: accumulator)) }
    mutating func nestedUnkeyedContainer(forKey key: Key) -> UnkeyedEncodingContainer {
      Unkeyed(accumulator: accumulator)
    }
    mutating func superEncoder() -> Encoder { StateHashEncoder(accumulator: accumulator) }
    mutating func superEncoder(forKey key: Key) -> Encoder { StateHashEncoder(accumulator: accumulator) }
  }

  private struct Unkeyed: UnkeyedEncodingContainer {
    let accumulator: Accumulator
    var codingPath: [CodingKey] { [] }
    var count = 0
    mutating func encodeNil() {
      count += 1
      accumulator.hash.add(0x6E69_6C00)
    }
    mutating func encode<T: Encodable>(_ value: T) throws {
      // Where one element ends and the next begins is told by their places.
      accumulator.hash.add(UInt64(count))
      count += 1
      try StateHashEncoder.add(value, to: accumulator)
    }
    mutating func nestedContainer<NestedKey: CodingKey>(keyedBy keyType: NestedKey.Type)
      -> KeyedEncodingContainer<NestedKey>
    {
      count += 1
      return KeyedEncodingContainer(Keyed<NestedKey>(accumulator: accumulator))
    }
    mutating func nestedUnkeyedContainer() -> UnkeyedEncodingContainer {
      count += 1
      return Unkeyed(accumulator: accumulator)
    }
    mutating func superEncoder() -> Encoder { StateHashEncoder(accumulator: accumulator) }
  }

  private struct Single: SingleValueEncodingContainer {
    let accumulator: Accumulator
    var codingPath: [CodingKey] { [] }
    mutating func encodeNil() { accumulator.hash.add(0x6E69_6C00) }
    mutating func encode(_ value: Bool) { accumulator.hash.add(value ? 1 : 0) }
    mutating func encode(_ value: String) { accumulator.hash.add(bytes: value.utf8) }
    mutating func encode(_ value: Double) { accumulator.hash.add(value.bitPattern) }
    mutating func encode(_ value: Float) { accumulator.hash.add(UInt64(value.bitPattern)) }
    mutating func encode(_ value: Int) { accumulator.hash.add(UInt64(bitPattern: Int64(value))) }
    mutating func encode(_ value: Int8) { accumulator.hash.add(UInt64(bitPattern: Int64(value))) }
    mutating func encode(_ value: Int16) { accumulator.hash.add(UInt64(bitPattern: Int64(value))) }
    mutating func encode(_ value: Int32) { accumulator.hash.add(UInt64(bitPattern: Int64(value))) }
    mutating func encode(_ value: Int64) { accumulator.hash.add(UInt64(bitPattern: value)) }
    mutating func encode(_ value: UInt) { accumulator.hash.add(UInt64(value)) }
    mutating func encode(_ value: UInt8) { accumulator.hash.add(UInt64(value)) }
    mutating func encode(_ value: UInt16) { accumulator.hash.add(UInt64(value)) }
    mutating func encode(_ value: UInt32) { accumulator.hash.add(UInt64(value)) }
    mutating func encode(_ value: UInt64) { accumulator.hash.add(value) }
    mutating func encode<T: Encodable>(_ value: T) throws {
      try value.encode(to: StateHashEncoder(accumulator: accumulator))
    }
  }
}
