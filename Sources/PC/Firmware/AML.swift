/// ACPI Machine Language, as far as a board describes itself with it (ACPI 6.5 chapter 20). Each function gives
/// the bytes of one term; terms nest by concatenation.
enum AML {
  typealias Bytes = [UInt8]

  // MARK: Names and data

  /// A name: segments of up to four characters, separated by dots, after `\` for the root.
  static func path(_ path: String) -> Bytes {
    var rest = Array(path.utf8)
    var bytes = Bytes()
    if rest.first == UInt8(ascii: "\\") { bytes.append(rest.removeFirst()) }
    let segments = rest.split(separator: UInt8(ascii: "."))
    switch segments.count {
    case 0: return bytes + [0x00]
    case 1: break
    case 2: bytes.append(0x2E)
    default: bytes += [0x2F, UInt8(truncatingIfNeeded: segments.count)]
    }
    for segment in segments {
      bytes += segment.prefix(4)
      bytes += Bytes(repeating: UInt8(ascii: "_"), count: max(0, 4 - segment.count))
    }
    return bytes
  }

  static func integer(_ value: UInt64) -> Bytes {
    var writer = ByteWriter()
    switch value {
    case 0: writer.u8(0x00)
    case 1: writer.u8(0x01)
    case 2...0xFF:
      writer.u8(0x0A)
      writer.u8(UInt8(value))
    case 0x100...0xFFFF:
      writer.u8(0x0B)
      writer.u16(UInt16(value))
    case 0x1_0000...0xFFFF_FFFF:
      writer.u8(0x0C)
      writer.u32(UInt32(value))
    default:
      writer.u8(0x0E)
      writer.u64(value)
    }
    return writer.bytes
  }

  static func string(_ text: String) -> Bytes { [0x0D] + Bytes(text.utf8) + [0] }

  /// A compressed PNP identifier, as `PNP0A03`: three letters of five bits, four hexadecimal digits, big-endian.
  static func eisaID(_ id: String) -> Bytes {
    let characters = Bytes(id.utf8)
    var value: UInt32 = 0
    for letter in characters.prefix(3) { value = value << 5 | UInt32(letter & 0x1F) }
    value = value << 16 | (UInt32(id.dropFirst(3), radix: 16) ?? 0)
    return [0x0C] + (0..<4).map { UInt8(truncatingIfNeeded: value >> UInt32(24 - 8 * $0)) }
  }

  static func buffer(_ content: Bytes) -> Bytes {
    [0x11] + withLength(integer(UInt64(content.count)) + content)
  }

  static func package(_ elements: [Bytes]) -> Bytes {
    [0x12] + withLength([UInt8(truncatingIfNeeded: elements.count)] + elements.flatMap { $0 })
  }

  // MARK: Objects

  static func name(_ name: String, _ value: Bytes) -> Bytes { [0x08] + path(name) + value }
  static func scope(_ name: String, _ terms: [Bytes]) -> Bytes {
    [0x10] + withLength(path(name) + terms.flatMap { $0 })
  }
  static func device(_ name: String, _ terms: [Bytes]) -> Bytes {
    [0x5B, 0x82] + withLength(path(name) + terms.flatMap { $0 })
  }

  /// PkgLength counts itself (20.2.4).
  private static func withLength(_ content: Bytes) -> Bytes {
    if content.count + 1 < 0x40 { return [UInt8(content.count + 1)] + content }
    var extra = 1
    while content.count + 1 + extra >= 1 << (4 + 8 * extra) { extra += 1 }
    let length = content.count + 1 + extra
    var bytes = [UInt8(extra << 6 | length & 0xF)]
    for i in 0..<extra { bytes.append(UInt8(truncatingIfNeeded: length >> (4 + 8 * i))) }
    return bytes + content
  }
}

/// Resource descriptors (ACPI 6.5 section 6.4).
extension AML {
  /// A `_CRS` of these descriptors.
  static func resources(_ descriptors: [Bytes]) -> Bytes {
    name("_CRS", buffer(descriptors.flatMap { $0 } + [0x79, 0x00]))
  }

  /// Fixed ports, all sixteen address bits decoded.
  static func io(_ first: UInt16, count: UInt8, alignment: UInt8 = 1) -> Bytes {
    var writer = ByteWriter()
    writer.u8(0x47)
    writer.u8(1)
    writer.u16(first)
    writer.u16(first)
    writer.u8(alignment)
    writer.u8(count)
    return writer.bytes
  }

  /// An ISA interrupt: edge-triggered, active high.
  static func irq(_ number: UInt8) -> Bytes {
    var writer = ByteWriter()
    writer.u8(0x22)
    writer.u16(1 << UInt16(number & 15))
    return writer.bytes
  }

  static func fixedMemory32(_ base: UInt32, size: UInt32, writable: Bool) -> Bytes {
    var writer = ByteWriter()
    writer.u8(0x86)
    writer.u16(9)
    writer.u8(writable ? 1 : 0)
    writer.u32(base)
    writer.u32(size)
    return writer.bytes
  }

  /// Kinds of address space descriptors, with their type-specific flags.
  enum Space {
    case memory(cacheable: Bool)
    case io
    case busNumber
  }

  /// A range that a bridge passes on: fixed bounds, decoded positively.
  static func window16(_ space: Space, _ range: ClosedRange<UInt16>) -> Bytes {
    var writer = windowHeader(0x88, length: 13, space)
    writer.u16(0)
    writer.u16(range.lowerBound)
    writer.u16(range.upperBound)
    writer.u16(0)
    writer.u16(UInt16(truncatingIfNeeded: range.count))
    return writer.bytes
  }

  static func window32(_ space: Space, _ range: ClosedRange<UInt32>) -> Bytes {
    var writer = windowHeader(0x87, length: 23, space)
    writer.u32(0)
    writer.u32(range.lowerBound)
    writer.u32(range.upperBound)
    writer.u32(0)
    writer.u32(UInt32(truncatingIfNeeded: range.count))
    return writer.bytes
  }

  private static func windowHeader(_ tag: UInt8, length: UInt16, _ space: Space) -> ByteWriter {
    var writer = ByteWriter()
    writer.u8(tag)
    writer.u16(length)
    let boundsFixed: UInt8 = 0x0C
    switch space {
    case .memory(let cacheable):
      writer.raw([0, boundsFixed, cacheable ? 0x03 : 0x01])
    case .io:
      // Both ISA and non-ISA addresses.
      writer.raw([1, boundsFixed, 0x03])
    case .busNumber:
      writer.raw([2, boundsFixed, 0x00])
    }
    return writer
  }
}
