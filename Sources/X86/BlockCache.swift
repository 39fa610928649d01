import Foundation
import X86Core
import X86Decode
import X86Integer

/// Decoded blocks: their operations in one pool, found by (physical address, RIP, mode).
///
/// A block starts with a header of 32 bytes (`HeaderRef`), its operations and exit slots follow. Blocks are never moved
/// or freed one by one: a stale block gets a length that no budget covers, and when the pool is full everything goes.
final class BlockCache {
  static let maximumInstructions = 32
  /// Operations in the pool: 64 MiB, touched as it fills.
  static let poolCapacity = 2 << 20
  static let tableCapacity = 1 << 19

  private let pool: UnsafeMutableRawPointer
  private var used = 1
  /// Open-addressing table of pool indices; 0 is free.
  private let table: UnsafeMutablePointer<UInt32>
  private var tableCount = 0
  /// First block of each physical page, as pool index; 0 is none.
  private let pageHeads: UnsafeMutablePointer<UInt32>
  private let pageCount: Int
  /// Blocks whose one instruction reaches into a second page, by that page's offset in RAM.
  private var crossing: [UInt64: [UInt32]] = [:]
  /// Bumped when everything was thrown away: pointers into the pool are then void.
  private(set) var epoch = 0
  /// A header that nobody may enter.
  let sentinel: UnsafeRawPointer
  /// Blocks decoded since start, for statistics.
  private(set) var decodedBlocks = 0

  /// Linear addresses at which blocks begin, so that the driver sees each time that control comes there. After a change
  /// everything must be flushed.
  var breakpoints: Set<UInt64> = []

  let cpu: CPU
  private let fetchMap: FetchMap
  private let memory: GuestMemory
  private let features: CPUFeatures
  private var instruction = Instruction()

  /// Where a crossing block keeps the physical address of its second page: behind at most an operation, its exit slot and
  /// the way on.
  private static let secondPageSlot = 4

  enum Flags {
    static let step: UInt8 = 1
    /// The one instruction reaches into the next page.
    static let crossing: UInt8 = 2
    /// A breakpoint lies at its start: entered from the driver alone.
    static let breakpoint: UInt8 = 4
  }

  init(cpu: CPU, fetchMap: FetchMap, memory: GuestMemory, features: CPUFeatures) {
    self.cpu = cpu
    self.fetchMap = fetchMap
    self.memory = memory
    self.features = features
    pool = Self.reserve(Self.poolCapacity * Op.stride)
    table = Self.reserve(Self.tableCapacity * 4).assumingMemoryBound(to: UInt32.self)
    pageCount = memory.hostPageCount
    pageHeads = Self.reserve(max(pageCount * 4, 4096)).assumingMemoryBound(to: UInt32.self)
    pool.storeBytes(of: HeaderRef.staleLength, as: Int.self)
    // No RIP is odd in this way: not canonical.
    pool.storeBytes(of: 0x0123_4567_89AB_CDEF, toByteOffset: 8, as: UInt64.self)
    sentinel = UnsafeRawPointer(pool)
  }

  deinit {
    munmap(pool, Self.poolCapacity * Op.stride)
    munmap(table, Self.tableCapacity * 4)
    munmap(pageHeads, max(pageCount * 4, 4096))
  }

  private static func reserve(_ bytes: Int) -> UnsafeMutableRawPointer {
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    guard let p = mmap(nil, bytes, PROT_READ | PROT_WRITE, Int32(flags), -1, 0), p != MAP_FAILED else {
      fatalError("no address space for the block cache")
    }
    return p
  }

  private func header(_ index: UInt32) -> UnsafeMutableRawPointer { pool + Int(index) &* Op.stride }

  // MARK: Finding

  private static func hash(_ physical: UInt64, _ rip: UInt64, _ key: UInt64) -> Int {
    var h = physical &* 0x9E37_79B9_7F4A_7C15
    h ^= (rip &+ key) &* 0xC2B2_AE3D_27D4_EB4F
    return Int(truncatingIfNeeded: h >> 40) & (tableCapacity - 1)
  }

  /// The block for a place, decoding it if needed. nil: a fault is recorded.
  func block(physical: UInt64, rip: UInt64, linear: UInt64, host: UnsafeRawPointer, step: Bool) -> UnsafeRawPointer? {
    let mode = cpu.f.pointee.codeMode
    var slot = Self.hash(physical, rip, UInt64(mode) | (step ? 256 : 0))
    while true {
      let index = table[slot]
      if index == 0 { break }
      let h = UnsafeRawPointer(header(index))
      if h.load(fromByteOffset: 16, as: UInt64.self) == physical, h.load(fromByteOffset: 8, as: UInt64.self) == rip,
        h.load(fromByteOffset: 26, as: UInt8.self) == mode,
        (h.load(fromByteOffset: 27, as: UInt8.self) & Flags.step != 0) == step,
        h.load(as: Int.self) != HeaderRef.staleLength
      {
        if h.load(fromByteOffset: 27, as: UInt8.self) & Flags.crossing != 0 {
          // What the second page maps to may have changed.
          guard let second = secondPage(linear) else { return nil }
          if second.physical != h.load(fromByteOffset: Op.stride * Self.secondPageSlot, as: UInt64.self) { break }
        }
        return h
      }
      slot = (slot + 1) & (Self.tableCapacity - 1)
    }
    return decodeBlock(physical: physical, rip: rip, linear: linear, host: host, mode: mode, step: step)
  }

  private func secondPage(_ linear: UInt64) -> (physical: UInt64, host: UnsafeMutableRawPointer?)? {
    var next = (linear & ~0xFFF) &+ 0x1000
    if cpu.f.pointee.codeMode & CodeMode.bits64 == 0 { next &= 0xFFFF_FFFF }
    guard let physical = fetchMap.translate(next) else { return nil }
    return (physical, cpu.hostPointer(physical))
  }

  private func isBreakpoint(_ linear: UInt64) -> Bool {
    breakpoints.contains(cpu.f.pointee.codeMode & CodeMode.bits64 != 0 ? linear : linear & 0xFFFF_FFFF)
  }

  private func insert(_ index: UInt32, _ physical: UInt64, _ rip: UInt64, _ mode: UInt8, _ step: Bool) {
    var slot = Self.hash(physical, rip, UInt64(mode) | (step ? 256 : 0))
    while table[slot] != 0 { slot = (slot + 1) & (Self.tableCapacity - 1) }
    table[slot] = index
    tableCount += 1
  }

  // MARK: Decoding

  private func decodeBlock(
    physical: UInt64, rip: UInt64, linear: UInt64, host: UnsafeRawPointer, mode: UInt8, step: Bool
  ) -> UnsafeRawPointer? {
    // The longest block: an operation and a slot for each instruction, and what goes around them.
    let most = 2 * Self.maximumInstructions + 8
    if used + most > Self.poolCapacity || tableCount > Self.tableCapacity / 2 { flush() }
    let codeSize: CodeSize = mode & CodeMode.bits64 != 0 ? .bits64 : mode & CodeMode.bits32 != 0 ? .bits32 : .bits16
    let headerIndex = UInt32(used)
    let first = header(headerIndex)
    var place = 1  // operations from the header
    var count = 0
    var bytes = 0
    let room = 4096 - Int(physical & 0xFFF)
    var flags: UInt8 = step ? Flags.step : 0
    var open = true  // whether the block's end can be reached
    var secondPhysical: UInt64 = 0

    var previousOperation: UnsafeMutableRawPointer?  // the instruction before, when it goes on to this one
    while open && count < (step ? 1 : Self.maximumInstructions) && flags & Flags.crossing == 0 {
      let at = rip &+ UInt64(bytes)
      if !step && !breakpoints.isEmpty && isBreakpoint(linear &+ UInt64(bytes)) {
        if count > 0 { break }
        flags |= Flags.breakpoint
      }
      var status = decode(
        (host + bytes).assumingMemoryBound(to: UInt8.self), available: min(room - bytes, 15), codeSize: codeSize,
        features: features, into: &instruction)
      if status == .truncated {
        // Reaches into the next page: a block of its own.
        if count > 0 { break }
        guard let second = secondPage(linear) else { return nil }
        guard let secondHost = second.host else {
          cpu.fault(Vector.gp, code: 0)
          return nil
        }
        var buffer: (UInt64, UInt64) = (0, 0)
        status = withUnsafeMutableBytes(of: &buffer) { raw -> DecodeStatus in
          raw.baseAddress!.copyMemory(from: host, byteCount: room)
          (raw.baseAddress! + room).copyMemory(from: secondHost, byteCount: 15 - room)
          return decode(
            raw.baseAddress!.assumingMemoryBound(to: UInt8.self), available: 15, codeSize: codeSize,
            features: features, into: &instruction)
        }
        flags |= Flags.crossing
        secondPhysical = second.physical
      }
      guard status == .ok else {
        if count > 0 { break }
        if status == .tooLong { cpu.fault(Vector.gp, code: 0) } else { cpu.fault(Vector.ud) }
        return nil
      }
      let i = instruction
      if mode & CodeMode.bits64 == 0 && at &+ UInt64(i.length) &- 1 > UInt64(cpu.cs.pointee.limit) {
        if count > 0 { break }
        cpu.fault(Vector.gp, code: 0)
        return nil
      }
      var lowered = lower(i, rip: at, mode: mode)
      bytes += Int(i.length)
      count += 1
      let nextRIP = rip &+ UInt64(bytes)
      let target = wrap(nextRIP &+ UInt64(bitPattern: i.immediate), i)
      lowered.op.place = UInt8(place)
      lowered.op.after = UInt8(count)  // position for now; turned around below
      let op = first + place * Op.stride
      switch lowered.flow {
      case .next:
        op.storeBytes(of: lowered.op, as: Op.self)
        place += 1
        previousOperation = op
        continue
      case .cut:
        op.storeBytes(of: lowered.op, as: Op.self)
        place += 1
        placeExit(first, &place, to: nextRIP, linear: linear, rip: rip, count: count, ownSlot: true)
        open = false
      case .conditional:
        if i.operation == .jcc, let previous = previousOperation {
          let fused = fusedHandler(previous.load(as: UInt.self), condition: i.condition)
          if fused != 0 { previous.storeBytes(of: fused, as: UInt.self) }
        }
        op.storeBytes(of: lowered.op, as: Op.self)
        place += 1
        placeExit(first, &place, to: target, linear: linear, rip: rip, count: count, ownSlot: false)
      case .jump:
        placeExit(first, &place, to: target, linear: linear, rip: rip, count: count, ownSlot: true, length: i.length)
        open = false
      case .call:
        op.storeBytes(of: lowered.op, as: Op.self)
        place += 1
        placeExit(first, &place, to: target, linear: linear, rip: rip, count: count, ownSlot: false, far: true)
        open = false
      case .indirectCall:
        op.storeBytes(of: lowered.op, as: Op.self)
        place += 1
        placeExit(first, &place, to: wrap(nextRIP, i), linear: linear, rip: rip, count: count, ownSlot: false)
        open = false
      case .end:
        op.storeBytes(of: lowered.op, as: Op.self)
        place += 1
        open = false
      }
      previousOperation = nil
    }
    if open {
      let nextRIP = rip &+ UInt64(bytes)
      let wrapped = codeSize == .bits64 ? nextRIP : codeSize == .bits32 ? nextRIP & 0xFFFF_FFFF : nextRIP & 0xFFFF_FFFF
      placeExit(first, &place, to: wrapped, linear: linear, rip: rip, count: count, ownSlot: true)
    }
    if flags & Flags.crossing != 0 {
      (first + Self.secondPageSlot * Op.stride).storeBytes(of: secondPhysical, as: UInt64.self)
      place = Self.secondPageSlot + 1
    }

    // `after`: instructions behind an operation.
    for k in 1..<place where !(flags & Flags.crossing != 0 && k == Self.secondPageSlot) {
      let slot = first + k * Op.stride + 15
      let position = slot.load(as: UInt8.self)
      slot.storeBytes(of: UInt8(count) &- position, as: UInt8.self)
    }
    first.storeBytes(of: count, as: Int.self)
    first.storeBytes(of: rip, toByteOffset: 8, as: UInt64.self)
    first.storeBytes(of: physical, toByteOffset: 16, as: UInt64.self)
    first.storeBytes(of: UInt16(bytes), toByteOffset: 24, as: UInt16.self)
    first.storeBytes(of: mode, toByteOffset: 26, as: UInt8.self)
    first.storeBytes(of: flags, toByteOffset: 27, as: UInt8.self)
    used += place
    decodedBlocks += 1
    register(headerIndex, physical, crossingInto: flags & Flags.crossing != 0 ? secondPhysical : nil)
    insert(headerIndex, physical, rip, mode, step)
    return UnsafeRawPointer(first)
  }

  /// Writes an exit slot at `place`. With `ownSlot` it is an operation itself: a direct jump.
  private func placeExit(
    _ first: UnsafeMutableRawPointer, _ place: inout Int, to target: UInt64, linear: UInt64, rip: UInt64, count: Int,
    ownSlot: Bool, far: Bool = false, length: UInt8 = 0
  ) {
    let slot = first + place * Op.stride
    // Where the target's page lies, in linear addresses: CS's base shifts both.
    let samePage = ((target &+ linear &- rip) ^ linear) & ~0xFFF == 0
    var op = Op()
    op.length = length
    op.place = UInt8(place)
    op.after = UInt8(count)
    if ownSlot { op.handler = samePage ? controlHandlers.jumpNear : controlHandlers.jumpFar }
    slot.storeBytes(of: op, as: Op.self)
    slot.storeBytes(of: 0, toByteOffset: ExitSlot.key, as: UInt32.self)
    let kind: LinkKind = far || (ownSlot && !samePage) ? .keyed : samePage ? .plain : .stub
    slot.storeBytes(of: kind.rawValue, toByteOffset: ExitSlot.kind, as: UInt8.self)
    slot.storeBytes(of: UInt(bitPattern: sentinel), toByteOffset: ExitSlot.successor, as: UInt.self)
    slot.storeBytes(of: target, toByteOffset: ExitSlot.targetRIP, as: UInt64.self)
    place += 1
  }

  /// How a slot may be linked.
  private enum LinkKind: UInt8 {
    /// Target in the same page: the link holds as long as both blocks do.
    case plain
    /// The handler compares the fetch key.
    case keyed
    /// The handler does not: a stub that does goes in between.
    case stub
  }

  /// Links an exit slot to a block that was found for its target RIP under the present fetch key.
  func link(_ slot: UnsafeMutableRawPointer, to block: UnsafeRawPointer) {
    guard block.load(fromByteOffset: 27, as: UInt8.self) == 0 else { return }  // neither step nor crossing
    let rip = slot.load(fromByteOffset: ExitSlot.targetRIP, as: Int64.self)
    let f = cpu.f
    let key = UInt32(truncatingIfNeeded: rip < 0 ? f.pointee.fetchKeyHigh : f.pointee.fetchKeyLow)
    switch LinkKind(rawValue: slot.load(fromByteOffset: ExitSlot.kind, as: UInt8.self)) {
    case .plain: break
    case .keyed: slot.storeBytes(of: key, toByteOffset: ExitSlot.key, as: UInt32.self)
    case .stub, nil:
      guard used + 2 <= Self.poolCapacity else { return }
      // An empty block of one far jump.
      let stub = header(UInt32(used))
      used += 2
      stub.storeBytes(of: 0, as: Int.self)
      stub.storeBytes(of: UInt64(bitPattern: rip), toByteOffset: 8, as: UInt64.self)
      var jump = Op()
      jump.handler = controlHandlers.jumpFar
      jump.place = 1
      let jumpSlot = stub + Op.stride
      jumpSlot.storeBytes(of: jump, as: Op.self)
      jumpSlot.storeBytes(of: key, toByteOffset: ExitSlot.key, as: UInt32.self)
      jumpSlot.storeBytes(of: LinkKind.keyed.rawValue, toByteOffset: ExitSlot.kind, as: UInt8.self)
      jumpSlot.storeBytes(of: UInt(bitPattern: block), toByteOffset: ExitSlot.successor, as: UInt.self)
      jumpSlot.storeBytes(of: rip, toByteOffset: ExitSlot.targetRIP, as: Int64.self)
      slot.storeBytes(of: UInt(bitPattern: UnsafeRawPointer(stub)), toByteOffset: ExitSlot.successor, as: UInt.self)
      return
    }
    slot.storeBytes(of: UInt(bitPattern: block), toByteOffset: ExitSlot.successor, as: UInt.self)
  }

  // MARK: Invalidating

  private func register(_ index: UInt32, _ physical: UInt64, crossingInto second: UInt64?) {
    guard let offset = cpu.ramOffset(physical) else { return }
    let page = Int(offset >> 12)
    header(index).storeBytes(of: pageHeads[page], toByteOffset: 28, as: UInt32.self)
    pageHeads[page] = index
    markCode(page)
    if let second, let secondOffset = cpu.ramOffset(second) {
      crossing[secondOffset >> 12, default: []].append(index)
      markCode(Int(secondOffset >> 12))
    }
  }

  private func markCode(_ page: Int) {
    if memory.pageFlags[page] & GuestMemory.PageFlags.code != 0 { return }
    memory.pageFlags[page] |= GuestMemory.PageFlags.code
    cpu.clearWriteTLBs(host: memory.base + page * 4096)
  }

  /// Makes blocks that hold any of these bytes stale. The range lies in one page.
  func invalidate(physical: UInt64, count: Int) {
    guard let offset = cpu.ramOffset(physical) else { return }
    let page = Int(offset >> 12)
    let end = physical &+ UInt64(count)
    var previous: UInt32 = 0
    var index = pageHeads[page]
    while index != 0 {
      let h = header(index)
      let start = h.load(fromByteOffset: 16, as: UInt64.self)
      let next = h.load(fromByteOffset: 28, as: UInt32.self)
      if start < end && physical < start &+ UInt64(h.load(fromByteOffset: 24, as: UInt16.self)) {
        h.storeBytes(of: HeaderRef.staleLength, as: Int.self)
        if previous == 0 {
          pageHeads[page] = next
        } else {
          header(previous).storeBytes(of: next, toByteOffset: 28, as: UInt32.self)
        }
      } else {
        previous = index
      }
      index = next
    }
    if let reachingIn = crossing[offset >> 12] {
      for index in reachingIn { header(index).storeBytes(of: HeaderRef.staleLength, as: Int.self) }
      crossing[offset >> 12] = nil
    }
    if pageHeads[page] == 0 { memory.pageFlags[page] &= ~GuestMemory.PageFlags.code }
  }

  /// Forgets everything.
  func flush() {
    epoch += 1
    used = 1
    tableCount = 0
    crossing.removeAll(keepingCapacity: true)
    table.update(repeating: 0, count: Self.tableCapacity)
    for page in 0..<pageCount where memory.pageFlags[page] & GuestMemory.PageFlags.code != 0 {
      memory.pageFlags[page] &= ~GuestMemory.PageFlags.code
      pageHeads[page] = 0
    }
    cpu.clearJumpCache()
  }
}
