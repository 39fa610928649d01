import Foundation
import Manage
import Testing

@Suite struct JournalTests {
  private final class Scratch {
    let path = FileManager.default.temporaryDirectory.path + "/inquest-journal-\(UUID().uuidString)"
    deinit { unlink(path) }
  }

  @Test func whatWasDoneIsKnownToTheNextOne() throws {
    let scratch = Scratch()
    let policy = ManagePolicy(.cont, dumps: true)
    var journal: Journal? = try Journal(path: scratch.path)
    let first = try #require(try journal?.seen(server: "s", panic: "p1", policy: policy, dump: "/d"))
    try journal?.begins(.dump, of: first)
    try journal?.ended(.dump, of: first)
    try journal?.handled(first, outcome: "continued")
    let second = try #require(try journal?.seen(server: "s", panic: "p2", policy: policy, dump: nil))
    try journal?.begins(.cont, of: second)
    journal = nil

    let next = try Journal(path: scratch.path)
    #expect(next.records.count == 2)
    #expect(next.record(server: "s", panic: "p1")?.outcome == "continued")
    #expect(next.record(server: "s", panic: "p1")?.done == [.dump])
    #expect(next.unfinished.map(\.panic) == ["p2"])
    #expect(next.unfinished.first?.begun == [.cont])
    #expect(next.unfinished.first?.policy == policy)
    #expect(next.record(server: "other", panic: "p1") == nil)
    #expect(try next.seen(server: "s", panic: "p3", policy: policy, dump: nil).number == 3)
  }

  @Test func aLineThatWasCutOffDoesNotSwallowTheNext() throws {
    let scratch = Scratch()
    let policy = ManagePolicy(.preserve)
    do { _ = try Journal(path: scratch.path).seen(server: "s", panic: "p", policy: policy, dump: nil) }
    let text = try String(contentsOfFile: scratch.path, encoding: .utf8)
    try (text + "{\"number\": 1, \"state\": \"hand").write(toFile: scratch.path, atomically: false, encoding: .utf8)
    do {
      let journal = try Journal(path: scratch.path)
      let record = try #require(journal.unfinished.first)
      try journal.handled(record, outcome: "preserved")
    }
    #expect(try Journal(path: scratch.path).unfinished.isEmpty)
  }

  @Test func oneManagerAtATime() throws {
    let scratch = Scratch()
    let journal = try Journal(path: scratch.path)
    let failure = #expect(throws: Journal.Failure.self) { try Journal(path: scratch.path) }
    #expect(failure?.isInUse == true)
    withExtendedLifetime(journal) {}
  }

  @Test func policiesAndAddresses() {
    #expect(ManagePolicy.names.count == 8)
    for name in ManagePolicy.names { #expect(ManagePolicy(name)?.name == name) }
    for name in ["", "coredump-", "cont ", "coredump-coredump-cont"] { #expect(ManagePolicy(name) == nil) }
    #expect(QMPAddress("unix:/x,server=on,wait=off") == .unix(path: "/x"))
    #expect(QMPAddress("x") == .unix(path: "x"))
    #expect(QMPAddress("tcp:localhost:4444") == .tcp(host: "localhost", port: 4444))
    for text in ["", "unix:", "tcp:localhost", "tcp:h:0", "tcp:h:99999", String(repeating: "x", count: 200)] {
      #expect(QMPAddress(text) == nil)
    }
  }
}
