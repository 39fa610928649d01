import X86Core

/// Where everything of a vmcore lies: ELF header, program headers from byte 64 on, notes, then memory from a page
/// boundary on. There are no section headers: some tools read neither those nor anything that has them.
struct ELFCoreLayout {
  /// A stretch of the file. Pieces follow each other without a gap.
  enum Piece {
    case bytes([UInt8])
    /// Guest RAM: offset into `GuestMemory.base`, and bytes.
    case memory(offset: UInt64, count: UInt64)

    var count: UInt64 {
      switch self {
      case .bytes(let bytes): return UInt64(bytes.count)
      case .memory(_, let count): return count
      }
    }
  }

  /// A PT_LOAD: where its bytes lie in the file, and what they are to the guest.
  struct Segment: Equatable {
    var fileOffset: UInt64
    var virtualAddress: UInt64
    var physicalAddress: UInt64
    var size: UInt64
  }

  private(set) var pieces: [Piece] = []
  private(set) var segments: [Segment] = []
  /// Bytes of the file.
  private(set) var size: UInt64 = 0
  /// Bytes of guest memory in it.
  private(set) var memorySize: UInt64 = 0

  /// `e_phnum` has 16 bits, and 0xFFFF of them mean that the number is elsewhere; one header is the notes'.
  static let maximumSegments = 0xFFFE - 1
  private static let headerSize: UInt64 = 64
  private static let programHeaderSize: UInt64 = 56

  init(_ image: CoreImage) throws(CoreDumpError) {
    let ranges = image.memory.ranges.map { $0.clamped(to: image.range ?? 0..<UInt64.max) }.filter {
      !$0.isEmpty
    }
    guard !ranges.isEmpty else { throw .noMemoryInRange(image.range ?? 0..<0) }
    let mappings: [GuestMapping]? =
      image.paging
      ? GuestMapping.all(image.memory, image.processors, within: ranges, limit: Self.maximumSegments) : nil

    let notes = ELFNote.all(image)
    let headerCount = 1 + UInt64(mappings?.count ?? ranges.count)
    let notesOffset = Self.headerSize + headerCount * Self.programHeaderSize
    var end = notesOffset + UInt64(notes.count)
    var blocks: [Segment] = []
    for range in ranges {
      // As page-aligned in the file as in the guest.
      let start = Self.pageAligned(end) + range.lowerBound % GuestMemory.pageSize
      let size = range.upperBound - range.lowerBound
      blocks.append(
        Segment(
          fileOffset: start, virtualAddress: range.lowerBound, physicalAddress: range.lowerBound, size: size))
      end = start + size
    }
    segments = mappings.map { Self.place($0, in: blocks) } ?? blocks

    var header = Self.fileHeader(programHeaders: headerCount)
    // p_align is 4 for notes: that is how they are padded.
    header.programHeader(
      type: 4,
      Segment(fileOffset: notesOffset, virtualAddress: 0, physicalAddress: 0, size: UInt64(notes.count)),
      align: 4)
    for segment in segments { header.programHeader(type: 1, segment, align: 0) }
    header.bytes += notes

    var lead = header.bytes
    for block in blocks {
      let padding = block.fileOffset - size - UInt64(lead.count)
      lead += [UInt8](repeating: 0, count: Int(padding))
      add(.bytes(lead))
      add(.memory(offset: Self.hostOffset(image.memory, block.physicalAddress), count: block.size))
      memorySize += block.size
      lead = []
    }
  }

  private mutating func add(_ piece: Piece) {
    guard piece.count > 0 else { return }
    pieces.append(piece)
    size += piece.count
  }

  private static func pageAligned(_ value: UInt64) -> UInt64 {
    (value + GuestMemory.pageSize - 1) & ~(GuestMemory.pageSize - 1)
  }

  /// Offset into the host allocation, also for the VGA window, which is never written there.
  private static func hostOffset(_ memory: GuestMemory, _ physicalAddress: UInt64) -> UInt64 {
    physicalAddress < memory.lowSize
      ? physicalAddress : physicalAddress - GuestMemory.highBase + memory.lowSize
  }

  /// Program headers of mappings: several may share bytes of the file. Each mapping lies within one block.
  private static func place(_ mappings: [GuestMapping], in blocks: [Segment]) -> [Segment] {
    mappings.compactMap { mapping in
      guard
        let block = blocks.first(where: {
          mapping.physicalAddress >= $0.physicalAddress
            && mapping.physicalAddress - $0.physicalAddress < $0.size
        })
      else { return nil }
      return Segment(
        fileOffset: block.fileOffset + mapping.physicalAddress - block.physicalAddress,
        virtualAddress: mapping.linearAddress, physicalAddress: mapping.physicalAddress, size: mapping.size)
    }
  }

  private static func fileHeader(programHeaders: UInt64) -> ELFBytes {
    var header = ELFBytes()
    header.bytes += [0x7F, 0x45, 0x4C, 0x46, 2, 1, 1, 0]  // ELFCLASS64, ELFDATA2LSB, EV_CURRENT, System V
    header.zeros(8)
    header.u16(4)  // ET_CORE
    header.u16(62)  // EM_X86_64
    header.u32(1)  // EV_CURRENT
    header.u64(0)  // e_entry
    header.u64(headerSize)  // e_phoff
    header.u64(0)  // e_shoff
    header.u32(0)  // e_flags
    header.u16(UInt16(headerSize))
    header.u16(UInt16(programHeaderSize))
    header.u16(UInt16(truncatingIfNeeded: programHeaders))
    header.u16(0)  // e_shentsize, e_shnum, e_shstrndx
    header.u16(0)
    header.u16(0)
    return header
  }
}

extension ELFBytes {
  fileprivate mutating func programHeader(type: UInt32, _ segment: ELFCoreLayout.Segment, align: UInt64) {
    u32(type)
    u32(0)  // p_flags
    u64(segment.fileOffset)
    u64(segment.virtualAddress)
    u64(segment.physicalAddress)
    u64(segment.size)  // p_filesz
    u64(segment.size)  // p_memsz
    u64(align)
  }
}
