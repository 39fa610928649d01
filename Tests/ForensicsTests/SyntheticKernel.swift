import Forensics

/// Builds a kernel's table of symbols as scripts/kallsyms writes it, with a code of single characters.
struct KallsymsImage {
  var bytes: [UInt8] = []
  /// Offsets of the parts in `bytes`.
  var offsets = 0, relativeBase = 0, count = 0, names = 0, tokenTable = 0, tokenIndex = 0

  /// - Parameter symbols: with types; per-processor ones have small addresses.
  init(_ symbols: [(name: String, type: Character, address: UInt64)], base: UInt64) {
    func align() { while bytes.count % 8 != 0 { bytes.append(0) } }
    func append<T: FixedWidthInteger>(_ value: T) {
      withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }
    for symbol in symbols {
      append(
        symbol.address < base
          ? Int32(truncatingIfNeeded: symbol.address)
          : Int32(truncatingIfNeeded: Int64(bitPattern: base &- 1 &- symbol.address)))
    }
    align()
    relativeBase = bytes.count
    append(base)
    count = bytes.count
    append(UInt64(symbols.count))
    names = bytes.count
    var markers: [UInt32] = []
    for (index, symbol) in symbols.enumerated() {
      if index % 256 == 0 { markers.append(UInt32(bytes.count - names)) }
      let codes = [symbol.type.asciiValue!] + Array(symbol.name.utf8)
      if codes.count < 128 {
        bytes.append(UInt8(codes.count))
      } else {
        bytes += [UInt8(codes.count & 0x7F | 0x80), UInt8(codes.count >> 7)]
      }
      bytes += codes
    }
    align()
    for marker in markers { append(marker) }
    align()
    tokenTable = bytes.count
    var index: [UInt16] = []
    for code in UInt8.min...UInt8.max {
      index.append(UInt16(bytes.count - tokenTable))
      if code > 0x20, code < 0x7F { bytes.append(code) }
      bytes.append(0)
    }
    align()
    tokenIndex = bytes.count
    for offset in index { append(offset) }
  }
}

/// Builds a description of types.
struct BTFImage {
  private var types: [UInt8] = []
  private var strings: [UInt8] = [0]
  private var typeCount: UInt32 = 0

  private mutating func string(_ text: String) -> UInt32 {
    if text.isEmpty { return 0 }
    let offset = UInt32(strings.count)
    strings += Array(text.utf8) + [0]
    return offset
  }
  private mutating func append(_ words: UInt32...) {
    for word in words { withUnsafeBytes(of: word.littleEndian) { types.append(contentsOf: $0) } }
  }
  private mutating func finish() -> UInt32 {
    typeCount += 1
    return typeCount
  }

  mutating func integer(_ name: String, size: UInt32) -> UInt32 {
    append(string(name), 1 << 24, size, size * 8)
    return finish()
  }
  mutating func array(of type: UInt32, count: UInt32) -> UInt32 {
    append(0, 3 << 24, 0, type, type, count)
    return finish()
  }
  /// Members are (name, type, bit offset, bit size).
  mutating func structure(
    _ name: String, size: UInt32, _ members: [(String, UInt32, UInt32, UInt32)], isUnion: Bool = false
  ) -> UInt32 {
    let hasBits = members.contains { $0.3 > 0 }
    let names = members.map { string($0.0) }
    append(
      string(name), UInt32(members.count) | (isUnion ? 5 : 4) << 24 | (hasBits ? 1 << 31 : 0), size)
    for (member, name) in zip(members, names) {
      append(name, member.1, hasBits ? member.3 << 24 | member.2 : member.2)
    }
    return finish()
  }
  mutating func typedef(_ name: String, _ type: UInt32) -> UInt32 {
    append(string(name), 8 << 24, type)
    return finish()
  }

  var bytes: [UInt8] {
    var header: [UInt8] = [0x9F, 0xEB, 1, 0]
    for word in [24, 0, UInt32(types.count), UInt32(types.count), UInt32(strings.count)] {
      withUnsafeBytes(of: word.littleEndian) { header.append(contentsOf: $0) }
    }
    return header + types + strings
  }
}

extension SyntheticGuest {
  static let taskSize = 128
  static let btfPlace = 0x12_0000
  static let symbolsPlace = 0x14_0000
  static let taskPlace = 0x30_0000

  /// The forms of ORC tables.
  enum ORCForm: CaseIterable { case endBit, signalThenEnd, wideType }

  /// A kernel without VMCOREINFO: symbols, types, and three tasks in a list. The current one is the second.
  /// - Parameter orc: the form of its unwind tables, nil for none.
  static func withTasks(orc: ORCForm? = nil) -> SyntheticGuest {
    let guest = SyntheticGuest()
    var types = BTFImage()
    let word = types.integer("long", size: 8)
    let int = types.integer("int", size: 4)
    let char = types.integer("char", size: 1)
    let name = types.array(of: char, count: 16)
    let list = types.structure("list_head", size: 16, [("next", word, 0, 0), ("prev", word, 64, 0)])
    let pidType = types.typedef("pid_t", int)
    _ = types.structure(
      "task_struct", size: UInt32(taskSize),
      [
        ("__state", int, 0, 0), ("tasks", list, 64, 0), ("pid", pidType, 192, 0), ("tgid", pidType, 224, 0),
        ("comm", name, 256, 0), ("real_parent", word, 384, 0), ("mm", word, 448, 0), ("stack", word, 512, 0),
        ("exit_state", int, 576, 0),
      ])
    _ = types.structure("module", size: 64, [("list", list, 64, 0), ("name", name, 192, 0), ("state", int, 0, 0)])
    if let orc {
      var members: [(String, UInt32, UInt32, UInt32)] = [
        ("sp_offset", int, 0, 16), ("bp_offset", int, 16, 16), ("sp_reg", int, 32, 4), ("bp_reg", int, 36, 4),
        ("type", int, 40, orc == .wideType ? 3 : 2),
      ]
      if orc != .endBit { members.append(("signal", int, orc == .wideType ? 43 : 42, 1)) }
      _ = types.structure("orc_entry", size: 6, members)
    }
    guest.store(btfPlace, types.bytes)

    // A per-processor area at 3 MiB + 64 KiB; its `current_task` is at 0x40.
    guest.processors[0].gsBase = linear(0x31_0000)
    let base = linear(0x10_0000)
    var symbols: [(name: String, type: Character, address: UInt64)] = [
      ("current_task", "A", 0x40),
      ("_text", "T", base), ("start_kernel", "T", base + 0x100), ("panic", "T", base + 0x200),
      ("panic_alias", "t", base + 0x200), ("after_panic", "t", base + 0x300),
      ("__start_BTF", "R", linear(btfPlace)), ("__stop_BTF", "R", linear(btfPlace + types.bytes.count)),
      ("modules", "d", linear(0x28_0000)), ("init_task", "D", linear(taskPlace)),
    ]
    if let orc { symbols += guest.storeORC(orc) }
    // Enough for several markers, and a name with a length of two bytes.
    for index in 0..<600 { symbols.append(("filler_\(index)", "t", linear(0x3E_0000 + 16 * index))) }
    symbols.append((String(repeating: "long_name_", count: 20), "t", linear(0x3F_0000)))
    symbols.append(("_end", "B", linear(0x3F_F000)))
    guest.store(symbolsPlace, KallsymsImage(symbols, base: base).bytes)

    guest.store(0x28_0000, linear(0x28_0000))
    let names = ["swapper/0", "init", "kthreadd"]
    for (index, name) in names.enumerated() {
      let place = taskPlace + 0x1000 * index
      guest.store(place + 8, linear(taskPlace + 0x1000 * ((index + 1) % 3) + 8))
      guest.store(place + 24, UInt32(index))
      guest.store(place + 28, UInt32(index))
      guest.store(place + 32, name.utf8)
      guest.store(place + 48, linear(taskPlace))
      guest.store(place + 56, index == 1 ? UInt64(1) : 0)
      guest.store(place, UInt32(index == 2 ? 1 : 0))
    }
    guest.store(0x31_0040, linear(taskPlace + 0x1000))
    return guest
  }

  /// Unwind tables: `start_kernel` is the last frame, `panic` has 0x20 bytes, `after_panic` is an exception's entry with 16
  /// bytes below the saved registers.
  private func storeORC(_ form: ORCForm) -> [(name: String, type: Character, address: UInt64)] {
    let (addresses, entries) = (0x1A_0000, 0x1B_0000)
    let end: UInt16 = form == .wideType ? 1 << 8 : form == .endBit ? 1 << 10 : 1 << 11
    let call: UInt16 = form == .wideType ? 2 << 8 : 0
    let registers: UInt16 = (form == .wideType ? 3 : 1) << 8
    let rows: [(place: Int, offset: Int16, bits: UInt16)] = [
      (0x10_0000, 0, form == .wideType ? 0 : 0), (0x10_0100, 0, end), (0x10_0200, 0x20, 5 | call),
      (0x10_0300, 0x10, 5 | registers), (0x10_0400, 0, 0),
    ]
    for (index, row) in rows.enumerated() {
      store(addresses + 4 * index, Int32(row.place - (addresses + 4 * index)))
      store(entries + 6 * index, row.offset)
      store(entries + 6 * index + 4, row.bits)
    }
    return [
      ("__start_orc_unwind_ip", "r", Self.linear(addresses)),
      ("__stop_orc_unwind_ip", "r", Self.linear(addresses + 4 * rows.count)),
      ("__start_orc_unwind", "r", Self.linear(entries)),
    ]
  }
}
