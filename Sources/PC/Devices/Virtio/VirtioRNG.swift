/// The entropy device (Virtual I/O Device 1.2, 5.4): fills buffers from the run's entropy.
public final class VirtioRNG: VirtioFunction {
  /// The most bytes of one request; drivers ask for less.
  static let largestRequest = 65536
  /// The run's entropy, 64 bits at a time.
  public var draw: () -> UInt64 = { 0 }

  public init(memory: DirectMemory, timers: TimerQueue) {
    super.init(
      deviceType: 4, classCode: 0x00FF00, queueSizes: [8], features: 0, latency: 10_000, memory: memory,
      timers: timers)
  }

  public override func run(queue: Int) {
    while let chain = next(queue) {
      let count = min(chain.writableCount, Self.largestRequest)
      var bytes: [UInt8] = []
      bytes.reserveCapacity(count + 7)
      while bytes.count < count {
        let word = draw()
        for i in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: word >> UInt64(8 * i))) }
      }
      bytes.removeLast(bytes.count - count)
      complete(queue, chain, written: Virtqueue.scatter(bytes, to: chain.writable, memory) ?? 0)
    }
  }
}
