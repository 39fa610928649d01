import X86Core

/// A condition of Jcc, SETcc, CMOVcc, known when the handler is compiled (SDM 1, appendix B).
protocol Condition {
  static func holds(_ cpu: CPU) -> Bool
}
enum Overflow: Condition { @inline(__always) static func holds(_ cpu: CPU) -> Bool { cpu.holds(0) } }
enum NoOverflow: Condition { @inline(__always) static func holds(_ cpu: CPU) -> Bool { cpu.holds(1) } }
enum Below: Condition { @inline(__always) static func holds(_ cpu: CPU) -> Bool { cpu.holds(2) } }
enum NotBelow: Condition { @inline(__always) static func holds(_ cpu: CPU) -> Bool { cpu.holds(3) } }
enum Zero: Condition { @inline(__always) static func holds(_ cpu: CPU) -> Bool { cpu.holds(4) } }
enum NotZero: Condition { @inline(__always) static func holds(_ cpu: CPU) -> Bool { cpu.holds(5) } }
enum NotAbove: Condition { @inline(__always) static func holds(_ cpu: CPU) -> Bool { cpu.holds(6) } }
enum Above: Condition { @inline(__always) static func holds(_ cpu: CPU) -> Bool { cpu.holds(7) } }
enum Sign: Condition { @inline(__always) static func holds(_ cpu: CPU) -> Bool { cpu.holds(8) } }
enum NoSign: Condition { @inline(__always) static func holds(_ cpu: CPU) -> Bool { cpu.holds(9) } }
enum Parity: Condition { @inline(__always) static func holds(_ cpu: CPU) -> Bool { cpu.holds(10) } }
enum NoParity: Condition { @inline(__always) static func holds(_ cpu: CPU) -> Bool { cpu.holds(11) } }
enum Less: Condition { @inline(__always) static func holds(_ cpu: CPU) -> Bool { cpu.holds(12) } }
enum NotLess: Condition { @inline(__always) static func holds(_ cpu: CPU) -> Bool { cpu.holds(13) } }
enum NotGreater: Condition { @inline(__always) static func holds(_ cpu: CPU) -> Bool { cpu.holds(14) } }
enum Greater: Condition { @inline(__always) static func holds(_ cpu: CPU) -> Bool { cpu.holds(15) } }
