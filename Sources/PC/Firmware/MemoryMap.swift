/// One range of the firmware's memory map (ACPI 6.5 section 15, INT 15h function E820h).
public struct E820Entry: Equatable {
  public enum Kind: UInt32 {
    case ram = 1
    case reserved = 2
    /// ACPI tables; the system may use it once it has read them.
    case acpiReclaimable = 3
    /// ACPI's own storage, kept as it is.
    case acpiNVS = 4
  }
  public var base: UInt64
  public var size: UInt64
  public var kind: Kind
  public var end: UInt64 { base + size }

  public init(base: UInt64, size: UInt64, kind: Kind) {
    self.base = base
    self.size = size
    self.kind = kind
  }
}

/// Where things lie in guest-physical memory, as on QEMU's `pc`.
public struct MemoryMap: Equatable {
  /// Conventional memory ends here; the extended BIOS data area follows.
  public static let conventionalEnd: UInt64 = 0x9FC00
  /// The F segment, where RSDP and multiprocessor tables are looked for.
  public static let biosSegment: Range<UInt64> = 0xF0000..<0x100000
  /// Where the RSDP lies. It is found by its signature on any 16-byte boundary from E0000 up.
  public static let rsdp: UInt64 = 0xF5A00
  public static let extendedBase: UInt64 = 0x100000
  /// Room at the top of RAM below 4 GiB that is kept for ACPI, as QEMU's firmware does.
  public static let acpiAreaSize: UInt64 = 0x20000
  /// The last page of that area is NVS storage: the FACS.
  public static let acpiNVSSize: UInt64 = 0x1000

  /// Bytes of RAM below the PCI hole.
  public let lowSize: UInt64
  /// Bytes of RAM from 4 GiB up.
  public let highSize: UInt64

  /// - Parameter lowSize: at least 1 MiB, a multiple of 4096.
  public init(lowSize: UInt64, highSize: UInt64) {
    self.lowSize = lowSize
    self.highSize = highSize
  }

  /// End of the RAM that a system may use below 4 GiB, and start of the ACPI tables.
  public var lowUsableEnd: UInt64 {
    lowSize >= Self.extendedBase + 2 * Self.acpiAreaSize ? lowSize - Self.acpiAreaSize : lowSize
  }
  /// Where the ACPI tables lie. Empty on machines with hardly more than 1 MiB.
  public var acpiTables: Range<UInt64> {
    lowUsableEnd < lowSize ? lowUsableEnd..<(lowSize - Self.acpiNVSSize) : lowSize..<lowSize
  }
  /// Where ACPI's storage lies.
  public var acpiNVS: Range<UInt64> { acpiTables.upperBound..<lowSize }

  /// The map as the firmware reports it, in ascending order without overlaps.
  public var entries: [E820Entry] {
    var map = [
      E820Entry(base: 0, size: Self.conventionalEnd, kind: .ram),
      E820Entry(base: Self.conventionalEnd, size: 0xA0000 - Self.conventionalEnd, kind: .reserved),
      E820Entry(
        base: Self.biosSegment.lowerBound, size: Self.extendedBase - Self.biosSegment.lowerBound,
        kind: .reserved),
    ]
    if lowUsableEnd > Self.extendedBase {
      map.append(
        E820Entry(base: Self.extendedBase, size: lowUsableEnd - Self.extendedBase, kind: .ram))
    }
    if !acpiTables.isEmpty {
      map.append(
        E820Entry(
          base: acpiTables.lowerBound, size: acpiTables.upperBound - acpiTables.lowerBound,
          kind: .acpiReclaimable))
      map.append(E820Entry(base: acpiNVS.lowerBound, size: Self.acpiNVSSize, kind: .acpiNVS))
    }
    // The top of the 32-bit space belongs to the firmware's flash.
    map.append(E820Entry(base: 0xFFFC_0000, size: 0x40000, kind: .reserved))
    if highSize > 0 { map.append(E820Entry(base: 0x1_0000_0000, size: highSize, kind: .ram)) }
    return map
  }
}

extension MemoryMap {
  public init(size: UInt64, lowLimit: UInt64) {
    self.init(lowSize: min(size, lowLimit), highSize: size - min(size, lowLimit))
  }
}
