/// The 8042 keyboard controller of a PC/AT with PS/2 mouse port: data at port 0x60, status and command at 0x64.
/// (IBM PS/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary Device Controller".)
public final class I8042 {
  public static let dataPort: UInt16 = 0x60
  public static let commandPort: UInt16 = 0x64

  enum Status {
    static let outputFull: UInt8 = 0x01
    static let system: UInt8 = 0x04
    /// The last write went to the command port.
    static let command: UInt8 = 0x08
    /// The keyboard is not locked.
    static let unlocked: UInt8 = 0x10
    static let auxiliaryOutput: UInt8 = 0x20
  }
  /// The controller's command byte, its RAM at 0.
  enum Mode {
    static let keyboardInterrupt: UInt8 = 0x01
    static let auxiliaryInterrupt: UInt8 = 0x02
    static let system: UInt8 = 0x04
    static let keyboardDisabled: UInt8 = 0x10
    static let auxiliaryDisabled: UInt8 = 0x20
    static let translate: UInt8 = 0x40
  }
  enum Command {
    static let readRAM: ClosedRange<UInt8> = 0x20...0x3F
    static let writeRAM: ClosedRange<UInt8> = 0x60...0x7F
    static let passwordInstalled: UInt8 = 0xA4
    static let disableAuxiliary: UInt8 = 0xA7
    static let enableAuxiliary: UInt8 = 0xA8
    static let testAuxiliary: UInt8 = 0xA9
    static let selfTest: UInt8 = 0xAA
    static let testKeyboard: UInt8 = 0xAB
    static let disableKeyboard: UInt8 = 0xAD
    static let enableKeyboard: UInt8 = 0xAE
    static let readInputPort: UInt8 = 0xC0
    static let readOutputPort: UInt8 = 0xD0
    static let writeOutputPort: UInt8 = 0xD1
    static let writeKeyboardOutput: UInt8 = 0xD2
    static let writeAuxiliaryOutput: UInt8 = 0xD3
    static let writeAuxiliary: UInt8 = 0xD4
    static let disableA20: UInt8 = 0xDD
    static let enableA20: UInt8 = 0xDF
    static let readTestInputs: UInt8 = 0xE0
    static let pulse: ClosedRange<UInt8> = 0xF0...0xFF
  }
  enum OutputPort {
    /// 0 resets the processor.
    static let notReset: UInt8 = 0x01
    static let a20: UInt8 = 0x02
    static let fixed: UInt8 = 0xCC
    static let keyboardInterrupt: UInt8 = 0x10
    static let auxiliaryInterrupt: UInt8 = 0x20
  }

  /// A byte on its way to the host.
  public struct Output: Codable, Equatable {
    public var byte: UInt8
    public var isAuxiliary: Bool
  }

  public struct State: Codable, Equatable {
    /// The command byte and 31 more bytes of RAM; as the firmware of a PC leaves it.
    public var ram: [UInt8] =
      [Mode.keyboardInterrupt | Mode.auxiliaryInterrupt | Mode.system | Mode.translate]
      + [UInt8](repeating: 0, count: 31)
    /// The command that waits for its data byte; 0 for none.
    public var pendingCommand: UInt8 = 0
    public var lastWriteWasCommand = false
    public var outputPort: UInt8 = OutputPort.fixed | OutputPort.notReset | OutputPort.a20
    /// What the host reads next at port 0x60.
    public var output = Output(byte: 0, isAuxiliary: false)
    public var outputFull = false
    /// The controller's own answers, which go before those of the devices.
    public var answers: [Output] = []
    /// The translator saw a break prefix.
    public var breakPrefix = false
  }
  public var state = State()

  public let keyboard: PS2Keyboard
  public let mouse: PS2Mouse
  /// The guest pulses or writes the processor's reset line.
  public var onReset: (() -> Void)?
  /// The guest opens (true) or closes the gate of address line 20.
  public var onA20: ((Bool) -> Void)?
  private let keyboardInterrupt: InterruptLine
  private let mouseInterrupt: InterruptLine

  /// - Parameters:
  ///   - keyboardInterrupt: ISA interrupt 1.
  ///   - mouseInterrupt: ISA interrupt 12.
  public init(keyboardInterrupt: InterruptLine, mouseInterrupt: InterruptLine) {
    self.keyboardInterrupt = keyboardInterrupt
    self.mouseInterrupt = mouseInterrupt
    keyboard = PS2Keyboard()
    mouse = PS2Mouse()
    keyboard.onOutput = { [unowned self] in refill() }
    mouse.onOutput = { [unowned self] in refill() }
  }

  public func reset() {
    state = State()
    keyboard.reset()
    mouse.reset()
    updateInterrupts()
  }

  /// The port 0x60 side, to be mapped there.
  public private(set) lazy var dataRegister: ByteRegisters = DataRegister(self)
  /// The port 0x64 side, to be mapped there.
  public private(set) lazy var commandRegister: ByteRegisters = CommandRegister(self)

  // MARK: Registers

  private final class DataRegister: ByteRegisters {
    unowned let owner: I8042
    init(_ owner: I8042) { self.owner = owner }
    func readRegister(_ offset: UInt16) -> UInt8 { owner.readData() }
    func writeRegister(_ offset: UInt16, _ value: UInt8) { owner.writeData(value) }
  }
  private final class CommandRegister: ByteRegisters {
    unowned let owner: I8042
    init(_ owner: I8042) { self.owner = owner }
    func readRegister(_ offset: UInt16) -> UInt8 { owner.status }
    func writeRegister(_ offset: UInt16, _ value: UInt8) { owner.writeCommand(value) }
  }

  private var status: UInt8 {
    var value = Status.unlocked
    if state.outputFull { value |= Status.outputFull }
    if state.outputFull, state.output.isAuxiliary { value |= Status.auxiliaryOutput }
    if state.ram[0] & Mode.system != 0 { value |= Status.system }
    if state.lastWriteWasCommand { value |= Status.command }
    return value
  }

  private func readData() -> UInt8 {
    let byte = state.output.byte
    state.outputFull = false
    // The line falls before the next byte raises it again: the edge matters to the interrupt controller.
    updateInterrupts()
    refill()
    return byte
  }

  private func writeData(_ value: UInt8) {
    state.lastWriteWasCommand = false
    let command = state.pendingCommand
    state.pendingCommand = 0
    switch command {
    case Command.writeRAM:
      state.ram[Int(command & 0x1F)] = value
      updateInterrupts()
      refill()
    case Command.writeOutputPort: setOutputPort(value)
    case Command.writeKeyboardOutput: answer(value)
    case Command.writeAuxiliaryOutput: answer(value, auxiliary: true)
    case Command.writeAuxiliary:
      state.ram[0] &= ~Mode.auxiliaryDisabled
      mouse.receive(value)
    default:
      // Writing to the keyboard enables its interface.
      state.ram[0] &= ~Mode.keyboardDisabled
      keyboard.receive(value)
    }
  }

  private func writeCommand(_ command: UInt8) {
    state.lastWriteWasCommand = true
    state.pendingCommand = 0
    switch command {
    case Command.readRAM: answer(state.ram[Int(command & 0x1F)])
    case Command.writeRAM, Command.writeOutputPort, Command.writeKeyboardOutput,
      Command.writeAuxiliaryOutput, Command.writeAuxiliary:
      state.pendingCommand = command
    case Command.passwordInstalled: answer(0xF1)  // none
    case Command.disableAuxiliary: state.ram[0] |= Mode.auxiliaryDisabled
    case Command.enableAuxiliary:
      state.ram[0] &= ~Mode.auxiliaryDisabled
      refill()
    case Command.testAuxiliary, Command.testKeyboard: answer(0x00)  // no error
    case Command.selfTest:
      state.ram[0] |= Mode.system
      answer(0x55)  // passed
    case Command.disableKeyboard: state.ram[0] |= Mode.keyboardDisabled
    case Command.enableKeyboard:
      state.ram[0] &= ~Mode.keyboardDisabled
      refill()
    case Command.readInputPort: answer(0x80)  // keyboard not inhibited
    case Command.readOutputPort: answer(outputPort)
    case Command.disableA20: setOutputPort(state.outputPort & ~OutputPort.a20)
    case Command.enableA20: setOutputPort(state.outputPort | OutputPort.a20)
    case Command.readTestInputs: answer(0x00)
    case Command.pulse:
      // Each 0 among the low four bits pulses that line of the output port.
      if command & OutputPort.notReset == 0 { onReset?() }
    default: break
    }
  }

  private var outputPort: UInt8 {
    var value = state.outputPort
    if state.outputFull {
      value |= state.output.isAuxiliary ? OutputPort.auxiliaryInterrupt : OutputPort.keyboardInterrupt
    }
    return value
  }

  private func setOutputPort(_ value: UInt8) {
    let changed = value ^ state.outputPort
    state.outputPort = OutputPort.fixed | value & (OutputPort.notReset | OutputPort.a20)
    if changed & OutputPort.a20 != 0 { onA20?(value & OutputPort.a20 != 0) }
    if value & OutputPort.notReset == 0 { onReset?() }
  }

  // MARK: The output buffer

  private func answer(_ byte: UInt8, auxiliary: Bool = false) {
    // A guest that never reads must not fill the host's memory.
    if state.answers.count < 16 { state.answers.append(Output(byte: byte, isAuxiliary: auxiliary)) }
    refill()
  }

  /// Moves the next byte into the output buffer once that is empty.
  private func refill() {
    guard !state.outputFull else { return }
    if !state.answers.isEmpty {
      deliver(state.answers.removeFirst())
    } else if state.ram[0] & Mode.keyboardDisabled == 0, let byte = nextKeyboardByte() {
      deliver(Output(byte: byte, isAuxiliary: false))
    } else if state.ram[0] & Mode.auxiliaryDisabled == 0, let byte = mouse.takeOutput() {
      deliver(Output(byte: byte, isAuxiliary: true))
    }
  }

  private func deliver(_ output: Output) {
    state.output = output
    state.outputFull = true
    updateInterrupts()
  }

  private func nextKeyboardByte() -> UInt8? {
    while let byte = keyboard.takeOutput() {
      guard state.ram[0] & Mode.translate != 0 else { return byte }
      if byte == ScanCodeTranslation.breakPrefix {
        state.breakPrefix = true
        continue
      }
      let translated = ScanCodeTranslation.set1(fromSet2: byte, isBreak: state.breakPrefix)
      state.breakPrefix = false
      return translated
    }
    return nil
  }

  private func updateInterrupts() {
    let mode = state.ram[0]
    let full = state.outputFull
    let auxiliary = state.output.isAuxiliary
    keyboardInterrupt.set(full && !auxiliary && mode & Mode.keyboardInterrupt != 0)
    mouseInterrupt.set(full && auxiliary && mode & Mode.auxiliaryInterrupt != 0)
  }
}
