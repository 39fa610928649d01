import NIOCore
import Session

/// One human monitor: a back end, a prompt, and lines that run on the machine's thread, in order.
final class HumanSession: @unchecked Sendable {
  private let backend: any CharacterBackend
  private let context: MonitorContext
  private let mailbox: any MachineMailbox
  private let loop: any EventLoop

  private var editor = LineEditor()
  private var input: [UInt8] = []
  private var isBusy = false
  private var isGreeted = false
  private var inputHasEnded = false
  private var generation: UInt64 = 0
  /// Bytes typed ahead of a running command.
  private static let inputLimit = 1 << 16

  init(
    backend: any CharacterBackend, context: MonitorContext, mailbox: any MachineMailbox, loop: any EventLoop
  ) {
    self.backend = backend
    self.context = context
    self.mailbox = mailbox
    self.loop = loop
  }

  func start() {
    (backend as? SocketBackend)?.onHalfClose { self.inputEnded() }
    // On a shared terminal the greeting waits until somebody turns to the monitor.
    let part = backend as? MuxBackend.Part
    part?.focused = { self.focused() }
    backend.attach(
      CharacterHandlers(
        opened: { if part == nil { self.opened() } }, input: { self.received($0) }, closed: { self.closed() })
    )
  }

  private func focused() {
    if isGreeted {
      write("\r\n(qemu) ")
      backend.write(editor.current)
    } else {
      opened()
    }
  }

  private func opened() {
    closed()
    isGreeted = true
    let identity = context.identity
    write(
      "QEMU \(identity.major).\(identity.minor).\(identity.micro) monitor (\(identity.package)) - "
        + "type 'help' for more information\r\n(qemu) ")
  }

  private func closed() {
    generation &+= 1
    editor.clear()
    input = []
    isBusy = false
    isGreeted = false
    inputHasEnded = false
  }

  private func inputEnded() {
    inputHasEnded = true
    if !isBusy && input.isEmpty { backend.disconnect() }
  }

  private func write(_ text: String) { backend.write(Array(text.utf8)) }

  private func received(_ bytes: [UInt8]) {
    if input.count + bytes.count <= HumanSession.inputLimit { input += bytes }
    work()
  }

  private func work() {
    var taken = 0
    while !isBusy && taken < input.count {
      let byte = input[taken]
      taken += 1
      for action in editor.take(byte) { perform(action) }
    }
    input.removeFirst(min(taken, input.count))
    if inputHasEnded && !isBusy && input.isEmpty { backend.disconnect() }
  }

  private func perform(_ action: LineEditor.Action) {
    switch action {
    case .echo(let bytes): backend.write(bytes)
    case .completion(let prefix):
      let candidates = HumanMonitor.completions(of: prefix)
      if candidates.count == 1 {
        for echo in editor.complete(candidates[0] + " ") { perform(echo) }
      } else if !candidates.isEmpty {
        write("\r\n" + candidates.joined(separator: " ") + "\r\n(qemu) ")
        backend.write(editor.current)
      }
    case .line(let line):
      if line.trimmed.isEmpty { return write("(qemu) ") }
      run(line)
    }
  }

  private func run(_ line: String) {
    isBusy = true
    let (context, loop, generation) = (context, loop, generation)
    if context.dump.status == .active,
      ["c", "cont", "s", "stop"].contains(line.trimmed)
    {
      return finish("Error: \(MonitorContext.dumpInProgress.message)\r\n", generation)
    }
    mailbox.post { machine in
      let text = HumanMonitor(machine: machine, context: context).execute(line)
      loop.execute { self.finish(text, generation) }
    }
  }

  private func finish(_ text: String, _ generation: UInt64) {
    guard generation == self.generation else { return }
    isBusy = false
    write(text + "(qemu) ")
    // `finish` may come from inside `work`, which then goes on by itself.
    loop.execute { self.work() }
  }
}
