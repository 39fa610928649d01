/// The network card (Virtual I/O Device 1.2, 5.1) with one pair of queues and without offloads: frames are handed on as
/// they are.
public final class VirtioNet: VirtioFunction {
  enum Queue {
    static let receive = 0
    static let transmit = 1
  }
  enum NetFeature {
    static let mac: UInt64 = 1 << 5
    static let status: UInt64 = 1 << 16
  }
  /// The header in front of each frame (5.1.6), with the number of buffers.
  static let headerSize = 12
  /// Bytes of a frame at most, and frames that wait for buffers.
  public static let largestFrame = 65535
  static let largestBacklog = 256

  public let macAddress: [UInt8]
  /// The guest sent a frame.
  public var onTransmit: (([UInt8]) -> Void)?
  /// Frames that came in and have no buffer yet. Part of the device's state.
  public var backlog: [[UInt8]] = []

  /// - Parameter macAddress: six bytes.
  public init(macAddress: [UInt8], memory: DirectMemory, timers: TimerQueue) {
    self.macAddress = Array((macAddress + [UInt8](repeating: 0, count: 6)).prefix(6))
    super.init(
      deviceType: 1, classCode: 0x020000, queueSizes: [256, 256], features: NetFeature.mac | NetFeature.status,
      latency: 10_000, memory: memory, timers: timers)
  }

  public override var deviceConfiguration: [UInt8] {
    // The link is up; one pair of queues.
    macAddress + [1, 0, 1, 0]
  }

  public override func deviceReset() { backlog = [] }

  /// A frame comes in from outside. Without a driver, or with too many waiting, it is lost, as on a wire.
  public func receive(_ frame: [UInt8]) {
    guard isReady, frame.count <= Self.largestFrame, backlog.count < Self.largestBacklog else { return }
    backlog.append(frame)
    deliver()
  }

  private func deliver() {
    while let frame = backlog.first, let chain = next(Queue.receive) {
      backlog.removeFirst()
      // A buffer that is too small loses the frame.
      let packet = [UInt8](repeating: 0, count: 10) + [1, 0] + frame
      let fits = chain.writableCount >= packet.count
      let written = fits ? Virtqueue.scatter(packet, to: chain.writable, memory) ?? 0 : 0
      complete(Queue.receive, chain, written: written)
    }
  }

  public override func run(queue: Int) {
    guard queue == Queue.transmit else { return deliver() }
    while let chain = next(queue) {
      if let packet = Virtqueue.gather(chain.readable, memory), packet.count > Self.headerSize,
        packet.count <= Self.headerSize + Self.largestFrame
      {
        onTransmit?(Array(packet[Self.headerSize...]))
      }
      complete(queue, chain, written: 0)
    }
  }
}
