import Foundation
import Monitor
import PC
import Session
import Synchronization

/// A recorded run, as a debugger goes through it in both directions. Nothing of it can be changed.
public final class ReplayTarget: DebugTarget, @unchecked Sendable {
  public let timeline: Timeline
  private let console: MonitorConsole
  private let onKill: () -> Void
  private var table = PointTable()
  private var machine: Machine { timeline.machine }
  /// Whether going forward stops at panics.
  private static let events: StopConditions = {
    var conditions = StopConditions()
    conditions.events = [.panic]
    return conditions
  }()

  /// - Parameter onKill: the client wants the debugger to end. On the machine's thread.
  public init(_ timeline: Timeline, identity: MonitorIdentity, onKill: @escaping () -> Void = {}) {
    self.timeline = timeline
    self.onKill = onKill
    console = MonitorConsole(identity: identity)
  }

  public var features: DebugFeatures { DebugFeatures(reverses: true, writeRefusal: refusal) }
  private var refusal: String {
    "a replay cannot be changed: to go another way from here use inquest branch \(timeline.reader.path) --at "
      + "\(timeline.now) -gdb tcp::1234 -S -o branch.inq"
  }

  public let processorCount = 1
  public func isHalted(_ processor: Int) -> Bool { machine.processor.isHalted }
  public func registers(of processor: Int) -> RegisterFile { RegisterFile(of: machine) }
  public func read(_ space: AddressSpace, _ address: UInt64, count: Int) -> [UInt8] {
    machine.readable(space, address, count: count)
  }
  public func write(_ register: ProcessorRegister, _ bytes: [UInt8], of processor: Int) throws {
    throw ControlError(refusal)
  }
  public func write(_ space: AddressSpace, _ address: UInt64, _ bytes: [UInt8]) throws {
    throw ControlError(refusal)
  }
  public func setPoints(_ points: [DebugPoint]) throws { table = PointTable(points) }

  public func attach() -> DebugStop { .step }
  public func detach(resumes: Bool) {}
  public func interrupt() { timeline.interrupt() }
  public func kill() { onKill() }

  // MARK: Going

  public func resume(_ how: DebugResume, processor: Int, onStop: @escaping (DebugStop) -> Void) {
    do {
      switch how {
      case .step: onStop(debugStop(try timeline.step(1), reached: .step))
      case .reverseStep: onStop(debugStop(try timeline.step(-1), reached: .step))
      case .cont, .reverseCont:
        var conditions = how.isReverse ? StopConditions() : Self.events
        conditions.breakpoints = table.breakpoints
        conditions.watchpoints = table.watchpoints
        let stop = try timeline.run(how.isReverse ? .backward : .forward, until: conditions)
        onStop(debugStop(stop, reached: .interrupt))
      }
    } catch {
      onStop(.failed("\((error as? ControlError)?.message ?? "\(error)")"))
    }
  }

  private func debugStop(_ stop: TimelineStop, reached: DebugStop) -> DebugStop {
    switch stop {
    case .reached: return reached
    case .start: return .beginning
    case .end: return .end
    case .interrupted: return .interrupt
    case .hit(let hit):
      switch hit.cause {
      case .breakpoint(let address): return table.stop(atBreakpoint: address)
      case .watchpoint(let index, _): return table.stop(atWatchpoint: index)
      case .event(.panic): return .panic
      default: return .interrupt
      }
    }
  }

  // MARK: The monitor

  private static let help = """
    seek INSTANT -- go to a place of the run: 812.3M, panic, panic-1000, cont:1, t=3.25s, start, end
    who-wrote ADDR [LENGTH] -- the last write to memory at a linear address before now
    info replay -- show record/replay information
    x/8i [ADDRESS] -- disassemble, in the mode that the processor is in

    """
  /// gdb does not know that a command of the monitor has moved the machine.
  private static let staleness = "gdb still shows what was before; type: maintenance flush register-cache\n"

  public func monitor(_ line: String) -> String {
    let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)
    do {
      switch words.first {
      case "help" where words.count == 1, "?" where words.count == 1:
        return Self.help + console.execute(line, on: timeline.session)
      case "seek", "replay_seek":
        guard words.count == 2 else { return "usage: seek INSTANT\n" }
        return try seek(words[1])
      case "who-wrote", "who_wrote":
        guard (2...3).contains(words.count) else { return "usage: who-wrote ADDR [LENGTH]\n" }
        return try whoWrote(words[1], length: words.count > 2 ? words[2] : "8")
      case "info" where words.count == 2 && words[1] == "replay":
        return console.execute(line, on: timeline.session) + place() + "the trace ends at \(timeline.end)\n"
      case "cont", "c", "stop", "s": return "use gdb's 'continue' and 'reverse-continue'\n"
      case "quit", "q": return "use gdb's 'kill', or 'detach'\n"
      default: return DisassemblyCommand.run(line, on: machine) ?? console.execute(line, on: timeline.session)
      }
    } catch {
      return "Error: \((error as? ControlError)?.message ?? "\(error)")\n"
    }
  }

  private func place() -> String {
    let seconds = Double(timeline.virtualTime) / 1e9
    return "now at \(timeline.now), rip 0x\(String(timeline.rip, radix: 16)), virtual time "
      + String(format: "%.6f s\n", seconds)
  }

  private func seek(_ text: String) throws -> String {
    let spec: InstantSpec
    if text.hasPrefix("+") || text.hasPrefix("-"), let count = Int64(text) {
      let now = timeline.now.instructionCount
      spec = .instructionCount(
        count < 0 ? now &- min(now, count.magnitude) : now.addingReportingOverflow(count.magnitude).partialValue)
    } else {
      spec = try InstantSpec(text)
    }
    try timeline.seek(to: spec)
    return place() + Self.staleness
  }

  /// Goes back to the last write and returns to where it was.
  private func whoWrote(_ text: String, length: String) throws -> String {
    guard let address = DisassemblyCommand.address(text, machine), let count = OptionText.number(length),
      (1...4096).contains(count)
    else {
      return "'\(text)' is not an address\n"
    }
    guard let record = try timeline.whoWrote(address, count: Int(count)) else {
      return "not written since the machine was switched on\n"
    }
    return "last written at \(record.before) by \(record.agent.rawValue), rip 0x\(Hexadecimal.text(record.rip)), "
      + "\(record.access.count) bytes at physical 0x\(Hexadecimal.text(record.access.physical)): "
      + "\(Self.hexadecimal(record.old)) -> \(Self.hexadecimal(record.new))\n"
  }

  private static func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.count <= 8 ? "0x" + Hexadecimal.text(bytes.reversed()) : Hexadecimal.text(bytes)
  }
}
