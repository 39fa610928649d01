import X86Core
import X86System

/// The notes of a vmcore.
///
/// An ELF note is a header of three 32-bit words (size of name, size of descriptor, type), the name with its final
/// zero, and the descriptor, name and descriptor padded to four bytes each.
enum ELFNote {
  static let headerSize = 12

  static func padded(_ count: Int) -> Int { (count + 3) & ~3 }

  static func append(name: String, type: UInt32, descriptor: ELFBytes, to notes: inout ELFBytes) {
    let name = Array(name.utf8) + [0]
    notes.u32(UInt32(name.count))
    notes.u32(UInt32(descriptor.bytes.count))
    notes.u32(type)
    notes.bytes += name
    notes.align(4)
    notes.bytes += descriptor.bytes
    notes.align(4)
  }

  /// NT_PRSTATUS as Linux's `elf_prstatus` on x86-64: process number at 32, `user_regs_struct` at 112, 336 bytes.
  static func prStatus(_ state: ProcessorState, number: Int) -> ELFBytes {
    var d = ELFBytes()
    d.zeros(32)
    d.u32(UInt32(truncatingIfNeeded: number + 1))
    d.zeros(112 - d.bytes.count)
    let general: [GeneralRegister] = [
      .r15, .r14, .r13, .r12, .rbp, .rbx, .r11, .r10, .r9, .r8, .rax, .rcx, .rdx, .rsi, .rdi,
    ]
    for register in general { d.u64(state[register]) }
    d.u64(0)  // orig_rax: no system call to restart
    d.u64(state.rip)
    d.u64(UInt64(state[.cs].register.selector))
    d.u64(state.rflags)
    d.u64(state[.rsp])
    d.u64(UInt64(state[.ss].register.selector))
    d.u64(state[.fs].base)
    d.u64(state[.gs].base)
    for segment in [SegmentIndex.ds, .es, .fs, .gs] { d.u64(UInt64(state[segment].register.selector)) }
    d.zeros(336 - d.bytes.count)  // pr_fpvalid and padding
    return d
  }

  /// QEMU's note of the processor's system state, version 1 with the kernel's GS base: 440 bytes.
  static func qemu(_ state: ProcessorState) -> ELFBytes {
    var d = ELFBytes()
    d.u32(1)
    d.u32(440)
    let general: [GeneralRegister] = [
      .rax, .rbx, .rcx, .rdx, .rsi, .rdi, .rsp, .rbp, .r8, .r9, .r10, .r11, .r12, .r13, .r14, .r15,
    ]
    for register in general { d.u64(state[register]) }
    d.u64(state.rip)
    d.u64(state.rflags)
    for index in [SegmentIndex.cs, .ds, .es, .fs, .gs, .ss] {
      let segment = state[index]
      d.segment(
        segment.register.selector, segment.register.limit, segment.register.attributes, segment.base)
    }
    for table in [state.ldtr, state.tr, state.gdtr, state.idtr] {
      d.segment(table.selector, table.limit, table.attributes, table.base)
    }
    for control in [state.cr0, 0, state.cr2, state.cr3, state.cr4] { d.u64(control) }
    d.u64(state.kernelGSBase)
    return d
  }

  /// All notes of a dump: first NT_PRSTATUS of each processor, then QEMU's, then the guest's own.
  static func all(_ image: CoreImage) -> [UInt8] {
    var notes = ELFBytes()
    for (number, state) in image.processors.enumerated() {
      append(name: "CORE", type: 1, descriptor: prStatus(state, number: number), to: &notes)
    }
    for state in image.processors { append(name: "QEMU", type: 0, descriptor: qemu(state), to: &notes) }
    if let given = image.vmcoreinfo, let note = VMCoreInfoNote(parsing: given) { notes.bytes += note.bytes }
    return notes.bytes
  }
}

/// Places in `ProcessorState.general`.
private enum GeneralRegister: Int {
  case rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
}

/// Places in `ProcessorState.segments`.
private enum SegmentIndex: Int { case es, cs, ss, ds, fs, gs }

extension ProcessorState {
  fileprivate subscript(_ register: GeneralRegister) -> UInt64 {
    register.rawValue < general.count ? general[register.rawValue] : 0
  }
  fileprivate subscript(_ index: SegmentIndex) -> Segment {
    index.rawValue < segments.count ? segments[index.rawValue] : Segment(base: 0, register: SegmentRegister())
  }
}

/// Little-endian bytes of ELF structures.
struct ELFBytes {
  var bytes: [UInt8] = []

  mutating func u16(_ value: UInt16) { integer(value) }
  mutating func u32(_ value: UInt32) { integer(value) }
  mutating func u64(_ value: UInt64) { integer(value) }
  mutating func zeros(_ count: Int) { bytes += [UInt8](repeating: 0, count: max(0, count)) }
  mutating func align(_ alignment: Int) { zeros((alignment - bytes.count % alignment) % alignment) }

  /// QEMU's form of a segment: the flags are the second word of its descriptor (SDM 3A 3.4.5), bits 8–15 and 20–23.
  fileprivate mutating func segment(_ selector: UInt16, _ limit: UInt32, _ attributes: UInt16, _ base: UInt64) {
    u32(UInt32(selector))
    u32(limit)
    u32((UInt32(attributes) << 8) & 0x00F0_FF00)
    u32(0)
    u64(base)
  }

  private mutating func integer<T: FixedWidthInteger>(_ value: T) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }
}
