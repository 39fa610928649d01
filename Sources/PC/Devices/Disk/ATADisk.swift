/// A hard disk: PIO and DMA, CHS, 28 and 48 bits of sector number (ATA/ATAPI-6 chapter 8).
public final class ATADisk: IDEDevice {
  enum Command {
    static let readSectors: UInt8 = 0x20
    static let readSectorsExt: UInt8 = 0x24
    static let readDMAExt: UInt8 = 0x25
    static let readNativeMaxExt: UInt8 = 0x27
    static let readMultipleExt: UInt8 = 0x29
    static let writeSectors: UInt8 = 0x30
    static let writeSectorsExt: UInt8 = 0x34
    static let writeDMAExt: UInt8 = 0x35
    static let writeMultipleExt: UInt8 = 0x39
    static let verify: UInt8 = 0x40
    static let verifyExt: UInt8 = 0x42
    static let initializeParameters: UInt8 = 0x91
    static let readMultiple: UInt8 = 0xC4
    static let writeMultiple: UInt8 = 0xC5
    static let setMultiple: UInt8 = 0xC6
    static let readDMA: UInt8 = 0xC8
    static let writeDMA: UInt8 = 0xCA
    static let checkPowerMode: UInt8 = 0xE5
    static let flushCache: UInt8 = 0xE7
    static let flushCacheExt: UInt8 = 0xEA
    static let identify: UInt8 = 0xEC
    static let setFeatures: UInt8 = 0xEF
    static let readNativeMax: UInt8 = 0xF8
  }
  enum DeviceBit { static let lba: UInt8 = 0x40 }
  /// Sectors of the largest block of READ MULTIPLE.
  static let largestMultiple = 16

  public override func setSignature() {
    state.count = 1
    state.low = 1
    state.mid = 0
    state.high = 0
    state.status = Status.ready | Status.seekComplete
  }

  // MARK: Commands

  public override func execute(_ command: UInt8) -> Bool {
    state.command = command
    switch command {
    case Command.identify: request(.dataIn, identity)
    case Command.readSectors, 0x21: transfer(isWrite: false, isExt: false)
    case Command.readSectorsExt: transfer(isWrite: false, isExt: true)
    case Command.writeSectors, 0x31: transfer(isWrite: true, isExt: false)
    case Command.writeSectorsExt: transfer(isWrite: true, isExt: true)
    case Command.readMultiple, Command.readMultipleExt, Command.writeMultiple, Command.writeMultipleExt:
      guard state.multiple > 0 else { return false }
      transfer(
        isWrite: command == Command.writeMultiple || command == Command.writeMultipleExt,
        isExt: command < 0x80)
    case Command.readDMA, 0xC9: startDMA(isWrite: false, isExt: false)
    case Command.readDMAExt: startDMA(isWrite: false, isExt: true)
    case Command.writeDMA, 0xCB: startDMA(isWrite: true, isExt: false)
    case Command.writeDMAExt: startDMA(isWrite: true, isExt: true)
    case Command.verify, 0x41, Command.verifyExt:
      guard takeAddress(isExt: command == Command.verifyExt) else { break }
      complete()
    case Command.setMultiple:
      let count = Int(state.count)
      guard count <= Self.largestMultiple, count & (count - 1) == 0 || count == 0 else { return false }
      state.multiple = count
      complete()
    case Command.initializeParameters:
      state.sectorsPerTrack = state.count
      state.heads = (state.device & 15) + 1
      complete()
    case Command.flushCache, Command.flushCacheExt: busy(Self.accessTime)
    case Command.setFeatures:
      guard setFeatures() else { return false }
      complete()
    case Command.readNativeMax, Command.readNativeMaxExt:
      let last = drive.sectorCount - 1
      setAddress(
        command == Command.readNativeMax ? min(last, 0xFFF_FFFE) : last, isExt: command != Command.readNativeMax)
      complete()
    case Command.checkPowerMode, 0x98:
      state.count = 0xFF  // active
      complete()
    case 0x10...0x1F, 0x70...0x7F, 0xE0...0xE3, 0x94...0x97, 0xE6, 0x99: complete()
    default: return false
    }
    return true
  }

  /// Reads sector number and count from the task file. - Returns: false, with the command failed, where there are none.
  private func takeAddress(isExt: Bool) -> Bool {
    let s = state
    if isExt {
      state.sector =
        UInt64(s.low) | UInt64(s.mid) << 8 | UInt64(s.high) << 16 | UInt64(s.previous[2]) << 24
        | UInt64(s.previous[3]) << 32 | UInt64(s.previous[4]) << 40
      let count = Int(s.count) | Int(s.previous[1]) << 8
      state.left = count == 0 ? 65536 : count
    } else {
      if s.device & DeviceBit.lba != 0 {
        state.sector = UInt64(s.low) | UInt64(s.mid) << 8 | UInt64(s.high) << 16 | UInt64(s.device & 15) << 24
      } else {
        let cylinder = UInt64(s.mid) | UInt64(s.high) << 8
        guard s.low > 0, s.sectorsPerTrack > 0, s.device & 15 < s.heads else {
          fail(ErrorBit.idNotFound)
          return false
        }
        state.sector =
          (cylinder * UInt64(s.heads) + UInt64(s.device & 15)) * UInt64(s.sectorsPerTrack) + UInt64(s.low) - 1
      }
      state.left = s.count == 0 ? 256 : Int(s.count)
    }
    guard drive.contains(sector: state.sector, count: UInt64(state.left)) else {
      fail(ErrorBit.idNotFound)
      return false
    }
    return true
  }

  private func setAddress(_ sector: UInt64, isExt: Bool) {
    state.low = UInt8(truncatingIfNeeded: sector)
    state.mid = UInt8(truncatingIfNeeded: sector >> 8)
    state.high = UInt8(truncatingIfNeeded: sector >> 16)
    if isExt {
      for i in 0..<3 { state.previous[2 + i] = UInt8(truncatingIfNeeded: sector >> UInt64(24 + 8 * i)) }
    } else {
      state.device = state.device & 0xF0 | UInt8(truncatingIfNeeded: sector >> 24 & 15)
    }
  }

  // MARK: PIO

  private func transfer(isWrite: Bool, isExt: Bool) {
    guard takeAddress(isExt: isExt) else { return }
    state.isWrite = isWrite
    if isWrite {
      // The first block is asked for without an interrupt.
      request(.dataOut, [UInt8](repeating: 0, count: 512 * min(blockSize, state.left)), interrupt: false)
    } else {
      state.phase = .dataIn
      busy(Self.accessTime)
    }
  }

  /// Sectors that are moved between two interrupts; follows from the command.
  private var blockSize: Int {
    switch state.command {
    case Command.readMultiple, Command.readMultipleExt, Command.writeMultiple, Command.writeMultipleExt:
      return max(1, state.multiple)
    default: return 1
    }
  }

  public override func busyEnded() {
    switch state.phase {
    case .dataIn:
      let count = min(blockSize, state.left)
      guard count > 0, let bytes = drive.read(sector: state.sector, count: count) else {
        return fail(ErrorBit.uncorrectable)
      }
      state.sector += UInt64(count)
      state.left -= count
      request(.dataIn, bytes)
    case .dataOut:
      let count = state.buffer.count / 512
      guard drive.write(sector: state.sector, state.buffer) else { return fail(ErrorBit.aborted) }
      state.sector += UInt64(count)
      state.left -= min(count, state.left)
      if state.left > 0 {
        request(.dataOut, [UInt8](repeating: 0, count: 512 * min(blockSize, state.left)))
      } else {
        state.buffer = []
        complete()
      }
    case .dmaIn, .dmaOut: channel?.runDMA()
    default: complete()
    }
  }

  public override func bufferDone() {
    if state.phase == .dataOut { return busy(Self.accessTime) }
    state.buffer = []
    if state.left > 0, state.command != Command.identify {
      busy(Self.blockTime)
    } else {
      state.phase = .none
      state.status = Status.ready | Status.seekComplete
    }
  }

  // MARK: DMA

  private func startDMA(isWrite: Bool, isExt: Bool) {
    guard takeAddress(isExt: isExt) else { return }
    state.isWrite = isWrite
    state.phase = isWrite ? .dmaOut : .dmaIn
    state.status = Status.ready | Status.seekComplete | Status.dataRequest
    channel?.dmaReady()
  }

  public override var dmaLength: Int { 512 * state.left }

  public override func dmaRead() -> [UInt8]? { drive.read(sector: state.sector, count: state.left) }

  public override func dmaWrite(_ bytes: [UInt8]) -> Bool {
    bytes.count == dmaLength && drive.write(sector: state.sector, bytes)
  }

  // MARK: Identification

  private var identity: [UInt8] {
    let sectors = drive.sectorCount
    let cylinders = UInt16(min(16383, max(1, sectors / (16 * 63))))
    state.left = 0
    return identification(model: "INQUEST HARDDISK") { words in
      func split(_ value: UInt64, at word: Int, _ count: Int) {
        for i in 0..<count { words[word + i] = UInt16(truncatingIfNeeded: value >> UInt64(16 * i)) }
      }
      words[0] = 0x0040
      words[1] = cylinders
      words[3] = 16
      words[6] = 63
      words[47] = 0x8000 | UInt16(Self.largestMultiple)
      words[49] = 0x0F00  // IORDY, LBA, DMA
      words[54] = cylinders
      words[55] = UInt16(state.heads)
      words[56] = UInt16(state.sectorsPerTrack)
      split(min(sectors, UInt64(cylinders) * 16 * 63), at: 57, 2)
      words[59] = 0x0100 | UInt16(state.multiple)
      split(min(sectors, 0xFFF_FFFF), at: 60, 2)
      words[82] = 1 << 14 | 1 << 5
      words[83] = 1 << 14 | 1 << 13 | 1 << 12 | 1 << 10  // FLUSH CACHE (EXT), 48 bits
      words[85] = 1 << 14 | 1 << 5
      words[86] = 1 << 13 | 1 << 12 | 1 << 10
      split(sectors, at: 100, 4)
    }
  }
}
