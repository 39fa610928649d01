import Foundation

/// A report as one HTML file that needs nothing else: no network, no font, no library. Everything but the timeline and the
/// search is there without scripts.
struct ReportPage {
  let report: CrashReport

  var html: String {
    var body = ""
    body += header
    body += "<main id=\"top\">"
    if let problem = report.problem { body += "<p class=\"note\">No kernel: \(Self.escape(problem))</p>" }
    body += fault
    body += backtrace
    body += timeline
    body += section("log", "Kernel log", log, count: report.log?.records.count)
    body += section("registers", "Processor", Self.registers(report.processor))
    body += section("stack", "Stack", Self.registers(report.stack, heading: "address"))
    body += section("console", "Console", console)
    body += section("history", "Monitor commands", history, count: report.history.count)
    body += section("events", "Last events", events, isOpen: false)
    body += section("tasks", "Tasks", tasks, count: report.tasks?.tasks.count, isOpen: false)
    body += section("modules", "Modules", modules, count: report.modules?.modules.count, isOpen: false)
    body += section("interrupts", "Interrupts", interrupts, isOpen: false)
    body += section("run", "The run", run, isOpen: true)
    body += "</main>"
    return """
      <!DOCTYPE html>
      <html lang="en"><head><meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta name="color-scheme" content="light dark">
      <link rel="icon" href="data:,">
      <title>\(Self.escape(report.title))</title>
      <style>\(ReportStyle.css)</style></head>
      <body><a class="skip" href="#top">Skip to the report</a>
      \(body)
      <script type="application/json" id="timeline-data">\(timelineData)</script>
      <script>\(ReportStyle.script)</script>
      </body></html>

      """
  }

  /// Text of the guest or the user is never markup.
  static func escape(_ text: String) -> String {
    var result = ""
    result.reserveCapacity(text.utf8.count)
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "\t", "\n": result.unicodeScalars.append(scalar)
      case _ where scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value) || scalar.properties.isBidiControl:
        result += "\\u{" + String(scalar.value, radix: 16) + "}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  // MARK: Parts

  private var header: String {
    var facts: [(String, String)] = []
    if let kernel = report.guest.kernel { facts.append(("kernel", kernel)) }
    if let task = report.backtrace?.task { facts.append(("task", "\(task.name) (\(task.pid))")) }
    if let run = report.run {
      facts.append(("instant", run.instant))
      facts.append(("instructions", Figures.grouped(run.instructions)))
      facts.append(("virtual time", Figures.time(nanoseconds: run.time)))
      facts.append(("trace", run.trace))
    }
    let items = facts.map { "<div><dt>\($0.0)</dt><dd>\(Self.escape($0.1))</dd></div>" }.joined()
    let links = [
      ("fault", "Fault"), ("backtrace", "Backtrace"), ("timeline", "Timeline"), ("log", "Log"),
      ("registers", "Processor"), ("stack", "Stack"), ("console", "Console"), ("history", "Commands"),
      ("events", "Events"), ("tasks", "Tasks"), ("modules", "Modules"), ("interrupts", "Interrupts"), ("run", "Run"),
    ].map { "<a href=\"#\($0.0)\">\($0.1)</a>" }.joined()
    return "<header><h1>\(Self.escape(report.title))</h1>"
      + (report.cause.map { "<p class=\"cause\">\(Self.escape($0))</p>" } ?? "")
      + "<dl class=\"facts\">\(items)</dl></header><nav aria-label=\"Sections\">\(links)</nav>"
  }

  private func section(
    _ id: String, _ title: String, _ content: String, count: Int? = nil, isOpen: Bool = true
  ) -> String {
    guard !content.isEmpty else { return "" }
    let number = count.map { " <span class=\"count\">\($0)</span>" } ?? ""
    return
      "<details id=\"\(id)\"\(isOpen ? " open" : "")><summary><h2>\(title)\(number)</h2></summary>\(content)</details>"
  }

  private static func table(_ head: [String], _ rows: [[String]], _ style: String = "") -> String {
    guard !rows.isEmpty else { return "" }
    let heading =
      head.isEmpty ? "" : "<thead><tr>" + head.map { "<th scope=\"col\">\($0)</th>" }.joined() + "</tr></thead>"
    return "<div class=\"scroll \(style)\" tabindex=\"0\"><table class=\"\(style)\">\(heading)<tbody>"
      + rows.map { "<tr>" + $0.map { "<td>\($0)</td>" }.joined() + "</tr>" }.joined() + "</tbody></table></div>"
  }

  private static func registers(_ registers: [CrashReport.Register], heading: String = "register") -> String {
    table(
      [heading, "value", "points to"],
      registers.map { ["<code>\(escape($0.name))</code>", "<code>\($0.value)</code>", escape($0.points ?? "")] },
      "whole")
  }

  private var fault: String {
    guard let fault = report.fault else { return "" }
    let place = "<code>\(Self.escape(fault.symbol ?? fault.address))</code>"
    var text: String
    switch fault.kind {
    case "exception":
      text = "<p><strong>\(Self.escape(fault.exception ?? "Exception"))</strong> at \(place)"
      if let accessed = fault.accessed {
        text += ", \(fault.errorMeaning ?? "access"): <code>\(accessed)</code>"
      } else if let code = fault.errorCode {
        text += ", error code <code>\(code)</code>"
      }
      text += "</p>"
    case "call": text = "<p>The panic was called from \(place).</p>"
    default: text = "<p>The processor is at \(place); no fault and no panic is on its stack.</p>"
    }
    let code = fault.code.map {
      "<span class=\"line\($0.isFault ? " hit" : "")\">\($0.isFault ? "▶" : " ") \($0.address.dropFirst(2))  "
        + $0.bytes.padded(31) + Self.escape($0.text ?? "") + "</span>"
    }.joined()
    if !code.isEmpty { text += "<pre tabindex=\"0\" class=\"code\">\(code)</pre>" }
    if !fault.walk.isEmpty {
      text += "<h3>Page walk of <code>\(fault.accessed ?? "")</code></h3>"
      text += Self.table(
        ["entry", "at", "value", ""],
        fault.walk.map {
          [$0.name, "<code>\($0.address)</code>", "<code>\($0.value ?? "–")</code>", Self.escape($0.flags)]
        })
      text +=
        "<p>" + (fault.physical.map { "Physical address <code>\($0)</code>." } ?? "Nothing is mapped there.") + "</p>"
    }
    if fault.kind == "exception" { text += "<h3>Registers at the fault</h3>" + Self.registers(fault.registers) }
    return section("fault", "Fault", text)
  }

  private var backtrace: String {
    guard let backtrace = report.backtrace else { return "" }
    var rows: [[String]] = []
    for (index, frame) in backtrace.frames.enumerated() {
      rows.append([
        "\(index)", "<code>\(frame.address)</code>",
        "<code class=\"\(frame.reliable ? "" : "guess")\">\(Self.escape(frame.text))</code>", frame.stack ?? "",
        frame.kind == "exception" ? "interrupted here" : frame.method == "scan" ? "guess" : "",
      ])
    }
    var text = Self.table(["", "address", "function", "stack", ""], rows)
    if let problem = backtrace.problem { text += "<p class=\"note\">The walk ended early: \(Self.escape(problem))</p>" }
    return section("backtrace", "Backtrace", text)
  }

  private var timeline: String {
    guard report.timeline != nil else { return "" }
    return section(
      "timeline", "Timeline",
      """
      <div class="tools" role="group" aria-label="Timeline">
      <button type="button" data-zoom="in">Zoom in</button><button type="button" data-zoom="out">Zoom out</button>\
      <button type="button" data-zoom="left" aria-label="Earlier">◀</button>\
      <button type="button" data-zoom="right" aria-label="Later">▶</button>\
      <button type="button" data-zoom="all">All</button>
      <label><input type="checkbox" id="by-time"> by virtual time</label></div>
      <canvas id="timeline-canvas" tabindex="0" role="img" \
      aria-label="Events of the run over its instructions; plus and minus zoom, arrows move"></canvas>
      <ol id="timeline-marks" class="marks" tabindex="0"></ol>
      """)
  }

  private var timelineData: String {
    guard let timeline = report.timeline else { return "null" }
    // The panic, or where the report is.
    let place = report.run?.instructions ?? 0
    let json = JSONOutput.text(timeline, onOneLine: true)
    return ("{\"place\":\(place),\"timeline\":" + json + "}").replacingOccurrences(of: "<", with: "\\u003c")
  }

  private var log: String {
    guard let log = report.log else {
      return report.logProblem.map { "<p class=\"note\">\(Self.escape($0))</p>" } ?? ""
    }
    let lines = log.records.map { record -> String in
      let micro = String(record.time / 1000 % 1_000_000)
      let stamp =
        String(record.time / 1_000_000_000).leftPadded(5) + "." + String(repeating: "0", count: 6 - micro.count) + micro
      return "<span class=\"line l\(record.level)\"><i>[\(stamp)]</i> \(Self.escape(record.text))</span>"
    }
    return """
      <div class="tools"><label>Search <input type="search" id="log-search" autocomplete="off"></label>
      <label><input type="checkbox" id="log-urgent"> warnings and worse only</label></div>
      <pre class="log" id="log-lines" tabindex="0">\(lines.joined())</pre>
      """
  }

  private var console: String {
    guard !report.console.isEmpty else { return "" }
    return "<pre tabindex=\"0\">" + report.console.map(Self.escape).joined(separator: "\n") + "</pre>"
  }

  private var history: String {
    Self.table(
      ["instant", "from", "command"],
      report.history.map {
        ["<code>\($0.instant)</code>", Self.escape($0.source), "<code>\(Self.escape($0.command))</code>"]
      })
  }

  private var events: String {
    Self.table(
      ["instant", "event"],
      report.events.map { ["<code>\($0.instant)</code>", "<code>\(Self.escape($0.text))</code>"] })
  }

  private var tasks: String {
    guard let tasks = report.tasks else { return "" }
    return Self.table(
      ["pid", "parent", "state", "name"],
      tasks.tasks.map {
        [
          "\($0.pid)", $0.parent.map { "\($0)" } ?? "", $0.state + ($0.current ? " (running)" : ""),
          Self.escape($0.kernelThread ? "[\($0.name)]" : $0.name),
        ]
      }) + (tasks.problem.map { "<p class=\"note\">\(Self.escape($0))</p>" } ?? "")
  }

  private var modules: String {
    guard let modules = report.modules else { return "" }
    return Self.table(
      ["name", "base", "size", "state", "build id"],
      modules.modules.map {
        [
          Self.escape($0.name), "<code>\($0.base)</code>", "\($0.size)", $0.state, "<code>\($0.buildID ?? "")</code>",
        ]
      }) + (modules.problem.map { "<p class=\"note\">\(Self.escape($0))</p>" } ?? "")
  }

  private var interrupts: String {
    guard let interrupts = report.interrupts else { return "" }
    return Self.table(
      ["irq", "vector", "count", "chip", "handlers"],
      interrupts.interrupts.map {
        [
          "\($0.number)", $0.vector ?? "", "\($0.counts.reduce(0, &+))", Self.escape("\($0.chip) \($0.hardwareNumber)"),
          Self.escape($0.actions.joined(separator: ", ")),
        ]
      } + interrupts.counters.map { ["", "", "\($0.count)", "", Self.escape($0.name)] })
  }

  private var run: String {
    var rows: [[String]] = []
    func row(_ name: String, _ value: String?) {
      if let value, !value.isEmpty { rows.append([name, "<code>\(Self.escape(value))</code>"]) }
    }
    row("kernel", report.guest.banner ?? report.guest.kernel)
    row("build id", report.guest.buildID)
    row("KASLR offset", report.guest.kernelOffset)
    row("phys_base", report.guest.physicalBase.map { "\($0)" })
    row("VMCOREINFO", report.guest.vmcoreinfo.map { $0 == "device" ? "told by the guest" : "found in memory" })
    row("command line", report.guest.commandLine)
    row("memory", Figures.bytes(report.guest.memory))
    if let run = report.run {
      row("recorded", "\(run.recorded) by inquest \(run.inquest)")
      row("seed", "\(run.seed)")
      for image in run.images { row("image", image) }
    }
    return Self.table([], rows, "wrap")
  }
}
