import Foundation
import Testing
import X86
import X86Core
import X86System

/// The SingleStepTests of an 80286 in real mode, captured on hardware: every case passes, but for what distinguishes that
/// processor from later ones (`RealModeDifferences`), which is counted and named.
///
/// The data lies beside the package (its README says what it is), or where `INQUEST_TEST_DATA` says. `REAL_MODE_OPCODE`
/// names one file.
@Suite("Real mode: an 80286's single steps")
struct RealModeTests {
  static let folder: URL = {
    if let path = ProcessInfo.processInfo.environment["INQUEST_TEST_DATA"] {
      return URL(fileURLWithPath: path).appendingPathComponent("singlestep-80286")
    }
    return URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("shared/data/singlestep-80286")
  }()
  static var isAvailable: Bool { FileManager.default.fileExists(atPath: folder.path) }

  @Test(
    "every case",
    .enabled(if: isAvailable, "the singlestep-80286 data is not there (INQUEST_TEST_DATA names its folder)"))
  func all() throws {
    let metadata =
      try JSONSerialization.jsonObject(with: Data(contentsOf: Self.folder.appendingPathComponent("metadata.json")))
      as? [String: Any]
    let opcodes = metadata?["opcodes"] as? [String: Any] ?? [:]
    let names = try FileManager.default.contentsOfDirectory(
      atPath: Self.folder.appendingPathComponent("real_mode").path
    ).filter { $0.hasSuffix(".MOO.gz") }.sorted()
    let wanted = ProcessInfo.processInfo.environment["REAL_MODE_OPCODE"]
    let machine = RealModeMachine()
    var passed = 0
    var failed = 0
    var differences: [RealModeDifference: Int] = [:]
    for name in names {
      let opcode = String(name.dropLast(".MOO.gz".count))
      if let wanted, wanted != opcode { continue }
      let mask = Self.definedFlags(opcodes, opcode)
      for test in MOOFile(try Self.unpack(name)).cases {
        let outcome = machine.run(test, definedFlags: mask)
        if outcome.isRight {
          passed += 1
        } else if let difference = RealModeDifference(opcode, test, outcome) {
          differences[difference, default: 0] += 1
        } else {
          failed += 1
          if failed <= 60 {
            let bytes = test.bytes.map { String($0, radix: 16) }.joined(separator: " ")
            let complaints = outcome.complaints.joined(separator: ", ")
            Issue.record("\(opcode) case \(test.index) (\(test.name); \(bytes)): \(complaints)")
          }
        }
      }
    }
    #expect(failed == 0)
    print("real mode: \(passed) cases of \(names.count) opcode forms passed, \(failed) failed")
    for difference in RealModeDifference.allCases {
      if let count = differences[difference] {
        print("real mode: \(count) cases differ, as a later processor does: \(difference.rawValue)")
      }
    }
  }

  /// Flags that the instruction defines, by the suite's table: its own entry or that of its group member ("F6.4").
  private static func definedFlags(_ opcodes: [String: Any], _ opcode: String) -> UInt16 {
    let parts = opcode.split(separator: ".")
    var entry = opcodes[String(parts[0])] as? [String: Any]
    if parts.count > 1, let members = entry?["reg"] as? [String: Any] {
      entry = members[String(parts[1])] as? [String: Any]
    }
    return UInt16(truncatingIfNeeded: entry?["flags-mask"] as? Int ?? 0xFFFF)
  }

  private static func unpack(_ name: String) throws -> [UInt8] {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/gzip")
    process.arguments = ["-dc", folder.appendingPathComponent("real_mode").appendingPathComponent(name).path]
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return [UInt8](data)
  }
}
