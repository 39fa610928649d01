import Foundation

/// Numbers for people.
enum Figures {
  /// `1,234,567`.
  static func grouped(_ value: UInt64) -> String {
    let digits = String(value)
    var text = ""
    for (index, digit) in digits.enumerated() {
      if index > 0 && (digits.count - index) % 3 == 0 { text += "," }
      text.append(digit)
    }
    return text
  }

  /// `1.2 MiB`, `345 bytes`.
  static func bytes(_ value: UInt64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"]
    guard value >= 1024 else { return value == 1 ? "1 byte" : "\(value) bytes" }
    var amount = Double(value) / 1024
    var unit = 0
    while amount >= 1024 && unit + 1 < units.count {
      amount /= 1024
      unit += 1
    }
    return decimal(amount, amount < 10 ? 2 : amount < 100 ? 1 : 0) + " " + units[unit]
  }

  /// Virtual or host time: `1.234567 s`, `250 ms`, `3 µs`.
  static func time(nanoseconds: UInt64) -> String {
    let value = Double(nanoseconds)
    if nanoseconds >= 1_000_000_000 { return decimal(value / 1e9, 3) + " s" }
    if nanoseconds >= 1_000_000 { return decimal(value / 1e6, 3) + " ms" }
    if nanoseconds >= 1000 { return decimal(value / 1e3, 3) + " µs" }
    return "\(nanoseconds) ns"
  }

  /// Host time: `12.3 s`, `1.23 s`, `45 ms`.
  static func seconds(_ value: Double) -> String {
    if value < 0.1 { return decimal(value * 1000, value < 0.01 ? 1 : 0) + " ms" }
    return decimal(value, value < 10 ? 2 : 1) + " s"
  }

  /// A number with so many digits behind the point.
  static func decimal(_ value: Double, _ digits: Int) -> String { String(format: "%.\(digits)f", value) }

  static func hexadecimal(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }

  static func count(_ value: UInt64, _ noun: String) -> String {
    "\(grouped(value)) \(noun)\(value == 1 ? "" : "s")"
  }
}
