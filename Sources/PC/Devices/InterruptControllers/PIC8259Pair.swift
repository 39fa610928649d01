/// The two 8259As of a PC: inputs IRQ 0…15, the slave on input 2 of the master, one INTR line.
public final class PIC8259Pair: InterruptSink {
  public struct State: Codable, Equatable {
    public var master = PIC8259.State()
    public var slave = PIC8259.State()
    public init() {}
  }

  /// Two ports, at 0x20 in a PC.
  public let master = PIC8259(isMaster: true)
  /// Two ports, at 0xA0 in a PC.
  public let slave = PIC8259(isMaster: false)
  /// ELCR1 and ELCR2, two ports, at 0x4D0 in a PC.
  public let edgeLevelControl: EdgeLevelControl

  /// The level of INTR, told at each change.
  public var onOutputChange: ((Bool) -> Void)?
  public var hasPendingInterrupt: Bool { master.output }

  public init() {
    edgeLevelControl = EdgeLevelControl(master: master, slave: slave)
    slave.onOutputChange = { [unowned master] level in
      master.setInput(PIC8259.cascadeInput, level: level)
    }
    slave.onAcknowledge = { [unowned master] in master.relatch(PIC8259.cascadeInput) }
    master.onOutputChange = { [unowned self] level in onOutputChange?(level) }
  }

  public var state: State {
    get {
      var state = State()
      state.master = master.state
      state.slave = slave.state
      return state
    }
    set {
      // The slave first: its output drives an input of the master, whose own state then overrides.
      slave.state = newValue.slave
      master.state = newValue.master
    }
  }

  public func reset() {
    master.reset()
    slave.reset()
  }

  /// - Parameter input: IRQ 0…15; 2 is the cascade and ignored.
  public func setInput(_ input: Int, level: Bool) {
    switch input {
    case PIC8259.cascadeInput: break
    case 0..<8: master.setInput(input, level: level)
    case 8..<16: slave.setInput(input - 8, level: level)
    default: break
    }
  }

  /// The processor's INTA cycles. Gives the vector; a request that has gone meanwhile gives that of IRQ 7 or,
  /// when the slave's has gone, IRQ 15, without anything of that controller going into service.
  public func acknowledge() -> UInt8 {
    guard let input = master.acknowledgeInput() else { return master.vector(for: PIC8259.spuriousInput) }
    guard input == PIC8259.cascadeInput else { return master.vector(for: input) }
    return slave.vector(for: slave.acknowledgeInput() ?? PIC8259.spuriousInput)
  }
}

/// The two edge/level control registers of the PIIX (ELCR, ports 0x4D0 and 0x4D1).
public final class EdgeLevelControl: ByteRegisters {
  private let master: PIC8259
  private let slave: PIC8259

  init(master: PIC8259, slave: PIC8259) {
    self.master = master
    self.slave = slave
  }

  public func readRegister(_ offset: UInt16) -> UInt8 {
    offset == 0 ? master.edgeLevelControl : slave.edgeLevelControl
  }

  public func writeRegister(_ offset: UInt16, _ value: UInt8) {
    if offset == 0 { master.edgeLevelControl = value } else { slave.edgeLevelControl = value }
  }
}

extension InterruptLine {
  /// The wire of an ISA interrupt: to the 8259s and to the IOAPIC, where IRQ 0 is on input 2 (the MADT tells).
  public static func isa(_ irq: Int, pic: PIC8259Pair, ioapic: IOAPIC) -> InterruptLine {
    InterruptLine([(pic, irq), (ioapic, irq == 0 ? 2 : irq)])
  }
}
