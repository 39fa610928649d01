import X86Core
import X86Decode

/// Goes through forms batch by batch and keeps the books.
final class NativeRun {
  private let oracle: NativeOracle
  private let machine: NativeMachine
  private let features: CPUFeatures
  private let cases: Int
  private let guestResult: NativeOutput

  private struct Pending {
    var form: Int
    var seed: UInt64
    var instruction: Instruction
    var linear: UInt64
  }
  private struct FormResult {
    var name: String
    var cases = 0
    var faults = 0
    var mismatches = 0
    var first: [String] = []
  }
  private var pending: [Pending] = []
  private var results: [FormResult] = []
  private(set) var total = 0
  private(set) var faults = 0
  /// Names of rows of which no form has an encoding.
  private(set) var unreachable: [String] = []
  var excluded: [String: [String]] = [:]
  /// Mismatches of a form that are described in full.
  private static let described = 2

  init(features: CPUFeatures, cases: Int) throws {
    var g = CaseGenerator(seed: 0x1A2B)
    let pattern = (0..<Int(NativeMap.dataSize)).map { _ in UInt8(truncatingIfNeeded: g.next()) }
    oracle = try NativeOracle(pattern: pattern)
    machine = NativeMachine(pattern: oracle.pattern, features: features)
    self.features = features
    self.cases = cases
    guestResult = NativeOutput(p: .allocate(byteCount: NativeOutput.size, alignment: 16))
    guestResult.p.initializeMemory(as: UInt8.self, repeating: 0, count: NativeOutput.size)
  }

  deinit { guestResult.p.deallocate() }

  /// Runs all forms of a row.
  func run(_ entry: OpcodeEntry) throws {
    var reached = false
    for form in InstructionForm.all(of: entry) {
      let number = results.count
      results.append(FormResult(name: form.name))
      // The seed says which row and form and case it is, whatever else is run.
      let base = hash(form.name)
      for n in 0..<cases {
        let seed = base &+ UInt64(n)
        var builder = CaseBuilder(seed: seed, features: features)
        guard let encoded = builder.build(form, into: oracle.input(pending.count)) else {
          if n == 0 { break }
          continue
        }
        reached = true
        pending.append(
          Pending(form: number, seed: seed, instruction: encoded.instruction, linear: encoded.linear))
        if pending.count == NativeOracle.capacity { try finish() }
      }
    }
    if !reached { unreachable.append(InstructionForm.all(of: entry).first?.name ?? "\(entry.operation)") }
  }

  /// FNV-1a.
  private func hash(_ text: String) -> UInt64 {
    var h: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in text.utf8 { h = (h ^ UInt64(byte)) &* 0x100_0000_01B3 }
    return h
  }

  /// Runs what is pending.
  func finish() throws {
    if pending.isEmpty { return }
    try oracle.run(pending.count)
    for (n, item) in pending.enumerated() {
      let input = oracle.input(n)
      let native = oracle.output(n)
      machine.run(input, into: guestResult)
      total += 1
      results[item.form].cases += 1
      if native.trap != 3 {
        faults += 1
        results[item.form].faults += 1
      }
      if let reason = VendorDifferences.differs(item.instruction, input, item.linear, native, guestResult) {
        excluded[reason, default: []].append("\(item.instruction.operation)")
        continue
      }
      VendorDifferences.normalize(item.instruction, item.linear, native, guestResult)
      let mask = UndefinedResults.mask(item.instruction, input)
      let differences = NativeComparison.differences(item.instruction, input, native, guestResult, mask)
      if differences.isEmpty { continue }
      results[item.form].mismatches += 1
      if results[item.form].mismatches <= Self.described {
        results[item.form].first.append(
          "seed \(NativeComparison.hex(item.seed)): " + differences.joined(separator: "; ") + "\n      "
            + NativeComparison.describe(input) + "; host: exception \(native.trap)")
      }
    }
    pending.removeAll(keepingCapacity: true)
  }

  var mismatchedForms: [String] { results.filter { $0.mismatches > 0 }.map(\.name) }

  func summary(_ family: String, verbose: Bool) -> String {
    var text = ""
    for result in results where result.mismatches > 0 {
      text += "  \(result.name): \(result.mismatches) of \(result.cases) cases differ\n"
      for first in result.first { text += "    \(first)\n" }
    }
    if verbose {
      for result in results where result.cases > 0 {
        text +=
          "  \(result.name): \(result.cases) cases, \(result.faults) faults, \(result.mismatches) differ\n"
      }
    }
    let run = results.filter { $0.cases > 0 }
    text +=
      "\(family): \(run.count) forms, \(total) cases, \(faults) with a fault, \(mismatchedForms.count) forms differ in "
      + "\(results.reduce(0) { $0 + $1.mismatches }) cases\n"
    for (reason, names) in excluded.sorted(by: { $0.key < $1.key }) {
      text += "  not compared (\(reason)): \(Array(Set(names)).sorted().joined(separator: " "))\n"
    }
    if !unreachable.isEmpty { text += "  without encoding: \(unreachable.joined(separator: ", "))\n" }
    return text
  }
}
