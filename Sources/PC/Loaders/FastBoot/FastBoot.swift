import X86Core

/// Starting a bzImage behind its decompressor: the host unpacks the kernel, places and relocates it, and leaves processor,
/// memory and boot parameters as the guest's own decompressor would (arch/x86/boot/compressed of Linux 5.5 to 6.x).
///
/// The result follows from the image and the numbers drawn. What is not known for certain is left to the guest.
public struct FastBoot {
  /// Asked for the kernel's place, as the decompressor asks RDRAND.
  public var random: () -> UInt64
  /// Told what was done.
  public var onOutcome: (Outcome) -> Void

  public init(random: @escaping () -> UInt64, onOutcome: @escaping (Outcome) -> Void = { _ in }) {
    self.random = random
    self.onOutcome = onOutcome
  }

  public enum Outcome: Equatable, Sendable, CustomStringConvertible {
    case unpacked(KernelCompression, KernelPlacement)
    /// The guest's own decompressor runs.
    case left(FastBootRefusal)

    public var description: String {
      switch self {
      case .unpacked(let compression, let place):
        return "\(compression.rawValue) kernel unpacked to 0x\(String(place.physical, radix: 16)), "
          + (place.isRandomized ? "virtually to 0x\(String(place.virtual, radix: 16))" : "not moved")
      case .left(let refusal): return "the guest unpacks its kernel: \(refusal)"
      }
    }
  }

  /// The oldest and the newest kernel whose decompressor is known, by major and minor number.
  static let oldestVersion = [5, 5]
  static let newestVersion = [6, 99]

  /// What the loader has to do to enter the kernel.
  struct Prepared {
    let kernel: RelocatableKernel
    let placement: KernelPlacement
    let compression: KernelCompression
    /// Keeps the kernel's bytes.
    let buffer: HostBuffer
    var entry: UInt64 { placement.physical &+ kernel.entryOffset }
    var end: UInt64 { placement.physical &+ kernel.memorySize }
  }

  /// Unpacks a kernel into memory, and says so to `onOutcome`. Parameters as of `prepare`.
  /// - Returns: nil when it is left to the guest; memory was not written then.
  func attempt(
    _ image: BzImage, loadAddress: UInt64, commandLine: String, map: [E820Entry], avoid: [Range<UInt64>],
    memory: GuestMemory
  ) -> Prepared? {
    do {
      let prepared = try prepare(
        image, loadAddress: loadAddress, commandLine: commandLine, map: map, avoid: avoid)
      guard prepared.kernel.write(to: prepared.placement, in: memory) else {
        throw FastBootRefusal("there is no RAM at 0x\(String(prepared.placement.physical, radix: 16))")
      }
      onOutcome(.unpacked(prepared.compression, prepared.placement))
      return prepared
    } catch {
      onOutcome(.left(error as? FastBootRefusal ?? FastBootRefusal("\(error)")))
      return nil
    }
  }

  /// Unpacks and places a kernel; memory is not written.
  /// - Parameters:
  ///   - loadAddress: where the loader would put the packed kernel.
  ///   - map: what the kernel is told about memory.
  ///   - avoid: what lies in memory already.
  /// - Throws: `FastBootRefusal`.
  func prepare(
    _ image: BzImage, loadAddress: UInt64, commandLine: String, map: [E820Entry], avoid: [Range<UInt64>]
  ) throws -> Prepared {
    guard image.has64BitEntry else { throw FastBootRefusal("it is no 64-bit kernel") }
    guard let version = image.kernelVersion, Self.isKnown(version) else {
      throw FastBootRefusal("its version \(image.kernelVersion.map { "'\($0)'" } ?? "") is not known")
    }
    let alignment = image.kernelAlignment
    guard image.relocatable, alignment >= GuestMemory.pageSize, alignment & (alignment - 1) == 0,
      loadAddress == image.preferredAddress, loadAddress & (alignment - 1) == 0
    else { throw FastBootRefusal("its setup header asks for an unusual place") }
    let wish = KernelPlacement.wish(of: commandLine)
    if case .unknown(let word) = wish { throw FastBootRefusal("the command line has '\(word)'") }

    guard let packed = image.packedKernel else { throw FastBootRefusal("its setup header names no payload") }
    return try packed.withUnsafeBytes { payload in
      guard let compression = KernelCompression(of: payload) else {
        throw FastBootRefusal("its payload is packed in an unknown way")
      }
      // The decompressor works in place, so its content fits into what the kernel needs anyway.
      guard let size = KernelCompression.contentSize(of: payload), size > 0, size <= image.initSize else {
        throw FastBootRefusal("its payload's size makes no sense")
      }
      guard let buffer = HostBuffer(count: size) else { throw FastBootRefusal("the host has no room to unpack it") }
      try compression.unpack(payload, into: buffer.bytes)
      let kernel = try RelocatableKernel(UnsafeRawBufferPointer(buffer.bytes))
      guard kernel.linkAddress == loadAddress, kernel.memorySize <= image.initSize else {
        throw FastBootRefusal("it was not linked for the address that its setup header says")
      }
      let needed = (max(UInt64(size), kernel.memorySize) &+ alignment &- 1) & ~(alignment &- 1)
      // Where the decompressor would have run.
      let runEnd = loadAddress &+ image.initSize
      let decompressor = (runEnd &- min(UInt64(image.payload.count), image.initSize))..<runEnd
      let placement =
        wish == .fixed || !kernel.isRelocatable
        ? KernelPlacement.fixed(at: loadAddress)
        : KernelPlacement.random(
          preferring: loadAddress, size: needed, alignment: alignment, map: map, avoid: avoid + [decompressor],
          random: random)
      return Prepared(kernel: kernel, placement: placement, compression: compression, buffer: buffer)
    }
  }

  /// - Parameter version: as `uname -r` gives it, with what follows.
  static func isKnown(_ version: String) -> Bool {
    let numbers = version.split(separator: ".", maxSplits: 2).prefix(2).map { Int($0.prefix { $0.isNumber }) ?? -1 }
    guard numbers.count == 2 else { return false }
    return !numbers.lexicographicallyPrecedes(oldestVersion) && !newestVersion.lexicographicallyPrecedes(numbers)
  }
}
