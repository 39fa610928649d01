import CZlib
import CoreDump
import Foundation
import Testing
import X86Core

/// The compressed kdump, read back with a reader of its own.
struct KdumpTests {
  private struct Reader {
    let bytes: [UInt8]
    func u32(_ at: Int) -> Int { (0..<4).reduce(0) { $0 | Int(bytes[at + $1]) << (8 * $1) } }
    func u64(_ at: Int) -> Int { u32(at) | u32(at + 4) << 32 }
    var subheaderBlocks: Int { u32(432) }
    var bitmapBlocks: Int { u32(436) }
    var bitmaps: Int { (1 + subheaderBlocks) * 4096 }
    func isDumped(_ frame: Int) -> Bool {
      bytes[bitmaps + bitmapBlocks / 2 * 4096 + frame / 8] >> UInt8(frame % 8) & 1 != 0
    }
    func isRAM(_ frame: Int) -> Bool { bytes[bitmaps + frame / 8] >> UInt8(frame % 8) & 1 != 0 }
    func page(_ frame: Int) -> [UInt8]? {
      guard isDumped(frame) else { return nil }
      let index = (0..<frame).reduce(0) { $0 + (isDumped($1) ? 1 : 0) }
      let descriptor = bitmaps + bitmapBlocks * 4096 + 24 * index
      let (offset, size, flags) = (u64(descriptor), u32(descriptor + 8), u32(descriptor + 12))
      let stored = Array(bytes[offset..<(offset + size)])
      if flags == 0 { return stored }
      var page = [UInt8](repeating: 0, count: 4096)
      var count = uLongf(page.count)
      return uncompress(&page, &count, stored, uLong(stored.count)) == Z_OK && count == 4096 ? page : nil
    }
  }

  private func dump(_ image: CoreImage, workers: Int = 2) throws -> Reader {
    let scratch = try Scratch()
    let path = scratch.file("vmcore")
    try CoreWriter.write(image, to: path, format: .kdumpZlib, workers: workers)
    return Reader(bytes: try Scratch.bytes(path))
  }

  @Test func pagesComeBack() throws {
    let memory = try Sample.memory()
    // One that does not shrink, one that does, one of zeros between them.
    var state: UInt64 = 1
    let noise = (0..<4096).map { _ -> UInt8 in
      state = state &* 6_364_136_223_846_793_005 &+ 1
      return UInt8(truncatingIfNeeded: state >> 40)
    }
    memory.write(0x5000, noise)
    memory.write(0x6000, [UInt8](repeating: 0, count: 4096))
    memory.write(0x7000, [UInt8](repeating: 7, count: 4096))
    let reader = try dump(Sample.image(memory))
    #expect(reader.bytes.starts(with: "KDUMP   ".utf8))
    #expect(reader.u32(8) == 6 && reader.u32(428) == 4096)
    let last = Int(memory.ranges.last!.upperBound / 4096)
    #expect(reader.u32(440) == last && reader.u64(4096 + 96) == last)
    #expect(reader.page(5) == noise)
    for range in memory.ranges {
      for frame in stride(from: Int(range.lowerBound / 4096), to: Int(range.upperBound / 4096), by: 7) {
        #expect(reader.isRAM(frame))
        let expected = memory.read(UInt64(frame) * 4096, count: 4096) ?? [UInt8](repeating: 0, count: 4096)
        #expect(reader.page(frame) == expected)
      }
    }
    #expect(reader.page(6)?.allSatisfy { $0 == 0 } == true)
  }

  @Test func theBytesDoNotDependOnTheThreads() throws {
    let image = Sample.image(try Sample.memory())
    #expect(try dump(image, workers: 1).bytes == dump(image, workers: 3).bytes)
  }

  @Test func excludedPagesAreLeftOut() throws {
    let memory = try Sample.memory()
    memory.write(0x5000, [UInt8](repeating: 5, count: 4096))
    memory.write(0x6000, [UInt8](repeating: 6, count: 4096))
    var image = Sample.image(memory)
    image.filter = PageFilter(excluded: [1 << 5], level: 16)
    let reader = try dump(image)
    #expect(reader.isRAM(5) && reader.page(5) == nil)
    #expect(reader.page(6) == [UInt8](repeating: 6, count: 4096))
    #expect(reader.u32(4096 + 8) == 16)
  }

  @Test func notesAndVMCoreInfoAreWhereTheSubheaderSays() throws {
    var image = Sample.image(try Sample.memory())
    let text = Array("OSRELEASE=6.1.0\nPAGESIZE=4096\nNUMBER(phys_base)=4096\n".utf8)
    image.vmcoreinfo = VMCoreInfoNote(text: text).bytes
    let reader = try dump(image)
    #expect(reader.u64(4096) == 4096)
    let (offset, size) = (reader.u64(4096 + 32), reader.u64(4096 + 40))
    #expect(Array(reader.bytes[offset..<(offset + size)]) == text)
    let (notes, count) = (reader.u64(4096 + 48), reader.u64(4096 + 56))
    #expect(
      reader.u32(notes) == 5 && String(decoding: reader.bytes[(notes + 12)..<(notes + 16)], as: UTF8.self) == "CORE")
    #expect(notes + count <= reader.bitmaps)
  }

  @Test func aPipeIsRefused() throws {
    let image = Sample.image(try Sample.memory())
    let pipe = Pipe()
    let descriptor = pipe.fileHandleForWriting.fileDescriptor
    #expect(throws: CoreDumpError.notSeekable(path: "descriptor \(descriptor)")) {
      try CoreWriter.write(image, toFileDescriptor: descriptor, format: .kdumpZlib)
    }
  }
}
