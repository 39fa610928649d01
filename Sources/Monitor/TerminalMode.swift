import Glibc
import Synchronization

/// The terminal's settings while a guest has it: raw, and always put back: on `restore()`, at exit, and when a
/// signal ends or stops the process.
///
/// The saved settings are global because a signal handler needs them, and there is one terminal.
public enum TerminalMode {
  // Written before the handlers are installed, then only read; the handler must not take a lock.
  nonisolated(unsafe) private static var saved = termios()
  nonisolated(unsafe) private static var raw = termios()
  nonisolated(unsafe) private static var descriptor: CInt = -1
  nonisolated(unsafe) private static var handlersAreInstalled = false

  /// Makes the terminal raw as QEMU does: no echo, no line buffering, no translation of input; output keeps its
  /// newline translation. Does nothing when `descriptor` is no terminal.
  /// - Parameter signals: Ctrl-C raises SIGINT instead of being input.
  public static func makeRaw(_ descriptor: CInt, signals: Bool) {
    guard isatty(descriptor) == 1 else { return }
    if self.descriptor < 0 {
      guard tcgetattr(descriptor, &saved) == 0 else { return }
    }
    raw = saved
    raw.c_iflag &= ~tcflag_t(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON)
    raw.c_oflag |= tcflag_t(OPOST)
    raw.c_lflag &= ~tcflag_t(ECHO | ECHONL | ICANON | IEXTEN)
    if !signals { raw.c_lflag &= ~tcflag_t(ISIG) }
    raw.c_cflag &= ~tcflag_t(CSIZE | PARENB)
    raw.c_cflag |= tcflag_t(CS8)
    withUnsafeMutableBytes(of: &raw.c_cc) {
      $0[Int(VMIN)] = 1
      $0[Int(VTIME)] = 0
    }
    self.descriptor = descriptor
    tcsetattr(descriptor, TCSANOW, &raw)
    installHandlers()
  }

  /// Puts the terminal back. May be called more than once, and from a signal handler.
  public static func restore() {
    if descriptor >= 0 { tcsetattr(descriptor, TCSANOW, &saved) }
  }

  private static func installHandlers() {
    guard !handlersAreInstalled else { return }
    handlersAreInstalled = true
    atexit { TerminalMode.restore() }
    // Only where nobody else has asked for the signal: who catches SIGINT to close a trace exits in good order.
    for number in [
      SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGABRT, SIGFPE, SIGTSTP,
    ] {
      var current = sigaction()
      guard sigaction(number, nil, &current) == 0, current.__sigaction_handler.sa_handler == nil,
        current.sa_flags & SA_SIGINFO == 0
      else { continue }
      var action = sigaction()
      action.__sigaction_handler.sa_handler = { number in
        TerminalMode.restore()
        signal(number, SIG_DFL)
        raise(number)
      }
      sigaction(number, &action, nil)
    }
    var resumed = sigaction()
    resumed.sa_flags = SA_RESTART
    resumed.__sigaction_handler.sa_handler = { _ in
      if TerminalMode.descriptor >= 0 { tcsetattr(TerminalMode.descriptor, TCSANOW, &TerminalMode.raw) }
      // The stop used up the handler.
      signal(
        SIGTSTP,
        { number in
          TerminalMode.restore()
          signal(number, SIG_DFL)
          raise(number)
        })
    }
    sigaction(SIGCONT, &resumed, nil)
  }
}
