import Foundation
import PC
import Trace
import X86System

/// How the states of two runs differ at their ends, or at another place of each.
public struct EndStateDiff: Codable, Equatable, Sendable {
  public struct Register: Codable, Equatable, Sendable {
    public var name: String
    /// Hexadecimal.
    public var first: String
    public var second: String
  }
  /// Instants at which the states were compared.
  public var firstInstant: String
  public var secondInstant: String
  public var registers: [Register]
  public var pages: Int
  public var differingPages: Int
  /// Guest-physical addresses of differing pages, as ranges "first-last" in hexadecimal, at most `maximumRanges`.
  public var ranges: [String]
  public static let maximumRanges = 64

  /// Replays both traces to `target` and compares registers and memory, page by page.
  /// - Throws: what keeps one of them from getting there.
  public init(
    _ first: String, _ second: String, imagePaths: [String] = [], until target: StopTarget = .end
  ) throws {
    let a = try Self.state(of: first, imagePaths, target)
    let b = try Self.state(of: second, imagePaths, target)
    firstInstant = "\(a.instant)"
    secondInstant = "\(b.instant)"
    registers = zip(a.registers.named, b.registers.named).compactMap { left, right in
      guard left.value != right.value else { return nil }
      return Register(name: left.name, first: Self.hex(left.value), second: Self.hex(right.value))
    }
    let memory = (a.session.machine.memory, b.session.machine.memory)
    pages = max(memory.0.pageCount, memory.1.pageCount)
    var differing: [Int] = []
    let common = min(memory.0.pageCount, memory.1.pageCount)
    for page in 0..<common where memcmp(memory.0.base + page * 4096, memory.1.base + page * 4096, 4096) != 0 {
      differing.append(page)
    }
    differingPages = differing.count + (pages - common)
    ranges = Self.ranges(of: differing).prefix(Self.maximumRanges).map { range in
      let low = memory.0.physicalAddress(ofOffset: UInt64(range.lowerBound) * 4096)
      let high = memory.0.physicalAddress(ofOffset: UInt64(range.upperBound) * 4096) + 4095
      return "\(Self.hex(low))-\(Self.hex(high))"
    }
  }

  public var isIdentical: Bool { registers.isEmpty && differingPages == 0 }

  private struct State {
    var session: ReplaySession
    var instant: Instant
    var registers: ProcessorState
  }

  private static func state(of path: String, _ imagePaths: [String], _ target: StopTarget) throws -> State {
    let session = try ReplaySession(path: path, imagePaths: imagePaths, until: target)
    let result = session.run()
    switch result.reason {
    case .end, .until, .cutOff, .quit: break
    case .diverged(let divergence): throw divergence
    case .damaged(let error): throw error
    case .failed(let reason): throw SessionError.parentFailed(path: path, reason: reason)
    }
    return State(session: session, instant: result.instant, registers: session.machine.processorState)
  }

  private static func ranges(of pages: [Int]) -> [ClosedRange<Int>] {
    var result: [ClosedRange<Int>] = []
    for page in pages {
      if let last = result.last, last.upperBound + 1 == page {
        result[result.count - 1] = last.lowerBound...page
      } else {
        result.append(page...page)
      }
    }
    return result
  }

  private static func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }

  /// For people.
  var lines: [String] {
    if isIdentical { return ["End states: the same registers and memory."] }
    var lines = ["End states at \(firstInstant) / \(secondInstant):"]
    if registers.isEmpty { lines.append("  the same registers") }
    lines += registers.map { "  \(RunDiff.pad($0.name, 8)) \(RunDiff.pad($0.first, 18)) / \($0.second)" }
    lines.append("  \(differingPages) of \(pages) pages of memory differ\(ranges.isEmpty ? "" : ":")")
    if !ranges.isEmpty {
      lines.append("    " + ranges.prefix(8).joined(separator: " ") + (ranges.count > 8 ? " …" : ""))
    }
    return lines
  }
}

extension ProcessorState {
  /// The registers that people look at, by name.
  var named: [(name: String, value: UInt64)] {
    let names = [
      "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
      "r15",
    ]
    var result = Array(zip(names, general)).map { (name: $0.0, value: $0.1) }
    result += [
      ("rip", rip), ("rflags", rflags), ("cr0", cr0), ("cr2", cr2), ("cr3", cr3), ("cr4", cr4),
      ("efer", efer),
    ]
    for (name, segment) in zip(["es", "cs", "ss", "ds", "fs", "gs"], segments) {
      result.append((name, UInt64(segment.register.selector)))
      result.append(("\(name).base", segment.base))
    }
    return result
  }
}
