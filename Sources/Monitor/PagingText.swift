/// `info mem` and `info tlb`: walks the page tables of all three kinds (SDM 3A 4.3 to 4.5) as they stand in memory.
struct PagingText {
  let cr0: UInt64, cr3: UInt64, cr4: UInt64, efer: UInt64
  /// Eight bytes of RAM; nil where there is none.
  let read: (UInt64) -> UInt64?

  private static let present: UInt64 = 1 << 0
  private static let writable: UInt64 = 1 << 1
  private static let user: UInt64 = 1 << 2
  private static let accessed: UInt64 = 1 << 5
  private static let dirty: UInt64 = 1 << 6
  private static let large: UInt64 = 1 << 7
  private static let global: UInt64 = 1 << 8
  private static let noExecute: UInt64 = 1 << 63
  private static let frame: UInt64 = 0x000F_FFFF_FFFF_F000
  /// Lines of one answer.
  private static let lineLimit = 1 << 16

  private var isEnabled: Bool { cr0 & 1 << 31 != 0 }
  private var isLong: Bool { efer & 1 << 10 != 0 }
  private var isPAE: Bool { cr4 & 1 << 5 != 0 }
  private var levels: Int { isLong ? (cr4 & 1 << 12 != 0 ? 5 : 4) : isPAE ? 3 : 2 }

  struct Mapping {
    var linear: UInt64
    var size: UInt64
    /// The last entry: address and attributes.
    var entry: UInt64
    /// Attributes that hold on all levels: writable, user.
    var rights: UInt64
    var isLarge: Bool
  }

  /// `info tlb`.
  func tlb() -> String {
    guard isEnabled else { return "PG disabled\r\n" }
    var text = ""
    var lines = 0
    walk { mapping in
      let physical = mapping.entry & PagingText.frame & ~(mapping.size - 1)
      text += hex(mapping.linear, isLong ? 16 : 16) + ": " + hex(physical, 16) + " "
      let flags: [(UInt64, Character)] = [
        (PagingText.noExecute, "X"), (PagingText.global, "G"), (mapping.isLarge ? PagingText.large : 0, "P"),
        (PagingText.dirty, "D"), (PagingText.accessed, "A"), (1 << 4, "C"), (1 << 3, "T"), (PagingText.user, "U"),
        (PagingText.writable, "W"),
      ]
      text += String(flags.map { mapping.entry & $0.0 != 0 ? $0.1 : "-" }) + "\r\n"
      lines += 1
      return lines < PagingText.lineLimit
    }
    return text + (lines >= PagingText.lineLimit ? "… (at most \(lines) lines are shown)\r\n" : "")
  }

  /// `info mem`: neighbours with the same rights as one.
  func mem() -> String {
    guard isEnabled else { return "PG disabled\r\n" }
    var text = ""
    var lines = 0
    var current: (start: UInt64, end: UInt64, rights: UInt64)?
    func flush() {
      guard let range = current else { return }
      text += "\(hex(range.start, 16))-\(hex(range.end, 16)) \(hex(range.end &- range.start, 16)) "
      text +=
        "\(range.rights & PagingText.user != 0 ? "u" : "-")r\(range.rights & PagingText.writable != 0 ? "w" : "-")\r\n"
      lines += 1
    }
    walk { mapping in
      if let range = current, range.end == mapping.linear, range.rights == mapping.rights {
        current?.end = mapping.linear &+ mapping.size
      } else {
        flush()
        current = (mapping.linear, mapping.linear &+ mapping.size, mapping.rights)
      }
      return lines < PagingText.lineLimit
    }
    flush()
    return text + (lines >= PagingText.lineLimit ? "… (at most \(lines) lines are shown)\r\n" : "")
  }

  /// - Parameter body: gives whether to go on.
  private func walk(_ body: (Mapping) -> Bool) {
    let root = isLong ? cr3 & PagingText.frame : isPAE ? cr3 & 0xFFFF_FFE0 : cr3 & 0xFFFF_F000
    var goesOn = true
    walk(table: root, level: levels, linear: 0, rights: PagingText.user | PagingText.writable, &goesOn, body)
  }

  private func walk(
    table: UInt64, level: Int, linear: UInt64, rights: UInt64, _ goesOn: inout Bool, _ body: (Mapping) -> Bool
  ) {
    let wide = isLong || isPAE
    let count: UInt64 = !isLong && isPAE && level == 3 ? 4 : wide ? 512 : 1024
    let shift = UInt64(12 + (level - 1) * (wide ? 9 : 10))
    for index in 0..<count where goesOn {
      let entry: UInt64
      if wide {
        guard let value = read(table &+ index * 8) else { continue }
        entry = value
      } else {
        // Two entries of four bytes in one reading.
        guard let value = read((table &+ index * 4) & ~7) else { continue }
        entry = index & 1 == 0 ? value & 0xFFFF_FFFF : value >> 32
      }
      guard entry & PagingText.present != 0 else { continue }
      var address = linear | index << shift
      if isLong, level == levels, index >= 256 { address |= ~UInt64(0) << (shift + 9) }
      // The entries of PAE's highest level have no rights.
      let here = !isLong && isPAE && level == 3 ? rights : rights & entry
      let isLarge =
        entry & PagingText.large != 0 && level > 1 && (level < 4) && (wide ? level == 2 || isLong : cr4 & 1 << 4 != 0)
      if level == 1 || isLarge {
        goesOn = body(Mapping(linear: address, size: 1 << shift, entry: entry, rights: here, isLarge: isLarge))
      } else {
        walk(
          table: entry & PagingText.frame, level: level - 1, linear: address, rights: here, &goesOn, body)
      }
    }
  }

  private func hex(_ value: UInt64, _ width: Int) -> String {
    let digits = String(value, radix: 16)
    return digits.count >= width ? digits : String(repeating: "0", count: width - digits.count) + digits
  }
}
