import X86
import X86Core
import X86Decode
import X86System

/// What one seed stands for: a mode, RAM with code and tables, registers, and the instants of interrupts.
struct FuzzCase {
  let seed: UInt64
  var mode = FuzzMode.real
  var paging = FuzzPaging.off
  /// Instruction counts from the case's start at which something arrives from outside; the last one is the end.
  var events: [UInt64] = []
  /// Physical address and bytes.
  var memory: [(UInt64, [UInt8])] = []
  /// Changes a state after reset to that of the case.
  var setUp: (inout ProcessorState) -> Void = { _ in }

  init(seed: UInt64) {
    self.seed = seed
    var random = FuzzRandom(FuzzRandom.mix(seed))
    mode = random.pick(FuzzMode.allCases)
    paging = mode == .real ? .off : random.pick(FuzzPaging.allCases)
    var at: UInt64 = 0
    for _ in 0..<(1 + random.below(12)) {
      at += UInt64(1 + random.below(random.oneIn(8) ? 4000 : 400))
      events.append(at)
    }
    makeCode(&random)
    makeTables(&random)
    makePages(&random)
    makeState(random)
  }

  private mutating func put(_ address: UInt64, _ words: [UInt64]) {
    memory.append(
      (address, words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }))
  }

  private var codeSize: CodeSize {
    switch mode {
    case .real, .protected16, .virtual8086: return .bits16
    case .protected32, .segmented32, .user32, .compatibility: return .bits32
    case .long, .longUser: return .bits64
    }
  }

  private mutating func makeCode(_ random: inout FuzzRandom) {
    for page in 0..<6 {
      // Mostly of the mode's size, now and then of another: modes are left, too.
      let size = random.oneIn(8) ? random.pick([CodeSize.bits16, .bits32, .bits64]) : codeSize
      var code = FuzzCode(FuzzRandom(random.next()), size)
      memory.append((FuzzMap.code + UInt64(page) * 4096, Array(code.stretch(4096).prefix(4096))))
    }
    memory.append((FuzzMap.data, (0..<8192).map { _ in random.byte() }))
    memory.append((FuzzMap.ivtTargets, Array(FuzzCode(FuzzRandom(random.next()), codeSize).stretched(4096))))
  }

  private func descriptor(_ base: UInt64, _ limit: UInt64, _ attributes: UInt64) -> UInt64 {
    limit & 0xFFFF | (base & 0xFF_FFFF) << 16 | attributes << 40 | (limit >> 16 & 15) << 48
      | (base >> 24 & 0xFF) << 56
  }

  private mutating func makeTables(_ random: inout FuzzRandom) {
    let segmentBase = UInt64(random.below(0x8000))
    var gdt: [UInt64] = [
      0, 0x00AF_9B00_0000_FFFF, 0x00CF_9300_0000_FFFF, 0x00CF_9B00_0000_FFFF, 0x000F_9B00_0000_FFFF,
      0x00CF_FB00_0000_FFFF, 0x00CF_F300_0000_FFFF, 0x00AF_FB00_0000_FFFF, 0x000F_9300_0000_FFFF,
      descriptor(segmentBase, 0x3_FFFF, 0x409B), descriptor(segmentBase, 0x3_FFFF, 0x4093),
      descriptor(FuzzMap.tss32, 0x3FF, 0x89), descriptor(FuzzMap.tss16, 0x3FF, 0x81),
      descriptor(FuzzMap.ldt, 0xFF, 0x82), descriptor(FuzzMap.tss64, 0x3FF, 0x89), 0,
    ]
    let targets = [FuzzMap.code64, FuzzMap.code32, FuzzMap.code16, FuzzMap.segmentedCode]
    // Call gates, task gates, segments that expand down or conform, and noise.
    for _ in 0..<16 {
      let offset = FuzzMap.code + UInt64(random.below(0x6000))
      switch random.below(4) {
      case 0:
        gdt.append(
          offset & 0xFFFF | UInt64(random.pick(targets)) << 16 | UInt64(random.below(8)) << 32
            | (random.oneIn(2) ? 0xEC : 0xE4) << 40 | (offset >> 16) << 48)
      case 1:
        gdt.append(UInt64(random.pick([FuzzMap.tss32Selector, FuzzMap.tss16Selector])) << 16 | 0xE5 << 40)
      case 2:
        gdt.append(
          descriptor(
            UInt64(random.below(1 << 20)), UInt64(random.below(1 << 20)), 0x4090 | UInt64(random.below(16))))
      default: gdt.append(random.next())
      }
    }
    put(FuzzMap.gdt, gdt)
    put(FuzzMap.ldt, Array(gdt[1..<16]))

    var idt: [UInt64] = []
    let code: UInt16 = mode.isLong ? FuzzMap.code64 : random.pick([FuzzMap.code32, FuzzMap.code16])
    for vector in 0..<256 {
      let offset = FuzzMap.code + UInt64(random.below(0x6000))
      let type: UInt64 = random.pick([0x8E, 0x8F, 0xEE, 0xEF])
      var gate = offset & 0xFFFF | UInt64(code) << 16 | type << 40 | (offset >> 16) << 48
      if mode.isLong, random.oneIn(4) { gate |= UInt64(random.below(8)) << 32 }
      if !mode.isLong, random.oneIn(12) {
        gate = UInt64(random.pick([FuzzMap.tss32Selector, FuzzMap.tss16Selector])) << 16 | 0xE5 << 40
      }
      if random.oneIn(24) { gate = random.next() }
      idt.append(gate)
      if mode.isLong { idt.append(vector % 3 == 0 && random.oneIn(32) ? random.next() : 0) }
    }
    put(FuzzMap.idt, idt)
    // Real-mode vectors.
    memory.append((0, (0..<256).flatMap { _ in [random.byte(), random.byte() & 0x5F, 0, UInt8(0x10)] }))

    let stack = FuzzMap.stack + 0x2000
    var tss = [UInt64](repeating: 0, count: 128)
    for i in 0..<13 { tss[i] = UInt64(random.below(0x6000)) + FuzzMap.code }
    // 32-bit TSS: ESP0 at 4, SS0 at 8; CR3 28, EIP 32, EFLAGS 36; segments from 72 on.
    tss[0] = stack << 32
    tss[1] = UInt64(FuzzMap.data0)
    tss[3] = (paging == .pae ? FuzzMap.pdptPAE : FuzzMap.pd32) << 32
    tss[4] = FuzzMap.code | 2 << 32
    tss[7] = stack  // ESP at 56
    tss[9] = UInt64(FuzzMap.data0) | UInt64(FuzzMap.code32) << 32
    tss[10] = UInt64(FuzzMap.data0) | UInt64(FuzzMap.data0) << 32
    tss[11] = UInt64(FuzzMap.data0) | UInt64(FuzzMap.data0) << 32
    tss[12] = 104 << 48
    put(FuzzMap.tss32, tss)
    put(FuzzMap.tss16, (0..<64).map { _ in random.next() & 0x7FFF_7FFF_7FFF_7FFF })
    // 64-bit TSS: RSP0–2 from 4 on, IST1–7 from 36 on.
    var words = [UInt64](repeating: 0, count: 128)
    for i in 0..<13 { words[i] = (stack - UInt64(random.below(0x1000))) << 32 }
    put(FuzzMap.tss64, words)
  }

  private func entry(_ random: inout FuzzRandom, _ address: UInt64, wide: Bool) -> UInt64 {
    switch random.below(48) {
    case 0: return wide ? random.next() : random.next() & 0xFFFF_FFFF
    case 1: return address
    case 2: return address | 5
    case 3: return address | 3
    case 4: return UInt64(random.pick([0xFEE0_0000, 0xA0000, 0x10_0000, 0xFFFF_F000])) | 7
    case 5: return FuzzMap.data | 7
    case 6: return address | 7 | (wide ? 1 << 63 : 0)
    default: return address | (random.oneIn(2) ? 7 : 0x67) | (random.oneIn(8) ? 0x100 : 0)
    }
  }

  private mutating func makePages(_ random: inout FuzzRandom) {
    guard mode.isLong || paging != .off else { return }
    // Code and tables that every case needs stay mapped plainly, most of the time.
    func table(_ random: inout FuzzRandom, _ first: Int, _ count: Int, wide: Bool) -> [UInt64] {
      (first..<first + count).map { page in
        let address = UInt64(page) << 12
        if page < 0x40, !random.oneIn(12) { return address | 7 }
        return entry(&random, address, wide: wide)
      }
    }
    if mode.isLong || paging == .pae {
      var directory: [UInt64] = [FuzzMap.pt | 7, (FuzzMap.pt + 0x1000) | 7]
      for i in 2..<512 { directory.append(random.oneIn(4) ? random.next() : UInt64(i & 1) << 21 | 0xE7) }
      put(FuzzMap.pd, directory)
      put(FuzzMap.pt, table(&random, 0, 512, wide: true))
      put(FuzzMap.pt + 0x1000, table(&random, 512, 512, wide: true))
      var pointers = [UInt64](repeating: FuzzMap.pd | 7, count: 512)
      for i in 4..<510 { pointers[i] = random.oneIn(4) ? random.next() : FuzzMap.pd | 7 }
      put(FuzzMap.pdpt, pointers)
      put(FuzzMap.pdptPAE, [FuzzMap.pd | 1, FuzzMap.pd | 1, 0, FuzzMap.pd | 1])
      var root = [UInt64](repeating: FuzzMap.pdpt | 7, count: 512)
      for i in 1..<511 { root[i] = random.oneIn(2) ? random.next() : FuzzMap.pml4 | 7 }
      put(FuzzMap.pml4, root)
    } else {
      var directory: [UInt32] = [UInt32(FuzzMap.pt32) | 7]
      for i in 1..<1024 {
        directory.append(random.oneIn(4) ? UInt32(random.next() >> 32) : UInt32(i & 1) << 22 | 0x87)
      }
      memory.append((FuzzMap.pd32, bytes(directory)))
      memory.append(
        (FuzzMap.pt32, bytes(table(&random, 0, 1024, wide: false).map { UInt32(truncatingIfNeeded: $0) })))
    }
  }

  private func bytes(_ words: [UInt32]) -> [UInt8] {
    words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
  }

  private mutating func makeState(_ random: FuzzRandom) {
    let start = random
    let (mode, paging) = (mode, paging)
    setUp = { s in
      var random = start
      var code = FuzzCode(FuzzRandom(random.next()), .bits32)
      s.general = (0..<16).map { _ in random.oneIn(8) ? random.next() : UInt64(code.address()) }
      s.general[4] = FuzzMap.stack + 0x2000
      s.rip = FuzzMap.code + UInt64(random.below(0x1000))
      s.rflags = 2 | random.next() & 0x8D5 | (random.oneIn(2) ? 0x200 : 0) | (random.oneIn(16) ? 0x100 : 0)
      s.xcr0 = random.pick([1, 3, 7])
      func segment(_ selector: UInt16, _ base: UInt64, _ limit: UInt32, _ attributes: UInt16)
        -> ProcessorState.Segment
      {
        .init(base: base, register: SegmentRegister(selector: selector, attributes: attributes, limit: limit))
      }
      let flat = segment(FuzzMap.data0, 0, .max, 0xC093)
      let userFlat = segment(FuzzMap.userData, 0, .max, 0xC0F3)
      func all(_ data: ProcessorState.Segment, _ code: ProcessorState.Segment) {
        s.segments = [data, code, data, data, data, data]
      }
      switch mode {
      case .real, .virtual8086:
        let attributes: UInt16 = mode == .real ? 0x93 : 0xF3
        all(segment(0x2000, 0x20000, 0xFFFF, attributes), segment(0x1000, 0x10000, 0xFFFF, attributes))
        s.segments[2] = segment(0x3000, 0x30000, 0xFFFF, attributes)
        s.rip &= 0xFFF
        s.general[4] = 0xA000
        if mode == .virtual8086 { s.rflags |= 1 << 17 | (random.oneIn(2) ? 0x3000 : 0) }
      case .protected16:
        all(segment(FuzzMap.data16, 0, 0xFFFFF, 0x93), segment(FuzzMap.code16, 0, 0xFFFFF, 0x9B))
        s.segments[2] = flat
      case .protected32: all(flat, segment(FuzzMap.code32, 0, .max, 0xC09B))
      case .segmented32:
        let base = UInt64(random.below(0x8000))
        all(
          segment(FuzzMap.segmentedData, base, 0x3_FFFF, 0x4093),
          segment(FuzzMap.segmentedCode, base, 0x3_FFFF, 0x409B))
        s.segments[0] = segment(0xA0, 0x8000, 0x1000, 0x4097)
      case .user32: all(userFlat, segment(FuzzMap.userCode32, 0, .max, 0xC0FB))
      case .compatibility: all(userFlat, segment(FuzzMap.userCode32, 0, .max, 0xC0FB))
      case .long: all(flat, segment(FuzzMap.code64, 0, .max, 0xA09B))
      case .longUser: all(userFlat, segment(FuzzMap.userCode64, 0, .max, 0xA0FB))
      }
      let isUser = mode == .user32 || mode == .virtual8086 || mode == .compatibility || mode == .longUser
      s.cpl = isUser ? 3 : 0
      if isUser && random.oneIn(2) { s.rflags |= 0x3000 }
      if isUser && random.oneIn(4) { s.rflags |= 1 << 18 }
      let isPaged = mode.isLong || paging != .off
      s.cr0 = 0x10 | random.next() & 0x0005_0002 | (mode == .real ? 0 : 1) | (isPaged ? 1 << 31 : 0) | 0x20
      s.cr4 = random.next() & (CR4.pge | CR4.de | CR4.umip | CR4.fsgsbase | CR4.vme | CR4.pvi | CR4.pse)
      s.cr4 |= random.oneIn(4) ? 0 : CR4.osfxsr | CR4.osxmmexcpt | CR4.osxsave
      if random.oneIn(4) { s.cr4 |= CR4.smep }
      if random.oneIn(4) { s.cr4 |= CR4.smap }
      if mode.isLong && random.oneIn(4) {
        s.cr4 |= random.next() & (CR4.pke | CR4.pks | CR4.pcide)
        s.pkru = UInt32(truncatingIfNeeded: random.next() & random.next())
        s.pkrs = UInt32(truncatingIfNeeded: random.next() & random.next())
      }
      if mode.isLong || paging == .pae { s.cr4 |= CR4.pae }
      if paging == .bits32 && !mode.isLong { s.cr4 |= CR4.pse }
      if mode.isLong {
        s.efer = EFER.lme | EFER.lma | EFER.sce | (random.oneIn(4) ? 0 : EFER.nxe)
        s.cr3 = FuzzMap.pml4
        if mode != .compatibility && random.oneIn(3) { s.rip |= 0xFFFF_FFFF_8000_0000 }
      } else if paging == .pae {
        s.efer = random.oneIn(2) ? EFER.nxe : 0
        s.cr3 = FuzzMap.pdptPAE
        s.pdptes = [FuzzMap.pd | 1, FuzzMap.pd | 1, 0, FuzzMap.pd | 1]
      } else {
        s.cr3 = FuzzMap.pd32
      }
      func table(_ base: UInt64, _ limit: UInt32, _ selector: UInt16 = 0, _ attributes: UInt16 = 0)
        -> TableRegister
      {
        var table = TableRegister()
        (table.base, table.limit, table.selector, table.attributes) = (base, limit, selector, attributes)
        return table
      }
      s.gdtr = table(FuzzMap.gdt, 0xFF)
      s.idtr = mode == .real ? table(0, 0x3FF) : table(FuzzMap.idt, mode.isLong ? 0xFFF : 0x7FF)
      s.ldtr = table(FuzzMap.ldt, 0x7F, FuzzMap.ldtSelector, 0x82)
      s.tr =
        mode.isLong
        ? table(FuzzMap.tss64, 0x3FF, FuzzMap.tss64Selector, 0x8B)
        : table(FuzzMap.tss32, 0x3FF, FuzzMap.tss32Selector, 0x8B)
      s.lstar = FuzzMap.code + 0x800
      s.star = 0x0033_0008 << 32
      s.sysenterCS = UInt64(FuzzMap.code32)
      s.sysenterEIP = FuzzMap.code + 0x400
      s.sysenterESP = FuzzMap.stack + 0x1800
      if random.oneIn(6) {
        s.debug = [
          FuzzMap.data + 0x100, FuzzMap.code + UInt64(random.below(0x1000)), FuzzMap.stack + 0x1FF0,
          UInt64(random.below(256)), 0xFFFF_0FF0,
          0x400 | random.next() & 0xFFFF_00FF,
        ]
      }
      s.vectors = (0..<64).map { _ in random.next() }
    }
  }
}

extension FuzzCode {
  /// Exactly `count` bytes.
  func stretched(_ count: Int) -> [UInt8] {
    var copy = self
    return Array(copy.stretch(count).prefix(count))
  }
}
