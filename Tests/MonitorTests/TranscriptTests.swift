import Dispatch
import Glibc
import Monitor
import Session
import Testing

/// The client side of QEMU's transcripts against the real server on a real socket; the server's side has to be the
/// same but for times, versions, and what is listed in `normalize`.
@Suite struct TranscriptTests {
  @Test(arguments: Transcripts.all.map(\.name))
  func sameAnswersAsQEMU(name: String) throws {
    let lines = Transcripts.all.first { $0.name == name }!.text.split(separator: "\n").map(String.init)
    let scratch = Scratch()
    var identity = MonitorIdentity(version: "0")
    if name == "dumps" { identity.dumpFormats.append("kdump-zlib") }
    let host = MonitorHost(identity: identity)
    let mailbox = FakeMailbox()
    let ended = DispatchSemaphore(value: 0)
    mailbox.onMachine { machine in
      configure(machine, name, lines)
      machine.hasEnded = { ended.signal() }
    }
    try host.addQMP("unix:\(scratch.file("qmp")),server=on,wait=off")
    host.start(mailbox: mailbox)
    defer { host.close() }
    let client = try #require(TestClient(unix: scratch.file("qmp")))

    // Holds a detached dump until the transcript says that it ends.
    let gate = DispatchSemaphore(value: 0)
    var isGated = false
    for line in lines {
      let text = String(line.dropFirst())
      if line.hasPrefix(">") {
        if text.contains("\"detach\": true") {
          isGated = true
          mailbox.onMachine { $0.dumpGate = gate }
        }
        if text.contains("memsave") {
          client.send(replace(text, "\"pm\"", "\"\(scratch.file("memory"))\"") + "\n")
        } else {
          client.send(text + "\n")
        }
        continue
      }
      if text == "EOF" {
        ended.wait()
        host.close()
        // A question that the client had still asked may have its answer.
        while client.line() != nil {}
        break
      }
      if isGated, text.contains("DUMP_COMPLETED") { gate.signal() }
      if text.contains("GUEST_PANICKED") { mailbox.post { ($0 as? FakeMachine)?.panic() } }
      if text.contains("guest-reset") { mailbox.post { ($0 as? FakeMachine)?.guestReset() } }
      guard let answer = client.line() else {
        Issue.record("\(name): no answer, expected \(text)")
        return
      }
      #expect(normalize(answer) == normalize(text), "\(name)")
    }
  }

  private func replace(_ text: String, _ old: String, _ new: String) -> String {
    var result = ""
    var rest = Substring(text)
    while let range = rest.firstRange(of: old) {
      result += rest[..<range.lowerBound] + new
      rest = rest[range.upperBound...]
    }
    return result + rest
  }

  private func configure(_ machine: FakeMachine, _ name: String, _ lines: [String]) {
    machine.noReboot = !name.contains("allowreboot")
    if name.hasPrefix("errors") { machine.runState = .prelaunch }
    if name.hasPrefix("panic-default") { machine.actions.panic = .shutdown }
    if name.hasSuffix("shutdownpause") { machine.actions.shutdown = .pause }
    if name.hasPrefix("panic-exit") { machine.actions.panic = .exitFailure }
    if name.hasPrefix("panic-none") { machine.actions.panic = .none }
    if name.hasPrefix("rrcont") {
      machine.position = MachinePosition(
        instructionCount: 1_869_813_328, virtualTime: 0, mode: name.contains("record") ? .record : .play,
        filename: "rrc.bin")
    }
    if let line = lines.first(where: { $0.contains("CPU#0") }),
      let text = try? JSONParser.parse(String(line.dropFirst()))["return"]?.stringValue
    {
      machine.registers = replace(text, "\r\n", "\n")
    }
  }

  /// Takes out of a line what differs by nature, and what `docs/monitor.md` says is different on purpose.
  private func normalize(_ line: String) -> String {
    guard var value = try? JSONParser.parse(line) else { return line }
    if value["QMP"] != nil {
      value = ["QMP": ["capabilities": value["QMP"]?["capabilities"] ?? .null]]
    }
    guard var object = value.objectValue else { return line }
    if object["timestamp"] != nil { object["timestamp"] = 0 }
    if object["return"]?["qemu"] != nil { object["return"] = "version" }
    if object["return"]?["formats"] != nil { object["return"] = "formats" }
    if object["return"]?["present"] != nil { object["return"] = "kvm" }
    if var cpu = object["return"]?.arrayValue?.first?.objectValue, cpu["thread-id"] != nil {
      cpu["thread-id"] = 0
      object["return"] = .array([.object(cpu)])
    }
    // A detached dump's count depends on the moment.
    if var result = object["return"]?.objectValue, result["status"] == "active" {
      result["completed"] = 0
      result["total"] = 0
      object["return"] = .object(result)
    }
    return JSONValue.object(object).text
  }
}
