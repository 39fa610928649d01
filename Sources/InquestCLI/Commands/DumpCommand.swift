import ArgumentParser
import CoreDump
import Foundation
import Session
import Trace

struct DumpCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dump",
    abstract: "Write the guest's memory and registers at an instant as a core that gdb, crash and drgn read.",
    discussion: """
      EXAMPLES:
        inquest dump crash.inq --at panic -o core.elf.gz
        inquest dump crash.inq --at panic-1000 -o core.elf && gdb -c core.elf
        inquest dump crash.inq --format kdump-zlib -o vmcore && crash vmlinux vmcore

      FORMATS:
        elf         ELF vmcore: gdb, crash, drgn, makedumpfile; the default for FILE.elf
        elf-gz      the same bytes compressed, for gzip -d; the default for other names
        kdump-zlib  compressed kdump: crash, drgn, makedumpfile; the default for FILE.kdump

      PAGES (kdump-zlib only): all; no-zero, the same, since pages of zeros share one; no-free, without free pages; kernel, \
      without page cache and programs' memory, too. For instants see inquest help replay.
      """)

  @OptionGroup var trace: TraceArguments
  @Option(
    name: .customLong("at"), help: ArgumentHelp("Where in the run. (default: panic)", valueName: "instant"))
  var at: String?
  @Option(
    name: [.customShort("o"), .customLong("output")], help: ArgumentHelp("The core.", valueName: "file"))
  var output: String
  @Option(
    name: .customLong("format"),
    help: ArgumentHelp("elf, elf-gz or kdump-zlib. (default: by the file's name)", valueName: "format"))
  var format: String?
  @Option(
    name: .customLong("pages"),
    help: ArgumentHelp("all, no-zero, no-free or kernel. (default: all)", valueName: "pages"))
  var pages = "all"
  @Option(name: .customLong("level"), help: ArgumentHelp("Of compression, 1 to 9.", valueName: "n"))
  var level: Int32 = CoreWriter.defaultLevel
  @Flag(name: .customLong("paging"), help: "Program headers carry the virtual addresses that are mapped (ELF only).")
  var paging = false

  func run() throws {
    guard (1...9).contains(level) else { throw CommandFailure.usage("--level \(level): 1 to 9") }
    let format = try self.format.map(Self.format) ?? CoreFormat(path: output)
    let pages = try DumpPages(option: self.pages)
    if format != .kdumpZlib, pages != .all {
      throw CommandFailure.usage("--pages \(pages.rawValue): ELF cores hold all pages; add --format kdump-zlib")
    }
    if format == .kdumpZlib, paging {
      throw CommandFailure.usage("--paging: a compressed kdump has no virtual addresses; leave it out")
    }
    try OutputPath.check(output, isNot: trace.path)
    let guest = try PausedGuest.replay(trace.path, images: trace.images, at: at ?? "panic")
    guard let session = guest.session, let result = guest.result else { return }
    let start = DispatchTime.now().uptimeNanoseconds
    let bytes = try DumpWriter.write(
      session, to: output, format: format, paging: paging, filter: pages.filter(guest), level: level
    ) {
      Terminal.progress("writing \($0.completed &* 100 / max(1, $0.total)) %")
    }
    Terminal.clearProgress()
    let time = Double(DispatchTime.now().uptimeNanoseconds &- start) / 1e9
    let size = (try? FileManager.default.attributesOfItem(atPath: output)[.size] as? UInt64) ?? 0
    Terminal.print(
      "\(output): \(Figures.bytes(size)) for \(Figures.bytes(bytes)) of memory at \(result.instant), rip "
        + "\(Figures.hexadecimal(session.rip)); replayed in \(Figures.seconds(result.hostTime)), written in "
        + Figures.seconds(time))
  }

  private static func format(_ name: String) throws -> CoreFormat {
    guard let format = CoreFormat(rawValue: name) else {
      throw CommandFailure.usage(
        "--format \(name): there are \(CoreFormat.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    return format
  }

  /// - Throws: for a replay that did not get where it should.
  static func check(_ result: ReplayResult) throws {
    switch result.reason {
    case .end, .until, .cutOff, .quit: break
    case .diverged(let divergence): throw divergence
    case .damaged(let error): throw error
    case .failed(let reason): throw CommandFailure(status: ExitStatus.internal, message: reason)
    }
  }
}
