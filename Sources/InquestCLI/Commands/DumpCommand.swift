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

      A file name that ends in .elf gives a plain ELF vmcore, any other one the same bytes compressed for gzip -d. For \
      instants see inquest help replay.
      """)

  @OptionGroup var trace: TraceArguments
  @Option(
    name: .customLong("at"), help: ArgumentHelp("Where in the run. (default: panic)", valueName: "instant"))
  var at: String?
  @Option(
    name: [.customShort("o"), .customLong("output")], help: ArgumentHelp("The core.", valueName: "file"))
  var output: String
  @Option(name: .customLong("level"), help: ArgumentHelp("Of compression, 1 to 9.", valueName: "n"))
  var level: Int32 = CoreWriter.defaultLevel
  @Flag(name: .customLong("paging"), help: "Program headers carry the virtual addresses that are mapped.")
  var paging = false

  func run() throws {
    guard (1...9).contains(level) else { throw CommandFailure.usage("--level \(level): 1 to 9") }
    let spec = try InstantSpec(at ?? "panic")
    try OutputPath.check(output, isNot: trace.path)
    let reader = try TraceReader(path: trace.path)
    let session = try ReplaySession(
      path: trace.path, imagePaths: trace.images, until: try spec.target(in: reader))
    TraceArguments.warn(reader)
    ReplayProgress(reader, verb: "replaying").install(in: session)
    let result = session.run()
    Terminal.clearProgress()
    try Self.check(result)
    let start = DispatchTime.now().uptimeNanoseconds
    let bytes = try DumpWriter.write(
      session, to: output, format: CoreFormat(path: output), paging: paging, level: level
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
