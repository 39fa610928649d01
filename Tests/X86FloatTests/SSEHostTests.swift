import Testing
import X86Float

/// SSE against the instructions of the host's processor.
@Suite(.enabled(if: sseReference.isAvailable, "needs an x86-64 host with a C compiler"))
struct SSEHostTests {
  /// An operation under test: operand bits and a second pair for the dot products, to result bits.
  typealias Operation = (ReferenceInput, inout UInt32) -> UInt64

  static func corners<T: SSEScalar>(_: T.Type) -> [UInt64] {
    let f = UInt64(T.fractionBits)
    let bias = UInt64(T.exponentBias)
    let infinity = (2 * bias + 1) << f
    let sign = infinity + (1 << f)
    var magnitudes: [UInt64] = [
      0, 1, 2, 3, (1 << f) - 1, 1 << (f - 1), 1 << f, (1 << f) + 1, (2 << f) - 1, 2 << f, 3 << f,
      infinity - 1, infinity - 2, infinity - (1 << f), infinity - (1 << f) - 1, infinity, infinity + 1,
      infinity + (1 << (f - 1)), infinity + (1 << (f - 1)) + 5, infinity + (1 << f) - 1, infinity + 0x123,
      infinity + (1 << (f - 1)) - 1,
    ]
    // Around 1, the integer limits and the halves of the range.
    for e in [-1, 0, 1, 2, 23, 24, 30, 31, 32, 52, 53, 62, 63, 64] {
      let power = UInt64(Int(bias) + e) << f
      magnitudes += [power - 1, power, power + 1, power + (1 << (f - 1))]
    }
    magnitudes += [(bias / 2) << f, (bias + bias / 2) << f, (bias / 2 + 1) << f | 7]
    return magnitudes + magnitudes.map { $0 | sign }
  }

  static func random<T: SSEScalar>(_: T.Type, _ g: inout SeededGenerator, near other: UInt64) -> UInt64 {
    let f = UInt64(T.fractionBits)
    let width = f + (f == 23 ? 9 : 12)
    let mask = width == 64 ? UInt64.max : (1 << width) - 1
    let r = g.next()
    let field: UInt64
    switch r & 7 {
    case 0: field = g.next() & UInt64(2 * T.exponentBias + 1)
    case 1: field = g.next() & 3
    case 2: field = UInt64(2 * T.exponentBias - 2) + (g.next() & 3)
    case 3: return (other &+ (g.next() & 15) &- 8) & mask
    case 4: field = (other >> f &+ (g.next() & 63) &- 32) & UInt64(2 * T.exponentBias + 1)
    case 5: field = UInt64(T.exponentBias / 2) + (g.next() & 63)
    default: field = UInt64(T.exponentBias) + (g.next() & 63)
    }
    var fraction = g.next() & ((1 << f) - 1)
    switch (r >> 3) & 3 {
    case 0: fraction &= ~((1 << (f / 2)) - 1)
    case 1: fraction &= UInt64(0xE000_0000_0000_0007) >> (64 - f) | 7
    default: break
    }
    return (r >> 63) << (width - 1) | field << f | fraction
  }

  /// Cases of two operands: every pair of corners under many modes, then random ones.
  static func cases<T: SSEScalar>(_ type: T.Type, operation: UInt32, unary: Bool) -> [ReferenceInput] {
    var g = SeededGenerator(seed: UInt64(operation) &+ 2026)
    let corners = corners(type)
    var inputs: [ReferenceInput] = []
    func control(_ g: inout SeededGenerator) -> UInt32 {
      let r = UInt32(truncatingIfNeeded: g.next())
      // Rounding, DAZ and FTZ at random; default mode in one case out of four; PE already set in one of eight.
      var m = r & 3 == 0 ? 0x1F80 : 0x1F80 | (r & 0xE040)
      if r >> 4 & 7 == 0 { m |= MXCSR.pe }
      // Some masks open in one case of sixteen.
      if r >> 7 & 15 == 0 { m &= ~(r >> 16 & 0x1F80) }
      return m
    }
    for a in corners {
      for b in unary ? [a] : corners {
        for k in 0..<(unary ? 64 : 4) {
          let mode = unary ? UInt32(k & 3) << 13 | UInt32(k >> 2 & 1) << 6 | UInt32(k >> 3 & 1) << 15 : 0
          inputs.append(
            ReferenceInput(
              operation: operation, control: unary ? 0x1F80 | mode : control(&g), a: a, aHigh: b, b: b,
              bHigh: a))
        }
      }
    }
    while inputs.count < 150_000 {
      let c = corners[Int(g.next() % UInt64(corners.count))]
      let a = random(type, &g, near: c)
      let b = random(type, &g, near: a)
      inputs.append(
        ReferenceInput(
          operation: operation, control: control(&g), a: a, aHigh: random(type, &g, near: b), b: b,
          bHigh: random(type, &g, near: a)))
    }
    return thinnedInDebug(inputs)
  }

  /// Runs the cases on both sides and reports the first differences.
  static func verify(_ name: String, _ inputs: [ReferenceInput], _ operation: Operation) throws {
    let expected = try sseReference.run(inputs)
    try #require(expected.count == inputs.count)
    var wrong = 0
    for (input, want) in zip(inputs, expected) {
      let unmasked = input.control & MXCSR.masks != MXCSR.masks
      var mxcsr = unmasked ? input.control & ~MXCSR.flags : input.control
      let result = operation(input, &mxcsr)
      var status = UInt64(mxcsr & MXCSR.flags)
      var stops = false
      if unmasked {
        var register = input.control
        stops = MXCSR.commit(raised: mxcsr & MXCSR.flags, to: &register)
        status = UInt64(register & MXCSR.flags) | (stops ? 0x8000_0000 : 0)
      }
      if status != want.status || (!stops && result != want.result) {
        wrong += 1
        if wrong <= 8 {
          Issue.record(
            """
            \(name) mxcsr \(String(input.control, radix: 16)) a \(String(input.a, radix: 16)) \
            b \(String(input.b, radix: 16)): \(String(result, radix: 16)) flags \(String(status, radix: 16)), \
            host \(String(want.result, radix: 16)) flags \(String(want.status, radix: 16))
            """)
        }
      }
    }
    #expect(wrong == 0, "\(name): \(wrong) of \(inputs.count) cases differ")
  }

  static func check<T: SSEScalar>(
    _ name: String, _ number: UInt32, _ type: T.Type, unary: Bool = false,
    _ body: @escaping (T, T, inout UInt32) -> UInt64
  ) throws {
    let operation = number + (T.fractionBits == 52 ? 1 : 0)
    try verify("\(name) \(T.self)", cases(type, operation: operation, unary: unary)) { input, mxcsr in
      body(T(bits: input.a), T(bits: input.b), &mxcsr)
    }
  }

  static func arithmetic<T: SSEScalar>(_ t: T.Type) throws {
    try check("add", 0, t) { SSE.add($0, $1, &$2).bits }
    try check("sub", 2, t) { SSE.sub($0, $1, &$2).bits }
    try check("mul", 4, t) { SSE.mul($0, $1, &$2).bits }
    try check("div", 6, t) { SSE.div($0, $1, &$2).bits }
    try check("sqrt", 8, t, unary: true) { SSE.sqrt($1, &$2).bits }
    try check("min", 10, t) { SSE.min($0, $1, &$2).bits }
    try check("max", 12, t) { SSE.max($0, $1, &$2).bits }
  }

  static func comparisons<T: SSEScalar>(_ t: T.Type) throws {
    let ones: UInt64 = T.fractionBits == 23 ? 0xFFFF_FFFF : .max
    for predicate: UInt8 in 0..<8 {
      try check("cmp\(predicate)", 16 + 2 * UInt32(predicate), t) {
        SSE.compare($0, $1, predicate: predicate, &$2) ? ones : 0
      }
    }
    try check("comi", 32, t) { UInt64(SSE.compare($0, $1, signalling: true, &$2)) }
    try check("ucomi", 34, t) { UInt64(SSE.compare($0, $1, signalling: false, &$2)) }
  }

  static func conversions<T: SSEScalar>(_ t: T.Type) throws {
    try check("cvtt i32", 36, t, unary: true) {
      UInt64(UInt32(bitPattern: SSE.truncate($1, to: Int32.self, &$2)))
    }
    try check("cvtt i64", 38, t, unary: true) {
      UInt64(bitPattern: SSE.truncate($1, to: Int64.self, &$2))
    }
    try check("cvt i32", 40, t, unary: true) {
      UInt64(UInt32(bitPattern: SSE.round($1, to: Int32.self, &$2)))
    }
    try check("cvt i64", 42, t, unary: true) { UInt64(bitPattern: SSE.round($1, to: Int64.self, &$2)) }
    for control: UInt8 in [0, 1, 2, 3, 4, 8, 9, 10, 11, 12] {
      try check("round \(control)", 64 + 2 * UInt32(control), t, unary: true) {
        SSE.roundToIntegral($1, control: control, &$2).bits
      }
    }
  }

  @Test func arithmeticFloat() throws { try Self.arithmetic(Float.self) }
  @Test func arithmeticDouble() throws { try Self.arithmetic(Double.self) }
  @Test func comparisonsFloat() throws { try Self.comparisons(Float.self) }
  @Test func comparisonsDouble() throws { try Self.comparisons(Double.self) }
  @Test func conversionsFloat() throws { try Self.conversions(Float.self) }
  @Test func conversionsDouble() throws { try Self.conversions(Double.self) }

  @Test func betweenFormats() throws {
    try Self.verify("widen", Self.cases(Float.self, operation: 48, unary: true)) {
      SSE.widen(Float(bits: $0.b), &$1).bits
    }
    var inputs = Self.cases(Double.self, operation: 49, unary: true)
    // Random binary64 around the limits of binary32.
    var g = SeededGenerator(seed: 49)
    for k in inputs.indices { inputs[k].a = 0 }
    for k in stride(from: 0, to: inputs.count, by: 2) {
      let field = 1023 - 155 + g.next() % 290
      inputs[k].b = (g.next() & 0x800F_FFFF_FFFF_FFFF & (k & 4 == 0 ? .max : ~0xFFF_FFFF)) | field << 52
    }
    try Self.verify("narrow", inputs) { SSE.narrow(Double(bits: $0.b), &$1).bits }
  }

  @Test func fromIntegers() throws {
    for operation: UInt32 in 44...47 {
      var inputs = Self.cases(Double.self, operation: operation, unary: true)
      var g = SeededGenerator(seed: UInt64(operation))
      for k in inputs.indices {
        let shift = g.next() & 63
        let value = Int64(bitPattern: g.next()) >> Int64(shift)
        inputs[k].b = UInt64(bitPattern: k & 7 == 0 ? Int64(1) << Int64(shift) &- 1 : value)
      }
      try Self.verify("from integer \(operation)", inputs) { input, mxcsr in
        let wide = Int64(bitPattern: input.b)
        switch operation {
        case 44: return SSE.convert(Int32(truncatingIfNeeded: wide), to: Float.self, &mxcsr).bits
        case 45: return SSE.convert(Int32(truncatingIfNeeded: wide), to: Double.self, &mxcsr).bits
        case 46: return SSE.convert(wide, to: Float.self, &mxcsr).bits
        default: return SSE.convert(wide, to: Double.self, &mxcsr).bits
        }
      }
    }
  }

  @Test func dotProducts() throws {
    let doubles = Self.cases(Double.self, operation: 129, unary: false)
    try Self.verify("dppd", doubles.filter { $0.control & MXCSR.masks == MXCSR.masks }) { x, mxcsr in
      let a = SIMD2(Double(bits: x.a), Double(bits: x.aHigh))
      let b = SIMD2(Double(bits: x.b), Double(bits: x.bHigh))
      return SSE.dotProduct(a, b, selection: 0x31, &mxcsr).bits
    }
    var floats = Self.cases(Float.self, operation: 128, unary: false)
    for k in floats.indices {
      let other = floats[(k &* 7 &+ 5) % floats.count]
      floats[k].a |= other.a << 32
      floats[k].b |= other.b << 32
      floats[k].aHigh |= other.aHigh << 32
      floats[k].bHigh |= other.bHigh << 32
    }
    // NaNs come out of sums whose operand order the manual leaves open.
    func elements(_ low: UInt64, _ high: UInt64) -> SIMD4<Float> {
      SIMD4(Float(bits: low), Float(bits: low >> 32), Float(bits: high), Float(bits: high >> 32))
    }
    try Self.verify("dpps", floats.filter { $0.control & MXCSR.masks == MXCSR.masks }) { x, mxcsr in
      SSE.dotProduct(elements(x.a, x.aHigh), elements(x.b, x.bHigh), selection: 0xF1, &mxcsr).bits
    }
  }
}
