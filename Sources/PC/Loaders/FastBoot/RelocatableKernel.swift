import Glibc

/// A vmlinux as it comes out of a bzImage: an ELF file with tables of places to relocate behind it
/// (arch/x86/tools/relocs.c, arch/x86/boot/compressed/misc.c).
///
/// The tables are words of 32 bits, addresses of the linked kernel that are sign-extended to 64: first 64-bit places,
/// then, up to Linux 6.14, 32-bit places to be decreased, then 32-bit places, each table with a zero before it.
public struct RelocatableKernel {
  struct Segment {
    /// Offset into the file.
    let source: Int
    /// Offset from the image's start.
    let target: UInt64
    let fileSize: Int
  }

  /// The physical address that the kernel was linked for.
  public let linkAddress: UInt64
  /// Bytes from there to the end of the last segment.
  public let memorySize: UInt64
  /// Offset of the entry point from the image's start.
  public let entryOffset: UInt64
  /// Whether it can be moved to another virtual address (CONFIG_RANDOMIZE_BASE).
  public var isRelocatable: Bool { !wordRelocations.isEmpty || !quadRelocations.isEmpty }

  /// In the order of their places and of their sources alike.
  let segments: [Segment]
  /// Bytes of the file.
  let end: Int
  /// Byte offsets of the tables in the file.
  let quadRelocations: Range<Int>
  let inverseRelocations: Range<Int>
  let wordRelocations: Range<Int>

  /// `__START_KERNEL_map`: physical address 0 in the kernel's own mapping.
  static let kernelMap: UInt64 = 0xFFFF_FFFF_8000_0000
  static let machineX86_64: UInt16 = 62
  /// Program headers lie within so many bytes.
  private static let headSize = 64 << 10

  /// - Throws: `FastBootRefusal` for everything that is not such a file through and through.
  public init(_ bytes: UnsafeRawBufferPointer) throws {
    end = bytes.count
    let elf: ELFImage
    do { elf = try ELFImage([UInt8](bytes.prefix(Self.headSize))) } catch {
      throw FastBootRefusal("its content is no kernel: \(error)")
    }
    guard elf.is64Bit, elf.machine == Self.machineX86_64, let sectionTable = elf.file.u64(40),
      let sectionSize = elf.file.u16(58), let sectionCount = elf.file.u16(60)
    else { throw FastBootRefusal("its content is no 64-bit kernel") }

    let loads = elf.segments.filter { $0.type == ELFImage.SegmentType.load }
    guard let start = loads.map(\.physicalAddress).min() else {
      throw FastBootRefusal("its content has nothing to load")
    }
    var segments: [Segment] = []
    var memorySize: UInt64 = 0
    var (elfEnd, overflow) = sectionTable.addingReportingOverflow(UInt64(sectionSize) * UInt64(sectionCount))
    for load in loads {
      let (fileEnd, overflow1) = load.fileOffset.addingReportingOverflow(load.fileSize)
      let (memoryEnd, overflow2) = (load.physicalAddress - start).addingReportingOverflow(load.memorySize)
      guard !overflow1, !overflow2, fileEnd <= UInt64(bytes.count), load.fileSize <= load.memorySize,
        memoryEnd <= KernelPlacement.virtualRange
      else { throw FastBootRefusal("a segment of its content makes no sense") }
      segments.append(
        Segment(
          source: Int(load.fileOffset), target: load.physicalAddress - start, fileSize: Int(load.fileSize)))
      memorySize = max(memorySize, memoryEnd)
      elfEnd = max(elfEnd, fileEnd)
      overflow = overflow || overflow1
    }
    guard !overflow, elfEnd <= UInt64(bytes.count), elf.entry >= start, elf.entry - start < memorySize else {
      throw FastBootRefusal("its content's headers make no sense")
    }
    segments.sort { $0.target < $1.target }
    var sourceEnd = 0
    var targetEnd: UInt64 = 0
    for segment in segments {
      guard segment.source >= sourceEnd, segment.target >= targetEnd, segment.target <= UInt64(segment.source) else {
        throw FastBootRefusal("the segments of its content cannot be moved in place")
      }
      sourceEnd = segment.source + segment.fileSize
      targetEnd = segment.target + UInt64(segment.fileSize)
    }
    self.segments = segments
    self.memorySize = memorySize
    linkAddress = start
    entryOffset = elf.entry - start
    (quadRelocations, inverseRelocations, wordRelocations) = try Self.tables(
      bytes, from: Int(elfEnd), link: Self.kernelMap &+ start, segments)
  }

  /// Finds the tables and checks that every place lies in what comes from the file.
  private static func tables(
    _ bytes: UnsafeRawBufferPointer, from start: Int, link: UInt64, _ segments: [Segment]
  ) throws -> (Range<Int>, Range<Int>, Range<Int>) {
    guard start < bytes.count else { return (0..<0, 0..<0, 0..<0) }
    guard (bytes.count - start) % 4 == 0 else { throw FastBootRefusal("its relocations are cut off") }
    var zeros: [Int] = []
    // Most places lie in the segment of the one before.
    var segment = segments.first
    for offset in stride(from: start, to: bytes.count, by: 4) {
      let word = bytes.loadUnaligned(fromByteOffset: offset, as: Int32.self)
      if word == 0 {
        guard zeros.count < 3 else { throw FastBootRefusal("it has more relocation tables than are known") }
        zeros.append(offset)
        continue
      }
      let width: UInt64 = zeros.count == 1 ? 8 : 4
      let place = UInt64(bitPattern: Int64(word)) &- link
      func covers(_ segment: Segment) -> Bool {
        place >= segment.target && place &- segment.target < UInt64(segment.fileSize)
          && UInt64(segment.fileSize) &- (place &- segment.target) >= width
      }
      if let segment, covers(segment) { continue }
      segment = segments.first(where: covers)
      guard segment != nil else { throw FastBootRefusal("a relocation lies outside of the kernel") }
    }
    guard zeros.first == start, zeros.count >= 2 else { throw FastBootRefusal("its relocations make no sense") }
    let last = zeros[zeros.count - 1]
    return (
      (start + 4)..<zeros[1], zeros.count == 3 ? (zeros[1] + 4)..<zeros[2] : last..<last, (last + 4)..<bytes.count
    )
  }

  /// Turns the file into the kernel where it lies, as the decompressor does: moves the segments down to their places and
  /// relocates them.
  /// - Parameters:
  ///   - image: the file's bytes.
  ///   - virtual: see `KernelPlacement`.
  public func settle(in image: UnsafeMutableRawBufferPointer, virtual: UInt64) {
    guard let base = image.baseAddress, image.count >= end else { return }
    // None reaches what is moved after it, nor the tables.
    for segment in segments {
      memmove(base + Int(segment.target), base + segment.source, segment.fileSize)
    }
    let delta = virtual &- linkAddress
    guard delta != 0 else { return }
    let link = Self.kernelMap &+ linkAddress
    func places(_ table: Range<Int>, _ body: (UnsafeMutableRawPointer) -> Void) {
      for offset in stride(from: table.lowerBound, to: table.upperBound, by: 4) {
        let word = base.loadUnaligned(fromByteOffset: offset, as: Int32.self)
        body(base + Int(truncatingIfNeeded: UInt64(bitPattern: Int64(word)) &- link))
      }
    }
    let delta32 = UInt32(truncatingIfNeeded: delta)
    places(wordRelocations) { $0.add(delta32) }
    places(inverseRelocations) { $0.add(0 &- delta32) }
    places(quadRelocations) { $0.add(delta) }
  }
}

extension UnsafeMutableRawPointer {
  @inline(__always)
  fileprivate func add<Word: FixedWidthInteger>(_ value: Word) {
    storeBytes(of: loadUnaligned(as: Word.self) &+ value, as: Word.self)
  }
}
