import Testing

import InquestCLI

@Suite("Machine options") struct MachineOptionsTests {
  private func plan(_ arguments: String...) throws -> MachinePlan {
    try MachinePlan(arguments: ["-kernel", "k"] + arguments)
  }

  private func refusal(_ arguments: String...) -> String {
    do {
      _ = try MachinePlan(arguments: ["-kernel", "k"] + arguments)
      return ""
    } catch {
      let failure = CommandFailure(error)
      return failure.status == ExitStatus.usage ? failure.message : "status \(failure.status)"
    }
  }

  @Test(arguments: [
    ("256", 256 << 20), ("256M", 256 << 20), ("1G", 1 << 30), ("size=2g", 2 << 30), ("1.5G", 3 << 29),
    ("1048577B", (1 << 20) + 4096),
  ])
  func memory(_ text: String, _ bytes: Int) throws {
    #expect(try plan("-m", text).setup.configuration.memorySize == UInt64(bytes))
  }

  @Test(arguments: ["", "x", "0", "-1", "1k", "99999999999G", "65G", "512,maxmem=1G", "1e3", "٣"])
  func memoryThatIsNone(_ text: String) {
    #expect(refusal("-m", text).contains("-m \(text)") || refusal("-m", text).contains("Empty option"))
  }

  @Test func processors() throws {
    _ = try plan("-smp", "1")
    _ = try plan("-smp", "cpus=1,sockets=1,cores=1,threads=1,maxcpus=1")
    for text in ["2", "cpus=4", "1,maxcpus=2", "0", "x"] {
      #expect(refusal("-smp", text).contains("-smp \(text)"))
    }
  }

  @Test func devices() throws {
    let plan = try plan(
      "-device", "pvpanic,ioport=0x600,events=3", "-device", "pvpanic-pci", "-device", "vmcoreinfo",
      "-device",
      "isa-debug-exit,iobase=0xf4,iosize=4", "-device", "isa-debugcon,chardev=d", "-debugcon", "null")
    let configuration = plan.setup.configuration
    #expect(configuration.pvpanic?.port == 0x600)
    #expect(configuration.pvpanic?.events == 3)
    #expect(configuration.pvpanicPCI != nil)
    #expect(configuration.vmcoreinfo)
    #expect(configuration.isaDebugExit?.port == 0xF4)
    #expect(configuration.isaDebugExit?.size == 4)
    #expect(configuration.debugConsoles == [0xE9, 0xE9])
    #expect(plan.debugConsoles == ["chardev:d", "null"])
  }

  @Test(arguments: [
    "frobnicator", "pvpanic,ioport=70000", "pvpanic,events=x", "pvpanic,frob=1", "isa-debug-exit,iosize=3",
    "isa-debugcon", "virtio-blk-pci,drive=d", "", ",", "isa-serial",
  ])
  func deviceThatIsNone(_ text: String) { #expect(refusal("-device", text).contains("-device \(text)")) }

  @Test func icount() throws {
    #expect(try plan("-icount", "shift=3,sleep=off").setup.configuration.timeShift == 3)
    #expect(try plan("-icount", "7").setup.configuration.timeShift == 7)
    #expect(try plan("-icount", "shift=3,sleep=off").pacesIdleTime == false)
    #expect(try plan("-icount", "sleep=on").pacesIdleTime == true)
    #expect(try plan().pacesIdleTime == nil)
    for text in ["shift=auto", "shift=11", "shift=x", "2,rr=record,rrfile=x", "2,align=on"] {
      #expect(refusal("-icount", text).contains("-icount \(text)"))
    }
  }

  @Test func clock() throws {
    #expect(
      try plan("-rtc", "base=2006-06-17T16:01:21").setup.configuration.startTime == 1_150_560_081_000_000_000)
    #expect(try plan("-rtc", "base=1970-01-02,clock=vm").setup.configuration.startTime == 86_400_000_000_000)
    #expect(try plan("--seed", "7").setup.configuration.startTime == ClockOption.fixedTime * 1_000_000_000)
    #expect(try plan().setup.configuration.startTime > ClockOption.fixedTime * 1_000_000_000)
    for text in ["base=yesterday", "base=2006-02-31", "base=2006-06-17T25:00:00", "clock=host", "frob=1"] {
      #expect(refusal("-rtc", text).contains("-rtc \(text)"))
    }
  }

  @Test func actions() throws {
    let actions = try plan(
      "-action", "panic=none,shutdown=pause", "-action", "panic=exit-failure", "-no-reboot"
    ).setup
      .actions
    #expect(actions.panic == .exitFailure)
    #expect(actions.shutdown == .pause)
    #expect(actions.reboot == .shutdown)
    for text in ["panic=frob", "frob=pause", "panic"] {
      #expect(refusal("-action", text).contains("-action \(text)"))
    }
  }

  @Test func names() throws {
    #expect(try plan("-name", "guest=a,,b,debug-threads=on").setup.name == "a,b")
    #expect(try plan("-name", "plain").setup.name == "plain")
    #expect(try plan("-initrd", "a,b,,c").initrdPaths == ["a", "b,c"])
    #expect(refusal("-uuid", "7").contains("-uuid 7"))
    #expect(refusal("-initrd", "a,").contains("-initrd a,"))
  }

  @Test func seedsAreDrawnUnlessFixed() throws {
    #expect(try plan("--seed", "7").setup.configuration.seed == 7)
    #expect(try plan().setup.configuration.seed != plan().setup.configuration.seed)
  }

  @Test(arguments: [
    ["-machine", "pc"], ["-M", "pc-i440fx-7.2,accel=tcg"], ["-machine", "q35,accel=kvm:tcg,usb=off,smm=on"],
    ["-machine", "type=pc,kernel-irqchip=split,dump-guest-core=on"], ["-accel", "tcg,thread=single"],
    ["-accel", "kvm", "-accel", "tcg"], ["-global", "kvm-pit.lost_tick_policy=delay"], ["-boot", "order=dc,menu=off"],
    ["-vga", "none"], ["-vga", "qxl"],
  ])
  func whatChangesNothingIsAccepted(_ arguments: [String]) throws {
    let usual = try MachinePlan(arguments: ["-kernel", "k"], seed: 1).setup.configuration
    #expect(try MachinePlan(arguments: ["-kernel", "k"] + arguments, seed: 1).setup.configuration == usual)
  }

  @Test(arguments: [
    ["-machine", "microvm"], ["-machine", "pc,accel=kvm"], ["-machine", "pc,frob=1"], ["-accel", "kvm"],
    ["-machine", "panic-policy=qemu-1.5"], ["-machine", "hpet=maybe"], ["-global", "x"], ["-watchdog-action", "x"],
    ["-device", "{"], ["-device", #"{"driver":"pvpanic","events":[1]}"#],
  ])
  func whatIsNotThereIsRefusedByName(_ arguments: [String]) {
    #expect(refusal(arguments).contains(arguments[0]))
  }

  private func refusal(_ arguments: [String]) -> String {
    do {
      _ = try MachinePlan(arguments: ["-kernel", "k"] + arguments)
      return ""
    } catch { return CommandFailure(error).message }
  }

  @Test func propertiesOfTheMachine() throws {
    #expect(try plan("-machine", "panic-policy=qemu-1.6").setup.panicRules == .qemu1_6)
    #expect(try plan("-machine", "panic-policy=reversible").setup.panicRules == nil)
    #expect(try !plan("-machine", "pc,hpet=off").setup.configuration.hasHPET)
    #expect(try plan("-watchdog-action", "pause").setup.actions.watchdog == .pause)
    let device = try plan("-device", "pvpanic", "-global", "pvpanic.events=3").setup.configuration.pvpanic
    #expect(device?.events == 3)
    #expect(try plan("-device", #"{"driver":"pvpanic","ioport":1536}"#).setup.configuration.pvpanic?.port == 0x600)
  }
}
