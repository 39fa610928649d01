import CoreDump
import Foundation
import Testing
import X86Core

/// The compressed form.
struct GzipTests {
  /// Where members lie, by the sizes in their own headers.
  private func members(_ bytes: [UInt8]) throws -> [ArraySlice<UInt8>] {
    var result: [ArraySlice<UInt8>] = []
    var at = 0
    while at < bytes.count {
      #expect(Array(bytes[at..<(at + 16)]) == [31, 139, 8, 4, 0, 0, 0, 0, 4, 255, 8, 0, 0x49, 0x51, 4, 0])
      let size = Int(CoreFile.integer(bytes, at + 16, UInt32.self))
      try #require(size > 28 && at + size <= bytes.count)
      result.append(bytes[at..<(at + size)])
      at += size
    }
    return result
  }

  @Test func unpackedItIsThePlainForm() throws {
    let scratch = try Scratch()
    let image = Sample.image(try Sample.memory(size: 12 << 20, lowLimit: 7 << 20), processors: 2)
    try CoreWriter.write(image, to: scratch.file("core.elf"), format: .elf)
    try CoreWriter.write(image, to: scratch.file("core.elf.gz"), format: .elfGzip)
    let test = try #require(try Tool("gzip", ["-t", scratch.file("core.elf.gz")]))
    #expect(test.status == 0 && test.errors == "")
    let unpacked = try #require(try Tool("gzip", ["-dc", scratch.file("core.elf.gz")]))
    #expect(try unpacked.output == Scratch.bytes(scratch.file("core.elf")))
  }

  @Test func eachMemberStandsAlone() throws {
    let scratch = try Scratch()
    let image = Sample.image(try Sample.memory())
    try CoreWriter.write(image, to: scratch.file("core.elf"), format: .elf)
    try CoreWriter.write(image, to: scratch.file("core.elf.gz"), format: .elfGzip)
    let plain = try Scratch.bytes(scratch.file("core.elf"))
    let members = try members(Scratch.bytes(scratch.file("core.elf.gz")))
    #expect(members.count == 9)  // headers, 8 MiB
    var at = 0
    for member in members {
      try Data(member).write(to: URL(fileURLWithPath: scratch.file("member.gz")))
      let unpacked = try #require(try Tool("gzip", ["-dc", scratch.file("member.gz")]))
      #expect(unpacked.status == 0)
      #expect((1...(1 << 20)).contains(unpacked.output.count))
      #expect(unpacked.output.elementsEqual(plain[at..<min(plain.count, at + unpacked.output.count)]))
      at += unpacked.output.count
    }
    #expect(at == plain.count)
  }

  @Test func bytesDoNotDependOnThreads() throws {
    let scratch = try Scratch()
    let image = Sample.image(try Sample.memory(size: 24 << 20))
    try CoreWriter.write(image, to: scratch.file("first"), format: .elfGzip, workers: 1)
    let first = try Scratch.bytes(scratch.file("first"))
    for workers in [2, 2, 2, 5, 0, 64] {
      try CoreWriter.write(image, to: scratch.file("again"), format: .elfGzip, workers: workers)
      #expect(try Scratch.bytes(scratch.file("again")) == first)
    }
  }

  @Test func zerosCostNextToNothing() throws {
    let scratch = try Scratch()
    let memory = try #require(GuestMemory(size: 1 << 30))
    let image = Sample.image(memory)
    try CoreWriter.write(image, to: scratch.file("core.elf.gz"), format: .elfGzip)
    #expect(try Scratch.bytes(scratch.file("core.elf.gz")).count < 2 << 20)
    try CoreWriter.write(image, to: scratch.file("core.elf"), format: .elf)
    var status = stat()
    #expect(stat(scratch.file("core.elf"), &status) == 0)
    #expect(status.st_size > 1 << 30)
    #expect(status.st_blocks * 512 < 1 << 20)
  }

  @Test func anImpossibleLevelIsAnError() throws {
    let scratch = try Scratch()
    let image = Sample.image(try Sample.memory())
    #expect(throws: CoreDumpError.self) {
      try CoreWriter.write(image, to: scratch.file("core.elf.gz"), format: .elfGzip, level: 77)
    }
    #expect(scratch.names.isEmpty)
  }

  @Test func progressGoesUpToTheTotal() throws {
    let scratch = try Scratch()
    let image = Sample.image(try Sample.memory())
    for format in CoreFormat.allCases {
      var steps: [CoreProgress] = []
      try CoreWriter.write(image, to: scratch.file("core"), format: format) { steps.append($0) }
      #expect(steps.map(\.completed) == (1...8).map { UInt64($0) << 20 })
      #expect(steps.allSatisfy { $0.total == 8 << 20 })
    }
  }

  @Test func namesChooseTheForm() {
    #expect(CoreFormat(path: "a/core.elf") == .elf)
    #expect(CoreFormat(path: "core.elf.gz") == .elfGzip)
    #expect(CoreFormat(path: "core") == .elfGzip)
  }
}
