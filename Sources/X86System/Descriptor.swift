import X86Core

/// A descriptor as it lies in the GDT, LDT or IDT (SDM 3A 3.4.5, 5.8.3, 6.11).
public struct Descriptor {
  /// Bits 63:0.
  public var raw: UInt64
  /// Bits 127:64 of a system descriptor in IA-32e mode, else 0.
  public var high: UInt64 = 0
  /// Linear address in its table.
  public var address: UInt64 = 0

  public init(raw: UInt64, high: UInt64 = 0, address: UInt64 = 0) {
    self.raw = raw
    self.high = high
    self.address = address
  }

  /// Bits 40–47 and 52–55, as `SegmentRegister.attributes` holds them.
  public var attributes: UInt16 { UInt16(truncatingIfNeeded: raw >> 40) & 0xF0FF }
  public var type: UInt8 { UInt8(truncatingIfNeeded: raw >> 40) & 15 }
  /// S = 0: gate, TSS or LDT.
  public var isSystem: Bool { raw & 1 << 44 == 0 }
  public var isCode: Bool { raw >> 43 & 3 == 3 }
  public var isData: Bool { raw >> 43 & 3 == 2 }
  public var isConforming: Bool { isCode && raw & 1 << 42 != 0 }
  /// Data: may be written. Code: may be read.
  public var isWritableOrReadable: Bool { raw & 1 << 41 != 0 }
  public var dpl: UInt8 { UInt8(truncatingIfNeeded: raw >> 45) & 3 }
  public var isPresent: Bool { raw & 1 << 47 != 0 }
  public var long: Bool { raw & 1 << 53 != 0 }
  public var big: Bool { raw & 1 << 54 != 0 }
  public var base: UInt64 { (raw >> 16 & 0xFF_FFFF) | (raw >> 32 & 0xFF00_0000) | (high & 0xFFFF_FFFF) << 32 }
  /// In bytes, granularity applied.
  public var limit: UInt32 {
    let limit = UInt32(truncatingIfNeeded: (raw & 0xFFFF) | (raw >> 32 & 0xF_0000))
    return raw & 1 << 55 != 0 ? limit &<< 12 | 0xFFF : limit
  }

  // Gates.
  public var gateSelector: UInt16 { UInt16(truncatingIfNeeded: raw >> 16) }
  public var gateOffset32: UInt64 { (raw & 0xFFFF) | (raw >> 32 & 0xFFFF_0000) }
  public var gateOffset64: UInt64 { gateOffset32 | high << 32 }
  /// Interrupt stack table index, 0...7.
  public var ist: UInt8 { UInt8(truncatingIfNeeded: raw >> 32) & 7 }
  /// Call gate: parameters to copy.
  public var parameterCount: Int { Int(raw >> 32 & 31) }

  /// As a segment register's cache.
  public func segment(_ selector: UInt16) -> SegmentRegister {
    SegmentRegister(selector: selector, attributes: attributes, limit: limit)
  }
}

/// Types of system descriptors (SDM 3A table 3-2).
enum SystemType {
  static let tss16: UInt8 = 1, ldt: UInt8 = 2, busyTSS16: UInt8 = 3, callGate16: UInt8 = 4,
    taskGate: UInt8 = 5
  static let interruptGate16: UInt8 = 6, trapGate16: UInt8 = 7, tss: UInt8 = 9, busyTSS: UInt8 = 11
  static let callGate: UInt8 = 12, interruptGate: UInt8 = 14, trapGate: UInt8 = 15
}

extension CPU {
  /// IA-32e mode is active (64-bit or compatibility mode).
  var isLongActive: Bool { f.pointee.efer & EFER.lma != 0 }
  var is64Bit: Bool { f.pointee.codeMode & CodeMode.bits64 != 0 }
  var isProtected: Bool { f.pointee.cr0 & CR0.pe != 0 }
  var isVirtual8086: Bool { f.pointee.systemFlags & RFLAGS.vm != 0 }
  /// Segments are loaded without descriptors.
  var hasPlainSegments: Bool { !isProtected || isVirtual8086 }
  var iopl: UInt8 { UInt8(truncatingIfNeeded: f.pointee.systemFlags >> 12) & 3 }

  /// #GP, #NP, #SS or #TS with a selector as error code. Always false.
  @discardableResult
  func selectorFault(_ vector: UInt8, _ selector: UInt16) -> Bool {
    fault(vector, code: UInt32(selector & 0xFFFC))
  }

  /// Linear address of the descriptor that `selector` names, nil when it lies beyond its table's limit.
  func descriptorAddress(_ selector: UInt16, size: UInt32 = 8) -> UInt64? {
    let f = f
    let table: TableRegister
    if selector & 4 != 0 {
      table = f.pointee.ldtr
      // A null LDTR has no table.
      guard table.selector & 0xFFFC != 0 else { return nil }
    } else {
      table = f.pointee.gdtr
    }
    let offset = UInt32(selector & 0xFFF8)
    guard offset &+ (size &- 1) <= table.limit else { return nil }
    return table.base &+ UInt64(offset)
  }

  /// The descriptor of a selector that is not null. Beyond the table: `vector`(selector).
  /// - Returns: nil when a fault is recorded.
  func descriptor(_ selector: UInt16, outside vector: UInt8 = Vector.gp) -> Descriptor? {
    guard let address = descriptorAddress(selector) else {
      selectorFault(vector, selector)
      return nil
    }
    guard let raw = loadSystem(address, UInt64.self) else { return nil }
    return Descriptor(raw: raw, address: address)
  }

  /// Completes a system descriptor of 16 bytes in IA-32e mode (SDM 3A 3.5.2). nil: fault recorded.
  func extended(_ descriptor: Descriptor, _ selector: UInt16) -> Descriptor? {
    guard isLongActive else { return descriptor }
    guard descriptorAddress(selector, size: 16) != nil else {
      selectorFault(Vector.gp, selector)
      return nil
    }
    guard let high = loadSystem(descriptor.address &+ 8, UInt64.self) else { return nil }
    // The type field of the upper half must be zero.
    guard high >> 40 & 0x1F == 0 else {
      selectorFault(Vector.gp, selector)
      return nil
    }
    return Descriptor(raw: descriptor.raw, high: high, address: descriptor.address)
  }

  /// Sets the accessed bit of a code or data segment, in memory only when it changes. False: fault recorded.
  func markAccessed(_ descriptor: inout Descriptor) -> Bool {
    guard descriptor.raw & 1 << 40 == 0 else { return true }
    descriptor.raw |= 1 << 40
    return writeSystem(descriptor.address &+ 5, UInt8(truncatingIfNeeded: descriptor.raw >> 40))
  }

  /// Sets or clears the busy bit of a TSS descriptor. False: fault recorded.
  func setBusy(_ descriptor: Descriptor, _ busy: Bool) -> Bool {
    var type = UInt8(truncatingIfNeeded: descriptor.raw >> 40)
    type = busy ? type | 2 : type & ~2
    return writeSystem(descriptor.address &+ 5, type)
  }

  /// Loads a segment register's visible and cached parts.
  func setSegment(_ number: UInt8, _ selector: UInt16, _ descriptor: Descriptor) {
    segment(number).pointee = descriptor.segment(selector)
    setSegmentBase(number, descriptor.base)
  }

  /// Loads a segment register as real and virtual-8086 mode do. Limit and attributes stay in real mode ("unreal").
  func setPlainSegment(_ number: UInt8, _ selector: UInt16) {
    let s = segment(number)
    s.pointee.selector = selector
    setSegmentBase(number, UInt64(selector) << 4)
    if isVirtual8086 {
      s.pointee.attributes = 0xF3
      s.pointee.limit = 0xFFFF
    } else if number == 1 {
      // A far jump in real mode makes CS writable data of ring 0 again.
      s.pointee.attributes = (s.pointee.attributes & 0xF000 & ~0x6000) | 0x93
    }
  }

  /// Loads a null selector.
  func setNullSegment(_ number: UInt8, _ selector: UInt16) {
    segment(number).pointee = SegmentRegister(selector: selector, attributes: 0, limit: 0)
    setSegmentBase(number, 0)
  }

  /// The null SS of IA-32e mode; its DPL follows the privilege.
  func setNullStackSegment(_ selector: UInt16, cpl: UInt8) {
    segment(2).pointee = SegmentRegister(selector: selector, attributes: UInt16(cpl) << 5, limit: 0)
    setSegmentBase(2, 0)
  }

  // MARK: Memory at a given privilege

  /// How code of privilege `cpl` touches memory, whatever the current privilege is.
  func access(cpl: UInt8, write: Bool) -> Access {
    let bits: UInt8 = write ? Access.write : 0
    if cpl == 3 { return Access(bits | Access.user) }
    return Access(f.pointee.cpl == 3 ? bits | Access.implicit : bits)
  }

  /// Reads descriptor tables and the TSS, from the data TLB where it may be used.
  func loadSystem<T: FixedWidthInteger>(_ linear: UInt64, _: T.Type) -> T? {
    if f.pointee.view == 0, let host = readHit(linear, MemoryLayout<T>.size) {
      return host.loadUnaligned(as: T.self)
    }
    return readSystem(linear, T.self)
  }

  /// Reads as ordinary code of this privilege does.
  func load<T: FixedWidthInteger>(_ linear: UInt64, _: T.Type, _ access: Access) -> T? {
    if access.bits == dataAccess(write: false).bits, let host = readHit(linear, MemoryLayout<T>.size) {
      return host.loadUnaligned(as: T.self)
    }
    return read(linear, T.self, access)
  }

  /// Writes as ordinary code of this privilege does. False: fault recorded.
  func store<T: FixedWidthInteger>(_ linear: UInt64, _ value: T, _ access: Access) -> Bool {
    if access.bits == dataAccess(write: true).bits, let host = writeHit(linear, MemoryLayout<T>.size) {
      host.storeBytes(of: value, as: T.self)
      return true
    }
    return write(linear, value, access)
  }

  /// Reads 1, 2, 4 or 8 bytes, zero-extended.
  func load(_ linear: UInt64, size: Int, _ access: Access) -> UInt64? {
    switch size {
    case 1: return load(linear, UInt8.self, access).map(UInt64.init)
    case 2: return load(linear, UInt16.self, access).map(UInt64.init)
    case 4: return load(linear, UInt32.self, access).map(UInt64.init)
    default: return load(linear, UInt64.self, access)
    }
  }

  func store(_ linear: UInt64, _ value: UInt64, size: Int, _ access: Access) -> Bool {
    switch size {
    case 1: return store(linear, UInt8(truncatingIfNeeded: value), access)
    case 2: return store(linear, UInt16(truncatingIfNeeded: value), access)
    case 4: return store(linear, UInt32(truncatingIfNeeded: value), access)
    default: return store(linear, value, access)
    }
  }

  /// Reads an operation's memory operand of 1, 2, 4 or 8 bytes. nil: fault recorded.
  func operand(_ op: OpRef, size: UInt8) -> UInt64? {
    switch size {
    case 1: return readOperand(op, UInt8.self).map(UInt64.init)
    case 2: return readOperand(op, UInt16.self).map(UInt64.init)
    case 4: return readOperand(op, UInt32.self).map(UInt64.init)
    default: return readOperand(op, UInt64.self)
    }
  }

  func setOperand(_ op: OpRef, size: UInt8, _ value: UInt64) -> Bool {
    switch size {
    case 1: return writeOperand(op, UInt8(truncatingIfNeeded: value))
    case 2: return writeOperand(op, UInt16(truncatingIfNeeded: value))
    case 4: return writeOperand(op, UInt32(truncatingIfNeeded: value))
    default: return writeOperand(op, value)
    }
  }

  /// A 16-bit source, register or memory. nil: fault recorded.
  func source16(_ op: OpRef) -> UInt16? {
    op.isMemory ? readOperand(op, UInt16.self) : reg(op.s, UInt16.self)
  }
}

/// A body's answer to a Bool of a helper: false is a recorded fault.
@inline(__always)
func outcome(_ ok: Bool, _ success: Outcome = .next) -> Outcome { ok ? success : .fault }
