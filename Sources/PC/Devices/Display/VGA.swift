/// An IBM VGA as a PCI card (QEMU's "standard VGA", 1234:1111): the registers of IBM's VGA technical reference, 256 KiB
/// in four planes seen through A0000–BFFFF, and as much of Bochs's VBE interface as its BIOS asks for to find it. What a
/// text screen shows is read by `textScreen`; graphics modes are kept, not drawn.
public final class VGA: PCIFunction {
  public static let firstPort: UInt16 = 0x3B0
  public static let portCount: UInt16 = 48
  /// Bochs's VBE registers: index, then data.
  public static let vbePort: UInt16 = 0x1CE
  public static let window: Range<UInt64> = 0xA0000..<0xC0000
  static let memorySize = 256 << 10
  /// What the linear frame buffer's BAR takes; only `memorySize` of it is there.
  static let frameBufferSize: UInt64 = 16 << 20

  public struct Registers: Codable, Equatable {
    public var miscellaneous: UInt8 = 0
    public var featureControl: UInt8 = 0
    public var sequencerIndex: UInt8 = 0
    public var sequencer = [UInt8](repeating: 0, count: 8)
    public var graphicsIndex: UInt8 = 0
    public var graphics = [UInt8](repeating: 0, count: 16)
    public var crtcIndex: UInt8 = 0
    public var crtc = [UInt8](repeating: 0, count: 256)
    public var attributeIndex: UInt8 = 0
    /// The next write to 3C0 is data.
    public var attributeIsData = false
    public var attribute = [UInt8](repeating: 0, count: 32)
    public var dacMask: UInt8 = 0xFF
    public var dacReadIndex: UInt8 = 0
    public var dacWriteIndex: UInt8 = 0
    /// 0–2: red, green, blue comes next.
    public var dacComponent: UInt8 = 0
    public var dacIsReading = false
    /// 256 times red, green, blue; 6 bits each.
    public var dac = [UInt8](repeating: 0, count: 768)
    public var latches: UInt32 = 0
    public var vbeIndex: UInt16 = 0
    public var vbe = [UInt16](repeating: 0, count: 16)
  }
  /// What a checkpoint keeps beside configuration space.
  public struct DisplayState: Codable, Equatable {
    public var registers: Registers
    public var memory: [UInt8]
  }
  public var displayState: DisplayState {
    get { DisplayState(registers: registers, memory: memory) }
    set {
      guard newValue.memory.count == Self.memorySize, newValue.registers.isWhole else { return }
      registers = newValue.registers
      memory = newValue.memory
    }
  }

  var registers = Registers()
  /// Byte n of plane p at 4 n + p.
  var memory = [UInt8](repeating: 0, count: VGA.memorySize)
  private let timers: TimerQueue
  private let startsInTextMode: Bool
  public private(set) lazy var portDevice: PortDevice = Ports(self)
  public private(set) lazy var vbeDevice: PortDevice = VBE(self)
  public private(set) lazy var windowDevice: MemoryMappedDevice = Window(self)

  /// - Parameters:
  ///   - rom: the card's BIOS; nil for a card without.
  ///   - startsInTextMode: the card is as its BIOS leaves it, in mode 3; for machines without firmware.
  public init(timers: TimerQueue, rom: [UInt8]?, startsInTextMode: Bool) {
    self.timers = timers
    self.startsInTextMode = startsInTextMode
    super.init(vendorID: 0x1234, deviceID: 0x1111, revision: 2, classCode: 0x030000)
    addBAR(
      0, kind: .memory32(prefetchable: true), size: Self.frameBufferSize, name: "VGA frame buffer",
      memory: FrameBuffer(self))
    if let rom { addROM(rom, name: "VGA BIOS") }
    powerOn()
  }

  public override func reset() {
    super.reset()
    registers = Registers()
    memory = [UInt8](repeating: 0, count: Self.memorySize)
    powerOn()
  }

  private func powerOn() {
    registers.vbe[0] = VBERegister.newestID
    guard startsInTextMode else { return }
    registers.setTextMode()
    // Blanks, light grey on black.
    for cell in 0..<0x4000 {
      memory[4 * cell] = 0x20
      memory[4 * cell + 1] = 0x07
    }
  }

  enum VBERegister {
    static let id = 0
    static let enable = 4
    static let memory64K = 10
    static let oldestID: UInt16 = 0xB0C0
    static let newestID: UInt16 = 0xB0C5
  }

  // MARK: Ports

  /// Input status 1: display off at bit 0, vertical retrace at bit 3, from virtual time (70 Hz, 449 lines, 400 shown).
  private var inputStatus1: UInt8 {
    let frame: UInt64 = 14_285_714
    let now = timers.virtualTime % frame
    let line = now * 449 / frame
    let inLine = now * 449 % frame * 100 / frame
    if line >= 412 && line < 414 { return 0x09 }
    return line >= 400 || inLine >= 80 ? 0x01 : 0x00
  }

  fileprivate func readPort(_ port: UInt16) -> UInt8 {
    let isColour = registers.miscellaneous & 1 != 0
    switch port {
    case 0x3C0: return registers.attributeIsData ? 0 : registers.attributeIndex
    case 0x3C1: return registers.attribute[Int(registers.attributeIndex & 0x1F)]
    case 0x3C2: return 0x10  // a colour monitor is there
    case 0x3C4: return registers.sequencerIndex
    case 0x3C5: return registers.sequencer[Int(registers.sequencerIndex & 7)]
    case 0x3C6: return registers.dacMask
    case 0x3C7: return registers.dacIsReading ? 3 : 0
    case 0x3C8: return registers.dacWriteIndex
    case 0x3C9: return readDAC()
    case 0x3CA: return registers.featureControl
    case 0x3CC: return registers.miscellaneous
    case 0x3CE: return registers.graphicsIndex
    case 0x3CF: return registers.graphics[Int(registers.graphicsIndex & 15)]
    case 0x3D4 where isColour, 0x3B4 where !isColour: return registers.crtcIndex
    case 0x3D5 where isColour, 0x3B5 where !isColour: return registers.crtc[Int(registers.crtcIndex)]
    case 0x3DA where isColour, 0x3BA where !isColour:
      registers.attributeIsData = false
      return inputStatus1
    default: return 0xFF
    }
  }

  private static let sequencerMasks: [UInt8] = [0x03, 0x3D, 0x0F, 0x3F, 0x0E, 0, 0, 0xFF]
  private static let graphicsMasks: [UInt8] = [
    0x0F, 0x0F, 0x0F, 0x1F, 0x03, 0x7B, 0x0F, 0x0F, 0xFF, 0, 0, 0, 0, 0, 0, 0,
  ]

  fileprivate func writePort(_ port: UInt16, _ value: UInt8) {
    let isColour = registers.miscellaneous & 1 != 0
    switch port {
    case 0x3C0: writeAttribute(value)
    case 0x3C2: registers.miscellaneous = value & ~0x10
    case 0x3C4: registers.sequencerIndex = value & 7
    case 0x3C5:
      let index = Int(registers.sequencerIndex & 7)
      registers.sequencer[index] = value & Self.sequencerMasks[index]
    case 0x3C6: registers.dacMask = value
    case 0x3C7:
      registers.dacReadIndex = value
      registers.dacComponent = 0
      registers.dacIsReading = true
    case 0x3C8:
      registers.dacWriteIndex = value
      registers.dacComponent = 0
      registers.dacIsReading = false
    case 0x3C9: writeDAC(value)
    case 0x3CE: registers.graphicsIndex = value & 15
    case 0x3CF:
      let index = Int(registers.graphicsIndex & 15)
      registers.graphics[index] = value & Self.graphicsMasks[index]
    case 0x3D4 where isColour, 0x3B4 where !isColour: registers.crtcIndex = value
    case 0x3D5 where isColour, 0x3B5 where !isColour: writeCRTC(value)
    case 0x3DA where isColour, 0x3BA where !isColour: registers.featureControl = value & 0x10
    default: break
    }
  }

  private func writeCRTC(_ value: UInt8) {
    let index = Int(registers.crtcIndex)
    // Registers 0–7 are protected by bit 7 of register 11, but for the line compare bit.
    if index <= 7, registers.crtc[0x11] & 0x80 != 0 {
      if index == 7 { registers.crtc[7] = registers.crtc[7] & ~0x10 | value & 0x10 }
      return
    }
    registers.crtc[index] = value
  }

  private func writeAttribute(_ value: UInt8) {
    defer { registers.attributeIsData.toggle() }
    guard registers.attributeIsData else {
      registers.attributeIndex = value & 0x3F
      return
    }
    let index = Int(registers.attributeIndex & 0x1F)
    switch index {
    case 0x00...0x0F: registers.attribute[index] = value & 0x3F
    case 0x10: registers.attribute[index] = value & ~0x10
    case 0x11: registers.attribute[index] = value
    case 0x12: registers.attribute[index] = value & 0x3F
    case 0x13, 0x14: registers.attribute[index] = value & 0x0F
    default: break
    }
  }

  private func readDAC() -> UInt8 {
    let value = registers.dac[3 * Int(registers.dacReadIndex) + Int(registers.dacComponent % 3)]
    registers.dacComponent += 1
    if registers.dacComponent >= 3 {
      registers.dacComponent = 0
      registers.dacReadIndex &+= 1
    }
    return value
  }

  private func writeDAC(_ value: UInt8) {
    registers.dac[3 * Int(registers.dacWriteIndex) + Int(registers.dacComponent % 3)] = value & 0x3F
    registers.dacComponent += 1
    if registers.dacComponent >= 3 {
      registers.dacComponent = 0
      registers.dacWriteIndex &+= 1
    }
  }

  // MARK: The window at A0000

  /// Where an address of the window lies in a plane's 64 KiB; nil where the card does not answer.
  private func windowAddress(_ offset: Int) -> Int? {
    switch registers.graphics[6] >> 2 & 3 {
    case 0: return offset & 0xFFFF
    case 1: return offset < 0x10000 ? offset : nil
    case 2: return (0x10000..<0x18000).contains(offset) ? offset - 0x10000 : nil
    default: return offset >= 0x18000 ? offset - 0x18000 : nil
    }
  }

  private var isChained: Bool { registers.sequencer[4] & 8 != 0 }
  private var isOddEven: Bool { registers.graphics[5] & 0x10 != 0 }

  private func quad(_ address: Int) -> UInt32 {
    let at = 4 * (address & 0xFFFF)
    return UInt32(memory[at]) | UInt32(memory[at + 1]) << 8 | UInt32(memory[at + 2]) << 16
      | UInt32(memory[at + 3]) << 24
  }

  /// A byte as the processor reads it (IBM VGA, "Reading from the display memory").
  func readWindow(_ offset: Int) -> UInt8 {
    guard registers.miscellaneous & 2 != 0, let address = windowAddress(offset) else { return 0xFF }
    if isChained { return memory[address & (Self.memorySize - 1)] }
    if isOddEven {
      let plane = Int(registers.graphics[4] & 2) | address & 1
      let at = address & ~1
      registers.latches = quad(at >> 1)
      return memory[(at << 1 | plane) & (Self.memorySize - 1)]
    }
    registers.latches = quad(address)
    if registers.graphics[5] & 8 == 0 {
      return UInt8(truncatingIfNeeded: registers.latches >> UInt32(8 * (registers.graphics[4] & 3)))
    }
    // Read mode 1: bits where all planes that count have the colour compared with.
    let care = Self.planes(registers.graphics[7])
    let difference = (registers.latches ^ Self.planes(registers.graphics[2])) & care
    let any = difference | difference >> 16
    return ~UInt8(truncatingIfNeeded: any | any >> 8)
  }

  /// A byte written by the processor (IBM VGA, "Writing to the display memory").
  func writeWindow(_ offset: Int, _ value: UInt8) {
    guard registers.miscellaneous & 2 != 0, let address = windowAddress(offset) else { return }
    let mapMask = registers.sequencer[2]
    if isChained {
      if mapMask & 1 << UInt8(address & 3) != 0 { memory[address & (Self.memorySize - 1)] = value }
      return
    }
    if isOddEven {
      let plane = address & 1
      let low = (address & ~1) << 1
      // The even address reaches planes 0 and 2, the odd one 1 and 3.
      for p in [plane, plane + 2] where mapMask & 1 << UInt8(p) != 0 {
        memory[(low | p) & (Self.memorySize - 1)] = value
      }
      return
    }
    let bitMask = registers.graphics[8]
    var data: UInt32
    var mask = UInt32(bitMask) &* 0x0101_0101
    switch registers.graphics[5] & 3 {
    case 0:
      let shift = registers.graphics[3] & 7
      let rotated = value >> shift | (shift == 0 ? 0 : value << (8 - shift))
      let setReset = Self.planes(registers.graphics[1])
      data = UInt32(rotated) &* 0x0101_0101 & ~setReset | Self.planes(registers.graphics[0]) & setReset
    case 1:
      store(registers.latches, address, mapMask)
      return
    case 2: data = Self.planes(value)
    default:
      let shift = registers.graphics[3] & 7
      let rotated = value >> shift | (shift == 0 ? 0 : value << (8 - shift))
      mask = UInt32(bitMask & rotated) &* 0x0101_0101
      data = Self.planes(registers.graphics[0])
    }
    if registers.graphics[5] & 3 != 3 {
      switch registers.graphics[3] >> 3 & 3 {
      case 1: data &= registers.latches
      case 2: data |= registers.latches
      case 3: data ^= registers.latches
      default: break
      }
    }
    store(data & mask | registers.latches & ~mask, address, mapMask)
  }

  private func store(_ data: UInt32, _ address: Int, _ mapMask: UInt8) {
    let at = 4 * (address & 0xFFFF)
    for plane in 0..<4 where mapMask & 1 << UInt8(plane) != 0 {
      memory[at + plane] = UInt8(truncatingIfNeeded: data >> UInt32(8 * plane))
    }
  }

  /// Bit p of the low four becomes all bits of byte p.
  private static func planes(_ bits: UInt8) -> UInt32 {
    (0..<4).reduce(0) { $0 | (bits & 1 << UInt8($1) != 0 ? 0xFF << UInt32(8 * $1) : 0) }
  }

  // MARK: VBE

  fileprivate func readVBE(_ offset: UInt16) -> UInt16 {
    guard offset != 0 else { return registers.vbeIndex }
    switch Int(registers.vbeIndex) {
    case VBERegister.memory64K: return UInt16(Self.memorySize >> 16)
    case let index where index < 16: return registers.vbe[index]
    default: return 0
    }
  }

  fileprivate func writeVBE(_ offset: UInt16, _ value: UInt16) {
    guard offset != 0 else {
      registers.vbeIndex = value
      return
    }
    switch Int(registers.vbeIndex) {
    case VBERegister.id:
      if (VBERegister.oldestID...VBERegister.newestID).contains(value) { registers.vbe[0] = value }
    case VBERegister.memory64K: break
    case let index where index < 16: registers.vbe[index] = value
    default: break
    }
  }

  // MARK: What the buses see

  private final class Ports: ByteRegisters {
    private unowned let card: VGA
    init(_ card: VGA) { self.card = card }
    func readRegister(_ offset: UInt16) -> UInt8 { card.readPort(VGA.firstPort + offset) }
    func writeRegister(_ offset: UInt16, _ value: UInt8) { card.writePort(VGA.firstPort + offset, value) }
  }

  /// Two 16-bit registers, the second at an odd port.
  private final class VBE: PortDevice {
    private unowned let card: VGA
    init(_ card: VGA) { self.card = card }
    func readPort(offset: UInt16, size: Int) -> UInt32 {
      size == 2 || offset == 1 ? UInt32(card.readVBE(offset)) : 0xFF
    }
    func writePort(offset: UInt16, size: Int, value: UInt32) {
      if size == 2 { card.writeVBE(offset, UInt16(truncatingIfNeeded: value)) }
    }
  }

  private final class Window: MemoryMappedDevice {
    private unowned let card: VGA
    init(_ card: VGA) { self.card = card }
    func readMemory(offset: UInt64, size: Int) -> UInt64 {
      (0..<size).reduce(0) {
        $0 | UInt64(card.readWindow(Int(truncatingIfNeeded: offset) + $1)) << UInt64(8 * $1)
      }
    }
    func writeMemory(offset: UInt64, size: Int, value: UInt64) {
      for i in 0..<size {
        card.writeWindow(
          Int(truncatingIfNeeded: offset) + i, UInt8(truncatingIfNeeded: value >> UInt64(8 * i)))
      }
    }
  }

  /// The planes' bytes one after the other, as a linear frame buffer.
  private final class FrameBuffer: MemoryMappedDevice {
    private unowned let card: VGA
    init(_ card: VGA) { self.card = card }
    func readMemory(offset: UInt64, size: Int) -> UInt64 {
      (0..<size).reduce(0) {
        let at = Int(truncatingIfNeeded: offset) + $1
        return $0 | UInt64(at < VGA.memorySize ? card.memory[at] : 0xFF) << UInt64(8 * $1)
      }
    }
    func writeMemory(offset: UInt64, size: Int, value: UInt64) {
      for i in 0..<size {
        let at = Int(truncatingIfNeeded: offset) + i
        if at < VGA.memorySize { card.memory[at] = UInt8(truncatingIfNeeded: value >> UInt64(8 * i)) }
      }
    }
  }
}

extension VGA.Registers {
  /// Whether all tables have their lengths.
  var isWhole: Bool {
    sequencer.count == 8 && graphics.count == 16 && crtc.count == 256 && attribute.count == 32 && dac.count == 768
      && vbe.count == 16
  }

  /// Mode 3 of the BIOS: 80 columns, 25 rows, 720 × 400 dots, sixteen colours (IBM VGA technical reference, table of
  /// register values by mode).
  mutating func setTextMode() {
    miscellaneous = 0x67
    sequencer = [3, 0, 3, 0, 2, 0, 0, 0]
    crtc.replaceSubrange(
      0..<25,
      with: [
        0x5F, 0x4F, 0x50, 0x82, 0x55, 0x81, 0xBF, 0x1F, 0x00, 0x4F, 0x0D, 0x0E, 0, 0, 0, 0, 0x9C, 0x8E, 0x8F, 0x28,
        0x1F, 0x96, 0xB9, 0xA3, 0xFF,
      ])
    graphics.replaceSubrange(0..<9, with: [0, 0, 0, 0, 0, 0x10, 0x0E, 0x0F, 0xFF])
    attribute.replaceSubrange(
      0..<21,
      with: [
        0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3A, 0x3B, 0x3C, 0x3D, 0x3E, 0x3F, 0x0C, 0x00,
        0x0F, 0x08, 0x00,
      ])
    attributeIndex = 0x20
    // Two bits each of red, green and blue, strong ones at 0–2, weak ones at 3–5.
    for colour in 0..<64 {
      for component in 0..<3 {
        let strong = colour >> (2 - component) & 1
        let weak = colour >> (5 - component) & 1
        dac[3 * colour + component] = UInt8(strong * 0x2A + weak * 0x15)
      }
    }
  }
}
