import Session

/// Lines of the human monitor for somebody with a console of his own, such as gdb's `monitor`. On the machine's thread.
public struct MonitorConsole {
  private let context: MonitorContext

  public init(identity: MonitorIdentity) { context = MonitorContext(identity: identity) }

  /// Runs one line. - Returns: the answer, lines ended by newlines; errors are part of it.
  public func execute(_ line: String, on machine: any ControlledMachine) -> String {
    let text = HumanMonitor(machine: machine, context: context).execute(line)
    return String(String.UnicodeScalarView(text.unicodeScalars.filter { $0 != "\r" }))
  }
}
