import CoreDump
import Testing
import X86Core
import X86System

/// VMCOREINFO without the device that would tell where it lies.
struct VMCoreInfoTests {
  private func note(_ release: String, _ more: String = "") -> VMCoreInfoNote {
    VMCoreInfoNote(text: Array("OSRELEASE=\(release)\nPAGESIZE=4096\n\(more)".utf8))
  }

  @Test func notesAreReadBack() throws {
    let made = note("6.1", "SYMBOL(swapper_pg_dir)=ffffffffae0ee000\nNUMBER(phys_base)=-4096\n")
    let read = try #require(VMCoreInfoNote(parsing: made.bytes + [1, 2, 3]))
    #expect(read == made)
    #expect(read.bytes.count % 4 == 0)
    #expect(read.value(of: "OSRELEASE") == "6.1")
    #expect(read.value(of: "OSRELEAS") == nil)
    #expect(read.number(of: "SYMBOL(swapper_pg_dir)") == 0xFFFF_FFFF_AE0E_E000)
    #expect(read.number(of: "NUMBER(phys_base)") == UInt64(bitPattern: -4096))
    #expect(read.number(of: "OSRELEASE") == nil)
  }

  @Test func aNoteIsFound() throws {
    for (size, lowLimit) in [(UInt64(4 << 20), UInt64(0xC000_0000)), (4 << 20, 2 << 20)] {
      let memory = try Sample.memory(size: size, lowLimit: lowLimit)
      #expect(VMCoreInfoScanner.find(in: memory) == nil)
      let address = memory.ranges.last!.upperBound - 4096
      memory.write(address, note("6.1").bytes)
      #expect(VMCoreInfoScanner.find(in: memory) == note("6.1").bytes)
    }
  }

  @Test func aTextIsFoundAndWrapped() throws {
    let memory = try Sample.memory(size: 2 << 20)
    memory.write(0x18_0000, note("6.12").text + [0, 0x55])
    #expect(VMCoreInfoScanner.find(in: memory) == note("6.12").bytes)
  }

  @Test func whatOnlyLooksLikeItIsNot() throws {
    let memory = try #require(GuestMemory(size: 2 << 20))
    let whole = note("6.1").bytes
    memory.write(0x10_0010, whole)  // not at the start of a page
    memory.write(0x11_0000, Array("OSRELEASE=x\n".utf8))  // no PAGESIZE
    memory.write(0x12_0000, whole.prefix(4) + [0xFF, 0xFF, 0xFF, 0x7F] + whole.dropFirst(8))  // too large
    memory.write(0x13_0000, Array(whole.prefix(20)))  // cut off
    // Past the end of RAM.
    memory.write((2 << 20) - 4096, whole.prefix(4) + [0, 0xF0, 0, 0] + whole.dropFirst(8))
    #expect(VMCoreInfoScanner.find(in: memory) == nil)
  }

  /// After a reboot, the note of the kernel before may still be in RAM.
  @Test func theRunningKernelsNoteIsChosen() throws {
    let memory = try #require(GuestMemory(size: 4 << 20))
    func kernel(_ release: String, _ directory: UInt64) -> VMCoreInfoNote {
      let address = String(0xFFFF_FFFF_8000_0000 + directory, radix: 16)
      return note(release, "NUMBER(phys_base)=0\nSYMBOL(swapper_pg_dir)=\(address)\n")
    }
    memory.write(0x10_0000, kernel("old", 0x20_0000).bytes)
    memory.write(0x11_0000, kernel("new", 0x21_0000).bytes)
    memory.write(0x20_0FF8, [0x67, 0x10])
    memory.write(0x21_0FF8, [0x67, 0x20])
    memory.write(0x30_0FF8, [0x67, 0x20])
    var state = Sample.processor()
    state.cr3 = 0x30_0000
    #expect(VMCoreInfoScanner.find(in: memory, processors: [state]) == kernel("new", 0x21_0000).bytes)
    state.cr3 = 0
    #expect(VMCoreInfoScanner.find(in: memory, processors: [state]) == kernel("old", 0x20_0000).bytes)
  }
}
