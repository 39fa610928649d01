/// Linear memory as the page tables of one instant map it (SDM 3A 4.5).
///
/// CR3's tables are asked first, then the kernel's own (`swapper_pg_dir`): where page-table isolation is on, those of a
/// program lack the kernel. Nothing is written, no accessed bit is set, and permissions do not matter.
public final class AddressSpace {
  public let view: any GuestView
  /// Physical addresses of topmost tables.
  private var roots: [UInt64]
  public let levels: Int
  /// Host addresses of pages seen; `nil` inside for pages that are not there.
  private var pages: [UInt64: UnsafeRawPointer?] = [:]
  private var lastPage: UInt64 = 1
  private var lastHost: UnsafeRawPointer?

  /// Bytes that one read may ask for.
  public static let readLimit = 64 << 20

  /// - Parameter processor: whose CR3 counts.
  public init(_ view: any GuestView, processor: Int = 0) {
    self.view = view
    let registers = view.processors[min(max(0, processor), view.processors.count - 1)]
    roots = [registers.cr3 & PageTable.addressMask]
    levels = registers.cr4 & (1 << 12) != 0 ? 5 : 4
  }

  /// A space of other tables: of another task.
  public init(_ view: any GuestView, root: UInt64, levels: Int) {
    self.view = view
    roots = [root & PageTable.addressMask]
    self.levels = levels
  }

  /// Adds tables that are asked where those before have nothing.
  func addRoot(_ physicalAddress: UInt64) {
    let root = physicalAddress & PageTable.addressMask
    guard !roots.contains(root) else { return }
    roots.append(root)
    pages = [:]
    lastPage = 1
  }

  // MARK: Translation

  /// Whether the upper bits are copies of the topmost translated one.
  public func isCanonical(_ linear: UInt64) -> Bool {
    let top = Int64(bitPattern: linear) >> Int64(levels == 5 ? 56 : 47)
    return top == 0 || top == -1
  }

  /// The guest-physical address that a linear one is mapped to.
  public func physical(_ linear: UInt64) -> UInt64? {
    guard isCanonical(linear) else { return nil }
    for root in roots {
      if let address = PageTable.walk(view, root: root, levels: levels, linear).physical { return address }
    }
    return nil
  }

  /// All entries that a walk of CR3's tables meets.
  public func walk(_ linear: UInt64) -> PageWalk {
    PageTable.walk(view, root: roots[0], levels: levels, linear)
  }

  /// The host address of a byte; at least up to the end of its 4-KiB page can be read there.
  @inline(__always)
  func host(_ linear: UInt64) -> UnsafeRawPointer? {
    let page = linear & ~0xFFF
    if page == lastPage { return lastHost.map { $0 + Int(linear & 0xFFF) } }
    return slowHost(linear)
  }

  private func slowHost(_ linear: UInt64) -> UnsafeRawPointer? {
    let page = linear & ~0xFFF
    let found: UnsafeRawPointer?
    if let known = pages[page] {
      found = known
    } else {
      found = physical(page).flatMap { view.page(at: $0) }
      pages[page] = found
    }
    lastPage = page
    lastHost = found
    return found.map { $0 + Int(linear & 0xFFF) }
  }

  // MARK: Reading

  /// Copies bytes. - Returns: nil unless all of them are mapped to RAM.
  public func read(_ linear: UInt64, count: Int) -> [UInt8]? {
    guard count >= 0, count <= Self.readLimit else { return nil }
    var isComplete = true
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      while initialized < count {
        let address = linear &+ UInt64(initialized)
        guard let host = host(address) else {
          isComplete = false
          return
        }
        let step = min(count - initialized, 4096 - Int(address & 0xFFF))
        UnsafeMutableRawPointer(buffer.baseAddress! + initialized).copyMemory(from: host, byteCount: step)
        initialized += step
      }
    }
    return isComplete ? bytes : nil
  }

  /// Copies bytes up to the first that is not mapped.
  public func readPrefix(_ linear: UInt64, count: Int) -> [UInt8] {
    var result: [UInt8] = []
    while result.count < min(count, Self.readLimit) {
      let address = linear &+ UInt64(result.count)
      guard let host = host(address) else { break }
      let step = min(count - result.count, 4096 - Int(address & 0xFFF))
      result += UnsafeRawBufferPointer(start: host, count: step)
    }
    return result
  }

  /// A little-endian integer.
  public func value<T: FixedWidthInteger>(_ linear: UInt64, _ type: T.Type) -> T? {
    let size = MemoryLayout<T>.size
    guard let host = host(linear) else { return nil }
    if Int(linear & 0xFFF) + size <= 4096 { return T(littleEndian: host.loadUnaligned(as: T.self)) }
    guard let bytes = read(linear, count: size) else { return nil }
    return bytes.withUnsafeBytes { T(littleEndian: $0.loadUnaligned(as: T.self)) }
  }

  public func u64(_ linear: UInt64) -> UInt64? { value(linear, UInt64.self) }
  public func u32(_ linear: UInt64) -> UInt32? { value(linear, UInt32.self) }
  public func i32(_ linear: UInt64) -> Int32? { value(linear, Int32.self) }
  public func u16(_ linear: UInt64) -> UInt16? { value(linear, UInt16.self) }
  public func u8(_ linear: UInt64) -> UInt8? { value(linear, UInt8.self) }

  /// The bytes up to the first zero, at most `limit` of them; nil when nothing is mapped there.
  public func string(_ linear: UInt64, limit: Int = 256) -> String? {
    guard host(linear) != nil else { return nil }
    let bytes = readPrefix(linear, count: limit).prefix { $0 != 0 }
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// What a walk of the page tables met.
public struct PageWalk: Equatable, Sendable {
  public struct Entry: Equatable, Sendable {
    /// PML5E, PML4E, PDPTE, PDE, PTE.
    public var name: String
    /// Guest-physical address of the entry.
    public var address: UInt64
    /// nil where the table lies outside RAM.
    public var value: UInt64?
    public var isPresent: Bool { (value ?? 0) & 1 != 0 }

    /// The bits that are set, as people name them.
    public var flags: String {
      guard let value else { return "outside RAM" }
      guard isPresent else { return value == 0 ? "empty" : "not present" }
      var names = ["present", value & 2 != 0 ? "writable" : "read-only", value & 4 != 0 ? "user" : "kernel"]
      if value & 32 != 0 { names.append("accessed") }
      if value & 64 != 0 { names.append("dirty") }
      if value & 128 != 0, name != "PTE" { names.append("large") }
      if value & 256 != 0 { names.append("global") }
      if value >> 63 != 0 { names.append("no-execute") }
      return names.joined(separator: " ")
    }
  }
  public var linear: UInt64
  public var entries: [Entry]
  /// nil where nothing is mapped.
  public var physical: UInt64?
}

enum PageTable {
  static let addressMask: UInt64 = 0x000F_FFFF_FFFF_F000
  private static let names = ["PTE", "PDE", "PDPTE", "PML4E", "PML5E"]

  /// 4- and 5-level paging.
  static func walk(_ view: any GuestView, root: UInt64, levels: Int, _ linear: UInt64) -> PageWalk {
    var result = PageWalk(linear: linear, entries: [], physical: nil)
    var table = root
    for level in stride(from: levels - 1, through: 0, by: -1) {
      let shift = UInt64(12 + 9 * level)
      let address = table &+ ((linear >> shift) & 511) * 8
      let value = view.page(at: address).map {
        UInt64(littleEndian: ($0 + Int(address & 0xFFF)).loadUnaligned(as: UInt64.self))
      }
      result.entries.append(.init(name: names[level], address: address, value: value))
      guard let value, value & 1 != 0 else { return result }
      if level == 0 || (level <= 2 && value & 128 != 0) {
        let mask: UInt64 = (1 << shift) - 1
        result.physical = value & addressMask & ~mask | linear & mask
        return result
      }
      table = value & addressMask
    }
    return result
  }
}
