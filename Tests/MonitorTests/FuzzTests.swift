import Foundation
import Monitor
import Session
import Testing

/// Mutations of what people and clients send. `INQUEST_FUZZ_SECONDS` makes each of these run that long instead of a
/// fixed number of rounds; what was sent last is in the environment's `INQUEST_FUZZ_LOG` when something breaks.
@Suite struct FuzzTests {
  /// A stream of mutated lines: the same for the same seed.
  struct Mutator {
    var state: UInt64
    let corpus: [String]

    mutating func random(_ bound: Int) -> Int {
      // Marsaglia's xorshift64.
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return Int(state % UInt64(max(1, bound)))
    }

    mutating func next() -> [UInt8] {
      var bytes = Array(corpus[random(corpus.count)].utf8)
      for _ in 0..<random(5) {
        let other = Array(corpus[random(corpus.count)].utf8)
        let place = random(bytes.count + 1)
        switch random(7) {
        case 0: bytes.insert(UInt8(random(256)), at: place)
        case 1 where place < bytes.count: bytes[place] ^= 1 << UInt8(random(8))
        case 2 where place < bytes.count: bytes.removeSubrange(place..<min(bytes.count, place + 1 + random(8)))
        case 3: bytes.insert(contentsOf: other.prefix(random(other.count + 1)), at: place)
        case 4:
          bytes.insert(
            contentsOf: Array(["-1", "0x", "18446744073709551616", "1e999", "%s", "\"", ",,"][random(7)].utf8),
            at: place)
        case 5:
          bytes.insert(
            contentsOf: repeatElement(bytes.isEmpty ? 0x28 : bytes[random(bytes.count)], count: random(300)), at: place)
        default: bytes.append(contentsOf: other.suffix(random(other.count + 1)))
        }
      }
      return bytes
    }
  }

  static func rounds(_ usual: Int, _ body: (Int) throws -> Void) rethrows {
    guard let seconds = ProcessInfo.processInfo.environment["INQUEST_FUZZ_SECONDS"].flatMap(Double.init) else {
      for round in 0..<usual { try body(round) }
      return
    }
    let end = Date(timeIntervalSinceNow: seconds)
    var round = 0
    while Date() < end {
      try body(round)
      round += 1
    }
  }

  private static func log(_ bytes: [UInt8]) {
    guard let path = ProcessInfo.processInfo.environment["INQUEST_FUZZ_LOG"] else { return }
    try? Data(bytes).write(to: URL(fileURLWithPath: path))
  }

  @Test func humanMonitor() {
    let machine = FakeMachine()
    machine.registers =
      "RAX=0000000000001000 RSP=ffff800000000100\nRIP=ffff800000000000\nCS =0010 CS64\nCR0=80050033 CR2=0\nCR3=0000000000001000 CR4=000000b0\nEFER=0000000000000d01\n"
    for index in 0..<machine.memory.count { machine.memory[index] = UInt8(truncatingIfNeeded: index &* 37) }
    let console = MonitorConsole(identity: MonitorIdentity(version: "0"))
    var mutator = Mutator(
      state: 0x9E37_79B9_7F4A_7C15,
      corpus: [
        "info status", "info registers -a", "info mem", "info tlb", "info mtree -f", "info pic", "help info", "?",
        "x /4xg $rsp", "xp/16xb 0x1000", "x /3i $rip+4", "xp /2i 0x100-1", "x/c $rax", "gva2gpa $rip", "gpa2hva 0x1000",
        "stop", "cont", "system_reset", "nmi", "x /1000000xb 0", "print", "xp /4dw 0xfffffffffffffff0",
      ])
    Self.rounds(3000) { _ in
      let bytes = mutator.next()
      Self.log(bytes)
      _ = console.execute(String(decoding: bytes, as: UTF8.self), on: machine)
    }
  }

  @Test func qmpServer() throws {
    let scratch = Scratch()
    var identity = MonitorIdentity(version: "0")
    identity.slowClientTimeout = 5
    let host = MonitorHost(identity: identity)
    let mailbox = FakeMailbox()
    try host.addQMP("unix:\(scratch.file("qmp")),server=on,wait=off")
    host.start(mailbox: mailbox)
    defer { host.close() }
    let out = scratch.file("out")
    var mutator = Mutator(
      state: 0xD1B5_4A32_D192_ED03,
      corpus: [
        "{\"execute\": \"query-status\", \"id\": 1}", "{\"execute\": \"query-qmp-schema\"}",
        "{\"execute\": \"set-action\", \"arguments\": {\"panic\": \"pause\", \"reboot\": \"reset\"}}",
        "{\"execute\": \"dump-guest-memory\", \"arguments\": {\"paging\": false, \"protocol\": \"file:\(out)\", \"begin\": 0}}",
        "{\"execute\": \"human-monitor-command\", \"arguments\": {\"command-line\": \"xp /4xb 0\", \"cpu-index\": 0}}",
        "{\"execute\": \"qom-get\", \"arguments\": {\"path\": \"/machine/unattached/device[0]\", \"property\": \"type\"}}",
        "{\"execute\": \"getfd\", \"arguments\": {\"fdname\": \"a\"}}",
        "{'exec-oob': 'x', \"id\": {\"a\": [1.5, null]}}",
        "{\"execute\": \"replay-seek\", \"arguments\": {\"icount\": -1}}", "[[[[]]]]", "\u{1}{}",
        "{\"execute\": \"device-list-properties\", \"arguments\": {\"typename\": \"pvpanic\"}}",
      ])
    Self.rounds(150) { _ in
      guard let client = TestClient(unix: scratch.file("qmp")) else {
        Issue.record("nobody listens any more")
        return
      }
      client.send("{\"execute\": \"qmp_capabilities\"}\n")
      for _ in 0..<10 {
        let bytes = mutator.next()
        Self.log(bytes)
        // No file of the test's names but in its folder: a mutated path would be written to.
        if bytes.split(separator: UInt8(ascii: "f")).contains(where: { $0.starts(with: Array("ile:".utf8)) }),
          !String(decoding: bytes, as: UTF8.self).contains("file:\(out)\"")
        {
          continue
        }
        client.send(bytes + [0x0a])
      }
    }
    // 0x01 ends whatever was left open; then it is as new.
    let client = try #require(TestClient(unix: scratch.file("qmp")))
    client.send("{\"execute\": \"qmp_capabilities\"}\n")
    #expect(client.line()?.contains("QMP") == true)
    #expect(client.line() == "{\"return\": {}}")
  }

  @Test func characterDevices() {
    var mutator = Mutator(
      state: 0xA076_1D64_78BD_642F,
      corpus: [
        "unix:/tmp/x,server=on,wait=off", "tcp:localhost:4444,server,nowait", "file:x,append=on", "pipe:x", "mon:stdio",
        "chardev:c", "socket,id=c,path=/x,server=on", "stdio,id=s,mux=on,signal=off", "null,id=n", "pty", "none",
        "socket,id=t,host=::1,port=65535,server=on,nodelay=on", "chardev=c,mode=control",
      ])
    Self.rounds(3000) { _ in
      let bytes = mutator.next()
      Self.log(bytes)
      let text = String(decoding: bytes, as: UTF8.self)
      _ = try? CharacterSpec.parse(text)
      _ = try? CharacterSpec.parseChardev(text)
      _ = try? OptionText(text, headless: true)
    }
  }
}
