/// What became of an attempt to decode.
public enum DecodeStatus: UInt8, Sendable {
  case ok
  /// More bytes are needed than are available: the instruction crosses into the next page.
  case truncated
  /// #UD
  case undefined
  /// #GP: longer than 15 bytes.
  case tooLong
}

/// The longest instruction (SDM 2A 2.3.11).
public let longestInstruction = 15

/// Decodes the instruction at `bytes`.
///
/// Pure: depends on its arguments alone. Reads at most `available` bytes and never more than 15. What the mode of the
/// processor decides beyond the code size (VEX and some system instructions are undefined in real and virtual-8086
/// mode, privilege) is left to the caller.
/// - Parameter into: is valid after `.ok`; after `.undefined` its `length` is the number of bytes looked at.
public func decode(
  _ bytes: UnsafePointer<UInt8>, available: Int, codeSize: CodeSize, features: CPUFeatures,
  into: inout Instruction
) -> DecodeStatus {
  let table = OpcodeTable.shared
  return Decoding.run(
    table, UnsafeRawPointer(bytes), available: available, codeSize: codeSize, features: features.rawValue,
    &into)
}

enum Decoding {
  static let f3: UInt8 = 2
  static let f2: UInt8 = 3

  /// What each byte is as a prefix: 0 none, 1–6 segment override + 1, 7: 66, 8: 67, 9: F0, 10: F2, 11: F3.
  @inline(__always)
  private static func prefixKind(_ byte: UInt8) -> UInt8 {
    switch byte {
    case 0x26: return 1
    case 0x2E: return 2
    case 0x36: return 3
    case 0x3E: return 4
    case 0x64: return 5
    case 0x65: return 6
    case 0x66: return 7
    case 0x67: return 8
    case 0xF0: return 9
    case 0xF2: return 10
    case 0xF3: return 11
    default: return 0
    }
  }

  @inline(__always)
  static func run(
    _ table: OpcodeTable, _ bytes: UnsafeRawPointer, available: Int, codeSize: CodeSize, features: UInt64,
    _ into: inout Instruction
  ) -> DecodeStatus {
    let limit = available < longestInstruction ? available : longestInstruction
    let outOfBytes: DecodeStatus = available < longestInstruction ? .truncated : .tooLong
    let is64 = codeSize == .bits64
    let modeIndex = codeSize == .bits64 ? 2 : (codeSize == .bits32 ? 1 : 0)
    var at = 0
    var result = Instruction()
    result.codeSize = codeSize

    // Prefixes (SDM 2A 2.1.1, 2.2.1). REX counts only right before the opcode.
    var has66 = false
    var has67 = false
    var repeatPrefix: UInt8 = 0
    var segmentWritten: UInt8 = 0  // + 1
    var segmentInForce: UInt8 = 0  // + 1
    var rex: UInt8 = 0
    var opcode: UInt8 = 0
    while true {
      if at >= limit { return outOfBytes }
      opcode = bytes.load(fromByteOffset: at, as: UInt8.self)
      at &+= 1
      if is64 && opcode & 0xF0 == 0x40 {
        rex = opcode
        continue
      }
      let kind = prefixKind(opcode)
      if kind == 0 { break }
      rex = 0
      switch kind {
      case 7: has66 = true
      case 8: has67 = true
      case 9: result.lock = true
      case 10: repeatPrefix = f2
      case 11: repeatPrefix = f3
      default:
        segmentWritten = kind
        if !is64 || kind > 4 { segmentInForce = kind }
      }
    }

    // Opcode map.
    var map: UInt8 = 0
    var w = rex & 8 != 0
    var vex = false
    var vvvv: UInt8 = 0
    var vectorBits: UInt16 = 0
    var prefix = repeatPrefix != 0 ? repeatPrefix : (has66 ? 1 : 0)
    if opcode == 0x0F {
      if at >= limit { return outOfBytes }
      opcode = bytes.load(fromByteOffset: at, as: UInt8.self)
      at &+= 1
      map = 1
      if opcode == 0x38 || opcode == 0x3A {
        map = opcode == 0x38 ? 2 : 3
        if at >= limit { return outOfBytes }
        opcode = bytes.load(fromByteOffset: at, as: UInt8.self)
        at &+= 1
      }
    } else if opcode == 0xC4 || opcode == 0xC5 {
      // VEX in 64-bit mode; elsewhere only if what would be ModRM.mod of LES or LDS is 3 (SDM 2A 2.3.5).
      if at >= limit { return outOfBytes }
      let next = bytes.load(fromByteOffset: at, as: UInt8.self)
      if is64 || next >= 0xC0 {
        if prefix != 0 || result.lock || rex != 0 {
          into.length = UInt8(truncatingIfNeeded: at)
          return .undefined
        }
        vex = true
        var last = next
        at &+= 1
        if opcode == 0xC4 {
          if at >= limit { return outOfBytes }
          last = bytes.load(fromByteOffset: at, as: UInt8.self)
          at &+= 1
          map = next & 0x1F
          if is64 { rex = ~next >> 5 & 7 }
          w = last & 0x80 != 0
        } else {
          map = 1
          if is64 { rex = ~next >> 5 & 4 }
        }
        if map == 0 || map > 3 {
          into.length = UInt8(truncatingIfNeeded: at)
          return .undefined
        }
        // As REX: R is bit 2, X bit 1, B bit 0; VEX orders R, X, B from bit 7 down.
        map &+= 4
        vvvv = ~last >> 3 & 15
        vectorBits = last & 4 != 0 ? 256 : 128
        prefix = last & 3
        if at >= limit { return outOfBytes }
        opcode = bytes.load(fromByteOffset: at, as: UInt8.self)
        at &+= 1
      }
    }

    // The slot, and ModRM where it has one.
    let slot = table.slots[(Int(map) &<< 8 | Int(opcode)) &<< 2 | Int(prefix)]
    var list = Int(slot & 0xFFFF)
    var modRM: UInt8 = 0
    if slot & OpcodeTable.modRMBit != 0 {
      if at >= limit { return outOfBytes }
      modRM = bytes.load(fromByteOffset: at, as: UInt8.self)
      at &+= 1
      if slot & OpcodeTable.groupBit != 0 {
        let register = modRM >= 0xC0 ? 1 : 0
        list = Int(table.groups[list &+ Int(modRM >> 3 & 7) &<< 1 &+ register])
      }
    }
    let reg = modRM >> 3 & 7 | (rex & 4) << 1
    let modeBit = UInt8(1) &<< UInt8(truncatingIfNeeded: modeIndex)

    // The first row that fits.
    var rowNumber = table.lists[list]
    while true {
      if rowNumber == OpcodeTable.endOfList {
        into.length = UInt8(truncatingIfNeeded: at)
        return .undefined
      }
      let row = table.rows + Int(rowNumber)
      if row.pointee.modes & modeBit != 0 && row.pointee.features & ~features == 0
        && (!row.pointee.flags.contains(.conditional)
          || fits(row, reg: reg, modRM: modRM, w: w, rexB: rex & 1 != 0, long: vectorBits == 256))
      {
        break
      }
      list &+= 1
      rowNumber = table.lists[list]
    }
    let row = table.rows + Int(rowNumber)
    let flags = row.pointee.flags
    if vex && vvvv != 0 && !flags.contains(.vvvv) {
      into.length = UInt8(truncatingIfNeeded: at)
      return .undefined
    }

    result.operation = row.pointee.operation
    result.operands = row.pointee.operands
    result.row = rowNumber
    result.map = map & 3
    result.opcode = opcode
    result.vectorLength = vectorBits
    result.vvvv = is64 ? vvvv : vvvv & 7
    result.hasREX = rex != 0 && !vex
    if row.pointee.prefixSelects || vex {
      result.mandatoryPrefix = prefix
    } else {
      result.rep = repeatPrefix == f3
      result.repne = repeatPrefix == f2
    }
    if segmentWritten != 0 { result.segmentOverride = Segment(rawValue: segmentWritten &- 1) }
    let sizeIndex =
      Int(row.pointee.sizeRule.rawValue) &* 12 &+ modeIndex &* 4 &+ (has66 ? 1 : 0) &+ (w ? 2 : 0)
    let operandSize = table.sizes[sizeIndex]
    result.operandSize = operandSize
    let addressSize: UInt8
    switch codeSize {
    case .bits64: addressSize = has67 ? 4 : 8
    case .bits32: addressSize = has67 ? 2 : 4
    case .bits16: addressSize = has67 ? 4 : 2
    }
    result.addressSize = addressSize

    // ModRM, SIB and displacement.
    var stackSegment = false
    if slot & OpcodeTable.modRMBit != 0 {
      result.hasModRM = true
      result.mod = modRM >> 6
      result.reg = reg
      if modRM >= 0xC0 || flags.contains(.modIgnored) {
        result.mod = 3
        result.rm = modRM & 7 | (rex & 1) << 3
      } else {
        result.isMemory = true
        result.rm = modRM & 7
        var displacementBytes = 0
        if addressSize == 2 {
          if flags.contains(.vsib) {
            into.length = UInt8(truncatingIfNeeded: at)
            return .undefined
          }
          displacementBytes = address16(modRM, &result, &stackSegment)
        } else {
          let mod = modRM >> 6
          var base = modRM & 7
          if base == 4 {
            if at >= limit { return outOfBytes }
            let sib = bytes.load(fromByteOffset: at, as: UInt8.self)
            at &+= 1
            base = sib & 7
            let index = sib >> 3 & 7 | (rex & 2) << 2
            if index != 4 || flags.contains(.vsib) {
              result.index = index
              result.scale = sib >> 6
            }
            if base == 5 && mod == 0 {
              displacementBytes = 4
            } else {
              result.base = base | (rex & 1) << 3
            }
          } else if flags.contains(.vsib) {
            into.length = UInt8(truncatingIfNeeded: at)
            return .undefined
          } else if base == 5 && mod == 0 {
            displacementBytes = 4
            result.isRIPRelative = is64
          } else {
            result.base = base | (rex & 1) << 3
          }
          stackSegment = result.base == 4 || result.base == 5
          if mod == 1 { displacementBytes = 1 }
          if mod == 2 { displacementBytes = 4 }
        }
        if displacementBytes != 0 {
          if at &+ displacementBytes > limit { return outOfBytes }
          result.displacement = signed(bytes, at, displacementBytes)
          at &+= displacementBytes
        }
      }
    } else {
      // The register in the opcode's low bits, where a row has one.
      result.rm = opcode & 7 | (rex & 1) << 3
    }
    if segmentInForce != 0 {
      result.segment = Segment(rawValue: segmentInForce &- 1) ?? .ds
    } else if stackSegment {
      result.segment = .ss
    }
    if result.lock && !(flags.contains(.lock) && result.isMemory) {
      into.length = UInt8(truncatingIfNeeded: at)
      return .undefined
    }

    // Immediates.
    if row.pointee.immediate != .none {
      let status = immediate(
        row.pointee.immediate, bytes, &at, limit: limit, operandSize: operandSize, addressSize: addressSize,
        &result)
      if !status { return outOfBytes }
    }
    result.length = UInt8(truncatingIfNeeded: at)
    into = result
    return .ok
  }

  /// The rare conditions of a row.
  @inline(never)
  private static func fits(
    _ row: UnsafeMutablePointer<OpcodeRow>, reg: UInt8, modRM: UInt8, w: Bool, rexB: Bool, long: Bool
  ) -> Bool {
    let flags = row.pointee.flags
    if row.pointee.registers &>> UInt16(reg) & 1 == 0 { return false }
    if row.pointee.rm != 8 && row.pointee.rm != modRM & 7 { return false }
    if flags.contains(.w0) && w || flags.contains(.w1) && !w { return false }
    if flags.contains(.l0) && long || flags.contains(.l1) && !long { return false }
    return !(flags.contains(.noRexB) && rexB)
  }

  /// 16-bit addressing (SDM 2A, table 2-1). Returns the displacement's bytes.
  @inline(__always)
  private static func address16(_ modRM: UInt8, _ result: inout Instruction, _ stackSegment: inout Bool)
    -> Int
  {
    let mod = modRM >> 6
    switch modRM & 7 {
    case 0: (result.base, result.index) = (3, 6)
    case 1: (result.base, result.index) = (3, 7)
    case 2:
      (result.base, result.index) = (5, 6)
      stackSegment = true
    case 3:
      (result.base, result.index) = (5, 7)
      stackSegment = true
    case 4: result.base = 6
    case 5: result.base = 7
    case 6:
      if mod == 0 { return 2 }
      result.base = 5
      stackSegment = true
    default: result.base = 3
    }
    return mod == 0 ? 0 : (mod == 1 ? 1 : 2)
  }

  @inline(__always)
  private static func signed(_ bytes: UnsafeRawPointer, _ at: Int, _ count: Int) -> Int64 {
    switch count {
    case 1: return Int64(bytes.load(fromByteOffset: at, as: Int8.self))
    case 2: return Int64(Int16(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: Int16.self)))
    case 4: return Int64(Int32(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: Int32.self)))
    default: return Int64(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: Int64.self))
    }
  }

  /// Reads the immediates; false when they do not fit into `limit`.
  @inline(__always)
  private static func immediate(
    _ form: ImmediateForm, _ bytes: UnsafeRawPointer, _ at: inout Int, limit: Int, operandSize: UInt8,
    addressSize: UInt8, _ result: inout Instruction
  ) -> Bool {
    let count: Int
    switch form {
    case .none: return true
    case .ib, .ibs, .is4: count = 1
    case .iw: count = 2
    case .iz: count = operandSize == 2 ? 2 : 4
    case .iv: count = Int(operandSize)
    case .iwib: count = 3
    case .ap: count = operandSize == 2 ? 4 : 6
    case .moffs: count = Int(addressSize)
    }
    if at &+ count > limit { return false }
    switch form {
    case .ib: result.immediate = Int64(bytes.load(fromByteOffset: at, as: UInt8.self))
    case .is4:
      // Outside 64-bit mode there are eight vector registers: bit 7 is ignored.
      let mask: UInt8 = result.codeSize == .bits64 ? 0xFF : 0x7F
      result.immediate = Int64(bytes.load(fromByteOffset: at, as: UInt8.self) & mask)
    case .iw: result.immediate = signed(bytes, at, 2) & 0xFFFF
    case .iwib:
      result.immediate = signed(bytes, at, 2) & 0xFFFF
      result.immediate2 = UInt16(bytes.load(fromByteOffset: at &+ 2, as: UInt8.self))
    case .ap:
      let offsetBytes = count &- 2
      result.immediate = signed(bytes, at, offsetBytes) & (offsetBytes == 2 ? 0xFFFF : 0xFFFF_FFFF)
      result.immediate2 = UInt16(truncatingIfNeeded: signed(bytes, at &+ offsetBytes, 2))
    case .moffs:
      let offset = signed(bytes, at, count)
      result.displacement = count == 2 ? offset & 0xFFFF : (count == 4 ? offset & 0xFFFF_FFFF : offset)
    default: result.immediate = signed(bytes, at, count)
    }
    at &+= count
    return true
  }
}
