/// One line of the kernel's unwind tables: how to come from an instruction to the caller's frame (Linux,
/// Documentation/arch/x86/orc-unwinder.rst, arch/x86/include/asm/orc_types.h).
struct ORCEntry: Equatable {
  enum Kind { case undefined, endOfStack, call, registers, partialRegisters }
  /// What the offsets count from.
  enum Base: UInt8 { case undefined, previousSP, dx, di, bp, sp, r10, r13, bpIndirect, spIndirect }

  var spOffset: Int16
  var bpOffset: Int16
  var spBase: Base
  var bpBase: Base
  var kind: Kind
  /// The frame is an exception's: its address is that of an instruction, not of a return.
  var isSignal: Bool

  /// The forms that the last two bytes of an entry have had.
  enum Format {
    /// Up to 6.2: type in two bits (call, registers, partial registers), then the end mark.
    case endBit
    /// 6.3: between them, the signal bit.
    case signalThenEnd
    /// From 6.4 on: type in three bits (undefined, end of stack, call, registers, partial registers), then signal.
    case wideType
  }

  /// What the offset of `spIndirect` is added to: the pointer's address up to 5.11, the pointer from then on.
  static let size = 6

  init?(spOffset: Int16, bpOffset: Int16, bits: UInt16, format: Format) {
    self.spOffset = spOffset
    self.bpOffset = bpOffset
    guard let spBase = Base(rawValue: UInt8(bits & 15)), let bpBase = Base(rawValue: UInt8(bits >> 4 & 15)) else {
      return nil
    }
    self.spBase = spBase
    self.bpBase = bpBase
    switch format {
    case .wideType:
      isSignal = bits >> 11 & 1 != 0
      switch bits >> 8 & 7 {
      case 0: kind = .undefined
      case 1: kind = .endOfStack
      case 2: kind = .call
      case 3: kind = .registers
      case 4: kind = .partialRegisters
      default: return nil
      }
    case .endBit, .signalThenEnd:
      let isEnd = bits >> (format == .endBit ? 10 : 11) & 1 != 0
      isSignal = format == .signalThenEnd && bits >> 10 & 1 != 0
      if spBase == .undefined {
        kind = isEnd ? .endOfStack : .undefined
      } else {
        switch bits >> 8 & 3 {
        case 0: kind = .call
        case 1: kind = .registers
        case 2: kind = .partialRegisters
        default: return nil
        }
      }
    }
  }
}

/// The unwind table of the kernel or of a module, in the guest's memory.
public struct ORCTable: Sendable {
  /// Of 32-bit offsets, each from its own place to the instruction that the entry holds from.
  private var addresses: UInt64
  private var entries: UInt64
  private var count: Int
  private var format: ORCEntry.Format

  private static let maximumCount = 1 << 24

  /// The kernel's own table.
  init?(_ kernel: Kernel) {
    guard let start = kernel.symbols.address(of: "__start_orc_unwind_ip"),
      let end = kernel.symbols.address(of: "__stop_orc_unwind_ip"),
      let entries = kernel.symbols.address(of: "__start_orc_unwind"), start < end
    else { return nil }
    self.init(kernel, addresses: start, entries: entries, count: Int(clamping: (end - start) / 4))
  }

  /// A module's table.
  init?(_ kernel: Kernel, module: UInt64) {
    guard let count = kernel.integer(module, "module", "arch.num_orcs"),
      let addresses = kernel.pointer(module, "module", "arch.orc_unwind_ip"),
      let entries = kernel.pointer(module, "module", "arch.orc_unwind")
    else { return nil }
    self.init(kernel, addresses: addresses, entries: entries, count: Int(clamping: count))
  }

  private init?(_ kernel: Kernel, addresses: UInt64, entries: UInt64, count: Int) {
    guard count > 0, count <= Self.maximumCount, addresses >> 63 != 0, entries >> 63 != 0 else { return nil }
    (self.addresses, self.entries, self.count) = (addresses, entries, count)
    if let type = kernel.types?.member("orc_entry", "type") {
      format =
        type.bitSize == 3 ? .wideType : kernel.types?.member("orc_entry", "signal") != nil ? .signalThenEnd : .endBit
    } else {
      format = kernel.version >= (6, 4) ? .wideType : kernel.version >= (6, 3) ? .signalThenEnd : .endBit
    }
  }

  /// All entries, ascending, each with the address from which it holds; empty when the table cannot be read.
  func rows(_ space: AddressSpace) -> [(address: UInt64, entry: ORCEntry)] {
    guard let places = space.read(addresses, count: 4 * count),
      let bytes = space.read(entries, count: ORCEntry.size * count)
    else { return [] }
    var rows: [(address: UInt64, entry: ORCEntry)] = []
    rows.reserveCapacity(count)
    places.withUnsafeBytes { places in
      bytes.withUnsafeBytes { bytes in
        for index in 0..<count {
          let offset = places.loadUnaligned(fromByteOffset: 4 * index, as: Int32.self)
          let address = addresses &+ 4 &* UInt64(index) &+ UInt64(bitPattern: Int64(offset))
          func half(_ place: Int) -> UInt16 {
            bytes.loadUnaligned(fromByteOffset: ORCEntry.size * index + place, as: UInt16.self)
          }
          guard address > rows.last?.address ?? 0,
            let entry = ORCEntry(
              spOffset: Int16(bitPattern: half(0)), bpOffset: Int16(bitPattern: half(2)), bits: half(4), format: format)
          else { continue }
          rows.append((address, entry))
        }
      }
    }
    return rows
  }

  /// The entry in force at an instruction; nil when the table says nothing or cannot be read.
  func entry(at address: UInt64, _ space: AddressSpace) -> ORCEntry? {
    func start(_ index: Int) -> UInt64? {
      let place = addresses &+ 4 &* UInt64(index)
      return space.i32(place).map { place &+ UInt64(bitPattern: Int64($0)) }
    }
    var low = 0
    var high = count
    while low < high {
      let middle = (low + high) / 2
      guard let from = start(middle) else { return nil }
      if from <= address { low = middle + 1 } else { high = middle }
    }
    guard low > 0 else { return nil }
    let place = entries &+ UInt64(ORCEntry.size) &* UInt64(low - 1)
    guard let sp = space.u16(place), let bp = space.u16(place &+ 2), let bits = space.u16(place &+ 4) else {
      return nil
    }
    return ORCEntry(
      spOffset: Int16(bitPattern: sp), bpOffset: Int16(bitPattern: bp), bits: bits, format: format)
  }
}
