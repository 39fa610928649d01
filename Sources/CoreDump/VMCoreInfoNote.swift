/// The ELF note in which a Linux kernel keeps its VMCOREINFO: lines of `KEY=value` that crash tools need to find
/// their way (Linux, Documentation/admin-guide/kdump/vmcoreinfo.rst).
public struct VMCoreInfoNote: Equatable, Sendable {
  static let name = Array("VMCOREINFO".utf8) + [0]
  /// Linux gives it a page; anything larger is no such note.
  static let maximumText = 1 << 16

  /// The whole note: header, name, text, padded to four bytes.
  public let bytes: [UInt8]
  /// The lines.
  public let text: [UInt8]

  /// Reads the note at the start of `data`, which may go on behind it.
  /// - Returns: nil when there is no VMCOREINFO note, or not all of it.
  public init?(parsing data: [UInt8]) {
    guard let count = Self.textSize(header: data) else { return nil }
    let start = ELFNote.headerSize + ELFNote.padded(Self.name.count)
    guard data.count >= start + count else { return nil }
    self.init(text: Array(data[start..<(start + count)]))
  }

  /// Wraps lines in a note.
  public init(text: [UInt8]) {
    var note = ELFBytes()
    ELFNote.append(name: "VMCOREINFO", type: 0, descriptor: ELFBytes(bytes: text), to: &note)
    self.bytes = note.bytes
    self.text = text
  }

  /// The size of the text that a note's header and name announce, nil when they are not VMCOREINFO's.
  static func textSize(header: [UInt8]) -> Int? {
    guard header.count >= ELFNote.headerSize + name.count else { return nil }
    func word(_ index: Int) -> Int {
      (0..<4).reduce(0) { $0 | Int(header[4 * index + $1]) << (8 * $1) }
    }
    guard word(0) == name.count, word(2) == 0, (1...maximumText).contains(word(1)),
      header[ELFNote.headerSize..<(ELFNote.headerSize + name.count)].elementsEqual(name)
    else { return nil }
    return word(1)
  }

  /// The value of a line `key=value`, nil when there is none.
  public func value(of key: String) -> String? {
    let prefix = Array((key + "=").utf8)
    for line in text.split(separator: 10) where line.starts(with: prefix) {
      return String(decoding: line.dropFirst(prefix.count), as: UTF8.self)
    }
    return nil
  }

  /// A line's number: hexadecimal for `SYMBOL(…)` and `KERNELOFFSET`, decimal for `NUMBER(…)`.
  public func number(of key: String) -> UInt64? {
    guard let value = value(of: key) else { return nil }
    if key.hasPrefix("NUMBER(") {
      return UInt64(value) ?? Int64(value).map { UInt64(bitPattern: $0) }
    }
    return UInt64(value, radix: 16)
  }
}
