import X86Core
import X86System

/// The front of a compressed kdump ("diskdump", header version 6), in blocks of 4096 bytes: header, sub-header with the
/// notes behind it, two bitmaps (frames that are RAM; frames that are in the file), a descriptor a page. Then come the
/// pages. As makedumpfile writes it (its IMPLEMENTATION document), not flattened.
struct KdumpLayout {
  static let blockSize = 4096
  static let descriptorSize = 24
  /// `DUMP_DH_COMPRESSED_ZLIB`, for the file and for a page.
  static let zlib: UInt32 = 1
  private static let subheaderSize = 104

  let ranges: [Range<UInt64>]
  /// One more than the highest page frame.
  let frameCount: Int
  private let notes: [UInt8]
  private let vmcoreinfo: VMCoreInfoNote?
  private let image: CoreImage

  init(_ image: CoreImage) throws(CoreDumpError) {
    ranges = image.memory.ranges.filter { !$0.isEmpty }
    guard let last = ranges.last else { throw .noMemoryInRange(0..<0) }
    frameCount = Int(last.upperBound) / Self.blockSize
    notes = ELFNote.all(image)
    vmcoreinfo = image.vmcoreinfo.flatMap { VMCoreInfoNote(parsing: $0) }
    self.image = image
  }

  private static func blocks(_ bytes: Int) -> Int { (bytes + blockSize - 1) / blockSize }
  private var subheaderBlocks: Int { Self.blocks(Self.subheaderSize + notes.count) }
  private var bitmapBlocks: Int { Self.blocks((frameCount + 7) / 8) }
  /// Pages in the file.
  private var pageCount: Int {
    ranges.reduce(0) { count, range in
      image.filter.excluded.isEmpty
        ? count + range.count / Self.blockSize
        : count + Self.frames(range).reduce(0) { $0 + (image.filter.excludes($1) ? 0 : 1) }
    }
  }
  private var descriptorOffset: Int { (1 + subheaderBlocks + 2 * bitmapBlocks) * Self.blockSize }
  /// Where pages start.
  var dataOffset: Int { descriptorOffset + pageCount * Self.descriptorSize }

  /// The front.
  /// - Parameters:
  ///   - dumped: a bit a frame.
  ///   - descriptors: of the frames that are dumped.
  func front(dumped: [UInt8], descriptors: [UInt8]) -> [UInt8] {
    var front = header()
    front.zeros(Self.blockSize - front.bytes.count)
    front.bytes += subheader()
    front.zeros((1 + subheaderBlocks) * Self.blockSize - front.bytes.count)
    var valid = [UInt8](repeating: 0, count: bitmapBlocks * Self.blockSize)
    for range in ranges {
      for frame in Self.frames(range) { valid[frame / 8] |= 1 << UInt8(frame % 8) }
    }
    front.bytes += valid
    front.bytes += dumped
    front.zeros(descriptorOffset - front.bytes.count)
    front.bytes += descriptors
    return front.bytes
  }

  static func frames(_ range: Range<UInt64>) -> Range<Int> {
    Int(range.lowerBound) / blockSize..<Int(range.upperBound) / blockSize
  }

  /// `struct disk_dump_header`.
  private func header() -> ELFBytes {
    var header = ELFBytes()
    header.bytes += Array("KDUMP   ".utf8)
    header.u32(6)
    header.bytes += utsname()
    header.zeros(6)
    header.zeros(16)  // no time stamp: the same machine gives the same bytes
    header.u32(Self.zlib)
    header.u32(UInt32(Self.blockSize))
    header.u32(UInt32(subheaderBlocks))
    header.u32(UInt32(2 * bitmapBlocks))
    header.u32(UInt32(truncatingIfNeeded: frameCount))
    header.zeros(16)  // total_ram_blocks, device_blocks, written_blocks, current_cpu
    header.u32(UInt32(image.processors.count))
    return header
  }

  /// `struct kdump_sub_header`, and the notes that it points to.
  private func subheader() -> [UInt8] {
    let notesOffset = Self.blockSize + Self.subheaderSize
    var header = ELFBytes()
    header.u64(vmcoreinfo?.number(of: "NUMBER(phys_base)") ?? 0)
    header.u32(UInt32(bitPattern: image.filter.level))
    header.zeros(4 + 16)  // split, start_pfn, end_pfn
    if let text = vmcoreinfo?.text, let whole = vmcoreinfo?.bytes {
      // The note is the last one; its text is behind its header and name.
      header.u64(UInt64(notesOffset + notes.count - whole.count + 24))
      header.u64(UInt64(text.count))
    } else {
      header.zeros(16)
    }
    header.u64(UInt64(notesOffset))
    header.u64(UInt64(notes.count))
    header.zeros(16 + 16)  // eraseinfo, start_pfn_64, end_pfn_64
    header.u64(UInt64(frameCount))
    return header.bytes + notes
  }

  /// The guest's `struct new_utsname`, six fields of 65 bytes; zeros where it cannot be found.
  private func utsname() -> [UInt8] {
    let textMap: UInt64 = 0xFFFF_FFFF_8000_0000  // __START_KERNEL_map
    let size = 6 * 65
    guard let note = vmcoreinfo, let namespace = note.number(of: "SYMBOL(init_uts_ns)"), namespace >= textMap,
      let base = note.number(of: "NUMBER(phys_base)"),
      let offset = note.value(of: "OFFSET(uts_namespace.name)").flatMap({ UInt64($0) }),
      let bytes = image.memory.read(namespace &- textMap &+ base &+ offset, count: size)
    else { return [UInt8](repeating: 0, count: size) }
    return bytes
  }
}
