import Session

/// The registers as gdb reads them from `target.xml`: the features that gdb knows by name, then those of system software
/// under QEMU's names for them.
enum TargetDescription {
  static func xml(of registers: ArraySlice<ProcessorRegister>) -> String {
    func feature(_ name: String, types: String, _ contains: (ProcessorRegister) -> Bool) -> String {
      Self.feature(name, types: types, registers.filter(contains))
    }
    var text = """
      <?xml version="1.0"?>
      <!DOCTYPE target SYSTEM "gdb-target.dtd">
      <target version="1.0">
        <architecture>i386:x86-64</architecture>
      """ + "\n"
    text += feature("org.gnu.gdb.i386.core", types: flags("i386_eflags", 4, eflags)) {
      [.general, .segment, .x87].contains($0.group)
    }
    text += feature("org.gnu.gdb.i386.sse", types: vectorTypes + flags("i386_mxcsr", 4, mxcsr)) {
      $0.group == .sse
    }
    text += feature("org.gnu.gdb.i386.segments", types: "") { $0.group == .base }
    text += feature(
      "org.inquest.x86.system",
      types: flags("x64_cr0", 8, cr0) + flags("x64_cr3", 8, cr3) + flags("x64_cr4", 8, cr4)
        + flags("x64_efer", 8, efer)
    ) { $0.group == .control }
    if registers.contains(where: { $0.group == .avx }) {
      text += feature("org.gnu.gdb.i386.avx", types: "") { $0.group == .avx }
    }
    return text + "</target>\n"
  }

  private static func feature(_ name: String, types: String, _ registers: [ProcessorRegister]) -> String {
    var text = "  <feature name=\"\(name)\">\n" + types
    for register in registers {
      text += "    <reg name=\"\(register.name)\" bitsize=\"\(register.byteCount * 8)\" type=\"\(type(register))\""
      text += " regnum=\"\(register.number)\""
      if register.group == .x87, register.kind == .integer { text += " group=\"float\"" }
      text += "/>\n"
    }
    return text + "  </feature>\n"
  }

  private static func type(_ register: ProcessorRegister) -> String {
    switch register.kind {
    case .integer: return register.byteCount == 4 ? "int32" : register.name == "cr2" ? "data_ptr" : "int64"
    case .dataPointer: return "data_ptr"
    case .codePointer: return "code_ptr"
    case .flags: return "i386_eflags"
    case .x87: return "i387_ext"
    case .vector: return register.group == .avx ? "uint128" : "vec128"
    case .mxcsr: return "i386_mxcsr"
    case .cr0: return "x64_cr0"
    case .cr3: return "x64_cr3"
    case .cr4: return "x64_cr4"
    case .cr8: return "int64"
    case .efer: return "x64_efer"
    }
  }

  // MARK: Types

  private typealias Field = (name: String, first: Int, last: Int)

  private static func flags(_ id: String, _ byteCount: Int, _ fields: [Field]) -> String {
    var text = "    <flags id=\"\(id)\" size=\"\(byteCount)\">\n"
    for field in fields {
      text += "      <field name=\"\(field.name)\" start=\"\(field.first)\" end=\"\(field.last)\"/>\n"
    }
    return text + "    </flags>\n"
  }

  private static func bits(_ names: [(String, Int)]) -> [Field] { names.map { ($0.0, $0.1, $0.1) } }

  /// SDM 1 figure 3-8.
  private static let eflags = bits([
    ("CF", 0), ("", 1), ("PF", 2), ("AF", 4), ("ZF", 6), ("SF", 7), ("TF", 8), ("IF", 9), ("DF", 10), ("OF", 11),
    ("NT", 14), ("RF", 16), ("VM", 17), ("AC", 18), ("VIF", 19), ("VIP", 20), ("ID", 21),
  ])
  /// SDM 1 figure 10-3.
  private static let mxcsr = bits([
    ("IE", 0), ("DE", 1), ("ZE", 2), ("OE", 3), ("UE", 4), ("PE", 5), ("DAZ", 6), ("IM", 7), ("DM", 8), ("ZM", 9),
    ("OM", 10), ("UM", 11), ("PM", 12), ("FZ", 15),
  ])
  /// SDM 3A figure 2-7.
  private static let cr0 = bits([
    ("PE", 0), ("MP", 1), ("EM", 2), ("TS", 3), ("ET", 4), ("NE", 5), ("WP", 16), ("AM", 18), ("NW", 29), ("CD", 30),
    ("PG", 31),
  ])
  private static let cr3: [Field] = [("PCID", 0, 11), ("PDBR", 12, 63)]
  private static let cr4 = bits([
    ("VME", 0), ("PVI", 1), ("TSD", 2), ("DE", 3), ("PSE", 4), ("PAE", 5), ("MCE", 6), ("PGE", 7), ("PCE", 8),
    ("OSFXSR", 9), ("OSXMMEXCPT", 10), ("UMIP", 11), ("LA57", 12), ("VMXE", 13), ("SMXE", 14), ("FSGSBASE", 16),
    ("PCIDE", 17), ("OSXSAVE", 18), ("SMEP", 20), ("SMAP", 21), ("PKE", 22),
  ])
  /// SDM 3A table 2-4.
  private static let efer = bits([("SCE", 0), ("LME", 8), ("LMA", 10), ("NXE", 11)])

  /// The views of an XMM register that gdb shows.
  private static let vectorTypes: String = {
    let views = [
      ("v4f", "ieee_single", 4, "v4_float"), ("v2d", "ieee_double", 2, "v2_double"), ("v16i8", "int8", 16, "v16_int8"),
      ("v8i16", "int16", 8, "v8_int16"), ("v4i32", "int32", 4, "v4_int32"), ("v2i64", "int64", 2, "v2_int64"),
    ]
    var text = ""
    for (id, type, count, _) in views { text += "    <vector id=\"\(id)\" type=\"\(type)\" count=\"\(count)\"/>\n" }
    text += "    <union id=\"vec128\">\n"
    for (id, _, _, name) in views { text += "      <field name=\"\(name)\" type=\"\(id)\"/>\n" }
    return text + "      <field name=\"uint128\" type=\"uint128\"/>\n    </union>\n"
  }()
}
