/// A 64-bit hash for digests of the machine's state: fast, the same on every host, not meant to resist forgery.
///
/// Eight lanes take a word each in turn, so that their multiplications overlap; the end folds them into one.
public struct StateHash {
  private static let multiplier: UInt64 = 0x9E37_79B9_7F4A_7C15
  private static let laneSeeds: [UInt64] = [
    0x243F_6A88_85A3_08D3, 0x1319_8A2E_0370_7344, 0xA409_3822_299F_31D0, 0x082E_FA98_EC4E_6C89,
    0x4528_21E6_38D0_1377, 0xBE54_66CF_34E9_0C6C, 0xC0AC_29B7_C97C_50DD, 0x3F84_D5B5_B547_0917,
  ]

  /// The hash of all that was added.
  public private(set) var value: UInt64 = 0x6A09_E667_F3BC_C908

  public init() {}

  /// Adds one number. Every bit of it changes half of the bits of the result.
  @inline(__always)
  public mutating func add(_ word: UInt64) {
    var x = value ^ word
    x = (x ^ (x &>> 32)) &* 0xD6E8_FEB8_6659_FD93
    x = (x ^ (x &>> 32)) &* 0xD6E8_FEB8_6659_FD93
    value = (x ^ (x &>> 32)) &+ Self.multiplier
  }

  /// Adds the bytes of a string or buffer, and their number.
  public mutating func add(bytes: some Collection<UInt8>) {
    var word: UInt64 = 0
    var filled: UInt64 = 0
    for byte in bytes {
      word |= UInt64(byte) &<< (filled &* 8)
      filled &+= 1
      if filled == 8 {
        add(word)
        (word, filled) = (0, 0)
      }
    }
    add(word)
    add(UInt64(bytes.count))
  }

  /// Adds memory whose size is a multiple of 64 bytes.
  @inline(never)
  public mutating func add(memory: UnsafeRawPointer, count: Int) {
    let k = Self.multiplier
    var l0 = Self.laneSeeds[0]
    var l1 = Self.laneSeeds[1]
    var l2 = Self.laneSeeds[2]
    var l3 = Self.laneSeeds[3]
    var l4 = Self.laneSeeds[4]
    var l5 = Self.laneSeeds[5]
    var l6 = Self.laneSeeds[6]
    var l7 = Self.laneSeeds[7]
    @inline(__always) func mix(_ lane: UInt64, _ offset: Int) -> UInt64 {
      let x =
        (lane ^ UInt64(littleEndian: memory.loadUnaligned(fromByteOffset: offset, as: UInt64.self))) &* k
      return x &<< 29 | x &>> 35
    }
    var offset = 0
    while offset &+ 64 <= count {
      l0 = mix(l0, offset)
      l1 = mix(l1, offset &+ 8)
      l2 = mix(l2, offset &+ 16)
      l3 = mix(l3, offset &+ 24)
      l4 = mix(l4, offset &+ 32)
      l5 = mix(l5, offset &+ 40)
      l6 = mix(l6, offset &+ 48)
      l7 = mix(l7, offset &+ 56)
      offset &+= 64
    }
    for lane in [l0, l1, l2, l3, l4, l5, l6, l7] { add(lane) }
  }
}
