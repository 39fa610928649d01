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
    ["-display", "none"], ["-net", "none"], ["-nic", "none"],
    ["-no-user-config"], ["-overcommit", "mem-lock=off"], ["-msg", "timestamp=on"], ["-snapshot"], ["-k", "de"],
    ["-audiodev", "none,id=a"], ["-sandbox", "off"],
  ])
  func whatChangesNothingIsLeftOut(_ arguments: [String]) throws {
    #expect(try Spelling.normalise(["record"] + arguments + ["-m", "1G"]) == ["record", "-m", "1G"])
  }

  @Test(arguments: [
    ["-display", "gtk"], ["-nic", "user"], ["-enable-kvm"], ["-fda", "x"], ["-frobnicate"], ["-kernel"], ["-S=on"],
    ["-sandbox", "on"], ["-usb"], ["-object", "rng-random,id=r"], ["-daemonize"],
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
    #expect(commands.count >= 11)
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

  @Test func qemuCommandLinesAreTakenWhole() throws {
    let line = try QEMUCommandLine(
      """
      FOO=1 /usr/bin/qemu-system-x86_64 -M q35,accel=kvm:tcg -enable-kvm -cpu host -m 1G -smp 1 \
        -kernel 'my kernel' -append "console=ttyS0 panic=5" -device '{"driver":"pvpanic","ioport":1285}' \
        -spice port=1 -object rng-random,id=r -nographic -no-reboot -usb  # comment
      """)
    #expect(
      line.arguments == [
        "-action", "panic=shutdown", "-M", "q35,accel=kvm:tcg", "-cpu", "host", "-m", "1G", "-smp", "1", "-kernel",
        "my kernel", "-append", "console=ttyS0 panic=5", "-device", #"{"driver":"pvpanic","ioport":1285}"#,
        "-nographic", "-no-reboot",
      ])
    #expect(line.leftOut.count == 5)
    for (text, option) in zip(line.leftOut, ["-enable-kvm", "-spice port=1", "-object rng-random,id=r", "-usb"]) {
      #expect(text.hasPrefix(option))
    }
    // What QEMU adds by itself is named where nothing forbade it.
    #expect(try QEMUCommandLine("qemu-system-x86_64 -kernel k").leftOut.count == 1)
    #expect(try QEMUCommandLine("qemu-system-x86_64 -kernel k -nodefaults").leftOut.isEmpty)
  }

  @Test(arguments: ["qemu-system-x86_64 -kernel 'k", "qemu-system-x86_64 -frobnicate x", "rm -rf x", "-kernel"])
  func whatIsNoCommandLineOfQEMUsIsRefused(_ text: String) {
    let failure = #expect(throws: CommandFailure.self) { try QEMUCommandLine(text) }
    #expect(failure?.status == ExitStatus.usage)
  }
}
