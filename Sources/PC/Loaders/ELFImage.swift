/// The parts of an ELF executable that a loader needs, from a file that nobody vouches for (System V ABI).
struct ELFImage {
  struct Segment {
    let type: UInt32
    let fileOffset: UInt64
    let virtualAddress: UInt64
    let physicalAddress: UInt64
    let fileSize: UInt64
    let memorySize: UInt64
    let alignment: UInt64
  }
  enum SegmentType {
    static let load: UInt32 = 1
    static let note: UInt32 = 4
  }
  static let magic: [UInt8] = [0x7F, 0x45, 0x4C, 0x46]
  /// More program headers than any kernel has.
  static let maximumSegments = 1024
  /// Bytes; a larger note segment is not looked into.
  static let maximumNotes: UInt64 = 1 << 20

  let file: ByteReader
  let is64Bit: Bool
  let machine: UInt16
  let entry: UInt64
  let segments: [Segment]

  static func recognizes(_ bytes: [UInt8]) -> Bool { bytes.starts(with: magic) }

  /// - Throws: `LoaderError` when headers are cut off or contradict themselves.
  init(_ bytes: [UInt8]) throws {
    file = ByteReader(bytes)
    guard Self.recognizes(bytes) else { throw LoaderError.malformed(what: "it is no ELF file") }
    guard let fileClass = file.u8(4), let data = file.u8(5), fileClass == 1 || fileClass == 2, data == 1
    else {
      throw LoaderError.malformed(what: "it is no little-endian ELF file of 32 or 64 bits")
    }
    is64Bit = fileClass == 2
    let size = is64Bit ? 64 : 52
    guard bytes.count >= size else {
      throw LoaderError.truncated(what: "the ELF header", needed: UInt64(size), present: UInt64(bytes.count))
    }
    machine = file.u16(18)!
    entry = is64Bit ? file.u64(24)! : UInt64(file.u32(24)!)
    let tableOffset = is64Bit ? file.u64(32)! : UInt64(file.u32(28)!)
    let entrySize = UInt64(file.u16(is64Bit ? 54 : 42)!)
    let count = UInt64(file.u16(is64Bit ? 56 : 44)!)
    guard entrySize >= (is64Bit ? 56 : 32), count <= Self.maximumSegments else {
      throw LoaderError.malformed(what: "its ELF program headers make no sense")
    }
    guard file.slice(tableOffset, entrySize * count) != nil else {
      throw LoaderError.truncated(
        what: "the ELF program header table", needed: tableOffset &+ entrySize * count,
        present: UInt64(bytes.count))
    }
    var segments: [Segment] = []
    for i in 0..<count {
      let at = Int(tableOffset + i * entrySize)
      if is64Bit {
        segments.append(
          Segment(
            type: file.u32(at)!, fileOffset: file.u64(at + 8)!, virtualAddress: file.u64(at + 16)!,
            physicalAddress: file.u64(at + 24)!,
            fileSize: file.u64(at + 32)!, memorySize: file.u64(at + 40)!, alignment: file.u64(at + 48)!))
      } else {
        segments.append(
          Segment(
            type: file.u32(at)!, fileOffset: UInt64(file.u32(at + 4)!),
            virtualAddress: UInt64(file.u32(at + 8)!),
            physicalAddress: UInt64(file.u32(at + 12)!), fileSize: UInt64(file.u32(at + 16)!),
            memorySize: UInt64(file.u32(at + 20)!), alignment: UInt64(file.u32(at + 28)!)))
      }
    }
    self.segments = segments
  }

  /// Where the entry point lies in physical memory: kernels that run in the upper half name it there.
  var physicalEntry: UInt64 {
    for segment in segments
    where segment.type == SegmentType.load && entry >= segment.virtualAddress
      && entry - segment.virtualAddress < segment.fileSize
    {
      return entry &- segment.virtualAddress &+ segment.physicalAddress
    }
    return entry
  }

  /// The content of the first note of this name and type, nil when there is none.
  func note(name: String, type: UInt32) -> ArraySlice<UInt8>? {
    let wanted = Array(name.utf8) + [0]
    for segment in segments where segment.type == SegmentType.note {
      let alignment: UInt64 = segment.alignment == 8 ? 8 : 4
      guard segment.fileSize <= Self.maximumNotes,
        let bytes = file.slice(segment.fileOffset, segment.fileSize)
      else { continue }
      var at = UInt64(0)
      let fields = ByteReader(Array(bytes))
      while let nameSize = fields.u32(Int(at)), let size = fields.u32(Int(at) + 4),
        let noteType = fields.u32(Int(at) + 8)
      {
        let content = (at + 12 + UInt64(nameSize) + alignment - 1) / alignment * alignment
        if noteType == type, let found = fields.slice(at + 12, UInt64(nameSize)), found.elementsEqual(wanted) {
          return fields.slice(content, UInt64(size))
        }
        at = (content + UInt64(size) + alignment - 1) / alignment * alignment
      }
    }
    return nil
  }
}
