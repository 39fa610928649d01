/// An integer operand's width, and how a register of that width is named in an operation: 8-bit registers by byte
/// offset, others by number.
public protocol Width: FixedWidthInteger & UnsignedInteger {
  associatedtype Signed: FixedWidthInteger & SignedInteger
  static func get(_ cpu: CPU, _ register: UInt8) -> Self
  static func set(_ cpu: CPU, _ register: UInt8, _ value: Self)
}
extension UInt8: Width {
  public typealias Signed = Int8
  @inlinable @inline(__always) public static func get(_ cpu: CPU, _ register: UInt8) -> UInt8 { cpu.r8(register) }
  @inlinable @inline(__always) public static func set(_ cpu: CPU, _ register: UInt8, _ value: UInt8) {
    cpu.setR8(register, value)
  }
}
extension UInt16: Width {
  public typealias Signed = Int16
  @inlinable @inline(__always) public static func get(_ cpu: CPU, _ register: UInt8) -> UInt16 {
    cpu.reg(register, UInt16.self)
  }
  @inlinable @inline(__always) public static func set(_ cpu: CPU, _ register: UInt8, _ value: UInt16) {
    cpu.setReg(register, value)
  }
}
extension UInt32: Width {
  public typealias Signed = Int32
  @inlinable @inline(__always) public static func get(_ cpu: CPU, _ register: UInt8) -> UInt32 {
    cpu.reg(register, UInt32.self)
  }
  @inlinable @inline(__always) public static func set(_ cpu: CPU, _ register: UInt8, _ value: UInt32) {
    cpu.setReg(register, value)
  }
}
extension UInt64: Width {
  public typealias Signed = Int64
  @inlinable @inline(__always) public static func get(_ cpu: CPU, _ register: UInt8) -> UInt64 { cpu.r64(register) }
  @inlinable @inline(__always) public static func set(_ cpu: CPU, _ register: UInt8, _ value: UInt64) {
    cpu.setR64(register, value)
  }
}

extension CPU {
  /// Reads an operation's E operand: register `s` or memory. For instructions too rare for handlers of their own form.
  /// nil: fault recorded.
  @inlinable @inline(__always)
  public func readE<T: Width>(_ op: OpRef, _: T.Type) -> T? {
    if !op.isMemory { return T.get(self, op.s) }
    return readM(op, T.self)
  }

  /// Reads an operation's memory operand. nil: fault recorded.
  @inlinable @inline(__always)
  public func readM<T: FixedWidthInteger>(_ op: OpRef, _: T.Type) -> T? {
    if _fastPath(op.segment & Op.checked == 0),
      let host = readHit(GeneralForm.linear(self, op), MemoryLayout<T>.size)
    {
      return host.loadUnaligned(as: T.self)
    }
    return readOperand(op, T.self)
  }

  /// Writes an operation's E operand. False: fault recorded.
  @inlinable @inline(__always)
  public func writeE<T: Width>(_ op: OpRef, _ value: T) -> Bool {
    if !op.isMemory {
      T.set(self, op.s, value)
      return true
    }
    return writeM(op, value)
  }

  /// Writes an operation's memory operand. False: fault recorded.
  @inlinable @inline(__always)
  public func writeM<T: FixedWidthInteger>(_ op: OpRef, _ value: T) -> Bool {
    if _fastPath(op.segment & Op.checked == 0),
      let host = writeHit(GeneralForm.linear(self, op), MemoryLayout<T>.size)
    {
      host.storeBytes(of: value, as: T.self)
      return true
    }
    return writeOperand(op, value)
  }

  /// Reads an E operand that will be written next: faults are those of the write. nil: fault recorded.
  @inlinable @inline(__always)
  public func modifyE<T: Width>(_ op: OpRef, _: T.Type) -> T? {
    if !op.isMemory { return T.get(self, op.s) }
    if _fastPath(op.segment & Op.checked == 0),
      let host = writeHit(GeneralForm.linear(self, op), MemoryLayout<T>.size)
    {
      return host.loadUnaligned(as: T.self)
    }
    return readForWrite(op, T.self)
  }
}

/// The address of a handler's machine code, given as a closure that captures nothing.
///
/// A C function pointer cannot name generic arguments of its surroundings, so a factory of handlers (one for each
/// operation × width × operand form) could not be written with them. An optimised closure whose generic arguments are
/// all known at compile time is a plain function: its context is nil and its three arguments travel in the registers
/// of a C call. Both are checked here once a handler, at start.
@inlinable @inline(__always)
public func handler(_ body: @escaping (UnsafeMutableRawPointer, UnsafeRawPointer, Int) -> Void) -> UInt {
  codeAddress(CapturedHandler(body: body))
}
@usableFromInline
struct CapturedHandler {
  @usableFromInline var body: (UnsafeMutableRawPointer, UnsafeRawPointer, Int) -> Void
  @inlinable @inline(__always) init(body: @escaping (UnsafeMutableRawPointer, UnsafeRawPointer, Int) -> Void) {
    self.body = body
  }
}
@inlinable @inline(__always)
func codeAddress(_ captured: CapturedHandler) -> UInt {
  let (code, context) = unsafeBitCast(captured, to: (UInt, UInt).self)
  precondition(context == 0, "a handler captures something: the processor must be built with optimisation")
  return code
}
