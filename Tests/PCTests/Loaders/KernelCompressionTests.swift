import Foundation
import PC
import Testing

/// Payloads made as the kernel's build makes them (scripts/Makefile.lib), by the host's tools.
@Suite(.serialized)
struct KernelCompressionTests {
  /// The command of each format; the size follows the stream for all but gzip.
  static let commands: [(KernelCompression, String)] = [
    (.gzip, "gzip -n -9"), (.xz, "xz --check=crc32 --x86 --lzma2=dict=32MiB"), (.lzma, "lzma -9"),
    (.zstd, "zstd -22 --ultra"), (.lz4, "lz4 -l -c -9"), (.bzip2, "bzip2 -9"),
  ]

  /// More than one block of lz4's, with something to compress.
  private static let content: [UInt8] = {
    var random = RandomStream(seed: 3, purpose: .entropy)
    var bytes = [UInt8](unsafeUninitializedCapacity: (8 << 20) + 12345) { buffer, count in
      count = (8 << 20) + 12345
      for i in 0..<count {
        buffer[i] = i % 4096 < 64 ? UInt8(truncatingIfNeeded: random.next()) : UInt8(truncatingIfNeeded: i >> 12)
      }
    }
    bytes[0] = 0x7F
    return bytes
  }()

  /// Nil where the host has no such tool.
  private static func pack(_ content: [UInt8], _ command: String, withSize: Bool) throws -> [UInt8]? {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("payload-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let (source, packed) = (folder.appendingPathComponent("content"), folder.appendingPathComponent("packed"))
    try Data(content).write(to: source)
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", "\(command) <'\(source.path)' >'\(packed.path)' 2>/dev/null"]
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus != 127 else { return nil }
    let size = (0..<4).map { UInt8(truncatingIfNeeded: content.count >> (8 * $0)) }
    return [UInt8](try Data(contentsOf: packed)) + (withSize ? size : [])
  }

  @Test(arguments: commands) func unpacks(_ compression: KernelCompression, _ command: String) throws {
    let content = Self.content
    guard let payload = try Self.pack(content, command, withSize: compression != .gzip) else { return }
    try payload.withUnsafeBytes { (payload) -> Void in
      #expect(KernelCompression(of: payload) == compression)
      #expect(KernelCompression.contentSize(of: payload) == content.count || compression == .bzip2)
      var output = [UInt8](repeating: 0, count: content.count)
      if compression == .bzip2 {
        #expect(throws: FastBootRefusal.self) {
          try output.withUnsafeMutableBytes { try compression.unpack(payload, into: $0) }
        }
        return
      }
      try output.withUnsafeMutableBytes { try compression.unpack(payload, into: $0) }
      #expect(output == content)
      // Another size than the content's is an error, and nothing is written past the end.
      for count in [content.count - 1, 1, content.count + 1] {
        var other = [UInt8](repeating: 0, count: count + 64)
        #expect(throws: FastBootRefusal.self) {
          try other.withUnsafeMutableBytes {
            try compression.unpack(payload, into: UnsafeMutableRawBufferPointer(rebasing: $0[..<count]))
          }
        }
        #expect(other.suffix(64).allSatisfy { $0 == 0 })
      }
    }
  }

  /// Cut and changed payloads: an error or wrong bytes, never a crash, never more memory.
  @Test(arguments: commands) func damage(_ compression: KernelCompression, _ command: String) throws {
    let content = [UInt8](Self.content.prefix(300_000))
    guard let payload = try Self.pack(content, command, withSize: compression != .gzip) else { return }
    var random = RandomStream(seed: 9, purpose: .entropy)
    for round in 0..<150 {
      var damaged = payload
      if round % 3 == 0 {
        damaged = [UInt8](damaged.prefix(Int(random.next(below: UInt64(payload.count)))))
      } else {
        // Headers first.
        let bound = round % 3 == 1 ? 32 : UInt64(payload.count)
        for _ in 0...random.next(below: 3) {
          damaged[Int(random.next(below: bound))] = UInt8(truncatingIfNeeded: random.next())
        }
      }
      var output = [UInt8](repeating: 0, count: content.count + 64)
      damaged.withUnsafeBytes { (damaged) -> Void in
        _ = KernelCompression(of: damaged)
        output.withUnsafeMutableBytes {
          _ = try? compression.unpack(damaged, into: UnsafeMutableRawBufferPointer(rebasing: $0[..<content.count]))
        }
      }
      #expect(output.suffix(64).allSatisfy { $0 == 0 })
    }
  }
}
