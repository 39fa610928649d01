import Trace

/// What can keep a session from starting or going on: one case per failure.
public enum SessionError: Error, Equatable, Sendable {
  /// The trace was recorded by a machine of other semantics.
  case machineVersion(path: String, found: UInt64, supported: UInt64)
  /// The header's machine is not one that this program knows.
  case unknownMachine(path: String, reason: String)
  /// The trace does not carry this image, and none of the files given has its digest.
  case missingImage(path: String, name: String, role: String, sha256: String)
  /// The recording was cut off before all images were in the trace.
  case cutOffInImages(path: String)
  /// An instant that does not exist in this trace.
  case noSuchInstant(path: String, text: String, reason: String)
  /// The run is over at the instant at which a branch should begin.
  case runIsOver(path: String, reason: String)
  /// The parent of a branch could not be replayed up to the instant.
  case parentFailed(path: String, reason: String)
}

extension SessionError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .machineVersion(let path, let found, let supported):
      return "\(path): recorded on machine version \(found), but this program has version \(supported); "
        + "use \(found > supported ? "a newer" : "an older") inquest"
    case .unknownMachine(let path, let reason): return "\(path): unknown machine in the header: \(reason)"
    case .missingImage(let path, let name, let role, let sha256):
      return "\(path): the trace does not carry its \(role) '\(name)'; give the file with SHA-256 \(sha256)"
    case .cutOffInImages(let path):
      return "\(path): the recording was cut off before the machine started; there is nothing to replay"
    case .noSuchInstant(let path, let text, let reason): return "\(path): no instant '\(text)': \(reason)"
    case .runIsOver(let path, let reason):
      return "\(path): the run is over there (\(reason)); nothing can branch from it"
    case .parentFailed(let path, let reason): return "\(path): cannot be replayed up to there: \(reason)"
    }
  }
}
