import Foundation

/// One x87 instruction and the state it meets, as the helper reads it from its standard input.
struct FPUCase {
  /// The instruction's bytes; a memory operand is [RSI], which is `memory`.
  var code: [UInt8] = []
  /// What FRSTOR loads before: 108 bytes.
  var state = [UInt8](repeating: 0, count: FPUCase.stateSize)
  var memory = [UInt8](repeating: 0, count: FPUCase.memorySize)
  var rax: UInt64 = 0
  var rflags: UInt64 = 2

  static let stateSize = 108
  static let memorySize = 112
  static let codeSize = 16

  var bytes: [UInt8] {
    var b = [UInt8(code.count)] + code
    b += [UInt8](repeating: 0, count: FPUCase.codeSize - b.count)
    b += state + [0, 0, 0, 0] + memory
    for value in [rax, rflags] {
      for i in 0..<8 { b.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * i))) }
    }
    return b
  }
}

/// What FNSAVE, memory, RAX and RFLAGS hold after the instruction.
struct FPUResult: Equatable {
  var state: [UInt8]
  var memory: [UInt8]
  var rax: UInt64
  var rflags: UInt64

  static let size = 112 + FPUCase.memorySize + 16

  init(state: [UInt8], memory: [UInt8], rax: UInt64, rflags: UInt64) {
    self.state = state
    self.memory = memory
    self.rax = rax
    self.rflags = rflags
  }
  init(_ bytes: ArraySlice<UInt8>) {
    let b = Array(bytes)
    state = Array(b[0..<FPUCase.stateSize])
    memory = Array(b[112..<112 + FPUCase.memorySize])
    func word(_ at: Int) -> UInt64 { (0..<8).reduce(0) { $0 | UInt64(b[at + $1]) << UInt64(8 * $1) } }
    rax = word(112 + FPUCase.memorySize)
    rflags = word(120 + FPUCase.memorySize)
  }
}

/// Runs single x87 instructions on the host's processor, in a C program compiled when first used.
final class FPUHost: @unchecked Sendable {
  static let shared = FPUHost()
  private let folder: URL
  private let program: URL?

  var isAvailable: Bool { program != nil }

  private init() {
    folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("inquest-fpu-\(ProcessInfo.processInfo.processIdentifier)")
    #if arch(x86_64)
      try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      atexit { try? FileManager.default.removeItem(at: FPUHost.shared.folder) }
      let source = folder.appendingPathComponent("fpu.c")
      let executable = folder.appendingPathComponent("fpu")
      try? FPUHost.source.write(to: source, atomically: true, encoding: .utf8)
      let compiler = Process()
      compiler.executableURL = URL(fileURLWithPath: "/usr/bin/env")
      compiler.arguments = ["cc", "-O1", "-w", "-o", executable.path, source.path]
      do {
        try compiler.run()
        compiler.waitUntilExit()
        program = compiler.terminationStatus == 0 ? executable : nil
      } catch {
        program = nil
      }
    #else
      program = nil
    #endif
  }

  func run(_ cases: [FPUCase]) throws -> [FPUResult] {
    guard let program else { return [] }
    let base = folder.appendingPathComponent(UUID().uuidString)
    let input = base.appendingPathExtension("in")
    let output = base.appendingPathExtension("out")
    defer {
      try? FileManager.default.removeItem(at: input)
      try? FileManager.default.removeItem(at: output)
    }
    try Data(cases.flatMap(\.bytes)).write(to: input)
    try Data().write(to: output)
    let process = Process()
    process.executableURL = program
    process.standardInput = try FileHandle(forReadingFrom: input)
    process.standardOutput = try FileHandle(forWritingTo: output)
    try process.run()
    process.waitUntilExit()
    let bytes = [UInt8](try Data(contentsOf: output))
    return stride(from: 0, to: bytes.count / FPUResult.size * FPUResult.size, by: FPUResult.size).map {
      FPUResult(bytes[$0..<$0 + FPUResult.size])
    }
  }

  /// The instruction is put between FRSTOR and FNSAVE in a page of code.
  private static let source = #"""
    #define _GNU_SOURCE
    #include <stdint.h>
    #include <stdio.h>
    #include <string.h>
    #include <sys/mman.h>

    struct in { uint8_t count, code[15], state[112], memory[112]; uint64_t rax, rflags; };
    struct out { uint8_t state[112], memory[112]; uint64_t rax, rflags; };

    int main(void) {
      struct in in;
      struct out out;
      uint8_t *page = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (page == MAP_FAILED) return 1;
      /* mov rax,[rcx]; push [rcx+8]; popfq; frstor [rdi] */
      static const uint8_t before[] = {0x48, 0x8B, 0x01, 0xFF, 0x71, 0x08, 0x9D, 0xDD, 0x27};
      /* fnsave [rdx]; pushfq; pop [rcx+8]; mov [rcx],rax; ret */
      static const uint8_t after[] = {0xDD, 0x32, 0x9C, 0x8F, 0x41, 0x08, 0x48, 0x89, 0x01, 0xC3};
      while (fread(&in, sizeof in, 1, stdin) == 1) {
        uint8_t *p = page;
        memcpy(p, before, sizeof before);
        p += sizeof before;
        memcpy(p, in.code, in.count);
        p += in.count;
        memcpy(p, after, sizeof after);
        uint64_t registers[2] = {in.rax, in.rflags};
        memset(&out, 0, sizeof out);
        memcpy(out.memory, in.memory, sizeof out.memory);
        ((void (*)(void *, void *, void *, void *))page)(in.state, out.memory, out.state, registers);
        out.rax = registers[0];
        out.rflags = registers[1];
        fwrite(&out, sizeof out, 1, stdout);
      }
      return 0;
    }
    """#
}
