import Glibc
import NIOCore
import NIOPosix
import Synchronization

/// A character device on a socket, unix or TCP, as server (one client at a time, the next one waits in the
/// kernel's queue) or as client.
public final class SocketBackend: CharacterBackend, @unchecked Sendable {
  public let label: String
  public var filename: String {
    outbox.withLock { $0.isOpen } ? address : "disconnected:\(address)"
  }

  private let address: String
  private let loop: any EventLoop
  private let overflow: OverflowPolicy
  /// Bytes that may wait for the other end.
  private let backlogLimit: Int

  /// Shared with writers on other threads.
  private struct Outbox {
    var isOpen = false
    /// Not yet handed to the channel.
    var bytes: [UInt8] = []
    /// Handed to the channel, not yet taken by the kernel.
    var inFlight = 0
    var flushIsScheduled = false
    var isCutOff = false
  }
  private let outbox = Mutex(Outbox())

  // Below: confined to the loop.
  private var server: (any Channel)?
  private var bound: UnixSocket.Bound?
  private var client: (any Channel)?
  /// Instead of `server` and `client` where the socket is a local one that we serve.
  private var local: LocalServer?
  private var localClient: LocalServer.Connection?
  private var localStop: EventLoopPromise<Void>?
  private let slot = HandlerSlot()
  private var inputIsPaused = false
  private var isClosed = false
  private let firstClient: EventLoopPromise<Void>

  private init(
    label: String, address: String, loop: any EventLoop, overflow: OverflowPolicy, backlogLimit: Int
  ) {
    self.label = label
    self.address = address
    self.loop = loop
    self.overflow = overflow
    self.backlogLimit = backlogLimit
    firstClient = loop.makePromise()
  }

  /// One that was closed has kept its promise, and its loop may be gone.
  deinit { if !isClosed { firstClient.succeed(()) } }

  /// Listens on a socket in the file system. Errors are `OptionText.Failure`.
  public static func listen(
    path: String, label: String, group: MultiThreadedEventLoopGroup, overflow: OverflowPolicy,
    backlogLimit: Int = 1 << 20
  ) throws -> SocketBackend {
    let bound = try UnixSocket.bind(path: path)
    let backend = SocketBackend(
      label: label, address: "unix:\(path),server=on", loop: group.next(), overflow: overflow,
      backlogLimit: backlogLimit)
    backend.bound = bound
    do {
      let local = try LocalServer(
        listener: bound.descriptor, loop: backend.loop, handlers: backend.localHandlers)
      backend.loop.execute { backend.local = local }
    } catch {
      UnixSocket.remove(bound)
      Glibc.close(bound.descriptor)
      throw error
    }
    return backend
  }

  /// Listens on a TCP port; an empty host means all of the machine's addresses, as in QEMU.
  public static func listen(
    host: String, port: Int, label: String, group: MultiThreadedEventLoopGroup, overflow: OverflowPolicy,
    backlogLimit: Int = 1 << 20
  ) throws -> SocketBackend {
    let backend = SocketBackend(
      label: label, address: "tcp:\(host):\(port),server=on", loop: group.next(), overflow: overflow,
      backlogLimit: backlogLimit)
    do {
      try backend.accept { try $0.bind(host: host.isEmpty ? "0.0.0.0" : host, port: port).wait() }
    } catch let error as IOError {
      throw OptionText.Failure(
        unavailable: "Failed to bind to \(host):\(port): \(String(cString: strerror(error.errnoCode)))"
          + (error.errnoCode == EADDRINUSE
            ? "; end the process that listens there or choose another port" : ""))
    } catch {
      throw OptionText.Failure(unavailable: "Failed to bind to \(host):\(port): \(error)")
    }
    return backend
  }

  /// Connects to a server, which must be there.
  public static func connect(
    to target: CharacterSpec.Kind, label: String, group: MultiThreadedEventLoopGroup,
    overflow: OverflowPolicy,
    backlogLimit: Int = 1 << 20
  ) throws -> SocketBackend {
    let name: String
    let attempt: (ClientBootstrap) -> EventLoopFuture<any Channel>
    switch target {
    case .unix(let path, _, _):
      name = "unix:\(path)"
      attempt = { $0.connect(unixDomainSocketPath: path) }
    case .tcp(let host, let port, _, _):
      name = "tcp:\(host):\(port)"
      attempt = { $0.connect(host: host.isEmpty ? "localhost" : host, port: port) }
    default: throw OptionText.Failure("not a socket")
    }
    let backend = SocketBackend(
      label: label, address: name, loop: group.next(), overflow: overflow, backlogLimit: backlogLimit)
    let bootstrap = ClientBootstrap(group: backend.loop)
      .channelOption(ChannelOptions.allowRemoteHalfClosure, value: true)
      .channelInitializer { channel in channel.pipeline.addHandler(ClientHandler(backend)) }
    do {
      _ = try attempt(bootstrap).wait()
    } catch {
      // Of several addresses of one host, the last one's reason stands for all.
      let first = (error as? NIOConnectionError)?.connectionErrors.last?.error ?? error
      let reason = (first as? IOError).map { String(cString: strerror($0.errnoCode)) } ?? "\(first)"
      throw OptionText.Failure(
        unavailable: "Failed to connect to '\(name.dropFirst(name.hasPrefix("unix:") ? 5 : 4))': \(reason); "
          + "start the server first, or add server=on to be it")
    }
    return backend
  }

  /// The TCP port, or nil for other sockets.
  public var localPort: Int? { try? loop.submit { self.server?.localAddress?.port }.wait() }

  private func accept(_ listen: (ServerBootstrap) throws -> any Channel) throws {
    let bootstrap = ServerBootstrap(group: loop)
      .serverChannelOption(ChannelOptions.backlog, value: 16)
      .serverChannelOption(ChannelOptions.autoRead, value: false)
      .serverChannelOption(ChannelOptions.maxMessagesPerRead, value: 1)
      .serverChannelOption(ChannelOptions.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(ChannelOptions.allowRemoteHalfClosure, value: true)
      .childChannelInitializer { channel in channel.pipeline.addHandler(ClientHandler(self)) }
    let channel = try listen(bootstrap)
    try loop.submit {
      self.server = channel
      channel.read()
    }.wait()
  }

  /// Blocks until a client is there (`wait=on`). Not to be called on the loop.
  public func waitForClient() throws { try firstClient.futureResult.wait() }

  // MARK: CharacterBackend

  public func attach(_ handlers: CharacterHandlers) { onLoop { $0.slot.attach(handlers) } }

  public func write(_ bytes: [UInt8]) {
    if bytes.isEmpty { return }
    let (schedule, cutOff) = outbox.withLock { outbox -> (Bool, Bool) in
      guard outbox.isOpen, !outbox.isCutOff else { return (false, false) }
      let backlog = outbox.bytes.count + outbox.inFlight
      switch overflow {
      case .drop:
        if backlog + bytes.count > backlogLimit { return (false, false) }
      case .disconnect:
        // One answer may be longer than the limit; what counts is what lay there before.
        if backlog > backlogLimit {
          outbox.isCutOff = true
          outbox.bytes = []
          return (false, true)
        }
      }
      outbox.bytes += bytes
      if outbox.flushIsScheduled { return (false, false) }
      outbox.flushIsScheduled = true
      return (true, false)
    }
    if cutOff { self.cutOff() }
    if schedule { onLoop { $0.flush() } }
  }

  public func pauseInput(_ paused: Bool) {
    onLoop { backend in
      backend.inputIsPaused = paused
      backend.applyPause()
    }
  }

  public var backlog: Int { outbox.withLock { $0.bytes.count + $0.inFlight } }

  public func cutOff() {
    loop.execute {
      self.client?.close(promise: nil)
      self.localClient?.close(afterWriting: false)
    }
  }

  public func disconnect() {
    onLoop { backend in
      if let client = backend.localClient {
        backend.flush()
        client.close(afterWriting: true)
      }
      guard let client = backend.client else { return }
      backend.flush()
      client.writeAndFlush(ByteBuffer()).whenComplete { _ in client.close(promise: nil) }
    }
  }

  public func close() {
    let done = loop.makePromise(of: Void.self)
    loop.execute {
      self.isClosed = true
      self.server?.close(promise: nil)
      self.server = nil
      if let bound = self.bound { UnixSocket.remove(bound) }
      self.bound = nil
      self.firstClient.fail(ChannelError.ioOnClosedChannel)
      if let local = self.local {
        self.flush()
        self.localStop = done
        self.local = nil
        return local.stop()
      }
      guard let client = self.client else { return done.succeed(()) }
      self.flush()
      let deadline = self.loop.scheduleTask(in: .seconds(1)) { client.close(promise: nil) }
      client.writeAndFlush(ByteBuffer()).whenComplete { _ in client.close(promise: nil) }
      client.closeFuture.whenComplete { _ in
        deadline.cancel()
        done.succeed(())
      }
    }
    if !loop.inEventLoop { try? done.futureResult.wait() }
  }

  // MARK: on the loop

  private func onLoop(_ work: @escaping @Sendable (SocketBackend) -> Void) {
    if loop.inEventLoop { work(self) } else { loop.execute { work(self) } }
  }

  private func flush() {
    let bytes = outbox.withLock { outbox -> [UInt8] in
      outbox.flushIsScheduled = false
      let bytes = outbox.bytes
      outbox.bytes = []
      outbox.inFlight += bytes.count
      return bytes
    }
    guard !bytes.isEmpty else { return }
    if let localClient {
      localClient.write(bytes) { self.outbox.withLock { $0.inFlight -= bytes.count } }
      return
    }
    guard let client else {
      outbox.withLock { $0.inFlight -= bytes.count }
      return
    }
    client.writeAndFlush(client.allocator.buffer(bytes: bytes)).whenComplete { _ in
      self.outbox.withLock { $0.inFlight -= bytes.count }
    }
  }

  private func applyPause() {
    localClient?.pause(inputIsPaused)
    guard let client else { return }
    client.setOption(ChannelOptions.autoRead, value: !inputIsPaused).whenComplete { _ in }
  }

  fileprivate func clientIsActive(_ channel: any Channel) {
    guard client == nil, !isClosed else {
      channel.close(promise: nil)
      return
    }
    client = channel
    begin()
  }

  private func begin() {
    outbox.withLock {
      $0.isOpen = true
      $0.isCutOff = false
      $0.bytes = []
    }
    inputIsPaused = false
    slot.open()
    firstClient.succeed(())
  }

  private func end() {
    outbox.withLock {
      $0.isOpen = false
      $0.bytes = []
    }
    slot.close()
  }

  private var localHandlers: LocalServer.Handlers {
    LocalServer.Handlers(
      opened: { connection in
        self.localClient = connection
        self.begin()
      },
      input: { connection, bytes, descriptors in
        guard connection === self.localClient else { return }
        if !descriptors.isEmpty { self.descriptorsReceived?(descriptors) }
        self.slot.input(bytes)
      },
      inputEnded: { connection in if connection === self.localClient { self.inputEnded() } },
      closed: { connection in
        guard connection === self.localClient else { return }
        self.localClient = nil
        self.end()
      },
      stopped: {
        self.localStop?.succeed(())
        self.localStop = nil
      })
  }

  fileprivate func clientRead(_ channel: any Channel, _ bytes: [UInt8]) {
    if channel === client { slot.input(bytes) }
  }

  fileprivate func clientIsGone(_ channel: any Channel) {
    guard channel === client else { return }
    client = nil
    end()
    server?.read()
  }

  private final class ClientHandler: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    private let backend: SocketBackend
    init(_ backend: SocketBackend) { self.backend = backend }

    func channelActive(context: ChannelHandlerContext) { backend.clientIsActive(context.channel) }
    func channelInactive(context: ChannelHandlerContext) { backend.clientIsGone(context.channel) }
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      backend.clientRead(context.channel, Array(unwrapInboundIn(data).readableBytesView))
    }
    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
      // A client that has shut down its sending side (`socat` at the end of its input) still wants its answers:
      // the connection ends once they are written.
      if case .some(.inputClosed) = event as? ChannelEvent { backend.clientHalfClosed(context.channel) }
      context.fireUserInboundEventTriggered(event)
    }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
  }

  /// Set by a user that answers late: called when the other end has sent its last byte, it says when the answers
  /// are written by calling `disconnect`.
  fileprivate var halfClosed: (@Sendable () -> Void)?
  public func onHalfClose(_ handler: @escaping @Sendable () -> Void) { onLoop { $0.halfClosed = handler } }

  private func clientHalfClosed(_ channel: any Channel) {
    if channel === client { inputEnded() }
  }

  private func inputEnded() { if let halfClosed { halfClosed() } else { disconnect() } }

  /// Told of descriptors that came with the bytes that follow, as local sockets can pass them (SCM_RIGHTS).
  private var descriptorsReceived: (@Sendable ([ReceivedDescriptor]) -> Void)?
  public func onDescriptors(_ handler: @escaping @Sendable ([ReceivedDescriptor]) -> Void) {
    onLoop { $0.descriptorsReceived = handler }
  }
}
