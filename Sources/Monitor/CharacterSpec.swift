/// A character device as a command line describes it.
public struct CharacterSpec: Sendable, Equatable {
  public enum Kind: Sendable, Equatable {
    case null
    case stdio
    case pty
    /// Output only; an existing file is overwritten unless `append` is set.
    case file(path: String, append: Bool)
    /// A FIFO (or any device) for both ways, or `path.in` and `path.out`.
    case pipe(path: String)
    case unix(path: String, server: Bool, wait: Bool)
    case tcp(host: String, port: Int, server: Bool, wait: Bool)
    /// One that `-chardev` has declared.
    case reference(id: String)
  }
  public var kind: Kind
  /// Shared between a serial port and a monitor, with Ctrl-a as escape (`mon:`, `mux=on`).
  public var mux: Bool
  /// Whether Ctrl-C on a terminal raises SIGINT instead of going to the guest.
  public var signal: Bool

  public init(_ kind: Kind, mux: Bool = false, signal: Bool? = nil) {
    self.kind = kind
    self.mux = mux
    self.signal = signal ?? !mux
  }

  /// The argument of `-serial`, `-qmp` and `-monitor`: `stdio`, `null`, `pty`, `file:PATH`, `pipe:PATH`,
  /// `unix:PATH[,server=on][,wait=off]`, `tcp:HOST:PORT[,…]`, `chardev:ID`, each also behind `mon:`. `none` is nil.
  public static func parse(_ text: String) throws -> CharacterSpec? {
    if text == "none" { return nil }
    if text.hasPrefix("mon:") {
      guard var spec = try parse(String(text.dropFirst(4))) else {
        throw OptionText.Failure("'mon:none' has nothing to share")
      }
      spec.mux = true
      spec.signal = false
      return spec
    }
    let options = try OptionText(text)
    let head = options.head ?? ""
    let colon = head.firstIndex(of: ":")
    let scheme = colon.map { String(head[..<$0]) } ?? head
    let rest = colon.map { String(head[head.index(after: $0)...]) }
    switch (scheme, rest) {
    case ("null", nil): return CharacterSpec(.null)
    case ("pty", nil): return CharacterSpec(.pty)
    case ("stdio", nil):
      try options.allow(["signal"])
      return CharacterSpec(.stdio, signal: try options.flag("signal", default: true))
    case ("file", let path?):
      try options.allow(["append"])
      return CharacterSpec(
        .file(path: try nonEmpty(path, text), append: try options.flag("append", default: false)))
    case ("pipe", let path?): return CharacterSpec(.pipe(path: try nonEmpty(path, text)))
    case ("chardev", let id?): return CharacterSpec(.reference(id: try nonEmpty(id, text)))
    case ("unix", let path?):
      let (server, wait) = try socketOptions(options, socketKeys)
      return CharacterSpec(.unix(path: try nonEmpty(path, text), server: server, wait: wait))
    case ("tcp", let address?):
      let (server, wait) = try socketOptions(options, socketKeys)
      guard let separator = address.lastIndex(of: ":") else {
        throw OptionText.Failure("'\(text)': expected tcp:HOST:PORT")
      }
      return CharacterSpec(
        .tcp(
          host: String(address[..<separator]),
          port: try port(String(address[address.index(after: separator)...])),
          server: server, wait: wait))
    default:
      throw OptionText.Failure(
        "'\(text)' is not a valid char driver; there are stdio, null, pty, file:PATH, pipe:PATH, "
          + "unix:PATH,server=on,wait=off, tcp:HOST:PORT,server=on,wait=off, chardev:ID and none")
    }
  }

  /// The argument of `-chardev`: `BACKEND,id=ID,…`.
  public static func parseChardev(_ text: String) throws -> (id: String, spec: CharacterSpec) {
    let options = try OptionText(text)
    guard let id = options["id"], !id.isEmpty else { throw OptionText.Failure("chardev: no id specified") }
    guard let backend = options.head ?? options["backend"] else {
      throw OptionText.Failure("chardev: \"\(id)\" missing backend")
    }
    let mux = try options.flag("mux", default: false)
    func required(_ key: String) throws -> String {
      guard let value = options[key], !value.isEmpty else {
        throw OptionText.Failure("chardev: \(backend): no \(key == "path" ? "filename" : key) given")
      }
      return value
    }
    let common = ["id", "backend", "mux"]
    switch backend {
    case "null":
      try options.allow(common)
      return (id, CharacterSpec(.null, mux: mux))
    case "pty":
      try options.allow(common)
      return (id, CharacterSpec(.pty, mux: mux))
    case "stdio":
      try options.allow(common + ["signal"])
      return (id, CharacterSpec(.stdio, mux: mux, signal: try options.flag("signal", default: true)))
    case "file":
      try options.allow(common + ["path", "append"])
      return (
        id,
        CharacterSpec(
          .file(path: try required("path"), append: try options.flag("append", default: false)), mux: mux)
      )
    case "pipe":
      try options.allow(common + ["path"])
      return (id, CharacterSpec(.pipe(path: try required("path")), mux: mux))
    case "socket":
      let (server, wait) = try socketOptions(options, common + socketKeys + ["path", "host", "port"])
      if options["path"] != nil {
        return (id, CharacterSpec(.unix(path: try required("path"), server: server, wait: wait), mux: mux))
      }
      return (
        id,
        CharacterSpec(
          .tcp(host: options["host"] ?? "", port: try port(try required("port")), server: server, wait: wait),
          mux: mux)
      )
    default:
      throw OptionText.Failure("'\(backend)' is not a valid char driver")
    }
  }

  private static let socketKeys = [
    "server", "wait", "nodelay", "reconnect", "telnet", "ipv4", "ipv6", "to", "abstract", "tight",
  ]

  private static func socketOptions(_ options: OptionText, _ keys: [String]) throws -> (
    server: Bool, wait: Bool
  ) {
    try options.allow(keys)
    for unsupported in ["telnet", "abstract"] where try options.flag(unsupported, default: false) {
      throw OptionText.Failure("'\(unsupported)' is not supported; leave it out")
    }
    let server = try options.flag("server", default: false)
    if options["wait"] != nil && !server {
      throw OptionText.Failure("'wait' option is incompatible with socket in client connect mode")
    }
    return (server, try options.flag("wait", default: server))
  }

  private static func port(_ text: String) throws -> Int {
    guard let port = UInt16(text) else {
      throw OptionText.Failure("'\(text)' is not a port number (0 to 65535)")
    }
    return Int(port)
  }

  private static func nonEmpty(_ value: String, _ text: String) throws -> String {
    if value.isEmpty { throw OptionText.Failure("'\(text)': a name is missing after the colon") }
    return value
  }
}
