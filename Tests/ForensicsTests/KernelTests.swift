import Forensics
import Testing

@Suite struct KernelTests {
  @Test func symbolsAreFoundByScanning() throws {
    let kernel = try Kernel(SyntheticGuest.withTasks())
    #expect(kernel.vmcoreinfo == nil)
    #expect(kernel.symbols.count == 612)
    let base = SyntheticGuest.linear(0x10_0000)
    #expect(kernel.symbols.address(of: "panic") == base + 0x200)
    #expect(kernel.symbols.address(of: "current_task") == 0x40)
    #expect(kernel.symbols.address(of: "nothing") == nil)
    #expect(kernel.symbolizer.text(base + 0x212) == "panic+0x12/0x100")
    #expect(kernel.symbolizer.address(of: "panic+0x12") == base + 0x212)
    #expect(kernel.symbolizer.text(0x1234) == "0x1234")
    let long = try #require(kernel.symbolizer.name(of: SyntheticGuest.linear(0x3F_0004)))
    #expect(long.symbol.utf8.count == 200)
  }

  @Test func tasksOfAList() throws {
    let kernel = try Kernel(SyntheticGuest.withTasks())
    #expect(kernel.tasks.problem == nil)
    #expect(kernel.tasks.all.map(\.name) == ["swapper/0", "init", "kthreadd"])
    #expect(kernel.tasks.all.map(\.state) == ["R", "R", "S"])
    #expect(kernel.tasks.all.map(\.isKernelThread) == [true, false, true])
    #expect(kernel.currentTask?.pid == 1)
    #expect(kernel.modules.all.isEmpty)
    #expect(kernel.modules.problem == nil)
  }

  @Test func listThatIsALoopEnds() throws {
    let guest = SyntheticGuest.withTasks()
    // The last task leads back to the second one, not to the head.
    guest.store(SyntheticGuest.taskPlace + 0x2000 + 8, SyntheticGuest.linear(SyntheticGuest.taskPlace + 0x1000 + 8))
    let kernel = try Kernel(guest)
    #expect(kernel.tasks.problem?.contains("damaged") == true)
    #expect(kernel.tasks.all.count == 3)
  }

  @Test func listIntoNothingEnds() throws {
    let guest = SyntheticGuest.withTasks()
    guest.store(SyntheticGuest.taskPlace + 0x1000 + 8, UInt64(0x1234_5678))
    let kernel = try Kernel(guest)
    #expect(kernel.tasks.problem != nil)
    #expect(kernel.tasks.all.contains { $0.name == "init" })
  }

  @Test func walkOfAnAddress() throws {
    let kernel = try Kernel(SyntheticGuest.withTasks())
    let walk = kernel.space.walk(SyntheticGuest.linear(0x12_3456))
    #expect(walk.physical == 0x12_3456)
    #expect(walk.entries.map(\.name) == ["PML4E", "PDPTE", "PDE"])
    #expect(walk.entries.last?.flags == "present writable kernel large")
    let none = kernel.space.walk(0x1000)
    #expect(none.physical == nil)
    #expect(none.entries.map(\.flags) == ["empty"])
    #expect(kernel.space.physical(0x0001_0000_0000_0000) == nil)
  }

  @Test func readsStopAtTheEndOfMemory() throws {
    let kernel = try Kernel(SyntheticGuest.withTasks())
    let last = SyntheticGuest.linear(0x40_0000 - 8)
    #expect(kernel.space.u64(last) == 0)
    #expect(kernel.space.u64(last + 4) == nil)
    #expect(kernel.space.read(last, count: 16) == nil)
    #expect(kernel.space.readPrefix(last, count: 16).count == 8)
    #expect(kernel.space.read(last, count: .max) == nil)
    #expect(kernel.space.u64(.max - 3) == nil)
  }

  /// Without unwind tables: frame pointers, then a scan.
  @Test func backtraceWithoutTables() throws {
    let guest = SyntheticGuest.withTasks()
    let base = SyntheticGuest.linear(0x10_0000)
    // CALL before the return address.
    guest.store(0x10_0110, [0xE8, 0, 0, 0, 0])
    guest.store(0x10_0250, [0xFF, 0xD0])
    let stack = 0x32_0000
    guest.processors[0].rip = base + 0x310
    guest.processors[0].general[4] = SyntheticGuest.linear(stack)
    guest.processors[0].general[5] = SyntheticGuest.linear(stack + 0x20)
    guest.store(stack + 0x20, SyntheticGuest.linear(stack + 0x60))
    guest.store(stack + 0x28, base + 0x252)
    guest.store(stack + 0x60, UInt64(0))
    guest.store(stack + 0x68, UInt64(0x55))
    guest.store(stack + 0x70, base + 0x115)
    let trace = try Kernel(guest).backtrace()
    #expect(
      trace.frames.map(\.text) == [
        "after_panic+0x10/0x1fd00", "panic+0x52/0x100", "? start_kernel+0x15/0x100",
      ])
    #expect(trace.frames.map(\.method) == [.registers, .framePointer, .scan])
    #expect(trace.problem != nil)
  }

  /// An exception came in `panic`; its handler's frame leads to what it interrupted, and on.
  @Test(arguments: SyntheticGuest.ORCForm.allCases) func backtraceByTables(form: SyntheticGuest.ORCForm) throws {
    let guest = SyntheticGuest.withTasks(orc: form)
    let base = SyntheticGuest.linear(0x10_0000)
    let (stack, interrupted) = (0x32_0000, 0x33_0000)
    guest.processors[0].rip = base + 0x310
    guest.processors[0].general[4] = SyntheticGuest.linear(stack)
    let saved = stack + 0x10
    guest.store(saved + 80, UInt64(0x1234))
    guest.store(saved + 120, UInt64(2))
    guest.store(saved + 128, base + 0x252)
    guest.store(saved + 136, UInt64(0x10))
    guest.store(saved + 152, SyntheticGuest.linear(interrupted))
    guest.store(interrupted + 0x18, base + 0x115)
    let trace = try Kernel(guest).backtrace()
    #expect(trace.problem == nil)
    let names = trace.frames.map { frame in frame.text.split(separator: "/").first.map(String.init) ?? "" }
    #expect(names == ["after_panic+0x10", "panic+0x52", "start_kernel+0x15"])
    #expect(trace.frames.map(\.kind) == [.call, .exception, .call])
    let rax = trace.frames.first?.registers.first { $0.name == "rax" }?.value
    #expect(rax == 0x1234)
    #expect(trace.frames.map(\.isReliable) == [true, true, true])

    // The exception came from a program.
    guest.store(saved + 136, UInt64(0x33))
    guest.store(saved + 128, UInt64(0x40_0000))
    let user = try Kernel(guest).backtrace()
    #expect(user.frames.map(\.kind) == [.call, .user])
    #expect(user.problem == nil)

    // Registers that say that the exception interrupted itself, for ever.
    guest.store(saved + 136, UInt64(0x10))
    guest.store(saved + 128, base + 0x310)
    guest.store(saved + 152, SyntheticGuest.linear(stack))
    let circle = try Kernel(guest).backtrace()
    #expect(circle.problem?.contains("circle") == true)
  }

  @Test func moduleNotesGiveTheBuildID() throws {
    var note: [UInt8] = [4, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0]
    note += [0x47, 0x4E, 0x55, 0, 0xAB, 0xCD, 0x01, 0]
    #expect(BuildID.text(inNotes: note) == "abcd01")
    #expect(BuildID.text(inNotes: Array(note.dropLast(4))) == nil)
    #expect(BuildID.text(inNotes: [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF] + note) == nil)
  }
}
