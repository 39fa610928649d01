import Foundation
import Monitor
import Session

/// `-m`: `256` (MiB), `256M`, `1G`, `size=…`.
enum MemorySizeOption {
  /// - Returns: bytes, a multiple of 4096, between 1 MiB and 64 GiB.
  static func parse(_ text: String) throws -> UInt64 {
    let options = try OptionText(text)
    if options["maxmem"] != nil || options["slots"] != nil {
      throw CommandFailure.usage("-m \(text): memory cannot be added to a running guest; give its size only")
    }
    do { try options.allow(["size"]) } catch let failure as OptionText.Failure {
      throw CommandFailure.usage("-m \(text): \(failure.message)")
    }
    let size = options.head ?? options["size"] ?? ""
    guard let bytes = bytes(size) else {
      throw CommandFailure.usage("-m \(text): not a size; write 256 (MiB), 512M or 1G")
    }
    guard bytes >= 1 << 20 else {
      throw CommandFailure.usage("-m \(text): too little memory; a PC needs 1 MiB at least")
    }
    guard bytes <= 64 << 30 else { throw CommandFailure.usage("-m \(text): at most 64 GiB are possible") }
    return (bytes + 0xFFF) & ~0xFFF
  }

  private static func bytes(_ text: String) -> UInt64? {
    let shifts: [Character: UInt64] = ["B": 0, "K": 10, "M": 20, "G": 30, "T": 40]
    var digits = text[...]
    var shift: UInt64 = 20
    if let last = text.last, let named = shifts[Character(last.uppercased())] {
      shift = named
      digits = text.dropLast()
    }
    guard !digits.isEmpty, digits.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ".") }) else { return nil }
    if let number = UInt64(digits) {
      let bytes = number << shift
      return bytes >> shift == number ? bytes : nil
    }
    guard let number = Double(digits), number * Double(UInt64(1) << shift) < 1e18 else { return nil }
    return UInt64(number * Double(UInt64(1) << shift))
  }
}

/// `-icount`: `[shift=]N[,sleep=on|off]`.
struct IcountOption {
  var shift: UInt64?
  var sleep: Bool?

  init(_ text: String) throws {
    let options = try OptionText(text)
    do { try options.allow(["shift", "sleep", "align"]) } catch {
      let isRecording = options.entries.contains { $0.key.hasPrefix("rr") }
      throw CommandFailure.usage(
        "-icount \(text): "
          + (isRecording
            ? "recording and replay have commands of their own: inquest record, inquest replay"
            : "\((error as? OptionText.Failure)?.message ?? "")"))
    }
    if try options.flag("align", default: false) {
      throw CommandFailure.usage("-icount \(text): align=on is not supported; leave it out")
    }
    if options["sleep"] != nil { sleep = try options.flag("sleep", default: true) }
    if let value = options["shift"] ?? options.head {
      if value == "auto" {
        throw CommandFailure.usage(
          "-icount \(text): shift is a fixed number, 0 to 10 (2^shift ns an instruction)")
      }
      guard let number = OptionText.number(value), number <= 10 else {
        throw CommandFailure.usage("-icount \(text): shift is 0 to 10 (2^shift ns an instruction)")
      }
      shift = number
    }
  }
}

/// `-rtc`: the wall clock at power-on.
package enum ClockOption {
  /// Where a seed is given and no date: 2026-01-01 00:00:00 UTC.
  package static let fixedTime: UInt64 = 1_767_225_600
  static let fixedText = "2026-01-01"

  /// - Returns: nanoseconds since 1970 UTC, as the guest's clock shows them.
  static func startTime(_ text: String?, isSeeded: Bool) throws -> UInt64 {
    var base: String?
    if let text {
      let options = try OptionText(text)
      do { try options.allow(["base", "clock", "driftfix"]) } catch let failure as OptionText.Failure {
        throw CommandFailure.usage("-rtc \(text): \(failure.message)")
      }
      if let clock = options["clock"], clock != "vm" {
        throw CommandFailure.usage(
          "-rtc \(text): the guest's clock is virtual time; say clock=vm or leave it out")
      }
      // No tick is ever lost here, so that both ways of making up for that are right.
      if let fix = options["driftfix"], !["none", "slew"].contains(fix) {
        throw CommandFailure.usage("-rtc \(text): driftfix is none or slew")
      }
      base = options["base"] ?? options.head
    }
    switch base {
    case nil: return isSeeded ? fixedTime * 1_000_000_000 : now(localTime: false)
    case "utc": return now(localTime: false)
    case "localtime": return now(localTime: true)
    case let date?:
      guard let seconds = seconds(of: date) else {
        throw CommandFailure.usage(
          "-rtc \(text ?? ""): base is utc, localtime or a date such as 2026-06-17T16:01:21 or 2026-06-17")
      }
      return seconds * 1_000_000_000
    }
  }

  private static func now(localTime: Bool) -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    var seconds = Int64(time.tv_sec)
    if localTime { seconds += Int64(TimeZone.current.secondsFromGMT()) }
    return UInt64(max(0, seconds)) &* 1_000_000_000 &+ UInt64(max(0, time.tv_nsec))
  }

  /// A date between 1970 and 2200, as UTC.
  private static func seconds(of text: String) -> UInt64? {
    let halves = text.split(separator: "T", maxSplits: 1, omittingEmptySubsequences: false)
    let day = halves[0].split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
    let time =
      halves.count == 2
      ? halves[1].split(separator: ":", omittingEmptySubsequences: false).map { Int($0) } : [0, 0, 0]
    guard day.count == 3, time.count == 3, let year = day[0], let month = day[1], let date = day[2],
      let hour = time[0], let minute = time[1], let second = time[2],
      (1970...2200).contains(year), (1...12).contains(month), (1...31).contains(date),
      (0...23).contains(hour),
      (0...59).contains(minute), (0...59).contains(second)
    else { return nil }
    var calendar = tm()
    (calendar.tm_year, calendar.tm_mon, calendar.tm_mday) = (
      Int32(year - 1900), Int32(month - 1), Int32(date)
    )
    (calendar.tm_hour, calendar.tm_min, calendar.tm_sec) = (Int32(hour), Int32(minute), Int32(second))
    let seconds = timegm(&calendar)
    // A 31st of June became the 1st of July.
    guard seconds >= 0, calendar.tm_mday == Int32(date) else { return nil }
    return UInt64(seconds)
  }
}

/// `-action`: `panic=…,reboot=…,shutdown=…,watchdog=…`.
enum ActionOption {
  /// `-watchdog-action`.
  static func apply(watchdog text: String, to actions: inout ActionSettings) throws {
    guard let action = ActionSettings.Watchdog(rawValue: text) else {
      throw CommandFailure.usage(
        "-watchdog-action \(text): one of "
          + ActionSettings.Watchdog.allCases.map(\.rawValue).joined(separator: ", "))
    }
    actions.watchdog = action
  }

  static func apply(_ text: String, to actions: inout ActionSettings) throws {
    let options = try OptionText(text, headless: true)
    do { try options.allow(["panic", "reboot", "shutdown", "watchdog"]) } catch let failure
      as OptionText.Failure
    {
      throw CommandFailure.usage("-action \(text): \(failure.message)")
    }
    func set<Action: RawRepresentable & CaseIterable>(_ key: String, _ action: inout Action) throws
    where Action.RawValue == String {
      guard let value = options[key] else { return }
      guard let named = Action(rawValue: value) else {
        throw CommandFailure.usage(
          "-action \(text): '\(key)' is one of \(Action.allCases.map(\.rawValue).joined(separator: ", "))")
      }
      action = named
    }
    try set("panic", &actions.panic)
    try set("reboot", &actions.reboot)
    try set("shutdown", &actions.shutdown)
    try set("watchdog", &actions.watchdog)
  }
}
