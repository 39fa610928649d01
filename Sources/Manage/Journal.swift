import Glibc
import Monitor

/// What has become of a panic, as the journal tells it.
public struct PanicRecord: Sendable, Equatable {
  /// The process that the machine lives in.
  public var server: String
  /// The panic among those of that process.
  public var panic: String
  /// Counted over the whole journal, from 1.
  public var number: Int
  public var policy: ManagePolicy
  /// Where the core goes.
  public var dump: String?
  public var begun: [Step] = []
  public var done: [Step] = []
  /// Why nothing more is to be done; nil while something is.
  public var outcome: String?

  /// What is done one after the other, each at most once.
  public enum Step: String, Sendable { case dump, exec, cont, reset, destroy }
}

/// Remembers over the manager's own deaths what was done about each panic: JSON lines, each on the disk before the next
/// thing is done. A line that was cut off by a crash is skipped. One manager at a time holds it.
public final class Journal {
  public let path: String
  public private(set) var records: [PanicRecord] = []
  private let descriptor: CInt

  /// Opens or creates the file and reads what it says.
  /// - Throws: `Failure`.
  public init(path: String) throws {
    self.path = path
    descriptor = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw Failure(path: path, isInUse: false, code: errno) }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let code = errno
      close(descriptor)
      throw Failure(path: path, isInUse: code == EWOULDBLOCK, code: code)
    }
    let text = FileText.read(path) ?? ""
    for line in text.split(whereSeparator: \.isNewline) {
      guard let entry = try? JSONParser.parse(String(line)) else { continue }
      take(entry)
    }
    // What was cut off must not swallow the next line.
    if let last = text.utf8.last, last != 0x0a { try append(bytes: [0x0a]) }
  }

  deinit { close(descriptor) }

  public struct Failure: Error, CustomStringConvertible {
    public var path: String
    /// Another manager has it.
    public var isInUse: Bool
    public var code: CInt
    public var description: String {
      isInUse
        ? "\(path): another manager is using this journal; end it, or name another file with --journal"
        : "\(path): cannot write the journal: \(String(cString: strerror(code)))"
    }
  }

  /// The record of a panic, if it is known.
  public func record(server: String, panic: String) -> PanicRecord? {
    records.last { $0.server == server && $0.panic == panic }
  }
  /// Panics about which something is still to be done.
  public var unfinished: [PanicRecord] { records.filter { $0.outcome == nil } }

  // MARK: Writing

  /// A new panic. - Returns: its record.
  public func seen(server: String, panic: String, policy: ManagePolicy, dump: String?) throws -> PanicRecord {
    let number = (records.map(\.number).max() ?? 0) + 1
    var entry: [(String, JSONValue)] = [
      ("number", .integer(Int64(number))), ("state", "seen"), ("server", .string(server)), ("panic", .string(panic)),
      ("policy", .string(policy.name)),
    ]
    if let dump { entry.append(("dump", .string(dump))) }
    try write(entry)
    return records.last { $0.number == number }!
  }

  public func begins(_ step: PanicRecord.Step, of record: PanicRecord) throws {
    try write([
      ("number", .integer(Int64(record.number))), ("state", "begun"), ("step", .string(step.rawValue)),
    ])
  }

  /// - Parameter note: for a reader.
  public func ended(_ step: PanicRecord.Step, of record: PanicRecord, note: String? = nil) throws {
    var entry: [(String, JSONValue)] = [
      ("number", .integer(Int64(record.number))), ("state", "done"), ("step", .string(step.rawValue)),
    ]
    if let note { entry.append(("note", .string(note))) }
    try write(entry)
  }

  /// Nothing more is to be done about a panic.
  public func handled(_ record: PanicRecord, outcome: String, note: String? = nil) throws {
    var entry: [(String, JSONValue)] = [
      ("number", .integer(Int64(record.number))), ("state", "handled"), ("outcome", .string(outcome)),
    ]
    if let note { entry.append(("note", .string(note))) }
    try write(entry)
  }

  /// Something else that is worth knowing later.
  public func note(_ text: String) throws { try write([("state", "note"), ("note", .string(text))]) }

  private func write(_ members: [(String, JSONValue)]) throws {
    var time = timeval()
    gettimeofday(&time, nil)
    var calendar = tm()
    var seconds = time.tv_sec
    gmtime_r(&seconds, &calendar)
    var text = [CChar](repeating: 0, count: 32)
    strftime(&text, text.count, "%Y-%m-%dT%H:%M:%S", &calendar)
    let digits = String(time.tv_usec)
    let fraction = String(repeating: "0", count: 6 - digits.count) + digits
    let stamp = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let entry = JSONValue.object(JSONObject([("time", .string("\(stamp).\(fraction)Z"))] + members))
    try append(bytes: entry.bytes + [0x0a])
    take(entry)
  }

  private func append(bytes: [UInt8]) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw Failure(path: path, isInUse: false, code: count == 0 ? ENOSPC : errno) }
      rest = rest.dropFirst(count)
    }
    guard fsync(descriptor) == 0 || errno == EINVAL else { throw Failure(path: path, isInUse: false, code: errno) }
  }

  // MARK: Reading

  private func take(_ entry: JSONValue) {
    guard let number = entry["number"]?.integerValue.flatMap({ Int(exactly: $0) }),
      let state = entry["state"]?.stringValue
    else { return }
    if state == "seen" {
      guard let server = entry["server"]?.stringValue, let panic = entry["panic"]?.stringValue,
        let policy = entry["policy"]?.stringValue.flatMap(ManagePolicy.init)
      else { return }
      records.append(
        PanicRecord(server: server, panic: panic, number: number, policy: policy, dump: entry["dump"]?.stringValue))
      return
    }
    guard let index = records.lastIndex(where: { $0.number == number }) else { return }
    let step = entry["step"]?.stringValue.flatMap(PanicRecord.Step.init)
    switch (state, step) {
    case ("begun", let step?): records[index].begun.append(step)
    case ("done", let step?): records[index].done.append(step)
    case ("handled", _): records[index].outcome = entry["outcome"]?.stringValue ?? "handled"
    default: break
    }
  }
}
