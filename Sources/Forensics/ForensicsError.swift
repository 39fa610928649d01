/// Why something cannot be told about a guest. What else can be told is told.
public enum ForensicsError: Error, Equatable, Sendable {
  case notADump(String)
  /// The processor does not run with 4- or 5-level paging: too early in the boot, or no 64-bit kernel.
  case notLongMode
  /// No VMCOREINFO, and nothing that looks like a Linux kernel's symbols.
  case notLinux
  /// The kernel is there, but a thing in it is not, or not in a form that is known.
  case missing(String)
}

extension ForensicsError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .notADump(let reason): return "not a dump that can be read: \(reason)"
    case .notLongMode:
      return "the processor is not in 64-bit mode: the guest has not started its kernel yet, or it is no 64-bit one"
    case .notLinux:
      return "no Linux kernel was found in the guest's memory (neither VMCOREINFO nor kallsyms): "
        + "is the instant before the kernel's start?"
    case .missing(let what): return what
    }
  }
}
