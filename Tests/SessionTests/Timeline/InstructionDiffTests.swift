import Foundation
import PC
import Session
import Testing
import Trace

@Suite struct InstructionDiffTests {
  @Test func theSameRunIsTheSame() throws {
    let recorded = try RecordedGuest("events")
    let diff = try InstructionDiff(recorded.path, recorded.path)
    #expect(diff.parting == nil)
    #expect(diff.cause == nil)
    #expect(diff.startMemory.isEmpty)
    #expect(diff.comparedTo.instructionCount == recorded.result.instant.instructionCount)
  }

  /// Bytes typed at different times: the guest's first look at the port that finds something is the first difference.
  @Test func aBranchWithAnotherSeedPartsWhereItDraws() throws {
    let recorded = try RecordedGuest("random")
    var options = BranchOptions()
    options.at = .instructionCount(recorded.result.instant.instructionCount / 3)
    options.seed = 4711
    options.until = .end
    let path = recorded.scratch.path("branch.inq")
    _ = try BranchSession(parent: recorded.path, options: options, output: path).run()
    let diff = try InstructionDiff(recorded.path, path, context: 2)
    guard let parting = diff.parting else {
      Issue.record("no difference")
      return
    }
    #expect(parting.lastCommon.instructionCount >= recorded.result.instant.instructionCount / 3)
    #expect(parting.first.step?.before == parting.lastCommon)
    #expect(parting.second.step?.before == parting.lastCommon)
    #expect(!parting.registers.isEmpty || !parting.memory.isEmpty)
    #expect(parting.before.count == 2)
    switch diff.cause {
    case .consequence(let input)?, .input(let input)?:
      #expect(input.first == nil)
      #expect(input.second?.kind == .entropy)
    default: Issue.record("cause \(String(describing: diff.cause))")
    }
    // The place before is the same in both, the one behind is not.
    let (a, b) = (try Timeline(path: recorded.path), try Timeline(path: path))
    for timeline in [a, b] { try timeline.seek(to: StopTarget.instant(parting.lastCommon)) }
    #expect(a.session.fingerprint().memory == b.session.fingerprint().memory)
    #expect(a.session.fingerprint().registers == b.session.fingerprint().registers)
    for timeline in [a, b] { try timeline.step(1) }
    #expect(
      a.session.fingerprint().memory != b.session.fingerprint().memory
        || a.session.fingerprint().registers != b.session.fingerprint().registers)
  }

  @Test func twoSeedsAreTheCause() throws {
    let first = try RecordedGuest("random", seed: 1)
    let second = try RecordedGuest("random", seed: 2)
    let diff = try InstructionDiff(first.path, second.path)
    #expect(diff.headers.contains { $0.what == "seed" })
    guard case .start(let details)? = diff.cause else {
      Issue.record("cause \(String(describing: diff.cause))")
      return
    }
    #expect(details.contains { $0.contains("seed") })
    #expect(diff.parting != nil)
  }
}
