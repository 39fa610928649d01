/// One IDE channel: command block, control block and bus master of up to two devices (ATA/ATAPI-6 chapter 7, PIIX3's bus
/// master registers in 82371SB 2.6).
public final class IDEChannel {
  /// Offsets of the command block.
  enum Register {
    static let data: UInt16 = 0
    static let error: UInt16 = 1
    static let count: UInt16 = 2
    static let low: UInt16 = 3
    static let mid: UInt16 = 4
    static let high: UInt16 = 5
    static let device: UInt16 = 6
    static let status: UInt16 = 7
  }
  enum Control {
    static let interruptDisable: UInt8 = 0x02
    static let softReset: UInt8 = 0x04
    static let highOrder: UInt8 = 0x80
  }
  enum BusMaster {
    static let start: UInt8 = 0x01
    /// The bus master writes to memory.
    static let toMemory: UInt8 = 0x08
    static let active: UInt8 = 0x01
    static let error: UInt8 = 0x02
    static let interrupt: UInt8 = 0x04
    /// Kept for software: a device can do DMA.
    static let capable: UInt8 = 0x60
  }

  public struct State: Codable, Equatable {
    public var selected = 0
    public var control: UInt8 = 0
    public var interruptPending = false
    public var deadline: UInt64?
    public var busMasterCommand: UInt8 = 0
    public var busMasterStatus: UInt8 = 0
    public var descriptorTable: UInt32 = 0
    public var devices: [IDEDevice.State] = []
    /// Answers of CD drives, by device.
    public var replies: [[UInt8]] = []
  }
  public var state: State {
    get {
      var state = current
      state.deadline = timer.deadline
      state.devices = devices.compactMap { $0?.state }
      state.replies = devices.compactMap { ($0 as? ATAPICDROM)?.pendingReply }
      return state
    }
    set {
      current = newValue
      current.selected &= 1
      for (device, state) in zip(devices.compactMap { $0 }, newValue.devices) { device.state = state }
      for (device, reply) in zip(devices.compactMap { $0 as? ATAPICDROM }, newValue.replies) {
        device.pendingReply = reply
      }
      if let deadline = newValue.deadline { timer.arm(at: deadline) } else { timer.cancel() }
    }
  }
  private var current = State()
  /// Master and slave.
  private let devices: [IDEDevice?]
  private let timers: TimerQueue
  private let interrupt: InterruptLine
  private var timer: DeviceTimer!
  /// Reads and writes memory for the bus master.
  var memory: DirectMemory?

  public private(set) lazy var commandBlock: PortDevice = CommandBlock(self)
  public private(set) lazy var controlBlock: PortDevice = ControlBlock(self)

  /// - Parameter interrupt: IRQ 14 or 15.
  public init(name: String, devices: [IDEDevice?], timers: TimerQueue, interrupt: InterruptLine) {
    self.devices = Array((devices + [nil, nil]).prefix(2))
    self.timers = timers
    self.interrupt = interrupt
    timer = timers.makeTimer(name) { [unowned self] in selected?.busyEnded() }
    for device in self.devices { device?.channel = self }
    reset()
  }

  public func reset() {
    current = State()
    timer.cancel()
    interrupt.set(false)
    for device in devices { device?.reset() }
  }

  private var selected: IDEDevice? { devices[current.selected] }
  private var isEmpty: Bool { devices[0] == nil && devices[1] == nil }

  // MARK: For devices

  func startTimer(_ nanoseconds: UInt64) { timer.arm(at: timers.virtualTime &+ nanoseconds) }

  func raiseInterrupt(of device: IDEDevice) {
    guard device === selected else { return }
    current.interruptPending = true
    current.busMasterStatus |= BusMaster.interrupt
    driveInterrupt()
  }

  private func driveInterrupt() {
    interrupt.set(current.interruptPending && current.control & Control.interruptDisable == 0)
  }

  // MARK: The command block

  fileprivate func read(_ register: UInt16, size: Int) -> UInt32 {
    if register == Register.data { return selected?.readData(size) ?? 0 }
    guard let device = selected else { return 0 }
    let s = device.state
    let previous = current.control & Control.highOrder != 0
    switch register {
    case Register.error: return UInt32(s.error)
    case Register.count: return UInt32(previous ? s.previous[1] : s.count)
    case Register.low: return UInt32(previous ? s.previous[2] : s.low)
    case Register.mid: return UInt32(previous ? s.previous[3] : s.mid)
    case Register.high: return UInt32(previous ? s.previous[4] : s.high)
    case Register.device: return UInt32(s.device | 0xA0)
    default:
      // Reading the status acknowledges the interrupt.
      current.interruptPending = false
      driveInterrupt()
      return UInt32(s.status)
    }
  }

  fileprivate func write(_ register: UInt16, size: Int, value: UInt32) {
    if register == Register.data {
      selected?.writeData(size, value)
      return
    }
    let byte = UInt8(truncatingIfNeeded: value)
    if register == Register.status { return command(byte) }
    current.control &= ~Control.highOrder
    if register == Register.device { current.selected = Int(byte >> 4 & 1) }
    // Both devices see what is written.
    for case let device? in devices {
      guard device.state.status & (IDEDevice.Status.busy | IDEDevice.Status.dataRequest) == 0 else { continue }
      var s = device.state
      switch register {
      case Register.error: (s.previous[0], s.features) = (s.features, byte)
      case Register.count: (s.previous[1], s.count) = (s.count, byte)
      case Register.low: (s.previous[2], s.low) = (s.low, byte)
      case Register.mid: (s.previous[3], s.mid) = (s.mid, byte)
      case Register.high: (s.previous[4], s.high) = (s.high, byte)
      default: s.device = byte
      }
      device.state = s
    }
  }

  private func command(_ command: UInt8) {
    current.interruptPending = false
    driveInterrupt()
    if command == 0x90 {
      // EXECUTE DEVICE DIAGNOSTIC is for both.
      for device in devices { device?.reset() }
      current.selected = 0
      if let device = devices[0] {
        device.state.error = 1
        raiseInterrupt(of: device)
      }
      return
    }
    guard let device = selected else { return }
    let isBusy = device.state.status & (IDEDevice.Status.busy | IDEDevice.Status.dataRequest) != 0
    if isBusy && command != ATAPICDROM.Command.deviceReset { return }
    timer.cancel()
    if !device.execute(command) { device.fail(IDEDevice.ErrorBit.aborted) }
  }

  fileprivate func writeControl(_ value: UInt8) {
    let old = current.control
    current.control = value
    if value & Control.softReset != 0, old & Control.softReset == 0 {
      timer.cancel()
      current.interruptPending = false
      for case let device? in devices {
        device.reset()
        device.state.status = IDEDevice.Status.busy
      }
    } else if value & Control.softReset == 0, old & Control.softReset != 0 {
      current.selected = 0
      for device in devices { device?.reset() }
    }
    driveInterrupt()
  }

  // MARK: The bus master

  func readBusMaster(_ offset: UInt16) -> UInt8 {
    switch offset {
    case 0: return current.busMasterCommand
    case 2: return current.busMasterStatus
    case 4...7: return UInt8(truncatingIfNeeded: current.descriptorTable >> UInt32(8 * (offset - 4)))
    default: return 0xFF
    }
  }

  func writeBusMaster(_ offset: UInt16, _ value: UInt8) {
    switch offset {
    case 0:
      let wasStarted = current.busMasterCommand & BusMaster.start != 0
      current.busMasterCommand = value & (BusMaster.start | BusMaster.toMemory)
      if value & BusMaster.start == 0 {
        current.busMasterStatus &= ~BusMaster.active
      } else if !wasStarted {
        current.busMasterStatus |= BusMaster.active
        dmaReady()
      }
    case 2:
      // Error and interrupt are cleared by writing 1; the capability bits are kept.
      current.busMasterStatus &= ~(value & (BusMaster.error | BusMaster.interrupt))
      current.busMasterStatus = current.busMasterStatus & ~BusMaster.capable | value & BusMaster.capable
    case 4...7:
      let shift = UInt32(8 * (offset - 4))
      current.descriptorTable = (current.descriptorTable & ~(0xFF << shift) | UInt32(value) << shift) & ~3
    default: break
    }
  }

  /// Device or bus master have become ready. When both are, the transfer takes its time.
  func dmaReady() {
    guard let device = selected, current.busMasterStatus & BusMaster.active != 0,
      device.state.phase == .dmaIn || device.state.phase == .dmaOut,
      device.state.status & IDEDevice.Status.busy == 0
    else { return }
    device.busy(IDEDevice.accessTime)
  }

  /// Moves all data of a DMA command. Descriptors (82371SB 2.6.2): address, 16-bit byte count with 0 for 64 KiB, and the
  /// end mark at bit 31.
  func runDMA() {
    guard let device = selected, let memory, current.busMasterStatus & BusMaster.active != 0 else { return }
    let isIn = device.state.phase == .dmaIn
    var left = device.dmaLength
    var pieces: [(address: UInt64, count: Int)] = []
    var table = UInt64(current.descriptorTable)
    var isLast = false
    // Tables do not cross 64 KiB: there are 8192 descriptors at most.
    for _ in 0..<8192 where left > 0 && !isLast {
      guard let entry = memory.read(table, count: 8) else { break }
      let fields = ByteReader(entry)
      let size = fields.u16(4) ?? 0
      let count = min(left, size == 0 ? 65536 : Int(size & ~1))
      isLast = (fields.u16(6) ?? 0) & 0x8000 != 0
      if count > 0 { pieces.append((UInt64((fields.u32(0) ?? 0) & ~1), count)) }
      left -= count
      table += 8
    }
    var succeeded = left == 0
    if succeeded, isIn {
      if let bytes = device.dmaRead() {
        var at = 0
        for piece in pieces {
          memory.write(piece.address, Array(bytes[at..<at + piece.count]))
          at += piece.count
        }
      } else {
        succeeded = false
      }
    } else if succeeded {
      var bytes: [UInt8] = []
      for piece in pieces {
        bytes += memory.read(piece.address, count: piece.count) ?? [UInt8](repeating: 0xFF, count: piece.count)
      }
      succeeded = device.dmaWrite(bytes)
    }
    if isLast || !succeeded { current.busMasterStatus &= ~BusMaster.active }
    device.state.left = 0
    (device as? ATAPICDROM)?.pendingReply = []
    if succeeded {
      device.complete()
    } else {
      current.busMasterStatus |= BusMaster.error
      device.fail(IDEDevice.ErrorBit.aborted)
    }
  }

  // MARK: What the bus sees

  private final class CommandBlock: PortDevice {
    private unowned let channel: IDEChannel
    init(_ channel: IDEChannel) { self.channel = channel }
    func readPort(offset: UInt16, size: Int) -> UInt32 {
      if channel.isEmpty { return size == 4 ? .max : 1 << UInt32(8 * size) - 1 }
      return channel.read(offset, size: size)
    }
    func writePort(offset: UInt16, size: Int, value: UInt32) { channel.write(offset, size: size, value: value) }
  }

  /// Alternate status and device control.
  private final class ControlBlock: PortDevice {
    private unowned let channel: IDEChannel
    init(_ channel: IDEChannel) { self.channel = channel }
    func readPort(offset: UInt16, size: Int) -> UInt32 {
      channel.isEmpty ? 0xFF : UInt32(channel.selected?.state.status ?? 0)
    }
    func writePort(offset: UInt16, size: Int, value: UInt32) {
      channel.writeControl(UInt8(truncatingIfNeeded: value))
    }
  }
}
