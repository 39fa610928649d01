import PC

/// A vmlinux of two segments with relocation tables, as a bzImage's payload holds one.
struct SyntheticKernel {
  static let link: UInt64 = 0x100_0000
  static let map: UInt64 = 0xFFFF_FFFF_8000_0000

  /// Contents of the segments; the second one lies at `dataOffset` from the image's start.
  var text = (0..<8192).map { UInt8(truncatingIfNeeded: $0 &* 7) }
  var data = (0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 11) }
  var dataOffset: UInt64 = 0x4000
  /// Bytes of the second segment that are not in the file.
  var bss: UInt64 = 0x3000
  var entryOffset: UInt64 = 0x40
  /// Offsets from the image's start.
  var quads: [UInt64] = [0x100, 0x4010]
  var inverse: [UInt64]? = [0x200]
  var words: [UInt64] = [0x300, 0x4020, 0x4FFC]
  var hasTables = true
  var machine: UInt16 = 62

  var bytes: [UInt8] {
    var file = ByteWriter()
    file.raw([0x7F, 0x45, 0x4C, 0x46, 2, 1, 1])
    file.zeros(9)
    file.u16(2)
    file.u16(machine)
    file.u32(1)
    file.u64(Self.link + entryOffset)
    file.u64(64)
    file.u64(UInt64(0x2000 + text.count + data.count))  // section headers: none, at the end
    file.u32(0)
    file.u16(64)
    file.u16(56)
    file.u16(2)
    file.u16(64)
    file.u16(0)
    file.u16(0)
    func segment(_ offset: Int, _ target: UInt64, _ size: Int, _ memory: UInt64) {
      file.u32(1)
      file.u32(5)
      file.u64(UInt64(offset))
      file.u64(Self.map + Self.link + target)
      file.u64(Self.link + target)
      file.u64(UInt64(size))
      file.u64(memory)
      file.u64(0x20_0000)
    }
    segment(0x2000, 0, text.count, UInt64(text.count))
    segment(0x2000 + text.count, dataOffset, data.count, UInt64(data.count) + bss)
    file.zeros(0x2000 - file.count)
    file.raw(text + data)
    guard hasTables else { return file.bytes }
    for table in [quads, inverse, words] {
      guard let table else { continue }
      file.u32(0)
      for offset in table { file.u32(UInt32(truncatingIfNeeded: Self.map &+ Self.link &+ offset)) }
    }
    return file.bytes
  }

  /// Packed as the kernel's build packs with lz4, without any compression: blocks of literals, and the size.
  var packed: [UInt8] {
    let content = bytes
    var result = ByteWriter()
    result.u32(0x184C_2102)
    let rest = content.count - 15
    let length = [0xF0] + [UInt8](repeating: 0xFF, count: rest / 255) + [UInt8(rest % 255)]
    result.u32(UInt32(length.count + content.count))
    result.raw(length + content)
    result.u32(UInt32(content.count))
    return result.bytes
  }

  /// A bzImage around it.
  func bzImage(version: String = "6.1.0-1-amd64 (someone) #1", change: (inout [UInt8]) -> Void = { _ in }) -> [UInt8] {
    var packed = packed
    change(&packed)
    var image = SyntheticBzImage()
    image.payload = [UInt8](repeating: 0x5A, count: 0x400) + packed
    var file = image.bytes
    func put(_ offset: Int, _ value: Int, _ size: Int) {
      for i in 0..<size { file[offset + i] = UInt8(truncatingIfNeeded: value >> (8 * i)) }
    }
    put(0x201, 0x6A, 1)
    put(0x20E, 0x100, 2)
    file.replaceSubrange(0x300..<(0x300 + version.utf8.count), with: Array(version.utf8))
    put(0x248, 0x400, 4)
    put(0x24C, packed.count, 4)
    return file
  }
}
