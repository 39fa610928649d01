/// RFLAGS bits (SDM 1 3.4.3).
public enum RFLAGS {
  public static let cf: UInt64 = 1 << 0, pf: UInt64 = 1 << 2, af: UInt64 = 1 << 4, zf: UInt64 = 1 << 6
  public static let sf: UInt64 = 1 << 7, tf: UInt64 = 1 << 8, `if`: UInt64 = 1 << 9, df: UInt64 = 1 << 10
  public static let of: UInt64 = 1 << 11, iopl: UInt64 = 3 << 12, nt: UInt64 = 1 << 14, rf: UInt64 = 1 << 16
  public static let vm: UInt64 = 1 << 17, ac: UInt64 = 1 << 18, vif: UInt64 = 1 << 19, vip: UInt64 = 1 << 20
  public static let id: UInt64 = 1 << 21
  /// The six that arithmetic sets.
  public static let status: UInt64 = cf | pf | af | zf | sf | of
}

/// How `flagResult` and `flagOperand` are to be read. The raw value is class × 4 + log2 of the operand size.
///
/// ZF is `flagResult == 0` whatever the kind is. Both values are stored zero-extended to 64 bits.
public enum FlagKind {
  /// `flagOperand` holds the status bits of RFLAGS; `flagResult` is 0 exactly when ZF is set.
  public static let explicit: UInt64 = 0
  /// CF = OF = AF = 0.
  public static let logic: UInt64 = 4
  /// result = operand + something.
  public static let add: UInt64 = 8
  /// result = operand + something + 1.
  public static let adc: UInt64 = 12
  /// result = operand − something.
  public static let sub: UInt64 = 16
  /// result = operand − something − 1.
  public static let sbb: UInt64 = 20
  /// result = something + 1; `flagOperand` is CF, which is kept.
  public static let inc: UInt64 = 24
  /// result = something − 1; `flagOperand` is CF.
  public static let dec: UInt64 = 28
  /// result = operand << 1, the last of the shift's steps.
  public static let shl: UInt64 = 32
  /// result = operand >> 1, likewise; OF is the operand's top bit.
  public static let shr: UInt64 = 36
  /// result = operand >> 1 arithmetically; OF = 0.
  public static let sar: UInt64 = 40

  @inlinable @inline(__always) public static func log2<T: FixedWidthInteger>(_: T.Type) -> UInt64 {
    switch MemoryLayout<T>.size {
    case 1: return 0
    case 2: return 1
    case 4: return 2
    default: return 3
    }
  }
}

extension CPU {
  /// Leaves flags to be worked out when somebody looks.
  @inlinable @inline(__always)
  public func setFlags<T: FixedWidthInteger & UnsignedInteger>(_ kind: UInt64, _ result: T, _ operand: T) {
    f.pointee.flagResult = UInt64(truncatingIfNeeded: result)
    f.pointee.flagOperand = UInt64(truncatingIfNeeded: operand)
    f.pointee.flagKind = kind &+ FlagKind.log2(T.self)
  }
  /// Flags of AND, OR, XOR, TEST.
  @inlinable @inline(__always)
  public func setLogicFlags<T: FixedWidthInteger & UnsignedInteger>(_ result: T) {
    f.pointee.flagResult = UInt64(truncatingIfNeeded: result)
    f.pointee.flagKind = FlagKind.logic &+ FlagKind.log2(T.self)
  }
  /// Sets the six status flags to bits of `flags`.
  @inlinable @inline(__always)
  public func setStatusFlags(_ flags: UInt64) {
    f.pointee.flagResult = (flags & RFLAGS.zf) ^ RFLAGS.zf
    f.pointee.flagOperand = flags & RFLAGS.status
    f.pointee.flagKind = FlagKind.explicit
  }
  /// The whole of RFLAGS.
  public var rflags: UInt64 { f.pointee.systemFlags | statusFlags }

  @inlinable @inline(__always) public var zeroFlag: Bool { f.pointee.flagResult == 0 }

  /// CF, worked out.
  @inlinable @inline(__always)
  public var carryFlag: Bool {
    let f = f
    let kind = f.pointee.flagKind
    let result = f.pointee.flagResult
    let operand = f.pointee.flagOperand
    switch kind >> 2 {
    case 1: return false
    case 2: return result < operand
    case 3: return result <= operand
    // operand − something gave result: a borrow happened when result > operand.
    case 4: return result > operand
    case 5: return result >= operand
    case 8: return (operand >> ((8 << (kind & 3)) &- 1)) & 1 != 0
    default: return operand & 1 != 0  // explicit, inc, dec, shr, sar: bit 0
    }
  }

  @inlinable @inline(__always)
  public var signFlag: Bool {
    let f = f
    let kind = f.pointee.flagKind
    if kind < 4 { return f.pointee.flagOperand & RFLAGS.sf != 0 }
    return (f.pointee.flagResult >> ((8 << (kind & 3)) &- 1)) & 1 != 0
  }

  @inlinable @inline(__always)
  public var parityFlag: Bool {
    let f = f
    if f.pointee.flagKind < 4 { return f.pointee.flagOperand & RFLAGS.pf != 0 }
    return UInt8(truncatingIfNeeded: f.pointee.flagResult).nonzeroBitCount & 1 == 0
  }

  @inlinable @inline(__always)
  public var overflowFlag: Bool {
    let f = f
    let kind = f.pointee.flagKind
    let result = f.pointee.flagResult
    let operand = f.pointee.flagOperand
    let top = UInt64((8 << (kind & 3)) &- 1)
    switch kind >> 2 {
    case 0: return operand & RFLAGS.of != 0
    case 2: return (((operand ^ result) & ((result &- operand) ^ result)) >> top) & 1 != 0
    case 3: return (((operand ^ result) & ((result &- operand &- 1) ^ result)) >> top) & 1 != 0
    case 4: return (((operand ^ result) & (operand ^ (operand &- result))) >> top) & 1 != 0
    case 5: return (((operand ^ result) & (operand ^ (operand &- result &- 1))) >> top) & 1 != 0
    case 6: return result == 1 << top
    case 7: return result == (1 << top) &- 1
    case 8: return ((operand ^ result) >> top) & 1 != 0
    case 9: return (operand >> top) & 1 != 0
    default: return false
    }
  }

  @inlinable @inline(__always)
  public var adjustFlag: Bool {
    let f = f
    let result = f.pointee.flagResult
    let operand = f.pointee.flagOperand
    switch f.pointee.flagKind >> 2 {
    case 0: return operand & RFLAGS.af != 0
    case 2: return ((operand ^ result ^ (result &- operand)) >> 4) & 1 != 0
    case 3: return ((operand ^ result ^ (result &- operand &- 1)) >> 4) & 1 != 0
    case 4: return ((operand ^ result ^ (operand &- result)) >> 4) & 1 != 0
    case 5: return ((operand ^ result ^ (operand &- result &- 1)) >> 4) & 1 != 0
    case 6: return result & 15 == 0
    case 7: return result & 15 == 15
    default: return false
    }
  }

  /// The six status flags as RFLAGS bits.
  public var statusFlags: UInt64 {
    let f = f
    if f.pointee.flagKind < 4 { return f.pointee.flagOperand }
    var flags: UInt64 = 0
    if carryFlag { flags |= RFLAGS.cf }
    if parityFlag { flags |= RFLAGS.pf }
    if adjustFlag { flags |= RFLAGS.af }
    if zeroFlag { flags |= RFLAGS.zf }
    if signFlag { flags |= RFLAGS.sf }
    if overflowFlag { flags |= RFLAGS.of }
    return flags
  }

  /// Conditions of Jcc, SETcc, CMOVcc by their encoding (SDM 1, appendix B).
  @inlinable @inline(__always)
  public func holds(_ condition: UInt8) -> Bool {
    let result: Bool
    switch condition >> 1 {
    case 0: result = overflowFlag
    case 1: result = carryFlag
    case 2: result = zeroFlag
    case 3: result = zeroFlag || carryFlag
    case 4: result = signFlag
    case 5: result = parityFlag
    case 6: result = signFlag != overflowFlag
    default: result = zeroFlag || signFlag != overflowFlag
    }
    return result != (condition & 1 != 0)
  }
}
