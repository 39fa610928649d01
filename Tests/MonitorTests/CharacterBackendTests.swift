import Dispatch
import Glibc
import Monitor
import Session
import Synchronization
import Testing

@Suite struct CharacterBackendTests {
  /// Collects input and wakes the test.
  private final class Collector: Sendable {
    let bytes = Mutex<[UInt8]>([])
    let arrived = DispatchSemaphore(value: 0)
    var handlers: CharacterHandlers {
      CharacterHandlers(input: { bytes in
        self.bytes.withLock { $0 += bytes }
        self.arrived.signal()
      })
    }
    func wait(for text: String) -> Bool {
      for _ in 0..<1000 {
        if bytes.withLock({ String(decoding: $0, as: UTF8.self) }) == text { return true }
        if arrived.wait(timeout: .now() + 10) == .timedOut { return false }
      }
      return false
    }
  }

  private func host() -> MonitorHost { MonitorHost(identity: MonitorIdentity(version: "0")) }

  @Test func fileGetsEverythingInOrder() throws {
    let (host, scratch) = (host(), Scratch())
    let serial = try #require(try host.openSerial("file:\(scratch.file("out"))"))
    #expect(!serial.acceptsInput)
    var expected: [UInt8] = []
    for number in 0..<20_000 {
      let line = Array("line \(number)\n".utf8)
      expected += line
      serial.write(line)
    }
    host.close()
    #expect(contents(scratch.file("out")) == expected)
    #expect(throws: OptionText.Failure.self) { _ = try self.host().openSerial("file:/nonexistent/x") }
  }

  @Test func socketBothWaysAndReconnect() throws {
    let (host, scratch) = (host(), Scratch())
    defer { host.close() }
    let serial = try #require(try host.openSerial("unix:\(scratch.file("serial")),server=on,wait=off"))
    let collector = Collector()
    serial.attach(collector.handlers)
    serial.write(Array("lost: nobody is there\n".utf8))
    for round in 1...3 {
      let client = try #require(TestClient(unix: scratch.file("serial")))
      client.send("\(round)")
      #expect(collector.wait(for: String("123".prefix(round))))
      serial.write(Array("hello \(round)\n".utf8))
      #expect(client.read(through: "\n") == "hello \(round)\n")
    }
  }

  @Test func slowSocketClientDoesNotHoldUpTheMachine() throws {
    let (host, scratch) = (host(), Scratch())
    defer { host.close() }
    let serial = try #require(try host.openSerial("unix:\(scratch.file("serial")),server=on,wait=off"))
    let collector = Collector()
    serial.attach(collector.handlers)
    let client = try #require(TestClient(unix: scratch.file("serial")))
    client.send("x")
    #expect(collector.wait(for: "x"))
    let block = [UInt8](repeating: 0x41, count: 4096)
    for _ in 0..<4096 { serial.write(block) }
    // What it gets is a prefix, not more than the backlog and the kernel's buffers.
    client.endInput()
    var count = 0
    while let piece = client.bytes(through: 0x41) { count += piece.count }
    #expect(count > 0 && count < 8 << 20)
  }

  @Test func tcp() throws {
    let host = host()
    defer { host.close() }
    let serial = try #require(try host.openSerial("tcp:127.0.0.1:0,server=on,wait=off"))
    let port = try #require((serial as? SocketBackend)?.localPort)
    let collector = Collector()
    serial.attach(collector.handlers)
    let client = try #require(TestClient(port: port))
    client.send("in")
    #expect(collector.wait(for: "in"))
    serial.write(Array("out\n".utf8))
    #expect(client.read(through: "\n") == "out\n")
  }

  @Test func pseudoTerminal() throws {
    let host = host()
    defer { host.close() }
    let serial = try #require(try host.openSerial("pty"))
    let path = String(serial.filename.dropFirst("pty:".count))
    let collector = Collector()
    serial.attach(collector.handlers)
    let terminal = open(path, O_RDWR | O_NOCTTY)
    #expect(terminal >= 0)
    defer { close(terminal) }
    #expect(write(terminal, "typed\r", 6) == 6)
    #expect(collector.wait(for: "typed\r"))
    serial.write(Array("shown\n".utf8))
    var block = [UInt8](repeating: 0, count: 64)
    let count = read(terminal, &block, block.count)
    #expect(String(decoding: block[..<max(0, count)], as: UTF8.self) == "shown\n")
  }

  @Test func namedPipe() throws {
    let (host, scratch) = (host(), Scratch())
    defer { host.close() }
    #expect(mkfifo(scratch.file("fifo") + ".in", 0o600) == 0)
    #expect(mkfifo(scratch.file("fifo") + ".out", 0o600) == 0)
    defer {
      unlink(scratch.file("fifo") + ".in")
      unlink(scratch.file("fifo") + ".out")
    }
    let serial = try #require(try host.openSerial("pipe:\(scratch.file("fifo"))"))
    let collector = Collector()
    serial.attach(collector.handlers)
    let input = open(scratch.file("fifo") + ".in", O_WRONLY)
    let output = open(scratch.file("fifo") + ".out", O_RDONLY)
    defer {
      close(input)
      close(output)
    }
    #expect(write(input, "typed", 5) == 5)
    #expect(collector.wait(for: "typed"))
    serial.write(Array("shown\n".utf8))
    var block = [UInt8](repeating: 0, count: 64)
    let count = read(output, &block, block.count)
    #expect(String(decoding: block[..<max(0, count)], as: UTF8.self) == "shown\n")
  }

  @Test func sharedTerminal() throws {
    let (host, scratch) = (host(), Scratch())
    defer { host.close() }
    try host.declareChardev("socket,id=t,path=\(scratch.file("serial")),server=on,wait=off,mux=on")
    let serial = try #require(try host.openSerial("chardev:t"))
    try host.addMon("chardev=t,mode=readline")
    let collector = Collector()
    serial.attach(collector.handlers)
    let mailbox = FakeMailbox()
    let quit = DispatchSemaphore(value: 0)
    mailbox.onMachine { $0.hasEnded = { quit.signal() } }
    host.start(mailbox: mailbox)
    let client = try #require(TestClient(unix: scratch.file("serial")))
    client.send("a\u{1}\u{1}b")
    #expect(collector.wait(for: "a\u{1}b"))
    client.send("\u{1}c")
    #expect(client.read(through: "(qemu) ") != nil)
    client.send("info status\n")
    #expect(client.read(through: "(qemu) ")?.contains("VM status: running") == true)
    client.send("\u{1}cback")
    #expect(collector.wait(for: "a\u{1}bback"))
    client.send("\u{1}x")
    #expect(quit.wait(timeout: .now() + 10) == .success)
    #expect(mailbox.onMachine { $0.performed } == [.quit])
  }

  @Test func terminalIsRestored() throws {
    let master = open("/dev/ptmx", O_RDWR | O_NOCTTY)
    var number: CUnsignedInt = 0
    var unlocked: CInt = 0
    #expect(ioctl(master, 0x4004_5431, &unlocked) == 0)
    #expect(ioctl(master, 0x8004_5430, &number) == 0)
    let terminal = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY)
    defer {
      close(terminal)
      close(master)
    }
    func localFlags() -> tcflag_t {
      var settings = termios()
      tcgetattr(terminal, &settings)
      return settings.c_lflag
    }
    let before = localFlags()
    TerminalMode.makeRaw(terminal, signals: false)
    #expect(localFlags() & tcflag_t(ECHO | ICANON | ISIG) == 0)
    TerminalMode.makeRaw(terminal, signals: true)
    #expect(localFlags() & tcflag_t(ISIG) != 0)
    TerminalMode.restore()
    #expect(localFlags() == before)
  }
}
