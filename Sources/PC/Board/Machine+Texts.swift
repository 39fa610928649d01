import X86Core

/// What the human monitor says of the board, in the forms of QEMU's monitor, which programs read. Lines end in newlines.
extension Machine {
  /// `info pic`: the I/O APIC and both 8259s.
  public var interruptControllersText: String {
    let ioapic = board.ioapic.state
    var text =
      "ioapic0: ver=0x20 id=0x\(Self.hex(UInt64(ioapic.id >> 24 & 0xF), 2)) sel=0x\(Self.hex(UInt64(ioapic.select), 2))\n"
    let modes = ["fixed", "lowest", "SMI", "...", "NMI", "INIT", "...", "extINT"]
    for (pin, entry) in ioapic.redirections.enumerated() {
      var fields = [Self.padded("\(pin)", 2)]
      fields.append("0x" + Self.hex(entry, 16))
      fields.append("dest=" + Self.hex(entry >> 56, 1))
      fields.append(Self.padded("vec=\(entry & 0xFF)", 7))
      fields.append(entry & 1 << 13 != 0 ? "active-lo" : "active-hi")
      fields.append(entry & 1 << 15 != 0 ? "level" : "edge ")
      fields.append(entry & 1 << 16 != 0 ? "masked" : "      ")
      fields.append(Self.padded(modes[Int(entry >> 8 & 7)], 6))
      fields.append(entry & 1 << 11 != 0 ? "logical" : "physical")
      text += "  pin " + fields.joined(separator: " ") + "\n"
    }
    func list(_ bits: UInt32) -> String {
      let set = (0..<24).filter { bits & 1 << UInt32($0) != 0 }
      return set.isEmpty ? "(none)" : set.map(String.init).joined(separator: " ")
    }
    var remote: UInt32 = 0
    for (pin, entry) in ioapic.redirections.enumerated() where entry & 1 << 14 != 0 { remote |= 1 << UInt32(pin) }
    text += "  IRR      \(list(ioapic.lines))\n  Remote IRR \(list(remote))\n"
    let pair = board.pic.state
    for (name, chip) in [("pic1", pair.slave), ("pic0", pair.master)] {
      text += "\(name): irr=\(Self.hex(UInt64(chip.irr), 2)) imr=\(Self.hex(UInt64(chip.imr), 2)) "
      text += "isr=\(Self.hex(UInt64(chip.isr), 2)) hprio=\(chip.highestPriority) "
      text += "irq_base=\(Self.hex(UInt64(chip.vectorBase), 2)) rr_sel=0 "
      text += "elcr=\(Self.hex(UInt64(chip.levelTriggered), 2)) fnm=0\n"
    }
    return text
  }

  /// `info mtree -f`: what answers at which address.
  public var memoryTreeText: String {
    var regions: [(range: Range<UInt64>, kind: String, name: String)] = []
    for range in memory.ranges {
      regions.append(
        (range, "ram", range.lowerBound == 0 ? "pc.ram" : "pc.ram @" + Self.hex(Self.offset(range, memory), 16)))
    }
    for region in board.mmio.regions { regions.append((region.range, "i/o", region.name)) }
    regions.sort { $0.range.lowerBound < $1.range.lowerBound }
    var text = "FlatView #0\n AS \"memory\", root: system\n AS \"cpu-memory-0\", root: system\n"
    text += " Root memory region: system\n"
    for region in regions {
      text += "  \(Self.hex(region.range.lowerBound, 16))-\(Self.hex(region.range.upperBound &- 1, 16)) "
      text += "(prio 0, \(region.kind)): \(region.name)\n"
    }
    text += "\nFlatView #1\n AS \"I/O\", root: io\n Root memory region: io\n"
    for region in board.ports.regions {
      text += "  \(Self.hex(UInt64(region.ports.lowerBound), 16))-\(Self.hex(UInt64(region.ports.upperBound), 16)) "
      text += "(prio 0, i/o): \(region.name)\n"
    }
    return text + "\n"
  }

  private static func offset(_ range: Range<UInt64>, _ memory: GuestMemory) -> UInt64 {
    memory.ranges.filter { $0.lowerBound < range.lowerBound }.reduce(0) { $0 + ($1.upperBound - $1.lowerBound) }
  }

  /// `info qtree`: the devices, by bus.
  public var deviceTreeText: String {
    var text = "bus: main-system-bus\n  type System\n"
    for region in board.mmio.regions {
      text += "  dev: \(region.name), id \"\"\n    mmio \(Self.hex(region.range.lowerBound, 16))/"
      text += Self.hex(region.range.upperBound - region.range.lowerBound, 16) + "\n"
    }
    text += "  dev: i440FX-pcihost, id \"\"\n    bus: pci.0\n      type PCI\n      dev: PIIX3, id \"\"\n"
    text += "        bus: isa.0\n          type ISA\n"
    for region in board.ports.regions {
      text += "          dev: \(region.name), id \"\"\n            ports "
      text += "\(Self.hex(UInt64(region.ports.lowerBound), 4))-\(Self.hex(UInt64(region.ports.upperBound), 4))\n"
    }
    return text
  }

  /// Seconds that the guest has set its real-time clock ahead of wall clock at power-on plus virtual time.
  public var clockOffset: Int64 { board.rtc.state.secondsOffset }

  /// Where RAM at a guest-physical address lies in this process; nil where there is none.
  public func hostAddress(ofPhysical address: UInt64) -> UInt64? {
    var offset: UInt64 = 0
    for range in memory.ranges {
      if range.contains(address) {
        return UInt64(UInt(bitPattern: memory.base)) &+ offset &+ (address - range.lowerBound)
      }
      offset += range.upperBound - range.lowerBound
    }
    return nil
  }

  private static func hex(_ value: UInt64, _ width: Int) -> String {
    let digits = String(value, radix: 16)
    return digits.count >= width ? digits : String(repeating: "0", count: width - digits.count) + digits
  }
  private static func padded(_ text: String, _ width: Int) -> String {
    text.count >= width ? text : text + String(repeating: " ", count: width - text.count)
  }
}
