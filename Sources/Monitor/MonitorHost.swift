import Glibc
import NIOCore
import NIOPosix
import Session

/// All of a process's monitors and character devices, on one event loop.
///
/// First the devices are opened, in the order of the command line (those with `wait=on` block until a client is
/// there); then `start` connects the monitors with the machine, and greets who is waiting; `close` at the end
/// writes what is left, removes sockets, restores the terminal.
public final class MonitorHost: @unchecked Sendable {
  private enum Mode { case control, readline }
  private let group: MultiThreadedEventLoopGroup
  private let loop: any EventLoop
  private let context: MonitorContext

  // Used by the thread that sets the machine up, before `start` and in `close`.
  private var monitors: [(backend: any CharacterBackend, mode: Mode)] = []
  private var backends: [any CharacterBackend] = []
  private var declared: [(id: String, spec: CharacterSpec, device: Device?)] = []
  private var sharedStdio: MuxBackend?
  private var stdioIsTaken = false
  private var monitorCount = 0
  private var mailbox: (any MachineMailbox)?
  private var sessions: [QMPSession] = []
  private var isClosed = false
  /// Called before blocking for a client, with a line for the user.
  public var notice: (String) -> Void = { _ in }

  private enum Device {
    case single(any CharacterBackend)
    case shared(MuxBackend)
  }

  public init(identity: MonitorIdentity) {
    group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    loop = group.next()
    context = MonitorContext(identity: identity)
  }

  /// Whether any monitor exists: without one nobody could continue a stopped machine.
  public var hasMonitor: Bool { !monitors.isEmpty }

  /// Whether somebody is at a monitor right now.
  public var hasClient: Bool {
    monitors.contains { $0.backend.acceptsInput && !$0.backend.filename.hasPrefix("disconnected:") }
  }

  /// Takes a `-chardev`. The device is opened when it is first used.
  public func declareChardev(_ text: String) throws {
    let (id, spec) = try CharacterSpec.parseChardev(text)
    if declared.contains(where: { $0.id == id }) {
      throw OptionText.Failure("Duplicate ID '\(id)' for chardev")
    }
    declared.append((id, spec, nil))
  }

  /// Takes a `-serial`: opens the back end of a port. Nil for `none`. `mon:` adds a monitor on the same terminal.
  public func openSerial(_ text: String, label: String = "serial0") throws -> (any CharacterBackend)? {
    guard let spec = try CharacterSpec.parse(text) else { return nil }
    let backend = try use(spec, label: label, overflow: .drop)
    if spec.mux, case .reference = spec.kind {} else if spec.mux { try addSharedMonitor(spec) }
    return backend
  }

  /// Takes a `-qmp`.
  public func addQMP(_ text: String) throws { try add(text, .control) }

  /// Takes a `-monitor`.
  public func addMonitor(_ text: String) throws { try add(text, .readline) }

  /// Takes a `-mon`: `[chardev=]ID,mode=control|readline`.
  public func addMon(_ text: String) throws {
    let options = try OptionText(text)
    try options.allow(["chardev", "mode", "pretty"])
    guard let id = options["chardev"] ?? options.head else {
      throw OptionText.Failure("Parameter 'chardev' is missing in '-mon \(text)'")
    }
    let mode: Mode
    switch options["mode"] ?? "readline" {
    case "control": mode = .control
    case "readline": mode = .readline
    default: throw OptionText.Failure("-mon: mode is 'control' or 'readline'")
    }
    monitors.append((try use(CharacterSpec(.reference(id: id)), label: id, overflow: .disconnect), mode))
  }

  /// Takes a `-gdb`: what `-serial` takes; a TCP port is listened at and not waited for, as in QEMU (`tcp::1234`). Nil
  /// for `none`.
  public func openDebugger(_ text: String) throws -> (any CharacterBackend)? {
    let isPlainPort = text.hasPrefix("tcp:") && !text.contains("server")
    guard let spec = try CharacterSpec.parse(isPlainPort ? text + ",server=on,wait=off" : text) else { return nil }
    return try use(spec, label: "gdb", overflow: .disconnect)
  }

  private func add(_ text: String, _ mode: Mode) throws {
    guard let spec = try CharacterSpec.parse(text) else { return }
    let label = "compat_monitor\(monitorCount)"
    monitorCount += 1
    monitors.append((try use(spec, label: label, overflow: .disconnect), mode))
  }

  private func addSharedMonitor(_ spec: CharacterSpec) throws {
    let label = "compat_monitor\(monitorCount)"
    monitorCount += 1
    monitors.append((try use(spec, label: label, overflow: .drop), .readline))
  }

  /// The back end that `spec` describes, or a part of a shared one.
  private func use(_ spec: CharacterSpec, label: String, overflow: OverflowPolicy) throws
    -> any CharacterBackend
  {
    if case .reference(let id) = spec.kind {
      guard let index = declared.firstIndex(where: { $0.id == id }) else {
        throw OptionText.Failure("chardev \"\(id)\" not found")
      }
      let entry = declared[index]
      switch entry.device {
      case .shared(let mux): return register(mux.addPart(label: label))
      case .single: throw OptionText.Failure("chardev \"\(id)\" is already in use; add mux=on to share it")
      case nil: break
      }
      if entry.spec.mux {
        let mux = makeMux(try open(entry.spec, label: id, overflow: overflow))
        declared[index].device = .shared(mux)
        return register(mux.addPart(label: label))
      }
      let backend = try open(entry.spec, label: id, overflow: overflow)
      declared[index].device = .single(backend)
      return register(backend)
    }
    if case .stdio = spec.kind, spec.mux {
      if sharedStdio == nil { sharedStdio = makeMux(try open(spec, label: "stdio", overflow: overflow)) }
      return register(sharedStdio!.addPart(label: label))
    }
    if spec.mux { throw OptionText.Failure("'mon:' works with stdio; for others use -chardev …,mux=on") }
    return register(try open(spec, label: label, overflow: overflow))
  }

  private func register(_ backend: any CharacterBackend) -> any CharacterBackend {
    context.add(backend)
    return backend
  }

  private func makeMux(_ backend: any CharacterBackend) -> MuxBackend {
    MuxBackend(backend, loop: loop) { [weak self] in
      self?.mailbox?.post { machine in try? machine.perform(.quit) }
    }
  }

  private func open(_ spec: CharacterSpec, label: String, overflow: OverflowPolicy) throws
    -> any CharacterBackend
  {
    let backend: any CharacterBackend
    var mustWait = false
    switch spec.kind {
    case .null: backend = NullBackend(label: label)
    case .stdio:
      if stdioIsTaken { throw OptionText.Failure("cannot use stdio by multiple character devices") }
      stdioIsTaken = true
      backend = DescriptorBackend.stdio(label: label, signals: spec.signal, group: group)
    case .pty:
      backend = try DescriptorBackend.pty(label: label, group: group)
      notice("char device redirected to \(backend.filename.dropFirst(4)) (label \(label))")
    case .file(let path, let append):
      backend = try DescriptorBackend.file(path: path, append: append, label: label, group: group)
    case .pipe(let path): backend = try DescriptorBackend.pipe(path: path, label: label, group: group)
    case .unix(let path, true, let wait):
      backend = try SocketBackend.listen(path: path, label: label, group: group, overflow: overflow)
      mustWait = wait
    case .tcp(let host, let port, true, let wait):
      backend = try SocketBackend.listen(
        host: host, port: port, label: label, group: group, overflow: overflow)
      mustWait = wait
    case .unix, .tcp:
      backend = try SocketBackend.connect(to: spec.kind, label: label, group: group, overflow: overflow)
    case .reference(let id): throw OptionText.Failure("chardev \"\(id)\" not found")
    }
    backends.append(backend)
    if mustWait, let socket = backend as? SocketBackend { try waitForClient(socket) }
    return backend
  }

  private func waitForClient(_ socket: SocketBackend) throws {
    notice("waiting for connection on: \(socket.filename.replacingPrefix("disconnected:"))")
    do {
      try socket.waitForClient()
    } catch {
      throw OptionText.Failure(unavailable: "closed while waiting for a client")
    }
  }

  /// Connects the monitors with the machine: from now on clients are greeted, and events go to them.
  public func start(mailbox: any MachineMailbox) {
    self.mailbox = mailbox
    var qmp: [QMPSession] = []
    var human: [HumanSession] = []
    for monitor in monitors {
      switch monitor.mode {
      case .control:
        qmp.append(QMPSession(backend: monitor.backend, context: context, mailbox: mailbox, loop: loop))
      case .readline:
        human.append(HumanSession(backend: monitor.backend, context: context, mailbox: mailbox, loop: loop))
      }
    }
    sessions = qmp
    let (sessions, people, context, loop) = (qmp, human, context, loop)
    mailbox.observe { event in
      context.observe(event)
      if sessions.isEmpty { return }
      let message = event.qmpMessage
      loop.execute { for session in sessions { session.send(event: message) } }
    }
    loop.execute {
      for session in sessions { session.start() }
      for session in people { session.start() }
    }
  }

  /// Ends everything in good order. Not to be called on the event loop. May be called more than once.
  public func close() {
    if isClosed { return }
    isClosed = true
    // A `quit` ends the machine before it is answered: answers under way get half a second.
    let sessions = sessions
    for _ in 0..<50 {
      guard let isBusy = try? loop.submit({ sessions.contains { $0.awaitsMachine } }).wait(), isBusy else {
        break
      }
      usleep(10_000)
    }
    for backend in backends { backend.close() }
    TerminalMode.restore()
    try? group.syncShutdownGracefully()
  }
}

extension String {
  func replacingPrefix(_ prefix: String) -> String {
    hasPrefix(prefix) ? String(dropFirst(prefix.count)) : self
  }
}
