/// Folds repeated reads and gathers serial output (invariants 3 to 5 of `TraceSchema`) on their way into a frame.
struct EventFolder {
  private var readOpen = false
  private var readAt = Instant.zero
  private var readMMIO = false
  private var readSize: UInt8 = 0
  private var readAddress: UInt64 = 0
  private var readValue: UInt64 = 0
  private var readCount: UInt64 = 0
  private var outputAt = Instant.zero
  private var outputPort: UInt32 = 0
  private var output = ByteColumn(capacity: TraceSchema.maximumOutputRun)
  /// Whether the output began before the read did.
  private var outputFirst = false

  func free() { output.free() }

  /// - Returns: whether something was stored in `encoder`.
  @inline(__always)
  mutating func read(
    _ encoder: EventFrameEncoder, at instant: Instant, mmio: Bool, address: UInt64, size: UInt8, value: UInt64
  ) -> Bool {
    if readOpen, readAddress == address, readValue == value, readSize == size, readMMIO == mmio,
      readCount < .max
    {
      readCount &+= 1
      return false
    }
    let stored = readOpen
    if stored { closeRead(encoder) }
    readOpen = true
    readAt = instant
    readMMIO = mmio
    readSize = size
    readAddress = address
    readValue = value
    readCount = 1
    outputFirst = output.count > 0
    return stored
  }

  /// - Returns: whether something was stored in `encoder`.
  @inline(__always)
  mutating func output(_ encoder: EventFrameEncoder, at instant: Instant, port: UInt32, byte: UInt8) -> Bool {
    var stored = false
    if output.count > 0, outputPort != port {
      closeOutput(encoder)
      stored = true
    }
    if output.count == 0 {
      outputAt = instant
      outputPort = port
      outputFirst = !readOpen
    }
    output.append(byte: byte)
    if byte == 0x0A || output.count >= TraceSchema.maximumOutputRun {
      closeOutput(encoder)
      stored = true
    }
    return stored
  }

  /// Stores all that is open, before an event of another kind.
  @inline(__always)
  mutating func closeAll(_ encoder: EventFrameEncoder) {
    if readOpen { closeRead(encoder) }
    if output.count > 0 { closeOutput(encoder) }
  }

  private mutating func closeRead(_ encoder: EventFrameEncoder) {
    if output.count > 0, outputFirst { storeOutput(encoder) }
    storeRead(encoder)
  }

  private mutating func closeOutput(_ encoder: EventFrameEncoder) {
    if readOpen, !outputFirst { storeRead(encoder) }
    storeOutput(encoder)
  }

  private mutating func storeRead(_ encoder: EventFrameEncoder) {
    encoder.begin(readMMIO ? .mmioRead : .portRead, at: readAt)
    encoder.read(mmio: readMMIO, address: readAddress, size: readSize, value: readValue, count: readCount)
    readOpen = false
  }

  private mutating func storeOutput(_ encoder: EventFrameEncoder) {
    encoder.begin(.serialOutput, at: outputAt)
    encoder.number(UInt64(outputPort))
    encoder.number(UInt64(output.count))
    encoder.columns[Column.bytes.rawValue].append(raw: output.bytes)
    output.removeAll()
  }
}
