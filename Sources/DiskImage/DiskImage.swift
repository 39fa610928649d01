import Foundation

/// The content of a disk in a file of the host.
public protocol DiskImage: AnyObject {
  /// Bytes of the disk; a multiple of 512.
  var size: UInt64 { get }
  /// - Returns: `count` bytes from `offset`, which lie on the disk.
  /// - Throws: `DiskImageError`.
  func read(_ offset: UInt64, _ count: Int) throws -> [UInt8]
  /// - Throws: `DiskImageError`.
  func write(_ offset: UInt64, _ bytes: [UInt8]) throws
}

/// What is wrong with a disk's file.
public enum DiskImageError: Error, Equatable, CustomStringConvertible {
  case cannotOpen(path: String, code: Int32)
  case notAFile(path: String)
  case empty(path: String)
  case system(path: String, operation: String, code: Int32)
  /// The file contradicts itself or is cut off.
  case malformed(path: String, what: String)
  /// The file asks for something that is not done here.
  case unsupported(path: String, what: String)

  public var description: String {
    switch self {
    case .cannotOpen(let path, let code): return "\(path): cannot open the disk: \(String(cString: strerror(code)))"
    case .notAFile(let path): return "\(path): this is neither a file nor a block device; name a disk's image"
    case .empty(let path): return "\(path): the disk is an empty file"
    case .system(let path, let operation, let code):
      return "\(path): cannot \(operation) the disk: \(String(cString: strerror(code)))"
    case .malformed(let path, let what): return "\(path): the qcow2 image is damaged: \(what)"
    case .unsupported(let path, let what): return "\(path): \(what)"
    }
  }
}

public enum DiskImageFormat: String, Sendable, CaseIterable { case raw, qcow2 }

/// Opens disks.
public enum DiskImages {
  /// - Parameters:
  ///   - format: nil looks at the first bytes.
  ///   - isWritable: whether `write` will be called.
  /// - Throws: `DiskImageError`.
  public static func open(_ path: String, format: DiskImageFormat?, isWritable: Bool = false) throws -> any DiskImage {
    let file = try HostFile(path, isWritable: isWritable)
    let isQCow2 = try file.size >= 4 && file.read(0, 4) == QCow2Image.magic
    switch format ?? (isQCow2 ? .qcow2 : .raw) {
    case .raw: return try RawImage(file)
    case .qcow2:
      if isWritable {
        throw DiskImageError.unsupported(
          path: path,
          what: "writing through to a qcow2 image is not possible; leave snapshot=off out, or convert it to raw")
      }
      return try QCow2Image(file)
    }
  }
}

/// A file or block device, read and written at offsets.
final class HostFile {
  let path: String
  let size: UInt64
  private let descriptor: Int32

  /// - Throws: `DiskImageError`.
  init(_ path: String, isWritable: Bool) throws {
    self.path = path
    let fd = Foundation.open(path, (isWritable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK)
    guard fd >= 0 else { throw DiskImageError.cannotOpen(path: path, code: errno) }
    var status = stat()
    guard fstat(fd, &status) == 0 else {
      let code = errno
      close(fd)
      throw DiskImageError.cannotOpen(path: path, code: code)
    }
    switch status.st_mode & S_IFMT {
    case S_IFREG: size = UInt64(status.st_size)
    case S_IFBLK: size = UInt64(max(0, lseek(fd, 0, SEEK_END)))
    default:
      close(fd)
      throw DiskImageError.notAFile(path: path)
    }
    descriptor = fd
  }

  deinit { close(descriptor) }

  /// Bytes behind the end read as zeros.
  func read(_ offset: UInt64, _ count: Int) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    guard offset < size else { return bytes }
    let wanted = Int(min(UInt64(count), size - offset))
    var done = 0
    while done < wanted {
      let result = bytes.withUnsafeMutableBytes {
        pread(descriptor, $0.baseAddress! + done, wanted - done, off_t(offset) + off_t(done))
      }
      if result < 0, errno == EINTR { continue }
      guard result >= 0 else { throw DiskImageError.system(path: path, operation: "read", code: errno) }
      if result == 0 { break }
      done += result
    }
    return bytes
  }

  func write(_ offset: UInt64, _ bytes: [UInt8]) throws {
    var done = 0
    while done < bytes.count {
      let result = bytes.withUnsafeBytes {
        pwrite(descriptor, $0.baseAddress! + done, bytes.count - done, off_t(offset) + off_t(done))
      }
      if result < 0, errno == EINTR { continue }
      guard result > 0 else { throw DiskImageError.system(path: path, operation: "write", code: errno) }
      done += result
    }
  }
}

/// A file that is the disk's bytes. One whose size is not a multiple of 512 ends with zeros.
final class RawImage: DiskImage {
  private let file: HostFile
  let size: UInt64

  init(_ file: HostFile) throws {
    guard file.size > 0 else { throw DiskImageError.empty(path: file.path) }
    self.file = file
    size = (file.size + 511) & ~511
  }

  func read(_ offset: UInt64, _ count: Int) throws -> [UInt8] { try file.read(offset, count) }
  func write(_ offset: UInt64, _ bytes: [UInt8]) throws { try file.write(offset, bytes) }
}
