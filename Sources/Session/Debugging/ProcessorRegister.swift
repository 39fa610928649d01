import PC
import X86Core
import X86System

/// A register as debuggers see it. The numbers are those of gdb's x86-64 layout, then the system registers that QEMU
/// adds; a trace names the registers that a debugger wrote by them, so they are part of its format.
public struct ProcessorRegister: Equatable, Sendable {
  /// How a debugger shows the value.
  public enum Kind: Equatable, Sendable {
    case integer, dataPointer, codePointer, flags, x87, vector, mxcsr, cr0, cr3, cr4, cr8, efer
  }
  /// What it belongs to, which is also the order of the numbers.
  public enum Group: Equatable, Sendable { case general, segment, x87, sse, base, control, avx }

  public var number: Int
  public var name: String
  public var byteCount: Int
  public var kind: Kind
  public var group: Group

  /// All of them; a register's index is its number.
  public static let all: [ProcessorRegister] = {
    var list: [ProcessorRegister] = []
    func add(_ names: [String], _ byteCount: Int, _ group: Group, _ kind: Kind = .integer) {
      for name in names {
        list.append(
          ProcessorRegister(number: list.count, name: name, byteCount: byteCount, kind: kind, group: group))
      }
    }
    add(["rax", "rbx", "rcx", "rdx", "rsi", "rdi"], 8, .general)
    add(["rbp", "rsp"], 8, .general, .dataPointer)
    add((8...15).map { "r\($0)" }, 8, .general)
    add(["rip"], 8, .general, .codePointer)
    add(["eflags"], 4, .general, .flags)
    add(["cs", "ss", "ds", "es", "fs", "gs"], 4, .segment)
    add((0..<8).map { "st\($0)" }, 10, .x87, .x87)
    add(["fctrl", "fstat", "ftag", "fiseg", "fioff", "foseg", "fooff", "fop"], 4, .x87)
    add((0..<16).map { "xmm\($0)" }, 16, .sse, .vector)
    add(["mxcsr"], 4, .sse, .mxcsr)
    add(["fs_base", "gs_base"], 8, .base)
    add(["k_gs_base"], 8, .control)
    for (name, kind) in [
      ("cr0", Kind.cr0), ("cr2", .integer), ("cr3", .cr3), ("cr4", .cr4), ("cr8", .cr8), ("efer", .efer),
    ] {
      add([name], 8, .control, kind)
    }
    add((0..<16).map { "ymm\($0)h" }, 16, .avx, .vector)
    return list
  }()

  /// The register of that name, in any case; `pc`, `sp` and `fp` are RIP, RSP and RBP.
  public static func named(_ name: String) -> ProcessorRegister? {
    let aliases = ["pc": "rip", "sp": "rsp", "fp": "rbp", "rflags": "eflags"]
    let name = name.lowercased()
    return all.first { $0.name == aliases[name] ?? name }
  }
}

/// A processor's registers as a value that debuggers read and change.
public struct RegisterFile: Equatable {
  public var state: ProcessorState
  public var cr8: UInt64

  public init(_ state: ProcessorState, cr8: UInt64) {
    self.state = state
    self.cr8 = cr8
  }

  /// The registers of a machine's processor, at this instant.
  public init(of machine: Machine) { self.init(machine.processorState, cr8: machine.cr8) }

  /// The registers that this processor has: YMM's upper halves come with AVX. The same at all times.
  public var available: ArraySlice<ProcessorRegister> {
    let hasAVX = state.features.first.map { $0 >> Self.avxFeature & 1 != 0 } ?? false
    return hasAVX ? ProcessorRegister.all[...] : ProcessorRegister.all.prefix { $0.group != .avx }
  }
  /// `CPUFeatures.avx`.
  private static let avxFeature: UInt64 = 23

  /// Whether code runs in 64-bit mode (long mode, CS.L).
  public var is64Bit: Bool {
    state.efer & EFER.lma != 0 && state.segments.count > 1 && state.segments[1].register.long
  }

  /// Linear address of the next instruction.
  public var linearRIP: UInt64 {
    guard !is64Bit, state.segments.count > 1 else { return state.rip }
    return state.rip &+ state.segments[1].base & 0xFFFF_FFFF
  }

  /// RAX, RBX, RCX, RDX, RSI, RDI, RBP, RSP in the order of `ProcessorState.general`, then R8–R15.
  private static let generalOrder = [0, 3, 1, 2, 6, 7, 5, 4] + Array(8..<16)
  /// CS, SS, DS, ES, FS, GS in the order of `ProcessorState.segments`.
  private static let segmentOrder = [1, 2, 3, 0, 4, 5]

  // MARK: Reading

  /// A register's bytes, the lowest first. The layout is the same in all modes: outside 64-bit mode general registers
  /// show their lower 32 bits, R8–R15 are zero (as in QEMU, since gdb cannot change its layout within a session).
  public subscript(_ register: ProcessorRegister) -> [UInt8] {
    let number = register.number
    switch number {
    case 0..<16:
      let value = state.general[Self.generalOrder[number]]
      return Self.bytes(is64Bit ? value : number < 8 ? value & 0xFFFF_FFFF : 0, 8)
    case 16: return Self.bytes(is64Bit ? state.rip : state.rip & 0xFFFF_FFFF, 8)
    case 17: return Self.bytes(state.rflags, 4)
    case 18..<24: return Self.bytes(UInt64(state.segments[Self.segmentOrder[number - 18]].register.selector), 4)
    case 24..<32:
      let index = (Int(state.x87Top) + number - 24) & 7
      return Self.bytes(state.x87[2 * index], 8) + Self.bytes(state.x87[2 * index + 1], 2)
    case 32: return Self.bytes(UInt64(state.x87Control), 4)
    case 33: return Self.bytes(UInt64(state.x87Status & ~0x3800) | UInt64(state.x87Top & 7) << 11, 4)
    case 34: return Self.bytes(UInt64(tagWord), 4)
    case 35: return Self.bytes(UInt64(state.x87InstructionSelector), 4)
    case 36: return Self.bytes(state.x87InstructionPointer, 4)
    case 37: return Self.bytes(UInt64(state.x87DataSelector), 4)
    case 38: return Self.bytes(state.x87DataPointer, 4)
    case 39: return Self.bytes(UInt64(state.x87Opcode & 0x7FF), 4)
    case 40..<56:
      let index = 4 * (number - 40)
      return Self.bytes(state.vectors[index], 8) + Self.bytes(state.vectors[index + 1], 8)
    case 56: return Self.bytes(UInt64(state.mxcsr), 4)
    case 57: return Self.bytes(state.segments[4].base, 8)
    case 58: return Self.bytes(state.segments[5].base, 8)
    case 59: return Self.bytes(state.kernelGSBase, 8)
    case 60: return Self.bytes(state.cr0, 8)
    case 61: return Self.bytes(state.cr2, 8)
    case 62: return Self.bytes(state.cr3, 8)
    case 63: return Self.bytes(state.cr4, 8)
    case 64: return Self.bytes(cr8, 8)
    case 65: return Self.bytes(state.efer, 8)
    default:
      let index = 4 * ((number - 66) & 15) + 2
      return Self.bytes(state.vectors[index], 8) + Self.bytes(state.vectors[index + 1], 8)
    }
  }

  /// The value of a register of at most 64 bits; of a longer one the lowest 64.
  public func value(_ register: ProcessorRegister) -> UInt64 { Self.value(self[register].prefix(8)) }

  /// Two bits a physical register: 0 valid, 1 zero, 2 special, 3 empty (SDM 1 8.1.7).
  private var tagWord: UInt16 {
    var word: UInt16 = 0
    for index in 0..<8 {
      let mantissa = state.x87[2 * index]
      let exponent = state.x87[2 * index + 1] & 0x7FFF
      let tag: UInt16
      if state.x87Empty >> UInt8(index) & 1 != 0 {
        tag = 3
      } else if exponent == 0 && mantissa == 0 {
        tag = 1
      } else if exponent == 0 || exponent == 0x7FFF || mantissa >> 63 == 0 {
        tag = 2
      } else {
        tag = 0
      }
      word |= tag << UInt16(2 * index)
    }
    return word
  }

  private static func bytes(_ value: UInt64, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) }
  }
  private static func value(_ bytes: some Sequence<UInt8>) -> UInt64 {
    bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  // MARK: Writing

  /// Changes a register.
  /// - Parameter bytes: as many as the register has, the lowest first.
  /// - Throws: a `ControlError` for what would change the processor's mode, or what no register can hold; nothing has
  ///   changed then.
  public mutating func set(_ register: ProcessorRegister, _ bytes: [UInt8]) throws {
    guard bytes.count == register.byteCount else {
      throw ControlError("\(register.name) has \(register.byteCount) bytes, not \(bytes.count)")
    }
    if bytes == self[register] { return }
    let value = Self.value(bytes.prefix(8))
    let number = register.number
    switch number {
    case 0..<16:
      let index = Self.generalOrder[number]
      if is64Bit {
        state.general[index] = value
      } else if number < 8 {
        state.general[index] = state.general[index] & ~0xFFFF_FFFF | value & 0xFFFF_FFFF
      }
    case 16: state.rip = is64Bit ? value : value & 0xFFFF_FFFF
    case 17: state.rflags = state.rflags & ~Self.writableFlags | value & Self.writableFlags | 2
    case 18..<24: try load(segment: Self.segmentOrder[number - 18], value, register)
    case 24..<32:
      let index = (Int(state.x87Top) + number - 24) & 7
      state.x87[2 * index] = value
      state.x87[2 * index + 1] = Self.value(bytes[8...])
    case 32: state.x87Control = UInt16(truncatingIfNeeded: value & 0x1F3F | 0x40)
    case 33:
      state.x87Status = UInt16(truncatingIfNeeded: value) & ~0x3800
      state.x87Top = UInt8(value >> 11 & 7)
    case 34:
      state.x87Empty = (0..<8).reduce(UInt8(0)) { value >> (2 * UInt64($1)) & 3 == 3 ? $0 | 1 << UInt8($1) : $0 }
    case 35: state.x87InstructionSelector = UInt16(truncatingIfNeeded: value)
    case 36: state.x87InstructionPointer = value
    case 37: state.x87DataSelector = UInt16(truncatingIfNeeded: value)
    case 38: state.x87DataPointer = value
    case 39: state.x87Opcode = UInt16(truncatingIfNeeded: value & 0x7FF)
    case 40..<56:
      let index = 4 * (number - 40)
      state.vectors[index] = value
      state.vectors[index + 1] = Self.value(bytes[8...])
    case 56: state.mxcsr = UInt32(truncatingIfNeeded: value & 0xFFFF)
    case 57: state.segments[4].base = try canonical(value, register)
    case 58: state.segments[5].base = try canonical(value, register)
    case 59: state.kernelGSBase = try canonical(value, register)
    case 60: state.cr0 = try change(state.cr0, to: value, within: Self.writableCR0, register)
    case 61: state.cr2 = value
    case 62:
      guard state.cr4 & CR4.pae == 0 || state.efer & EFER.lma != 0 else {
        throw ControlError("cr3 cannot be changed in PAE paging, whose four pointers are loaded with it")
      }
      guard value >> 52 == 0 else { throw ControlError("cr3 holds a physical address") }
      state.cr3 = value
    case 63: state.cr4 = try change(state.cr4, to: value, within: Self.writableCR4, register)
    case 64: cr8 = value & 15
    case 65: state.efer = try change(state.efer, to: value, within: EFER.sce, register)
    default:
      let index = 4 * ((number - 66) & 15) + 2
      state.vectors[index] = value
      state.vectors[index + 1] = Self.value(bytes[8...])
    }
  }

  /// All but VM, which would change the mode.
  private static let writableFlags: UInt64 =
    RFLAGS.status | RFLAGS.tf | RFLAGS.if | RFLAGS.df | RFLAGS.iopl | RFLAGS.nt | RFLAGS.rf | RFLAGS.ac
    | RFLAGS.id
  private static let writableCR0: UInt64 = CR0.mp | CR0.em | CR0.ts | CR0.ne | CR0.wp | CR0.am
  private static let writableCR4: UInt64 =
    CR4.tsd | CR4.de | CR4.mce | CR4.pge | CR4.pce | CR4.osfxsr | CR4.osxmmexcpt

  private func change(
    _ old: UInt64, to new: UInt64, within mask: UInt64, _ register: ProcessorRegister
  ) throws -> UInt64 {
    guard (old ^ new) & ~mask == 0 else {
      throw ControlError(
        "\(register.name): bits 0x\(String((old ^ new) & ~mask, radix: 16)) decide the processor's mode and cannot be "
          + "changed by a debugger")
    }
    return new
  }

  private func canonical(_ value: UInt64, _ register: ProcessorRegister) throws -> UInt64 {
    guard (Int64(bitPattern: value) << 16) >> 16 == Int64(bitPattern: value) else {
      throw ControlError("\(register.name) must hold a canonical address")
    }
    return value
  }

  /// Real and virtual-8086 mode: the base follows the selector. Elsewhere the hidden part stays, so the selector must.
  private mutating func load(segment: Int, _ value: UInt64, _ register: ProcessorRegister) throws {
    guard state.cr0 & CR0.pe == 0 || state.rflags & RFLAGS.vm != 0 else {
      throw ControlError("\(register.name) can be changed in real mode only: elsewhere it stands for a descriptor")
    }
    state.segments[segment].register.selector = UInt16(truncatingIfNeeded: value)
    state.segments[segment].base = (value & 0xFFFF) << 4
  }
}
