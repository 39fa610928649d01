/// A kernel module that is loaded.
public struct KernelModule: Sendable {
  public var name: String
  /// Address of its `struct module`.
  public var address: UInt64
  /// Where it is in memory: its text first.
  public var areas: [Range<UInt64>]
  /// Where its text ends: no function goes on behind it.
  public var textEnd: UInt64
  public var state: String
  /// The GNU build id, hexadecimal; nil when it has none or it cannot be found.
  public var buildID: String?
  public var symbols: SymbolTable
  public var orc: ORCTable?
  public var taints: UInt64

  public var base: UInt64 { areas.first?.lowerBound ?? 0 }
  /// Bytes in all.
  public var size: UInt64 { areas.reduce(0) { $0 &+ ($1.upperBound - $1.lowerBound) } }
  public func contains(_ address: UInt64) -> Bool { areas.contains { $0.contains(address) } }
}

/// The kernel's list of modules.
public struct KernelModules: Sendable {
  public var all: [KernelModule] = []
  /// Why the list is empty or not whole; nil when it is whole.
  public var problem: String?

  private static let maximumSize: UInt64 = 1 << 28
  private static let maximumSymbols: UInt64 = 1 << 18
  private static let states = ["live", "coming", "going", "unformed"]

  init(_ kernel: Kernel) {
    guard let head = kernel.symbols.address(of: "modules") else {
      problem = "the kernel has no symbol 'modules'"
      return
    }
    guard let listOffset = kernel.offset("module", "list"), kernel.types != nil else {
      problem = "the kernel does not describe its types (no BTF), so its modules' structures cannot be read"
      return
    }
    let (elements, isWhole) = kernel.list(head, offset: listOffset, limit: 4096)
    for element in elements {
      if let module = Self.module(kernel, element) {
        all.append(module)
      } else {
        problem = "the structure of a module at 0x\(String(element, radix: 16)) is damaged"
      }
    }
    if !isWhole { problem = "the list of modules is damaged: it does not come back to its head" }
  }

  public func module(at address: UInt64) -> KernelModule? { all.first { $0.contains(address) } }

  private static func module(_ kernel: Kernel, _ address: UInt64) -> KernelModule? {
    guard let name = kernel.text(address, "module", "name"), !name.isEmpty,
      name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
    else { return nil }
    let areas = areas(kernel, address)
    guard !areas.isEmpty else { return nil }
    let state = kernel.integer(address, "module", "state").flatMap { $0 < 4 ? states[Int($0)] : nil }
    return KernelModule(
      name: name, address: address, areas: areas,
      textEnd: kernel.integer(address, "module", "core_layout.text_size").map { areas[0].lowerBound &+ $0 }
        ?? areas[0].upperBound, state: state ?? "unknown", buildID: buildID(kernel, address),
      symbols: symbols(kernel, address), orc: ORCTable(kernel, module: address),
      taints: kernel.pointer(address, "module", "taints") ?? 0)
  }

  /// `core_layout` up to 6.3, an array `mem` of text, data, … from then on.
  private static func areas(_ kernel: Kernel, _ address: UInt64) -> [Range<UInt64>] {
    func range(_ base: UInt64?, _ size: UInt64?) -> Range<UInt64>? {
      guard let base, let size, base >> 63 != 0, size > 0, size <= maximumSize, base < .max - size else { return nil }
      return base..<(base + size)
    }
    if let array = kernel.types?.member("module", "mem"), let count = kernel.types?.count(array),
      let stride = kernel.size("module_memory"), let base = kernel.offset("module_memory", "base"),
      let size = kernel.offset("module_memory", "size")
    {
      return (0..<min(count, 16)).compactMap { index in
        let memory = address &+ array.offset &+ UInt64(index) &* stride
        return range(kernel.space.u64(memory &+ base), kernel.space.u32(memory &+ size).map(UInt64.init))
      }
    }
    return ["core_layout", "init_layout"].compactMap { layout in
      range(
        kernel.pointer(address, "module", layout + ".base"), kernel.integer(address, "module", layout + ".size"))
    }
  }

  /// The ELF symbol table that the kernel keeps of a module.
  private static func symbols(_ kernel: Kernel, _ address: UInt64) -> SymbolTable {
    guard let table = kernel.pointer(address, "module", "kallsyms"),
      let symbols = kernel.pointer(table, "mod_kallsyms", "symtab"),
      let count = kernel.integer(table, "mod_kallsyms", "num_symtab"), count <= maximumSymbols,
      let strings = kernel.pointer(table, "mod_kallsyms", "strtab"),
      let bytes = kernel.space.read(symbols, count: Int(count) * 24)
    else { return SymbolTable([]) }
    let typeTable = kernel.pointer(table, "mod_kallsyms", "typetab")
    var found: [(name: String, address: UInt64, type: UInt8)] = []
    bytes.withUnsafeBytes { raw in
      for index in 0..<Int(count) {
        // Elf64_Sym: name, info, other, section, value, size.
        let nameOffset = raw.loadUnaligned(fromByteOffset: 24 * index, as: UInt32.self)
        let section = raw.loadUnaligned(fromByteOffset: 24 * index + 6, as: UInt16.self)
        let value = raw.loadUnaligned(fromByteOffset: 24 * index + 8, as: UInt64.self)
        guard nameOffset != 0, section != 0, value >> 63 != 0,
          let name = kernel.space.string(strings &+ UInt64(nameOffset)), !name.isEmpty
        else { continue }
        let type = typeTable.flatMap { kernel.space.u8($0 &+ UInt64(index)) } ?? 0x3F
        found.append((name, value, type))
      }
    }
    return SymbolTable(found)
  }

  /// From the notes that sysfs shows: `notes_attrs` has an attribute a section, whose private pointer is its address.
  private static func buildID(_ kernel: Kernel, _ address: UInt64) -> String? {
    guard let notes = kernel.pointer(address, "module", "notes_attrs"), notes >> 63 != 0,
      let count = kernel.integer(notes, "module_notes_attrs", "notes"),
      let first = kernel.offset("module_notes_attrs", "attrs"), let stride = kernel.size("bin_attribute")
    else { return nil }
    for index in 0..<min(count, 64) {
      let attribute = notes &+ first &+ index &* stride
      guard let section = kernel.pointer(attribute, "bin_attribute", "private"),
        let size = kernel.pointer(attribute, "bin_attribute", "size"), size <= 1 << 16,
        let bytes = kernel.space.read(section, count: Int(size))
      else { continue }
      if let id = BuildID.text(inNotes: bytes) { return id }
    }
    return nil
  }
}

/// The id that a linker gives a build.
public enum BuildID {
  /// The descriptor of an ELF note of type 3 by `GNU`.
  public static func text(inNotes bytes: [UInt8]) -> String? {
    var at = 0
    func word(_ offset: Int) -> Int { (0..<4).reduce(0) { $0 | Int(bytes[offset + $1]) << (8 * $1) } }
    while at + 16 <= bytes.count {
      let (nameSize, size, type) = (word(at), word(at + 4), word(at + 8))
      let start = at + 12 + (nameSize + 3) & ~3
      guard start + size <= bytes.count else { return nil }
      if type == 3, nameSize == 4, bytes[(at + 12)..<(at + 16)].elementsEqual([0x47, 0x4E, 0x55, 0]), size <= 64 {
        return bytes[start..<(start + size)].map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
      }
      at = start + (size + 3) & ~3
    }
    return nil
  }
}
