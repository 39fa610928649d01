import Testing
import X86Core
import X86Decode
import X86System

@Suite("System: 64-bit mode")
struct LongModeTests {
  @Test("power-up to 64-bit mode by instructions alone")
  func boot() {
    let m = SystemMachine()
    #expect(m.f.pointee.rip == 0xFFF0)
    #expect(m.cpu.segmentBase(1) == 0xFFFF_0000)
    m.enterLongMode()
    #expect(m.is64Bit)
    #expect(m.f.pointee.efer & EFER.lma != 0)
    #expect(m.cpu.cs.pointee.selector == Map.code64)
    #expect(m.f.pointee.tr.selector == Map.tssSelector)
    #expect(m.f.pointee.tr.base == Map.tss)
    #expect(m.read(Map.gdt + 0x38 + 5, size: 1) == 0x8B)  // busy
  }

  @Test("exception in ring 3 and IRETQ")
  func ringThree() {
    let m = SystemMachine()
    m.enterLongMode()
    m.setGate64(Vector.gp)
    m.enterUser64()
    #expect(m.f.pointee.cpl == 3)
    #expect(m.f.pointee.rip == Map.code)
    #expect(m.register(GPR.rsp) == Map.stack3)
    #expect(m.run(0xFA) == .delivered(Vector.gp))  // cli
    #expect(m.f.pointee.cpl == 0)
    #expect(m.f.pointee.rip == m.handler(Vector.gp))
    #expect(m.cpu.ss.pointee.selector == 0)
    #expect(m.cpu.rflags & RFLAGS.if == 0)
    let rsp = m.register(GPR.rsp)
    #expect(rsp == Map.stack0 - 48)
    #expect(m.read64(rsp) == 0)
    #expect(m.read64(rsp + 8) == Map.code)
    #expect(m.read64(rsp + 16) == UInt64(Map.userCode64))
    #expect(m.read64(rsp + 24) == 0x202 | RFLAGS.rf)
    #expect(m.read64(rsp + 32) == Map.stack3)
    #expect(m.read64(rsp + 40) == UInt64(Map.userData))
    m.set(GPR.rsp, rsp + 8)
    m.run(0x48, 0xCF)
    #expect(m.f.pointee.cpl == 3)
    #expect(m.register(GPR.rsp) == Map.stack3)
    #expect(m.cpu.ss.pointee.selector == Map.userData)
    #expect(m.cpu.rflags & RFLAGS.if != 0)
  }

  @Test("IST, alignment of the stack, NMI blocked until IRET")
  func interruptStack() {
    let m = SystemMachine()
    m.enterLongMode()
    m.setGate64(Vector.nmi, ist: 1)
    m.setGate64(0x40)
    m.set(GPR.rsp, 0x1F005)
    #expect(m.cpu.deliver(Vector.nmi, errorCode: nil, kind: FaultKind.external))
    #expect(m.register(GPR.rsp) == Map.ist1 - 40)
    #expect(m.f.pointee.nmiBlocked)
    m.run(0x48, 0xCF)
    #expect(!m.f.pointee.nmiBlocked)
    #expect(m.register(GPR.rsp) == 0x1F005)
    #expect(m.cpu.deliver(0x40, errorCode: nil, kind: FaultKind.external))
    #expect(m.register(GPR.rsp) == 0x1F000 - 40)
    #expect(m.read64(m.register(GPR.rsp) + 16) & RFLAGS.rf == 0)
  }

  @Test("page fault: CR2, error code, and as the second of two")
  func pageFault() {
    let m = SystemMachine()
    m.enterLongMode()
    m.setGate64(Vector.pf)
    m.setGate64(Vector.df)
    m.set(GPR.rax, 0x1234_5678)
    #expect(m.run(0x0F, 0x01, 0x10) == .delivered(Vector.pf))  // lgdt [rax]
    #expect(m.f.pointee.cr2 == 0x1234_5678)
    #expect(m.read64(m.register(GPR.rsp)) == 0)
    // An unmapped stack turns the page fault of delivery into a double fault, which shuts down there too.
    m.f.pointee.rip = Map.code
    m.set(GPR.rsp, 0x5000_0000)
    #expect(m.run(0x0F, 0x01, 0x10) == .shutdown)
    m.setGate64(Vector.df, ist: 1)
    m.f.pointee.rip = Map.code
    #expect(m.run(0x0F, 0x01, 0x10) == .delivered(Vector.pf))
    #expect(m.f.pointee.rip == m.handler(Vector.df))
    #expect(m.f.pointee.cr2 == 0x5000_0000 - 8)
    #expect(m.read64(m.register(GPR.rsp)) == 0)
  }

  @Test("a benign exception followed by another is delivered in turn")
  func serial() {
    let m = SystemMachine()
    m.enterLongMode()
    m.setGate64(Vector.ud, present: false)
    m.setGate64(Vector.np)
    m.run(0x0F, 0x0B)
    #expect(m.f.pointee.rip == m.handler(Vector.np))
    // IDT entry, external event: EXT.
    #expect(m.read64(m.register(GPR.rsp)) == UInt64(Vector.ud) << 3 | 3)
    #expect(m.read64(m.register(GPR.rsp) + 8) == Map.code)
  }

  @Test("INT n: gate privilege, return address behind it; its faults are at it")
  func softwareInterrupt() {
    let m = SystemMachine()
    m.enterLongMode()
    m.setGate64(0x80, dpl: 3)
    m.setGate64(0x81, dpl: 0)
    m.setGate64(Vector.gp)
    m.enterUser64()
    #expect(m.run(0xCD, 0x80) == .delivered(0x80))
    #expect(m.read64(m.register(GPR.rsp)) == Map.code + 2)
    m.run(0x48, 0xCF)
    m.f.pointee.rip = Map.code
    m.run(0xCD, 0x81)
    #expect(m.f.pointee.rip == m.handler(Vector.gp))
    #expect(m.read64(m.register(GPR.rsp)) == 0x81 << 3 | 2)
    #expect(m.read64(m.register(GPR.rsp) + 8) == Map.code)
  }

  @Test("SYSCALL and SYSRET; SYSRET checks RCX in ring 0")
  func fastSystemCall() {
    let m = SystemMachine()
    m.enterLongMode()
    m.setGate64(Vector.gp)
    #expect(m.cpu.writeMSR(MSR.star, 0x0020_0008 << 32))
    #expect(m.cpu.writeMSR(MSR.lstar, 0xFFFF_8000_0000_1000) == true)
    #expect(m.cpu.writeMSR(MSR.lstar, 0x1_0000_0000_0000_0) == false)
    #expect(m.cpu.writeMSR(MSR.lstar, Map.handlers))
    #expect(m.cpu.writeMSR(MSR.fmask, RFLAGS.if | RFLAGS.tf))
    m.enterUser64()
    m.run(0x0F, 0x05)
    #expect(m.f.pointee.rip == Map.handlers)
    #expect(m.f.pointee.cpl == 0)
    #expect(m.register(GPR.rcx) == Map.code + 2)
    #expect(m.register(11) == 0x202)
    #expect(m.cpu.rflags == 2)
    #expect(m.cpu.ss.pointee.selector == 0x10)
    m.run(0x48, 0x0F, 0x07)
    #expect(m.f.pointee.rip == Map.code + 2)
    #expect(m.f.pointee.cpl == 3)
    #expect(m.cpu.cs.pointee.selector == 0x33)
    #expect(m.cpu.ss.pointee.selector == 0x2B)
    m.run(0x0F, 0x05)
    m.set(GPR.rsp, Map.stack0)
    m.set(GPR.rcx, 0x8000_0000_0000)
    #expect(m.run(0x48, 0x0F, 0x07) == .delivered(Vector.gp))
    #expect(m.read64(m.register(GPR.rsp) + 16) == 8)
    #expect(m.read64(m.register(GPR.rsp) + 8) == Map.handlers)
  }

  @Test("to compatibility mode by RETF and back by far JMP")
  func compatibility() {
    let m = SystemMachine()
    m.enterLongMode()
    m.set(GPR.rsp, 0x1F000)
    m.write32(0x1F000, 0x7000)
    m.write32(0x1F004, UInt32(Map.code32))
    m.run(0xCB)
    #expect(!m.is64Bit)
    #expect(m.f.pointee.codeMode & CodeMode.bits32 != 0)
    #expect(m.f.pointee.rip == 0x7000)
    m.run(0xEA, 0x00, 0x80, 0, 0, UInt8(Map.code64), 0)
    #expect(m.is64Bit)
    #expect(m.f.pointee.rip == Map.code)
  }

  @Test("SWAPGS, FS base, FSGSBASE under CR4")
  func bases() {
    let m = SystemMachine()
    m.enterLongMode()
    m.setGate64(Vector.ud)
    #expect(m.cpu.writeMSR(MSR.gsBase, 0x1111))
    #expect(m.cpu.writeMSR(MSR.kernelGSBase, 0xFFFF_8880_0000_0000))
    m.run(0x0F, 0x01, 0xF8)
    #expect(m.cpu.readMSR(MSR.gsBase) == 0xFFFF_8880_0000_0000)
    #expect(m.cpu.readMSR(MSR.kernelGSBase) == 0x1111)
    #expect(m.run(0xF3, 0x48, 0x0F, 0xAE, 0xC8) == .delivered(Vector.ud))  // rdgsbase rax
    m.set(GPR.rax, m.f.pointee.cr4 | CR4.fsgsbase)
    m.run(0x0F, 0x22, 0xE0)
    m.run(0xF3, 0x48, 0x0F, 0xAE, 0xC8)
    #expect(m.register(GPR.rax) == 0xFFFF_8880_0000_0000)
  }

  @Test("STI shadow and POPF's limits in ring 3")
  func flags() {
    let m = SystemMachine()
    m.enterLongMode()
    let before = Int64(m.count)
    m.f.pointee.interruptPending = true
    #expect(m.run(0xFB) == .resume)
    #expect(m.f.pointee.shadowCount == before + 1)
    #expect(Int64(m.count) == before + 1)
    m.f.pointee.interruptPending = false
    m.enterUser64(flags: 0x202)
    m.write64(Map.stack3, 0x3000 | RFLAGS.cf | RFLAGS.id)
    m.run(0x9D)
    #expect(m.cpu.rflags == 0x202 | RFLAGS.cf | RFLAGS.id)
    #expect(m.register(GPR.rsp) == Map.stack3 + 8)
    m.run(0x9C)
    #expect(m.read64(Map.stack3) == 0x202 | RFLAGS.cf | RFLAGS.id)
  }

  @Test(
    "control registers refuse what the manual forbids",
    arguments: [
      (0xC0, CR0.pg), (0xC0, CR0.nw | CR0.pe | CR0.pg), (0xC0, 1 << 32), (0xE0, 0), (0xE0, 1 << 63),
      (0xD8, 1 << 60), (0xE0, CR4.pae | CR4.vmxe),
    ] as [(UInt8, UInt64)])
  func controlRegisters(_ modRM: UInt8, _ value: UInt64) {
    let m = SystemMachine()
    m.enterLongMode()
    m.setGate64(Vector.gp)
    let state = (m.f.pointee.cr0, m.f.pointee.cr3, m.f.pointee.cr4)
    m.set(GPR.rax, value)
    #expect(m.run(0x0F, 0x22, modRM) == .delivered(Vector.gp))
    #expect(state == (m.f.pointee.cr0, m.f.pointee.cr3, m.f.pointee.cr4))
  }

  @Test("ports: time passes, IOPL and bitmap count, REP OUTSB one at a time")
  func ports() {
    let m = SystemMachine()
    m.enterLongMode()
    m.setGate64(Vector.gp)
    m.set(GPR.rax, 0xFFFF_FFFF_FFFF_FF41)
    m.set(GPR.rdx, 0x3F8)
    m.run(0xEE)
    #expect(m.f.pointee.addedTime == 1000)
    #expect(m.seams.writes.count == 1 && m.seams.writes[0].value == 0x41)
    m.seams.inputValue = 0x1234_5678
    m.run(0xED)
    #expect(m.register(GPR.rax) == 0x1234_5678)

    m.memory.write(0x6000, Array("panic".utf8))
    m.set(GPR.rsi, 0x6000)
    m.set(GPR.rcx, 5)
    let rip = m.f.pointee.rip
    let count = m.count
    for i in 1...5 {
      m.run(0xF3, 0x6E)
      #expect(m.count == count + i)
      #expect(m.f.pointee.rip == (i < 5 ? rip : rip + 2))
    }
    #expect(m.register(GPR.rcx) == 0)
    #expect(m.register(GPR.rsi) == 0x6005)
    #expect(m.seams.writes.dropFirst().map { UInt8($0.value) } == Array("panic".utf8))

    m.enterUser64()
    #expect(m.run(0xEC) == .delivered(Vector.gp))
    // With a bitmap that allows 3F8.
    let tss = Map.tss
    m.write32(tss + 100, 0x68 << 16)
    m.f.pointee.tr.limit = 0x68 + 0x2000
    m.memory.write(tss + 0x68 + 0x3F8 / 8, [0xFE, 0xFF])
    m.enterUser64()
    #expect(m.run(0xEC) == .resume)
    #expect(m.run(0xED) == .delivered(Vector.gp))
  }

  @Test("IA32_SPEC_CTRL takes what CPUID announces, BHI_DIS_S among it")
  func speculationControl() {
    let m = SystemMachine()
    m.enterLongMode()
    let model = ProcessorModel.default
    #expect(model.leaf(7, 0).eax == 2)
    #expect(model.leaf(7, 2).edx == 1 << 4)
    #expect(m.cpu.writeMSR(MSR.specCtrl, 1 | 1 << 10))
    #expect(m.cpu.readMSR(MSR.specCtrl) == 1 | 1 << 10)
    #expect(!m.cpu.writeMSR(MSR.specCtrl, 1 << 11))
    #expect(m.cpu.readMSR(MSR.specCtrl) == 1 | 1 << 10)
  }

  @Test("x2APIC mode cannot be entered on a model without it")
  func noX2APIC() {
    let m = SystemMachine()
    #expect(ProcessorModel.default.leaf(1, 0).ecx & 1 << 21 == 0)
    #expect(!m.cpu.writeMSR(MSR.apicBase, 0xFEE0_0D00))
  }

  @Test("UMIP keeps SIDT from ring 3")
  func umip() {
    let m = SystemMachine()
    m.enterLongMode()
    m.setGate64(Vector.gp)
    m.set(GPR.rax, m.f.pointee.cr4 | CR4.umip)
    m.run(0x0F, 0x22, 0xE0)
    m.run(0x0F, 0x01, 0x0C, 0x25, 0x00, 0x60, 0, 0)  // sidt [6000]
    #expect(m.read(0x6000, size: 2) == 0xFFF)
    #expect(m.read64(0x6002) == Map.idt)
    m.enterUser64()
    #expect(m.run(0x0F, 0x01, 0x0C, 0x25, 0x00, 0x60, 0, 0) == .delivered(Vector.gp))
  }
}
