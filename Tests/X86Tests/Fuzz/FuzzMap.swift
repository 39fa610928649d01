/// Where the first 4 MiB of a fuzzed guest hold what.
enum FuzzMap {
  static let memorySize: UInt64 = 4 << 20
  static let ivtTargets: UInt64 = 0x1000
  static let gdt: UInt64 = 0x2000, idt: UInt64 = 0x3000, ldt: UInt64 = 0x4000
  static let tss32: UInt64 = 0x5000, tss64: UInt64 = 0x6000, tss16: UInt64 = 0x7000
  /// 64 KiB of code, then data and stacks.
  static let code: UInt64 = 0x10000, data: UInt64 = 0x20000, stack: UInt64 = 0x38000
  static let pml4: UInt64 = 0x100000, pdpt: UInt64 = 0x101000, pd: UInt64 = 0x102000, pt: UInt64 = 0x103000
  static let pd32: UInt64 = 0x105000, pt32: UInt64 = 0x106000, pdptPAE: UInt64 = 0x107000

  // Selectors.
  static let code64: UInt16 = 0x08, data0: UInt16 = 0x10, code32: UInt16 = 0x18, code16: UInt16 = 0x20
  static let userCode32: UInt16 = 0x2B, userData: UInt16 = 0x33, userCode64: UInt16 = 0x3B,
    data16: UInt16 = 0x40
  static let segmentedCode: UInt16 = 0x48, segmentedData: UInt16 = 0x50
  static let tss32Selector: UInt16 = 0x58, tss16Selector: UInt16 = 0x60, ldtSelector: UInt16 = 0x68
  static let tss64Selector: UInt16 = 0x70
  static let selectors: [UInt16] = [
    0, 0x08, 0x10, 0x18, 0x20, 0x2B, 0x33, 0x3B, 0x40, 0x48, 0x50, 0x58, 0x60, 0x68, 0x70, 0x80, 0x88, 0x90,
    0x98,
    0xA0, 0xA8, 0xB0, 0x04, 0x0C, 0x14, 0x1F,
  ]
}

/// The mode in which a case begins.
enum FuzzMode: Int, CaseIterable {
  case real, protected16, protected32, segmented32, user32, virtual8086, compatibility, long, longUser

  var isLong: Bool { self == .compatibility || self == .long || self == .longUser }
}

/// Paging of a case that does not begin in long mode.
enum FuzzPaging: Int, CaseIterable {
  case off, bits32, pae
}
