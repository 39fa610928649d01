import Foundation
import Testing

/// Proof of the system level: one small guest a behaviour, its expectation inside (Guests/asm/system).
@Suite("System: guests that test the processor")
struct SystemGuestTests {
  /// Guests that end otherwise than through the debug exit port.
  private static let endings: [String: SystemGuest.Ending] = ["triple-fault": .shutdown]

  @Test("every check of a guest passes", arguments: SystemGuest.all)
  func guest(_ name: String) throws {
    let result = try SystemGuest(name: name).run()
    if ProcessInfo.processInfo.environment["SYSTEM_GUEST_CONSOLE"] != nil { print(result.console) }
    #expect(result.failures == [], "\(name)")
    #expect(result.ending == Self.endings[name] ?? .exit(0), "\(name): \(result.console.suffix(500))")
    #expect(result.passes > 0, "\(name) checked nothing")
  }

  @Test("a guest cut after every few instructions does the same", arguments: ["debug-registers", "single-step"])
  func sliced(_ name: String) throws {
    let whole = try SystemGuest(name: name).run()
    let sliced = try SystemGuest(name: name).run(cut: 3)
    #expect(whole.console == sliced.console)
    #expect(whole.instructions == sliced.instructions)
  }
}
