import X86Core
import X86Decode

/// Fills cases: registers, flags, memory, so that an instruction meets its edges.
struct CaseBuilder {
  var g: CaseGenerator
  let features: CPUFeatures

  init(seed: UInt64, features: CPUFeatures) {
    g = CaseGenerator(seed: seed)
    self.features = features
  }

  /// Draws a case of a form. nil: the form has no encoding (another row takes its bytes).
  mutating func build(_ form: InstructionForm, into input: NativeInput) -> EncodedInstruction? {
    input.p.initializeMemory(as: UInt8.self, repeating: 0, count: NativeInput.size)
    let fsBase = NativeMap.data &+ g.below(512)
    let gsBase = NativeMap.data &+ g.below(512)
    input.fsBase = fsBase
    input.gsBase = gsBase

    // The memory operand's linear address; the segment base is taken off when the segment is known.
    let size = accessSize(form)
    let target = drawAddress(size)
    let place = drawPlace()
    var rip = NativeMap.code &+ 0x400 &+ g.below(0x800)
    guard var encoded = form.encode(&g, rip: rip, target: target, features: features) else { return nil }
    let length = UInt64(encoded.bytes.count)
    if !encoded.instruction.isRIPRelative {
      switch place {
      case .usual: break
      case .crossing: rip = NativeMap.code &+ NativeMap.page &- (1 + g.below(max(1, length &- 1)))
      case .atEnd: rip = NativeMap.code &+ NativeMap.codeSize &- length
      case .cutOff: rip = NativeMap.code &+ NativeMap.codeSize &- (1 + g.below(max(1, length &- 1)))
      }
      if length == 1 && place == .cutOff { rip = NativeMap.code &+ NativeMap.codeSize &- 1 }
    }
    input.rip = rip
    input.setCode(encoded.bytes)
    VendorDifferences.replacePrefixes(encoded.instruction, input)

    // Registers.
    for i in 0..<16 { input.setGPR(i, interestingInteger(&g)) }
    input.setGPR(4, NativeMap.data &+ 0x800 &+ g.below(0x1000) &* (g.chance(80) ? 8 : 1) & 0x1FFF)
    if g.chance(5) { input.setGPR(4, drawAddress(8)) }
    var flags: UInt64 = 0x202 | (g.next() & RFLAGS.status)
    if g.chance(form.entry.isString ? 50 : 10) { flags |= RFLAGS.df }
    if g.chance(4) { flags |= RFLAGS.ac }
    input.rflags = flags
    fillFloat(form, input)
    prepareOperands(form, encoded.instruction, input)

    // Memory.
    var linear = target
    let i = encoded.instruction
    if i.isMemory && (form.entry.operands.contains(.vmd) || form.entry.operands.contains(.vmq)) {
      reachByVector(i, input, target: target, indexBytes: i.opcode & 1 == 0 ? 4 : 8)
    } else if i.isMemory {
      linear = reach(i, input, target: target)
    } else if form.entry.operands.contains(.ob) || form.entry.operands.contains(.ov) {
      linear = UInt64(bitPattern: i.displacement) &+ segmentBase(i, input)
    }
    prepareMemory(form, i, input, linear)
    encoded.linear = linear
    return encoded
  }

  private enum Place { case usual, crossing, atEnd, cutOff }

  private mutating func drawPlace() -> Place {
    switch g.below(32) {
    case 0, 1: return .crossing
    case 2: return .atEnd
    case 3: return g.chance(40) ? .cutOff : .crossing
    default: return .usual
    }
  }

  /// Bytes that the memory operand has, as far as that decides about edges.
  private func accessSize(_ form: InstructionForm) -> UInt64 {
    for operand in form.entry.operands {
      switch operand {
      case .eb, .mb, .wb, .ob, .xb, .yb, .edMb: return 1
      case .ew, .mw, .ww, .m16int, .edMw, .evMw: return 2
      case .ed, .md, .wd, .qd, .m32fp, .m32int: return 4
      case .eq, .mq, .wq, .qq, .m64fp, .m64int: return 8
      case .mdq, .wdq: return 16
      case .wx, .mx, .wqq: return form.entry.isVEX ? 32 : 16
      case .vmd, .vmq: return 64
      case .m80fp, .m80bcd, .mp: return 10
      case .menv: return 28
      case .mstate: return 108
      case .ev, .mv, .ey, .my, .ov, .xv, .yv: return form.size == .small ? 2 : form.size == .wide ? 8 : 4
      case .m: return [.fxsave, .fxrstor].contains(form.entry.operation) ? 512 : 8
      default: break
      }
    }
    return 8
  }

  /// A linear address for an operand of so many bytes: mostly good, aligned or not, some at every kind of edge.
  mutating func drawAddress(_ size: UInt64) -> UInt64 {
    let data = NativeMap.data
    switch g.below(40) {
    case 0..<24: return data &+ 0x100 &+ (g.below(0x2C00 &- size) & ~15)
    case 24..<32: return data &+ 0x100 &+ g.below(0x2E00 &- size)
    case 32, 33: return data &+ NativeMap.page &- 1 &- g.below(size)  // across two good pages
    case 34: return data &+ NativeMap.writableSize &- g.below(size &+ 1)  // into the read-only page, or just before
    case 35: return data &+ NativeMap.writableSize &+ (g.below(0xE00) & ~15)  // read-only
    case 36: return data &+ NativeMap.dataSize &- g.below(size &+ 1)  // off the end, or the last that fits
    case 37: return data &- g.below(size &+ 2)  // before the beginning
    case 38:
      return g.pick([0, 8, 0x1234_5678_9000, 0x0000_7FFF_FFFF_FFF8, 0x0000_7FFF_FFFF_FFFF, 0x4000_0000])
    default:
      // Not canonical, or the supervisor's.
      return g.pick([
        0x0000_8000_0000_0000, 0x7FFF_FFFF_FFFF_FFFF, 0x8000_0000_0000_0000, 0xFFFF_7FFF_FFFF_FFFF,
        0xFFFF_FFFF_FFFF_F000, 0xFFFF_7FFF_FFFF_FFF0, 0xDEAD_BEEF_0000_0000, 0xFFFF_7FFF_FFFF_FFF9,
      ])
    }
  }

  private func segmentBase(_ i: Instruction, _ input: NativeInput) -> UInt64 {
    i.segment == .fs ? input.fsBase : i.segment == .gs ? input.gsBase : 0
  }

  /// Sets base and index so that the operand lies at `target`, if the form can reach it; returns where it does lie.
  private mutating func reach(_ i: Instruction, _ input: NativeInput, target: UInt64) -> UInt64 {
    let none = Instruction.noRegister
    let displacement = UInt64(bitPattern: i.displacement)
    let offset = target &- segmentBase(i, input)
    var effective = displacement
    if i.isRIPRelative { effective = input.rip &+ UInt64(i.length) &+ displacement }
    let mask: UInt64 = i.addressSize == 4 ? 0xFFFF_FFFF : .max
    // What stands above bit 31 does not count with 32-bit addresses.
    let above: UInt64 = i.addressSize == 4 ? g.next() & ~mask : 0
    if i.base != none && i.index == i.base {
      let factor = 1 + (UInt64(1) << UInt64(i.scale))
      input.setGPR(Int(i.base), (offset &- displacement) / factor | above)
    } else if i.base != none {
      if i.index != none {
        let index = g.chance(70) ? g.below(64) &- 32 : g.next()
        input.setGPR(Int(i.index), index)
        effective = effective &+ index << UInt64(i.scale)
      }
      input.setGPR(Int(i.base), (offset &- effective) & mask | above)
    } else if i.index != none {
      input.setGPR(Int(i.index), ((offset &- displacement) & mask) >> UInt64(i.scale) | above)
    }
    return (address(i, input) &+ segmentBase(i, input))
  }

  /// Sets the base, and small indices in the vector register that a gather takes them from.
  private mutating func reachByVector(_ i: Instruction, _ input: NativeInput, target: UInt64, indexBytes: Int) {
    if i.base != Instruction.noRegister {
      let offset = target &- segmentBase(i, input) &- UInt64(bitPattern: i.displacement)
      input.setGPR(Int(i.base), i.addressSize == 4 ? offset & 0xFFFF_FFFF : offset)
    }
    for half in [input.fx + 160 + 16 * Int(i.index), input.ymm + 16 * Int(i.index)] {
      for n in 0..<(16 / indexBytes) {
        let index = g.chance(90) ? Int64(g.below(80)) - 8 : Int64(bitPattern: interestingInteger(&g))
        if indexBytes == 4 {
          half.storeBytes(of: Int32(truncatingIfNeeded: index), toByteOffset: 4 * n, as: Int32.self)
        } else {
          half.storeBytes(of: index, toByteOffset: 8 * n, as: Int64.self)
        }
      }
    }
  }

  /// The effective address with the registers as they are.
  private func address(_ i: Instruction, _ input: NativeInput) -> UInt64 {
    var sum = UInt64(bitPattern: i.displacement)
    if i.isRIPRelative { sum = sum &+ input.rip &+ UInt64(i.length) }
    if i.base != Instruction.noRegister { sum = sum &+ input.gpr(Int(i.base)) }
    if i.index != Instruction.noRegister { sum = sum &+ input.gpr(Int(i.index)) << UInt64(i.scale) }
    return i.addressSize == 4 ? sum & 0xFFFF_FFFF : sum
  }

  /// Implied registers, and relations between operands that chance alone would never produce.
  private mutating func prepareOperands(_ form: InstructionForm, _ i: Instruction, _ input: NativeInput) {
    switch form.entry.operation {
    case .movs, .cmps, .stos, .lods, .scas, .ins, .outs:
      var from = drawAddress(8)
      if i.segment == .fs { from = from &- input.fsBase }
      if i.segment == .gs { from = from &- input.gsBase }
      input.setGPR(6, from)
      // Often close to each other: overlapping moves.
      input.setGPR(7, g.chance(30) ? from &+ g.below(40) &- 20 : drawAddress(8))
      let few = g.below(24)
      let many = g.below(600)
      input.setGPR(1, g.chance(60) ? few : g.chance(80) ? many : interestingInteger(&g))
      if i.addressSize == 4 && g.chance(60) {
        for r in [1, 6, 7] where g.chance(50) { input.setGPR(r, input.gpr(r) & 0xFFFF_FFFF | g.next() << 32) }
      }
    case .xlat: input.setGPR(3, drawAddress(1) &- (input.gpr(0) & 0xFF) &- segmentBase(i, input))
    case .leave: input.setGPR(5, drawAddress(8))
    case .enter: input.setGPR(5, drawAddress(8))
    case .maskmovq, .maskmovdqu, .vmaskmovdqu: input.setGPR(7, drawAddress(16) &- segmentBase(i, input))
    case .div, .idiv:
      // Half of the quotients fit.
      switch g.below(4) {
      case 0: input.setGPR(2, 0)
      case 1: input.setGPR(2, UInt64(bitPattern: Int64(bitPattern: input.gpr(0)) >> 63))
      case 2: input.setGPR(2, g.below(16) &- 8)
      default: break
      }
      if i.operandSize == 2 && g.chance(50) {
        input.setGPR(2, input.gpr(2) & ~0xFFFF | (input.gpr(0) & 0x8000 != 0 ? 0xFFFF : 0))
      }
      if g.chance(30) { input.setGPR(0, input.gpr(0) & ~0xFFFF | g.below(0x200)) }
    case .rol, .ror, .rcl, .rcr, .shl, .shr, .sar, .shld, .shrd:
      if g.chance(60) { input.setGPR(1, input.gpr(1) & ~0xFF | g.below(70)) }
    case .bt, .bts, .btr, .btc:
      if i.isMemory && g.chance(70) { input.setGPR(Int(i.reg), g.below(2048) &- 1024) }
    case .jcxz, .loop, .loope, .loopne:
      if g.chance(50) { input.setGPR(1, g.pick([0, 1, 2, 0x1_0000_0000, 0x1_0000_0001])) }
    case .cmpxchg:
      if !i.isMemory && g.chance(50) { input.setGPR(0, input.gpr(Int(i.rm))) }
    case .jmp, .call:
      if form.entry.hasModRM && !i.isMemory { input.setGPR(Int(i.rm), drawBranchTarget()) }
    case .bextr, .bzhi, .shlx, .shrx, .sarx:
      if g.chance(70) { input.setGPR(Int(i.vvvv), g.below(80) | g.below(80) << 8) }
    case .mov where form.entry.operands.first == .sw:
      if !i.isMemory { input.setGPR(Int(i.rm), UInt64(drawSelector()) | g.next() << 16) }
      input.loadsSegments = true
    case .pop where !form.entry.operands.contains(.zv) && !form.entry.operands.contains(.ev):
      input.loadsSegments = true
    case .lfs, .lgs, .lss: input.loadsSegments = true
    case .wrfsbase, .wrgsbase:
      if g.chance(40) { input.setGPR(Int(i.rm), drawAddress(8)) }
    default: break
    }
  }

  private mutating func drawSelector() -> UInt16 {
    g.pick([0, 1, 2, 3, 0x28, 0x2B, 0x2A, 0x33, 0xFFFB, 0x2B])
  }

  /// Mostly an INT3 of the code pages.
  private mutating func drawBranchTarget() -> UInt64 {
    g.chance(85)
      ? NativeMap.code &+ (g.chance(50) ? g.below(0x3C0) : 0x1100 &+ g.below(0xE00)) : drawAddress(1) &- 0x10
  }

  /// What memory holds at the operand and at the top of the stack.
  private mutating func prepareMemory(
    _ form: InstructionForm, _ i: Instruction, _ input: NativeInput, _ linear: UInt64
  ) {
    let operation = form.entry.operation
    var words: [UInt64] = []
    for _ in 0..<4 { words.append(interestingInteger(&g)) }
    let size = UInt64(i.operandSize)
    if i.isMemory {
      switch operation {
      case .jmp, .call: words[0] = drawBranchTarget()
      case .jmpFar, .callFar:
        let offset = NativeMap.code &+ g.below(0x3C0)
        let selector = UInt64(g.pick([0x33, 0x33, 0x33, 0, 0x2B, 0x30, 0xFFFB] as [UInt16]))
        words =
          size == 8
          ? [offset, selector, 0, 0]
          : size == 4
            ? [offset | selector << 32, selector >> 32, 0, 0] : [offset & 0xFFFF | selector << 16, 0, 0, 0]
      case .lfs, .lgs, .lss:
        let selector = UInt64(drawSelector())
        words =
          size == 8
          ? [words[0], selector, 0, 0]
          : size == 4
            ? [words[0] & 0xFFFF_FFFF | selector << 32, 0, 0, 0]
            : [words[0] & 0xFFFF | selector << 16, 0, 0, 0]
      case .mov where form.entry.operands.first == .sw: words[0] = UInt64(drawSelector())
      case .cmpxchg:
        if g.chance(50) { words[0] = input.gpr(0) }
      case .cmpxchg8b:
        if g.chance(50) { words[0] = input.gpr(0) & 0xFFFF_FFFF | input.gpr(2) << 32 }
      case .cmpxchg16b:
        if g.chance(50) { (words[0], words[1]) = (input.gpr(0), input.gpr(2)) }
      case .div, .idiv: if g.chance(10) { words[0] = 0 }
      default: break
      }
    }
    let bytes = input.setPatch(0, linear, count: 32)
    for (n, word) in words.enumerated() { bytes.storeBytes(of: word, toByteOffset: 8 * n, as: UInt64.self) }
    fillFloatMemory(form, i, input, linear)

    switch operation {
    case .cmps, .scas:
      // Runs of equal bytes.
      if g.chance(50) {
        let to = input.setPatch(1, input.gpr(7) &- 24, count: 48)
        let word = operation == .scas && input.rflags & 2 != 0 ? input.gpr(0) : g.next()
        for n in 0..<6 { to.storeBytes(of: word, toByteOffset: 8 * n, as: UInt64.self) }
        if operation == .cmps {
          let from = input.setPatch(0, input.gpr(6) &- 24 &+ segmentBase(i, input), count: 48)
          for n in 0..<6 { from.storeBytes(of: word, toByteOffset: 8 * n, as: UInt64.self) }
          if g.chance(70) { from.storeBytes(of: 0x55, toByteOffset: Int(g.below(48)), as: UInt8.self) }
        }
      }
    case .ret:
      let to = input.setPatch(1, input.gpr(4), count: 8)
      to.storeBytes(of: drawBranchTarget(), as: UInt64.self)
    case .retf, .iret:
      let selector = UInt64(g.pick([0x33, 0x33, 0x33, 0x33, 0, 0x2B, 0x30, 0xFFFB] as [UInt16]))
      let stack = UInt64(g.pick([0x2B, 0x2B, 0x2B, 0x2B, 0, 3, 0x28, 0xFFFB] as [UInt16]))
      let frame: [UInt64] = [
        NativeMap.code &+ g.below(0x3C0), selector,
        (g.next() & 0x0024_4CD5) | 0x202 | (g.chance(20) ? g.next() & 0x1F_3000 : 0),
        drawAddress(8), stack,
      ]
      let to = input.setPatch(1, input.gpr(4), count: 5 * Int(size))
      for (n, word) in frame.enumerated() {
        for b in 0..<Int(size) {
          (to + n * Int(size) + b).storeBytes(
            of: UInt8(truncatingIfNeeded: word >> UInt64(8 * b)), as: UInt8.self)
        }
      }
    case .popf:
      // Without TF: the step after would be traced.
      let to = input.setPatch(1, input.gpr(4), count: 8)
      to.storeBytes(of: interestingInteger(&g) & ~RFLAGS.tf, as: UInt64.self)
    case .pop where input.loadsSegments:
      let to = input.setPatch(1, input.gpr(4), count: 8)
      to.storeBytes(of: UInt64(drawSelector()) | g.next() << 16, as: UInt64.self)
    default: break
    }
  }
}
