/// SplitMix64: the one source of chance of a case.
struct FuzzRandom {
  var state: UInt64
  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    return Self.mix(state)
  }
  static func mix(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
  /// 0..<bound; bound is not zero.
  mutating func below(_ bound: Int) -> Int { Int(next() >> 1) % bound }
  mutating func byte() -> UInt8 { UInt8(truncatingIfNeeded: next() >> 24) }
  /// Once in `n` times.
  mutating func oneIn(_ n: Int) -> Bool { below(n) == 0 }
  mutating func pick<T>(_ values: [T]) -> T { values[below(values.count)] }
}
