import Foundation

/// `-pidfile`: tells scripts which process this is. Locked while the process lives, so that two do not share one.
final class PIDFile {
  private let path: String
  private let descriptor: Int32
  private var isRemoved = false

  /// - Throws: `CommandFailure`.
  init(_ path: String) throws {
    self.path = path
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw CommandFailure.output(path, creating: true, code: errno) }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      close(descriptor)
      throw CommandFailure(
        status: ExitStatus.unavailable,
        message: "-pidfile \(path): another process has it; end that process or choose another file")
    }
    let text = Array("\(getpid())\n".utf8)
    guard ftruncate(descriptor, 0) == 0, write(descriptor, text, text.count) == text.count else {
      let code = errno
      close(descriptor)
      throw CommandFailure.output(path, creating: false, code: code)
    }
  }

  func remove() {
    if isRemoved { return }
    isRemoved = true
    unlink(path)
    close(descriptor)
  }

  deinit { if !isRemoved { close(descriptor) } }
}
