/// Bits of MXCSR (SDM 1 10.2.3). Every exception flag has its mask seven bits above it.
public enum MXCSR {
  /// Invalid operation.
  public static let ie: UInt32 = 1 << 0
  /// Denormal operand.
  public static let de: UInt32 = 1 << 1
  /// Division by zero.
  public static let ze: UInt32 = 1 << 2
  /// Overflow.
  public static let oe: UInt32 = 1 << 3
  /// Underflow.
  public static let ue: UInt32 = 1 << 4
  /// Precision (the result is inexact).
  public static let pe: UInt32 = 1 << 5
  /// All exception flags.
  public static let flags: UInt32 = 0x3F
  /// Denormals are zeros: denormal operands count as zeros of their sign.
  public static let daz: UInt32 = 1 << 6
  /// All exception masks.
  public static let masks: UInt32 = 0x1F80
  /// The underflow mask.
  public static let um: UInt32 = 1 << 11
  /// Rounding control; see ``RoundingMode``.
  public static let rc: UInt32 = 3 << 13
  /// Flush to zero: tiny results become zeros of their sign while underflow is masked.
  public static let ftz: UInt32 = 1 << 15
  /// Value after reset: everything masked, round to nearest.
  public static let initial: UInt32 = 0x1F80

  /// Flags that are known before the result is computed; an unmasked one of them stops the operation.
  @usableFromInline static let beforeComputation: UInt32 = 0x07

  /// Merges what an instruction raised into the register.
  ///
  /// With an unmasked exception an instruction has to know what it raised itself, apart from the sticky flags.
  /// It then runs its elements with a copy of MXCSR whose flags are clear, and hands the flags that came out
  /// to this function. If an element met an unmasked exception before its computation, flags that other
  /// elements raised after theirs do not show (SDM 1 11.5.3).
  ///
  /// - Returns: whether #XM is due; the destination must then stay as it was.
  @inlinable @inline(__always)
  public static func commit(raised: UInt32, to mxcsr: inout UInt32) -> Bool {
    let unmasked = raised & ~(mxcsr &>> 7) & flags
    if unmasked & beforeComputation != 0 {
      mxcsr |= raised & beforeComputation
    } else {
      mxcsr |= raised & flags
    }
    return unmasked != 0
  }
}

/// The rounding control field, of the same coding in MXCSR, the x87 control word and ROUNDSD's immediate.
public enum RoundingMode: UInt8 {
  case nearestEven = 0
  case down = 1
  case up = 2
  case towardZero = 3

  /// The mode that the low two bits of `field` select.
  @inlinable @inline(__always)
  public init(field: UInt32) {
    self = unsafeBitCast(UInt8(truncatingIfNeeded: field & 3), to: RoundingMode.self)
  }

  /// The mode that MXCSR selects.
  @inlinable @inline(__always)
  public init(mxcsr: UInt32) { self.init(field: mxcsr &>> 13) }
}
