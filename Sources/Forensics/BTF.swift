import Foundation

/// A kernel's own description of its types, which it keeps for BPF (Linux, Documentation/bpf/btf.rst). It tells where
/// every member of every structure is, so nothing has to be guessed.
public struct BTF: Sendable {
  private let bytes: [UInt8]
  private let typeStart: Int
  private let typeEnd: Int
  private let stringStart: Int
  private let stringEnd: Int
  /// Offsets of types in `bytes`; type n is at n − 1.
  private let types: [UInt32]

  public struct Member: Equatable, Sendable {
    /// From the start of the structure.
    public var bitOffset: Int
    /// 0 where it is no bit field.
    public var bitSize: Int
    public var type: UInt32
    public var offset: UInt64 { UInt64(bitOffset / 8) }
  }

  /// Bytes that a description may have; Debian's have 5 MB.
  static let maximumSize = 32 << 20

  private enum Kind: Int {
    case void, int, pointer, array, structure, union, enumeration, forward, typedef, volatile, const, restrict, function
    case prototype, variable, section, float, declarationTag, typeTag, enumeration64
  }

  /// - Returns: nil for what is no BTF of version 1.
  public init?(_ bytes: [UInt8]) {
    guard bytes.count >= 24, bytes[0] == 0x9F, bytes[1] == 0xEB, bytes[2] == 1 else { return nil }
    func word(_ offset: Int) -> Int {
      bytes.withUnsafeBytes { Int($0.loadUnaligned(fromByteOffset: offset, as: UInt32.self)) }
    }
    let header = word(4)
    typeStart = header + word(8)
    typeEnd = typeStart + word(12)
    stringStart = header + word(16)
    stringEnd = stringStart + word(20)
    guard header >= 24, typeEnd <= bytes.count, stringEnd <= bytes.count, typeStart <= typeEnd else { return nil }
    self.bytes = bytes
    var types: [UInt32] = []
    types.reserveCapacity((typeEnd - typeStart) / 28)
    var at = typeStart
    while at + 12 <= typeEnd {
      types.append(UInt32(at))
      let info = word(at + 4)
      let count = info & 0xFFFF
      guard let kind = Kind(rawValue: info >> 24 & 31) else { return nil }
      at += 12
      switch kind {
      case .int, .variable, .declarationTag: at += 4
      case .array: at += 12
      case .structure, .union, .section, .enumeration64: at += 12 * count
      case .enumeration, .prototype: at += 8 * count
      default: break
      }
    }
    guard at == typeEnd else { return nil }
    self.types = types
  }

  private func word(_ offset: Int) -> UInt32 {
    bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: UInt32.self) }
  }

  private func place(_ id: UInt32) -> Int? {
    id > 0 && id <= types.count ? Int(types[Int(id) - 1]) : nil
  }

  private func kind(_ place: Int) -> Kind { Kind(rawValue: Int(word(place + 4) >> 24 & 31)) ?? .void }

  private func name(_ offset: UInt32) -> ArraySlice<UInt8> {
    let start = stringStart + Int(offset)
    guard start < stringEnd else { return [] }
    return bytes[start..<stringEnd].prefix { $0 != 0 }
  }

  /// Where a whole string is in the string section; each string is there once.
  private func stringOffset(_ text: String) -> UInt32? {
    let wanted = Array(text.utf8) + [0]
    return bytes.withUnsafeBytes { raw in
      var at = stringStart
      while at + wanted.count <= stringEnd {
        let string = raw.baseAddress! + at
        if memcmp(string, wanted, wanted.count) == 0 { return UInt32(at - stringStart) }
        guard let end = memchr(string, 0, stringEnd - at) else { return nil }
        at = UnsafeRawPointer(end) - raw.baseAddress! + 1
      }
      return nil
    }
  }

  /// The first structure or union with a name.
  private func structure(_ name: String) -> UInt32? {
    guard let wanted = stringOffset(name) else { return nil }
    return bytes.withUnsafeBytes { raw in
      for (index, place) in types.enumerated() {
        guard raw.loadUnaligned(fromByteOffset: Int(place), as: UInt32.self) == wanted else { continue }
        switch kind(Int(place)) {
        case .structure, .union: return UInt32(index + 1)
        case .typedef:
          // A structure that has a name only through its typedef.
          let target = word(Int(place) + 8)
          if let place = self.place(target), [.structure, .union].contains(kind(place)), word(place) == 0 {
            return target
          }
        default: break
        }
      }
      return nil
    }
  }

  /// Bytes of a structure or union.
  public func size(of name: String) -> UInt64? {
    structure(name).flatMap(place).map { UInt64(word($0 + 8)) }
  }

  /// Where a member is: `pid`, or `thread.sp` for a member of a member. Members of anonymous structures count as the
  /// structure's own.
  public func member(_ structure: String, _ path: String) -> Member? {
    guard var type = self.structure(structure) else { return nil }
    var bits = 0
    var result: Member?
    for part in path.split(separator: ".") {
      var budget = Self.memberBudget
      guard let place = resolved(type), let member = member(place, Array(part.utf8), depth: 0, budget: &budget) else {
        return nil
      }
      bits += member.bitOffset
      type = member.type
      result = Member(bitOffset: bits, bitSize: member.bitSize, type: type)
    }
    return result
  }

  /// Whether a structure of that name is described at all.
  public func has(_ structure: String) -> Bool { self.structure(structure) != nil }

  /// The number of elements of an array member.
  public func count(_ member: Member) -> Int? {
    guard let place = resolved(member.type), kind(place) == .array else { return nil }
    return Int(word(place + 20))
  }

  /// Bytes that a type takes; nil for what has no size.
  public func size(of type: UInt32, depth: Int = 0) -> UInt64? {
    guard depth < 16, let place = resolved(type) else { return nil }
    switch kind(place) {
    case .int, .structure, .union, .enumeration, .enumeration64, .float: return UInt64(word(place + 8))
    case .pointer: return 8
    case .array: return size(of: word(place + 12), depth: depth + 1).map { $0 &* UInt64(word(place + 20)) }
    default: return nil
    }
  }

  /// The members of a structure by name, in order, anonymous ones left out.
  public func members(of structure: String) -> [(name: String, member: Member)] {
    guard let id = self.structure(structure), let place = place(id) else { return [] }
    let isFlagged = word(place + 4) >> 31 != 0
    return (0..<Int(word(place + 4) & 0xFFFF)).compactMap { index in
      let at = place + 12 + 12 * index
      let name = String(decoding: self.name(word(at)), as: UTF8.self)
      return name.isEmpty ? nil : (name, Self.member(word(at + 4), word(at + 8), isFlagged))
    }
  }

  private static func member(_ type: UInt32, _ offset: UInt32, _ isFlagged: Bool) -> Member {
    isFlagged
      ? Member(bitOffset: Int(offset & 0xFF_FFFF), bitSize: Int(offset >> 24), type: type)
      : Member(bitOffset: Int(offset), bitSize: 0, type: type)
  }

  /// Without typedefs and qualifiers.
  private func resolved(_ id: UInt32) -> Int? {
    var id = id
    for _ in 0..<32 {
      guard let place = place(id) else { return nil }
      switch kind(place) {
      case .typedef, .volatile, .const, .restrict, .typeTag: id = word(place + 8)
      default: return place
      }
    }
    return nil
  }

  /// Members that a search looks at: anonymous structures may nest in a damaged description.
  private static let memberBudget = 1 << 16

  private func member(_ place: Int, _ wanted: [UInt8], depth: Int, budget: inout Int) -> Member? {
    guard depth < 8, [.structure, .union].contains(kind(place)) else { return nil }
    let isFlagged = word(place + 4) >> 31 != 0
    for index in 0..<Int(word(place + 4) & 0xFFFF) {
      let at = place + 12 + 12 * index
      let nameOffset = word(at)
      budget -= 1
      guard budget > 0 else { return nil }
      let found = Self.member(word(at + 4), word(at + 8), isFlagged)
      if nameOffset == 0 {
        if let inner = resolved(found.type), let member = member(inner, wanted, depth: depth + 1, budget: &budget) {
          return Member(
            bitOffset: found.bitOffset + member.bitOffset, bitSize: member.bitSize, type: member.type)
        }
      } else if name(nameOffset).elementsEqual(wanted) {
        return found
      }
    }
    return nil
  }
}
