import Testing
import X86Float

/// The transcendental instructions against the host's, which are good to one unit in the last place themselves.
@Suite(.enabled(if: x87Reference.isAvailable, "needs an x86-64 host with a C compiler"))
struct X87TranscendentalTests {
  /// Masked cases whose first operand passes `domain`.
  private static func cases(
    _ operation: UInt32, unary: Bool, domain: (F80) -> Bool = { _ in true }
  ) -> [ReferenceInput] {
    X87HostTests.cases(operation, unary: unary).filter {
      $0.control & 0x3F == 0x3F
        && domain(F80(signExponent: UInt16(truncatingIfNeeded: $0.aHigh), significand: $0.a))
    }
  }

  private static func verify(_ name: String, _ inputs: [ReferenceInput], _ body: X87HostTests.Operation)
    throws
  {
    try X87HostTests.verify(name, inputs, ulps: 1, codes: X87.c2, body)
  }

  @Test func exponential() throws {
    try Self.verify("f2xm1", Self.cases(40, unary: true) { $0.exponentField < 0x3FFF }) { a, _, _, cw, f in
      X87.exponentialMinus1(a, control: cw, &f)
    }
  }

  @Test func logarithms() throws {
    // The host calls exact logarithms inexact; see `exactResultsRaiseNothing`.
    try Self.verify("fyl2x", Self.cases(41, unary: false) { $0.significand.nonzeroBitCount != 1 }) {
      a, b, _, cw, f in
      X87.yLog2(a, times: b, control: cw, &f)
    }
    try Self.verify("fyl2xp1", Self.cases(42, unary: false) { $0.exponentField < 0x3FFD }) { a, b, _, cw, f in
      X87.yLog2Plus1(a, times: b, control: cw, &f)
    }
  }

  @Test func trigonometry() throws {
    try Self.verify("fsin", Self.cases(43, unary: true)) { a, _, _, cw, f in X87.sine(a, control: cw, &f) }
    try Self.verify("fcos", Self.cases(44, unary: true)) { a, _, _, cw, f in X87.cosine(a, control: cw, &f) }
    try Self.verify(
      "fptan",
      Self.cases(45, unary: true) { $0.exponentField < 0x3FFF + 63 && $0.classification != .unsupported }
    ) {
      a, _, _, cw, f in X87.tangent(a, control: cw, &f)
    }
    try Self.verify("fpatan", Self.cases(46, unary: false)) { a, b, _, cw, f in
      X87.arctangent(b, over: a, control: cw, &f)
    }
  }
}
