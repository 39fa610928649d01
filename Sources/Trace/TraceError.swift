import Foundation

/// What can be wrong with a trace: one case per failure, each with the file it is about.
public enum TraceError: Error, Equatable, Sendable {
  /// The file is not there.
  case missing(path: String)
  /// The operating system refused; `code` is an `errno`.
  case system(path: String, operation: String, code: Int32)
  /// The file has no bytes.
  case empty(path: String)
  /// The file is something else.
  case notATrace(path: String, reason: String)
  /// The recording was cut off before its header was complete, so nothing of it can be used.
  case cutOffInHeader(path: String)
  /// The trace was written by a newer version.
  case newerVersion(path: String, found: UInt64, supported: UInt64)
  /// The trace is of a version that is no longer read.
  case olderVersion(path: String, found: UInt64, supported: UInt64)
  /// Bytes that no writer leaves behind, at `offset` of the file. What precedes them is intact.
  case damaged(path: String, offset: UInt64, reason: String)
  /// The trace does not carry this image.
  case imageNotEmbedded(path: String, image: String, sha256: String)
  /// The trace knows no image of this role.
  case noSuchImage(path: String, role: String)
  /// The producer broke a rule of the schema; a defect of the program, not of the file.
  case invalidEvent(path: String, reason: String)
  /// The writer was used after `close`.
  case closed(path: String)

  public var path: String {
    switch self {
    case .missing(let path), .system(let path, _, _), .empty(let path), .notATrace(let path, _),
      .cutOffInHeader(let path), .newerVersion(let path, _, _), .olderVersion(let path, _, _),
      .damaged(let path, _, _), .imageNotEmbedded(let path, _, _), .noSuchImage(let path, _),
      .invalidEvent(let path, _), .closed(let path):
      return path
    }
  }
}

extension TraceError: CustomStringConvertible, LocalizedError {
  public var description: String {
    switch self {
    case .missing(let path): return "\(path): no such trace"
    case .system(let path, let operation, let code):
      return "\(path): cannot \(operation): \(String(cString: strerror(code)))"
    case .empty(let path): return "\(path): the file is empty, not a trace"
    case .notATrace(let path, let reason): return "\(path): not an Inquest trace (\(reason))"
    case .cutOffInHeader(let path):
      return "\(path): the recording was cut off before its header was written; nothing can be replayed"
    case .newerVersion(let path, let found, let supported):
      return
        "\(path): trace format version \(found), but this program reads version \(supported); use a newer inquest"
    case .olderVersion(let path, let found, let supported):
      return
        "\(path): trace format version \(found), but this program reads version \(supported); use an older inquest"
    case .damaged(let path, let offset, let reason): return "\(path): damaged at offset \(offset): \(reason)"
    case .imageNotEmbedded(let path, let image, let sha256):
      return "\(path): image '\(image)' is not in the trace; give the file with SHA-256 \(sha256)"
    case .noSuchImage(let path, let role): return "\(path): the trace has no image of role '\(role)'"
    case .invalidEvent(let path, let reason): return "\(path): cannot log: \(reason)"
    case .closed(let path): return "\(path): the trace is closed already"
    }
  }
  public var errorDescription: String? { description }
}
