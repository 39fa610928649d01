/// A page as a walk found it.
public struct PageMapping {
  /// Of the byte asked for.
  public var physicalAddress: UInt64
  /// The dirty bit is set and the view may write: a write-TLB entry may be made.
  public var mayWrite: Bool
  public var isGlobal: Bool
  /// log2 of the page's size.
  public var shift: UInt64
}

enum PTE {
  static let present: UInt64 = 1, write: UInt64 = 2, user: UInt64 = 4, accessed: UInt64 = 32, dirty: UInt64 = 64
  static let large: UInt64 = 128, global: UInt64 = 256, noExecute: UInt64 = 1 << 63
}

enum PageFaultCode {
  static let present: UInt32 = 1, write: UInt32 = 2, user: UInt32 = 4, reserved: UInt32 = 8, fetch: UInt32 = 16
  static let key: UInt32 = 32
}

extension CPU {
  /// Walks the page tables (SDM 3A 4.3–4.7), sets accessed and dirty bits. nil: the page fault is recorded.
  public func walk(_ linear: UInt64, _ access: Access) -> PageMapping? {
    guard let found = walk(linear, access, mark: true) else { return nil }
    if found.shift > 12 { f.pointee.largePages |= 1 << ((linear >> 21) & 63) }
    return found
  }

  /// A walk for an observer: no fault is recorded, no bit is set, no permission is asked for.
  public func inspect(_ linear: UInt64) -> UInt64? {
    if f.pointee.cr0 & CR0.pg == 0 { return linear & (f.pointee.efer & EFER.lma != 0 ? .max : 0xFFFF_FFFF) }
    return walk(linear, Access(Access.implicit), mark: false)?.physicalAddress
  }

  private func walk(_ linear: UInt64, _ access: Access, mark: Bool) -> PageMapping? {
    let f = f
    let long = f.pointee.efer & EFER.lma != 0
    let pae = long || f.pointee.cr4 & CR4.pae != 0
    let nxe = f.pointee.efer & EFER.nxe != 0
    let physicalMask = f.pointee.physicalAddressMask

    var permissions = PTE.write | PTE.user  // ANDed over the levels
    var noExecute = false
    var table: UInt64
    var shift: UInt64
    var entryBits: UInt64 = 9
    if long {
      let levels: UInt64 = f.pointee.cr4 & CR4.la57 != 0 ? 5 : 4
      table = f.pointee.cr3 & physicalMask & ~0xFFF
      shift = 12 + 9 * (levels - 1)
    } else if pae {
      let pdpte: UInt64
      switch (linear >> 30) & 3 {
      case 0: pdpte = f.pointee.pdpte.0
      case 1: pdpte = f.pointee.pdpte.1
      case 2: pdpte = f.pointee.pdpte.2
      default: pdpte = f.pointee.pdpte.3
      }
      guard pdpte & PTE.present != 0 else { return refuse(linear, access, 0, mark) }
      table = pdpte & physicalMask & ~0xFFF
      shift = 21
    } else {
      table = f.pointee.cr3 & 0xFFFF_F000
      shift = 22
      entryBits = 10
    }

    while true {
      let index = (linear >> shift) & ((1 << entryBits) - 1)
      let entryAddress = table &+ index &* (pae ? 8 : 4)
      let entry = pae ? readPhysical64(entryAddress) : UInt64(readPhysical32(entryAddress))
      guard entry & PTE.present != 0 else { return refuse(linear, access, 0, mark) }
      let isLast = shift == 12 || (entry & PTE.large != 0 && mayBeLarge(shift, long, pae))

      var reserved: UInt64 = 0
      if pae {
        reserved = ~physicalMask & 0x000F_FFFF_FFFF_F000
        if !long { reserved |= 0x7FF0_0000_0000_0000 }
        if !nxe { reserved |= PTE.noExecute }
        if isLast && shift > 12 { reserved |= ((1 << shift) - 1) & ~0x1FFF }
        if !isLast && entry & PTE.large != 0 && shift > 21 { reserved |= PTE.large }
      } else if isLast && shift == 22 {
        // PSE-36 with 40 physical bits: 13–20 hold the upper address bits, 21 is reserved (SDM 3A table 4-4).
        reserved = 1 << 21
      }
      guard entry & reserved == 0 else {
        return refuse(linear, access, PageFaultCode.present | PageFaultCode.reserved, mark)
      }
      permissions &= entry
      if nxe && pae && entry & PTE.noExecute != 0 { noExecute = true }

      if isLast {
        var base = entry & physicalMask & ~((1 << shift) - 1)
        if !pae && shift == 22 { base = (entry & 0xFFC0_0000) | ((entry >> 13) & 0xFF) << 32 }
        guard !mark || permits(linear, access, permissions, noExecute, entry, long) else { return nil }
        var dirty = entry & PTE.dirty != 0
        if mark {
          var wanted = entry | PTE.accessed
          if access.isWrite { wanted |= PTE.dirty }
          if wanted != entry {
            writePhysical(entryAddress, wanted, wide: pae)
            dirty = wanted & PTE.dirty != 0
          }
        }
        return PageMapping(
          physicalAddress: base | (linear & ((1 << shift) - 1)), mayWrite: dirty,
          isGlobal: entry & PTE.global != 0 && f.pointee.cr4 & CR4.pge != 0, shift: shift)
      }
      if mark && entry & PTE.accessed == 0 { writePhysical(entryAddress, entry | PTE.accessed, wide: pae) }
      table = pae ? entry & physicalMask & ~0xFFF : entry & 0xFFFF_F000
      shift -= entryBits
    }
  }

  private func mayBeLarge(_ shift: UInt64, _ long: Bool, _ pae: Bool) -> Bool {
    if !pae { return shift == 22 && f.pointee.cr4 & CR4.pse != 0 }
    return shift == 21 || (long && shift == 30 && f.pointee.hasGigabytePages)
  }

  /// SDM 3A 4.6: access rights.
  private func permits(
    _ linear: UInt64, _ access: Access, _ permissions: UInt64, _ noExecute: Bool, _ entry: UInt64, _ long: Bool
  ) -> Bool {
    let f = f
    let userPage = permissions & PTE.user != 0
    var ok = true
    var code = PageFaultCode.present
    if access.isFetch {
      if noExecute { ok = false }
      if access.isUser { ok = ok && userPage } else if userPage && f.pointee.cr4 & CR4.smep != 0 { ok = false }
    } else {
      if access.isUser {
        ok = userPage && (!access.isWrite || permissions & PTE.write != 0)
      } else {
        if access.isWrite && permissions & PTE.write == 0 && f.pointee.cr0 & CR0.wp != 0 { ok = false }
        if userPage && f.pointee.cr4 & CR4.smap != 0
          && (access.isImplicit || f.pointee.systemFlags & RFLAGS.ac == 0)
        {
          ok = false
        }
      }
      // Told whatever else forbids the access (SDM 3A 4.7).
      if long && violatesKey(entry, userPage: userPage, access) {
        ok = false
        code |= PageFaultCode.key
      }
    }
    if !ok { _ = refuse(linear, access, code, true) }
    return ok
  }

  /// Protection keys (SDM 3A 4.6.2).
  private func violatesKey(_ entry: UInt64, userPage: Bool, _ access: Access) -> Bool {
    let f = f
    let enable = userPage ? CR4.pke : CR4.pks
    guard f.pointee.cr4 & enable != 0 else { return false }
    let rights = (userPage ? f.pointee.pkru : f.pointee.pkrs) >> UInt32(2 * ((entry >> 59) & 15))
    if rights & 1 != 0 { return true }
    return rights & 2 != 0 && access.isWrite && (access.isUser || f.pointee.cr0 & CR0.wp != 0)
  }

  private func refuse(_ linear: UInt64, _ access: Access, _ code: UInt32, _ record: Bool) -> PageMapping? {
    guard record else { return nil }
    var code = code
    if access.isWrite { code |= PageFaultCode.write }
    if access.isUser { code |= PageFaultCode.user }
    let f = f
    if access.isFetch
      && ((f.pointee.efer & EFER.nxe != 0 && f.pointee.cr4 & CR4.pae != 0) || f.pointee.cr4 & CR4.smep != 0)
    {
      code |= PageFaultCode.fetch
    }
    pageFault(linear, code: code)
    return nil
  }

  /// Reads a paging structure. Tables outside RAM read as zeros: not present.
  public func readPhysical64(_ physical: UInt64) -> UInt64 {
    hostPointer(physical & f.pointee.a20Mask)?.load(as: UInt64.self) ?? 0
  }
  public func readPhysical32(_ physical: UInt64) -> UInt32 {
    hostPointer(physical & f.pointee.a20Mask)?.load(as: UInt32.self) ?? 0
  }

  private func writePhysical(_ physical: UInt64, _ value: UInt64, wide: Bool) {
    let physical = physical & f.pointee.a20Mask
    guard let offset = ramOffset(physical) else { return }
    if markWritten(offset) & GuestMemory.PageFlags.code != 0 { codeWritten(physical, wide ? 8 : 4) }
    if _slowPath(f.pointee.watch != nil) { look(nil, physical, wide ? 8 : 4, write: true) }
    let host = f.pointee.ramBase + Int(offset)
    if wide {
      host.storeBytes(of: value, as: UInt64.self)
    } else {
      host.storeBytes(of: UInt32(truncatingIfNeeded: value), as: UInt32.self)
    }
  }

  // MARK: Flushing

  /// Empties the data and instruction TLBs and voids all translations in force. Does not touch the generations of links:
  /// see `flushTLB`.
  public func clearTLBs() {
    let count = (Layout.tlbView * Layout.tlbViews + 2 * Layout.tlbTable) / 16
    let first = p + Layout.tlb
    for i in 0..<count { first.storeBytes(of: TLBEntry.empty, toByteOffset: i &* 16, as: UInt64.self) }
    f.pointee.largePages = 0
    f.pointee.translationGeneration = (f.pointee.translationGeneration &+ 1) & 0xFFF
    if f.pointee.translationGeneration == 0 {
      // A generation comes up again: nothing of its last time may be left.
      f.pointee.translationGeneration = 1
      (p + Layout.translations).initializeMemory(
        as: UInt8.self, repeating: 0, count: Layout.translationTable * (Layout.tlbViews - 1))
    }
  }

  /// Empties the write TLBs of all views, so that the next write to each page goes through the dirty funnel.
  public func clearWriteTLBs() {
    for view in 0..<Layout.tlbViews {
      let first = p + (Layout.tlb + view * Layout.tlbView + Layout.tlbTable)
      for i in 0..<Layout.tlbEntries { first.storeBytes(of: TLBEntry.empty, toByteOffset: i &* 16, as: UInt64.self) }
    }
  }

  /// Empties the data entries of one page, and all instruction entries.
  public func clearTLBs(page linear: UInt64) {
    for view in 0..<(Layout.tlbViews - 1) {
      clearTLBs(page: linear, view: view)
      let entry = translationEntry(linear, view: view)
      if entry.load(as: UInt64.self) & TLBEntry.pageMask == linear & TLBEntry.pageMask {
        entry.storeBytes(of: 0, as: UInt64.self)
      }
    }
    let fetch = p + Layout.fetchTLB
    for i in 0..<(2 * Layout.tlbEntries) {
      fetch.storeBytes(of: TLBEntry.empty, toByteOffset: i &* 16, as: UInt64.self)
    }
  }

  /// Takes a page out of a view's fast tables.
  func clearTLBs(page linear: UInt64, view: Int) {
    let e = p + (Layout.tlb &+ view &* Layout.tlbView &+ Int(truncatingIfNeeded: (linear &>> 8) & Layout.tlbMask))
    let tag = linear & TLBEntry.pageMask
    if e.load(as: UInt64.self) == tag { e.storeBytes(of: TLBEntry.empty, as: UInt64.self) }
    if e.load(fromByteOffset: Layout.tlbTable, as: UInt64.self) == tag {
      e.storeBytes(of: TLBEntry.empty, toByteOffset: Layout.tlbTable, as: UInt64.self)
    }
  }

  /// Takes write permission from all entries that lead to a physical page, because it now holds code.
  public func clearWriteTLBs(host: UnsafeMutableRawPointer) {
    let page = UInt64(UInt(bitPattern: host)) & TLBEntry.pageMask
    for view in 0..<Layout.tlbViews {
      let first = p + (Layout.tlb + view * Layout.tlbView + Layout.tlbTable)
      for i in 0..<Layout.tlbEntries {
        let e = first + i &* 16
        let tag = e.load(as: UInt64.self)
        if tag != TLBEntry.empty, tag &+ e.load(fromByteOffset: 8, as: UInt64.self) == page {
          e.storeBytes(of: TLBEntry.empty, as: UInt64.self)
        }
      }
    }
  }
}
