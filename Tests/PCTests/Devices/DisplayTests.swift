import PC
import Testing

/// IBM VGA technical reference.
@Suite struct VGATests {
  let clock = TestClock()
  let card: VGA
  init() { card = VGA(timers: clock.timers, rom: nil, startsInTextMode: true) }

  func out(_ port: UInt16, _ value: UInt8) { card.portDevice.out(port - VGA.firstPort, value) }
  func `in`(_ port: UInt16) -> UInt8 { card.portDevice.in(port - VGA.firstPort) }
  func write(_ address: UInt64, _ value: UInt64, size: Int = 1) {
    card.windowDevice.writeMemory(offset: address - 0xA0000, size: size, value: value)
  }
  func read(_ address: UInt64, size: Int = 1) -> UInt64 {
    card.windowDevice.readMemory(offset: address - 0xA0000, size: size)
  }

  @Test func textIsReadAsWritten() throws {
    for (i, byte) in "Hello".utf8.enumerated() { write(0xB8000 + UInt64(2 * i), UInt64(byte) | 0x1F00, size: 2) }
    write(0xB8000 + 160 * 24 + 158, 0x0721, size: 2)
    let screen = try #require(card.textScreen)
    #expect(screen.columns == 80 && screen.rows == 25 && screen.cellHeight == 16 && screen.cellWidth == 9)
    #expect(screen.lines[0] == "Hello")
    #expect(screen.lines[24] == String(repeating: " ", count: 79) + "!")
    #expect(screen.cells[0].attribute == 0x1F)
    #expect(read(0xB8000, size: 4) == 0x1F65_1F48)
    #expect(screen.palette[15] == [255, 255, 255] && screen.palette[4] == [170, 0, 0])
    #expect(!screen.hasFont)
  }

  @Test func startAddressScrollsAndCursorFollows() throws {
    write(0xB8000 + 160, 0x0741, size: 2)
    out(0x3D4, 0x0D)
    out(0x3D5, 80)
    out(0x3D4, 0x0F)
    out(0x3D5, 83)
    let screen = try #require(card.textScreen)
    #expect(screen.lines[0] == "A")
    #expect(screen.cursor?.column == 3 && screen.cursor?.row == 0)
    out(0x3D4, 0x0A)
    out(0x3D5, 0x20)
    #expect(card.textScreen?.cursor == nil)
  }

  @Test func planarWritesWithLatchesMaskAndLogic() {
    // Graphics window at A0000, planar.
    func graphics(_ index: UInt8, _ value: UInt8) {
      out(0x3CE, index)
      out(0x3CF, value)
    }
    out(0x3C4, 4)
    out(0x3C5, 0x06)
    out(0x3C4, 2)
    out(0x3C5, 0x0F)
    graphics(6, 0x05)
    graphics(5, 0x00)
    graphics(8, 0xFF)
    write(0xA0000, 0xA5)
    for plane: UInt8 in 0..<4 {
      graphics(4, plane)
      #expect(read(0xA0000) == 0xA5)
    }
    // The bit mask keeps latched bits; XOR with them.
    graphics(8, 0x0F)
    graphics(3, 0x18)
    _ = read(0xA0000)
    write(0xA0000, 0xFF)
    graphics(4, 2)
    #expect(read(0xA0000) == 0xAA)
    // Write mode 1 copies latches; write mode 2 spreads colour bits over planes.
    graphics(3, 0)
    graphics(8, 0xFF)
    _ = read(0xA0000)
    graphics(5, 1)
    write(0xA0010, 0)
    graphics(5, 2)
    write(0xA0020, 0x05)
    graphics(5, 0)
    #expect(read(0xA0010) == 0xAA)
    #expect(read(0xA0020) == 0xFF, "plane 2")
    graphics(4, 1)
    #expect(read(0xA0020) == 0x00, "plane 1")
    // Read mode 1 compares colours.
    graphics(5, 8)
    graphics(2, 0x05)
    graphics(7, 0x0F)
    #expect(read(0xA0020) == 0xFF)
    graphics(2, 0x04)
    #expect(read(0xA0020) == 0x00)
    #expect(card.textScreen == nil)
  }

  @Test func registersReadBack() {
    out(0x3C8, 5)
    for value: UInt8 in [1, 2, 0xFF] { out(0x3C9, value) }
    out(0x3C7, 5)
    #expect([`in`(0x3C9), `in`(0x3C9), `in`(0x3C9)] == [1, 2, 0x3F])
    #expect(`in`(0x3C7) == 3)
    // The attribute controller's port takes index and data in turn; reading 3DA starts over.
    _ = `in`(0x3DA)
    out(0x3C0, 0x05)
    out(0x3C0, 0x2A)
    out(0x3C0, 0x05)
    #expect(`in`(0x3C1) == 0x2A)
    // CRTC 0–7 are protected.
    out(0x3D4, 0x01)
    out(0x3D5, 39)
    #expect(`in`(0x3D5) == 79)
    #expect(`in`(0x3B4) == 0xFF, "colour: the monochrome ports are not there")
  }

  @Test func retraceComesWithTime() {
    var seen = Set<UInt8>()
    for _ in 0..<2000 {
      clock.skip(by: 20_000)
      seen.insert(`in`(0x3DA))
    }
    #expect(seen == [0x00, 0x01, 0x09])
  }

  @Test func bochsInterfaceTellsItsVersion() {
    card.vbeDevice.writePort(offset: 0, size: 2, value: 0)
    card.vbeDevice.writePort(offset: 1, size: 2, value: 0xB0C0)
    #expect(card.vbeDevice.readPort(offset: 1, size: 2) == 0xB0C0)
    card.vbeDevice.writePort(offset: 1, size: 2, value: 0x1234)
    #expect(card.vbeDevice.readPort(offset: 1, size: 2) == 0xB0C0)
  }
}
