import NIOCore

/// What a back end tells its user. All calls come on the back end's event loop, in order.
public struct CharacterHandlers: Sendable {
  /// Somebody is at the other end: a client connected, or the back end is always open.
  public var opened: @Sendable () -> Void
  /// Bytes from the other end, never empty.
  public var input: @Sendable ([UInt8]) -> Void
  /// The other end has gone.
  public var closed: @Sendable () -> Void

  public init(
    opened: @escaping @Sendable () -> Void = {}, input: @escaping @Sendable ([UInt8]) -> Void = { _ in },
    closed: @escaping @Sendable () -> Void = {}
  ) {
    self.opened = opened
    self.input = input
    self.closed = closed
  }
}

/// The host's end of a character device: where a serial port's bytes go, or what a monitor talks through.
public protocol CharacterBackend: AnyObject, Sendable {
  /// QEMU's name of the device: `serial0`, `compat_monitor0`, or the `id` of a `-chardev`.
  var label: String { get }
  /// What `query-chardev` shows as `filename`.
  var filename: String { get }
  /// Whether somebody could type here, which lets idle time be paced by the host clock.
  var acceptsInput: Bool { get }
  /// Whether the other end is a terminal, which decides on line editing.
  var isTerminal: Bool { get }
  /// Sends bytes, in order. May be called on any thread; keeps the caller waiting only where losing bytes would
  /// be worse (files and pipes whose reader is slow), and there for a second at most.
  func write(_ bytes: [UInt8])
  /// Says who is told. If the other end is there already, `opened` follows. Input that came before is kept.
  func attach(_ handlers: CharacterHandlers)
  /// Stops (`true`) or resumes taking input, so that a client cannot send faster than it is served.
  func pauseInput(_ paused: Bool)
  /// Bytes written that the other end has not taken yet, as far as is known.
  var backlog: Int { get }
  /// Ends the connection now, with what is still to be written.
  func cutOff()
  /// Ends the connection after what was written; a server then waits for the next client.
  func disconnect()
  /// Writes what is left (for a second at most), closes, removes sockets from the file system, restores the terminal.
  func close()
}

extension CharacterBackend {
  public var isTerminal: Bool { false }
  public var acceptsInput: Bool { true }
  public func pauseInput(_ paused: Bool) {}
  public func disconnect() {}
  public var backlog: Int { 0 }
  public func cutOff() {}
}

/// What a back end does when the other end reads too slowly.
public enum OverflowPolicy: Sendable {
  /// Bytes that do not fit are lost: a console.
  case drop
  /// The client is cut off: a protocol, in which a gap would be a lie.
  case disconnect
}

/// `null`: swallows everything.
public final class NullBackend: CharacterBackend {
  public let label: String
  public let filename = "null"
  public var acceptsInput: Bool { false }
  public init(label: String) { self.label = label }
  public func write(_ bytes: [UInt8]) {}
  public func attach(_ handlers: CharacterHandlers) {}
  public func close() {}
}

/// Keeps handlers and what arrives before there are any. Confined to one event loop.
final class HandlerSlot {
  private var handlers: CharacterHandlers?
  private var isOpen = false
  private var early: [UInt8] = []
  /// See `MuxBackend.Part.focused`.
  var focused: (@Sendable () -> Void)?
  /// Input that nobody has asked for yet is kept up to this many bytes.
  private let earlyLimit = 1 << 20

  func attach(_ new: CharacterHandlers) {
    handlers = new
    if isOpen { new.opened() }
    if !early.isEmpty {
      let bytes = early
      early = []
      new.input(bytes)
    }
  }

  func open() {
    isOpen = true
    handlers?.opened()
  }

  func input(_ bytes: [UInt8]) {
    if let handlers {
      handlers.input(bytes)
    } else if early.count + bytes.count <= earlyLimit {
      early += bytes
    }
  }

  func close() {
    guard isOpen else { return }
    isOpen = false
    early = []
    handlers?.closed()
  }
}
