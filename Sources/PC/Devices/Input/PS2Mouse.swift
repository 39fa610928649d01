/// A PS/2 mouse with two buttons and no wheel, that lies still unless it is moved.
public final class PS2Mouse {
  static let acknowledge: UInt8 = 0xFA
  static let resend: UInt8 = 0xFE
  static let selfTestPassed: UInt8 = 0xAA
  static let identity: UInt8 = 0x00
  static let bufferSize = 16

  enum Command {
    static let scaling1: UInt8 = 0xE6
    static let scaling2: UInt8 = 0xE7
    static let setResolution: UInt8 = 0xE8
    static let status: UInt8 = 0xE9
    static let streamMode: UInt8 = 0xEA
    static let readData: UInt8 = 0xEB
    static let resetWrap: UInt8 = 0xEC
    static let wrapMode: UInt8 = 0xEE
    static let remoteMode: UInt8 = 0xF0
    static let identify: UInt8 = 0xF2
    static let setSampleRate: UInt8 = 0xF3
    static let enable: UInt8 = 0xF4
    static let disable: UInt8 = 0xF5
    static let setDefaults: UInt8 = 0xF6
    static let resend: UInt8 = 0xFE
    static let reset: UInt8 = 0xFF
  }

  public struct State: Codable, Equatable {
    public var output: [UInt8] = []
    public var lastByte: UInt8 = 0
    public var isEnabled = false
    public var isRemote = false
    public var isWrapping = false
    public var doublesScale = false
    /// Exponent of two: counts per millimetre.
    public var resolution: UInt8 = 2
    /// Reports per second.
    public var sampleRate: UInt8 = 100
    /// The command that waits for its argument; 0 for none.
    public var pendingCommand: UInt8 = 0
  }
  public var state = State()
  /// There is something to take.
  var onOutput: (() -> Void)?

  public init() {}

  func reset() { state = State() }

  /// The mouse moves or a button changes.
  /// - Parameters:
  ///   - dx: counts to the right.
  ///   - dy: counts away from the user.
  ///   - buttons: left, right, middle at bits 0 to 2.
  /// - Returns: false when the guest does not listen or the buffer is full.
  public func move(dx: Int8, dy: Int8, buttons: UInt8) -> Bool {
    guard state.isEnabled, !state.isRemote, state.output.count + 3 <= Self.bufferSize else { return false }
    send(packet(dx: dx, dy: dy, buttons: buttons))
    return true
  }

  func takeOutput() -> UInt8? {
    guard !state.output.isEmpty else { return nil }
    state.lastByte = state.output.removeFirst()
    return state.lastByte
  }

  /// The host sends a byte.
  func receive(_ byte: UInt8) {
    if state.isWrapping, byte != Command.reset, byte != Command.resetWrap {
      send([byte])
      return
    }
    let command = state.pendingCommand
    state.pendingCommand = 0
    switch command {
    case Command.setResolution:
      state.resolution = byte & 3
      send([Self.acknowledge])
    case Command.setSampleRate:
      state.sampleRate = byte
      send([Self.acknowledge])
    default: perform(byte)
    }
  }

  private func perform(_ command: UInt8) {
    switch command {
    case Command.setResolution, Command.setSampleRate: state.pendingCommand = command
    case Command.scaling1: state.doublesScale = false
    case Command.scaling2: state.doublesScale = true
    case Command.streamMode: state.isRemote = false
    case Command.remoteMode: state.isRemote = true
    case Command.wrapMode: state.isWrapping = true
    case Command.resetWrap: state.isWrapping = false
    case Command.enable: state.isEnabled = true
    case Command.disable: state.isEnabled = false
    case Command.setDefaults: setDefaults()
    case Command.status:
      let flags: UInt8 =
        (state.isRemote ? 0x40 : 0) | (state.isEnabled ? 0x20 : 0) | (state.doublesScale ? 0x10 : 0)
      return send([Self.acknowledge, flags, state.resolution, state.sampleRate])
    case Command.readData: return send([Self.acknowledge] + packet(dx: 0, dy: 0, buttons: 0))
    case Command.identify: return send([Self.acknowledge, Self.identity])
    case Command.resend: return send([state.lastByte])
    case Command.reset:
      setDefaults()
      return send([Self.acknowledge, Self.selfTestPassed, Self.identity])
    default: return send([Self.resend])
    }
    send([Self.acknowledge])
  }

  private func setDefaults() { state = State() }

  private func packet(dx: Int8, dy: Int8, buttons: UInt8) -> [UInt8] {
    let signs: UInt8 = (dx < 0 ? 0x10 : 0) | (dy < 0 ? 0x20 : 0)
    return [buttons & 7 | 0x08 | signs, UInt8(bitPattern: dx), UInt8(bitPattern: dy)]
  }

  private func send(_ bytes: [UInt8]) {
    guard state.output.count + bytes.count <= 2 * Self.bufferSize else { return }
    state.output += bytes
    onOutput?()
  }
}
