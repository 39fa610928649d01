import Foundation
import X86Core

/// Writes core dumps that gdb, crash, drgn and makedumpfile read.
///
/// The bytes follow from the image and the format alone. The calls block; `progress` is called on the calling thread.
/// A process that writes dumps should ignore SIGXFSZ and SIGPIPE, so that a limit on file sizes and a reader that went
/// away are errors like a full disk.
public enum CoreWriter {
  /// The fastest, and hardly larger: 256 MiB of a Linux guest take 1.0 s of processor time and 37.9 MB at level 1,
  /// 2.4 s and 36.5 MB at level 6 (docs/core-dumps.md).
  public static let defaultLevel: Int32 = 1

  /// Writes a dump to a file, which replaces an existing one when it is complete. The file has mode 0600.
  /// - Parameters:
  ///   - level: zlib's, 1 to 9, for the compressed forms.
  ///   - workers: threads that compress; no influence on the result.
  /// - Throws: `CoreDumpError`; then no partial file is left, and an existing one is as it was.
  public static func write(
    _ image: CoreImage, to path: String, format: CoreFormat, level: Int32 = defaultLevel, workers: Int = 2,
    progress: ((CoreProgress) -> Void)? = nil
  ) throws(CoreDumpError) {
    let output = try CoreOutput(path: path)
    defer { output.abandon() }
    try write(image, format, level, workers, to: output, progress)
    try output.commit()
  }

  /// Writes a dump to an open descriptor, which stays open. It need not be seekable.
  public static func write(
    _ image: CoreImage, toFileDescriptor descriptor: Int32, format: CoreFormat, level: Int32 = defaultLevel,
    workers: Int = 2, progress: ((CoreProgress) -> Void)? = nil
  ) throws(CoreDumpError) {
    try write(image, format, level, workers, to: CoreOutput(fileDescriptor: descriptor), progress)
  }

  /// Bytes of guest memory that a dump will hold: the total of its progress.
  public static func memorySize(of image: CoreImage) throws(CoreDumpError) -> UInt64 {
    try ELFCoreLayout(image).memorySize
  }

  private static func write(
    _ image: CoreImage, _ format: CoreFormat, _ level: Int32, _ workers: Int, to output: CoreOutput,
    _ progress: ((CoreProgress) -> Void)?
  ) throws(CoreDumpError) {
    if format == .kdumpZlib {
      try KdumpWriter.write(image, level: level, workers: workers, to: output, progress)
    } else {
      try write(image, ELFCoreLayout(image), format, level, workers, to: output, progress)
    }
    withExtendedLifetime(image) {}
  }

  private static func write(
    _ image: CoreImage, _ layout: ELFCoreLayout, _ format: CoreFormat, _ level: Int32, _ workers: Int,
    to output: CoreOutput, _ progress: ((CoreProgress) -> Void)?
  ) throws(CoreDumpError) {
    // Bytes of headers are copied to where they stay put; memory is used where it is.
    var copies: [UnsafeMutableRawBufferPointer] = []
    defer { for copy in copies { copy.deallocate() } }
    var chunks: [UnsafeRawBufferPointer] = []
    var isMemory: [Bool] = []
    for piece in layout.pieces {
      let whole: UnsafeRawBufferPointer
      switch piece {
      case .bytes(let bytes):
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 16)
        copy.copyBytes(from: bytes)
        copies.append(copy)
        whole = UnsafeRawBufferPointer(copy)
      case .memory(let offset, let count):
        whole = UnsafeRawBufferPointer(start: image.memory.base + Int(offset), count: Int(count))
      }
      for start in stride(from: 0, to: whole.count, by: GzipMember.maximumContent) {
        let end = min(start + GzipMember.maximumContent, whole.count)
        chunks.append(UnsafeRawBufferPointer(rebasing: whole[start..<end]))
        if case .memory = piece { isMemory.append(true) } else { isMemory.append(false) }
      }
    }

    var done = CoreProgress(completed: 0, total: layout.memorySize)
    func report(_ index: Int) {
      guard isMemory[index] else { return }
      done.completed += UInt64(chunks[index].count)
      progress?(done)
    }
    switch format {
    case .elf:
      for (index, chunk) in chunks.enumerated() {
        try plain(chunk, to: output)
        report(index)
      }
    case .elfGzip, .kdumpZlib:
      let pipeline = try MemberPipeline(chunks: chunks, workers: workers, zeroMember: GzipMember.ofZeros()) {
        () throws(CoreDumpError) in try GzipMember(level: level)
      }
      try pipeline.run { (member, index) throws(CoreDumpError) in
        try output.write(member)
        report(index)
      }
    }
  }

  /// Writes bytes as they are; in a file, pages of zeros become holes.
  private static func plain(_ bytes: UnsafeRawBufferPointer, to output: CoreOutput) throws(CoreDumpError) {
    guard output.canSkip else { return try output.write(bytes) }
    let page = Int(GuestMemory.pageSize)
    var start = 0
    while start < bytes.count {
      var end = min(start + page, bytes.count)
      let zero = isZero(UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
      while end < bytes.count {
        let next = min(end + page, bytes.count)
        guard isZero(UnsafeRawBufferPointer(rebasing: bytes[end..<next])) == zero else { break }
        end = next
      }
      if zero {
        try output.skip(end - start)
      } else {
        try output.write(UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
      }
      start = end
    }
  }
}
