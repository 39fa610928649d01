import Foundation

/// Files that the user names.
enum InputFile {
  /// - Parameter purpose: what the file is for, in the message.
  /// - Throws: `CommandFailure` with status 66 for what cannot be read, 65 for an empty file.
  static func read(_ path: String, for purpose: String) throws -> [UInt8] {
    func failure(_ code: Int32) -> CommandFailure {
      .missingInput("\(path): cannot read the \(purpose): \(String(cString: strerror(code)))")
    }
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure(errno) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw failure(errno) }
    if status.st_mode & S_IFMT == S_IFDIR {
      throw CommandFailure.missingInput("\(path): this is a folder; name the \(purpose)'s file")
    }
    // Pipes and devices tell no size.
    var bytes = try chunk(of: descriptor, capacity: max(Int(status.st_size), 1 << 12), failure)
    while case let more = try chunk(of: descriptor, capacity: 1 << 20, failure), !more.isEmpty { bytes += more }
    if bytes.isEmpty {
      throw CommandFailure.badData("\(path): the \(purpose) is an empty file; fetch it again")
    }
    return bytes
  }

  /// Up to `capacity` bytes; fewer only at the file's end.
  private static func chunk(
    of descriptor: Int32, capacity: Int, _ failure: (Int32) -> CommandFailure
  ) throws -> [UInt8] {
    try [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
      // Kernels have many megabytes: pages of 4 KiB, one fault each, would take longer than the copy.
      let page = 4096
      let start = (UInt(bitPattern: buffer.baseAddress) + UInt(page) - 1) & ~UInt(page - 1)
      if capacity > 4 << 20 {
        madvise(UnsafeMutableRawPointer(bitPattern: start), capacity - page, Int32(MADV_HUGEPAGE))
      }
      while count < capacity {
        let done = Glibc.read(descriptor, buffer.baseAddress! + count, capacity - count)
        if done < 0 && errno == EINTR { continue }
        guard done >= 0 else { throw failure(errno) }
        if done == 0 { break }
        count += done
      }
    }
  }
}
