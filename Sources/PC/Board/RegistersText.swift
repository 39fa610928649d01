import Foundation
import X86
import X86Core
import X86System

extension Machine {
  /// The processor's registers as QEMU's monitor shows them (`info registers`).
  public func registersText() -> String {
    let s = processorState
    let isLong = s.efer & EFER.lma != 0
    func hex(_ value: UInt64, _ digits: Int) -> String {
      let text = String(value, radix: 16)
      return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
    let names = [
      "RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI", "R8 ", "R9 ", "R10", "R11", "R12", "R13", "R14",
      "R15",
    ]
    func general(_ order: [Int]) -> String {
      order.map { "\(names[$0])=\(hex(s.general[$0], 16))" }.joined(separator: " ") + "\n"
    }
    var text = "\nCPU#0\n"
    text +=
      general([0, 3, 1, 2]) + general([6, 7, 5, 4]) + general([8, 9, 10, 11]) + general([12, 13, 14, 15])
    let flags: [(UInt64, String)] = [
      (RFLAGS.df, "D"), (RFLAGS.of, "O"), (RFLAGS.sf, "S"), (RFLAGS.zf, "Z"), (RFLAGS.af, "A"),
      (RFLAGS.pf, "P"),
      (RFLAGS.cf, "C"),
    ]
    let letters = flags.map { s.rflags & $0.0 != 0 ? $0.1 : "-" }.joined()
    let shadow = s.shadowCount == Int64(bitPattern: instructionCount) ? 1 : 0
    text += "RIP=\(hex(s.rip, 16)) RFL=\(hex(s.rflags, 8)) [\(letters)] CPL=\(s.cpl) II=\(shadow) "
    text += "A20=\(s.a20Mask >> 20 & 1) SMM=0 HLT=\(processor.isHalted ? 1 : 0)\n"
    for (name, segment) in zip(["ES", "CS", "SS", "DS", "FS", "GS"], s.segments) {
      text += segmentLine(
        name + " ", selector: segment.register.selector, base: segment.base, limit: segment.register.limit,
        attributes: segment.register.attributes, isLong: isLong, hex)
    }
    for (name, table) in [("LDT", s.ldtr), ("TR ", s.tr)] {
      text += segmentLine(
        name, selector: table.selector, base: table.base, limit: table.limit, attributes: table.attributes,
        isLong: isLong, hex)
    }
    text += "GDT=     \(hex(s.gdtr.base, 16)) \(hex(UInt64(s.gdtr.limit), 8))\n"
    text += "IDT=     \(hex(s.idtr.base, 16)) \(hex(UInt64(s.idtr.limit), 8))\n"
    text += "CR0=\(hex(s.cr0, 8)) CR2=\(hex(s.cr2, 16)) CR3=\(hex(s.cr3, 16)) CR4=\(hex(s.cr4, 8))\n"
    text += (0..<4).map { "DR\($0)=\(hex(s.debug[$0], 16))" }.joined(separator: " ") + " \n"
    text += "DR6=\(hex(s.debug[4], 16)) DR7=\(hex(s.debug[5], 16))\n"
    text += "EFER=\(hex(s.efer, 16))\n"
    return text + floatingPoint(s, hex)
  }

  private func segmentLine(
    _ name: String, selector: UInt16, base: UInt64, limit: UInt32, attributes: UInt16, isLong: Bool,
    _ hex: (UInt64, Int) -> String
  ) -> String {
    // As in the upper half of a descriptor, which QEMU prints.
    let flags = UInt64(attributes & 0xFF) << 8 | UInt64(attributes & 0xF000) << 8 | UInt64(limit & 0xF_0000)
    var text =
      "\(name)=\(hex(UInt64(selector), 4)) \(hex(base, 16)) \(hex(UInt64(limit), 8)) \(hex(flags, 8))"
    guard attributes & 0x80 != 0 else { return text + "\n" }
    let type = attributes & 15
    text += " DPL=\(attributes >> 5 & 3) "
    if attributes & 0x10 != 0 {
      let has = { (bit: UInt16, letter: String) in type & bit != 0 ? letter : "-" }
      if type & 8 != 0 {
        text += attributes & 0x2000 != 0 ? "CS64" : attributes & 0x4000 != 0 ? "CS32" : "CS16"
        text += " [\(has(4, "C"))\(has(2, "R"))"
      } else {
        text += attributes & 0x4000 != 0 || isLong ? "DS  " : "DS16"
        text += " [\(has(4, "E"))\(has(2, "W"))"
      }
      text += has(1, "A") + "]"
    } else {
      let legacy = [
        "Reserved", "TSS16-avl", "LDT", "TSS16-busy", "CallGate16", "TaskGate", "IntGate16", "TrapGate16",
        "Reserved",
        "TSS32-avl", "Reserved", "TSS32-busy", "CallGate32", "Reserved", "IntGate32", "TrapGate32",
      ]
      let long = [
        "<hiword>", "Reserved", "LDT", "Reserved", "Reserved", "Reserved", "Reserved", "Reserved", "Reserved",
        "TSS64-avl", "Reserved", "TSS64-busy", "CallGate64", "Reserved", "IntGate64", "TrapGate64",
      ]
      text += (isLong ? long : legacy)[Int(type)]
    }
    return text + "\n"
  }

  private func floatingPoint(_ s: ProcessorState, _ hex: (UInt64, Int) -> String) -> String {
    let status = UInt64(s.x87Status & ~0x3800) | UInt64(s.x87Top) << 11
    var text = "FCW=\(hex(UInt64(s.x87Control), 4)) FSW=\(hex(status, 4)) [ST=\(s.x87Top)] "
    text += "FTW=\(hex(UInt64(~s.x87Empty), 2)) MXCSR=\(hex(UInt64(s.mxcsr), 8))\n"
    for i in 0..<8 where s.x87.count >= 16 {
      text +=
        "FPR\(i)=\(hex(s.x87[2 * i], 16)) \(hex(s.x87[2 * i + 1] & 0xFFFF, 4))" + (i & 1 == 1 ? "\n" : " ")
    }
    let count = s.efer & EFER.lma != 0 && s.segments.count > 1 && s.segments[1].register.long ? 16 : 8
    for i in 0..<count where s.vectors.count >= 64 {
      let number = i < 10 ? "0\(i)" : "\(i)"
      text +=
        "XMM\(number)=\(hex(s.vectors[4 * i + 1], 16)) \(hex(s.vectors[4 * i], 16))"
        + (i & 1 == 1 ? "\n" : " ")
    }
    return text
  }
}
