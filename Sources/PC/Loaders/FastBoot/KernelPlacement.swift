/// Where a decompressed kernel goes, by the rules of the kernel's own choice (arch/x86/boot/compressed/kaslr.c).
public struct KernelPlacement: Equatable, Sendable {
  /// Guest-physical address of the image's start.
  public var physical: UInt64
  /// What the image is relocated for, as an address of `.text` relative to `__START_KERNEL_map`.
  public var virtual: UInt64
  /// The kernel is told through `KASLR_FLAG` that its place was drawn; it then draws those of its other regions, too.
  public var isRandomized: Bool

  public init(physical: UInt64, virtual: UInt64, isRandomized: Bool) {
    self.physical = physical
    self.virtual = virtual
    self.isRandomized = isRandomized
  }
}

extension KernelPlacement {
  /// Bytes of virtual addresses that kernel text and data may use (`KERNEL_IMAGE_SIZE` with KASLR).
  static let virtualRange: UInt64 = 1 << 30
  /// The search for a physical address starts here at the latest.
  static let highestMinimum: UInt64 = 512 << 20
  /// Areas of possible places beyond this number are not looked at (`MAX_SLOT_AREA`).
  static let maximumAreas = 100

  /// The place of a kernel that is not to be moved.
  public static func fixed(at address: UInt64) -> KernelPlacement {
    KernelPlacement(physical: address, virtual: address, isRandomized: false)
  }

  /// Draws a place.
  /// - Parameters:
  ///   - address: the kernel's preferred address, a multiple of `alignment`.
  ///   - size: bytes from there that have to be free.
  ///   - alignment: `kernel_alignment` of the setup header, a power of 2.
  ///   - map: what the kernel is told about memory, in ascending order. Only RAM is used.
  ///   - avoid: initrd, boot parameters and the like.
  ///   - random: is asked for two numbers, first that of the physical place.
  /// - Returns: a place; physically the preferred one where there is no other.
  public static func random(
    preferring address: UInt64, size: UInt64, alignment: UInt64, map: [E820Entry], avoid: [Range<UInt64>],
    random: () -> UInt64
  ) -> KernelPlacement {
    let areas = Self.areas(
      above: roundUp(min(address, highestMinimum), alignment), size: size, alignment: alignment, map: map,
      avoid: avoid)
    var placement = KernelPlacement(physical: address, virtual: address, isRandomized: true)
    let total = areas.reduce(0) { $0 &+ $1.count }
    if total > 0 {
      var slot = random() % total
      for area in areas {
        if slot < area.count {
          placement.physical = area.start &+ slot &* alignment
          break
        }
        slot &-= area.count
      }
    }
    if size <= virtualRange, address <= virtualRange &- size {
      let slots = 1 &+ (virtualRange &- address &- size) / alignment
      placement.virtual = address &+ random() % slots &* alignment
    }
    return placement
  }

  /// Possible places: `count` of them, `alignment` apart.
  struct Area: Equatable {
    var start: UInt64
    var count: UInt64
  }

  static func areas(
    above minimum: UInt64, size: UInt64, alignment: UInt64, map: [E820Entry], avoid: [Range<UInt64>]
  ) -> [Area] {
    guard size > 0 else { return [] }
    var areas: [Area] = []
    for entry in map where entry.kind == .ram {
      var start = max(entry.base, minimum)
      while areas.count < maximumAreas {
        start = roundUp(start, alignment)
        guard start <= entry.end, entry.end &- start >= size else { break }
        // The lowest of what is in the way.
        let obstacle = avoid.filter { !$0.isEmpty && $0.overlaps(start..<entry.end) }
          .min { $0.lowerBound < $1.lowerBound }
        let end = obstacle.map { max($0.lowerBound, start) } ?? entry.end
        if end &- start >= size { areas.append(Area(start: start, count: 1 &+ (end &- start &- size) / alignment)) }
        guard let obstacle else { break }
        start = obstacle.upperBound
      }
    }
    return areas
  }

  private static func roundUp(_ value: UInt64, _ alignment: UInt64) -> UInt64 {
    (value &+ alignment &- 1) & ~(alignment &- 1)
  }

  /// What a command line says about the place.
  public enum Wish: Equatable, Sendable {
    case random
    /// `nokaslr`.
    case fixed
    /// It names something that the kernel's decompressor heeds in ways of its own.
    case unknown(String)
  }

  public static func wish(of commandLine: String) -> Wish {
    // Reserved or limited memory, pages that must not be broken up, nodes that must stay free; and consoles to which the
    // decompressor itself writes.
    let heeded = [
      "mem=", "memmap=", "hugepages", "efi_fake_mem", "movable_node", "acpi_rsdp", "earlyprintk", "console=uart",
    ]
    if let word = heeded.first(where: commandLine.contains) { return .unknown(word) }
    // Words end at blanks and control characters, whatever quotes say (arch/x86/boot/cmdline.c).
    let words = commandLine.utf8.split { $0 <= 0x20 }
    return words.contains { $0.elementsEqual("nokaslr".utf8) } ? .fixed : .random
  }
}
