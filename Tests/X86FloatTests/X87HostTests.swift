import Testing
import X86Float

/// The x87 against the instructions of the host's processor.
@Suite(.enabled(if: x87Reference.isAvailable, "needs an x86-64 host with a C compiler"))
struct X87HostTests {
  static let corners: [F80] = {
    var list: [F80] = []
    func put(_ exponent: Int, _ significand: UInt64) {
      list.append(F80(signExponent: UInt16(exponent), significand: significand))
      list.append(F80(signExponent: UInt16(exponent) | 0x8000, significand: significand))
    }
    let top: UInt64 = 1 << 63
    for s in [0, 1, 2, top >> 1, top - 1, top, top + 1, .max] as [UInt64] { put(0, s) }
    for s in [0, 1, top - 1, top, top + 1, top + 1 << 62, top | 3 << 61, .max, 1 << 62] as [UInt64] {
      put(0x7FFF, s)
    }
    for e in [
      1, 2, 64, 65, 0x3FFF - 149, 0x3FFF - 127, 0x3FFF - 1074, 0x3FFF - 1023, 0x7FFE, 0x7FFD, 0x3FFF + 128,
      0x3FFF + 127, 0x3FFF + 1023, 0x3FFF + 1024,
    ] {
      for s in [top, top + 1, .max, .max - 0x3FF, .max - 0x400, .max - 0xFF_FFFF_FFFF, top | 0x400]
        as [UInt64]
      { put(e, s) }
    }
    for e in [-2, -1, 0, 1, 2, 14, 15, 16, 30, 31, 32, 62, 63, 64] {
      for s in [top, top + 1, .max, 3 << 62] as [UInt64] { put(0x3FFF + e, s) }
    }
    // Unnormals.
    put(0x3FFF, 1)
    put(0x7FFE, top - 1)
    return list
  }()

  static func random(_ g: inout SeededGenerator, near other: F80) -> F80 {
    let r = g.next()
    let sign = UInt16(r >> 63) << 15
    var significand = g.next() | 1 << 63
    switch (r >> 8) & 7 {
    case 0: significand &= ~0xFFFF_FFFF
    case 1: significand &= ~0x3FF
    case 2: significand &= 0xFFFF_FF00_0000_0001
    case 3: significand = significand & ~0x7FF | 0x400
    default: break
    }
    let exponent: UInt16
    switch r & 7 {
    case 0: exponent = UInt16(truncatingIfNeeded: g.next()) & 0x7FFF
    case 1: exponent = UInt16(truncatingIfNeeded: g.next()) & 3
    case 2: exponent = 0x7FFB + UInt16(truncatingIfNeeded: g.next()) & 3
    case 3:
      return F80(signExponent: other.signExponent, significand: other.significand &+ (g.next() & 15) &- 8)
    case 4: exponent = (other.signExponent &+ UInt16(truncatingIfNeeded: g.next() & 127) &- 64) & 0x7FFF
    case 5: exponent = 0x1FFF + UInt16(truncatingIfNeeded: g.next() & 63)
    default: exponent = 0x3FFF - 32 + UInt16(truncatingIfNeeded: g.next() & 127)
    }
    if exponent == 0 { significand >>= g.next() & 63 }
    return F80(signExponent: sign | exponent, significand: significand)
  }

  static func control(_ g: inout SeededGenerator) -> UInt16 {
    let r = UInt16(truncatingIfNeeded: g.next())
    var control: UInt16 = 0x37F
    if r & 3 != 0 {
      control = 0x7F | r & 0xC00 | ([0, 2, 3, 3] as [UInt16])[Int(r >> 4 & 3)] << 8
    }
    if g.next() & 7 == 0 { control &= ~UInt16(truncatingIfNeeded: g.next() & 0x3F) }
    return control
  }

  static func cases(_ operation: UInt32, unary: Bool, count: Int = 150_000) -> [ReferenceInput] {
    var g = SeededGenerator(seed: UInt64(operation) &+ 8087)
    var inputs: [ReferenceInput] = []
    func put(_ a: F80, _ b: F80) {
      inputs.append(
        ReferenceInput(
          operation: operation, control: UInt32(control(&g)), a: a.significand, aHigh: UInt64(a.signExponent),
          b: b.significand, bHigh: UInt64(b.signExponent)))
    }
    for a in corners {
      if unary { for _ in 0..<64 { put(a, a) } } else { for b in corners { put(a, b) } }
    }
    while inputs.count < count {
      let a = random(&g, near: corners[Int(g.next() % UInt64(corners.count))])
      put(a, random(&g, near: a))
    }
    return thinnedInDebug(inputs)
  }

  /// What an operation delivers: the result's bits; nil high bits for results in memory.
  typealias Operation = (
    _ a: F80, _ b: F80, _ input: ReferenceInput, _ control: UInt16, _ raised: inout UInt16
  ) -> F80

  static func verify(
    _ name: String, _ inputs: [ReferenceInput], memory: Bool = false, ulps: UInt64 = 0,
    codes: UInt16 = X87.c0 | X87.c1 | X87.c2 | X87.c3, _ operation: Operation
  ) throws {
    let expected = try x87Reference.run(inputs)
    try #require(expected.count == inputs.count)
    var wrong = 0
    for (input, want) in zip(inputs, expected) {
      let control = UInt16(truncatingIfNeeded: input.control)
      let a = F80(signExponent: UInt16(truncatingIfNeeded: input.aHigh), significand: input.a)
      let b = F80(signExponent: UInt16(truncatingIfNeeded: input.bHigh), significand: input.b)
      var raised: UInt16 = 0
      let result = operation(a, b, input, control, &raised)
      var status: UInt16 = 0
      let unmasked = X87.commit(raised: raised, control: control, to: &status)
      let mask = X87.flags | (unmasked != 0 ? X87.es : 0) | codes
      let stored = unmasked & (memory ? 0x1F : 7) == 0
      // Neighbouring numbers differ by one in this form, across exponents too.
      let distance =
        linear(result)
        &- linear(
          F80(signExponent: UInt16(want.resultHigh), significand: want.result))
      let same = !stored || distance &+ Int128(ulps) <= 2 * Int128(ulps) && distance &+ Int128(ulps) >= 0
      if (status ^ UInt16(want.status)) & mask != 0 || !same {
        wrong += 1
        if wrong <= 8 {
          func hex(_ x: some BinaryInteger) -> String { String(x, radix: 16) }
          Issue.record(
            """
            \(name) cw \(hex(input.control)) a \(hex(input.aHigh)):\(hex(input.a)) b \(hex(input.bHigh)):\(hex(input.b)): \
            \(hex(result.signExponent)):\(hex(result.significand)) sw \(hex(status)), \
            host \(hex(want.resultHigh)):\(hex(want.result)) sw \(hex(want.status))
            """)
        }
      }
    }
    #expect(wrong == 0, "\(name): \(wrong) of \(inputs.count) cases differ")
  }

  private static func linear(_ x: F80) -> Int128 {
    Int128(x.exponentField == 0 ? x.signExponent + 1 : x.signExponent) << 63 &+ Int128(x.significand)
  }

  @Test func arithmetic() throws {
    try Self.verify("fadd", Self.cases(0, unary: false)) { a, b, _, cw, f in X87.add(a, b, control: cw, &f) }
    try Self.verify("fsub", Self.cases(1, unary: false)) { a, b, _, cw, f in X87.sub(a, b, control: cw, &f) }
    try Self.verify("fmul", Self.cases(2, unary: false)) { a, b, _, cw, f in X87.mul(a, b, control: cw, &f) }
    try Self.verify("fdiv", Self.cases(3, unary: false)) { a, b, _, cw, f in X87.div(a, b, control: cw, &f) }
    try Self.verify("fsqrt", Self.cases(4, unary: true)) { a, _, _, cw, f in X87.sqrt(a, control: cw, &f) }
  }

  @Test func comparisons() throws {
    for signalling in [true, false] {
      try Self.verify("fcom", Self.cases(signalling ? 5 : 6, unary: false)) { a, b, _, _, f in
        switch X87.compare(a, b, signalling: signalling, &f) {
        case .less: f |= X87.c0
        case .equal: f |= X87.c3
        case .greater: break
        case .unordered: f |= X87.c0 | X87.c2 | X87.c3
        }
        return a
      }
    }
  }

  @Test func remainders() throws {
    try Self.verify("fprem", Self.cases(7, unary: false)) { a, b, _, cw, f in
      X87.remainder(a, by: b, nearest: false, control: cw, &f)
    }
    try Self.verify("fprem1", Self.cases(8, unary: false)) { a, b, _, cw, f in
      X87.remainder(a, by: b, nearest: true, control: cw, &f)
    }
  }

  @Test func partsAndRoundings() throws {
    try Self.verify("frndint", Self.cases(9, unary: true)) { a, _, _, cw, f in
      X87.roundToIntegral(a, control: cw, &f)
    }
    try Self.verify("fscale", Self.cases(10, unary: false)) { a, b, _, cw, f in
      X87.scale(a, by: b, control: cw, &f)
    }
    try Self.verify("fxtract", Self.cases(11, unary: true)) { a, _, _, cw, f in
      X87.extract(a, control: cw, &f).significand
    }
    try Self.verify("fxtract", Self.cases(12, unary: true)) { a, _, _, cw, f in
      X87.extract(a, control: cw, &f).exponent
    }
    try Self.verify("fxam", Self.cases(13, unary: true)) { a, _, _, _, f in
      let code = a.classification.rawValue
      f |= code & 1 != 0 ? X87.c0 : 0
      f |= code & 2 != 0 ? X87.c2 : 0
      f |= code & 4 != 0 ? X87.c3 : 0
      f |= a.isNegative ? X87.c1 : 0
      return a
    }
  }

  @Test func stores() throws {
    try Self.verify("fst m32", Self.cases(14, unary: true), memory: true) { a, _, _, cw, f in
      F80(signExponent: 0, significand: X87.store(a, as: Float.self, control: cw, &f).bits)
    }
    try Self.verify("fst m64", Self.cases(15, unary: true), memory: true) { a, _, _, cw, f in
      F80(signExponent: 0, significand: X87.store(a, as: Double.self, control: cw, &f).bits)
    }
    for (operation, bits, truncating) in [(16, 16, false), (17, 32, false), (18, 64, false), (19, 64, true)] {
      try Self.verify("fist \(bits)", Self.cases(UInt32(operation), unary: true), memory: true) {
        a, _, _, cw, f in
        let i = X87.storeInteger(a, bits: bits, truncating: truncating, control: cw, &f)
        return F80(signExponent: 0, significand: UInt64(bitPattern: i) & (UInt64.max >> UInt64(64 - bits)))
      }
    }
    try Self.verify("fbstp", Self.cases(20, unary: true), memory: true) { a, _, _, cw, f in
      let r = X87.storeBCD(a, control: cw, &f)
      return F80(signExponent: r.top, significand: r.digits)
    }
  }

  @Test func loads() throws {
    try Self.verify("fbld", Self.cases(21, unary: true)) { a, _, _, _, _ in
      X87.loadBCD(digits: a.significand, top: a.signExponent)
    }
    var singles = Self.cases(22, unary: true)
    let bits = SSEHostTests.cases(Float.self, operation: 22, unary: true).map(\.b)
    for k in singles.indices { singles[k].a = bits[k % bits.count] }
    try Self.verify("fld m32", singles) { _, _, x, _, f in X87.load(Float(bits: x.a), &f) }
    var doubles = Self.cases(23, unary: true)
    let wide = SSEHostTests.cases(Double.self, operation: 23, unary: true).map(\.b)
    for k in doubles.indices { doubles[k].a = wide[k % wide.count] }
    try Self.verify("fld m64", doubles) { _, _, x, _, f in X87.load(Double(bits: x.a), &f) }
    for constant: UInt8 in 0..<5 {
      try Self.verify("constant \(constant)", Self.cases(24 + UInt32(constant), unary: true, count: 1000)) {
        _, _, _, cw, _ in X87.load(X87.Constant(rawValue: constant)!, control: cw)
      }
    }
    var adds = Self.cases(29, unary: true)
    for k in adds.indices { adds[k].b = bits[(k &* 31) % bits.count] }
    try Self.verify("fadd m32", adds) { a, _, x, cw, f in
      let b = Float(bits: x.b)
      return X87.add(a, F80(exactly: b), denormal: b.isDenormal, control: cw, &f)
    }
    var products = Self.cases(30, unary: true)
    for k in products.indices { products[k].b = wide[(k &* 31) % wide.count] }
    try Self.verify("fmul m64", products) { a, _, x, cw, f in
      let b = Double(bits: x.b)
      return X87.mul(a, F80(exactly: b), denormal: b.isDenormal, control: cw, &f)
    }
    try Self.verify("fild", Self.cases(31, unary: true)) { a, _, _, _, _ in
      F80(Int64(bitPattern: a.significand))
    }
  }
}
