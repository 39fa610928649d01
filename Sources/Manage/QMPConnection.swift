import Glibc
import Monitor

/// What can happen to a client of a QMP server.
public enum QMPFailure: Error, Equatable, CustomStringConvertible {
  /// Nobody listens there, or the connection cannot be made.
  case unreachable(String)
  /// The server has gone, or says what is no QMP.
  case lost(String)
  /// The server's answer to a command is an error.
  case refused(command: String, errorClass: String, description: String)
  /// `shouldStop` said so while an answer was awaited.
  case interrupted

  public var description: String {
    switch self {
    case .unreachable(let reason): return "cannot connect: \(reason)"
    case .lost(let reason): return "the connection is lost: \(reason)"
    case .refused(let command, _, let description): return "'\(command)' was refused: \(description)"
    case .interrupted: return "interrupted"
    }
  }
}

/// A client of a QMP server, past the handshake. Blocking, for one thread.
public final class QMPConnection {
  /// Which process the server is, as far as the host knows: its number and start time, which no later process has
  /// both of; else the address.
  public let server: String
  private let descriptor: CInt
  private var parser = JSONParser()
  private var messages: [JSONValue] = []
  private var events: [JSONValue] = []
  private let shouldStop: () -> Bool
  /// Whether the last that was heard of the machine is that it ends. With -no-shutdown it lives on, and says so.
  public private(set) var announcesEnd = false

  /// Connects and negotiates.
  /// - Parameters:
  ///   - timeout: seconds that the handshake may take.
  ///   - shouldStop: asked several times a second while there is nothing to read.
  /// - Throws: `QMPFailure`.
  public init(to address: QMPAddress, timeout: Double = 30, shouldStop: @escaping () -> Bool = { false }) throws {
    self.shouldStop = shouldStop
    descriptor = try Self.connect(address)
    server = Self.identity(of: descriptor, address)
    do {
      guard let greeting = try next(timeout: timeout) else { throw QMPFailure.lost("no greeting in time") }
      guard greeting["QMP"] != nil else { throw QMPFailure.lost("this is no QMP server: \(greeting.text.prefix(80))") }
      _ = try execute("qmp_capabilities", timeout: timeout)
    } catch {
      close(descriptor)
      throw error
    }
    isOpen = true
  }
  private var isOpen = false
  deinit { if isOpen { close(descriptor) } }

  /// Sends a command and waits for its answer; events that come before are kept.
  /// - Parameter timeout: in seconds; nil for as long as it takes.
  public func execute(
    _ command: String, _ arguments: [(String, JSONValue)] = [], timeout: Double? = nil
  ) throws -> JSONValue {
    var request = JSONObject([("execute", .string(command))])
    if !arguments.isEmpty { request["arguments"] = .object(JSONObject(arguments)) }
    try send(JSONValue.object(request).bytes + [0x0d, 0x0a])
    while let message = try next(timeout: timeout) {
      if message["event"] != nil {
        events.append(message)
      } else if let error = message["error"] {
        throw QMPFailure.refused(
          command: command, errorClass: error["class"]?.stringValue ?? "",
          description: error["desc"]?.stringValue ?? error.text)
      } else if let result = message["return"] {
        return result
      }
    }
    throw QMPFailure.lost("no answer to '\(command)' in time")
  }

  /// The next event; nil when none comes in time.
  public func nextEvent(timeout: Double?) throws -> JSONValue? {
    if !events.isEmpty { return events.removeFirst() }
    while let message = try next(timeout: timeout) { if message["event"] != nil { return message } }
    return nil
  }

  private func next(timeout: Double?) throws -> JSONValue? {
    let deadline = timeout.map { Self.now() + $0 }
    while messages.isEmpty {
      var wait = 0.2
      if let deadline {
        wait = min(wait, deadline - Self.now())
        if wait <= 0 { return nil }
      }
      var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      if poll(&request, 1, CInt(wait * 1000) + 1) <= 0 {
        if shouldStop() { throw QMPFailure.interrupted }
        continue
      }
      try receive()
    }
    return messages.removeFirst()
  }

  private func receive() throws {
    var block = [UInt8](repeating: 0, count: 1 << 16)
    let count = recv(descriptor, &block, block.count, 0)
    if count < 0 && errno == EINTR { return }
    guard count > 0 else { throw QMPFailure.lost(count == 0 ? "the server closed it" : Self.reason(errno)) }
    for result in parser.feed(block[..<count]) {
      guard case .success(let message) = result else { throw QMPFailure.lost("this is no QMP") }
      messages.append(message)
      switch message["event"]?.stringValue {
      case "SHUTDOWN": announcesEnd = true
      case "RESUME", "RESET": announcesEnd = false
      default: break
      }
    }
  }

  private func send(_ bytes: [UInt8]) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(truncatingIfNeeded: MSG_NOSIGNAL))
      }
      if count < 0 && errno == EINTR { continue }
      if count <= 0 {
        let code = errno
        // What the server said before it went may still lie here.
        while (try? receive()) != nil {}
        throw QMPFailure.lost(Self.reason(code))
      }
      rest = rest.dropFirst(count)
    }
  }

  // MARK: Connecting

  private static func connect(_ address: QMPAddress) throws -> CInt {
    switch address {
    case .unix(let path): return try connectUnix(path)
    case .tcp(let host, let port): return try connectTCP(host.isEmpty ? "localhost" : host, port)
    }
  }

  private static func connectUnix(_ path: String) throws -> CInt {
    let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw QMPFailure.unreachable(reason(errno)) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard result == 0 else {
      let code = errno
      close(descriptor)
      throw QMPFailure.unreachable(reason(code))
    }
    return descriptor
  }

  private static func connectTCP(_ host: String, _ port: UInt16) throws -> CInt {
    var hints = addrinfo()
    hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    let status = getaddrinfo(host, String(port), &hints, &list)
    guard status == 0 else { throw QMPFailure.unreachable("\(host): \(String(cString: gai_strerror(status)))") }
    defer { freeaddrinfo(list) }
    var code = ECONNREFUSED
    var entry = list
    while let info = entry?.pointee {
      let descriptor = socket(info.ai_family, info.ai_socktype | CInt(SOCK_CLOEXEC.rawValue), info.ai_protocol)
      if descriptor >= 0 {
        if Glibc.connect(descriptor, info.ai_addr, info.ai_addrlen) == 0 { return descriptor }
        code = errno
        close(descriptor)
      }
      entry = info.ai_next
    }
    throw QMPFailure.unreachable(reason(code))
  }

  /// The process that listens at a local socket, told apart from others that had or will have its number.
  private static func identity(of descriptor: CInt, _ address: QMPAddress) -> String {
    guard case .unix = address else { return "\(address)" }
    // unix(7): struct ucred, which is the process, the user, the group.
    var credentials: [pid_t] = [0, 0, 0]
    var size = socklen_t(3 * MemoryLayout<pid_t>.size)
    guard getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0, credentials[0] > 0 else {
      return "\(address)"
    }
    let process = credentials[0]
    var text = "pid \(process)"
    // proc(5): the name in parentheses may hold blanks; the start time is the 20th field behind it.
    if let status = FileText.read("/proc/\(process)/stat"), let name = status.lastIndex(of: ")") {
      let fields = status[name...].split(separator: " ")
      if fields.count > 20 { text += ", started \(fields[20])" }
    }
    if let boot = FileText.read("/proc/sys/kernel/random/boot_id") { text += ", boot \(boot.prefix(8))" }
    return text
  }

  private static func reason(_ code: CInt) -> String { String(cString: strerror(code)) }

  /// Seconds on a clock that only goes forward.
  static func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}

enum FileText {
  /// A small file's text, nil when it cannot be read.
  static func read(_ path: String) -> String? {
    guard let file = fopen(path, "re") else { return nil }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var block = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = fread(&block, 1, block.count, file)
      if count == 0 { break }
      bytes += block[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
