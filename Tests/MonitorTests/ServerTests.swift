import Dispatch
import Glibc
import Monitor
import Session
import Testing

@Suite struct ServerTests {
  /// A host with one QMP socket in front of a fake machine.
  private final class Setup {
    let scratch = Scratch()
    let host: MonitorHost
    let mailbox = FakeMailbox()
    init(_ options: String = "server=on,wait=off", more: (MonitorHost, Scratch) throws -> Void = { _, _ in })
      throws
    {
      var identity = MonitorIdentity(version: "0")
      identity.slowClientTimeout = 1
      host = MonitorHost(identity: identity)
      try host.addQMP("unix:\(scratch.file("qmp")),\(options)")
      try more(host, scratch)
      host.start(mailbox: mailbox)
    }
    deinit { host.close() }
    func client() throws -> TestClient { try #require(TestClient(unix: scratch.file("qmp"))) }
    /// A client that has negotiated.
    func ready() throws -> TestClient {
      let client = try client()
      client.send("{\"execute\": \"qmp_capabilities\"}\n")
      #expect(client.line()?.contains("QMP") == true)
      #expect(client.line() == "{\"return\": {}}")
      return client
    }
  }

  @Test func socketIsPrivateAndGoesAway() throws {
    let setup = try Setup()
    var status = stat()
    #expect(lstat(setup.scratch.file("qmp"), &status) == 0)
    #expect(status.st_mode & 0o777 == 0o600)
    setup.host.close()
    #expect(access(setup.scratch.file("qmp"), F_OK) != 0)
  }

  @Test func liveSocketIsLeftAloneAndDeadOneReplaced() throws {
    let setup = try Setup()
    let second = MonitorHost(identity: MonitorIdentity(version: "0"))
    defer { second.close() }
    do {
      try second.addQMP("unix:\(setup.scratch.file("qmp")),server=on,wait=off")
      Issue.record("bound to a live socket")
    } catch let error as OptionText.Failure {
      #expect(error.message.contains("Address already in use"))
    }
    _ = try setup.ready()

    // A socket whose process has died.
    let path = setup.scratch.file("dead")
    let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
    _ = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    close(descriptor)
    try second.addQMP("unix:\(path),server=on,wait=off")

    // Not a socket: not touched.
    let file = setup.scratch.file("out")
    fclose(fopen(file, "w"))
    #expect(throws: OptionText.Failure.self) { try second.addQMP("unix:\(file),server=on,wait=off") }
    #expect(access(file, F_OK) == 0)
    #expect(throws: OptionText.Failure.self) {
      try second.addQMP("unix:/tmp/\(String(repeating: "x", count: 200)),server=on,wait=off")
    }
  }

  @Test func oneClientAtATime() throws {
    let setup = try Setup()
    var first: TestClient? = try setup.ready()
    let second = try setup.client()
    first?.send("{\"execute\": \"query-status\"}\n")
    #expect(first?.line()?.contains("running") == true)
    first = nil
    // Only now is the second one served, and it has to negotiate for itself.
    #expect(second.line()?.contains("QMP") == true)
    second.send("{\"execute\": \"query-status\"}\n")
    #expect(second.line()?.contains("Expecting capabilities negotiation") == true)
  }

  @Test func eventsGoToEveryMonitorThatHasNegotiated() throws {
    let setup = try Setup { host, scratch in
      try host.declareChardev("socket,id=m,path=\(scratch.file("second")),server=on,wait=off")
      try host.addMon("chardev=m,mode=control")
    }
    let first = try setup.ready()
    let second = try #require(TestClient(unix: setup.scratch.file("second")))
    #expect(second.line()?.contains("QMP") == true)
    first.send("{\"execute\": \"stop\"}")
    #expect(first.line()?.contains("STOP") == true)
    #expect(first.line() == "{\"return\": {}}")
    second.send("{\"execute\": \"qmp_capabilities\"}{\"execute\": \"cont\"}")
    #expect(second.line() == "{\"return\": {}}")
    #expect(second.line()?.contains("RESUME") == true)
    #expect(first.line()?.contains("RESUME") == true)
  }

  @Test func pipelinedRequestsAreAnsweredInOrder() throws {
    let setup = try Setup()
    let client = try setup.ready()
    let names = ["query-status", "query-version", "nonsense", "query-uuid", "query-name"]
    var text = ""
    for number in 0..<500 { text += "{\"execute\": \"\(names[number % names.count])\", \"id\": \(number)}" }
    DispatchQueue.global().async { [text] in client.send(text) }
    for number in 0..<500 {
      let answer = try #require(client.line())
      #expect(try JSONParser.parse(answer)["id"] == .integer(Int64(number)))
    }
  }

  @Test func halfClosedClientGetsItsAnswers() throws {
    let setup = try Setup()
    let client = try setup.client()
    client.send("{\"execute\": \"qmp_capabilities\"}{\"execute\": \"stop\"}{\"execute\": \"query-status\"}")
    client.endInput()
    #expect(client.line()?.contains("QMP") == true)
    #expect(client.line() == "{\"return\": {}}")
    #expect(client.line()?.contains("STOP") == true)
    #expect(client.line() == "{\"return\": {}}")
    #expect(client.line()?.contains("paused") == true)
    #expect(client.line() == nil)
  }

  @Test func manyLongAnswersDoNotCutOffAClientThatReads() throws {
    let setup = try Setup()
    let client = try setup.ready()
    client.send(String(repeating: "{\"execute\": \"query-qmp-schema\"}\n", count: 300))
    let first = client.line()
    for _ in 1..<300 { #expect(client.line() == first) }
  }

  @Test func clientThatDoesNotReadIsCutOff() throws {
    let setup = try Setup()
    let slow = try setup.ready()
    // The answers are about ten times as long as the questions.
    for _ in 0..<400 { slow.send("{\"execute\": \"query-qmp-schema\"}\n") }
    // It was cut off: the next client is served.
    let next = try setup.client()
    #expect(next.line()?.contains("QMP") == true)
  }

  @Test func disconnectStorm() throws {
    let setup = try Setup()
    let pieces = [
      "", "{", "{\"execute\": \"qmp_capabilities\"}",
      "{\"execute\": \"qmp_capabilities\"}{\"execute\": \"query-status\"}",
      "{\"execute\": \"qmp_capabilities\"}{\"execute\": \"stop\"", "\u{1}garbage\n", "[[[[[",
      "{\"execute\": \"qmp_capabilities\"}{\"execute\": \"human-monitor-command\", \"arguments\": "
        + "{\"command-line\": \"info registers\"}}",
    ]
    for number in 0..<1000 {
      let client = try setup.client()
      client.send(pieces[number % pieces.count])
    }
    let client = try setup.ready()
    client.send("{\"execute\": \"query-status\"}")
    #expect(client.line()?.contains("running") == true)
  }

  @Test func commandOfAClientThatHasGoneIsCarriedOut() throws {
    let setup = try Setup()
    do {
      let client = try setup.ready()
      client.send("{\"execute\": \"stop\"}")
      #expect(client.line()?.contains("STOP") == true)
    }
    let client = try setup.ready()
    client.send("{\"execute\": \"query-status\"}")
    #expect(client.line()?.contains("paused") == true)
  }

  @Test func quitIsAnsweredEvenIfTheHostClosesAtOnce() throws {
    let setup = try Setup()
    let client = try setup.ready()
    let host = setup.host
    let closed = DispatchSemaphore(value: 0)
    setup.mailbox.onMachine {
      $0.hasEnded = {
        DispatchQueue.global().async {
          host.close()
          closed.signal()
        }
        usleep(50_000)
      }
    }
    client.send("{\"execute\": \"quit\"}")
    #expect(client.line()?.contains("host-qmp-quit") == true)
    #expect(client.line() == "{\"return\": {}}")
    #expect(client.line() == nil)
    closed.wait()
  }

  @Test func waitOnBlocksUntilAClientIsThere() throws {
    let scratch = Scratch()
    let host = MonitorHost(identity: MonitorIdentity(version: "0"))
    defer { host.close() }
    let path = scratch.file("qmp")
    nonisolated(unsafe) var client: TestClient?
    let connected = DispatchSemaphore(value: 0)
    DispatchQueue.global().async {
      while client == nil {
        usleep(20_000)
        client = TestClient(unix: path)
      }
      connected.signal()
    }
    try host.addQMP("unix:\(path),server=on")
    connected.wait()
    host.start(mailbox: FakeMailbox())
    #expect(client?.line()?.contains("QMP") == true)
  }

  @Test func schemaAgreesWithCommands() throws {
    let setup = try Setup()
    let client = try setup.ready()
    client.send("{\"execute\": \"query-commands\"}{\"execute\": \"query-qmp-schema\"}")
    func names(_ key: String, _ entries: JSONValue?) -> [String] {
      entries?.arrayValue?.compactMap {
        $0["meta-type"]?.stringValue == key || key == "" ? $0["name"]?.stringValue : nil
      }
        ?? []
    }
    func answer() throws -> JSONValue { try JSONParser.parse(try #require(client.line())) }
    let commands = names("", try answer()["return"])
    let schema = try answer()["return"] ?? .null
    #expect(commands == names("command", schema))
    #expect(commands.contains("dump-guest-memory"))
    #expect(names("event", schema).contains("GUEST_PANICKED"))
    // Every type that is mentioned is declared once.
    let declared = names("", schema)
    #expect(Set(declared).count == declared.count)
    for entry in schema.arrayValue ?? [] {
      for key in ["arg-type", "ret-type", "element-type"] {
        if let type = entry[key]?.stringValue { #expect(declared.contains(type)) }
      }
      for member in entry["members"]?.arrayValue ?? [] {
        if let type = member["type"]?.stringValue { #expect(declared.contains(type)) }
      }
    }
    // Every command answers something, with arguments or without.
    for command in commands where command != "quit" {
      client.send("{\"execute\": \"\(command)\", \"id\": \"\(command)\"}\n")
      var message = try answer()
      while message["event"] != nil { message = try answer() }
      #expect(message["id"] == .string(command))
    }
  }

  @Test func memoryIntoFiles() throws {
    let setup = try Setup()
    setup.mailbox.onMachine { machine in
      for index in machine.memory.indices { machine.memory[index] = UInt8(truncatingIfNeeded: index / 7) }
    }
    let client = try setup.ready()
    let (physical, virtual) = (setup.scratch.file("memory"), setup.scratch.file("virtual"))
    client.send(
      "{\"execute\": \"pmemsave\", \"arguments\": {\"val\": 100, \"size\": 9000, \"filename\": \"\(physical)\"}}"
        + "{\"execute\": \"memsave\", \"arguments\": {\"val\": -140737488355228, \"size\": 9000, \"filename\": "
        + "\"\(virtual)\"}}"
        + "{\"execute\": \"memsave\", \"arguments\": {\"val\": 16, \"size\": 4, \"filename\": \"\(virtual)x\"}}"
    )
    #expect(client.line() == "{\"return\": {}}")
    #expect(client.line() == "{\"return\": {}}")
    #expect(client.line()?.contains("Invalid addr 0x0000000000000010/size 4 specified") == true)
    unlink("\(virtual)x")
    let expected = setup.mailbox.onMachine { Array($0.memory[100..<9100]) }
    #expect(contents(physical) == expected)
    #expect(contents(virtual) == expected)
  }

  @Test func humanMonitor() throws {
    let setup = try Setup { host, scratch in
      try host.addMonitor("unix:\(scratch.file("hmp")),server=on,wait=off")
    }
    setup.mailbox.onMachine {
      $0.registers = "RAX=0000000000000001 RBX=00000000000000ff\nRIP=ffff800000000010 RFL=00000006\n"
      for index in 0..<64 { $0.memory[index] = UInt8(index) }
    }
    let client = try #require(TestClient(unix: setup.scratch.file("hmp")))
    #expect(client.read(through: "(qemu) ")?.contains("monitor") == true)
    func ask(_ line: String) -> String {
      client.send(line + "\n")
      // The echo of the line, then the answer up to the prompt.
      let text = client.read(through: "(qemu) ") ?? ""
      guard let end = text.firstRange(of: "\r\n") else { return text }
      return String(text[end.upperBound...].dropLast("(qemu) ".count))
    }
    #expect(ask("info status") == "VM status: running\r\n")
    #expect(ask("stop") == "")
    #expect(ask("info status") == "VM status: paused\r\n")
    #expect(ask("xp/4xb 0x10") == "0000000000000010: 0x10 0x11 0x12 0x13\r\n")
    #expect(ask("xp /2xw 4") == "0000000000000004: 0x07060504 0x0b0a0908\r\n")
    #expect(ask("x/1xg $rip+8") == "ffff800000000018: 0x1f1e1d1c1b1a1918\r\n")
    #expect(ask("x/1xb 0") == "0000000000000000: Cannot access memory\r\n")
    #expect(ask("xp/1xb 0xfffffffffffffff0") == "fffffffffffffff0: Cannot access memory\r\n")
    #expect(ask("gva2gpa 0xffff800000000123") == "gpa: 0x123\r\n")
    #expect(ask("gva2gpa 5") == "Unmapped\r\n")
    #expect(ask("info nosuch") == "unknown command: 'info nosuch'\r\n")
    #expect(ask("frobnicate") == "unknown command: 'frobnicate'\r\n")
    #expect(ask("info replay") == "Record/replay is not active\r\n")
    #expect(ask("info registers").contains("\r\nCPU#0\r\nRAX=0000000000000001"))
    #expect(ask("x/99999999999999999999xb 0").hasPrefix("Error: "))
    #expect(ask("inof\u{8}\u{8}fo stat\u{7f}tus").hasPrefix("VM status") == true)
    #expect(ask("\u{1b}[A").contains("VM status"))
    #expect(ask("cont") == "")
    #expect(setup.mailbox.onMachine { $0.performed } == [.stop, .cont])
  }
}

func contents(_ path: String) -> [UInt8] {
  guard let file = fopen(path, "rb") else { return [] }
  defer { fclose(file) }
  var bytes: [UInt8] = []
  var block = [UInt8](repeating: 0, count: 65536)
  while case let count = fread(&block, 1, block.count, file), count > 0 { bytes += block[..<count] }
  return bytes
}
