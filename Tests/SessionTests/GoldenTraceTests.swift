import Foundation
import Session
import Testing
import Trace

/// What a golden trace shows.
struct GoldenTrace: CustomTestStringConvertible, Sendable {
  var name: String
  /// Times that the guest panics.
  var panics: Int
  /// Lines of the console, in this order.
  var console: [String]
  /// Why the recording ended.
  var ending: String

  var testDescription: String { name }

  static let folder = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("traces")
  var path: String { Self.folder.appendingPathComponent("\(name).inq").path }

  static let all = [
    GoldenTrace(name: "hello", panics: 0, console: ["hello, loaded by multiboot"], ending: "guest-shutdown"),
    GoldenTrace(
      name: "panic", panics: 2,
      console: [
        "ledger: boot 1", "PANIC: ledger", "ledger: continued", "ledger: boot 2", "PANIC: ledger",
        "ledger: continued", "ledger: boot 3", "ledger: nothing wrong on this boot",
      ], ending: "guest-shutdown"),
    GoldenTrace(
      name: "random", panics: 0, console: ["random: 16 interrupts", "random: 64 interrupts", "random: switching off"],
      ending: "guest-shutdown"),
    GoldenTrace(name: "race", panics: 0, console: ["race: all ticks came on time"], ending: "guest-shutdown"),
    GoldenTrace(
      name: "race-chaos", panics: 1, console: ["PANIC: a coin is missing at tick"], ending: "host-qmp-quit"),
    GoldenTrace(
      name: "events", panics: 1, console: ["events: writing 02", "events: writing 01", "events: writing 04"],
      ending: "guest-shutdown"),
    GoldenTrace(
      name: "serial-echo", panics: 0,
      console: ["what is typed", "echo: 14 bytes", "comes back", "echo: off after 26 bytes"],
      ending: "guest-shutdown"),
  ]
}

/// Runs recorded once and for all. Where one diverges, something changed what guests see: an accident, or a reason for a
/// new `Session.machineVersion` and for running `tools/golden`.
@Suite struct GoldenTraceTests {
  @Test(arguments: GoldenTrace.all)
  func replaysToItsEnd(golden: GoldenTrace) throws {
    let (result, listener, session) = try replay(golden.path)
    #expect(
      result.reason == .end(golden.ending),
      "\(golden.name), recorded by machine version \(session.reader.header.machineVersion), on version \(Session.machineVersion)"
    )
    #expect(result.divergence == nil)
    #expect(!session.isCutOff)
    #expect(result.events > 0)
    #expect(
      listener.events.count { if case .guestPanicked = $0 { true } else { false } } == golden.panics)
    var rest = Substring(listener.console)
    for line in golden.console {
      let found = try #require(rest.range(of: line), "'\(line)' in: \(rest)")
      rest = rest[found.upperBound...]
    }
  }

  @Test func areOfThisMachineVersion() throws {
    for golden in GoldenTrace.all {
      let reader = try TraceReader(path: golden.path)
      #expect(reader.header.machineVersion == Session.machineVersion, "\(golden.name): run tools/golden")
      #expect(reader.header.images.allSatisfy { $0.embedded && !$0.name.contains("/") })
    }
  }

  @Test func areAllTested() throws {
    let files = try FileManager.default.contentsOfDirectory(atPath: GoldenTrace.folder.path)
    let traces = files.filter { $0.hasSuffix(".inq") }.sorted()
    #expect(traces == GoldenTrace.all.map { "\($0.name).inq" }.sorted())
  }

  @Test func areSmall() throws {
    var total = 0
    for golden in GoldenTrace.all {
      let attributes = try FileManager.default.attributesOfItem(atPath: golden.path)
      let size = try #require(attributes[.size] as? Int)
      #expect(size <= 40 << 10, "\(golden.name)")
      total += size
    }
    #expect(total <= 200 << 10)
  }
}
