import Glibc
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

  /// What the loader has to know to enter the kernel.
  struct Unpacked {
    let placement: KernelPlacement
    let entry: UInt64
    /// The first address behind it.
    let end: UInt64
  }

  /// Unpacks a kernel into memory, and says so to `onOutcome`.
  /// - Parameters:
  ///   - loadAddress: where the loader would put the packed kernel.
  ///   - map: what the kernel is told about memory.
  ///   - avoid: what lies in memory already.
  /// - Returns: nil when it is left to the guest.
  func attempt(
    _ image: BzImage, loadAddress: UInt64, commandLine: String, map: [E820Entry], avoid: [Range<UInt64>],
    memory: GuestMemory
  ) -> Unpacked? {
    do {
      let (compression, isMovable) = try check(image, loadAddress: loadAddress, commandLine: commandLine)
      var placement = KernelPlacement.fixed(at: loadAddress)
      if isMovable {
        // What the decompressor takes for its run; the kernel's own size, which it goes by, is not known yet and rounds up
        // to the same.
        let runEnd = loadAddress &+ image.initSize
        let decompressor = (runEnd &- min(UInt64(image.payload.count), image.initSize))..<runEnd
        let alignment = image.kernelAlignment
        placement = .random(
          preferring: loadAddress, size: (image.initSize &+ alignment &- 1) & ~(alignment &- 1), alignment: alignment,
          map: map, avoid: avoid + [decompressor], random: random)
      }
      var kernel = try unpack(image, compression, to: placement, in: memory)
      if !kernel.isRelocatable, isMovable {
        // Built without KASLR, as only its content can tell.
        placement = .fixed(at: loadAddress)
        kernel = try unpack(image, compression, to: placement, in: memory)
      }
      onOutcome(.unpacked(compression, placement))
      return Unpacked(
        placement: placement, entry: placement.physical &+ kernel.entryOffset,
        end: placement.physical &+ kernel.memorySize)
    } catch {
      onOutcome(.left(error as? FastBootRefusal ?? FastBootRefusal("\(error)")))
      return nil
    }
  }

  /// Looks at everything that can be known before the payload is unpacked.
  private func check(
    _ image: BzImage, loadAddress: UInt64, commandLine: String
  ) throws -> (KernelCompression, isMovable: Bool) {
    guard image.has64BitEntry else { throw FastBootRefusal("it is no 64-bit kernel") }
    guard let version = image.kernelVersion, Self.isKnown(version) else {
      throw FastBootRefusal("its version \(image.kernelVersion.map { "'\($0)'" } ?? "") is not known")
    }
    let alignment = image.kernelAlignment
    guard image.relocatable, alignment >= GuestMemory.pageSize, alignment & (alignment - 1) == 0,
      loadAddress == image.preferredAddress, loadAddress & (alignment - 1) == 0
    else { throw FastBootRefusal("its setup header asks for an unusual place") }
    guard let payload = image.packedKernel else { throw FastBootRefusal("its setup header names no payload") }
    guard let compression = payload.withUnsafeBytes({ KernelCompression(of: $0) }) else {
      throw FastBootRefusal("its payload is packed in an unknown way")
    }
    switch KernelPlacement.wish(of: commandLine) {
    case .random: return (compression, true)
    case .fixed: return (compression, false)
    case .unknown(let word): throw FastBootRefusal("the command line has '\(word)'")
    }
  }

  /// Unpacks a kernel to where it is to run and relocates it there.
  /// - Throws: `FastBootRefusal`; that memory is zero then.
  private func unpack(
    _ image: BzImage, _ compression: KernelCompression, to placement: KernelPlacement, in memory: GuestMemory
  ) throws -> RelocatableKernel {
    try (image.packedKernel ?? []).withUnsafeBytes { payload in
      // The decompressor works in place, so its content fits into what the kernel needs anyway.
      guard let size = KernelCompression.contentSize(of: payload), size > 0, size <= image.initSize else {
        throw FastBootRefusal("its payload's size makes no sense")
      }
      guard memory.isRAM(placement.physical, Int(image.initSize)),
        let content = memory.openForFilling(placement.physical, UInt64(size))
      else {
        throw FastBootRefusal("there is no RAM at 0x\(String(placement.physical, radix: 16))")
      }
      do {
        try compression.unpack(payload, into: content)
        let kernel = try RelocatableKernel(UnsafeRawBufferPointer(content))
        guard kernel.linkAddress == image.preferredAddress, kernel.memorySize <= image.initSize else {
          throw FastBootRefusal("it was not linked for the address that its setup header says")
        }
        if kernel.isRelocatable || !placement.isRandomized { kernel.settle(in: content, virtual: placement.virtual) }
        return kernel
      } catch {
        memset(content.baseAddress!, 0, size)
        throw error
      }
    }
  }

  /// - Parameter version: as `uname -r` gives it, with what follows.
  static func isKnown(_ version: String) -> Bool {
    let numbers = version.split(separator: ".", maxSplits: 2).prefix(2).map { Int($0.prefix { $0.isNumber }) ?? -1 }
    guard numbers.count == 2 else { return false }
    return !numbers.lexicographicallyPrecedes(oldestVersion) && !newestVersion.lexicographicallyPrecedes(numbers)
  }
}
