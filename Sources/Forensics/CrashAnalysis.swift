/// Why a guest is where it is: what a crash engineer looks at first.
public struct CrashAnalysis: Sendable {
  public struct Register: Sendable {
    public var name: String
    public var value: UInt64
    /// What it points to.
    public var points: String?

    public init(name: String, value: UInt64, points: String?) {
      (self.name, self.value, self.points) = (name, value, points)
    }
  }

  /// Where it went wrong.
  public struct Fault: Sendable {
    public enum Kind: String, Sendable, Encodable {
      /// An exception came at this instruction.
      case exception
      /// This is the call of `panic`.
      case call
      /// The processor is here; nothing is known of a fault.
      case processor
    }
    public var kind: Kind
    /// `page fault`, `general protection`, …: from the handler's name.
    public var exception: String?
    /// Of the instruction, or for `call` of the return address.
    public var address: UInt64
    public var name: Symbolizer.Name?
    /// The error code that the processor pushed.
    public var errorCode: UInt64?
    /// What was accessed: CR2 of a page fault.
    public var accessed: UInt64?
    /// Of the accessed address.
    public var walk: PageWalk?
    public var registers: [Register]
    /// Bytes around the address, and where they begin.
    public var code: [UInt8]
    public var codeStart: UInt64
  }

  /// The text of the first panic or oops in the log.
  public var panic: String?
  /// The line that says what happened before it: `BUG: kernel NULL pointer dereference, …`.
  public var cause: String?
  public var fault: Fault
  public var backtrace: Backtrace
  public var task: KernelTask?
  /// Words of the stack from its top on: address, value, what it points to.
  public var stack: [Register]

  private static let stackWords = 96
  private static let codeBefore: UInt64 = 64
  private static let codeAfter = 48

  public init(_ kernel: Kernel, log: PrintkLog?) {
    backtrace = kernel.backtrace()
    task = kernel.currentTask
    (panic, cause) = Self.texts(log)
    fault = Self.fault(kernel, backtrace)
    if fault.exception == "page fault", fault.errorCode == nil { fault.errorCode = Self.errorCode(log) }
    stack = []
    let top = kernel.registers.rsp & ~7
    for index in 0..<Self.stackWords {
      let address = top &+ 8 &* UInt64(index)
      guard let value = kernel.space.u64(address) else { break }
      stack.append(
        Register(
          name: "0x" + String(address, radix: 16), value: value, points: kernel.describe(value)))
    }
  }

  private static func texts(_ log: PrintkLog?) -> (panic: String?, cause: String?) {
    guard let records = log?.records else { return (nil, nil) }
    let mark = "Kernel panic - not syncing: "
    let panic = records.last { $0.text.hasPrefix(mark) }
    let end = panic?.sequence ?? .max
    let starts = [
      "BUG: ", "kernel BUG at ", "general protection fault", "watchdog: ", "NMI watchdog", "INFO: task ",
      "stack segment", "divide error", "invalid opcode", "double fault", "mce: [Hardware Error]", "NMI: ",
      "Uhhuh. NMI received", "traps: PANIC",
    ]
    let cause =
      records.last { record in record.sequence < end && starts.contains { record.text.hasPrefix($0) } }
      ?? records.last { $0.sequence < end && $0.text.hasPrefix("Oops") }
    return (panic.map { String($0.text.dropFirst(mark.count)) }, cause?.text)
  }

  /// `#PF: error_code(0x0002) - not-present page`.
  private static func errorCode(_ log: PrintkLog?) -> UInt64? {
    let mark = "#PF: error_code(0x"
    return log?.records.last { $0.text.hasPrefix(mark) }.flatMap {
      UInt64($0.text.dropFirst(mark.count).prefix { $0.isHexDigit }, radix: 16)
    }
  }

  private static func fault(_ kernel: Kernel, _ backtrace: Backtrace) -> Fault {
    let frames = backtrace.frames
    if let index = frames.firstIndex(where: { $0.kind == .exception }), index > 0 {
      let entry = frames[index - 1]
      var saved = entry.registers
      let handler = entry.name?.symbol ?? ""
      let exception = handler.hasPrefix("asm_") ? exceptions[String(handler.dropFirst(4))] ?? handler : handler
      // Linux overwrites the error code of a fault with −1 once it has read it.
      let error = saved.first { $0.name == "orig_rax" && $0.value != .max }?.value
      saved.removeAll { $0.name == "orig_rax" }
      let isPageFault = exception == "page fault"
      let cr2 = isPageFault ? kernel.registers.cr2 : nil
      return make(
        kernel, .exception, frames[index].address, frames[index].name, exception,
        ["page fault", "general protection", "double fault", "stack segment", "invalid TSS"].contains(exception)
          ? error : nil, cr2,
        saved.map { ($0.name, $0.value) })
    }
    let general = zip(GuestRegisters.names, kernel.registers.general).map { ($0, $1) }
    let all =
      general + [
        ("rip", kernel.registers.rip), ("rflags", kernel.registers.rflags), ("cr2", kernel.registers.cr2),
        ("cr3", kernel.registers.cr3), ("gs", kernel.registers.gsBase),
      ]
    let names = ["panic", "nmi_panic", "vpanic", "__panic"]
    if let index = frames.firstIndex(where: { names.contains($0.name?.symbol ?? "") }), index + 1 < frames.count {
      var caller = index + 1
      while caller + 1 < frames.count, names.contains(frames[caller].name?.symbol ?? "") { caller += 1 }
      return make(kernel, .call, frames[caller].address, frames[caller].name, nil, nil, nil, all)
    }
    return make(
      kernel, .processor, kernel.registers.rip, kernel.symbolizer.name(of: kernel.registers.rip), nil, nil, nil, all)
  }

  private static func make(
    _ kernel: Kernel, _ kind: Fault.Kind, _ address: UInt64, _ name: Symbolizer.Name?, _ exception: String?,
    _ error: UInt64?, _ accessed: UInt64?, _ registers: [(String, UInt64)]
  ) -> Fault {
    // Not before the function's start: instructions are only sure to be found from there.
    let from = name.map { max(address &- $0.offset, address &- min($0.offset, codeBefore)) } ?? address
    let start = name.map { $0.offset <= 4096 ? address &- $0.offset : from } ?? address
    return Fault(
      kind: kind, exception: exception, address: address, name: name, errorCode: error, accessed: accessed,
      walk: accessed.map { kernel.space.walk($0) },
      registers: registers.map { Register(name: $0.0, value: $0.1, points: kernel.describe($0.1)) },
      code: kernel.space.readPrefix(start, count: Int(address &- start) + codeAfter), codeStart: start)
  }

  private static let exceptions = [
    "exc_page_fault": "page fault", "exc_general_protection": "general protection", "exc_double_fault": "double fault",
    "exc_invalid_op": "invalid opcode", "exc_divide_error": "divide error", "exc_stack_segment": "stack segment",
    "exc_invalid_tss": "invalid TSS", "exc_nmi": "NMI", "exc_machine_check": "machine check", "exc_debug": "debug",
    "exc_int3": "breakpoint", "exc_alignment_check": "alignment check", "exc_bounds": "bound range",
    "exc_device_not_available": "no FPU", "exc_segment_not_present": "segment not present",
    "sysvec_apic_timer_interrupt": "timer interrupt", "common_interrupt": "interrupt",
  ]
}
