import PC
import Trace

/// Who wrote a piece of memory last.
public struct WriteRecord: Equatable, Sendable {
  public var agent: MemoryAccess.Agent
  /// Before the instruction that wrote.
  public var before: Instant
  /// Behind it.
  public var after: Instant
  /// Nanoseconds since power-on, before it.
  public var virtualTime: UInt64
  /// The instruction's address; of a device's write, that of the instruction that made the device write.
  public var rip: UInt64
  /// The first bytes at RIP, where they can be read: the instruction and more.
  public var code: [UInt8]
  /// 16, 32 or 64: how it is decoded.
  public var codeWidth: Int
  /// The access: where it was made. It may have been larger than the range asked for.
  public var access: MemoryAccess
  /// The range's content before and after.
  public var old: [UInt8]
  public var new: [UInt8]
}

/// A range of memory that cannot be asked for.
public struct UnmappedMemory: Error, Equatable, CustomStringConvertible {
  public var address: UInt64
  public var isPhysical: Bool
  public var instant: Instant
  public var description: String {
    isPhysical
      ? "there is no RAM at physical 0x\(String(address, radix: 16))"
      : "nothing is mapped at 0x\(String(address, radix: 16)) at \(instant)"
  }
}

extension Timeline {
  /// Physical ranges behind a range of memory, as it is mapped now.
  /// - Throws: `UnmappedMemory`.
  public func physicalRanges(_ address: UInt64, count: Int, isPhysical: Bool) throws -> [Watchpoint] {
    var ranges: [Watchpoint] = []
    var done = 0
    while done < count {
      let at = address &+ UInt64(done)
      let piece = min(count - done, 4096 - Int(at & 0xFFF))
      guard let physical = isPhysical ? at : machine.translate(at), machine.memory.isRAM(physical, piece) else {
        throw UnmappedMemory(address: at, isPhysical: isPhysical, instant: now)
      }
      if let last = ranges.last, last.address &+ last.count == physical {
        ranges[ranges.count - 1].count += UInt64(piece)
      } else {
        ranges.append(Watchpoint(physical, count: UInt64(piece), access: .write, space: .physical))
      }
      done += piece
    }
    return ranges
  }

  /// The last write to a range of memory before now, whoever made it and through whatever mapping. Comes back to now.
  /// - Parameters:
  ///   - address: linear as it is mapped now, or guest-physical.
  ///   - count: bytes, at least 1.
  /// - Returns: nil when the range was not written since the machine was switched on: what is there came from loader or
  ///   firmware, or is zero.
  /// - Throws: `UnmappedMemory`; see also `run`.
  public func whoWrote(_ address: UInt64, count: Int, isPhysical: Bool = false) throws -> WriteRecord? {
    let origin = now
    let ranges = try physicalRanges(address, count: max(count, 1), isPhysical: isPhysical)
    func content() -> [UInt8] {
      ranges.flatMap { machine.readPhysical($0.address, count: Int($0.count)) ?? [] }
    }
    var conditions = StopConditions()
    conditions.watchpoints = ranges
    let stop = try run(.backward, until: conditions)
    var record: WriteRecord?
    if case .hit(let hit) = stop, case .watchpoint(_, let access) = hit.cause {
      record = WriteRecord(
        agent: access.agent, before: hit.before, after: hit.before, virtualTime: virtualTime, rip: rip,
        code: machine.codeBytes(), codeWidth: machine.codeWidth, access: access, old: content(), new: [])
      try step(1)
      record?.after = now
      record?.new = content()
    }
    if stop != .interrupted { try seek(to: StopTarget.instant(origin)) }
    return record
  }
}

extension Machine {
  /// The bytes at RIP, 15 at most, as far as they are mapped.
  public func codeBytes() -> [UInt8] {
    let state = processorState
    let is64 = state.efer & 1 << 10 != 0 && state.segments[1].register.long
    let linear = is64 ? state.rip : (state.rip &+ state.segments[1].base) & 0xFFFF_FFFF
    var count = 15
    while count > 0 {
      if let bytes = readLinear(linear, count: count) { return bytes }
      // Up to the end of the page.
      let room = 4096 - Int(linear & 0xFFF)
      count = room < count ? room : 0
    }
    return []
  }

  /// 16, 32 or 64: how code is decoded now.
  public var codeWidth: Int {
    let state = processorState
    let code = state.segments[1].register
    if state.efer & 1 << 10 != 0 && code.long { return 64 }
    return code.big ? 32 : 16
  }
}
