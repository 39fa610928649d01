/// The opcode maps of legacy and VEX encoding.
enum OpcodeMap: UInt8 {
  case oneByte, twoByte, map0F38, map0F3A
  case vex0F = 5
  case vex0F38, vex0F3A
}

/// Collects the rows and lays them out for the decoder.
///
/// A *slot* is (map, opcode, prefix). It leads to a list of rows, of which the first that fits is the instruction;
/// a slot whose rows ask for a ModRM.reg or mod leads to sixteen such lists instead (reg × memory or register).
/// Rows that are listed earlier win; a later row is what the bytes mean on processors without the earlier one's
/// feature (BSR under LZCNT, NOP under ENDBR).
struct OpcodeTableBuilder {
  struct Definition {
    var row: OpcodeRow
    var map: OpcodeMap
    var opcode: UInt8
    var prefixes: PrefixSet
    var reg: UInt8?
    var mod: ModConstraint
    var hasModRM: Bool
  }

  private(set) var definitions: [Definition] = []
  /// Feature of the rows that follow.
  var feature: CPUFeatures = []
  /// Map of the rows that follow.
  var map: OpcodeMap = .oneByte

  /// Opens a section: the map and the feature of the rows that follow.
  mutating func section(_ map: OpcodeMap, _ feature: CPUFeatures = []) {
    self.map = map
    self.feature = feature
  }

  /// Adds a row that no prefix selects.
  mutating func row(
    _ opcode: UInt8, reg: UInt8? = nil, rm: UInt8? = nil, mod: ModConstraint = .any, _ operation: Operation,
    _ operands: OperandKind..., flags: RowFlags = [], modes: ModeSet = .all, registers: UInt16 = 0xFFFF,
    also: CPUFeatures = []
  ) {
    add(opcode, .any, reg, rm, mod, operation, operands, flags, modes, registers, also)
  }

  /// Adds a row for certain prefixes. `registers` is the mask of allowed ModRM.reg with REX.R; `also` a feature
  /// beyond the section's.
  mutating func row(
    _ opcode: UInt8, _ prefixes: PrefixSet, reg: UInt8? = nil, rm: UInt8? = nil, mod: ModConstraint = .any,
    _ operation: Operation, _ operands: OperandKind..., flags: RowFlags = [], modes: ModeSet = .all,
    registers: UInt16 = 0xFFFF, also: CPUFeatures = []
  ) {
    add(opcode, prefixes, reg, rm, mod, operation, operands, flags, modes, registers, also)
  }

  private mutating func add(
    _ opcode: UInt8, _ prefixes: PrefixSet, _ reg: UInt8?, _ rm: UInt8?, _ mod: ModConstraint,
    _ operation: Operation,
    _ all: [OperandKind], _ flags: RowFlags, _ modes: ModeSet, _ registers: UInt16, _ also: CPUFeatures
  ) {
    var row = OpcodeRow()
    row.operation = operation
    row.operands = (
      all.first ?? .none, all.count > 1 ? all[1] : .none, all.count > 2 ? all[2] : .none,
      all.count > 3 ? all[3] : .none
    )
    row.flags = flags
    row.features = feature.union(also).rawValue
    row.registers = registers
    row.modes = modes.rawValue
    row.rm = rm ?? 8
    row.prefixSelects = prefixes != .any && !flags.contains(.sized) || prefixes.rawValue & 3 == 0
    var mod = mod
    if mod == .any && !flags.contains(.modIgnored) {
      if all.contains(where: { $0.isMemoryOnly }) { mod = .memory }
      if all.contains(where: { $0.isRegisterOnly }) { mod = .register }
    }
    if all.contains(where: { $0.usesVvvv }) { row.flags.insert(.vvvv) }
    if all.contains(.vmd) || all.contains(.vmq) { row.flags.formUnion([.vsib, .vvvv]) }
    row.sizeRule = Self.sizeRule(flags, prefixes)
    row.immediate = Self.immediate(all)
    if registers != 0xFFFF || rm != nil || !flags.isDisjoint(with: [.w0, .w1, .l0, .l1, .noRexB]) {
      row.flags.insert(.conditional)
    }
    definitions.append(
      Definition(
        row: row, map: map, opcode: opcode, prefixes: prefixes, reg: reg, mod: mod,
        hasModRM: reg != nil || rm != nil || mod != .any
          || flags.contains(.modIgnored) || all.contains(where: { $0.usesModRM })))
  }

  private static func sizeRule(_ flags: RowFlags, _ prefixes: PrefixSet) -> SizeRule {
    if flags.contains(.default64) { return .default64 }
    if flags.contains(.force64) { return .force64 }
    if flags.contains(.atMost32) { return .atMost32 }
    if flags.contains(.native) { return .native }
    if flags.contains(.y) { return .y }
    if prefixes == .any || prefixes == .noRepeat || flags.contains(.sized) { return .normal }
    return .y
  }

  private static func immediate(_ operands: [OperandKind]) -> ImmediateForm {
    for operand in operands {
      switch operand {
      case .ib: return .ib
      case .lx: return .is4
      case .ibs, .jb: return .ibs
      case .iw: return operands.contains(.ib2) ? .iwib : .iw
      case .iz, .jz: return .iz
      case .iv: return .iv
      case .ap: return .ap
      case .ob, .ov: return .moffs
      default: break
      }
    }
    return .none
  }
}

/// The table in the layout the decoder reads: built once, never changed, never freed.
struct OpcodeTable: @unchecked Sendable {
  /// Entry of a slot: bits 15…0 a list or group, or `noList`; 30 group; 31 ModRM.
  static let modRMBit: UInt32 = 1 << 31
  static let groupBit: UInt32 = 1 << 30
  /// Index of the empty list.
  static let noList: UInt32 = 0
  static let endOfList: UInt16 = 0xFFFF

  /// [map 0…7][opcode][prefix 0…3]
  let slots: UnsafeMutablePointer<UInt32>
  /// [group][reg][0 memory, 1 register] → list
  let groups: UnsafeMutablePointer<UInt16>
  /// Row numbers, each list closed by `endOfList`.
  let lists: UnsafeMutablePointer<UInt16>
  let rows: UnsafeMutablePointer<OpcodeRow>
  let rowCount: Int
  /// [size rule][code size 0…2][66 | W << 1]
  let sizes: UnsafeMutablePointer<UInt8>

  static let shared = OpcodeTable()

  static func definitions() -> [OpcodeTableBuilder.Definition] {
    var builder = OpcodeTableBuilder()
    builder.defineOneByte()
    builder.defineTwoByte()
    builder.defineX87()
    builder.defineMMX()
    builder.defineSSE()
    builder.defineVEX()
    builder.defineAVX()
    return builder.definitions
  }

  private init() {
    let definitions = Self.definitions()

    rowCount = definitions.count
    rows = .allocate(capacity: max(1, definitions.count))
    for (i, definition) in definitions.enumerated() { (rows + i).initialize(to: definition.row) }

    // Rows by slot, in order of definition.
    var bySlot = [[Int]](repeating: [], count: 8 * 256 * 4)
    for (i, definition) in definitions.enumerated() {
      let base = (Int(definition.map.rawValue) * 256 + Int(definition.opcode)) * 4
      for prefix in 0..<4 where definition.prefixes.rawValue & (1 << UInt8(prefix)) != 0 {
        bySlot[base + prefix].append(i)
      }
    }
    var lists: [UInt16] = [Self.endOfList]
    var known: [[Int]: Int] = [[]: 0]
    func list(_ members: [Int]) -> UInt16 {
      if let at = known[members] { return UInt16(at) }
      let at = lists.count
      known[members] = at
      lists += members.map { UInt16($0) }
      lists.append(Self.endOfList)
      return UInt16(at)
    }
    var groups: [UInt16] = []
    slots = .allocate(capacity: bySlot.count)
    for (slot, members) in bySlot.enumerated() {
      var entry: UInt32 = 0
      if members.contains(where: { definitions[$0].hasModRM }) { entry |= Self.modRMBit }
      if members.contains(where: { definitions[$0].reg != nil || definitions[$0].mod != .any }) {
        entry |= Self.groupBit | UInt32(groups.count)
        for reg in UInt8(0)..<8 {
          for mod in [ModConstraint.memory, .register] {
            groups.append(
              list(
                members.filter {
                  (definitions[$0].reg ?? reg) == reg
                    && (definitions[$0].mod == .any || definitions[$0].mod == mod)
                }))
          }
        }
      } else {
        entry |= UInt32(list(members))
      }
      (slots + slot).initialize(to: entry)
    }
    self.lists = .allocate(capacity: lists.count)
    self.lists.initialize(from: lists, count: lists.count)
    self.groups = .allocate(capacity: max(1, groups.count))
    self.groups.initialize(from: groups, count: groups.count)
    sizes = .allocate(capacity: 6 * 12)
    Self.fillSizes(sizes)
  }

  private static func fillSizes(_ sizes: UnsafeMutablePointer<UInt8>) {
    for rule in UInt8(0)..<6 {
      for mode in 0..<3 {
        for bits in 0..<4 {
          let has66 = bits & 1 != 0
          let w = bits & 2 != 0 && mode == 2
          let small: UInt8 = (mode == 0) != has66 ? 2 : 4
          let usual: UInt8 = w ? 8 : small
          let size: UInt8
          switch SizeRule(rawValue: rule) {
          case .y: size = w ? 8 : 4
          case .default64: size = mode == 2 ? (w || !has66 ? 8 : 2) : usual
          case .force64: size = mode == 2 ? 8 : usual
          case .atMost32: size = w ? 4 : small
          case .native: size = mode == 2 ? 8 : 4
          default: size = usual
          }
          (sizes + Int(rule) * 12 + mode * 4 + bits).initialize(to: size)
        }
      }
    }
  }
}
