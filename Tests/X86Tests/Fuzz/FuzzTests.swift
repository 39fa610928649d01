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
    FileHandle.standardError.write(Data("fuzzing from case \(first) on; the present case is in \(place)\n".utf8))

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
    func pair(_ end: UInt64) throws -> (FuzzResult, FuzzResult) {
      (
        try FuzzMachine().run(c, slices: nil, end: end),
        try FuzzMachine().run(c, slices: FuzzRandom(c.seed ^ 0xABCD), end: end)
      )
    }
    let (one, two) = try pair(.max)
    guard one != two else { return "not repeatable with fresh processors" }
    var low: UInt64 = 0
    var high = min(one.instructions, two.instructions) + 1
    while low + 1 < high {
      let middle = (low + high) / 2
      let (a, b) = try pair(middle)
      if a == b { low = middle } else { high = middle }
    }
    let before = try pair(low).0.state
    let (a, b) = try pair(high)
    var parts: [String] = []
    for (x, y) in zip(Mirror(reflecting: a.state).children, Mirror(reflecting: b.state).children)
    where "\(x.value)" != "\(y.value)" {
      parts.append("\(x.label ?? ""): \(x.value) / \(y.value)")
    }
    for (x, y) in zip(Mirror(reflecting: a).children, Mirror(reflecting: b).children)
    where x.label != "state" && "\(x.value)" != "\(y.value)" {
      parts.append("\(x.label ?? ""): \(x.value) / \(y.value)")
    }
    let cs = before.segments[1]
    return "differs at \(high), before: cs base \(String(cs.base, radix: 16)) rip \(String(before.rip, radix: 16)) "
      + "cr0 \(String(before.cr0, radix: 16)) flags \(String(before.rflags, radix: 16)); "
      + parts.joined(separator: "; ")
  }
}
