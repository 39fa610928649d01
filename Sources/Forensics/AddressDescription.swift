extension Kernel {
  /// What an address, or a register's value, points to; nil for what is plainly a number.
  public func describe(_ address: UInt64) -> String? {
    if let name = symbolizer.name(of: address) { return name.text }
    if address < 4096 { return nil }
    if !space.isCanonical(address) { return address >> 48 == 0 || address >> 32 == 0 ? nil : "not canonical" }
    let stacks = KernelStacks(self)
    if let stack = stacks.name(of: address), let start = stacks.start(of: address) {
      return "\(stack) stack + 0x" + String(address - start, radix: 16)
    }
    guard address >> 63 != 0 else {
      // Small numbers are numbers, even where a program has something there.
      guard address >= 0x1_0000, space.physical(address) != nil else { return nil }
      return "user memory"
    }
    if address >= 0xFFFF_FFFF_FFFF_0000 { return nil }  // −65536 … −1
    let physical = space.physical(address)
    if let task = currentTaskAddress, let size = size("task_struct"), address >= task, address - task < size {
      return "task_struct of the current task + 0x" + String(address - task, radix: 16)
    }
    var region = self.region(of: address)
    guard let physical else { return region + ", not mapped" }
    if let use = pageUse(physical) { region += ", \(use)" }
    return region
  }

  private func region(of address: UInt64) -> String {
    func base(_ name: String) -> UInt64? { symbols.address(of: name).flatMap { space.u64($0) } }
    if address >= Self.textMap { return address < 0xFFFF_FFFF_C000_0000 ? "kernel image" : "module area" }
    let areas = [
      ("direct map", base("page_offset_base")), ("vmalloc area", base("vmalloc_base")),
      ("page array", base("vmemmap_base")), ("entry area", 0xFFFF_FE00_0000_0000),
    ].compactMap { name, start in start.map { (name, $0) } }.filter { $0.1 <= address }
    guard let area = areas.max(by: { $0.1 < $1.1 }) else { return "kernel memory" }
    if area.0 == "direct map" { return "direct map + 0x" + String(address - area.1, radix: 16) }
    return area.0
  }

  /// What the page at a guest-physical address is used for; nil when the kernel does not say.
  func pageUse(_ physical: UInt64) -> String? {
    guard let info = vmcoreinfo, let size = info.size("page"), (32...256).contains(size),
      let flagsOffset = info.offset("page", "flags"), let typeOffset = info.offset("page", "_mapcount"),
      let buddy = info.number("PAGE_BUDDY_MAPCOUNT_VALUE"),
      let base = symbols.address(of: "vmemmap_base").flatMap({ space.u64($0) })
    else { return nil }
    let page = base &+ (physical >> 12) &* size
    guard let flags = space.u64(page &+ flagsOffset), let type = space.u32(page &+ typeOffset) else { return nil }
    let shift: UInt32 = version >= (6, 12) ? 24 : 0
    if type >> shift == UInt32(truncatingIfNeeded: buddy) >> shift { return "free page" }
    if let slab = info.number("PG_slab"), (0..<64).contains(slab), flags >> UInt64(slab) & 1 != 0 { return "slab" }
    return nil
  }
}
