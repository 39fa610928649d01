import Testing
import X86Float

/// What needs no host to compare with.
@Suite struct X87Tests {
  private let control = X87.initialControl

  private func f80(_ value: Double) -> F80 { F80(exactly: value) }

  @Test func exactResultsRaiseNothing() {
    var raised: UInt16 = 0
    #expect(X87.yLog2(f80(8), times: f80(3), control: control, &raised) == f80(9))
    #expect(X87.yLog2(f80(0.25), times: f80(-1.5), control: control, &raised) == f80(3))
    #expect(X87.yLog2(.one, times: f80(-7), control: control, &raised) == f80(-0.0))
    #expect(X87.yLog2Plus1(f80(3), times: f80(5), control: control, &raised) == f80(10))
    #expect(X87.exponentialMinus1(f80(1), control: control, &raised) == .one)
    #expect(X87.exponentialMinus1(f80(-1), control: control, &raised) == f80(-0.5))
    #expect(X87.sine(f80(-0.0), control: control, &raised) == f80(-0.0))
    #expect(X87.cosine(f80(0), control: control, &raised) == .one)
    #expect(raised == 0)
  }

  @Test func commitTellsWhatIsUnmasked() {
    var status: UInt16 = X87.c1 | X87.c3 | X87.pe
    #expect(X87.commit(raised: X87.ue | X87.pe, control: control, to: &status) == 0)
    #expect(status == X87.c3 | X87.ue | X87.pe)
    let open = control & ~X87.ze
    #expect(X87.commit(raised: X87.ze, control: open, to: &status) == X87.ze)
    #expect(status & (X87.es | X87.busy) == X87.es | X87.busy)
  }

  @Test func argumentsOutOfRangeStay() {
    let big = F80(signExponent: 0x403E, significand: 1 << 63)
    var raised: UInt16 = 0
    #expect(X87.sine(big, control: control, &raised) == big)
    #expect(raised == X87.c2)
    raised = 0
    #expect(X87.tangent(big, control: control, &raised) == big)
    #expect(raised == X87.c2)
  }

  @Test func infinitiesOfTheTranscendentals() {
    var raised: UInt16 = 0
    #expect(X87.sine(.infinity, control: control, &raised) == .indefinite)
    #expect(raised == X87.ie)
    raised = 0
    #expect(X87.yLog2(.zero, times: .one, control: control, &raised) == F80.infinity.negated)
    #expect(raised == X87.ze)
    raised = 0
    #expect(X87.yLog2(f80(-2), times: .one, control: control, &raised) == .indefinite)
    #expect(raised == X87.ie)
    raised = 0
    #expect(X87.exponentialMinus1(F80.infinity.negated, control: control, &raised) == F80.one.negated)
    #expect(raised == 0)
  }

}
