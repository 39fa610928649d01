import X86Core
import X86Float

/// The x87 registers of a processor (SDM 1 8.1): its view for the instructions of this module.
struct FPU {
  let cpu: CPU
  @inline(__always) init(_ cpu: CPU) { self.cpu = cpu }

  @inline(__always) var fields: UnsafeMutablePointer<CPUFields> { cpu.f }
  var control: UInt16 { fields.pointee.x87Control }

  // MARK: the register stack

  /// Number of the physical register that ST(`i`) is; only the low three bits of `i` count.
  func physical(_ i: UInt8) -> UInt8 { (fields.pointee.x87Top &+ i) & 7 }

  /// Whether ST(`i`) is marked empty. ST(7) is what a push takes.
  func isEmpty(_ i: UInt8) -> Bool { fields.pointee.x87Empty & (1 &<< physical(i)) != 0 }

  /// What ST(`i`) holds, empty or not.
  func st(_ i: UInt8) -> F80 { register(physical(i)) }

  /// Writes ST(`i`) and marks it as in use.
  func setST(_ i: UInt8, _ value: F80) {
    let number = physical(i)
    setRegister(number, value)
    fields.pointee.x87Empty &= ~(1 &<< number)
  }

  func markEmpty(_ i: UInt8) { fields.pointee.x87Empty |= 1 &<< physical(i) }

  func push(_ value: F80) {
    fields.pointee.x87Top = physical(7)
    setST(0, value)
  }

  func pop() {
    markEmpty(0)
    fields.pointee.x87Top = physical(1)
  }

  /// A register by its physical number, 0...7.
  func register(_ number: UInt8) -> F80 {
    let at = Layout.x87 &+ Int(number) &* 16
    return F80(
      signExponent: cpu.p.load(fromByteOffset: at &+ 8, as: UInt16.self),
      significand: cpu.p.load(fromByteOffset: at, as: UInt64.self))
  }

  /// Writes a register by its physical number, whatever its tag.
  func setRegister(_ number: UInt8, _ value: F80) {
    let at = Layout.x87 &+ Int(number) &* 16
    cpu.p.storeBytes(of: value.significand, toByteOffset: at, as: UInt64.self)
    cpu.p.storeBytes(of: value.signExponent, toByteOffset: at &+ 8, as: UInt16.self)
  }

  // MARK: control, status and tag words

  /// The status word with TOP (SDM 1 8.1.3).
  var statusWord: UInt16 {
    fields.pointee.x87Status & ~(7 &<< 11) | UInt16(fields.pointee.x87Top & 7) &<< 11
  }

  /// Loads the status word; ES and B follow from flags and masks, whatever the bits loaded.
  func setStatusWord(_ value: UInt16) {
    fields.pointee.x87Top = UInt8(truncatingIfNeeded: value &>> 11) & 7
    fields.pointee.x87Status = value & ~(7 &<< 11)
    updateSummary()
  }

  /// Loads the control word. Bit 6 reads as one, bits 7 and 13–15 as zero; bit 12, infinity control, means nothing
  /// but is kept (SDM 1 8.1.5).
  func setControlWord(_ value: UInt16) {
    fields.pointee.x87Control = value & 0x1F3F | 0x40
    updateSummary()
  }

  /// Recomputes ES and B after a change of masks or flags: a pending exception can appear and vanish by either.
  private func updateSummary() {
    let summary = X87.es | X87.busy
    if fields.pointee.x87Status & ~control & X87.flags != 0 {
      fields.pointee.x87Status |= summary
    } else {
      fields.pointee.x87Status &= ~summary
    }
  }

  /// The tag word with its two bits a register: 0 valid, 1 zero, 2 special, 3 empty (SDM 1 8.1.7). Only emptiness
  /// is kept; the rest is seen from the contents.
  var tagWord: UInt16 {
    var word: UInt16 = 0
    for number: UInt8 in 0..<8 {
      let tag: UInt16
      if fields.pointee.x87Empty & (1 &<< number) != 0 {
        tag = 3
      } else {
        switch register(number).classification {
        case .normal: tag = 0
        case .zero: tag = 1
        default: tag = 2
        }
      }
      word |= tag &<< (2 &* UInt16(number))
    }
    return word
  }

  func setTagWord(_ word: UInt16) {
    var empty: UInt8 = 0
    for number: UInt8 in 0..<8 where (word &>> (2 &* UInt16(number))) & 3 == 3 { empty |= 1 &<< number }
    fields.pointee.x87Empty = empty
  }

  /// FNINIT; the registers keep their contents and are marked empty (SDM 2A FINIT).
  func initialize() {
    fields.pointee.x87Control = X87.initialControl
    fields.pointee.x87Status = 0
    fields.pointee.x87Top = 0
    fields.pointee.x87Empty = 0xFF
    fields.pointee.x87Opcode = 0
    fields.pointee.x87InstructionPointer = 0
    fields.pointee.x87InstructionSelector = 0
    fields.pointee.x87DataPointer = 0
    fields.pointee.x87DataSelector = 0
  }

  // MARK: exceptions

  /// Merges what an operation raised into the status word.
  /// - Parameter codes: condition codes that the instruction defines.
  /// - Returns: the unmasked exceptions.
  @discardableResult
  func commit(_ raised: UInt16, replacing codes: UInt16 = X87.c1) -> UInt16 {
    X87.commit(raised: raised, control: control, replacing: codes, to: &fields.pointee.x87Status)
  }

  /// Exceptions that keep an instruction from writing a register, popping or pushing.
  static let beforeOperation = X87.ie | X87.de | X87.ze
  /// Exceptions that keep an instruction from writing memory (SDM 1 8.5.4, 8.5.5: overflow and underflow).
  static let beforeStore = X87.flags & ~X87.pe

  /// Raises stack underflow (SDM 1 8.5.1.1). True: it is masked; the destination becomes the indefinite.
  func underflows(replacing codes: UInt16 = X87.c1) -> Bool {
    commit(X87.ie | X87.sf, replacing: codes) == 0
  }

  /// Raises stack overflow. True: it is masked; the indefinite is pushed.
  func overflows(replacing codes: UInt16 = X87.c1) -> Bool {
    commit(X87.ie | X87.sf | X87.c1, replacing: codes) == 0
  }
}
