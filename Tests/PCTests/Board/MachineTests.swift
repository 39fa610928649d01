import Foundation
import PC
import Testing

@Suite struct MachineTests {
  @Test func helloPrintsAndEnds() throws {
    let bench = try Bench("hello")
    #expect(bench.run() == .debugExit(33))
    #expect(bench.world.text.contains("hello, loaded by multiboot"))
  }

  @Test func theSameSeedGivesTheSameRun() throws {
    let first = try Bench("random", seed: 5)
    let second = try Bench("random", seed: 5)
    let third = try Bench("random", seed: 6)
    #expect(first.run() == .debugExit(33))
    #expect(second.run() == .debugExit(33))
    #expect(third.run() == .debugExit(33))
    #expect(first.world.events == second.world.events)
    #expect(try first.endState() == second.endState())
    #expect(first.world.text != third.world.text)
  }

  /// `run(until: a)`, `run(until: b)` is `run(until: b)`, wherever a is.
  @Test(arguments: ["random", "race", "panic"]) func slicingMakesNoDifference(_ guest: String) throws {
    let whole = try Bench(guest, seed: 3, chaos: guest == "race")
    let wholeStop = whole.run()
    #expect(wholeStop != .limit)
    for seed: UInt64 in 1...3 {
      let sliced = try Bench(guest, seed: 3, chaos: guest == "race")
      var stream = RandomStream(seed: seed, purpose: .scheduling)
      var stop = MachineStop.limit
      while stop == .limit {
        // Mostly short, now and then long.
        let length = 1 + stream.next(below: 1 << stream.next(below: 14))
        stop = sliced.run(until: sliced.machine.instructionCount + length)
      }
      #expect(stop == wholeStop)
      #expect(sliced.machine.instructionCount == whole.machine.instructionCount)
      #expect(sliced.world.events == whole.world.events)
      #expect(try sliced.endState() == whole.endState())
    }
  }

  @Test func aSnapshotIsAPlaceToComeBackTo() throws {
    let bench = try Bench("random", seed: 9)
    for place: UInt64 in [40_000, 300_000, 1_500_000] {
      #expect(bench.run(until: place) == .limit)
      let data = try JSONEncoder().encode(bench.machine.snapshot())
      let ram = bench.ram
      bench.world.events = []
      #expect(bench.run(until: place + 500_000) == .limit)
      let events = bench.world.events
      let end = try bench.endState()

      bench.machine.restore(try JSONDecoder().decode(MachineSnapshot.self, from: data))
      bench.machine.memory.write(0, Array(ram[..<0xA0000]))
      bench.machine.memory.write(0xC0000, Array(ram[0xC0000...]))
      bench.world.events = []
      #expect(bench.run(until: place + 500_000) == .limit)
      #expect(bench.world.events == events)
      #expect(try bench.endState() == end)

      bench.machine.restore(try JSONDecoder().decode(MachineSnapshot.self, from: data))
      bench.machine.memory.write(0, Array(ram[..<0xA0000]))
      bench.machine.memory.write(0xC0000, Array(ram[0xC0000...]))
    }
  }

  @Test func aSnapshotMovesToAnotherMachine() throws {
    let first = try Bench("race", seed: 26, chaos: true)
    #expect(first.run(until: 100_000) == .limit)
    let second = try Bench("race", seed: 1, chaos: true)
    second.machine.restore(first.machine.snapshot())
    let ram = first.ram
    second.machine.memory.write(0, Array(ram[..<0xA0000]))
    second.machine.memory.write(0xC0000, Array(ram[0xC0000...]))
    first.world.events = []
    #expect(first.run() == second.run())
    #expect(first.world.events == second.world.events)
    #expect(try first.endState() == second.endState())
  }

  @Test func thePanicStopIsBehindTheOUT() throws {
    let bench = try Bench("panic")
    #expect(bench.run() == .panicEvent(1))
    let rip = bench.machine.processorState.rip
    // OUT DX, AL.
    #expect(bench.machine.readLinear(rip - 1, count: 1) == [0xEE])
    #expect(bench.machine.translate(rip) == rip)
  }

  @Test func theGuestResetsAndStartsAgain() throws {
    let bench = try Bench("panic")
    #expect(bench.run() == .panicEvent(1))
    let count = bench.machine.instructionCount
    try bench.machine.reset()
    #expect(bench.machine.instructionCount == count)
    bench.world.console = []
    #expect(bench.run() == .panicEvent(1))
    #expect(bench.world.text.contains("ledger:"))
    #expect(bench.machine.instructionCount > count)
  }

  @Test func serialInputIsEchoed() throws {
    let bench = try Bench("serial-echo")
    #expect(bench.machine.run(until: 10_000_000) == .idle(nextTimer: nil))
    #expect(bench.machine.canReceiveSerial(0))
    #expect(!bench.machine.canReceiveSerial(1))
    bench.world.console = []
    #expect(bench.machine.serialInput(port: 0, bytes: Array("hi\r".utf8)) == 3)
    #expect(bench.machine.run(until: 20_000_000) == .idle(nextTimer: nil))
    #expect(bench.world.text.hasPrefix("hi\r\n"))
    #expect(bench.machine.serialInput(port: 0, bytes: [4]) == 1)
    #expect(bench.run(until: 30_000_000) == .debugExit(33))
  }

  @Test func anotherThreadStopsARun() throws {
    let bench = try Bench("serial-echo")
    bench.machine.requestStop()
    #expect(bench.machine.run(until: 1000) == .stopRequested)
    #expect(bench.machine.instructionCount == 0)
    #expect(bench.machine.run(until: 1000) == .limit)
  }

  @Test func chaosBringsOutTheRaceAndNothingElseDoes() throws {
    var panics = 0
    for seed: UInt64 in 1...40 {
      let bench = try Bench("race", seed: seed, chaos: true)
      if bench.run() == .panicEvent(1) { panics += 1 }
      let delayed = bench.world.events.reduce(UInt64(0)) { sum, event -> UInt64 in
        if case .delay(let nanoseconds) = event { return sum + nanoseconds }
        return sum
      }
      // A delay that the guest's end cuts short counts in full.
      #expect(delayed <= bench.machine.virtualTime / 4)
    }
    #expect((1...20).contains(panics))
    for seed: UInt64 in 1...4 { #expect(try Bench("race", seed: seed).run() == .debugExit(33)) }
  }

  @Test func registersAsQEMUShowsThem() throws {
    let bench = try Bench("panic")
    #expect(bench.run() == .panicEvent(1))
    let text = bench.machine.registersText()
    #expect(text.contains("CPL=0 II=0 A20=1 SMM=0 HLT=0"))
    #expect(text.contains("CR0=80010033"))
    #expect(text.contains("[CR-]") || text.contains("CS64 [-RA]"))
  }

  @Test func configurationsThatCannotBe() throws {
    let world = WorldLog()
    func error(_ change: (inout MachineConfiguration, inout MachineImages) -> Void) -> String {
      var configuration = MachineConfiguration()
      configuration.memorySize = 4 << 20
      var images = MachineImages()
      images.kernel = [1, 2, 3, 4]
      change(&configuration, &images)
      do {
        _ = try Machine(configuration: configuration, images: images, world: world)
        return ""
      } catch { return "\(error)" }
    }
    #expect(error { c, _ in c.memorySize = 5000 }.contains("-m"))
    #expect(error { c, _ in c.serialPorts = 5 }.contains("serial"))
    #expect(error { c, _ in c.timeShift = 11 }.contains("shift"))
    #expect(error { _, i in i.kernel = nil }.contains("-kernel"))
    #expect(error { _, _ in }.contains("no bzImage"))
    #expect(error { c, _ in c.debugConsoles = [0x3F8] }.contains("serial port"))
    var outside = MachineConfiguration.DebugExitOptions()
    outside.port = 0xFFFF
    #expect(error { c, _ in c.isaDebugExit = outside }.contains("isa-debug-exit"))
  }
}
