import Foundation
import PC
import Trace
import X86
import X86Core

/// All of a machine's state as hashes: equal for two machines that cannot be told apart, now or later.
public struct Fingerprint: Equatable, Sendable {
  public var instant: Instant
  public var registers: UInt64
  public var devices: UInt64
  /// All of RAM.
  public var memory: UInt64
  /// What guests cannot see but what comes of it: translations in force, pages written since the last digest.
  public var hidden: UInt64
}

extension Session {
  /// Takes it without any effect on digests.
  public func fingerprint() -> Fingerprint {
    let memory = machine.memory
    var hash = StateHash()
    let zeros = [UInt8](repeating: 0, count: 4096)
    for page in 0..<memory.pageCount {
      let content = memory.base + page * 4096
      if memcmp(content, zeros, 4096) == 0 { continue }
      hash.add(UInt64(page))
      hash.add(memory: content, count: 4096)
    }
    var hidden = StateHash()
    for word in memory.dirtyPages { hidden.add(word) }
    for word in machine.processor.translationState.words { hidden.add(word) }
    return Fingerprint(
      instant: instant, registers: StateDigester.registers(of: machine), devices: StateDigester.devices(of: machine),
      memory: hash.value, hidden: hidden.value)
  }
}
