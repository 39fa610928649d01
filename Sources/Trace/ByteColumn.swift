/// A growing run of bytes that variable-length numbers are appended to. Freed by its owner.
struct ByteColumn {
  private(set) var base: UnsafeMutablePointer<UInt8>
  private(set) var count = 0
  private var capacity: Int

  init(capacity: Int = 4096) {
    base = .allocate(capacity: capacity)
    self.capacity = capacity
  }

  func free() { base.deallocate() }
  mutating func removeAll() { count = 0 }
  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

  @inline(__always)
  private mutating func reserve(_ extra: Int) {
    if _slowPath(capacity &- count < extra) { grow(extra) }
  }

  @inline(never)
  private mutating func grow(_ extra: Int) {
    let larger = max(capacity * 2, count + extra)
    let new = UnsafeMutablePointer<UInt8>.allocate(capacity: larger)
    new.update(from: base, count: count)
    base.deallocate()
    base = new
    capacity = larger
  }

  @inline(__always)
  mutating func append(byte: UInt8) {
    reserve(1)
    base[count] = byte
    count &+= 1
  }

  /// LEB128: seven bits per byte, least significant first, bit 7 set on all but the last.
  @inline(__always)
  mutating func append(_ value: UInt64) {
    reserve(10)
    var rest = value
    while rest >= 0x80 {
      base[count] = UInt8(truncatingIfNeeded: rest) | 0x80
      count &+= 1
      rest &>>= 7
    }
    base[count] = UInt8(truncatingIfNeeded: rest)
    count &+= 1
  }

  mutating func append(signed value: Int64) { append(zigzag(value)) }

  mutating func append(raw bytes: UnsafeRawBufferPointer) {
    guard let source = bytes.baseAddress, bytes.count > 0 else { return }
    reserve(bytes.count)
    UnsafeMutableRawPointer(base + count).copyMemory(from: source, byteCount: bytes.count)
    count += bytes.count
  }
}

@inline(__always) func zigzag(_ value: Int64) -> UInt64 { UInt64(bitPattern: (value &<< 1) ^ (value &>> 63)) }
@inline(__always) func unzigzag(_ value: UInt64) -> Int64 {
  Int64(bitPattern: value &>> 1) ^ (0 &- Int64(bitPattern: value & 1))
}

/// Content that breaks the format's rules; the reader adds file and offset.
struct MalformedContent: Error {
  let reason: String
  init(_ reason: String) { self.reason = reason }
}

/// Reads numbers from a part of a frame's content. Never reads past its end.
struct ByteCursor {
  private let bytes: [UInt8]
  private var position: Int
  private let end: Int

  /// - Parameter range: must lie in `bytes`.
  init(_ bytes: [UInt8], _ range: Range<Int>) {
    self.bytes = bytes
    position = range.lowerBound
    end = range.upperBound
  }

  init(_ bytes: [UInt8]) { self.init(bytes, 0..<bytes.count) }

  var remaining: Int { end - position }
  var offset: Int { position }

  mutating func byte() throws -> UInt8 {
    guard position < end else { throw MalformedContent("an event reaches past the end of its frame") }
    position += 1
    return bytes[position - 1]
  }

  mutating func number() throws -> UInt64 {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while true {
      let byte = try byte()
      guard shift < 63 || byte <= 1 else { throw MalformedContent("a number has more than 64 bits") }
      value |= UInt64(byte & 0x7F) &<< shift
      if byte & 0x80 == 0 { return value }
      shift += 7
    }
  }

  mutating func number<T: FixedWidthInteger>(as type: T.Type) throws -> T {
    guard let value = T(exactly: try number()) else { throw MalformedContent("a number is out of range") }
    return value
  }

  mutating func signed() throws -> Int64 { unzigzag(try number()) }

  mutating func raw(_ count: UInt64) throws -> ArraySlice<UInt8> {
    guard count <= UInt64(remaining) else {
      throw MalformedContent("bytes reach past the end of their frame")
    }
    position += Int(count)
    return bytes[position - Int(count)..<position]
  }

  mutating func fixed<T: FixedWidthInteger>(_ type: T.Type) throws -> T {
    var value: T = 0
    for i in 0..<MemoryLayout<T>.size {
      value |= T(truncatingIfNeeded: try byte()) &<< T(truncatingIfNeeded: 8 * i)
    }
    return value
  }
}
