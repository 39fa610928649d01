import Glibc
import NIOCore
import Synchronization

/// A character device on file descriptors: stdio, files, FIFOs, pseudo terminals. One thread reads, one writes,
/// because descriptors shared with other processes (a shell's terminal) must not be made nonblocking, and files
/// cannot be waited for.
public final class DescriptorBackend: CharacterBackend, @unchecked Sendable {
  public let label: String
  public let filename: String
  /// Not of a regular file or a device such as /dev/null, and not after the end of the input.
  public var acceptsInput: Bool { canTakeInput.withLock { $0 } }
  public let isTerminal: Bool

  private let canTakeInput = LockedFlag()
  private let loop: any EventLoop
  private let slot = HandlerSlot()
  private let reader: DescriptorReader?
  private let writer: DescriptorWriter?
  private let onClose: @Sendable () -> Void

  /// - Parameters:
  ///   - input: read from, or -1. - output: written to, or -1. Both are closed by `close()` if `owned`.
  ///   - lossless: whether a slow reader holds up the writer (for a second at most without progress).
  init(
    label: String, filename: String, input: CInt, output: CInt, owned: Bool, lossless: Bool,
    loop: any EventLoop,
    onClose: @escaping @Sendable () -> Void = {}
  ) {
    self.label = label
    self.filename = filename
    self.loop = loop
    self.onClose = onClose
    isTerminal = input >= 0 && isatty(input) == 1
    var status = stat()
    if input >= 0 && fstat(input, &status) == 0 {
      let kind = status.st_mode & S_IFMT
      let isLive = isTerminal || kind == S_IFIFO || kind == S_IFSOCK || input == output
      canTakeInput.withLock { $0 = isLive }
    }
    let slot = self.slot
    let box = UncheckedBox(slot)
    let flag = canTakeInput
    reader =
      input < 0
      ? nil
      : DescriptorReader(
        input, owned: owned,
        received: { bytes in loop.execute { box.value.input(bytes) } },
        ended: {
          flag.withLock { $0 = false }
          loop.execute { box.value.close() }
        })
    writer = output < 0 ? nil : DescriptorWriter(output, owned: owned && output != input, lossless: lossless)
    loop.execute { box.value.open() }
  }

  /// Standard input and output; a terminal is made raw.
  public static func stdio(label: String, signals: Bool, group: any EventLoopGroup) -> DescriptorBackend {
    TerminalMode.makeRaw(STDIN_FILENO, signals: signals)
    return DescriptorBackend(
      label: label, filename: "stdio", input: STDIN_FILENO, output: STDOUT_FILENO, owned: false,
      lossless: true,
      loop: group.next(), onClose: { TerminalMode.restore() })
  }

  /// A file that takes the output.
  public static func file(
    path: String, append: Bool, label: String, group: any EventLoopGroup
  ) throws -> DescriptorBackend {
    let output = try open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (append ? O_APPEND : O_TRUNC))
    return DescriptorBackend(
      label: label, filename: "file", input: -1, output: output, owned: true, lossless: true,
      loop: group.next())
  }

  /// `path.in` and `path.out` if both exist, else `path` for both ways.
  public static func pipe(path: String, label: String, group: any EventLoopGroup) throws -> DescriptorBackend {
    let input: CInt
    let output: CInt
    if access("\(path).in", F_OK) == 0 && access("\(path).out", F_OK) == 0 {
      // Open both ways: a FIFO then never ends, whoever comes and goes at the other end.
      input = try open("\(path).in", O_RDWR | O_CLOEXEC)
      do { output = try open("\(path).out", O_RDWR | O_CLOEXEC) } catch {
        Glibc.close(input)
        throw error
      }
    } else {
      input = try open(path, O_RDWR | O_CLOEXEC)
      output = input
    }
    return DescriptorBackend(
      label: label, filename: "pipe", input: input, output: output, owned: true, lossless: false,
      loop: group.next())
  }

  /// A new pseudo terminal, whose name is `filename` without `pty:`.
  public static func pty(label: String, group: any EventLoopGroup) throws -> DescriptorBackend {
    func failure() -> OptionText.Failure {
      OptionText.Failure(unavailable: "Failed to create PTY: \(String(cString: strerror(errno)))")
    }
    let master = Glibc.open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
    if master < 0 { throw failure() }
    // ioctl_tty(2): TIOCSPTLCK unlocks the other end, TIOCGPTN gives its number.
    var unlocked: CInt = 0
    var number: CUnsignedInt = 0
    guard ioctl(master, 0x4004_5431, &unlocked) == 0, ioctl(master, 0x8004_5430, &number) == 0 else {
      let error = failure()
      Glibc.close(master)
      throw error
    }
    let path = "/dev/pts/\(number)"
    // Holding the other end keeps reads from failing while nobody is there. Raw: else what the guest prints
    // would be echoed back to it.
    let slave = try open(path, O_RDWR | O_NOCTTY | O_CLOEXEC)
    var settings = termios()
    tcgetattr(slave, &settings)
    cfmakeraw(&settings)
    tcsetattr(slave, TCSANOW, &settings)
    return DescriptorBackend(
      label: label, filename: "pty:\(path)", input: master, output: master, owned: true, lossless: false,
      loop: group.next(), onClose: { Glibc.close(slave) })
  }

  private static func open(_ path: String, _ flags: CInt) throws -> CInt {
    let descriptor = Glibc.open(path, flags, 0o666)
    if descriptor < 0 {
      throw OptionText.Failure(unavailable: "Could not open '\(path)': \(String(cString: strerror(errno)))")
    }
    return descriptor
  }

  public func write(_ bytes: [UInt8]) { writer?.write(bytes) }

  public func attach(_ handlers: CharacterHandlers) {
    let box = UncheckedBox(slot)
    if loop.inEventLoop { slot.attach(handlers) } else { loop.execute { box.value.attach(handlers) } }
  }

  public func pauseInput(_ paused: Bool) { reader?.pause(paused) }

  public func close() {
    writer?.close()
    reader?.close()
    onClose()
  }
}

/// A flag that several threads look at.
final class LockedFlag: Sendable {
  private let value = Mutex(false)
  func withLock<Result>(_ body: (inout Bool) -> Result) -> Result { value.withLock { body(&$0) } }
}

/// Carries a value into closures whose confinement to one loop the compiler cannot see.
struct UncheckedBox<Value>: @unchecked Sendable {
  let value: Value
  init(_ value: Value) { self.value = value }
}

/// A mutex and a condition variable; both live as long as the object.
final class ThreadMonitor: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  init() {
    pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(condition, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  func locked<Result>(_ body: () throws -> Result) rethrows -> Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return try body()
  }

  func wait() { pthread_cond_wait(condition, mutex) }
  /// Waits for at most a second; false when it has passed.
  func waitOneSecond() -> Bool {
    var until = timespec()
    clock_gettime(CLOCK_MONOTONIC, &until)
    until.tv_sec += 1
    return pthread_cond_timedwait(condition, mutex, &until) == 0
  }
  func notifyAll() { pthread_cond_broadcast(condition) }
}

/// Starts a detached thread that catches no signals: they belong to the main thread.
func startThread(_ body: @escaping @Sendable () -> Void) {
  final class Start { let body: () -> Void; init(_ body: @escaping () -> Void) { self.body = body } }
  var all = sigset_t()
  var before = sigset_t()
  sigfillset(&all)
  pthread_sigmask(SIG_SETMASK, &all, &before)
  var thread = pthread_t()
  pthread_create(
    &thread, nil,
    { argument in
      Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue().body()
      return nil
    }, Unmanaged.passRetained(Start(body)).toOpaque())
  pthread_detach(thread)
  pthread_sigmask(SIG_SETMASK, &before, nil)
}

/// Writes to a descriptor in order, on a thread of its own.
final class DescriptorWriter: @unchecked Sendable {
  private let descriptor: CInt
  private let owned: Bool
  private let lossless: Bool
  private let monitor = ThreadMonitor()
  private var pending: [UInt8] = []
  private var isWriting = false
  private var isClosing = false
  private var hasEnded = false
  /// Bytes that may wait.
  private let limit = 4 << 20
  /// Changes with every completed write.
  private var progress: UInt64 = 0

  init(_ descriptor: CInt, owned: Bool, lossless: Bool) {
    self.descriptor = descriptor
    self.owned = owned
    self.lossless = lossless
    startThread { self.run() }
  }

  func write(_ bytes: [UInt8]) {
    monitor.locked {
      guard !isClosing, !hasEnded else { return }
      while pending.count + bytes.count > limit {
        let before = progress
        if !lossless { return }
        if !monitor.waitOneSecond() && progress == before { return }
        if hasEnded || isClosing { return }
      }
      pending += bytes
      if pending.count == bytes.count { monitor.notifyAll() }
    }
  }

  /// Waits, for a second at most without progress, until everything is written.
  func close() {
    monitor.locked {
      if isClosing { return }
      isClosing = true
      monitor.notifyAll()
      while !hasEnded {
        let before = progress
        if !monitor.waitOneSecond() && progress == before { return }
      }
    }
  }

  private func run() {
    while true {
      let bytes: [UInt8]? = monitor.locked {
        while pending.isEmpty && !isClosing { monitor.wait() }
        if pending.isEmpty { return nil }
        let bytes = pending
        pending = []
        return bytes
      }
      guard let bytes, writeAll(bytes) else { break }
    }
    monitor.locked {
      hasEnded = true
      monitor.notifyAll()
    }
    if owned { Glibc.close(descriptor) }
  }

  /// False when the other end is gone for good.
  private func writeAll(_ bytes: [UInt8]) -> Bool {
    var offset = 0
    while offset < bytes.count {
      if !lossless {
        // Nobody may be reading (a pseudo terminal, a FIFO): what cannot be written within a while is lost.
        var poller = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        if poll(&poller, 1, 100) == 0 { return true }
      }
      // One byte too many on a full FIFO would block, so lossy output goes in what POSIX says fits.
      let size = lossless ? bytes.count - offset : min(bytes.count - offset, 512)
      let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + offset, size) }
      if count < 0 {
        if errno == EINTR { continue }
        if errno == EAGAIN {
          var poller = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
          poll(&poller, 1, -1)
          continue
        }
        return false
      }
      offset += count
      monitor.locked {
        progress &+= 1
        monitor.notifyAll()
      }
    }
    return true
  }
}

/// Reads from a descriptor on a thread of its own.
final class DescriptorReader: @unchecked Sendable {
  private let descriptor: CInt
  private let owned: Bool
  private let monitor = ThreadMonitor()
  private var isPaused = false
  private var isClosing = false
  private var wake: (read: CInt, write: CInt) = (-1, -1)

  init(
    _ descriptor: CInt, owned: Bool, received: @escaping @Sendable ([UInt8]) -> Void,
    ended: @escaping @Sendable () -> Void
  ) {
    self.descriptor = descriptor
    self.owned = owned
    var ends: [CInt] = [-1, -1]
    if Glibc.pipe(&ends) == 0 {
      wake = (ends[0], ends[1])
      for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    }
    startThread { self.run(received, ended) }
  }

  func pause(_ paused: Bool) {
    monitor.locked {
      isPaused = paused
      monitor.notifyAll()
    }
  }

  func close() {
    monitor.locked {
      guard !isClosing else { return }
      isClosing = true
      monitor.notifyAll()
      if wake.write >= 0 {
        var byte: UInt8 = 0
        _ = Glibc.write(wake.write, &byte, 1)
      }
    }
  }

  private func run(_ received: @Sendable ([UInt8]) -> Void, _ ended: @Sendable () -> Void) {
    var buffer = [UInt8](repeating: 0, count: 4096)
    reading: while true {
      let goesOn = monitor.locked { () -> Bool in
        while isPaused && !isClosing { monitor.wait() }
        return !isClosing
      }
      if !goesOn { break }
      var pollers = [
        pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
        pollfd(fd: wake.read, events: Int16(POLLIN), revents: 0),
      ]
      if poll(&pollers, 2, -1) < 0 {
        if errno == EINTR { continue }
        break
      }
      if pollers[1].revents != 0 { break }
      let count = read(descriptor, &buffer, buffer.count)
      if count > 0 {
        // Told under the lock: after `close` nothing is said any more, because the loop may be gone.
        monitor.locked { if !isClosing { received(Array(buffer[..<count])) } }
      } else if count < 0 && (errno == EINTR || errno == EAGAIN) {
        continue
      } else {
        break reading
      }
    }
    monitor.locked {
      if !isClosing { ended() }
      isClosing = true
      if wake.read >= 0 {
        Glibc.close(wake.read)
        Glibc.close(wake.write)
      }
      wake = (-1, -1)
    }
    if owned { Glibc.close(descriptor) }
  }
}
