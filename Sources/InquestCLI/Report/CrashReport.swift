import Forensics
import Foundation
import Session
import Trace

/// All that `inquest report` tells, for programs and for the page.
struct CrashReport: Encodable {
  struct Register: Encodable {
    var name: String
    /// Hexadecimal.
    var value: String
    var points: String?

    init(_ register: CrashAnalysis.Register) {
      name = register.name
      value = CrashReport.wide(register.value)
      points = register.points
    }
  }
  struct Instruction: Encodable {
    /// Hexadecimal.
    var address: String
    var bytes: String
    var text: String?
    /// Where it went wrong, or the call that led on.
    var isFault: Bool
  }
  struct WalkEntry: Encodable {
    var name: String
    var address: String
    var value: String?
    var flags: String
  }
  struct Fault: Encodable {
    var kind: String
    var exception: String?
    var address: String
    var symbol: String?
    var errorCode: String?
    var errorMeaning: String?
    var accessed: String?
    var walk: [WalkEntry]
    /// Where the walk came to, hexadecimal; nil for nowhere.
    var physical: String?
    var registers: [Register]
    var code: [Instruction]
  }
  struct Guest: Encodable {
    var kernel: String?
    var banner: String?
    var buildID: String?
    var kernelOffset: String?
    var physicalBase: Int64?
    var vmcoreinfo: String?
    var commandLine: String?
    var memory: UInt64
  }
  struct Run: Encodable {
    var trace: String
    var recorded: String
    var inquest: String
    var seed: UInt64
    var instant: String
    var instructions: UInt64
    /// Nanoseconds.
    var time: UInt64
    var images: [String]
  }
  struct Event: Encodable {
    var instant: String
    var text: String
  }

  var title: String
  var cause: String?
  var run: Run?
  var guest: Guest
  /// Why the kernel could not be told about.
  var problem: String?
  var fault: Fault?
  var backtrace: BacktraceReport?
  var stack: [Register] = []
  var log: LogReport?
  var logProblem: String?
  var tasks: TasksReport?
  var modules: ModulesReport?
  var interrupts: InterruptsReport?
  var processor: [Register] = []
  /// The last lines of the console before the instant.
  var console: [String] = []
  /// Commands of monitors, and events of the machine.
  var history: [TraceInfo.Command] = []
  /// The last events of the trace before the instant.
  var events: [Event] = []
  var timeline: ReportTimeline?

  static func wide(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return "0x" + String(repeating: "0", count: 16 - digits.count) + digits
  }
}

/// Gathers a report.
struct ReportBuilder {
  private static let consoleLines = 60
  private static let lastEvents = 120
  /// Turns code into text: the length and the text of the first instruction.
  var disassemble: ([UInt8], UInt64) -> (length: Int, text: String)?

  /// What a guest tells, with or without a trace.
  func report(_ guest: PausedGuest, path: String) throws -> CrashReport {
    var report = CrashReport(
      title: "A guest at an instant",
      guest: CrashReport.Guest(
        memory: guest.view.ranges.reduce(0) { $0 &+ UInt64($1.count) }))
    do {
      let kernel = try Kernel(guest.view)
      add(kernel, to: &report)
    } catch {
      report.problem = "\(error)"
      report.processor = Self.processor(guest.view.processors[0], nil)
    }
    if let session = guest.session, let result = guest.result {
      try add(session.reader, result, path: path, to: &report)
    }
    return report
  }

  private func add(_ kernel: Kernel, to report: inout CrashReport) {
    var log: PrintkLog?
    do { log = try PrintkLog(kernel) } catch { report.logProblem = "\(error)" }
    let analysis = CrashAnalysis(kernel, log: log)
    report.title =
      analysis.panic.map { "Kernel panic: \($0)" } ?? analysis.cause
      ?? kernel.release.map { "Linux \($0)" } ?? "Linux"
    report.cause = analysis.panic == nil ? nil : analysis.cause
    report.guest.kernel = kernel.release
    report.guest.banner = kernel.banner
    report.guest.buildID = kernel.vmcoreinfo?.buildID
    report.guest.kernelOffset = kernel.vmcoreinfo?.kernelOffset.map(Figures.hexadecimal)
    report.guest.physicalBase = kernel.vmcoreinfo?.physicalBase
    report.guest.vmcoreinfo = kernel.vmcoreinfo?.source.rawValue
    report.guest.commandLine = kernel.symbols.address(of: "saved_command_line").flatMap { kernel.space.u64($0) }
      .flatMap { kernel.space.string($0, limit: 4096) }
    report.fault = fault(analysis.fault)
    report.backtrace = BacktraceReport(analysis.backtrace, task: analysis.task)
    report.stack = analysis.stack.map(CrashReport.Register.init)
    report.log = log.map {
      LogReport(release: kernel.release, damaged: $0.damaged, records: $0.records.map(LogReport.Record.init))
    }
    report.tasks = TasksReport(kernel.tasks)
    report.modules = ModulesReport(kernel)
    report.interrupts = InterruptsReport(KernelInterrupts(kernel))
    report.processor = Self.processor(kernel.registers, kernel)
  }

  private static func processor(_ registers: GuestRegisters, _ kernel: Kernel?) -> [CrashReport.Register] {
    let values =
      Array(zip(GuestRegisters.names, registers.general)) + [
        ("rip", registers.rip), ("rflags", registers.rflags), ("cs", UInt64(registers.cs)),
        ("ss", UInt64(registers.ss)),
        ("fs base", registers.fsBase), ("gs base", registers.gsBase), ("kernel gs", registers.kernelGSBase),
        ("cr0", registers.cr0), ("cr2", registers.cr2), ("cr3", registers.cr3), ("cr4", registers.cr4),
      ]
    return values.map { name, value in
      let isControl = name.hasPrefix("cr") || name == "rflags" || name == "cs" || name == "ss"
      return .init(.init(name: name, value: value, points: isControl ? nil : kernel?.describe(value)))
    }
  }

  private func fault(_ fault: CrashAnalysis.Fault) -> CrashReport.Fault {
    CrashReport.Fault(
      kind: fault.kind.rawValue, exception: fault.exception, address: CrashReport.wide(fault.address),
      symbol: fault.name?.text, errorCode: fault.errorCode.map(Figures.hexadecimal),
      errorMeaning: fault.exception == "page fault" ? fault.errorCode.map(Self.meaning) : nil,
      accessed: fault.accessed.map(CrashReport.wide),
      walk: (fault.walk?.entries ?? []).map {
        .init(
          name: $0.name, address: Figures.hexadecimal($0.address), value: $0.value.map(CrashReport.wide),
          flags: $0.flags)
      }, physical: fault.walk?.physical.map(Figures.hexadecimal),
      registers: fault.registers.map(CrashReport.Register.init), code: code(fault))
  }

  /// SDM 3A 4.7: the error code of a page fault.
  private static func meaning(_ code: UInt64) -> String {
    [
      code & 16 != 0 ? "fetch" : code & 2 != 0 ? "write" : "read", code & 4 != 0 ? "from user mode" : "from the kernel",
      code & 1 != 0 ? "of a page that forbids it" : "of a page that is not there",
      code & 8 != 0 ? "(reserved bit set)" : nil, code & 32 != 0 ? "(protection key)" : nil,
    ].compactMap { $0 }.joined(separator: " ")
  }

  /// The instructions around a fault: disassembled from the function's start, so that they are cut where the processor
  /// cuts them.
  private func code(_ fault: CrashAnalysis.Fault) -> [CrashReport.Instruction] {
    var all: [CrashReport.Instruction] = []
    var marked: Int?
    var at = 0
    while at < fault.code.count {
      let address = fault.codeStart &+ UInt64(at)
      let rest = Array(fault.code[at...].prefix(16))
      let line = disassemble(rest, address)
      let length = max(1, min(line?.length ?? 1, rest.count))
      // For a call, the instruction before the return address.
      let end = address &+ UInt64(length)
      let isFault = fault.kind == .call ? end == fault.address : address == fault.address
      if isFault { marked = all.count }
      all.append(
        .init(
          address: CrashReport.wide(address),
          bytes: rest.prefix(length).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " "),
          text: line?.text, isFault: isFault))
      at += length
    }
    if all.allSatisfy({ $0.text == nil }) { return raw(fault) }
    let middle = marked ?? all.firstIndex { $0.address >= CrashReport.wide(fault.address) } ?? 0
    return Array(all[max(0, middle - 10)..<min(all.count, middle + 7)])
  }

  /// The bytes from the place on, where nothing can be said about them.
  private func raw(_ fault: CrashAnalysis.Fault) -> [CrashReport.Instruction] {
    let bytes = fault.code.dropFirst(Int(clamping: fault.address &- fault.codeStart)).prefix(16)
    guard !bytes.isEmpty else { return [] }
    return [
      .init(
        address: CrashReport.wide(fault.address),
        bytes: bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " "), text: nil,
        isFault: true)
    ]
  }

  private func add(_ reader: TraceReader, _ result: ReplayResult, path: String, to report: inout CrashReport) throws {
    let info = try TraceInfo(of: reader)
    report.run = CrashReport.Run(
      trace: (path as NSString).lastPathComponent, recorded: info.created, inquest: info.inquestVersion,
      seed: info.seed,
      instant: result.instant.description, instructions: result.instant.instructionCount, time: result.virtualTime,
      images: info.images.map { "\($0.role) \(($0.name as NSString).lastPathComponent) sha256 \($0.sha256)" })
    if report.guest.commandLine == nil { report.guest.commandLine = info.commandLine }
    report.history = info.commands
    let timeline = try ReportTimeline(reader)
    report.console = timeline.marks.filter {
      $0.kind == "console" && $0.instructions <= result.instant.instructionCount
    }.suffix(Self.consoleLines).map(\.text)
    report.timeline = timeline
    report.events = Self.lastEvents(reader, before: result.instant, interrupts: report.interrupts)
  }

  private static func lastEvents(
    _ reader: TraceReader, before instant: Instant, interrupts: InterruptsReport?
  ) -> [CrashReport.Event] {
    var ring: [TraceEvent] = []
    var cursor = reader.events()
    while let event = try? cursor.next(), event.instant <= instant {
      if case .serialOutput = event.body { continue }
      if case .digest = event.body { continue }
      ring.append(event)
      if ring.count >= 4 * lastEvents { ring.removeFirst(ring.count - lastEvents) }
    }
    return ring.suffix(lastEvents).map { event in
      let instant = event.instant.description
      var text = event.description
      if text.hasPrefix(instant) { text.removeFirst(instant.count) }
      text = String(text.trimmingCharacters(in: .whitespaces).prefix(200))
      if case .interrupt(let vector, _) = event.body, let name = name(of: vector, interrupts) { text += " (\(name))" }
      return CrashReport.Event(instant: instant, text: text)
    }
  }

  /// Who handles a vector: Linux's own ones (arch/x86/include/asm/irq_vectors.h), else the line that leads to it.
  private static func name(of vector: UInt8, _ interrupts: InterruptsReport?) -> String? {
    switch vector {
    case 0xEC: return interrupts == nil ? nil : "local timer"
    default:
      let text = Figures.hexadecimal(UInt64(vector))
      return interrupts?.interrupts.first { $0.vector == text }?.actions.joined(separator: ", ")
    }
  }
}
