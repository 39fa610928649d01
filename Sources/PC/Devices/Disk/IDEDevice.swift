/// One device on an IDE channel: its task file, its buffer and the commands that all kinds of devices share
/// (AT Attachment with Packet Interface, ATA/ATAPI-6). `ATADisk` and `ATAPICDROM` derive from it.
///
/// A command that needs the medium makes the device busy; the channel calls `busyEnded` when its time is over.
open class IDEDevice {
  public enum Status {
    public static let error: UInt8 = 0x01
    public static let dataRequest: UInt8 = 0x08
    public static let seekComplete: UInt8 = 0x10
    public static let deviceFault: UInt8 = 0x20
    public static let ready: UInt8 = 0x40
    public static let busy: UInt8 = 0x80
  }
  public enum ErrorBit {
    public static let aborted: UInt8 = 0x04
    public static let idNotFound: UInt8 = 0x10
    public static let uncorrectable: UInt8 = 0x40
  }
  /// Nanoseconds that a request for the medium takes, and the next block of one.
  static let accessTime: UInt64 = 100_000
  static let blockTime: UInt64 = 10_000

  /// What becomes of the data in the buffer.
  public enum Phase: String, Codable {
    case none
    /// The host reads the buffer.
    case dataIn
    /// The host writes the buffer.
    case dataOut
    /// The host writes a packet.
    case packet
    /// The bus master moves data, as soon as it is started.
    case dmaIn, dmaOut
  }
  public struct State: Codable, Equatable {
    public var error: UInt8 = 1
    public var features: UInt8 = 0
    public var count: UInt8 = 1
    public var low: UInt8 = 1
    public var mid: UInt8 = 0
    public var high: UInt8 = 0
    public var device: UInt8 = 0
    /// What was in the registers before, for 48-bit commands: features, count, low, mid, high.
    public var previous = [UInt8](repeating: 0, count: 5)
    public var status: UInt8 = 0
    public var phase = Phase.none
    public var buffer: [UInt8] = []
    public var position = 0
    public var command: UInt8 = 0
    /// Next sector and how many are left, of a command in progress.
    public var sector: UInt64 = 0
    public var left = 0
    /// Sectors of a block of READ MULTIPLE.
    public var multiple = 0
    public var isWrite = false
    /// The geometry that INITIALIZE DEVICE PARAMETERS has set.
    public var heads: UInt8 = 16
    public var sectorsPerTrack: UInt8 = 63
    /// SCSI sense of the last packet command: key, code, qualifier.
    public var sense: [UInt8] = [0, 0, 0]
    public var packetUsesDMA = false
    public var ultraMode: UInt8 = 5
    public var hasMediaChanged = false
  }
  public var state = State()
  public let drive: Drive
  weak var channel: IDEChannel?

  public init(drive: Drive) { self.drive = drive }

  /// What a reset leaves in the registers by which a host tells the kind of device.
  open func setSignature() {}
  /// - Returns: false for a command that the device does not know.
  open func execute(_ command: UInt8) -> Bool { false }
  /// The time of a request is over.
  open func busyEnded() {}
  /// The host has read or written the whole buffer.
  open func bufferDone() {}
  /// The bus master asks for the data of a DMA command.
  open func dmaRead() -> [UInt8]? { nil }
  /// How many bytes a DMA command wants.
  open var dmaLength: Int { 0 }
  open func dmaWrite(_ bytes: [UInt8]) -> Bool { false }

  func reset() {
    let mode = state.ultraMode
    state = State()
    state.ultraMode = mode
    setSignature()
  }

  // MARK: For devices

  func busy(_ nanoseconds: UInt64) {
    state.status = state.status & ~(Status.dataRequest | Status.error) | Status.busy
    channel?.startTimer(nanoseconds)
  }

  func complete() {
    state.phase = .none
    state.status = Status.ready | Status.seekComplete
    state.error = 0
    channel?.raiseInterrupt(of: self)
  }

  func fail(_ error: UInt8) {
    state.phase = .none
    state.buffer = []
    state.error = error
    state.status = Status.ready | Status.seekComplete | Status.error
    channel?.raiseInterrupt(of: self)
  }

  /// Offers or asks for a buffer.
  func request(_ phase: Phase, _ bytes: [UInt8], interrupt: Bool = true) {
    state.phase = phase
    state.buffer = bytes
    state.position = 0
    state.status = Status.ready | Status.seekComplete | Status.dataRequest
    if interrupt { channel?.raiseInterrupt(of: self) }
  }

  // MARK: The data register

  func readData(_ size: Int) -> UInt32 {
    guard state.phase == .dataIn, state.status & Status.dataRequest != 0 else { return 0 }
    var value: UInt32 = 0
    for i in 0..<size where state.position < state.buffer.count {
      value |= UInt32(state.buffer[state.position]) << UInt32(8 * i)
      state.position += 1
    }
    if state.position >= state.buffer.count { bufferDone() }
    return value
  }

  func writeData(_ size: Int, _ value: UInt32) {
    guard state.phase == .dataOut || state.phase == .packet, state.status & Status.dataRequest != 0 else { return }
    for i in 0..<size where state.position < state.buffer.count {
      state.buffer[state.position] = UInt8(truncatingIfNeeded: value >> UInt32(8 * i))
      state.position += 1
    }
    if state.position >= state.buffer.count { bufferDone() }
  }

  /// The words of IDENTIFY DEVICE and IDENTIFY PACKET DEVICE that both have.
  func identification(model: String, words: (inout [UInt16]) -> Void) -> [UInt8] {
    var data = [UInt16](repeating: 0, count: 256)
    func text(_ text: String, at word: Int, words count: Int) {
      let bytes =
        Array(text.utf8.prefix(2 * count)) + [UInt8](repeating: 0x20, count: max(0, 2 * count - text.utf8.count))
      // The first character is in the upper byte.
      for i in 0..<count { data[word + i] = UInt16(bytes[2 * i]) << 8 | UInt16(bytes[2 * i + 1]) }
    }
    text("INQ\(drive.index + 1)", at: 10, words: 10)
    text("1.0", at: 23, words: 4)
    text(model, at: 27, words: 20)
    data[48] = 1  // 32-bit data port
    data[53] = 7  // words 54–58, 64–70 and 88 are valid
    data[63] = 0x07  // multiword DMA 0–2
    data[64] = 0x03  // PIO 3 and 4
    for i in 65...68 { data[i] = 120 }
    data[80] = 0x7E  // ATA-1 to ATA/ATAPI-6
    data[82] = 1 << 14
    data[83] = 1 << 14
    data[84] = 1 << 14
    data[87] = 1 << 14
    data[88] = 0x3F | (1 << (8 + UInt16(state.ultraMode & 7)))
    data[93] = 0x6001
    words(&data)
    return data.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }
  }

  /// SET FEATURES (8.46): transfer modes are taken, caches and the like, too. - Returns: false for others.
  func setFeatures() -> Bool {
    switch state.features {
    case 0x03:
      if state.count & 0xF8 == 0x40 { state.ultraMode = state.count & 7 }
      return true
    case 0x02, 0x82, 0x55, 0xAA, 0xCC, 0x66, 0x05, 0x85: return true
    default: return false
    }
  }
}
