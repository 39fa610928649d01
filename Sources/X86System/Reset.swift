import X86Core
import X86Decode

extension CPU {
  /// Power-up and RESET state (SDM 3A table 9-1). Links to the world (RAM, seams, time, counts) stay.
  /// - Parameter model: what CPUID and the decoder are to tell; kept until the next reset.
  public func resetState(_ model: ProcessorModel = .default) {
    let f = f
    precondition(MemoryLayout<CPUFields>.size <= MSRStore.offset - Layout.fields)
    for i: UInt8 in 0..<16 { setR64(i, 0) }
    setR64(GPR.rdx, UInt64(model.signature))
    setR64(Slot.zero, 0)
    setR64(Slot.mask16, 0xFFFF)
    setR64(Slot.mask32, 0xFFFF_FFFF)
    setR64(Slot.mask64, .max)
    setStatusFlags(0)
    f.pointee.systemFlags = 2
    f.pointee.rip = 0xFFF0

    for i: UInt8 in 0..<6 {
      segment(i).pointee = SegmentRegister(selector: 0, attributes: 0x93, limit: 0xFFFF)
      setSegmentBase(i, 0)
    }
    cs.pointee.selector = 0xF000
    setSegmentBase(1, 0xFFFF_0000)
    var table = TableRegister()
    table.limit = 0xFFFF
    f.pointee.gdtr = table
    f.pointee.idtr = table
    table.attributes = 0x82
    f.pointee.ldtr = table
    table.attributes = 0x8B
    f.pointee.tr = table

    f.pointee.cr0 = CR0.cd | CR0.nw | CR0.et
    f.pointee.cr2 = 0
    f.pointee.cr3 = 0
    f.pointee.cr4 = 0
    f.pointee.efer = 0
    f.pointee.xcr0 = 1
    f.pointee.xss = 0
    f.pointee.pkru = 0
    f.pointee.pkrs = 0
    f.pointee.pdpte = (0, 0, 0, 0)
    f.pointee.dr = (0, 0, 0, 0)
    f.pointee.dr6 = DR6.fixed
    f.pointee.dr7 = DR7.fixed
    f.pointee.debugPending = 0
    f.pointee.debugMet = 0
    updateBreakpoints()
    f.pointee.cpl = 0
    f.pointee.enteredUserMode = false
    f.pointee.nmiPending = false
    f.pointee.nmiBlocked = false
    f.pointee.shadowCount = -1
    f.pointee.shadowIsStack = false
    f.pointee.physicalAddressMask = (1 << 40) - 1

    f.pointee.mxcsr = 0x1F80
    f.pointee.x87Control = 0x40
    f.pointee.x87Status = 0
    f.pointee.x87Top = 0
    f.pointee.x87Empty = 0
    f.pointee.x87Opcode = 0
    f.pointee.x87InstructionPointer = 0
    f.pointee.x87InstructionSelector = 0
    f.pointee.x87DataPointer = 0
    f.pointee.x87DataSelector = 0
    (p + Layout.vectors).initializeMemory(as: UInt8.self, repeating: 0, count: 16 * 32)
    (p + Layout.x87).initializeMemory(as: UInt8.self, repeating: 0, count: 8 * 16)

    f.pointee.star = 0
    f.pointee.lstar = 0
    f.pointee.cstar = 0
    f.pointee.sfmask = 0
    f.pointee.kernelGSBase = 0
    f.pointee.sysenterCS = 0
    f.pointee.sysenterESP = 0
    f.pointee.sysenterEIP = 0
    f.pointee.tscAux = 0
    // The counter starts at zero: virtual time does not.
    f.pointee.tscOffset = 0
    f.pointee.tscOffset = 0 &- timeStampCounter
    f.pointee.pat = 0x0007_0406_0007_0406
    // Fast strings; no branch trace store, no PEBS.
    f.pointee.miscEnable = 1 | 1 << 11 | 1 << 12
    for i in 0..<MSRStore.count { setMSRWord(i, 0) }
    setMSRWord(MSRStore.microcode, 1 << 32)

    f.pointee.features = (model.decoder.rawValue, model.features.rawValue)
    f.pointee.modelNumber = model.number
    updateMode()
  }
}
