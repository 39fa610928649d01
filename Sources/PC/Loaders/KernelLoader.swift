import X86Core

/// Starts a kernel file of any kind that is known here.
public enum KernelLoader {
  /// The kinds, in the order in which a file is tried.
  public enum Format: String {
    case bzImage
    case multiboot
    case pvh
  }

  /// What a file is, by its own marks; nil when no loader knows it.
  public static func format(of kernel: [UInt8]) -> Format? {
    if BzImageLoader.recognizes(kernel) { return .bzImage }
    if MultibootLoader.recognizes(kernel) { return .multiboot }
    if PVHLoader.recognizes(kernel) { return .pvh }
    return nil
  }

  /// Puts kernel, initrds and command line into memory.
  /// - Parameters:
  ///   - initrds: modules for multiboot; for the others one initrd of all of them, one after the other.
  ///   - rsdp: guest-physical address of the RSDP, 0 to let the kernel search.
  ///   - randomSeed: bytes that Linux mixes into its entropy; empty for none.
  ///   - fastBoot: unpacks a bzImage on the host where it can.
  /// - Throws: `LoaderError`; memory may have been written to by then.
  public static func load(
    kernel: [UInt8], initrds: [BootModule], commandLine: String, memory: GuestMemory, memoryMap: MemoryMap,
    rsdp: UInt64, randomSeed: [UInt8], fastBoot: FastBoot? = nil
  ) throws -> BootState {
    guard !kernel.isEmpty else { throw LoaderError.emptyKernel }
    let initrd = initrds.isEmpty ? nil : initrds.count == 1 ? initrds[0].bytes : initrds.flatMap(\.bytes)
    switch format(of: kernel) {
    case .bzImage:
      return try BzImageLoader.load(
        kernel: kernel, initrd: initrd, commandLine: commandLine, memory: memory, memoryMap: memoryMap,
        rsdp: rsdp, randomSeed: randomSeed, fastBoot: fastBoot)
    case .multiboot:
      return try MultibootLoader.load(
        kernel: kernel, modules: initrds, commandLine: commandLine, memory: memory, memoryMap: memoryMap)
    case .pvh:
      return try PVHLoader.load(
        kernel: kernel, initrd: initrd, commandLine: commandLine, memory: memory, memoryMap: memoryMap,
        rsdp: rsdp)
    case nil:
      // An ELF file with damage is worth naming the damage.
      if ELFImage.recognizes(kernel) { _ = try ELFImage(kernel) }
      let start = kernel.prefix(4).map { String($0, radix: 16) }.joined(separator: " ")
      throw LoaderError.foreignKernel(found: "it starts with bytes \(start)")
    }
  }
}
