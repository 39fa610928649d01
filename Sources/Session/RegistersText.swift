import X86Core
import X86System

extension ProcessorState {
  /// QEMU's `info registers` of one processor in 64-bit or legacy modes, lines ending in CR LF.
  public func text(isHalted: Bool) -> String {
    var lines = ["", "CPU#0"]
    func hex(_ value: UInt64, _ digits: Int) -> String {
      let text = String(value, radix: 16)
      return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
    let wide = efer & 0x400 != 0
    let names =
      wide
      ? [
        "RAX", "RBX", "RCX", "RDX", "RSI", "RDI", "RBP", "RSP", "R8 ", "R9 ", "R10", "R11", "R12", "R13",
        "R14", "R15",
      ]
      : ["EAX", "EBX", "ECX", "EDX", "ESI", "EDI", "EBP", "ESP"]
    let order = [0, 3, 1, 2, 6, 7, 5, 4, 8, 9, 10, 11, 12, 13, 14, 15]
    let digits = wide ? 16 : 8
    let mask: UInt64 = wide ? .max : 0xFFFF_FFFF
    for row in stride(from: 0, to: names.count, by: 4) {
      lines.append(
        (row..<row + 4).map { "\(names[$0])=\(hex(general[order[$0]] & mask, digits))" }.joined(
          separator: " "))
    }
    let flags = [(10, "D"), (11, "O"), (7, "S"), (6, "Z"), (4, "A"), (2, "P"), (0, "C")].map { bit, letter in
      rflags >> UInt64(bit) & 1 == 1 ? letter : "-"
    }
    let ip = wide ? "RIP" : "EIP"
    lines.append(
      "\(ip)=\(hex(rip & mask, digits)) \(wide ? "RFL" : "EFL")=\(hex(rflags & 0xFFFF_FFFF, 8)) "
        + "[\(flags.joined())] CPL=\(cpl) II=0 "
        + "A20=\(a20Mask == .max ? 1 : 0) SMM=0 HLT=\(isHalted ? 1 : 0)")
    for (index, name) in ["ES", "CS", "SS", "DS", "FS", "GS"].enumerated() where index < segments.count {
      let segment = segments[index]
      lines.append(
        "\(name) =\(hex(UInt64(segment.register.selector), 4)) \(hex(segment.base & mask, digits)) "
          + "\(hex(UInt64(segment.register.limit), 8)) \(hex(UInt64(segment.register.attributes) << 8, 8))"
          + Self.description(of: segment.register))
    }
    for (name, register) in [("LDT", ldtr), ("TR ", tr)] {
      lines.append(
        "\(name)=\(hex(UInt64(register.selector), 4)) \(hex(register.base & mask, digits)) "
          + "\(hex(UInt64(register.limit), 8)) \(hex(UInt64(register.attributes) << 8, 8))")
    }
    for (name, register) in [("GDT", gdtr), ("IDT", idtr)] {
      lines.append("\(name)=     \(hex(register.base & mask, digits)) \(hex(UInt64(register.limit), 8))")
    }
    lines.append(
      "CR0=\(hex(cr0, 8)) CR2=\(hex(cr2 & mask, digits)) CR3=\(hex(cr3 & mask, digits)) CR4=\(hex(cr4, 8))")
    if debug.count == 6 {
      lines.append(
        (0..<4).map { "DR\($0)=\(hex(debug[$0] & mask, digits)) " }.joined())
      lines.append("DR6=\(hex(debug[4] & mask, digits)) DR7=\(hex(debug[5] & mask, digits))")
    }
    lines.append("EFER=\(hex(efer, 16))")
    let status = UInt64(x87Status & ~0x3800) | UInt64(x87Top & 7) << 11
    lines.append(
      "FCW=\(hex(UInt64(x87Control), 4)) FSW=\(hex(status, 4)) [ST=\(x87Top & 7)] "
        + "FTW=\(hex(UInt64(~x87Empty), 2)) MXCSR=\(hex(UInt64(mxcsr), 8))")
    for pair in stride(from: 0, to: 8, by: 2) where x87.count == 16 {
      lines.append(
        (pair..<pair + 2).map { "FPR\($0)=\(hex(x87[2 * $0], 16)) \(hex(x87[2 * $0 + 1] & 0xFFFF, 4))" }
          .joined(separator: " "))
    }
    for pair in stride(from: 0, to: wide ? 16 : 8, by: 2) where vectors.count == 64 {
      lines.append(
        (pair..<pair + 2).map {
          "XMM\($0 < 10 ? "0" : "")\($0)=\(hex(vectors[4 * $0 + 1], 16)) \(hex(vectors[4 * $0], 16))"
        }.joined(separator: " "))
    }
    return lines.joined(separator: "\r\n") + "\r\n"
  }

  /// What kind of segment it is, as QEMU's text says after the descriptor.
  private static func description(of register: SegmentRegister) -> String {
    guard register.isPresent else { return "" }
    let accessed = register.type & 1 != 0 ? "A" : "-"
    let second = register.type & 2 != 0
    if register.isCode {
      let size = register.long ? "CS64" : register.big ? "CS32" : "CS16"
      return
        " DPL=\(register.dpl) \(size) [\(register.type & 4 != 0 ? "C" : "-")\(second ? "R" : "-")\(accessed)]"
    }
    let size = register.big ? "DS  " : "DS16"
    return
      " DPL=\(register.dpl) \(size) [\(register.type & 4 != 0 ? "E" : "-")\(second ? "W" : "-")\(accessed)]"
  }
}
