import Session
import Testing
import X86Core

@Suite struct RegisterFileTests {
  private func register(_ name: String) throws -> ProcessorRegister { try #require(ProcessorRegister.named(name)) }

  @Test func numbersAreIndices() throws {
    for (index, register) in ProcessorRegister.all.enumerated() { #expect(register.number == index) }
    #expect(try register("rip").number == 16)
    #expect(try register("st0").number == 24)
    #expect(try register("fctrl").number == 32)
    #expect(try register("xmm0").number == 40)
    #expect(try register("mxcsr").number == 56)
    #expect(try register("PC").name == "rip")
    #expect(ProcessorRegister.named("nothing") == nil)
  }

  /// What is written is read again, in every register that can hold every value.
  @Test func valuesComeBack() throws {
    for register in ProcessorRegister.all
    where [.general, .sse].contains(register.group) || register.name.hasPrefix("st") {
      if ["eflags", "mxcsr"].contains(register.name) { continue }
      var file = FakeTarget().file
      let value = (0..<register.byteCount).map { UInt8(truncatingIfNeeded: 0x11 * ($0 + 1)) }
      try file.set(register, value)
      #expect(file[register] == value, "\(register.name)")
    }
  }

  @Test func tagsFollowContents() throws {
    var file = FakeTarget().file
    #expect(file.value(try register("ftag")) == 0xFFFF)
    try file.set(try register("ftag"), [0xFC, 0xFF, 0, 0])
    #expect(file.state.x87Empty == 0xFE)
    #expect(file.value(try register("ftag")) == 0xFFFD)
    file.state.x87[0] = 1 << 63
    file.state.x87[1] = 0x3FFF
    #expect(file.value(try register("ftag")) == 0xFFFC)
    file.state.x87[1] = 0x7FFF
    #expect(file.value(try register("ftag")) == 0xFFFE)
  }

  @Test func theStackTopTurnsTheRegisters() throws {
    var file = FakeTarget().file
    try file.set(try register("fstat"), [0x00, 0x38, 0, 0])
    #expect(file.state.x87Top == 7)
    try file.set(try register("st0"), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    #expect(file.state.x87[14] == 0x0807_0605_0403_0201 && file.state.x87[15] == 0x0A09)
    #expect(file.value(try register("fstat")) == 0x3800)
  }

  @Test func whatDecidesTheModeStays() throws {
    var file = FakeTarget().file
    let before = file
    for (name, value) in [("cr0", UInt64(0x10)), ("cr4", 0), ("efer", 0), ("cs", 0x33), ("fs_base", 1 << 60)] {
      let register = try register(name)
      let bytes = (0..<register.byteCount).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) }
      #expect(throws: ControlError.self, "\(name)") { try file.set(register, bytes) }
    }
    #expect(file == before)
    // VM is left as it is.
    try file.set(try register("eflags"), [0x01, 0x00, 0x02, 0x00])
    #expect(file.state.rflags == 3)
  }

  @Test func realModeLoadsSegments() throws {
    var file = FakeTarget().file
    file.state.cr0 = 0x10
    file.state.efer = 0
    try file.set(try register("ds"), [0x34, 0x12, 0, 0])
    #expect(file.state.segments[3].base == 0x12340)
    file.state.segments[1].base = 0xFFFF_0000
    file.state.segments[1].register.attributes = 0x9B
    file.state.rip = 0xFFF0
    #expect(file.linearRIP == 0xFFFF_FFF0)
  }
}
