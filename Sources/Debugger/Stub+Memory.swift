import Session

/// Registers, memory, breakpoints.
extension Stub {
  // MARK: Registers

  func readAllRegisters() {
    let file = target.registers(of: processor)
    reply(Hexadecimal.encode(file.available.flatMap { file[$0] }))
  }

  /// Takes what there is, as gdb may know fewer registers. Those that do not change are not written.
  func writeAllRegisters(_ text: ArraySlice<UInt8>) {
    guard var bytes = Hexadecimal.decode(text)?[...] else { return reply(Reply.invalid) }
    if let refusal = target.features.writeRefusal { return refuse(refusal) }
    let file = target.registers(of: processor)
    do {
      for register in file.available where bytes.count >= register.byteCount {
        let value = Array(bytes.prefix(register.byteCount))
        bytes = bytes.dropFirst(register.byteCount)
        if value != file[register] { try target.write(register, value, of: processor) }
      }
      reply(Reply.ok)
    } catch {
      refuse(Self.text(of: error))
    }
  }

  func readRegister(_ text: ArraySlice<UInt8>) {
    guard let register = register(text) else { return reply(Reply.invalid) }
    reply(Hexadecimal.encode(target.registers(of: processor)[register]))
  }

  func writeRegister(_ text: ArraySlice<UInt8>) {
    let parts = text.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, let register = register(parts[0]), let bytes = Hexadecimal.decode(parts[1]),
      bytes.count == register.byteCount
    else { return reply(Reply.invalid) }
    if let refusal = target.features.writeRefusal { return refuse(refusal) }
    do {
      try target.write(register, bytes, of: processor)
      reply(Reply.ok)
    } catch {
      refuse(Self.text(of: error))
    }
  }

  private func register(_ text: ArraySlice<UInt8>) -> ProcessorRegister? {
    let registers = target.registers(of: processor).available
    guard let number = Hexadecimal.number(text), number < UInt64(registers.count) else { return nil }
    return registers[Int(number)]
  }

  // MARK: Memory

  /// `ADDRESS,LENGTH`.
  private func range(_ text: ArraySlice<UInt8>) -> (address: UInt64, length: UInt64)? {
    let parts = text.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
    guard parts.count == 2, let address = Hexadecimal.number(parts[0]), let length = Hexadecimal.number(parts[1])
    else { return nil }
    return (address, length)
  }

  /// `m` and `x`: as much as a packet holds and as can be read.
  func readMemory(_ text: ArraySlice<UInt8>, isBinary: Bool) {
    guard let (address, length) = range(text) else { return reply(Reply.invalid) }
    let prefix = isBinary ? Array("b".utf8) : []
    if length == 0 { return reply(prefix) }
    let bytes = target.read(addressSpace, address, count: Int(min(length, UInt64(Self.packetSize / 2 - 8))))
    if bytes.isEmpty { return reply(Reply.badAddress) }
    reply(isBinary ? prefix + bytes : Hexadecimal.encode(bytes))
  }

  /// `ADDRESS,LENGTH:DATA`.
  func writeMemory(_ text: ArraySlice<UInt8>, isBinary: Bool) {
    guard let colon = text.firstIndex(of: UInt8(ascii: ":")), let (address, length) = range(text[..<colon]) else {
      return reply(Reply.invalid)
    }
    let data = text[(colon + 1)...]
    guard let bytes = isBinary ? Array(data) : Hexadecimal.decode(data), UInt64(bytes.count) == length else {
      return reply(Reply.invalid)
    }
    // gdb asks in this way whether there is an `X` packet.
    if bytes.isEmpty { return reply(Reply.ok) }
    if let refusal = target.features.writeRefusal { return refuse(refusal) }
    do {
      try target.write(addressSpace, address, bytes)
      reply(Reply.ok)
    } catch {
      reply(Reply.badAddress)
    }
  }

  // MARK: Breakpoints and watchpoints

  /// `KIND,ADDRESS,LENGTH`, with conditions and commands behind a semicolon, which are gdb's business here. Inserting
  /// twice is the same as once.
  func changePoint(_ text: ArraySlice<UInt8>, inserts: Bool) {
    let words = text.split(separator: UInt8(ascii: ";"), maxSplits: 1, omittingEmptySubsequences: false)
    let parts = (words.first ?? []).split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
    guard parts.count == 3, let number = Hexadecimal.number(parts[0]), let address = Hexadecimal.number(parts[1]),
      let length = Hexadecimal.number(parts[2])
    else { return reply(Reply.invalid) }
    guard number < 5, let kind = DebugPoint.Kind(rawValue: Int(number)) else { return reply(Reply.unsupported) }
    guard !kind.isWatchpoint || (1...UInt64(1 << 20)).contains(length) else { return reply(Reply.invalid) }
    let point = DebugPoint(kind, address, length: Int(min(length, 1 << 20)))
    var points = points
    if inserts {
      if points.contains(point) { return reply(Reply.ok) }
      guard points.count < Self.maximumPoints else { return reply("E28") }
      points.append(point)
    } else {
      guard let index = points.firstIndex(of: point) else { return reply("E02") }
      points.remove(at: index)
    }
    do {
      try target.setPoints(points)
      self.points = points
      reply(Reply.ok)
    } catch {
      refuse(Self.text(of: error))
    }
  }

  /// Nothing in the machine limits them; this does not let a client use up the host's memory.
  private static let maximumPoints = 100_000
}
