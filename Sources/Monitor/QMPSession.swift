import NIOCore
import Session

/// One QMP monitor: a back end, and the client that is talking through it now. Confined to one event loop.
///
/// Requests of a client are answered in order, one at a time; those that concern the machine are posted to its
/// thread. An answer that comes after its client has gone is dropped; the command has been carried out all the same.
final class QMPSession: @unchecked Sendable {
  private let backend: any CharacterBackend
  private let context: MonitorContext
  private let mailbox: any MachineMailbox
  private let loop: any EventLoop

  private enum Request {
    /// `getfd` brings its descriptor.
    case command(JSONObject, ReceivedDescriptor?)
    case refused(ControlError, id: JSONValue?)
  }
  private var parser = JSONParser()
  /// What came with the bytes before the next `getfd` was complete.
  private var receivedDescriptors: [ReceivedDescriptor] = []
  private let descriptors = DescriptorStore()
  private var queue: [Request] = []
  private var isBusy = false
  private var isConnected = false
  private var isNegotiated = false
  private var allowsOOB = false
  private var inputHasEnded = false
  /// Tells answers to the present client from those to one that has gone.
  private var generation: UInt64 = 0
  /// Answers that may lie unread before further requests wait for the client to read.
  private static let backlogLimit = 1 << 19
  private var isStalled = false
  /// Requests that may wait before the client's input is paused; QEMU's number.
  private static let queueLimit = 8

  init(
    backend: any CharacterBackend, context: MonitorContext, mailbox: any MachineMailbox, loop: any EventLoop
  ) {
    self.backend = backend
    self.context = context
    self.mailbox = mailbox
    self.loop = loop
  }

  /// Greets the client that is there, or the next one. On the loop.
  func start() {
    (backend as? SocketBackend)?.onHalfClose { self.inputEnded() }
    // As in QEMU, later ones replace those that no command has asked for.
    (backend as? SocketBackend)?.onDescriptors { self.receivedDescriptors = $0 }
    backend.attach(
      CharacterHandlers(
        opened: { self.opened() }, input: { self.received($0) }, closed: { self.closed() }))
  }

  /// Whether a client waits for the answer of the machine's thread. On the loop.
  var awaitsMachine: Bool { isConnected && isBusy }

  /// Sends an event, if the client has negotiated. On the loop.
  func send(event: JSONValue) { if isConnected && isNegotiated { send(event) } }

  private func send(_ message: JSONValue) {
    var bytes = message.bytes
    bytes += [0x0d, 0x0a]
    backend.write(bytes)
  }

  private func opened() {
    reset()
    isConnected = true
    send(["QMP": ["version": context.identity.json, "capabilities": ["oob"]]])
  }

  private func closed() {
    reset()
    isConnected = false
  }

  private func reset() {
    generation &+= 1
    parser = JSONParser()
    receivedDescriptors = []
    descriptors.removeAll()
    queue = []
    isBusy = false
    isStalled = false
    isNegotiated = false
    allowsOOB = false
    inputHasEnded = false
  }

  private func inputEnded() {
    inputHasEnded = true
    if queue.isEmpty && !isBusy { backend.disconnect() }
  }

  private func received(_ bytes: [UInt8]) {
    for result in parser.feed(bytes) {
      switch result {
      case .failure(let error): queue.append(.refused(ControlError(error.message), id: nil))
      case .success(.object(let object)):
        var descriptor: ReceivedDescriptor?
        if object["execute"] == "getfd" {
          descriptor = receivedDescriptors.first
          receivedDescriptors = []
        }
        queue.append(.command(object, descriptor))
      case .success: queue.append(.refused(ControlError("QMP input must be a JSON object"), id: nil))
      }
    }
    work()
    if queue.count >= QMPSession.queueLimit { backend.pauseInput(true) }
  }

  /// Takes requests until one has to wait for the machine, or for the client to read.
  private func work() {
    while !isBusy, !isStalled, !queue.isEmpty {
      let backlog = backend.backlog
      if backlog > QMPSession.backlogLimit {
        isStalled = true
        return waitForReader(backlog, polls: 0)
      }
      let wasFull = queue.count >= QMPSession.queueLimit
      let request = queue.removeFirst()
      if wasFull && queue.count < QMPSession.queueLimit { backend.pauseInput(false) }
      switch request {
      case .refused(let error, let id): answer(.failure(error), id: id)
      case .command(let object, let descriptor): dispatch(object, descriptor)
      }
    }
    if inputHasEnded && !isBusy && queue.isEmpty { backend.disconnect() }
  }

  /// Looks every few milliseconds whether the client reads; cuts it off when it has not for too long.
  private func waitForReader(_ backlog: Int, polls: Int) {
    let generation = generation
    loop.scheduleTask(in: .milliseconds(10)) {
      guard generation == self.generation else { return }
      let left = self.backend.backlog
      if left <= QMPSession.backlogLimit {
        self.isStalled = false
        self.work()
      } else if left < backlog {
        self.waitForReader(left, polls: 0)
      } else if polls >= self.context.identity.slowClientTimeout * 100 {
        self.backend.cutOff()
      } else {
        self.waitForReader(backlog, polls: polls + 1)
      }
    }
  }

  private func answer(_ result: Result<JSONValue, ControlError>, id: JSONValue?) {
    var message = JSONObject()
    switch result {
    case .success(let value):
      message["return"] = value
      if let id { message["id"] = id }
    case .failure(let error):
      // QEMU puts the id first here.
      if let id { message["id"] = id }
      message["error"] = ["class": .string(error.errorClass), "desc": .string(error.message)]
    }
    send(.object(message))
  }

  private func dispatch(_ request: JSONObject, _ descriptor: ReceivedDescriptor?) {
    let id = request["id"]
    do throws(ControlError) {
      let (command, arguments) = try resolve(request)
      try QMPMember.check(arguments, against: command.arguments)
      try run(command, QMPArguments(object: arguments), id, descriptor)
    } catch {
      answer(.failure(error), id: id)
    }
  }

  /// Checks the envelope, in QEMU's order, and finds the command.
  private func resolve(_ request: JSONObject) throws(ControlError) -> (QMPCommand, JSONObject) {
    var verb: String?
    var name = ""
    var arguments = JSONObject()
    for member in request.members {
      switch member.name {
      case "execute", "exec-oob":
        if member.name == "exec-oob" && !allowsOOB {
          throw ControlError("QMP input member 'exec-oob' is unexpected")
        }
        guard let string = member.value.stringValue else {
          throw ControlError("QMP input member '\(member.name)' must be a string")
        }
        if let verb { throw ControlError("QMP input member '\(member.name)' clashes with '\(verb)'") }
        verb = member.name
        name = string
      case "arguments" where member.value.objectValue != nil:
        arguments = member.value.objectValue ?? JSONObject()
      case "arguments": throw ControlError("QMP input member 'arguments' must be an object")
      case "id": break
      default: throw ControlError("QMP input member '\(member.name)' is unexpected")
      }
    }
    guard let verb else { throw ControlError("QMP input lacks member 'execute'") }
    guard let command = QMPCommand.named(name) else {
      throw notFound(isNegotiated ? "The command \(name) has not been found" : QMPSession.expectsNegotiation)
    }
    if !isNegotiated && command.name != "qmp_capabilities" { throw notFound(QMPSession.expectsNegotiation) }
    if verb == "exec-oob" && !command.allowsOOB {
      throw ControlError("The command \(name) does not support OOB")
    }
    return (command, arguments)
  }

  private static let expectsNegotiation = "Expecting capabilities negotiation with 'qmp_capabilities'"

  private func notFound(_ message: String) -> ControlError {
    ControlError(message, errorClass: "CommandNotFound")
  }

  private func run(
    _ command: QMPCommand, _ arguments: QMPArguments, _ id: JSONValue?, _ descriptor: ReceivedDescriptor?
  ) throws(ControlError) {
    switch command.body {
    case .negotiation:
      if isNegotiated { throw notFound("Capabilities negotiation is already complete, command ignored") }
      isNegotiated = true
      allowsOOB = arguments.object["enable"]?.arrayValue?.contains("oob") ?? false
      answer(.success([:]), id: id)
    case .local(let body):
      let context = context
      answer(QMPSession.result { try body(context, arguments) }, id: id)
    case .descriptor(let body):
      let store = descriptors
      answer(QMPSession.result { try body(store, arguments, descriptor) }, id: id)
    case .machine(let body):
      let dump = context.dump
      if dump.status == .active {
        // The machine's thread is busy with it; these answers do not need that thread.
        if command.isRefusedDuringDump { throw MonitorContext.dumpInProgress }
        switch command.name {
        case "query-status": return answer(.success(QMPCommand.statusAnswer(dump.runState)), id: id)
        case "query-dump": return answer(.success(QMPCommand.dumpAnswer(dump)), id: id)
        default: break
        }
      }
      isBusy = true
      post(body, arguments, id)
    }
  }

  private func post(
    _ body: @escaping @Sendable (QMPInvocation) throws -> JSONValue, _ arguments: QMPArguments,
    _ id: JSONValue?
  ) {
    let (context, loop, generation, descriptors) = (context, loop, generation, descriptors)
    mailbox.post { machine in
      var isAnswered = false
      let answer = { (result: Result<JSONValue, ControlError>) in
        if isAnswered { return }
        isAnswered = true
        loop.execute { self.finish(result, id, generation) }
      }
      let call = QMPInvocation(
        machine: machine, arguments: arguments, context: context, descriptors: descriptors,
        answerNow: { answer(.success($0)) })
      answer(QMPSession.result { try body(call) })
    }
  }

  private func finish(_ result: Result<JSONValue, ControlError>, _ id: JSONValue?, _ generation: UInt64) {
    guard generation == self.generation else { return }
    isBusy = false
    answer(result, id: id)
    work()
  }

  private static func result(_ body: () throws -> JSONValue) -> Result<JSONValue, ControlError> {
    do {
      return .success(try body())
    } catch let error as ControlError {
      return .failure(error)
    } catch {
      return .failure(ControlError("\(error)"))
    }
  }
}
