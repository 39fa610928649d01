import Foundation
import Monitor

/// gdb's command line for a server of ours.
struct GDBCommandLine {
  /// What `target remote` takes: `localhost:1234`, or a socket's path.
  var address: String
  /// The TCP port, if it is one.
  var port: Int?
  /// gdb's words, its name first.
  var words: [String]

  /// - Parameters:
  ///   - backend: the server's device, open.
  ///   - symbols: a file with the guest's symbols, and how far it was moved when the guest was loaded.
  /// - Returns: nil for a device that gdb cannot be told of in one line.
  init?(_ backend: any CharacterBackend, symbols: (path: String, offset: UInt64)? = nil) {
    let name = backend.filename.hasPrefix("disconnected:") ? String(backend.filename.dropFirst(13)) : backend.filename
    if let port = (backend as? SocketBackend)?.localPort {
      self.port = port
      let host = name.dropFirst(4).prefix { $0 != ":" && $0 != "," }
      address = "\(host.isEmpty || host == "0.0.0.0" || host == "127.0.0.1" ? "localhost" : String(host)):\(port)"
    } else if name.hasPrefix("unix:") {
      address = String(name.dropFirst(5).prefix { $0 != "," })
      if !address.hasPrefix("/") { address = FileManager.default.currentDirectoryPath + "/" + address }
    } else if name.hasPrefix("pty:") {
      address = String(name.dropFirst(4))
    } else {
      return nil
    }
    words = ["gdb", "-q"]
    if let symbols {
      let offset = symbols.offset == 0 ? "" : "-o 0x" + String(symbols.offset, radix: 16) + " "
      words += ["-ex", "symbol-file \(offset)\(symbols.path)"]
    }
    words += ["-ex", "target remote \(address)"]
  }

  /// As one types it.
  var text: String {
    words.map { word in
      let isPlain = word.allSatisfy { $0.isLetter || $0.isNumber || "-_./:=,+".contains($0) }
      return isPlain
        ? word : "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }.joined(separator: " ")
  }

  /// Starts gdb on this terminal and waits for its end.
  /// - Returns: its status; nil where it cannot be started.
  func run() -> Int32? {
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // gdb wants Ctrl-C for itself; what this process ignores must not be ignored there.
    var signals = sigset_t()
    sigemptyset(&signals)
    for signal in [SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXFSZ, SIGQUIT] { sigaddset(&signals, signal) }
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF))
    var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
    arguments.append(nil)
    defer { for argument in arguments { free(argument) } }
    var process = pid_t()
    guard posix_spawnp(&process, "gdb", nil, &attributes, arguments, environ) == 0 else { return nil }
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0, errno == EINTR {}
    return status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F
  }
}
