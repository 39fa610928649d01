import Foundation

/// A dump in the plain ELF form that `inquest dump` and QEMU write, mapped into memory: for tests, and for looking at a
/// dump without its trace.
public final class ELFCoreView: GuestView {
  private let bytes: UnsafeRawBufferPointer
  private let segments: [(physical: Range<UInt64>, offset: UInt64)]
  public let ranges: [Range<UInt64>]
  public private(set) var processors: [GuestRegisters] = []
  public private(set) var announcedVMCoreInfo: [UInt8]?

  /// - Parameter ignoresNote: whether the dump's VMCOREINFO note is left out, as if the guest had told nothing.
  /// - Throws: `ForensicsError.notADump` for what is no ELF64 core of an x86-64 machine with QEMU's notes.
  public init(path: String, ignoresNote: Bool = false) throws(ForensicsError) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .notADump(String(cString: strerror(errno))) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_size >= 64,
      let memory = mmap(nil, Int(status.st_size), PROT_READ, MAP_PRIVATE, descriptor, 0), memory != MAP_FAILED
    else { throw .notADump("it is empty, or cannot be mapped") }
    bytes = UnsafeRawBufferPointer(start: memory, count: Int(status.st_size))
    let reader = ELFReader(bytes: bytes)
    guard reader.isCore else {
      segments = []
      ranges = []
      throw .notADump("it is no ELF64 core of x86-64")
    }
    var found: [(physical: Range<UInt64>, offset: UInt64)] = []
    var notes: [ELFReader.Note] = []
    for header in reader.programHeaders() {
      if header.type == 4 { notes += reader.notes(header) }
      guard header.type == 1, header.size > 0 else { continue }
      let (end, overflow) = header.physical.addingReportingOverflow(header.size)
      if !overflow { found.append((header.physical..<end, header.offset)) }
    }
    segments = found.sorted { $0.physical.lowerBound < $1.physical.lowerBound }
    ranges = segments.map(\.physical)
    for note in notes {
      switch note.name {
      case "QEMU": if let registers = GuestRegisters(qemu: note.descriptor) { processors.append(registers) }
      case "VMCOREINFO" where !ignoresNote: announcedVMCoreInfo = note.whole
      default: break
      }
    }
    guard !processors.isEmpty else { throw .notADump("it has no note of QEMU's with the system registers") }
  }

  deinit { munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress!), bytes.count) }

  public func page(at physicalAddress: UInt64) -> UnsafeRawPointer? {
    let page = physicalAddress & ~0xFFF
    guard let segment = segments.first(where: { $0.physical.contains(physicalAddress) }),
      page >= segment.physical.lowerBound
    else { return nil }
    let offset = segment.offset &+ (page - segment.physical.lowerBound)
    guard offset < bytes.count, bytes.count - Int(offset) >= 4096 else { return nil }
    return bytes.baseAddress! + Int(offset)
  }
}

/// The parts of an ELF64 file that a core has.
private struct ELFReader {
  struct ProgramHeader { var type: UInt32, offset: UInt64, physical: UInt64, size: UInt64 }
  struct Note { var name: String, descriptor: [UInt8], whole: [UInt8] }

  let bytes: UnsafeRawBufferPointer

  func value<T: FixedWidthInteger>(_ offset: Int, _ type: T.Type) -> T? {
    guard offset >= 0, offset <= bytes.count - MemoryLayout<T>.size else { return nil }
    return T(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
  }

  var isCore: Bool {
    bytes.starts(with: [0x7F, 0x45, 0x4C, 0x46, 2, 1]) && value(16, UInt16.self) == 4 && value(18, UInt16.self) == 62
  }

  func programHeaders() -> [ProgramHeader] {
    guard let start = value(32, UInt64.self), let size = value(54, UInt16.self), size >= 56,
      let count = value(56, UInt16.self), start < bytes.count
    else { return [] }
    return (0..<Int(count)).compactMap { index in
      let at = Int(start) + index * Int(size)
      guard let type = value(at, UInt32.self), let offset = value(at + 8, UInt64.self),
        let physical = value(at + 24, UInt64.self), let size = value(at + 32, UInt64.self), offset <= bytes.count,
        size <= UInt64(bytes.count) - offset
      else { return nil }
      return ProgramHeader(type: type, offset: offset, physical: physical, size: size)
    }
  }

  func notes(_ header: ProgramHeader) -> [Note] {
    var result: [Note] = []
    var at = Int(header.offset)
    let end = at + Int(header.size)
    while at + 12 <= end, let nameSize = value(at, UInt32.self), let size = value(at + 4, UInt32.self) {
      let nameStart = at + 12
      let start = nameStart + (Int(nameSize) + 3) & ~3
      let next = start + (Int(size) + 3) & ~3
      guard nameSize > 0, start <= end, start + Int(size) <= end else { break }
      result.append(
        Note(
          name: String(decoding: bytes[nameStart..<(nameStart + Int(nameSize) - 1)], as: UTF8.self),
          descriptor: Array(bytes[start..<(start + Int(size))]), whole: Array(bytes[at..<min(next, end)])))
      at = next
    }
    return result
  }
}

extension GuestRegisters {
  /// From QEMU's note: version, size, 16 general registers in the order RAX RBX RCX RDX RSI RDI RSP RBP R8…, RIP, RFLAGS,
  /// ten segments (CS DS ES FS GS SS LDT TR GDT IDT) of 24 bytes, CR0–CR4 and KERNEL_GS_BASE.
  init?(qemu note: [UInt8]) {
    guard note.count >= 432 else { return nil }
    func word(_ offset: Int) -> UInt64 {
      (0..<8).reduce(0) { $0 | UInt64(note[offset + $1]) << (8 * UInt64($1)) }
    }
    func segment(_ index: Int) -> (selector: UInt16, limit: UInt32, base: UInt64) {
      let at = 152 + 24 * index
      let first = word(at)
      return (UInt16(truncatingIfNeeded: first), UInt32(truncatingIfNeeded: first >> 32), word(at + 16))
    }
    let order = [0, 2, 3, 1, 6, 7, 4, 5] + Array(8..<16)
    self.init(general: order.map { word(8 + 8 * $0) }, rip: word(136))
    rflags = word(144)
    (cs, ss) = (segment(0).selector, segment(5).selector)
    (fsBase, gsBase) = (segment(3).base, segment(4).base)
    trBase = segment(7).base
    (idtLimit, idtBase) = (segment(9).limit, segment(9).base)
    (cr0, cr2, cr3, cr4) = (word(392), word(408), word(416), word(424))
    if note.count >= 440 { kernelGSBase = word(432) }
    // The note says nothing of EFER: a kernel at upper-half addresses is one in long mode.
    isLongMode = cr0 >> 31 & 1 != 0 && cr4 & (1 << 5) != 0
  }
}
