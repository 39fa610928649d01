import Foundation
import Session
import Testing
import Trace

@Suite struct ReplayTargetTests {
  /// The `panic` guest, continued twice: boots three times.
  private func recorded(_ scratch: Scratch) throws -> (path: String, result: RecordingResult) {
    let path = scratch.path("cont.inq")
    var options = RecordingOptions()
    options.panicPolicy = .cont
    return (path, try record("panic", to: path, setup(), options).result)
  }

  private func instant(_ text: String, _ path: String) throws -> Instant {
    let target = try InstantSpec(text).target(in: TraceReader(path: path))
    let (result, _, _) = try replay(path, until: target)
    #expect(result.reason == .until)
    return result.instant
  }

  @Test func placesOfATrace() throws {
    let scratch = try Scratch()
    let (path, live) = try recorded(scratch)
    #expect(try instant("panic", path) == live.panics[0])
    #expect(try instant("panic:2", path) == live.panics[1])
    // The cont comes at the place of the panic, and the state there is the one before it.
    #expect(try instant("cont:1", path) == live.panics[0])
    #expect(try instant("start", path) == .zero)
    #expect(try instant("panic-100", path).instructionCount == live.panics[0].instructionCount - 100)
    #expect(try instant("reset:1", path) > live.panics[0])
    let middle = live.panics[0].instructionCount / 2
    #expect(try instant("\(middle)", path).instructionCount == middle)
    let time = live.virtualTime / 2
    #expect(try instant("t=\(time)ns", path) < live.instant)
  }

  @Test(arguments: ["panic:3", "99999999999", "t=1000s", "cont:9", "panic-99999999999"])
  func placesThatATraceDoesNotHave(text: String) throws {
    let scratch = try Scratch()
    let (path, _) = try recorded(scratch)
    let reader = try TraceReader(path: path)
    #expect(throws: SessionError.self) { try InstantSpec(text).target(in: reader) }
  }

  @Test func theStateAtAnInstantIsAlwaysTheSame() throws {
    let scratch = try Scratch()
    let (path, live) = try recorded(scratch)
    func digest(_ target: StopTarget, via stops: [UInt64] = []) throws -> [UInt8] {
      let session = try ReplaySession(path: path, until: stops.first.map { .instructionCount($0) } ?? target)
      var result = session.run()
      for stop in stops.dropFirst() { result = session.resume(until: .instructionCount(stop)) }
      if !stops.isEmpty { result = session.resume(until: target) }
      #expect(result.reason == .until)
      let memory = session.machine.memory
      var hash = SHA256()
      hash.update(UnsafeRawBufferPointer(start: memory.base, count: Int(memory.size)))
      #expect(session.runState == .guestPanicked)
      return hash.finalize() + withUnsafeBytes(of: session.rip) { Array($0) }
    }
    let target = StopTarget.instant(live.panics[1])
    let straight = try digest(target)
    let last = live.panics[1].instructionCount
    for step in [997, 10_007, 100_003] as [UInt64] {
      #expect(try digest(target, via: Array(stride(from: step, to: last, by: Int(max(step, last / 50))))) == straight)
    }
  }

  @Test func clientsSteerAReplayAndChangeNothing() throws {
    let scratch = try Scratch()
    let (path, live) = try recorded(scratch)
    let session = try ReplaySession(path: path, until: .instant(live.panics[0]))
    let heard = Listener()
    heard.attach(to: session)
    let reached = DispatchSemaphore(value: 0)
    session.shouldHold = {
      reached.signal()
      return true
    }
    session.start()
    reached.wait()
    session.mailbox.post { machine in
      #expect(machine.runState == .guestPanicked)
      #expect(machine.position.mode == .play)
      for command in [ControlCommand.systemReset, .injectNMI, .systemPowerdown] {
        do {
          try machine.perform(command)
          Issue.record("\(command) was not refused")
        } catch let error as ControlError { #expect(error.message.contains("inquest branch")) } catch {
          Issue.record("\(error)")
        }
      }
      try? machine.perform(.stop)
      #expect(machine.runState == .guestPanicked)
      try? machine.perform(.cont)
    }
    let result = session.wait()
    #expect(result.reason == .end("guest-shutdown"))
    #expect(result.instant == live.instant)
  }

  @Test func aClientMayQuitAReplay() throws {
    let scratch = try Scratch()
    let (path, live) = try recorded(scratch)
    let session = try ReplaySession(path: path, until: .instant(live.panics[0]))
    session.shouldHold = { true }
    session.start()
    session.mailbox.post { try? $0.perform(.quit) }
    #expect(session.wait().reason == .quit)
  }
}

@Suite struct CutOffTests {
  @Test func aTraceThatWasCutOffReplaysToItsEnd() throws {
    let scratch = try Scratch()
    let path = scratch.path("whole.inq")
    var options = RecordingOptions()
    options.panicPolicy = .cont
    let (_, heard) = try record("panic", to: path, setup(), options)
    let whole = try TraceReader(path: path)
    // As after SIGKILL: what was flushed is there, the index and the end marker are not.
    let image = ImageSource(name: "kernel", role: "kernel", data: try whole.readImage("kernel"))
    let total = Int(whole.summary?.eventCount ?? 0)
    for kept in [1, 2, 3, 10] + Array(stride(from: 20, to: total, by: max(1, total / 25))) + [total] {
      let open = scratch.path("open.inq")
      let writer = try TraceWriter(path: open, header: whole.header, images: [image])
      var cursor = whole.events()
      for _ in 0..<kept {
        if let event = try cursor.next() { try writer.append(event.body, at: event.instant) }
      }
      try writer.flush()
      let piece = scratch.path("cut.inq")
      try Data(contentsOf: URL(fileURLWithPath: open)).write(to: URL(fileURLWithPath: piece))
      try writer.close()
      let (result, heardAgain, session) = try replay(piece)
      #expect(session.isCutOff)
      #expect(result.reason == (kept == total ? .end("guest-shutdown") : .cutOff), "\(kept) of \(total) events")
      #expect(heard.console.hasPrefix(heardAgain.console))
      #expect(try TraceInfo(of: TraceReader(path: piece)).state == "cut-off")
    }
  }

  @Test func aCutWithinTheImagesLeavesNothingToReplay() throws {
    let scratch = try Scratch()
    let path = scratch.path("whole.inq")
    _ = try record("panic", to: path, setup())
    let data = try Data(contentsOf: URL(fileURLWithPath: path))
    let header = try TraceReader(path: path).frames[0]
    let piece = scratch.path("cut.inq")
    try data.prefix(Int(header.length) + 20).write(to: URL(fileURLWithPath: piece))
    #expect(throws: SessionError.cutOffInImages(path: piece)) { try ReplaySession(path: piece) }
  }

  @Test func aWitnessThatDoesNotMatchStopsTheReplay() throws {
    let scratch = try Scratch()
    let path = scratch.path("a.inq")
    _ = try record("random", to: path, setup(seed: 1))
    // The same events under a header with another seed.
    let reader = try TraceReader(path: path)
    let other = scratch.path("b.inq")
    let changed = setup(seed: 2)
    var header = reader.header
    header.machine = try JSONValue(encoding: changed)
    let writer = try TraceWriter(
      path: other, header: header,
      images: [
        ImageSource(name: "kernel", role: "kernel", data: try reader.readImage("kernel"))
      ])
    var cursor = reader.events()
    while let event = try cursor.next() { try writer.append(event.body, at: event.instant) }
    try writer.close()
    let (result, _, _) = try replay(other)
    let divergence = try #require(result.divergence)
    #expect(divergence.expected != nil)
    #expect(divergence.found != nil)
    #expect("\(divergence)".contains("rip 0x"))
  }

  @Test func otherMachineVersionsAreRefused() throws {
    let scratch = try Scratch()
    let path = scratch.path("a.inq")
    _ = try record("hello", to: path, setup())
    var header = try TraceReader(path: path).header
    header.machineVersion += 1
    let other = scratch.path("b.inq")
    try TraceWriter(path: other, header: header).close()
    #expect(
      throws: SessionError.machineVersion(
        path: other, found: Session.machineVersion + 1, supported: Session.machineVersion)
    ) { try ReplaySession(path: other) }
  }

  @Test func imagesThatAreNotInTheTraceAreFoundByDigest() throws {
    let scratch = try Scratch()
    let path = scratch.path("a.inq")
    let session = try RecordingSession(
      setup: setup(), images: images("hello"), trace: path, kernelName: scratch.path("gone"), embed: false)
    _ = session.run()
    #expect(throws: SessionError.self) { try ReplaySession(path: path) }
    let kernel = scratch.path("kernel")
    try Data(Guests.bytes("hello")).write(to: URL(fileURLWithPath: kernel))
    let wrong = scratch.path("wrong")
    try Data(Guests.bytes("panic")).write(to: URL(fileURLWithPath: wrong))
    #expect(try ReplaySession(path: path, imagePaths: [wrong, kernel]).run().divergence == nil)
  }
}

@Suite struct BranchTests {
  private func branch(
    _ parent: String, to path: String, _ commands: [ControlCommand], seed: UInt64?,
    at: InstantSpec = .marker(.panic, number: 1, offset: 0), until: InstantSpec? = nil
  ) throws -> RecordingResult {
    var options = BranchOptions()
    options.at = at
    options.commands = commands
    options.seed = seed
    options.until = until
    return try BranchSession(parent: parent, options: options, output: path).run()
  }

  @Test func branchesStandAloneAndDiffer() throws {
    let scratch = try Scratch()
    let parent = scratch.path("parent.inq")
    _ = try record("panic", to: parent, setup())
    let (a, b, c) = (scratch.path("a.inq"), scratch.path("b.inq"), scratch.path("c.inq"))
    let first = try branch(parent, to: a, [.cont], seed: 7)
    #expect(first.failure == nil)
    _ = try branch(parent, to: b, [.cont], seed: 7)
    _ = try branch(parent, to: c, [.systemReset, .cont], seed: 7)
    try FileManager.default.removeItem(atPath: parent)
    for path in [a, b, c] {
      let (result, _, _) = try replay(path)
      #expect(result.divergence == nil)
      let info = try TraceInfo(of: TraceReader(path: path))
      #expect(info.parent?.name == "parent.inq")
      #expect(info.panics.count >= 1)
    }
    let same = try RunDiff(TraceReader(path: a), TraceReader(path: b))
    #expect(same.isIdentical, "\(same.text)")
    let diff = try RunDiff(TraceReader(path: a), TraceReader(path: c))
    #expect(!diff.isIdentical)
    #expect(diff.parting?.first.event?.contains("cont") == true)
    #expect(diff.parting?.second.event?.contains("system_reset") == true)
    #expect(diff.ancestry.contains("both branch from parent.inq"))
    let end = try EndStateDiff(a, b)
    #expect(end.isIdentical)
  }

  @Test func anotherSeedDrawsOtherNumbers() throws {
    let scratch = try Scratch()
    let parent = scratch.path("parent.inq")
    let (live, _) = try record("random", to: parent, setup(seed: 1))
    let at = InstantSpec.instructionCount(live.instant.instructionCount / 2)
    let (a, b, c) = (scratch.path("a.inq"), scratch.path("b.inq"), scratch.path("c.inq"))
    _ = try branch(parent, to: a, [], seed: nil, at: at)
    _ = try branch(parent, to: b, [], seed: 5, at: at)
    _ = try branch(parent, to: c, [], seed: 6, at: at)
    #expect(try replay(a).result.divergence == nil)
    #expect(try replay(b).result.divergence == nil)
    // Without a change a branch is its parent.
    #expect(try RunDiff(TraceReader(path: parent), TraceReader(path: a)).isIdentical)
    let diff = try RunDiff(TraceReader(path: b), TraceReader(path: c))
    #expect(diff.parting?.first.event?.contains("entropy") == true)
    #expect(diff.console.contains { $0.side == "-" })
    #expect(diff.text.contains("What follows"))
  }

  @Test func aRunThatIsOverHasNoBranches() throws {
    let scratch = try Scratch()
    let parent = scratch.path("parent.inq")
    _ = try record("hello", to: parent, setup())
    let path = scratch.path("a.inq")
    #expect(throws: SessionError.self) {
      try branch(parent, to: path, [.cont], seed: nil, at: .end)
    }
    #expect(!FileManager.default.fileExists(atPath: path))
  }

  @Test func untilEndsABranch() throws {
    let scratch = try Scratch()
    let parent = scratch.path("parent.inq")
    _ = try record("panic", to: parent, setup())
    let path = scratch.path("a.inq")
    let reset = try branch(
      parent, to: path, [.cont], seed: nil, until: .marker(.reset, number: 1, offset: 0))
    #expect(reset.ending == .until)
    #expect(try replay(path).result.reason == .end("until"))
    // The end of the parent is its `quit`, before which one can go another way.
    let next = try branch(parent, to: path, [.cont], seed: nil, at: .end)
    // Nobody is there to continue a machine that was reset: it starts.
    let alone = try branch(parent, to: scratch.path("b.inq"), [.systemReset], seed: nil, at: .end)
    #expect(alone.panics.count == 1)
    #expect(next.panics.count == 1)
    #expect(try replay(path).result.divergence == nil)
  }
}

@Suite struct TraceInfoTests {
  @Test func saysWhatATraceIs() throws {
    let scratch = try Scratch()
    let path = scratch.path("a.inq")
    var options = RecordingOptions()
    options.panicPolicy = .cont
    let (live, _) = try record("panic", to: path, setup { $0.configuration.commandLine = "loud" }, options)
    let info = try TraceInfo(of: TraceReader(path: path))
    #expect(info.panics.count == 2)
    #expect(info.panics[0].instructions == live.panics[0].instructionCount)
    #expect(info.panics[0].rip?.hasPrefix("0x") == true)
    #expect(info.instructions == live.instant.instructionCount)
    #expect(info.virtualTime == live.virtualTime)
    #expect(info.commandLine == "loud")
    #expect(info.commands.map(\.command) == ["{\"execute\": \"cont\"}", "{\"execute\": \"cont\"}"])
    #expect(info.commands.map(\.source) == ["policy", "policy"])
    #expect(info.state == "closed")
    #expect(info.ending == "guest-shutdown")
    #expect(try JSONDecoder().decode(TraceInfo.self, from: Data(info.json.utf8)) == info)
  }
}
