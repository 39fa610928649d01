import Foundation

/// Where a dump is written to: a file, which appears under its name when it is complete, or a descriptor.
final class CoreOutput {
  /// For messages.
  private let path: String
  var name: String { path }
  private var descriptor: Int32
  /// The unfinished file, nil when writing straight to the target.
  private var temporary: String?
  private let target: String
  private let ownsDescriptor: Bool
  /// Zeros were left out at the end of what was written.
  private var size: UInt64 = 0

  /// Whether `skip` may leave holes.
  var canSkip: Bool { temporary != nil }

  /// Opens a file beside `path`, readable by its owner alone: a dump holds the guest's secrets. Devices, pipes and
  /// sockets are written as they are.
  init(path: String) throws(CoreDumpError) {
    self.path = path
    ownsDescriptor = true
    // A symbolic link stays, and the file it points to is replaced.
    let resolved = realpath(path, nil)
    target = resolved.map { String(cString: $0) } ?? path
    free(resolved)
    var existing = stat()
    if stat(target, &existing) == 0 {
      guard existing.st_mode & S_IFMT != S_IFDIR else { throw .cannotCreate(path: path, code: EISDIR) }
      if existing.st_mode & S_IFMT != S_IFREG {
        descriptor = open(target, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .cannotCreate(path: path, code: errno) }
        return
      }
    } else if errno != ENOENT || path.isEmpty {
      throw .cannotCreate(path: path, code: errno)
    }
    if target.hasSuffix("/") { throw .cannotCreate(path: path, code: EISDIR) }
    let folder = target.prefix(target.count - target.split(separator: "/").last!.count)
    var template = Array((folder + ".inquest-core-XXXXXX").utf8CString)
    descriptor = mkstemp(&template)
    guard descriptor >= 0 else { throw .cannotCreate(path: path, code: errno) }
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    temporary = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
  }

  /// Writes to a descriptor of somebody else's, which stays open.
  init(fileDescriptor: Int32) {
    path = "descriptor \(fileDescriptor)"
    target = path
    descriptor = fileDescriptor
    ownsDescriptor = false
  }

  deinit { abandon() }

  func write(_ bytes: [UInt8]) throws(CoreDumpError) {
    let result = bytes.withUnsafeBytes { bytes -> Result<Void, CoreDumpError> in
      do throws(CoreDumpError) {
        try write(bytes)
        return .success(())
      } catch {
        return .failure(error)
      }
    }
    try result.get()
  }

  func write(_ bytes: UnsafeRawBufferPointer) throws(CoreDumpError) {
    var left = bytes[...]
    while !left.isEmpty {
      let count = Foundation.write(descriptor, UnsafeRawBufferPointer(rebasing: left).baseAddress, left.count)
      if count > 0 {
        left = left.dropFirst(count)
        continue
      }
      switch count == 0 ? ENOSPC : errno {
      case EINTR: continue
      case EAGAIN: waitUntilWritable()
      case let code: throw .cannotWrite(path: path, code: code)
      }
    }
    size += UInt64(bytes.count)
  }

  /// Leaves out zeros; only where `canSkip`.
  func skip(_ count: Int) throws(CoreDumpError) {
    guard lseek(descriptor, off_t(count), SEEK_CUR) >= 0 else { throw .cannotWrite(path: path, code: errno) }
    size += UInt64(count)
  }

  /// Writes over what was written or skipped before, and leaves the place where the next bytes go.
  func overwrite(_ bytes: [UInt8], at offset: Int) throws(CoreDumpError) {
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes {
        pwrite(descriptor, $0.baseAddress! + done, bytes.count - done, off_t(offset + done))
      }
      if count > 0 {
        done += count
      } else if count == 0 || errno != EINTR {
        throw .cannotWrite(path: path, code: count == 0 ? ENOSPC : errno)
      }
    }
  }

  /// Whether what was written can be written over: not so on a pipe or socket.
  var canOverwrite: Bool { canSkip || lseek(descriptor, 0, SEEK_CUR) >= 0 }

  /// Gives the file its name.
  func commit() throws(CoreDumpError) {
    if let temporary {
      guard ftruncate(descriptor, off_t(size)) == 0 else { throw .cannotWrite(path: path, code: errno) }
      // Some file systems tell only now that the disk is full.
      let status = close(descriptor)
      descriptor = -1
      guard status == 0 else { throw .cannotWrite(path: path, code: errno) }
      guard rename(temporary, target) == 0 else { throw .cannotCreate(path: path, code: errno) }
      self.temporary = nil
    } else if ownsDescriptor {
      let status = close(descriptor)
      descriptor = -1
      guard status == 0 else { throw .cannotWrite(path: path, code: errno) }
    }
  }

  /// Closes what is open and removes what is unfinished. Nothing happens after `commit`.
  func abandon() {
    if ownsDescriptor, descriptor >= 0 { _ = close(descriptor) }
    descriptor = -1
    if let temporary { _ = unlink(temporary) }
    temporary = nil
  }

  private func waitUntilWritable() {
    var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    _ = poll(&request, 1, -1)
  }
}
