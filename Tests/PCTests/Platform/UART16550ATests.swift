import PC
import Testing

/// Remembers the level of each input and counts rising edges.
final class Wires: InterruptSink {
  var levels: [Int: Bool] = [:]
  var edges: [Int: Int] = [:]
  func setInput(_ input: Int, level: Bool) {
    if level, levels[input] != true { edges[input, default: 0] += 1 }
    levels[input] = level
  }
  func line(_ input: Int) -> InterruptLine { InterruptLine([(self, input)]) }
  func level(_ input: Int) -> Bool { levels[input] ?? false }
}

/// PC16550D data sheet, section 8.
struct UART16550ATests {
  let wires = Wires()
  let uart: UART16550A

  init() { uart = UART16550A(interrupt: wires.line(4)) }

  func iir() -> UInt8 { uart.readRegister(2) }
  func enable(_ ier: UInt8, fifo: UInt8 = 0x01) {
    uart.writeRegister(2, fifo)
    uart.writeRegister(4, 0x08)
    uart.writeRegister(1, ier)
  }

  @Test func probesAsA16550A() {
    uart.writeRegister(1, 0)
    #expect(uart.readRegister(1) == 0)
    uart.writeRegister(1, 0xFF)
    #expect(uart.readRegister(1) == 0x0F, "no sleep mode bits of a 16750")
    uart.writeRegister(1, 0)
    uart.writeRegister(4, 0x1A)
    #expect(uart.readRegister(6) & 0xF0 == 0x90, "OUT2 → DCD, RTS → CTS in loopback")
    uart.writeRegister(2, 0x01)
    #expect(iir() >> 6 == 3)
    uart.writeRegister(2, 0x21)
    #expect(iir() >> 5 == 6, "no 64-byte FIFO")
    uart.writeRegister(7, 0xA5)
    #expect(uart.readRegister(7) == 0xA5)
  }

  @Test func divisorLatch() {
    uart.writeRegister(3, 0x83)
    uart.writeRegister(0, 0x34)
    uart.writeRegister(1, 0x12)
    #expect(uart.readRegister(0) == 0x34 && uart.readRegister(1) == 0x12)
    uart.writeRegister(3, 0x03)
    #expect(uart.readRegister(1) == 0)
    #expect(uart.state.divisor == 0x1234)
  }

  @Test func transmitsAtOnce() {
    var sent: [UInt8] = []
    uart.onTransmit = { sent.append($0) }
    for byte in "panic".utf8 { uart.writeRegister(0, byte) }
    #expect(sent == Array("panic".utf8))
    #expect(uart.readRegister(5) == 0x60)
  }

  @Test func transmitterEmptyInterrupt() {
    enable(0x02)
    #expect(wires.level(4), "enabling it while THR is empty reports it")
    #expect(iir() == 0xC2)
    #expect(iir() == 0xC1 && !wires.level(4), "reading IIR clears it")
    uart.writeRegister(0, 0x41)
    #expect(wires.level(4))
    #expect(iir() == 0xC2)
    // Linux's test for ports that do not report it again.
    uart.writeRegister(1, 0)
    uart.writeRegister(1, 0x02)
    #expect(iir() == 0xC2)
    uart.writeRegister(4, 0x00)
    uart.writeRegister(0, 0x41)
    #expect(!wires.level(4), "OUT2 gates the line")
  }

  @Test func receiverTriggerAndTimeout() {
    enable(0x01, fifo: 0x81)  // trigger at 8
    for i in 0..<7 { #expect(uart.receive(UInt8(i))) }
    #expect(iir() == 0xCC, "below the trigger: character timeout")
    #expect(uart.receive(7))
    #expect(iir() == 0xC4)
    for i in 0..<8 {
      #expect(uart.readRegister(5) & 0x01 == 1)
      #expect(uart.readRegister(0) == UInt8(i))
    }
    #expect(uart.readRegister(5) == 0x60)
    #expect(iir() == 0xC1 && !wires.level(4))
  }

  @Test func fullFIFOHoldsTheSenderBack() {
    var ready = 0
    uart.onReadyToReceive = { ready += 1 }
    enable(0)
    ready = 0
    for i in 0..<16 { #expect(uart.receive(UInt8(i))) }
    #expect(!uart.receive(99) && !uart.canReceive)
    #expect(uart.readRegister(0) == 0)
    #expect(ready == 1 && uart.receive(99))
    uart.writeRegister(2, 0x03)
    #expect(uart.readRegister(5) & 1 == 0, "receiver reset")
  }

  @Test func withoutFIFOThereIsOneByte() {
    #expect(uart.receive(1))
    #expect(!uart.receive(2))
    #expect(iir() == 0x01)
  }

  @Test func loopbackReceivesAndOverruns() {
    var sent = 0
    uart.onTransmit = { _ in sent += 1 }
    enable(0x04)
    uart.writeRegister(4, 0x18)
    for i in 0..<17 { uart.writeRegister(0, UInt8(i)) }
    #expect(sent == 0 && !uart.receive(1), "cut off from the outside")
    #expect(iir() == 0xC6)
    #expect(!wires.level(4), "OUT2's pin is inactive in loopback")
    #expect(uart.readRegister(5) & 0x02 != 0)
    #expect(uart.readRegister(5) & 0x02 == 0, "cleared by reading")
    #expect((0..<16).map { _ in uart.readRegister(0) } == (0..<16).map { UInt8($0) })
  }

  @Test func breakCharacter() {
    enable(0x05)
    #expect(uart.receiveBreak())
    #expect(iir() == 0xC6)
    #expect(uart.readRegister(5) == 0xF1)
    #expect(uart.readRegister(5) == 0x61)
    #expect(uart.readRegister(0) == 0)
  }

  @Test func modemStatus() {
    enable(0x08)
    #expect(uart.readRegister(6) == 0xB0)
    uart.setModemLines(UART16550A.MSR.dsr | UART16550A.MSR.ri)
    #expect(wires.level(4) && iir() == 0xC0)
    #expect(uart.readRegister(6) == 0x69, "DDCD, DCTS; RI reports only its trailing edge")
    uart.setModemLines(UART16550A.MSR.dsr)
    #expect(uart.readRegister(6) == 0x24)
    #expect(!wires.level(4))
  }

  @Test func stateGoesAroundTheWorld() throws {
    enable(0x03, fifo: 0x41)
    _ = uart.receive(7)
    let other = UART16550A(interrupt: InterruptLine())
    other.state = uart.state
    #expect(other.state == uart.state)
    #expect(other.readRegister(2) == uart.readRegister(2))
    #expect(other.readRegister(0) == 7)
  }

  @Test func wideAccessesAreBytes() {
    uart.writePort(offset: 2, size: 2, value: 0x0301)
    #expect(uart.state.fifoControl == 1 && uart.state.lineControl == 3)
    #expect(uart.readPort(offset: 4, size: 2) == 0x6000)
  }
}
