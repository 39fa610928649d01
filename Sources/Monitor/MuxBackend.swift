import NIOCore

/// One terminal for a serial port and a monitor. Ctrl-a is the escape: Ctrl-a c changes who gets the input,
/// Ctrl-a x ends the machine, Ctrl-a Ctrl-a sends Ctrl-a, Ctrl-a h lists these. Output of all users is shown.
public final class MuxBackend: @unchecked Sendable {
  /// One user's share of the terminal.
  public final class Part: CharacterBackend, @unchecked Sendable {
    public let label: String
    fileprivate let mux: MuxBackend
    fileprivate let slot = HandlerSlot()
    fileprivate init(label: String, mux: MuxBackend) {
      self.label = label
      self.mux = mux
    }
    public var filename: String { "mux:\(mux.backend.filename)" }
    public var acceptsInput: Bool { mux.backend.acceptsInput }
    public var isTerminal: Bool { mux.backend.isTerminal }
    public func write(_ bytes: [UInt8]) { mux.backend.write(bytes) }
    public func attach(_ handlers: CharacterHandlers) { mux.onLoop { self.slot.attach(handlers) } }
    public func close() { mux.backend.close() }
  }

  /// Bytes of Ctrl-a.
  static let escape: UInt8 = 0x01

  private let backend: any CharacterBackend
  private let loop: any EventLoop
  private var parts: [Part] = []
  private var focus = 0
  private var isEscaped = false
  private let quit: @Sendable () -> Void

  /// - Parameter quit: what Ctrl-a x does; called on the loop.
  public init(_ backend: any CharacterBackend, loop: any EventLoop, quit: @escaping @Sendable () -> Void) {
    self.backend = backend
    self.loop = loop
    self.quit = quit
    backend.attach(
      CharacterHandlers(
        opened: { [weak self] in self?.parts.forEach { $0.slot.open() } },
        input: { [weak self] bytes in self?.take(bytes) },
        closed: { [weak self] in self?.parts.forEach { $0.slot.close() } }))
  }

  /// Adds a user. The first one added has the input at the start.
  public func addPart(label: String) -> Part {
    let part = Part(label: label, mux: self)
    onLoop {
      self.parts.append(part)
      part.slot.open()
    }
    return part
  }

  fileprivate func onLoop(_ work: @escaping @Sendable () -> Void) {
    if loop.inEventLoop { work() } else { loop.execute(work) }
  }

  private func take(_ bytes: [UInt8]) {
    var plain: [UInt8] = []
    func deliver() {
      if !plain.isEmpty, focus < parts.count { parts[focus].slot.input(plain) }
      plain = []
    }
    for byte in bytes {
      guard isEscaped else {
        if byte == MuxBackend.escape { isEscaped = true } else { plain.append(byte) }
        continue
      }
      isEscaped = false
      switch byte {
      case MuxBackend.escape, UInt8(ascii: "a"): plain.append(MuxBackend.escape)
      case UInt8(ascii: "c"):
        deliver()
        if !parts.isEmpty { focus = (focus + 1) % parts.count }
        if focus < parts.count { parts[focus].focused?() }
      case UInt8(ascii: "x"):
        deliver()
        backend.write(Array("Inquest: Terminated\r\n".utf8))
        quit()
      case UInt8(ascii: "h"), UInt8(ascii: "?"):
        backend.write(
          Array(
            ("\r\nC-a h    print this help\r\nC-a x    exit\r\nC-a c    switch between console and monitor\r\n"
              + "C-a C-a  send C-a\r\n").utf8))
      default: break
      }
    }
    deliver()
  }
}

extension MuxBackend.Part {
  /// Called on the loop when the input becomes this user's; a monitor shows its prompt.
  public var focused: (@Sendable () -> Void)? {
    get { slot.focused }
    set {
      let slot = UncheckedBox(slot)
      mux.onLoop { slot.value.focused = newValue }
    }
  }
}
