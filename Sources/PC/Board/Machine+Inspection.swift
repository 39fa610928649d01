import X86
import X86Core
import X86System

/// Looking at the machine without changing it.
extension Machine {
  /// Bytes of RAM; nil unless the whole range is RAM.
  public func readPhysical(_ address: UInt64, count: Int) -> [UInt8]? { memory.read(address, count: count) }

  /// Guest-physical address of a linear one as the guest's paging has it now; nil where nothing is mapped. Access rights do
  /// not matter, accessed and dirty bits stay as they are.
  public func translate(_ linear: UInt64) -> UInt64? { processor.cpu.inspect(linear) }

  /// Bytes at a linear address; nil unless all of them are mapped RAM.
  public func readLinear(_ address: UInt64, count: Int) -> [UInt8]? {
    var bytes: [UInt8] = []
    var at = address
    while bytes.count < count {
      let piece = min(count - bytes.count, 4096 - Int(at & 0xFFF))
      guard let physical = translate(at), let part = memory.read(physical, count: piece) else { return nil }
      bytes += part
      at &+= UInt64(piece)
    }
    return bytes
  }

  /// What a VGA in text mode shows; nil without a VGA, or in a graphics mode.
  public var textScreen: TextScreen? { board.vga?.textScreen }
  public var hasDisplay: Bool { board.vga != nil }

  public var processorState: ProcessorState { processor.cpu.state }

  /// Where the guest's own note for dumps lies.
  public var vmcoreinfo: VMCoreInfo.Note? { board.vmcoreinfo?.note }
}

extension CPU {
  /// Walks the page tables without rights, faults or marks (SDM 3A chapter 4).
  fileprivate func inspect(_ linear: UInt64) -> UInt64? {
    let f = f.pointee
    let a20 = f.a20Mask
    guard f.cr0 & CR0.pg != 0 else { return linear & 0xFFFF_FFFF & a20 }
    let frame = f.physicalAddressMask & ~0xFFF
    if f.cr4 & CR4.pae == 0 {
      let directory = readPhysical32((f.cr3 & 0xFFFF_F000) &+ (linear >> 22 & 0x3FF) * 4)
      guard directory & 1 != 0 else { return nil }
      if directory & 0x80 != 0, f.cr4 & CR4.pse != 0 {
        let high = UInt64(directory >> 13 & 0xFF) << 32
        return (high | UInt64(directory & 0xFFC0_0000) | linear & 0x3F_FFFF) & a20
      }
      let entry = readPhysical32(UInt64(directory & 0xFFFF_F000) &+ (linear >> 12 & 0x3FF) * 4)
      return entry & 1 != 0 ? (UInt64(entry & 0xFFFF_F000) | linear & 0xFFF) & a20 : nil
    }
    var table: UInt64
    var level: UInt64
    if f.efer & EFER.lma != 0 {
      guard isCanonical(linear) else { return nil }
      table = f.cr3 & frame
      level = f.cr4 & CR4.la57 != 0 ? 5 : 4
    } else {
      let entries = [f.pdpte.0, f.pdpte.1, f.pdpte.2, f.pdpte.3]
      let entry = entries[Int(linear >> 30 & 3)]
      guard entry & 1 != 0 else { return nil }
      table = entry & frame
      level = 2
    }
    while true {
      let shift = 12 + 9 * (level - 1)
      let entry = readPhysical64(table &+ (linear >> shift & 0x1FF) * 8)
      guard entry & 1 != 0 else { return nil }
      if level == 1 || (level <= 3 && entry & 0x80 != 0) {
        let offset = (UInt64(1) << shift) - 1
        return (entry & frame & ~offset | linear & offset) & a20
      }
      table = entry & frame
      level -= 1
    }
  }
}
