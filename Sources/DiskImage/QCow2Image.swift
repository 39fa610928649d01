import CZlib
import Foundation

/// A qcow2 image, read (QEMU's docs/interop/qcow2.txt): versions 2 and 3, zero and compressed clusters, backing files.
/// Encryption, external data files, extended L2 entries and zstd are refused by name.
final class QCow2Image: DiskImage {
  static let magic: [UInt8] = [0x51, 0x46, 0x49, 0xFB]
  /// Images behind images.
  static let deepestChain = 16

  enum Incompatible {
    static let dirty: UInt64 = 1 << 0
    static let corrupt: UInt64 = 1 << 1
    static let externalData: UInt64 = 1 << 2
    static let compressionType: UInt64 = 1 << 3
    static let extendedL2: UInt64 = 1 << 4
  }
  enum Entry {
    static let offset: UInt64 = 0x00FF_FFFF_FFFF_FE00
    static let compressed: UInt64 = 1 << 62
    /// The cluster reads as zeros; version 3.
    static let zero: UInt64 = 1
  }
  private static let backingFormat: UInt32 = 0xE279_2ACA

  let size: UInt64
  private let file: HostFile
  private let clusterBits: UInt64
  private let hasZeroFlag: Bool
  private let level1: [UInt64]
  private let backing: (any DiskImage)?
  /// Tables that were read lately, by their offsets in the file; oldest first in `tableOrder`.
  private var tables: [UInt64: [UInt64]] = [:]
  private var tableOrder: [UInt64] = []
  private var unpacked: (entry: UInt64, bytes: [UInt8])?

  private var clusterSize: Int { 1 << Int(clusterBits) }

  /// - Parameter depth: how many images lie in front of this one.
  init(_ file: HostFile, depth: Int = 0) throws {
    self.file = file
    let path = file.path
    func damaged(_ what: String) -> DiskImageError { .malformed(path: path, what: what) }
    func unsupported(_ what: String) -> DiskImageError { .unsupported(path: path, what: what) }
    guard file.size >= 72 else { throw damaged("its header is cut off") }
    let header = try file.read(0, 512)
    guard Array(header[..<4]) == Self.magic else {
      throw unsupported("this is no qcow2 image; leave format=qcow2 out, or say format=raw")
    }
    func number(_ at: Int, _ count: Int) -> UInt64 { header[at..<at + count].reduce(0) { $0 << 8 | UInt64($1) } }
    let version = number(4, 4)
    guard version == 2 || version == 3 else {
      throw unsupported("qcow2 version \(version) is unknown; 2 and 3 can be read")
    }
    hasZeroFlag = version == 3
    clusterBits = number(20, 4)
    guard (9...21).contains(clusterBits) else { throw damaged("clusters of 2^\(clusterBits) bytes") }
    let virtualSize = number(24, 8)
    guard virtualSize > 0, virtualSize <= 1 << 43 else { throw damaged("a disk of \(virtualSize) bytes") }
    size = (virtualSize + 511) & ~511
    guard number(32, 4) == 0 else {
      throw unsupported("the qcow2 image is encrypted, which cannot be read; decrypt it")
    }
    var headerLength: UInt64 = 72
    if version == 3 {
      let features = number(72, 8)
      if features & Incompatible.externalData != 0 {
        throw unsupported("the qcow2 image has its data in another file, which cannot be read; convert it")
      }
      if features & Incompatible.extendedL2 != 0 {
        throw unsupported("the qcow2 image has extended L2 entries, which cannot be read; convert it")
      }
      headerLength = number(100, 4)
      if features & Incompatible.compressionType != 0, headerLength > 104, header[104] != 0 {
        throw unsupported("the qcow2 image is compressed with zstd, which cannot be read; convert it")
      }
      guard features & ~0x1F == 0 else { throw unsupported("the qcow2 image has features that are unknown here") }
      guard (104...4096).contains(headerLength) else { throw damaged("a header of \(headerLength) bytes") }
    }

    let entriesOfTable = UInt64(1) << (clusterBits - 3)
    let count = number(36, 4)
    let needed = (virtualSize + (entriesOfTable << clusterBits) - 1) / (entriesOfTable << clusterBits)
    guard count >= needed, count <= 4 << 20 else {
      throw damaged("its L1 table has \(count) entries, \(needed) are needed")
    }
    let table = number(40, 8)
    guard table & 511 == 0, table <= file.size, count * 8 <= file.size - table else {
      throw damaged("its L1 table lies outside of the file")
    }
    level1 = Self.numbers(try file.read(table, Int(needed) * 8))

    let nameOffset = number(8, 8)
    let nameLength = number(16, 4)
    if nameOffset != 0, nameLength != 0 {
      guard nameLength <= 1023, nameOffset <= file.size, nameLength <= file.size - nameOffset else {
        throw damaged("the name of its backing file")
      }
      guard depth < Self.deepestChain else {
        throw unsupported("there are more than \(Self.deepestChain) backing files")
      }
      let name = String(decoding: try file.read(nameOffset, Int(nameLength)), as: UTF8.self)
      guard !name.hasPrefix("json:"), !name.contains("://") else {
        throw unsupported("its backing file '\(name)' is not a file; convert it")
      }
      let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
      let other = try HostFile(name.hasPrefix("/") ? name : folder + name, isWritable: false)
      let isQCow2 =
        try Self.backingFormat(in: file, from: headerLength).map { $0 == "qcow2" }
        ?? (try other.size >= 4 && other.read(0, 4) == Self.magic)
      backing = isQCow2 ? try QCow2Image(other, depth: depth + 1) : try RawImage(other)
    } else {
      backing = nil
    }
  }

  /// What the header extensions say that the backing file is.
  private static func backingFormat(in file: HostFile, from start: UInt64) throws -> String? {
    let bytes = try file.read(start, 4096)
    var at = 0
    while at + 8 <= bytes.count {
      let type = bytes[at..<at + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
      let length = Int(bytes[at + 4..<at + 8].reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
      guard type != 0, length <= bytes.count - at - 8 else { return nil }
      if type == backingFormat { return String(decoding: bytes[at + 8..<at + 8 + length], as: UTF8.self) }
      at += 8 + (length + 7) & ~7
    }
    return nil
  }

  private static func numbers(_ bytes: [UInt8]) -> [UInt64] {
    stride(from: 0, to: bytes.count - 7, by: 8).map { at in
      bytes[at..<at + 8].reduce(0) { $0 << 8 | UInt64($1) }
    }
  }

  // MARK: Reading

  func read(_ offset: UInt64, _ count: Int) throws -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count)
    var at = offset
    let end = offset + UInt64(count)
    while at < end {
      let inCluster = at & (UInt64(clusterSize) - 1)
      let piece = Int(min(end - at, UInt64(clusterSize) - inCluster))
      bytes += try readInCluster(at, inCluster, piece)
      at += UInt64(piece)
    }
    return bytes
  }

  private func readInCluster(_ offset: UInt64, _ inCluster: UInt64, _ count: Int) throws -> [UInt8] {
    let cluster = offset >> clusterBits
    let first = cluster >> (clusterBits - 3)
    guard first < UInt64(level1.count) else { return [UInt8](repeating: 0, count: count) }
    let tableOffset = level1[Int(first)] & Entry.offset
    guard tableOffset != 0 else { return try readBacking(offset, count) }
    let entry = try table(tableOffset)[Int(cluster & ((1 << (clusterBits - 3)) - 1))]
    if entry & Entry.compressed != 0 {
      let bytes = try unpack(entry)
      return Array(bytes[Int(inCluster)..<Int(inCluster) + count])
    }
    if hasZeroFlag, entry & Entry.zero != 0 { return [UInt8](repeating: 0, count: count) }
    let data = entry & Entry.offset
    guard data != 0 else { return try readBacking(offset, count) }
    guard data & (UInt64(clusterSize) - 1) == 0, data < file.size else {
      throw DiskImageError.malformed(path: file.path, what: "a cluster lies outside of the file")
    }
    return try file.read(data + inCluster, count)
  }

  /// What lies behind; zeros past its end.
  private func readBacking(_ offset: UInt64, _ count: Int) throws -> [UInt8] {
    guard let backing, offset < backing.size else { return [UInt8](repeating: 0, count: count) }
    let present = Int(min(UInt64(count), backing.size - offset))
    return try backing.read(offset, present) + [UInt8](repeating: 0, count: count - present)
  }

  private func table(_ offset: UInt64) throws -> [UInt64] {
    if let table = tables[offset] { return table }
    guard offset & (UInt64(clusterSize) - 1) == 0, offset < file.size else {
      throw DiskImageError.malformed(path: file.path, what: "an L2 table lies outside of the file")
    }
    let table = Self.numbers(try file.read(offset, clusterSize))
    if tableOrder.count >= 64 { tables[tableOrder.removeFirst()] = nil }
    tables[offset] = table
    tableOrder.append(offset)
    return table
  }

  /// A cluster packed with raw deflate.
  private func unpack(_ entry: UInt64) throws -> [UInt8] {
    if let unpacked, unpacked.entry == entry { return unpacked.bytes }
    let bits = 62 - (clusterBits - 8)
    let offset = entry & ((1 << bits) - 1)
    let sectors = entry >> bits & ((1 << (62 - bits)) - 1)
    let count = Int((sectors + 1) * 512 - (offset & 511))
    guard offset < file.size else {
      throw DiskImageError.malformed(path: file.path, what: "a compressed cluster lies outside of the file")
    }
    var input = try file.read(offset, count)
    var output = [UInt8](repeating: 0, count: clusterSize)
    var stream = z_stream()
    guard inflateInit2_(&stream, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
      throw DiskImageError.system(path: file.path, operation: "unpack", code: ENOMEM)
    }
    defer { inflateEnd(&stream) }
    let produced = input.withUnsafeMutableBufferPointer { source in
      output.withUnsafeMutableBufferPointer { target -> Int in
        stream.next_in = source.baseAddress
        stream.avail_in = UInt32(source.count)
        stream.next_out = target.baseAddress
        stream.avail_out = UInt32(target.count)
        _ = inflate(&stream, Z_FINISH)
        return target.count - Int(stream.avail_out)
      }
    }
    guard produced == clusterSize else {
      throw DiskImageError.malformed(path: file.path, what: "a compressed cluster does not unpack")
    }
    unpacked = (entry, output)
    return output
  }

  func write(_ offset: UInt64, _ bytes: [UInt8]) throws {
    throw DiskImageError.unsupported(path: file.path, what: "a qcow2 image is not written to")
  }
}
