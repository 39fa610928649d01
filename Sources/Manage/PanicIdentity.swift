import Monitor
import Trace

/// Tells one panic of a machine's process from another, so that none is handled twice.
enum PanicIdentity {
  /// Of the panic in which the machine stands now; the machine must be stopped.
  ///
  /// Inquest says at which instruction it stands, and no two panics share one. Others are asked for registers, local
  /// APIC and counters of interrupts, all of which stand still while the machine does and have moved on at the next
  /// panic.
  static func current(of connection: QMPConnection) throws -> String {
    do {
      let position = try connection.execute("x-inquest-query-position", timeout: 60)
      if let count = position["instructions"]?.integerValue, let time = position["virtual-time"]?.integerValue {
        return "instruction \(count), \(time) ns"
      }
    } catch QMPFailure.refused {}
    var text = ""
    for line in ["info registers -a", "info lapic", "info irq"] {
      do {
        let answer = try connection.execute(
          "human-monitor-command", [("command-line", .string(line))], timeout: 60)
        text += answer.stringValue ?? ""
      } catch QMPFailure.refused {}
    }
    return "state \(SHA256.hexadecimal(SHA256.hash(Array(text.utf8))).prefix(24))"
  }
}
