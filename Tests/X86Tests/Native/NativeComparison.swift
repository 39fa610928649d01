import X86Core
import X86Decode

/// Compares the host's result of a case with the guest's.
enum NativeComparison {
  /// Descriptions of all differences; empty when the results agree.
  static func differences(
    _ i: Instruction, _ input: NativeInput, _ native: NativeOutput, _ guest: NativeOutput, _ mask: ResultMask
  ) -> [String] {
    var result: [String] = []
    func compare(_ name: String, _ a: UInt64, _ b: UInt64) {
      if a != b { result.append("\(name): host \(hex(a)), guest \(hex(b))") }
    }
    compare("exception", UInt64(native.trap), UInt64(guest.trap))
    if native.trap == guest.trap {
      var code = UInt64(native.error ^ guest.error)
      if native.trap == 14 {
        compare("CR2", native.cr2, guest.cr2)
        // Linux pretends that all pages beyond a program's addresses are present (arch/x86/mm/fault.c).
        if native.cr2 >= 0x7FFF_FFFF_F000 { code &= ~1 }
      }
      if code != 0 {
        result.append("error code: host \(hex(UInt64(native.error))), guest \(hex(UInt64(guest.error)))")
      }
    }
    compare("RIP", native.rip, guest.rip)
    for r in 0..<16 where mask.ignoredRegisters >> UInt16(r) & 1 == 0 {
      let a = native.gpr(r)
      let b = guest.gpr(r)
      if a != b { compare(registerNames[r], a, b) }
    }
    let flags = (native.rflags ^ guest.rflags) & mask.flags
    if flags != 0 {
      result.append(
        "RFLAGS: host \(flagNames(native.rflags)), guest \(flagNames(guest.rflags)) (\(flagNames(flags)))")
    }
    if native.fsBase != guest.fsBase { compare("FS base", native.fsBase, guest.fsBase) }
    if native.gsBase != guest.gsBase { compare("GS base", native.gsBase, guest.gsBase) }
    for s in 0..<6 where native.selector(s) != guest.selector(s) {
      // The kernel's IRET leaves 0 for any null selector in ES, DS, FS, GS (SDM 2A IRET/IRETD, RETURN-TO-OUTER).
      if s != 1 && s != 2 && native.selector(s) == 0 && guest.selector(s) < 4 { continue }
      compare(["ES", "CS", "SS", "DS", "FS", "GS"][s], UInt64(native.selector(s)), UInt64(guest.selector(s)))
    }
    compareFloat(native.fx, guest.fx, &result)
    for r in 0..<32 {
      let a = native.ymm.load(fromByteOffset: 8 * r, as: UInt64.self)
      let b = guest.ymm.load(fromByteOffset: 8 * r, as: UInt64.self)
      if a != b { result.append("YMM\(r / 2)[\(2 + r % 2)]: host \(hex(a)), guest \(hex(b))") }
    }
    if !mask.ignoresMemory { compareMemory(native, guest, &result) }
    return result
  }

  private static func compareMemory(_ native: NativeOutput, _ guest: NativeOutput, _ result: inout [String]) {
    if native.memoryStart != guest.memoryStart || native.memoryLength != guest.memoryLength {
      result.append(
        "memory: host changed \(describe(native)), guest \(describe(guest))")
      return
    }
    let count = min(native.memoryLength, NativeOutput.memoryReported)
    for k in stride(from: 0, to: count, by: 8) {
      let a = native.memory.load(fromByteOffset: k, as: UInt64.self)
      let b = guest.memory.load(fromByteOffset: k, as: UInt64.self)
      if a != b {
        result.append(
          "memory \(hex(NativeMap.data + UInt64(native.memoryStart + k))): host \(hex(a)), guest \(hex(b))")
        if result.count > 12 { return }
      }
    }
  }

  private static func describe(_ output: NativeOutput) -> String {
    if output.memoryLength == 0 { return "nothing" }
    let start = hex(NativeMap.data + UInt64(output.memoryStart))
    return "\(start)+\(output.memoryLength) (\(hex(output.memory.load(as: UInt64.self))) …)"
  }

  private static func compareFloat(
    _ native: UnsafeMutableRawPointer, _ guest: UnsafeMutableRawPointer, _ result: inout [String]
  ) {
    for (offset, name) in [(0, "FCW"), (2, "FSW")] {
      let a = native.load(fromByteOffset: offset, as: UInt16.self)
      let b = guest.load(fromByteOffset: offset, as: UInt16.self)
      if a != b { result.append("\(name): host \(hex(UInt64(a))), guest \(hex(UInt64(b)))") }
    }
    let a = native.load(fromByteOffset: 4, as: UInt8.self)
    let b = guest.load(fromByteOffset: 4, as: UInt8.self)
    if a != b { result.append("FTW: host \(hex(UInt64(a))), guest \(hex(UInt64(b)))") }
    let ma = native.load(fromByteOffset: 24, as: UInt32.self)
    let mb = guest.load(fromByteOffset: 24, as: UInt32.self)
    if ma != mb { result.append("MXCSR: host \(hex(UInt64(ma))), guest \(hex(UInt64(mb)))") }
    for r in 0..<8 {
      let at = 32 + 16 * r
      let la = native.load(fromByteOffset: at, as: UInt64.self)
      let lb = guest.load(fromByteOffset: at, as: UInt64.self)
      let ha = native.load(fromByteOffset: at + 8, as: UInt16.self)
      let hb = guest.load(fromByteOffset: at + 8, as: UInt16.self)
      if la != lb || ha != hb {
        result.append("ST\(r): host \(hex(UInt64(ha))):\(hex(la)), guest \(hex(UInt64(hb))):\(hex(lb))")
      }
    }
    for r in 0..<16 {
      let at = 160 + 16 * r
      let la = native.load(fromByteOffset: at, as: UInt64.self)
      let lb = guest.load(fromByteOffset: at, as: UInt64.self)
      let ha = native.load(fromByteOffset: at + 8, as: UInt64.self)
      let hb = guest.load(fromByteOffset: at + 8, as: UInt64.self)
      if la != lb || ha != hb {
        result.append("XMM\(r): host \(hex(ha)):\(hex(la)), guest \(hex(hb)):\(hex(lb))")
      }
    }
  }

  static let registerNames = [
    "RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI", "R8", "R9", "R10", "R11", "R12", "R13", "R14",
    "R15",
  ]

  static func hex(_ value: UInt64) -> String { String(value, radix: 16, uppercase: true) }

  static func flagNames(_ flags: UInt64) -> String {
    let names: [(UInt64, String)] = [
      (RFLAGS.cf, "CF"), (RFLAGS.pf, "PF"), (RFLAGS.af, "AF"), (RFLAGS.zf, "ZF"), (RFLAGS.sf, "SF"),
      (RFLAGS.tf, "TF"), (RFLAGS.if, "IF"), (RFLAGS.df, "DF"), (RFLAGS.of, "OF"), (1 << 12, "IOPL0"),
      (1 << 13, "IOPL1"), (RFLAGS.nt, "NT"), (RFLAGS.rf, "RF"), (RFLAGS.ac, "AC"), (RFLAGS.id, "ID"),
    ]
    return "[" + names.filter { flags & $0.0 != 0 }.map { $0.1 }.joined(separator: " ") + "]"
  }

  /// The whole case, so that it can be run again by hand.
  static func describe(_ input: NativeInput) -> String {
    var text = "bytes"
    for i in 0..<input.length {
      let byte = UInt64(input.code.load(fromByteOffset: i, as: UInt8.self))
      text += (byte < 16 ? " 0" : " ") + hex(byte)
    }
    text += " at \(hex(input.rip)), RFLAGS \(flagNames(input.rflags))"
    for r in 0..<16 { text += ", \(registerNames[r]) \(hex(input.gpr(r)))" }
    text += ", FS base \(hex(input.fsBase)), GS base \(hex(input.gsBase))"
    for n in 0..<2 {
      let (address, bytes) = input.patch(n)
      if bytes.isEmpty { continue }
      text += ", [\(hex(address))]"
      for byte in bytes { text += (byte < 16 ? " 0" : " ") + hex(UInt64(byte)) }
    }
    let fx = input.fx
    text +=
      ", FCW \(hex(UInt64(fx.load(as: UInt16.self)))), FSW \(hex(UInt64(fx.load(fromByteOffset: 2, as: UInt16.self))))"
    text += ", FTW \(hex(UInt64(fx.load(fromByteOffset: 4, as: UInt8.self))))"
    text += ", MXCSR \(hex(UInt64(fx.load(fromByteOffset: 24, as: UInt32.self))))"
    for r in 0..<8 {
      let low = fx.load(fromByteOffset: 32 + 16 * r, as: UInt64.self)
      text += ", ST\(r) \(hex(UInt64(fx.load(fromByteOffset: 40 + 16 * r, as: UInt16.self)))):\(hex(low))"
    }
    for r in 0..<16 {
      let low = fx.load(fromByteOffset: 160 + 16 * r, as: UInt64.self)
      text += ", XMM\(r) \(hex(fx.load(fromByteOffset: 168 + 16 * r, as: UInt64.self))):\(hex(low))"
    }
    for r in 0..<16 {
      let low = input.ymm.load(fromByteOffset: 16 * r, as: UInt64.self)
      text += ", YMM\(r)H \(hex(input.ymm.load(fromByteOffset: 16 * r + 8, as: UInt64.self))):\(hex(low))"
    }
    return text
  }
}
