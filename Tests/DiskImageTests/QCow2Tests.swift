import DiskImage
import Foundation
import Testing

/// A folder that goes away with the test.
private final class Folder {
  let path = NSTemporaryDirectory() + "disk-tests-\(UUID().uuidString)"
  init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
  deinit { try? FileManager.default.removeItem(atPath: path) }
  func write(_ name: String, _ bytes: [UInt8]) throws -> String {
    let file = path + "/" + name
    try Data(bytes).write(to: URL(fileURLWithPath: file))
    return file
  }
}

/// A qcow2 image of version 3 with 64-KiB clusters, put together by hand: cluster 0 has data, 1 is zero, 2 comes from the
/// backing file, 3 is packed.
private struct HandMade {
  static let cluster = 65536
  var bytes = [UInt8](repeating: 0, count: 5 * HandMade.cluster)

  mutating func put(_ at: Int, _ value: UInt64, _ count: Int) {
    for i in 0..<count { bytes[at + i] = UInt8(truncatingIfNeeded: value >> UInt64(8 * (count - 1 - i))) }
  }

  /// A stored deflate block: three bits, padding, length, its complement, data; no final block is needed behind it.
  static func packed(_ data: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    for start in stride(from: 0, to: data.count, by: 65535) {
      let piece = data[start..<min(start + 65535, data.count)]
      let length = UInt16(piece.count)
      result.append(start + 65535 >= data.count ? 1 : 0)
      result += [UInt8(length & 0xFF), UInt8(length >> 8), UInt8(~length & 0xFF), UInt8(~length >> 8)]
      result += piece
    }
    return result
  }

  init(backing: String?) {
    bytes.replaceSubrange(0..<4, with: [0x51, 0x46, 0x49, 0xFB])
    put(4, 3, 4)
    if let backing {
      put(8, 1024, 8)
      put(16, UInt64(backing.utf8.count), 4)
      bytes.replaceSubrange(1024..<1024 + backing.utf8.count, with: Array(backing.utf8))
    }
    put(20, 16, 4)
    put(24, UInt64(4 * Self.cluster), 8)
    put(36, 1, 4)  // one L1 entry
    put(40, UInt64(Self.cluster), 8)
    put(100, 104, 4)
    put(Self.cluster, UInt64(2 * Self.cluster) | 1 << 63, 8)
    let l2 = 2 * Self.cluster
    put(l2, UInt64(3 * Self.cluster) | 1 << 63, 8)
    put(l2 + 8, 1, 8)
    for i in 0..<Self.cluster { bytes[3 * Self.cluster + i] = UInt8(truncatingIfNeeded: i) }
    let packed = Self.packed([UInt8](repeating: 0xC5, count: Self.cluster))
    let sectors = UInt64((packed.count + 511) / 512 - 1)
    put(l2 + 24, 1 << 62 | sectors << 54 | UInt64(4 * Self.cluster), 8)
    bytes.removeLast(Self.cluster)
    bytes += packed + [UInt8](repeating: 0, count: 1024)
  }
}

@Suite struct QCow2Tests {
  @Test func readsEveryKindOfCluster() throws {
    let folder = try Folder()
    _ = try folder.write("base.raw", [UInt8](repeating: 0x77, count: 3 * HandMade.cluster - 512))
    let image = try DiskImages.open(folder.write("top.qcow2", HandMade(backing: "base.raw").bytes), format: nil)
    #expect(image.size == UInt64(4 * HandMade.cluster))
    #expect(try image.read(0, 4) == [0, 1, 2, 3])
    // Across the end of a cluster, into zeros.
    #expect(try image.read(65534, 4) == [0xFE, 0xFF, 0, 0])
    // From the backing file, and behind its end.
    #expect(try image.read(2 * 65536, 2) == [0x77, 0x77])
    #expect(try image.read(3 * 65536 - 514, 4) == [0x77, 0x77, 0, 0])
    #expect(try image.read(3 * 65536, 65536) == [UInt8](repeating: 0xC5, count: 65536))
  }

  @Test func rawIsPaddedToSectors() throws {
    let folder = try Folder()
    let image = try DiskImages.open(folder.write("a", [1, 2, 3]), format: nil)
    #expect(image.size == 512)
    #expect(try image.read(0, 512) == [1, 2, 3] + [UInt8](repeating: 0, count: 509))
  }

  @Test func writesThroughToRawOnly() throws {
    let folder = try Folder()
    let path = try folder.write("a", [UInt8](repeating: 0, count: 1024))
    let image = try DiskImages.open(path, format: .raw, isWritable: true)
    try image.write(512, [9, 8])
    #expect(try Data(contentsOf: URL(fileURLWithPath: path))[512] == 9)
    let qcow2 = try folder.write("b", HandMade(backing: nil).bytes)
    #expect(throws: DiskImageError.self) { try DiskImages.open(qcow2, format: nil, isWritable: true) }
  }

  @Test func namesWhatItCannotRead() throws {
    let folder = try Folder()
    func failure(_ change: (inout HandMade) -> Void) throws -> String {
      var made = HandMade(backing: nil)
      change(&made)
      let path = try folder.write("x", made.bytes)
      do {
        _ = try DiskImages.open(path, format: nil)
        return "opened"
      } catch { return "\(error)" }
    }
    #expect(try failure { $0.put(32, 1, 4) }.contains("encrypted"))
    #expect(try failure { $0.put(4, 9, 4) }.contains("version 9"))
    #expect(try failure { $0.put(20, 63, 4) }.contains("clusters"))
    #expect(try failure { $0.put(72, 4, 8) }.contains("another file"))
    #expect(try failure { $0.put(36, 0, 4) }.contains("L1"))
    #expect(try failure { _ in } == "opened")
    // An image that is its own backing file.
    let path = try folder.write("loop", HandMade(backing: "loop").bytes)
    #expect(throws: DiskImageError.self) { try DiskImages.open(path, format: nil) }
  }

  /// Damaged images: errors, no traps, no endless work. `FUZZ_ROUNDS` asks for more.
  @Test func mutations() throws {
    let folder = try Folder()
    _ = try folder.write("base.raw", [UInt8](repeating: 0x77, count: 65536))
    let whole = HandMade(backing: "base.raw")
    let rounds = ProcessInfo.processInfo.environment["FUZZ_ROUNDS"].flatMap { Int($0) } ?? 300
    var state: UInt64 = 7
    func next(_ below: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int((state >> 33) % UInt64(below))
    }
    for _ in 0..<rounds {
      var made = whole
      for _ in 0...next(4) {
        let place = [next(112), 65536 + next(8), 131072 + next(32), next(made.bytes.count)][next(4)]
        made.bytes[place] = [0, 0xFF, UInt8(next(256)), made.bytes[place] ^ UInt8(1 << next(8))][next(4)]
      }
      if next(4) == 0 { made.bytes.removeLast(next(made.bytes.count)) }
      guard let image = try? DiskImages.open(folder.write("m", made.bytes), format: .qcow2) else { continue }
      for _ in 0..<8 {
        let count = min(4096, image.size)
        _ = try? image.read(UInt64(next(Int(clamping: min(image.size - count + 1, 1 << 30)))), Int(count))
      }
    }
  }
}
