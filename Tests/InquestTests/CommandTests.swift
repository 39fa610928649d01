import Foundation
import Testing

import InquestCLI

/// Commands on the built-in guest, in a folder of their own.
@Suite("Commands") struct CommandTests {
  let folder: String

  init() throws {
    folder = NSTemporaryDirectory() + "/inquest-tests-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try Data(InquestCLI.demoGuest).write(to: URL(fileURLWithPath: folder + "/guest.elf"))
  }

  private func record(_ name: String, _ options: String...) -> Int32 {
    InquestCLI.run(
      [
        "record", "-m", "16", "-kernel", folder + "/guest.elf", "-device", "pvpanic", "-serial",
        "file:\(folder)/\(name).console", "-o", "\(folder)/\(name).inq",
      ] + options)
  }
  private func console(_ name: String) -> String {
    String(decoding: FileManager.default.contents(atPath: "\(folder)/\(name)") ?? Data(), as: UTF8.self)
  }

  @Test func recordedReplayedDumpedBranchedAndCompared() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let trace = folder + "/a.inq"
    #expect(record("a", "--seed", "7", "--on-panic", "cont") == 0)
    #expect(console("a.console").contains("boot 3"))
    #expect(InquestCLI.run(["replay", trace, "-serial", "file:\(folder)/replayed"]) == 0)
    #expect(console("a.console") == console("replayed"))
    #expect(InquestCLI.run(["replay", trace, "-serial", "null", "--until", "panic:2"]) == 0)
    #expect(InquestCLI.run(["replay", trace, "-serial", "null", "--until", "panic:3"]) == ExitStatus.usage)

    #expect(record("b", "--seed", "7", "--on-panic", "cont") == 0)
    #expect(InquestCLI.run(["diff", trace, folder + "/b.inq"]) == 0)
    #expect(record("c", "--seed", "8", "--on-panic", "cont") == 0)
    #expect(InquestCLI.run(["diff", trace, folder + "/c.inq"]) == ExitStatus.no)

    for name in ["1", "2"] {
      #expect(InquestCLI.run(["dump", trace, "--at", "panic", "-o", "\(folder)/\(name).elf"]) == 0)
    }
    #expect(console("1.elf") == console("2.elf"))

    for name in ["d", "e"] {
      let status = InquestCLI.run([
        "branch", trace, "--at", "panic", "--qmp", #"{"execute":"cont"}"#, "--seed", "9", "-serial", "null",
        "-o",
        "\(folder)/\(name).inq",
      ])
      #expect(status == 0)
    }
    #expect(InquestCLI.run(["diff", folder + "/d.inq", folder + "/e.inq"]) == 0)
    #expect(InquestCLI.run(["replay", folder + "/d.inq", "-serial", "null"]) == 0)
    // A reset machine without a monitor stands still: the branch ends there.
    let reset = [
      "branch", trace, "--at", "panic", "--qmp", #"{"execute":"system_reset"}"#, "-serial", "null",
    ]
    #expect(InquestCLI.run(reset + ["-o", folder + "/f.inq"]) == 0)
    #expect(InquestCLI.run(reset + ["-o", trace]) == ExitStatus.usage)
  }

  @Test func badInput() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    #expect(InquestCLI.run(["info", folder + "/nowhere.inq"]) == ExitStatus.missingInput)
    #expect(InquestCLI.run(["info", folder + "/guest.elf"]) == ExitStatus.badData)
    #expect(InquestCLI.run(["frobnicate"]) == ExitStatus.usage)
    #expect(InquestCLI.run(["record", "-kernel", "x"]) == ExitStatus.usage)
    #expect(
      InquestCLI.run(["record", "-kernel", folder + "/x", "-o", folder + "/x.inq"]) == ExitStatus.missingInput
    )
    #expect(record("s", "-S") == ExitStatus.usage)
    #expect(record("p", "--on-panic", "frob") == ExitStatus.usage)
    #expect(record("nofolder/x") == ExitStatus.cannotCreate)
    #expect(!FileManager.default.fileExists(atPath: folder + "/s.inq"))
  }

  @Test func guestsChooseTheirStatus() {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    #expect(record("x", "-action", "panic=exit-failure") == 1)
  }
}

@Suite("Hunting") struct HuntTests {
  @Test func intervalOfWilson() {
    let none = Proportion.interval(0, of: 20)
    #expect(none.lowerBound == 0 && abs(none.upperBound - 0.1611) < 0.001)
    let some = Proportion.interval(4, of: 60)
    #expect(abs(some.lowerBound - 0.0262) < 0.001 && abs(some.upperBound - 0.1593) < 0.001)
    #expect(Proportion.interval(0, of: 0) == 0...1)
  }

  @Test func panicLines() {
    let linux =
      "[    1.5] BUG: x\r\n[    5.589] Kernel panic - not syncing: sysrq triggered crash\r\n[    5.6] CPU: 0"
    #expect(ConsoleSearch(text: linux).panicLine == "Kernel panic - not syncing: sysrq triggered crash")
    #expect(ConsoleSearch(text: "panicky\nPANIC: out of balance\n").panicLine == "PANIC: out of balance")
    #expect(ConsoleSearch(text: "all is well").panicLine == nil)
  }
}
