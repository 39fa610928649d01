/// A deterministic stream of 64-bit numbers: xoshiro256** (Blackman, Vigna, "Scrambled Linear Pseudorandom Number
/// Generators"), its state filled by SplitMix64 from a seed and the stream's number.
public struct RandomStream: Codable, Equatable, Sendable {
  /// The independent streams of one seed.
  public enum Purpose: UInt64, Sendable {
    case entropy = 1
    case chaos = 2
    case scheduling = 3
  }

  private var s0: UInt64
  private var s1: UInt64
  private var s2: UInt64
  private var s3: UInt64

  public init(seed: UInt64, purpose: Purpose) {
    // The number of the stream moves SplitMix64 to another place of its cycle.
    var x = seed ^ (purpose.rawValue &* 0xA076_1D64_78BD_642F)
    func splitMix() -> UInt64 {
      x &+= 0x9E37_79B9_7F4A_7C15
      var z = x
      z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
      return z ^ (z >> 31)
    }
    s0 = splitMix()
    s1 = splitMix()
    s2 = splitMix()
    s3 = splitMix()
  }

  public mutating func next() -> UInt64 {
    func rotate(_ value: UInt64, _ count: UInt64) -> UInt64 { value << count | value >> (64 - count) }
    let result = rotate(s1 &* 5, 7) &* 9
    let t = s1 << 17
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    s2 ^= t
    s3 = rotate(s3, 45)
    return result
  }

  /// A number below `bound`, evenly but for a bias of at most `bound` / 2^64; 0 for a bound of 0.
  public mutating func next(below bound: UInt64) -> UInt64 {
    bound.multipliedFullWidth(by: next()).high
  }

  public mutating func bytes(_ count: Int) -> [UInt8] {
    var result: [UInt8] = []
    while result.count < count {
      let word = next()
      for shift in stride(from: UInt64(0), to: 64, by: 8) where result.count < count {
        result.append(UInt8(truncatingIfNeeded: word >> shift))
      }
    }
    return result
  }
}
