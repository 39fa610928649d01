/// The frames of gdb's remote protocol: `$content#checksum`, the checksum being the sum of the content's bytes as they are
/// sent (gdb manual, "Remote Protocol: Overview").
public enum Packet {
  static let start = UInt8(ascii: "$"), end = UInt8(ascii: "#"), escape = UInt8(ascii: "}")
  static let repetition = UInt8(ascii: "*")
  static let acknowledge = UInt8(ascii: "+"), retransmit = UInt8(ascii: "-")
  /// What a client sends to stop the machine, outside packets.
  static let interrupt: UInt8 = 3

  /// A frame around a reply. Bytes that frames are made of are escaped, runs of four and more are shortened where
  /// `compresses` says so.
  public static func frame(_ content: [UInt8], compresses: Bool = false) -> [UInt8] {
    var frame: [UInt8] = [start]
    frame.reserveCapacity(content.count + 8)
    var index = 0
    while index < content.count {
      let byte = content[index]
      var run = 1
      if compresses {
        while index + run < content.count, run < maximumRun, content[index + run] == byte { run += 1 }
      }
      if byte == start || byte == end || byte == escape || byte == repetition {
        for _ in 0..<run { frame += [escape, byte ^ 0x20] }
      } else {
        frame.append(byte)
        append(run - 1, of: byte, to: &frame)
      }
      index += run
    }
    var sum: UInt8 = 0
    for byte in frame.dropFirst() { sum &+= byte }
    frame.append(end)
    return frame + Hexadecimal.encode([sum])
  }

  /// A count is a printable character, 29 more than the repetitions behind the first byte.
  private static let maximumRun = 98

  /// `count` more of a byte that has just been written.
  private static func append(_ count: Int, of byte: UInt8, to frame: inout [UInt8]) {
    guard count >= 3 else {
      for _ in 0..<count { frame.append(byte) }
      return
    }
    // Counts that would be written as # and $ are not allowed, + and - better avoided.
    var count = count
    var rest = 0
    while [Packet.end, start, acknowledge, retransmit].contains(UInt8(count + 29)) {
      count -= 1
      rest += 1
    }
    frame += [repetition, UInt8(count + 29)]
    for _ in 0..<rest { frame.append(byte) }
  }
}

/// Takes a client's bytes apart. Whatever comes, it neither fails nor keeps more than `limit` bytes.
public struct PacketParser {
  public enum Element: Equatable, Sendable {
    case packet([UInt8])
    /// The checksum does not fit, or what should be one is no number: ask for it again.
    case damaged
    /// More than the limit; its content is gone.
    case tooLong
    case acknowledged
    case retransmit
    case interrupt
  }

  private enum State {
    case idle
    case content
    /// Behind a `}`.
    case escaped
    /// Behind a `*`.
    case counted
    case checksum
    case checksumLow(UInt8?)
  }

  private let limit: Int
  private var state = State.idle
  private var content: [UInt8] = []
  private var sum: UInt8 = 0
  private var isTooLong = false
  private var isMalformed = false

  /// - Parameter limit: the most bytes of content, unescaped.
  public init(limit: Int) { self.limit = limit }

  /// What the bytes complete, in order. Parts of packets are kept for the next call.
  public mutating func take(_ bytes: some Sequence<UInt8>) -> [Element] {
    var elements: [Element] = []
    for byte in bytes {
      if let element = take(byte) { elements.append(element) }
    }
    return elements
  }

  private mutating func take(_ byte: UInt8) -> Element? {
    switch state {
    case .idle:
      switch byte {
      case Packet.start: begin()
      case Packet.acknowledge: return .acknowledged
      case Packet.retransmit: return .retransmit
      case Packet.interrupt: return .interrupt
      default: break  // noise on the line
      }
    case .content:
      switch byte {
      // A `$` is never part of a packet: the end of the one before was lost.
      case Packet.start: begin()
      case Packet.end: state = .checksum
      case Packet.escape:
        sum &+= byte
        state = .escaped
      case Packet.repetition:
        sum &+= byte
        state = .counted
      default:
        sum &+= byte
        append(byte)
      }
    case .escaped:
      sum &+= byte
      if byte == Packet.end {
        isMalformed = true
        state = .checksum
      } else {
        append(byte ^ 0x20)
        state = .content
      }
    case .counted:
      sum &+= byte
      state = .content
      // From ' ' (3 more) on; with nothing to repeat it means nothing.
      guard byte >= 32, byte < 127, let last = content.last else {
        isMalformed = true
        if byte == Packet.end { state = .checksum }
        return nil
      }
      for _ in 0..<(byte - 29) { append(last) }
    case .checksum:
      state = .checksumLow(Hexadecimal.value(of: byte))
    case .checksumLow(let high):
      state = .idle
      return finish(high, Hexadecimal.value(of: byte))
    }
    return nil
  }

  private mutating func begin() {
    content = []
    sum = 0
    isTooLong = false
    isMalformed = false
    state = .content
  }

  private mutating func append(_ byte: UInt8) {
    if content.count < limit { content.append(byte) } else { isTooLong = true }
  }

  private mutating func finish(_ high: UInt8?, _ low: UInt8?) -> Element {
    defer { content = [] }
    guard let high, let low, high << 4 | low == sum, !isMalformed else { return .damaged }
    return isTooLong ? .tooLong : .packet(content)
  }
}
