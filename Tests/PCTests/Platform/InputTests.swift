import PC
import Testing

/// The conversation of Linux's i8042 and atkbd drivers with the controller, and the IBM reference.
struct InputTests {
  let wires = Wires()
  let controller: I8042

  init() { controller = I8042(keyboardInterrupt: wires.line(1), mouseInterrupt: wires.line(12)) }

  func status() -> UInt8 { controller.commandRegister.readRegister(0) }
  func command(_ value: UInt8) { controller.commandRegister.writeRegister(0, value) }
  func write(_ value: UInt8) { controller.dataRegister.writeRegister(0, value) }
  func read() -> UInt8 { controller.dataRegister.readRegister(0) }
  func drain() -> [UInt8] {
    var bytes: [UInt8] = []
    while status() & 1 != 0 { bytes.append(read()) }
    return bytes
  }

  @Test func selfTestAndCommandByte() {
    #expect(status() & 0x11 == 0x10, "empty, not locked")
    command(0xAA)
    #expect(drain() == [0x55])
    command(0xAB)
    #expect(drain() == [0x00])
    command(0x20)
    #expect(drain() == [0x47])
    command(0x60)
    write(0x65)
    command(0x20)
    #expect(drain() == [0x65])
  }

  @Test func auxiliaryLoopback() {
    command(0xD3)
    write(0x5A)
    #expect(status() & 0x21 == 0x21)
    #expect(wires.level(12) && !wires.level(1))
    #expect(read() == 0x5A)
    #expect(!wires.level(12))
    command(0xA7)
    command(0x20)
    #expect(drain()[0] & 0x20 != 0)
    command(0xA8)
    command(0x20)
    #expect(drain()[0] & 0x20 == 0)
    command(0xA9)
    #expect(drain() == [0])
  }

  @Test func keyboardIdentifiesAndResets() {
    write(0xF2)
    #expect(drain() == [0xFA, 0xAB, 0x41], "translated")
    command(0x60)
    write(0x05)
    write(0xF2)
    #expect(drain() == [0xFA, 0xAB, 0x83])
    write(0xFF)
    #expect(drain() == [0xFA, 0xAA])
    write(0xED)
    write(0x07)
    #expect(drain() == [0xFA, 0xFA])
    #expect(controller.keyboard.state.indicators == 7)
    write(0xEE)
    #expect(drain() == [0xEE])
    write(0x00)
    #expect(drain() == [0xFE])
  }

  @Test func keysAreTranslatedOneEdgeEach() {
    #expect(controller.keyboard.type([0x1C]))
    #expect(controller.keyboard.type([0xF0, 0x1C]))
    #expect(drain() == [0x1E, 0x9E], "A, down and up")
    #expect(wires.edges[1] == 2)
  }

  @Test func mouse() {
    command(0xD4)
    write(0xFF)
    #expect(drain() == [0xFA, 0xAA, 0x00])
    #expect(!controller.mouse.move(dx: 1, dy: 1, buttons: 0), "not enabled")
    command(0xD4)
    write(0xF4)
    #expect(drain() == [0xFA])
    #expect(controller.mouse.move(dx: -1, dy: 2, buttons: 1))
    #expect(drain() == [0x19, 0xFF, 0x02])
    command(0xD4)
    write(0xE9)
    #expect(drain() == [0xFA, 0x20, 2, 100])
  }

  @Test func resetLines() {
    var resets = 0
    var gates: [Bool] = []
    controller.onReset = { resets += 1 }
    controller.onA20 = { gates.append($0) }
    command(0xFE)
    #expect(resets == 1)
    command(0xFF)
    #expect(resets == 1)
    command(0xD1)
    write(0xDD)
    #expect(gates == [false])
    command(0xDF)
    #expect(gates == [false, true])
    command(0xD1)
    write(0xDE)
    #expect(resets == 2)
    let port = SystemControlPortA()
    port.onReset = { resets += 1 }
    port.onA20 = { gates.append($0) }
    port.writeRegister(0, 0x03)
    port.writeRegister(0, 0x03)
    #expect(resets == 3 && gates.count == 2)
    port.writeRegister(0, 0x00)
    #expect(gates.last == false)
  }

  @Test func neverReadNeverGrows() {
    for value in 0..<100_000 {
      command(UInt8(truncatingIfNeeded: value &* 7))
      write(UInt8(truncatingIfNeeded: value))
    }
    #expect(controller.state.answers.count <= 16)
    #expect(controller.keyboard.state.output.count <= 32)
    #expect(controller.mouse.state.output.count <= 32)
  }
}
