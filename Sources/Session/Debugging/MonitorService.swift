extension Session {
  /// Carries out what monitors have sent, for a machine's thread that is busy with a debugger instead of the run.
  public func serveMonitors() { mailbox.empty(for: self) }
}
