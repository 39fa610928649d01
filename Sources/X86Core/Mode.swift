extension CPU {
  /// Recomputes all that follows from CR0, CR4, EFER, CS, SS, the other segments, CPL and RFLAGS.AC/VM: how code is
  /// decoded, which TLB view serves data, and the keys of links. To be called after any of them changed.
  public func updateMode() {
    let f = f
    let cs = self.cs.pointee
    let longActive = f.pointee.efer & EFER.lma != 0
    var mode: UInt8 = longActive ? CodeMode.long : 0
    if longActive && cs.long {
      mode |= CodeMode.bits64
    } else {
      if cs.big { mode |= CodeMode.bits32 }
      if ss.pointee.big { mode |= CodeMode.stack32 }
      if !hasFlatSegments { mode |= CodeMode.checked }
    }
    f.pointee.codeMode = mode
    updateSSEAvailability()
    updateView()
  }

  /// Recomputes the data view and the keys alone: after a change of CPL or RFLAGS.AC.
  public func updateView() {
    let f = f
    var view: UInt8 = 0
    if f.pointee.cpl == 3 {
      f.pointee.enteredUserMode = true
      view = f.pointee.systemFlags & RFLAGS.ac != 0 && f.pointee.cr0 & CR0.am != 0 ? 3 : 1
    } else if f.pointee.cr4 & CR4.smap != 0 && f.pointee.systemFlags & RFLAGS.ac == 0 {
      view = 2
    }
    f.pointee.view = view
    f.pointee.viewBase = p + (Layout.tlb &+ Int(view) &* Layout.tlbView)
    updateKeys()
  }

  /// Legacy modes: whether every segment that can be used has limit FFFF_FFFF and may be read and written (CS read), so
  /// that operands need no check.
  private var hasFlatSegments: Bool {
    guard cs.pointee.limit == .max, f.pointee.systemFlags & RFLAGS.vm == 0 else { return false }
    for i: UInt8 in [0, 2, 3, 4, 5] {
      let s = segment(i).pointee
      // An unusable (null) FS or GS, as 32-bit kernels leave them, is checked by its slow path only if used: no.
      if s.limit != .max || s.expandsDown || (f.pointee.cr0 & CR0.pe != 0 && (!s.isPresent || s.type & 2 == 0)) {
        return false
      }
    }
    return cs.pointee.type & 2 != 0 || f.pointee.cr0 & CR0.pe == 0
  }

  /// A key is the generation of the half's mappings, the privilege and the mode.
  public func updateKeys() {
    let f = f
    let mode = UInt64(f.pointee.codeMode) | (f.pointee.cpl == 3 ? 32 : 0)
    f.pointee.fetchKeyLow = f.pointee.generationLow << 6 | mode
    f.pointee.fetchKeyHigh = f.pointee.generationHigh << 6 | mode
  }

  /// Starts a new generation of links and jump-cache entries of one or both halves.
  public func newGeneration(low: Bool, high: Bool) {
    let f = f
    if low { f.pointee.generationLow &+= 1 }
    if high { f.pointee.generationHigh &+= 1 }
    // Whoever flushed goes on through the driver, which translates RIP anew: a link would not.
    f.pointee.attention = true
    // Links across pages hold 32 bits of the key.
    if (low && f.pointee.generationLow & 0x3FF_FFFF == 0) || (high && f.pointee.generationHigh & 0x3FF_FFFF == 0) {
      seams.flushBlocks()
    }
    updateKeys()
  }

  public func clearJumpCache() {
    let first = p + Layout.jumpCache
    for i in 0..<Layout.jumpCacheEntries {
      first.storeBytes(of: .max, toByteOffset: i &* 16, as: UInt64.self)
      first.storeBytes(of: f.pointee.sentinel, toByteOffset: i &* 16 &+ 8, as: UInt.self)
    }
  }

  // MARK: Flushing as instructions ask for it

  /// Everything: CR0, CR4, EFER changes, INVPCID of all contexts.
  public func flushTLB() {
    clearTLBs()
    f.pointee.upperHalfNotGlobal = false
    newGeneration(low: true, high: true)
  }

  /// A load of CR3: all but global mappings go.
  public func flushTLBNonGlobal() {
    // Data entries are not marked global: refilling them costs less than keeping books.
    clearTLBs()
    let high = f.pointee.upperHalfNotGlobal || f.pointee.cr4 & CR4.pge == 0
    f.pointee.upperHalfNotGlobal = false
    newGeneration(low: true, high: high)
  }

  /// INVLPG.
  public func flushTLB(page linear: UInt64) {
    if f.pointee.largePages & (1 << ((linear >> 21) & 63)) != 0 {
      clearTLBs()
    } else {
      clearTLBs(page: linear)
    }
    let high = Int64(bitPattern: linear) < 0
    newGeneration(low: !high, high: high)
  }

  /// The four PDPTEs of PAE paging, loaded with CR3 (SDM 3A 4.4.1). False: #GP is recorded.
  public func loadPDPTEs(_ cr3: UInt64) -> Bool {
    let base = cr3 & 0xFFFF_FFE0
    let reserved = ~f.pointee.physicalAddressMask | 0x1E6
    var entries: [UInt64] = []
    for i in 0..<4 {
      let entry = readPhysical64(base &+ UInt64(8 * i))
      if entry & 1 != 0 && entry & reserved != 0 { return fault(Vector.gp, code: 0) }
      entries.append(entry)
    }
    f.pointee.pdpte = (entries[0], entries[1], entries[2], entries[3])
    return true
  }
}
