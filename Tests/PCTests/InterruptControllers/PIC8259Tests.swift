import PC
import Testing

@Suite struct PIC8259Tests {
  let pic = PIC8259Pair()

  init() {
    initialize(pic.master, base: 0x30, icw3: 4)
    initialize(pic.slave, base: 0x38, icw3: 2)
  }

  private func initialize(_ chip: PIC8259, base: UInt8, icw3: UInt8, icw4: UInt8 = 1) {
    chip.out(0, 0x11)
    chip.out(1, base)
    chip.out(1, icw3)
    chip.out(1, icw4)
  }

  private func pulse(_ irq: Int) {
    pic.setInput(irq, level: true)
    pic.setInput(irq, level: false)
  }

  private func register(_ chip: PIC8259, _ ocw3: UInt8) -> UInt8 {
    chip.out(0, ocw3)
    return chip.in(0)
  }

  @Test func fullyNested() {
    pulse(4)
    pulse(3)
    #expect(pic.acknowledge() == 0x33)
    #expect(!pic.hasPendingInterrupt)
    #expect(register(pic.master, 0x0B) == 0x08)
    #expect(register(pic.master, 0x0A) == 0x10)
    pulse(1)
    #expect(pic.acknowledge() == 0x31)
    pic.master.out(0, 0x20)
    #expect(!pic.hasPendingInterrupt)
    pic.master.out(0, 0x20)
    #expect(pic.acknowledge() == 0x34)
  }

  @Test func cascade() {
    var levels: [Bool] = []
    pic.onOutputChange = { levels.append($0) }
    pulse(8)
    #expect(pic.acknowledge() == 0x38)
    #expect(register(pic.master, 0x0B) == 0x04)
    pulse(14)
    #expect(!pic.hasPendingInterrupt)
    pic.slave.out(0, 0x20)
    pic.master.out(0, 0x62)
    #expect(pic.acknowledge() == 0x3E)
    #expect(levels == [true, false, true, false])
  }

  @Test func mask() {
    pic.master.out(1, 0xFF)
    pulse(1)
    #expect(!pic.hasPendingInterrupt)
    #expect(pic.master.in(1) == 0xFF)
    pic.master.out(1, 0xFD)
    #expect(pic.hasPendingInterrupt)
  }

  @Test func spurious() {
    #expect(pic.acknowledge() == 0x37)
    #expect(register(pic.master, 0x0B) == 0)
    // The slave's level request goes before the acknowledge.
    pic.edgeLevelControl.out(1, 0x08)
    pic.setInput(11, level: true)
    pic.setInput(11, level: false)
    #expect(pic.acknowledge() == 0x3F)
    #expect(register(pic.slave, 0x0B) == 0)
    #expect(register(pic.master, 0x0B) == 0x04)
  }

  @Test func levelTriggered() {
    pic.edgeLevelControl.writePort(offset: 0, size: 2, value: 0xFFFF)
    #expect(pic.edgeLevelControl.readPort(offset: 0, size: 2) == 0xDEF8)
    pic.setInput(5, level: true)
    #expect(pic.acknowledge() == 0x35)
    pic.master.out(0, 0x20)
    #expect(pic.acknowledge() == 0x35)
    pic.setInput(5, level: false)
    pic.master.out(0, 0x20)
    #expect(!pic.hasPendingInterrupt)
  }

  @Test func edgeNeedsARise() {
    pic.setInput(3, level: true)
    _ = pic.acknowledge()
    pic.master.out(0, 0x20)
    #expect(!pic.hasPendingInterrupt)
    initialize(pic.master, base: 0x30, icw3: 4)
    #expect(!pic.hasPendingInterrupt)
    pic.setInput(3, level: false)
    pic.setInput(3, level: true)
    #expect(pic.hasPendingInterrupt)
  }

  @Test func rotation() {
    pulse(4)
    _ = pic.acknowledge()
    pic.master.out(0, 0xA0)  // IR4 becomes the lowest
    pulse(4)
    pulse(5)
    #expect(pic.acknowledge() == 0x35)
    pic.master.out(0, 0x20)
    pic.master.out(0, 0xC3)  // set priority: IR3 lowest
    pulse(3)
    #expect(pic.acknowledge() == 0x34)
  }

  @Test func automaticEOI() {
    initialize(pic.master, base: 0x30, icw3: 4, icw4: 3)
    initialize(pic.slave, base: 0x38, icw3: 2, icw4: 3)
    pulse(9)
    pulse(10)
    #expect(pic.acknowledge() == 0x39)
    #expect(pic.acknowledge() == 0x3A)
    #expect(!pic.hasPendingInterrupt)
  }

  @Test func specialMask() {
    pulse(3)
    _ = pic.acknowledge()
    pulse(6)
    #expect(!pic.hasPendingInterrupt)
    pic.master.out(1, 0x08)
    pic.master.out(0, 0x68)
    #expect(pic.acknowledge() == 0x36)
    pic.master.out(0, 0x20)
    #expect(register(pic.master, 0x0B) == 0x08)
  }

  @Test func poll() {
    pulse(4)
    pic.master.out(0, 0x0C)
    #expect(pic.master.in(0) == 0x84)
    #expect(register(pic.master, 0x0B) == 0x10)
    pic.master.out(0, 0x0C)
    #expect(pic.master.in(0) == 0)
  }

  @Test func stateComesBack() {
    pulse(12)
    let copy = PIC8259Pair()
    var level = false
    copy.onOutputChange = { level = $0 }
    copy.state = pic.state
    #expect(level)
    #expect(copy.state == pic.state)
    #expect(copy.acknowledge() == 0x3C)
  }
}
