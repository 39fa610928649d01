import Session

/// Packets that begin with `v`, `q` and `Q`.
extension Stub {
  // MARK: v

  func handleNamed(_ packet: [UInt8]) {
    let text = String(decoding: packet, as: UTF8.self)
    if text == "vCont?" { return reply("vCont;c;C;s;S") }
    if text.hasPrefix("vCont;") { return continueThreads(text.dropFirst(6)) }
    if text == "vKill" || text.hasPrefix("vKill;") { return kill() }
    // vAttach: the machine is attached to already. Everything else, vMustReplyEmpty first, is not known.
    if text.hasPrefix("vAttach;") { return reply(stopReplyNow) }
    reply(Reply.unsupported)
  }

  /// `ACTION[:THREAD];…`: for each thread the first action that names it counts, one without a thread names all.
  private func continueThreads(_ text: Substring) {
    var chosen: (how: DebugResume, thread: Int)?
    for part in text.split(separator: ";", omittingEmptySubsequences: false) {
      let words = part.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      let how: DebugResume
      switch words[0].first {
      case "s": how = .step
      case "c": how = .cont
      case "S" where Hexadecimal.number(Array(words[0].dropFirst().utf8)) != nil: how = .step
      case "C" where Hexadecimal.number(Array(words[0].dropFirst().utf8)) != nil: how = .cont
      default: return reply(Reply.invalid)
      }
      if words[0].count > 1, words[0].first == "s" || words[0].first == "c" { return reply(Reply.invalid) }
      var selection = ThreadSelection.all
      if words.count > 1 {
        guard let given = thread(Array(words[1].utf8)[...]) else { return reply(Reply.invalid) }
        selection = given
      }
      // A step of one thread is what counts; the others go on with it.
      if chosen == nil || (how == .step && chosen?.how == .cont && selection != .all) {
        chosen = (how, selection == .all || selection == .any ? processor : selection.index)
      }
    }
    guard let chosen else { return reply(Reply.invalid) }
    runProcessor = chosen.thread
    resume(chosen.how)
  }

  // MARK: q, Q

  func handleQuery(_ packet: [UInt8]) {
    let text = String(decoding: packet, as: UTF8.self)
    let end = text.firstIndex { ":,;=".contains($0) } ?? text.endIndex
    let name = text[..<end]
    let argument = end == text.endIndex ? Substring() : text[text.index(after: end)...]
    switch name {
    case "qSupported": supported(argument)
    case "QStartNoAckMode": reply(Reply.ok)
    case "qXfer": transfer(argument)
    case "qC": reply("QC" + Self.threadText(processor))
    case "qfThreadInfo":
      reply("m" + (0..<target.processorCount).map(Self.threadText).joined(separator: ","))
    case "qsThreadInfo": reply("l")
    case "qThreadExtraInfo":
      guard case .one(let index)? = thread(Array(argument.utf8)[...]) else { return reply(Reply.invalid) }
      let state = target.isHalted(index) ? "halted " : "running"
      reply(Hexadecimal.encode("CPU#\(index) [\(state)]".utf8))
    case "qAttached": reply("1")
    case "qRcmd": monitorCommand(argument)
    case "qTStatus", "qOffsets", "qSymbol": reply(Reply.unsupported)
    case "qqemu.sstepbits": reply("ENABLE=1")
    case "qqemu.sstep": reply("0x1")
    case "Qqemu.sstep":
      // Steps here are exact: interrupts and timers come when they come.
      reply(argument == "1" || argument == "0x1" ? Reply.ok : Reply.invalid)
    case "qqemu.PhyMemMode": reply(addressSpace == .physical ? "1" : "0")
    case "Qqemu.PhyMemMode":
      guard let value = Hexadecimal.number(Array(argument.utf8)) else { return reply(Reply.invalid) }
      addressSpace = value == 0 ? .linear : .physical
      reply(Reply.ok)
    case "qqemu.Supported": reply("sstepbits;sstep;PhyMemMode")
    default: reply(Reply.unsupported)
    }
  }

  private func supported(_ argument: Substring) {
    let known = argument.split(separator: ";")
    knowsSoftwareBreaks = known.contains("swbreak+")
    knowsHardwareBreaks = known.contains("hwbreak+")
    var features = [
      "PacketSize=\(Hexadecimal.text(UInt64(Self.packetSize)))", "qXfer:features:read+", "vContSupported+",
      "QStartNoAckMode+", "binary-upload+",
    ]
    if knowsSoftwareBreaks { features.append("swbreak+") }
    if knowsHardwareBreaks { features.append("hwbreak+") }
    if target.features.reverses { features += ["ReverseStep+", "ReverseContinue+"] }
    reply(features.joined(separator: ";"))
  }

  /// `features:read:ANNEX:OFFSET,LENGTH`.
  private func transfer(_ argument: Substring) {
    let parts = argument.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 4, parts[0] == "features", parts[1] == "read" else { return reply(Reply.unsupported) }
    guard parts[2] == "target.xml" else { return reply("E00") }
    let numbers = parts[3].split(separator: ",", omittingEmptySubsequences: false)
    guard numbers.count == 2, let offset = Hexadecimal.number(Array(numbers[0].utf8)),
      let length = Hexadecimal.number(Array(numbers[1].utf8))
    else { return reply(Reply.invalid) }
    let document = Array(TargetDescription.xml(of: target.registers(of: 0).available).utf8)
    guard offset <= UInt64(document.count) else { return reply("E00") }
    let start = Int(offset)
    let count = Int(min(length, UInt64(document.count - start), UInt64(Self.packetSize / 2)))
    let isLast = start + count == document.count
    reply(Array((isLast ? "l" : "m").utf8) + document[start..<start + count])
  }

  /// A line for the monitor, in hexadecimal.
  private func monitorCommand(_ argument: Substring) {
    guard let bytes = Hexadecimal.decode(Array(argument.utf8)) else { return reply(Reply.invalid) }
    var rest = Array(target.monitor(String(decoding: bytes, as: UTF8.self)).utf8)[...]
    // A packet's worth at a time.
    while !rest.isEmpty {
      let count = min(rest.count, Self.packetSize / 2 - 8)
      reply(Array("O".utf8) + Hexadecimal.encode(rest.prefix(count)))
      rest = rest.dropFirst(count)
    }
    reply(Reply.ok)
  }
}
