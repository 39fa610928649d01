/// What management does with a machine whose guest has panicked: libvirt's `on_crash`, and `cont`.
public struct ManagePolicy: Sendable, Equatable {
  public enum Action: String, Sendable, CaseIterable {
    /// The machine stays paused.
    case preserve
    /// The guest goes on and reboots itself, if that is what it does after a panic.
    case cont
    /// The machine is reset and started.
    case reset
    /// The machine's process ends.
    case destroy
  }
  public var action: Action
  /// A core is written first.
  public var dumps: Bool

  public init(_ action: Action, dumps: Bool = false) {
    self.action = action
    self.dumps = dumps
  }

  /// `reset`, `coredump-reset`, …
  public init?(_ text: String) {
    let prefix = "coredump-"
    dumps = text.hasPrefix(prefix)
    guard let action = Action(rawValue: dumps ? String(text.dropFirst(prefix.count)) : text) else { return nil }
    self.action = action
  }

  public var name: String { (dumps ? "coredump-" : "") + action.rawValue }
  /// All names.
  public static let names = [false, true].flatMap { dumps in
    Action.allCases.map { ManagePolicy($0, dumps: dumps).name }
  }
}
