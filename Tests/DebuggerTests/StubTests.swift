import Debugger
import Session
import Testing

private func hex(_ text: String) -> String { text.utf8.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }

@Suite struct StubTests {
  @Test func announcesWhatItCan() {
    let c = Conversation()
    let plain = c.say("qSupported:multiprocess+;xmlRegisters=i386")
    for feature in [
      "PacketSize=10000", "qXfer:features:read+", "vContSupported+", "QStartNoAckMode+", "ReverseStep+",
      "ReverseContinue+",
    ] { #expect(plain.split(separator: ";").contains(Substring(feature))) }
    #expect(!plain.contains("swbreak"))
    #expect(c.say("qSupported:swbreak+;hwbreak+").contains("swbreak+;hwbreak+"))
    c.target.features.reverses = false
    #expect(!c.say("qSupported").contains("Reverse"))
  }

  @Test func unknownPacketsAreAnsweredWithNothing() {
    let c = Conversation()
    for packet in ["", "vMustReplyEmpty", "qFoo", "QBar:1", "!", "_", "A", "vFile:open:", "qTStatus", "i", "R00"] {
      #expect(c.say(packet) == "", "\(packet)")
    }
  }

  // MARK: Registers

  @Test func registersByNumberAndAll() {
    let c = Conversation()
    #expect(c.say("p0") == "0000000011111111")
    #expect(c.say("p1") == "0300000011111111")
    #expect(c.say("p10") == "00000081ffffffff")
    #expect(c.say("p11") == "46020000")
    #expect(c.say("p12") == "08000000")
    #expect(c.say("p28") == "00000000000000000100000000000000")
    #expect(c.say("p42") == "E22")
    #expect(c.say("pzz") == "E22")
    let sizes = c.target.file.available.map(\.byteCount).reduce(0, +)
    #expect(c.say("g").count == 2 * sizes)
    #expect(sizes == 16 * 8 + 8 + 7 * 4 + 80 + 32 + 256 + 4 + 9 * 8)
  }

  @Test func writingRegisters() {
    let c = Conversation()
    #expect(c.say("P0=8877665544332211") == "OK")
    #expect(c.target.file.state.general[0] == 0x1122_3344_5566_7788)
    #expect(c.say("P0=88") == "E22")
    #expect(c.say("P0") == "E22")
    // CR0.PE decides the mode.
    let cr0 = ProcessorRegister.named("cr0")!.number
    #expect(c.say("P\(String(cr0, radix: 16))=1000000000000000").hasPrefix("E."))
    // G writes what differs only.
    let all = c.say("g")
    c.target.log = []
    #expect(c.say("G" + all) == "OK")
    #expect(c.target.log.isEmpty)
    #expect(c.say("G0102030405060708" + all.dropFirst(16)) == "OK")
    #expect(c.target.log == ["write rax"])
    #expect(c.say("Gxx") == "E22")
  }

  @Test func outside64BitModeTheLayoutStays() {
    let c = Conversation()
    c.target.file.state.efer = 0
    c.target.file.state.segments[1].register.attributes = 0xC09B
    #expect(c.say("p0") == "0000000000000000")
    #expect(c.say("p1") == "0300000000000000")
    #expect(c.say("p8") == "0000000000000000")
    #expect(c.say("p10") == "0000008100000000")
    #expect(c.say("P1=0500000000000000") == "OK")
    #expect(c.target.file.state.general[3] == 0x1111_1111_0000_0005)
  }

  @Test func descriptionNamesAllRegisters() {
    let c = Conversation()
    var document = ""
    while true {
      let piece = c.say("qXfer:features:read:target.xml:\(String(document.utf8.count, radix: 16)),ffb")
      document += piece.dropFirst()
      if piece.first == "l" { break }
      #expect(piece.first == "m")
      if piece.first != "m" { break }
    }
    #expect(!document.contains("avx"))
    for register in c.target.file.available {
      #expect(
        document.contains("<reg name=\"\(register.name)\" bitsize=\"\(register.byteCount * 8)\""), "\(register.name)")
    }
    for feature in ["core", "sse", "segments"] { #expect(document.contains("\"org.gnu.gdb.i386.\(feature)\"")) }
    #expect(document.hasSuffix("</target>\n"))
    #expect(c.say("qXfer:features:read:target.xml:\(String(document.utf8.count, radix: 16)),10") == "l")
    #expect(c.say("qXfer:features:read:target.xml:fffff,10") == "E00")
    #expect(c.say("qXfer:features:read:other.xml:0,10") == "E00")
    #expect(c.say("qXfer:features:read:target.xml:0") == "E22")
    #expect(c.say("qXfer:auxv:read::0,10") == "")
  }

  @Test func processorsWithAVXHaveWiderRegisters() {
    let c = Conversation()
    #expect(c.say("p42") == "E22")
    c.target.file.state.features = [1 << 23, 0]
    #expect(c.say("p42") == "02000000000000000300000000000000")
    #expect(c.say("P51=0102030405060708090a0b0c0d0e0f10") == "OK")
    #expect(c.target.file.state.vectors[62] == 0x0807_0605_0403_0201)
    #expect(c.say("p52") == "E22")
    #expect(c.say("g").count == 2 * ProcessorRegister.all.map(\.byteCount).reduce(0, +))
    #expect(c.say("qXfer:features:read:target.xml:0,7000").contains("org.gnu.gdb.i386.avx"))
  }

  // MARK: Memory

  @Test func readingMemory() {
    let c = Conversation()
    #expect(c.say("m1010,4") == "10111213")
    #expect(c.say("m1010,0") == "")
    // As much as there is.
    #expect(c.say("m10ffe,10") == "feff")
    #expect(c.say("m11000,1") == "E14")
    #expect(c.say("m1010") == "E22")
    #expect(c.say("m,4") == "E22")
    #expect(c.say("m10000000000000000,4") == "E22")
    #expect(c.say("m1000,ffffffffffffffff").count <= Stub.packetSize)
    c.say("x1023,3")
    #expect(c.bytes == [0x62, 0x23, 0x24, 0x25])
  }

  @Test func writingMemory() {
    let c = Conversation()
    #expect(c.say("M1000,2:abcd") == "OK")
    #expect(c.say("m1000,3") == "abcd02")
    #expect(c.say("X1000,0:") == "OK")
    #expect(c.say(Array("X1001,2:".utf8) + [0x3A, 0x00]) == "OK")
    #expect(c.say("m1000,3") == "ab3a00")
    #expect(c.say("M1000,2:abc") == "E22")
    #expect(c.say("M1000,3:abcd") == "E22")
    #expect(c.say("M10fff,2:abcd") == "E14")
  }

  @Test func physicalMemory() {
    let c = Conversation()
    #expect(c.say("qqemu.PhyMemMode") == "0")
    #expect(c.say("m100010,2") == "E14")
    #expect(c.say("Qqemu.PhyMemMode:1") == "OK")
    #expect(c.say("qqemu.PhyMemMode") == "1")
    #expect(c.say("m100010,2") == "1011")
    #expect(c.say("M100010,1:ff") == "OK")
    #expect(c.target.log.last == "write physical 1")
    #expect(c.say("Qqemu.PhyMemMode:x") == "E22")
    // The next client begins anew.
    c.stub.connected()
    #expect(c.say("qqemu.PhyMemMode") == "0")
  }

  @Test func aReplayRefusesWrites() {
    let c = Conversation()
    c.target.features.writeRefusal = "use inquest branch"
    for packet in ["P0=8877665544332211", "G00", "M1000,1:00", "X1000,1:a"] {
      #expect(c.say(packet) == "E.use inquest branch", "\(packet)")
    }
    #expect(c.say("X1000,0:") == "OK")
    // Said once more where gdb shows it: on its console, when the machine goes on.
    c.target.stops = [.step]
    #expect(c.say("s") == "O\(hex("inquest: use inquest branch\n")) T05thread:01;")
    c.target.stops = [.step]
    #expect(c.say("s") == "T05thread:01;")
  }

  // MARK: Points

  @Test func pointsOfAllKinds() {
    let c = Conversation()
    for kind in 0..<5 { #expect(c.say("Z\(kind),1000,8") == "OK") }
    #expect(c.target.points.map(\.kind) == [.software, .hardware, .write, .read, .access])
    #expect(c.say("Z0,1000,8") == "OK")
    #expect(c.target.points.count == 5)
    #expect(c.say("z2,1000,8") == "OK")
    #expect(c.say("z2,1000,8") == "E02")
    #expect(c.target.points.count == 4)
    #expect(c.say("Z5,1000,1") == "")
    #expect(c.say("Z2,1000,0") == "E22")
    #expect(c.say("Z0,1000") == "E22")
    #expect(c.say("Z1,2000,1;X1,2a;cmds:0,X0") == "OK")
    c.target.refusesPoints = true
    #expect(c.say("Z1,3000,1").hasPrefix("E"))
  }

  @Test func thousandsOfHardwareBreakpoints() {
    let c = Conversation()
    for index in 0..<2000 { #expect(c.say("Z1,\(String(0x10000 + index, radix: 16)),1") == "OK") }
    #expect(c.target.points.count == 2000)
  }

  // MARK: Going

  @Test func stopReplies() {
    let c = Conversation()
    let breakpoint = DebugPoint(.software, 0x1000)
    func reply(_ stop: DebugStop) -> String {
      c.target.stops = [stop]
      return c.say("c")
    }
    #expect(c.say("?") == "T05thread:01;")
    #expect(reply(.breakpoint(breakpoint)) == "T05thread:01;")
    #expect(
      reply(.watchpoint(DebugPoint(.write, 0xFFFF_8880_0000_0010, length: 8))) == "T05thread:01;watch:ffff888000000010;"
    )
    #expect(reply(.watchpoint(DebugPoint(.read, 0x10))) == "T05thread:01;rwatch:10;")
    #expect(reply(.watchpoint(DebugPoint(.access, 0x10))) == "T05thread:01;awatch:10;")
    #expect(reply(.interrupt) == "T02thread:01;")
    #expect(reply(.panic) == "T8fthread:01;")
    #expect(c.say("?") == "T8fthread:01;")
    #expect(reply(.runState(.shutdown)) == "T03thread:01;")
    #expect(reply(.beginning) == "T05replaylog:begin;thread:01;")
    #expect(reply(.end) == "T05replaylog:end;thread:01;")
    #expect(reply(.exited(3)) == "W03")
    c.say("qSupported:swbreak+;hwbreak+")
    #expect(reply(.breakpoint(breakpoint)) == "T05thread:01;swbreak:;")
    #expect(reply(.breakpoint(DebugPoint(.hardware, 0x1000))) == "T05thread:01;hwbreak:;")
    #expect(reply(.failed("broken")) == "O\(hex("inquest: broken\n")) T06thread:01;")
  }

  @Test func waysOfGoingOn() {
    let c = Conversation()
    func went(_ packet: String) -> [String] {
      c.target.log = []
      c.target.stops = [.step]
      c.say(packet)
      return c.target.log
    }
    for packet in ["s", "S05", "vCont;s:1;c", "vCont;s", "vCont;S05:1", "vCont;s:p1.1;c:p1.-1"] {
      #expect(went(packet) == ["step"], "\(packet)")
    }
    for packet in ["c", "C05", "vCont;c", "vCont;c:1", "vCont;C05", "vCont;c:-1"] {
      #expect(went(packet) == ["cont"], "\(packet)")
    }
    #expect(went("bs") == ["reverseStep"])
    #expect(went("bc") == ["reverseCont"])
    #expect(went("c2000") == ["write rip", "cont"])
    #expect(went("C05;3000") == ["write rip", "cont"])
    #expect(c.target.file.state.rip == 0x3000)
    for packet in ["vCont;", "vCont;x", "vCont;c:9", "vCont;s5", "cxyz", "C", "Cxx"] {
      #expect(went(packet) == [], "\(packet)")
      #expect(c.text == "E22", "\(packet)")
    }
    #expect(c.say("vCont?") == "vCont;c;C;s;S")
    c.target.features.reverses = false
    #expect(went("bs") == [] && c.text == "E22")
  }

  @Test func packetsThatComeWhileItRunsStopIt() {
    let c = Conversation()
    c.say("c")
    #expect(c.stub.isRunning && c.text == "")
    #expect(c.say("m1000,1") == "")
    #expect(c.target.log.last == "interrupt")
    c.target.stop(.interrupt)
    #expect(c.text == "T02thread:01; 00")
    #expect(!c.stub.isRunning)
  }

  @Test func aStopAfterTheClientHasGoneIsNotSaid() {
    let c = Conversation()
    c.say("Z0,1000,1")
    c.say("c")
    c.stub.disconnected()
    #expect(c.target.points.isEmpty)
    #expect(Array(c.target.log.suffix(2)) == ["interrupt", "detach false"])
    c.stub.connected()
    c.target.stop(.interrupt)
    #expect(c.text == "")
    #expect(c.say("?") == "T05thread:01;")
  }

  @Test func theEndOfTheRun() {
    let c = Conversation()
    c.say("c")
    c.stub.ended(status: 33)
    #expect(c.text == "W21")
    #expect(c.say("?") == "W21")
  }

  // MARK: Threads and queries

  @Test func threadsAreProcessors() {
    let c = Conversation()
    c.target.processorCount = 2
    #expect(c.say("qfThreadInfo") == "m01,02")
    #expect(c.say("qsThreadInfo") == "l")
    #expect(c.say("qC") == "QC01")
    #expect(c.say("Hg2") == "OK")
    #expect(c.say("qC") == "QC02")
    #expect(c.say("Hc-1") == "OK")
    #expect(c.say("Hg0") == "OK")
    #expect(c.say("Hg3") == "E22")
    #expect(c.say("Hx1") == "E22")
    #expect(c.say("H") == "E22")
    #expect(c.say("T1") == "OK")
    #expect(c.say("T2") == "OK")
    #expect(c.say("T3") == "E22")
    #expect(c.say("T") == "E22")
    #expect(c.say("qThreadExtraInfo,2") == hex("CPU#1 [running]"))
    #expect(c.say("qThreadExtraInfo,9") == "E22")
  }

  @Test func smallQueries() {
    let c = Conversation()
    #expect(c.say("qAttached") == "1")
    #expect(c.say("QStartNoAckMode") == "OK")
    #expect(c.say("qqemu.sstepbits") == "ENABLE=1")
    #expect(c.say("qqemu.sstep") == "0x1")
    #expect(c.say("Qqemu.sstep=1") == "OK")
    #expect(c.say("Qqemu.sstep=7") == "E22")
  }

  @Test func monitorCommands() {
    let c = Conversation()
    #expect(c.say("qRcmd," + hex("seek panic")) == "O\(hex("you said seek panic\n")) OK")
    #expect(c.say("qRcmd," + hex("nothing")) == "OK")
    #expect(c.say("qRcmd,6") == "E22")
  }

  @Test func goodbye() {
    let c = Conversation()
    c.say("Z0,1000,1")
    #expect(c.say("D") == "OK")
    #expect(c.target.points.isEmpty)
    #expect(c.target.log.last == "detach true")
    // Nobody is there any more.
    #expect(c.say("g") == "")
    let d = Conversation()
    #expect(d.say("vKill;1") == "OK")
    #expect(d.target.log.last == "kill")
    let e = Conversation()
    #expect(e.say("k") == "")
    #expect(e.target.log.last == "kill")
  }

  /// Packets made of pieces of packets: none ends the process, and each has an answer of the right form.
  @Test func anyPacketIsSurvived() {
    var random = SystemOfNumbers(11)
    let pieces = [
      "m", "M", "x", "X", "p", "P", "g", "G", "Z0", "Z4", "z1", "H", "Hg", "Hc", "T", "vCont", ";c", ";s", ":", ",",
      ";", "=",
      "-1", "0", "1", "ff", "ffffffffffffffff", "8000000000000000", "qSupported", "qXfer:features:read:", "target.xml",
      "qRcmd", "qThreadExtraInfo", "qqemu.PhyMemMode", "Qqemu.sstep", "D", "?", "b", "bs", "bc", "C", "S", "c", "s",
      "k", "vKill",
      "p1.", "\u{0}", "é", "1000,10",
    ]
    let c = Conversation()
    for _ in 0..<20_000 {
      c.target.stops = [.step]
      let packet = (0..<Int(random.next() % 6)).map { _ in pieces[Int(random.next() % UInt64(pieces.count))] }.joined()
      c.say(packet)
      for reply in c.replies { #expect(reply.count <= Stub.packetSize) }
      if packet == "D" { c.stub.connected() }
    }
    c.stub.connected()
    #expect(c.say("qC") == "QC01")
  }
}
