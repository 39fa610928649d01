import X86Float

/// SplitMix64.
struct FPURandom {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
  mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
  mutating func oneIn(_ n: Int) -> Bool { below(n) == 0 }
}

/// Random and corner states for one instruction.
struct FPUCaseMaker {
  var random: FPURandom
  /// Only with all exceptions masked.
  var isMasked = false
  /// Only with the invalid operation masked.
  var isInvalidMasked = false
  /// All exceptions of the status word may be pending: the instruction does not wait.
  var mayPend = false
  /// What ST(0) has to fulfil.
  var domain: (F80) -> Bool = { _ in true }

  init(seed: UInt64) { random = FPURandom(state: seed) }

  static let corners: [F80] = {
    var list: [F80] = []
    let top: UInt64 = 1 << 63
    for sign: UInt16 in [0, 0x8000] {
      for s in [0, 1, top >> 1, top - 1, top, top + 1] as [UInt64] {
        list.append(F80(signExponent: sign, significand: s))
      }
      for s in [0, 1, top, top + 1, top | 3 << 61, .max, 1 << 62] as [UInt64] {
        list.append(F80(signExponent: sign | 0x7FFF, significand: s))
      }
      for e: UInt16 in [
        1, 0x7FFE, 0x3F80, 0x3F81, 0x3C00, 0x3C01, 0x407F, 0x43FE, 0x3FFF, 0x4000, 0x400E, 0x401E, 0x403E,
      ] {
        for s in [top, .max, 3 << 62] as [UInt64] {
          list.append(F80(signExponent: sign | e, significand: s))
        }
      }
      list.append(F80(signExponent: sign | 0x3FFF, significand: 1))
    }
    return list
  }()

  mutating func value() -> F80 {
    switch random.below(8) {
    case 0, 1: return Self.corners[random.below(Self.corners.count)]
    case 2: return F80(Int64(bitPattern: random.next()) >> Int64(random.below(64)))
    case 3: return F80(exactly: Float(bitPattern: UInt32(truncatingIfNeeded: random.next())))
    case 4:
      return F80(
        signExponent: UInt16(truncatingIfNeeded: random.next()), significand: random.next() | 1 << 63)
    default:
      let exponent = UInt16(0x3FFF - 40 + random.below(110)) | (random.oneIn(2) ? 0x8000 : 0)
      let keep = ([0, 11, 40, 60] as [UInt64])[random.below(4)]
      return F80(signExponent: exponent, significand: ((random.next() | 1 << 63) >> keep) << keep)
    }
  }

  mutating func controlWord() -> UInt16 {
    let r = UInt16(truncatingIfNeeded: random.next())
    var word: UInt16 = 0x7F | r & 0x1C00 | ([0, 2, 3, 3] as [UInt16])[Int(r & 3)] << 8
    if !isMasked && random.oneIn(3) { word &= ~UInt16(truncatingIfNeeded: random.next() & 0x3F) }
    if isInvalidMasked { word |= 1 }
    return word
  }

  /// A state as FRSTOR reads it.
  mutating func state() -> [UInt8] {
    let control = controlWord()
    var status = UInt16(truncatingIfNeeded: random.next())
    if random.oneIn(2) { status &= 0x7F00 }
    status &= 0x7F7F
    if !mayPend { status &= ~(~control & 0x3F) }
    let emptiness = random.below(4)
    var tags: UInt16 = 0
    for i in 0..<8 {
      let isEmpty =
        emptiness == 0 ? random.oneIn(2) : emptiness == 1 ? false : i == (Int(status >> 11) + 7) & 7
      // Only emptiness counts: the other tags are deliberately wrong at times.
      tags |= (isEmpty ? 3 : UInt16(random.below(3))) << UInt16(2 * i)
    }
    var bytes: [UInt8] = []
    func put(_ value: UInt64, _ count: Int) {
      for i in 0..<count { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * i))) }
    }
    for word in [control, status, tags, 0, 0, 0, 0] { put(UInt64(word), 4) }
    for i in 0..<8 {
      var x = value()
      if i == 0 { while !domain(x) { x = value() } }
      if i == 1 && random.oneIn(4) {
        // Near ST(0), for comparisons and remainders.
        x.significand = bytes[28..<36].reversed().reduce(0) { $0 << 8 | UInt64($1) } &+ random.next() % 3
        x.signExponent = UInt16(bytes[36]) | UInt16(bytes[37]) << 8
      }
      put(x.significand, 8)
      put(UInt64(x.signExponent), 2)
    }
    return bytes
  }

  /// A memory operand: a number of any format.
  mutating func operand() -> [UInt8] {
    var low = random.next()
    var high = UInt16(truncatingIfNeeded: random.next())
    let x = value()
    switch random.below(7) {
    case 0: (low, high) = (x.significand, x.signExponent)
    case 1:
      var raised: UInt16 = 0
      low = X87.store(x, as: Float.self, control: 0x37F, &raised).bits
    case 2:
      var raised: UInt16 = 0
      low = X87.store(x, as: Double.self, control: 0x37F, &raised).bits
    case 3:
      low =
        ([0, 1, 0x7FC0_0000, 0x7F80_0001, 0xFF80_0000, 0x007F_FFFF, 0x8000_0000] as [UInt64])[random.below(7)]
    case 4:
      low =
        ([0, 1, 0x7FF8 << 48, 0x7FF0 << 48 | 1, 0xFFF0 << 48, 0x000F << 48, 1 << 63] as [UInt64])[
          random.below(7)]
    case 5:
      // Packed decimals.
      low = (0..<16).reduce(0) { n, _ in n << 4 | UInt64(random.below(10)) }
      high = UInt16(random.below(10) << 4 | random.below(10)) | (random.oneIn(2) ? 0x8000 : 0)
    default: break
    }
    var bytes: [UInt8] = []
    for i in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: low >> UInt64(8 * i))) }
    bytes += [UInt8(truncatingIfNeeded: high), UInt8(truncatingIfNeeded: high >> 8)]
    return bytes
  }

  mutating func make(_ code: [UInt8]) -> FPUCase {
    var test = FPUCase(code: code, state: state())
    test.memory = operand()
    test.memory += [UInt8](repeating: 0xCC, count: FPUCase.memorySize - test.memory.count)
    test.rax = random.next()
    test.rflags = 2 | random.next() & 0x8D5
    return test
  }
}
