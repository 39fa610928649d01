import Foundation

/// What goes to the user.
enum Terminal {
  static let hasErrorTerminal = isatty(STDERR_FILENO) == 1

  /// A line of results, on stdout.
  static func print(_ line: String) { write(line + "\n", to: STDOUT_FILENO) }

  /// A line about what is going on, on stderr.
  static func note(_ line: String) {
    if isMuted { return }
    clearProgress()
    write("inquest: \(line)\n", to: STDERR_FILENO)
  }

  /// Set while something is only tried.
  nonisolated(unsafe) static var isMuted = false

  /// Replaces the line of progress, where stderr is a terminal.
  static func progress(_ line: String) {
    guard hasErrorTerminal else { return }
    hasProgress = true
    write("\r\u{1B}[K\(line)", to: STDERR_FILENO)
  }

  static func clearProgress() {
    guard hasProgress else { return }
    hasProgress = false
    write("\r\u{1B}[K", to: STDERR_FILENO)
  }

  private nonisolated(unsafe) static var hasProgress = false

  static func write(_ text: String, to descriptor: Int32) { write(Array(text.utf8), to: descriptor) }

  /// Writes everything. A reader of stdout that went away (`inquest events … | head`) ends the process as SIGPIPE
  /// would.
  static func write(_ bytes: [UInt8], to descriptor: Int32) {
    bytes.withUnsafeBytes { bytes in
      var rest = bytes
      while !rest.isEmpty {
        let written = Foundation.write(descriptor, rest.baseAddress, rest.count)
        if written > 0 {
          rest = UnsafeRawBufferPointer(rebasing: rest[written...])
        } else if errno == EAGAIN {
          var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
          poll(&ready, 1, -1)
        } else if errno != EINTR {
          if descriptor == STDOUT_FILENO { giveUp(errno) }
          return
        }
      }
    }
  }

  private static func giveUp(_ code: Int32) -> Never {
    if code == EPIPE { exit(128 + SIGPIPE) }
    write("inquest: stdout: cannot write: \(String(cString: strerror(code)))\n", to: STDERR_FILENO)
    exit(ExitStatus.inputOutput)
  }
}

/// Lines on their way to stdout, written in large pieces.
struct LineOutput {
  private var buffer = ""

  mutating func print(_ line: String) {
    buffer += line
    buffer += "\n"
    if buffer.utf8.count > 1 << 16 { flush() }
  }

  mutating func flush() {
    Terminal.write(buffer, to: STDOUT_FILENO)
    buffer.removeAll(keepingCapacity: true)
  }
}
