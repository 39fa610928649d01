import Glibc
import NIOCore
import Synchronization

/// A descriptor that came with a client's bytes (SCM_RIGHTS); closed with the last reference.
public final class ReceivedDescriptor: Sendable {
  public let number: CInt
  init(_ number: CInt) { self.number = number }
  deinit { Glibc.close(number) }
}

/// Serves one client after the other at a local socket, on a thread of its own, because what reads here must be
/// recvmsg(2): clients of QMP pass descriptors. What comes is told on the event loop.
final class LocalServer: @unchecked Sendable {
  /// One client. Written to on the loop, closed by the thread.
  final class Connection: @unchecked Sendable {
    fileprivate struct State {
      var output: [(bytes: [UInt8], done: @Sendable () -> Void)] = []
      /// Bytes of the first of them that are on their way.
      var sent = 0
      var isPaused = false
      /// A chunk is being dealt with on the loop; the next one waits for that.
      var isDelivering = false
      var inputHasEnded = false
      var mustClose = false
      var closesWhenWritten = false
    }
    fileprivate let state = Mutex(State())
    fileprivate let descriptor: CInt
    private let wake: @Sendable () -> Void

    fileprivate init(_ descriptor: CInt, wake: @escaping @Sendable () -> Void) {
      self.descriptor = descriptor
      self.wake = wake
    }

    /// - Parameter done: called when the kernel has the bytes, or nobody will.
    func write(_ bytes: [UInt8], done: @escaping @Sendable () -> Void) {
      state.withLock { $0.output.append((bytes, done)) }
      wake()
    }
    func pause(_ isPaused: Bool) {
      state.withLock { $0.isPaused = isPaused }
      wake()
    }
    func close(afterWriting: Bool) {
      state.withLock { if afterWriting { $0.closesWhenWritten = true } else { $0.mustClose = true } }
      wake()
    }
    fileprivate func delivered() {
      state.withLock { $0.isDelivering = false }
      wake()
    }
  }

  /// All are called on the loop.
  struct Handlers: Sendable {
    var opened: @Sendable (Connection) -> Void
    /// Never empty bytes; descriptors came with the first of them.
    var input: @Sendable (Connection, [UInt8], [ReceivedDescriptor]) -> Void
    /// The client has sent its last byte.
    var inputEnded: @Sendable (Connection) -> Void
    var closed: @Sendable (Connection) -> Void
    /// After `stop`.
    var stopped: @Sendable () -> Void
  }

  private let listener: CInt
  /// A pipe whose reading end ends the thread's waiting.
  private let wakeRead: CInt
  private let wakeWrite: CInt
  private let loop: any EventLoop
  private let handlers: Handlers
  private let deadline = Mutex<UInt64?>(nil)

  /// - Parameter listener: a bound socket; it is closed at the end.
  /// - Throws: `OptionText.Failure`.
  init(listener: CInt, loop: any EventLoop, handlers: Handlers) throws {
    self.listener = listener
    self.loop = loop
    self.handlers = handlers
    var ends: [CInt] = [-1, -1]
    guard listen(listener, 128) == 0, pipe(&ends) == 0 else {
      throw OptionText.Failure(unavailable: "Failed to listen on socket: \(String(cString: strerror(errno)))")
    }
    (wakeRead, wakeWrite) = (ends[0], ends[1])
    for end in ends { Self.prepare(end) }
    startThread { [self] in serve() }
  }

  deinit {
    close(wakeRead)
    close(wakeWrite)
  }

  /// Ends the service; a client gets what was written, for a second at most.
  func stop() {
    deadline.withLock { $0 = $0 ?? Self.now() &+ 1_000_000_000 }
    wake()
  }

  private func wake() {
    var byte: UInt8 = 1
    _ = write(wakeWrite, &byte, 1)
  }

  private static func now() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
  }

  // MARK: The thread

  private func serve() {
    while deadline.withLock({ $0 }) == nil {
      guard let client = acceptOne() else { continue }
      let connection = Connection(client) { [weak self] in self?.wake() }
      loop.execute { self.handlers.opened(connection) }
      while step(connection) {}
      let left = connection.state.withLock { state in
        defer { state.output = [] }
        return state.output.map(\.done)
      }
      // The loop must have forgotten this client before the next one comes.
      let forgotten = ThreadMonitor()
      let isForgotten = Mutex(false)
      loop.execute {
        for done in left { done() }
        self.handlers.closed(connection)
        forgotten.locked {
          isForgotten.withLock { $0 = true }
          forgotten.notifyAll()
        }
      }
      forgotten.locked { while !isForgotten.withLock({ $0 }) { forgotten.wait() } }
      close(client)
    }
    close(listener)
    loop.execute { self.handlers.stopped() }
  }

  private func acceptOne() -> CInt? {
    var requests = [
      pollfd(fd: listener, events: Int16(POLLIN), revents: 0), pollfd(fd: wakeRead, events: Int16(POLLIN), revents: 0),
    ]
    if poll(&requests, 2, -1) < 0 { return nil }
    emptyWakePipe(requests[1])
    guard requests[0].revents != 0 else { return nil }
    let client = accept(listener, nil, nil)
    // Out of descriptors: the client waits in the queue.
    if client < 0 && errno != EAGAIN && errno != ECONNABORTED { usleep(10_000) }
    if client < 0 { return nil }
    Self.prepare(client)
    return client
  }

  private static func prepare(_ descriptor: CInt) {
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
  }

  private func emptyWakePipe(_ request: pollfd) {
    guard request.revents != 0 else { return }
    var bytes = [UInt8](repeating: 0, count: 256)
    while read(wakeRead, &bytes, bytes.count) == bytes.count {}
  }

  /// - Returns: whether the connection goes on.
  private func step(_ connection: Connection) -> Bool {
    let limit = deadline.withLock { $0 }
    let (reads, writes, ends) = connection.state.withLock { state -> (Bool, Bool, Bool) in
      let writes = !state.output.isEmpty
      let reads = !state.isPaused && !state.isDelivering && !state.inputHasEnded && limit == nil
      return (reads, writes, state.mustClose || ((state.closesWhenWritten || limit != nil) && !writes))
    }
    if ends { return false }
    var timeout: CInt = -1
    if let limit {
      let now = Self.now()
      if now >= limit { return false }
      timeout = CInt((limit - now) / 1_000_000) + 1
    }
    let events = (reads ? Int16(POLLIN) : 0) | (writes ? Int16(POLLOUT) : 0)
    var requests = [
      pollfd(fd: events == 0 ? -1 : connection.descriptor, events: events, revents: 0),
      pollfd(fd: wakeRead, events: Int16(POLLIN), revents: 0),
    ]
    if poll(&requests, 2, timeout) < 0 { return errno == EINTR }
    emptyWakePipe(requests[1])
    let ready = requests[0].revents
    if ready == 0 { return true }
    if writes, ready & ~Int16(POLLIN) != 0, !send(connection) { return false }
    if reads, ready & ~Int16(POLLOUT) != 0 { return receive(connection) }
    return true
  }

  private func send(_ connection: Connection) -> Bool {
    while let (bytes, sent) = connection.state.withLock({ state in state.output.first.map { ($0.bytes, state.sent) } })
    {
      let count = bytes.withUnsafeBytes {
        Glibc.send(
          connection.descriptor, $0.baseAddress! + sent, $0.count - sent, CInt(truncatingIfNeeded: MSG_NOSIGNAL))
      }
      if count < 0 { return errno == EAGAIN || errno == EINTR }
      let done = connection.state.withLock { state -> (@Sendable () -> Void)? in
        state.sent += count
        guard state.sent >= bytes.count else { return nil }
        state.sent = 0
        return state.output.removeFirst().done
      }
      guard let done else { continue }
      loop.execute(done)
    }
    return true
  }

  private func receive(_ connection: Connection) -> Bool {
    var block = [UInt8](repeating: 0, count: 1 << 16)
    let (count, descriptors) = DescriptorPassing.receive(connection.descriptor, &block)
    if count < 0 { return errno == EAGAIN || errno == EINTR }
    if count == 0 {
      connection.state.withLock { $0.inputHasEnded = true }
      loop.execute { self.handlers.inputEnded(connection) }
      return true
    }
    let bytes = Array(block[..<count])
    connection.state.withLock { $0.isDelivering = true }
    loop.execute {
      self.handlers.input(connection, bytes, descriptors)
      connection.delivered()
    }
    return true
  }
}

/// recvmsg(2) and its ancillary data.
enum DescriptorPassing {
  /// Descriptors that one message may bring; QEMU's number. Further ones are closed by the kernel.
  private static let limit = 16

  /// - Returns: recvmsg's result, and the descriptors that came.
  static func receive(_ socket: CInt, _ block: inout [UInt8]) -> (count: Int, descriptors: [ReceivedDescriptor]) {
    // cmsg(3): a header of two words, length and level and type, then the descriptors.
    let header = MemoryLayout<cmsghdr>.size
    let space = header + limit * MemoryLayout<CInt>.size
    let control = UnsafeMutableRawBufferPointer.allocate(byteCount: space, alignment: 16)
    defer { control.deallocate() }
    return block.withUnsafeMutableBytes { bytes in
      var vector = iovec(iov_base: bytes.baseAddress, iov_len: bytes.count)
      return withUnsafeMutablePointer(to: &vector) { vector in
        var message = msghdr()
        message.msg_iov = vector
        message.msg_iovlen = 1
        message.msg_control = control.baseAddress
        message.msg_controllen = space
        let flags = CInt(truncatingIfNeeded: MSG_CMSG_CLOEXEC) | CInt(truncatingIfNeeded: MSG_DONTWAIT)
        let count = recvmsg(socket, &message, flags)
        var descriptors: [ReceivedDescriptor] = []
        if count >= 0, Int(message.msg_controllen) >= header {
          let first = control.load(as: cmsghdr.self)
          if first.cmsg_level == SOL_SOCKET, first.cmsg_type == CInt(SCM_RIGHTS) {
            let end = min(Int(first.cmsg_len), Int(message.msg_controllen))
            for offset in stride(from: header, to: end - MemoryLayout<CInt>.size + 1, by: MemoryLayout<CInt>.size) {
              descriptors.append(ReceivedDescriptor(control.load(fromByteOffset: offset, as: CInt.self)))
            }
          }
        }
        return (count, descriptors)
      }
    }
  }
}

/// Descriptors by name, as `getfd` stores them. Shared by a monitor's loop and the machine's thread.
final class DescriptorStore: Sendable {
  private let descriptors = Mutex<[String: ReceivedDescriptor]>([:])
  func store(_ descriptor: ReceivedDescriptor, name: String) { descriptors.withLock { $0[name] = descriptor } }
  /// Takes it out.
  func take(_ name: String) -> ReceivedDescriptor? { descriptors.withLock { $0.removeValue(forKey: name) } }
  func removeAll() { descriptors.withLock { $0 = [:] } }
}
