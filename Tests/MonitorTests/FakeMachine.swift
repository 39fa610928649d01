import Dispatch
import Glibc
import Monitor
import Session

/// A machine without a processor: run state, actions and events as the reference says, memory in an array.
final class FakeMachine: ControlledMachine {
  var runState = RunState.running
  var actions = ActionSettings()
  var position = MachinePosition(instructionCount: 0, virtualTime: 0, mode: .none, filename: nil)
  var name: String?
  var uuid = "00000000-0000-0000-0000-000000000000"
  var memory = [UInt8](repeating: 0, count: 64 << 10)
  var memorySize: UInt64 = 256 << 20
  var noReboot = true
  var registers = ""
  var performed: [ControlCommand] = []
  /// Waited for by `dump`, so that a test sees it in progress.
  var dumpGate: DispatchSemaphore?
  var emit: (MachineEvent) -> Void = { _ in }
  var hasEnded: () -> Void = {}

  func perform(_ command: ControlCommand) throws {
    performed.append(command)
    switch command {
    case .stop:
      guard runState == .running else { return }
      runState = .paused
      emit(.stop)
    case .cont:
      guard runState != .running else { return }
      runState = .running
      emit(.resume)
    case .systemReset:
      if noReboot { return shutdown(.hostQMPSystemReset) }
      emit(.reset(.hostQMPSystemReset))
      if runState != .running { runState = .prelaunch }
    case .systemPowerdown: emit(.powerdown)
    case .systemWakeup: emit(.wakeup)
    case .injectNMI: break
    case .quit: shutdown(.hostQMPQuit)
    case .setAction(let panic, let reboot, let shutdown, let watchdog):
      actions.panic = panic ?? actions.panic
      actions.reboot = reboot ?? actions.reboot
      actions.shutdown = shutdown ?? actions.shutdown
      actions.watchdog = watchdog ?? actions.watchdog
    }
  }

  private func shutdown(_ cause: MachineEvent.ShutdownCause) {
    emit(.shutdown(cause))
    hasEnded()
  }

  func panic() {
    switch actions.panic {
    case .none: emit(.guestPanicked(action: "run"))
    case .shutdown where actions.shutdown == .poweroff, .exitFailure where actions.shutdown == .poweroff:
      emit(.guestPanicked(action: "poweroff"))
      shutdown(.guestPanic)
    default:
      emit(.guestPanicked(action: "pause"))
      runState = .guestPanicked
      emit(.stop)
    }
  }

  func guestReset() { if noReboot { shutdown(.guestReset) } else { emit(.reset(.guestReset)) } }

  func readPhysical(_ address: UInt64, count: Int) -> [UInt8]? {
    guard address < UInt64(memory.count), count <= memory.count - Int(address) else { return nil }
    return Array(memory[Int(address)..<Int(address) + count])
  }

  /// Linear 0xffff_8000_0000_0000 and up is physical 0 and up.
  func translate(linear: UInt64, cpu: Int) -> UInt64? {
    let base: UInt64 = 0xffff_8000_0000_0000
    return linear >= base && linear - base < UInt64(memory.count) ? linear - base : nil
  }

  func registersText(cpu: Int) -> String { registers }

  func dump(
    to target: DumpTarget, format: String, paging: Bool, range: Range<UInt64>?, isDetached: Bool,
    progress: @escaping @Sendable (UInt64, UInt64) -> Void
  ) throws {
    switch target {
    case .file(let path) where path.hasPrefix("/nonexistent"):
      throw ControlError("Could not open '\(path)': No such file or directory")
    case .descriptor(let number):
      let text = Array("a core".utf8)
      _ = write(number, text, text.count)
    default: break
    }
    dumpGate?.wait()
    let total = range.map { $0.upperBound - $0.lowerBound } ?? 268_697_600
    emit(.dumpCompleted(completed: total, total: total, error: nil))
  }
}

final class FakeMailbox: MachineMailbox, @unchecked Sendable {
  private let queue = DispatchQueue(label: "machine")
  let machine = FakeMachine()
  private var observers: [@Sendable (MachineEvent) -> Void] = []

  init() { machine.emit = { [unowned self] event in for observer in self.observers { observer(event) } } }

  func post(_ work: @escaping @Sendable (ControlledMachine) -> Void) { queue.async { work(self.machine) } }
  func observe(_ observer: @escaping @Sendable (MachineEvent) -> Void) {
    queue.sync { observers.append(observer) }
  }
  func onMachine<Result>(_ body: (FakeMachine) throws -> Result) rethrows -> Result {
    try queue.sync { try body(machine) }
  }
}

/// A client on a real socket, blocking, with a time limit for reads.
final class TestClient {
  let descriptor: CInt
  private var buffer: [UInt8] = []

  init?(unix path: String) {
    descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    if result != 0 { return nil }
    setLimit()
  }

  init?(port: Int) {
    descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    if result != 0 { return nil }
    setLimit()
  }

  private func setLimit() {
    var limit = timeval(tv_sec: 20, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
  }

  deinit { close(descriptor) }

  func send(_ text: String) { send(Array(text.utf8)) }
  func send(_ bytes: [UInt8]) {
    var offset = 0
    while offset < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(
          descriptor, $0.baseAddress! + offset, bytes.count - offset, CInt(truncatingIfNeeded: MSG_NOSIGNAL))
      }
      if count <= 0 { return }
      offset += count
    }
  }

  func endInput() { shutdown(descriptor, CInt(truncatingIfNeeded: SHUT_WR)) }

  /// The next line without its CRLF; nil at the end of the stream or after the time limit.
  func line() -> String? {
    guard var line = bytes(through: 0x0a) else { return nil }
    line.removeLast()
    guard line.last == 0x0d else { return "line without CR: " + String(decoding: line, as: UTF8.self) }
    line.removeLast()
    return String(decoding: line, as: UTF8.self)
  }

  /// Reads up to and with `text`.
  func read(through text: String) -> String? {
    var all: [UInt8] = []
    let wanted = Array(text.utf8)
    while true {
      guard let piece = bytes(through: wanted.last!) else { return nil }
      all += piece
      if all.suffix(wanted.count) == wanted[...] { return String(decoding: all, as: UTF8.self) }
    }
  }

  func bytes(through end: UInt8) -> [UInt8]? {
    while true {
      if let index = buffer.firstIndex(of: end) {
        let piece = Array(buffer[...index])
        buffer.removeFirst(index + 1)
        return piece
      }
      var block = [UInt8](repeating: 0, count: 65536)
      let count = recv(descriptor, &block, block.count, 0)
      if count <= 0 { return nil }
      buffer += block[..<count]
    }
  }
}

/// A directory of its own for each test's sockets and files.
final class Scratch {
  let path: String
  init() {
    var template = Array("/tmp/inquest-monitor-XXXXXX".utf8CString)
    path = String(cString: mkdtemp(&template)!)
  }
  func file(_ name: String) -> String { "\(path)/\(name)" }
  deinit {
    for name in ["qmp", "hmp", "serial", "out", "memory", "virtual", "fifo", "dead", "second"] {
      unlink(file(name))
    }
    rmdir(path)
  }
}
