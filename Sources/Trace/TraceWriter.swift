import Foundation

/// A file that the machine starts from, as it is given to a new trace.
public struct ImageSource: Sendable {
  public var name: String
  public var role: String
  public var bytes: [UInt8]
  /// Whether the trace is to carry the content, or only its digest.
  public var embed: Bool

  public init(name: String, role: String, bytes: [UInt8], embed: Bool = true) {
    self.name = name
    self.role = role
    self.bytes = bytes
    self.embed = embed
  }

  public init(name: String, role: String, data: Data, embed: Bool = true) {
    self.init(name: name, role: role, bytes: [UInt8](data), embed: embed)
  }
}

/// Writes a trace. Events are laid out on the producer's thread, which costs it some tens of nanoseconds each;
/// digests of images, compression and the file are the business of a second thread.
///
/// An error of the second thread sticks: the next call throws it, `failure` shows it, and what had been written
/// stays a readable trace. The verbs are for one thread at a time; `failure` and `bytesWritten` for any.
///
/// `close` must be called, also after an error: until then the second thread and the file stay.
/// A process that writes traces should ignore SIGXFSZ, so that a limit on file sizes is an error like a full disk.
public final class TraceWriter {
  public let path: String
  private let file: TraceOutput
  private var current: EventFrameEncoder
  private var folder = EventFolder()
  private var lastInstant = Instant.zero
  /// Set under the lock, read by the producer under the lock.
  private var error: TraceError?
  private var closed = false

  private let lock: UnsafeMutablePointer<pthread_mutex_t>
  private let changed: UnsafeMutablePointer<pthread_cond_t>
  private var queue: [EventFrameEncoder] = []
  private var spare: [EventFrameEncoder] = []
  /// Frames that were handed over and are not in the file yet.
  private var underway = 0
  private var closing = false
  private var finished = false
  private let flushInterval: Double

  /// A frame is cut when it holds so many bytes before compression.
  static let frameSize = 512 << 10
  static let queueLimit = 4

  /// Creates or replaces the file at `path`.
  /// - Parameters:
  ///   - header: without images; they are added from `images`.
  ///   - images: each role at most once.
  ///   - flushInterval: seconds of host time after which events go to the file at the latest.
  public init(path: String, header: TraceHeader, images: [ImageSource] = [], flushInterval: Double = 1) throws {
    self.path = path
    self.flushInterval = flushInterval
    guard Set(images.map(\.role)).count == images.count else {
      throw TraceError.invalidEvent(path: path, reason: "two images have the same role")
    }
    file = try TraceOutput(path: path)
    current = EventFrameEncoder()
    lock = .allocate(capacity: 1)
    changed = .allocate(capacity: 1)
    pthread_mutex_init(lock, nil)
    pthread_cond_init(changed, nil)
    let thread = Thread { [self] in work(header, images) }
    thread.name = "inquest-trace"
    thread.stackSize = 1 << 20
    thread.start()
  }

  deinit {
    folder.free()
    pthread_cond_destroy(changed)
    pthread_mutex_destroy(lock)
    lock.deallocate()
    changed.deallocate()
  }

  /// The error that stopped the writing, if any.
  public var failure: TraceError? {
    pthread_mutex_lock(lock)
    defer { pthread_mutex_unlock(lock) }
    return error
  }

  /// Bytes in the file so far.
  public var bytesWritten: UInt64 {
    pthread_mutex_lock(lock)
    defer { pthread_mutex_unlock(lock) }
    return reportedSize
  }
  private var reportedSize: UInt64 = 0

  /// Events so far, those that are still in memory included; open folds are not.
  public var eventCount: UInt64 {
    pthread_mutex_lock(lock)
    defer { pthread_mutex_unlock(lock) }
    return handedOver &+ current.eventCount
  }
  private var handedOver: UInt64 = 0

  // MARK: Producing

  /// Logs any event. Reads with a count of 1 and serial output are folded as if they came one by one.
  public func append(_ body: TraceEvent.Body, at instant: Instant) throws {
    switch body {
    case .portRead(let port, let size, let value, 1):
      try portRead(at: instant, port: port, size: size, value: value)
    case .mmioRead(let address, let size, let value, 1):
      try mmioRead(at: instant, address: address, size: size, value: value)
    case .serialOutput(let port, let bytes):
      for byte in bytes { try serialOutput(at: instant, port: port, byte: byte) }
    default:
      if let reason = body.broken { throw TraceError.invalidEvent(path: path, reason: reason) }
      try enter(instant)
      defer { pthread_mutex_unlock(lock) }
      folder.closeAll(current)
      current.begin(body.kind, at: instant)
      current.payload(body)
      cutIfFull()
    }
  }

  /// Logs a read of 1, 2 or 4 bytes at an I/O port.
  public func portRead(at instant: Instant, port: UInt16, size: UInt8, value: UInt32) throws {
    try enter(instant)
    if folder.read(current, at: instant, mmio: false, address: UInt64(port), size: size, value: UInt64(value)) {
      cutIfDue()
    }
    pthread_mutex_unlock(lock)
  }

  /// Logs a read of 1, 2, 4 or 8 bytes of a device in guest-physical memory.
  public func mmioRead(at instant: Instant, address: UInt64, size: UInt8, value: UInt64) throws {
    try enter(instant)
    if folder.read(current, at: instant, mmio: true, address: address, size: size, value: value) {
      cutIfDue()
    }
    pthread_mutex_unlock(lock)
  }

  /// Logs a byte that a serial port sent.
  public func serialOutput(at instant: Instant, port: UInt32, byte: UInt8) throws {
    try enter(instant)
    if folder.output(current, at: instant, port: port, byte: byte) { cutIfFull() }
    pthread_mutex_unlock(lock)
  }

  /// Logs the delivery of an interrupt.
  public func interrupt(at instant: Instant, vector: UInt8, kind: InterruptKind) throws {
    try enter(instant)
    folder.closeAll(current)
    current.begin(.interrupt, at: instant)
    current.interrupt(vector: vector, kind: kind)
    cutIfDue()
    pthread_mutex_unlock(lock)
  }

  /// Puts what is complete into the file now and waits until it is there. Open folds stay open.
  public func flush() throws {
    pthread_mutex_lock(lock)
    defer { pthread_mutex_unlock(lock) }
    if !current.isEmpty { handOver() }
    while (underway > 0 || !queue.isEmpty) && error == nil { pthread_cond_wait(changed, lock) }
    if let error { throw error }
  }

  /// Ends the trace: index and end marker are written, the file is closed. Waits for the second thread.
  /// Calling it again does nothing.
  public func close() throws {
    pthread_mutex_lock(lock)
    defer { pthread_mutex_unlock(lock) }
    if !closed {
      closed = true
      if error == nil {
        folder.closeAll(current)
        if !current.isEmpty { handOver() }
      }
      closing = true
      pthread_cond_broadcast(changed)
    }
    while !finished { pthread_cond_wait(changed, lock) }
    if let error { throw error }
  }

  /// Takes the lock, unless the event cannot be logged.
  @inline(__always)
  private func enter(_ instant: Instant) throws {
    pthread_mutex_lock(lock)
    if _slowPath(error != nil || closed || instant < lastInstant) {
      defer { pthread_mutex_unlock(lock) }
      try refuse(instant)
    }
    lastInstant = instant
  }

  @inline(never)
  private func refuse(_ instant: Instant) throws {
    if let error { throw error }
    if closed { throw TraceError.closed(path: path) }
    throw TraceError.invalidEvent(path: path, reason: "instant \(instant) lies before \(lastInstant)")
  }

  /// For small events: looks at the size now and then.
  @inline(__always)
  private func cutIfDue() {
    if current.eventCount & 63 == 0 { cutIfFull() }
  }

  private func cutIfFull() {
    if current.size >= Self.frameSize { handOver() }
  }

  /// Gives the current frame to the second thread. Waits when that is far behind. Under the lock.
  private func handOver() {
    while queue.count >= Self.queueLimit && error == nil { pthread_cond_wait(changed, lock) }
    queue.append(current)
    handedOver &+= current.eventCount
    current = spare.popLast() ?? EventFrameEncoder()
    pthread_cond_broadcast(changed)
  }

  // MARK: The second thread

  private func work(_ header: TraceHeader, _ images: [ImageSource]) {
    do {
      try file.begin(header, images)
    } catch {
      fail(error)
    }
    var frameNumber: UInt64 = 0
    while let frame = nextFrame() {
      do {
        try file.append(frame, number: frameNumber)
        frameNumber += 1
      } catch {
        fail(error)
      }
      frame.removeAll()
      pthread_mutex_lock(lock)
      underway -= 1
      reportedSize = file.size
      spare.append(frame)
      pthread_cond_broadcast(changed)
      pthread_mutex_unlock(lock)
    }
    do {
      if failure == nil { try file.finish() }
    } catch {
      fail(error)
    }
    file.close()
    pthread_mutex_lock(lock)
    reportedSize = file.size
    finished = true
    pthread_cond_broadcast(changed)
    pthread_mutex_unlock(lock)
  }

  /// The next frame to write, which is the unfinished one when its time is up; nil when all is written.
  private func nextFrame() -> EventFrameEncoder? {
    pthread_mutex_lock(lock)
    defer { pthread_mutex_unlock(lock) }
    var deadline = Self.time(after: flushInterval)
    while true {
      if error != nil {
        queue.removeAll()
        pthread_cond_broadcast(changed)
      }
      if !queue.isEmpty {
        underway += 1
        return queue.removeFirst()
      }
      if closing { return nil }
      if pthread_cond_timedwait(changed, lock, &deadline) == ETIMEDOUT {
        deadline = Self.time(after: flushInterval)
        if queue.isEmpty, !current.isEmpty, error == nil {
          let frame = current
          handedOver &+= frame.eventCount
          current = spare.popLast() ?? EventFrameEncoder()
          underway += 1
          return frame
        }
      }
    }
  }

  private func fail(_ error: Error) {
    let known = error as? TraceError ?? .invalidEvent(path: path, reason: "\(error)")
    file.abandon(known)
    pthread_mutex_lock(lock)
    if self.error == nil { self.error = known }
    pthread_cond_broadcast(changed)
    pthread_mutex_unlock(lock)
  }

  private static func time(after seconds: Double) -> timespec {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    let nanoseconds = now.tv_nsec + Int(seconds * 1e9)
    return timespec(tv_sec: now.tv_sec + nanoseconds / 1_000_000_000, tv_nsec: nanoseconds % 1_000_000_000)
  }
}

extension TraceEvent.Body {
  /// Why a writer refuses it, if it does.
  var broken: String? {
    func tooLong(_ sizes: Int...) -> String? {
      sizes.reduce(0, +) > TraceSchema.maximumPayload
        ? "an event carries more than \(TraceSchema.maximumPayload) bytes" : nil
    }
    switch self {
    case .serialInput(_, let bytes), .networkFrame(_, let bytes), .debuggerWrite(_, _, let bytes):
      return tooLong(bytes.count)
    case .command(_, let text), .userMarker(let text), .chaosDelay(let text, _), .endState(let text, _),
      .marker(_, let text):
      return tooLong(text.utf8.count)
    case .entropy(let use, let bytes): return tooLong(use.utf8.count, bytes.count)
    case .blockData(_, _, let digest, let bytes): return tooLong(digest.count, bytes.count)
    case .runState(let from, let to, let reason):
      return tooLong(from.utf8.count, to.utf8.count, reason.utf8.count)
    case .machineEvent(let name, let json): return tooLong(name.utf8.count, json.utf8.count)
    case .wallClock(_, let nanoseconds):
      return nanoseconds < 1_000_000_000 ? nil : "a second has 10^9 nanoseconds"
    case .portRead(_, _, _, let count), .mmioRead(_, _, _, let count):
      return count > 0 ? nil : "a read without count"
    default: return nil
    }
  }
}
