import Benchmark
import CoreDump
import Foundation
import Session
import Trace
import X86
import X86Core
import X86Decode
import X86System

/// Bytes that do not compress to nothing, the same in every run.
func noise(_ count: Int) -> [UInt8] {
  var x: UInt64 = 88_172_645_463_325_252
  return (0..<count).map { _ in
    x ^= x << 13
    x ^= x >> 7
    x ^= x << 17
    return UInt8(truncatingIfNeeded: x) & 0x3F
  }
}

/// A file of its own for each benchmark, taken away at the process's end by the system's cleaning of its folder.
func temporaryPath(_ name: String) -> String {
  FileManager.default.temporaryDirectory.appending(path: "inquest-parts-\(getpid())-\(name)").path
}

/// The instructions of one run of a loop.
let stretch: UInt64 = 10_000_000

let benchmarks: @Sendable () -> Void = {
  // Retains and releases do not depend on the machine's mood: they have thresholds. Times are for the eye.
  Benchmark.defaultConfiguration = .init(
    metrics: [.wallClock, .retainCount, .releaseCount], warmupIterations: 1, scalingFactor: .one,
    maxDuration: .seconds(3), maxIterations: 100)
  // The counting of retains does not survive all that strings do.
  let timeOnly = Benchmark.Configuration(
    metrics: [.wallClock], warmupIterations: 1, scalingFactor: .one, maxDuration: .seconds(3), maxIterations: 100)

  // 1000 rounds of 12 instructions.
  Benchmark("decode") { benchmark in
    // push, mov, load, store, lea, add immediate, imul, compare, short jump, near call, SSE load, REP MOVS.
    let code: [[UInt8]] = [
      [0x55], [0x48, 0x89, 0xE5], [0x8B, 0x47, 0x10], [0x48, 0x89, 0x44, 0x24, 0x08], [0x48, 0x8D, 0x3C, 0xC6],
      [0x48, 0x81, 0xC1, 0, 1, 0, 0], [0x0F, 0xAF, 0xC1], [0x83, 0xF8, 0x0A], [0x75, 0x10], [0xE8, 1, 2, 3, 0],
      [0xF3, 0x0F, 0x6F, 0x06], [0xF3, 0x48, 0xA5],
    ].map { $0 + [UInt8](repeating: 0x90, count: 16) }
    var instruction = Instruction()
    benchmark.startMeasurement()
    for _ in 0..<1000 {
      for bytes in code {
        let status = bytes.withUnsafeBufferPointer {
          decode(
            $0.baseAddress!, available: 16, codeSize: .bits64, features: .x86_64_v2, into: &instruction)
        }
        guard status == .ok else { fatalError("not decoded: \(bytes)") }
      }
    }
    blackHole(instruction)
  }

  // 10 M instructions of an endless loop.
  func loop(_ name: String, _ machine: @autoclosure @escaping () -> LoopMachine) {
    var made: LoopMachine?
    Benchmark(name) { benchmark in
      benchmark.startMeasurement()
      made!.run(instructions: stretch)
    } setup: {
      made = machine()
    } teardown: {
      made = nil
    }
  }

  // l: add rax,rbx; xor rcx,rax; imul rdx,rcx; inc rbx; cmp rbx,-1; jne l; jmp l
  loop(
    "run registers",
    LoopMachine(code: [
      0x48, 0x01, 0xD8, 0x48, 0x31, 0xC1, 0x48, 0x0F, 0xAF, 0xD1, 0x48, 0xFF, 0xC3, 0x48, 0x83, 0xFB, 0xFF, 0x75, 0xED,
      0xEB, 0xEB,
    ]))

  // l: mov rax,[rsi+8]; add rax,rcx; mov [rsi+16],rax; push rax; pop rcx; jmp l
  loop(
    "run memory",
    LoopMachine(code: [
      0x48, 0x8B, 0x46, 0x08, 0x48, 0x01, 0xC8, 0x48, 0x89, 0x46, 0x10, 0x50, 0x59, 0xEB, 0xF1,
    ]))

  // l: call f; jmp l; f: ret
  loop(
    "run calls",
    LoopMachine(code: [0xE8, 0x02, 0, 0, 0, 0xEB, 0xF9, 0xC3]))

  // l: mov eax,[rbx+0x400000]; add rbx,4096; and ebx,0x1FFF000; jmp l
  // 8192 pages, twice what is kept of translations: each load walks.
  loop(
    "tlb refill",
    LoopMachine(code: [
      0x8B, 0x83, 0, 0, 0x40, 0, 0x48, 0x81, 0xC3, 0, 0x10, 0, 0, 0x81, 0xE3, 0, 0xF0, 0xFF, 0x01, 0xEB, 0xEB,
    ]))

  // l: lodsd; and esi,0x203FFF; jmp rax, to 256 places that jump back: the target of the jump is never the last one.
  loop(
    "blocks indirect",
    {
      let start = LoopMachine.code
      var code: [UInt8] = [0xAD, 0x81, 0xE6, 0xFF, 0x3F, 0x20, 0, 0xFF, 0xE0]
      code += [UInt8](repeating: 0x90, count: 64 - code.count)
      var targets: [UInt8] = []
      for place in 0..<256 {
        let address = start + 64 + UInt64(place) * 16
        let back = Int32(Int64(start) - Int64(address) - 5)
        code +=
          [0xE9] + (0..<4).map { UInt8(truncatingIfNeeded: back >> (8 * $0)) } + [UInt8](repeating: 0x90, count: 11)
      }
      for index in 0..<4096 {
        let address = UInt32(start + 64) + UInt32(index * 97 % 256) * 16
        targets += (0..<4).map { UInt8(truncatingIfNeeded: address >> (8 * $0)) }
      }
      return LoopMachine(code: code, data: (0x20_0000, targets))
    }())

  // Code that is written and decoded anew, 1000 times.
  Benchmark("blocks rewritten") { benchmark in
    // l: inc rax; jmp l
    let machine = LoopMachine(code: [0x48, 0xFF, 0xC0, 0xEB, 0xFB])
    benchmark.startMeasurement()
    for _ in 0..<1000 {
      machine.memory.write(LoopMachine.code, [0x48])
      machine.run(instructions: 100)
    }
  }

  // 100,000 port reads and interrupts.
  Benchmark("trace encode", configuration: timeOnly) { benchmark in
    let path = temporaryPath("trace.inq")
    let writer = try TraceWriter(
      path: path,
      header: TraceHeader(
        machineVersion: 1, inquestVersion: "parts", created: "2026-01-01T00:00:00Z", seed: 1, machine: .null))
    benchmark.startMeasurement()
    for step in 1...100_000 as ClosedRange<UInt64> {
      if step % 8 == 0 {
        try writer.interrupt(at: Instant(instructionCount: step * 977), vector: 0x30, kind: .external)
      } else {
        try writer.portRead(
          at: Instant(instructionCount: step * 977), port: 0x3FD, size: 1,
          value: UInt32(truncatingIfNeeded: step & 0x60))
      }
    }
    benchmark.stopMeasurement()
    try writer.close()
    try FileManager.default.removeItem(atPath: path)
  }

  // 1024 pages.
  Benchmark("digest") { benchmark in
    let pages = noise(4 << 20)
    benchmark.startMeasurement()
    var hash = StateHash()
    pages.withUnsafeBytes { bytes in
      for page in 0..<1024 { hash.add(memory: bytes.baseAddress! + page * 4096, count: 4096) }
    }
    blackHole(hash.value)
  }

  // 64 MiB, a quarter of it zeros.
  for format in CoreFormat.allCases {
    Benchmark("dump \(format.rawValue)", configuration: timeOnly) { benchmark in
      let machine = LoopMachine(code: [0xEB, 0xFE])
      let megabyte = noise(1 << 20)
      for place in 16..<64 as Range<UInt64> { machine.memory.write(place << 20, megabyte) }
      let image = CoreImage(memory: machine.memory, processors: [machine.processor.cpu.state])
      let path = temporaryPath("core")
      benchmark.startMeasurement()
      try CoreWriter.write(image, to: path, format: format)
      benchmark.stopMeasurement()
      try FileManager.default.removeItem(atPath: path)
    }
  }
}
