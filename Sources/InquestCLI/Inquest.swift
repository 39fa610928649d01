import ArgumentParser
import Foundation
import Session

/// The command line. `main` is all that the executable calls.
public enum InquestCLI {
  /// Runs the command of this process and ends it.
  public static func main() -> Never {
    Signals.ignoreWriteErrors()
    exit(run(Array(CommandLine.arguments.dropFirst())))
  }

  /// Runs a command. - Returns: the exit status.
  public static func run(_ arguments: [String]) -> Int32 {
    do {
      if arguments.isEmpty {
        Terminal.print(InquestCommand.helpMessage())
        return ExitStatus.success
      }
      if let help = OptionHelp.text(for: arguments) {
        Terminal.print(help)
        return ExitStatus.success
      }
      if let name = arguments.first, name.first != "-", name != "help", !commandNames.contains(name) {
        throw CommandFailure.usage(
          "there is no command '\(name)'; there are \(commandNames.joined(separator: ", "))")
      }
      var command = try parse(arguments)
      try command.run()
      return ExitStatus.success
    } catch let request as ExitRequest {
      return request.status
    } catch {
      return report(error)
    }
  }

  /// The help of each command, by name.
  package static func helpTexts(columns: Int) -> [(command: String, text: String)] {
    InquestCommand.configuration.groupedSubcommands.flatMap { $0.subcommands }.map {
      ($0._commandName, $0.helpMessage(columns: columns))
    }
  }

  /// The guest of `inquest demo`, an ELF file.
  package static var demoGuest: [UInt8] { DemoGuest.image }

  private static var commandNames: [String] {
    InquestCommand.configuration.groupedSubcommands.flatMap { $0.subcommands }.map { $0._commandName }
  }

  /// Parses a command line, QEMU's spelling included.
  static func parse(_ arguments: [String]) throws -> any ParsableCommand {
    let arguments = try QEMUCommandLine.expand(arguments) { Terminal.note($0) }
    return try InquestCommand.parseAsRoot(try Spelling.normalise(arguments))
  }

  private static func report(_ error: any Error) -> Int32 {
    switch error {
    case is CommandFailure: break
    default:
      let status = InquestCommand.exitCode(for: error)
      if status == .success {
        // Help and version come as errors.
        Terminal.print(InquestCommand.fullMessage(for: error))
        return ExitStatus.success
      }
      if status == .validationFailure {
        let message = InquestCommand.message(for: error)
        let line = message.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
        Terminal.note(line.filter { !$0.isEmpty }.joined(separator: " "))
        return ExitStatus.usage
      }
    }
    let failure = CommandFailure(error)
    Terminal.note(failure.message)
    return failure.status
  }
}

struct InquestCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inquest",
    abstract: "Records a PC with its panic, and brings the same run back, to the instruction.",
    discussion: """
      Options that QEMU has are spelled as QEMU spells them: -kernel, -initrd, -append, -m, -device, -serial, -qmp, …

      EXAMPLES:
        inquest demo
        inquest record -m 256 -kernel vmlinuz -initrd initrd.img \\
            -append "console=ttyS0 panic=5" -device pvpanic -o crash.inq
        inquest replay crash.inq
        inquest dump crash.inq --at panic -o core.elf.gz

      \(ExitStatus.help)
      """,
    version: "inquest \(Session.version) (machine version \(Session.machineVersion))",
    groupedSubcommands: [
      CommandGroup(
        name: "Live", subcommands: [RecordCommand.self, RunCommand.self, HuntCommand.self, ManageCommand.self]),
      CommandGroup(
        name: "Traces",
        subcommands: [
          InfoCommand.self, EventsCommand.self, ReplayCommand.self, DumpCommand.self, ScreenCommand.self,
          BranchCommand.self,
          DiffCommand.self, DebugCommand.self, WhoWroteCommand.self, TraceCommand.self,
          CheckpointCommand.self,
        ]),
      CommandGroup(
        name: "The guest at an instant",
        subcommands: [
          RegistersCommand.self, MemoryCommand.self, SerialCommand.self,
          DmesgCommand.self, BacktraceCommand.self, TasksCommand.self, ModulesCommand.self, InterruptsCommand.self,
          ReportCommand.self,
        ]),
      CommandGroup(name: "To begin with", subcommands: [DemoCommand.self]),
    ])
}
