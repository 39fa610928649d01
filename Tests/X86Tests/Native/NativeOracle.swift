import Foundation

/// Where the case's memory lies, in the helper and in the guest alike.
enum NativeMap {
  static let page: UInt64 = 4096
  /// Two pages of code, full of INT3 and read-only; nothing is mapped around them.
  static let code: UInt64 = 0x1000_0000
  static let codeSize: UInt64 = 2 * page
  /// Three pages of data and a read-only one; nothing is mapped around them.
  static let data: UInt64 = 0x2000_0000
  static let writableSize: UInt64 = 3 * page
  static let dataSize: UInt64 = 4 * page
  /// Selectors as Linux has them.
  static let userCode64: UInt16 = 0x33, userData: UInt16 = 0x2B, userCode32: UInt16 = 0x23
}

/// One case as it lies in the memory shared with the helper (`struct input` of oracle.c).
struct NativeInput {
  static let size = 1280
  let p: UnsafeMutableRawPointer

  func gpr(_ i: Int) -> UInt64 { p.load(fromByteOffset: 8 * i, as: UInt64.self) }
  func setGPR(_ i: Int, _ value: UInt64) { p.storeBytes(of: value, toByteOffset: 8 * i, as: UInt64.self) }
  var rip: UInt64 {
    get { p.load(fromByteOffset: 128, as: UInt64.self) }
    nonmutating set { p.storeBytes(of: newValue, toByteOffset: 128, as: UInt64.self) }
  }
  var rflags: UInt64 {
    get { p.load(fromByteOffset: 136, as: UInt64.self) }
    nonmutating set { p.storeBytes(of: newValue, toByteOffset: 136, as: UInt64.self) }
  }
  var length: Int { Int(p.load(fromByteOffset: 144, as: UInt8.self)) }
  /// The instruction loads segment registers: the helper then resets them.
  var loadsSegments: Bool {
    get { p.load(fromByteOffset: 147, as: UInt8.self) & 1 != 0 }
    nonmutating set { p.storeBytes(of: newValue ? 1 : 0, toByteOffset: 147, as: UInt8.self) }
  }
  var fsBase: UInt64 {
    get { p.load(fromByteOffset: 184, as: UInt64.self) }
    nonmutating set { p.storeBytes(of: newValue, toByteOffset: 184, as: UInt64.self) }
  }
  var gsBase: UInt64 {
    get { p.load(fromByteOffset: 192, as: UInt64.self) }
    nonmutating set { p.storeBytes(of: newValue, toByteOffset: 192, as: UInt64.self) }
  }
  var code: UnsafeMutableRawPointer { p + 168 }
  /// What the guest executes; differs from `code` where vendors do.
  var guestCode: UnsafeMutableRawPointer { p + 328 }
  /// FXSAVE image.
  var fx: UnsafeMutableRawPointer { p + 512 }
  /// Upper halves of the YMM registers.
  var ymm: UnsafeMutableRawPointer { p + 1024 }

  func setCode(_ bytes: [UInt8]) {
    p.storeBytes(of: UInt8(bytes.count), toByteOffset: 144, as: UInt8.self)
    for (i, byte) in bytes.enumerated() {
      (code + i).storeBytes(of: byte, as: UInt8.self)
      (guestCode + i).storeBytes(of: byte, as: UInt8.self)
    }
  }
  /// Bytes that memory holds besides the common pattern; number 0 up to 64 bytes, number 1 too.
  func patch(_ number: Int) -> (address: UInt64, bytes: UnsafeRawBufferPointer) {
    (
      p.load(fromByteOffset: 152 + 8 * number, as: UInt64.self),
      UnsafeRawBufferPointer(
        start: p + 200 + 64 * number, count: Int(p.load(fromByteOffset: 145 + number, as: UInt8.self)))
    )
  }
  func setPatch(_ number: Int, _ address: UInt64, count: Int) -> UnsafeMutableRawPointer {
    p.storeBytes(of: UInt8(count), toByteOffset: 145 + number, as: UInt8.self)
    p.storeBytes(of: address, toByteOffset: 152 + 8 * number, as: UInt64.self)
    return p + 200 + 64 * number
  }
}

/// What became of a case (`struct output` of oracle.c); the guest's result is written in the same layout.
struct NativeOutput {
  static let size = 2304
  static let memoryReported = 1024
  let p: UnsafeMutableRawPointer

  func gpr(_ i: Int) -> UInt64 { p.load(fromByteOffset: 8 * i, as: UInt64.self) }
  func setGPR(_ i: Int, _ value: UInt64) { p.storeBytes(of: value, toByteOffset: 8 * i, as: UInt64.self) }
  func field<T>(_ offset: Int, _: T.Type) -> T { p.load(fromByteOffset: offset, as: T.self) }
  var rip: UInt64 { field(128, UInt64.self) }
  var rflags: UInt64 { field(136, UInt64.self) }
  /// Exception vector; 255: nothing happened in time.
  var trap: UInt32 { field(144, UInt32.self) }
  var error: UInt32 { field(148, UInt32.self) }
  var cr2: UInt64 { field(152, UInt64.self) }
  var fsBase: UInt64 { field(160, UInt64.self) }
  var gsBase: UInt64 { field(168, UInt64.self) }
  /// ES, CS, SS, DS, FS, GS.
  func selector(_ i: Int) -> UInt16 { field(176 + 2 * i, UInt16.self) }
  /// Bounds of the changed bytes of the writable data, in steps of 8.
  var memoryStart: Int { Int(field(192, UInt32.self)) }
  var memoryLength: Int { Int(field(196, UInt32.self)) }
  var fx: UnsafeMutableRawPointer { p + 512 }
  var memory: UnsafeMutableRawPointer { p + 1024 }
  /// Upper halves of the YMM registers.
  var ymm: UnsafeMutableRawPointer { p + 1024 + Self.memoryReported }
}

/// The helper process: compiles Tests/native-oracle/oracle.c and hands it batches of cases in shared memory.
final class NativeOracle {
  static let capacity = 1024
  private let folder: URL
  private let process = Process()
  private let toHelper = Pipe()
  private let fromHelper = Pipe()
  private let shared: UnsafeMutableRawPointer
  private static let header = 4096
  private let size: Int

  /// The initial contents of all data pages.
  var pattern: UnsafeMutableRawPointer { shared + Self.header }
  func input(_ i: Int) -> NativeInput {
    NativeInput(p: shared + Self.header + Int(NativeMap.dataSize) + i * NativeInput.size)
  }
  func output(_ i: Int) -> NativeOutput {
    NativeOutput(
      p: shared + Self.header + Int(NativeMap.dataSize) + Self.capacity * NativeInput.size + i
        * NativeOutput.size)
  }

  struct Failure: Error, CustomStringConvertible {
    var description: String
  }

  /// Whether this host can be the reference: an x86-64 Linux.
  static var isSupported: Bool {
    #if arch(x86_64) && os(Linux)
      return true
    #else
      return false
    #endif
  }

  /// Whether the host can be the reference for AVX, AVX2, FMA and F16C too.
  static let hasAVX: Bool = {
    guard let text = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8),
      let flags = text.split(separator: "\n").first(where: { $0.hasPrefix("flags") })
    else { return false }
    let names = Set(flags.split(separator: " ").map(String.init))
    return names.isSuperset(of: ["avx", "avx2", "fma", "f16c", "bmi1", "bmi2"])
  }()

  /// - Parameter pattern: `NativeMap.dataSize` bytes.
  init(pattern: [UInt8]) throws {
    folder = FileManager.default.temporaryDirectory.appendingPathComponent(
      "inquest-oracle-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let source = URL(fileURLWithPath: #filePath)
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("native-oracle/oracle.c")
    let program = folder.appendingPathComponent("oracle")
    let compiler = Process()
    compiler.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    compiler.arguments = [
      "cc", "-O1", "-fno-stack-protector", "-mno-red-zone", "-fno-tree-loop-distribute-patterns",
      "-mfsgsbase",
      "-Wl,-z,now", "-o", program.path, source.path,
    ]
    try compiler.run()
    compiler.waitUntilExit()
    guard compiler.terminationStatus == 0 else {
      throw Failure(description: "cc does not compile \(source.path)")
    }

    size =
      Self.header + Int(NativeMap.dataSize) + Self.capacity * (NativeInput.size + NativeOutput.size)
    let file = folder.appendingPathComponent("cases")
    let descriptor = open(file.path, O_RDWR | O_CREAT, 0o600)
    guard descriptor >= 0, ftruncate(descriptor, off_t(size)) == 0,
      let memory = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0), memory != MAP_FAILED
    else { throw Failure(description: "no shared memory in \(folder.path)") }
    close(descriptor)
    shared = memory
    shared.storeBytes(of: UInt32(Self.capacity), toByteOffset: 4, as: UInt32.self)
    precondition(pattern.count == Int(NativeMap.dataSize))
    pattern.withUnsafeBytes { (shared + Self.header).copyMemory(from: $0.baseAddress!, byteCount: $0.count) }

    process.executableURL = program
    process.arguments = [file.path]
    process.standardInput = toHelper
    process.standardOutput = fromHelper
    try process.run()
  }

  deinit {
    try? toHelper.fileHandleForWriting.close()
    process.waitUntilExit()
    munmap(shared, size)
    try? FileManager.default.removeItem(at: folder)
  }

  /// Runs the first `count` inputs.
  func run(_ count: Int) throws {
    shared.storeBytes(of: UInt32(count), as: UInt32.self)
    try toHelper.fileHandleForWriting.write(contentsOf: Data([1]))
    var byte: UInt8 = 0
    guard read(fromHelper.fileHandleForReading.fileDescriptor, &byte, 1) == 1 else {
      process.waitUntilExit()
      throw Failure(
        description:
          "the helper ended with \(process.terminationStatus) (signal: \(process.terminationReason == .uncaughtSignal))"
      )
    }
  }
}
