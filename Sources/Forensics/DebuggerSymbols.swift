/// A symbol file for debuggers, made of what a kernel keeps in memory for itself: an ELF with the names of kallsyms and of
/// the modules, at the addresses where they are, and call frame information made of the ORC unwind tables. So a debugger
/// names functions and walks stacks without the kernel's debug package. There are no types and no source lines.
public enum DebuggerSymbols {
  /// - Parameter kernel: as it is now; modules that come later have no names.
  public static func elf(of kernel: Kernel) -> [UInt8] {
    let modules = kernel.modules.all
    var sections = [Section(name: ".text", range: kernel.image)]
    for module in modules {
      for area in module.areas where !area.isEmpty { sections.append(Section(name: "." + module.name, range: area)) }
    }
    var names = StringTable()
    var symbols = [UInt8](repeating: 0, count: 24)
    for table in [kernel.symbols] + modules.map(\.symbols) {
      for index in 0..<table.count {
        let symbol = table[index]
        let section = sections.firstIndex { $0.range.contains(symbol.address) }
        // What lies nowhere: offsets of per-processor variables, absolute numbers.
        let isCode = symbol.type | 0x20 == UInt8(ascii: "t") || symbol.type | 0x20 == UInt8(ascii: "w")
        symbols.append(integer: UInt32(names.add(symbol.name)))
        symbols += [isCode ? 0x12 : 0x11, 0]
        symbols.append(integer: UInt16(section.map { $0 + 1 } ?? 0xFFF1))
        symbols.append(integer: symbol.address)
        symbols.append(integer: symbol.size > 1 << 20 ? 0 : symbol.size)
      }
    }
    var frames = FrameTable(isPointerFirst: kernel.version >= (5, 12))
    for table in [kernel.orc] + modules.map(\.orc) { frames.add(table?.rows(kernel.space) ?? []) }
    return write(sections, symbols: symbols, names: names.bytes, frames: frames.bytes)
  }

  private struct Section {
    var name: String
    var range: Range<UInt64>
  }

  private struct StringTable {
    var bytes: [UInt8] = [0]
    mutating func add(_ text: String) -> Int {
      defer {
        bytes += text.utf8
        bytes.append(0)
      }
      return bytes.count
    }
  }

  /// ELF64, little-endian, ET_EXEC for EM_X86_64 (System V ABI, chapter 4): sections without contents where the code
  /// is, then the three tables.
  private static func write(_ sections: [Section], symbols: [UInt8], names: [UInt8], frames: [UInt8]) -> [UInt8] {
    var file: [UInt8] = [0x7F, 0x45, 0x4C, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    var headers = [UInt8](repeating: 0, count: 64)
    var sectionNames = StringTable()
    var body: [UInt8] = []
    func header(
      _ name: String, type: UInt32, flags: UInt64 = 0, address: UInt64 = 0, size: UInt64, link: UInt32 = 0,
      info: UInt32 = 0, entry: UInt64 = 0
    ) {
      headers.append(integer: UInt32(sectionNames.add(name)))
      headers.append(integer: type)
      for value in [flags, address, UInt64(64 + body.count), size] { headers.append(integer: value) }
      headers.append(integer: link)
      headers.append(integer: info)
      headers.append(integer: UInt64(8))
      headers.append(integer: entry)
    }
    // SHT_NOBITS; SHF_ALLOC, SHF_EXECINSTR.
    for section in sections {
      header(
        section.name, type: 8, flags: 6, address: section.range.lowerBound,
        size: section.range.upperBound - section.range.lowerBound)
    }
    let stringIndex = UInt32(sections.count + 3)
    for (name, type, flags, contents, entry) in [
      (".eh_frame", UInt32(1), UInt64(2), frames, UInt64(0)), (".symtab", 2, 0, symbols, 24),
      (".strtab", 3, 0, names, 0),
    ] {
      header(
        name, type: type, flags: flags, size: UInt64(contents.count), link: type == 2 ? stringIndex : 0,
        info: type == 2 ? 1 : 0, entry: entry)
      body += contents
      body += [UInt8](repeating: 0, count: -body.count & 7)
    }
    let nameSize = sectionNames.bytes.count + ".shstrtab".utf8.count + 1
    header(".shstrtab", type: 3, size: UInt64(nameSize))
    body += sectionNames.bytes
    body += [UInt8](repeating: 0, count: -body.count & 7)

    file.append(integer: UInt16(2))
    file.append(integer: UInt16(62))
    file.append(integer: UInt32(1))
    for value in [0, 0, UInt64(64 + body.count)] { file.append(integer: value) }
    file.append(integer: UInt32(0))
    for value in [64, 0, 0, 64, UInt16(sections.count + 5), UInt16(sections.count + 4)] {
      file.append(integer: UInt16(value))
    }
    return file + body + headers
  }
}

/// Call frame information (DWARF 4 section 6.4; LSB, "Exception Frames") from rows of an ORC table.
private struct FrameTable {
  private(set) var bytes: [UInt8] = []
  /// See `ORCEntry.size`: what the offset of `spIndirect` is added to.
  private let isPointerFirst: Bool
  private let plainCIE: Int
  private let signalCIE: Int

  /// DWARF's numbers of registers (System V ABI for AMD64, figure 3.36).
  private enum Register {
    static let dx: UInt8 = 1, di: UInt8 = 5, bp: UInt8 = 6, sp: UInt8 = 7, r10: UInt8 = 10, r13: UInt8 = 13
    static let ra: UInt8 = 16
  }
  /// `pt_regs`: R15, R14, R13, R12, RBP, RBX, R11, R10, R9, R8, RAX, RCX, RDX, RSI, RDI, the number of the call, RIP,
  /// CS, RFLAGS, RSP.
  private static let saved: [(register: UInt8, word: Int)] = [
    (15, 0), (14, 1), (13, 2), (12, 3), (6, 4), (3, 5), (11, 6), (10, 7), (9, 8), (8, 9), (0, 10), (2, 11), (1, 12),
    (4, 13), (5, 14), (16, 16), (7, 19),
  ]
  /// Rows of one description: finding one means executing those before it.
  private static let maximumRows = 128

  init(isPointerFirst: Bool) {
    self.isPointerFirst = isPointerFirst
    var bytes: [UInt8] = []
    func common(_ augmentation: String) -> Int {
      let start = bytes.count
      var content: [UInt8] = [0, 0, 0, 0, 1]
      content += augmentation.utf8
      // Code in bytes, data in words downwards, the return address's column; then absolute addresses.
      content += [0, 1, 0x78, Register.ra, 1, 0]
      content += [0x0C, Register.sp, 8, 0x80 | Register.ra, 1]
      Self.append(content, to: &bytes)
      return start
    }
    plainCIE = common("zR")
    // A frame whose address is an instruction's, not behind a call.
    signalCIE = common("zRS")
    self.bytes = bytes
  }

  /// Length, content, and DW_CFA_nop up to a multiple of 8.
  private static func append(_ content: [UInt8], to bytes: inout [UInt8]) {
    let padding = -(content.count + 4) & 7
    bytes.append(integer: UInt32(content.count + padding))
    bytes += content
    bytes += [UInt8](repeating: 0, count: padding)
  }

  mutating func add(_ rows: [(address: UInt64, entry: ORCEntry)]) {
    var first = 0
    while first + 1 < rows.count {
      let isSignal = Self.isSignal(rows[first].entry)
      var end = first + 1
      while end + 1 < rows.count, end - first < Self.maximumRows, Self.isSignal(rows[end].entry) == isSignal {
        end += 1
      }
      describe(rows[first..<end], to: rows[end].address, isSignal: isSignal)
      first = end
    }
  }

  private static func isSignal(_ entry: ORCEntry) -> Bool {
    entry.kind == .registers || entry.kind == .partialRegisters
  }

  private mutating func describe(
    _ rows: ArraySlice<(address: UInt64, entry: ORCEntry)>, to end: UInt64, isSignal: Bool
  ) {
    guard let start = rows.first?.address, start < end else { return }
    var content: [UInt8] = []
    content.append(integer: UInt32(bytes.count + 4 - (isSignal ? signalCIE : plainCIE)))
    content.append(integer: start)
    content.append(integer: end - start)
    content += [0]
    var at = start
    for row in rows {
      if row.address > at { advance(row.address - at, &content) }
      at = row.address
      rule(row.entry, &content)
    }
    Self.append(content, to: &bytes)
  }

  private func advance(_ count: UInt64, _ content: inout [UInt8]) {
    if count < 64 {
      content.append(0x40 | UInt8(count))
    } else if count < 256 {
      content += [0x02, UInt8(count)]
    } else {
      content += [0x04]
      content.append(integer: UInt32(truncatingIfNeeded: count))
    }
  }

  /// All that holds from a row on.
  private func rule(_ entry: ORCEntry, _ content: inout [UInt8]) {
    guard entry.kind != .undefined, entry.kind != .endOfStack, frameAddress(entry, &content) else {
      content += [0x07, Register.ra]
      return
    }
    switch entry.kind {
    case .registers:
      for (register, word) in Self.saved { saved(register, at: 8 * word, &content) }
    case .partialRegisters:
      saved(Register.ra, at: 0, &content)
      saved(Register.sp, at: 24, &content)
      base(entry, &content)
    default:
      saved(Register.ra, at: -8, &content)
      base(entry, &content)
    }
  }

  /// Where the frame of the caller begins. - Returns: false where it cannot be said.
  private func frameAddress(_ entry: ORCEntry, _ content: inout [UInt8]) -> Bool {
    let offset = Int(entry.spOffset)
    func plain(_ register: UInt8) {
      if offset >= 0 {
        content += [0x0C, register] + Self.unsigned(offset)
      } else {
        expression([0x70 + register] + Self.signed(offset))
      }
    }
    func expression(_ code: [UInt8]) { content += [0x0F, UInt8(code.count)] + code }
    let (dereference, add): (UInt8, UInt8) = (0x06, 0x23)
    switch entry.spBase {
    case .sp: plain(Register.sp)
    case .bp: plain(Register.bp)
    case .dx: plain(Register.dx)
    case .di: plain(Register.di)
    case .r10: plain(Register.r10)
    case .r13: plain(Register.r13)
    case .bpIndirect: expression([0x70 + Register.bp] + Self.signed(offset) + [dereference])
    case .spIndirect where isPointerFirst && offset >= 0:
      expression([0x70 + Register.sp, 0, dereference, add] + Self.unsigned(offset))
    case .spIndirect where isPointerFirst:
      // DW_OP_consts, DW_OP_plus.
      expression([0x70 + Register.sp, 0, dereference, 0x11] + Self.signed(offset) + [0x22])
    case .spIndirect: expression([0x70 + Register.sp] + Self.signed(offset) + [dereference])
    case .undefined, .previousSP: return false
    }
    return true
  }

  /// RBP of the caller.
  private func base(_ entry: ORCEntry, _ content: inout [UInt8]) {
    switch entry.bpBase {
    case .previousSP where entry.bpOffset % 8 == 0: saved(Register.bp, at: Int(entry.bpOffset), &content)
    case .bp:
      let code = [0x70 + Register.bp] + Self.signed(Int(entry.bpOffset))
      content += [0x10, Register.bp, UInt8(code.count)] + code
    default: content += [0x08, Register.bp]
    }
  }

  /// A register lies in memory, so many bytes from the frame's beginning.
  private func saved(_ register: UInt8, at offset: Int, _ content: inout [UInt8]) {
    content += [0x11, register] + Self.signed(offset / -8)
  }

  private static func unsigned(_ value: Int) -> [UInt8] {
    var value = value
    var bytes: [UInt8] = []
    repeat {
      bytes.append(UInt8(value & 0x7F) | (value > 0x7F ? 0x80 : 0))
      value >>= 7
    } while value > 0
    return bytes
  }

  private static func signed(_ value: Int) -> [UInt8] {
    var value = value
    var bytes: [UInt8] = []
    while true {
      let byte = UInt8(value & 0x7F)
      value >>= 7
      if (value == 0 && byte & 0x40 == 0) || (value == -1 && byte & 0x40 != 0) { return bytes + [byte] }
      bytes.append(byte | 0x80)
    }
  }
}

extension [UInt8] {
  /// Little-endian.
  fileprivate mutating func append<Integer: FixedWidthInteger>(integer value: Integer) {
    Swift.withUnsafeBytes(of: value.littleEndian) { self += $0 }
  }
}
