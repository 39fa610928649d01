import Testing
import X86Float

/// What needs no host to compare with.
@Suite struct SSETests {
  @Test func inexactIsStickyAndExact() {
    var mxcsr = MXCSR.initial
    #expect(SSE.add(1.5, 2.25, &mxcsr) == 3.75)
    #expect(SSE.mul(3.0, 7.0, &mxcsr) == 21)
    #expect(SSE.div(21.0, 7.0, &mxcsr) == 3)
    #expect(SSE.sqrt(144.0, &mxcsr) == 12)
    #expect(mxcsr == MXCSR.initial)
    #expect(SSE.div(1.0, 3.0, &mxcsr) == 1.0 / 3.0)
    #expect(mxcsr == MXCSR.initial | MXCSR.pe)
  }

  @Test func theFirstNaNWins() {
    var mxcsr = MXCSR.initial
    let a = Double(bitPattern: 0x7FF0_0000_0000_0001)
    let b = Double(bitPattern: 0xFFF8_0000_0000_0002)
    #expect(SSE.add(a, b, &mxcsr).bitPattern == 0x7FF8_0000_0000_0001)
    #expect(mxcsr & MXCSR.flags == MXCSR.ie)
    #expect(SSE.sub(b, a, &mxcsr).bitPattern == 0xFFF8_0000_0000_0002)
    #expect(SSE.sub(Float.infinity, .infinity, &mxcsr).bitPattern == 0xFFC0_0000)
  }

  @Test func unmaskedExceptionsOfOneElementHideLaterFlagsOfAnother() {
    var mxcsr = MXCSR.initial & ~(MXCSR.ze << 7)
    #expect(MXCSR.commit(raised: MXCSR.ze | MXCSR.pe, to: &mxcsr))
    #expect(mxcsr & MXCSR.flags == MXCSR.ze)
    mxcsr = MXCSR.initial & ~(MXCSR.pe << 7)
    #expect(MXCSR.commit(raised: MXCSR.oe | MXCSR.pe, to: &mxcsr))
    #expect(mxcsr & MXCSR.flags == MXCSR.oe | MXCSR.pe)
    mxcsr = MXCSR.initial
    #expect(!MXCSR.commit(raised: MXCSR.ze | MXCSR.pe, to: &mxcsr))
    #expect(mxcsr & MXCSR.flags == MXCSR.ze | MXCSR.pe)
  }

  @Test func predicatesOfVCMP() {
    var mxcsr = MXCSR.initial
    let pairs: [(Double, Double)] = [(1, 2), (2, 2), (3, 2), (.nan, 2)]
    for predicate: UInt8 in 0..<32 {
      for (a, b) in pairs {
        let truth: Bool
        switch predicate & 15 {
        case 0: truth = a == b
        case 1: truth = a < b
        case 2: truth = a <= b
        case 3: truth = a.isNaN || b.isNaN
        case 4: truth = a != b
        case 5: truth = !(a < b)
        case 6: truth = !(a <= b)
        case 7: truth = !a.isNaN && !b.isNaN
        case 8: truth = a == b || a.isNaN
        case 9: truth = !(a >= b)
        case 10: truth = !(a > b)
        case 11: truth = false
        case 12: truth = a != b && !a.isNaN
        case 13: truth = a >= b
        case 14: truth = a > b
        default: truth = true
        }
        mxcsr = MXCSR.initial
        #expect(SSE.compare(a, b, predicate: predicate, &mxcsr) == truth)
        let ordering: Set<UInt8> = [1, 2, 5, 6, 9, 10, 13, 14]
        let signals = ordering.contains(predicate & 15) != (predicate >= 16)
        #expect((mxcsr & MXCSR.ie != 0) == (signals && a.isNaN), "predicate \(predicate)")
      }
    }
  }

  @Test func approximationsStayWithinTheirBound() {
    var g = SeededGenerator(seed: 12)
    for _ in 0..<200_000 {
      let exponent = 2 + UInt32(g.next() % 250)
      let a = Float(bitPattern: exponent << 23 | UInt32(truncatingIfNeeded: g.next()) & 0x7F_FFFF)
      let r = SSE.reciprocal(a)
      #expect(abs(Double(r) * Double(a) - 1) < 1.5 / 4096)
      #expect(SSE.reciprocal(-a) == -r)
      let q = Double(SSE.reciprocalSquareRoot(a))
      #expect(abs(q * Double(a).squareRoot() - 1) < 1.5 / 4096)
    }
    #expect(SSE.reciprocal(1) == 0.99975586)
    #expect(SSE.reciprocalSquareRoot(1) == 0.99975586)
    #expect(SSE.reciprocal(.infinity) == 0)
    #expect(SSE.reciprocal(-0.0) == -.infinity)
    #expect(SSE.reciprocal(Float.leastNonzeroMagnitude) == .infinity)
    #expect(SSE.reciprocalSquareRoot(.infinity) == 0)
    #expect(SSE.reciprocalSquareRoot(-0.0) == -.infinity)
    #expect(SSE.reciprocalSquareRoot(-1).bitPattern == 0xFFC0_0000)
    #expect(SSE.reciprocal(Float(bitPattern: 0x7F80_0001)).bitPattern == 0x7FC0_0001)
  }
}
