/// An interrupt line as the kernel knows it.
public struct KernelInterrupt: Sendable {
  /// Linux's number.
  public var number: UInt64
  /// How often each processor has taken it.
  public var counts: [UInt64]
  /// `IO-APIC`, `PCI-MSI`, …
  public var chip: String
  /// The chip's own number for it.
  public var hardwareNumber: UInt64
  /// Who handles it.
  public var actions: [String]
  /// The processor's vector that leads to it.
  public var vector: Int?
}

/// The kernel's interrupt lines and counters, as /proc/interrupts shows them.
public struct KernelInterrupts: Sendable {
  public var all: [KernelInterrupt] = []
  /// Counters of interrupts that have no line (`apic_timer_irqs`, …), for the processor, without those that are 0.
  public var counters: [(name: String, count: UInt64)] = []
  /// Why something is left out; nil when nothing is.
  public var problem: String?

  private static let maximum = 1 << 14

  public init(_ kernel: Kernel) {
    guard let types = kernel.types else {
      problem = "the kernel does not describe its types (no BTF), so its interrupts' structures cannot be read"
      return
    }
    var descriptors: [UInt64] = []
    if let tree = kernel.symbols.address(of: "irq_desc_tree"),
      let head = kernel.pointer(tree, "xarray", "xa_head")
    {
      descriptors = KernelTrees.xarray(kernel, head)
    } else if let tree = kernel.symbols.address(of: "sparse_irqs"),
      let root = kernel.pointer(tree, "maple_tree", "ma_root")
    {
      descriptors = KernelTrees.maple(kernel, root)
    } else {
      problem = "the kernel keeps its interrupts in a form that is not known"
    }
    let vectors = Self.vectors(kernel)
    all = descriptors.prefix(Self.maximum).compactMap { Self.interrupt(kernel, $0, vectors) }
    all.sort { $0.number < $1.number }
    if let statistics = kernel.perCPUAddress("irq_stat") {
      for (name, member) in types.members(of: "irq_cpustat_t") where types.size(of: member.type) == 4 {
        if let count = kernel.space.u32(statistics &+ member.offset), count > 0, name != "__softirq_pending" {
          counters.append((name, UInt64(count)))
        }
      }
    }
  }

  private static func interrupt(
    _ kernel: Kernel, _ address: UInt64, _ vectors: [UInt64: Int]
  ) -> KernelInterrupt? {
    guard let number = kernel.integer(address, "irq_desc", "irq_data.irq"), number < 1 << 20 else { return nil }
    var actions: [String] = []
    var action = kernel.pointer(address, "irq_desc", "action") ?? 0
    while action >> 63 != 0, actions.count < 32 {
      guard let name = kernel.pointer(action, "irqaction", "name").flatMap({ kernel.space.string($0, limit: 64) })
      else { break }
      actions.append(name)
      action = kernel.pointer(action, "irqaction", "next") ?? 0
    }
    let chip = kernel.pointer(address, "irq_desc", "irq_data.chip").flatMap {
      kernel.pointer($0, "irq_chip", "name")
    }.flatMap { kernel.space.string($0, limit: 64) }
    let statistics = kernel.pointer(address, "irq_desc", "kstat_irqs")
    let counts = kernel.perCPUBases.map { base in
      UInt64(statistics.flatMap { kernel.space.u32(base &+ $0) } ?? 0)
    }
    return KernelInterrupt(
      number: number, counts: counts, chip: chip ?? "",
      hardwareNumber: kernel.integer(address, "irq_desc", "irq_data.hwirq") ?? 0, actions: actions,
      vector: vectors[address])
  }

  /// Which vectors lead to which descriptors: the per-processor array `vector_irq`.
  private static func vectors(_ kernel: Kernel) -> [UInt64: Int] {
    guard let table = kernel.perCPUAddress("vector_irq"), let bytes = kernel.space.read(table, count: 256 * 8) else {
      return [:]
    }
    var result: [UInt64: Int] = [:]
    bytes.withUnsafeBytes { raw in
      for vector in 0..<256 {
        let pointer = raw.loadUnaligned(fromByteOffset: 8 * vector, as: UInt64.self)
        if pointer >> 63 != 0, pointer < .max - 4096, result[pointer] == nil { result[pointer] = vector }
      }
    }
    return result
  }
}

extension Kernel {
  /// Where the per-processor areas begin, in order of processors.
  var perCPUBases: [UInt64] {
    guard view.processors.count > 1, let table = symbols.address(of: "__per_cpu_offset") else {
      return perCPUBase.map { [$0] } ?? []
    }
    return view.processors.indices.compactMap { space.u64(table &+ 8 &* UInt64($0)) }
  }
}

/// The kernel's trees of pointers. What is found is bounded, whatever the guest links.
enum KernelTrees {
  private static let maximumNodes = 1 << 12

  /// Pointers in an xarray or radix tree (Linux, include/linux/xarray.h): internal entries end in binary 10, point to nodes
  /// of up to 64 slots, and are above 4096.
  static func xarray(_ kernel: Kernel, _ head: UInt64) -> [UInt64] {
    guard let member = kernel.types?.member("xa_node", "slots"), let slots = kernel.types?.count(member) else {
      return []
    }
    var found: [UInt64] = []
    var nodes = 0
    func visit(_ entry: UInt64, depth: Int) {
      if entry == 0 { return }
      guard entry & 3 == 2, entry > 4096 else {
        if entry & 3 == 0, entry >> 63 != 0, found.count < 1 << 16 { found.append(entry) }
        return
      }
      nodes += 1
      guard depth < 12, nodes < maximumNodes else { return }
      let node = entry &- 2
      for slot in 0..<min(slots, 64) {
        if let next = kernel.space.u64(node &+ member.offset &+ 8 &* UInt64(slot)) { visit(next, depth: depth + 1) }
      }
    }
    visit(head, depth: 0)
    return found
  }

  /// Pointers in a maple tree (Linux, lib/maple_tree.c): a root that ends in binary 10 is a node of 256 bytes. A node's
  /// type is in bits 3–6 of its pointer: 1 a leaf, 2 a node of 16 slots, 3 one of 10 slots with gaps.
  static func maple(_ kernel: Kernel, _ root: UInt64) -> [UInt64] {
    guard root & 3 == 2, root >> 63 != 0 else { return root & 3 == 0 && root >> 63 != 0 ? [root] : [] }
    var found: [UInt64] = []
    var nodes = 0
    func visit(_ entry: UInt64, depth: Int) {
      nodes += 1
      guard depth < 12, nodes < maximumNodes else { return }
      let node = entry & ~0xFF
      let type = entry >> 3 & 15
      // The parent, then the pivots, one fewer than slots, then the slots; what is no pointer in them is bookkeeping.
      let (slots, first): (Int, UInt64) = type == 3 ? (10, 80) : (16, 128)
      for slot in 0..<slots {
        guard let value = kernel.space.u64(node &+ first &+ 8 &* UInt64(slot)) else { return }
        guard value >> 63 != 0, value & 3 != 2 || type >= 2 else { continue }
        if type >= 2 {
          visit(value, depth: depth + 1)
        } else if found.count < 1 << 16 {
          found.append(value)
        }
      }
    }
    visit(root, depth: 0)
    var seen: Set<UInt64> = []
    return found.filter { seen.insert($0).inserted }
  }
}
