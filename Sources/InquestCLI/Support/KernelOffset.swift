import CoreDump
import PC

/// How far a Linux kernel was moved from where it was linked to (KASLR), as its VMCOREINFO says.
enum KernelOffset {
  /// - Returns: 0 for a kernel that has not moved, or that does not say so.
  static func find(_ machine: Machine) -> UInt64 {
    guard let note = VMCoreInfoScanner.find(in: machine.memory, processors: [machine.processorState]) else { return 0 }
    let key = "KERNELOFFSET="
    let text = String(decoding: note, as: UTF8.self)
    for line in text.split(whereSeparator: \.isNewline) where line.hasPrefix(key) {
      return UInt64(line.dropFirst(key.count).prefix { $0.isHexDigit }, radix: 16) ?? 0
    }
    return 0
  }
}
