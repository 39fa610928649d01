/// Why a guest's files cannot be started. Each says what is wrong and what can be done.
public enum LoaderError: Error, Equatable, CustomStringConvertible {
  /// The kernel file has no bytes.
  case emptyKernel
  /// No loader knows this file. `found` describes its first bytes.
  case foreignKernel(found: String)
  /// The file ends before something that its own header promises.
  case truncated(what: String, needed: UInt64, present: UInt64)
  /// A header contradicts itself or asks for something that cannot be done.
  case malformed(what: String)
  /// The kernel's boot protocol is too old; `version` is 0xMMmm.
  case unsupportedProtocol(version: UInt16)
  /// The kernel does not fit. Both are bytes of RAM.
  case notEnoughMemory(needed: UInt64, present: UInt64)
  case emptyInitrd
  /// The initrd does not fit between the kernel and the end of memory that it may use.
  case initrdTooLarge(size: UInt64, room: UInt64)
  case commandLineTooLong(length: Int, limit: Int)

  public var description: String {
    switch self {
    case .emptyKernel: return "the kernel file is empty"
    case .foreignKernel(let found):
      return "the kernel file is no bzImage, no ELF with a PVH note and no multiboot image (\(found))"
    case .truncated(let what, let needed, let present):
      return "\(what) is cut off: \(needed) bytes needed, \(present) there; fetch the file again"
    case .malformed(let what): return "the kernel file is damaged: \(what)"
    case .unsupportedProtocol(let version):
      return
        "the kernel speaks boot protocol \(version >> 8).\(String(format2(version))), 2.06 is the oldest known here"
    case .notEnoughMemory(let needed, let present):
      return "the kernel needs \(mebibytes(needed)) MiB of memory, the machine has \(mebibytes(present)); "
        + "give it more with -m"
    case .emptyInitrd: return "the initrd file is empty"
    case .initrdTooLarge(let size, let room):
      return "the initrd has \(size) bytes, \(room) are free beside the kernel; give the machine more with -m"
    case .commandLineTooLong(let length, let limit):
      return "the command line has \(length) bytes, this kernel takes \(limit); shorten -append"
    }
  }

  private func format2(_ version: UInt16) -> String {
    let minor = version & 0xFF
    return minor < 10 ? "0\(minor)" : "\(minor)"
  }
  private func mebibytes(_ bytes: UInt64) -> UInt64 { (bytes &+ 0xFFFFF) >> 20 }
}
