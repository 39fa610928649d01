import PC
import Trace
import X86Core
import X86System

/// Takes digests of a machine's state.
enum StateDigester {
  /// The digest now. Afterwards no page counts as written: the next digest covers what is written from here on.
  static func digest(of machine: Machine) -> StateDigest {
    StateDigest(
      registers: registers(of: machine), devices: devices(of: machine), memory: writtenMemory(of: machine))
  }

  static func registers(of machine: Machine) -> UInt64 {
    // A processor's state holds numbers only, which cannot fail to encode.
    (try? StateHashEncoder.hash(machine.processorState)) ?? 0
  }

  /// Everything that is neither RAM nor a register: devices, entropy, chaos, the processor's own odds and ends.
  static func devices(of machine: Machine) -> UInt64 {
    (try? StateHashEncoder.hash(machine.snapshot())) ?? 0
  }

  /// Hashes number and content of each page written since the last call, in ascending order.
  private static func writtenMemory(of machine: Machine) -> UInt64 {
    let memory = machine.memory
    var hash = StateHash()
    let pages = memory.pageCount
    let flags = memory.pageFlags
    // Flags are looked at eight by eight: most pages are clean.
    let dirty = UInt64(GuestMemory.PageFlags.dirty) &* 0x0101_0101_0101_0101
    var page = 0
    while page < pages {
      if page & 7 == 0, page &+ 8 <= pages,
        UnsafeRawPointer(flags + page).loadUnaligned(as: UInt64.self) & dirty == 0
      {
        page &+= 8
        continue
      }
      if flags[page] & GuestMemory.PageFlags.dirty != 0 {
        flags[page] &= ~GuestMemory.PageFlags.dirty
        hash.add(UInt64(page))
        hash.add(memory: memory.base + page * 4096, count: 4096)
      }
      page &+= 1
    }
    machine.processor.cpu.clearWriteTLBs()
    return hash.value
  }

  /// A hash of every page of RAM, without any effect on digests; for comparing end states.
  static func pageHashes(of memory: GuestMemory) -> [UInt64] {
    (0..<memory.pageCount).map { page in
      var hash = StateHash()
      hash.add(memory: memory.base + page * 4096, count: 4096)
      return hash.value
    }
  }
}
