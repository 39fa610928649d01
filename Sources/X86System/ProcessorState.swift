import X86Core
import X86Decode

/// All of a processor that a guest can see, as a value: for checkpoints, dumps, digests and debuggers. Pending requests
/// from outside (INTR) and caches are not in it.
public struct ProcessorState: Codable, Equatable {
  /// A segment register with its hidden part.
  public struct Segment: Codable, Equatable {
    public var base: UInt64
    public var register: SegmentRegister

    public init(base: UInt64, register: SegmentRegister) {
      self.base = base
      self.register = register
    }
  }

  /// RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8–R15.
  public var general: [UInt64] = []
  public var rip: UInt64 = 0
  public var rflags: UInt64 = 2
  /// ES, CS, SS, DS, FS, GS.
  public var segments: [Segment] = []
  public var gdtr = TableRegister()
  public var idtr = TableRegister()
  public var ldtr = TableRegister()
  public var tr = TableRegister()
  public var cpl: UInt8 = 0

  public var cr0: UInt64 = 0
  public var cr2: UInt64 = 0
  public var cr3: UInt64 = 0
  public var cr4: UInt64 = 0
  public var efer: UInt64 = 0
  public var xcr0: UInt64 = 1
  public var pkru: UInt32 = 0
  public var pdptes: [UInt64] = []
  /// DR0–DR3, DR6, DR7.
  public var debug: [UInt64] = []

  /// XMM0–15 with the upper halves of YMM, four words a register, lowest first.
  public var vectors: [UInt64] = []
  public var mxcsr: UInt32 = 0x1F80
  /// Physical x87 registers, two words each: mantissa, sign and exponent.
  public var x87: [UInt64] = []
  public var x87Control: UInt16 = 0x37F
  /// Without TOP.
  public var x87Status: UInt16 = 0
  public var x87Top: UInt8 = 0
  /// A bit a physical register: 1 is empty.
  public var x87Empty: UInt8 = 0xFF
  public var x87Opcode: UInt16 = 0
  public var x87InstructionPointer: UInt64 = 0
  public var x87InstructionSelector: UInt16 = 0
  public var x87DataPointer: UInt64 = 0
  public var x87DataSelector: UInt16 = 0

  public var star: UInt64 = 0
  public var lstar: UInt64 = 0
  public var cstar: UInt64 = 0
  public var fmask: UInt64 = 0
  public var kernelGSBase: UInt64 = 0
  public var sysenterCS: UInt64 = 0
  public var sysenterESP: UInt64 = 0
  public var sysenterEIP: UInt64 = 0
  public var tscAux: UInt64 = 0
  public var tscOffset: UInt64 = 0
  public var pat: UInt64 = 0
  public var miscEnable: UInt64 = 0
  public var xss: UInt64 = 0
  /// The MSRs that only hold values; see `MSRStore`.
  public var storedMSRs: [UInt64] = []

  public var a20Mask: UInt64 = .max
  public var nmiPending = false
  public var nmiBlocked = false
  /// The instruction count up to which a shadow holds off interrupts, −1 for none.
  public var shadowCount: Int64 = -1
  public var shadowIsStack = false
  /// DR6 bits of a debug trap that comes before the next instruction; nil for none.
  public var debugPending: UInt64?
  /// IA32_PKRS; nil for 0.
  public var pkrs: UInt32?
  /// `CPUFeatures` and `ModelFeatures`.
  public var features: [UInt64] = []

  public init() {}
}

extension CPU {
  /// The state between two instructions. Setting it recomputes modes and empties the TLBs.
  public var state: ProcessorState {
    get {
      let f = f.pointee
      var s = ProcessorState()
      s.general = (0..<16).map { r64($0) }
      s.rip = f.rip
      s.rflags = rflags
      s.segments = (0..<6).map { .init(base: segmentBase($0), register: segment($0).pointee) }
      (s.gdtr, s.idtr, s.ldtr, s.tr) = (f.gdtr, f.idtr, f.ldtr, f.tr)
      s.cpl = f.cpl
      (s.cr0, s.cr2, s.cr3, s.cr4) = (f.cr0, f.cr2, f.cr3, f.cr4)
      (s.efer, s.xcr0, s.pkru) = (f.efer, f.xcr0, f.pkru)
      s.pdptes = [f.pdpte.0, f.pdpte.1, f.pdpte.2, f.pdpte.3]
      s.debug = [f.dr.0, f.dr.1, f.dr.2, f.dr.3, f.dr6, f.dr7]
      s.vectors = words(Layout.vectors, 64)
      s.mxcsr = f.mxcsr
      s.x87 = words(Layout.x87, 16)
      (s.x87Control, s.x87Status, s.x87Top, s.x87Empty) = (f.x87Control, f.x87Status, f.x87Top, f.x87Empty)
      s.x87Opcode = f.x87Opcode
      (s.x87InstructionPointer, s.x87InstructionSelector) = (
        f.x87InstructionPointer, f.x87InstructionSelector
      )
      (s.x87DataPointer, s.x87DataSelector) = (f.x87DataPointer, f.x87DataSelector)
      (s.star, s.lstar, s.cstar, s.fmask, s.kernelGSBase) = (
        f.star, f.lstar, f.cstar, f.sfmask, f.kernelGSBase
      )
      (s.sysenterCS, s.sysenterESP, s.sysenterEIP) = (f.sysenterCS, f.sysenterESP, f.sysenterEIP)
      (s.tscAux, s.tscOffset, s.pat, s.miscEnable, s.xss) = (
        f.tscAux, f.tscOffset, f.pat, f.miscEnable, f.xss
      )
      s.storedMSRs = words(MSRStore.offset, MSRStore.count)
      s.a20Mask = f.a20Mask
      (s.nmiPending, s.nmiBlocked) = (f.nmiPending, f.nmiBlocked)
      (s.shadowCount, s.shadowIsStack) = (f.shadowCount, f.shadowIsStack)
      s.debugPending = f.debugPending == 0 ? nil : f.debugPending
      s.pkrs = f.pkrs == 0 ? nil : f.pkrs
      s.features = [f.features.0, f.features.1]
      return s
    }
    nonmutating set {
      let s = newValue
      let f = f
      for (i, value) in s.general.prefix(16).enumerated() { setR64(UInt8(i), value) }
      f.pointee.rip = s.rip
      setStatusFlags(s.rflags)
      f.pointee.systemFlags = s.rflags & ~RFLAGS.status | 2
      for (i, value) in s.segments.prefix(6).enumerated() {
        segment(UInt8(i)).pointee = value.register
        setSegmentBase(UInt8(i), value.base)
      }
      (f.pointee.gdtr, f.pointee.idtr, f.pointee.ldtr, f.pointee.tr) = (s.gdtr, s.idtr, s.ldtr, s.tr)
      f.pointee.cpl = s.cpl & 3
      (f.pointee.cr0, f.pointee.cr2, f.pointee.cr3, f.pointee.cr4) = (s.cr0, s.cr2, s.cr3, s.cr4)
      (f.pointee.efer, f.pointee.xcr0, f.pointee.pkru) = (s.efer, s.xcr0, s.pkru)
      if s.pdptes.count == 4 { f.pointee.pdpte = (s.pdptes[0], s.pdptes[1], s.pdptes[2], s.pdptes[3]) }
      if s.debug.count == 6 {
        f.pointee.dr = (s.debug[0], s.debug[1], s.debug[2], s.debug[3])
        (f.pointee.dr6, f.pointee.dr7) = (s.debug[4], s.debug[5])
      }
      f.pointee.debugPending = s.debugPending ?? 0
      f.pointee.debugMet = 0
      f.pointee.pkrs = s.pkrs ?? 0
      setWords(Layout.vectors, 64, s.vectors)
      f.pointee.mxcsr = s.mxcsr
      setWords(Layout.x87, 16, s.x87)
      f.pointee.x87Control = s.x87Control
      f.pointee.x87Status = s.x87Status
      f.pointee.x87Top = s.x87Top & 7
      f.pointee.x87Empty = s.x87Empty
      f.pointee.x87Opcode = s.x87Opcode
      f.pointee.x87InstructionPointer = s.x87InstructionPointer
      f.pointee.x87InstructionSelector = s.x87InstructionSelector
      f.pointee.x87DataPointer = s.x87DataPointer
      f.pointee.x87DataSelector = s.x87DataSelector
      (f.pointee.star, f.pointee.lstar, f.pointee.cstar) = (s.star, s.lstar, s.cstar)
      (f.pointee.sfmask, f.pointee.kernelGSBase) = (s.fmask, s.kernelGSBase)
      f.pointee.sysenterCS = s.sysenterCS
      f.pointee.sysenterESP = s.sysenterESP
      f.pointee.sysenterEIP = s.sysenterEIP
      (f.pointee.tscAux, f.pointee.tscOffset, f.pointee.pat) = (s.tscAux, s.tscOffset, s.pat)
      (f.pointee.miscEnable, f.pointee.xss) = (s.miscEnable, s.xss)
      setWords(MSRStore.offset, MSRStore.count, s.storedMSRs)
      f.pointee.a20Mask = s.a20Mask
      (f.pointee.nmiPending, f.pointee.nmiBlocked) = (s.nmiPending, s.nmiBlocked)
      (f.pointee.shadowCount, f.pointee.shadowIsStack) = (s.shadowCount, s.shadowIsStack)
      if s.features.count == 2 { f.pointee.features = (s.features[0], s.features[1]) }
      updateBreakpoints()
      updateMode()
      flushTLB()
    }
  }

  private func words(_ offset: Int, _ count: Int) -> [UInt64] {
    (0..<count).map { p.load(fromByteOffset: offset + $0 * 8, as: UInt64.self) }
  }
  private func setWords(_ offset: Int, _ count: Int, _ values: [UInt64]) {
    for (i, value) in values.prefix(count).enumerated() {
      p.storeBytes(of: value, toByteOffset: offset + i * 8, as: UInt64.self)
    }
  }
}
