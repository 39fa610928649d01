import PC
import Trace

/// The one funnel between machine and trace (`DESIGN.md` §4): gives each witness its instant and hands it to the sink,
/// which writes it down in a recording and compares it in a replay.
///
/// The sequence of an instant is the number of inputs that were applied at its place before: the k-th input of a place
/// has sequence k - 1, and what follows from it has k. So an instant names a state of a stopped machine, too.
final class Funnel: MachineWorld {
  /// Set once, right after the machine was made.
  unowned(unsafe) var machine: Machine!
  /// Nil: nothing is logged (`inquest run`), or logging has failed.
  var sink: EventSink?
  /// What the sink threw first.
  private(set) var failure: Error?
  /// RIP at that time, where it is known.
  private(set) var failureRIP: UInt64?
  /// Bytes that a serial port or debug console sent, in order, handed over at line ends and boundaries.
  var onOutput: ((_ port: Int, _ bytes: [UInt8]) -> Void)?

  /// What is behind the drives: files in a live run, the trace in a replay.
  var driveSource: DriveSource?

  /// A network card has sent (true) or received a frame. On the machine's thread.
  var onFrame: ((_ device: Int, _ isSent: Bool, _ bytes: [UInt8]) -> Void)?

  private var inputCount: UInt64 = 0
  private var inputAdded: UInt64 = 0
  private var inputsHere: UInt32 = 0
  private var output: [UInt8] = []
  private var outputPort = 0

  /// Where it stands, for checkpoints.
  struct State {
    var inputCount: UInt64
    var inputAdded: UInt64
    var inputsHere: UInt32
    var output: [UInt8]
    var outputPort: Int
  }

  /// Setting it forgets a failure.
  var state: State {
    get {
      State(
        inputCount: inputCount, inputAdded: inputAdded, inputsHere: inputsHere, output: output,
        outputPort: outputPort)
    }
    set {
      inputCount = newValue.inputCount
      inputAdded = newValue.inputAdded
      inputsHere = newValue.inputsHere
      output = newValue.output
      outputPort = newValue.outputPort
      failure = nil
      failureRIP = nil
    }
  }

  // MARK: Instants

  /// The place where the machine is, and how many inputs it has had there.
  @inline(__always)
  var now: Instant {
    let count = machine.instructionCount
    let added = machine.addedTime
    let here = count == inputCount && added == inputAdded
    return Instant(instructionCount: count, addedTime: added, sequence: here ? inputsHere : 0)
  }

  /// Logs an input that is about to be applied.
  func input(_ body: TraceEvent.Body) {
    let instant = now
    inputCount = instant.instructionCount
    inputAdded = instant.addedTime
    inputsHere = instant.sequence &+ 1
    log { try $0.append(body, at: instant) }
  }

  /// Logs a witness of the session itself.
  func witness(_ body: TraceEvent.Body) {
    let instant = now
    log { try $0.append(body, at: instant) }
  }

  @inline(__always)
  private func log(_ body: (EventSink) throws -> Void) {
    guard let sink else { return }
    do { try body(sink) } catch { fail(error) }
  }

  @inline(never)
  private func fail(_ error: Error) {
    sink = nil
    guard failure == nil else { return }
    failure = error
    failureRIP = machine.processorState.rip
    machine.requestStop()
  }

  // MARK: MachineWorld

  func didReadPort(_ port: UInt16, size: Int, value: UInt32) {
    guard sink != nil else { return }
    let instant = now
    log {
      try $0.portRead(at: instant, port: port, size: UInt8(truncatingIfNeeded: size), value: value)
    }
  }

  func didReadMemory(_ address: UInt64, size: Int, value: UInt64) {
    guard sink != nil else { return }
    let instant = now
    log {
      try $0.mmioRead(at: instant, address: address, size: UInt8(truncatingIfNeeded: size), value: value)
    }
  }

  func didInterrupt(vector: UInt8, isNMI: Bool) {
    guard sink != nil else { return }
    let instant = now
    log { try $0.interrupt(at: instant, vector: vector, kind: isNMI ? .nmi : .external) }
  }

  func readDrive(_ drive: Int, offset: UInt64, count: Int) -> [UInt8]? {
    let bytes = driveSource?.read(drive: drive, offset: offset, count: count)
    // An empty digest says that the host could not read.
    input(
      .blockData(
        device: UInt32(truncatingIfNeeded: drive), request: offset,
        digest: bytes.map { SHA256.hash($0) } ?? [], bytes: bytes ?? []))
    return bytes
  }

  func writeDrive(_ drive: Int, offset: UInt64, bytes: [UInt8]) -> Bool {
    driveSource?.write(drive: drive, offset: offset, bytes: bytes) ?? false
  }

  func didSendFrame(device: Int, bytes: [UInt8]) { onFrame?(device, true, bytes) }

  func didDelayInterrupt(nanoseconds: UInt64) {
    witness(.chaosDelay(what: "interrupt", nanoseconds: nanoseconds))
  }

  func didTransmit(port: Int, byte: UInt8) {
    if sink != nil {
      let instant = now
      log { try $0.serialOutput(at: instant, port: UInt32(truncatingIfNeeded: port), byte: byte) }
    }
    guard onOutput != nil else { return }
    if port != outputPort { flushOutput() }
    outputPort = port
    output.append(byte)
    if byte == 0x0A || output.count >= 256 { flushOutput() }
  }

  /// Hands over what was sent since the last line end.
  func flushOutput() {
    guard !output.isEmpty else { return }
    onOutput?(outputPort, output)
    output.removeAll(keepingCapacity: true)
  }
}

/// Gives every event to two sinks, first to `first`: a branch checks its parent's events while it writes them anew.
final class TeeSink: EventSink {
  private let first: EventSink
  private let second: EventSink
  init(_ first: EventSink, _ second: EventSink) {
    self.first = first
    self.second = second
  }

  func append(_ body: TraceEvent.Body, at instant: Instant) throws {
    try first.append(body, at: instant)
    try second.append(body, at: instant)
  }
  func portRead(at instant: Instant, port: UInt16, size: UInt8, value: UInt32) throws {
    try first.portRead(at: instant, port: port, size: size, value: value)
    try second.portRead(at: instant, port: port, size: size, value: value)
  }
  func mmioRead(at instant: Instant, address: UInt64, size: UInt8, value: UInt64) throws {
    try first.mmioRead(at: instant, address: address, size: size, value: value)
    try second.mmioRead(at: instant, address: address, size: size, value: value)
  }
  func serialOutput(at instant: Instant, port: UInt32, byte: UInt8) throws {
    try first.serialOutput(at: instant, port: port, byte: byte)
    try second.serialOutput(at: instant, port: port, byte: byte)
  }
  func interrupt(at instant: Instant, vector: UInt8, kind: InterruptKind) throws {
    try first.interrupt(at: instant, vector: vector, kind: kind)
    try second.interrupt(at: instant, vector: vector, kind: kind)
  }
}
