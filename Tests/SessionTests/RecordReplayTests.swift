import Foundation
import Session
import Testing
import Trace

@Suite struct RecordReplayTests {
  @Test func aPanicIsRecordedAndReplayed() throws {
    let scratch = try Scratch()
    let path = scratch.path("panic.inq")
    let (live, heard) = try record("panic", to: path, setup())
    #expect(live.ending == .shutdown(.hostQMPQuit, isFailure: false))
    #expect(live.panics.count == 1)
    #expect(live.failure == nil)
    #expect(heard.console.contains("PANIC: ledger"))
    #expect(heard.events == [.guestPanicked(action: "pause"), .stop, .shutdown(.hostQMPQuit)])

    let (again, heardAgain, _) = try replay(path)
    #expect(again.reason == .end("host-qmp-quit"))
    #expect(again.instant == live.instant)
    #expect(again.virtualTime == live.virtualTime)
    #expect(heardAgain.console == heard.console)
    #expect(heardAgain.events == heard.events)
  }

  @Test func contAtThePanicIsPartOfTheTrace() throws {
    let scratch = try Scratch()
    let path = scratch.path("cont.inq")
    var options = RecordingOptions()
    options.panicPolicy = .cont
    let (live, heard) = try record("panic", to: path, setup(), options)
    #expect(live.panics.count == 2)
    #expect(live.ending == .shutdown(.guestShutdown, isFailure: false))
    #expect(heard.console.components(separatedBy: "ledger: boot").count == 4)
    let (again, heardAgain, _) = try replay(path)
    #expect(again.reason == .end("guest-shutdown"))
    #expect(heardAgain.console == heard.console)
    #expect(heardAgain.events == heard.events)
    #expect(heard.events.contains(.resume))
    #expect(heard.events.contains(.reset(.guestReset)))
  }

  @Test func aHundredSeedsReplay() throws {
    let scratch = try Scratch()
    let path = scratch.path("random.inq")
    var consoles: Set<String> = []
    for seed in 0..<100 as Range<UInt64> {
      let (live, heard) = try record("random", to: path, setup(seed: seed &* 0x9E37_79B9_7F4A_7C15))
      let (again, heardAgain, _) = try replay(path)
      #expect(again.divergence == nil)
      #expect(again.reason == .end(live.ending.reason))
      #expect(again.instant == live.instant)
      #expect(heardAgain.console == heard.console)
      consoles.insert(heard.console)
    }
    #expect(consoles.count == 100)
  }

  @Test(arguments: ["hello", "events", "race"])
  func otherGuestsReplay(guest: String) throws {
    let scratch = try Scratch()
    let path = scratch.path("guest.inq")
    let (live, heard) = try record(guest, to: path, setup { $0.actions.panic = .none })
    let (again, heardAgain, _) = try replay(path)
    #expect(again.reason == .end(live.ending.reason))
    #expect(heardAgain.console == heard.console)
    #expect(heardAgain.events == heard.events)
    #expect(!heard.console.isEmpty)
  }

  @Test func typingIsAnInput() throws {
    let scratch = try Scratch()
    let path = scratch.path("echo.inq")
    var options = RecordingOptions()
    options.acceptsInput = true
    options.pacesIdleTime = true
    let session = try RecordingSession(
      setup: setup(), images: images("serial-echo"), trace: path, options: options)
    let heard = Listener()
    heard.attach(to: session)
    session.start()
    Thread.sleep(forTimeInterval: 0.1)
    session.sendSerial(port: 0, bytes: Array("what is typed\r".utf8))
    Thread.sleep(forTimeInterval: 0.05)
    session.sendSerial(port: 0, bytes: Array("comes back\r\u{4}".utf8))
    let live = session.wait()
    #expect(heard.console.contains("off after 26 bytes"))
    let (again, heardAgain, _) = try replay(path)
    #expect(again.reason == .end(live.ending.reason))
    #expect(heardAgain.console == heard.console)
  }

  @Test func commandsOfMonitorsAreInputs() throws {
    let scratch = try Scratch()
    let path = scratch.path("commands.inq")
    var options = RecordingOptions()
    options.hasMonitor = true
    let session = try RecordingSession(
      setup: setup { $0.startPaused = true }, images: images("panic"), trace: path, options: options)
    let heard = Listener()
    heard.attach(to: session)
    session.start()
    for command in [ControlCommand.cont, .stop, .systemReset, .cont, .injectNMI, .systemPowerdown] {
      session.mailbox.post { try? $0.perform(command) }
      Thread.sleep(forTimeInterval: 0.02)
    }
    while !heard.events.contains(.guestPanicked(action: "pause")) { Thread.sleep(forTimeInterval: 0.01) }
    session.mailbox.post { machine in
      try? machine.perform(.systemReset)
      try? machine.perform(.cont)
    }
    Thread.sleep(forTimeInterval: 0.2)
    session.requestQuit(cause: .hostSignal)
    let live = session.wait()
    let reason = live.ending.reason
    let (again, heardAgain, _) = try replay(path)
    #expect(again.reason == .end(reason))
    #expect(again.instant == live.instant)
    #expect(heardAgain.events == heard.events)
    #expect(heardAgain.console == heard.console)
  }

  @Test func aSeedRepeatsARun() throws {
    let scratch = try Scratch()
    _ = try record("random", to: scratch.path("a.inq"), setup(seed: 7))
    _ = try record("random", to: scratch.path("b.inq"), setup(seed: 7))
    _ = try record("random", to: scratch.path("c.inq"), setup(seed: 8))
    let a = try TraceReader(path: scratch.path("a.inq"))
    #expect(try RunDiff(a, TraceReader(path: scratch.path("b.inq"))).isIdentical)
    #expect(try !RunDiff(a, TraceReader(path: scratch.path("c.inq"))).isIdentical)
  }

  @Test func withoutATraceTheRunIsTheSame() throws {
    let scratch = try Scratch()
    let (traced, heard) = try record("panic", to: scratch.path("a.inq"), setup())
    let (plain, heardPlain) = try record("panic", to: nil, setup())
    #expect(plain.instant == traced.instant)
    #expect(heardPlain.console == heard.console)
  }
}
