/// Date and time of day as the RTC shows them, in the proleptic Gregorian calendar, without time zones.
public struct RTCDate: Equatable, Sendable {
  public var year: Int
  /// 1…12
  public var month: Int
  /// 1…31
  public var day: Int
  /// 1 (Sunday) … 7
  public var weekday: Int
  public var hour: Int
  public var minute: Int
  public var second: Int

  static let secondsPerDay: Int64 = 86400

  /// - Parameter seconds: since 1970-01-01 00:00:00.
  public init(seconds: Int64) {
    var days = seconds / Self.secondsPerDay
    var rest = seconds % Self.secondsPerDay
    if rest < 0 {
      rest += Self.secondsPerDay
      days -= 1
    }
    hour = Int(rest / 3600)
    minute = Int(rest / 60 % 60)
    second = Int(rest % 60)
    let week = (days + 4) % 7
    weekday = Int(week < 0 ? week + 7 : week) + 1
    // Years begin in March here, so that the leap day is a year's last.
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    day = Int(dayOfYear - (153 * marchMonth + 2) / 5 + 1)
    month = Int(marchMonth < 10 ? marchMonth + 3 : marchMonth - 9)
    year = Int(yearOfEra + era * 400) + (month <= 2 ? 1 : 0)
  }

  /// Seconds since 1970-01-01 00:00:00. Days and times out of range run over into the next unit; the month is
  /// brought into range first. The weekday does not count.
  public var seconds: Int64 {
    let month = min(max(month, 1), 12)
    let year = Int64(month <= 2 ? self.year - 1 : self.year)
    let era = (year >= 0 ? year : year - 399) / 400
    let yearOfEra = year - era * 400
    let marchMonth = Int64(month > 2 ? month - 3 : month + 9)
    let dayOfYear = (153 * marchMonth + 2) / 5 + Int64(day) - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    let days = era * 146_097 + dayOfEra - 719_468
    return days * Self.secondsPerDay + Int64(hour) * 3600 + Int64(minute) * 60 + Int64(second)
  }
}
