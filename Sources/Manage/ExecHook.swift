import Glibc

/// Runs a user's command for a panic, started at most once whatever happens to the manager.
///
/// The command's own shell makes a marker file before it does anything, and gives up where there is one. So a manager
/// that comes back and cannot know how far its predecessor came simply starts it again.
struct ExecHook {
  var command: String
  var marker: String
  var environment: [(String, String)]

  enum Result: Equatable {
    case ended(status: Int32)
    case signalled(Int32)
    /// An earlier manager had started it.
    case alreadyStarted
    case notStarted(code: Int32)
    /// `shouldStop` said so; the command goes on.
    case left
  }

  private static let alreadyStarted: Int32 = 125
  /// glibc's POSIX_SPAWN_SETSID, which is not imported.
  private static let ownSession: Int16 = 0x80
  private static let script = """
    set -C
    (: > "$INQUEST_MARKER") 2>/dev/null || exit 125
    set +C
    marker=$INQUEST_MARKER
    unset INQUEST_MARKER
    /bin/sh -c "$1"
    status=$?
    [ "$status" != 125 ] || status=124
    exit "$status"
    """

  /// Waits for the command's end. It has a session of its own, so that what ends the manager does not end it.
  func run(shouldStop: () -> Bool) -> Result {
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    posix_spawnattr_setflags(&attributes, Self.ownSession)
    var variables = environment + [("INQUEST_MARKER", marker)]
    var entry = environ
    while let text = entry.pointee {
      let parts = String(cString: text).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      if parts.count == 2, !variables.contains(where: { $0.0 == parts[0] }) {
        variables.append((String(parts[0]), String(parts[1])))
      }
      entry += 1
    }
    let words: [String] = ["sh", "-c", Self.script, "sh", command]
    let arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    let values: [UnsafeMutablePointer<CChar>?] = variables.map { strdup("\($0.0)=\($0.1)") } + [nil]
    defer { for text in arguments + values { free(text) } }
    var process = pid_t()
    let code = posix_spawn(&process, "/bin/sh", nil, &attributes, arguments, values)
    guard code == 0 else { return .notStarted(code: code) }
    var status: CInt = 0
    while true {
      let result = waitpid(process, &status, WNOHANG)
      if result == process { break }
      if result < 0 && errno != EINTR { return .notStarted(code: errno) }
      if shouldStop() { return .left }
      usleep(10_000)
    }
    let signal = status & 0x7F
    if signal != 0 { return .signalled(signal) }
    let value = status >> 8 & 0xFF
    return value == Self.alreadyStarted ? .alreadyStarted : .ended(status: value)
  }
}
