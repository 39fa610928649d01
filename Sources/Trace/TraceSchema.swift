/// The schema of the trace: versions, kinds of events, what each carries, how it is laid out, and what always holds.
///
/// Invariants of a trace:
/// 1. Instants never go back; events with equal instants took effect in the order in which they are stored.
/// 2. An input is stored before it takes effect.
/// 3. A read that repeats the open fold of reads adds to its count and stores nothing. The fold is closed by a
///    read that differs, and by every other event but serial output.
/// 4. Serial output of one port is gathered until a newline, `maximumOutputRun` bytes, output of another port, or
///    any other event but a read.
/// 5. Folds and gathered output carry the instant at which they began, and are stored in that order. Where frames
///    are cut changes neither. So two runs are identical exactly when their decoded events are.
/// 6. Within a format version the kinds are fixed: an unknown one is damage. A change of kinds, payloads or
///    folding rules is a new format version.
public enum TraceSchema {
  /// The version of everything in this file and of the frames that carry it.
  public static let formatVersion: UInt64 = 1
  /// The version of a trace that carries checkpoints behind its events; the events are those of version 1.
  public static let checkpointVersion: UInt64 = 2
  /// What the content of the header frame begins with.
  public static let magic: [UInt8] = Array("INQTRACE".utf8)
  /// The most bytes that a frame holds before compression.
  public static let maximumContent = 1 << 20
  /// The most bytes or UTF-8 units that one event carries, all its parts together.
  public static let maximumPayload = 256 << 10
  /// Serial output is stored after so many bytes at the latest.
  public static let maximumOutputRun = 4096
}

/// The kinds of events with the numbers that they have in the file. 1–31 inputs, 32–95 witnesses, 96–127 markers.
public enum EventKind: UInt8, CaseIterable, Sendable, Codable {
  case serialInput = 1
  case command = 2
  case wallClock = 3
  case entropy = 4
  case blockData = 5
  case networkFrame = 6
  case debuggerWrite = 7
  case idleWait = 8
  case userMarker = 9

  case portRead = 32
  case mmioRead = 33
  case portWrite = 34
  case interrupt = 35
  case runState = 36
  case machineEvent = 37
  case idleSkip = 38
  case serialOutput = 39
  case digest = 40
  case chaosDelay = 41
  case endState = 42

  case marker = 96

  /// Inputs change the machine; everything else follows from them and the images.
  public var isInput: Bool { rawValue < 32 }
  /// The case's name, as `inquest events --kind` takes it.
  public var name: String { String(describing: self) }
}

/// What an interrupt event was.
public enum InterruptKind: UInt8, CaseIterable, Sendable, Codable {
  case external = 0, nmi, smi, initialize, startup
}

/// Where a debugger wrote.
public enum WriteSpace: UInt8, CaseIterable, Sendable, Codable { case physical = 0, linear, register, port }

/// Places of interest that are not events of the machine.
public enum MarkerKind: UInt8, CaseIterable, Sendable, Codable {
  case panic = 0, crashLoaded, pvShutdown, cont, reset, dump
}

/// A hash of the machine's state at an instant: registers and devices, and memory written since the last digest.
public struct StateDigest: Hashable, Sendable, Codable {
  public var registers: UInt64
  public var devices: UInt64
  public var memory: UInt64
  public init(registers: UInt64, devices: UInt64, memory: UInt64) {
    self.registers = registers
    self.devices = devices
    self.memory = memory
  }
}

/// One event as a program sees it.
public struct TraceEvent: Equatable, Sendable {
  public var instant: Instant
  public var body: Body
  public init(_ instant: Instant, _ body: Body) {
    self.instant = instant
    self.body = body
  }
  public var kind: EventKind { body.kind }

  public enum Body: Equatable, Sendable {
    /// Bytes that arrived at serial port `port` (0 is COM1).
    case serialInput(port: UInt32, bytes: [UInt8])
    /// A command as applied: its QMP text, and which monitor sent it.
    case command(monitor: UInt32, json: String)
    /// The wall clock at start: seconds since 1970 UTC; nanoseconds below 10^9.
    case wallClock(seconds: Int64, nanoseconds: UInt32)
    /// Host entropy that the machine took in, and for what.
    case entropy(use: String, bytes: [UInt8])
    /// The data of a completed block read; `bytes` is empty where the same digest was stored before.
    case blockData(device: UInt32, request: UInt64, digest: [UInt8], bytes: [UInt8])
    /// A frame that a network device received.
    case networkFrame(device: UInt32, bytes: [UInt8])
    /// A debugger's change. `address` is a register's number in register space.
    case debuggerWrite(space: WriteSpace, address: UInt64, bytes: [UInt8])
    /// Idle time paced by the host clock: how far virtual time went, in nanoseconds.
    case idleWait(nanoseconds: UInt64)
    case userMarker(text: String)

    /// `count` reads in a row of `size` bytes (1, 2, 4) at `port` gave `value`. The instant is the first one's.
    case portRead(port: UInt16, size: UInt8, value: UInt32, count: UInt64)
    /// `count` reads in a row of `size` bytes (1, 2, 4, 8) at guest-physical `address` gave `value`.
    case mmioRead(address: UInt64, size: UInt8, value: UInt64, count: UInt64)
    /// A write to one of the ports that are watched.
    case portWrite(port: UInt16, size: UInt8, value: UInt32)
    /// An interrupt was delivered to the processor.
    case interrupt(vector: UInt8, kind: InterruptKind)
    /// The run state changed; states by their QMP names.
    case runState(from: String, to: String, reason: String)
    /// A QMP event: name, and data as JSON text (empty for none).
    case machineEvent(name: String, json: String)
    /// Idle time that was skipped, in nanoseconds.
    case idleSkip(nanoseconds: UInt64)
    /// Bytes that serial port `port` sent. The instant is the first byte's.
    case serialOutput(port: UInt32, bytes: [UInt8])
    case digest(StateDigest)
    /// Chaos held `what` back by so many nanoseconds.
    case chaosDelay(what: String, nanoseconds: UInt64)
    /// The run ended here, and why.
    case endState(reason: String, digest: StateDigest)

    case marker(MarkerKind, text: String)

    public var kind: EventKind {
      switch self {
      case .serialInput: return .serialInput
      case .command: return .command
      case .wallClock: return .wallClock
      case .entropy: return .entropy
      case .blockData: return .blockData
      case .networkFrame: return .networkFrame
      case .debuggerWrite: return .debuggerWrite
      case .idleWait: return .idleWait
      case .userMarker: return .userMarker
      case .portRead: return .portRead
      case .mmioRead: return .mmioRead
      case .portWrite: return .portWrite
      case .interrupt: return .interrupt
      case .runState: return .runState
      case .machineEvent: return .machineEvent
      case .idleSkip: return .idleSkip
      case .serialOutput: return .serialOutput
      case .digest: return .digest
      case .chaosDelay: return .chaosDelay
      case .endState: return .endState
      case .marker: return .marker
      }
    }
  }
}

/// The columns of an event frame. Like lies by like, so that lz4, which knows repetition only, finds some.
enum Column: Int, CaseIterable {
  /// One byte per event: its kind; bit 7 when a number in `sequence` follows.
  case kind
  /// Instruction count minus that of the event before.
  case count
  /// Added time minus that of the event before.
  case added
  /// Sequence, minus that of the event before if it lies at the same count and added time. Absent when 0 remains.
  case sequence
  /// Reads: address << 2 | log2(size).
  case readAddress
  /// Reads: value minus the prediction (see `ReadPredictor`), zigzag.
  case readValue
  /// Reads: count - 1.
  case readCount
  /// Interrupts: the vector, one byte.
  case vector
  /// All other numbers, in the order of `TraceEvent.Body`'s declarations; strings and bytes leave their length here.
  case number
  /// Strings (UTF-8) and bytes.
  case bytes
}

/// Guesses that a read gives what the last read of the same place in the same frame gave, else 0.
struct ReadPredictor {
  private var keys = [UInt64](repeating: .max, count: 64)
  private var values = [UInt64](repeating: 0, count: 64)

  /// - Parameter key: address << 2 | log2(size) in the file, with bit 63 flipped for ports.
  /// - Returns: the guess, having learnt `value`'s slot for the next one through `learn`.
  @inline(__always)
  func guess(_ key: UInt64) -> UInt64 {
    let slot = Self.slot(key)
    return keys[slot] == key ? values[slot] : 0
  }

  @inline(__always)
  mutating func learn(_ key: UInt64, _ value: UInt64) {
    let slot = Self.slot(key)
    keys[slot] = key
    values[slot] = value
  }

  @inline(__always)
  private static func slot(_ key: UInt64) -> Int {
    Int(truncatingIfNeeded: (key ^ (key &>> 6) ^ (key &>> 12)) & 63)
  }
}

extension EventFrameEncoder {
  /// Lays out everything but reads, interrupts and serial output, which have paths of their own.
  func payload(_ body: TraceEvent.Body) {
    switch body {
    case .serialInput(let port, let bytes), .networkFrame(let port, let bytes):
      number(UInt64(port))
      self.bytes(bytes)
    case .command(let monitor, let json):
      number(UInt64(monitor))
      text(json)
    case .wallClock(let seconds, let nanoseconds):
      number(zigzag(seconds))
      number(UInt64(nanoseconds))
    case .entropy(let use, let bytes):
      text(use)
      self.bytes(bytes)
    case .blockData(let device, let request, let digest, let bytes):
      number(UInt64(device))
      number(request)
      self.bytes(digest)
      self.bytes(bytes)
    case .debuggerWrite(let space, let address, let bytes):
      number(UInt64(space.rawValue))
      number(address)
      self.bytes(bytes)
    case .idleWait(let nanoseconds), .idleSkip(let nanoseconds):
      number(nanoseconds)
    case .userMarker(let text):
      self.text(text)
    case .portRead(let port, let size, let value, let count):
      read(mmio: false, address: UInt64(port), size: size, value: UInt64(value), count: count)
    case .mmioRead(let address, let size, let value, let count):
      read(mmio: true, address: address, size: size, value: value, count: count)
    case .portWrite(let port, let size, let value):
      number(UInt64(port))
      number(UInt64(size))
      number(UInt64(value))
    case .interrupt(let vector, let kind):
      interrupt(vector: vector, kind: kind)
    case .runState(let from, let to, let reason):
      text(from)
      text(to)
      text(reason)
    case .machineEvent(let name, let json):
      text(name)
      text(json)
    case .serialOutput(let port, let bytes):
      number(UInt64(port))
      self.bytes(bytes)
    case .digest(let digest):
      self.digest(digest)
    case .chaosDelay(let what, let nanoseconds):
      text(what)
      number(nanoseconds)
    case .endState(let reason, let digest):
      text(reason)
      self.digest(digest)
    case .marker(let kind, let text):
      number(UInt64(kind.rawValue))
      self.text(text)
    }
  }

  /// Two shifts and a subtraction in the read columns. Addresses use 62 bits at most (a physical address has 52).
  @inline(__always)
  func read(mmio: Bool, address: UInt64, size: UInt8, value: UInt64, count: UInt64) {
    let place = (address &<< 2) | UInt64(truncatingIfNeeded: size.trailingZeroBitCount & 3)
    let key = mmio ? place : place ^ (1 << 63)
    columns[Column.readAddress.rawValue].append(place)
    columns[Column.readValue.rawValue].append(zigzag(Int64(bitPattern: value &- predictor.guess(key))))
    columns[Column.readCount.rawValue].append(count &- 1)
    predictor.learn(key, value)
  }

  @inline(__always)
  func interrupt(vector: UInt8, kind: InterruptKind) {
    columns[Column.vector.rawValue].append(byte: vector)
    columns[Column.vector.rawValue].append(byte: kind.rawValue)
  }

  private func digest(_ digest: StateDigest) {
    // Hashes are noise: eight plain bytes each are shorter than varints, and lie where they spoil nothing.
    for hash in [digest.registers, digest.devices, digest.memory] {
      withUnsafeBytes(of: hash.littleEndian) { columns[Column.bytes.rawValue].append(raw: $0) }
    }
  }
}

extension EventFrameDecoder {
  /// The mirror image of `payload` above.
  mutating func body(_ kind: EventKind) throws -> TraceEvent.Body {
    switch kind {
    case .serialInput: return .serialInput(port: try number(), bytes: try bytes())
    case .command: return .command(monitor: try number(), json: try text())
    case .wallClock:
      let seconds = unzigzag(try number())
      let nanoseconds: UInt32 = try number()
      guard nanoseconds < 1_000_000_000 else { throw MalformedContent("a second has 10^9 nanoseconds") }
      return .wallClock(seconds: seconds, nanoseconds: nanoseconds)
    case .entropy: return .entropy(use: try text(), bytes: try bytes())
    case .blockData:
      return .blockData(device: try number(), request: try number(), digest: try bytes(), bytes: try bytes())
    case .networkFrame: return .networkFrame(device: try number(), bytes: try bytes())
    case .debuggerWrite:
      return .debuggerWrite(space: try choice("write space"), address: try number(), bytes: try bytes())
    case .idleWait: return .idleWait(nanoseconds: try number())
    case .userMarker: return .userMarker(text: try text())
    case .portRead:
      let read = try self.read(mmio: false)
      guard let port = UInt16(exactly: read.address), let value = UInt32(exactly: read.value), read.size < 8
      else {
        throw MalformedContent("a port read is out of range")
      }
      return .portRead(port: port, size: read.size, value: value, count: read.count)
    case .mmioRead:
      let read = try self.read(mmio: true)
      return .mmioRead(address: read.address, size: read.size, value: read.value, count: read.count)
    case .portWrite: return .portWrite(port: try number(), size: try number(), value: try number())
    case .interrupt:
      let vector = try columns[Column.vector.rawValue].byte()
      guard let kind = InterruptKind(rawValue: try columns[Column.vector.rawValue].byte()) else {
        throw MalformedContent("unknown kind of interrupt")
      }
      return .interrupt(vector: vector, kind: kind)
    case .runState: return .runState(from: try text(), to: try text(), reason: try text())
    case .machineEvent: return .machineEvent(name: try text(), json: try text())
    case .idleSkip: return .idleSkip(nanoseconds: try number())
    case .serialOutput: return .serialOutput(port: try number(), bytes: try bytes())
    case .digest: return .digest(try digest())
    case .chaosDelay: return .chaosDelay(what: try text(), nanoseconds: try number())
    case .endState: return .endState(reason: try text(), digest: try digest())
    case .marker: return .marker(try choice("marker"), text: try text())
    }
  }

  private mutating func read(mmio: Bool) throws -> (
    address: UInt64, size: UInt8, value: UInt64, count: UInt64
  ) {
    let place = try columns[Column.readAddress.rawValue].number()
    let key = mmio ? place : place ^ (1 << 63)
    let difference = try columns[Column.readValue.rawValue].signed()
    let value = predictor.guess(key) &+ UInt64(bitPattern: difference)
    predictor.learn(key, value)
    let more = try columns[Column.readCount.rawValue].number()
    guard more < .max else { throw MalformedContent("a read's count is out of range") }
    return (place &>> 2, UInt8(1) &<< UInt8(place & 3), value, more + 1)
  }

  private mutating func digest() throws -> StateDigest {
    StateDigest(
      registers: try columns[Column.bytes.rawValue].fixed(UInt64.self),
      devices: try columns[Column.bytes.rawValue].fixed(UInt64.self),
      memory: try columns[Column.bytes.rawValue].fixed(UInt64.self))
  }
}
