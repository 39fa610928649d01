import Foundation
import Testing
import X86
import X86Core
import X86System

/// Handlers jump to one another; one that calls the next would eat the host's stack as long as a guest stays in a loop.
@Suite("Driver: chains of handlers") struct ChainTests {
  /// 64-bit instructions that have a slow twin, or work of their own out of line.
  static let bodies: [(name: String, bytes: [UInt8])] = [
    ("lodsd", [0xAD]), ("stosb", [0xAA]), ("movsq", [0x48, 0xA5]), ("scasw", [0x66, 0xAF]), ("cmpsb", [0xA6]),
    ("rep movsb", [0xF3, 0xA4]), ("rep stosq", [0xF3, 0x48, 0xAB]), ("repne scasb", [0xF2, 0xAE]),
    ("repe cmpsd", [0xF3, 0xA7]), ("rep lodsb", [0xF3, 0xAC]),
    ("lock cmpxchg [rsi],ecx", [0xF0, 0x0F, 0xB1, 0x0E]), ("lock xadd [rsi],rcx", [0xF0, 0x48, 0x0F, 0xC1, 0x0E]),
    ("cmpxchg8b [rsi]", [0x0F, 0xC7, 0x0E]), ("xchg [rsi],ecx", [0x87, 0x0E]),
    ("lock or dword [rsi],1", [0xF0, 0x83, 0x0E, 0x01]), ("not byte [rsi]", [0xF6, 0x16]),
    ("neg qword [rsi]", [0x48, 0xF7, 0x1E]), ("shld [rsi],ecx,3", [0x0F, 0xA4, 0x0E, 0x03]),
    ("bts [rsi],ecx", [0x0F, 0xAB, 0x0E]), ("xlat", [0x48, 0x89, 0xF3, 0xD7]), ("sgdt [rsi]", [0x0F, 0x01, 0x06]),
    ("rdtsc", [0x0F, 0x31]), ("cpuid", [0x0F, 0xA2]), ("pushfq; popfq", [0x9C, 0x9D]),
    ("mov rax,cr0", [0x0F, 0x20, 0xC0]),
    ("in al,0x80", [0xE4, 0x80]), ("out 0x80,al", [0xE6, 0x80]), ("enter 0,0; leave", [0xC8, 0, 0, 0, 0xC9]),
    ("mul qword [rsi]", [0x48, 0xF7, 0x26]), ("rdrand eax", [0x0F, 0xC7, 0xF0]), ("verr ax", [0x0F, 0x00, 0xE0]),
    ("fld qword [rsi]; fstp st0", [0xDD, 0x06, 0xDD, 0xD8]), ("fsave; frstor", [0xDD, 0x36, 0xDD, 0x26]),
    ("fxsave [rsi]", [0x0F, 0xAE, 0x06]), ("movdqu xmm0,[rsi+1]", [0xF3, 0x0F, 0x6F, 0x46, 0x01]),
    ("addsd xmm0,[rsi]", [0xF2, 0x0F, 0x58, 0x06]), ("pcmpistri xmm0,[rsi],8", [0x66, 0x0F, 0x3A, 0x63, 0x06, 0x08]),
    ("maskmovdqu xmm0,xmm1", [0x66, 0x0F, 0xF7, 0xC1]), ("ldmxcsr [rsi+24]", [0x0F, 0xAE, 0x56, 0x18]),
  ]

  @Test(arguments: bodies.map(\.name)) func aLongLoopLeavesTheStackAsItIs(_ name: String) throws {
    let body = try #require(Self.bodies.first { $0.name == name })
    final class Result: @unchecked Sendable { var instructions: UInt64 = 0 }
    let result = Result()
    // On 256 KiB of stack: a few thousand handlers that call each other would be its end, and the test's.
    let done = DispatchSemaphore(value: 0)
    let thread = Thread {
      let machine = Loop(body.bytes)
      result.instructions = machine.run(instructions: 200_000)
      done.signal()
    }
    thread.stackSize = 256 << 10
    thread.start()
    done.wait()
    #expect(result.instructions == 200_000)
  }

  /// 64-bit mode, ring 0, interrupts off, addresses below 4 MiB mapped to themselves.
  final class Loop {
    private final class World: ProcessorSeams {
      unowned var processor: Processor!
      override func codeWritten(_ physicalAddress: UInt64, _ count: Int) {
        processor.codeWritten(physicalAddress, count)
      }
      override func flushBlocks() { processor.flushBlocks() }
    }

    private let processor: Processor
    private let world = World()

    init(_ body: [UInt8]) {
      let memory = GuestMemory(size: 4 << 20)!
      processor = Processor(memory: memory, seams: world)
      world.processor = processor
      func put(_ address: UInt64, _ value: UInt64) {
        memory.write(address, (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) })
      }
      put(0x1000, 0x2003)
      put(0x2000, 0x3003)
      for page in 0..<2 as Range<UInt64> { put(0x3000 + page * 8, page << 21 | 0x83) }
      // l: mov esi,0x200000; mov edi,0x210000; mov ecx,5; the body; jmp l
      var code: [UInt8] = [0xBE, 0, 0, 0x20, 0, 0xBF, 0, 0, 0x21, 0, 0xB9, 5, 0, 0, 0] + body
      code += [0xEB, UInt8(truncatingIfNeeded: -(code.count + 2))]
      memory.write(0x10_0000, code)
      // MXCSR's default, for LDMXCSR.
      put(0x20_0018, 0x1F80)
      var state = processor.cpu.state
      state.cr0 = CR0.pe | CR0.pg
      state.cr3 = 0x1000
      state.cr4 = CR4.pae | CR4.osfxsr | CR4.osxmmexcpt
      state.efer = EFER.lme | EFER.lma
      for number in state.segments.indices {
        state.segments[number] = .init(
          base: 0,
          register: SegmentRegister(selector: 8, attributes: number == 1 ? 0xA09B : 0xC093, limit: .max))
      }
      state.rip = 0x10_0000
      state.general[4] = 0x18_0000
      processor.cpu.state = state
      processor.stateChanged()
    }

    func run(instructions: UInt64) -> UInt64 {
      while processor.instructionCount < instructions {
        guard processor.run(until: instructions) != .shutdown else { break }
      }
      return processor.instructionCount
    }
  }
}
