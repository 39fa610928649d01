/// QEMU's `pci-testdev` (docs/specs/pci-testdev there): a header at the start of a memory BAR and of an I/O BAR
/// describes the test that was chosen by writing its number to the header's first byte; writes of the header's `data` to
/// its `offset` are counted. Tests 1 and 2 hand such writes to an eventfd of the host, which counts nothing.
public final class PCITestDevice: PCIFunction {
  static let memorySize: UInt64 = 4096
  static let portSize: UInt64 = 256
  /// Tests of each BAR.
  static let testCount = 3
  /// Offsets of the header's fields.
  enum Header {
    static let test = 0
    static let width = 1
    static let offset = 4
    static let data = 8
    static let count = 12
    static let name = 16
  }

  public struct TestState: Codable, Equatable {
    /// 0–2 of the memory BAR, 3–5 of the I/O BAR, nil while none is chosen.
    public var current: Int?
    public var count: UInt32 = 0
  }
  public var testState = TestState()

  public init() {
    super.init(vendorID: 0x1B36, deviceID: 0x0005, classCode: 0x00FF00)
    addBAR(
      0, kind: .memory32(prefetchable: false), size: Self.memorySize, name: "pci-testdev",
      memory: MemoryBAR(self))
    addBAR(1, kind: .io, size: Self.portSize, name: "pci-testdev", port: PortBAR(self))
  }

  public override func reset() {
    super.reset()
    testState = TestState()
  }

  /// The header of a test, name and terminating zero included.
  private func header(_ test: Int) -> [UInt8] {
    let isPort = test >= Self.testCount
    let kind = ["no-eventfd", "wildcard-eventfd", "datamatch-eventfd"][test % Self.testCount]
    var writer = ByteWriter()
    writer.raw([UInt8(truncatingIfNeeded: test), 1, 0, 0])
    writer.u32((isPort ? 128 : 2048) + UInt32(test))
    writer.raw([data(test), 0, 0, 0])
    writer.u32(testState.count)
    writer.raw(Array("\(isPort ? "portio" : "mmio")-\(kind)".utf8) + [0])
    return writer.bytes
  }
  /// What is to be written; the wildcard test shows a byte that does not match.
  private func data(_ test: Int) -> UInt8 { test % Self.testCount == 1 ? 0xCE : 0xFA }

  fileprivate func read(_ offset: Int) -> UInt8 {
    guard let current = testState.current else { return 0 }
    let header = header(current)
    return offset + 1 < header.count ? header[offset] : 0
  }

  fileprivate func write(_ offset: Int, _ value: UInt8, isPort: Bool) {
    if offset == Header.test {
      testState = TestState()
      if value < Self.testCount { testState.current = Int(value) + (isPort ? Self.testCount : 0) }
      return
    }
    guard let current = testState.current, current % Self.testCount == 0 else { return }
    let wanted = (current >= Self.testCount ? 128 : 2048) + current
    if offset == wanted, value == data(current) { testState.count &+= 1 }
  }

  private final class MemoryBAR: MemoryMappedDevice {
    private unowned let owner: PCITestDevice
    init(_ owner: PCITestDevice) { self.owner = owner }
    func readMemory(offset: UInt64, size: Int) -> UInt64 {
      (0..<size).reduce(0) {
        $0 | UInt64(owner.read(Int(truncatingIfNeeded: offset) + $1)) << UInt64(8 * $1)
      }
    }
    func writeMemory(offset: UInt64, size: Int, value: UInt64) {
      for i in 0..<size {
        owner.write(
          Int(truncatingIfNeeded: offset) + i, UInt8(truncatingIfNeeded: value >> UInt64(8 * i)),
          isPort: false)
      }
    }
  }

  private final class PortBAR: ByteRegisters {
    private unowned let owner: PCITestDevice
    init(_ owner: PCITestDevice) { self.owner = owner }
    func readRegister(_ offset: UInt16) -> UInt8 { owner.read(Int(offset)) }
    func writeRegister(_ offset: UInt16, _ value: UInt8) { owner.write(Int(offset), value, isPort: true) }
  }
}
