import Foundation
import Testing
import X86Core
import X86Decode
import X86System

@Suite("System: real, protected and virtual-8086 mode")
struct LegacyModeTests {
  @Test("INT and IRET in real mode")
  func realMode() {
    let m = SystemMachine()
    m.cpu.setSegmentBase(1, 0)
    m.cpu.cs.pointee.selector = 0
    m.f.pointee.rip = 0x7000
    m.set(GPR.rsp, 0xABCD_8000)
    m.write32(0x21 * 4, 0x0900_0010)
    m.f.pointee.systemFlags |= RFLAGS.if
    m.run(0xCD, 0x21)
    #expect(m.cpu.cs.pointee.selector == 0x900)
    #expect(m.f.pointee.rip == 0x10)
    #expect(m.cpu.segmentBase(1) == 0x9000)
    #expect(m.register(GPR.rsp) == 0xABCD_7FFA)
    #expect(m.read(0x7FFA, size: 2) == 0x7002)
    #expect(m.cpu.rflags & RFLAGS.if == 0)
    m.run(0xCF)
    #expect(m.f.pointee.rip == 0x7002)
    #expect(m.cpu.rflags & RFLAGS.if != 0)
  }

  private func protected() -> SystemMachine {
    let m = SystemMachine()
    m.enterProtectedMode()
    m.write32(Map.tss + 4, UInt32(Map.stack0))
    m.write32(Map.tss + 8, UInt32(Map.data))
    m.set(GPR.rax, UInt64(Map.tssSelector))
    m.run(0x0F, 0x00, 0xD8)
    m.f.pointee.rip = Map.code
    return m
  }

  private func enterUser(_ m: SystemMachine) {
    m.set(GPR.rsp, 0x1F000)
    for (i, value) in [
      UInt32(Map.code), UInt32(Map.userCode32), 0x202, UInt32(Map.stack3), UInt32(Map.userData),
    ].enumerated() {
      m.write32(0x1F000 + UInt64(4 * i), value)
    }
    m.run(0xCF)
  }

  @Test("ring 3 and back through an interrupt gate")
  func rings() {
    let m = protected()
    m.setGate32(Vector.gp)
    enterUser(m)
    #expect(m.f.pointee.cpl == 3)
    // The kernel's data segments are gone.
    #expect(m.cpu.segment(3).pointee.selector == 0)
    #expect(m.run(0xF4) == .delivered(Vector.gp))
    let esp = m.register(GPR.rsp)
    #expect(esp == Map.stack0 - 24)
    #expect(m.read32(esp + 4) == Map.code)
    #expect(m.read32(esp + 16) == Map.stack3)
    #expect(m.cpu.ss.pointee.selector == Map.data)
    m.set(GPR.rsp, esp + 4)
    m.run(0xCF)
    #expect(m.f.pointee.cpl == 3)
    #expect(m.register(GPR.rsp) == Map.stack3)
  }

  @Test("call gate with parameters, far return that releases them")
  func callGate() {
    let m = protected()
    let target = Map.handlers
    m.write64(Map.gdt + UInt64(Map.callGate), target | UInt64(Map.code32) << 16 | 2 << 32 | 0xEC << 40)
    enterUser(m)
    m.set(GPR.rsp, Map.stack3 - 8)
    m.write32(Map.stack3 - 8, 0x1111)
    m.write32(Map.stack3 - 4, 0x2222)
    m.run(0x9A, 0, 0, 0, 0, UInt8(Map.callGate), 0)
    #expect(m.f.pointee.cpl == 0)
    #expect(m.f.pointee.rip == target)
    let esp = m.register(GPR.rsp)
    #expect(esp == Map.stack0 - 24)
    #expect(m.read32(esp) == Map.code + 7)
    #expect(m.read32(esp + 8) == 0x1111)
    #expect(m.read32(esp + 12) == 0x2222)
    #expect(m.read32(esp + 16) == Map.stack3 - 8)
    m.run(0xCA, 8, 0)
    #expect(m.f.pointee.cpl == 3)
    #expect(m.register(GPR.rsp) == Map.stack3)
    #expect(m.f.pointee.rip == Map.code + 7)
  }

  @Test("virtual-8086 mode: in by IRETD, out by an interrupt")
  func virtual8086() {
    let m = protected()
    m.setGate32(Vector.gp)
    m.set(GPR.rsp, 0x1F000)
    let frame: [UInt32] = [0x100, 0x700, 0x2_0202, 0x8000, 0x400, 0x11, 0x22, 0x33, 0x44]
    for (i, value) in frame.enumerated() { m.write32(0x1F000 + UInt64(4 * i), value) }
    m.run(0xCF)
    #expect(m.cpu.rflags & RFLAGS.vm != 0)
    #expect(m.f.pointee.cpl == 3)
    #expect(m.cpu.segmentBase(1) == 0x7000)
    #expect(m.cpu.segmentBase(3) == 0x220)
    #expect(m.cpu.segmentBase(5) == 0x440)
    #expect(m.run(0xFA) == .delivered(Vector.gp))  // IOPL 0
    #expect(m.cpu.rflags & RFLAGS.vm == 0)
    let esp = m.register(GPR.rsp)
    #expect(esp == Map.stack0 - 40)
    #expect(m.read32(esp + 4) == 0x100)
    #expect(m.read32(esp + 8) == 0x700)
    #expect(m.read32(esp + 16) == 0x8000)
    #expect(m.read32(esp + 24) == 0x11)
    #expect(m.read32(esp + 36) == 0x44)
    #expect(m.cpu.segment(3).pointee.selector == 0)
  }

  @Test("task switch by JMP and back by IRET from a nested CALL")
  func tasks() {
    let m = protected()
    let second: UInt64 = 0x3800
    m.write32(second + 0x20, UInt32(Map.handlers))
    m.write32(second + 0x24, 2)
    m.write32(second + 0x28, 0xAAAA)
    m.write32(second + 0x38, 0x1E000)
    for (i, selector) in [Map.data, Map.code32, Map.data, Map.data, 0, 0].enumerated() {
      m.write32(second + 0x48 + UInt64(4 * i), UInt32(selector))
    }
    m.set(GPR.rax, 0x5555)
    m.run(0x9A, 0, 0, 0, 0, UInt8(Map.secondTSS), 0)
    #expect(m.f.pointee.tr.selector == Map.secondTSS)
    #expect(m.f.pointee.rip == Map.handlers)
    #expect(m.register(GPR.rax) == 0xAAAA)
    #expect(m.register(GPR.rsp) == 0x1E000)
    #expect(m.cpu.rflags & RFLAGS.nt != 0)
    #expect(m.f.pointee.cr0 & CR0.ts != 0)
    #expect(m.read(second, size: 2) == UInt64(Map.tssSelector))
    m.run(0xCF)
    #expect(m.f.pointee.tr.selector == Map.tssSelector)
    #expect(m.register(GPR.rax) == 0x5555)
    #expect(m.f.pointee.rip == Map.code + 7)
    #expect(m.cpu.rflags & RFLAGS.nt == 0)
  }

  @Test("segment checks: limit, type, privilege, null SS")
  func segments() {
    let m = protected()
    for vector in [Vector.gp, Vector.ss, Vector.np] { m.setGate32(vector) }
    for selector: UInt64 in [0, 0x200, UInt64(Map.code32), UInt64(Map.userData)] {
      m.f.pointee.rip = Map.code
      m.set(GPR.rsp, Map.stack0)
      m.set(GPR.rax, selector)
      #expect(m.run(0x8E, 0xD0) == .delivered(Vector.gp))
      #expect(m.read32(m.register(GPR.rsp)) == selector & ~3)
    }
    m.set(GPR.rax, 0)
    m.f.pointee.rip = Map.code
    #expect(m.run(0x8E, 0xC0) == .resume)
    #expect(m.cpu.segment(0).pointee.attributes == 0)
  }

  @Test("LAR, LSL, VERR, VERW")
  func inspection() {
    let m = protected()
    m.set(GPR.rax, UInt64(Map.code32))
    m.run(0x0F, 0x02, 0xD8)
    #expect(m.register(GPR.rbx) == 0x00C0_9B00)
    #expect(m.cpu.zeroFlag)
    m.run(0x0F, 0x03, 0xD8)
    #expect(m.register(GPR.rbx) == 0xFFFF_FFFF)
    m.run(0x0F, 0x00, 0xE0)
    #expect(m.cpu.zeroFlag)
    m.run(0x0F, 0x00, 0xE8)
    #expect(!m.cpu.zeroFlag)
  }
}

@Suite("System: model and state")
struct ModelTests {
  @Test("CPUID is consistent with itself")
  func cpuid() {
    let model = ProcessorModel.default
    let basic = model.leaf(0, 0)
    #expect(basic.ebx == 0x756E_6547 && basic.edx == 0x4965_6E69 && basic.ecx == 0x6C65_746E)
    #expect(model.leaf(1, 0).eax == 0x206C1)
    let clock = model.leaf(0x15, 0)
    #expect(UInt64(clock.ecx) * UInt64(clock.ebx) / UInt64(clock.eax) == ProcessorClock.tscHz)
    var brand: [UInt8] = []
    for leaf: UInt32 in 0x8000_0002...0x8000_0004 {
      let l = model.leaf(leaf, 0)
      for word in [l.eax, l.ebx, l.ecx, l.edx] {
        brand += withUnsafeBytes(of: word.littleEndian) { [UInt8]($0) }
      }
    }
    #expect(brand.last == 0)
    #expect(String(decoding: brand.prefix { $0 != 0 }, as: UTF8.self) == model.brand)
    // Levels of the psABI that are announced are complete.
    #expect(model.decoder.isSuperset(of: .x86_64_v2))
    // A leaf that is not there answers as the highest one.
    #expect(model.leaf(0x1234, 0) == model.leaf(basic.eax, 0))
  }

  @Test("the TSC is virtual time and can be written")
  func timeStampCounter() {
    let m = SystemMachine()
    m.enterLongMode()
    let start = m.cpu.timeStampCounter
    m.cpu.addTime(5_000)
    #expect(m.cpu.timeStampCounter == start + 5_000)
    #expect(m.cpu.writeMSR(MSR.timeStampCounter, 1 << 40))
    #expect(m.cpu.timeStampCounter == 1 << 40)
    let adjust = m.cpu.readMSR(MSR.tscAdjust)!
    #expect(m.cpu.writeMSR(MSR.tscAdjust, 0))
    #expect(m.cpu.timeStampCounter == (1 << 40) &- adjust)
    m.run(0x0F, 0x31)
    #expect(m.register(GPR.rdx) << 32 | m.register(GPR.rax) >= (1 << 40) &- adjust)
  }

  @Test("unknown MSRs do not exist; reserved bits are refused")
  func msrs() {
    let m = SystemMachine()
    for msr: UInt32 in [0, 0x12345, 0x4B56_4D00, 0xC001_0015] {
      #expect(m.cpu.readMSR(msr) == nil)
      #expect(!m.cpu.writeMSR(msr, 0))
    }
    #expect(!m.cpu.writeMSR(MSR.pat, 2))
    #expect(!m.cpu.writeMSR(MSR.mtrrDefType, 1 << 9))
    #expect(m.cpu.writeMSR(MSR.mtrrDefType, 0xC06))
    #expect(m.cpu.readMSR(MSR.mtrrDefType) == 0xC06)
    #expect(!m.cpu.writeMSR(MSR.efer, 1 << 12))
    m.cpu.setFirmwareMTRRs()
    #expect(m.cpu.readMSR(0x26F) == 0x0505_0505_0505_0505)
    #expect(m.cpu.readMSR(0x201) == 0xFF_C000_0800)
  }

  @Test("the state survives a round trip through JSON")
  func state() throws {
    let m = SystemMachine()
    m.enterLongMode()
    m.set(GPR.rbx, 0xDEAD_BEEF_0000_0001)
    m.cpu.vector(7).storeBytes(of: 0x0123_4567_89AB_CDEF, as: UInt64.self)
    _ = m.cpu.writeMSR(MSR.pat, 0x0007_0106_0007_0106)
    let state = m.cpu.state
    let copy = try JSONDecoder().decode(ProcessorState.self, from: JSONEncoder().encode(state))
    #expect(copy == state)
    let other = SystemMachine()
    other.cpu.state = copy
    #expect(other.cpu.state == state)
    #expect(other.is64Bit)
    #expect(other.f.pointee.fetchKeyLow & 63 == m.f.pointee.fetchKeyLow & 63)
  }
}
