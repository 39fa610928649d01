import Dispatch
import Monitor
import Session
import Synchronization

/// A gdb server on one character device: frames on the device's event loop, packets on the machine's thread. Clients come
/// one after the other.
public final class DebugServer: @unchecked Sendable {
  private let backend: any CharacterBackend
  private let target: any DebugTarget
  private let post: (@escaping @Sendable () -> Void) -> Void
  /// Called when a client comes (true) and when it has gone, on the device's event loop.
  public var onClient: (@Sendable (Bool) -> Void)?

  private struct Shared {
    /// Counts connections.
    var connection = 0
    var isOpen = false
    /// For a client that did not understand it.
    var lastFrame: [UInt8] = []
    /// Packets on their way to the machine's thread.
    var pending = 0
    /// Ctrl-C came, and the machine has not stopped since.
    var wantsInterrupt = false
    /// A packet that lets the machine go has come and was not answered yet.
    var isResumed = false
  }
  private let shared = Mutex(Shared())

  // On the event loop.
  private var parser = PacketParser(limit: Stub.packetSize)
  private var acknowledges = true

  // On the machine's thread.
  private var stub: Stub!
  /// The connection whose packets are being answered.
  private var answered = 0

  /// Held back from here on: a client that sends faster than it is served.
  private static let pendingLimit = 64

  /// - Parameter post: runs work on the machine's thread, in order.
  public init(
    backend: any CharacterBackend, target: any DebugTarget,
    post: @escaping (@escaping @Sendable () -> Void) -> Void
  ) {
    self.backend = backend
    self.target = target
    self.post = post
    stub = Stub(
      target: target, send: { [unowned self] in send($0) },
      shouldStop: { [unowned self] in shared.withLock { $0.wantsInterrupt } })
  }

  /// Whether a client is there.
  public var hasClient: Bool { shared.withLock { $0.isOpen } }

  /// Begins to serve; a client that waits already is served now.
  public func start() {
    backend.attach(
      CharacterHandlers(
        opened: { [weak self] in self?.opened() }, input: { [weak self] in self?.received($0) },
        closed: { [weak self] in self?.closed() }))
  }

  // MARK: The event loop

  private func opened() {
    parser = PacketParser(limit: Stub.packetSize)
    acknowledges = true
    let connection = shared.withLock { shared in
      shared.connection += 1
      shared.isOpen = true
      shared.lastFrame = []
      shared.wantsInterrupt = false
      shared.isResumed = false
      return shared.connection
    }
    onClient?(true)
    post { [self] in
      answered = connection
      stub.connected()
    }
    // A machine that runs comes to rest when somebody comes.
    target.interrupt()
  }

  private func closed() {
    shared.withLock { $0.isOpen = false }
    onClient?(false)
    target.interrupt()
    post { [self] in stub.disconnected() }
  }

  private func received(_ bytes: [UInt8]) {
    for element in parser.take(bytes) {
      switch element {
      case .packet(let content):
        if acknowledges { backend.write([Packet.acknowledge]) }
        if content == Array("QStartNoAckMode".utf8) { acknowledges = false }
        // Whoever speaks to a machine that runs wants it to stop.
        if shared.withLock({ $0.isResumed }) { interrupt() }
        if Self.isResume(content) { shared.withLock { $0.isResumed = true } }
        enqueue { $0.receive(content) }
      case .tooLong:
        if acknowledges { backend.write([Packet.acknowledge]) }
        enqueue { $0.receiveTooLong() }
      case .damaged: if acknowledges { backend.write([Packet.retransmit]) }
      case .acknowledged: break
      case .retransmit:
        let frame = shared.withLock { $0.lastFrame }
        if acknowledges, !frame.isEmpty { backend.write(frame) }
      case .interrupt: interrupt()
      }
    }
  }

  private func enqueue(_ work: @escaping @Sendable (Stub) -> Void) {
    let (connection, isFull) = shared.withLock { shared in
      shared.pending += 1
      return (shared.connection, shared.pending == Self.pendingLimit)
    }
    if isFull { backend.pauseInput(true) }
    post { [self] in
      let isDrained = shared.withLock { shared in
        shared.pending -= 1
        return shared.pending == Self.pendingLimit / 2
      }
      if isDrained { backend.pauseInput(false) }
      if connection == answered { work(stub) }
    }
  }

  private static func isResume(_ packet: [UInt8]) -> Bool {
    guard let first = packet.first else { return false }
    return Array("csCSb".utf8).contains(first) || packet.starts(with: Array("vCont;".utf8))
  }

  /// Ctrl-C. It may overtake the packet that lets the machine go, so it is repeated until the machine stands.
  private func interrupt() {
    shared.withLock { $0.wantsInterrupt = true }
    post { [self] in if !stub.isRunning { shared.withLock { $0.wantsInterrupt = false } } }
    repeatInterrupt()
  }

  private func repeatInterrupt() {
    guard shared.withLock({ $0.wantsInterrupt && $0.isOpen }) else { return }
    target.interrupt()
    DispatchQueue.global().asyncAfter(deadline: .now() + 0.05) { [weak self] in self?.repeatInterrupt() }
  }

  // MARK: The machine's thread

  private func send(_ content: [UInt8]) {
    let frame = Packet.frame(content)
    shared.withLock { shared in
      guard shared.isOpen, shared.connection == answered else { return }
      shared.lastFrame = frame
      // Text for the console comes while the machine runs.
      if content.first != UInt8(ascii: "O") || content == Array("OK".utf8) { shared.isResumed = false }
      backend.write(frame)
    }
  }

  /// Says that the machine is gone, if somebody listens.
  public func ended(status: Int32) { stub.ended(status: status) }
}
