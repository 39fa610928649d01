import Glibc

/// Sockets in the file system, as a server of QEMU's kind needs them: private to the user, never taken from a
/// living server, gone when the server is.
enum UnixSocket {
  struct Bound {
    var descriptor: CInt
    var path: String
    /// What `bind` created, so that only that is removed.
    var device: UInt
    var inode: UInt
  }

  /// Makes a socket bound to `path` with mode 0600, not yet listening.
  static func bind(path: String) throws -> Bound {
    var address = try makeAddress(path)
    let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
    if descriptor < 0 { throw failure(path, errno) }
    if bindOnce(descriptor, &address) != 0 {
      let code = errno
      guard code == EADDRINUSE else {
        Glibc.close(descriptor)
        throw failure(path, code)
      }
      do {
        try removeDead(path, address)
      } catch {
        Glibc.close(descriptor)
        throw error
      }
      if bindOnce(descriptor, &address) != 0 {
        let code = errno
        Glibc.close(descriptor)
        throw failure(path, code)
      }
    }
    // Nobody can connect before listen(), so there is no moment at which the socket is open to others.
    var status = stat()
    if chmod(path, 0o600) != 0 || lstat(path, &status) != 0 {
      let code = errno
      unlink(path)
      Glibc.close(descriptor)
      throw failure(path, code)
    }
    return Bound(descriptor: descriptor, path: path, device: UInt(status.st_dev), inode: UInt(status.st_ino))
  }

  /// Removes the socket's name unless it means something else by now.
  static func remove(_ bound: Bound) {
    var status = stat()
    guard lstat(bound.path, &status) == 0, UInt(status.st_dev) == bound.device,
      UInt(status.st_ino) == bound.inode
    else { return }
    unlink(bound.path)
  }

  private static func removeDead(_ path: String, _ address: sockaddr_un) throws {
    var status = stat()
    if lstat(path, &status) == 0, status.st_mode & S_IFMT != S_IFSOCK {
      throw OptionText.Failure(
        unavailable: "Failed to bind socket to \(path): it exists and is not a socket; remove it or choose another path"
      )
    }
    let probe = socket(
      AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue) | CInt(SOCK_NONBLOCK.rawValue), 0)
    defer { if probe >= 0 { Glibc.close(probe) } }
    var address = address
    let connected = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(probe, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    // Only a refusal says that nobody listens: EAGAIN is a live server with a full backlog.
    guard connected != 0, errno == ECONNREFUSED || errno == ENOENT else {
      throw OptionText.Failure(
        unavailable: "Failed to bind socket to \(path): Address already in use: another process listens on it; "
          + "end that process or choose another path")
    }
    unlink(path)
  }

  private static func bindOnce(_ descriptor: CInt, _ address: inout sockaddr_un) -> CInt {
    withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
  }

  private static func makeAddress(_ path: String) throws -> sockaddr_un {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    let capacity = MemoryLayout.size(ofValue: address.sun_path)
    if bytes.count >= capacity {
      throw OptionText.Failure(
        "UNIX socket path '\(path)' is too long: it must be less than \(capacity) bytes")
    }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    return address
  }

  private static func failure(_ path: String, _ code: CInt) -> OptionText.Failure {
    OptionText.Failure(unavailable: "Failed to bind socket to \(path): \(String(cString: strerror(code)))")
  }
}
