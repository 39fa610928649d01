import Session
import Synchronization

/// One end of gdb's remote protocol: takes the packets of a connection, drives a machine, gives replies. Without sockets and
/// without frames, which are `DebugServer`'s. On the machine's thread.
///
/// The packets and their replies are those of the gdb manual's appendix "Remote Protocol"; where it leaves a choice, and for
/// packets of QEMU's own (`qqemu.…`), QEMU's.
public final class Stub {
  /// The most bytes of a packet's content.
  public static let packetSize = 0x10000

  let target: any DebugTarget
  /// Takes a reply.
  private let send: ([UInt8]) -> Void
  private let shouldStop: () -> Bool

  // Of a connection.
  /// The processor that `g`, `m` and their like are about (`Hg`), from 0.
  var processor = 0
  /// The one that `s` and `c` are about (`Hc`).
  var runProcessor = 0
  /// Whether memory packets mean physical addresses (`Qqemu.PhyMemMode`).
  var addressSpace = AddressSpace.linear
  /// Whether gdb understands `swbreak` and `hwbreak` in stop replies.
  var knowsSoftwareBreaks = false
  var knowsHardwareBreaks = false
  var points: [DebugPoint] = []
  /// Lines for gdb's console that had to wait until the machine runs again, since they cannot be sent at any other time.
  private var waitingText: [String] = []
  private(set) var lastStop = DebugStop.interrupt
  /// Whether a client waits for a stop. Set on the machine's thread, read by any.
  public var isRunning: Bool {
    get { running.load(ordering: .acquiring) }
    set { running.store(newValue, ordering: .releasing) }
  }
  private let running = Atomic<Bool>(false)
  private var isConnected = false
  /// Packets that came while the machine ran.
  private var queue: [[UInt8]] = []
  /// Replies to stops that come after the connection has ended go nowhere.
  private var generation = 0

  /// - Parameters:
  ///   - send: takes the content of a reply.
  ///   - shouldStop: whether the client wants the machine to stop that it is about to start.
  public init(
    target: any DebugTarget, send: @escaping ([UInt8]) -> Void, shouldStop: @escaping () -> Bool = { false }
  ) {
    self.target = target
    self.send = send
    self.shouldStop = shouldStop
  }

  // MARK: Connections

  /// A client has come; what the one before has set is gone.
  public func connected() {
    forget()
    isConnected = true
    lastStop = target.attach()
  }

  /// The client has gone without a word.
  public func disconnected() {
    guard isConnected else { return }
    target.interrupt()
    forget()
    target.detach(resumes: false)
  }

  private func forget() {
    isConnected = false
    generation += 1
    (processor, runProcessor) = (0, 0)
    addressSpace = .linear
    (knowsSoftwareBreaks, knowsHardwareBreaks) = (false, false)
    waitingText = []
    queue = []
    isRunning = false
    if !points.isEmpty {
      points = []
      try? target.setPoints([])
    }
  }

  /// Takes one packet's content.
  public func receive(_ packet: [UInt8]) {
    guard isConnected else { return }
    if isRunning {
      // In all-stop mode gdb has nothing to say now but Ctrl-C. Whoever has, wants it stopped.
      if queue.count < 64 { queue.append(packet) }
      target.interrupt()
      return
    }
    handle(packet)
  }

  /// A packet was longer than `packetSize`.
  public func receiveTooLong() { reply(Reply.tooLong) }

  // MARK: Replies

  /// Errors are numbers of errno.h.
  enum Reply {
    static let ok = "OK"
    static let unsupported = ""
    static let tooLong = "E07"
    /// No such memory.
    static let badAddress = "E14"
    /// The packet makes no sense here.
    static let invalid = "E22"
  }

  func reply(_ text: String) { send(Array(text.utf8)) }
  func reply(_ bytes: [UInt8]) { send(bytes) }

  /// Text for gdb's console, while the machine runs or a monitor command is under way.
  func console(_ text: String) { reply(Array("O".utf8) + Hexadecimal.encode(text.utf8)) }

  /// Says why something was refused: at once where gdb shows the text, and once more on its console.
  func refuse(_ reason: String) {
    reply("E." + reason)
    if waitingText.last != reason, waitingText.count < 8 { waitingText.append(reason) }
  }

  // MARK: Packets

  private func handle(_ packet: [UInt8]) {
    guard let first = packet.first else { return reply(Reply.unsupported) }
    let rest = packet.dropFirst()
    switch first {
    case UInt8(ascii: "?"): reply(stopReplyNow)
    case UInt8(ascii: "g"): readAllRegisters()
    case UInt8(ascii: "G"): writeAllRegisters(rest)
    case UInt8(ascii: "p"): readRegister(rest)
    case UInt8(ascii: "P"): writeRegister(rest)
    case UInt8(ascii: "m"): readMemory(rest, isBinary: false)
    case UInt8(ascii: "x"): readMemory(rest, isBinary: true)
    case UInt8(ascii: "M"): writeMemory(rest, isBinary: false)
    case UInt8(ascii: "X"): writeMemory(rest, isBinary: true)
    case UInt8(ascii: "Z"): changePoint(rest, inserts: true)
    case UInt8(ascii: "z"): changePoint(rest, inserts: false)
    case UInt8(ascii: "s"): resume(.step, at: rest)
    case UInt8(ascii: "c"): resume(.cont, at: rest)
    case UInt8(ascii: "S"): resume(.step, signal: rest)
    case UInt8(ascii: "C"): resume(.cont, signal: rest)
    case UInt8(ascii: "b"): resumeReverse(rest)
    case UInt8(ascii: "v"): handleNamed(packet)
    case UInt8(ascii: "q"), UInt8(ascii: "Q"): handleQuery(packet)
    case UInt8(ascii: "H"): selectThread(rest)
    case UInt8(ascii: "T"):
      if case .one? = thread(rest) { reply(Reply.ok) } else { reply(Reply.invalid) }
    case UInt8(ascii: "D"): detach()
    case UInt8(ascii: "k"): target.kill()
    case UInt8(ascii: "!"): reply(Reply.unsupported)
    default: reply(Reply.unsupported)
    }
  }

  private func detach() {
    let target = target
    reply(Reply.ok)
    forget()
    target.detach(resumes: true)
  }

  func kill() {
    reply(Reply.ok)
    target.kill()
  }

  // MARK: Going on

  /// - Parameter address: where to go on, empty for here.
  private func resume(_ how: DebugResume, at address: ArraySlice<UInt8>) {
    if !address.isEmpty {
      guard let value = Hexadecimal.number(address) else { return reply(Reply.invalid) }
      guard setInstructionPointer(value) else { return }
    }
    resume(how)
  }

  /// `C05`, `C05;ADDRESS`: there are no signals to give to a machine.
  private func resume(_ how: DebugResume, signal: ArraySlice<UInt8>) {
    let parts = signal.split(separator: UInt8(ascii: ";"), maxSplits: 1, omittingEmptySubsequences: false)
    guard let number = parts.first, Hexadecimal.number(number) != nil else { return reply(Reply.invalid) }
    resume(how, at: parts.count > 1 ? parts[1] : [])
  }

  private func setInstructionPointer(_ value: UInt64) -> Bool {
    guard let register = ProcessorRegister.named("rip") else { return false }
    let old = target.registers(of: runProcessor).value(register)
    guard old != value else { return true }
    do {
      try target.write(register, (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) }, of: runProcessor)
      return true
    } catch {
      refuse(Self.text(of: error))
      return false
    }
  }

  private func resumeReverse(_ how: ArraySlice<UInt8>) {
    guard target.features.reverses else { return reply(Reply.invalid) }
    switch Array(how) {
    case [UInt8(ascii: "s")]: resume(.reverseStep)
    case [UInt8(ascii: "c")]: resume(.reverseCont)
    default: reply(Reply.unsupported)
    }
  }

  func resume(_ how: DebugResume) {
    for text in waitingText { console("inquest: \(text)\n") }
    waitingText = []
    isRunning = true
    let generation = generation
    if shouldStop() { return stopped(.interrupt) }
    target.resume(how, processor: runProcessor) { [weak self] stop in
      guard let self, generation == self.generation else { return }
      stopped(stop)
    }
  }

  /// The machine's run is over.
  public func ended(status: Int32) {
    guard isConnected else { return }
    if isRunning { stopped(.exited(status)) } else { lastStop = .exited(status) }
  }

  private func stopped(_ stop: DebugStop) {
    isRunning = false
    lastStop = stop
    if case .failed(let reason) = stop { console("inquest: \(reason)\n") }
    reply(stopReply(stop))
    let waiting = queue
    queue = []
    for packet in waiting { receive(packet) }
  }

  /// gdb's numbers of signals, as QEMU uses them.
  private enum Signal {
    static let interrupt = 2, quit = 3, trap = 5, abort = 6, stop = 17, unknown = 143
  }

  var stopReplyNow: String { stopReply(lastStop) }

  private func stopReply(_ stop: DebugStop) -> String {
    func reply(_ signal: Int, _ before: String = "", _ after: String = "") -> String {
      let digits = Hexadecimal.text([UInt8(truncatingIfNeeded: signal)])
      return "T\(digits)\(before)thread:\(Self.threadText(runProcessor));\(after)"
    }
    switch stop {
    case .step: return reply(Signal.trap)
    case .breakpoint(let point):
      if point.kind == .software, knowsSoftwareBreaks { return reply(Signal.trap, "", "swbreak:;") }
      if point.kind == .hardware, knowsHardwareBreaks { return reply(Signal.trap, "", "hwbreak:;") }
      return reply(Signal.trap)
    case .watchpoint(let point):
      let name = point.kind == .read ? "rwatch" : point.kind == .access ? "awatch" : "watch"
      return reply(Signal.trap, "", "\(name):\(Hexadecimal.text(point.address));")
    case .interrupt: return reply(Signal.interrupt)
    case .panic: return reply(Signal.unknown)
    case .runState(let state):
      switch state {
      case .debug: return reply(Signal.trap)
      case .paused: return reply(Signal.interrupt)
      case .shutdown: return reply(Signal.quit)
      case .ioError: return reply(Signal.stop)
      case .internalError: return reply(Signal.abort)
      default: return reply(Signal.unknown)
      }
    case .beginning: return reply(Signal.trap, "replaylog:begin;")
    case .end: return reply(Signal.trap, "replaylog:end;")
    case .exited(let status): return "W" + Hexadecimal.text([UInt8(truncatingIfNeeded: status)])
    case .failed: return reply(Signal.abort)
    }
  }

  // MARK: Threads

  /// A thread is a processor: thread 1 is processor 0.
  enum ThreadSelection: Equatable {
    case all, any
    case one(Int)
    var index: Int { if case .one(let index) = self { return index } else { return 0 } }
  }

  static func threadText(_ processor: Int) -> String { Hexadecimal.text([UInt8(truncatingIfNeeded: processor + 1)]) }

  /// `-1`, `0`, `1`; with multiprocess extensions `p1.1`, of which the process is 1. nil for what is not there.
  func thread(_ text: ArraySlice<UInt8>) -> ThreadSelection? {
    var text = text
    if text.first == UInt8(ascii: "p") {
      let parts = text.dropFirst().split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
      guard let process = parts.first else { return nil }
      if Array(process) != Array("-1".utf8) {
        guard let number = Hexadecimal.number(process), number <= 1 else { return nil }
      }
      guard parts.count <= 2 else { return nil }
      guard parts.count == 2 else { return .all }
      text = parts[1]
    }
    if Array(text) == Array("-1".utf8) { return .all }
    guard let number = Hexadecimal.number(text) else { return nil }
    if number == 0 { return .any }
    guard number <= UInt64(target.processorCount) else { return nil }
    return .one(Int(number) - 1)
  }

  private func selectThread(_ text: ArraySlice<UInt8>) {
    guard let operation = text.first, let selection = thread(text.dropFirst()) else { return reply(Reply.invalid) }
    switch operation {
    case UInt8(ascii: "g"): processor = selection.index
    case UInt8(ascii: "c"): runProcessor = selection.index
    default: return reply(Reply.invalid)
    }
    reply(Reply.ok)
  }

  static func text(of error: any Error) -> String { (error as? ControlError)?.message ?? "\(error)" }
}
