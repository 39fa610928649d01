import Testing

import InquestCLI

@Suite("Spelling of options") struct SpellingTests {
  @Test func oneDashAndTwoAreTheSame() throws {
    let expected = ["record", "-kernel", "k", "-append", "a b", "--seed", "7", "-o", "t"]
    #expect(
      try Spelling.normalise(["record", "-kernel", "k", "-append", "a b", "-seed", "7", "-o", "t"])
        == expected)
    #expect(
      try Spelling.normalise(["record", "--kernel", "k", "--append=a b", "--seed=7", "-o", "t"]) == expected)
  }

  @Test func valuesMayBeginWithADashOrBeEmpty() throws {
    #expect(try Spelling.normalise(["-append", "-x y=z"]) == ["-append=-x y=z"])
    #expect(try Spelling.normalise(["-append", ""]) == ["-append", ""])
    #expect(try Spelling.normalise(["-append", "--"]) == ["-append=--"])
  }

  @Test func behindTwoDashesNothingIsAnOption() throws {
    #expect(try Spelling.normalise(["info", "--", "-kernel"]) == ["info", "--", "-kernel"])
  }

  @Test(arguments: [
    ["-machine", "pc"], ["-M", "pc-i440fx-7.2,accel=tcg"], ["-accel", "tcg,thread=single"], ["-cpu", "max"],
    ["-display", "none"], ["-vga", "none"], ["-net", "none"], ["-nic", "none"], ["-no-user-config"],
  ])
  func whatChangesNothingIsLeftOut(_ arguments: [String]) throws {
    #expect(try Spelling.normalise(["record"] + arguments + ["-m", "1G"]) == ["record", "-m", "1G"])
  }

  @Test(arguments: [
    ["-machine", "q35"], ["-accel", "kvm"], ["-cpu", "host"], ["-display", "gtk"], ["-nic", "user"],
    ["-enable-kvm"],
    ["-drive", "file=x"], ["-hda", "x"], ["-frobnicate"], ["-kernel"], ["-S=on"],
  ])
  func whatWouldChangeSomethingIsRefusedByName(_ arguments: [String]) throws {
    let failure = #expect(throws: CommandFailure.self) { try Spelling.normalise(["record"] + arguments) }
    #expect(failure?.status == ExitStatus.usage)
    #expect(failure?.message.contains(arguments[0].dropFirst().prefix { $0 != "=" }) == true)
    #expect(failure?.message.contains("\n") == false)
  }

  @Test func nearMissesAreNamed() throws {
    let failure = #expect(throws: CommandFailure.self) { try Spelling.normalise(["-kernal", "x"]) }
    #expect(failure?.message.contains("-kernel") == true)
  }

  /// What a command declares and the table does not know could never be given.
  @Test func everyOptionOfEveryCommandIsInTheTable() throws {
    let commands = InquestCLI.helpTexts(columns: 200)
    #expect(commands.count == 10)
    for (command, text) in commands {
      for line in text.split(separator: "\n") where line.hasPrefix("  -") {
        let names = line.split(separator: " ").prefix { $0.hasPrefix("-") || $0.hasPrefix("<") }
        for name in names where name.hasPrefix("-") {
          let bare = String(name.drop { $0 == "-" }.prefix { $0 != "," })
          #expect(OptionTable.treatment(of: bare) != nil, "\(command): \(name)")
        }
      }
    }
  }
}
