import CoreDump
import Foundation
import Testing
import X86Core

/// Where dumps go, and what is left when they do not get there.
struct OutputTests {
  @Test(arguments: CoreFormat.allCases) func anExistingFileIsReplaced(_ format: CoreFormat) throws {
    let scratch = try Scratch()
    let path = scratch.file("core")
    try Data("old".utf8).write(to: URL(fileURLWithPath: path))
    symlink("core", scratch.file("link"))
    try CoreWriter.write(Sample.image(try Sample.memory()), to: scratch.file("link"), format: format)
    #expect(scratch.names == ["core", "link"])
    var status = stat()
    #expect(lstat(path, &status) == 0)
    #expect(status.st_mode & 0o7777 == 0o600)
    #expect(status.st_size > 1 << 16)
    #expect(lstat(scratch.file("link"), &status) == 0 && status.st_mode & S_IFMT == S_IFLNK)
  }

  @Test(arguments: [CoreFormat.elf, .elfGzip]) func aPipeGetsTheSameBytes(_ format: CoreFormat) throws {
    let scratch = try Scratch()
    let image = Sample.image(try Sample.memory())
    try CoreWriter.write(image, to: scratch.file("core"), format: format)
    let pipe = Pipe()
    let received = Received()
    let reader = Thread {
      received.data.append(pipe.fileHandleForReading.readDataToEndOfFile()); received.done.signal()
    }
    reader.start()
    // A descriptor from a client may be non-blocking.
    let descriptor = pipe.fileHandleForWriting.fileDescriptor
    _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
    try CoreWriter.write(image, toFileDescriptor: descriptor, format: format)
    try pipe.fileHandleForWriting.close()
    received.done.wait()
    #expect(try [UInt8](received.data) == Scratch.bytes(scratch.file("core")))
  }

  private final class Received: @unchecked Sendable {
    var data = Data()
    let done = DispatchSemaphore(value: 0)
  }

  @Test(arguments: CoreFormat.allCases) func aFullDiskIsAnError(_ format: CoreFormat) throws {
    try #require(FileManager.default.fileExists(atPath: "/dev/full"))
    let image = Sample.image(try Sample.memory())
    #expect(throws: CoreDumpError.cannotWrite(path: "/dev/full", code: ENOSPC)) {
      try CoreWriter.write(image, to: "/dev/full", format: format)
    }
    let error = CoreDumpError.cannotWrite(path: "x.elf", code: ENOSPC)
    #expect(
      error.description
        == "cannot write the core dump 'x.elf': No space left on device: free some space, or name a "
        + "file on another disk")
  }

  @Test func aLimitOnFileSizesLeavesTheOldFile() throws {
    let scratch = try Scratch()
    let path = scratch.file("core.elf")
    try Data("old".utf8).write(to: URL(fileURLWithPath: path))
    let memory = try #require(GuestMemory(size: 1 << 30))
    memory.write((1 << 30) - 4096, [1])
    signal(SIGXFSZ, SIG_IGN)
    var old = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &old)
    defer { setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &old) }
    // Large enough to spare what else runs in this process.
    var limit = rlimit(rlim_cur: 1 << 29, rlim_max: old.rlim_max)
    setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
    #expect(throws: CoreDumpError.cannotWrite(path: path, code: EFBIG)) {
      try CoreWriter.write(Sample.image(memory), to: path, format: .elf)
    }
    #expect(scratch.names == ["core.elf"])
    #expect(try Scratch.bytes(path) == Array("old".utf8))
  }

  @Test func placesThatCannotBe() throws {
    let scratch = try Scratch()
    let image = Sample.image(try Sample.memory())
    try Data().write(to: URL(fileURLWithPath: scratch.file("file")))
    let long = scratch.file(String(repeating: "x", count: 300))
    let cases: [(String, Int32)] = [
      (scratch.file("missing/core"), ENOENT), (scratch.path, EISDIR), (scratch.file("file/core"), ENOTDIR),
      ("", ENOENT), (long, ENAMETOOLONG), ("/", EISDIR), (scratch.file("new/"), EISDIR),
    ]
    for (path, code) in cases {
      #expect(throws: CoreDumpError.cannotCreate(path: path, code: code)) {
        try CoreWriter.write(image, to: path, format: .elfGzip)
      }
    }
    #expect(scratch.names == ["file"])
  }

  @Test(.enabled(if: geteuid() != 0, "root may write everywhere")) func aReadOnlyFolder() throws {
    let scratch = try Scratch()
    chmod(scratch.path, 0o500)
    defer { chmod(scratch.path, 0o700) }
    let path = scratch.file("core")
    #expect(throws: CoreDumpError.cannotCreate(path: path, code: EACCES)) {
      try CoreWriter.write(Sample.image(try Sample.memory()), to: path, format: .elf)
    }
  }
}
