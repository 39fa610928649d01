/// A National Semiconductor PC16550D serial port, as a PC wires it: eight ports, OUT2 gates the interrupt.
///
/// The line is infinitely fast: a byte written to THR is gone at once, so THRE and TEMT always read 1; bytes
/// below the FIFO's trigger level raise the character timeout at once. What is received waits outside until the
/// receiver has room.
public final class UART16550A: ByteRegisters {
  /// Number of ports.
  public static let portCount: UInt16 = 8
  static let fifoDepth = 16

  /// Register offsets (PC16550D data sheet, table II).
  enum Register {
    /// RBR on read, THR on write; DLL while DLAB is set.
    static let data: UInt16 = 0
    /// IER; DLM while DLAB is set.
    static let interruptEnable: UInt16 = 1
    /// IIR on read, FCR on write.
    static let interruptIdentification: UInt16 = 2
    static let lineControl: UInt16 = 3
    static let modemControl: UInt16 = 4
    static let lineStatus: UInt16 = 5
    static let modemStatus: UInt16 = 6
    static let scratch: UInt16 = 7
  }
  /// Interrupt enable register.
  enum IER {
    static let receivedDataAvailable: UInt8 = 0x01
    static let transmitterEmpty: UInt8 = 0x02
    static let lineStatus: UInt8 = 0x04
    static let modemStatus: UInt8 = 0x08
  }
  /// Interrupt identification register, highest priority last.
  enum IIR {
    static let modemStatus: UInt8 = 0x00
    static let none: UInt8 = 0x01
    static let transmitterEmpty: UInt8 = 0x02
    static let receivedDataAvailable: UInt8 = 0x04
    static let lineStatus: UInt8 = 0x06
    static let characterTimeout: UInt8 = 0x0C
    static let fifosEnabled: UInt8 = 0xC0
  }
  /// FIFO control register.
  enum FCR {
    static let enable: UInt8 = 0x01
    static let resetReceiver: UInt8 = 0x02
    /// Bits that stay: enable, DMA mode, trigger level.
    static let stored: UInt8 = 0xC9
  }
  enum LCR {
    static let divisorLatchAccess: UInt8 = 0x80
  }
  /// Modem control register.
  enum MCR {
    static let dtr: UInt8 = 0x01
    static let rts: UInt8 = 0x02
    static let out1: UInt8 = 0x04
    static let out2: UInt8 = 0x08
    static let loop: UInt8 = 0x10
    static let writable: UInt8 = 0x1F
  }
  /// Line status register.
  enum LSR {
    static let dataReady: UInt8 = 0x01
    static let overrun: UInt8 = 0x02
    static let breakInterrupt: UInt8 = 0x10
    static let transmitterHoldingEmpty: UInt8 = 0x20
    static let transmitterEmpty: UInt8 = 0x40
    static let fifoError: UInt8 = 0x80
    /// Parity, framing, break: they travel with their character.
    static let characterErrors: UInt8 = 0x1C
    static let errors: UInt8 = 0x1E
  }
  /// Modem status register.
  public enum MSR {
    static let trailingEdgeRI: UInt8 = 0x04
    static let deltas: UInt8 = 0x0F
    public static let cts: UInt8 = 0x10
    public static let dsr: UInt8 = 0x20
    public static let ri: UInt8 = 0x40
    public static let dcd: UInt8 = 0x80
  }

  /// A received character.
  public struct Received: Codable, Equatable {
    public var byte: UInt8
    /// LSR's parity, framing and break bits that came with it.
    public var errors: UInt8
  }

  public struct State: Codable, Equatable {
    public var interruptEnable: UInt8 = 0
    public var fifoControl: UInt8 = 0
    public var lineControl: UInt8 = 0
    public var modemControl: UInt8 = 0
    /// Errors that reading LSR clears.
    public var lineErrors: UInt8 = 0
    /// DCD, RI, DSR, CTS as driven from outside.
    public var modemLines: UInt8 = MSR.cts | MSR.dsr | MSR.dcd
    /// MSR's lower half, cleared by reading it.
    public var modemDeltas: UInt8 = 0
    public var scratch: UInt8 = 0
    /// Divisor of 115,200 baud; 12 after power-on.
    public var divisor: UInt16 = 12
    public var received: [Received] = []
    /// THR became empty and nobody was told yet.
    public var transmitterEmptyPending = false
  }

  /// What a checkpoint keeps. Setting it does not drive the interrupt line: the controller's own state knows it.
  public var state = State()

  /// A byte leaves on SOUT.
  public var onTransmit: ((UInt8) -> Void)?
  /// There is room for a received byte again.
  public var onReadyToReceive: (() -> Void)?
  private let interrupt: InterruptLine

  /// - Parameter interrupt: INTR, level-high; ISA interrupt 4 for COM1 and COM3, 3 for COM2 and COM4.
  public init(interrupt: InterruptLine) { self.interrupt = interrupt }

  /// Power-on reset. The modem lines stay as the other side drives them.
  public func reset() {
    let lines = state.modemLines
    state = State()
    state.modemLines = lines
    updateInterrupt()
    onReadyToReceive?()
  }

  // MARK: The outside

  /// Whether `receive` would take a byte now. A port in loopback is not listening.
  public var canReceive: Bool { state.modemControl & MCR.loop == 0 && state.received.count < capacity }

  /// A byte arrives on SIN.
  /// - Returns: false when there is no room; `onReadyToReceive` tells when to try again.
  public func receive(_ byte: UInt8) -> Bool { accept(Received(byte: byte, errors: 0)) }

  /// The other side holds the line in the space state for longer than a character (a "break").
  /// - Returns: false when there is no room.
  public func receiveBreak() -> Bool { accept(Received(byte: 0, errors: LSR.breakInterrupt)) }

  private func accept(_ character: Received) -> Bool {
    guard canReceive else { return false }
    push(character)
    updateInterrupt()
    return true
  }

  /// The other side drives its modem lines.
  /// - Parameter lines: any of `MSR.cts`, `dsr`, `ri`, `dcd`.
  public func setModemLines(_ lines: UInt8) {
    let before = modemStatusLines
    state.modemLines = lines & 0xF0
    noteModemChange(from: before)
    updateInterrupt()
  }

  // MARK: Registers

  public func readRegister(_ offset: UInt16) -> UInt8 {
    switch offset {
    case Register.data:
      if divisorLatch { return UInt8(truncatingIfNeeded: state.divisor) }
      return readReceiverBuffer()
    case Register.interruptEnable:
      if divisorLatch { return UInt8(truncatingIfNeeded: state.divisor >> 8) }
      return state.interruptEnable
    case Register.interruptIdentification:
      let source = interruptSource
      if source == IIR.transmitterEmpty {
        state.transmitterEmptyPending = false
        updateInterrupt()
      }
      return source | (fifosEnabled ? IIR.fifosEnabled : 0)
    case Register.lineControl: return state.lineControl
    case Register.modemControl: return state.modemControl
    case Register.lineStatus:
      let value = lineStatus
      state.lineErrors = 0
      if !state.received.isEmpty { state.received[0].errors = 0 }
      updateInterrupt()
      return value
    case Register.modemStatus:
      let value = modemStatusLines | state.modemDeltas
      state.modemDeltas = 0
      updateInterrupt()
      return value
    case Register.scratch: return state.scratch
    default: return 0xFF
    }
  }

  public func writeRegister(_ offset: UInt16, _ value: UInt8) {
    switch offset {
    case Register.data:
      if divisorLatch {
        state.divisor = state.divisor & 0xFF00 | UInt16(value)
      } else {
        transmit(value)
      }
    case Register.interruptEnable:
      if divisorLatch {
        state.divisor = state.divisor & 0x00FF | UInt16(value) << 8
      } else {
        // Enabling the interrupt while THR is empty reports it, even if it was reported before.
        let raised = value & ~state.interruptEnable
        state.interruptEnable = value & 0x0F
        if raised & IER.transmitterEmpty != 0 { state.transmitterEmptyPending = true }
        updateInterrupt()
      }
    case Register.interruptIdentification: writeFIFOControl(value)
    case Register.lineControl: state.lineControl = value
    case Register.modemControl:
      let before = modemStatusLines
      let wasLooped = state.modemControl & MCR.loop != 0
      state.modemControl = value & MCR.writable
      noteModemChange(from: before)
      updateInterrupt()
      if wasLooped, canReceive { onReadyToReceive?() }
    case Register.scratch: state.scratch = value
    default: break  // LSR and MSR are read-only outside of factory tests.
    }
  }

  private var divisorLatch: Bool { state.lineControl & LCR.divisorLatchAccess != 0 }
  private var fifosEnabled: Bool { state.fifoControl & FCR.enable != 0 }
  private var capacity: Int { fifosEnabled ? Self.fifoDepth : 1 }
  private var triggerLevel: Int {
    guard fifosEnabled else { return 1 }
    return [1, 4, 8, 14][Int(state.fifoControl >> 6)]
  }

  private var lineStatus: UInt8 {
    var value = LSR.transmitterHoldingEmpty | LSR.transmitterEmpty | state.lineErrors
    if let first = state.received.first { value |= LSR.dataReady | first.errors }
    if fifosEnabled, state.received.contains(where: { $0.errors != 0 }) { value |= LSR.fifoError }
    return value
  }

  /// The upper half of MSR: in loopback the port sees its own outputs.
  private var modemStatusLines: UInt8 {
    guard state.modemControl & MCR.loop != 0 else { return state.modemLines }
    var lines: UInt8 = 0
    if state.modemControl & MCR.rts != 0 { lines |= MSR.cts }
    if state.modemControl & MCR.dtr != 0 { lines |= MSR.dsr }
    if state.modemControl & MCR.out1 != 0 { lines |= MSR.ri }
    if state.modemControl & MCR.out2 != 0 { lines |= MSR.dcd }
    return lines
  }

  private func noteModemChange(from before: UInt8) {
    let after = modemStatusLines
    var deltas = (before ^ after) >> 4
    // RI reports only its trailing edge.
    if after & MSR.ri != 0 { deltas &= ~MSR.trailingEdgeRI }
    state.modemDeltas |= deltas
  }

  private func readReceiverBuffer() -> UInt8 {
    guard !state.received.isEmpty else { return 0 }
    let first = state.received.removeFirst()
    updateInterrupt()
    if canReceive { onReadyToReceive?() }
    return first.byte
  }

  private func transmit(_ byte: UInt8) {
    if state.modemControl & MCR.loop != 0 {
      push(Received(byte: byte, errors: 0))
    } else {
      onTransmit?(byte)
    }
    state.transmitterEmptyPending = true
    updateInterrupt()
  }

  private func push(_ character: Received) {
    if state.received.count < capacity {
      state.received.append(character)
    } else {
      // The shift register is overwritten; without FIFO it is the buffer itself.
      state.lineErrors |= LSR.overrun
      if !fifosEnabled { state.received[0] = character }
    }
  }

  private func writeFIFOControl(_ value: UInt8) {
    let toggled = (value ^ state.fifoControl) & FCR.enable != 0
    if toggled || value & FCR.resetReceiver != 0 { state.received = [] }
    // The other bits count only when the enable bit is written as 1.
    state.fifoControl = value & FCR.enable != 0 ? value & FCR.stored : 0
    updateInterrupt()
    if canReceive { onReadyToReceive?() }
  }

  // MARK: Interrupt

  /// The source that IIR reports, by priority (data sheet 8.6).
  private var interruptSource: UInt8 {
    let enabled = state.interruptEnable
    if enabled & IER.lineStatus != 0, lineStatus & LSR.errors != 0 { return IIR.lineStatus }
    if enabled & IER.receivedDataAvailable != 0, !state.received.isEmpty {
      return state.received.count >= triggerLevel ? IIR.receivedDataAvailable : IIR.characterTimeout
    }
    if enabled & IER.transmitterEmpty != 0, state.transmitterEmptyPending { return IIR.transmitterEmpty }
    if enabled & IER.modemStatus != 0, state.modemDeltas != 0 { return IIR.modemStatus }
    return IIR.none
  }

  /// In loopback OUT2's pin is inactive, so nothing reaches the interrupt controller.
  private func updateInterrupt() {
    let gate = state.modemControl & (MCR.out2 | MCR.loop) == MCR.out2
    interrupt.set(gate && interruptSource != IIR.none)
  }
}
