import Foundation

/// A network card's way to the outside: a socket, and a thread that waits for frames.
final class NetworkLink {
  private let isStream: Bool
  private let lock = NSLock()
  private var descriptor: Int32 = -1
  private var listener: Int32 = -1
  private var isClosed = false
  private var unixPath: String?

  /// - Throws: `CommandFailure` with status 69 where the socket cannot be opened.
  init(_ options: NetworkOptions) throws {
    func failure(_ what: String) -> CommandFailure {
      CommandFailure(status: 69, message: "-netdev \(options.id): cannot \(what): \(String(cString: strerror(errno)))")
    }
    switch options.place {
    case .connect(let host, let port):
      isStream = true
      descriptor = try Self.resolve(host, port, SOCK_STREAM, options.id) { Foundation.connect($0, $1, $2) == 0 }
    case .listen(let host, let port):
      isStream = true
      listener = try Self.resolve(host, port, SOCK_STREAM, options.id) { socket, address, length in
        var yes: Int32 = 1
        setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        return Foundation.bind(socket, address, length) == 0 && Foundation.listen(socket, 1) == 0
      }
    case .udp(let localHost, let localPort, let remoteHost, let remotePort):
      isStream = false
      descriptor = try Self.resolve(localHost, localPort, SOCK_DGRAM, options.id) { Foundation.bind($0, $1, $2) == 0 }
      let local = descriptor
      let probe = try Self.resolve(remoteHost, remotePort, SOCK_DGRAM, options.id) { _, address, length in
        Foundation.connect(local, address, length) == 0
      }
      Foundation.close(probe)
    case .unixDatagrams(let local, let remote):
      isStream = false
      descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
      guard descriptor >= 0 else { throw failure("make a socket") }
      unlink(local)
      guard try Self.unix(local, options.id, { Foundation.bind(descriptor, $0, $1) == 0 }) else {
        throw failure("bind \(local)")
      }
      unixPath = local
      remoteUnix = remote
      networkID = options.id
    }
  }
  private var remoteUnix: String?
  private var networkID = ""

  private static func unix(
    _ path: String, _ id: String, _ body: (UnsafePointer<sockaddr>, socklen_t) throws -> Bool
  ) throws -> Bool {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
      throw CommandFailure.usage("-netdev \(id): the path '\(path)' is too long for a socket")
    }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    return try withUnsafePointer(to: &address) {
      try $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        try body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
  }

  private static func resolve(
    _ host: String, _ port: UInt16, _ type: __socket_type, _ id: String,
    _ body: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Bool
  ) throws -> Int32 {
    var hints = addrinfo()
    hints.ai_socktype = Int32(type.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    let status = getaddrinfo(host, "\(port)", &hints, &list)
    guard status == 0, list != nil else {
      throw CommandFailure(status: 69, message: "-netdev \(id): \(host): \(String(cString: gai_strerror(status)))")
    }
    defer { freeaddrinfo(list) }
    var entry = list
    var code = ECONNREFUSED
    while let info = entry?.pointee {
      let fd = socket(info.ai_family, info.ai_socktype, info.ai_protocol)
      if fd >= 0 {
        if body(fd, info.ai_addr, info.ai_addrlen) { return fd }
        code = errno
        Foundation.close(fd)
      }
      entry = info.ai_next
    }
    throw CommandFailure(status: 69, message: "-netdev \(id): \(host):\(port): \(String(cString: strerror(code)))")
  }

  /// Waits for frames on a thread of its own.
  func start(_ onFrame: @escaping @Sendable ([UInt8]) -> Void) {
    let thread = Thread { [self] in
      if listener >= 0 {
        let fd = accept(listener, nil, nil)
        lock.lock()
        descriptor = fd
        lock.unlock()
      }
      receive(onFrame)
    }
    thread.name = "inquest-network"
    thread.start()
  }

  private func receive(_ onFrame: ([UInt8]) -> Void) {
    lock.lock()
    let fd = descriptor
    lock.unlock()
    guard fd >= 0 else { return }
    if !isStream {
      var buffer = [UInt8](repeating: 0, count: 65536)
      while true {
        let count = recv(fd, &buffer, buffer.count, 0)
        if count < 0, errno == EINTR || errno == ECONNREFUSED { continue }
        guard count >= 0 else { return }
        lock.lock()
        let isClosed = isClosed
        lock.unlock()
        if isClosed { return }
        if count > 0 { onFrame(Array(buffer[..<count])) }
      }
    }
    func exactly(_ count: Int) -> [UInt8]? {
      var bytes = [UInt8](repeating: 0, count: count)
      var done = 0
      while done < count {
        let result = bytes.withUnsafeMutableBytes { recv(fd, $0.baseAddress! + done, count - done, 0) }
        if result < 0, errno == EINTR { continue }
        guard result > 0 else { return nil }
        done += result
      }
      return bytes
    }
    while let head = exactly(4) {
      let length = head.reduce(0) { $0 << 8 | Int($1) }
      guard length <= 65535, let frame = exactly(length) else { return }
      if length > 0 { onFrame(frame) }
    }
  }

  /// Sends a frame; one that the other side does not take is lost.
  func send(_ frame: [UInt8]) {
    lock.lock()
    let fd = descriptor
    lock.unlock()
    guard fd >= 0 else { return }
    guard isStream else {
      if let remoteUnix {
        _ = try? Self.unix(remoteUnix, networkID) { address, length in
          sendto(fd, frame, frame.count, Int32(MSG_DONTWAIT), address, length) >= 0
        }
      } else {
        _ = Foundation.send(fd, frame, frame.count, Int32(MSG_DONTWAIT))
      }
      return
    }
    let count = UInt32(frame.count)
    let packet = (0..<4).map { UInt8(truncatingIfNeeded: count >> UInt32(24 - 8 * $0)) } + frame
    var done = 0
    while done < packet.count {
      let result = packet.withUnsafeBytes {
        Foundation.send(fd, $0.baseAddress! + done, packet.count - done, Int32(MSG_NOSIGNAL))
      }
      if result < 0, errno == EINTR { continue }
      guard result > 0 else { return }
      done += result
    }
  }

  func close() {
    lock.lock()
    isClosed = true
    if descriptor >= 0 { shutdown(descriptor, Int32(SHUT_RDWR)) }
    if listener >= 0 { shutdown(listener, Int32(SHUT_RDWR)) }
    lock.unlock()
    if let unixPath { unlink(unixPath) }
  }
}

/// Frames as a pcap file (libpcap's format, nanoseconds, Ethernet), with the guest's time.
final class CaptureFile {
  private let file: FileHandle

  /// - Throws: `CommandFailure` where the file cannot be created.
  init(_ path: String) throws {
    guard FileManager.default.createFile(atPath: path, contents: nil), let file = FileHandle(forWritingAtPath: path)
    else {
      throw CommandFailure.output(path, creating: true, code: errno)
    }
    self.file = file
    // Magic of nanosecond files, version 2.4, no offset, accuracy 0, largest packet, Ethernet.
    write([0xA1B2_3C4D, 0x0004_0002, 0, 0, 65535, 1], [])
  }

  /// - Parameter time: nanoseconds since 1970.
  func add(_ frame: [UInt8], time: UInt64) {
    let size = UInt32(frame.count)
    write([UInt32(truncatingIfNeeded: time / 1_000_000_000), UInt32(time % 1_000_000_000), size, size], frame)
  }

  private func write(_ words: [UInt32], _ bytes: [UInt8]) {
    var data = Data()
    for word in words { withUnsafeBytes(of: word.littleEndian) { data.append(contentsOf: $0) } }
    data.append(contentsOf: bytes)
    file.write(data)
  }
}
