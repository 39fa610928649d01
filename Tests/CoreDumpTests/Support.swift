import CoreDump
import Foundation
import Testing
import X86Core
import X86System

/// A folder of its own for a test, removed at its end.
final class Scratch {
  let path: String

  init() throws {
    path = NSTemporaryDirectory() + "inquest-core-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func file(_ name: String) -> String { path + "/" + name }
  var names: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted() }

  static func bytes(_ path: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
  }
}

/// A host tool: what it wrote and its exit status. nil when it is not installed.
struct Tool {
  let status: Int32
  let output: [UInt8]
  let errors: String
  var text: String { String(decoding: output, as: UTF8.self) }

  static func path(_ name: String) -> String? {
    ["/usr/bin/", "/bin/", "/usr/local/bin/"].map { $0 + name }.first {
      FileManager.default.isExecutableFile(atPath: $0)
    }
  }

  init?(_ name: String, _ arguments: [String]) throws {
    guard let path = Self.path(name) else { return nil }
    let scratch = try Scratch()
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    process.environment = ["LC_ALL": "C", "PATH": "/usr/bin:/bin", "HOME": scratch.path]
    // Files, not pipes: what a tool writes may be larger than a pipe holds.
    let files = try ["out", "err"].map { name in
      _ = FileManager.default.createFile(atPath: scratch.file(name), contents: nil)
      return try #require(FileHandle(forWritingAtPath: scratch.file(name)))
    }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = files[0]
    process.standardError = files[1]
    try process.run()
    process.waitUntilExit()
    status = process.terminationStatus
    output = try Scratch.bytes(scratch.file("out"))
    errors = String(decoding: try Scratch.bytes(scratch.file("err")), as: UTF8.self)
  }
}

/// A vmcore, read back.
struct CoreFile {
  struct ProgramHeader: Equatable {
    var type: UInt32
    var offset, virtualAddress, physicalAddress, size: UInt64
  }
  struct Note: Equatable {
    var name: String
    var type: UInt32
    var descriptor: [UInt8]
  }

  let bytes: [UInt8]
  let headers: [ProgramHeader]
  let notes: [Note]
  var loads: [ProgramHeader] { headers.filter { $0.type == 1 } }

  init(path: String) throws {
    bytes = try Scratch.bytes(path)
    let bytes = bytes
    headers = (0..<Int(Self.integer(bytes, 56, UInt16.self))).map { index in
      let at = Int(Self.integer(bytes, 32, UInt64.self)) + 56 * index
      func word(_ offset: Int) -> UInt64 { Self.integer(bytes, at + offset, UInt64.self) }
      return ProgramHeader(
        type: Self.integer(bytes, at, UInt32.self), offset: word(8), virtualAddress: word(16),
        physicalAddress: word(24), size: word(32))
    }
    var notes: [Note] = []
    if let place = headers.first(where: { $0.type == 4 }) {
      var at = Int(place.offset)
      while at < Int(place.offset + place.size) {
        let nameSize = Int(Self.integer(bytes, at, UInt32.self))
        let size = Int(Self.integer(bytes, at + 4, UInt32.self))
        let start = at + 12 + (nameSize + 3) & ~3
        notes.append(
          Note(
            name: String(decoding: bytes[(at + 12)..<(at + 11 + nameSize)], as: UTF8.self),
            type: Self.integer(bytes, at + 8, UInt32.self), descriptor: Array(bytes[start..<(start + size)])))
        at = start + (size + 3) & ~3
      }
    }
    self.notes = notes
  }

  static func integer<T: FixedWidthInteger>(_ bytes: [UInt8], _ offset: Int, _ type: T.Type) -> T {
    bytes.withUnsafeBytes { T(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: T.self)) }
  }

  func integer<T: FixedWidthInteger>(_ offset: Int, _ type: T.Type) -> T { Self.integer(bytes, offset, type) }

  func content(_ header: ProgramHeader) -> [UInt8] {
    Array(bytes[Int(header.offset)..<Int(header.offset + header.size)])
  }
}

enum Sample {
  /// Each register has a value of its own.
  static func processor() -> ProcessorState {
    var state = ProcessorState()
    state.general = (0..<16).map { 0xFFFF_8000_0000_1000 + UInt64($0) * 0x111 }
    state.rip = 0xFFFF_FFFF_C040_E230
    state.rflags = 0x246
    state.segments = (0..<6).map {
      .init(
        base: UInt64($0) * 0x10_0000,
        register: SegmentRegister(selector: UInt16(8 * $0 + 8), attributes: 0xA09B, limit: .max))
    }
    (state.cr0, state.cr2, state.cr3, state.cr4) = (0x33, 0x1234, 0x5000, 0x6B0)
    state.kernelGSBase = 0x7777_0000
    state.gdtr.base = 0xFFFF_FE00_0000_1000
    state.gdtr.limit = 0x7F
    return state
  }

  static let vmcoreinfo = VMCoreInfoNote(
    text: Array("OSRELEASE=6.1.0-test\nPAGESIZE=4096\nKERNELOFFSET=1a000000\n".utf8))

  /// Some pages that shrink well, some that do not, and zeros.
  static func memory(size: UInt64 = 8 << 20, lowLimit: UInt64 = 0xC000_0000) throws -> GuestMemory {
    let memory = try #require(GuestMemory(size: size, lowLimit: lowLimit))
    var random: UInt64 = 1
    for page in stride(from: UInt64(0), to: size / 2, by: 3 * 4096) {
      let address = memory.physicalAddress(ofOffset: page)
      let bytes = (0..<4096).map { index -> UInt8 in
        random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return page % 2 == 0 ? UInt8(truncatingIfNeeded: random >> 56) : UInt8(truncatingIfNeeded: index / 64)
      }
      memory.write(address, bytes)
    }
    memory.write(memory.ranges.last!.upperBound - 8, [1, 2, 3, 4, 5, 6, 7, 8])
    return memory
  }

  static func image(_ memory: GuestMemory, processors: Int = 1) -> CoreImage {
    CoreImage(
      memory: memory, processors: Array(repeating: processor(), count: processors),
      vmcoreinfo: vmcoreinfo.bytes)
  }

  /// RAM of a range, the VGA window as zeros.
  static func ram(_ memory: GuestMemory, _ range: Range<UInt64>) -> [UInt8] {
    var result: [UInt8] = []
    var address = range.lowerBound
    while address < range.upperBound {
      let count = Int(min(4096 - address % 4096, range.upperBound - address))
      result += memory.read(address, count: count) ?? [UInt8](repeating: 0, count: count)
      address += UInt64(count)
    }
    return result
  }
}
