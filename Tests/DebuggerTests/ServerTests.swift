import Debugger
import Foundation
import Monitor
import Testing

/// A client's end of a device, in the test's hands.
private final class FakeBackend: CharacterBackend, @unchecked Sendable {
  let label = "gdb"
  let filename = "fake"
  private let lock = NSLock()
  private var written: [UInt8] = []
  private var handlers = CharacterHandlers()
  private(set) var isPaused = false

  func attach(_ handlers: CharacterHandlers) { self.handlers = handlers }
  func write(_ bytes: [UInt8]) { lock.withLock { written += bytes } }
  func pauseInput(_ paused: Bool) { isPaused = paused }
  func close() {}

  func open() { handlers.opened() }
  func hangUp() { handlers.closed() }
  func send(_ text: String) { handlers.input(Array(text.utf8)) }
  /// What came since the last call.
  var text: String {
    lock.withLock {
      defer { written = [] }
      return String(decoding: written, as: UTF8.self)
    }
  }
}

/// A server whose machine's thread runs when the test says so.
private final class Bench: @unchecked Sendable {
  let backend = FakeBackend()
  let target = FakeTarget()
  private var queue: [@Sendable () -> Void] = []
  private(set) var server: DebugServer!

  init() {
    server = DebugServer(backend: backend, target: target) { [unowned self] in queue.append($0) }
    server.start()
  }

  /// Lets the machine's thread do what there is to do.
  func pump() {
    while !queue.isEmpty { queue.removeFirst()() }
  }

  func connect() {
    backend.open()
    pump()
    target.log = []
  }

  func say(_ text: String) -> String {
    backend.send(text)
    pump()
    return backend.text
  }
}

@Suite struct ServerTests {
  @Test func packetsAreAcknowledgedAndAnswered() {
    let bench = Bench()
    bench.connect()
    #expect(bench.say("$qC#b4") == "+$QC01#f5")
    #expect(bench.say("+") == "")
    // Asked for again, sent again.
    #expect(bench.say("-") == "$QC01#f5")
    #expect(bench.say("$qC#b5") == "-")
    #expect(bench.say("$" + String(repeating: "a", count: 200_000) + "#00") == "-")
  }

  @Test func withoutAcknowledgements() {
    let bench = Bench()
    bench.connect()
    #expect(bench.say("$QStartNoAckMode#b0") == "+$OK#9a")
    #expect(bench.say("+$qC#b4") == "$QC01#f5")
    #expect(bench.say("$qC#b5-") == "")
    // The next client begins with them.
    bench.backend.hangUp()
    bench.connect()
    #expect(bench.say("$qC#b4") == "+$QC01#f5")
  }

  @Test func aPacketThatIsTooLongHasAnAnswer() {
    let bench = Bench()
    bench.connect()
    // The sum of 65792 times 'a' is 0x00 modulo 256.
    #expect(bench.say("$" + String(repeating: "a", count: 65792) + "#00") == "+$E07#ac")
  }

  @Test func aRunIsStoppedByCtrlC() {
    let bench = Bench()
    bench.connect()
    #expect(bench.say("$c#63") == "+")
    #expect(bench.target.log == ["cont"])
    #expect(bench.say("\u{3}") == "")
    #expect(bench.target.log.last == "interrupt")
    bench.target.stop(.interrupt)
    #expect(bench.backend.text == "$T02thread:01;#\(Self.sum("T02thread:01;"))")
    // To a machine that stands it means nothing.
    #expect(bench.say("\u{3}$qC#b4") == "+$QC01#f5")
  }

  /// Ctrl-C comes before the machine's thread has seen the packet that lets the machine go.
  @Test func ctrlCMayOvertake() {
    let bench = Bench()
    bench.connect()
    bench.backend.send("$c#63\u{3}")
    bench.pump()
    #expect(bench.backend.text.hasPrefix("+$T02"))
    #expect(!bench.target.log.contains("cont"))
  }

  @Test func aPacketInARunStopsIt() {
    let bench = Bench()
    bench.connect()
    #expect(bench.say("$c#63") == "+")
    #expect(bench.say("$qC#b4") == "+")
    #expect(bench.target.log.contains("interrupt"))
    bench.target.stop(.interrupt)
    #expect(bench.backend.text.hasSuffix("$QC01#f5"))
  }

  @Test func clientsOneAfterTheOther() {
    let bench = Bench()
    bench.connect()
    #expect(bench.server.hasClient)
    #expect(bench.say("$Z0,1000,1#d4").hasSuffix("$OK#9a"))
    #expect(bench.say("$c#63") == "+")
    bench.backend.hangUp()
    // What the dead client said last is not answered to the next one.
    bench.backend.open()
    bench.pump()
    bench.target.stop(.interrupt)
    #expect(bench.backend.text == "")
    #expect(bench.target.points.isEmpty)
    #expect(bench.say("$?#3f") == "+$T05thread:01;#\(Self.sum("T05thread:01;"))")
    bench.backend.hangUp()
    bench.pump()
    #expect(!bench.server.hasClient)
  }

  @Test func aFastClientIsHeldBack() {
    let bench = Bench()
    bench.connect()
    for _ in 0..<70 { bench.backend.send("$qC#b4") }
    #expect(bench.backend.isPaused)
    bench.pump()
    #expect(!bench.backend.isPaused)
    #expect(bench.backend.text.components(separatedBy: "$QC01#f5").count == 71)
  }

  @Test func theEndIsTold() {
    let bench = Bench()
    bench.connect()
    #expect(bench.say("$c#63") == "+")
    bench.server.ended(status: 1)
    #expect(bench.backend.text == "$W01#b8")
  }

  private static func sum(_ text: String) -> String {
    let sum = text.utf8.reduce(UInt8(0)) { $0 &+ $1 }
    return (sum < 16 ? "0" : "") + String(sum, radix: 16)
  }
}
