import Foundation
import Testing
import X86Core
import X86Decode

/// Each instruction that a user program may execute, on the host's processor and in the guest, from equal states.
///
/// Cases are drawn with fixed seeds, so every run sees the same ones. `INQUEST_NATIVE_CASES` sets how many a form gets
/// (default 100); `INQUEST_NATIVE_ONLY` names operations, separated by commas, to run alone.
@Suite("Against the host's processor", .serialized)
struct NativeTests {
  /// What the model under test has: more than it announces by default.
  static let features = common.union(NativeOracle.hasAVX ? .x86_64_v3 : [])
  private static let common: CPUFeatures = [
    .x86_64_v2, .lzcnt, .bmi1, .bmi2, .movbe, .adx, .aes, .pclmulqdq, .sha, .fsgsbase, .clflushopt, .clwb,
    .prefetchw, .rdtscp, .rdrand, .rdseed, .invpcid, .xsave, .smap,
  ]

  static var isOptimized: Bool {
    var optimized = true
    assert(
      {
        optimized = false
        return true
      }())
    return optimized
  }

  @Test(
    "instructions", .enabled(if: NativeOracle.isSupported && NativeTests.isOptimized),
    arguments: InstructionFamily.allCases)
  func compare(_ family: InstructionFamily) throws {
    let environment = ProcessInfo.processInfo.environment
    let cases = environment["INQUEST_NATIVE_CASES"].flatMap { Int($0) } ?? 100
    let only = environment["INQUEST_NATIVE_ONLY"].map { Set($0.split(separator: ",").map(String.init)) }
    let run = try NativeRun(features: Self.features, cases: cases)
    for entry in OpcodeEntry.all where InstructionFamily(entry) == family && entry.isValidIn64BitMode {
      if let only, !only.contains("\(entry.operation)") { continue }
      if !entry.features.isSubset(of: Self.features) { continue }
      if let reason = VendorDifferences.exclusion(entry) {
        run.excluded[reason, default: []].append("\(entry.operation)")
        continue
      }
      try run.run(entry)
    }
    try run.finish()
    print(run.summary(family.rawValue, verbose: environment["INQUEST_NATIVE_VERBOSE"] != nil))
    #expect(run.mismatchedForms.isEmpty, "\(run.mismatchedForms.count) forms differ; see the output above")
  }
}
