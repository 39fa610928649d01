import Foundation
import Monitor

/// `-netdev`: where a network card's frames go and come from.
struct NetworkOptions {
  enum Place: Equatable {
    /// QEMU's `socket`: a stream on which each frame follows its length in four big-endian bytes.
    case connect(host: String, port: UInt16)
    case listen(host: String, port: UInt16)
    /// QEMU's `dgram`: a datagram is a frame.
    case unixDatagrams(local: String, remote: String)
    case udp(localHost: String, localPort: UInt16, remoteHost: String, remotePort: UInt16)
  }
  var id: String
  var place: Place

  /// - Throws: `CommandFailure` that names option and value.
  init(_ text: String) throws {
    func failure(_ message: String) -> CommandFailure { .usage("-netdev \(text): \(message)") }
    do {
      let options = try OptionText(text)
      guard let id = options["id"], !id.isEmpty else { throw OptionText.Failure("id=ID is missing") }
      self.id = id
      switch options.head ?? options["type"] {
      case "socket"?:
        try options.allow(["type", "id", "connect", "listen"])
        if let target = options["connect"] {
          let (host, port) = try Self.address(target)
          place = .connect(host: host, port: port)
        } else if let source = options["listen"] {
          let (host, port) = try Self.address(source)
          place = .listen(host: host, port: port)
        } else {
          throw OptionText.Failure("connect=HOST:PORT or listen=:PORT is missing")
        }
      case "dgram"?:
        try options.allow([
          "type", "id", "local.type", "local.path", "local.host", "local.port", "remote.type", "remote.path",
          "remote.host",
          "remote.port",
        ])
        if options["local.type"] == "unix" {
          guard let local = options["local.path"], let remote = options["remote.path"] else {
            throw OptionText.Failure("local.path= and remote.path= are missing")
          }
          place = .unixDatagrams(local: local, remote: remote)
        } else {
          guard let localPort = try options.number("local.port").flatMap(UInt16.init(exactly:)),
            let remotePort = try options.number("remote.port").flatMap(UInt16.init(exactly:))
          else { throw OptionText.Failure("local.port= and remote.port= are missing") }
          place = .udp(
            localHost: options["local.host"] ?? "127.0.0.1", localPort: localPort,
            remoteHost: options["remote.host"] ?? "127.0.0.1", remotePort: remotePort)
        }
      case "user"?:
        throw OptionText.Failure("user networking is not there; use socket or dgram with a program that routes")
      case let other?: throw OptionText.Failure("\(other): there are socket and dgram")
      case nil: throw OptionText.Failure("the type is missing: socket or dgram")
      }
    } catch let error as OptionText.Failure {
      throw failure(error.message)
    }
  }

  private static func address(_ text: String) throws -> (String, UInt16) {
    guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
      throw OptionText.Failure("\(text): write HOST:PORT")
    }
    let host = String(text[..<colon])
    return (host.isEmpty ? "127.0.0.1" : host, port)
  }

  /// The network of each card, in order.
  static func links(_ texts: [String], cards: [String?]) throws -> [NetworkOptions?] {
    let networks = try texts.map { try NetworkOptions($0) }
    return try cards.map { id in
      guard let id else { return nil }
      guard let network = networks.first(where: { $0.id == id }) else {
        throw CommandFailure.usage("-device virtio-net-pci,netdev=\(id): there is no -netdev with this id")
      }
      return network
    }
  }
}
