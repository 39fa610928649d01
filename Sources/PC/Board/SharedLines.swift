/// A wire that several devices drive: it is high while one of them drives it high.
public final class SharedLine: InterruptSink {
  private let output: InterruptLine
  private var tapCount = 0
  /// One bit a driver, in the order of `tap()`. What a checkpoint keeps; setting it drives nothing.
  public var levels: UInt64 = 0

  /// - Parameter output: where the wire ends.
  public init(_ output: InterruptLine) { self.output = output }

  /// A line for one more driver (at most 64).
  public func tap() -> InterruptLine {
    defer { tapCount += 1 }
    return InterruptLine([(self, tapCount)])
  }

  public func setInput(_ input: Int, level: Bool) {
    let before = levels != 0
    let bit: UInt64 = 1 << UInt64(input & 63)
    if level { levels |= bit } else { levels &= ~bit }
    let after = levels != 0
    if after != before { output.set(after) }
  }
}

/// The interrupt wires of the board: the sixteen of the ISA bus, and the one from IRQ 0 and the HPET to the IOAPIC's
/// input 2.
final class InterruptWires {
  private let isa: [SharedLine]
  private let timerInput: SharedLine
  /// The HPET's outputs to the IOAPIC; input 2 is the only one that its timers can use.
  let hpetRoutes: [InterruptLine]

  init(pic: PIC8259Pair, ioapic: IOAPIC) {
    let timerInput = SharedLine(InterruptLine([(ioapic, 2)]))
    self.timerInput = timerInput
    let timerTap = timerInput.tap()
    let relay = Relay(timerTap)
    isa = (0..<16).map { irq in
      irq == 0
        ? SharedLine(InterruptLine([(pic, 0), (relay, 0)]))
        : SharedLine(.isa(irq, pic: pic, ioapic: ioapic))
    }
    let hpetTap = timerInput.tap()
    hpetRoutes = (0..<IOAPIC.inputCount).map { $0 == 2 ? hpetTap : InterruptLine() }
  }

  /// Passes a level on to a line.
  private final class Relay: InterruptSink {
    private let line: InterruptLine
    init(_ line: InterruptLine) { self.line = line }
    func setInput(_ input: Int, level: Bool) { line.set(level) }
  }

  /// A driver's line to an ISA interrupt.
  func tap(_ irq: Int) -> InterruptLine { isa[irq & 15].tap() }

  /// Who drives what. Setting it drives nothing: the controllers' states know the levels.
  var levels: [UInt64] {
    get { isa.map(\.levels) + [timerInput.levels] }
    set {
      guard newValue.count == isa.count + 1 else { return }
      for (line, levels) in zip(isa + [timerInput], newValue) { line.levels = levels }
    }
  }
}
