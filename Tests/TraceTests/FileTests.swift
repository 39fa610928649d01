import Foundation
import Testing
import Trace

/// What other programs and the operating system have to do with a trace.
@Suite(.serialized) struct FileTests {
  static func lz4(_ arguments: [String]) throws -> Int32? {
    guard
      let tool = ["/usr/bin/lz4", "/usr/local/bin/lz4"].first(where: FileManager.default.isExecutableFile)
    else {
      return nil
    }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: tool)
    process.arguments = arguments
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    return process.terminationStatus
  }

  @Test func stockTool() throws {
    let file = ScratchFile()
    var random = Random(1)
    try write(
      randomEvents(3000, seed: 3), to: file,
      images: [ImageSource(name: "k", role: "kernel", data: Data(random.bytes(3_000_000)))], flushEvery: 500)
    guard let status = try Self.lz4(["-t", file.path]) else { return }
    #expect(status == 0)
    let plain = ScratchFile("plain")
    #expect(try Self.lz4(["-d", "-f", file.path, plain.path]) == 0)
    #expect(plain.bytes.starts(with: Array("INQTRACE".utf8)))
  }

  /// What a killed recorder leaves behind: no close, the file as it is.
  @Test func killedWriter() throws {
    let file = ScratchFile()
    let copy = ScratchFile()
    let events = randomEvents(500, seed: 8)
    let writer = try TraceWriter(path: file.path, header: sampleHeader())
    for event in events[..<400] { try writer.append(event.body, at: event.instant) }
    try writer.flush()
    for event in events[400...] { try writer.append(event.body, at: event.instant) }
    copy.bytes = file.bytes
    try writer.close()
    let reader = try TraceReader(path: copy.path)
    #expect(reader.isCutOff)
    let some = try readAll(reader)
    #expect(events.starts(with: some))
    // The last event may be an open fold.
    #expect(some.count >= 398)
    try reader.verify()
    if let status = try Self.lz4(["-t", copy.path]) { #expect(status == 0) }
  }

  /// Events go to the file by themselves after the interval.
  @Test func timeFlushes() throws {
    let file = ScratchFile()
    let writer = try TraceWriter(path: file.path, header: sampleHeader(), flushInterval: 0.02)
    try writer.append(.userMarker(text: "here"), at: .zero)
    var found = 0
    for _ in 0..<500 where found == 0 {
      usleep(10_000)
      found = (try? readAll(TraceReader(path: file.path)).count) ?? 0
    }
    #expect(found == 1)
    try writer.close()
  }

  /// A limit on the file's size stands in for a full disk: the write fails in the middle of a frame. The limit is
  /// the whole process's, so it lies above what any other test writes.
  @Test func fullDisk() throws {
    signal(SIGXFSZ, SIG_IGN)
    var old = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &old)
    defer { setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &old) }
    var limit = old
    limit.rlim_cur = 16 << 20
    setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
    let file = ScratchFile()
    let writer = try TraceWriter(path: file.path, header: sampleHeader())
    var random = Random(2)
    let events = (0..<200).map {
      TraceEvent(Instant(instructionCount: $0), .entropy(use: "noise", bytes: random.bytes(1)))
    }
    let noise = random.bytes(200_000)
    func event(_ index: Int) -> TraceEvent {
      guard case .entropy(let use, let bytes) = events[index].body else { return events[index] }
      return TraceEvent(events[index].instant, .entropy(use: use, bytes: bytes + noise))
    }
    var thrown: TraceError?
    do {
      for i in 0..<200 { try writer.append(event(i).body, at: event(i).instant) }
      try writer.flush()
    } catch { thrown = error as? TraceError }
    #expect(thrown == .system(path: file.path, operation: "write", code: EFBIG))
    #expect(writer.failure == thrown)
    #expect(throws: TraceError.self) {
      try writer.append(.userMarker(text: "lost"), at: Instant(instructionCount: 999))
    }
    #expect(throws: TraceError.self) { try writer.close() }
    setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &old)
    let reader = try TraceReader(path: file.path)
    #expect(reader.ending == .failed(code: EFBIG))
    #expect(reader.isCutOff)
    var cursor = reader.events()
    var kept = 0
    while let found = try cursor.next() {
      #expect(found == event(kept))
      kept += 1
    }
    #expect(kept > 60 && kept < 100)
    if let status = try Self.lz4(["-t", file.path]) { #expect(status == 0) }
  }

  @Test func impossiblePaths() throws {
    let path = "/nonexistent-folder/a.inq"
    #expect(throws: TraceError.system(path: path, operation: "create", code: ENOENT)) {
      try TraceWriter(path: path, header: sampleHeader())
    }
    guard FileManager.default.fileExists(atPath: "/dev/full") else { return }
    let writer = try TraceWriter(path: "/dev/full", header: sampleHeader())
    #expect(throws: TraceError.system(path: "/dev/full", operation: "write", code: ENOSPC)) {
      try writer.close()
    }
  }
}

/// Frames made by the stock tool: what a reader says to well-formed LZ4 that is not a trace of this version.
@Suite struct ForeignFrameTests {
  /// - Returns: nil when the tool is not installed.
  func frame(_ content: [UInt8]) throws -> ScratchFile? {
    let plain = ScratchFile("plain")
    plain.bytes = content
    let file = ScratchFile()
    guard try FileTests.lz4(["-z", "-f", "-B6", "--content-size", plain.path, file.path]) == 0 else {
      return nil
    }
    return file
  }

  @Test func versions() throws {
    guard let newer = try frame(Array("INQTRACE".utf8) + [9, 0xFF]) else { return }
    #expect(throws: TraceError.newerVersion(path: newer.path, found: 9, supported: TraceSchema.checkpointVersion)) {
      try TraceReader(path: newer.path)
    }
    let older = try frame(Array("INQTRACE".utf8) + [0])!
    #expect(throws: TraceError.olderVersion(path: older.path, found: 0, supported: 1)) {
      try TraceReader(path: older.path)
    }
    let other = try frame(Array("some log".utf8))!
    #expect(throws: TraceError.notATrace(path: other.path, reason: "an LZ4 file of something else")) {
      try TraceReader(path: other.path)
    }
  }

  @Test func badHeaders() throws {
    let nested = [UInt8](repeating: 0x5B, count: 100_000)
    for json in [Array("{}".utf8), Array("[1".utf8), nested, Array("{\"a\":".utf8) + nested] {
      var length: [UInt8] = []
      var rest = json.count
      while rest >= 0x80 {
        length.append(UInt8(rest & 0x7F) | 0x80)
        rest >>= 7
      }
      guard let file = try frame(Array("INQTRACE".utf8) + [1] + length + [UInt8(rest)] + json) else { return }
      do {
        _ = try TraceReader(path: file.path)
        Issue.record("accepted")
      } catch let error as TraceError {
        guard case .damaged = error else {
          Issue.record("\(error)")
          continue
        }
      }
    }
  }
}
