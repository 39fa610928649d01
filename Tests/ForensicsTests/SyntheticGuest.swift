import Forensics

/// A guest made by hand: some physical memory, page tables that map it, and a kernel's structures in it.
final class SyntheticGuest: GuestView {
  static let textMap: UInt64 = 0xFFFF_FFFF_8000_0000
  let memory: UnsafeMutableRawBufferPointer
  var processors: [GuestRegisters]
  var announcedVMCoreInfo: [UInt8]?
  var ranges: [Range<UInt64>] { [0..<UInt64(memory.count)] }

  /// The kernel's window maps physical memory from 0 on, in pages of 2 MiB.
  init(size: Int = 4 << 20) {
    memory = .allocate(byteCount: size, alignment: 4096)
    memory.initializeMemory(as: UInt8.self, repeating: 0)
    var registers = GuestRegisters(general: [UInt64](repeating: 0, count: 16), rip: Self.textMap + 0x100000)
    registers.cr0 = 0x8000_0001
    registers.cr4 = 0x20
    registers.cr3 = 0x1000
    registers.cs = 0x10
    processors = [registers]
    store(0x1000 + 511 * 8, UInt64(0x2003))
    store(0x2000 + 510 * 8, UInt64(0x3003))
    for index in 0..<(size >> 21) { store(0x3000 + index * 8, UInt64(index << 21 | 0x83)) }
  }

  deinit { memory.deallocate() }

  func page(at physicalAddress: UInt64) -> UnsafeRawPointer? {
    let page = physicalAddress & ~0xFFF
    guard page < memory.count else { return nil }
    return UnsafeRawPointer(memory.baseAddress! + Int(page))
  }

  func store<T: FixedWidthInteger>(_ place: Int, _ value: T) {
    memory.storeBytes(of: value.littleEndian, toByteOffset: place, as: T.self)
  }
  func store(_ place: Int, _ bytes: some Sequence<UInt8>) {
    for (index, byte) in bytes.enumerated() { memory[place + index] = byte }
  }
  static func linear(_ place: Int) -> UInt64 { textMap + UInt64(place) }

  // MARK: A log

  static let ringPlace = 0x20_0000
  static let descriptorsPlace = 0x20_1000
  static let infosPlace = 0x20_4000
  static let dataPlace = 0x20_8000
  static let countBits: UInt32 = 3
  static let sizeBits: UInt32 = 9
  private var nextID: UInt64 = 0
  private var nextPosition: UInt64 = 0

  /// A kernel that tells of its log in VMCOREINFO, and of nothing else.
  static func withLog() -> SyntheticGuest {
    let guest = SyntheticGuest()
    func symbol(_ name: String, _ place: Int) -> String { "SYMBOL(\(name))=\(String(linear(place), radix: 16))\n" }
    var text = "OSRELEASE=6.1.0-test\nPAGESIZE=4096\n"
    text += symbol("prb", 0x1F_F000) + symbol("swapper_pg_dir", 0x1000) + symbol("_stext", 0x10_0000)
    text += "NUMBER(phys_base)=0\nKERNELOFFSET=0\n"
    let offsets: [(String, Int)] = [
      ("printk_ringbuffer.desc_ring", 0), ("printk_ringbuffer.text_data_ring", 48), ("prb_desc_ring.count_bits", 0),
      ("prb_desc_ring.descs", 8), ("prb_desc_ring.infos", 16), ("prb_desc_ring.head_id", 24),
      ("prb_desc_ring.tail_id", 32), ("prb_desc.state_var", 0), ("prb_desc.text_blk_lpos", 8),
      ("prb_data_blk_lpos.begin", 0), ("prb_data_blk_lpos.next", 8), ("printk_info.seq", 0),
      ("printk_info.ts_nsec", 8), ("printk_info.text_len", 16), ("printk_info.caller_id", 20),
      ("printk_info.dev_info", 24), ("dev_printk_info.subsystem", 0), ("dev_printk_info.device", 16),
      ("prb_data_ring.size_bits", 0), ("prb_data_ring.data", 8),
    ]
    for (name, value) in offsets { text += "OFFSET(\(name))=\(value)\n" }
    text += "SIZE(prb_desc)=24\nSIZE(printk_info)=88\n"
    guest.store(0x1F_E000, text.utf8)
    guest.store(0x1F_F000, linear(ringPlace))
    guest.store(ringPlace, countBits)
    guest.store(ringPlace + 8, linear(descriptorsPlace))
    guest.store(ringPlace + 16, linear(infosPlace))
    guest.store(ringPlace + 48, sizeBits)
    guest.store(ringPlace + 56, linear(dataPlace))
    return guest
  }

  /// Adds a record as the kernel does: oldest ones are overwritten.
  func log(_ text: String, level: UInt8 = 6, state: UInt64 = 2, isContinuation: Bool = false) {
    let count = UInt64(1) << UInt64(Self.countBits)
    let size = UInt64(1) << UInt64(Self.sizeBits)
    let bytes = Array(text.utf8)
    let needed = (8 + UInt64(bytes.count) + 7) & ~7
    var begin = nextPosition
    var place = Self.dataPlace + Int(begin % size)
    var next = begin + needed
    if bytes.isEmpty {
      (begin, next) = (1, 1)
    } else {
      if (begin % size) + needed > size {
        next = (begin / size + 1) * size + needed
        place = Self.dataPlace
      }
      store(place, nextID)
      store(place + 8, bytes)
      nextPosition = next
    }
    let index = Int(nextID % count)
    let descriptor = Self.descriptorsPlace + 24 * index
    store(descriptor, nextID | state << 62)
    store(descriptor + 8, begin)
    store(descriptor + 16, next)
    let info = Self.infosPlace + 88 * index
    store(info, nextID)
    store(info + 8, nextID * 1_000_000)
    store(info + 16, UInt16(bytes.count))
    store(info + 19, level << 5 | (isContinuation ? 8 : 0))
    store(info + 20, UInt32(1))
    store(Self.ringPlace + 24, nextID)
    store(Self.ringPlace + 32, nextID >= count - 1 ? nextID - (count - 1) : 0)
    nextID += 1
  }
}

/// Numbers that look random and are always the same.
struct SeededNumbers: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
}
