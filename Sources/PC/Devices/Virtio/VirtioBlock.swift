/// The block device (Virtual I/O Device 1.2, 5.2): one queue; reads, writes, flushes, and its name.
public final class VirtioBlock: VirtioFunction {
  enum Request {
    static let read: UInt32 = 0
    static let write: UInt32 = 1
    static let flush: UInt32 = 4
    static let identify: UInt32 = 8
  }
  enum Answer {
    static let ok: UInt8 = 0
    static let error: UInt8 = 1
    static let unsupported: UInt8 = 2
  }
  enum BlockFeature {
    static let segmentMax: UInt64 = 1 << 2
    static let readOnly: UInt64 = 1 << 5
    static let blockSize: UInt64 = 1 << 6
    static let flush: UInt64 = 1 << 9
  }
  static let queueSize: UInt16 = 256
  private let drive: Drive

  public init(drive: Drive, memory: DirectMemory, timers: TimerQueue) {
    self.drive = drive
    super.init(
      deviceType: 2, classCode: 0x010000, queueSizes: [Self.queueSize],
      features: BlockFeature.segmentMax | BlockFeature.blockSize | BlockFeature.flush
        | (drive.options.isReadOnly ? BlockFeature.readOnly : 0),
      latency: 100_000, memory: memory, timers: timers)
  }

  public override var deviceConfiguration: [UInt8] {
    var writer = ByteWriter()
    writer.u64(drive.sectorCount)
    writer.u32(0)  // largest segment: any
    writer.u32(UInt32(Self.queueSize) - 2)
    writer.u32(0)  // geometry
    writer.u32(512)
    writer.zeros(60 - writer.count)
    return writer.bytes
  }

  public override func run(queue: Int) {
    while let chain = next(queue) { complete(queue, chain, written: carryOut(chain)) }
  }

  /// - Returns: bytes written to memory, the status included.
  private func carryOut(_ chain: Virtqueue.Chain) -> Int {
    // The last writable byte is the status; the first 16 readable ones say what is wanted.
    guard let last = chain.writable.last(where: { $0.count > 0 }) else { return 0 }
    let statusAddress = last.address &+ UInt64(last.count - 1)
    var done = 0
    let status: UInt8
    if let input = Virtqueue.gather(chain.readable, memory), input.count >= 16 {
      let fields = ByteReader(Array(input[..<16]))
      let sector = fields.u64(8) ?? 0
      let room = chain.writableCount - 1
      switch fields.u32(0) {
      case Request.read?:
        if room % 512 == 0, let bytes = drive.read(sector: sector, count: room / 512),
          let count = Virtqueue.scatter(bytes, to: chain.writable, memory)
        {
          done = count
          status = Answer.ok
        } else {
          status = Answer.error
        }
      case Request.write?: status = drive.write(sector: sector, Array(input[16...])) ? Answer.ok : Answer.error
      case Request.flush?: status = Answer.ok
      case Request.identify?:
        let name = Array("INQ\(drive.index + 1)".utf8)
        done =
          Virtqueue.scatter(
            Array((name + [UInt8](repeating: 0, count: 20)).prefix(min(20, room))), to: chain.writable, memory) ?? 0
        status = Answer.ok
      default: status = Answer.unsupported
      }
    } else {
      status = Answer.error
    }
    memory.write(statusAddress, [status])
    return done + 1
  }
}
