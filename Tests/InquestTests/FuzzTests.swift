import Foundation
import Testing

import InquestCLI

/// Mutations of command lines: each is taken or refused with one line, and nothing breaks. `INQUEST_FUZZ_SECONDS` makes it
/// run that long instead of a fixed number of rounds.
@Suite struct CommandLineFuzzTests {
  private static let corpus: [[String]] = [
    ["-kernel", "k", "-m", "256", "-append", "console=ttyS0 panic=5", "-device", "pvpanic,ioport=0x505,events=7"],
    ["-kernel", "k", "-m", "size=1G", "-smp", "cpus=1,sockets=1", "-icount", "shift=3,sleep=on", "-S"],
    ["-machine", "q35,accel=kvm:tcg,panic-policy=qemu-1.6", "-accel", "tcg,thread=multi", "-cpu", "host"],
    ["-action", "panic=pause,reboot=shutdown", "-action", "watchdog=none", "-no-reboot", "-watchdog-action", "debug"],
    ["-rtc", "base=2026-06-17T16:01:21,clock=vm", "-name", "guest=x,debug-threads=on", "-uuid", "x"],
    ["-device", #"{"driver":"pvpanic","ioport":1285}"#, "-global", "pvpanic.events=3", "-debugcon", "null"],
    ["-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-device", "isa-debugcon,chardev=d,iobase=0xe9", "--seed", "7"],
    ["-initrd", "a,b,,c", "-nographic", "-nodefaults", "-vga", "none", "-boot", "order=c", "--chaos"],
  ]

  @Test func mutatedCommandLines() {
    var state: UInt64 = 0xE703_7ED1_A0B4_28DB
    func random(_ bound: Int) -> Int {
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return Int(state % UInt64(max(1, bound)))
    }
    let pieces = [
      "", ",", ",,", "=", "on", "-1", "0x", "18446744073709551616", "{", "\"", "\u{0}", "é", "-", "--", ".",
    ]
    let end = ProcessInfo.processInfo.environment["INQUEST_FUZZ_SECONDS"].flatMap(Double.init).map {
      Date(timeIntervalSinceNow: $0)
    }
    var round = 0
    while end.map({ Date() < $0 }) ?? (round < 100) {
      round += 1
      var words = Self.corpus[random(Self.corpus.count)]
      for _ in 0..<random(4) {
        let place = random(words.count)
        switch random(5) {
        case 0: words.remove(at: place)
        case 1: words.insert(contentsOf: Self.corpus[random(Self.corpus.count)].prefix(2), at: place)
        case 2: words[place] += pieces[random(pieces.count)]
        case 3:
          var scalars = Array(words[place].unicodeScalars)
          scalars.insert(Unicode.Scalar(UInt8(random(128))), at: random(scalars.count + 1))
          words[place] = String(String.UnicodeScalarView(scalars))
        default: words[place] = String(words[place].dropLast(random(words[place].count + 1)))
        }
        if words.isEmpty { words = ["-S"] }
      }
      do { _ = try MachinePlan(arguments: words) } catch {
        let failure = CommandFailure(error)
        #expect(failure.status != ExitStatus.internal || "\(error)".isEmpty == false, "\(words)")
      }
      let quoted = words.map { $0.contains("'") ? $0 : "'\($0)'" }.joined(separator: " ")
      if round % 10 == 0 {
        _ = try? QEMUCommandLine("qemu-system-x86_64 \(random(3) == 0 ? quoted : words.joined(separator: " "))")
      }
    }
  }
}
