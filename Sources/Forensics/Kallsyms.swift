import Foundation

/// The kernel's own table of symbols: names in a byte-pair code, addresses relative to a base (Linux, scripts/kallsyms.c).
struct Kallsyms {
  /// Linear addresses of the parts.
  struct Layout: Equatable {
    var names: UInt64
    var count: UInt64
    var tokenTable: UInt64
    var tokenIndex: UInt64
    var offsets: UInt64
    var relativeBase: UInt64
  }

  /// More than any kernel has.
  private static let maximumSymbols = 4_000_000

  /// Where a table is looked for, and how many places are looked at closely.
  private static let maximumImage: UInt64 = 256 << 20
  private static let maximumCandidates = 200

  /// Kernels from 6.0 on tell where the parts are.
  static func layout(_ info: VMCoreInfo) -> Layout? {
    guard let names = info.symbol("kallsyms_names"), let count = info.symbol("kallsyms_num_syms"),
      let table = info.symbol("kallsyms_token_table"), let index = info.symbol("kallsyms_token_index"),
      let offsets = info.symbol("kallsyms_offsets"), let base = info.symbol("kallsyms_relative_base")
    else { return nil }
    return Layout(
      names: names, count: count, tokenTable: table, tokenIndex: index, offsets: offsets, relativeBase: base)
  }

  /// Decodes the table.
  /// - Returns: nil when what is there is no such table.
  static func decode(_ space: AddressSpace, _ layout: Layout) -> SymbolTable? {
    guard let count = space.u32(layout.count).map(Int.init), (16...maximumSymbols).contains(count),
      let base = space.u64(layout.relativeBase), base >> 63 != 0,
      let offsetBytes = space.read(layout.offsets, count: 4 * count),
      let tokens = TokenTable(space, table: layout.tokenTable, index: layout.tokenIndex)
    else { return nil }
    let packed = space.readPrefix(layout.names, count: min(AddressSpace.readLimit, count * 64))
    guard let unpacked = tokens.expand(packed, count: count) else { return nil }
    let addresses = addresses(offsetBytes, base: base)
    guard addresses.last! >= base else { return nil }
    return SymbolTable(
      addresses: addresses, nameStarts: unpacked.starts, types: unpacked.types, names: unpacked.names)
  }

  /// With absolute per-processor symbols (x86 until 6.14), an offset that is not negative is an address itself, and a
  /// negative one counts from base − 1 downwards; without, offsets simply add to the base. In the first form nearly all
  /// are negative.
  private static func addresses(_ bytes: [UInt8], base: UInt64) -> [UInt64] {
    bytes.withUnsafeBytes { raw in
      let offsets = (0..<(raw.count / 4)).map { raw.loadUnaligned(fromByteOffset: 4 * $0, as: Int32.self) }
      let negative = offsets.reduce(0) { $0 + ($1 < 0 ? 1 : 0) }
      guard negative > offsets.count / 2 else {
        return offsets.map { base &+ UInt64(UInt32(bitPattern: $0)) }
      }
      return offsets.map {
        $0 >= 0 ? UInt64($0) : base &- 1 &- UInt64(bitPattern: Int64($0))
      }
    }
  }

  // MARK: Finding

  /// Looks for the table in the kernel's image: kernels before 6.0 do not tell where it is.
  ///
  /// The parts follow each other: offsets, base, number of symbols, names, markers, token table, token index, each
  /// aligned to 8 bytes. The token table is found by its tokens of one character: those for digits come one after the
  /// other. Everything else follows from there, and is checked.
  static func find(_ space: AddressSpace, image: Range<UInt64>) -> Layout? {
    let digits: [UInt8] = (UInt8(0x30)...0x39).flatMap { digit -> [UInt8] in [digit, 0] }
    var at = image.lowerBound
    let window = 1 << 20
    let end = min(image.upperBound, image.lowerBound &+ maximumImage)
    var candidates = maximumCandidates
    while at < end {
      let bytes = space.readPrefix(at, count: window + digits.count)
      guard bytes.count >= digits.count else {
        at = (at &+ UInt64(bytes.count) &+ 4096) & ~0xFFF
        continue
      }
      for place in occurrences(of: digits, in: bytes) {
        candidates -= 1
        guard candidates > 0 else { return nil }
        if let layout = layout(space, digits: at &+ UInt64(place), image: image) { return layout }
      }
      let step = bytes.count >= window ? window : (bytes.count + 4095) & ~4095
      at &+= UInt64(step)
    }
    return nil
  }

  private static func occurrences(of pattern: [UInt8], in bytes: [UInt8]) -> [Int] {
    bytes.withUnsafeBytes { raw in
      var found: [Int] = []
      guard let base = raw.baseAddress else { return found }
      var at = 0
      let end = raw.count - pattern.count
      while at <= end, let next = memchr(base + at, Int32(pattern[0]), end - at + 1) {
        at = UnsafeRawPointer(next) - base
        if memcmp(base + at, pattern, pattern.count) == 0 { found.append(at) }
        at += 1
      }
      return found
    }
  }

  /// The layout around the digits' tokens.
  private static func layout(_ space: AddressSpace, digits: UInt64, image: Range<UInt64>) -> Layout? {
    // Token 0x30 is "0": the index says how far the table's start is, and it comes behind the table.
    let behind = space.readPrefix(digits, count: 8192)
    for place in stride(from: Int((8 - digits % 8) % 8), to: behind.count - 512, by: 1) where place > 20 {
      func entry(_ index: Int) -> Int { Int(behind[place + 2 * index]) | Int(behind[place + 2 * index + 1]) << 8 }
      guard behind[place] == 0, behind[place + 1] == 0, entry(0x31) == entry(0x30) + 2,
        entry(0x39) == entry(0x30) + 18,
        (1..<256).allSatisfy({ entry($0) > entry($0 - 1) })
      else { continue }
      let table = digits &- UInt64(entry(0x30))
      let index = digits &+ UInt64(place)
      guard table % 4 == 0, TokenTable(space, table: table, index: index) != nil else { continue }
      if let layout = layoutBefore(space, table: table, index: index, image: image) { return layout }
    }
    return nil
  }

  /// Goes back from the token table: the markers say how long the names are, and the number of symbols how many offsets
  /// there are.
  private static func layoutBefore(
    _ space: AddressSpace, table: UInt64, index: UInt64, image: Range<UInt64>
  ) -> Layout? {
    // Markers are 32-bit offsets into the names, one each 256 symbols, the first 0, growing.
    var at = table &- 4
    while let value = space.u32(at), value == 0, table &- at < 64 { at &-= 4 }  // padding
    var steps = 0
    var last = UInt32.max
    while let value = space.u32(at), value < last, value > 0, steps < maximumSymbols / 256 {
      last = value
      at &-= 4
      steps += 1
    }
    guard steps > 0, space.u32(at) == 0 else { return nil }
    let markers = at
    // Names begin at a number of symbols such that decoding that many ends at the markers. Their length is a little more
    // than the last marker.
    guard let lastMarker = space.u32(markers &+ UInt64(4 * steps)) else { return nil }
    var candidate = (markers &- UInt64(lastMarker)) & ~7
    let lowest = candidate &- 256 * 130
    while candidate > lowest, candidate > image.lowerBound {
      if let count = space.u32(candidate &- 8).map(UInt64.init), space.u32(candidate &- 4) == 0,
        count / 256 == UInt64(steps) || (count % 256 == 0 && count / 256 == UInt64(steps) + 1),
        let base = space.u64(candidate &- 16), base >> 63 != 0
      {
        let offsets = (candidate &- 16 &- 4 * count) & ~7
        return Layout(
          names: candidate, count: candidate &- 8, tokenTable: table, tokenIndex: index, offsets: offsets,
          relativeBase: candidate &- 16)
      }
      candidate &-= 8
    }
    return nil
  }
}

/// What each of the 256 codes stands for.
private struct TokenTable {
  private var starts: [Int] = []
  private var text: [UInt8] = []

  init?(_ space: AddressSpace, table: UInt64, index: UInt64) {
    guard let offsets = space.read(index, count: 512) else { return nil }
    let bytes = space.readPrefix(table, count: 1 << 16)
    starts.reserveCapacity(257)
    var last = -1
    for code in 0..<256 {
      let offset = Int(offsets[2 * code]) | Int(offsets[2 * code + 1]) << 8
      guard offset > last, offset < bytes.count else { return nil }
      last = offset
      starts.append(text.count)
      guard let end = bytes[offset...].prefix(512).firstIndex(of: 0) else { return nil }
      text += bytes[offset..<end]
    }
    starts.append(text.count)
  }

  /// Unpacks names: a length (with a set top bit, two bytes), then that many codes; the first character is the type.
  func expand(_ packed: [UInt8], count: Int) -> (names: [UInt8], starts: [UInt32], types: [UInt8])? {
    var names: [UInt8] = []
    names.reserveCapacity(count * 24)
    var nameStarts: [UInt32] = [0]
    nameStarts.reserveCapacity(count + 1)
    var types: [UInt8] = []
    types.reserveCapacity(count)
    let isComplete = packed.withUnsafeBufferPointer { packed in
      starts.withUnsafeBufferPointer { starts in
        text.withUnsafeBufferPointer { text in
          var at = 0
          for _ in 0..<count {
            guard at < packed.count else { return false }
            var length = Int(packed[at])
            at += 1
            if length & 0x80 != 0 {
              guard at < packed.count else { return false }
              length = length & 0x7F | Int(packed[at]) << 7
              at += 1
            }
            guard length > 0, length <= 2048, at + length <= packed.count else { return false }
            var isFirst = true
            for code in packed[at..<(at + length)] {
              var from = starts[Int(code)]
              let to = starts[Int(code) + 1]
              if isFirst, from < to {
                types.append(text[from])
                from += 1
                isFirst = false
              }
              names.append(contentsOf: text[from..<to])
            }
            if isFirst { return false }
            at += length
            guard names.count < 1 << 30 else { return false }
            nameStarts.append(UInt32(names.count))
          }
          return true
        }
      }
    }
    return isComplete ? (names, nameStarts, types) : nil
  }
}
