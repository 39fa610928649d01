/// A Linux kernel as it is found in a guest's memory at one instant: what everything else starts from.
///
/// Each part is looked for when it is first asked for, and is nil when it is not there; what depends on it says why it
/// has nothing to tell.
public final class Kernel {
  public let view: any GuestView
  /// The number of the processor that matters.
  public let processor: Int
  public let space: AddressSpace
  /// nil early in the boot, or when the kernel was built without.
  public let vmcoreinfo: VMCoreInfo?
  /// Linear addresses that the kernel's image may lie at: the mapped part of its 1-GiB window.
  public let image: Range<UInt64>

  public var registers: GuestRegisters { view.processors[processor] }

  static let textMap: UInt64 = 0xFFFF_FFFF_8000_0000  // __START_KERNEL_map
  private static let textMapEnd: UInt64 = 0xFFFF_FFFF_C000_0000

  /// - Throws: `ForensicsError.notLongMode`, `.notLinux`.
  public init(_ view: any GuestView, processor: Int = 0) throws(ForensicsError) {
    self.view = view
    self.processor = min(max(0, processor), view.processors.count - 1)
    let registers = view.processors[self.processor]
    guard registers.cr0 >> 31 & 1 != 0, registers.isLongMode else { throw .notLongMode }
    space = AddressSpace(view, processor: self.processor)
    vmcoreinfo = VMCoreInfo(view)
    if let info = vmcoreinfo, let directory = info.symbol("swapper_pg_dir"), let base = info.physicalBase {
      space.addRoot(directory &- Self.textMap &+ UInt64(bitPattern: base))
    }
    guard let image = Self.image(space) else { throw .notLinux }
    self.image = image
    guard vmcoreinfo != nil || !symbols.isEmpty else { throw .notLinux }
  }

  /// The first and the last 2 MiB of the kernel's window that are mapped.
  private static func image(_ space: AddressSpace) -> Range<UInt64>? {
    let step: UInt64 = 2 << 20
    var first: UInt64?
    var last: UInt64 = 0
    for address in stride(from: textMap, to: textMapEnd, by: Int(step)) where space.physical(address) != nil {
      if first == nil { first = address }
      last = address
    }
    return first.map { $0..<(last + step) }
  }

  // MARK: Symbols

  /// The kernel's own symbols; empty when there are none.
  public private(set) lazy var symbols: SymbolTable = {
    if let info = vmcoreinfo, let layout = Kallsyms.layout(info), let table = Kallsyms.decode(space, layout) {
      return table
    }
    if let layout = Kallsyms.find(space, image: image), let table = Kallsyms.decode(space, layout) { return table }
    return SymbolTable([])
  }()

  /// A kernel variable's or function's address.
  public func address(of name: String) -> UInt64? { vmcoreinfo?.symbol(name) ?? symbols.address(of: name) }

  /// Everything that has a name: the kernel and its modules.
  public private(set) lazy var symbolizer = Symbolizer(kernel: self)

  /// The modules that are loaded.
  public private(set) lazy var modules = KernelModules(self)

  /// The tasks.
  public private(set) lazy var tasks = KernelTasks(self)

  // MARK: Types

  /// The kernel's description of its types; nil when it was built without.
  public private(set) lazy var types: BTF? = {
    guard let start = symbols.address(of: "__start_BTF"), let end = symbols.address(of: "__stop_BTF"), end > start,
      end - start <= UInt64(BTF.maximumSize), let bytes = space.read(start, count: Int(end - start))
    else { return nil }
    return BTF(bytes)
  }()

  private var offsets: [String: UInt64?] = [:]
  private var members: [String: BTF.Member?] = [:]

  /// A member of a structure as the kernel's types describe it.
  func member(_ type: String, _ path: String) -> BTF.Member? {
    let key = type + "." + path
    if let known = members[key] { return known }
    let found = types?.member(type, path)
    members[key] = found
    return found
  }

  /// Where a member is in a structure, in bytes: from VMCOREINFO, else from the kernel's types; nil when neither says.
  public func offset(_ type: String, _ path: String) -> UInt64? {
    let key = type + "." + path
    if let known = offsets[key] { return known }
    let found = vmcoreinfo?.offset(type, path) ?? member(type, path)?.offset
    offsets[key] = found
    return found
  }

  /// Bytes of a structure.
  public func size(_ type: String) -> UInt64? { vmcoreinfo?.size(type) ?? types?.size(of: type) }

  /// Reads a pointer or 64-bit member of a structure.
  public func pointer(_ address: UInt64, _ type: String, _ path: String) -> UInt64? {
    offset(type, path).flatMap { space.u64(address &+ $0) }
  }

  /// Reads an integer member of a structure, whatever its size, without a sign.
  public func integer(_ address: UInt64, _ type: String, _ path: String) -> UInt64? {
    guard let member = member(type, path) else { return nil }
    return integer(address, member)
  }

  func integer(_ address: UInt64, _ member: BTF.Member) -> UInt64? {
    let place = address &+ member.offset
    if member.bitSize > 0 {
      guard let word = space.u64(place) else { return nil }
      let bits = member.bitSize >= 64 ? .max : UInt64(1) << UInt64(member.bitSize) - 1
      return word >> UInt64(member.bitOffset % 8) & bits
    }
    switch types?.size(of: member.type) {
    case 1: return space.u8(place).map(UInt64.init)
    case 2: return space.u16(place).map(UInt64.init)
    case 4: return space.u32(place).map(UInt64.init)
    case 8: return space.u64(place)
    default: return nil
    }
  }

  /// Reads a member that is an array of characters.
  public func text(_ address: UInt64, _ type: String, _ path: String) -> String? {
    guard let member = member(type, path), let size = types?.size(of: member.type), size <= 4096 else {
      return nil
    }
    return space.string(address &+ member.offset, limit: Int(size))
  }

  /// The objects in a circular list.
  /// - Parameters:
  ///   - head: address of the `list_head` that is no element.
  ///   - offset: of the `list_head` in an element.
  ///   - limit: elements at most: a guest's list may be a loop without its head.
  /// - Returns: addresses of elements, and whether the list came back to its head.
  public func list(_ head: UInt64, offset: UInt64, limit: Int = 1 << 16) -> (elements: [UInt64], isWhole: Bool) {
    var result: [UInt64] = []
    var seen: Set<UInt64> = []
    guard var entry = space.u64(head) else { return ([], false) }
    while entry != head {
      guard result.count < limit, seen.insert(entry).inserted, let next = space.u64(entry) else {
        return (result, false)
      }
      result.append(entry &- offset)
      entry = next
    }
    return (result, true)
  }

  // MARK: Facts

  /// `6.1.0-56-cloud-amd64`.
  public private(set) lazy var release: String? = vmcoreinfo?.release ?? bannerRelease

  /// The banner: `Linux version …`.
  public private(set) lazy var banner: String? = symbols.address(of: "linux_banner").flatMap {
    space.string($0, limit: 512).map { $0.hasSuffix("\n") ? String($0.dropLast()) : $0 }
  }

  private var bannerRelease: String? {
    guard let words = banner?.split(separator: " "), words.count > 2 else { return nil }
    return String(words[2])
  }

  var knownORC: ORCTable??

  /// Major and minor version, (0, 0) when unknown.
  public private(set) lazy var version: (Int, Int) = {
    let parts = (release ?? "").split(separator: ".").prefix(2).map { Int($0.prefix { $0.isNumber }) ?? 0 }
    return parts.count == 2 ? (parts[0], parts[1]) : (0, 0)
  }()

  /// Where the per-processor area of the processor begins.
  public private(set) lazy var perCPUBase: UInt64? = {
    let base = registers.kernelGS
    return base >> 63 != 0 ? base : nil
  }()

  /// Reads a 64-bit per-processor variable of the processor.
  public func perCPU(_ name: String) -> UInt64? {
    perCPUAddress(name).flatMap { space.u64($0) }
  }

  /// Where a per-processor variable of the processor is. Its symbol is an offset into the area (or, in kernels whose
  /// area is not at zero, an address in the template).
  public func perCPUAddress(_ name: String) -> UInt64? {
    guard let base = perCPUBase, let symbol = symbols.address(of: name) else { return nil }
    guard symbol >> 63 != 0 else { return base &+ symbol }
    return symbols.address(of: "__per_cpu_start").map { base &+ (symbol &- $0) }
  }
}
