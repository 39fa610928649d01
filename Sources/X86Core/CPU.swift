/// Where things lie in a processor's one allocation. The hot path reaches all of them at constant distances from
/// one host register.
///
/// Computed, so that modules which inline uses of them see constants.
public enum Layout {
  /// General registers, 8 bytes a slot; see `Slot` for those behind the sixteen.
  @inlinable @inline(__always) public static var registers: Int { 0 }
  /// XMM/YMM registers, 32 bytes each.
  @inlinable @inline(__always) public static var vectors: Int { 0x100 }
  /// x87 registers, 16 bytes each (80 used), physical numbering.
  @inlinable @inline(__always) public static var x87: Int { 0x300 }
  /// The six segment registers' selectors, attributes and limits, 8 bytes each.
  @inlinable @inline(__always) public static var segments: Int { 0x380 }
  @inlinable @inline(__always) public static var fields: Int { 0x400 }
  /// Data TLBs: for each view a table for reads, then one for writes: what the fast path looks at.
  @inlinable @inline(__always) public static var tlb: Int { 0x2000 }
  @inlinable @inline(__always) public static var tlbEntries: Int { 1024 }
  /// Bytes of one table.
  @inlinable @inline(__always) public static var tlbTable: Int { tlbEntries * 16 }
  /// What the index of an entry is cut to, as a byte offset.
  @inlinable @inline(__always) public static var tlbMask: UInt64 { UInt64(tlbTable - 16) }
  /// Bytes of one view: its read and its write table.
  @inlinable @inline(__always) public static var tlbView: Int { 2 * tlbTable }
  @inlinable @inline(__always) public static var tlbViews: Int { 4 }
  /// Instruction TLBs: supervisor, user.
  @inlinable @inline(__always) public static var fetchTLB: Int { tlb + tlbView * tlbViews }
  /// Direct-mapped (tag, block) pairs for indirect jumps.
  @inlinable @inline(__always) public static var jumpCache: Int { fetchTLB + 2 * tlbTable }
  @inlinable @inline(__always) public static var jumpCacheEntries: Int { 8192 }
  /// Translations in force, direct-mapped, a table for each view but the last: see `CPU.translate`.
  @inlinable @inline(__always) public static var translations: Int { jumpCache + jumpCacheEntries * 16 }
  @inlinable @inline(__always) public static var translationEntries: Int { 4096 }
  @inlinable @inline(__always) public static var translationTable: Int { translationEntries * 16 }
  @inlinable @inline(__always) public static var size: Int { translations + translationTable * (tlbViews - 1) }
}

/// Register slots behind the sixteen general registers, so that "no base", segment bases and address masks need no
/// handlers of their own.
public enum Slot {
  /// Always reads zero.
  public static let zero: UInt8 = 16
  /// Segment bases in the encoding's order: ES, CS, SS, DS, FS, GS.
  public static let segmentBase: UInt8 = 18
  /// FFFF, FFFF_FFFF, all ones: by address size.
  public static let mask16: UInt8 = 24
  public static let mask32: UInt8 = 25
  public static let mask64: UInt8 = 26
}

/// General registers by number.
public enum GPR {
  public static let rax: UInt8 = 0, rcx: UInt8 = 1, rdx: UInt8 = 2, rbx: UInt8 = 3
  public static let rsp: UInt8 = 4, rbp: UInt8 = 5, rsi: UInt8 = 6, rdi: UInt8 = 7
}

/// The visible and the cached part of a segment register, the base apart (`CPU.segmentBase`).
public struct SegmentRegister: Codable, Equatable {
  public var selector: UInt16 = 0
  /// Descriptor bits 40–47 in 0–7 (type, S, DPL, P) and 52–55 in 12–15 (AVL, L, D/B, G), as in VMX access rights.
  public var attributes: UInt16 = 0
  /// In bytes, granularity applied.
  public var limit: UInt32 = 0

  public init(selector: UInt16 = 0, attributes: UInt16 = 0, limit: UInt32 = 0) {
    self.selector = selector
    self.attributes = attributes
    self.limit = limit
  }
  @inlinable public var type: UInt16 { attributes & 15 }
  @inlinable public var isPresent: Bool { attributes & 0x80 != 0 }
  @inlinable public var dpl: UInt8 { UInt8(truncatingIfNeeded: (attributes >> 5) & 3) }
  @inlinable public var long: Bool { attributes & 0x2000 != 0 }
  /// D/B: 32-bit code, stack or upper bound.
  @inlinable public var big: Bool { attributes & 0x4000 != 0 }
  @inlinable public var isCode: Bool { attributes & 0x18 == 0x18 }
  /// Expand-down data.
  @inlinable public var expandsDown: Bool { attributes & 0x1C == 0x14 }
}

/// GDTR, IDTR, and the cached part of LDTR and TR.
public struct TableRegister: Codable, Equatable {
  public var base: UInt64 = 0
  public var limit: UInt32 = 0
  public var selector: UInt16 = 0
  public var attributes: UInt16 = 0
  public init() {}
}

/// Why the chain of handlers came back to the driver.
public enum ExitReason: UInt8 {
  /// Go on at `rip`; nothing special. Also: a slow instruction asks the driver to look at the world again.
  case resume
  /// `exitSlot` names an exit slot without a usable successor.
  case link
  /// `faultVector` and its companions are to be delivered; `rip` is at the instruction.
  case fault
  /// A software interrupt or exception after the instruction: `rip` is behind it.
  case trap
  case halt
  /// Shutdown state after a triple fault.
  case shutdown
}

/// Whether an instruction is followed by a single-step trap.
public enum StepRule: UInt8 {
  /// As RFLAGS.TF says that was in force when it began.
  case flagBefore
  /// SYSCALL, SYSRET: as RFLAGS.TF says now.
  case flagAfter
}

/// The scalar state of a processor. Lies at `Layout.fields` of its allocation.
public struct CPUFields {
  // Hot: lazy flags. See Flags.swift.
  public var flagResult: UInt64 = 1
  public var flagOperand: UInt64 = 0
  public var flagKind: UInt64 = 0
  /// Where the current view's data TLBs begin.
  public var viewBase = UnsafeMutableRawPointer(bitPattern: 16)!
  /// What jump-cache entries (and, 32 bits of it, far links) of the lower, upper canonical half must match:
  /// generation, privilege, mode.
  public var fetchKeyLow: UInt64 = 0
  public var fetchKeyHigh: UInt64 = 0
  /// instruction count = countLimit − instructions left.
  public var countLimit: Int64 = 0
  /// RFLAGS without the six status flags, which are lazy. Bit 1 is set.
  public var systemFlags: UInt64 = 2
  /// Valid in the driver; handlers know RIP from their block.
  public var rip: UInt64 = 0

  // Exits.
  public var exitLeft: Int = 0
  public var exitSlot: UInt = 0
  public var exitReason: ExitReason = .resume
  /// Set by the world to make slow instructions return to the driver; cleared by the driver.
  public var attention: Bool = false
  /// The INTR line: something unmasked is pending at the interrupt controller.
  public var interruptPending: Bool = false
  /// NMI latched.
  public var nmiPending: Bool = false
  /// Between an NMI's delivery and the next IRET.
  public var nmiBlocked: Bool = false
  public var faultHasCode: Bool = false
  public var faultVector: UInt8 = 0
  /// Fault is INT n / INT3 / INTO / INT1: gate DPL is checked, and so on. See X86System.
  public var faultKind: UInt8 = 0
  public var faultCode: UInt32 = 0
  /// CR2 for a page fault that is not yet delivered.
  public var faultAddress: UInt64 = 0
  /// The instruction count at which STI's or MOV SS's shadow holds off interrupts, −1 for none.
  public var shadowCount: Int64 = -1
  /// Also debug exceptions and NMIs are held off (MOV SS, POP SS).
  public var shadowIsStack: Bool = false

  // Modes.
  public var cpl: UInt8 = 0
  /// What the decoder needs to know of the mode: `CodeMode.rawValue`.
  public var codeMode: UInt8 = 0
  /// 0: supervisor that may touch user pages, 1: user, 2: supervisor kept off user pages by SMAP, 3: one whose TLBs
  /// stay empty, so that every access is looked at (alignment checks, data breakpoints).
  public var view: UInt8 = 0
  public var a20Mask: UInt64 = .max
  /// Code has run in ring 3 since the last reset.
  public var enteredUserMode: Bool = false

  public var cr0: UInt64 = 0
  public var cr2: UInt64 = 0
  public var cr3: UInt64 = 0
  public var cr4: UInt64 = 0
  public var efer: UInt64 = 0
  public var xcr0: UInt64 = 1
  public var pkru: UInt32 = 0
  public var pkrs: UInt32 = 0
  public var pdpte: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
  public var dr: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
  public var dr6: UInt64 = 0xFFFF_0FF0
  public var dr7: UInt64 = 0x400

  public var gdtr = TableRegister()
  public var idtr = TableRegister()
  public var ldtr = TableRegister()
  public var tr = TableRegister()

  // SSE and x87.
  /// CR0.EM, CR0.TS or not CR4.OSFXSR: SSE instructions fault. `updateMode` works it out.
  public var sseBlocked: Bool = false
  public var mxcsr: UInt32 = 0x1F80
  public var x87Control: UInt16 = 0x37F
  /// Status word without TOP, which is `x87Top`.
  public var x87Status: UInt16 = 0
  public var x87Top: UInt8 = 0
  /// One bit a physical register: 1 is empty.
  public var x87Empty: UInt8 = 0xFF
  public var x87Opcode: UInt16 = 0
  public var x87InstructionPointer: UInt64 = 0
  public var x87InstructionSelector: UInt16 = 0
  public var x87DataSelector: UInt16 = 0
  public var x87DataPointer: UInt64 = 0

  // MSRs that instructions use.
  public var star: UInt64 = 0
  public var lstar: UInt64 = 0
  public var cstar: UInt64 = 0
  public var sfmask: UInt64 = 0
  public var kernelGSBase: UInt64 = 0
  public var sysenterCS: UInt64 = 0
  public var sysenterESP: UInt64 = 0
  public var sysenterEIP: UInt64 = 0
  public var tscAux: UInt64 = 0
  /// IA32_TSC = virtual TSC + this.
  public var tscOffset: UInt64 = 0
  public var pat: UInt64 = 0x0007_0406_0007_0406
  public var miscEnable: UInt64 = 1
  public var xss: UInt64 = 0

  // The world outside.
  public var ramBase = UnsafeMutableRawPointer(bitPattern: 16)!
  public var pageFlags = UnsafeMutablePointer<UInt8>(bitPattern: 16)!
  public var ramSize: UInt64 = 0
  public var ramLowSize: UInt64 = 0
  /// Where firmware ROM starts that ends at 4 GiB; `UInt64.max` without one.
  public var romBase: UInt64 = .max
  public var physicalAddressMask: UInt64 = (1 << 40) - 1
  /// `Unmanaged<ProcessorSeams>`; never nil once the processor is made.
  public var seams = UnsafeMutableRawPointer(bitPattern: 16)!
  /// Virtual nanoseconds that extras (PAUSE, port I/O) and idle time have added, so far.
  public var addedTime: UInt64 = 0
  /// Virtual nanoseconds an instruction takes = 1 << timeShift.
  public var timeShift: UInt64 = 2
  /// log of regions (va >> 21 & 63) with large pages in the TLBs; INVLPG there flushes all.
  public var largePages: UInt64 = 0
  /// A mapping of the upper half that is not global has been used for fetching.
  public var upperHalfNotGlobal: Bool = false
  /// In the low bits of every translation in force; 1...FFF. A flush takes the next, and all others are void.
  public var translationGeneration: UInt64 = 1
  /// Generations behind the fetch keys.
  public var generationLow: UInt64 = 0
  public var generationHigh: UInt64 = 0
  public var sentinel: UInt = 0
  /// `Unmanaged<PageImages>`: the memory's journal; nil when nobody keeps checkpoints.
  public var journal: UnsafeMutableRawPointer?
  /// `Unmanaged<MemoryWatch>`: the memory's watch; nil when nothing is watched.
  public var watch: UnsafeMutableRawPointer?
  // Debugging: see Breakpoints.swift.
  /// What DR7 enables: `ArmedBreakpoints`.
  public var armedBreakpoints: UInt8 = 0
  /// Data breakpoints are noted in `debugMet`; else an instruction that meets one is restarted.
  public var debugRecords: Bool = true
  /// How SYSCALL and SYSRET answer the question whether a single-step trap follows: RFLAGS.TF after them counts.
  public var stepRule: StepRule = .flagBefore
  /// The last task switch has been committed: what faults now does so in the new task.
  public var taskSwitched: Bool = false
  /// DR6 bits of the debug trap that is to be delivered before the next instruction.
  public var debugPending: UInt64 = 0
  /// DR6 bits that the instruction under way has earned; they become pending when it retires.
  public var debugMet: UInt64 = 0
  /// Microcode-visible odds and ends that only the system module uses are kept by it, keyed by MSR number.
  public var features: (UInt64, UInt64) = (0, 0)
  /// Which of the named models the processor is; kept by the system module.
  public var modelNumber: UInt8 = 0
  /// While an instruction computes one half after the other: exceptions of SSE that are not masked wait here.
  public var collectsExceptions: Bool = false
  public var collectedExceptions: UInt32 = 0
  /// Pages of 1 GiB: a model's feature that page walks ask for.
  @inlinable public var hasGigabytePages: Bool { features.1 & 1 << 4 != 0 }
  public init() {}
}

/// A processor's state, seen from anywhere in the processor. A plain pointer: copying it costs nothing and owns nothing.
public struct CPU {
  public let p: UnsafeMutableRawPointer
  @inlinable @inline(__always) public init(_ p: UnsafeMutableRawPointer) { self.p = p }

  @inlinable @inline(__always) public var f: UnsafeMutablePointer<CPUFields> {
    (p + Layout.fields).assumingMemoryBound(to: CPUFields.self)
  }

  /// Reads a general register or slot in full.
  @inlinable @inline(__always) public func r64(_ slot: UInt8) -> UInt64 {
    p.load(fromByteOffset: Int(slot) &* 8, as: UInt64.self)
  }
  @inlinable @inline(__always) public func setR64(_ slot: UInt8, _ value: UInt64) {
    p.storeBytes(of: value, toByteOffset: Int(slot) &* 8, as: UInt64.self)
  }
  /// Reads the low bytes of a general register. Not for 8-bit registers, which have byte offsets.
  @inlinable @inline(__always) public func reg<T: FixedWidthInteger>(_ slot: UInt8, _: T.Type) -> T {
    p.load(fromByteOffset: Int(slot) &* 8, as: T.self)
  }
  /// Writes a general register as an instruction of that operand size does: 32 bits clear the upper half, 16 keep it.
  @inlinable @inline(__always) public func setReg<T: FixedWidthInteger>(_ slot: UInt8, _ value: T) {
    if MemoryLayout<T>.size == 4 {
      p.storeBytes(
        of: UInt64(truncatingIfNeeded: UInt32(truncatingIfNeeded: value)), toByteOffset: Int(slot) &* 8,
        as: UInt64.self)
    } else {
      p.storeBytes(of: value, toByteOffset: Int(slot) &* 8, as: T.self)
    }
  }
  /// An 8-bit register by byte offset (AL 0, AH 1, CL 8, …).
  @inlinable @inline(__always) public func r8(_ offset: UInt8) -> UInt8 {
    p.load(fromByteOffset: Int(offset), as: UInt8.self)
  }
  @inlinable @inline(__always) public func setR8(_ offset: UInt8, _ value: UInt8) {
    p.storeBytes(of: value, toByteOffset: Int(offset), as: UInt8.self)
  }
  @inlinable @inline(__always) public func vector(_ i: UInt8) -> UnsafeMutableRawPointer {
    p + (Layout.vectors &+ Int(i) &* 32)
  }

  /// Writes a register of 2, 4 or 8 bytes; for slow paths with a size that is a value.
  @inlinable public func setRegister(_ slot: UInt8, size: UInt8, _ value: UInt64) {
    switch size {
    case 2: setReg(slot, UInt16(truncatingIfNeeded: value))
    case 4: setReg(slot, UInt32(truncatingIfNeeded: value))
    default: setR64(slot, value)
    }
  }
  /// Reads a register of 2, 4 or 8 bytes, zero-extended.
  @inlinable public func register(_ slot: UInt8, size: UInt8) -> UInt64 {
    switch size {
    case 2: return UInt64(reg(slot, UInt16.self))
    case 4: return UInt64(reg(slot, UInt32.self))
    default: return r64(slot)
    }
  }

  @inlinable public func segmentBase(_ segment: UInt8) -> UInt64 { r64(Slot.segmentBase &+ segment) }
  @inlinable public func setSegmentBase(_ segment: UInt8, _ base: UInt64) {
    setR64(Slot.segmentBase &+ segment, base)
  }
  /// ES, CS, SS, DS, FS, GS by number.
  @inlinable public func segment(_ segment: UInt8) -> UnsafeMutablePointer<SegmentRegister> {
    (p + Layout.segments).assumingMemoryBound(to: SegmentRegister.self) + Int(segment)
  }

  @inlinable public var cs: UnsafeMutablePointer<SegmentRegister> { segment(1) }
  @inlinable public var ss: UnsafeMutablePointer<SegmentRegister> { segment(2) }

  @inlinable public var seams: ProcessorSeams {
    Unmanaged<ProcessorSeams>.fromOpaque(f.pointee.seams).takeUnretainedValue()
  }
}
