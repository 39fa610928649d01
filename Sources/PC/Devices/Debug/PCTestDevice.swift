/// QEMU's `pc-testdev` (hw/misc/pc-testdev.c there), which kernel test suites use to raise interrupt lines and to have
/// ports and memory that keep what is written: 24 interrupt lines at port 0x2000, four bytes at 0xE0 and again at 0xE8,
/// a port at 0xE4 that asks for a page to be unmapped and mapped again, and 64 KiB of memory at 0xFF000000.
public final class PCTestDevice {
  public static let linesPort: UInt16 = 0x2000
  public static let lineCount: UInt16 = 24
  public static let dataPort: UInt16 = 0xE0
  public static let flushPort: UInt16 = 0xE4
  public static let byteDataPort: UInt16 = 0xE8
  public static let memoryBase: UInt64 = 0xFF00_0000
  public static let memorySize: UInt64 = 0x10000

  public struct State: Codable, Equatable {
    /// The four bytes at 0xE0.
    public var data: UInt32 = 0
    public var memory = [UInt8](repeating: 0, count: Int(PCTestDevice.memorySize))
  }
  public var state = State()

  public let lines: PortDevice
  public private(set) lazy var data: PortDevice = Data(self)
  public let flush: PortDevice = FlushPage()
  public private(set) lazy var memory: MemoryMappedDevice = Memory(self)

  /// - Parameter lines: the 24 interrupt lines: those of the ISA bus, then the IOAPIC's inputs 16 to 23.
  public init(lines: [InterruptLine]) { self.lines = Lines(lines) }

  /// One byte a line: not 0 raises it, 0 lowers it.
  private final class Lines: PortDevice {
    private let lines: [InterruptLine]
    init(_ lines: [InterruptLine]) { self.lines = lines }
    func readPort(offset: UInt16, size: Int) -> UInt32 { 0 }
    func writePort(offset: UInt16, size: Int, value: UInt32) {
      guard size == 1, lines.indices.contains(Int(offset)) else { return }
      lines[Int(offset)].set(value != 0)
    }
  }

  private final class Data: ByteRegisters {
    private unowned let owner: PCTestDevice
    init(_ owner: PCTestDevice) { self.owner = owner }
    func readRegister(_ offset: UInt16) -> UInt8 {
      UInt8(truncatingIfNeeded: owner.state.data >> UInt32(8 * (offset & 3)))
    }
    func writeRegister(_ offset: UInt16, _ value: UInt8) {
      let shift = UInt32(8 * (offset & 3))
      owner.state.data = owner.state.data & ~(0xFF << shift) | UInt32(value) << shift
    }
  }

  /// The host's mapping of a page goes and comes back; a guest sees nothing of that.
  private final class FlushPage: PortDevice {
    func readPort(offset: UInt16, size: Int) -> UInt32 { 0 }
    func writePort(offset: UInt16, size: Int, value: UInt32) {}
  }

  private final class Memory: MemoryMappedDevice {
    private unowned let owner: PCTestDevice
    init(_ owner: PCTestDevice) { self.owner = owner }
    func readMemory(offset: UInt64, size: Int) -> UInt64 {
      (0..<size).reduce(0) { value, i in
        let at = Int(truncatingIfNeeded: offset) + i
        let byte = owner.state.memory.indices.contains(at) ? owner.state.memory[at] : 0xFF
        return value | UInt64(byte) << UInt64(8 * i)
      }
    }
    func writeMemory(offset: UInt64, size: Int, value: UInt64) {
      for i in 0..<size {
        let at = Int(truncatingIfNeeded: offset) + i
        if owner.state.memory.indices.contains(at) {
          owner.state.memory[at] = UInt8(truncatingIfNeeded: value >> UInt64(8 * i))
        }
      }
    }
  }
}
