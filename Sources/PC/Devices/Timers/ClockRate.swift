/// A clock that ticks at a whole number of hertz from power-on, as a function of virtual time.
///
/// Both directions are exact: tick k happens at the first nanosecond at which `ticks(at:)` has reached k, so a
/// deadline taken from `time(of:)` never comes early and never drifts.
public struct ClockRate: Codable, Equatable, Sendable {
  /// Ticks per second, at least 1.
  public let hertz: UInt64

  static let nanosecondsPerSecond: UInt64 = 1_000_000_000

  /// - Parameter hertz: 0 is taken as 1.
  public init(hertz: UInt64) { self.hertz = max(1, hertz) }

  /// Ticks that have happened in `time` nanoseconds, rounded down; saturates.
  public func ticks(at time: UInt64) -> UInt64 {
    Self.scale(time, hertz, Self.nanosecondsPerSecond, roundUp: false)
  }

  /// The first nanosecond at which `tick` ticks have happened; saturates at `UInt64.max`.
  public func time(of tick: UInt64) -> UInt64 {
    Self.scale(tick, Self.nanosecondsPerSecond, hertz, roundUp: true)
  }

  /// a × b ÷ c with a 128-bit product; `UInt64.max` where the result does not fit.
  static func scale(_ a: UInt64, _ b: UInt64, _ c: UInt64, roundUp: Bool) -> UInt64 {
    let product = a.multipliedFullWidth(by: b)
    guard product.high < c else { return .max }
    let (quotient, remainder) = c.dividingFullWidth((product.high, product.low))
    return roundUp && remainder != 0 && quotient != .max ? quotient + 1 : quotient
  }
}

extension UInt64 {
  /// Sum that stops at `UInt64.max`, which no deadline ever reaches.
  func addingSaturating(_ other: UInt64) -> UInt64 {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }

  func multipliedSaturating(by other: UInt64) -> UInt64 {
    let (product, overflow) = multipliedReportingOverflow(by: other)
    return overflow ? .max : product
  }
}
