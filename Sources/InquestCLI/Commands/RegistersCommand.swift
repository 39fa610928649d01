import ArgumentParser
import PC
import Session
import X86System

struct RegistersCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "registers",
    abstract: "The processor's registers at an instant.",
    discussion: """
      EXAMPLES:
        inquest registers crash.inq --at panic
        inquest registers crash.inq --at panic-1 --all
        inquest registers crash.inq --at 812.3M --json | jq -r .registers.rip

      The text is that of QEMU's 'info registers'. For instants see inquest help replay.
      """)

  @OptionGroup var trace: TraceArguments
  @Option(
    name: .customLong("at"),
    help: ArgumentHelp("Where in the run. (default: panic, or the end where there is none)", valueName: "instant"))
  var at: String?
  @Flag(name: .customLong("all"), help: "Floating-point and SSE registers, too; in JSON also AVX.")
  var all = false
  @Flag(name: .customLong("json"), help: "As JSON; numbers are hexadecimal strings.")
  var json = false

  func run() throws {
    guard let session = try PausedGuest.replay(trace.path, images: trace.images, at: at).session else { return }
    if json { return Terminal.print(JSONOutput.text(RegistersReport(session, all: all))) }
    let lines = session.machine.registersText().split(separator: "\n").drop { $0.hasPrefix("CPU#") }
    for line in lines {
      if !all && line.hasPrefix("FCW=") { break }
      Terminal.print(String(line))
    }
  }
}

/// Registers for programs.
struct RegistersReport: Encodable {
  struct Segment: Encodable {
    var selector, base, limit, attributes: String
  }
  struct Table: Encodable {
    var base, limit: String
  }
  var instant: String
  /// Nanoseconds since power-on.
  var virtualTime: UInt64
  /// By gdb's names.
  var registers: [String: String] = [:]
  var segments: [String: Segment] = [:]
  var tables: [String: Table] = [:]
  /// DR0–DR3, DR6, DR7.
  var debug: [String: String] = [:]
  var msrs: [String: String] = [:]
  /// Whether the processor waits in HLT.
  var isHalted: Bool
  /// Privilege level.
  var cpl: UInt8

  init(_ session: Session, all: Bool) {
    let hex = Figures.hexadecimal
    instant = session.instant.description
    virtualTime = session.machine.virtualTime
    isHalted = session.machine.processor.isHalted
    let file = RegisterFile(of: session.machine)
    let state = file.state
    cpl = state.cpl
    for register in file.available {
      if !all, [.x87, .sse, .avx].contains(register.group) { continue }
      // The whole state, whatever the mode: gdb's view of other modes leaves parts out.
      registers[register.name] = Self.hexadecimal(file[register])
    }
    registers["rip"] = hex(state.rip)
    registers["eflags"] = hex(state.rflags)
    for (name, segment) in zip(["es", "cs", "ss", "ds", "fs", "gs"], state.segments) {
      segments[name] = Segment(
        selector: hex(UInt64(segment.register.selector)), base: hex(segment.base),
        limit: hex(UInt64(segment.register.limit)), attributes: hex(UInt64(segment.register.attributes)))
    }
    for (name, table) in [("ldtr", state.ldtr), ("tr", state.tr)] {
      segments[name] = Segment(
        selector: hex(UInt64(table.selector)), base: hex(table.base), limit: hex(UInt64(table.limit)),
        attributes: hex(UInt64(table.attributes)))
    }
    for (name, table) in [("gdtr", state.gdtr), ("idtr", state.idtr)] {
      tables[name] = Table(base: hex(table.base), limit: hex(UInt64(table.limit)))
    }
    for (name, value) in zip(["dr0", "dr1", "dr2", "dr3", "dr6", "dr7"], state.debug) { debug[name] = hex(value) }
    for (name, value) in [
      ("star", state.star), ("lstar", state.lstar), ("cstar", state.cstar), ("fmask", state.fmask),
      ("sysenter_cs", state.sysenterCS), ("sysenter_esp", state.sysenterESP), ("sysenter_eip", state.sysenterEIP),
      ("tsc_aux", state.tscAux), ("pat", state.pat), ("misc_enable", state.miscEnable),
    ] {
      msrs[name] = hex(value)
    }
  }

  private static func hexadecimal(_ bytes: [UInt8]) -> String {
    let digits = bytes.reversed().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    let short = digits.drop { $0 == "0" }
    return "0x" + (short.isEmpty ? "0" : short)
  }
}
