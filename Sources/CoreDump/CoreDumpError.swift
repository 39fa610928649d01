import Foundation

/// Why a dump was not written. No partial file is left behind.
public enum CoreDumpError: Error, Equatable, Sendable {
  /// The file could not be made; `code` is an `errno`.
  case cannotCreate(path: String, code: Int32)
  /// Writing stopped half-way; `code` is an `errno`. A descriptor that came from outside keeps what was written.
  case cannotWrite(path: String, code: Int32)
  /// The range that was asked for holds no RAM.
  case noMemoryInRange(Range<UInt64>)
  /// The output is a pipe or socket, and the format needs a file.
  case notSeekable(path: String)
  /// zlib had no memory, or refused; `code` is its status.
  case compressorFailed(code: Int32)
}

extension CoreDumpError: CustomStringConvertible, LocalizedError {
  /// One line: what, where, what to do.
  public var description: String {
    switch self {
    case .cannotCreate(let path, let code):
      return "cannot create the core dump '\(path)': \(Self.text(code))\(Self.advice(code))"
    case .cannotWrite(let path, let code):
      return "cannot write the core dump '\(path)': \(Self.text(code))\(Self.advice(code))"
    case .noMemoryInRange(let range):
      let end = range.isEmpty ? range.lowerBound : range.upperBound - 1
      return "there is no RAM at guest-physical addresses 0x\(String(range.lowerBound, radix: 16)) to "
        + "0x\(String(end, radix: 16)): give a range inside the guest's memory"
    case .notSeekable(let path):
      return "cannot write a compressed kdump to '\(path)': it is a pipe or socket; name a file, or write an ELF dump"
    case .compressorFailed(let code):
      return "cannot compress the core dump (zlib status \(code)): is the host out of memory?"
    }
  }

  public var errorDescription: String? { description }

  private static func text(_ code: Int32) -> String { String(cString: strerror(code)) }

  private static func advice(_ code: Int32) -> String {
    switch code {
    case ENOSPC, EDQUOT: return ": free some space, or name a file on another disk"
    case EFBIG: return ": a limit on file sizes is in force (ulimit -f); raise it, or write a compressed dump"
    case EACCES, EPERM, EROFS: return ": name a folder in which you may write"
    case ENOENT, ENOTDIR: return ": make the folder first, or name another one"
    case EISDIR: return ": name a file, not a folder"
    case EPIPE, ECONNRESET: return ": the reader went away"
    default: return ""
    }
  }
}
