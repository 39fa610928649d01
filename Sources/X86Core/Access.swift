/// What an access to memory is for; decides about permissions and the page-fault error code (SDM 3A 4.7).
public struct Access {
  public let bits: UInt8
  @inlinable public init(_ bits: UInt8) { self.bits = bits }
  public static let write: UInt8 = 1
  public static let user: UInt8 = 2
  public static let fetch: UInt8 = 4
  /// An access that the processor makes on its own account (descriptor tables, TSS): supervisor at any CPL.
  public static let implicit: UInt8 = 8
  @inlinable public var isWrite: Bool { bits & Access.write != 0 }
  @inlinable public var isUser: Bool { bits & Access.user != 0 }
  @inlinable public var isFetch: Bool { bits & Access.fetch != 0 }
  @inlinable public var isImplicit: Bool { bits & Access.implicit != 0 }
}

/// Where a linear address leads.
public struct Translation {
  /// Host address when it is RAM, nil when it is a device.
  public var host: UnsafeMutableRawPointer?
  public var physicalAddress: UInt64
  /// The page holds decoded code: a write must be announced with `CPU.codeWritten`.
  public var holdsCode: Bool
}

extension CPU {
  /// Access of an ordinary load or store at the current privilege.
  @inlinable public func dataAccess(write: Bool) -> Access {
    Access((write ? Access.write : 0) | (f.pointee.cpl == 3 ? Access.user : 0))
  }

  /// Whether `linear` is canonical for the paging mode (SDM 1 3.3.7.1). Legacy modes have no such rule.
  @inlinable public func isCanonical(_ linear: UInt64) -> Bool {
    let shift: UInt64 = f.pointee.cr4 & CR4.la57 != 0 ? 7 : 16
    return UInt64(bitPattern: Int64(bitPattern: linear &<< shift) &>> Int64(shift)) == linear
  }

  /// Host pointer for a physical address in RAM, else nil.
  @inlinable public func hostPointer(_ physical: UInt64) -> UnsafeMutableRawPointer? {
    guard let offset = ramOffset(physical) else { return nil }
    return f.pointee.ramBase + Int(offset)
  }
  @inlinable public func ramOffset(_ physical: UInt64) -> UInt64? {
    let f = f
    if physical < f.pointee.ramLowSize {
      return physical &- 0xA0000 < 0x20000 ? nil : physical
    }
    let above = physical &- GuestMemory.highBase
    if physical >= GuestMemory.highBase, above < f.pointee.ramSize &- f.pointee.ramLowSize {
      return above &+ f.pointee.ramLowSize
    }
    if physical >= f.pointee.romBase && physical < GuestMemory.highBase {
      return physical &- f.pointee.romBase &+ f.pointee.ramSize
    }
    return nil
  }

  /// Marks a page of RAM as written, before the write. Every write of the processor's goes through here or through a
  /// write-TLB entry, whose making goes through here.
  @inlinable public func markWritten(_ offset: UInt64) -> UInt8 {
    let page = f.pointee.pageFlags + Int(offset >> 12)
    if _slowPath(page.pointee & GuestMemory.PageFlags.touched == 0) { firstWrite(Int(offset >> 12)) }
    page.pointee |= GuestMemory.PageFlags.dirty | GuestMemory.PageFlags.touched
    return page.pointee
  }

  /// Announces that bytes of a page with decoded code have changed; blocks made of them are stale.
  public func codeWritten(_ physical: UInt64, _ count: Int) {
    seams.codeWritten(physical, count)
  }

  // MARK: Linear accesses off the fast path. False (nil): the fault is recorded.

  /// Translates a data access that does not cross a page, filling the TLBs.
  ///
  /// Accessed and dirty bits are set by walks, and walks happen when a translation is not in force. So that what a guest
  /// sees of them does not depend on when digests or checkpoints empty the fast tables, the translations in force are
  /// kept apart, in a direct-mapped table of their own that only the guest's accesses and flushes change. The fast
  /// tables hold a part of it, never more: an entry that goes takes theirs along.
  public func translate(_ linear: UInt64, _ access: Access) -> Translation? {
    let f = f
    var physical: UInt64
    let view = access.isImplicit ? (f.pointee.cr4 & CR4.smap != 0 ? 2 : 0) : Int(f.pointee.view)
    let tag = linear & TLBEntry.pageMask
    if f.pointee.cr0 & CR0.pg != 0 {
      let entry = translationEntry(linear, view: view == 3 ? 0 : view)
      let known = entry.load(fromByteOffset: 8, as: UInt64.self)
      let wanted = tag | f.pointee.translationGeneration
      if view != 3 && entry.load(as: UInt64.self) == wanted && (!access.isWrite || known & 1 != 0) {
        physical = (known & TLBEntry.pageMask) | (linear & 0xFFF)
      } else {
        guard let page = walk(linear, access) else { return nil }
        physical = page.physicalAddress
        if view != 3 {
          let old = entry.load(as: UInt64.self)
          if old != wanted {
            if old & 0xFFF == f.pointee.translationGeneration { clearTLBs(page: old & TLBEntry.pageMask, view: view) }
            entry.storeBytes(of: wanted, as: UInt64.self)
          }
          entry.storeBytes(
            of: (physical & TLBEntry.pageMask) | (access.isWrite ? 1 : 0), toByteOffset: 8, as: UInt64.self)
        }
      }
    } else {
      physical = f.pointee.codeMode & CodeMode.long != 0 ? linear : linear & 0xFFFF_FFFF
    }
    physical &= f.pointee.a20Mask
    guard let offset = ramOffset(physical) else {
      return Translation(host: nil, physicalAddress: physical, holdsCode: false)
    }
    let host = f.pointee.ramBase + Int(offset)
    var flags = f.pointee.pageFlags[Int(offset >> 12)]
    if access.isWrite { flags = markWritten(offset) }
    let holdsCode = flags & (GuestMemory.PageFlags.code | GuestMemory.PageFlags.readOnly) != 0
    if view != 3 && !isWatched(page: linear) {
      let fast = p + (Layout.tlb &+ view &* Layout.tlbView &+ Int(truncatingIfNeeded: (linear &>> 8) & Layout.tlbMask))
      let addend = UInt64(UInt(bitPattern: host)) &- linear
      // What is watched is not entered. Entries for writes also serve reads of what is then written.
      let watched = f.pointee.watch == nil ? 0 : watchedKinds(linear: linear, physical: physical)
      if watched & MemoryWatch.reads == 0 {
        fast.storeBytes(of: tag, as: UInt64.self)
        fast.storeBytes(of: addend, toByteOffset: 8, as: UInt64.self)
      }
      // A read leaves an entry for writes alone: it may be another page's, or this one's.
      if access.isWrite && !holdsCode && watched == 0 {
        fast.storeBytes(of: tag, toByteOffset: Layout.tlbTable, as: UInt64.self)
        fast.storeBytes(of: addend, toByteOffset: Layout.tlbTable &+ 8, as: UInt64.self)
      }
    }
    return Translation(host: host, physicalAddress: physical, holdsCode: holdsCode)
  }

  func translationEntry(_ linear: UInt64, view: Int) -> UnsafeMutableRawPointer {
    p
      + (Layout.translations &+ view &* Layout.translationTable
        &+ Int(truncatingIfNeeded: (linear &>> 8) & UInt64(Layout.translationTable - 16)))
  }

  // The bodies for the four widths are made here: other modules call these unspecialised otherwise.

  /// Reads through the page tables. nil: fault recorded.
  @_specialize(where T == UInt8)
  @_specialize(where T == UInt16)
  @_specialize(where T == UInt32)
  @_specialize(where T == UInt64)
  @inline(never)
  public func read<T: FixedWidthInteger>(_ linear: UInt64, _: T.Type, _ access: Access) -> T? {
    let size = MemoryLayout<T>.size
    if linear & 0xFFF > UInt64(4096 - size) {
      var value: T = 0
      for i in 0..<size {
        guard let byte = read(linear &+ UInt64(i), UInt8.self, access) else { return nil }
        value |= T(truncatingIfNeeded: byte) &<< T(truncatingIfNeeded: 8 &* i)
      }
      return value
    }
    if _slowPath(f.pointee.armedBreakpoints & ArmedBreakpoints.data != 0), !access.isImplicit,
      meetsDataBreakpoint(linear, size, write: false)
    {
      return nil
    }
    guard let t = translate(linear, access) else { return nil }
    if _slowPath(f.pointee.watch != nil) { look(linear, t.physicalAddress, size, write: false) }
    if let host = t.host { return host.loadUnaligned(as: T.self) }
    if restartsBeforeDevice() { return nil }
    if size > 8 { return T(truncatingIfNeeded: seams.readMemory(t.physicalAddress, size: 8)) }
    return T(truncatingIfNeeded: seams.readMemory(t.physicalAddress, size: size))
  }

  /// Writes through the page tables; both pages of a crossing write are checked before the first byte changes.
  @_specialize(where T == UInt8)
  @_specialize(where T == UInt16)
  @_specialize(where T == UInt32)
  @_specialize(where T == UInt64)
  @inline(never)
  public func write<T: FixedWidthInteger>(_ linear: UInt64, _ value: T, _ access: Access) -> Bool {
    let size = MemoryLayout<T>.size
    if linear & 0xFFF > UInt64(4096 - size) {
      guard probeWrite(linear, size, access) else { return false }
      for i in 0..<size {
        let byte = UInt8(truncatingIfNeeded: value &>> T(truncatingIfNeeded: 8 &* i))
        guard write(linear &+ UInt64(i), byte, access) else { return false }
      }
      return true
    }
    if _slowPath(f.pointee.armedBreakpoints & ArmedBreakpoints.data != 0), !access.isImplicit,
      meetsDataBreakpoint(linear, size, write: true)
    {
      return false
    }
    guard let t = translate(linear, access) else { return false }
    if _slowPath(f.pointee.watch != nil) { look(linear, t.physicalAddress, size, write: true) }
    if let host = t.host {
      store(host, value, t)
    } else {
      if restartsBeforeDevice() { return false }
      seams.writeMemory(t.physicalAddress, size: size, value: UInt64(truncatingIfNeeded: value))
    }
    return true
  }

  @inlinable
  func store<T: FixedWidthInteger>(_ host: UnsafeMutableRawPointer, _ value: T, _ t: Translation) {
    if t.holdsCode {
      let page = Int(ramOffset(t.physicalAddress)! >> 12)
      if f.pointee.pageFlags[page] & GuestMemory.PageFlags.readOnly != 0 { return }
      codeWritten(t.physicalAddress, MemoryLayout<T>.size)
    }
    host.storeBytes(of: value, as: T.self)
  }

  /// Checks that `count` bytes (at most a page) may be written, without writing. False: fault recorded.
  public func probeWrite(_ linear: UInt64, _ count: Int, _ access: Access) -> Bool {
    let last = linear &+ UInt64(count &- 1)
    // Now: what comes between probe and write may not be undone.
    if _slowPath(f.pointee.armedBreakpoints & ArmedBreakpoints.data != 0), !f.pointee.debugRecords, !access.isImplicit,
      meetsDataBreakpoint(linear, count, write: true)
    {
      return false
    }
    guard translate(linear, Access(access.bits | Access.write)) != nil else { return false }
    if last & TLBEntry.pageMask != linear & TLBEntry.pageMask {
      guard translate(last & TLBEntry.pageMask, Access(access.bits | Access.write)) != nil else { return false }
    }
    return true
  }

  /// Checks that `count` bytes (at most a page) may be read. False: fault recorded.
  public func probeRead(_ linear: UInt64, _ count: Int, _ access: Access) -> Bool {
    let last = linear &+ UInt64(count &- 1)
    guard translate(linear, access) != nil else { return false }
    if last & TLBEntry.pageMask != linear & TLBEntry.pageMask {
      guard translate(last & TLBEntry.pageMask, access) != nil else { return false }
    }
    return true
  }

  // MARK: The processor's own accesses.

  /// Reads a descriptor, TSS field and the like as supervisor.
  public func readSystem<T: FixedWidthInteger>(_ linear: UInt64, _: T.Type) -> T? {
    read(linear, T.self, Access(Access.implicit))
  }
  public func writeSystem<T: FixedWidthInteger>(_ linear: UInt64, _ value: T) -> Bool {
    write(linear, value, Access(Access.implicit | Access.write))
  }

  // MARK: Operands.

  /// Linear address of an operation's memory operand with every check of the mode: segment limit and type in legacy
  /// modes, canonical form in 64-bit mode. nil: #GP or #SS recorded.
  public func checkedAddress(_ op: OpRef, size: Int, write: Bool) -> UInt64? {
    let effective = GeneralForm.effective(self, op)
    return checkedLinear(
      effective, segment: op.segment & 7, base: r64(op.segmentSlot), size: size, write: write,
      legacy: op.segment & Op.checked != 0)
  }

  /// Linear address of `offset` in a segment, checked. `legacy` says that limit and type count.
  public func checkedLinear(
    _ offset: UInt64, segment number: UInt8, base: UInt64, size: Int, write: Bool, legacy: Bool
  ) -> UInt64? {
    let vector = number == 2 ? Vector.ss : Vector.gp
    if !legacy {
      let linear = offset &+ base
      if f.pointee.codeMode & CodeMode.bits64 != 0 {
        guard isCanonical(linear), isCanonical(linear &+ UInt64(size &- 1)) else {
          fault(vector, code: 0)
          return nil
        }
        return linear
      }
      return linear & 0xFFFF_FFFF
    }
    let s = segment(number).pointee
    let last = offset &+ UInt64(size &- 1)
    var fits: Bool
    if s.expandsDown {
      let top: UInt64 = s.big ? 0xFFFF_FFFF : 0xFFFF
      fits = offset > UInt64(s.limit) && last <= top && last >= offset
    } else {
      fits = last <= UInt64(s.limit) && last >= offset
    }
    if f.pointee.cr0 & CR0.pe != 0 && f.pointee.systemFlags & RFLAGS.vm == 0 {
      // A null selector is unusable; code is never writable and may be unreadable (SDM 3A 5.5).
      if !s.isPresent || s.attributes & 0x10 == 0 { fits = false }
      if s.isCode { if write || s.type & 2 == 0 { fits = false } } else if write && s.type & 2 == 0 { fits = false }
    }
    if !fits {
      fault(vector, code: 0)
      return nil
    }
    return (offset &+ base) & 0xFFFF_FFFF
  }

  /// Reads an operation's memory operand, the slow way, with every check. nil: fault recorded.
  @inline(never)
  public func readOperand<T: FixedWidthInteger>(_ op: OpRef, _: T.Type) -> T? {
    guard let linear = checkedAddress(op, size: MemoryLayout<T>.size, write: false) else { return nil }
    if alignmentFaults(linear, MemoryLayout<T>.size) { return nil }
    return read(linear, T.self, dataAccess(write: false))
  }

  /// Writes an operation's memory operand, the slow way, with every check. False: fault recorded.
  @inline(never)
  public func writeOperand<T: FixedWidthInteger>(_ op: OpRef, _ value: T) -> Bool {
    guard let linear = checkedAddress(op, size: MemoryLayout<T>.size, write: true) else { return false }
    if alignmentFaults(linear, MemoryLayout<T>.size) { return false }
    return write(linear, value, dataAccess(write: true))
  }

  /// Reads an operand that will be written: faults are those of a write.
  @inline(never)
  public func readForWrite<T: FixedWidthInteger>(_ op: OpRef, _: T.Type) -> T? {
    let size = MemoryLayout<T>.size
    guard let linear = checkedAddress(op, size: size, write: true) else { return nil }
    if alignmentFaults(linear, size) { return nil }
    guard probeWrite(linear, size, dataAccess(write: true)) else { return nil }
    return read(linear, T.self, dataAccess(write: false))
  }

  /// #AC: CR0.AM, RFLAGS.AC and CPL 3 (SDM 3A 6.15, interrupt 17).
  @inlinable
  public func alignmentFaults(_ linear: UInt64, _ size: Int) -> Bool {
    if _fastPath(f.pointee.systemFlags & RFLAGS.ac == 0 || f.pointee.cpl != 3) { return false }
    guard f.pointee.cr0 & CR0.am != 0, linear & UInt64(size &- 1) != 0 else { return false }
    fault(Vector.ac, code: 0)
    return true
  }
}

public enum CR0 {
  public static let pe: UInt64 = 1, mp: UInt64 = 2, em: UInt64 = 4, ts: UInt64 = 8, et: UInt64 = 16, ne: UInt64 = 32
  public static let wp: UInt64 = 1 << 16, am: UInt64 = 1 << 18, nw: UInt64 = 1 << 29, cd: UInt64 = 1 << 30
  public static let pg: UInt64 = 1 << 31
}
public enum CR4 {
  public static let vme: UInt64 = 1, pvi: UInt64 = 2, tsd: UInt64 = 4, de: UInt64 = 8, pse: UInt64 = 16
  public static let pae: UInt64 = 32, mce: UInt64 = 64, pge: UInt64 = 128, pce: UInt64 = 256, osfxsr: UInt64 = 512
  public static let osxmmexcpt: UInt64 = 1024, umip: UInt64 = 1 << 11, la57: UInt64 = 1 << 12
  public static let vmxe: UInt64 = 1 << 13, smxe: UInt64 = 1 << 14, fsgsbase: UInt64 = 1 << 16
  public static let pcide: UInt64 = 1 << 17, osxsave: UInt64 = 1 << 18, smep: UInt64 = 1 << 20
  public static let smap: UInt64 = 1 << 21, pke: UInt64 = 1 << 22, cet: UInt64 = 1 << 23, pks: UInt64 = 1 << 24
}
public enum EFER {
  public static let sce: UInt64 = 1, lme: UInt64 = 1 << 8, lma: UInt64 = 1 << 10, nxe: UInt64 = 1 << 11
}

/// What of the mode decides how code is decoded and how operands are checked; a key of blocks.
public enum CodeMode {
  public static let bits16: UInt8 = 0
  public static let bits32: UInt8 = 1
  public static let bits64: UInt8 = 2
  /// The stack pointer is 32 bits wide (SS.B), legacy modes.
  public static let stack32: UInt8 = 4
  /// Some segment is not flat, readable and writable up to 4 GiB: every operand is checked.
  public static let checked: UInt8 = 8
  /// IA-32e mode is active: 64-bit or compatibility.
  public static let long: UInt8 = 16
}
