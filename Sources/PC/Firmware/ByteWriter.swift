/// Little-endian bytes, written in order: what tables, headers and AML are made of.
public struct ByteWriter {
  public private(set) var bytes: [UInt8] = []
  public var count: Int { bytes.count }

  public init() {}

  public mutating func u8(_ value: UInt8) { bytes.append(value) }
  public mutating func u16(_ value: UInt16) { integer(value) }
  public mutating func u32(_ value: UInt32) { integer(value) }
  public mutating func u64(_ value: UInt64) { integer(value) }
  public mutating func raw(_ other: [UInt8]) { bytes += other }
  public mutating func zeros(_ count: Int) { bytes += [UInt8](repeating: 0, count: count) }
  /// ASCII, cut or padded with `padding` to `length`.
  public mutating func text(_ text: String, length: Int, padding: UInt8 = 0) {
    let ascii = Array(text.utf8.prefix(length))
    bytes += ascii + [UInt8](repeating: padding, count: length - ascii.count)
  }
  public mutating func align(_ alignment: Int) {
    while bytes.count % alignment != 0 { bytes.append(0) }
  }

  private mutating func integer<T: FixedWidthInteger>(_ value: T) {
    for i in 0..<MemoryLayout<T>.size { bytes.append(UInt8(truncatingIfNeeded: value >> T(8 * i))) }
  }
}

/// Little-endian values at offsets of untrusted bytes: nil past the end.
public struct ByteReader {
  public let bytes: [UInt8]

  public init(_ bytes: [UInt8]) { self.bytes = bytes }

  public func u8(_ offset: Int) -> UInt8? { integer(offset) }
  public func u16(_ offset: Int) -> UInt16? { integer(offset) }
  public func u32(_ offset: Int) -> UInt32? { integer(offset) }
  public func u64(_ offset: Int) -> UInt64? { integer(offset) }

  /// `count` bytes from `offset`, nil unless all of them are there.
  public func slice(_ offset: UInt64, _ count: UInt64) -> ArraySlice<UInt8>? {
    let (end, overflow) = offset.addingReportingOverflow(count)
    guard !overflow, end <= UInt64(bytes.count) else { return nil }
    return bytes[Int(offset)..<Int(end)]
  }

  private func integer<T: FixedWidthInteger & UnsignedInteger>(_ offset: Int) -> T? {
    let size = MemoryLayout<T>.size
    guard offset >= 0, offset <= bytes.count - size else { return nil }
    var value: T = 0
    for i in 0..<size { value |= T(bytes[offset + i]) << T(8 * i) }
    return value
  }
}
