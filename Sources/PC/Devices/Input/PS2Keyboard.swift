/// A PS/2 keyboard with 101 keys, scan code set 2.
public final class PS2Keyboard {
  static let acknowledge: UInt8 = 0xFA
  static let resend: UInt8 = 0xFE
  static let selfTestPassed: UInt8 = 0xAA
  static let identity: [UInt8] = [0xAB, 0x83]
  /// The keyboard's own buffer.
  static let bufferSize = 16

  enum Command {
    static let setIndicators: UInt8 = 0xED
    static let echo: UInt8 = 0xEE
    static let scanCodeSet: UInt8 = 0xF0
    static let identify: UInt8 = 0xF2
    static let typematicRate: UInt8 = 0xF3
    static let enable: UInt8 = 0xF4
    static let disable: UInt8 = 0xF5
    static let setDefaults: UInt8 = 0xF6
    static let setAllKeys: ClosedRange<UInt8> = 0xF7...0xFA
    static let resend: UInt8 = 0xFE
    static let reset: UInt8 = 0xFF
  }

  public struct State: Codable, Equatable {
    public var output: [UInt8] = []
    public var lastByte: UInt8 = 0
    public var isScanning = true
    public var scanCodeSet: UInt8 = 2
    /// Scroll, num and caps lock at bits 0 to 2.
    public var indicators: UInt8 = 0
    /// The command that waits for its argument; 0 for none.
    public var pendingCommand: UInt8 = 0
  }
  public var state = State()
  /// There is something to take.
  var onOutput: (() -> Void)?

  public init() {}

  func reset() { state = State() }

  /// A key goes down or up.
  /// - Parameter codes: its bytes in scan code set 2.
  /// - Returns: false when the keyboard is disabled or its buffer is full.
  public func type(_ codes: [UInt8]) -> Bool {
    guard state.isScanning, state.output.count + codes.count <= Self.bufferSize else { return false }
    send(codes)
    return true
  }

  func takeOutput() -> UInt8? {
    guard !state.output.isEmpty else { return nil }
    state.lastByte = state.output.removeFirst()
    return state.lastByte
  }

  /// The host sends a byte.
  func receive(_ byte: UInt8) {
    let command = state.pendingCommand
    state.pendingCommand = 0
    switch command {
    case Command.setIndicators:
      state.indicators = byte & 7
      send([Self.acknowledge])
    case Command.typematicRate: send([Self.acknowledge])
    case Command.scanCodeSet:
      if byte == 0 {
        send([Self.acknowledge, state.scanCodeSet])
      } else if byte <= 3 {
        state.scanCodeSet = byte
        send([Self.acknowledge])
      } else {
        send([Self.resend])
      }
    default: perform(byte)
    }
  }

  private func perform(_ command: UInt8) {
    switch command {
    case Command.setIndicators, Command.scanCodeSet, Command.typematicRate:
      state.pendingCommand = command
      send([Self.acknowledge])
    case Command.echo: send([Command.echo])
    case Command.identify: send([Self.acknowledge] + Self.identity)
    case Command.enable:
      state.isScanning = true
      state.output = []
      send([Self.acknowledge])
    case Command.disable:
      setDefaults()
      state.isScanning = false
      send([Self.acknowledge])
    case Command.setDefaults:
      setDefaults()
      send([Self.acknowledge])
    case Command.setAllKeys: send([Self.acknowledge])
    case Command.resend: send([state.lastByte])
    case Command.reset:
      setDefaults()
      send([Self.acknowledge, Self.selfTestPassed])
    default: send([Self.resend])
    }
  }

  private func setDefaults() {
    state.output = []
    state.isScanning = true
    state.scanCodeSet = 2
    state.indicators = 0
  }

  private func send(_ bytes: [UInt8]) {
    // A guest that writes and never reads loses the answers, as it does on a real keyboard.
    guard state.output.count + bytes.count <= 2 * Self.bufferSize else { return }
    state.output += bytes
    onOutput?()
  }
}
