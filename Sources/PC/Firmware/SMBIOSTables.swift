import X86Core

/// The least that names the machine to its system (SMBIOS 2.8): BIOS, system, enclosure. Linux prints it on boot
/// and in each stack dump ("Hardware name").
public struct SMBIOSTables {
  /// Where the entry point lies: any 16-byte boundary in the F segment.
  public static let entryPointAddress: UInt64 = 0xF5A40
  static let structuresAddress: UInt64 = 0xF5A60
  static let version: (major: UInt8, minor: UInt8) = (2, 8)

  enum Kind {
    static let bios: UInt8 = 0
    static let system: UInt8 = 1
    static let enclosure: UInt8 = 3
    static let end: UInt8 = 127
  }

  public let entryPoint: [UInt8]
  public let structures: [UInt8]

  /// - Parameters:
  ///   - manufacturer: of the machine.
  ///   - product: what a stack dump calls the hardware.
  public init(manufacturer: String = "Inquest", product: String = "Standard PC") {
    var table = ByteWriter()
    var count: UInt16 = 0
    var longest = 0
    func add(_ kind: UInt8, _ fields: [UInt8], strings: [String] = []) {
      let start = table.count
      table.raw([kind, UInt8(fields.count + 4)])
      table.u16(count)
      table.raw(fields)
      for string in strings { table.raw(Array(string.utf8.prefix(64)) + [0]) }
      table.raw(strings.isEmpty ? [0, 0] : [0])
      longest = max(longest, table.count - start)
      count += 1
    }
    // Vendor, version; the area's segment; date; size; nothing is supported but being a virtual machine.
    add(
      Kind.bios, [1, 2, 0x00, 0xF0, 3, 0] + [0x08, 0, 0, 0, 0, 0, 0, 0] + [0, 0x10, 0, 0, 0xFF, 0xFF],
      strings: [manufacturer, "1", "01/01/2026"])
    // Manufacturer, product, version, no serial number, no UUID set, woken by the power switch.
    add(
      Kind.system, [1, 2, 3, 0] + [UInt8](repeating: 0, count: 16) + [6, 0, 0],
      strings: [manufacturer, product, "1"])
    // "Other" enclosure, safe, without lock or guard.
    add(
      Kind.enclosure, [1, 1, 0, 0, 0, 3, 3, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0], strings: [manufacturer])
    add(Kind.end, [])
    structures = table.bytes

    var entry = ByteWriter()
    entry.text("_SM_", length: 4)
    entry.u8(0)
    entry.u8(31)
    entry.raw([Self.version.major, Self.version.minor])
    entry.u16(UInt16(longest))
    entry.zeros(6)
    entry.text("_DMI_", length: 5)
    entry.u8(0)
    entry.u16(UInt16(structures.count))
    entry.u32(UInt32(Self.structuresAddress))
    entry.u16(count)
    entry.u8(Self.version.major << 4 | Self.version.minor)
    var bytes = entry.bytes
    bytes[21] = ACPITables.checksum(bytes[16...])
    bytes[4] = ACPITables.checksum(bytes[...])
    entryPoint = bytes
  }

  /// Puts the tables where systems look for them.
  public func write(to memory: GuestMemory) {
    memory.write(Self.entryPointAddress, entryPoint)
    memory.write(Self.structuresAddress, structures)
  }
}
