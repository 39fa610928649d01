/// A record of the kernel's log.
public struct PrintkRecord: Equatable, Sendable {
  public var sequence: UInt64
  /// Since the kernel's start, in nanoseconds.
  public var time: UInt64
  /// 0 (emergency) to 7 (debug).
  public var level: UInt8
  /// 0 for the kernel's own.
  public var facility: UInt8
  /// Goes on where the record before ended.
  public var isContinuation: Bool
  /// Who wrote it: a task's number, or (bit 31 set) a processor's.
  public var caller: UInt32
  /// Several lines where the kernel wrote them at once.
  public var text: String
  public var subsystem: String
  public var device: String

  public init(
    sequence: UInt64, time: UInt64, level: UInt8, facility: UInt8, isContinuation: Bool, caller: UInt32, text: String,
    subsystem: String, device: String
  ) {
    (self.sequence, self.time, self.level, self.facility) = (sequence, time, level, facility)
    (self.isContinuation, self.caller, self.text) = (isContinuation, caller, text)
    (self.subsystem, self.device) = (subsystem, device)
  }

  public static let levels = ["emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"]

  /// `[    5.583718] `.
  public var prefix: String {
    let micro = String(time / 1000 % 1_000_000)
    let seconds = String(time / 1_000_000_000)
    return "[" + String(repeating: " ", count: max(0, 5 - seconds.count)) + seconds + "."
      + String(repeating: "0", count: 6 - micro.count) + micro + "] "
  }

  /// As the console shows it: each line with the prefix.
  public var lines: [String] {
    text.split(separator: "\n", omittingEmptySubsequences: false).map { prefix + $0 }
  }
}

/// The kernel's log, read from its ring buffer (Linux ≥ 5.10, kernel/printk/printk_ringbuffer.c).
public struct PrintkLog: Sendable {
  public var records: [PrintkRecord] = []
  /// Records between the oldest and the newest that could not be read: being written, or damaged.
  public var damaged = 0

  /// Descriptors that are looked at at most; a kernel has 2^(log_buf_shift − 5), 2^20 for the largest buffer.
  private static let maximumDescriptors: UInt64 = 1 << 20

  /// - Throws: `ForensicsError.missing` where the log cannot be read at all.
  public init(_ kernel: Kernel) throws(ForensicsError) {
    guard let pointer = kernel.address(of: "prb") else {
      throw .missing("the kernel's log: it has no symbol 'prb' (kernels before 5.10 keep their log in another way)")
    }
    let space = kernel.space
    guard let ring = space.u64(pointer) else { throw .missing("the kernel's log: 'prb' cannot be read") }
    let layout = try Layout(kernel)
    guard let countBits = space.u32(ring &+ layout.descCountBits),
      let descriptors = space.u64(ring &+ layout.descs), let infos = space.u64(ring &+ layout.infos),
      let head = space.u64(ring &+ layout.headID), let tail = space.u64(ring &+ layout.tailID),
      let sizeBits = space.u32(ring &+ layout.dataSizeBits), let data = space.u64(ring &+ layout.data)
    else { throw .missing("the kernel's log: its ring buffer cannot be read") }
    guard (1...20).contains(countBits), (6...30).contains(sizeBits) else {
      throw .missing("the kernel's log: its ring buffer is damaged (2^\(countBits) records, 2^\(sizeBits) bytes)")
    }
    let count = UInt64(1) << UInt64(countBits)
    let size = UInt64(1) << UInt64(sizeBits)
    let idMask = ~(UInt64(3) << 62)
    let span = min((head &- tail) & idMask, Self.maximumDescriptors)
    guard span < count else {
      throw .missing("the kernel's log: its ring buffer is damaged (\(span) records in a ring of \(count))")
    }
    for step in 0...span {
      let id = (tail &+ step) & idMask
      let index = id % count
      let descriptor = descriptors &+ index &* layout.descSize
      guard let state = space.u64(descriptor &+ layout.state),
        let begin = space.u64(descriptor &+ layout.blockBegin), let next = space.u64(descriptor &+ layout.blockNext)
      else {
        damaged += 1
        continue
      }
      // 0 reserved, 1 committed, 2 finalized, 3 reusable. The oldest may be reusable or never written.
      guard state & idMask == id, state >> 62 == 1 || state >> 62 == 2 else {
        if step > 0 { damaged += 1 }
        continue
      }
      let info = infos &+ index &* layout.infoSize
      guard let record = Self.record(space, layout, info),
        let text = Self.text(
          space, data: data, size: size, begin: begin, next: next, id: id, length: record.length)
      else {
        damaged += 1
        continue
      }
      var result = record.record
      result.text = text
      records.append(result)
    }
  }

  private static func record(
    _ space: AddressSpace, _ layout: Layout, _ info: UInt64
  ) -> (record: PrintkRecord, length: Int)? {
    guard let sequence = space.u64(info &+ layout.seq), let time = space.u64(info &+ layout.time),
      let length = space.u16(info &+ layout.textLength), let facility = space.u8(info &+ layout.textLength &+ 2),
      let flags = space.u8(info &+ layout.textLength &+ 3), let caller = space.u32(info &+ layout.caller)
    else { return nil }
    return (
      PrintkRecord(
        sequence: sequence, time: time, level: flags >> 5, facility: facility, isContinuation: flags & 8 != 0,
        caller: caller, text: "",
        subsystem: space.string(info &+ layout.subsystem, limit: layout.subsystemLength) ?? "",
        device: space.string(info &+ layout.device, limit: layout.deviceLength) ?? ""), Int(length)
    )
  }

  /// The text of a record: its block starts with the record's id; a block that would pass the ring's end starts over at
  /// its beginning; odd positions mean that there is none.
  private static func text(
    _ space: AddressSpace, data: UInt64, size: UInt64, begin: UInt64, next: UInt64, id: UInt64, length: Int
  ) -> String? {
    if begin & 1 != 0, next & 1 != 0 { return "" }
    let wrap = begin / size
    var start = begin % size
    let end: UInt64
    if next / size == wrap {
      guard next > begin else { return nil }
      end = next % size
    } else if next / size == wrap &+ 1 {
      end = next % size
      start = 0
      // A block that ends exactly where the ring does.
      if end == 0 {
        return block(space, data &+ begin % size, size - begin % size, id, length)
      }
    } else {
      return nil
    }
    guard end > start else { return nil }
    return block(space, data &+ start, end - start, id, length)
  }

  private static func block(
    _ space: AddressSpace, _ address: UInt64, _ size: UInt64, _ id: UInt64, _ length: Int
  ) -> String? {
    guard size >= 8, space.u64(address) == id, let bytes = space.read(address &+ 8, count: min(Int(size) - 8, length))
    else { return nil }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Offsets, from the kernel.
  private struct Layout {
    var descCountBits, descs, infos, headID, tailID, dataSizeBits, data: UInt64
    var descSize, state, blockBegin, blockNext: UInt64
    var infoSize, seq, time, textLength, caller, subsystem, device: UInt64
    var subsystemLength, deviceLength: Int

    init(_ kernel: Kernel) throws(ForensicsError) {
      func offset(_ type: String, _ member: String) throws(ForensicsError) -> UInt64 {
        guard let offset = kernel.offset(type, member), offset < 4096 else {
          throw .missing("the kernel's log: the kernel does not tell where \(type).\(member) is")
        }
        return offset
      }
      func size(_ type: String) throws(ForensicsError) -> UInt64 {
        guard let size = kernel.size(type), (8...4096).contains(size) else {
          throw .missing("the kernel's log: the kernel does not tell the size of \(type)")
        }
        return size
      }
      let ring = try offset("printk_ringbuffer", "desc_ring")
      let text = try offset("printk_ringbuffer", "text_data_ring")
      descCountBits = try ring + offset("prb_desc_ring", "count_bits")
      descs = try ring + offset("prb_desc_ring", "descs")
      infos = try ring + offset("prb_desc_ring", "infos")
      headID = try ring + offset("prb_desc_ring", "head_id")
      tailID = try ring + offset("prb_desc_ring", "tail_id")
      dataSizeBits = try text + offset("prb_data_ring", "size_bits")
      data = try text + offset("prb_data_ring", "data")
      descSize = try size("prb_desc")
      state = try offset("prb_desc", "state_var")
      let block = try offset("prb_desc", "text_blk_lpos")
      blockBegin = try block + offset("prb_data_blk_lpos", "begin")
      blockNext = try block + offset("prb_data_blk_lpos", "next")
      infoSize = try size("printk_info")
      seq = try offset("printk_info", "seq")
      time = try offset("printk_info", "ts_nsec")
      textLength = try offset("printk_info", "text_len")
      caller = try offset("printk_info", "caller_id")
      let device = try offset("printk_info", "dev_info")
      subsystem = try device + offset("dev_printk_info", "subsystem")
      self.device = try device + offset("dev_printk_info", "device")
      func length(_ name: String, _ usual: Int) -> Int {
        min(max(0, kernel.vmcoreinfo?["LENGTH(\(name))"].flatMap { Int($0) } ?? usual), 256)
      }
      subsystemLength = length("printk_info_subsystem", 16)
      deviceLength = length("printk_info_device", 48)
    }
  }
}
