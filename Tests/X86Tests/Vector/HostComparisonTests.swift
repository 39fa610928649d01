#if arch(x86_64) && os(Linux)
  import Foundation
  import Glibc
  import Testing
  import X86Core
  import X86Decode

  /// Every instruction of the family, found by walking the opcode maps, against the host's processor: the same bytes
  /// run natively and through decoder and handler, on seeded operands that favour the corners.
  @Suite struct HostComparisonTests {
    /// What goes in and comes out, in this order, 8 bytes each: XMM0–XMM2, MM1, MM2, RAX, RCX, RDX, RFLAGS, MXCSR, then
    /// scratch.
    static let slots = 16
    static let memoryBytes = 64

    /// Native code around one instruction; RDI on entry: the slots, RSI: memory (also in RDI for the instruction).
    final class NativeStub {
      private let page: UnsafeMutableRawPointer
      init() {
        page = mmap(nil, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
      }
      deinit { munmap(page, 4096) }

      func run(
        _ instruction: [UInt8], _ state: UnsafeMutablePointer<UInt64>, _ memory: UnsafeMutableRawPointer
      ) {
        var code: [UInt8] = [0x49, 0x89, 0xF9, 0x48, 0x89, 0xF7]  // mov r9, rdi; mov rdi, rsi
        code += [0x41, 0x0F, 0xAE, 0x51, 88]  // ldmxcsr [r9 + 88]
        for i: UInt8 in 0..<3 { code += [0xF3, 0x41, 0x0F, 0x6F, 0x41 | i << 3, i * 16] }  // movdqu xmm, [r9 + …]
        code += [0x41, 0x0F, 0x6F, 0x49, 48, 0x41, 0x0F, 0x6F, 0x51, 56]  // movq mm1, mm2
        code += [0x49, 0x8B, 0x41, 64, 0x49, 0x8B, 0x49, 72]  // mov rax, rcx
        code += [0x41, 0xFF, 0x71, 80, 0x9D]  // push [r9 + 80]; popfq
        code += [0x49, 0x8B, 0x51, 96]  // mov rdx, [r9 + 96]
        code += instruction
        code += [0x9C, 0x41, 0x8F, 0x41, 80]  // pushfq; pop [r9 + 80]
        code += [0x49, 0x89, 0x51, 96, 0x49, 0x89, 0x41, 64, 0x49, 0x89, 0x49, 72]
        code += [0x41, 0x0F, 0x7F, 0x49, 48, 0x41, 0x0F, 0x7F, 0x51, 56]
        for i: UInt8 in 0..<3 { code += [0xF3, 0x41, 0x0F, 0x7F, 0x41 | i << 3, i * 16] }
        code += [0x41, 0x0F, 0xAE, 0x59, 88]  // stmxcsr
        code += [0x0F, 0x77, 0x41, 0x0F, 0xAE, 0x51, 104, 0xC3]  // emms; ldmxcsr [r9 + 104]; ret
        code.withUnsafeBytes { page.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
        typealias Entry = @convention(c) (UnsafeMutablePointer<UInt64>, UnsafeMutableRawPointer) -> Void
        unsafeBitCast(page, to: Entry.self)(state, memory)
      }
    }

    static let hostFlags: Set<String> = {
      let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
      let line = text.split(separator: "\n").first { $0.hasPrefix("flags") } ?? ""
      return Set(line.split(separator: " ").map(String.init))
    }()

    /// Whether the host can run the operation and defines its result as the model does.
    static func isComparable(_ operation: X86Decode.Operation) -> Bool {
      let name = "\(operation)"
      if name.hasPrefix("rcp") || name.hasPrefix("rsqrt") { return false }
      if name.hasPrefix("fx") || name.hasPrefix("xsave") || name.hasPrefix("xrstor") { return false }
      if name.hasPrefix("aes") { return hostFlags.contains("aes") }
      if name.hasPrefix("sha1") || name.hasPrefix("sha256") { return hostFlags.contains("sha_ni") }
      if name.hasPrefix("gf2p8") { return hostFlags.contains("gfni") }
      if name == "pclmulqdq" { return hostFlags.contains("pclmulqdq") }
      return operation != .emms && operation != .ldmxcsr
    }

    /// Encodings of all instructions of the family with the registers 1 (ModRM.reg) and 2 (ModRM.rm), or [RSI].
    static func encodings() -> [(bytes: [UInt8], instruction: Instruction, op: Op)] {
      var all: [(bytes: [UInt8], instruction: Instruction, op: Op)] = []
      for escape: [UInt8] in [[0x0F], [0x0F, 0x38], [0x0F, 0x3A]] {
        for prefix: [UInt8] in [[], [0x66], [0xF3], [0xF2]] {
          for rex: [UInt8] in [[], [0x48]] {
            for opcode in UInt8.min...UInt8.max where escape.count == 2 || (opcode != 0x38 && opcode != 0x3A) {
              let isGroup = escape.count == 1 && (0x71...0x73).contains(opcode)
              let isState = escape.count == 1 && opcode == 0xAE
              for reg: UInt8 in isGroup || isState ? Array(0...7) : [1] {
                for modRM in [0xC2 | reg << 3, 0x06 | reg << 3] {
                  let bytes = prefix + rex + escape + [opcode, modRM]
                  guard let i = Bench.decoded(bytes), let op = Bench.lowered(i), isComparable(i.operation)
                  else {
                    continue
                  }
                  all.append((Array((bytes + [0]).prefix(Int(i.length))), i, op))
                }
              }
            }
          }
        }
      }
      return all
    }

    static let corners: [UInt64] = [
      0, .max, 0x8000_0000_0000_0000, 0x7FFF_FFFF_FFFF_FFFF, 0x8000_8000_8000_8000, 0x7FFF_7FFF_8000_7FFF,
      0x8080_7F7F_FF00_0180, 0x3FF0_0000_0000_0000, 0xC000_0000_0000_0000, 0x4330_0000_0000_0001,
      0x41DF_FFFF_FFC0_0000, 0xC1E0_0000_0000_0000, 0x7FF0_0000_0000_0000, 0xFFF8_0000_0000_0001,
      0x7FF4_0000_0000_0000, 0x0000_0000_0000_0001, 0x3F80_0000_BF80_0000, 0x4F00_0000_CF00_0000,
      0x7FC0_0001_7F80_0000, 0x7FA0_0000_0000_0001, 0x3FE0_0000_0000_0000, 0x4002_6666_3FC0_0000,
      0x4150_0000_4120_0000, 0x0010_0000_0000_0000, 0x0080_0000_8000_0001, 0x4005_BF0A_8B14_5769,
    ]
    static func operand(_ random: inout TestRandom) -> UInt64 {
      switch random.next() % 6 {
      case 0: return random.next()
      case 1: return random.next() & 0x0F0F_0F0F_0F0F_0F0F
      case 2: return UInt64(truncatingIfNeeded: Int64(bitPattern: random.next()) >> Int64(random.next() & 63))
      case 3: return (Double(Int32(truncatingIfNeeded: random.next())) / 16).bitPattern
      case 4:
        let low = Float(Int16(truncatingIfNeeded: random.next())) / 4
        let high = Float(Int32(truncatingIfNeeded: random.next()))
        return UInt64(low.bitPattern) | UInt64(high.bitPattern) << 32
      default: return corners[Int(random.next() % UInt64(corners.count))]
      }
    }

    @Test func everyInstructionAgreesWithTheHost() {
      let stub = NativeStub()
      let bench = Bench()
      let guestMemory: UInt64 = 0x1000
      let memory = UnsafeMutableRawPointer.allocate(byteCount: Self.memoryBytes, alignment: 64)
      defer { memory.deallocate() }
      let state = UnsafeMutablePointer<UInt64>.allocate(capacity: Self.slots)
      defer { state.deallocate() }
      var random = TestRandom(state: 1)
      var tested = 0
      let all = Self.encodings()
      for (original, instruction, originalOp) in all {
        var failures = 0
        for round in 0..<600 where failures < 2 {
          var bytes = original
          var op = originalOp
          if [instruction.operands.1, instruction.operands.2].contains(.ib) {
            let imm = UInt8(truncatingIfNeeded: random.next())
            bytes[bytes.count - 1] = round % 3 == 0 ? imm & 15 : imm
            // As the lowering does: legacy comparisons have eight predicates.
            let isComparison = [.cmpss, .cmpsd, .cmpps, .cmppd].contains(instruction.operation)
            op.imm = Int32(bytes[bytes.count - 1]) & (isComparison ? 7 : 0xFF)
          }
          for i in 0..<8 { state[i] = Self.operand(&random) }
          state[8] = random.next() % 3 == 0 ? random.next() : random.next() % 20  // RAX
          state[9] = Self.operand(&random)  // RCX
          state[10] = 0x202 | (random.next() & 0x8D5)
          let control: [UInt64] = [0, 0, 0, 0x20, 0x20, 0x2000, 0x4000, 0x6000, 0x40, 0x8000, 0x8040, 0x3F]
          state[11] = 0x1F80 | control[Int(random.next() % UInt64(control.count))]
          state[12] = random.next() % 3 == 0 ? Self.operand(&random) : random.next() % 20  // RDX
          state[13] = 0x1F80
          for i in 0..<Self.memoryBytes / 8 {
            let value = Self.operand(&random)
            memory.storeBytes(of: value, toByteOffset: i * 8, as: UInt64.self)
            (bench.ram + Int(guestMemory)).storeBytes(of: value, toByteOffset: i * 8, as: UInt64.self)
          }
          let c = bench.cpu
          for i: UInt8 in 0..<3 { bench.setXMM(i, SIMD2(state[Int(i) * 2], state[Int(i) * 2 + 1])) }
          bench.setMMX(1, state[6])
          bench.setMMX(2, state[7])
          c.setR64(GPR.rax, state[8])
          c.setR64(GPR.rcx, state[9])
          c.setR64(GPR.rdx, state[12])
          c.setR64(GPR.rsi, guestMemory)
          c.setR64(GPR.rdi, guestMemory)
          c.setStatusFlags(state[10])
          c.f.pointee.mxcsr = UInt32(truncatingIfNeeded: state[11])
          let before = (0..<13).map { state[$0] }

          let fault = bench.execute(op)
          stub.run(bytes, state, memory)

          let mine: [UInt64] = [
            bench.xmm(0)[0], bench.xmm(0)[1], bench.xmm(1)[0], bench.xmm(1)[1], bench.xmm(2)[0],
            bench.xmm(2)[1],
            bench.mmx(1), bench.mmx(2), c.r64(GPR.rax), c.r64(GPR.rcx), c.statusFlags,
            UInt64(c.f.pointee.mxcsr), c.r64(GPR.rdx),
          ]
          state[10] &= RFLAGS.status
          state[11] &= 0xFFFF_FFFF
          let theirs = (0..<13).map { state[$0] }
          let sameMemory = memcmp(memory, bench.ram + Int(guestMemory), Self.memoryBytes) == 0
          if fault != nil || mine != theirs || !sameMemory {
            failures += 1
            func hex(_ v: [UInt64]) -> String { v.map { String($0, radix: 16) }.joined(separator: " ") }
            let differing = (0..<13).filter { mine[$0] != theirs[$0] }
            Issue.record(
              """
              \(instruction.operation) \(hex(bytes.map { UInt64($0) })) fault \(String(describing: fault)) \
              slots \(differing) memory \(sameMemory)
              before \(hex(before))
              memory \(hex((0..<2).map { (memory + $0 * 8).load(as: UInt64.self) }))
              mine   \(hex(mine))
              theirs \(hex(theirs))
              """)
          }
          tested += 1
        }
      }
      #expect(all.count > 700)
      #expect(tested > 400_000)
    }
  }
#endif
