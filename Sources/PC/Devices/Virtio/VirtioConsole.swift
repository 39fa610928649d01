/// The console device with one port (Virtual I/O Device 1.2, 5.3): Linux's hvc0.
public final class VirtioConsole: VirtioFunction {
  enum Queue {
    static let receive = 0
    static let transmit = 1
  }
  /// Bytes that wait for the driver's buffers at most.
  static let largestBacklog = 4096
  /// The guest printed bytes.
  public var onTransmit: (([UInt8]) -> Void)?
  /// Bytes that came in and have no buffer yet. Part of the device's state.
  public var backlog: [UInt8] = []

  public init(memory: DirectMemory, timers: TimerQueue) {
    super.init(
      deviceType: 3, classCode: 0x078000, queueSizes: [128, 128], features: 0, latency: 10_000, memory: memory,
      timers: timers)
  }

  public override var deviceConfiguration: [UInt8] {
    // Columns, rows (not told), ports, emergency write.
    [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]
  }

  public override func deviceReset() { backlog = [] }

  /// Whether bytes would be taken now.
  public var canReceive: Bool { isReady && backlog.count < Self.largestBacklog }

  /// Bytes come in from outside.
  public func receive(_ bytes: [UInt8]) {
    backlog += bytes.prefix(Self.largestBacklog - min(backlog.count, Self.largestBacklog))
    deliver()
  }

  private func deliver() {
    while !backlog.isEmpty, let chain = next(Queue.receive) {
      let count = Virtqueue.scatter(backlog, to: chain.writable, memory) ?? 0
      backlog.removeFirst(count)
      complete(Queue.receive, chain, written: count)
    }
  }

  public override func run(queue: Int) {
    guard queue == Queue.transmit else { return deliver() }
    while let chain = next(queue) {
      if let bytes = Virtqueue.gather(chain.readable, memory), !bytes.isEmpty { onTransmit?(bytes) }
      complete(queue, chain, written: 0)
    }
  }
}
