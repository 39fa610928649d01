/// One 8259A programmable interrupt controller (Intel 231468). The two of a PC are joined by `PIC8259Pair`.
///
/// As in the PIIX, LTIM of ICW1 is ignored: trigger modes come per input from the edge/level register.
public final class PIC8259: ByteRegisters {
  // Offsets.
  static let dataOffset: UInt16 = 1

  // ICW1.
  /// Marks a command byte as ICW1.
  static let icw1Marker: UInt8 = 0x10
  /// SNGL: no cascade, ICW3 is left out.
  static let icw1Single: UInt8 = 0x02
  /// IC4: ICW4 follows.
  static let icw1NeedsICW4: UInt8 = 0x01

  // ICW4.
  /// SFNM: special fully nested mode.
  static let icw4SpecialFullyNested: UInt8 = 0x10
  /// AEOI: automatic end of interrupt.
  static let icw4AutoEOI: UInt8 = 0x02

  // OCW3.
  /// Marks a command byte as OCW3 (with bit 4 clear).
  static let ocw3Marker: UInt8 = 0x08
  /// ESMM: SMM of this byte counts.
  static let ocw3EnableSpecialMask: UInt8 = 0x40
  static let ocw3SpecialMask: UInt8 = 0x20
  static let ocw3Poll: UInt8 = 0x04
  /// RR: RIS of this byte counts.
  static let ocw3ReadRegister: UInt8 = 0x02
  /// RIS: read ISR, else IRR.
  static let ocw3ReadISR: UInt8 = 0x01

  /// The input that the slave is on, and its identity.
  static let cascadeInput = 2
  /// Vector offset given when nothing is requested any more at the acknowledge.
  static let spuriousInput = 7

  /// The initialization command word that the next data byte is.
  public enum Initialization: Int, Codable, Sendable {
    case done, icw2, icw3, icw4
  }

  public struct State: Codable, Equatable {
    public var irr: UInt8 = 0
    public var imr: UInt8 = 0
    public var isr: UInt8 = 0
    /// Levels of the inputs.
    public var lines: UInt8 = 0
    /// ELCR: a set bit makes the input level-triggered.
    public var levelTriggered: UInt8 = 0
    /// ICW2: bits 7…3 of the vectors.
    public var vectorBase: UInt8 = 0
    /// The input that has the highest priority now, 0…7.
    public var highestPriority: UInt8 = 0
    public var initialization = Initialization.done
    public var isSingle = false
    public var needsICW4 = false
    public var autoEOI = false
    public var rotateOnAutoEOI = false
    public var specialMask = false
    public var specialFullyNested = false
    public var readsISR = false
    /// The next read is a poll.
    public var poll = false

    public init() {}
  }

  public var state: State {
    get { chip }
    set {
      chip = newValue
      output = requestedInput != nil
      onOutputChange?(output)
    }
  }

  private var chip = State()
  private let isMaster: Bool
  /// ELCR bits that exist; the others are always edge-triggered.
  private let levelCapable: UInt8
  /// The INT pin.
  public private(set) var output = false
  /// Told the new level of the INT pin.
  var onOutputChange: ((Bool) -> Void)?
  /// After each acknowledge of this chip, also by a poll.
  var onAcknowledge: (() -> Void)?

  init(isMaster: Bool) {
    self.isMaster = isMaster
    // ELCR1 lacks IRQ 0, 1 and 2; ELCR2 lacks IRQ 8 and 13.
    levelCapable = isMaster ? 0xF8 : 0xDE
  }

  /// Power-on.
  func reset() {
    let lines = chip.lines
    chip = State()
    chip.lines = lines
    update()
  }

  // MARK: Inputs and output

  func setInput(_ input: Int, level: Bool) {
    guard (0..<8).contains(input) else { return }
    let mask = UInt8(1) << UInt8(input)
    let was = chip.lines & mask != 0
    if level { chip.lines |= mask } else { chip.lines &= ~mask }
    if chip.levelTriggered & mask != 0 {
      if level { chip.irr |= mask } else { chip.irr &= ~mask }
    } else if level, !was {
      // Latched until it is acknowledged, so that a short pulse is not lost.
      chip.irr |= mask
    }
    update()
  }

  /// Requests the cascade input again when the slave still asks after an acknowledge: its INT pin makes no edge
  /// between two of its interrupts when nothing is left in service (AEOI).
  func relatch(_ input: Int) {
    chip.irr |= (1 << UInt8(input)) & chip.lines
    update()
  }

  /// The input that would be acknowledged now.
  var requestedInput: Int? {
    let requested = priority(of: chip.irr & ~chip.imr)
    guard requested < 8 else { return nil }
    var inService = chip.isr
    if chip.specialMask { inService &= ~chip.imr }
    // A master in special fully nested mode accepts further requests of the slave that is in service.
    if chip.specialFullyNested, isMaster { inService &= ~(1 << UInt8(Self.cascadeInput)) }
    guard requested < priority(of: inService) else { return nil }
    return input(at: requested)
  }

  /// One INTA sequence: the requested input goes into service. Nil means spurious; then nothing changes.
  func acknowledgeInput() -> Int? {
    guard let input = requestedInput else { return nil }
    let mask = UInt8(1) << UInt8(input)
    if chip.autoEOI {
      if chip.rotateOnAutoEOI { chip.highestPriority = UInt8(input + 1) & 7 }
    } else {
      chip.isr |= mask
    }
    if chip.levelTriggered & mask == 0 { chip.irr &= ~mask }
    update()
    onAcknowledge?()
    return input
  }

  func vector(for input: Int) -> UInt8 { chip.vectorBase | UInt8(input & 7) }

  private func update() {
    let level = requestedInput != nil
    guard level != output else { return }
    output = level
    onOutputChange?(level)
  }

  /// Rank of the highest priority among set bits, 0 (highest) … 7, or 8 when there is none.
  private func priority(of bits: UInt8) -> Int {
    guard bits != 0 else { return 8 }
    let shift = chip.highestPriority & 7
    let rotated = shift == 0 ? bits : (bits >> shift) | (bits << (8 - shift))
    return rotated.trailingZeroBitCount
  }

  private func input(at rank: Int) -> Int { (rank + Int(chip.highestPriority)) & 7 }

  // MARK: Ports

  public func readRegister(_ offset: UInt16) -> UInt8 {
    if chip.poll {
      chip.poll = false
      guard let input = acknowledgeInput() else { return 0 }
      return 0x80 | UInt8(input)
    }
    if offset == Self.dataOffset { return chip.imr }
    return chip.readsISR ? chip.isr : chip.irr
  }

  public func writeRegister(_ offset: UInt16, _ byte: UInt8) {
    if offset == Self.dataOffset {
      writeData(byte)
    } else if byte & Self.icw1Marker != 0 {
      initialize(icw1: byte)
    } else if byte & Self.ocw3Marker != 0 {
      writeOCW3(byte)
    } else {
      writeOCW2(byte)
    }
    update()
  }

  private func initialize(icw1: UInt8) {
    // The edge sense is reset: only an input that rises from now on, or a level, requests.
    chip.irr = chip.lines & chip.levelTriggered
    chip.imr = 0
    chip.isr = 0
    chip.highestPriority = 0
    chip.specialMask = false
    chip.readsISR = false
    chip.poll = false
    chip.autoEOI = false
    chip.rotateOnAutoEOI = false
    chip.specialFullyNested = false
    chip.isSingle = icw1 & Self.icw1Single != 0
    chip.needsICW4 = icw1 & Self.icw1NeedsICW4 != 0
    chip.initialization = .icw2
  }

  private func writeData(_ byte: UInt8) {
    switch chip.initialization {
    case .done:
      chip.imr = byte
    case .icw2:
      chip.vectorBase = byte & 0xF8
      chip.initialization = chip.isSingle ? (chip.needsICW4 ? .icw4 : .done) : .icw3
    case .icw3:
      // The cascade is wired; what ICW3 says of it is not kept.
      chip.initialization = chip.needsICW4 ? .icw4 : .done
    case .icw4:
      chip.specialFullyNested = byte & Self.icw4SpecialFullyNested != 0
      chip.autoEOI = byte & Self.icw4AutoEOI != 0
      chip.initialization = .done
    }
  }

  /// R, SL and EOI in bits 7…5, the level L in bits 2…0.
  private func writeOCW2(_ byte: UInt8) {
    let level = byte & 7
    switch byte >> 5 {
    case 0: chip.rotateOnAutoEOI = false
    case 4: chip.rotateOnAutoEOI = true
    case 1, 5:
      // In special mask mode a masked bit is not cleared by a non-specific EOI.
      let rank = priority(of: chip.specialMask ? chip.isr & ~chip.imr : chip.isr)
      guard rank < 8 else { return }
      let input = UInt8(self.input(at: rank))
      chip.isr &= ~(1 << input)
      if byte >> 5 == 5 { chip.highestPriority = (input + 1) & 7 }
    case 3: chip.isr &= ~(1 << level)
    case 6: chip.highestPriority = (level + 1) & 7
    case 7:
      chip.isr &= ~(1 << level)
      chip.highestPriority = (level + 1) & 7
    default: break
    }
  }

  private func writeOCW3(_ byte: UInt8) {
    if byte & Self.ocw3EnableSpecialMask != 0 { chip.specialMask = byte & Self.ocw3SpecialMask != 0 }
    if byte & Self.ocw3Poll != 0 {
      chip.poll = true
    } else if byte & Self.ocw3ReadRegister != 0 {
      chip.readsISR = byte & Self.ocw3ReadISR != 0
    }
  }

  // MARK: Edge/level control

  var edgeLevelControl: UInt8 {
    get { chip.levelTriggered }
    set {
      let old = chip.levelTriggered
      chip.levelTriggered = newValue & levelCapable
      // An input that becomes level-triggered requests as its level says.
      let became = chip.levelTriggered & ~old
      chip.irr = (chip.irr & ~became) | (chip.lines & became)
      update()
    }
  }
}
