/// A CD drive with a disc in it: packet commands of MMC-5 over ATA/ATAPI-6's PACKET, by PIO and by DMA. One track of data.
public final class ATAPICDROM: IDEDevice {
  static let sectorSize = 2048
  enum Command {
    static let deviceReset: UInt8 = 0x08
    static let packet: UInt8 = 0xA0
    static let identifyPacket: UInt8 = 0xA1
    static let identify: UInt8 = 0xEC
    static let setFeatures: UInt8 = 0xEF
  }
  /// Operation codes of packets.
  enum Packet {
    static let testUnitReady: UInt8 = 0x00
    static let requestSense: UInt8 = 0x03
    static let inquiry: UInt8 = 0x12
    static let modeSense6: UInt8 = 0x1A
    static let startStop: UInt8 = 0x1B
    static let preventRemoval: UInt8 = 0x1E
    static let readCapacity: UInt8 = 0x25
    static let read10: UInt8 = 0x28
    static let seek10: UInt8 = 0x2B
    static let readSubchannel: UInt8 = 0x42
    static let readTOC: UInt8 = 0x43
    static let getConfiguration: UInt8 = 0x46
    static let getEventStatus: UInt8 = 0x4A
    static let readDiscInformation: UInt8 = 0x51
    static let modeSense10: UInt8 = 0x5A
    static let read12: UInt8 = 0xA8
    static let setSpeed: UInt8 = 0xBB
    static let mechanismStatus: UInt8 = 0xBD
    static let readCD: UInt8 = 0xBE
  }
  /// Sense keys, codes and qualifiers.
  enum Sense {
    static let none: [UInt8] = [0, 0, 0]
    static let mediumError: [UInt8] = [3, 0x11, 0]
    static let invalidCommand: [UInt8] = [5, 0x20, 0]
    static let outOfRange: [UInt8] = [5, 0x21, 0]
    static let invalidField: [UInt8] = [5, 0x24, 0]
  }
  /// Interrupt reason, in the count register.
  enum Reason {
    static let command: UInt8 = 1
    static let toHost: UInt8 = 2
  }

  private var discSectors: UInt64 { drive.size / UInt64(Self.sectorSize) }

  public override func setSignature() {
    state.count = 1
    state.low = 1
    state.mid = 0x14
    state.high = 0xEB
    state.status = 0
  }

  public override func execute(_ command: UInt8) -> Bool {
    state.command = command
    switch command {
    case Command.deviceReset:
      reset()
    case Command.identify:
      // The signature says what it is.
      setSignature()
      return false
    case Command.identifyPacket:
      state.left = 0
      request(.dataIn, identity)
    case Command.packet:
      state.packetUsesDMA = state.features & 1 != 0
      state.count = Reason.command
      request(.packet, [UInt8](repeating: 0, count: 12), interrupt: false)
    case Command.setFeatures:
      guard setFeatures() else { return false }
      complete()
    case 0xE0...0xE3, 0xE6, 0x94...0x97, 0x99: complete()
    case 0xE5, 0x98:
      state.count = 0xFF
      complete()
    default: return false
    }
    return true
  }

  // MARK: Packets

  public override func bufferDone() {
    switch state.phase {
    case .packet: run(state.buffer)
    case .dataIn:
      guard state.command == Command.packet else {
        state.buffer = []
        state.phase = .none
        state.status = Status.ready | Status.seekComplete
        return
      }
      pending.removeFirst(min(state.buffer.count, pending.count))
      if state.left > 0 || !pending.isEmpty { busy(Self.blockTime) } else { succeed() }
    default: break
    }
  }

  /// What is still to be handed over of an answer, the block on offer included.
  private var pending: [UInt8] = []
  /// What a checkpoint keeps beside `state`.
  public var pendingReply: [UInt8] {
    get { pending }
    set { pending = newValue }
  }

  private func run(_ packet: [UInt8]) {
    func word(_ at: Int) -> UInt64 { UInt64(packet[at]) << 8 | UInt64(packet[at + 1]) }
    func long(_ at: Int) -> UInt64 { word(at) << 16 | word(at + 2) }
    pending = []
    state.left = 0
    state.buffer = []
    if packet[0] != Packet.requestSense { state.sense = Sense.none }
    switch packet[0] {
    case Packet.testUnitReady, Packet.startStop, Packet.preventRemoval, Packet.seek10, Packet.setSpeed: succeed()
    case Packet.requestSense:
      let sense = state.sense
      answer([0x70, 0, sense[0], 0, 0, 0, 0, 10, 0, 0, 0, 0, sense[1], sense[2], 0, 0, 0, 0], Int(packet[4]))
    case Packet.inquiry:
      var writer = ByteWriter()
      writer.raw([5, 0x80, 0, 0x21, 31, 0, 0, 0])
      writer.text("INQUEST", length: 8, padding: 0x20)
      writer.text("CD-ROM", length: 16, padding: 0x20)
      writer.text("1.0", length: 4, padding: 0x20)
      answer(writer.bytes, Int(packet[4]))
    case Packet.readCapacity:
      let last = UInt32(clamping: discSectors == 0 ? 0 : discSectors - 1)
      answer(bigEndian(last) + bigEndian(UInt32(Self.sectorSize)), 8)
    case Packet.read10: read(long(2), word(7))
    case Packet.read12: read(long(2), long(6))
    case Packet.readCD:
      let count = UInt64(packet[6]) << 16 | word(7)
      // User data of mode 1 only.
      guard packet[9] & 0xF8 == 0x10 || packet[9] & 0xF8 == 0 else { return refuse(Sense.invalidField) }
      packet[9] & 0x10 == 0 ? succeed() : read(long(2), count)
    case Packet.readTOC: readTOC(packet, allocation: Int(word(7)))
    case Packet.readSubchannel: answer([0, 0x15, 0, 0], Int(word(7)))
    case Packet.readDiscInformation:
      answer([0, 32, 0x0E, 1, 1, 1, 1, 0x20] + [UInt8](repeating: 0, count: 26), Int(word(7)))
    case Packet.getConfiguration:
      // Profiles: CD-ROM, which is current.
      answer([0, 0, 0, 12, 0, 0, 0, 8, 0, 0, 3, 4, 0, 8, 1, 0], Int(word(7)))
    case Packet.getEventStatus:
      // A class of events that is not polled is not there.
      guard packet[1] & 1 != 0 else { return refuse(Sense.invalidField) }
      packet[4] & 0x10 != 0
        ? answer([0, 6, 4, 0x10, 0, 2, 0, 0], Int(word(7))) : answer([0, 2, 0x80, 0x10], Int(word(7)))
    case Packet.mechanismStatus: answer([0, 0, 0, 0, 0, 1, 0, 0], Int(word(8)))
    case Packet.modeSense6, Packet.modeSense10: modeSense(packet)
    default: refuse(Sense.invalidCommand)
    }
  }

  private func modeSense(_ packet: [UInt8]) {
    let page = packet[2] & 0x3F
    var pages: [UInt8] = []
    if page == 0x01 || page == 0x3F { pages += [0x01, 6, 0, 5, 0, 0, 0, 0] }
    if page == 0x2A || page == 0x3F {
      pages += [0x2A, 18, 0, 0, 0x71, 0x60, 0x29, 0, 0x02, 0xC2, 0, 2, 2, 0, 2, 0xC2, 0, 0, 0, 0]
    }
    guard !pages.isEmpty else { return refuse(Sense.invalidField) }
    if packet[0] == Packet.modeSense10 {
      let length = UInt8(truncatingIfNeeded: pages.count + 6)
      answer([0, length, 0x01, 0, 0, 0, 0, 0] + pages, Int(packet[7]) << 8 | Int(packet[8]))
    } else {
      answer([UInt8(truncatingIfNeeded: pages.count + 3), 0x01, 0, 0] + pages, Int(packet[4]))
    }
  }

  /// One data track and the lead-out (MMC-5 6.26).
  private func readTOC(_ packet: [UInt8], allocation: Int) {
    let inMinutes = packet[1] & 2 != 0
    func address(_ sector: UInt64) -> [UInt8] {
      guard inMinutes else { return bigEndian(UInt32(clamping: sector)) }
      let frames = sector + 150
      return [
        0, UInt8(truncatingIfNeeded: frames / 4500), UInt8(frames / 75 % 60), UInt8(frames % 75),
      ]
    }
    let format = packet[2] & 15 != 0 ? packet[2] & 15 : packet[9] >> 6
    switch format {
    case 0:
      guard packet[6] <= 1 || packet[6] == 0xAA else { return refuse(Sense.invalidField) }
      var body: [UInt8] = [1, 1]
      if packet[6] <= 1 { body += [0, 0x14, 1, 0] + address(0) }
      body += [0, 0x14, 0xAA, 0] + address(discSectors)
      answer([0, UInt8(body.count)] + body, allocation)
    case 1: answer([0, 10, 1, 1, 0, 0x14, 1, 0] + address(0), allocation)
    case 2:
      let end = address(discSectors)
      var body: [UInt8] = [1, 1]
      func point(_ point: UInt8, _ place: [UInt8]) { body += [1, 0x14, 0, point, 0, 0, 0] + place }
      point(0xA0, [0, 1, 0, 0])
      point(0xA1, [0, 1, 0, 0])
      point(0xA2, end)
      point(1, address(0))
      answer([0, UInt8(body.count)] + body, allocation)
    default: refuse(Sense.invalidField)
    }
  }

  private func bigEndian(_ value: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: value >> UInt32(24 - 8 * $0)) }
  }

  // MARK: Transfers

  private func read(_ sector: UInt64, _ count: UInt64) {
    guard count > 0 else { return succeed() }
    guard sector < discSectors, count <= discSectors - sector else { return refuse(Sense.outOfRange) }
    state.sector = sector
    state.left = Int(count)
    start()
  }

  private func answer(_ bytes: [UInt8], _ allocation: Int) {
    pending = Array(bytes.prefix(allocation))
    pending.isEmpty ? succeed() : start()
  }

  private func start() {
    state.count = Reason.toHost
    if state.packetUsesDMA {
      state.phase = .dmaIn
      state.status = Status.ready | Status.seekComplete | Status.dataRequest
      channel?.dmaReady()
    } else {
      state.phase = .dataIn
      busy(Self.accessTime)
    }
  }

  public override func busyEnded() {
    switch state.phase {
    case .dataIn: offerBlock()
    case .dmaIn: channel?.runDMA()
    default: succeed()
    }
  }

  /// Bytes that a host takes at once: the byte count that it has set, even.
  private var blockLimit: Int {
    let limit = Int(state.mid) | Int(state.high) << 8
    return limit == 0 || limit == 0xFFFF ? 0xFFFE : max(2, limit & ~1)
  }

  private func offerBlock() {
    if pending.isEmpty {
      let count = max(1, min(state.left, blockLimit / Self.sectorSize))
      guard state.left > 0, let bytes = drive.read(sector: state.sector * 4, count: 4 * count) else {
        return refuse(Sense.mediumError)
      }
      state.sector += UInt64(count)
      state.left -= count
      pending = bytes
    }
    let block = Array(pending.prefix(blockLimit))
    // The byte count register tells the size of this block; the host sees it until the next command.
    state.mid = UInt8(truncatingIfNeeded: block.count)
    state.high = UInt8(truncatingIfNeeded: block.count >> 8)
    state.count = Reason.toHost
    request(.dataIn, block)
  }

  private func succeed() {
    state.count = Reason.command | Reason.toHost
    complete()
  }

  private func refuse(_ sense: [UInt8]) {
    state.sense = sense
    state.count = Reason.command | Reason.toHost
    pending = []
    fail(sense[0] << 4 | ErrorBit.aborted)
  }

  public override var dmaLength: Int { pending.isEmpty ? state.left * Self.sectorSize : pending.count }

  public override func dmaRead() -> [UInt8]? {
    state.count = Reason.command | Reason.toHost
    if !pending.isEmpty { return pending }
    return drive.read(sector: state.sector * 4, count: 4 * state.left)
  }

  private var identity: [UInt8] {
    identification(model: "INQUEST CD-ROM") { words in
      words[0] = 0x85C0  // removable CD, packets of 12 bytes
      words[49] = 0x0F00
      words[82] = 1 << 14 | 1 << 9 | 1 << 4
      words[85] = 1 << 14 | 1 << 9 | 1 << 4
    }
  }
}
