import Foundation
import Testing
import X86
import X86Core
import X86System

/// Random code in every mode. No guest may take the process down or hang it, and how a run is cut makes no difference.
///
/// `FUZZ_SECONDS` runs longer than usual, `FUZZ_SEED` starts at another case, `FUZZ_CASES` sets their number.
@Suite(.serialized) struct FuzzTests {
  private static func number(_ name: String) -> UInt64? {
    ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) }
  }

  @Test func randomCodeInEveryMode() throws {
    let first = Self.number("FUZZ_SEED") ?? 1
    let count = Self.number("FUZZ_CASES") ?? 3000
    let end = Self.number("FUZZ_SECONDS").map { Date(timeIntervalSinceNow: Double($0)) }
    // A case that takes the process down, or never ends, must be known: its number lies in this file.
    let place = FileManager.default.temporaryDirectory.appendingPathComponent("fuzz-case-\(getpid())").path
    let mark = open(place, O_RDWR | O_CREAT | O_TRUNC, 0o600)
    defer {
      close(mark)
      unlink(place)
    }
    FileHandle.standardError.write(
      Data("fuzzing from case \(first) on; the present case is in \(place)\n".utf8))

    let whole = FuzzMachine()
    let sliced = FuzzMachine()
    var instructions: UInt64 = 0
    var failures = 0
    var seed = first
    while end.map({ Date() < $0 }) ?? (seed < first + count) {
      let text = Array("\(seed)\n".utf8)
      pwrite(mark, text, text.count, 0)
      let c = FuzzCase(seed: seed)
      let one = try whole.run(c, slices: nil)
      let two = try sliced.run(c, slices: FuzzRandom(seed ^ 0xABCD))
      instructions += one.instructions + two.instructions
      if one != two {
        failures += 1
        Issue.record("case \(seed) (\(c.mode), paging \(c.paging)): \(try explain(c))")
        if failures > 10 { break }
      }
      seed += 1
    }
    FileHandle.standardError.write(Data("\(seed - first) cases, \(instructions) instructions\n".utf8))
  }

  /// The first instant at which two fresh machines, one cut at random, differ, and in what.
  private func explain(_ c: FuzzCase) throws -> String {
    let slices = FuzzRandom(c.seed ^ 0xABCD)
    let full = (try FuzzMachine().run(c, slices: nil), try FuzzMachine().run(c, slices: slices))
    guard full.0 != full.1 else { return "not repeatable with fresh processors" }
    let stepper = FuzzMachine()
    stepper.steps = true
    let all = try stepper.run(c, slices: nil)
    // One of the two agrees with single steps, most of the time; the other one is wrong.
    let wrong: FuzzRandom? = all == full.0 ? slices : nil
    let other = FuzzMachine()
    var high: UInt64 = 0
    var low: UInt64 = 0
    var (a, b) = full
    for end in 1...max(1, min(full.0.instructions, full.1.instructions)) {
      (a, b) = (try other.run(c, slices: wrong, end: end), try stepper.run(c, slices: nil, end: end))
      (low, high) = (end - 1, end)
      if a != b { break }
    }
    let way = stepper.trail.suffix(6).map { step in
      let linear = step.2 &+ (b.state.efer & EFER.lma != 0 ? 0 : step.1)
      let bytes = (stepper.processor.cpu.inspect(linear).flatMap { stepper.memory.read($0, count: 15) } ?? [])
        .map { String($0, radix: 16) }.joined(separator: " ")
      return "\(step.0): \(String(linear, radix: 16)) \(bytes)"
    }.joined(separator: "\n")
    let machine = FuzzMachine()
    let before = try machine.run(c, slices: nil, end: low).state
    let linear =
      before.rip &+ (before.cr0 & 1 != 0 && before.efer & EFER.lma != 0 ? 0 : before.segments[1].base)
    let code = (machine.processor.cpu.inspect(linear).flatMap { machine.memory.read($0, count: 16) } ?? [])
      .map { String($0, radix: 16) }.joined(separator: " ")
    var parts: [String] = []
    for (x, y) in zip(Mirror(reflecting: a.state).children, Mirror(reflecting: b.state).children)
    where "\(x.value)" != "\(y.value)" {
      if let x1 = x.value as? [UInt64], let y1 = y.value as? [UInt64] {
        for i in 0..<min(x1.count, y1.count) where x1[i] != y1[i] {
          parts.append("\(x.label ?? "")[\(i)]: \(String(x1[i], radix: 16)) / \(String(y1[i], radix: 16))")
        }
      } else {
        parts.append("\(x.label ?? ""): \(x.value) / \(y.value)")
      }
    }
    for (x, y) in zip(Mirror(reflecting: a).children, Mirror(reflecting: b).children)
    where x.label != "state" && "\(x.value)" != "\(y.value)" {
      parts.append("\(x.label ?? ""): \(x.value) / \(y.value)")
    }
    let cs = before.segments[1]
    return
      "\(wrong == nil ? "whole" : "sliced") differs from steps at \(high), before: cs base \(String(cs.base, radix: 16)) rip \(String(before.rip, radix: 16)) "
      + "cr0 \(String(before.cr0, radix: 16)) flags \(String(before.rflags, radix: 16)) code \(code); "
      + parts.joined(separator: "; ") + "\n" + way
  }
}
