import PC
import Testing
import X86Core

/// QEMU's specification of fw_cfg and of vmcoreinfo.
struct FWCfgTests {
  let memory = GuestMemory(size: 1 << 20)!
  let device: FWCfg

  init() {
    device = FWCfg(memory: memory)
    device.addFile("etc/pvpanic-port", [0x05, 0x05])
    device.addFile("etc/b", [1, 2, 3])
  }

  func select(_ key: UInt16) { device.writePort(offset: 0, size: 2, value: UInt32(key)) }
  func read(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in UInt8(device.readPort(offset: 1, size: 1)) }
  }
  func big(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }

  /// - Returns: the control field afterwards.
  func dma(_ control: UInt32, length: UInt32, address: UInt64, at descriptor: UInt64 = 0x1000) -> UInt64 {
    var bytes = ByteWriter()
    bytes.u32(control.byteSwapped)
    bytes.u32(length.byteSwapped)
    bytes.u64(address.byteSwapped)
    memory.write(descriptor, bytes.bytes)
    device.writePort(offset: 4, size: 4, value: UInt32(descriptor >> 32).byteSwapped)
    device.writePort(offset: 8, size: 4, value: UInt32(truncatingIfNeeded: descriptor).byteSwapped)
    return memory.read(descriptor, count: 4).map { big($0[...]) } ?? .max
  }

  @Test func signatures() {
    select(0)
    #expect(read(6) == Array("QEMU".utf8) + [0, 0])
    select(1)
    #expect(read(4) == [3, 0, 0, 0])
    #expect(device.readPort(offset: 4, size: 4) == 0x554D_4551)
    select(0x7777)
    #expect(read(2) == [0, 0])
  }

  @Test func directoryIsSortedByName() {
    select(0x19)
    let bytes = read(4 + 2 * 64)
    #expect(big(bytes[0..<4]) == 2)
    #expect(big(bytes[4..<8]) == 3 && big(bytes[8..<10]) == 0x20)
    #expect(String(decoding: bytes[12..<17], as: UTF8.self) == "etc/b")
    #expect(big(bytes[68..<72]) == 2 && big(bytes[72..<74]) == 0x21)
    select(0x21)
    #expect(read(2) == [0x05, 0x05])
  }

  @Test func dmaReads() {
    #expect(dma(0x0020_000A, length: 5, address: 0x2000) == 0)
    #expect(memory.read(0x2000, count: 5) == [1, 2, 3, 0, 0])
    #expect(dma(0x0020_000C, length: 1, address: 0) == 0, "select and skip")
    #expect(dma(0x0000_0002, length: 1, address: 0x2000) == 0)
    #expect(memory.read(0x2000, count: 1) == [2])
  }

  @Test func hostileDMA() {
    #expect(dma(0x0020_000A, length: .max, address: 0xF0000) == 1, "runs off the end of memory")
    #expect(dma(0x0020_000A, length: 16, address: 0xA0000) == 1, "no RAM there")
    #expect(dma(0x0020_000A, length: 16, address: .max - 3) == 1)
    #expect(dma(0x0020_0018, length: 2, address: 0x2000) == 1, "read-only")
    #expect(dma(0x0000_000A, length: 4, address: 0x2000, at: 0xFFFF_FFFF_FFFF_FFF0) == .max)
    #expect(dma(0x0000_0004, length: .max, address: 0) == 0)
    #expect(dma(0x0000_0004, length: .max, address: 0) == 0)
    #expect(dma(0x0000_0002, length: 1, address: 0x2000) == 0)
  }

  @Test func vmcoreinfo() throws {
    let info = VMCoreInfo(fwCfg: device)
    var changes: [VMCoreInfo.Note?] = []
    info.onChange = { changes.append($0) }
    #expect(info.note == nil)
    // "etc/vmcoreinfo" is the last of three by name.
    select(0x22)
    #expect(read(4) == [0, 0, 1, 0])
    var file = ByteWriter()
    file.u16(1)
    file.u16(1)
    file.u32(0x1000)
    file.u64(0x1234_5000)
    memory.write(0x3000, file.bytes)
    #expect(dma(0x0022_0018, length: 17, address: 0x3000) == 1, "longer than the file")
    #expect(dma(0x0022_0018, length: 16, address: 0x3000) == 0)
    let note = VMCoreInfo.Note(physicalAddress: 0x1234_5000, size: 0x1000)
    #expect(info.note == note && changes == [note])
    let saved = device.state
    device.reset()
    #expect(info.note == nil)
    device.state = saved
    #expect(info.note == note)
  }
}
