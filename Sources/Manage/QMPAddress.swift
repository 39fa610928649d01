/// Where a QMP server listens: `unix:PATH` or a path alone, or `tcp:HOST:PORT`.
public enum QMPAddress: Sendable, Equatable, CustomStringConvertible {
  case unix(path: String)
  case tcp(host: String, port: UInt16)

  /// Nil for a text that is neither. Options behind a comma, as in `unix:PATH,server=on`, are ignored, so that the
  /// argument of a machine's `-qmp` will do.
  public init?(_ text: String) {
    let address = text.split(separator: ",", omittingEmptySubsequences: false).first.map(String.init) ?? ""
    if address.hasPrefix("tcp:") {
      let rest = address.dropFirst(4)
      guard let colon = rest.lastIndex(of: ":"), let port = UInt16(rest[rest.index(after: colon)...]), port > 0 else {
        return nil
      }
      self = .tcp(host: String(rest[..<colon]), port: port)
    } else {
      let path = address.hasPrefix("unix:") ? String(address.dropFirst(5)) : address
      guard !path.isEmpty, path.utf8.count < 108, !path.utf8.contains(0) else { return nil }
      self = .unix(path: path)
    }
  }

  public var description: String {
    switch self {
    case .unix(let path): return path
    case .tcp(let host, let port): return "tcp:\(host):\(port)"
    }
  }
}
