import Forensics
import Foundation
import Testing

/// Guests whose memory has gone wrong: whatever it holds, everything that is asked for ends, with what can be told or why
/// not.
@Suite struct HostileTests {
  /// Guests of each kind; `INQUEST_FORENSICS_ROUNDS` makes it more.
  private let rounds = ProcessInfo.processInfo.environment["INQUEST_FORENSICS_ROUNDS"].flatMap { Int($0) } ?? 30

  private func lookAtEverything(_ guest: SyntheticGuest) {
    guard let kernel = try? Kernel(guest) else { return }
    let log = try? PrintkLog(kernel)
    _ = CrashAnalysis(kernel, log: log)
    _ = kernel.tasks.all.map { kernel.backtrace(of: $0).frames.count }
    _ = kernel.modules.all.count
    _ = KernelInterrupts(kernel).all.count
    _ = try? PageUsage(kernel, without: [.free, .user, .cache])
    for register in kernel.registers.general { _ = kernel.describe(register) }
  }

  private func mutate(_ guest: SyntheticGuest, _ places: [Range<Int>], seed: UInt64) {
    var numbers = SeededNumbers(state: seed)
    let interesting: [UInt64] = [
      0, 1, .max, 1 << 63, 0xFFFF_FFFF_8000_0000, SyntheticGuest.linear(0x30_0008), SyntheticGuest.linear(0x20_0000),
      0x7FFF_FFFF_FFFF_FFFF, 0xFFFF_FFFF, 0xFFFF_FFFF_FFFF_FFF8,
    ]
    for _ in 0..<Int.random(in: 1...12, using: &numbers) {
      let range = places[Int.random(in: 0..<places.count, using: &numbers)]
      let place = Int.random(in: range, using: &numbers)
      if Bool.random(using: &numbers) {
        guest.store(place & ~7, interesting[Int.random(in: 0..<interesting.count, using: &numbers)])
      } else {
        guest.store(place, UInt8.random(in: 0...255, using: &numbers))
      }
    }
    for index in 0..<16 where Bool.random(using: &numbers) {
      guest.processors[0].general[index] = interesting[Int.random(in: 0..<interesting.count, using: &numbers)]
    }
  }

  @Test(arguments: 0..<4) func mutatedKernels(part: Int) {
    for step in 0..<rounds {
      let guest = SyntheticGuest.withTasks()
      mutate(
        guest,
        [0x12_0000..<0x12_0200, 0x14_0000..<0x14_4000, 0x30_0000..<0x30_3000, 0x28_0000..<0x28_0010, 0x1000..<0x4000],
        seed: UInt64(part * 1000 + step))
      lookAtEverything(guest)
    }
  }

  @Test(arguments: 0..<4) func mutatedLogs(part: Int) {
    for step in 0..<(2 * rounds) {
      let guest = SyntheticGuest.withLog()
      for index in 0..<12 { guest.log("record \(index)") }
      mutate(
        guest,
        [
          0x1F_E000..<0x1F_E400, 0x1F_F000..<0x1F_F008, 0x20_0000..<0x20_0060, 0x20_1000..<0x20_10C0,
          0x20_4000..<0x20_4300, 0x20_8000..<0x20_8200, 0x1000..<0x4000,
        ], seed: UInt64(part * 1000 + step))
      lookAtEverything(guest)
    }
  }

  @Test func garbage() {
    var numbers = SeededNumbers(state: 5)
    for _ in 0..<4 {
      let guest = SyntheticGuest(size: 2 << 20)
      for place in stride(from: 0x4000, to: 2 << 20, by: 8) { guest.store(place, numbers.next()) }
      lookAtEverything(guest)
      for place in stride(from: 0x1000, to: 0x4000, by: 8) { guest.store(place, numbers.next() | 1) }
      lookAtEverything(guest)
    }
  }

  /// Page tables that lead to themselves.
  @Test func tablesInACircle() {
    let guest = SyntheticGuest.withTasks()
    for index in 0..<512 { guest.store(0x1000 + 8 * index, UInt64(0x1003)) }
    lookAtEverything(guest)
  }
}
