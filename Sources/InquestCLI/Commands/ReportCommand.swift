import ArgumentParser
import Disassembly
import Foundation

struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "One page about a crash: reason, code, registers, backtrace, log, timeline.",
    discussion: """
      The page is one HTML file that needs no network. With --json the same as data, on stdout unless -o is given.

      EXAMPLES:
        inquest report crash.inq -o crash.html
        inquest report crash.inq --at panic-100000 -o before.html
        inquest report crash.inq --json | jq -r .title
      """)

  @OptionGroup var guest: ForensicsArguments
  @Option(
    name: [.customShort("o"), .customLong("output")],
    help: ArgumentHelp("The page. (default: the trace's name with .html)", valueName: "file"))
  var output: String?

  func run() throws {
    let path = output ?? (guest.json ? nil : ((guest.path as NSString).deletingPathExtension + ".html"))
    if let path { try OutputPath.check(path, isNot: guest.path) }
    let paused = try PausedGuest.open(guest)
    let start = DispatchTime.now().uptimeNanoseconds
    let builder = ReportBuilder(disassemble: Self.disassembler())
    let report = try builder.report(paused, path: guest.path)
    let text = guest.json ? JSONOutput.text(report) + "\n" : ReportPage(report: report).html
    guard let path else {
      Terminal.write(text, to: STDOUT_FILENO)
      return
    }
    do { try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .atomic) } catch {
      let code = ((error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError)?.code ?? Int(EIO)
      throw CommandFailure.output(path, creating: true, code: Int32(truncatingIfNeeded: code))
    }
    let time = Double(DispatchTime.now().uptimeNanoseconds &- start) / 1e9
    Terminal.print(
      "\(path): \(report.title.visible); \(Figures.bytes(UInt64(text.utf8.count))), written in \(Figures.seconds(time))"
    )
  }

  /// Code as text, where there is a disassembler.
  private static func disassembler() -> ([UInt8], UInt64) -> (length: Int, text: String)? {
    let disassembler = Disassembler(width: 64)
    return { bytes, address in disassembler?.line(bytes, at: address).map { ($0.length, $0.text) } }
  }
}
